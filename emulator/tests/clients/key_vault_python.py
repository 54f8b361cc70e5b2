from datetime import datetime, timedelta, timezone

from azure.core.exceptions import ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient
from say import Client, given

client = Client("azure-keyvault-secrets")
credential = ClientSecretCredential(
    given("TENANT"), given("APP_ID"), given("APP_SECRET"), authority=given("ENTRA"), disable_instance_discovery=True
)
# The emulator's host is no vault.azure.net.
vault = SecretClient(given("VAULT"), credential, verify_challenge_resource=False)
end = datetime.now(timezone.utc) + timedelta(days=30)

with client.operation("set"):
    first = vault.set_secret("pat", "first-value", content_type="text/plain", expires_on=end, tags={"a": "b"})
    assert first.properties.tags == {"a": "b"}, first.properties.tags
    vault.set_secret("pat", "second-value")
with client.operation("get"):
    assert vault.get_secret("pat").value == "second-value"
    assert vault.get_secret("pat", first.properties.version).value == "first-value"
    assert not vault.get_secret("pat").properties.tags
with client.operation("list"):
    assert [secret.name for secret in vault.list_properties_of_secrets()] == ["pat"]
with client.operation("list versions"):
    assert len(list(vault.list_properties_of_secret_versions("pat"))) == 2
    assert not list(vault.list_properties_of_secret_versions("no-such"))
with client.operation("update"):
    assert vault.update_secret_properties("pat", tags={"c": "d"}).tags == {"c": "d"}
    vault.update_secret_properties("pat", first.properties.version, enabled=False)
with client.operation("delete"):
    deleted = vault.begin_delete_secret("pat").result()
    assert deleted.recovery_id.endswith("/deletedsecrets/pat") and deleted.scheduled_purge_date
with client.operation("get and list deleted"):
    assert vault.get_deleted_secret("pat").name == "pat"
    assert [secret.name for secret in vault.list_deleted_secrets()] == ["pat"]
with client.operation("recover"):
    vault.begin_recover_deleted_secret("pat").result()
    assert vault.get_secret("pat").value == "second-value"
with client.operation("purge"):
    vault.begin_delete_secret("pat").wait()
    vault.purge_deleted_secret("pat")
    try:
        vault.get_deleted_secret("pat")
        raise AssertionError("it is still there")
    except ResourceNotFoundError:
        pass
