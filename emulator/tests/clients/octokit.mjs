import { Octokit } from 'octokit'
import sodium from 'libsodium-wrappers'
import { check, client, done, given, operation } from './say.mjs'

client('octokit')
await sodium.ready
const octokit = new Octokit({ auth: given.GITHUB_TOKEN, baseUrl: given.GITHUB })
const { actions, repos } = octokit.rest
const repository = { owner: 'contoso', repo: 'fabrikam' }
const environment = { ...repository, environment_name: 'production' }

const sealed = (key, value) => {
  const { base64_variants: { ORIGINAL } } = sodium
  const bytes = sodium.crypto_box_seal(sodium.from_string(value), sodium.from_base64(key, ORIGINAL))
  return sodium.to_base64(bytes, ORIGINAL)
}

await operation('repository', async () => {
  check((await repos.get(repository)).data.full_name === 'contoso/fabrikam', 'another name')
})
await operation('create, update', async () => {
  const { data: key } = await actions.getRepoPublicKey(repository)
  for (const [value, status] of [['first-value', 201], ['second-value', 204]]) {
    const answer = await actions.createOrUpdateRepoSecret({
      ...repository, secret_name: 'FROM_OCTOKIT', key_id: key.key_id, encrypted_value: sealed(key.key, value),
    })
    check(answer.status === status, answer.status)
  }
})
await operation('get, list', async () => {
  const { data } = await actions.getRepoSecret({ ...repository, secret_name: 'FROM_OCTOKIT' })
  check(data.name === 'FROM_OCTOKIT' && Date.parse(data.updated_at) > 0, JSON.stringify(data))
  const all = await octokit.paginate(actions.listRepoSecrets, { ...repository, per_page: 1 })
  check(all.some((secret) => secret.name === 'FROM_OCTOKIT'), JSON.stringify(all))
})
await operation('environment: create, get, list, delete', async () => {
  const { data: key } = await actions.getEnvironmentPublicKey(environment)
  const secret = { ...environment, secret_name: 'FROM_OCTOKIT' }
  const sent = { ...secret, key_id: key.key_id, encrypted_value: sealed(key.key, 'third-value') }
  await actions.createOrUpdateEnvironmentSecret(sent)
  check((await actions.getEnvironmentSecret(secret)).data.name === 'FROM_OCTOKIT', 'another name')
  check((await actions.listEnvironmentSecrets(environment)).data.total_count === 1, 'another count')
  await actions.deleteEnvironmentSecret(secret)
})
await operation('delete', async () => {
  const secret = { ...repository, secret_name: 'DOOMED' }
  const { data: key } = await actions.getRepoPublicKey(repository)
  const sent = { ...secret, key_id: key.key_id, encrypted_value: sealed(key.key, 'fourth-value') }
  await actions.createOrUpdateRepoSecret(sent)
  check((await actions.deleteRepoSecret(secret)).status === 204, 'another status')
})
done()
