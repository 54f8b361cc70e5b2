from azure.devops.connection import Connection
from azure.devops.v7_1.service_endpoint.models import (
    EndpointAuthorization,
    ProjectReference,
    ServiceEndpoint,
    ServiceEndpointProjectReference,
)
from azure.devops.v7_1.task_agent.models import (
    ProjectReference as GroupProject,
    VariableGroupParameters,
    VariableGroupProjectReference,
    VariableValue,
)
from msrest.authentication import BasicAuthentication
from say import Client, given

PROJECT = given("PROJECT")
client = Client("azure-devops")
connection = Connection(base_url=f"{given('DEVOPS')}/{given('ORGANIZATION')}", creds=BasicAuthentication("", given("PAT")))
clients = connection.clients_v7_1

with client.operation("sign in with a PAT"):
    connection.authenticate()
with client.operation("connection data"):
    user = clients.get_location_client().get_connection_data().authenticated_user
    assert user.provider_display_name == given("PERSON"), user
with client.operation("resource areas"):
    location = clients.get_location_client()
    areas = location.get_resource_areas()
    assert location.get_resource_area(areas[0].id).location_url == areas[0].location_url
with client.operation("projects"):
    projects = clients.get_core_client().get_projects()
    project = next(project for project in projects if project.name == PROJECT)
    assert clients.get_core_client().get_project(PROJECT).id == project.id

agent = clients.get_task_agent_client()
with client.operation("variable groups: get, list, by id"):
    (group,) = agent.get_variable_groups(PROJECT, group_name="release", query_order="IdAscending")
    assert agent.get_variable_groups_by_id(PROJECT, [group.id])[0].name == "release"
    group = agent.get_variable_group(PROJECT, group.id)
    assert group.variables["PAT"].is_secret and group.variables["PAT"].value is None
with client.operation("variable groups: add, update, delete"):
    reference = VariableGroupProjectReference(
        name="nightly", project_reference=GroupProject(id=project.id, name=PROJECT)
    )
    parameters = VariableGroupParameters(
        name="nightly",
        type="Vsts",
        variables={"PAT": VariableValue(is_secret=True, value="first-value")},
        variable_group_project_references=[reference],
    )
    added = agent.add_variable_group(parameters)
    parameters.variables["PLAIN"] = VariableValue(value="plain-value")
    assert agent.update_variable_group(parameters, added.id).variables["PLAIN"].value == "plain-value"
    agent.delete_variable_group(added.id, [project.id])
    assert not agent.get_variable_groups(PROJECT, group_name="nightly")

endpoints = clients.get_service_endpoint_client()
with client.operation("service connections: types"):
    (kind,) = endpoints.get_service_endpoint_types(type="externalnugetfeed", scheme="Token")
    assert kind.authentication_schemes[0].input_descriptors[0].is_confidential
with client.operation("service connections: list, by name, by id"):
    assert "feed" in [one.name for one in endpoints.get_service_endpoints(PROJECT)]
    (feed,) = endpoints.get_service_endpoints_by_names(PROJECT, ["feed"])
    whole = endpoints.get_service_endpoint_details(PROJECT, feed.id)
    assert whole.authorization.parameters == {"apitoken": None}, whole.authorization.parameters
with client.operation("service connections: create, update, share, delete"):
    reference = ServiceEndpointProjectReference(name="npm", project_reference=ProjectReference(id=project.id))
    made = endpoints.create_service_endpoint(
        ServiceEndpoint(
            name="npm",
            type="externalnpmregistry",
            url="https://registry.example/",
            authorization=EndpointAuthorization(scheme="Token", parameters={"apitoken": "first-value"}),
            service_endpoint_project_references=[reference],
        )
    )
    made.authorization.parameters["apitoken"] = "second-value"
    made.description = "changed"
    made.service_endpoint_project_references[0].description = "changed"
    assert endpoints.update_service_endpoint(made, made.id).description == "changed"
    endpoints.share_service_endpoint(
        [ServiceEndpointProjectReference(name="npm", project_reference=ProjectReference(name="shop"))], made.id
    )
    endpoints.delete_service_endpoint(made.id, [project.id])
    assert [one.name for one in endpoints.get_service_endpoints_by_names("shop", ["npm"])] == ["npm"]
