//! Every operation x every request it sends x every fault, over a simulated wire; and a sample of it with the real
//! binary over a real one.
#![allow(clippy::duplicate_mod, reason = "both kinds of run are held against the truth")]

#[path = "simulation/mod.rs"]
mod simulation;
mod support;

use adopat_emulator::{Fault, HOSTILE_TEXTS, NewPat, RetryAfter, Service};
use rstest::rstest;
use simulation::{campaign, kinds, matrix};
use support::{Host, Machine};

#[test]
fn every_promise_holds_after_every_fault_at_every_request_of_every_operation() {
    let matrix = matrix::run(campaign::folder().path());
    let count = matrix.broken.len();
    assert!(
        matrix.broken.is_empty(),
        "{count} broken, such as:\n{}",
        matrix.broken[..count.min(5)].join("\n")
    );
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let written = std::fs::read_to_string(page).unwrap_or_default();
    let kinds = written.find(kinds::TITLE).unwrap_or(written.len());
    let (of_the_matrix, of_the_kinds) = written.split_at(kinds);
    assert!(
        of_the_matrix == matrix::page(&matrix) && kinds::is_held(of_the_kinds),
        "docs/reliability.md is not up to date: run 'cargo run --example reliability'"
    );
}

fn faults(service: Service, method: &str) -> Vec<Fault> {
    let fault = || Fault::on(service).method(method);
    let mut faults = vec![
        fault().reset(),
        fault().lose_answer(),
        fault().close_without_answer(),
        fault().cut_after(25),
        fault().throttle(RetryAfter::Seconds(1)),
        fault().throttle(RetryAfter::DateIn(1)),
        fault().unavailable(),
        fault().internal_error(),
        fault().sign_in_page(),
        fault().truncate(),
        fault().oversize(),
        fault().content_type("text/html"),
        fault().body(&b"\xff\xfe\x00{"[..]),
    ];
    faults.extend(HOSTILE_TEXTS.map(|text| fault().body(text)));
    faults
}

#[rstest]
#[case(Service::Entra, "POST")]
#[case(Service::Pats, "GET")]
#[case(Service::Pats, "POST")]
#[case(Service::Pats, "DELETE")]
fn the_real_binary_loses_nothing_either(#[case] service: Service, #[case] method: &str) {
    // Each looks for 15 s for what it may have made: side by side.
    std::thread::scope(|scope| {
        for (number, fault) in faults(service, method).into_iter().enumerate() {
            scope.spawn(move || loses_nothing(number, fault, service, method));
        }
    });
}

fn loses_nothing(number: usize, fault: Fault, service: Service, method: &str) {
    let mut machine = Machine::new(Host::GitHub, "rotate");
    machine.input("display-name", "nightly");
    let old = machine.emulator.add_pat(NewPat::named("nightly"));
    machine.emulator.order(fault);
    let ended = machine.run();
    let words = ended.words();
    let place = format!("fault {number} at {service:?} {method}:\n{words}");
    assert!(matches!(ended.code, Some(0 | 3 | 4 | 6)), "{place}");
    let delivered = machine.read("GITHUB_OUTPUT");
    let alive = machine.active("nightly");
    for pat in &alive {
        let was_there = pat.authorization_id == old.authorization_id;
        let named = words.contains(&pat.authorization_id.to_string());
        assert!(was_there || delivered.contains(&pat.value) || named, "{place}");
    }
    let old_lives = alive.iter().any(|pat| pat.authorization_id == old.authorization_id);
    let named = words.contains(&old.authorization_id.to_string());
    assert!(if ended.code == Some(0) { !old_lives || named } else { old_lives }, "{place}");
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")), "{place}");
    assert!(!words.lines().any(|line| line.contains("##vso[") || line.contains("##[")), "{place}");
    assert!(!words.contains('\u{1b}'), "{place}");
}
