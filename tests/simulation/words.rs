//! What a run said, held against what is so.

use std::collections::BTreeSet;

use adopat_emulator::Pat;
use uuid::Uuid;

use super::part::Part;
use super::stage::Play;
use super::truth;

/// What a run that has ended said that is not so, now that the services are done with every request of it. What others
/// did meanwhile to PATs that it has to do with may be told either way; what else is others' business is left out.
pub fn falsehoods(play: &Play, number: usize, code: u8, part: &Part, words: &str) -> Vec<String> {
    let entry = &play.cast[number];
    let after = &entry.left;
    let ids = |deeds: &[(usize, Uuid)], by_it: bool| -> BTreeSet<Uuid> {
        deeds.iter().filter(|(actor, _)| (*actor == number) == by_it).map(|(_, id)| *id).collect()
    };
    let its = ids(&play.deeds[entry.meanwhile.start..], true);
    let others = ids(&play.deeds[entry.meanwhile.clone()], false);
    let made = its.iter().filter(|id| play.makers.get(id) == Some(&number)).copied().collect();
    let is_open = |id: &Uuid| {
        let neighbours = play.neighbour.as_ref().is_some_and(|them| them.made(*id));
        neighbours || others.contains(id)
    };
    let changed = its.difference(&made).filter(|id| !is_open(id)).copied().collect();
    let concerns_it = |id: &Uuid| its.contains(id) || entry.asked_about.contains(id);
    let alone = !after.iter().map(|pat| &pat.authorization_id).any(|id| is_open(id) && concerns_it(id));
    let seen = |pats: &[Pat]| -> Vec<Pat> {
        let is_seen = |pat: &&Pat| !is_open(&pat.authorization_id) || concerns_it(&pat.authorization_id);
        pats.iter().filter(is_seen).cloned().collect()
    };
    let delivered = part.delivered_text(&play.switchboard.services);
    truth::falsehoods(&truth::Told {
        operation: part.errand.operation,
        dry_run: part.errand.is_dry_run(),
        by_id: part.errand.inputs.iter().any(|(name, _)| *name == "authorization-id"),
        code: Some(code.into()),
        log: words,
        summary: &part.summary(),
        outputs: &part.outputs(),
        before: &seen(&entry.found),
        after: &seen(after),
        made: &made,
        changed: &changed,
        asked: entry.has_asked || !its.is_empty(),
        delivered: &|value| delivered.contains(value),
        alone,
        certain: true,
    })
}
