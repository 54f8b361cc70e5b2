#!/bin/sh
# Checks the manifests and workflows with the schemas and rules of those who read them. Offline.
# Needs: pip install -r packaging/requirements.txt
set -eu
cd "$(dirname "$0")/.."

check-jsonschema --builtin-schema vendor.github-actions action.yml
check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml examples/github*.yml
check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci examples/gitlab-ci.yml
check-jsonschema --builtin-schema vendor.circle-ci examples/circleci.yml
check-jsonschema --builtin-schema vendor.buildkite examples/buildkite.yml
zizmor --offline --no-progress --persona regular action.yml .github/workflows examples/github*.yml
