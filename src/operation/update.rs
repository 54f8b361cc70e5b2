//! `update`: sign in, find the PAT, change its name, scope or expiry. Its value stays as it is.

use jiff::{SignedDuration, Timestamp};

use super::find::{describe, find_one};
use super::plan::{end_of, global};
use super::{Run, delivery, sign_in, summary};
use crate::failure::Failure;
use crate::inputs::request::Update;
use crate::outputs::{Outputs, to_the_second};
use crate::pats::{Change, Pat};

/// How much less than asked the service may grant without a word, and how little is no change.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(60);

pub(super) async fn update(run: &Run<'_>, update: &Update) -> Result<(), Failure> {
    let session = sign_in::sign_in(run).await?;
    let old = find_one(run, &session.service, &update.subject).await?;
    if old.is_global() && !update.allow_global_narrowing {
        return Err(global(&old));
    }
    let now = run.now().await;
    let change = Change {
        display_name: update.new_display_name.clone(),
        scope: update.scope.clone(),
        valid_to: update.expiry.map(|expiry| end_of(expiry, now)),
    };
    if update.dry_run {
        run.info(describe_change(&old, &change));
        return delivery::hand_over_plain(run, &Outputs { subject: Some(old), ..Outputs::default() });
    }
    let new = session.service.update(&old.authorization_id, &change).await?;
    let changed = differs(&old, &new);
    let issue = change.valid_to.and_then(|asked| shortened(&old, &new, asked));
    if changed {
        run.info(format!("Updated {}.", describe(&new)));
        run.host.summarize(&summary::updated(&new, run.organization()));
    } else {
        run.info(format!("{} is as it was.", describe(&new)));
    }
    delivery::hand_over_plain(run, &Outputs { subject: Some(new), changed, ..Outputs::default() })?;
    if let Some(issue) = issue {
        run.warn(issue);
        run.host.succeeded_with_issues();
    }
    Ok(())
}

/// The service rounds dates to 1/300 s: an expiry has changed if it has changed by seconds.
fn differs(old: &Pat, new: &Pat) -> bool {
    let moved = match (old.valid_to, new.valid_to) {
        (Some(old), Some(new)) => new.duration_since(old).abs() > SignedDuration::from_secs(1),
        (old, new) => old != new,
    };
    moved
        || old.display_name != new.display_name
        || old.scope != new.scope
        || old.is_global() != new.is_global()
}

/// A policy lets a PAT live for so long after its making, however often it is extended: once that is reached,
/// only a rotation helps.
fn shortened(old: &Pat, new: &Pat, asked: Timestamp) -> Option<String> {
    let granted = new.valid_to?;
    if asked.duration_since(granted) <= TOLERANCE {
        return None;
    }
    let (granted_at, asked_at) = (to_the_second(granted), to_the_second(asked));
    let extended = old.valid_to.is_some_and(|before| granted.duration_since(before) > TOLERANCE);
    Some(if extended {
        format!(
            "The service extended the PAT to {granted_at} only, not to {asked_at} as asked: the tenant's policy \
             'Enforce maximum personal access token lifespan' counts from the PAT's making. Only a rotation gives \
             a PAT that lives longer."
        )
    } else {
        format!(
            "The PAT was not extended to {asked_at}: it ends at {granted_at}, since the tenant's policy 'Enforce \
             maximum personal access token lifespan' counts from the PAT's making. Only a rotation helps: use the \
             operation rotate."
        )
    })
}

fn describe_change(old: &Pat, change: &Change) -> String {
    let name = change.display_name.as_ref().map(|name| format!("name it '{name}'"));
    let scope = change.scope.as_ref().map(|scope| format!("give it scope {scope}"));
    let end = change.valid_to.map(|to| format!("let it end at {}", to_the_second(to)));
    let changes: Vec<String> = [name, scope, end].into_iter().flatten().collect();
    format!("Would change {}: {}.", describe(old), changes.join(", "))
}
