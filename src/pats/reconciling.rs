//! Looks for the PATs of requests whose answer was lost.
//!
//! A request whose outcome is unknown may have made a PAT, or may make one in a moment: a gateway can give up while the
//! service is still at work, and a list can lag behind. So the run looks at once and again, for [`LATE_EFFECT`], and
//! once more before it ends. What bears the [fingerprint](super::fingerprint) is revoked, since nobody holds its value;
//! what does not is never touched.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::fingerprint::{Fingerprint, Trace, is_the_same_end};
use super::model::{Filter, Pat};
use super::service::Service;
use crate::failure::{Exit, Failure, sentence_of};
use crate::http::LATE_EFFECT;
use crate::time::to_the_second;

/// The pause after the first look; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(400);

/// The requests of a run whose answer was lost, and what became of them.
#[derive(Debug, Default)]
pub struct Unanswered {
    requests: Vec<Lost>,
    found: Vec<Found>,
    /// The PATs that none of these requests made: those that were there before, and those whose answer arrived.
    known: Vec<Pat>,
    /// Why the last look saw nothing.
    blind: Option<Failure>,
    /// When the last look began, if there was one since the last request.
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Lost {
    fingerprint: Fingerprint,
    until: Instant,
    /// What may be its PAT, as of the last look.
    unsure: Vec<Pat>,
}

/// A PAT of one of the requests, whose value nobody holds.
#[derive(Debug)]
struct Found {
    fingerprint: Fingerprint,
    authorization_id: String,
    /// Why it could not be revoked, if it could not.
    alive: Option<Failure>,
}

impl Unanswered {
    /// No lost requests so far; `before` are the active PATs that are known to have been there already.
    pub fn new(before: &[Pat]) -> Self {
        Self { known: before.to_vec(), ..Self::default() }
    }

    /// A further request is about to be sent.
    pub(super) fn asks_again(&mut self) {
        self.looked = None;
    }

    /// The answer to a request has arrived, with this PAT.
    pub(super) fn knows(&mut self, pat: &Pat) {
        self.known.push(pat.clone());
    }

    /// Whether an end is that of a request before, or of a PAT that is there.
    pub(super) fn has_end(&self, end: Timestamp) -> bool {
        let asked_for = self.requests.iter().map(|lost| lost.fingerprint.valid_to);
        let mut ends = asked_for.chain(self.known.iter().filter_map(|pat| pat.valid_to));
        ends.any(|known| is_the_same_end(known, end))
    }

    /// The answer to this request was lost.
    pub fn lose(&mut self, fingerprint: Fingerprint) {
        self.looked = None;
        self.requests.push(Lost { fingerprint, until: Instant::now() + LATE_EFFECT, unsure: Vec::new() });
    }

    /// Nobody holds the value of this PAT, which the request has made for certain: it is revoked.
    pub(super) async fn revoke(&mut self, service: &Service, fingerprint: Fingerprint, id: String) {
        tracing::debug!("revoking {id}, whose value was lost on the way");
        let alive = service.revoke(&id).await.err().map(Failure::from);
        self.found.push(Found { fingerprint, authorization_id: id, alive });
    }

    /// Looks at once and again with growing pauses, until each of them is found or long enough has been looked: the last
    /// look begins then, since a long list tells how things were when it was begun.
    pub async fn look(&mut self, service: &Service) {
        let deadline = service.http().deadline();
        let mut pause = FIRST_PAUSE;
        while !self.requests.is_empty() {
            self.look_once(service).await;
            let Some(until) = self.requests.iter().map(|lost| lost.until).max() else { return };
            let left = until.saturating_duration_since(Instant::now()).min(deadline.left());
            let is_enough = self.looked >= Some(until) || self.blind.is_some() && left.is_zero();
            if is_enough || self.is_refused() || deadline.pause(pause.min(left)).await.is_err() {
                return;
            }
            pause *= 2;
        }
    }

    /// The look before the run ends, unless there was one since the last request that was late enough.
    pub async fn look_once_more(&mut self, service: &Service) {
        let is_due =
            |lost: &Lost| self.looked.is_none() || !self.is_refused() && self.looked < Some(lost.until);
        if self.requests.iter().any(is_due) {
            self.look(service).await;
        }
    }

    /// Whether the credential was refused at the last look, as it will be in a moment, too.
    fn is_refused(&self) -> bool {
        matches!(&self.blind, Some(why) if matches!(why.exit, Exit::SignIn | Exit::Refused))
    }

    /// One look at what is active now.
    pub(super) async fn look_once(&mut self, service: &Service) {
        self.looked = Some(Instant::now());
        let active = match service.list(Filter::Active).await {
            Ok(active) => active,
            Err(failure) => {
                self.blind = Some(failure);
                return;
            }
        };
        self.blind = None;
        for lost in std::mem::take(&mut self.requests) {
            let is_known = |pat: &Pat| {
                let id = pat.authorization_id.as_str();
                self.known.iter().any(|known| known.authorization_id == id)
                    || self.found.iter().any(|found| found.authorization_id == id)
            };
            match lost.fingerprint.trace(&active, is_known) {
                Trace::Own(pat) => {
                    self.revoke(service, lost.fingerprint, pat.authorization_id.clone()).await;
                }
                Trace::Unsure(pats) => {
                    let unsure = pats.into_iter().cloned().collect();
                    self.requests.push(Lost { unsure, ..lost });
                }
                Trace::None => self.requests.push(Lost { unsure: Vec::new(), ..lost }),
            }
        }
    }

    /// Whether one may safely ask again: what was lost could be looked for, and nothing of it lives on.
    pub(super) fn may_ask_again(&self) -> bool {
        self.blind.is_none() && self.found.iter().all(|found| found.alive.is_none())
    }

    /// What may still come to be, and what could not be revoked, by its authorization id. Before there was a look that
    /// saw anything that is every request; after the last one, only what is alive.
    pub fn pending(&self) -> impl Iterator<Item = (&Fingerprint, Option<&str>)> {
        let settled = |lost: &Lost| self.blind.is_none() && self.looked >= Some(lost.until);
        let open =
            self.requests.iter().filter(move |lost| !settled(lost)).map(|lost| (&lost.fingerprint, None));
        let alive = self.found.iter().filter(|found| found.alive.is_some());
        open.chain(alive.map(|found| (&found.fingerprint, Some(found.authorization_id.as_str()))))
    }

    /// The authorization ids of what was found and revoked.
    pub fn revoked(&self) -> impl Iterator<Item = &str> {
        self.found.iter().filter(|found| found.alive.is_none()).map(|found| found.authorization_id.as_str())
    }

    /// The failure in which the run ends, with all that became of these requests.
    pub fn account_in(&self, failure: Failure) -> Failure {
        let mut failure = failure;
        for id in self.revoked() {
            failure = failure.and(format!("The PAT {id} was made all the same, and has been revoked."));
        }
        let left = self.left();
        if left.is_empty() {
            return failure;
        }
        for each in left {
            failure = failure.and(each.what);
            failure.remedy =
                if each.is_certain { each.remedy } else { format!("{} {}", each.remedy, failure.remedy) };
            failure.name = failure.name.or(each.name);
            failure.support_ids.extend(each.support_ids);
            // "Cancelled" promises that nothing is left over which is not named.
            if let (Exit::Cancelled(_), true) = (failure.exit, each.is_certain) {
                failure.exit = Exit::Service;
            }
        }
        failure
    }

    /// What a person should look at even though the run succeeded, each in whole sentences.
    pub fn issues(&self) -> Vec<String> {
        self.left().into_iter().map(|left| format!("{} {}", left.what, left.remedy)).collect()
    }

    fn left(&self) -> Vec<Left> {
        let alive = self.found.iter().filter_map(|found| Some((found, found.alive.as_ref()?)));
        let mut left: Vec<Left> = alive.map(|(found, why)| Left::alive(found, why)).collect();
        if let (Some(why), false) = (&self.blind, self.requests.is_empty()) {
            left.push(Left::unknown(&self.requests, why));
        } else {
            let mut unsure: Vec<&Pat> = Vec::new();
            for pat in self.requests.iter().flat_map(|lost| &lost.unsure) {
                if !unsure.iter().any(|known| known.authorization_id == pat.authorization_id) {
                    unsure.push(pat);
                }
            }
            left.extend((!unsure.is_empty()).then(|| Left::unsure(&unsure)));
        }
        left
    }
}

/// What may be left over, in words.
struct Left {
    what: String,
    remedy: String,
    /// Whether something is left, or could not be looked for.
    is_certain: bool,
    name: Option<String>,
    support_ids: Vec<(&'static str, String)>,
}

impl Left {
    fn alive(found: &Found, why: &Failure) -> Self {
        let id = &found.authorization_id;
        Self {
            what: format!(
                "The PAT {id} was made, nobody holds its value, and it may still be alive: {}",
                sentence_of(&why.cause)
            ),
            remedy: format!("Revoke it: 'adopat revoke' with authorization-id {id}."),
            is_certain: true,
            name: why.name.clone(),
            support_ids: why.support_ids.clone(),
        }
    }

    fn unknown(requests: &[Lost], why: &Failure) -> Self {
        let asked: Vec<String> = requests.iter().map(|lost| lost.fingerprint.to_string()).collect();
        let asked = asked.join(" or ");
        let refused = matches!(why.exit, Exit::SignIn | Exit::Refused);
        let first = if refused { format!("{} Then look", sentence_of(&why.remedy)) } else { "Look".into() };
        Self {
            what: format!("adopat could not tell whether {asked} was created: {}", sentence_of(&why.cause)),
            remedy: format!(
                "{first} with 'adopat list', and revoke the PAT that ends then: nobody holds its value. A rotation \
                 of that name with duplicates set to revoke does so, too."
            ),
            is_certain: true,
            name: why.name.clone(),
            support_ids: why.support_ids.clone(),
        }
    }

    fn unsure(pats: &[&Pat]) -> Self {
        let name = &pats[0].display_name;
        let list: Vec<String> = pats
            .iter()
            .map(|pat| {
                let until = pat.valid_to.map_or_else(|| "unknown".into(), to_the_second);
                format!("{} (valid to {until})", pat.authorization_id)
            })
            .collect();
        Self {
            what: format!(
                "adopat revoked no PAT named '{name}', because it could not tell which of these its lost request made, \
                 if any: {}.",
                list.join(", ")
            ),
            remedy: "If nobody else made it, revoke it: 'adopat revoke' with its authorization-id.".into(),
            is_certain: false,
            name: None,
            support_ids: Vec::new(),
        }
    }
}
