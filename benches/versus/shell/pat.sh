#!/usr/bin/env bash
# Creates, rotates, revokes or lists PATs, as one would with curl and jq.
#
# Usage: pat.sh create|rotate|revoke|list. Settings come from the environment; the refresh token is read from a file
# and the rolled one put back; a new PAT goes to a file that only its owner can read, a list to standard output.
set -euo pipefail
umask 077

api="$SERVICE_URL/$ORGANIZATION/_apis/tokens/pats?api-version=7.1-preview.1"

sign_in() {
  local answer
  answer=$(curl --silent --show-error --fail-with-body \
    --data grant_type=refresh_token --data client_id="$CLIENT_ID" \
    --data-urlencode 'scope=499b84ac-1321-427f-aa17-267ca6975798/.default offline_access' \
    --data-urlencode refresh_token@"$REFRESH_TOKEN_FILE" \
    "$AUTHORITY_HOST/$TENANT_ID/oauth2/v2.0/token")
  jq --join-output .refresh_token <<< "$answer" > "$REFRESH_TOKEN_FILE.new"
  mv "$REFRESH_TOKEN_FILE.new" "$REFRESH_TOKEN_FILE"
  token=$(jq --raw-output .access_token <<< "$answer")
}

# The token goes through a pipe: an argument could be read by every user of the machine.
call() {
  curl --silent --show-error --fail-with-body --header @<(printf 'Authorization: Bearer %s\n' "$token") \
    --header 'Content-Type: application/json' --header 'X-TFS-FedAuthRedirect: Suppress' "$@"
}

# Every page, one JSON document after the other.
pages() {
  local page continuation=
  while :; do
    page=$(call --get --data-urlencode '$top=100' --data displayFilterOption=active \
      ${continuation:+--data-urlencode "continuationToken=$continuation"} "$api")
    printf '%s\n' "$page"
    continuation=$(jq --raw-output .continuationToken <<< "$page")
    [ -n "$continuation" ] || break
  done
}

named() { pages | jq --raw-output '.patTokens[] | select(.displayName == env.NAME) | .authorizationId'; }

create() {
  local answer
  answer=$(jq --null-input --arg until "$(date --utc --date "+$LIFETIME_DAYS days" +%Y-%m-%dT%H:%M:%SZ)" \
    '{displayName: env.NAME, scope: env.SCOPE, validTo: $until, allOrgs: false}' | call --data @- "$api")
  jq --join-output --exit-status 'select(.patTokenError == "none") | .patToken.token' <<< "$answer" > "$PAT_FILE.new"
  mv "$PAT_FILE.new" "$PAT_FILE"
}

revoke() { call --request DELETE "$api&authorizationId=$1" > /dev/null; }

sign_in
case $1 in
  create) create ;;
  rotate)
    old=$(named)
    [ "$(wc --lines <<< "$old")" = 1 ] && [ -n "$old" ]
    create
    revoke "$old"
    ;;
  revoke) for id in $(named); do revoke "$id"; done ;;
  list) pages | jq --compact-output --slurp 'map(.patTokens) | add' ;;
esac
