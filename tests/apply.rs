//! `apply`: what is done to each PAT of a manifest, and why; and that each is a transaction of its own.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use adopat_emulator::{
    Creation, Emulator, Fault, NewPat, NewVariableGroup, Organization, Pat, PatStatus, Policies, RetryAfter,
    Service, cast,
};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};
use support::{Ended, Host, Machine};

/// A machine on which a manifest with these entries is applied; each entry is its lines.
fn applying(entries: &[&str]) -> Machine {
    applying_on(Emulator::start(), entries)
}

fn applying_on(emulator: Emulator, entries: &[&str]) -> Machine {
    let mut machine = Machine::with(emulator, Host::Generic, "apply");
    describe(&mut machine, entries, "");
    machine
}

/// The manifest: these entries, and what else stands in it.
fn describe(machine: &mut Machine, entries: &[&str], rest: &str) {
    let entries: Vec<String> =
        entries.iter().map(|entry| format!("  - {}", entry.replace('\n', "\n    "))).collect();
    machine.input("manifest", format!("version: 1\npats:\n{}\n{rest}\n", entries.join("\n")));
}

/// An entry of scope vso.code that is delivered to a file of its name, and further lines.
fn entry(name: &str, more: &str) -> String {
    format!("display-name: {name}\nscope: vso.code\ndeliver-to: file:{name}.pat\n{more}")
        .trim_end()
        .to_owned()
}

fn two_organizations() -> Emulator {
    let organizations = [cast::ORGANIZATION, "contoso"].map(Organization::named);
    organizations.into_iter().fold(Emulator::builder(), |builder, one| builder.organization(one)).start()
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// An active PAT that was made a day ago and is good for 29 more.
fn pat(name: &str) -> NewPat {
    let now = Timestamp::now();
    NewPat::named(name).valid_from(now - hours(24)).valid_to(now + hours(29 * 24))
}

/// Puts a PAT there, and its value where its entry delivers it.
fn delivered(machine: &Machine, new: NewPat) -> Pat {
    let pat = machine.emulator.add_pat(new);
    std::fs::write(machine.path(&format!("{}.pat", pat.display_name)), &pat.value).expect("written");
    pat
}

/// The output `results`.
#[track_caller]
fn results(ended: &Ended) -> Vec<Value> {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.words()))
}

/// The one row of `results`.
#[track_caller]
fn result(ended: &Ended) -> Value {
    let [row] = results(ended).try_into().unwrap_or_else(|rows| panic!("one row: {rows:?}"));
    row
}

#[track_caller]
fn actions(ended: &Ended) -> Vec<(String, String)> {
    let word = |row: &Value, key: &str| row[key].as_str().expect("a word").to_owned();
    results(ended).iter().map(|row| (word(row, "display-name"), word(row, "action"))).collect()
}

#[track_caller]
fn the_one(machine: &Machine, name: &str) -> Pat {
    let [one] = machine.active(name).try_into().expect("exactly one PAT of that name");
    one
}

/// The one PAT of that name is what the file of its name holds.
#[track_caller]
fn is_delivered(machine: &Machine, name: &str) -> Pat {
    let one = the_one(machine, name);
    assert_eq!(machine.read(&format!("{name}.pat")), one.value, "{name}");
    one
}

/// The PAT that was there is replaced, for this reason.
#[track_caller]
fn is_rotated(machine: &Machine, old: &Pat, reason: &str) {
    let ended = machine.run();
    ended.expect(0).says(reason);
    let row = result(&ended);
    let new = is_delivered(machine, &old.display_name);
    assert_ne!(new.authorization_id, old.authorization_id);
    assert_eq!(row["action"], "rotated");
    assert!(row["reason"].as_str().is_some_and(|why| why.contains(reason)), "{row}");
    assert_eq!(row["authorization-id"], new.authorization_id.to_string());
    assert_eq!(row["previous-authorization-ids"], json!([old.authorization_id.to_string()]));
    assert_eq!(machine.emulator.pat(old.authorization_id).expect("there").status, PatStatus::Revoked);
    stays_as_it_is(machine);
}

/// A further run finds everything as it should be, and sends nothing but what it reads.
#[track_caller]
fn stays_as_it_is(machine: &Machine) {
    machine.emulator.clear_requests();
    let before = machine.emulator.pats();
    let ended = machine.run();
    ended.expect(0).says("It is up to date");
    assert!(actions(&ended).iter().all(|(_, action)| action == "kept"), "{}", ended.stdout);
    assert!(machine.pat_calls().iter().all(|method| method == "GET"), "{:?}", machine.pat_calls());
    assert_eq!(machine.emulator.pats(), before);
}

// The table, row by row.

#[test]
fn a_pat_that_is_missing_is_created_and_delivered() {
    let machine = applying(&[&entry("ci", "lifetime: 10d")]);
    machine.emulator.add_pat(pat("other"));
    let ended = machine.run();
    ended.expect(0).says("1 of 1, fabrikam: Created 'ci'").says("No active PAT had this name.");
    let one = is_delivered(&machine, "ci");
    assert_eq!(one.scope, "vso.code");
    assert!(one.valid_to.duration_since(Timestamp::now()) < hours(10 * 24));
    let row = result(&ended);
    assert_eq!(row["action"], "created");
    assert_eq!(row["organization"], "fabrikam");
    assert_eq!(row["authorization-id"], one.authorization_id.to_string());
    assert_eq!(row["error"], Value::Null);
    stays_as_it_is(&machine);
}

#[test]
fn a_pat_that_expired_is_created_anew() {
    let machine = applying(&[&entry("ci", "")]);
    let now = Timestamp::now();
    let old =
        NewPat::named("ci").valid_from(now - hours(48)).valid_to(now - hours(1)).status(PatStatus::Expired);
    delivered(&machine, old);
    assert_eq!(result(machine.run().expect(0))["action"], "created");
    is_delivered(&machine, "ci");
}

#[test]
fn a_global_pat_is_refused_and_nothing_is_done_to_it() {
    let machine = applying(&[&entry("ci", ""), &entry("fine", "")]);
    let global = delivered(&machine, pat("ci").global());
    let ended = machine.run();
    ended.expect(4).says("'ci' failed").says("is a global PAT").says("allow-global-narrowing");
    assert_eq!(actions(&ended), [("ci".into(), "failed".into()), ("fine".into(), "created".into())]);
    assert_eq!(the_one(&machine, "ci"), global);
}

#[test]
fn a_global_pat_is_retired_last_when_every_entry_of_its_name_has_its_own() {
    let both = "display-name: ci\norganizations: [fabrikam, contoso]\nscope: vso.code\n\
                deliver-to: file:ci-{organization}.pat\nallow-global-narrowing: true";
    let machine = applying_on(two_organizations(), &[both, &entry("fine", "organization: fabrikam")]);
    let global = machine.emulator.add_pat(pat("ci").global());
    let mut machine = machine;
    let rehearsal = machine.input("dry-run", "true").run();
    rehearsal.expect(0).says(&format!("Would finally revoke 'ci' ({}", global.authorization_id));
    machine.emulator.clear_requests();
    let ended = machine.without("dry-run").run();
    ended.expect(0).says(&format!("{} was a global PAT", global.authorization_id));
    let calls = machine.pat_calls();
    assert_eq!(calls, ["GET", "GET", "POST", "POST", "POST", "DELETE"], "retired when all else is done");
    assert_eq!(machine.emulator.pat(global.authorization_id).expect("there").status, PatStatus::Revoked);
    for (organization, row) in ["fabrikam", "contoso"].iter().zip(results(&ended)) {
        let own = machine.active("ci").into_iter().find(|pat| pat.organization == *organization);
        let own = own.expect("one of its own");
        assert_eq!(machine.read(&format!("ci-{organization}.pat")), own.value);
        assert!(!own.global);
        assert_eq!(row["previous-authorization-ids"], json!([global.authorization_id.to_string()]));
    }
    stays_as_it_is(&machine);
}

#[test]
fn a_global_pat_lives_on_while_an_entry_of_its_name_has_none_of_its_own() {
    let both = "display-name: ci\norganizations: [fabrikam, contoso]\nscope: vso.code\n\
                deliver-to: file:ci-{organization}.pat\nallow-global-narrowing: true";
    let machine = applying_on(two_organizations(), &[both]);
    let global = machine.emulator.add_pat(pat("ci").global());
    let policies = Policies { creation: Creation::Disabled, ..Policies::default() };
    machine.emulator.set_policies("contoso", policies);
    let ended = machine.run();
    ended.expect(4).says("The global PAT lives on, because contoso has none of its own yet");
    assert_eq!(machine.emulator.pat(global.authorization_id).expect("there").status, PatStatus::Active);
    machine.emulator.set_policies("contoso", Policies::default());
    machine.run().expect(0);
    assert_eq!(machine.emulator.pat(global.authorization_id).expect("there").status, PatStatus::Revoked);
    assert_eq!(machine.active("ci").len(), 2);
    stays_as_it_is(&machine);
}

#[test]
fn several_pats_are_rotated_from_the_newest_and_every_other_is_revoked() {
    let machine = applying(&[&entry("ci", "")]);
    let older = machine.emulator.add_pat(pat("ci").valid_from(Timestamp::now() - hours(48)));
    let newest = delivered(&machine, pat("ci"));
    let ended = machine.run();
    ended.expect(0).says("2 active PATs had this name.");
    is_delivered(&machine, "ci");
    let replaced = [newest, older].map(|pat| pat.authorization_id.to_string());
    assert_eq!(result(&ended)["previous-authorization-ids"], json!(replaced));
    stays_as_it_is(&machine);
}

#[test]
fn a_predecessor_that_is_kept_for_a_while_is_not_counted() {
    let machine = applying(&[&entry("ci", "keep-previous-for: 2h")]);
    let now = Timestamp::now();
    let old = delivered(&machine, pat("ci").valid_to(now + hours(3)));
    let ended = machine.run();
    ended.expect(0).says("stays valid until");
    let kept = machine.emulator.pat(old.authorization_id).expect("there");
    let ends_in = kept.valid_to.duration_since(Timestamp::now());
    assert!(kept.status == PatStatus::Active && ends_in <= hours(2) && ends_in > hours(1), "{ends_in:?}");
    let [new] = machine
        .active("ci")
        .into_iter()
        .filter(|pat| pat.valid_to > kept.valid_to)
        .collect::<Vec<_>>()
        .try_into()
        .expect("one successor");
    assert_eq!(machine.read("ci.pat"), new.value);
    stays_as_it_is(&machine);
}

#[test]
fn another_scope_is_replaced_by_the_manifests_and_the_order_of_scopes_does_not_matter() {
    let scope = "display-name: ci\nscope: [vso.work, vso.code]\ndeliver-to: file:ci.pat";
    let machine = applying(&[scope]);
    let old = delivered(&machine, pat("ci").scope("vso.code"));
    is_rotated(&machine, &old, "Its scope was vso.code, not vso.code vso.work.");
    assert_eq!(the_one(&machine, "ci").scope, "vso.code vso.work");
    let other_order = "display-name: ci\nscope: vso.code vso.work\ndeliver-to: file:ci.pat";
    let mut machine = machine;
    describe(&mut machine, &[other_order], "");
    stays_as_it_is(&machine);
}

#[test]
fn a_pat_that_expires_soon_is_rotated() {
    let machine = applying(&[&entry("ci", "renew-within: 10d")]);
    let old = delivered(&machine, pat("ci").valid_to(Timestamp::now() + hours(10 * 24 - 1)));
    is_rotated(&machine, &old, "It would expire at");
}

#[rstest]
#[case::within_a_third_of_its_span(20 * 24, 9 * 24, true)]
#[case::with_more_than_a_third_left(20 * 24, 11 * 24, false)]
fn by_default_a_third_of_the_span_that_was_granted_counts(
    #[case] ago: i64,
    #[case] left: i64,
    #[case] rotated: bool,
) {
    let machine = applying(&[&entry("ci", "lifetime: 300d")]);
    let now = Timestamp::now();
    delivered(&machine, pat("ci").valid_from(now - hours(ago)).valid_to(now + hours(left)));
    let action = if rotated { "rotated" } else { "kept" };
    assert_eq!(result(machine.run().expect(0))["action"], action);
}

#[test]
fn a_policy_that_grants_less_than_renew_within_does_not_have_it_rotated_every_night() {
    let policies =
        Policies { longest_lifespan: Some(Duration::from_secs(7 * 86_400)), ..Policies::default() };
    let emulator = Emulator::builder().policies(policies).start();
    let machine = applying_on(emulator, &[&entry("ci", "lifetime: 30d\nrenew-within: 10d")]);
    machine.run().expect(0).says("granted the PAT until");
    let ended = machine.run();
    ended.expect(0).says("which is no longer than its renew-within, 10d");
    assert_eq!(result(&ended)["action"], "kept");
}

#[test]
fn everything_is_renewed_after_a_leak_and_only_what_is_named() {
    let mut machine = applying(&[&entry("ci", ""), &entry("other", "")]);
    let old = delivered(&machine, pat("ci"));
    let other = delivered(&machine, pat("other"));
    let ended = machine.input("renew", "all").input("only", "ci").run();
    ended.expect(0).says("The run was asked to renew every entry.");
    assert_eq!(actions(&ended), [("ci".into(), "rotated".into())]);
    assert_eq!(machine.emulator.pat(old.authorization_id).expect("there").status, PatStatus::Revoked);
    assert_eq!(the_one(&machine, "other"), other);
}

#[test]
fn what_is_as_it_should_be_is_kept_and_costs_one_list() {
    let machine = applying(&[&entry("ci", ""), &entry("other", "")]);
    delivered(&machine, pat("ci"));
    delivered(&machine, pat("other"));
    let ended = machine.run();
    ended.expect(0).says("1 of 2, fabrikam: Kept 'ci'").says("2 of 2, fabrikam: Kept 'other'");
    assert_eq!(machine.calls(), ["Entra POST", "Pats GET"]);
}

// Drift: a store that does not hold the PAT that is.

#[rstest]
#[case::missing(None, "was not there")]
#[case::empty(Some(""), "was empty")]
fn a_file_that_is_missing_or_empty_has_its_pat_rotated(#[case] holds: Option<&str>, #[case] reason: &str) {
    let machine = applying(&[&entry("ci", "")]);
    let old = machine.emulator.add_pat(pat("ci"));
    if let Some(text) = holds {
        std::fs::write(machine.path("ci.pat"), text).expect("written");
    }
    is_rotated(&machine, &old, reason);
}

#[test]
fn a_file_that_was_last_changed_before_the_pat_was_made_has_it_rotated() {
    let machine = applying(&[&entry("ci", "")]);
    let old = delivered(&machine, pat("ci"));
    let file = std::fs::File::options().write(true).open(machine.path("ci.pat")).expect("there");
    let made = old.valid_from - SignedDuration::from_millis(1);
    file.set_modified(
        std::time::SystemTime::UNIX_EPOCH + Duration::from_millis(made.as_millisecond().unsigned_abs()),
    )
    .expect("set");
    is_rotated(&machine, &old, "was last changed at");
}

#[test]
fn a_files_time_is_the_services_however_wrong_the_machines_clock_is() {
    // The services are days ahead: a file that bore the machine's time would be older than its PAT.
    let emulator = Emulator::builder().clock_offset(hours(100)).start();
    let machine = applying_on(emulator, &[&entry("ci", "")]);
    machine.run().expect(0);
    is_delivered(&machine, "ci");
    stays_as_it_is(&machine);
}

/// A machine whose entry is delivered to the vault, with its PAT in it as adopat puts it there.
fn in_the_vault() -> (Machine, Pat) {
    let mut machine = Machine::with_vault(Host::Generic, "apply");
    let address = machine.vault_secret("ci");
    machine.opens_the_vault_by_secret();
    describe(&mut machine, &[&format!("display-name: ci\nscope: vso.code\ndeliver-to: {address}")], "");
    machine.run().expect(0);
    let pat = the_one(&machine, "ci");
    machine.emulator.clear_requests();
    let ended = machine.run();
    assert_eq!(result(ended.expect(0))["action"], "kept", "{}", ended.words());
    (machine, pat)
}

#[rstest]
#[case::of_another_pat("another", "held another PAT: its tag authorization-id was")]
#[case::by_hand("by hand", "had no tag authorization-id")]
#[case::disabled("disabled", "was disabled")]
#[case::deleted("none", "was not there")]
fn a_vault_that_does_not_hold_the_pat_has_it_rotated(#[case] change: &str, #[case] reason: &str) {
    let (machine, old) = in_the_vault();
    match change {
        "another" => {
            let id = "00000000-0000-0000-0000-00000000feed";
            machine.emulator.label_vault_secret("ci", None, &[("authorization-id", id)]);
        }
        "by hand" => machine.emulator.add_vault_secret("ci", "somebody else's"),
        "disabled" => machine.emulator.services().services.disable_vault_secret("ci"),
        _ => {
            let mut machine = machine;
            let address = machine.vault_secret("elsewhere");
            let elsewhere = format!("display-name: ci\nscope: vso.code\ndeliver-to: {address}");
            describe(&mut machine, &[&elsewhere], "");
            return the_vaults_pat_is_rotated(&machine, &old, "elsewhere", reason);
        }
    }
    the_vaults_pat_is_rotated(&machine, &old, "ci", reason);
}

#[track_caller]
fn the_vaults_pat_is_rotated(machine: &Machine, old: &Pat, secret: &str, reason: &str) {
    let ended = machine.run();
    ended.expect(0).says(reason);
    assert_eq!(result(&ended)["action"], "rotated");
    let new = the_one(machine, "ci");
    assert_ne!(new.authorization_id, old.authorization_id);
    let held = machine.emulator.vault_secret(secret).expect("there");
    assert_eq!(held.newest().expect("a version").value, new.value);
}

#[test]
fn a_vaults_secret_that_is_past_its_end_has_its_pat_rotated() {
    let (machine, old) = in_the_vault();
    // The PAT was extended, the vault still says when it was to end.
    machine.emulator.advance(hours(29 * 24));
    let now = machine.emulator.now();
    machine.emulator.revoke_pat(old.authorization_id);
    let longer =
        machine.emulator.add_pat(NewPat::named("ci").valid_from(now - hours(24)).valid_to(now + hours(240)));
    let id = longer.authorization_id.to_string();
    machine.emulator.label_vault_secret("ci", None, &[("authorization-id", &id)]);
    machine.emulator.advance(hours(48));
    std::fs::write(machine.store(), machine.emulator.refresh_token()).expect("signed in again");
    the_vaults_pat_is_rotated(&machine, &longer, "ci", "expired at");
}

#[test]
fn a_secret_of_github_tells_by_its_time() {
    let mut machine = Machine::new(Host::Generic, "apply");
    let token = machine.emulator.github_token();
    machine.input("github-token", token);
    let address = format!("github-secret:{}/{}/ADO_PAT", cast::GITHUB_OWNER, cast::GITHUB_REPOSITORY);
    describe(&mut machine, &[&format!("display-name: ci\nscope: vso.code\ndeliver-to: {address}")], "");
    let old = machine.emulator.add_pat(pat("ci"));
    let ended = machine.run();
    ended.expect(0).says("was not there");
    let new = the_one(&machine, "ci");
    assert_ne!(new.authorization_id, old.authorization_id);
    assert_eq!(machine.emulator.github_secrets()[0].value, new.value);
    stays_as_it_is(&machine);
    // A run that was killed before it delivered: the PAT is newer than the secret.
    machine.emulator.advance(hours(1));
    machine.emulator.revoke_pat(new.authorization_id);
    let now = machine.emulator.now();
    machine.emulator.add_pat(NewPat::named("ci").valid_from(now).valid_to(now + hours(29 * 24)));
    std::fs::write(machine.store(), machine.emulator.refresh_token()).expect("signed in again");
    machine.run().expect(0).says("was last changed at");
    assert_eq!(machine.emulator.github_secrets()[0].value, the_one(&machine, "ci").value);
}

#[test]
fn a_variable_tells_whether_it_is_there_and_a_secret() {
    let mut machine = Machine::new(Host::Generic, "apply");
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds"));
    describe(
        &mut machine,
        &["display-name: ci\nscope: vso.code\ndeliver-to: variable-group:web/feeds/ADO_PAT"],
        "",
    );
    machine.emulator.add_pat(pat("ci"));
    machine.run().expect(0).says("was not there");
    let held = |machine: &Machine| machine.emulator.variable_groups()[0].variables["ADO_PAT"].value.clone();
    assert_eq!(held(&machine), the_one(&machine, "ci").value);
    stays_as_it_is(&machine);
}

#[cfg(unix)]
#[test]
fn a_command_cannot_tell_so_its_pat_is_looked_at_by_its_end_alone_and_renewing_all_mends_it() {
    let entry = "display-name: ci\nscope: vso.code\ndeliver-to: command:/bin/sh -c 'cat > ci.pat'";
    let mut machine = applying(&[entry]);
    machine.emulator.add_pat(pat("ci"));
    let ended = machine.run();
    ended.expect(0).says("cannot tell whether it holds it");
    assert_eq!(result(&ended)["action"], "kept");
    assert!(!machine.path("ci.pat").exists());
    machine.input("renew", "all").run().expect(0);
    is_delivered(&machine, "ci");
}

// Each is a transaction of its own.

#[test]
fn one_that_fails_leaves_the_others_alone_and_its_code_is_the_runs() {
    let machine = applying(&[
        &entry("one", ""),
        "display-name: two\nscope: vso.code\ndeliver-to: file:none/two.pat",
        &entry("three", ""),
    ]);
    for name in ["one", "two", "three"] {
        machine.emulator.add_pat(pat(name));
    }
    let old = the_one(&machine, "two");
    let ended = machine.run();
    ended.expect(7).says("'two' failed").says("two.pat");
    let expected = [("one", "rotated"), ("two", "failed"), ("three", "rotated")];
    assert_eq!(actions(&ended), expected.map(|(name, action)| (name.to_owned(), action.to_owned())));
    assert_eq!(the_one(&machine, "two"), old, "it is as it was");
    is_delivered(&machine, "one");
    is_delivered(&machine, "three");
    let row = &results(&ended)[1];
    assert!(row["error"]["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{row}");
}

#[test]
fn what_was_made_is_taken_back_where_it_could_not_be_delivered() {
    let machine = applying(&[&entry("one", "verify: require"), &entry("two", "")]);
    let policies = Policies { usable_after: Duration::from_secs(60), ..Policies::default() };
    machine.emulator.set_policies(cast::ORGANIZATION, policies);
    let ended = machine.run();
    ended.expect(7).says("'one' failed").says("has been revoked");
    assert!(machine.active("one").is_empty());
    is_delivered(&machine, "two");
}

#[test]
fn a_service_that_grants_another_scope_is_asked_once_and_says_what_to_write() {
    let machine = applying(&[&entry("ci", "")]);
    machine.answers_are_forged();
    let more = |answer: http::Response<bytes::Bytes>| {
        let (parts, body) = answer.into_parts();
        let body = String::from_utf8(body.to_vec())
            .expect("text")
            .replace("\"vso.code\"", "\"vso.code vso.profile\"");
        http::Response::from_parts(parts, body.into())
    };
    machine.emulator.order(Fault::on(Service::Pats).method("POST").rewrite(more));
    let ended = machine.run();
    ended
        .expect(4)
        .says("The service granted the scope vso.code vso.profile, not vso.code as asked.")
        .says("Write 'scope: vso.code vso.profile' in the manifest.");
    assert_eq!(machine.pat_calls(), ["GET", "POST", "DELETE"]);
    assert!(machine.active("ci").is_empty());
}

#[test]
fn the_cost_is_one_sign_in_one_list_an_organization_and_two_requests_a_change() {
    let entries: Vec<String> = (0..10).map(|number| entry(&format!("ci-{number}"), "")).collect();
    let of_both: Vec<String> = entries
        .iter()
        .flat_map(|entry| {
            ["fabrikam", "contoso"]
                .map(|one| entry.replace(".pat", &format!("-{one}.pat")) + &format!("\norganization: {one}"))
        })
        .collect();
    let machine = applying_on(two_organizations(), &of_both.iter().map(String::as_str).collect::<Vec<_>>());
    for number in 0..10 {
        for organization in ["fabrikam", "contoso"] {
            machine.emulator.add_pat(pat(&format!("ci-{number}")).organization(organization));
        }
    }
    let ended = machine.run();
    ended.expect(0).says("20 of 20");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    machine.calls().into_iter().for_each(|call| *counts.entry(call).or_default() += 1);
    let expected = [("Entra POST", 1), ("Pats DELETE", 20), ("Pats GET", 2), ("Pats POST", 20)];
    assert_eq!(counts, expected.map(|(call, count)| (call.to_owned(), count)).into());
}

#[rstest]
#[case(None, 4)]
#[case(Some("1"), 1)]
#[case(Some("7"), 7)]
fn so_many_are_worked_on_at_once(#[case] parallel: Option<&str>, #[case] most: usize) {
    let names: Vec<String> = (0..10).map(|number| format!("ci-{number}")).collect();
    let entries: Vec<String> = names.iter().map(|name| entry(name, "")).collect();
    let mut machine = applying(&entries.iter().map(String::as_str).collect::<Vec<_>>());
    if let Some(parallel) = parallel {
        machine.input("parallel", parallel);
    }
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").always().hold_before());
    let run = machine.spawn();
    let begun = std::time::Instant::now();
    while hold.struck() < most && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    // No further one is begun while these are under way.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(hold.struck(), most);
    hold.release();
    machine.wait(run).expect(0);
    names.iter().for_each(|name| drop(is_delivered(&machine, name)));
}

#[test]
fn an_organization_that_makes_no_pats_is_asked_once() {
    let entries: Vec<String> = (0..6)
        .map(|number| {
            let organization = if number % 2 == 0 { "fabrikam" } else { "contoso" };
            entry(&format!("ci-{number}"), &format!("organization: {organization}"))
        })
        .collect();
    let emulator = two_organizations();
    emulator.set_policies("contoso", Policies { creation: Creation::Disabled, ..Policies::default() });
    let mut machine = applying_on(emulator, &entries.iter().map(String::as_str).collect::<Vec<_>>());
    let ended = machine.input("parallel", "1").run();
    ended.expect(4);
    let asked = machine.sent("POST");
    let refused =
        asked.iter().filter(|body| ["ci-1", "ci-3", "ci-5"].iter().any(|name| body["displayName"] == **name));
    assert_eq!((asked.len(), refused.count()), (4, 1));
    for (number, row) in results(&ended).iter().enumerate() {
        let failed = number % 2 == 1;
        assert_eq!(row["action"], if failed { "failed" } else { "created" }, "{row}");
        assert_eq!(
            row["error"]["name"]
                .as_str()
                .is_some_and(|name| name.contains("disablePatCreationPolicyViolation")),
            failed
        );
    }
}

#[test]
fn a_429_holds_all_of_them_back() {
    let entries: Vec<String> = (0..6).map(|number| entry(&format!("ci-{number}"), "")).collect();
    let mut machine = applying(&entries.iter().map(String::as_str).collect::<Vec<_>>());
    machine.input("parallel", "2");
    machine.emulator.order(Fault::on(Service::Pats).method("POST").nth(3).throttle(RetryAfter::Seconds(2)));
    machine.run().expect(0);
    let posts: Vec<_> =
        machine.emulator.requests_to(Service::Pats).into_iter().filter(|it| it.method == "POST").collect();
    let throttled = posts.iter().position(|request| request.status() == Some(429)).expect("throttled");
    // One more may have been under way.
    let next = &posts[(throttled + 2).min(posts.len() - 1)];
    assert!(next.at.duration_since(posts[throttled].at) >= SignedDuration::from_millis(1900));
    assert_eq!(posts.len(), 7);
}

#[test]
fn an_access_token_that_dies_on_the_way_is_renewed() {
    let entries: Vec<String> = (0..4).map(|number| entry(&format!("ci-{number}"), "")).collect();
    let mut machine = applying(&entries.iter().map(String::as_str).collect::<Vec<_>>());
    machine.input("parallel", "1");
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").nth(2).hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    machine.emulator.expire_access_tokens();
    hold.release();
    let ended = machine.wait(run);
    ended.expect(0).says("The access token had expired. Signed in again with the refresh token.");
    let entra = machine.calls().into_iter().filter(|call| call == "Entra POST").count();
    assert_eq!(entra, 2, "one sign-in, and one more");
    (0..4).for_each(|number| drop(is_delivered(&machine, &format!("ci-{number}"))));
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
}

#[test]
fn a_sign_in_that_fails_on_the_way_ends_all() {
    let entries: Vec<String> = (0..4).map(|number| entry(&format!("ci-{number}"), "")).collect();
    let mut machine = applying(&entries.iter().map(String::as_str).collect::<Vec<_>>());
    machine.input("parallel", "1");
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").nth(2).hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    machine.emulator.expire_access_tokens();
    machine.emulator.revoke_refresh_token(&machine.read("refresh-token"));
    hold.release();
    let ended = machine.wait(run);
    ended.expect(3).says("AADSTS50173").says("was not begun");
    let words: Vec<String> = actions(&ended).into_iter().map(|(_, action)| action).collect();
    assert_eq!(words, ["created", "failed", "not-begun", "not-begun"]);
}

#[test]
fn entries_that_write_one_variable_group_lose_nothing_to_each_other() {
    let mut machine = Machine::new(Host::Generic, "apply");
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds"));
    let entries: Vec<String> = (0..8)
        .map(|number| format!("display-name: ci-{number}\nscope: vso.code\ndeliver-to: variable-group:web/feeds/PAT_{number}"))
        .collect();
    describe(&mut machine, &entries.iter().map(String::as_str).collect::<Vec<_>>(), "");
    machine
        .emulator
        .order(Fault::on(Service::DevOps).method("PUT").always().delay_before(Duration::from_millis(50)));
    machine.input("parallel", "8").run().expect(0);
    let group = &machine.emulator.variable_groups()[0];
    for number in 0..8 {
        assert_eq!(
            group.variables[&format!("PAT_{number}")].value,
            the_one(&machine, &format!("ci-{number}")).value
        );
    }
}

// Many organizations.

#[test]
fn one_organization_that_does_not_let_the_user_in_fails_alone() {
    let entries = [entry("here", "organization: fabrikam"), entry("there", "organization: nowhere")];
    let machine = applying(&entries.iter().map(String::as_str).collect::<Vec<_>>());
    let ended = machine.run();
    ended.expect(4).says("nowhere: 'there' failed");
    assert_eq!(actions(&ended), [("here".into(), "created".into()), ("there".into(), "failed".into())]);
    is_delivered(&machine, "here");
}

#[test]
fn organizations_of_different_tenants_are_refused_by_name_and_nothing_is_changed() {
    let other = uuid::Uuid::from_u128(0xbad);
    let emulator = Emulator::builder()
        .organization(Organization::named(cast::ORGANIZATION))
        .organization(Organization::named("contoso").tenant(other))
        .start();
    let entries = [entry("here", "organization: fabrikam"), entry("there", "organization: contoso")];
    let machine = applying_on(emulator, &entries.iter().map(String::as_str).collect::<Vec<_>>());
    let ended = machine.run();
    ended
        .expect(4)
        .says("belong to different tenants")
        .says(&cast::TENANT.to_string())
        .says(&other.to_string());
    ended.says("Write one manifest for each tenant");
    assert!(machine.emulator.pats().is_empty());
}

// Prune.

/// One entry, and PATs that it does not name: one that may be pruned, one of another name, a young and a global one.
fn with_strays() -> (Machine, Pat) {
    let mut machine = applying(&[]);
    describe(&mut machine, &[&entry("ci-named", "")], "prune:\n  name-prefix: ci-");
    delivered(&machine, pat("ci-named"));
    let stray = machine.emulator.add_pat(pat("ci-stray").valid_from(Timestamp::now() - hours(25)));
    machine.emulator.add_pat(pat("other").valid_from(Timestamp::now() - hours(48)));
    machine.emulator.add_pat(pat("ci-young").valid_from(Timestamp::now() - hours(23)));
    machine.emulator.add_pat(pat("ci-global").valid_from(Timestamp::now() - hours(48)).global());
    (machine, stray)
}

#[test]
fn without_the_input_what_no_entry_names_is_listed_and_is_no_drift() {
    let (mut machine, _) = with_strays();
    let before = machine.emulator.pats();
    let ended = machine.input("dry-run", "true").input("fail-if-drift", "true").run();
    ended.expect(0);
    let unmanaged =
        ["ci-global", "ci-stray", "ci-young"].map(|name| (name.to_owned(), "unmanaged".to_owned()));
    assert_eq!(actions(&ended)[1..], unmanaged);
    assert_eq!(machine.emulator.pats(), before);
}

#[test]
fn prune_revokes_what_no_entry_names_but_nothing_global_or_young() {
    let (mut machine, stray) = with_strays();
    let ended = machine.input("prune", "true").run();
    ended.expect(0).says("Revoked 'ci-stray'").says("No entry names it.");
    let expected = [
        ("ci-named", "kept"),
        ("ci-stray", "revoked"),
        ("ci-global", "unmanaged"),
        ("ci-young", "unmanaged"),
    ];
    assert_eq!(actions(&ended), expected.map(|(name, action)| (name.to_owned(), action.to_owned())));
    ended.says("a global PAT is never pruned").says("it was made within the last day");
    let revoked: Vec<_> =
        machine.emulator.pats().into_iter().filter(|pat| pat.status == PatStatus::Revoked).collect();
    assert_eq!(revoked.iter().map(|pat| pat.authorization_id).collect::<Vec<_>>(), [stray.authorization_id]);
}

#[test]
fn nothing_is_pruned_unless_every_entry_went_well() {
    let (mut machine, stray) = with_strays();
    std::fs::remove_file(machine.path("ci-named.pat")).expect("removed");
    machine
        .emulator
        .order(Fault::on(Service::Pats).method("POST").pat_token_error("invalidScope", Default::default()));
    let ended = machine.input("prune", "true").run();
    ended.expect(4).says("nothing is pruned unless every entry goes well");
    assert_eq!(machine.emulator.pat(stray.authorization_id).expect("there").status, PatStatus::Active);
}

#[test]
fn a_prune_that_fails_is_the_runs_failure() {
    let (mut machine, stray) = with_strays();
    machine
        .emulator
        .order(Fault::on(Service::Pats).method("DELETE").pat_token_error("accessDenied", Default::default()));
    let ended = machine.input("prune", "true").run();
    ended.expect(4).says("fabrikam: 'ci-stray' could not be pruned: ");
    assert_eq!(actions(&ended)[1], ("ci-stray".to_owned(), "failed".to_owned()));
    assert_eq!(machine.emulator.pat(stray.authorization_id).expect("there").status, PatStatus::Active);
}

#[test]
fn a_dry_run_says_what_would_be_pruned() {
    let (mut machine, _) = with_strays();
    let before = machine.emulator.pats();
    let ended = machine.input("prune", "true").input("dry-run", "true").input("fail-if-drift", "true").run();
    ended.expect(8);
    assert_eq!(actions(&ended)[1], ("ci-stray".to_owned(), "would-revoke".to_owned()));
    assert_eq!(machine.emulator.pats(), before);
}

// The dry run.

#[test]
fn a_dry_run_says_everything_that_would_be_done_and_does_nothing() {
    let mut machine = applying(&[&entry("new", ""), &entry("due", ""), &entry("fine", "")]);
    let due = delivered(&machine, pat("due").valid_to(Timestamp::now() + hours(10)));
    delivered(&machine, pat("fine"));
    let before = machine.emulator.pats();
    let ended = machine.input("dry-run", "true").run();
    ended.expect(0);
    let expected = [("new", "would-create"), ("due", "would-rotate"), ("fine", "kept")];
    assert_eq!(actions(&ended), expected.map(|(name, action)| (name.to_owned(), action.to_owned())));
    ended.says("Would create a PAT named 'new'").says("Would deliver the new PAT to file:new.pat.");
    ended.says(&format!("Would then revoke 'due' ({}", due.authorization_id));
    assert_eq!(machine.emulator.pats(), before);
    assert_eq!(machine.calls(), ["Entra POST", "Pats GET"]);
    assert!(!machine.path("new.pat").exists());
    machine.input("fail-if-drift", "true").run().expect(8);
}

#[test]
fn a_dry_run_finds_a_store_that_would_not_take_the_pat() {
    let mut machine = applying(&["display-name: ci\nscope: vso.code\ndeliver-to: file:none/ci.pat"]);
    let ended = machine.input("dry-run", "true").run();
    ended.expect(7).says("its folder does not exist");
    assert_eq!(result(&ended)["action"], "failed");
}

// What ends all.

#[cfg(unix)]
#[test]
fn a_signal_ends_what_is_under_way_as_a_rotation_and_begins_nothing_else() {
    let entries: Vec<String> = (0..6).map(|number| entry(&format!("ci-{number}"), "")).collect();
    let mut machine = applying(&entries.iter().map(String::as_str).collect::<Vec<_>>());
    for number in 0..6 {
        machine.emulator.add_pat(pat(&format!("ci-{number}")));
    }
    machine.input("parallel", "1");
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").nth(3).hold_after());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    support::signal(&run, rustix::process::Signal::TERM);
    std::thread::sleep(Duration::from_millis(200));
    hold.release();
    let ended = machine.wait(run);
    ended.expect(143).says("was not begun");
    let words: Vec<String> = actions(&ended).into_iter().map(|(_, action)| action).collect();
    assert_eq!(words, ["rotated", "rotated", "failed", "not-begun", "not-begun", "not-begun"]);
    for number in 0..6 {
        the_one(&machine, &format!("ci-{number}"));
    }
    machine.run().expect(0);
    (0..6).for_each(|number| drop(is_delivered(&machine, &format!("ci-{number}"))));
}

#[test]
fn a_run_whose_time_is_over_begins_nothing_else() {
    let entries: Vec<String> = (0..4).map(|number| entry(&format!("ci-{number}"), "")).collect();
    let mut machine = applying(&entries.iter().map(String::as_str).collect::<Vec<_>>());
    machine.input("parallel", "1").input("timeout", "6s");
    machine
        .emulator
        .order(Fault::on(Service::Pats).method("POST").nth(2).delay_after(Duration::from_secs(8)));
    let ended = machine.run();
    ended.expect(6).says("The run had no time left for it.");
    let words: Vec<String> = actions(&ended).into_iter().map(|(_, action)| action).collect();
    assert_eq!(words, ["created", "failed", "not-begun", "not-begun"]);
    let mut machine = machine;
    machine.without("timeout").run().expect(0);
    (0..4).for_each(|number| drop(is_delivered(&machine, &format!("ci-{number}"))));
}

#[cfg(unix)]
#[test]
fn a_run_of_twenty_that_was_killed_is_finished_by_running_it_again() {
    let names: Vec<String> = (0..20).map(|number| format!("ci-{number}")).collect();
    let entries: Vec<String> = names.iter().map(|name| entry(name, "")).collect();
    let machine = applying(&entries.iter().map(String::as_str).collect::<Vec<_>>());
    for name in names.iter().step_by(2) {
        delivered(&machine, pat(name).valid_to(Timestamp::now() + hours(24)));
    }
    for nth in [3, 2] {
        let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").nth(nth).hold_after());
        let mut run = machine.spawn();
        assert!(hold.wait_until_held(Duration::from_secs(20)));
        run.kill().expect("killed");
        run.wait().expect("ended");
        hold.release();
        machine.emulator.clear_faults();
    }
    let ended = machine.run();
    ended.expect(0);
    names.iter().for_each(|name| drop(is_delivered(&machine, name)));
    stays_as_it_is(&machine);
}
