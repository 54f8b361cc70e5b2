//! Whether the PATs can be read, how many there are, and which end soon.

use std::time::Duration;

use jiff::Timestamp;

use super::super::{Run, tenant};
use super::report::Finding;
use crate::failure::Failure;
use crate::inputs::request::Doctor;
use crate::pats::model::{Filter, GLOBAL_PATS_END, global_pats_have_ended};
use crate::pats::{Pat, Service};
use crate::secret::Secret;
use crate::time::span;

/// PATs that end within this time are warned of.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

pub(super) async fn check(run: &Run<'_>, bearer: &Secret, asked: &Doctor) -> Result<Finding, Failure> {
    let places = &run.request.places;
    let service =
        Service::new(run.http.clone(), &places.service_url, run.organization().clone(), bearer.clone());
    let (active, expired) = match read(&service).await {
        Ok(read) => read,
        Err(failure) => return Err(tenant::explain(run, run.request.organization.as_ref(), failure).await),
    };
    Ok(judge(&active, expired.len(), asked.display_name.as_deref(), run.now().await))
}

async fn read(service: &Service) -> Result<(Vec<Pat>, Vec<Pat>), Failure> {
    Ok((service.list(Filter::Active).await?, service.list(Filter::Expired).await?))
}

fn judge(active: &[Pat], expired: usize, name: Option<&str>, now: Timestamp) -> Finding {
    let stopped = active.iter().filter(|pat| pat.is_over_at(now)).count();
    let global = active.iter().filter(|pat| pat.is_global()).count();
    let concerns = |pat: &&Pat| name.is_none_or(|name| pat.display_name == name) && !pat.is_over_at(now);
    let concerned: Vec<&Pat> = active.iter().filter(concerns).collect();
    let named = name.map_or(String::new(), |name| format!("{} named '{name}'", concerned.len()));
    let reach = match global_pats_have_ended(now) {
        true => String::new(),
        false => format!("{global} global"),
    };
    let marks: Vec<String> = [reach, named].into_iter().filter(|mark| !mark.is_empty()).collect();
    let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
    let dead = match (global_pats_have_ended(now), global) {
        (true, 1..) => format!(", {global} global, which stopped working on {GLOBAL_PATS_END}"),
        _ => String::new(),
    };
    let counted = format!("{} active{marks}, {expired} expired{dead}.", active.len() - stopped);
    let soon =
        concerned.iter().filter(|pat| pat.end().is_some_and(|end| end <= span::after(now, SOON))).count();
    if soon == 0 {
        return Finding::ok(counted);
    }
    let of_that_name = if name.is_some() { " of that name" } else { "" };
    let verb = if soon == 1 { "ends" } else { "end" };
    Finding::warning(
        format!("{counted} Of the active ones{of_that_name}, {soon} {verb} within 14 days."),
        "Rotate what is still in use: 'adopat list' with expiring-within 14d shows which they are.",
    )
}
