#!/bin/sh
# Any CI system that runs containers; podman works too.
#
# The image holds one static program and nothing else, so the PAT goes to a file in a folder that both sides see, and
# is revoked when the script ends. Secrets are named, not spelt out: `--env NAME` passes what the variable holds
# without showing it in the process list. Pin the image by the digest that the release names. Without a
# credential-store the rolled refresh token is dropped, and the one given ends 90 days after it was got.
set -eu
export ADOPAT_REFRESH_TOKEN # a secret of the CI system

umask 077
secrets=$(mktemp -d)
trap 'rm -rf "$secrets"' EXIT
trap 'exit 143' INT TERM

adopat() {
  operation=$1
  shift
  docker run --rm --read-only --user "$(id -u):$(id -g)" --volume "$secrets:/secrets" \
    --env ADOPAT_REFRESH_TOKEN \
    --env ADOPAT_ORGANIZATION=fabrikam \
    --env ADOPAT_CLIENT_ID=00000000-0000-0000-0000-000000000001 \
    --env ADOPAT_TENANT_ID=00000000-0000-0000-0000-000000000002 \
    --env ADOPAT_DISPLAY_NAME="publish $(hostname) $$" \
    --env ADOPAT_SCOPE=vso.packaging_write \
    --env ADOPAT_LIFETIME=1h \
    "$@" ghcr.io/adopat/adopat:0.1.0 "$operation"
}

adopat create --env ADOPAT_OUTPUT_FILE=/secrets/pat --env ADOPAT_OUTPUT_FORMAT=token
trap 'adopat revoke; rm -rf "$secrets"' EXIT
ADO_PAT=$(cat "$secrets/pat") ./publish.sh
