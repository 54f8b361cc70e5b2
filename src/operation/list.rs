//! `list`: every PAT that the filter lets through; which expire soon, which are global.

use std::collections::HashSet;

use super::find::describe;
use super::listing::Outlook;
use super::state::State;
use super::summary::counted;
use super::{Run, delivery, listing, sign_in, summary};
use crate::failure::{Exit, Failure};
use crate::inputs::request::List;
use crate::pats::model::{Filter, GLOBAL_PATS_END, global_pats_have_ended};
use crate::pats::{Pat, Service};
use crate::time::span;

pub(super) async fn list(run: &Run<'_>, list: &List) -> Result<(), Failure> {
    let session = sign_in::sign_in(run).await?;
    let pats = session.service.list(list.filter).await?;
    let outlook = Outlook {
        now: run.now().await,
        expiring_within: list.expiring_within,
        revoked: revoked_among(&session.service, &pats, list.filter).await?,
    };
    run.show(
        |width| listing::table(&pats, &outlook, width),
        listing::json_parts(&pats, &outlook),
        || {
            let (count, filter) = (counted(pats.len()), list.filter.word());
            format!("{count} ({filter}) in organization {}.", run.organization())
        },
    );
    run.host.summarize(&summary::listed(&pats, &outlook, run.organization()));
    delivery::hand_over_list(run, &pats, &outlook)?;
    let expiring: Vec<&Pat> = pats.iter().filter(|pat| outlook.is_expiring(pat)).collect();
    let is_global = |pat: &&Pat| match outlook.state(pat) {
        State::Active | State::Stopped => pat.is_global(),
        State::Expired | State::Revoked => false,
    };
    let global: Vec<&Pat> = pats.iter().filter(is_global).collect();
    let verb = if global_pats_have_ended(outlook.now) { "stopped" } else { "stops" };
    for pat in expiring.iter().filter(|pat| !pat.is_global()) {
        run.warn(format!("Expires soon: {}.", describe(pat)));
    }
    for pat in &global {
        run.warn(format!("Global, and {verb} working on {GLOBAL_PATS_END}: {}.", describe(pat)));
    }
    let (mut found, mut remedies) = (Vec::new(), Vec::new());
    if list.fail_if_expiring && !expiring.is_empty() {
        let within = span::describe(list.expiring_within.unwrap_or_default());
        let verb = if expiring.len() == 1 { "expires" } else { "expire" };
        let counting = match expiring.iter().filter(|pat| pat.is_global()).count() {
            0 => String::new(),
            global => format!(" (counting {global} global)"),
        };
        found.push(format!("{} {verb} within {within}{counting}", expiring.len()));
        remedies.push("Rotate what is still in use.");
    }
    if list.fail_if_global && !global.is_empty() {
        let verb = if global.len() == 1 { "is global" } else { "are global" };
        found.push(format!("{} {verb}", global.len()));
        remedies.push("Replace each global one by one PAT for each organization.");
    }
    if found.is_empty() {
        return Ok(());
    }
    let cause = format!("Of the PATs listed, {}.", found.join(" and "));
    Err(Failure::new(Exit::Expiring, cause, remedies.join(" ")))
}

/// The ids of those that are revoked, which only another look can tell if the list holds all.
async fn revoked_among(service: &Service, pats: &[Pat], filter: Filter) -> Result<HashSet<String>, Failure> {
    let ids = |pats: &[Pat]| pats.iter().map(|pat| pat.authorization_id.clone()).collect();
    Ok(match filter {
        Filter::Active | Filter::Expired => HashSet::new(),
        Filter::Revoked => ids(pats),
        Filter::All => ids(&service.list(Filter::Revoked).await?),
    })
}
