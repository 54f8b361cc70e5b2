#!/bin/bash
# Publishes an extension to Marketplace from a GitHub job, as the workload that the job is: the job's OIDC token is
# exchanged at Entra for an access token, which tfx reads from its standard input. No token is an argument of a
# program or stays in a file.
#
#     CLIENT_ID=... TENANT_ID=... packaging/publish_extension.sh FILE.vsix
set -euo pipefail

audience='api%3A%2F%2FAzureADTokenExchange'
azure_devops='499b84ac-1321-427f-aa17-267ca6975798' # the resource id of Azure DevOps, Marketplace included

assertion=$(
  printf 'header = "Authorization: Bearer %s"\n' "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" |
    curl --silent --show-error --fail --config - "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=$audience" |
    jq --raw-output .value
)
echo "::add-mask::$assertion"

token=$(
  printf '%s' "$assertion" |
    curl --silent --show-error --fail-with-body \
      --data-urlencode grant_type=client_credentials \
      --data-urlencode "client_id=$CLIENT_ID" \
      --data-urlencode "scope=$azure_devops/.default" \
      --data-urlencode client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
      --data-urlencode client_assertion@- \
      "${AUTHORITY_HOST:-https://login.microsoftonline.com}/$TENANT_ID/oauth2/v2.0/token" |
    jq --raw-output .access_token
)
echo "::add-mask::$token"

tfx="$(dirname "$0")/node_modules/tfx-cli/_build/tfx-cli.js"
node "$tfx" extension publish --vsix "$1" --no-color --service-url "${MARKETPLACE:-https://marketplace.visualstudio.com}" <<< "$token"
