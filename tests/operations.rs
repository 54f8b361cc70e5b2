//! Revoke, update, get and list; and what each operation hands over, on every host and in every format.

mod support;

use std::process::Stdio;
use std::time::Duration;

use adopat_emulator::{Emulator, Fault, NewPat, Pat, PatStatus, Policies, Service, cast};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};
use support::{Host, Machine};

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// An active PAT that was made so long ago and ends in so long, in hours.
fn pat(name: &str, ago: i64, left: i64) -> NewPat {
    let now = Timestamp::now();
    NewPat::named(name).valid_from(now - hours(ago)).valid_to(now + hours(left))
}

fn named(host: Host, operation: &str) -> Machine {
    let mut machine = Machine::new(host, operation);
    machine.input("display-name", "nightly");
    machine
}

fn status(machine: &Machine, pat: &Pat) -> PatStatus {
    machine.emulator.pat(pat.authorization_id).expect("it was there").status
}

#[track_caller]
fn near(at: Timestamp, expected: Timestamp) {
    let off = at.duration_since(expected).abs();
    assert!(off <= SignedDuration::from_secs(5), "{at} is not {expected}");
}

// revoke

#[rstest]
#[case::by_name(true)]
#[case::by_id(false)]
fn revoke_revokes_the_one_that_is_meant(#[case] by_name: bool) {
    let mut machine = named(Host::GitHub, "revoke");
    let meant = machine.emulator.add_pat(NewPat::named(if by_name { "nightly" } else { "another" }));
    let other = machine.emulator.add_pat(NewPat::named("other"));
    if !by_name {
        machine.input("authorization-id", meant.authorization_id.to_string());
    }
    let ended = machine.run();
    ended.expect(0);
    assert_eq!(status(&machine, &meant), PatStatus::Revoked);
    assert_eq!(status(&machine, &other), PatStatus::Active);
    let outputs = machine.outputs(&ended);
    assert_eq!(outputs["changed"], "true");
    assert_eq!(outputs["authorization-id"], meant.authorization_id.to_string());
    assert!(!outputs.contains_key("token"));
}

#[rstest]
#[case::never_there(None)]
#[case::revoked_already(Some(PatStatus::Revoked))]
#[case::expired_already(Some(PatStatus::Expired))]
fn revoke_has_nothing_to_do_where_none_is_active(#[case] state: Option<PatStatus>) {
    let mut machine = named(Host::GitHub, "revoke");
    if let Some(state) = state {
        let gone = machine.emulator.add_pat(NewPat::named("nightly").status(state));
        machine.input("authorization-id", gone.authorization_id.to_string());
    }
    let ended = machine.run();
    ended.expect(0).says("Nothing to do");
    assert_eq!(machine.outputs(&ended)["changed"], "false");
    assert!(machine.sent("DELETE").is_empty());
    machine.input("if-missing", "fail").run().expect(5);
}

#[test]
fn revoke_takes_one_that_is_gone_meanwhile_for_revoked() {
    let machine = named(Host::GitHub, "revoke");
    let pat = machine.emulator.add_pat(NewPat::named("nightly"));
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("DELETE").hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    let now = machine.emulator.now();
    machine.emulator.services().services.revoke_pat(pat.authorization_id, now);
    hold.release();
    machine.wait(run).expect(0);
}

#[test]
fn revoke_refuses_duplicates_unless_all_of_them_are_meant() {
    let mut machine = named(Host::GitHub, "revoke");
    let ids = [1, 2].map(|ago| machine.emulator.add_pat(pat("nightly", ago, 100)).authorization_id);
    let ended = machine.run();
    ended.expect(5).says(&ids[0].to_string()).says(&ids[1].to_string());
    assert_eq!(machine.active("nightly").len(), 2);
    let ended = machine.input("duplicates", "revoke").run();
    ended.expect(0);
    assert!(machine.active("nightly").is_empty());
}

#[test]
fn revoke_that_fails_half_way_says_what_lives() {
    let mut machine = named(Host::GitHub, "revoke");
    let older = machine.emulator.add_pat(pat("nightly", 9, 100));
    machine.emulator.add_pat(pat("nightly", 1, 100));
    machine.emulator.order(Fault::on(Service::Pats).method("DELETE").nth(2).internal_error().always());
    let ended = machine.input("duplicates", "revoke").run();
    ended.expect(6).says("Still alive").says(&older.authorization_id.to_string());
}

#[test]
fn revoke_on_a_dry_run_revokes_nothing() {
    let mut machine = named(Host::GitHub, "revoke");
    let pat = machine.emulator.add_pat(NewPat::named("nightly"));
    let ended = machine.input("dry-run", "true").run();
    ended.expect(0).says("Would revoke 'nightly'");
    assert_eq!(machine.outputs(&ended)["changed"], "false");
    assert_eq!(status(&machine, &pat), PatStatus::Active);
}

#[test]
fn revoke_that_fails_half_way_tells_in_every_place_what_it_did() {
    let mut machine = named(Host::GitHub, "revoke");
    let ids = [1, 9].map(|ago| machine.emulator.add_pat(pat("nightly", ago, 100)).authorization_id);
    machine.emulator.order(Fault::on(Service::Pats).method("DELETE").nth(2).answer(403, &[], "").always());
    let ended = machine.input("duplicates", "revoke").run();
    ended.expect(4).says(&format!("Revoked 'nightly' ({}", ids[0]));
    ended.says(&format!("Still alive: 'nightly' ({}", ids[1]));
    assert_eq!(machine.outputs(&ended)["changed"], "true");
    let summary = machine.read("GITHUB_STEP_SUMMARY");
    assert!(summary.starts_with("### 1 PAT revoked in fabrikam"), "{summary}");
    assert!(summary.contains("| active | could not be revoked and still lives |"), "{summary}");
}

// update

#[test]
fn update_changes_name_scope_and_end_and_nothing_else() {
    let mut machine = named(Host::GitHub, "update");
    let old = machine.emulator.add_pat(pat("nightly", 1, 100));
    machine.input("new-display-name", "weekly").input("scope", "vso.build").input("lifetime", "10d");
    let ended = machine.run();
    ended.expect(0);
    let new = machine.emulator.pat(old.authorization_id).expect("there");
    assert_eq!((new.display_name.as_str(), new.scope.as_str()), ("weekly", "vso.build"));
    near(new.valid_to, Timestamp::now() + hours(240));
    assert_eq!(new.value, old.value);
    let outputs = machine.outputs(&ended);
    assert_eq!((outputs["changed"].as_str(), outputs["display-name"].as_str()), ("true", "weekly"));
    assert!(!outputs.contains_key("token"), "it never sets token");
    assert_eq!(machine.sent("PUT")[0]["allOrgs"], false);
}

#[rstest]
#[case("new-display-name", "weekly", json!({"displayName": "weekly"}))]
#[case("scope", "vso.build, vso.code", json!({"scope": "vso.build vso.code"}))]
fn update_sends_only_what_changes(#[case] input: &str, #[case] value: &str, #[case] mut expected: Value) {
    let mut machine = named(Host::GitHub, "update");
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    machine.input(input, value).run().expect(0);
    expected["allOrgs"] = json!(false);
    expected["authorizationId"] = json!(old.authorization_id);
    assert_eq!(machine.sent("PUT"), [expected]);
}

#[test]
fn update_sends_an_end_as_it_was_given() {
    let mut machine = named(Host::GitHub, "update");
    machine.emulator.add_pat(NewPat::named("nightly"));
    let end = Timestamp::from_second((Timestamp::now() + hours(50)).as_second()).expect("an instant");
    machine.input("valid-to", end.to_string()).run().expect(0);
    assert_eq!(machine.sent("PUT")[0]["validTo"], *end.to_string());
}

#[test]
fn update_to_what_is_already_so_changes_nothing() {
    let mut machine = named(Host::GitHub, "update");
    machine.emulator.add_pat(NewPat::named("nightly").scope("vso.code"));
    let ended = machine.input("scope", "vso.code").run();
    ended.expect(0);
    assert_eq!(machine.outputs(&ended)["changed"], "false");
}

fn updating_under_a_policy_of_seven_days(made_ago: i64) -> Machine {
    let policies =
        Policies { longest_lifespan: Some(Duration::from_secs(7 * 86_400)), ..Policies::default() };
    let emulator = Emulator::builder().policies(policies).start();
    let mut machine = Machine::with(emulator, Host::Azure, "update");
    machine.input("display-name", "nightly").input("lifetime", "30d");
    let now = Timestamp::now();
    let end = if made_ago > 0 { now - hours(made_ago) + hours(7 * 24) } else { now + hours(24) };
    machine.emulator.add_pat(NewPat::named("nightly").valid_from(now - hours(made_ago)).valid_to(end));
    machine
}

#[test]
fn update_that_policy_makes_a_no_op_says_that_only_a_rotation_helps() {
    let machine = updating_under_a_policy_of_seven_days(48);
    let ended = machine.run();
    ended.expect(0).says("Only a rotation helps");
    assert_eq!(machine.outputs(&ended)["changed"], "false");
    assert!(ended.stdout.contains("##vso[task.logissue type=warning]"));
}

#[test]
fn update_that_policy_cuts_short_is_a_warning() {
    let machine = updating_under_a_policy_of_seven_days(0);
    let ended = machine.run();
    ended.expect(0).says("extended the PAT to");
    assert_eq!(machine.outputs(&ended)["changed"], "true");
    assert!(ended.stdout.contains("##vso[task.logissue type=warning]"));
}

#[test]
fn update_of_a_global_one_narrows_it_only_where_that_is_allowed() {
    let mut machine = named(Host::GitHub, "update");
    let old = machine.emulator.add_pat(NewPat::named("nightly").global());
    machine.input("new-display-name", "weekly").run().expect(4).says("allow-global-narrowing");
    assert!(machine.sent("PUT").is_empty());
    machine.input("allow-global-narrowing", "true").run().expect(0);
    assert!(!machine.emulator.pat(old.authorization_id).expect("there").global);
}

#[rstest]
#[case::missing(0)]
#[case::ambiguous(2)]
fn update_needs_the_one_pat(#[case] count: i64) {
    let mut machine = named(Host::GitHub, "update");
    (1..=count).for_each(|ago| drop(machine.emulator.add_pat(pat("nightly", ago, 100))));
    machine.input("new-display-name", "weekly").run().expect(5);
    assert!(machine.sent("PUT").is_empty());
}

#[test]
fn update_on_a_dry_run_changes_nothing() {
    let mut machine = named(Host::GitHub, "update");
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    let ended = machine.input("dry-run", "true").input("new-display-name", "weekly").run();
    ended.expect(0).says("Would change").says("name it 'weekly'");
    assert_eq!(machine.outputs(&ended)["changed"], "false");
    assert_eq!(machine.emulator.pat(old.authorization_id), Some(old));
}

// get

#[rstest]
fn get_describes_the_one_pat(
    #[values(Host::GitHub, Host::Azure)] host: Host,
    #[values(true, false)] by_name: bool,
) {
    let mut machine = named(host, "get");
    let pat = machine.emulator.add_pat(pat("nightly", 1, 100).scope("vso.build vso.code"));
    if !by_name {
        machine.without("display-name").input("authorization-id", pat.authorization_id.to_string());
    }
    let ended = machine.run();
    ended.expect(0);
    let outputs = machine.outputs(&ended);
    assert_eq!(outputs["authorization-id"], pat.authorization_id.to_string());
    assert_eq!(outputs["display-name"], "nightly");
    assert_eq!(outputs["scope"], "vso.build vso.code");
    assert_eq!(outputs["changed"], "false");
    near(outputs["valid-to"].parse().expect("RFC 3339"), pat.valid_to);
    near(outputs["valid-from"].parse().expect("RFC 3339"), pat.valid_from);
}

#[test]
fn get_prints_an_object_where_no_person_looks() {
    let machine = named(Host::Generic, "get");
    let pat = machine.emulator.add_pat(pat("nightly", 1, 100));
    let ended = machine.run();
    ended.expect(0);
    let object: Value = serde_json::from_str(&ended.stdout).expect("standard output is JSON alone");
    assert_eq!(object["authorization-id"], *pat.authorization_id.to_string());
    assert_eq!(object["display-name"], "nightly");
    assert_eq!(object["scope"], "vso.code");
    assert_eq!(object["changed"], false);
    near(object["valid-to"].as_str().expect("text").parse().expect("RFC 3339"), pat.valid_to);
    near(object["valid-from"].as_str().expect("text").parse().expect("RFC 3339"), pat.valid_from);
}

#[test]
fn get_of_an_id_that_is_none_is_exit_5() {
    let mut machine = named(Host::Generic, "get");
    machine.input("authorization-id", "00000000-0000-0000-0000-00000000dead").run().expect(5);
    machine.without("authorization-id").run().expect(5).says("No active PAT is named 'nightly'");
}

// list

/// One that ends tomorrow, one that ends late, a global one, an expired one and a revoked one.
fn a_drawer(host: Host) -> Machine {
    let machine = on_a_day("2026-11-20T12:00:00Z", host, "list");
    let now = machine.emulator.now();
    let pat =
        |name: &str, ago, left| NewPat::named(name).valid_from(now - hours(ago)).valid_to(now + hours(left));
    machine.emulator.add_pat(pat("soon", 1, 24));
    machine.emulator.add_pat(pat("late", 1, 2_400));
    machine.emulator.add_pat(pat("everywhere", 1, 2_400).global());
    machine.emulator.add_pat(pat("over", 100, -1).status(PatStatus::Expired));
    machine.emulator.add_pat(pat("taken back", 1, 12).status(PatStatus::Revoked));
    machine
}

/// The services' clock shows this instant.
fn on_a_day(instant: &str, host: Host, operation: &str) -> Machine {
    let instant: Timestamp = instant.parse().expect("an instant");
    let emulator = Emulator::builder().clock_offset(instant.duration_since(Timestamp::now())).start();
    Machine::with(emulator, host, operation)
}

fn listed(machine: &Machine) -> Vec<Value> {
    let ended = machine.run();
    ended.expect(0);
    serde_json::from_str(&ended.stdout).expect("standard output is JSON alone")
}

fn names(pats: &[Value]) -> Vec<&str> {
    pats.iter().map(|pat| pat["display-name"].as_str().expect("a name")).collect()
}

#[rstest]
#[case("", &["everywhere", "late", "soon"])]
#[case("active", &["everywhere", "late", "soon"])]
#[case("expired", &["over"])]
#[case("revoked", &["taken back"])]
#[case("all", &["everywhere", "late", "over", "soon", "taken back"])]
fn list_shows_what_the_filter_lets_through(#[case] filter: &str, #[case] expected: &[&str]) {
    let mut machine = a_drawer(Host::Generic);
    machine.input("filter", filter);
    let pats = listed(&machine);
    assert_eq!(names(&pats), expected);
    let keys: Vec<&String> = pats[0].as_object().expect("an object").keys().collect();
    let expected = ["authorization-id", "display-name", "global", "scope", "state", "valid-from", "valid-to"];
    assert_eq!(keys, expected);
    for pat in &pats {
        assert_eq!(pat["global"], pat["display-name"] == "everywhere");
    }
}

#[rstest]
#[case("active", &["everywhere", "soon"])]
#[case("all", &["everywhere", "soon"])]
#[case("expired", &[])]
#[case("revoked", &[])]
fn list_marks_what_expires_soon_and_every_global_pat(#[case] filter: &str, #[case] expected: &[&str]) {
    let mut machine = a_drawer(Host::Generic);
    machine.input("expiring-within", "2d").input("filter", filter);
    let pats = listed(&machine);
    assert!(pats.iter().all(|pat| pat["expiring"].is_boolean()));
    let marked: Vec<Value> = pats.into_iter().filter(|pat| pat["expiring"] == true).collect();
    assert_eq!(names(&marked), expected);
}

#[rstest]
#[case::expiring(&[("expiring-within", "2d"), ("fail-if-expiring", "true")], 8)]
#[case::global(&[("fail-if-global", "true")], 8)]
#[case::all_the_same(&[("filter", "all"), ("fail-if-global", "true")], 8)]
#[case::only_marked(&[("expiring-within", "2d")], 0)]
#[case::among_the_revoked(&[("filter", "revoked"), ("expiring-within", "2d"), ("fail-if-expiring", "true")], 0)]
#[case::among_the_expired(&[("filter", "expired"), ("expiring-within", "2d"), ("fail-if-expiring", "true")], 0)]
fn list_fails_where_that_is_asked_for(#[case] inputs: &[(&str, &str)], #[case] code: i32) {
    let mut machine = a_drawer(Host::GitHub);
    for (name, value) in inputs {
        machine.input(name, *value);
    }
    let ended = machine.run();
    ended.expect(code);
    assert!(machine.outputs(&ended)["pats"].starts_with('['), "the outputs are there all the same");
}

#[test]
fn list_does_not_fail_for_what_is_revoked() {
    let mut machine = Machine::new(Host::GitHub, "list");
    machine.emulator.add_pat(pat("taken back", 1, 12).status(PatStatus::Revoked));
    machine.emulator.add_pat(pat("gone everywhere", 1, 12).global().status(PatStatus::Revoked));
    machine.emulator.add_pat(pat("late", 1, 2_400));
    machine.input("filter", "all").input("expiring-within", "2d").input("fail-if-expiring", "true");
    machine.input("fail-if-global", "true").run().expect(0);
}

#[rstest]
fn list_hands_over_an_array_and_shows_a_table_and_a_timeline(
    #[values(Host::GitHub, Host::Azure)] host: Host,
) {
    let mut machine = a_drawer(host);
    let ended = machine.input("expiring-within", "2d").run();
    ended.expect(0).says("NAME").says("expires soon");
    let outputs = machine.outputs(&ended);
    let pats: Vec<Value> = serde_json::from_str(&outputs["pats"]).expect("a JSON array");
    assert_eq!(names(&pats), ["everywhere", "late", "soon"]);
    assert_eq!(outputs["changed"], "false");
    let summary = match host {
        Host::GitHub => machine.read("GITHUB_STEP_SUMMARY"),
        _ => std::fs::read_to_string(
            ended
                .stdout
                .lines()
                .find_map(|line| line.strip_prefix("##vso[task.uploadsummary]"))
                .expect("one"),
        )
        .expect("a file"),
    };
    let chart =
        summary.split("```mermaid\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a chart");
    let bars: Vec<&str> = chart.lines().filter(|line| line.contains(" : ")).collect();
    assert!(chart.starts_with("gantt\n"), "{chart}");
    assert_eq!(bars.len(), 3, "{chart}");
    assert!(
        bars[0].contains("PAT soon, ") && bars[0].contains(" : crit, "),
        "the first to expire is on top: {chart}"
    );
    assert!(!bars.iter().find(|bar| bar.contains("late")).expect("a bar").contains("crit"), "{chart}");
    let table = summary.find("| soon |").expect("a row");
    assert!(summary.find("gantt").is_some_and(|chart| chart < table), "the chart comes first: {summary}");
}

#[test]
fn the_summary_of_a_list_tells_how_each_pat_stands() {
    let mut machine = a_drawer(Host::GitHub);
    machine.input("expiring-within", "2d").input("filter", "all").run().expect(0);
    let summary = machine.read("GITHUB_STEP_SUMMARY");
    let expected = [
        ("soon", "active, expires soon"),
        ("late", "active"),
        ("everywhere", "active, global, expires soon"),
        ("over", "expired"),
        ("taken back", "revoked"),
    ];
    for (name, state) in expected {
        let row = summary.lines().find(|row| row.starts_with(&format!("| {name} |"))).expect("a row");
        assert!(row.contains(&format!(" | {state} | ")), "{row}");
    }
}

/// What a person sees of a run.
#[cfg(unix)]
fn at_a_terminal(machine: &Machine) -> String {
    use std::io::Read as _;
    let (mut ours, theirs) = support::terminal();
    let mut command = machine.command();
    command.stdout(Stdio::from(theirs));
    let run = command.spawn().expect("the binary starts");
    drop(command);
    machine.wait(run).expect(0);
    let mut shown = String::new();
    // A terminal whose other side is closed ends in an error.
    let _ = ours.read_to_string(&mut shown);
    shown
}

#[cfg(unix)]
#[rstest]
#[case("list", "NAME  ")]
#[case("get", "authorization id  ")]
fn a_person_at_a_terminal_sees_a_table(#[case] operation: &str, #[case] text: &str) {
    let machine = named(Host::Generic, operation);
    machine.emulator.add_pat(NewPat::named("nightly"));
    let shown = at_a_terminal(&machine);
    assert!(shown.contains(text) && shown.contains("nightly") && !shown.contains('{'), "{shown}");
}

// The day on which every global PAT ends.

const BEFORE: &str = "2026-11-30T22:30:00Z";
const AFTER: &str = "2026-12-01T00:00:01Z";

fn with_a_global_one(instant: &str, host: Host, operation: &str) -> Machine {
    let mut machine = on_a_day(instant, host, operation);
    let end = machine.emulator.now() + hours(2_400);
    machine.emulator.add_pat(NewPat::named("nightly").global().valid_to(end));
    machine.input("display-name", "nightly");
    machine
}

#[rstest]
#[case(BEFORE, "active, global, expires soon | 1 h |", "Global, and stops working on 2026-12-01", 1, true)]
#[case(
    AFTER,
    "stopped working on 2026-12-01, global |  |",
    "Global, and stopped working on 2026-12-01",
    0,
    false
)]
fn a_list_has_the_right_words_for_a_global_one(
    #[case] instant: &str,
    #[case] state: &str,
    #[case] warning: &str,
    #[case] bars: usize,
    #[case] expiring: bool,
) {
    let mut machine = with_a_global_one(instant, Host::GitHub, "list");
    let ended = machine.input("expiring-within", "1h").run();
    ended.expect(0).says(warning);
    let summary = machine.read("GITHUB_STEP_SUMMARY");
    assert!(summary.contains(state), "{summary}");
    assert_eq!(summary.lines().filter(|line| line.contains(" : ")).count(), bars, "{summary}");
    assert!(bars == 0 || summary.contains(", 2026-12-01T00:00:00\n"), "{summary}");
    let pats: Value = serde_json::from_str(&machine.outputs(&ended)["pats"]).expect("a JSON array");
    assert_eq!((&pats[0]["expiring"], &pats[0]["global"]), (&json!(expiring), &json!(true)));
}

#[rstest]
#[case(BEFORE, "fail-if-expiring", 8)]
#[case(BEFORE, "fail-if-global", 8)]
#[case::no_longer_expires(AFTER, "fail-if-expiring", 0)]
#[case::still_has_to_be_replaced(AFTER, "fail-if-global", 8)]
fn a_list_fails_for_a_global_one(#[case] instant: &str, #[case] input: &str, #[case] code: i32) {
    let mut machine = with_a_global_one(instant, Host::GitHub, "list");
    machine.input("expiring-within", "1h").input(input, "true").run().expect(code);
}

#[cfg(unix)]
#[rstest]
#[case("list", BEFORE, "1 h")]
#[case("list", AFTER, "stopped")]
#[case("get", BEFORE, "global; stops working on 2026-12-01")]
#[case("get", AFTER, "global; stopped working on 2026-12-01")]
fn a_table_has_the_right_words_for_a_global_one(
    #[case] operation: &str,
    #[case] instant: &str,
    #[case] text: &str,
) {
    let shown = at_a_terminal(&with_a_global_one(instant, Host::Generic, operation));
    assert!(shown.contains(text), "{shown}");
}

#[rstest]
#[case(
    BEFORE,
    "1 active (1 global, 1 named 'nightly'), 0 expired. Of the active ones of that name, 1 ends within 14 days."
)]
#[case(AFTER, "0 active (0 named 'nightly'), 0 expired, 1 global, which stopped working on 2026-12-01.")]
fn doctor_counts_a_global_one(#[case] instant: &str, #[case] text: &str) {
    let ended = with_a_global_one(instant, Host::Generic, "doctor").run();
    ended.says(text);
}

#[rstest]
#[case(BEFORE, "All global PATs stop working on 2026-12-01")]
#[case(AFTER, "All global PATs stopped working on 2026-12-01")]
fn the_refusal_of_a_global_one_has_the_right_tense(
    #[case] instant: &str,
    #[case] text: &str,
    #[values("rotate", "update")] operation: &str,
) {
    let mut machine = with_a_global_one(instant, Host::GitHub, operation);
    machine.input("lifetime", "30d").run().expect(4).says(text);
}

/// Its `validTo` is a hundred days away.
#[test]
fn a_global_one_is_due_when_all_of_them_end() {
    let mut machine = with_a_global_one("2026-11-25T00:00:00Z", Host::GitHub, "rotate");
    machine.input("allow-global-narrowing", "true").input("renew-within", "3d").run().expect(0);
    assert!(machine.sent("POST").is_empty());
    machine.input("renew-within", "7d").run().expect(0);
    assert_eq!(machine.sent("POST").len(), 1);
}

// What is handed over.

/// A PAT whose name makes it large, and that ends in so many hours.
fn large(machine: &Machine, number: i64) {
    let now = machine.emulator.now();
    let name = format!("{number:04} {}", "x".repeat(200));
    machine.emulator.add_pat(NewPat::named(&name).valid_from(now - hours(1)).valid_to(now + hours(number)));
}

#[rstest]
fn a_list_that_is_too_long_for_an_output_holds_what_expires_soonest(
    #[values(Host::GitHub, Host::Azure)] host: Host,
    #[values(true, false)] with_file: bool,
) {
    let mut machine = Machine::new(host, "list");
    // The first by name is the last to expire.
    (1..=300).for_each(|number| large(&machine, 301 - number));
    let now = machine.emulator.now();
    let over =
        NewPat::named("over").valid_from(now - hours(9)).valid_to(now - hours(1)).status(PatStatus::Expired);
    machine.emulator.add_pat(over);
    machine.input("filter", "all");
    let file = machine.path("list.json");
    if with_file {
        machine.input("output-file", &file);
    }
    let ended = machine.run();
    ended.expect(0).says("of 301 PATs").says("output-file");
    let text = &machine.outputs(&ended)["pats"];
    assert!(text.len() <= 64 * 1024 && text.len() > 63 * 1024, "{} bytes", text.len());
    let pats: Vec<Value> = serde_json::from_str(text).expect("a JSON array");
    let expected: Vec<String> = (1..=pats.len()).map(|number| format!("{number:04}")).collect();
    let said: Vec<&str> = names(&pats).iter().map(|name| &name[..4]).collect();
    assert_eq!(said, expected, "the soonest first, and none that is over");
    if with_file {
        let all: Value = serde_json::from_str(&machine.read("list.json")).expect("JSON");
        assert_eq!(all["pats"].as_array().map(Vec::len), Some(301));
        ended.says(&file.display().to_string());
    }
}

#[test]
fn a_list_that_fits_is_whole_and_in_the_order_of_names() {
    let machine = Machine::new(Host::GitHub, "list");
    (1..=50).for_each(|number| large(&machine, 51 - number));
    let ended = machine.run();
    ended.expect(0);
    let pats: Vec<Value> = serde_json::from_str(&machine.outputs(&ended)["pats"]).expect("a JSON array");
    let mut sorted = names(&pats);
    sorted.sort_unstable();
    assert_eq!((pats.len(), names(&pats)), (50, sorted));
    assert!(!ended.words().contains("::warning::"), "{}", ended.words());
}

#[rstest]
fn create_sets_every_output(#[values(Host::GitHub, Host::Azure)] host: Host) {
    let mut machine = named(host, "create");
    let ended = machine.input("scope", "vso.code").run();
    ended.expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one");
    let mut outputs = machine.outputs(&ended);
    let token = outputs.remove("token");
    assert_eq!(token.as_ref(), (host == Host::GitHub).then_some(&pat.value));
    let names: Vec<&String> = outputs.keys().collect();
    assert_eq!(names, ["authorization-id", "changed", "display-name", "scope", "valid-from", "valid-to"]);
    assert_eq!(outputs["authorization-id"], pat.authorization_id.to_string());
    assert_eq!(outputs["changed"], "true");
}

#[rstest]
fn every_form_of_every_secret_is_masked_before_the_pat_is_handed_over(
    #[values(Host::GitHub, Host::Azure)] host: Host,
) {
    use base64::Engine as _;
    let mut machine = named(host, "create");
    let before = machine.read("refresh-token");
    let ended = machine.input("scope", "vso.code").run();
    ended.expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one");
    let bearer =
        machine.emulator.requests_to(Service::Pats)[0].header("authorization").expect("one").to_owned();
    let rolled = machine.read("refresh-token");
    let mask = if host == Host::GitHub { "::add-mask::" } else { "##vso[task.setsecret]" };
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let masks = lines.iter().take_while(|line| line.starts_with(mask)).count();
    assert!(lines[masks..].iter().all(|line| !line.starts_with(mask)), "nothing is said before");
    let basic = base64::engine::general_purpose::STANDARD.encode(format!(":{}", pat.value));
    for secret in [&pat.value, &basic, before.trim(), rolled.trim(), bearer.trim_start_matches("Bearer ")] {
        let found = lines[..masks].iter().any(|line| line.strip_prefix(mask) == Some(secret));
        assert!(found, "{} characters are not masked", secret.len());
    }
}

#[rstest]
#[case("create")]
#[case("rotate")]
fn the_summary_names_pat_id_scope_and_expiry(#[case] operation: &str) {
    let mut machine = named(Host::GitHub, operation);
    let old = (operation == "rotate").then(|| machine.emulator.add_pat(NewPat::named("nightly")));
    let ended = machine.input("scope", "vso.code").run();
    ended.expect(0);
    let summary = machine.read("GITHUB_STEP_SUMMARY");
    let outputs = machine.outputs(&ended);
    for name in ["display-name", "authorization-id", "scope", "valid-to"] {
        assert!(summary.contains(&outputs[name]), "{name}: {summary}");
    }
    if let Some(old) = old {
        assert!(summary.contains(&old.authorization_id.to_string()), "{summary}");
    }
}

#[test]
fn a_variable_of_ones_own_takes_the_place_of_the_default_on_azure_pipelines() {
    let mut machine = named(Host::Azure, "create");
    let ended = machine.input("scope", "vso.code").input("variable", "FeedPat").run();
    ended.expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one");
    let set = format!("##vso[task.setvariable variable=FeedPat;issecret=true]{}\n", pat.value);
    assert!(ended.stdout.contains(&set) && !ended.stdout.contains("ADO_PAT"));
    assert_eq!(
        ended.stdout.matches("task.setvariable variable=FeedPat").count(),
        1,
        "no output variable unasked"
    );
}

#[test]
fn on_a_host_without_outputs_standard_output_stays_empty() {
    let mut machine = named(Host::Generic, "create");
    let file = machine.path("pat.json");
    let ended = machine.input("scope", "vso.code").input("output-file", file).run();
    ended.expect(0).says("Created 'nightly'");
    assert_eq!(ended.stdout, "");
}

#[rstest]
fn an_output_file_that_cannot_be_written_is_found_before_anything_is_sent(
    #[values("missing/folder/file.json", "", "file/below.json", "device")] place: &str,
    #[values("create", "rotate", "revoke", "update", "get", "list")] operation: &str,
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let mut machine = named(host, operation);
    std::fs::write(machine.path("file"), "").expect("written");
    let path = if place == "device" { "/dev/null".into() } else { machine.path(place) };
    machine.input("output-file", &path).input("output-format", "json");
    machine.input("lifetime", "7d").input("renew-within", "9d").input("scope", "vso.code");
    let ended = machine.run();
    assert!(matches!(ended.code, Some(2 | 7)), "{}", ended.words());
    ended.says("output").says(path.to_str().expect("text").trim_end_matches('/'));
    assert!(machine.calls().is_empty(), "{:?}", machine.calls());
}

fn with_file(operation: &str, file: &str, format: Option<&str>) -> Machine {
    let mut machine = named(Host::Generic, operation);
    let path = machine.path(file);
    machine.input("scope", "vso.code vso.build").input("output-file", path);
    if let Some(format) = format {
        machine.input("output-format", format);
    }
    machine
}

#[rstest]
#[case("pat.json", None)]
#[case("pat", Some("json"))]
fn the_file_as_json(#[case] file: &str, #[case] format: Option<&str>) {
    let machine = with_file("rotate", file, format);
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    machine.run().expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one");
    let value: Value = serde_json::from_str(&machine.read(file)).expect("JSON");
    assert_eq!(value["token"], *pat.value);
    assert_eq!(value["authorization-id"], *pat.authorization_id.to_string());
    assert_eq!(value["display-name"], "nightly");
    assert_eq!(value["scope"], "vso.build vso.code");
    assert_eq!(value["changed"], true);
    assert_eq!(value["previous-authorization-id"], json!([old.authorization_id]));
    #[cfg(unix)]
    assert_eq!(support::mode(&machine.path(file)), 0o600);
}

#[rstest]
#[case("pat.env", None)]
#[case("pat.json", Some("dotenv"))]
fn the_file_as_dotenv(#[case] file: &str, #[case] format: Option<&str>) {
    let machine = with_file("create", file, format);
    machine.run().expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one");
    let text = machine.read(file);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("TOKEN={}", pat.value));
    assert_eq!(lines[1], format!("AUTHORIZATION_ID={}", pat.authorization_id));
    assert_eq!(lines[2..4], ["DISPLAY_NAME=nightly", "SCOPE='vso.build vso.code'"]);
    assert!(lines.contains(&"CHANGED=true"), "{lines:?}");
    #[cfg(unix)]
    assert_eq!(support::mode(&machine.path(file)), 0o600);
}

#[rstest]
#[case("token", "{}")]
#[case(
    "netrc",
    "machine dev.azure.com login fabrikam password {}\nmachine pkgs.dev.azure.com login fabrikam password {}\n\
    machine fabrikam.visualstudio.com login fabrikam password {}\nmachine fabrikam.pkgs.visualstudio.com login \
    fabrikam password {}\n"
)]
#[case(
    "git-credentials",
    "https://fabrikam:{}@dev.azure.com\nhttps://fabrikam:{}@pkgs.dev.azure.com\n\
    https://fabrikam:{}@fabrikam.visualstudio.com\nhttps://fabrikam:{}@fabrikam.pkgs.visualstudio.com\n"
)]
fn the_file_as_the_pat_alone(#[case] format: &str, #[case] expected: &str) {
    let machine = with_file("create", "pat", Some(format));
    machine.run().expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one");
    assert_eq!(machine.read("pat"), expected.replace("{}", &pat.value));
    #[cfg(unix)]
    assert_eq!(support::mode(&machine.path("pat")), 0o600);
}

#[rstest]
#[case("list", json!({"changed": false}))]
#[case("get", json!({"changed": false, "display-name": "nightly", "scope": "vso.code"}))]
#[case("revoke", json!({"changed": true, "display-name": "nightly", "scope": "vso.code"}))]
#[case("update", json!({"changed": true, "display-name": "nightly", "scope": "vso.build vso.code"}))]
fn every_operation_writes_its_outputs_to_the_file(#[case] operation: &str, #[case] expected: Value) {
    let machine = with_file(operation, "outputs.json", None);
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.run().expect(0);
    let value: Value = serde_json::from_str(&machine.read("outputs.json")).expect("JSON");
    for (name, wanted) in expected.as_object().expect("an object") {
        assert_eq!(value[name], *wanted, "{name}");
    }
    assert_eq!(value["pats"].is_array(), operation == "list");
    assert!(value.get("token").is_none());
    #[cfg(unix)]
    assert_eq!(support::mode(&machine.path("outputs.json")), 0o600);
}

#[rstest]
#[case::refused("create", Fault::on(Service::Pats).internal_error().always(), 6)]
#[case::not_signed_in("rotate", Fault::on(Service::Entra).internal_error().always(), 6)]
#[case::not_found("rotate", Fault::on(Service::DevOps).internal_error(), 5)]
fn a_run_that_failed_leaves_the_file_as_it_was(
    #[case] operation: &str,
    #[case] fault: Fault,
    #[case] code: i32,
) {
    let machine = with_file(operation, "pat.json", None);
    std::fs::write(machine.path("pat.json"), "as it was").expect("written");
    machine.emulator.order(fault);
    machine.run().expect(code);
    assert_eq!(machine.read("pat.json"), "as it was");
}

#[cfg(unix)]
#[test]
fn on_buildkite_the_agent_redacts_the_pat_before_anything_is_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut machine = with_file("create", "pat.json", None);
    let bin = tempfile::tempdir().expect("a folder");
    let agent = bin.path().join("buildkite-agent");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {bin}/arguments\ncat >> {bin}/redacted\ntest -e {file} && echo late > {bin}/late\nexit 0\n",
        bin = bin.path().display(),
        file = machine.path("pat.json").display()
    );
    std::fs::write(&agent, script).expect("written");
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).expect("made executable");
    let path = format!("{}:/usr/bin:/bin", bin.path().display());
    machine.set("BUILDKITE", "true").set("PATH", path).run().expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one");
    let read = |name| std::fs::read_to_string(bin.path().join(name)).unwrap_or_default();
    assert!(read("redacted").contains(&pat.value));
    assert!(
        read("arguments").lines().all(|line| line == "redactor add --format json"),
        "{}",
        read("arguments")
    );
    assert_eq!(read("late"), "", "it is told first");
}

#[rstest]
#[case(1, "1 PAT (active)", "### 1 PAT in", "1 expires within 90d")]
#[case(2, "2 PATs (active)", "### 2 PATs in", "2 expire within 90d")]
fn what_is_counted_agrees_in_number(
    #[case] count: usize,
    #[case] headline: &str,
    #[case] title: &str,
    #[case] cause: &str,
) {
    let mut machine = Machine::new(Host::GitHub, "list");
    (0..count).for_each(|_| drop(machine.emulator.add_pat(NewPat::named("nightly"))));
    machine.input("expiring-within", "90d").input("fail-if-expiring", "true");
    machine.run().expect(8).says(headline).says(cause);
    assert!(machine.read("GITHUB_STEP_SUMMARY").contains(title));
}

#[test]
fn a_list_that_fails_for_two_reasons_tells_both() {
    let mut machine = on_a_day("2026-11-20T12:00:00Z", Host::GitHub, "list");
    machine.emulator.add_pat(NewPat::named("one"));
    machine.emulator.add_pat(NewPat::named("another").global());
    machine.input("expiring-within", "90d").input("fail-if-expiring", "true").input("fail-if-global", "true");
    let ended = machine.run();
    ended.expect(8).says("2 expire within 90d (counting 1 global) and 1 is global");
    assert_eq!(ended.stdout.matches("Expires soon").count(), 1, "{}", ended.stdout);
}

#[test]
fn of_several_that_are_revoked_one_failure_does_not_keep_the_others() {
    let mut machine = Machine::new(Host::GitHub, "revoke");
    for _ in 0..3 {
        machine.emulator.add_pat(NewPat::named("nightly"));
    }
    let fault = Fault::on(Service::Pats).method("DELETE").nth(2);
    machine.emulator.order(fault.answer(403, &[], ""));
    machine.input("display-name", "nightly").input("duplicates", "revoke");
    machine.run().expect(4).says("Still alive").says("Revoked");
    assert_eq!(machine.active("nightly").len(), 1);
}

/// What was asked for has to get to where it was asked to be.
#[cfg(target_os = "linux")]
#[rstest]
#[case("list")]
#[case("get")]
#[case("--help")]
fn a_result_that_cannot_be_written_is_a_failure(#[case] word: &str) {
    let mut machine = Machine::new(Host::Generic, word);
    machine.input("display-name", "nightly");
    machine.emulator.add_pat(NewPat::named("nightly"));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("the device");
    let run = machine.command().stdout(full).spawn().expect("the binary starts");
    machine.wait(run).expect(7).says("could not be written to standard output");
}

/// As `adopat list | head -0` does.
#[cfg(unix)]
#[rstest]
#[case("list")]
#[case("--help")]
fn a_result_that_nobody_reads_to_its_end_is_no_failure(#[case] word: &str) {
    let mut machine = Machine::new(Host::Generic, word);
    machine.emulator.add_pat(NewPat::named("nightly"));
    // A refresh token in a file is spoken of.
    let token = machine.emulator.access_token(cast::PERSON);
    machine.without("credential-store").input("access-token", token);
    let mut run = machine.spawn();
    drop(run.stdout.take());
    let ended = machine.wait(run);
    ended.expect(0);
    assert_eq!(ended.stderr, "", "it ends quietly");
}

#[cfg(target_os = "linux")]
#[rstest]
#[case("GITHUB_OUTPUT", 7)]
#[case("GITHUB_STEP_SUMMARY", 0)]
fn outputs_that_cannot_be_written_are_a_failure_and_a_summary_is_a_warning(
    #[case] file: &str,
    #[case] code: i32,
) {
    let mut machine = Machine::new(Host::GitHub, "list");
    machine.set(file, "/dev/full").run().expect(code).says(file);
}

/// The service says no, and yet its answer holds a PAT.
#[rstest]
#[case::with_its_value("FAKEaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
#[case::without("")]
fn a_pat_that_comes_with_a_refusal_is_revoked(#[case] value: &str, #[values(true, false)] revocable: bool) {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    let made = machine.emulator.add_pat(NewPat::named("nightly"));
    let id = made.authorization_id.to_string();
    let token = if value.is_empty() { Value::Null } else { value.into() };
    let body = json!({
        "patToken": {"displayName": "nightly", "authorizationId": id, "scope": "vso.code", "token": token},
        "patTokenError": "fullScopePatPolicyViolation",
    });
    let json = [("Content-Type", "application/json")];
    let post = Fault::on(Service::Pats).method("POST").answer(200, &json, body.to_string());
    machine.emulator.order(post.always());
    if !revocable {
        machine.emulator.order(Fault::on(Service::Pats).method("DELETE").internal_error().always());
    }
    let ended = machine.run();
    ended.expect(4).says("Restrict full-scoped").says("patTokenError fullScopePatPolicyViolation").says(&id);
    ended.says(if revocable { "has been revoked" } else { "still be alive" });
    assert_eq!(machine.active("nightly").len(), usize::from(!revocable));
    assert_eq!(machine.sent("POST").len(), 1, "it is not asked for again");
    assert!(value.is_empty() || !ended.words().contains(value));
}

/// A program has to know which of them work: the list of all holds the dead, too.
#[rstest]
fn a_list_tells_a_program_the_state_of_each(
    #[values(Host::Generic, Host::GitHub, Host::Azure)] host: Host,
    #[values(0, 30)] days_from_now: i64,
) {
    let ahead = SignedDuration::from_hours(24 * days_from_now);
    let emulator = Emulator::builder().clock_offset(ahead).start();
    let mut machine = Machine::with(emulator, host, "list");
    let end = machine.emulator.now() + SignedDuration::from_hours(24 * 10);
    for (name, status) in [
        ("a", PatStatus::Active),
        ("b", PatStatus::Expired),
        ("c", PatStatus::Revoked),
        ("d", PatStatus::Active),
    ] {
        let pat = NewPat::named(name).status(status);
        let pat = if status == PatStatus::Expired { pat } else { pat.valid_to(end) };
        machine.emulator.add_pat(if name == "d" { pat.global() } else { pat });
    }
    let file = machine.path("list.json");
    let ended = machine.input("filter", "all").input("output-file", file).run();
    ended.expect(0);
    let printed =
        if host == Host::Generic { ended.stdout.clone() } else { machine.outputs(&ended)["pats"].clone() };
    let printed: Value = serde_json::from_str(&printed).expect("JSON");
    let written: Value = serde_json::from_str(&machine.read("list.json")).expect("JSON");
    let global_pats_end: Timestamp = "2026-12-01T00:00:00Z".parse().expect("an instant");
    let of_the_global_one = if machine.emulator.now() < global_pats_end { "active" } else { "expired" };
    for list in [&printed, &written["pats"]] {
        let mut states: Vec<(&str, &str)> = list
            .as_array()
            .expect("an array")
            .iter()
            .map(|pat| (pat["display-name"].as_str().expect("text"), pat["state"].as_str().expect("text")))
            .collect();
        states.sort_unstable();
        assert_eq!(states, [("a", "active"), ("b", "expired"), ("c", "revoked"), ("d", of_the_global_one)]);
    }
}
