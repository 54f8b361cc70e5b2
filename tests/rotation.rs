//! Which PAT a rotation replaces, by what, and what becomes of the old one.

mod support;

use std::time::Duration;

use adopat_emulator::{Emulator, Fault, NewPat, Pat, PatStatus, Policies, Service, cast};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::json;
use support::{Ended, Host, Machine};

fn rotating() -> Machine {
    let mut machine = Machine::new(Host::GitHub, "rotate");
    machine.input("display-name", "nightly");
    machine
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// An active PAT that was made so long ago and ends in so long, in hours.
fn pat(name: &str, ago: i64, left: i64) -> NewPat {
    let now = Timestamp::now();
    NewPat::named(name).valid_from(now - hours(ago)).valid_to(now + hours(left))
}

fn expired(name: &str, ago: i64, since: i64) -> NewPat {
    pat(name, ago, -since).status(PatStatus::Expired)
}

#[track_caller]
fn the_one(machine: &Machine) -> Pat {
    let [one] = machine.active("nightly").try_into().expect("exactly one PAT of that name");
    one
}

#[track_caller]
fn near(at: Timestamp, expected: Timestamp) {
    let off = at.duration_since(expected);
    // Each request brings the end forward by up to 10 s, which is its fingerprint.
    let (earlier, later) = (SignedDuration::from_secs(-15), SignedDuration::from_secs(5));
    assert!(off >= earlier && off <= later, "{at} is not {expected}");
}

/// A run that did nothing but read: its outputs say so, and the file is as it was.
#[track_caller]
fn changes_nothing(machine: &mut Machine) -> Ended {
    std::fs::write(machine.path("pat.json"), "as it was").expect("written");
    let file = machine.path("pat.json");
    let before = machine.emulator.pats();
    let ended = machine.input("output-file", file).run();
    ended.expect(0);
    assert!(machine.pat_calls().iter().all(|method| method == "GET"), "{:?}", machine.pat_calls());
    assert_eq!(machine.emulator.pats(), before);
    let outputs = machine.outputs(&ended);
    assert_eq!(outputs["changed"], "false");
    assert!(!outputs.contains_key("token"), "an empty secret would overwrite a good one");
    assert_eq!(machine.read("pat.json"), "as it was");
    ended
}

#[test]
fn the_successor_has_the_name_scope_and_span_of_the_old_one() {
    let machine = rotating();
    let old = machine.emulator.add_pat(pat("nightly", 100, 140).scope("vso.build vso.code"));
    let ended = machine.run();
    ended.expect(0);
    let new = the_one(&machine);
    assert_eq!(new.scope, "vso.build vso.code");
    near(new.valid_to, Timestamp::now() + hours(240));
    let outputs = machine.outputs(&ended);
    assert_eq!(outputs["token"], new.value);
    assert_eq!(outputs["authorization-id"], new.authorization_id.to_string());
    assert_eq!(outputs["display-name"], "nightly");
    assert_eq!(outputs["scope"], "vso.build vso.code");
    assert_eq!(outputs["changed"], "true");
    assert_eq!(outputs["previous-authorization-id"], old.authorization_id.to_string());
    near(outputs["valid-to"].parse().expect("RFC 3339"), new.valid_to);
    near(outputs["valid-from"].parse().expect("RFC 3339"), new.valid_from);
    assert_eq!(machine.emulator.pat(old.authorization_id).expect("it was").status, PatStatus::Revoked);
}

#[test]
fn a_span_that_was_given_beats_the_old_ones() {
    let mut machine = rotating();
    machine.emulator.add_pat(pat("nightly", 100, 140));
    machine.input("lifetime", "7d").run().expect(0);
    near(the_one(&machine).valid_to, Timestamp::now() + hours(7 * 24));
}

#[test]
fn an_end_that_was_given_is_asked_for_less_than_a_second_earlier() {
    let mut machine = rotating();
    machine.emulator.add_pat(NewPat::named("nightly"));
    let end = Timestamp::from_second((Timestamp::now() + hours(50)).as_second()).expect("an instant");
    machine.input("valid-to", end.to_string()).run().expect(0);
    let asked: Timestamp =
        machine.sent("POST")[0]["validTo"].as_str().expect("text").parse().expect("RFC 3339");
    let earlier = end.duration_since(asked);
    assert!(earlier.is_positive() && earlier < SignedDuration::from_secs(1), "{earlier}");
}

#[test]
fn a_scope_that_was_given_beats_the_old_ones() {
    let mut machine = rotating();
    machine.emulator.add_pat(NewPat::named("nightly").scope("vso.code"));
    machine.input("scope", "vso.packaging").run().expect(0);
    assert_eq!(the_one(&machine).scope, "vso.packaging");
}

#[test]
fn full_access_that_the_old_one_had_is_kept_without_being_asked_for() {
    let machine = rotating();
    machine.emulator.add_pat(NewPat::named("nightly").scope("app_token"));
    machine.run().expect(0);
    assert_eq!(the_one(&machine).scope, "app_token");
}

#[test]
fn another_pats_name_is_not_mistaken_for_it() {
    let machine = rotating();
    machine.emulator.add_pat(NewPat::named("Nightly"));
    machine.emulator.add_pat(NewPat::named("nightly 2"));
    machine.emulator.add_pat(NewPat::named("nightly").owner(cast::STRANGER));
    machine.run().expect(5);
    assert!(machine.emulator.pats().iter().all(|pat| pat.status == PatStatus::Active));
}

#[test]
fn by_authorization_id_the_one_of_several_is_rotated() {
    let mut machine = rotating();
    let other = machine.emulator.add_pat(pat("nightly", 1, 100));
    let meant = machine.emulator.add_pat(pat("nightly", 5, 100).scope("vso.build"));
    // The id wins over the name.
    machine.input("display-name", "another").input("authorization-id", meant.authorization_id.to_string());
    let ended = machine.run();
    ended.expect(0);
    let ids: Vec<_> = machine.active("nightly").iter().map(|pat| pat.authorization_id).collect();
    assert!(ids.contains(&other.authorization_id) && !ids.contains(&meant.authorization_id));
    assert_eq!(machine.sent("POST")[0]["scope"], "vso.build");
    assert_eq!(machine.outputs(&ended)["previous-authorization-id"], meant.authorization_id.to_string());
}

#[test]
fn by_authorization_id_a_revoked_one_is_missing() {
    let mut machine = rotating();
    let gone = machine.emulator.add_pat(NewPat::named("nightly").status(PatStatus::Revoked));
    machine.input("authorization-id", gone.authorization_id.to_string());
    machine.run().expect(5).says(&gone.authorization_id.to_string());
}

// When it is due.

#[test]
fn one_that_is_not_due_is_left_alone_and_described() {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(pat("nightly", 1, 48));
    machine.input("renew-within", "24h");
    let ended = changes_nothing(&mut machine);
    ended.says("does not expire within");
    let outputs = machine.outputs(&ended);
    assert_eq!(outputs["authorization-id"], old.authorization_id.to_string());
    assert_eq!(outputs["display-name"], "nightly");
}

#[test]
fn one_that_is_due_is_rotated() {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(pat("nightly", 1, 48));
    machine.input("renew-within", "P3D").run().expect(0);
    assert_ne!(the_one(&machine).authorization_id, old.authorization_id);
}

#[test]
fn several_are_ambiguous_even_if_none_is_due() {
    let mut machine = rotating();
    machine.emulator.add_pat(pat("nightly", 1, 480));
    machine.emulator.add_pat(pat("nightly", 2, 480));
    machine.input("renew-within", "1h").run().expect(5);
}

#[test]
fn several_are_merged_even_if_none_is_due() {
    let mut machine = rotating();
    let old = [1, 2].map(|ago| machine.emulator.add_pat(pat("nightly", ago, 480)).authorization_id);
    machine.input("renew-within", "1h").input("duplicates", "revoke").run().expect(0);
    assert!(!old.contains(&the_one(&machine).authorization_id));
}

// What is not there.

#[rstest]
#[case::by_default(None)]
#[case::when_asked(Some("fail"))]
fn a_missing_one_is_exit_5(#[case] if_missing: Option<&str>) {
    let mut machine = rotating();
    if let Some(choice) = if_missing {
        machine.input("if-missing", choice);
    }
    machine.run().expect(5).says("No active PAT is named 'nightly'").says("if-missing");
    assert!(machine.sent("POST").is_empty());
}

#[test]
fn a_missing_one_can_be_ignored() {
    let mut machine = rotating();
    machine.input("if-missing", "ignore");
    let ended = changes_nothing(&mut machine);
    assert!(!machine.outputs(&ended).contains_key("authorization-id"));
}

#[test]
fn an_expired_one_counts_as_missing_and_is_named() {
    let mut machine = rotating();
    machine.emulator.add_pat(expired("nightly", 900, 700));
    let newest = machine.emulator.add_pat(expired("nightly", 500, 300));
    let ended = machine.run();
    ended
        .expect(5)
        .says("expired")
        .says(&newest.authorization_id.to_string())
        .says("Set if-missing to create");
    let ended = machine.run_as("update").input("lifetime", "7d").run();
    ended.expect(5).says("cannot be used or changed again").says("operation rotate");
    let ended = machine.run_as("revoke").input("if-missing", "fail").run();
    ended.expect(5).says("nothing to revoke: set if-missing to ignore");
    machine.input("if-missing", "ignore").run().expect(0);
    // The remedy, carried out.
    machine.run_as("rotate").without("lifetime").input("if-missing", "create").run().expect(0);
    assert_eq!(machine.active("nightly").len(), 1);
}

#[test]
fn a_missing_one_can_be_made_with_the_scope_and_lifetime_given() {
    let mut machine = rotating();
    machine.emulator.add_pat(expired("nightly", 500, 300).scope("vso.build"));
    machine.input("if-missing", "create").input("scope", "vso.code").input("lifetime", "2d");
    let ended = machine.run();
    ended.expect(0);
    let new = the_one(&machine);
    assert_eq!(new.scope, "vso.code");
    near(new.valid_to, Timestamp::now() + hours(48));
    let outputs = machine.outputs(&ended);
    assert_eq!((outputs["token"].as_str(), outputs["changed"].as_str()), (new.value.as_str(), "true"));
    assert!(!outputs.contains_key("previous-authorization-id"), "it takes nobody's place");
    assert!(machine.sent("DELETE").is_empty());
}

#[test]
fn a_missing_one_is_made_like_the_newest_expired_one() {
    let mut machine = rotating();
    machine.emulator.add_pat(expired("nightly", 900, 300).scope("vso.work"));
    machine.emulator.add_pat(expired("nightly", 500, 300).scope("vso.build"));
    machine.input("if-missing", "create").run().expect(0);
    let new = the_one(&machine);
    assert_eq!(new.scope, "vso.build");
    near(new.valid_to, Timestamp::now() + hours(200));
}

#[test]
fn a_missing_one_without_a_predecessor_lives_30_days() {
    let mut machine = rotating();
    machine.input("if-missing", "create").input("scope", "vso.code").run().expect(0);
    near(the_one(&machine).valid_to, Timestamp::now() + hours(30 * 24));
}

#[test]
fn a_missing_one_without_scope_or_predecessor_is_exit_5() {
    let mut machine = rotating();
    machine.input("if-missing", "create").run().expect(5).says("scope");
    assert!(machine.sent("POST").is_empty());
}

// Several of one name.

#[test]
fn duplicates_are_listed_and_exit_5() {
    let machine = rotating();
    let ids = [1, 2, 3].map(|ago| machine.emulator.add_pat(pat("nightly", ago, 100)).authorization_id);
    let ended = machine.run();
    ended.expect(5).says("3 active PATs").says("duplicates");
    for id in ids {
        ended.says(&id.to_string());
    }
    assert_eq!(machine.active("nightly").len(), 3);
    assert_eq!(machine.pat_calls(), ["GET"]);
}

#[test]
fn of_duplicates_the_newest_is_rotated_and_every_one_is_revoked() {
    let mut machine = rotating();
    let scopes = [(5, "vso.work"), (1, "vso.build"), (3, "vso.code")];
    let old = scopes.map(|(ago, scope)| {
        machine.emulator.add_pat(pat("nightly", ago, 100 - ago).scope(scope)).authorization_id.to_string()
    });
    let ended = machine.input("duplicates", "revoke").run();
    ended.expect(0);
    assert_eq!(the_one(&machine).scope, "vso.build");
    let outputs = machine.outputs(&ended);
    let previous: Vec<&str> = outputs["previous-authorization-id"].split(' ').collect();
    assert_eq!(previous, [&old[1], &old[2], &old[0]], "the newest first");
    assert_eq!(machine.pat_calls(), ["GET", "POST", "DELETE", "DELETE", "DELETE"]);
}

// What becomes of the old one.

#[test]
fn the_old_one_can_be_kept_for_a_while() {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(pat("nightly", 1, 100));
    machine.input("keep-previous-for", "2h").run().expect(0);
    let kept = machine.emulator.pat(old.authorization_id).expect("there");
    assert_eq!(kept.status, PatStatus::Active);
    near(kept.valid_to, Timestamp::now() + hours(2));
    assert_eq!(machine.pat_calls(), ["GET", "POST", "PUT"]);
    let put = &machine.sent("PUT")[0];
    assert_eq!(put["authorizationId"], *old.authorization_id.to_string());
    assert!(put.get("displayName").is_none() && put.get("scope").is_none(), "{put}");
}

#[test]
fn its_end_is_never_put_off() {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(pat("nightly", 1, 2));
    machine.input("keep-previous-for", "2d").run().expect(0);
    assert_eq!(machine.emulator.pat(old.authorization_id).expect("there").valid_to, old.valid_to);
    assert!(machine.sent("PUT").is_empty() && machine.sent("DELETE").is_empty());
}

#[test]
fn of_duplicates_the_newest_alone_is_kept() {
    let mut machine = rotating();
    let older = machine.emulator.add_pat(pat("nightly", 9, 100));
    let newest = machine.emulator.add_pat(pat("nightly", 1, 100));
    machine.input("keep-previous-for", "2h").input("duplicates", "revoke").run().expect(0);
    assert_eq!(machine.emulator.pat(older.authorization_id).expect("it was").status, PatStatus::Revoked);
    near(machine.emulator.pat(newest.authorization_id).expect("there").valid_to, Timestamp::now() + hours(2));
    assert_eq!(machine.active("nightly").len(), 2, "the kept one and the new one");
}

#[test]
fn one_that_cannot_be_shortened_is_named_and_the_run_succeeds_with_issues() {
    let mut machine = Machine::new(Host::Azure, "rotate");
    let old = machine.emulator.add_pat(pat("nightly", 1, 100));
    machine.emulator.order(Fault::on(Service::Pats).method("PUT").internal_error().always());
    let ended = machine.input("display-name", "nightly").input("keep-previous-for", "2h").run();
    ended.expect(0).says(&old.authorization_id.to_string()).says("could not be made to expire");
    assert!(ended.stdout.contains("##vso[task.complete result=SucceededWithIssues]"));
}

#[test]
fn one_that_is_gone_by_the_time_it_is_retired_is_no_issue() {
    let machine = rotating();
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("DELETE").hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    let now = machine.emulator.now();
    machine.emulator.services().services.revoke_pat(old.authorization_id, now);
    hold.release();
    let ended = machine.wait(run);
    ended.expect(0);
    assert!(!ended.stdout.contains("::warning::"), "{}", ended.words());
}

/// The words that a person reads of it on GitHub: the log, and the summary.
fn log_and_summary(machine: &Machine, ended: &Ended) -> (String, String) {
    (ended.words(), machine.read("GITHUB_STEP_SUMMARY"))
}

#[test]
fn what_became_of_every_old_one_is_told_in_one_sentence() {
    let mut machine = rotating();
    let ids = [1, 2, 3].map(|ago| machine.emulator.add_pat(pat("nightly", ago, 100)).authorization_id);
    let ended = machine.input("duplicates", "revoke").run();
    ended.expect(0);
    let new = the_one(&machine);
    let (log, summary) = log_and_summary(&machine, &ended);
    let sentence = log.lines().find(|line| line.starts_with("Rotated 'nightly': ")).expect("a sentence");
    assert!(
        sentence.contains(&format!("new {} (scope vso.code, valid to ", new.authorization_id)),
        "{sentence}"
    );
    let revoked = ids.map(|id| id.to_string()).join(", ");
    assert!(sentence.ends_with(&format!("; revoked {revoked}.")), "{sentence}");
    assert!(summary.starts_with("### PAT rotated in fabrikam"), "{summary}");
    for id in ids {
        assert!(
            summary
                .lines()
                .any(|row| row.contains(&format!("`{id}`")) && row.contains("| revoked | revoked |"))
        );
    }
}

#[test]
fn one_that_is_kept_is_told_with_its_new_end() {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(pat("nightly", 1, 100));
    let ended = machine.input("keep-previous-for", "2h").run();
    ended.expect(0);
    let end = machine.emulator.pat(old.authorization_id).expect("there").valid_to;
    let end = Timestamp::from_second(end.as_second()).expect("an instant");
    ended.says(&format!("{} stays valid until {end}", old.authorization_id));
    let (_, summary) = log_and_summary(&machine, &ended);
    assert!(summary.contains(&format!("| active | stays valid until {end} | {end} |")), "{summary}");
}

#[test]
fn one_that_could_not_be_revoked_is_never_called_revoked() {
    let mut machine = rotating();
    let ids = [1, 2].map(|ago| machine.emulator.add_pat(pat("nightly", ago, 100)).authorization_id);
    let second = Fault::on(Service::Pats).method("DELETE").nth(2);
    machine.emulator.order(second.answer(403, &[], "").always());
    let ended = machine.input("duplicates", "revoke").run();
    ended.expect(0).says(&format!("revoked {}; {} could not be revoked and still lives", ids[0], ids[1]));
    ended.says(&format!("'adopat revoke' with authorization-id {}", ids[1]));
    let (_, summary) = log_and_summary(&machine, &ended);
    let row = summary.lines().find(|row| row.contains(&format!("`{}`", ids[1]))).expect("a row");
    assert!(row.contains("| active | could not be revoked and still lives |"), "{summary}");
}

/// The service did it, and nobody heard: the list knows.
#[rstest]
#[case::revoked("DELETE", &[])]
#[case::shortened("PUT", &[("keep-previous-for", "2h")])]
fn what_was_done_though_every_answer_was_lost_is_told_as_done(
    #[case] method: &str,
    #[case] inputs: &[(&str, &str)],
) {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(pat("nightly", 1, 100));
    for (name, value) in inputs {
        machine.input(name, *value);
    }
    // A repeated DELETE is told that there is no such PAT; nobody hears that either.
    machine.emulator.order(Fault::on(Service::Pats).method(method).lose_answer().always());
    let ended = machine.run();
    ended.expect(0).says(&old.authorization_id.to_string());
    assert!(!ended.words().contains("::warning::"), "{}", ended.words());
}

#[test]
fn what_nobody_can_find_out_may_still_live() {
    let machine = rotating();
    let old = machine.emulator.add_pat(pat("nightly", 1, 100));
    machine.emulator.order(Fault::on(Service::Pats).method("DELETE").lose_answer().always());
    machine.emulator.order(Fault::on(Service::Pats).method("GET").nth(2).internal_error().always());
    let ended = machine.run();
    ended.expect(0).says(&format!("{} could not be revoked and may still live", old.authorization_id));
    assert!(!ended.words().contains("still lives"), "{}", ended.words());
}

#[test]
fn a_first_one_is_created_not_rotated() {
    let mut machine = rotating();
    let ended = machine.input("if-missing", "create").input("scope", "vso.code").run();
    ended.expect(0).says("Created 'nightly'");
    let (log, summary) = log_and_summary(&machine, &ended);
    assert!(summary.starts_with("### PAT created in fabrikam"), "{summary}");
    assert!(!log.contains("Rotated"), "{log}");
}

// One that an earlier rotation kept.

#[test]
fn one_that_an_earlier_rotation_kept_is_no_duplicate() {
    let mut machine = rotating();
    machine.emulator.add_pat(pat("nightly", 100, 100));
    machine.input("keep-previous-for", "2h").run().expect(0);
    let [first, second] = machine.active("nightly").try_into().expect("the old one and its successor");
    let (kept, newest) = if first.valid_to < second.valid_to { (first, second) } else { (second, first) };
    machine.emulator.clear_requests();
    let ended = machine.run();
    ended.expect(0).says(&format!("{} stays valid until", kept.authorization_id));
    assert_eq!(machine.outputs(&ended)["previous-authorization-id"], newest.authorization_id.to_string());
    assert_eq!(machine.emulator.pat(kept.authorization_id), Some(kept), "it is as it was");
    assert_eq!(machine.sent("PUT").len(), 1, "the newest is kept for a while");
    assert!(machine.sent("DELETE").is_empty());
}

#[rstest]
#[case::not_due("1h", 0)]
#[case::due("200h", 1)]
fn one_that_an_earlier_rotation_kept_does_not_make_a_rotation_due(#[case] within: &str, #[case] made: usize) {
    let mut machine = rotating();
    machine.emulator.add_pat(pat("nightly", 50, 1));
    machine.emulator.add_pat(pat("nightly", 1, 100));
    machine.input("keep-previous-for", "2h").input("renew-within", within).run().expect(0);
    assert_eq!(machine.sent("POST").len(), made);
}

#[test]
fn one_that_outlives_what_would_have_been_kept_is_a_duplicate() {
    let mut machine = rotating();
    machine.emulator.add_pat(pat("nightly", 50, 3));
    machine.emulator.add_pat(pat("nightly", 1, 100));
    machine.input("keep-previous-for", "2h").run().expect(5).says("2 active PATs");
}

// Global PATs.

#[test]
fn a_global_one_is_refused_before_anything_is_made() {
    let machine = rotating();
    machine.emulator.add_pat(NewPat::named("nightly").global());
    machine.run().expect(4).says("2026-12-01").says("allow-global-narrowing");
    assert_eq!(machine.pat_calls(), ["GET"]);
}

#[test]
fn a_global_one_is_refused_among_duplicates_too() {
    let mut machine = rotating();
    machine.emulator.add_pat(pat("nightly", 2, 100).global());
    machine.emulator.add_pat(pat("nightly", 1, 100));
    machine.input("duplicates", "revoke").run().expect(4).says("allow-global-narrowing");
    assert_eq!(machine.pat_calls(), ["GET"]);
}

#[test]
fn an_old_one_that_the_service_does_not_shorten_is_named() {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(pat("nightly", 1, 100));
    let unchanged = json!({
        "patTokenError": "none",
        "patToken": {
            "authorizationId": old.authorization_id, "displayName": "nightly", "scope": old.scope,
            "validTo": old.valid_to.to_string(), "targetAccounts": [],
        },
    });
    let fault = Fault::on(Service::Pats).method("PUT");
    machine.emulator.order(fault.answer(200, &[("content-type", "application/json")], unchanged.to_string()));
    let ended = machine.input("keep-previous-for", "1h").run();
    ended.expect(0).says("::warning::").says("left it at").says(&old.authorization_id.to_string());
}

#[test]
fn one_that_is_on_two_pages_is_one() {
    let machine = rotating();
    let old = machine.emulator.add_pat(pat("nightly", 1, 100));
    let page = |continuation: &str| {
        let pat = json!({
            "authorizationId": old.authorization_id, "displayName": "nightly", "scope": old.scope,
            "validTo": old.valid_to.to_string(), "targetAccounts": [],
        });
        json!({ "continuationToken": continuation, "patTokens": [pat] }).to_string()
    };
    for continuation in ["next", ""] {
        let fault = Fault::on(Service::Pats).method("GET");
        let headers = [("content-type", "application/json")];
        machine.emulator.order(fault.answer(200, &headers, page(continuation)));
    }
    machine.run().expect(0);
    assert_eq!(machine.pat_calls(), ["GET", "GET", "POST", "DELETE"]);
}

#[test]
fn a_global_one_is_narrowed_where_that_is_allowed() {
    let mut machine = rotating();
    machine.emulator.add_pat(NewPat::named("nightly").global());
    machine.input("allow-global-narrowing", "true").run().expect(0);
    assert!(!the_one(&machine).global);
    assert_eq!(machine.sent("POST")[0]["allOrgs"], false);
}

#[test]
fn a_global_one_that_is_kept_is_narrowed_too() {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(pat("nightly", 1, 100).global());
    machine.input("allow-global-narrowing", "true").input("keep-previous-for", "1h").run().expect(0);
    assert!(!machine.emulator.pat(old.authorization_id).expect("there").global);
    assert_eq!(machine.sent("PUT")[0]["allOrgs"], false);
}

#[test]
fn a_global_one_that_ends_by_itself_is_narrowed_too() {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(pat("nightly", 1, 1).global());
    machine.input("allow-global-narrowing", "true").input("keep-previous-for", "2h").run().expect(0);
    let kept = machine.emulator.pat(old.authorization_id).expect("there");
    assert!(!kept.global);
    assert_eq!(kept.valid_to, old.valid_to, "its end is as it was");
}

// A policy that shortens.

fn clamped(operation: &str) -> Machine {
    let policies =
        Policies { longest_lifespan: Some(Duration::from_secs(7 * 86_400)), ..Policies::default() };
    let emulator = Emulator::builder().policies(policies).start();
    let mut machine = Machine::with(emulator, Host::Azure, operation);
    machine.input("display-name", "nightly").input("scope", "vso.code").input("lifetime", "30d");
    machine
}

#[rstest]
fn a_lifetime_that_policy_shortens_is_a_warning(#[values("create", "rotate")] operation: &str) {
    let machine = clamped(operation);
    if operation == "rotate" {
        machine.emulator.add_pat(NewPat::named("nightly"));
    }
    let ended = machine.run();
    ended.expect(0).says("Enforce maximum personal access token lifespan");
    assert!(ended.stdout.contains("##vso[task.logissue type=warning]The service granted the PAT until"));
    assert!(ended.stdout.contains("##vso[task.complete result=SucceededWithIssues]"));
    near(the_one(&machine).valid_to, Timestamp::now() + hours(7 * 24));
}

#[rstest]
fn a_lifetime_that_policy_shortens_can_be_a_failure(#[values("create", "rotate")] operation: &str) {
    let mut machine = clamped(operation);
    let old = (operation == "rotate").then(|| machine.emulator.add_pat(NewPat::named("nightly")));
    let ended = machine.input("on-shortened-lifetime", "fail").run();
    ended.expect(4).says("Enforce maximum personal access token lifespan").says("has been revoked");
    ended.says("Ask for a shorter lifetime, or set on-shortened-lifetime to warn.");
    let left: Vec<_> = machine.active("nightly").iter().map(|pat| pat.authorization_id).collect();
    assert_eq!(left, old.iter().map(|old| old.authorization_id).collect::<Vec<_>>());
    assert!(!ended.stdout.contains("ADO_PAT"));
    assert!(!ended.stdout.contains("task.complete"), "a failure is told by the exit code alone");
}

#[test]
fn a_lifetime_that_is_under_a_minute_short_is_as_asked() {
    let policies =
        Policies { longest_lifespan: Some(Duration::from_secs(86_400 - 50)), ..Policies::default() };
    let emulator = Emulator::builder().policies(policies).start();
    let mut machine = Machine::with(emulator, Host::Azure, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code").input("lifetime", "1d");
    let ended = machine.input("on-shortened-lifetime", "fail").run();
    ended.expect(0);
    assert!(!ended.stdout.contains("type=warning"), "{}", ended.words());
}

// Dry runs.

#[test]
fn a_dry_run_says_what_it_would_do_and_does_nothing() {
    let mut machine = rotating();
    let ids = [1, 2].map(|ago| machine.emulator.add_pat(pat("nightly", ago, 100)).authorization_id);
    let before = machine.read("refresh-token");
    machine.input("dry-run", "true").input("duplicates", "revoke").input("keep-previous-for", "1h");
    let ended = changes_nothing(&mut machine);
    ended.says("Would create a PAT named 'nightly' with scope vso.code");
    ended.says(&format!("Would then let 'nightly' ({}", ids[0]));
    ended.says(&format!("Would then revoke 'nightly' ({}", ids[1]));
    assert_ne!(machine.read("refresh-token"), before, "every sign-in rolls the refresh token");
}

#[rstest]
#[case::nowhere_to_go(Host::Generic, 2, |_: &mut Machine| {})]
#[case::no_output_file_of_the_host(Host::GitHub, 2, |machine: &mut Machine| { machine.unset("GITHUB_OUTPUT"); })]
#[case::an_output_file_of_the_host_that_is_a_folder(Host::GitHub, 2, |machine: &mut Machine| make_a_folder_of(machine, "GITHUB_OUTPUT"))]
#[case::an_environment_file_that_is_a_folder(Host::GitHub, 2, |machine: &mut Machine| {
    machine.input("variable", "ADO_PAT");
    make_a_folder_of(machine, "GITHUB_ENV");
})]
#[case::a_state_file_that_is_a_folder(Host::GitHub, 2, |machine: &mut Machine| {
    machine.input("revoke-on-completion", "true").set("ADOPAT_LAUNCHER", "1");
    make_a_folder_of(machine, "GITHUB_STATE");
})]
#[case::a_file_in_no_folder(Host::Generic, 7, |machine: &mut Machine| {
    let file = machine.path("no-folder/pat.env");
    machine.input("output-file", file);
})]
#[case::a_file_that_is_a_folder(Host::Generic, 2, |machine: &mut Machine| {
    let folder = machine.path("");
    machine.input("output-file", folder);
})]
#[case::a_store_that_cannot_take_it(Host::GitHub, 7, |machine: &mut Machine| {
    let file = machine.file("no-folder/pat");
    machine.deliver_to(&[file]);
})]
fn a_dry_run_fails_as_the_run_would(
    #[case] host: Host,
    #[case] code: i32,
    #[case] spoil: fn(&mut Machine),
    #[values("create", "rotate")] operation: &str,
) {
    let mut machine = Machine::new(host, operation);
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.input("display-name", "nightly").input("scope", "vso.code");
    spoil(&mut machine);
    let for_real = machine.run();
    for_real.expect(code);
    let dry = machine.input("dry-run", "true").run();
    dry.expect(code);
    assert_eq!(dry.words(), for_real.words());
    assert!(!dry.words().contains("Would"), "{}", dry.words());
    assert!(machine.sent("POST").is_empty() && machine.sent("DELETE").is_empty());
}

/// In place of a command file of the host there is a folder.
fn make_a_folder_of(machine: &mut Machine, variable: &str) {
    std::fs::remove_file(machine.path(variable)).expect("removed");
    std::fs::create_dir(machine.path(variable)).expect("made");
}

#[test]
fn a_dry_run_finds_what_a_run_would_refuse() {
    let mut machine = rotating();
    machine.emulator.add_pat(NewPat::named("nightly").global());
    machine.input("dry-run", "true").run().expect(4);
}

#[test]
fn a_dry_run_names_the_narrowing_of_one_that_ends_by_itself() {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(pat("nightly", 1, 1).global());
    machine.input("allow-global-narrowing", "true").input("keep-previous-for", "2h").input("dry-run", "true");
    let ended = changes_nothing(&mut machine);
    ended.says(&format!("Would then narrow 'nightly' ({}", old.authorization_id));
    assert!(!ended.words().contains("as it is"), "{}", ended.words());
}

// Pages.

#[test]
fn a_pat_on_the_third_page_is_found_and_every_page_is_asked_for_alike() {
    let mut machine = rotating();
    for number in 0..250 {
        machine.emulator.add_pat(NewPat::named(&format!("nightly {number:03}")));
    }
    let meant = machine.emulator.add_pat(NewPat::named("zuletzt"));
    let ended = machine.input("display-name", "zuletzt").run();
    ended.expect(0);
    assert_eq!(machine.outputs(&ended)["previous-authorization-id"], meant.authorization_id.to_string());
    let requests = machine.emulator.requests_to(Service::Pats);
    let pages: Vec<_> = requests.iter().filter(|request| request.method == "GET").collect();
    assert_eq!(pages.len(), 3);
    for (number, page) in pages.iter().enumerate() {
        for name in ["displayFilterOption", "sortByOption", "isSortAscending", "$top"] {
            assert!(page.query(name).is_some(), "{name} is said again on page {number}");
            assert_eq!(page.query(name), pages[0].query(name));
        }
        assert_eq!(page.query("continuationToken").is_some(), number > 0);
    }
}

// The order of delivery.

#[test]
fn the_new_pat_is_in_the_file_and_at_the_host_before_the_old_one_is_retired() {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    let file = machine.path("pat.json");
    machine.input("output-file", &file);
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("DELETE").hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    let [new] = machine
        .active("nightly")
        .into_iter()
        .filter(|pat| pat.authorization_id != old.authorization_id)
        .collect::<Vec<_>>()
        .try_into()
        .expect("the new one");
    assert!(machine.read("pat.json").contains(&new.value));
    assert!(machine.read("GITHUB_OUTPUT").contains(&new.value));
    hold.release();
    machine.wait(run).expect(0);
}

#[test]
fn where_the_host_takes_nothing_the_file_gets_its_old_value_back_and_the_new_pat_is_revoked() {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    let file = machine.path("pat.json");
    std::fs::write(&file, "as it was").expect("written");
    machine.input("output-file", &file);
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_after());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    let output = machine.path("GITHUB_OUTPUT");
    std::fs::remove_file(&output).expect("removed");
    std::fs::create_dir(&output).expect("made");
    hold.release();
    machine.wait(run).expect(7).says("has been revoked");
    assert_eq!(machine.read("pat.json"), "as it was");
    let left = the_one(&machine);
    assert_eq!((left.authorization_id, left.valid_to), (old.authorization_id, old.valid_to));
}

#[test]
fn where_even_the_clean_up_fails_what_lives_is_named() {
    let mut machine = rotating();
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    machine.emulator.order(Fault::on(Service::Pats).method("DELETE").internal_error().always());
    let ended = machine.run_whose_output_file_fails_after_minting();
    let new = machine.active("nightly").into_iter().find(|pat| pat.authorization_id != old.authorization_id);
    ended.expect(7).says("may still be alive").says(&new.expect("it lives").authorization_id.to_string());
}
