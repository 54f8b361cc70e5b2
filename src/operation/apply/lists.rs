//! The active PATs of each organization, read once.

use super::super::Run;
use super::super::sign_in::SignedIn;
use super::side_by_side::side_by_side;
use crate::azure_devops::Organization;
use crate::azure_devops::tenant::{Backing, discover};
use crate::failure::{Exit, Failure};
use crate::manifest::Entry;
use crate::pats::Pat;
use crate::pats::model::Filter;

/// What there is in each organization.
pub(super) struct Lists<'a>(Vec<(&'a Organization, Result<Vec<Pat>, Failure>)>);

impl<'a> Lists<'a> {
    /// Reads the list of each organization that an entry names.
    ///
    /// # Errors
    /// A cancelled run; exit 4 if the organizations belong to different tenants. That one list cannot be read is
    /// only its own entries' failure.
    pub(super) async fn read(
        run: &Run<'_>,
        signed_in: &SignedIn,
        entries: &[&'a Entry],
        at_once: usize,
    ) -> Result<Self, Failure> {
        let mut organizations: Vec<&'a Organization> = Vec::new();
        for entry in entries {
            if !organizations.iter().any(|known| is_same(known, &entry.organization)) {
                organizations.push(&entry.organization);
            }
        }
        let list = async |organization: &&'a Organization| {
            signed_in.service(run, organization).list(Filter::Active).await
        };
        #[allow(
            clippy::redundant_closure,
            reason = "an asynchronous closure is no function of every lifetime"
        )]
        let lists = side_by_side(at_once, &organizations, |organization| list(organization)).await;
        run.cancelled()?;
        let mut lists = Self(organizations.into_iter().zip(lists).collect());
        lists.are_of_one_tenant(run).await?;
        for (organization, list) in &mut lists.0 {
            if let Err(failure) = list {
                *failure = run.explained_of(Some(organization), failure.clone()).await;
            }
        }
        Ok(lists)
    }

    /// The active PATs of an organization.
    pub(super) fn of(&self, organization: &Organization) -> Result<&[Pat], &Failure> {
        let found = self.0.iter().find(|(known, _)| is_same(known, organization));
        found.map_or(Ok(&[]), |(_, list)| list.as_deref())
    }

    /// Those that could be read.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a Organization, &[Pat])> {
        self.0.iter().filter_map(|(organization, list)| Some((*organization, list.as_deref().ok()?)))
    }

    /// An access token is good for the organizations of one tenant. If one refuses it, Azure DevOps is asked which
    /// tenants they belong to.
    async fn are_of_one_tenant(&self, run: &Run<'_>) -> Result<(), Failure> {
        let is_refused = |list: &Result<Vec<Pat>, Failure>| matches!(list, Err(failure) if matches!(failure.exit, Exit::SignIn | Exit::Refused));
        let Some((refusing, _)) = self.0.iter().find(|(_, list)| is_refused(list)) else { return Ok(()) };
        if self.0.len() == 1 {
            return Ok(());
        }
        let tenant_of = async |organization: &Organization| match discover(
            &run.http,
            &run.request.places.devops_url,
            organization,
        )
        .await
        {
            Ok(Backing::Tenant(tenant)) => Some(tenant),
            _ => None,
        };
        let Some(theirs) = tenant_of(refusing).await else { return Ok(()) };
        for (other, list) in self.0.iter().filter(|(other, _)| !is_same(other, refusing)) {
            let tenant = tenant_of(other).await;
            if let Some(tenant) = tenant.filter(|tenant| *tenant != theirs) {
                return Err(Failure::new(
                    Exit::Refused,
                    format!(
                        "The organizations of the manifest belong to different tenants: {other} to {tenant}, {refusing} \
                         to {theirs}. Nothing was changed."
                    ),
                    "Write one manifest for each tenant, and run each with a sign-in of its own.",
                ));
            }
            // It took the token, so its tenant is the one that was signed in to.
            if list.is_ok() {
                break;
            }
        }
        Ok(())
    }
}

/// Names of organizations are the same in any case.
pub(super) fn is_same(one: &Organization, other: &Organization) -> bool {
    one.name().eq_ignore_ascii_case(other.name())
}
