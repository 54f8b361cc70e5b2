//! `list`: every PAT that the filter lets through; which expire soon, which are global.

use serde_json::{Value, json};

use super::find::describe;
use super::{Run, delivery, listing, sign_in, summary};
use crate::failure::{Exit, Failure};
use crate::inputs::request::List;
use crate::inputs::span;
use crate::outputs::Outputs;
use crate::pats::Pat;

pub(super) async fn list(run: &Run<'_>, list: &List) -> Result<(), Failure> {
    let session = sign_in::sign_in(run).await?;
    let pats = session.service.list(list.filter).await?;
    let now = run.now();
    let within = list.expiring_within;
    let json: Vec<Value> = pats.iter().map(|pat| listing::to_json(pat, within, now)).collect();
    run.show(&listing::table(&pats, within, now), &json!(json), || {
        format!("{} PATs ({}) in organization {}.", pats.len(), list.filter.word(), run.organization())
    });
    run.host.summarize(&summary::listed(&pats, within, now, run.organization()));
    delivery::hand_over_plain(run, &Outputs { pats: Some(json), ..Outputs::default() })?;
    let expiring: Vec<&Pat> = match within {
        Some(within) => pats.iter().filter(|pat| listing::is_expiring(pat, within, now)).collect(),
        None => Vec::new(),
    };
    let global: Vec<&Pat> = pats.iter().filter(|pat| pat.is_global() && !pat.expired_at(now)).collect();
    for pat in &expiring {
        run.warn(format!("Expires soon: {}.", describe(pat)));
    }
    for pat in &global {
        run.warn(format!("Global, and stops working on 2026-12-01: {}.", describe(pat)));
    }
    if list.fail_if_expiring && !expiring.is_empty() {
        let within = span::describe(within.unwrap_or_default());
        let cause = format!("{} of the PATs listed expire within {within}.", expiring.len());
        return Err(Failure::new(Exit::Expiring, cause, "Rotate them."));
    }
    if list.fail_if_global && !global.is_empty() {
        let cause = format!("{} of the PATs listed are global ones.", global.len());
        return Err(Failure::new(Exit::Expiring, cause, "Replace each by one PAT for each organization."));
    }
    Ok(())
}
