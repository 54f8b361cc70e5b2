# The static binary alone: no shell, no libc, no certificates (it brings its own roots). What it writes goes to
# folders that are mounted, so it needs no home either, and no rights but those of a user without a name.
#
# Built from a folder that holds amd64/adopat and arm64/adopat:
#     docker buildx build --platform linux/amd64,linux/arm64 --file Dockerfile FOLDER
FROM scratch
ARG TARGETARCH
COPY --chmod=0755 ${TARGETARCH}/adopat /adopat
USER 65532:65532
ENTRYPOINT ["/adopat"]
