//! A machine's clock may be days off: every instant is reckoned by the services' own, as their answers' `Date` tells
//! it.
//!
//! It is the emulator's clock that is off here, for a child process cannot be given another one.

mod support;

use adopat_emulator::{Emulator, Fault, NewPat, Pat, PatStatus, Service, cast};
use http::HeaderValue;
use http::header::DATE;
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use support::{Ended, Host, Machine};

/// How far this machine's clock is from the services': fast and slow, by more than any lifetime in use here.
const OFF: [(i64, &str); 2] = [(20, "20 days ahead of"), (-30, "30 days behind")];

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// A machine whose clock is so many days ahead of the services'.
fn fast_by(ahead: i64, operation: &str) -> Machine {
    let emulator = Emulator::builder().clock_offset(days(-ahead)).start();
    let mut machine = Machine::with(emulator, Host::GitHub, operation);
    machine.input("display-name", "nightly");
    machine
}

fn with_access_token(machine: &mut Machine) -> &mut Machine {
    let token = machine.emulator.access_token(cast::PERSON);
    machine.without("credential-store").input("access-token", token)
}

#[track_caller]
fn the_one(machine: &Machine) -> Pat {
    let mut active = machine.active("nightly");
    assert_eq!(active.len(), 1, "{active:?}");
    active.remove(0)
}

#[track_caller]
fn lives_for(pat: &Pat, span: SignedDuration) {
    let off = pat.valid_to.duration_since(pat.valid_from) - span;
    assert!(off.abs() <= SignedDuration::from_secs(15), "{} to {}", pat.valid_from, pat.valid_to);
}

/// Warned of once, with how far it is off.
#[track_caller]
fn is_told_once(ended: &Ended, off: &str) {
    assert_eq!(ended.words().matches("This machine's clock is").count(), 1, "{}", ended.words());
    ended.says(&format!("This machine's clock is {off} the services'"));
}

#[rstest]
fn a_lifetime_is_as_long_as_asked(#[values(0, 1)] off: usize, #[values(true, false)] signed_in: bool) {
    let (ahead, told) = OFF[off];
    let mut machine = fast_by(ahead, "create");
    machine.input("scope", "vso.code").input("lifetime", "1h");
    let expected: &[&str] = if signed_in {
        // Entra has told.
        &["Entra POST", "Pats POST"]
    } else {
        with_access_token(&mut machine);
        &["Pats HEAD", "Pats POST"]
    };
    machine.input("output-file", machine.path("out")).input("output-format", "json");
    is_told_once(machine.run().expect(0), told);
    assert_eq!(machine.calls(), expected);
    lives_for(&the_one(&machine), SignedDuration::from_hours(1));
}

#[rstest]
fn a_rotation_renews_what_is_about_to_end_and_nothing_else(#[values(0, 1)] off: usize) {
    let (ahead, told) = OFF[off];
    for (left, rotated) in [(6, true), (8, false)] {
        let mut machine = fast_by(ahead, "rotate");
        let now = machine.emulator.now();
        let old = machine
            .emulator
            .add_pat(NewPat::named("nightly").valid_from(now - days(22)).valid_to(now + days(left)));
        machine.input("renew-within", "7d");
        is_told_once(machine.run().expect(0), told);
        let new = the_one(&machine);
        assert_eq!(new.authorization_id != old.authorization_id, rotated, "{left} days are left");
        if rotated {
            lives_for(&new, days(28));
        }
    }
}

#[rstest]
fn an_old_pat_is_kept_for_as_long_as_asked(#[values(0, 1)] off: usize) {
    let mut machine = fast_by(OFF[off].0, "rotate");
    let now = machine.emulator.now();
    let old =
        machine.emulator.add_pat(NewPat::named("nightly").valid_from(now - days(1)).valid_to(now + days(60)));
    machine.input("keep-previous-for", "2h").input("lifetime", "3d").run().expect(0);
    let kept = machine.emulator.pat(old.authorization_id).expect("there");
    assert_eq!(kept.status, PatStatus::Active);
    let left = kept.valid_to.duration_since(machine.emulator.now()) - SignedDuration::from_hours(2);
    assert!(left.abs() < SignedDuration::from_secs(15), "{}", kept.valid_to);
}

#[rstest]
fn an_update_counts_from_the_services_now(#[values(0, 1)] off: usize) {
    let mut machine = fast_by(OFF[off].0, "update");
    let now = machine.emulator.now();
    machine.emulator.add_pat(NewPat::named("nightly").valid_from(now).valid_to(now + days(1)));
    machine.input("lifetime", "5d").run().expect(0);
    lives_for(&the_one(&machine), days(5));
}

#[rstest]
fn what_expires_soon_does_so_by_the_services_clock(#[values(0, 1)] off: usize) {
    let (ahead, told) = OFF[off];
    for (left, code) in [(6, 8), (8, 0)] {
        let mut machine = fast_by(ahead, "list");
        let now = machine.emulator.now();
        machine
            .emulator
            .add_pat(NewPat::named("nightly").valid_from(now - days(22)).valid_to(now + days(left)));
        with_access_token(&mut machine).input("expiring-within", "7d").input("fail-if-expiring", "true");
        let ended = machine.run();
        is_told_once(ended.expect(code), told);
        assert_eq!(machine.calls(), ["Pats GET"], "its answer tells the time");
        ended.says(if left == 6 { "6 d " } else { "8 d " });
    }
}

#[rstest]
fn a_command_has_its_pat_for_as_long_as_asked(#[values(0, 1)] off: usize) {
    let (ahead, told) = OFF[off];
    let mut machine = fast_by(ahead, "exec");
    machine
        .arguments(&["exec", "--", "/bin/sh", "-c", "echo the command runs >&2"])
        .input("scope", "vso.code");
    let ended = machine.run();
    is_told_once(ended.expect(0), told);
    let told_before = ended.stderr.find("This machine's clock").expect("told");
    assert!(told_before < ended.stderr.find("the command runs").expect("ran"), "{}", ended.stderr);
    lives_for(&machine.emulator.pats()[0], SignedDuration::from_hours(1));
}

/// An instant in each of the forms that HTTP knows, and in mail's.
#[rstest]
#[case::imf_fixdate("%a, %d %b %Y %H:%M:%S GMT")]
#[case::rfc_850("%A, %d-%b-%y %H:%M:%S GMT")]
#[case::asctime("%a %b %e %H:%M:%S %Y")]
#[case::mails("%a, %d %b %Y %H:%M:%S +0000")]
fn every_form_of_a_date_is_read(#[case] form: &'static str) {
    let mut machine = fast_by(20, "create");
    machine.input("scope", "vso.code").input("lifetime", "1h").input("variable", "PAT");
    with_access_token(&mut machine);
    let offset = machine.emulator.now().duration_since(Timestamp::now());
    machine.emulator.order(Fault::on(Service::Pats).always().rewrite(move |mut answer| {
        let date = (Timestamp::now() + offset).strftime(form).to_string();
        answer.headers_mut().insert(DATE, HeaderValue::try_from(date).expect("a date"));
        answer
    }));
    is_told_once(machine.run().expect(0), "20 days ahead of");
    lives_for(&the_one(&machine), SignedDuration::from_hours(1));
}

#[rstest]
#[case::none(None)]
#[case::nonsense(Some("yesterday"))]
fn where_no_service_says_what_time_it_is_the_machine_does_and_that_is_said(
    #[case] date: Option<&'static str>,
) {
    let mut machine = fast_by(0, "create");
    machine.input("scope", "vso.code").input("lifetime", "1h");
    for service in [Service::Pats, Service::Entra] {
        machine.emulator.order(Fault::on(service).always().rewrite(move |mut answer| {
            answer.headers_mut().remove(DATE);
            if let Some(date) = date {
                answer.headers_mut().insert(DATE, HeaderValue::from_static(date));
            }
            answer
        }));
    }
    let ended = machine.run();
    ended.expect(0).says("No service says what time it is, so this machine's clock counts");
    assert_eq!(ended.words().matches("No service says").count(), 1);
    assert_eq!(machine.calls(), ["Entra POST", "Pats HEAD", "Pats POST"], "it is asked once");
    lives_for(&the_one(&machine), SignedDuration::from_hours(1));
}

#[test]
fn an_answer_out_of_a_cache_tells_its_age() {
    let mut machine = fast_by(0, "create");
    machine.input("scope", "vso.code").input("lifetime", "1h");
    with_access_token(&mut machine);
    machine.emulator.order(Fault::on(Service::Pats).method("HEAD").rewrite(move |mut answer| {
        let date = (Timestamp::now() - days(3)).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        answer.headers_mut().insert(DATE, HeaderValue::try_from(date).expect("a date"));
        answer.headers_mut().insert("Age", HeaderValue::from_static("259200"));
        answer
    }));
    let ended = machine.run();
    assert!(!ended.expect(0).words().contains("clock"), "{}", ended.words());
    lives_for(&the_one(&machine), SignedDuration::from_hours(1));
}

#[rstest]
#[case::a_gateway(502)]
#[case::another(504)]
fn what_a_gateway_says_is_not_the_services_time(#[case] status: u16) {
    let mut machine = fast_by(0, "create");
    machine.input("scope", "vso.code").input("lifetime", "1h");
    with_access_token(&mut machine);
    let long_ago = [("Date", "Sun, 06 Nov 1994 08:49:37 GMT")];
    let page = "<html>Bad Gateway</html>";
    machine.emulator.order(Fault::on(Service::Pats).method("HEAD").answer(status, &long_ago, page));
    machine.run().expect(0);
    assert_eq!(machine.pat_calls(), ["HEAD", "HEAD", "POST"]);
    lives_for(&the_one(&machine), SignedDuration::from_hours(1));
}

#[test]
fn a_clock_that_is_nearly_right_is_not_worth_a_word() {
    let emulator = Emulator::builder().clock_offset(SignedDuration::from_secs(110)).start();
    let mut machine = Machine::with(emulator, Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code").input("lifetime", "1h");
    let ended = machine.run();
    assert!(!ended.expect(0).words().contains("clock"), "{}", ended.words());
    lives_for(&the_one(&machine), SignedDuration::from_hours(1));
}

#[test]
fn a_dry_run_tells_the_end_by_the_services_clock() {
    let mut machine = fast_by(20, "create");
    machine.input("scope", "vso.code").input("lifetime", "1h").input("dry-run", "true");
    let end = machine.emulator.now() + SignedDuration::from_hours(1);
    let ended = machine.run();
    ended.expect(0).says(&end.strftime("valid to %Y-%m-%d").to_string());
}

#[rstest]
#[case::create("create")]
#[case::exec("exec")]
#[case::rotate("rotate")]
#[case::update("update")]
fn an_end_is_past_only_where_the_services_say_so(#[case] operation: &str, #[values(0, 1)] off: usize) {
    let (ahead, told) = OFF[off];
    for (left, code) in [(2, 0), (-1, 2)] {
        let mut machine = fast_by(ahead, operation);
        if operation == "exec" {
            machine.arguments(&["exec", "--", "/bin/true"]);
        }
        let now = machine.emulator.now();
        if matches!(operation, "rotate" | "update") {
            machine
                .emulator
                .add_pat(NewPat::named("nightly").valid_from(now - days(3)).valid_to(now + days(1)));
        }
        machine.input("scope", "vso.code").input("valid-to", (now + days(left)).to_string());
        let ended = machine.run();
        is_told_once(ended.expect(code), told);
        if code == 2 {
            ended.says("Input 'valid-to'").says("lies in the past");
            assert_eq!(machine.calls(), ["Pats HEAD"], "nobody signs in");
        }
    }
}

#[rstest]
fn doctor_knows_an_end_that_is_past(#[values(0, 1)] off: usize) {
    let mut machine = fast_by(OFF[off].0, "doctor");
    let now = machine.emulator.now();
    machine.input("valid-to", (now + days(2)).to_string()).run().expect(0);
    machine.input("valid-to", (now - days(1)).to_string());
    machine.run().expect(2).says("Input 'valid-to'").says("lies in the past");
}

#[test]
fn a_command_whose_run_has_no_name_is_named_by_the_services_time() {
    let mut machine = fast_by(20, "exec");
    machine.arguments(&["exec", "--", "/bin/true"]).input("scope", "vso.code").without("display-name");
    machine.set("HOSTNAME", "builder").run().expect(0);
    let pat = machine.emulator.pats().remove(0);
    let day = machine.emulator.now().strftime("adopat builder %Y-%m-%dT").to_string();
    assert!(pat.display_name.starts_with(&day), "{}", pat.display_name);
}
