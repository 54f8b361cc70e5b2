//! Which tenant a run signs in to, and what to say if a wrong one explains a failure.

use std::time::Duration;

use uuid::Uuid;

use super::Run;
use crate::azure_devops::Organization;
use crate::azure_devops::tenant::{Backing, discover};
use crate::failure::{Exit, Failure};
use crate::inputs::request::Credential;

/// Work accounts of any tenant: what is signed in to if nobody says which.
const ANY_TENANT: &str = "organizations";

/// The longest that asking for the tenant may hold up the words of a failure.
const TO_EXPLAIN: Duration = Duration::from_secs(5);

/// What Entra and Azure DevOps name, among other reasons, if the tenant signed in to is the wrong one.
const SIGNS: [&str; 10] = [
    "AADSTS50034",
    "AADSTS50020",
    "AADSTS700016",
    "AADSTS90002",
    "AADSTS900023",
    "AADSTS50059",
    "AADSTS50194",
    "AADSTS500011",
    "TF400813",
    "invalidTargetAccounts",
];

/// The tenant to sign in to: `tenant-id`, else the one behind the organization.
///
/// # Errors
/// Exit 6 where Azure DevOps cannot be asked, 4 where personal accounts stand behind the organization.
pub(super) async fn of(run: &Run<'_>) -> Result<String, Failure> {
    if let Some(given) = &run.request.sign_in.tenant_id {
        return Ok(given.clone());
    }
    // `login` can do without an organization.
    let Some(organization) = run.any_organization() else { return Ok(ANY_TENANT.into()) };
    match discover(&run.http, &run.request.places.devops_url, organization).await? {
        Backing::Tenant(tenant) => {
            tracing::debug!("tenant {tenant} stands behind the organization {organization}");
            Ok(tenant.hyphenated().to_string())
        }
        Backing::PersonalAccounts => Err(personal_accounts(organization)),
        Backing::Unsaid | Backing::NoSuchOrganization => Ok(ANY_TENANT.into()),
    }
}

/// The PAT service is not available in such an organization.
pub(super) fn personal_accounts(organization: &Organization) -> Failure {
    Failure::new(
        Exit::Refused,
        format!(
            "The organization {organization} is backed by personal Microsoft accounts, to which the PAT service is not \
             available."
        ),
        "Let its owner connect it to a Microsoft Entra tenant ('Organization settings', 'Microsoft Entra'), or check \
         the input organization.",
    )
    .named("X-VSS-ResourceTenant: all zero")
}

/// The failure, with a remedy that names the tenant behind the organization if a wrong `tenant-id` explains
/// it. That nobody can say changes nothing.
pub(super) async fn explain(run: &Run<'_>, organization: Option<&Organization>, failure: Failure) -> Failure {
    let name = failure.name.as_deref().unwrap_or_default();
    if !SIGNS.iter().any(|sign| is_named(name, sign)) {
        return failure;
    }
    let Some(organization) = organization else { return failure };
    let http = run.http.with_deadline(run.deadline().at_most(TO_EXPLAIN));
    match discover(&http, &run.request.places.devops_url, organization).await {
        Ok(Backing::Tenant(tenant)) => name_the_tenant(run, organization, failure, tenant),
        Ok(Backing::PersonalAccounts) => {
            let known = personal_accounts(organization);
            Failure { remedy: known.remedy, ..failure }.and(known.cause)
        }
        _ => failure,
    }
}

fn name_the_tenant(
    run: &Run<'_>,
    organization: &Organization,
    mut failure: Failure,
    tenant: Uuid,
) -> Failure {
    let behind = format!("{tenant}, the tenant that stands behind the organization {organization}");
    match (&run.request.sign_in.credential, run.request.sign_in.tenant_id.as_deref()) {
        (Credential::AccessToken(_) | Credential::AzureCli, _) => {
            failure.remedy.push_str(&format!(" The token has to be one of tenant {behind}."));
        }
        // What was signed in to is what was asked for, or the same.
        (_, None) => {}
        (_, Some(given)) if Uuid::parse_str(given) == Ok(tenant) => {}
        (_, Some(given)) if Uuid::parse_str(given).is_ok() => {
            failure.remedy = format!("Set tenant-id to {behind}; it is {given} now.");
        }
        (_, Some(given)) => {
            failure.remedy.push_str(&format!(" Check that tenant-id {given} names {behind}."));
        }
    }
    failure
}

/// Whether a failure's name holds the sign as a word: `AADSTS50020` is not in `AADSTS500207`.
fn is_named(name: &str, sign: &str) -> bool {
    name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word.eq_ignore_ascii_case(sign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("AADSTS50020", true)]
    #[case("AADSTS500207", false)]
    #[case("InvalidIdentityException: TF400813: The user is not authorized.", true)]
    #[case("patTokenError invalidTargetAccounts", true)]
    #[case("AADSTS700082", false)]
    fn a_sign_is_a_whole_word(#[case] name: &str, #[case] is_sign: bool) {
        assert_eq!(SIGNS.iter().any(|sign| is_named(name, sign)), is_sign);
    }
}
