import os

from azure.identity import (
    AzurePipelinesCredential,
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    DeviceCodeCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from say import Client, approve, given

DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798/.default"
VAULT = "https://vault.azure.net/.default"
COMMON = {"authority": given("ENTRA"), "disable_instance_discovery": True}
APP = (given("TENANT"), given("APP_ID"))
client = Client("azure-identity")

with client.operation("device code"):
    credential = DeviceCodeCredential(
        given("CLIENT_ID"), tenant_id=given("TENANT"), prompt_callback=lambda uri, code, end: approve(code), **COMMON
    )
    credential.get_token(DEVOPS)
with client.operation("client secret"):
    ClientSecretCredential(*APP, given("APP_SECRET"), **COMMON).get_token(VAULT)
with client.operation("certificate"):
    CertificateCredential(*APP, given("APP_CERTIFICATE"), **COMMON).get_token(VAULT)
with client.operation("client assertion"):
    ClientAssertionCredential(*APP, lambda: given("JOB_TOKEN"), **COMMON).get_token(VAULT)
with client.operation("workload identity"):
    WorkloadIdentityCredential(
        tenant_id=given("TENANT"), client_id=given("APP_ID"), token_file_path=given("JOB_TOKEN_FILE"), **COMMON
    ).get_token(VAULT)
with client.operation("Azure Pipelines"):
    os.environ["SYSTEM_OIDCREQUESTURI"] = given("PIPELINES_REQUEST_URI")
    AzurePipelinesCredential(
        tenant_id=given("TENANT"),
        client_id=given("APP_ID"),
        service_connection_id=given("CONNECTION"),
        system_access_token=given("PIPELINES_TOKEN"),
        **COMMON,
    ).get_token(VAULT)
with client.operation("managed identity of App Service"):
    ManagedIdentityCredential().get_token(VAULT)
