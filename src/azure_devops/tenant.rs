//! The Microsoft Entra tenant behind an organization, as Azure DevOps tells anybody who asks.
//!
//! One anonymous `HEAD` of the organization's address: `X-VSS-ResourceTenant`, or `WWW-Authenticate` with an
//! `authorization_uri` that ends in the tenant (Git Credential Manager asks the same way, in its
//! `AzureDevOpsRestApi.cs`). What comes from outside chooses a tenant, which has to be a GUID, and never a host.

use http::header::WWW_AUTHENTICATE;
use http::{Method, Request};
use url::Url;
use uuid::Uuid;

use super::error_body::support_ids;
use super::{IS_DEACTIVATED, Organization};
use crate::failure::{Exit, Failure};
use crate::http::request;
use crate::http::{Answer, DEACTIVATED, Effect, Http};

/// What stands behind an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// A tenant of Microsoft Entra.
    Tenant(Uuid),
    /// Personal Microsoft accounts: the PAT service is not available there.
    PersonalAccounts,
    /// Azure DevOps did not say.
    Unsaid,
    /// Azure DevOps says that there is no such organization.
    NoSuchOrganization,
}

/// Asks which tenant stands behind the organization.
///
/// # Errors
/// Exit 6: Azure DevOps could not be reached, or failed.
pub async fn discover(http: &Http, devops: &Url, organization: &Organization) -> Result<Backing, Failure> {
    let mut address = devops.clone();
    if let Ok(mut path) = address.path_segments_mut() {
        path.pop_if_empty().push(organization.name());
    }
    let service = format!("Azure DevOps ({})", address.host_str().unwrap_or_default());
    let request = request::build(
        Request::builder()
            .method(Method::HEAD)
            .uri(address.as_str())
            // Without it the answer is a redirect to a sign-in page, which does not name the tenant.
            .header("X-TFS-FedAuthRedirect", "Suppress"),
        bytes::Bytes::new(),
    );
    let answer =
        http.send(request, Effect::Idempotent).await.map_err(|error| error.into_failure(&service))?;
    if answer.is_of_a_deactivated_organization() {
        let failure = IS_DEACTIVATED.failure(&[("organization", organization.name())]);
        return Err(failure.named(DEACTIVATED).with_support_ids(support_ids(&answer)));
    }
    match backing(&answer) {
        Backing::Unsaid if is_failing(&answer) => Err(Failure::new(
            Exit::Service,
            format!(
                "{service} failed (HTTP {}) when asked for the tenant behind {organization}.",
                answer.status.as_u16()
            ),
            "Run it again later, or give tenant-id, so that nobody has to be asked.",
        )
        .with_support_ids(support_ids(&answer))),
        Backing::Unsaid if answer.status.as_u16() == 404 => Ok(Backing::NoSuchOrganization),
        backing => Ok(backing),
    }
}

fn is_failing(answer: &Answer) -> bool {
    answer.status.is_server_error() || matches!(answer.status.as_u16(), 408 | 429)
}

fn backing(answer: &Answer) -> Backing {
    let mut named = answer.headers.get_all("X-VSS-ResourceTenant").iter();
    // Several would not say which.
    let named = named.next().filter(|_| named.next().is_none());
    let named = named.and_then(|value| Uuid::parse_str(value.to_str().ok()?.trim()).ok());
    let challenged = || {
        let challenges = answer.headers.get_all(WWW_AUTHENTICATE).iter();
        challenges.filter_map(|value| value.to_str().ok()).find_map(tenant_of_challenge)
    };
    match named.or_else(challenged) {
        Some(tenant) if tenant.is_nil() => Backing::PersonalAccounts,
        Some(tenant) => Backing::Tenant(tenant),
        None => Backing::Unsaid,
    }
}

/// `Bearer authorization_uri=https://login.microsoftonline.com/TENANT`: the address's last segment, of which
/// host ever.
fn tenant_of_challenge(challenge: &str) -> Option<Uuid> {
    let (_, rest) = challenge.split_once("authorization_uri=")?;
    let address = rest.trim_start_matches('"').split(['"', ',', ' ']).next()?;
    Uuid::parse_str(address.trim_end_matches('/').rsplit('/').next()?).ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rstest::rstest;

    use super::*;

    const TENANT: &str = "00000000-0000-0000-0000-0000c0470500";
    const ZERO: &str = "00000000-0000-0000-0000-000000000000";

    fn answer(headers: &[(&str, &str)]) -> Answer {
        let mut response = http::Response::builder().status(401);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(Bytes::new()).expect("an answer").into()
    }

    #[rstest]
    #[case::header(&[("X-VSS-ResourceTenant", TENANT)])]
    #[case::challenge(&[("WWW-Authenticate", "Bearer authorization_uri=https://login.microsoftonline.com/00000000-0000-0000-0000-0000c0470500")])]
    #[case::quoted(&[("WWW-Authenticate", "Bearer authorization_uri=\"https://login.windows.net/00000000-0000-0000-0000-0000c0470500/\", x=y")])]
    #[case::among_others(&[("WWW-Authenticate", "Basic realm=\"x\""), ("WWW-Authenticate", "Bearer authorization_uri=https://evil.example/00000000-0000-0000-0000-0000c0470500"), ("WWW-Authenticate", "TFS-Federated")])]
    fn the_tenant_is_read_wherever_it_stands(#[case] headers: &[(&str, &str)]) {
        assert_eq!(backing(&answer(headers)), Backing::Tenant(TENANT.parse().expect("a GUID")));
    }

    #[rstest]
    #[case::nothing(&[], Backing::Unsaid)]
    #[case::two(&[("X-VSS-ResourceTenant", TENANT), ("X-VSS-ResourceTenant", ZERO)], Backing::Unsaid)]
    #[case::a_path(&[("X-VSS-ResourceTenant", "../common")], Backing::Unsaid)]
    #[case::a_domain(&[("WWW-Authenticate", "Bearer authorization_uri=https://login.microsoftonline.com/contoso.com")], Backing::Unsaid)]
    #[case::zero(&[("X-VSS-ResourceTenant", ZERO)], Backing::PersonalAccounts)]
    fn only_a_guid_is_a_tenant(#[case] headers: &[(&str, &str)], #[case] expected: Backing) {
        assert_eq!(backing(&answer(headers)), expected);
    }
}
