//! Another actor with PATs of the same names and scopes: what any colleague, or any other job of the same person, does.

use adopat_emulator::{NewPat, PatStatus, Service, Services, cast};
use bytes::Bytes;
use http::{Method, Request};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::dice::Dice;
use super::part::NAME;

/// Somebody whose PATs are nobody else's business.
#[derive(Debug)]
pub struct Neighbour {
    dice: Dice,
    /// How many times in a hundred it does something where it can.
    percent: u64,
    /// Whether it waits for the first request that changes something.
    waits: bool,
    pats: Vec<Uuid>,
}

impl Neighbour {
    /// One who does something so many times in a hundred.
    pub fn new(dice: Dice, percent: u64) -> Self {
        Self { dice, percent, waits: false, pats: Vec::new() }
    }

    /// Who does nothing before a run asks for a change: what a run reads before that is what it is asked about.
    pub fn once_a_run_changes_something(self) -> Self {
        Self { waits: true, ..self }
    }

    /// Whether this PAT is theirs.
    pub fn made(&self, id: Uuid) -> bool {
        self.pats.contains(&id)
    }

    /// A request of a run arrives; where it goes to the PAT service it is `asks`. Perhaps the neighbour was quicker.
    /// Returns what they did.
    pub fn turn(
        &mut self,
        services: &mut Services,
        asks: Option<&Request<Bytes>>,
        now: Timestamp,
    ) -> Option<String> {
        self.waits &= asks.is_none_or(|request| request.method() == Method::GET);
        if self.waits || !self.dice.percent(self.percent) {
            return None;
        }
        match asks {
            // As much like what is asked for as can be: the same name and scope, made at the same moment, and all but
            // the same end.
            Some(request) if request.method() == Method::POST => self.make_alike(services, request, now),
            _ => match self.dice.below(4) {
                0 => {
                    self.make(services, "vso.code vso.packaging", now + SignedDuration::from_hours(720), now)
                }
                1 => self.revoke(services, now),
                2 => self.rename(services, now),
                _ => None,
            },
        }
    }

    fn make_alike(
        &mut self,
        services: &mut Services,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Option<String> {
        let body: Value = serde_json::from_slice(request.body()).ok()?;
        let end: Timestamp = body["validTo"].as_str()?.parse().ok()?;
        let off = self.dice.pick(&[-3_000, -1_000, -10, -4, 4, 10, 1_000]);
        let in_whole_seconds = Timestamp::from_second(end.as_second()).ok()?;
        let end =
            if self.dice.percent(30) { in_whole_seconds } else { end + SignedDuration::from_millis(off) };
        self.make(services, body["scope"].as_str()?, end, now)
    }

    fn make(
        &mut self,
        services: &mut Services,
        scope: &str,
        end: Timestamp,
        now: Timestamp,
    ) -> Option<String> {
        let pat = services.add_pat(NewPat::named(NAME).scope(scope).valid_from(now).valid_to(end), now);
        self.pats.push(pat.authorization_id);
        Some(format!("the neighbour made {}, valid to {end}", pat.authorization_id))
    }

    fn revoke(&mut self, services: &mut Services, now: Timestamp) -> Option<String> {
        let id = self.one_that_lives(services, now)?;
        services.revoke_pat(id, now);
        Some(format!("the neighbour revoked {id}"))
    }

    /// By the service's own call, as another client would: away from the name, or back to it.
    fn rename(&mut self, services: &mut Services, now: Timestamp) -> Option<String> {
        let id = self.one_that_lives(services, now)?;
        let name = self.dice.pick(&[NAME, "monthly"]);
        let token = services.access_token(cast::PERSON, now);
        let body = json!({"authorizationId": id, "displayName": name, "allOrgs": false}).to_string();
        let address = format!("/{}/_apis/tokens/pats?api-version=7.1-preview.1", cast::ORGANIZATION);
        let request = Request::put(address)
            .header("Authorization", format!("Bearer {token}"))
            .header("Content-Type", "application/json")
            .body(Bytes::from(body))
            .ok()?;
        let answer = services.handle(Service::Pats, request, now);
        assert_eq!(answer.status(), 200, "the neighbour is no stranger");
        Some(format!("the neighbour named {id} '{name}'"))
    }

    fn one_that_lives(&mut self, services: &Services, now: Timestamp) -> Option<Uuid> {
        let lives = |id: &&Uuid| services.pat(**id, now).is_some_and(|pat| pat.status == PatStatus::Active);
        let alive: Vec<Uuid> = self.pats.iter().filter(lives).copied().collect();
        (!alive.is_empty()).then(|| self.dice.pick(&alive))
    }
}
