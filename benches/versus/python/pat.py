"""Creates, rotates, revokes or lists PATs, as one would with Microsoft's sign-in library and requests.

Usage: pat.py create|rotate|revoke|list. Settings come from the environment; the refresh token is read from a file
and the rolled one put back; a new PAT goes to a file that only its owner can read, a list to standard output.
"""
import json
import os
import sys
from datetime import datetime, timedelta, timezone

import msal
import requests

SCOPES = ["499b84ac-1321-427f-aa17-267ca6975798/.default"]
API = f"{os.environ['SERVICE_URL']}/{os.environ['ORGANIZATION']}/_apis/tokens/pats"
VERSION = {"api-version": "7.1-preview.1"}


def write_private(path, text):
    unfinished = f"{path}.new"
    with open(os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    os.replace(unfinished, path)


def sign_in():
    store = os.environ["REFRESH_TOKEN_FILE"]
    app = msal.PublicClientApplication(
        os.environ["CLIENT_ID"],
        authority=f"{os.environ['AUTHORITY_HOST']}/{os.environ['TENANT_ID']}",
        instance_discovery=False,
    )
    with open(store) as file:
        tokens = app.acquire_token_by_refresh_token(file.read().strip(), SCOPES)
    if "access_token" not in tokens:
        sys.exit(f"sign-in failed: {tokens.get('error_description')}")
    write_private(store, tokens["refresh_token"])
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    session.headers["X-TFS-FedAuthRedirect"] = "Suppress"
    return session


def pats(session):
    found, continuation = [], ""
    while True:
        query = {**VERSION, "displayFilterOption": "active", "$top": "100"}
        if continuation:
            query["continuationToken"] = continuation
        answer = session.get(API, params=query, timeout=60, allow_redirects=False)
        answer.raise_for_status()
        page = answer.json()
        found += page["patTokens"]
        continuation = page["continuationToken"]
        if not continuation:
            return found


def named(session):
    return [pat for pat in pats(session) if pat["displayName"] == os.environ["NAME"]]


def create(session):
    days = timedelta(days=int(os.environ["LIFETIME_DAYS"]))
    wanted = {
        "displayName": os.environ["NAME"],
        "scope": os.environ["SCOPE"],
        "validTo": (datetime.now(timezone.utc) + days).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "allOrgs": False,
    }
    answer = session.post(API, params=VERSION, json=wanted, timeout=60, allow_redirects=False)
    answer.raise_for_status()
    made = answer.json()
    if made["patTokenError"] != "none":
        sys.exit(f"no PAT was made: {made['patTokenError']}")
    write_private(os.environ["PAT_FILE"], made["patToken"]["token"])


def revoke(session, pat):
    query = {**VERSION, "authorizationId": pat["authorizationId"]}
    session.delete(API, params=query, timeout=60, allow_redirects=False).raise_for_status()


def main():
    session = sign_in()
    match sys.argv[1]:
        case "create":
            create(session)
        case "rotate":
            [old] = named(session)
            create(session)
            revoke(session, old)
        case "revoke":
            for pat in named(session):
                revoke(session, pat)
        case "list":
            json.dump(pats(session), sys.stdout)


main()
