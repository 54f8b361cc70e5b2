from github import Auth, Github
from say import Client, given

client = Client("PyGithub")
github = Github(auth=Auth.Token(given("GITHUB_TOKEN")), base_url=given("GITHUB"), retry=None)

with client.operation("repository"):
    repository = github.get_repo("contoso/fabrikam")
    assert repository.full_name == "contoso/fabrikam"
with client.operation("create, update"):
    repository.create_secret("FROM_PYGITHUB", "first-value")
    repository.create_secret("FROM_PYGITHUB", "second-value")
with client.operation("get, list"):
    assert repository.get_secret("FROM_PYGITHUB").updated_at
    assert "FROM_PYGITHUB" in [secret.name for secret in repository.get_secrets()]
with client.operation("environment: create, list, delete"):
    environment = repository.get_environment("production")
    environment.create_secret("FROM_PYGITHUB", "third-value")
    (secret,) = environment.get_secrets()
    secret.delete()
with client.operation("delete"):
    repository.create_secret("DOOMED", "fourth-value")
    repository.get_secret("DOOMED").delete()
