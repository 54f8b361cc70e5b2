//! Whether the organization exists, and whether its tenant is the one that is signed in to.

use uuid::Uuid;

use super::super::{Run, tenant};
use super::report::Finding;
use crate::azure_devops::tenant::{Backing, discover};
use crate::failure::{Exit, Failure};

pub(super) async fn check(run: &Run<'_>) -> Result<Finding, Failure> {
    let organization = run.organization();
    let given = run.request.sign_in.tenant_id.as_deref();
    let behind = discover(&run.http, &run.request.places.devops_url, organization).await?;
    Ok(match (behind, given) {
        (Backing::NoSuchOrganization, _) => {
            return Err(Failure::new(
                Exit::Refused,
                format!("Azure DevOps knows no organization {organization} (HTTP 404)."),
                "Check the input organization: it is the first part of the address after https://dev.azure.com/.",
            ));
        }
        (Backing::PersonalAccounts, _) => return Err(tenant::personal_accounts(run.organization())),
        (Backing::Unsaid, None) => Finding::warning(
            format!("Azure DevOps does not say which tenant stands behind {organization}."),
            "Give tenant-id, so that the sign-in goes to that tenant.",
        ),
        (Backing::Unsaid, Some(given)) => Finding::ok(format!(
            "Azure DevOps does not say which tenant stands behind {organization}; tenant-id is {given}."
        )),
        (Backing::Tenant(tenant), None) => {
            Finding::ok(format!("{organization} exists; its tenant is {tenant}, which is signed in to."))
        }
        (Backing::Tenant(tenant), Some(given)) => match Uuid::parse_str(given) {
            Ok(given) if given == tenant => {
                Finding::ok(format!("{organization} exists; its tenant is {tenant}, as tenant-id says."))
            }
            Ok(given) => Finding::warning(
                format!("{organization} exists; its tenant is {tenant}, but tenant-id is {given}."),
                format!("Set tenant-id to {tenant}."),
            ),
            // Which tenant a domain names, Entra knows.
            Err(_) => {
                Finding::ok(format!("{organization} exists; its tenant is {tenant}; tenant-id is {given}."))
            }
        },
    })
}
