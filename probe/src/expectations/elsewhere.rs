//! What the emulator shows of services that the probe does not go to.

use crate::expectation::Source::{Doc, Guess, Issue, Live, Run, Spec, Src};
use crate::expectation::Sure::{Certain, Likely, Open};
use crate::expectation::{Area, Expectation};

pub(super) fn expectations() -> Vec<Expectation> {
    vec![
        Expectation::of(
            Area::Vault,
            "vault-secrets",
            "challenge, versions, whole seconds, 403 with its inner codes, 404, 409",
            &[(Live, "recordings"), (Doc, "")],
            Certain,
        ),
        Expectation::of(
            Area::Vault,
            "vault-recorded",
            "a change without a version is of the newest; an unknown secret has no versions; no `tags` where there are none",
            &[(Live, "recordings of Python and .NET")],
            Certain,
        ),
        Expectation::of(
            Area::Vault,
            "vault-deletion",
            "list, delete, recover, purge, each a right of its own; a deleted secret is kept for 90 days",
            &[(Doc, ""), (Run, "azure-keyvault-secrets, @azure/keyvault-secrets")],
            Certain,
        ),
        Expectation::of(
            Area::Vault,
            "vault-limits",
            "limits of name, value, content type, tags",
            &[(Doc, "")],
            Certain,
        ),
        Expectation::of(
            Area::Vault,
            "vault-order",
            "order of versions in a list: that of their random ids",
            &[(Guess, "")],
            Open,
        ),
        Expectation::of(Area::Vault, "vault-texts", "texts of 400", &[(Guess, "")], Open),
        Expectation::of(
            Area::Groups,
            "groups-list",
            "list by name with `*`, references `null` in lists, secrets read as `null`",
            &[(Spec, ""), (Live, "")],
            Certain,
        ),
        Expectation::of(
            Area::Groups,
            "groups-manage",
            "`actionFilter=manage` lists what the user may change",
            &[(Spec, ""), (Guess, "that a role decides it")],
            Likely,
        ),
        Expectation::of(
            Area::Groups,
            "groups-update",
            "an update replaces the set; a secret without a value keeps it",
            &[(Issue, ""), (Src, ""), (Live, "")],
            Certain,
        ),
        Expectation::of(Area::Groups, "groups-empty", "an empty text overwrites", &[(Guess, "")], Likely),
        Expectation::of(
            Area::Groups,
            "groups-references",
            "references needed with names; without any it is 401",
            &[(Issue, "azure-devops-node-api#424, vsts-rest-api-specs#525, #531")],
            Likely,
        ),
        Expectation::of(
            Area::Groups,
            "groups-recorded",
            "`queryOrder` and `groupIds`; `api-version` in the content type; instants in steps of 1/300 s; the answer to a \
             change names nobody",
            &[(Spec, ""), (Live, "recordings of azure-devops-cli-extension")],
            Certain,
        ),
        Expectation::of(
            Area::Connections,
            "connections-secrets",
            "a secret is `null` by id and in the answer to a change, and absent in lists",
            &[(Spec, ""), (Live, "terraform-provider-azuredevops#499")],
            Certain,
        ),
        Expectation::of(
            Area::Connections,
            "connections-types",
            "each type declares the parameters of its schemes, and which of them are confidential",
            &[(Spec, "ListEndpointTypes.json")],
            Certain,
        ),
        Expectation::of(
            Area::Connections,
            "connections-references",
            "references come in no order; an update changes those it names, and neither adds nor removes one",
            &[(Issue, "terraform-provider-azuredevops#1248"), (Live, "AzureDevOpsDsc")],
            Likely,
        ),
        Expectation::of(
            Area::Connections,
            "connections-erase",
            "an empty text erases a secret",
            &[(Issue, "terraform-provider-azuredevops#550")],
            Certain,
        ),
        Expectation::of(
            Area::Connections,
            "connections-null",
            "`null` keeps a secret; leaving it out erases it",
            &[(Issue, "terraform-provider-azuredevops#705, a hint of the first"), (Guess, "")],
            Open,
        ),
        Expectation::of(
            Area::Connections,
            "connections-hidden",
            "one that may not be seen is like one that is not there: an empty list, 200 and `null`; a reader sees neither \
             type nor authorization",
            &[(Live, "winappCli"), (Src, "terraform-provider-azuredevops commons.go")],
            Likely,
        ),
        Expectation::of(
            Area::Connections,
            "connections-role",
            "an update without the role of the organization: 403",
            &[(Issue, "for the words"), (Guess, "status and exception")],
            Open,
        ),
        Expectation::of(
            Area::Connections,
            "connections-disabled",
            "7.2 shows `isDisabled` and `modificationDate`, 7.1 does not; an update in 7.1 leaves it disabled",
            &[(Spec, ""), (Guess, "of the update")],
            Likely,
        ),
        Expectation::of(
            Area::Connections,
            "location-service",
            "`OPTIONS _apis` and `_apis/ResourceAreas` say where resources are, to any signed-in user",
            &[(Run, "azure-devops, azure-devops-node-api"), (Guess, "that nobody else is told")],
            Likely,
        ),
        Expectation::of(
            Area::Groups,
            "groups-unknown-id",
            "unknown id: 200 and `null`",
            &[(Src, "of clients")],
            Likely,
        ),
        Expectation::of(
            Area::Groups,
            "groups-role",
            "role missing: 403 `AccessDeniedException`",
            &[(Guess, "")],
            Open,
        ),
        Expectation::of(
            Area::GitHub,
            "github-secrets",
            "key, sealed box, 201 and 204, list, get, delete, names, 401, 403, 404, `User-Agent`",
            &[(Spec, ""), (Doc, ""), (Run, "Octokit, PyGithub")],
            Certain,
        ),
        Expectation::of(Area::GitHub, "github-token", "what a `GITHUB_TOKEN` is told", &[(Doc, "")], Certain),
        Expectation::of(Area::GitHub, "github-texts", "texts of 422", &[(Guess, "")], Open),
        Expectation::of(
            Area::Jobs,
            "jobs",
            "requests and answers of GitHub, Azure Pipelines, App Service, IMDS",
            &[(Src, "azure_identity"), (Doc, "")],
            Certain,
        ),
    ]
}
