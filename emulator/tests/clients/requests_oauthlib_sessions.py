import os
from urllib.parse import parse_qs, urlsplit

# Entra names every permission that it grants, which is not what `.default` asks for word by word.
os.environ["OAUTHLIB_RELAX_TOKEN_SCOPE"] = "1"

from oauthlib.oauth2 import BackendApplicationClient
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session
from say import Client, given, sign_in_at

BASE = f"{given('ENTRA')}/{given('TENANT')}/oauth2/v2.0"
TOKEN = f"{BASE}/token"
DEVOPS = ["499b84ac-1321-427f-aa17-267ca6975798/.default", "offline_access"]
VAULT = ["https://vault.azure.net/.default"]
client = Client("requests-oauthlib")

with client.operation("client secret, client_secret_basic"):
    session = OAuth2Session(client=BackendApplicationClient(client_id=given("APP_ID"), scope=VAULT))
    auth = HTTPBasicAuth(given("APP_ID"), given("APP_SECRET"))
    assert session.fetch_token(TOKEN, auth=auth)["access_token"]
with client.operation("authorization code with PKCE"):
    session = OAuth2Session(given("APP_ID"), scope=DEVOPS, redirect_uri="http://127.0.0.1:8400/", pkce="S256")
    address, _ = session.authorization_url(f"{BASE}/authorize")
    (code,) = parse_qs(urlsplit(sign_in_at(address)).query)["code"]
    tokens = session.fetch_token(TOKEN, code=code, client_secret=given("APP_SECRET"))
with client.operation("refresh token, client_secret_basic"):
    rolled = session.refresh_token(TOKEN, refresh_token=tokens["refresh_token"], auth=auth)
    assert rolled["refresh_token"] != tokens["refresh_token"]
