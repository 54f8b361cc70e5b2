import {
  AzurePipelinesCredential, ClientAssertionCredential, ClientCertificateCredential, ClientSecretCredential,
  DeviceCodeCredential, ManagedIdentityCredential, WorkloadIdentityCredential,
} from '@azure/identity'
import { approve, check, client, done, given, operation } from './say.mjs'

const devops = '499b84ac-1321-427f-aa17-267ca6975798/.default'
const vault = 'https://vault.azure.net/.default'
const options = { authorityHost: given.ENTRA, disableInstanceDiscovery: true }
const [tenant, app] = [given.TENANT, given.APP_ID]
const token = async (credential, scope) => check((await credential.getToken(scope)).token, 'there is no token')

client('@azure/identity')
await operation('device code', () => {
  const userPromptCallback = (code) => approve(code.userCode)
  return token(
    new DeviceCodeCredential({ tenantId: tenant, clientId: given.CLIENT_ID, userPromptCallback, ...options }), devops)
})
await operation('client secret', () => token(new ClientSecretCredential(tenant, app, given.APP_SECRET, options), vault))
await operation('certificate', () =>
  token(new ClientCertificateCredential(tenant, app, { certificatePath: given.APP_CERTIFICATE }, options), vault))
await operation('client assertion', () =>
  token(new ClientAssertionCredential(tenant, app, async () => given.JOB_TOKEN, options), vault))
await operation('workload identity', () =>
  token(new WorkloadIdentityCredential(
    { tenantId: tenant, clientId: app, tokenFilePath: given.JOB_TOKEN_FILE, ...options }), vault))
await operation('Azure Pipelines', () => {
  process.env.SYSTEM_OIDCREQUESTURI = given.PIPELINES_REQUEST_URI
  return token(
    new AzurePipelinesCredential(tenant, app, given.CONNECTION, given.PIPELINES_TOKEN, options), vault)
})
await operation('managed identity of App Service', () => token(new ManagedIdentityCredential(), vault))
done()
