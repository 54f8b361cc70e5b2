import { createRequire } from 'node:module'
import { check, client, done, given, operation } from './say.mjs'

const { WebApi, getPersonalAccessTokenHandler } = createRequire(import.meta.url)('azure-devops-node-api')
const project = given.PROJECT

client('azure-devops-node-api')
const address = `${given.DEVOPS}/${given.ORGANIZATION}`
const devops = new WebApi(address, getPersonalAccessTokenHandler(given.PAT))
await operation('sign in with a PAT, connection data', async () => {
  const { authenticatedUser } = await devops.connect()
  check(authenticatedUser.providerDisplayName === given.PERSON, authenticatedUser.providerDisplayName)
})
await operation('resource areas', async () => {
  const location = await devops.getLocationsApi()
  const areas = await location.getResourceAreas()
  const area = await location.getResourceArea(areas[0].id)
  check(area.locationUrl === areas[0].locationUrl, 'another address')
})
let id
await operation('projects', async () => {
  const core = await devops.getCoreApi()
  const projects = await core.getProjects()
  id = projects.find((one) => one.name === project).id
  check((await core.getProject(project)).id === id, 'another id')
})
const agent = await devops.getTaskAgentApi()
await operation('variable groups: get, list, by id', async () => {
  const [group] = await agent.getVariableGroups(project, 'release', undefined, undefined, undefined, 0)
  check((await agent.getVariableGroupsById(project, [group.id]))[0].name === 'release', 'another name')
  const { variables } = await agent.getVariableGroup(project, group.id)
  check(variables.PAT.isSecret && variables.PAT.value === null, 'its secret is shown')
})
await operation('variable groups: add, update, delete', async () => {
  const variableGroupProjectReferences = [{ name: 'nightly', projectReference: { id, name: project } }]
  const variables = { PAT: { isSecret: true, value: 'first-value' } }
  const parameters = { name: 'nightly', type: 'Vsts', variables, variableGroupProjectReferences }
  const added = await agent.addVariableGroup(parameters)
  variables.PLAIN = { value: 'plain-value' }
  const updated = await agent.updateVariableGroup(parameters, added.id)
  check(updated.variables.PLAIN.value === 'plain-value', 'it was not updated')
  await agent.deleteVariableGroup(added.id, [id])
  check((await agent.getVariableGroups(project, 'nightly')).length === 0, 'it is still there')
})
const endpoints = await devops.getServiceEndpointApi()
await operation('service connections: types', async () => {
  const [kind] = await endpoints.getServiceEndpointTypes('externalnugetfeed', 'Token')
  check(kind.authenticationSchemes[0].inputDescriptors[0].isConfidential, 'it is not confidential')
})
await operation('service connections: list, by name, by id', async () => {
  const names = (await endpoints.getServiceEndpoints(project)).map((one) => one.name)
  check(names.includes('feed'), names.join())
  const [feed] = await endpoints.getServiceEndpointsByNames(project, ['feed'])
  const whole = await endpoints.getServiceEndpointDetails(project, feed.id)
  check(whole.authorization.parameters.apitoken === null, 'its secret is shown')
  check(whole.isDisabled === false, 'it is disabled')
})
await operation('service connections: create, update, share, delete', async () => {
  const made = await endpoints.createServiceEndpoint({
    name: 'npm',
    type: 'externalnpmregistry',
    url: 'https://registry.example/',
    authorization: { scheme: 'Token', parameters: { apitoken: 'first-value' } },
    serviceEndpointProjectReferences: [{ name: 'npm', projectReference: { id } }],
  })
  made.authorization.parameters.apitoken = 'second-value'
  made.serviceEndpointProjectReferences[0].description = 'changed'
  const updated = await endpoints.updateServiceEndpoint(made, made.id)
  check(updated.serviceEndpointProjectReferences[0].description === 'changed', 'it was not updated')
  await endpoints.shareServiceEndpoint([{ name: 'npm', projectReference: { name: 'shop' } }], made.id)
  await endpoints.deleteServiceEndpoint(made.id, [id])
  const [shared] = await endpoints.getServiceEndpointsByNames('shop', ['npm'])
  check(shared.name === 'npm', 'it is gone')
})
done()
