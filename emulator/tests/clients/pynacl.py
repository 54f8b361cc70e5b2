"""Seals a secret as GitHub's own documentation shows it, with the library's `SealedBox`."""
from base64 import b64encode

import requests
from nacl.encoding import Base64Encoder
from nacl.public import PublicKey, SealedBox
from say import Client, given

client = Client("PyNaCl")
secrets = f"{given('GITHUB')}/repos/contoso/fabrikam/actions/secrets"
headers = {"Authorization": f"Bearer {given('GITHUB_TOKEN')}", "Accept": "application/vnd.github+json"}

with client.operation("seal"):
    key = requests.get(f"{secrets}/public-key", headers=headers, timeout=30).json()
    sealed = SealedBox(PublicKey(key["key"].encode(), Base64Encoder())).encrypt(b"sealed-value")
    body = {"encrypted_value": b64encode(sealed).decode(), "key_id": key["key_id"]}
    answer = requests.put(f"{secrets}/FROM_PYNACL", headers=headers, json=body, timeout=30)
    assert answer.status_code == 201, answer.text
