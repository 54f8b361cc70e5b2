//! The emulator is held to every expectation, and a service that is otherwise is found out.

mod support;

use std::time::Duration;

use adopat_emulator::{Emulator, Policies, cast};
use adopat_probe::expectation::Check;
use adopat_probe::expectations;
use adopat_probe::scene::{PREFIX, REQUESTS, SCOPE};
use jiff::SignedDuration;
use support::{Machine, OTHERWISE, Row, different_services};

/// More PATs than two pages hold.
const MANY: usize = 250;
/// What can be seen only where more PATs are there than a page holds.
const WITH_A_FULL_PAGE: [&str; 3] = ["list-page-size", "list-top-above-limit", "list-default-top"];

fn probed() -> Vec<&'static str> {
    let all = expectations::all().into_iter();
    all.filter(|row| matches!(row.check, Check::Shows(..))).map(|row| row.name).collect()
}

#[test]
fn the_emulator_meets_every_expectation() {
    let machine = Machine::new().with_pats(MANY);
    let ended = machine.run();
    ended.expect(0);
    let rows = ended.rows();
    for name in probed() {
        let row = rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(row.verdict, "same", "{name}: {row:?}");
    }
    assert!(probed().len() > 70, "expectations were found");
    machine.nothing_is_left();
}

#[test]
fn what_cannot_be_seen_is_said_and_nothing_is_made_to_see_it() {
    let machine = Machine::new();
    let ended = machine.run();
    ended.expect(0);
    let hidden: Vec<Row> = ended.rows().into_iter().filter(|row| row.verdict == "not observed").collect();
    for name in WITH_A_FULL_PAGE {
        let row = hidden.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{name} was seen"));
        assert!(row.live.contains("fewer PATs"), "{row:?}");
    }
    let unseen = hidden.iter().filter(|row| probed().contains(&row.name.as_str())).count();
    assert_eq!(unseen, WITH_A_FULL_PAGE.len(), "{hidden:?}");
    assert!(hidden.iter().any(|row| row.name == "create-default-scope"), "what is not done is said");
    assert_eq!(ended.different(), [""; 0]);
}

#[test]
fn every_pat_is_named_for_the_probe_has_the_least_scope_and_an_hour_and_is_revoked() {
    let machine = Machine::new();
    machine.run().expect(0);
    let made = machine.emulator.pats();
    assert!((4..=10).contains(&made.len()), "{} PATs", made.len());
    for pat in made {
        assert!(pat.display_name.starts_with(PREFIX), "{}", pat.display_name);
        assert_eq!(pat.scope, SCOPE);
        assert!(!pat.global);
        let life = pat.valid_to.duration_since(pat.valid_from);
        assert!(life <= SignedDuration::from_mins(61), "{life:?}");
    }
    machine.nothing_is_left();
}

#[test]
fn a_service_that_is_otherwise_in_five_places_is_told_of_by_the_rows_about_them() {
    let machine = Machine::with(different_services()).with_pats(MANY);
    let ended = machine.run();
    ended.expect(0);
    let mut different = ended.different();
    different.sort();
    assert_eq!(different, OTHERWISE, "{}", ended.report);
    let live = |name: &str| ended.rows().into_iter().find(|row| row.name == name).expect("a row").live;
    assert_eq!(live("create-status"), "201");
    assert_eq!(live("revoke-status"), "200, a body");
    assert_eq!(live("create-error-none"), "null");
    assert_eq!(live("list-page-size"), "50");
    assert_eq!(live("create-valid-to-rounding"), "cut to whole seconds");
    assert_eq!(live("create-valid-to-kept"), "nowhere");
    assert!(ended.report.contains("## Different\n"));
    machine.nothing_is_left();
}

#[test]
fn the_requests_are_counted_and_few() {
    let machine = Machine::new().with_pats(MANY);
    let ended = machine.run();
    let sent = machine.emulator.requests().len();
    assert!(sent <= REQUESTS, "{sent} requests");
    assert!(ended.report.contains(&format!("{sent} requests")), "{}", ended.report);
}

#[test]
fn looking_ends_at_the_limit_of_requests_whatever_is_there() {
    // Lists of a hundred pages, before the first look, for some of the looks, and after the last.
    let machine = Machine::with(Emulator::builder().page_size(1).start()).with_pats(100);
    let ended = machine.run();
    ended.expect(0);
    let hidden = ended.rows().into_iter().filter(|row| row.live.contains("requests was reached"));
    assert!(hidden.count() > 0, "{}", ended.report);
    machine.nothing_is_left();
}

#[test]
fn without_a_refresh_token_what_needs_one_is_not_seen_and_the_rest_is() {
    let mut machine = Machine::new();
    let token = machine.emulator.access_token(cast::PERSON);
    machine.without("CREDENTIAL_STORE").without("CLIENT_ID").input("ACCESS_TOKEN", &token);
    let ended = machine.run();
    ended.expect(0);
    let verdict = |name: &str| ended.rows().into_iter().find(|row| row.name == name).expect("a row").verdict;
    assert_eq!(verdict("entra-rolled"), "not observed");
    assert_eq!(verdict("entra-device-code"), "not observed");
    assert_eq!(verdict("create-status"), "same");
    machine.nothing_is_left();
}

#[test]
fn the_store_holds_a_refresh_token_that_works() {
    let machine = Machine::new();
    let before = std::fs::read_to_string(machine.path("refresh-token")).expect("a token");
    machine.run().expect(0);
    let after = std::fs::read_to_string(machine.path("refresh-token")).expect("a token");
    assert_ne!(before, after);
    assert!(machine.emulator.refresh_token_is_valid(&after));
}

#[test]
fn where_a_used_refresh_token_dies_the_stored_one_is_not_the_one_that_was_tried() {
    let machine = Machine::with(Emulator::builder().one_time_refresh_tokens().start());
    let ended = machine.run();
    ended.expect(0);
    let mut different = ended.different();
    different.sort();
    assert_eq!(different, ["entra-old-lives-on", "entra-one-permission"]);
    let stored = std::fs::read_to_string(machine.path("refresh-token")).expect("a token");
    assert!(machine.emulator.refresh_token_is_valid(&stored));
}

#[test]
fn how_long_a_pat_takes_to_work_and_to_die_is_measured() {
    let mut policies = Policies::default();
    (policies.usable_after, policies.dead_after) = (Duration::from_secs(7), Duration::from_secs(8));
    let machine = Machine::with(Emulator::builder().policies(policies).start());
    let ended = machine.run();
    ended.expect(0);
    let mut different = ended.different();
    different.sort();
    assert_eq!(different, ["create-usable", "revoke-dead"], "{}", ended.report);
    let live = |name: &str| ended.rows().into_iter().find(|row| row.name == name).expect("a row").live;
    for name in different.iter() {
        assert!(live(name).starts_with("after "), "{name}: {}", live(name));
    }
    machine.nothing_is_left();
}
