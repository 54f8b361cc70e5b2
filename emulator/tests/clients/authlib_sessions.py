from authlib.integrations.requests_client import OAuth2Session
from say import Client, given, sign_in_at

BASE = f"{given('ENTRA')}/{given('TENANT')}/oauth2/v2.0"
TOKEN = f"{BASE}/token"
DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798/.default offline_access"
VAULT = "https://vault.azure.net/.default"
APP = (given("APP_ID"), given("APP_SECRET"))
client = Client("Authlib")

with client.operation("client secret, client_secret_basic"):
    assert OAuth2Session(*APP, scope=VAULT).fetch_token(TOKEN, grant_type="client_credentials")["access_token"]
with client.operation("client secret, client_secret_post"):
    session = OAuth2Session(*APP, scope=VAULT, token_endpoint_auth_method="client_secret_post")
    assert session.fetch_token(TOKEN, grant_type="client_credentials")["access_token"]
with client.operation("authorization code with PKCE, client_secret_basic"):
    session = OAuth2Session(
        *APP, scope=DEVOPS, redirect_uri="http://localhost:8400/", code_challenge_method="S256"
    )
    verifier = "a-verifier-of-more-than-forty-three-characters-in-all"
    address, state = session.create_authorization_url(f"{BASE}/authorize", code_verifier=verifier)
    tokens = session.fetch_token(
        TOKEN, authorization_response=sign_in_at(address), state=state, code_verifier=verifier
    )
with client.operation("refresh token, client_secret_basic"):
    rolled = session.refresh_token(TOKEN, refresh_token=tokens["refresh_token"])
    assert rolled["refresh_token"] != tokens["refresh_token"]
