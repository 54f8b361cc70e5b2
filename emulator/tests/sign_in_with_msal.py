"""Signs in with Microsoft's own library, as its users do: by device code, then by refresh token.

Arguments: authority, client id, CA file. Prints what the test reads: the user code, then a line per token.
"""
import sys

import msal

authority, client_id, ca = sys.argv[1:]
scopes = ["499b84ac-1321-427f-aa17-267ca6975798/.default"]
app = msal.PublicClientApplication(client_id, authority=authority, instance_discovery=False, verify=ca)

flow = app.initiate_device_flow(scopes=scopes)
print("user code", flow["user_code"], flush=True)
tokens = app.acquire_token_by_device_flow(flow)
if "access_token" not in tokens:
    sys.exit(f"no token by device code: {tokens}")
print("access token", tokens["access_token"], flush=True)

account = app.get_accounts()[0]
print("account", account["username"], flush=True)
tokens = app.acquire_token_silent(scopes, account=account, force_refresh=True)
if not tokens or "access_token" not in tokens:
    sys.exit(f"no token by refresh token: {tokens}")
print("access token", tokens["access_token"], flush=True)
