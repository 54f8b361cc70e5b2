//! Holds everything that a run says (log, annotations, summary, outputs, dry run, exit code) against what the emulator
//! knows to be so.
//!
//! A sentence about a PAT is read by its words and by the authorization ids in it: what is called revoked has to be
//! revoked, what is said to live has to live, until when it is said to. The other way round, what a run made and did not
//! deliver, and every PAT that it changed, has to be named. Nothing here knows which test it is in, nor how adopat came
//! to say what it says.

use std::collections::{BTreeMap, BTreeSet};

use adopat_emulator::{Pat, PatStatus};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::azure_agent;

/// One run: what it said, and what was so before and after it.
pub struct Told<'a> {
    /// The operation, as a word.
    pub operation: &'a str,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// Whether the PAT that was meant was given by its id.
    pub by_id: bool,
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// Both streams, without the commands that mask or set a secret.
    pub log: &'a str,
    /// The Markdown summary; empty where the host has none.
    pub summary: &'a str,
    /// The outputs by their kebab-case names; empty where the host has none.
    pub outputs: &'a BTreeMap<String, String>,
    /// Every PAT as it was before the run.
    pub before: &'a [Pat],
    /// Every PAT as it is after it.
    pub after: &'a [Pat],
    /// The PATs that the run made.
    pub made: &'a BTreeSet<Uuid>,
    /// The PATs that were there and that the run revoked or changed.
    pub changed: &'a BTreeSet<Uuid>,
    /// Whether it asked for a PAT, or for a change of one.
    pub asked: bool,
    /// Whether this value is where the run was to deliver it.
    pub delivered: &'a dyn Fn(&str) -> bool,
    /// Whether nobody else changed any PAT meanwhile.
    pub alone: bool,
    /// Whether it is certain which PATs the run made and changed.
    pub certain: bool,
}

/// What a clause says of the PATs that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// They are revoked.
    Revoked,
    /// They are no longer there.
    Gone,
    /// They live.
    Lives,
    /// They may live, or may have been changed.
    Doubt,
    /// Something would be done to them.
    Would,
}

/// Everything that a run said and that is not so.
pub fn falsehoods(told: &Told<'_>) -> Vec<String> {
    let mut reader = Reader { told, claims: Vec::new(), named: BTreeSet::new(), false_words: Vec::new() };
    reader.log();
    reader.summary();
    reader.outputs();
    reader.results();
    if told.certain {
        reader.nothing_is_left_out();
    }
    reader.the_exit_code();
    reader.false_words
}

impl Told<'_> {
    fn after(&self, id: Uuid) -> Option<&Pat> {
        self.after.iter().find(|pat| pat.authorization_id == id)
    }

    fn before(&self, id: Uuid) -> Option<&Pat> {
        self.before.iter().find(|pat| pat.authorization_id == id)
    }

    fn status(&self, id: Uuid) -> Option<PatStatus> {
        self.after(id).map(|pat| pat.status)
    }

    fn made(&self) -> impl Iterator<Item = &Pat> {
        self.made.iter().filter_map(|id| self.after(*id))
    }

    /// The PATs that were active before, and that one of those that the run made takes the name of.
    fn namesakes(&self) -> impl Iterator<Item = &Pat> {
        let active = self.before.iter().filter(|pat| pat.status == PatStatus::Active);
        active.filter(|old| {
            self.made().any(|new| (&new.display_name, &new.owner) == (&old.display_name, &old.owner))
        })
    }
}

struct Reader<'a> {
    told: &'a Told<'a>,
    claims: Vec<(Uuid, Claim)>,
    named: BTreeSet<Uuid>,
    false_words: Vec<String>,
}

impl Reader<'_> {
    fn is_false(&mut self, what: impl Into<String>) {
        self.false_words.push(what.into());
    }

    /// Sentence by sentence.
    fn log(&mut self) {
        let told = self.told;
        let listing = matches!(told.operation, "list" | "get" | "doctor");
        for line in told.log.lines() {
            if let Some(word) = doubled(line) {
                self.is_false(format!("it says '{word}' twice: {line}"));
            }
            // Outputs are looked at by themselves, and a table is no sentence.
            if line.starts_with("##vso[task.set") || line.starts_with("##vso[task.upload") || listing {
                self.named.extend(ids(line).map(|(_, id)| id));
                continue;
            }
            for sentence in self.without_names(line).split(". ") {
                let (title, _) = sentence.split_once(": ").unwrap_or((sentence, ""));
                let title = claim(title);
                for clause in sentence.split("; ") {
                    self.clause(clause, claim(clause).or(title), line);
                }
            }
        }
    }

    /// The names of the PATs are not adopat's words.
    fn without_names(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for pat in self.told.after {
            if !pat.display_name.is_empty() && line.contains(&pat.display_name) {
                line = line.replace(&format!("'{}'", pat.display_name), "'NAME'");
            }
        }
        line
    }

    fn clause(&mut self, clause: &str, claim: Option<Claim>, line: &str) {
        let ends: Vec<(usize, Timestamp)> = ["valid to ", "stays valid until "]
            .iter()
            .flat_map(|words| clause.match_indices(words).map(move |(at, words)| at + words.len()))
            .filter_map(|at| Some((at, instant(&clause[at..])?)))
            .collect();
        let told = self.told;
        let named: Vec<(usize, Uuid)> = ids(clause).collect();
        for (index, (at, id)) in named.iter().enumerate() {
            self.named.insert(*id);
            if let Some(claim) = claim {
                self.claim(*id, claim, line);
            }
            // The end that follows an id is that PAT's.
            let next = named.get(index + 1).map_or(usize::MAX, |(next, _)| *next);
            for (_, end) in ends.iter().filter(|(end, _)| end > at && *end < next) {
                let (before, after) = (told.before(*id), told.after(*id));
                let kept = clause.contains("stays valid until");
                let is_so = |pat: Option<&Pat>| pat.is_none_or(|pat| to_the_second(pat.valid_to) == *end);
                if told.alone && !(is_so(after) || (before.is_some() && is_so(before) && !kept)) {
                    self.is_false(format!("{id} does not end at {end}: {line}"));
                }
            }
        }
    }

    fn claim(&mut self, id: Uuid, claim: Claim, line: &str) {
        let told = self.told;
        self.claims.push((id, claim));
        let Some(status) = told.after(id).map(|pat| pat.status) else { return };
        let is_so = match claim {
            Claim::Revoked => status == PatStatus::Revoked,
            Claim::Gone => status != PatStatus::Active,
            Claim::Lives => status == PatStatus::Active || !self.told.alone,
            Claim::Would => self.told.dry_run || !line.contains("Would "),
            Claim::Doubt => true,
        };
        if !is_so {
            self.is_false(format!("{id} is {status:?}, not {claim:?}: {line}"));
        }
    }

    /// Row by row, and the title.
    fn summary(&mut self) {
        let told = self.told;
        for row in told.summary.lines().filter(|line| line.starts_with("| ")) {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let [_, state, done, end, _, id] = cells.as_slice() else { continue };
            let Ok(id) = Uuid::parse_str(id.trim_matches('`')) else { continue };
            let Some(pat) = told.after(id) else { continue };
            let status = if state.starts_with("active") || state.starts_with("stopped") {
                Some(PatStatus::Active)
            } else if state.starts_with("expired") {
                Some(PatStatus::Expired)
            } else if state.starts_with("revoked") {
                Some(PatStatus::Revoked)
            } else {
                None
            };
            if told.alone && status.is_some_and(|status| status != pat.status) {
                self.is_false(format!("{id} is {:?}: {row}", pat.status));
            }
            let ends = [Some(pat), told.before(id)].into_iter().flatten();
            if told.alone && !ends.map(|pat| to_the_second(pat.valid_to).to_string()).any(|so| so == *end) {
                self.is_false(format!("{id} ends at {}: {row}", pat.valid_to));
            }
            let is_so = state.contains("global") == pat.global;
            if told.alone && !is_so && !told.before(id).is_some_and(|pat| pat.global) {
                self.is_false(format!("{id} is global: {}: {row}", pat.global));
            }
            if told.operation != "list" {
                self.clause(&format!("{id} {done}"), claim(done), row);
            }
        }
        for line in told.summary.lines().filter(|line| line.starts_with("**")) {
            self.clause(line, claim(line), line);
        }
        let title = told.summary.lines().next().unwrap_or_default();
        let is_so = match title.trim_start_matches("### ").split(" in ").next().unwrap_or_default() {
            "PAT created" => told.operation == "create" || told.namesakes().next().is_none(),
            "PAT rotated" => told.namesakes().next().is_some(),
            "PAT updated" => !told.changed.is_empty(),
            "PAT not changed" | "No PAT revoked" => told.changed.is_empty(),
            revoked if revoked.ends_with(" revoked") => {
                let revoked = revoked.split(' ').next().and_then(|count| count.parse().ok());
                let now = told.changed.iter().filter(|id| told.status(**id) == Some(PatStatus::Revoked));
                let (in_doubt, certain): (Vec<&Uuid>, Vec<_>) =
                    now.partition(|id| self.claims.contains(&(**id, Claim::Doubt)));
                let at_most = certain.len() + in_doubt.len();
                revoked.is_some_and(|revoked| (certain.len()..=at_most).contains(&revoked))
            }
            _ => true,
        };
        if told.alone && !is_so {
            self.is_false(format!("the summary has a wrong title: {title}"));
        }
    }

    fn outputs(&mut self) {
        let told = self.told;
        let outputs = told.outputs;
        if let Some(id) = outputs.get("authorization-id").and_then(|id| Uuid::parse_str(id).ok())
            && let Some(pat) = told.after(id).cloned()
            && told.alone
        {
            let so = [
                ("display-name", pat.display_name.clone()),
                ("scope", pat.scope.clone()),
                ("valid-to", to_the_second(pat.valid_to).to_string()),
            ];
            for (name, so) in so {
                // A name that a host could take for a command is not handed over as it is.
                let said = outputs.get(name).filter(|_| is_plain(&so));
                if said.is_some_and(|said| *said != so && pat.status == PatStatus::Active) {
                    self.is_false(format!("the output {name} is not {so} but {said:?}"));
                }
            }
        }
        if let Some(token) = outputs.get("token") {
            let lives = |pat: &Pat| pat.value == *token && (pat.status == PatStatus::Active || !told.alone);
            if !told.after.iter().any(lives) {
                self.is_false("the output token is none that lives");
            }
        }
        if let Some(changed) = outputs.get("changed")
            && told.alone
        {
            let has_changed = !told.made.is_empty() || !told.changed.is_empty();
            if told.code == Some(0) && (changed == "true") != has_changed {
                self.is_false(format!("the output changed is {changed}"));
            }
        }
        for id in outputs.get("previous-authorization-id").iter().flat_map(|ids| ids.split(' ')) {
            if !Uuid::parse_str(id).is_ok_and(|id| told.before(id).is_some()) {
                self.is_false(format!("{id} was not there before, so nothing takes its place"));
            }
        }
        let pats: Vec<Value> =
            outputs.get("pats").and_then(|pats| serde_json::from_str(pats).ok()).unwrap_or_default();
        for said in pats {
            let id = said["authorization-id"].as_str().and_then(|id| Uuid::parse_str(id).ok());
            let Some(pat) = id.and_then(|id| told.after(id)) else { continue };
            let end = to_the_second(pat.valid_to).to_string();
            let is_so = said["valid-to"] == *end
                && said["scope"] == *pat.scope
                && (said["display-name"] == *pat.display_name || !is_plain(&pat.display_name))
                && said["global"] == pat.global;
            if !is_so && told.alone {
                self.is_false(format!("the output pats has {said}"));
            }
        }
    }

    /// What `apply` says of each PAT, row by row.
    fn results(&mut self) {
        let told = self.told;
        let rows: Vec<Value> =
            told.outputs.get("results").and_then(|rows| serde_json::from_str(rows).ok()).unwrap_or_default();
        for row in rows {
            let id = |id: &Value| id.as_str().and_then(|id| Uuid::parse_str(id).ok());
            for old in row["previous-authorization-ids"].as_array().into_iter().flatten() {
                if id(old).is_none_or(|id| told.before(id).is_none()) {
                    self.is_false(format!("{old} was not there before, so nothing takes its place: {row}"));
                }
            }
            let Some(pat) = id(&row["authorization-id"]).and_then(|id| told.after(id)) else { continue };
            let (lives, is_new) =
                (pat.status == PatStatus::Active, told.made.contains(&pat.authorization_id));
            let is_so = match row["action"].as_str() {
                Some("created" | "rotated") => lives && is_new,
                Some("revoked") => !lives,
                Some("failed" | "not-begun") => true,
                _ => lives && !is_new,
            };
            if told.alone && !is_so {
                self.is_false(format!("{} is {:?}, new: {is_new}: {row}", pat.authorization_id, pat.status));
            }
            let ends = [Some(pat), told.before(pat.authorization_id)].into_iter().flatten();
            let mut ends = ends.map(|pat| to_the_second(pat.valid_to).to_string());
            if told.alone && !ends.any(|end| row["valid-to"] == *end) {
                self.is_false(format!("{} ends at {}: {row}", pat.authorization_id, pat.valid_to));
            }
        }
    }

    /// What lives because of the run, or is no longer as it was because of it, is named.
    fn nothing_is_left_out(&mut self) {
        let told = self.told;
        if told.code.is_none() {
            return;
        }
        if told.dry_run && told.asked {
            self.is_false("a dry run changed something");
        }
        let in_doubt =
            ["could not be found out", "could not tell", "may still come to be", "may still be alive"];
        let in_doubt = in_doubt.iter().any(|words| told.log.contains(words));
        for pat in told.made().filter(|pat| pat.status == PatStatus::Active) {
            let id = pat.authorization_id;
            let named = self.named.contains(&id);
            let may_live_unnamed = in_doubt && told.log.contains(&pat.display_name);
            if !named && !(told.delivered)(&pat.value) && !may_live_unnamed {
                self.is_false(format!("{id}, which it made, lives; nobody has it, and it is not named"));
            }
            let is_told = named || may_live_unnamed;
            if told.code == Some(0) && matches!(told.operation, "create" | "rotate") && !is_told {
                self.is_false(format!("{id}, which it made, is not named"));
            }
        }
        for id in told.changed {
            let has = |claim| self.claims.contains(&(*id, claim));
            let is_told = match told.status(*id) {
                Some(PatStatus::Revoked) => has(Claim::Revoked) || has(Claim::Gone) || has(Claim::Doubt),
                _ => self.named.contains(id),
            };
            if !is_told {
                self.is_false(format!("{id} is no longer as it was, and nothing says so"));
            }
        }
        if told.operation == "rotate" && told.code == Some(0) && !told.by_id && told.alone {
            for pat in told.namesakes() {
                let id = pat.authorization_id;
                let has = |claim| self.claims.contains(&(id, claim));
                let lives = told.status(id) == Some(PatStatus::Active);
                if lives && !has(Claim::Lives) && !has(Claim::Doubt) {
                    self.is_false(format!("{id}, an old one, lives on, and nothing says so"));
                }
            }
        }
    }

    fn the_exit_code(&mut self) {
        let told = self.told;
        let failed = told.code.is_some_and(|code| code != 0);
        // A test may put a PAT there beforehand that its answer to the `POST` then speaks of.
        let made_by_a_refusal = told.log.contains("The answer holds a PAT all the same");
        if matches!(told.operation, "create" | "rotate") && failed && told.certain && !made_by_a_refusal {
            for id in told.changed {
                self.is_false(format!("it failed, and {id} is no longer as it was"));
            }
        }
        if told.code == Some(2) && told.asked && told.certain && told.operation != "exec" {
            self.is_false("it ended with 2, and had sent something");
        }
    }
}

/// What a clause claims, by its words.
fn claim(clause: &str) -> Option<Claim> {
    let clause = clause.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|words| clause.contains(words));
    if has(&["'adopat ", "adopat revoke", "active pats are", "no active pat"]) {
        return None;
    }
    if has(&["would "]) {
        return Some(Claim::Would);
    }
    if has(&[
        "may still",
        "may be alive",
        "may have been",
        "may live",
        "could not tell",
        "could not be found out",
    ]) {
        return Some(Claim::Doubt);
    }
    if has(&["still lives", "still alive", "lives on", "stays valid", "as it was"]) {
        return Some(Claim::Lives);
    }
    if has(&["gone already"]) {
        return Some(Claim::Gone);
    }
    let denied = has(&["not be revoked", "not revoked", "cannot", "to be revoked", "once it is revoked"]);
    (has(&["revoked"]) && !denied).then_some(Claim::Revoked)
}

/// A word that says what the annotation around it says already.
fn doubled(line: &str) -> Option<&'static str> {
    let heads = [
        ("::warning::", "warning"),
        ("::error::", "error"),
        ("::notice::", "notice"),
        ("##vso[task.logissue type=warning]", "warning"),
        ("##vso[task.logissue type=error]", "error"),
        ("adopat: warning: ", "warning"),
        ("adopat: error: ", "error"),
    ];
    heads.into_iter().find_map(|(head, word)| {
        let text = line.strip_prefix(head)?;
        text.trim_start().to_lowercase().starts_with(word).then_some(word)
    })
}

/// The authorization ids in a text, each with where it stands.
fn ids(text: &str) -> impl Iterator<Item = (usize, Uuid)> + '_ {
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '-';
    let mut rest = 0;
    std::iter::from_fn(move || {
        loop {
            let start = rest + text[rest..].find(is_part)?;
            let end = text[start..].find(|c| !is_part(c)).map_or(text.len(), |length| start + length);
            rest = end;
            if end - start == 36
                && let Ok(id) = Uuid::parse_str(&text[start..end])
            {
                return Some((start, id));
            }
        }
    })
}

/// The RFC 3339 instant that a text begins with.
fn instant(text: &str) -> Option<Timestamp> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || "-:TZ.".contains(c))).unwrap_or(text.len());
    text[..end].trim_end_matches('.').parse().ok()
}

fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || " -_.:".contains(c))
}

fn to_the_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).expect("within reach")
}

/// The outputs that a step of Azure Pipelines sets, by their kebab-case names; secret ones are not among them.
pub fn azure_outputs(printed: &str) -> BTreeMap<String, String> {
    let set = azure_agent::commands(printed, true).into_iter().filter(|command| {
        command.name == "task.setvariable" && command.is("isoutput") && !command.is("issecret")
    });
    set.map(|command| (kebab_case(&command.properties["variable"]), command.data)).collect()
}

fn kebab_case(camel: &str) -> String {
    let mut kebab = String::new();
    for c in camel.chars() {
        if c.is_ascii_uppercase() {
            kebab.push('-');
        }
        kebab.push(c.to_ascii_lowercase());
    }
    kebab
}
