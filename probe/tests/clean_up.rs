//! Whatever ends a run, none of its PATs is left alive.

mod support;

use std::time::Duration;

use adopat_emulator::{Fault, NewPat, PatStatus, Service};
use support::{Machine, SOON};

#[test]
fn a_pat_of_an_earlier_probe_keeps_this_one_from_starting() {
    let machine = Machine::new();
    let older = machine.emulator.add_pat(NewPat::named("adopat-probe-0123abcd"));
    let ended = machine.run();
    ended.expect(8).says("adopat-probe --revoke-older").says(&older.authorization_id.to_string());
    assert_eq!((ended.report.as_str(), machine.posts()), ("", 0));
    assert_eq!(machine.emulator.active_pats().len(), 1, "it was not touched");
}

#[test]
fn it_is_revoked_where_that_is_asked_for_and_the_probe_goes_on() {
    let mut machine = Machine::new().with_pats(2);
    let older = machine.emulator.add_pat(NewPat::named("adopat-probe-0123abcd"));
    let ended = machine.arguments(&["--revoke-older"]).run();
    ended.expect(0).says("Revoked: adopat-probe-0123abcd");
    let older = machine.emulator.pat(older.authorization_id).expect("it was there");
    assert_eq!(older.status, PatStatus::Revoked);
    assert!(machine.posts() > 0);
    machine.nothing_is_left();
}

#[cfg(unix)]
mod signalled {
    use super::*;
    use adopat_emulator::Hold;
    use rustix::process::Signal;
    use std::process::Child;

    fn held(machine: &Machine, fault: Fault) -> (Child, Hold) {
        let hold = machine.emulator.order(fault);
        let run = machine.spawn();
        assert!(hold.wait_until_held(SOON), "the request came");
        (run, hold)
    }

    #[track_caller]
    fn leaves_nothing(fault: Fault, signal: Signal) {
        let machine = Machine::new().with_pats(3);
        let (run, hold) = held(&machine, fault);
        support::signal(&run, signal);
        std::thread::sleep(Duration::from_millis(200));
        hold.release();
        let ended = machine.wait(run);
        ended.expect(128 + signal.as_raw());
        machine.nothing_is_left();
        assert!(ended.report.contains("Not everything was looked at"), "{}", ended.report);
    }

    fn pats(method: &str) -> Fault {
        Fault::on(Service::Pats).method(method)
    }

    #[test]
    fn while_the_first_pat_is_made() {
        leaves_nothing(pats("POST").hold_after(), Signal::TERM);
    }

    #[test]
    fn before_the_second_is_made() {
        leaves_nothing(pats("POST").nth(2).hold_before(), Signal::TERM);
    }

    #[test]
    fn while_a_later_one_is_made() {
        leaves_nothing(pats("POST").nth(3).hold_after(), Signal::INT);
    }

    #[test]
    fn while_one_is_changed() {
        leaves_nothing(pats("PUT").hold_after(), Signal::TERM);
    }

    #[test]
    fn while_one_is_revoked() {
        leaves_nothing(pats("DELETE").hold_before(), Signal::TERM);
    }

    #[test]
    fn while_one_is_tried() {
        leaves_nothing(Fault::on(Service::DevOps).method("GET").nth(3).hold_before(), Signal::TERM);
    }

    #[test]
    fn while_entra_is_looked_at() {
        leaves_nothing(Fault::on(Service::Entra).path("devicecode").hold_before(), Signal::TERM);
    }

    #[test]
    fn or_is_killed_and_the_next_run_clears_up() {
        let mut machine = Machine::new();
        let (run, hold) = held(&machine, pats("PUT").hold_before());
        support::signal(&run, Signal::KILL);
        machine.wait(run);
        hold.release();
        machine.run().expect(8);
        machine.arguments(&["--revoke-older"]).run().expect(0);
        machine.nothing_is_left();
    }

    #[test]
    fn and_the_answer_that_told_of_a_pat_never_came() {
        let machine = Machine::new();
        let (run, hold) = held(&machine, pats("POST").nth(2).hold_after());
        support::signal(&run, Signal::TERM);
        machine.wait(run).expect(143);
        hold.release();
        machine.nothing_is_left();
    }
}

#[test]
fn a_pat_whose_making_was_not_answered_is_found_and_revoked() {
    let machine = Machine::new();
    machine.emulator.order(Fault::on(Service::Pats).method("POST").nth(2).lose_answer());
    machine.run().expect(0);
    machine.nothing_is_left();
}

#[test]
fn a_pat_that_should_have_been_refused_is_revoked() {
    // An empty name, and an end in over a year, as a more generous service would take them.
    let machine = Machine::new();
    let generous = |request: &http::Request<bytes::Bytes>| {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        body.contains("\"displayName\":\"\"")
    };
    let emulator = &machine.emulator;
    let nameless = emulator.add_pat(NewPat::named("to be taken for it"));
    let shown = serde_json::json!({
        "patToken": {"displayName": "", "authorizationId": nameless.authorization_id, "scope": "vso.gallery",
            "validTo": nameless.valid_to.to_string(), "validFrom": nameless.valid_from.to_string(),
            "targetAccounts": [], "token": nameless.value},
        "patTokenError": "none",
    });
    let answer = adopat_emulator::response(200, &[("content-type", "application/json")], shown.to_string());
    emulator.order(
        Fault::on(Service::Pats)
            .method("POST")
            .when(generous)
            .instead(adopat_emulator::Instead::Response(answer)),
    );
    let ended = machine.run();
    ended.expect(0);
    assert_eq!(ended.different(), ["refusal-name"]);
    let pat = emulator.pat(nameless.authorization_id).expect("it was there");
    assert_eq!(pat.status, PatStatus::Revoked);
}

#[test]
fn a_run_whose_time_is_over_leaves_nothing() {
    let mut machine = Machine::new();
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("PUT").hold_before());
    let ended = machine.input("TIMEOUT", "4s").run();
    ended.expect(6).says("The time is over");
    hold.release();
    machine.nothing_is_left();
}

#[test]
fn a_service_that_fails_in_the_midst_leaves_nothing() {
    let machine = Machine::new();
    machine.emulator.order(Fault::on(Service::Pats).method("PUT").internal_error().always());
    machine.emulator.order(Fault::on(Service::DevOps).method("GET").reset().always());
    let ended = machine.run();
    ended.expect(0);
    machine.nothing_is_left();
}

#[test]
fn what_cannot_be_revoked_is_named() {
    let machine = Machine::new();
    machine.emulator.order(Fault::on(Service::Pats).method("DELETE").nth(2).always().answer(403, &[], "{}"));
    let ended = machine.run();
    let alive: Vec<_> = machine.made().into_iter().filter(|pat| pat.status == PatStatus::Active).collect();
    assert!(!alive.is_empty());
    ended.expect(6);
    for pat in alive {
        ended.says(&format!("The PAT {} may still be alive", pat.authorization_id));
    }
    assert!(ended.report.contains("may still be alive"), "{}", ended.report);
}

#[test]
fn what_is_revoked_in_words_alone_is_named() {
    let mut machine = Machine::new();
    machine.emulator.order(Fault::on(Service::Pats).method("DELETE").always().answer(204, &[], ""));
    let ended = machine.input("TIMEOUT", "8s").run();
    ended.expect(6);
    let alive: Vec<_> = machine.made().into_iter().filter(|pat| pat.status == PatStatus::Active).collect();
    assert!(!alive.is_empty());
    for pat in alive {
        ended.says(&format!("The PAT {} may still be alive", pat.authorization_id));
    }
}

#[test]
fn an_access_token_that_ends_soon_ends_the_looking_in_time_to_clean_up() {
    let mut machine = Machine::new();
    machine.emulator.order(Fault::on(Service::Entra).path("/token").rewrite(|mut answer| {
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        let mut json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        json["expires_in"] = 123.into();
        *answer.body_mut() = bytes::Bytes::from(json.to_string());
        answer
    }));
    let ended = machine.input("TIMEOUT", "5m").run();
    ended.expect(6).says("The time is over");
    machine.nothing_is_left();
}

#[test]
fn a_service_whose_budget_is_low_is_left_alone_for_a_while() {
    let machine = Machine::new();
    machine.emulator.order(Fault::on(Service::Pats).method("PUT").rewrite(|mut answer| {
        let headers = answer.headers_mut();
        headers.insert("X-RateLimit-Limit", http::HeaderValue::from_static("200"));
        headers.insert("X-RateLimit-Remaining", http::HeaderValue::from_static("10"));
        let later = (jiff::Timestamp::now().as_second() + 3).to_string();
        headers.insert("X-RateLimit-Reset", http::HeaderValue::try_from(later).expect("a number"));
        answer
    }));
    machine.run().expect(0);
    let requests = machine.emulator.requests();
    let put = requests.iter().position(|request| request.method == "PUT").expect("a PUT");
    let rested = requests[put + 1].at.duration_since(requests[put].at);
    assert!(rested >= jiff::SignedDuration::from_secs(2), "{rested:?}");
}
