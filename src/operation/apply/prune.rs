//! PATs whose names begin as the manifest's `prune` says, and that no entry names: strays.

use jiff::{SignedDuration, Timestamp};

use super::super::outcome::{End, Fate};
use super::super::plan::{Action, Step};
use super::super::sign_in::SignedIn;
use super::super::{Run, retire};
use super::lists::{Lists, is_same};
use super::side_by_side::side_by_side;
use crate::azure_devops::Organization;
use crate::inputs::request::Apply;
use crate::manifest::Manifest;
use crate::pats::Pat;

/// A PAT that was made within this time is never pruned: its entry may be about to be written.
const YOUNG: SignedDuration = SignedDuration::from_hours(24);

/// A PAT that no entry names.
#[derive(Debug)]
pub(super) struct Stray {
    /// Its organization.
    pub(super) organization: Organization,
    /// The PAT.
    pub(super) pat: Pat,
    /// Why it is never revoked, if it is not.
    pub(super) spared: Option<&'static str>,
    /// What became of it, if anything was to.
    pub(super) fate: Option<Fate>,
    /// Whether a dry run would revoke it.
    pub(super) would_be_revoked: bool,
}

/// What `prune` covers, in the order of the organizations and then of their names.
pub(super) fn strays(manifest: &Manifest, lists: &Lists<'_>, now: Timestamp) -> Vec<Stray> {
    let Some(prefix) = &manifest.prune else { return Vec::new() };
    let mut strays = Vec::new();
    for (organization, pats) in lists.iter() {
        let named = |pat: &Pat| {
            let mut here = manifest.entries.iter().filter(|entry| is_same(&entry.organization, organization));
            here.any(|entry| entry.display_name == pat.display_name)
        };
        let covered = pats.iter().filter(|pat| pat.display_name.starts_with(prefix.as_str()) && !named(pat));
        strays.extend(covered.map(|pat| Stray {
            organization: organization.clone(),
            pat: pat.clone(),
            spared: spared(pat, now),
            fate: None,
            would_be_revoked: false,
        }));
    }
    strays
}

/// Why a stray is never revoked.
fn spared(pat: &Pat, now: Timestamp) -> Option<&'static str> {
    match pat.valid_from {
        _ if pat.is_global() => Some("a global PAT is never pruned"),
        None => Some("it is not known when it was made"),
        Some(made) if now.duration_since(made) < YOUNG => Some("it was made within the last day"),
        Some(_) => None,
    }
}

/// Revokes the strays if that is asked for and all else went well.
pub(super) async fn carry_out(
    run: &Run<'_>,
    signed_in: &SignedIn,
    apply: &Apply,
    strays: Vec<Stray>,
    is_well: bool,
) -> Vec<Stray> {
    if !apply.prune || !is_well || strays.is_empty() {
        return strays;
    }
    let revoke = async |stray: &Stray| {
        let Stray { organization, pat, spared, .. } = stray;
        if spared.is_some() || apply.dry_run || run.cancelled().is_err() {
            return None;
        }
        let service = signed_in.service(run, organization);
        let step = Step::new(pat.clone(), Action::Revoke);
        let fate = retire::carry_out(&service, &[step]).await.pop()?;
        if let Some(sentence) = fate.sentence(organization) {
            run.info(format!("{organization}: {sentence} No entry names it."));
        }
        if let End::Undone(undone) = &fate.end {
            let why = &undone.why;
            run.error(format!("{organization}: '{}' could not be pruned: {why}", pat.display_name));
        }
        Some(fate)
    };
    #[allow(clippy::redundant_closure, reason = "an asynchronous closure is no function of every lifetime")]
    let fates = side_by_side(apply.parallel, &strays, |stray| revoke(stray)).await;
    let told = strays.into_iter().zip(fates).map(|(stray, fate)| {
        let would_be_revoked = apply.dry_run && stray.spared.is_none();
        Stray { fate, would_be_revoked, ..stray }
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pats::Scope;
    use rstest::rstest;

    #[rstest]
    #[case::old(Some("2026-11-26T10:00:00Z"), false, true)]
    #[case::a_day_old(Some("2026-11-27T10:00:00Z"), false, true)]
    #[case::younger(Some("2026-11-27T10:00:01Z"), false, false)]
    #[case::of_unknown_age(None, false, false)]
    #[case::global(Some("2026-11-01T10:00:00Z"), true, false)]
    fn what_is_young_or_global_is_spared(
        #[case] made: Option<&str>,
        #[case] global: bool,
        #[case] pruned: bool,
    ) {
        let pat = Pat {
            authorization_id: "00000000-0000-0000-0000-000000000001".into(),
            display_name: "ci-old".into(),
            scope: Scope::parse("vso.code"),
            valid_from: made.map(|made| made.parse().expect("an instant")),
            valid_to: None,
            target_accounts: (!global).then(Vec::new),
        };
        let now = "2026-11-28T10:00:00Z".parse().expect("an instant");
        assert_eq!(spared(&pat, now).is_none(), pruned);
    }
}
