#!/bin/sh
# Checks the manifests, workflows and examples with the schemas and rules of those who read them. Offline.
# Needs: pip install -r packaging/requirements.txt
set -eu
cd "$(dirname "$0")/.."

schema() {
  check-jsonschema --quiet --builtin-schema "vendor.$@"
}

schema github-actions action.yml
schema github-workflows .github/workflows/*.yml examples/github*.yml
schema gitlab-ci --data-transform gitlab-ci examples/gitlab-ci.yml
schema circle-ci examples/circleci.yml
schema buildkite examples/buildkite.yml
check-jsonschema --quiet --schemafile docs/adopat.schema.json examples/adopat.yml
for script in examples/container.sh packaging/check.sh; do sh -n "$script"; done
bash -n packaging/publish_extension.sh
zizmor --quiet --offline --no-progress action.yml .github/workflows
zizmor --quiet --offline --no-progress --config packaging/zizmor.yml examples/github*.yml
