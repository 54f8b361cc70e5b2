import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ConfidentialClientApplication, CryptoProvider, PublicClientApplication } from '@azure/msal-node'
import { approve, check, client, done, given, operation, signInAt } from './say.mjs'

const scopes = ['499b84ac-1321-427f-aa17-267ca6975798/.default']
const vault = ['https://vault.azure.net/.default']
const authority = `${given.ENTRA}/${given.TENANT}`
const knownAuthorities = [new URL(given.ENTRA).host]
const open = () => new PublicClientApplication({ auth: { clientId: given.CLIENT_ID, authority, knownAuthorities } })
const confidential = (proof) =>
  new ConfidentialClientApplication({ auth: { clientId: given.APP_ID, authority, knownAuthorities, ...proof } })
const token = (answer) => check(answer?.accessToken, 'there is no access token')

client('@azure/msal-node')
const app = open()
await operation('device code', async () => {
  token(await app.acquireTokenByDeviceCode({ scopes, deviceCodeCallback: (code) => approve(code.userCode) }))
})
await operation('silent, by refresh token', async () => {
  const [account] = await app.getTokenCache().getAllAccounts()
  check(account.username === given.PERSON, account.username)
  token(await app.acquireTokenSilent({ scopes, account, forceRefresh: true }))
})
await operation('refresh token of another program', async () => {
  token(await open().acquireTokenByRefreshToken({ scopes, refreshToken: given.REFRESH_TOKEN }))
})
await operation('authorization code with PKCE', async () => {
  const app = confidential({ clientSecret: given.APP_SECRET })
  const { verifier, challenge } = await new CryptoProvider().generatePkceCodes()
  const redirectUri = 'http://localhost:8400/'
  const address = await app.getAuthCodeUrl({
    scopes, redirectUri, codeChallenge: challenge, codeChallengeMethod: 'S256', responseMode: 'query',
  })
  const code = new URL(await signInAt(address)).searchParams.get('code')
  token(await app.acquireTokenByCode({ scopes, redirectUri, code, codeVerifier: verifier }))
})
await operation('client secret', async () => {
  token(await confidential({ clientSecret: given.APP_SECRET }).acquireTokenByClientCredential({ scopes: vault }))
})
await operation('certificate', async () => {
  const pem = readFileSync(given.APP_CERTIFICATE, 'ascii')
  const der = new X509Certificate(pem).raw
  const thumbprintSha256 = createHash('sha256').update(der).digest('hex')
  const privateKey = pem.slice(0, pem.indexOf('-----BEGIN CERTIFICATE-----'))
  const proof = { clientCertificate: { thumbprintSha256, privateKey } }
  token(await confidential(proof).acquireTokenByClientCredential({ scopes: vault }))
})
await operation('federated token', async () => {
  const proof = { clientAssertion: given.JOB_TOKEN }
  token(await confidential(proof).acquireTokenByClientCredential({ scopes: vault }))
})
done()
