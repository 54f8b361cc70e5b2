import { ClientSecretCredential } from '@azure/identity'
import { SecretClient } from '@azure/keyvault-secrets'
import { check, client, done, given, operation } from './say.mjs'

client('@azure/keyvault-secrets')
const credential = new ClientSecretCredential(given.TENANT, given.APP_ID, given.APP_SECRET, {
  authorityHost: given.ENTRA, disableInstanceDiscovery: true,
})
// The emulator's host is no vault.azure.net.
const vault = new SecretClient(given.VAULT, credential, { disableChallengeResourceVerification: true })
const names = async (pages) => {
  const found = []
  for await (const one of pages) found.push(one.name)
  return found.join()
}

let first
await operation('set', async () => {
  const expiresOn = new Date(Date.now() + 30 * 24 * 3600 * 1000)
  first = await vault.setSecret('pat', 'first-value', { contentType: 'text/plain', expiresOn, tags: { a: 'b' } })
  check(first.properties.tags.a === 'b', 'the tag is missing')
  await vault.setSecret('pat', 'second-value')
})
await operation('get', async () => {
  check((await vault.getSecret('pat')).value === 'second-value', 'it is not the newest')
  const { value } = await vault.getSecret('pat', { version: first.properties.version })
  check(value === 'first-value', 'it is not the first')
})
await operation('list', async () => check(await names(vault.listPropertiesOfSecrets()) === 'pat', 'another list'))
await operation('list versions', async () => {
  check(await names(vault.listPropertiesOfSecretVersions('pat')) === 'pat,pat', 'another list')
  check(await names(vault.listPropertiesOfSecretVersions('no-such')) === '', 'another list')
})
await operation('update', async () => {
  const { version } = (await vault.getSecret('pat')).properties
  check((await vault.updateSecretProperties('pat', version, { tags: { c: 'd' } })).tags.c === 'd', 'no tag')
  await vault.updateSecretProperties('pat', first.properties.version, { enabled: false })
})
const fast = { intervalInMs: 50 }
await operation('delete', async () => {
  const deleted = await (await vault.beginDeleteSecret('pat', fast)).pollUntilDone()
  check(deleted.recoveryId.endsWith('/deletedsecrets/pat'), deleted.recoveryId)
})
await operation('get and list deleted', async () => {
  check((await vault.getDeletedSecret('pat')).name === 'pat', 'another name')
  check(await names(vault.listDeletedSecrets()) === 'pat', 'another list')
})
await operation('recover', async () => {
  await (await vault.beginRecoverDeletedSecret('pat', fast)).pollUntilDone()
  check((await vault.getSecret('pat')).value === 'second-value', 'it is not back')
})
await operation('purge', async () => {
  await (await vault.beginDeleteSecret('pat', fast)).pollUntilDone()
  await vault.purgeDeletedSecret('pat')
  check(await names(vault.listDeletedSecrets()) === '', 'it is still there')
})
done()
