//! Several runs at once: whatever they do to one another, the store that they share holds a refresh token that
//! works, and no PAT lives that nobody was given.

mod support;

use std::collections::BTreeSet;
use std::process::Child;
use std::time::Duration;

use adopat_emulator::{AppRegistration, DeviceCodePolicy, Emulator, NewPat, cast};
use rstest::rstest;
use support::{Ended, Host, Machine, VAULT_APP, VAULT_APP_SECRET};

const KEY: &str = "FAKE correct horse battery staple";

/// Services whose refresh tokens work many times, as Entra's usually do; or once alone, the hardest case: what is
/// not stored then is lost.
fn services(one_time: bool, tls: bool) -> Emulator {
    let builder = Emulator::builder().tls(tls);
    if one_time { builder.one_time_refresh_tokens().start() } else { builder.start() }
}

fn sharing_a_file(one_time: bool) -> Machine {
    Machine::with(services(one_time, false), Host::Generic, "rotate")
}

fn sharing_a_vaults_secret(one_time: bool) -> Machine {
    let mut machine = Machine::with(services(one_time, true), Host::Generic, "rotate");
    let authority = machine.emulator.ca_pem_path().to_owned();
    let app = AppRegistration::new(VAULT_APP).single_tenant(cast::TENANT).secret(VAULT_APP_SECRET);
    machine.emulator.services().services.add_app(app);
    machine.emulator.add_vault_secret("refresh-token", machine.read("refresh-token").trim());
    std::fs::remove_file(machine.store()).expect("removed");
    let store = machine.vault_secret("refresh-token");
    machine.set("SSL_CERT_FILE", authority).opens_the_vault_by_secret().input("credential-store", store);
    machine
}

/// The names of so many PATs, each of which is there.
fn pats(machine: &Machine, count: usize) -> Vec<String> {
    let names: Vec<String> = (0..count).map(|number| format!("nightly-{number}")).collect();
    for name in &names {
        machine.emulator.add_pat(NewPat::named(name));
    }
    names
}

/// Starts a rotation for each name, all at once; each has a file of its own to be delivered to.
fn start(machine: &mut Machine, names: &[String]) -> Vec<Child> {
    let file = |number: usize| format!("delivered-{number}");
    let addresses: Vec<String> = (0..names.len()).map(|number| machine.file(&file(number))).collect();
    // All of them, so that the sweep of the folder knows what these files are meant to hold.
    machine.deliver_to(&addresses);
    let run = |(name, address): (&String, &String)| {
        let mut command = machine.command();
        command.env("ADOPAT_DISPLAY_NAME", name).env("ADOPAT_DELIVER_TO", address);
        command.spawn().expect("the binary starts")
    };
    names.iter().zip(&addresses).map(run).collect()
}

/// Waits for all of them; only then is the folder swept, in which each may still be writing.
fn end(machine: &Machine, mut runs: Vec<Child>) -> Vec<Ended> {
    for run in &mut runs {
        run.wait().expect("it ends");
    }
    runs.into_iter().map(|run| machine.wait(run)).collect()
}

/// The files to which the runs have delivered.
fn deliveries(machine: &Machine) -> Vec<String> {
    let entries = std::fs::read_dir(machine.folder.path()).expect("the folder").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("delivered-")).collect()
}

/// Every PAT that lives was there before, or has been handed to somebody.
#[track_caller]
fn nobody_is_missing_a_pat(machine: &Machine, before: &[String]) {
    let delivered: BTreeSet<String> = deliveries(machine).iter().map(|name| machine.read(name)).collect();
    for pat in machine.emulator.active_pats() {
        let known = before.contains(&pat.value) || delivered.contains(&pat.value);
        assert!(known, "{} ({}) lives, and nobody was given it", pat.display_name, pat.authorization_id);
    }
}

/// The next run has nothing but the store, and is content.
#[track_caller]
fn the_store_is_good_for_a_following_run(machine: &mut Machine, name: &str) {
    for name in deliveries(machine) {
        std::fs::remove_file(machine.path(&name)).expect("removed");
    }
    let address = machine.file("delivered-at-last");
    machine.deliver_to(&[address]).input("display-name", name).input("duplicates", "revoke");
    machine.run_as("rotate").run().expect(0);
    let [pat] = machine.active(name).try_into().expect("one is active");
    assert_eq!(machine.read("delivered-at-last"), pat.value);
}

/// A success, or a failure that is none of the PATs': where a refresh token works once, one of many runs can come
/// too late for it every time.
#[track_caller]
fn each_is_content_or_came_too_late(ended: &[Ended], one_time: bool) {
    let content = ended.iter().filter(|ended| ended.code == Some(0)).count();
    assert!(content > 0 && (one_time || content == ended.len()), "{ended:?}");
    for late in ended.iter().filter(|ended| ended.code != Some(0)) {
        late.expect(3).says("AADSTS70000").says("refresh token");
    }
}

fn values(machine: &Machine) -> Vec<String> {
    machine.emulator.active_pats().into_iter().map(|pat| pat.value).collect()
}

#[rstest]
fn sixteen_rotations_of_sixteen_pats_leave_a_good_token_in_their_file(#[values(false, true)] one_time: bool) {
    let mut machine = sharing_a_file(one_time);
    let names = pats(&machine, 16);
    let before = values(&machine);
    let runs = start(&mut machine, &names);
    let ended = end(&machine, runs);
    each_is_content_or_came_too_late(&ended, one_time);
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
    nobody_is_missing_a_pat(&machine, &before);
    for name in &names {
        assert_eq!(machine.active(name).len(), 1, "{name}");
    }
    the_store_is_good_for_a_following_run(&mut machine, &names[0]);
}

#[rstest]
fn sixteen_rotations_of_sixteen_pats_leave_a_good_token_in_their_vault(
    #[values(false, true)] one_time: bool,
) {
    let mut machine = sharing_a_vaults_secret(one_time);
    let names = pats(&machine, 16);
    let before = values(&machine);
    let runs = start(&mut machine, &names);
    let ended = end(&machine, runs);
    each_is_content_or_came_too_late(&ended, one_time);
    let secret = machine.emulator.vault_secret("refresh-token").expect("there");
    let content = ended.iter().filter(|ended| ended.code == Some(0)).count();
    assert_eq!(secret.versions.len(), 1 + content, "each has stored its own");
    let newest = secret.newest().expect("there");
    assert!(newest.enabled && machine.emulator.refresh_token_is_valid(&newest.value));
    nobody_is_missing_a_pat(&machine, &before);
    for name in &names {
        assert_eq!(machine.active(name).len(), 1, "{name}");
    }
    the_store_is_good_for_a_following_run(&mut machine, &names[0]);
}

#[rstest]
fn eight_rotations_of_one_pat_leave_none_that_nobody_was_given(
    #[values(None, Some("revoke"))] duplicates: Option<&str>,
    #[values(false, true)] one_time: bool,
) {
    let mut machine = sharing_a_file(one_time);
    machine.emulator.add_pat(NewPat::named("nightly"));
    if let Some(way) = duplicates {
        machine.input("duplicates", way);
    }
    let before = values(&machine);
    let runs = start(&mut machine, &["nightly"; 8].map(str::to_owned));
    let ended = end(&machine, runs);
    for ended in &ended {
        match ended.code {
            Some(3) if one_time => ended.says("AADSTS70000"),
            // Another run has made its own already: which of the two is meant, nobody can know.
            Some(5) if duplicates.is_none() => ended.says("duplicates"),
            _ => ended.expect(0),
        };
    }
    nobody_is_missing_a_pat(&machine, &before);
    assert!(!machine.active("nightly").is_empty(), "the last run is never left without one");
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
    the_store_is_good_for_a_following_run(&mut machine, "nightly");
}

#[rstest]
fn four_runs_that_seal_one_file_leave_it_whole(#[values(false, true)] one_time: bool) {
    let mut machine = sharing_a_file(one_time);
    let names = pats(&machine, 4);
    let seed = machine.read("refresh-token");
    std::fs::remove_file(machine.store()).expect("removed");
    machine.input("store-key", KEY).input("refresh-token", seed).run_as("list").run().expect(0);
    machine.without("refresh-token").run_as("rotate");
    let before = values(&machine);
    let runs = start(&mut machine, &names);
    let ended = end(&machine, runs);
    each_is_content_or_came_too_late(&ended, one_time);
    nobody_is_missing_a_pat(&machine, &before);
    the_store_is_good_for_a_following_run(&mut machine, &names[0]);
}

#[rstest]
fn runs_and_a_login_that_write_one_store_leave_a_good_token(
    #[values(None, Some(KEY))] key: Option<&str>,
    #[values(false, true)] one_time: bool,
) {
    let mut machine = sharing_a_file(one_time);
    let names = pats(&machine, 4);
    if let Some(key) = key {
        let seed = machine.read("refresh-token");
        std::fs::remove_file(machine.store()).expect("removed");
        machine.input("store-key", key).input("refresh-token", seed).run_as("list").run().expect(0);
        machine.without("refresh-token");
    }
    let interval = Duration::from_secs(1);
    machine.emulator.set_device_code_policy(DeviceCodePolicy { interval, ..DeviceCodePolicy::default() });
    let before = values(&machine);
    let login = machine.run_as("login").spawn();
    let code = machine.emulator.wait_for_device_code(Duration::from_secs(20)).expect("a code was asked for");
    machine.emulator.approve_device_code(&code, cast::PERSON);
    let mut runs = start(machine.run_as("rotate"), &names);
    runs.insert(0, login);
    let ended = end(&machine, runs);
    ended[0].expect(0);
    each_is_content_or_came_too_late(&ended, one_time);
    nobody_is_missing_a_pat(&machine, &before);
    the_store_is_good_for_a_following_run(&mut machine, &names[0]);
}
