//! Who gets into Azure DevOps, and how those are sent away who do not.

use http::Method;

use crate::call::By;
use crate::expectation::Source::{Doc, Guess, Issue, Live, Spec, Src};
use crate::expectation::Sure::{Certain, Likely, Open};
use crate::expectation::{Area, Expectation, Sources, Sure, Unobserved};
use crate::scene::{Scene, is_somebody};

pub(super) fn expectations() -> Vec<Expectation> {
    vec![
        of(
            "door-nobody",
            "no credential, and `X-TFS-FedAuthRedirect: Suppress`: a 401",
            &[(Issue, "vscode-pull-request-azdo#81")],
            Likely,
        )
        .shows("401 UnauthorizedRequestException TF400813", |scene| {
            Box::pin(async { Ok(scene.pats(Method::GET).by(By::Nobody).send().await?.verdict()) })
        }),
        of(
            "door-nobody-unsuppressed",
            "no credential, and no such header: 203 and the sign-in page",
            &[(Live, "wardyn"), (Issue, "vsts-rest-api-specs#574")],
            Likely,
        )
        .shows("203, a page", |scene| {
            Box::pin(async { Ok(scene.pats(Method::GET).by(By::Nobody).unsuppressed().send().await?.verdict()) })
        }),
        of(
            "door-nobody-browser",
            "no credential, and `Accept: text/html`: a 302 to `_signin`",
            &[(Issue, "azure-devops-docs#13661"), (Guess, "that `Accept` decides")],
            Likely,
        )
        .shows("302, to _signin", |scene| {
            Box::pin(async { Ok(scene.pats(Method::GET).by(By::Nobody).for_a_browser().send().await?.verdict()) })
        }),
        of("door-bad-bearer", "a bearer that is none is no credential", &[(Guess, "")], Likely).shows(
            "401 UnauthorizedRequestException TF400813",
            |scene| Box::pin(async { Ok(scene.pats(Method::GET).by(By::NoBearer).send().await?.verdict()) }),
        ),
        of(
            "door-pat",
            "a PAT is not let in to the PAT service: 403 `InvalidAccessException`",
            &[(Issue, "vsts-rest-api-specs#571"), (Guess, "the status")],
            Likely,
        )
        .shows("403 InvalidAccessException", |scene| {
            Box::pin(async {
                let made = scene.made().await?;
                Ok(scene.pats(Method::GET).by(By::Pat(&made.value)).send().await?.verdict())
            })
        }),
        of("door-unknown-organization", "an unknown organization: 404 and a page", &[(Guess, "")], Open)
            .question()
            .shows("404, a page", |scene| {
                Box::pin(async {
                    let path = [scene.name.as_str(), "_apis", "tokens", "pats"];
                    Ok(scene.pats(Method::GET).at(&path).send().await?.verdict())
                })
            }),
        of(
            "door-no-organization",
            "no organization in the path: `deploymentHostNotSupported`",
            &[(Spec, "for the name"), (Guess, "what it is for")],
            Open,
        )
        .shows("200 deploymentHostNotSupported", |scene| {
            Box::pin(async {
                let path = ["_apis", "tokens", "pats"];
                Ok(scene.pats(Method::GET).at(&path).send().await?.verdict())
            })
        }),
        of(
            "door-user-data",
            "who is signed in is named in `X-VSS-UserData`",
            &[(Guess, "")],
            Likely,
        )
        .shows("there", |scene| {
            Box::pin(async {
                let seen = scene.page(&[("$top", "1")]).await?;
                Ok(if seen.header("X-VSS-UserData").is_some() { "there".into() } else { "absent".into() })
            })
        }),
        of(
            "door-tenant",
            "`HEAD /ORG`: `authorization_uri` and `X-VSS-ResourceTenant` name the tenant",
            &[(Src, "git-credential-manager AzureDevOpsRestApi.cs")],
            Certain,
        )
        .shows("both, the same", |scene| Box::pin(tenant(scene))),
        of(
            "connection-data-scope",
            "connectionData takes a PAT of the least scope",
            &[(Guess, "")],
            Open,
        )
        .question()
        .shows("it is the user", |scene| Box::pin(least_scope(scene))),
        of(
            "connection-data-nobody",
            "connectionData of nobody: 200 with the Anonymous identity",
            &[(Issue, "terraform-provider-azuredevops#901")],
            Likely,
        )
        .shows("200, Anonymous", |scene| {
            Box::pin(async {
                let seen = scene.connection_data().by(By::Nobody).send().await?;
                let anonymous = seen.field("authenticatedUser").is_object() && !is_somebody(&seen);
                Ok(if anonymous { format!("{}, Anonymous", seen.status) } else { seen.verdict() })
            })
        }),
        of(
            "connection-data-version",
            "connectionData needs no api-version; one without `-preview` is 400, and told to say it",
            &[(Live, "a client's tests"), (Guess, "the exception")],
            Likely,
        )
        .shows("400 VssInvalidPreviewVersionException", |scene| {
            Box::pin(async { Ok(scene.connection_data().query("api-version", "7.1").send().await?.verdict()) })
        }),
        of(
            "door-stranger",
            "a stranger, another tenant, or a permission missing: 401 `TF400813` with a BOM, `X-TFS-ServiceError`, \
             `WWW-Authenticate: Bearer`",
            &[(Live, "wardyn")],
            Certain,
        )
        .not_probed("it needs another person"),
        of(
            "door-permissions",
            "reading needs `vso.pats`, changing `vso.pats_manage` too, of a member as of an administrator; \
             `user_impersonation` stands for both",
            &[
                (Spec, ""),
                (Live, "wardyn"),
                (Issue, "a runbook that relies on `user_impersonation`"),
                (Doc, "sprint 257, which says that it no longer does"),
            ],
            Likely,
        )
        .not_probed("the sign-in grants what was consented to; see entra-one-permission"),
        of(
            "door-service-principal",
            "a service principal: 403 `InvalidAccessException`",
            &[(Issue, "for the words"), (Guess, "the status")],
            Likely,
        )
        .not_probed("it needs a service principal"),
    ]
}

fn of(name: &'static str, behaviour: &'static str, sources: Sources, sure: Sure) -> Expectation {
    Expectation::of(Area::Door, name, behaviour, sources, sure)
}

async fn tenant(scene: &Scene) -> Result<String, Unobserved> {
    let seen = scene.front_page().await?;
    let header = seen.header("X-VSS-ResourceTenant").map(str::to_ascii_lowercase);
    let challenges = seen.headers.get_all("WWW-Authenticate").iter().filter_map(|value| value.to_str().ok());
    let challenge = challenges
        .filter_map(|value| value.split_once("authorization_uri="))
        .filter_map(|(_, rest)| rest.trim_matches('"').split([',', '"', ' ']).next())
        .find_map(|address| address.trim_end_matches('/').rsplit('/').next())
        .map(str::to_ascii_lowercase);
    Ok(match (header, challenge) {
        (Some(header), Some(challenge)) if header == challenge => "both, the same",
        (Some(_), Some(_)) => "both, not the same",
        (Some(_), None) => "X-VSS-ResourceTenant alone",
        (None, Some(_)) => "authorization_uri alone",
        (None, None) => "neither",
    }
    .into())
}

async fn least_scope(scene: &Scene) -> Result<String, Unobserved> {
    scene.works().await?;
    let made = scene.made().await?;
    let of_the_pat = scene.connection_data().by(By::Pat(&made.value)).send().await?;
    let of_the_user = scene.connection_data().send().await?;
    let id = "authenticatedUser";
    Ok(match of_the_pat.field(id)["id"] == of_the_user.field(id)["id"] {
        true => "it is the user".into(),
        false => "it is somebody else".into(),
    })
}
