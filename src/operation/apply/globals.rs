//! Global PATs are retired last: each is every organization's, until all that the manifest names have one of their own.

use super::super::find::describe;
use super::super::outcome::{Fate, Outcome};
use super::super::plan::{Plan, Step};
use super::super::sign_in::SignedIn;
use super::super::{Run, retire};
use super::decision::{self, Verdict};
use super::{Ended, Item};
use crate::azure_devops::Organization;
use crate::pats::Pat;

/// Retires each global PAT whose every entry has its own by now; says of each other that it lives on.
pub(super) async fn retire(run: &Run<'_>, signed_in: &SignedIn, items: &[Item<'_>], ended: &mut [Ended]) {
    for (pat, index) in replaced(items) {
        let namesakes = (0..items.len()).filter(|at| items[*at].entry.display_name == pat.display_name);
        let without: Vec<String> = namesakes
            .filter(|at| !ended[*at].is_well())
            .map(|at| items[at].entry.organization.to_string())
            .collect();
        let (item, organization) = (&items[index], &items[index].entry.organization);
        let now = run.now().await;
        let plan = decision::plan(item.entry, &item.verdict, &item.active, now);
        let Some(step) = step_of(&pat, plan) else { continue };
        if ended.iter().any(|ended| matches!(ended, Ended::Would(_))) {
            if without.is_empty() {
                run.info(step.describe("Would finally", organization));
            }
            continue;
        }
        let Some(outcome) = first_made(items, ended, &pat) else { continue };
        if !without.is_empty() {
            let issue = format!(
                "The global PAT lives on, because {} has none of its own yet: {}.",
                without.join(", "),
                describe(&pat)
            );
            run.warn(&issue);
            outcome.issues.push(issue);
            continue;
        }
        let service = signed_in.service(run, organization).with_deadline(run.deadline().to_clean_up());
        for fate in retire::carry_out(&service, &[step]).await {
            tell(run, organization, &fate);
            outcome.fates.push(fate);
        }
    }
}

fn tell(run: &Run<'_>, organization: &Organization, fate: &Fate) {
    if let Some(sentence) = fate.sentence(organization) {
        run.info(format!("{organization}: {sentence}"));
    }
    if let Some(issue) = fate.issue() {
        run.warn(format!("{organization}: {issue}"));
    }
}

/// Each global PAT that is to be replaced, with the first entry that replaces it.
fn replaced(items: &[Item<'_>]) -> Vec<(Pat, usize)> {
    let mut found: Vec<(Pat, usize)> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if !matches!(item.verdict, Verdict::Rotate(_)) {
            continue;
        }
        for pat in item.active.iter().filter(|pat| pat.is_global()) {
            if !found.iter().any(|(known, _)| known.authorization_id == pat.authorization_id) {
                found.push((pat.clone(), index));
            }
        }
    }
    found
}

fn step_of(pat: &Pat, plan: Option<Plan>) -> Option<Step> {
    match plan? {
        Plan::Act { steps, .. } => {
            steps.into_iter().find(|step| step.pat.authorization_id == pat.authorization_id)
        }
        Plan::Nothing(..) => None,
    }
}

/// The outcome of the first entry that has taken the place of this PAT.
fn first_made<'e>(items: &[Item<'_>], ended: &'e mut [Ended], pat: &Pat) -> Option<&'e mut Outcome> {
    let held =
        |item: &Item<'_>| item.active.iter().any(|active| active.authorization_id == pat.authorization_id);
    items.iter().zip(ended).find_map(|(item, ended)| match ended {
        Ended::Made(outcome) if held(item) => Some(outcome),
        _ => None,
    })
}
