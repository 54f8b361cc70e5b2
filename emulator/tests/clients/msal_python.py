from urllib.parse import parse_qsl, urlsplit

import msal
from say import Client, approve, given, sign_in_at

SCOPES = ["499b84ac-1321-427f-aa17-267ca6975798/.default"]
VAULT = ["https://vault.azure.net/.default"]
AUTHORITY = f"{given('ENTRA')}/{given('TENANT')}"
client = Client("msal")


def public():
    return msal.PublicClientApplication(given("CLIENT_ID"), authority=AUTHORITY, instance_discovery=False)


def confidential(credential):
    return msal.ConfidentialClientApplication(
        given("APP_ID"), authority=AUTHORITY, client_credential=credential, instance_discovery=False
    )


def token(answer):
    if not answer or "access_token" not in answer:
        raise RuntimeError(str(answer))
    return answer


with client.operation("device code"):
    app = public()
    flow = app.initiate_device_flow(scopes=SCOPES)
    approve(flow["user_code"])
    token(app.acquire_token_by_device_flow(flow))
with client.operation("silent, by refresh token"):
    account = app.get_accounts()[0]
    assert account["username"] == given("PERSON"), account
    token(app.acquire_token_silent(SCOPES, account=account, force_refresh=True))
with client.operation("refresh token of another program"):
    token(public().acquire_token_by_refresh_token(given("REFRESH_TOKEN"), scopes=SCOPES))
with client.operation("authorization code with PKCE"):
    app = confidential(given("APP_SECRET"))
    flow = app.initiate_auth_code_flow(SCOPES, redirect_uri="http://localhost:8400/")
    address = sign_in_at(flow["auth_uri"])
    token(app.acquire_token_by_auth_code_flow(flow, dict(parse_qsl(urlsplit(address).query))))
with client.operation("client secret"):
    token(confidential(given("APP_SECRET")).acquire_token_for_client(VAULT))
with open(given("APP_CERTIFICATE"), encoding="ascii") as file:
    pem = file.read()
key, certificate = pem.split("-----BEGIN CERTIFICATE-----", 1)
certificate = "-----BEGIN CERTIFICATE-----" + certificate
with client.operation("certificate"):
    token(
        confidential({"private_key": key, "public_certificate": certificate}).acquire_token_for_client(VAULT)
    )
with client.operation("federated token"):
    token(confidential({"client_assertion": lambda: given("JOB_TOKEN")}).acquire_token_for_client(VAULT))
