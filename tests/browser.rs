//! Signing in with a real browser: Chromium opens the address that adopat prints, and clicks through the pages as
//! a person would. Where there is no Chromium these tests say so and pass.
#![cfg(unix)]

#[path = "support/chromium.rs"]
mod chromium;
mod support;

use std::time::Duration;

use adopat_emulator::{DeviceCodePolicy, Emulator, Recorded, Service, cast};
use chromium::Browser;
use rstest::rstest;
use support::{Followed, Host, Machine};

/// A machine on which nobody has signed in yet; Entra may be asked every second whether somebody has.
fn new_machine(host: Host, operation: &str) -> Machine {
    let machine = Machine::with(Emulator::start(), host, operation);
    machine.emulator.set_device_code_policy(DeviceCodePolicy {
        interval: Duration::from_secs(1),
        ..DeviceCodePolicy::default()
    });
    std::fs::remove_file(machine.store()).expect("there was one");
    machine
}

/// What adopat asks a person to open, as they read it.
#[track_caller]
fn address_in(line: &str) -> String {
    // The runner undoes what a command escapes.
    let line = if line.starts_with("::notice::") { line.replace("%25", "%") } else { line.to_owned() };
    let address = line[line.find("http").expect("an address")..].split_whitespace().next();
    address.expect("an address").to_owned()
}

/// The address and the code that a device shows, as a person reads them.
#[track_caller]
fn address_and_code(run: &Followed) -> (String, String) {
    let line = run.line_with("enter the code");
    let (_, code) = line.split_once("enter the code ").expect("a code");
    (address_in(&line), code.split_whitespace().next().expect("a code").to_owned())
}

/// From the account to the permissions.
#[track_caller]
fn sign_in(browser: &Browser) {
    let words = browser.page("Pick an account");
    assert!(words.contains(&cast::CLIENT_ID.to_string()), "which app it is: {words}");
    assert!(!words.contains(cast::SERVICE_PRINCIPAL), "people only: {words}");
    browser.choose(cast::PERSON);
    browser.press("Next");
    assert!(browser.page("Enter password").contains(cast::PERSON));
    browser.press("Sign in");
    assert_eq!(browser.complaint(), "Enter a password; any word will do.");
    browser.fill_in("Password", "stand-in");
    browser.press("Sign in");
    assert!(browser.page("Approve sign in request").contains("42"));
    browser.press("I have approved it");
    let words = browser.page("Permissions requested");
    for permission in ["vso.pats", "vso.pats_manage", "vso.variablegroups_manage", "offline_access"] {
        assert!(words.lines().any(|line| line == permission), "{permission} is not in {words}");
    }
}

#[track_caller]
fn enter(browser: &Browser, code: &str) {
    browser.page("Enter code");
    browser.fill_in("The code that your device shows", code);
    browser.press("Next");
}

/// The store holds a token with which a PAT is made, with nobody at the browser.
#[track_caller]
fn a_following_run_makes_a_pat(machine: &mut Machine) {
    assert!(machine.emulator.refresh_token_is_valid(machine.read("refresh-token").trim()));
    let file = machine.path("pat");
    machine.without("credential").input("display-name", "nightly").input("scope", "vso.code");
    machine.input("output-file", file).input("output-format", "token").run_as("create").run().expect(0);
    assert_eq!(machine.active("nightly").len(), 1);
}

fn redeemed(machine: &Machine) -> Vec<Recorded> {
    let requests = machine.emulator.requests_to(Service::Entra).into_iter();
    requests.filter(|request| request.form("code").is_some()).collect()
}

// by device code

#[test]
fn a_person_who_logs_in_by_device_code_leaves_a_token_for_the_pipeline() {
    let Some(browser) = Browser::start("a_person_who_logs_in_by_device_code_leaves_a_token_for_the_pipeline")
    else {
        return;
    };
    let mut machine = new_machine(Host::Generic, "login");
    let run = machine.follow();
    let (address, code) = address_and_code(&run);
    browser.open(&address);
    enter(&browser, &code);
    sign_in(&browser);
    browser.press("Accept");
    assert!(browser.page("You have signed in").contains("You may close this window."));
    let ended = machine.end(run);
    ended.expect(0);
    assert!(ended.stdout.contains(&format!("client-id: {}", cast::CLIENT_ID)), "{}", ended.stdout);
    a_following_run_makes_a_pat(&mut machine);
}

#[rstest]
#[case::at_the_account("Pick an account", "Cancel")]
#[case::at_the_permissions("Permissions requested", "Decline")]
fn a_person_who_declines_the_device_ends_the_login(#[case] page: &str, #[case] button: &str) {
    let Some(browser) = Browser::start("a_person_who_declines_the_device_ends_the_login") else { return };
    let machine = new_machine(Host::Generic, "login");
    let run = machine.follow();
    let (address, code) = address_and_code(&run);
    browser.open(&address);
    enter(&browser, &code);
    if page == "Permissions requested" {
        sign_in(&browser);
    }
    browser.page(page);
    browser.press(button);
    assert!(browser.page("You have declined").contains("Your device gets nothing."));
    let ended = machine.end(run);
    ended.expect(3).says("AADSTS65004").says("declined").says("accept");
    assert_eq!(ended.stdout, "");
    assert!(!machine.store().exists());
}

#[test]
fn a_code_that_is_wrong_used_or_late_is_said_to_be_and_the_right_one_is_taken() {
    let Some(browser) =
        Browser::start("a_code_that_is_wrong_used_or_late_is_said_to_be_and_the_right_one_is_taken")
    else {
        return;
    };
    let machine = new_machine(Host::Generic, "login");
    let run = machine.follow();
    let (address, code) = address_and_code(&run);
    browser.open(&address);
    enter(&browser, "NONSENSE");
    assert_eq!(browser.complaint(), "That code didn't work. Check the code and try again.");
    // As somebody types it who does not see that it is in capitals.
    enter(&browser, &code.to_lowercase());
    sign_in(&browser);
    browser.press("Accept");
    browser.page("You have signed in");
    machine.end(run).expect(0);

    browser.open(&address);
    enter(&browser, &code);
    assert!(browser.complaint().starts_with("That code has been used already."));

    std::fs::remove_file(machine.store()).expect("there is one");
    let run = machine.follow();
    let (address, code) = address_and_code(&run);
    browser.open(&address);
    machine.emulator.expire_device_code(&code);
    enter(&browser, &code);
    assert!(browser.complaint().starts_with("That code has expired."));
    machine.end(run).expect(3).says("AADSTS70019");
}

#[rstest]
fn a_person_at_a_browser_lets_a_job_make_its_pat(#[values(Host::GitHub, Host::Azure)] host: Host) {
    let Some(browser) = Browser::start("a_person_at_a_browser_lets_a_job_make_its_pat") else { return };
    let mut machine = new_machine(host, "create");
    machine.input("credential", "device-code").input("display-name", "nightly").input("scope", "vso.code");
    let run = machine.follow();
    let (address, code) = address_and_code(&run);
    browser.open(&address);
    enter(&browser, &code);
    sign_in(&browser);
    browser.press("Accept");
    browser.page("You have signed in");
    machine.end(run).expect(0);
    assert_eq!(machine.active("nightly").len(), 1);
}

// by the browser of this machine

#[test]
fn a_person_who_logs_in_by_browser_comes_back_to_adopats_own_page() {
    let Some(browser) = Browser::start("a_person_who_logs_in_by_browser_comes_back_to_adopats_own_page")
    else {
        return;
    };
    let mut machine = new_machine(Host::Generic, "login");
    machine.input("credential", "browser");
    let run = machine.follow();
    browser.open(&address_in(&run.line_with("/oauth2/v2.0/authorize?")));
    sign_in(&browser);
    browser.press("Accept");
    let words = browser.page("Go back to the terminal");
    assert!(words.contains("adopat has received the answer"), "{words}");
    let ended = machine.end(run);
    ended.expect(0);
    let redeemed = redeemed(&machine);
    assert_eq!(redeemed.len(), 1);
    assert!(redeemed[0].form("code_verifier").is_some_and(|verifier| verifier.len() >= 43), "PKCE");
    a_following_run_makes_a_pat(&mut machine);
}

#[rstest]
#[case::at_the_account("Cancel")]
#[case::at_the_permissions("Decline")]
fn a_person_who_declines_in_the_browser_is_told_where_the_reason_stands(#[case] button: &str) {
    let Some(browser) =
        Browser::start("a_person_who_declines_in_the_browser_is_told_where_the_reason_stands")
    else {
        return;
    };
    let mut machine = new_machine(Host::Generic, "login");
    machine.input("credential", "browser");
    let run = machine.follow();
    browser.open(&address_in(&run.line_with("/oauth2/v2.0/authorize?")));
    if button == "Decline" {
        sign_in(&browser);
    }
    browser.press(button);
    assert!(browser.page("Not signed in").contains("the terminal says why"));
    let ended = machine.end(run);
    ended.expect(3).says("AADSTS65004").says("declined");
    assert!(!machine.store().exists() && redeemed(&machine).is_empty());
}

#[test]
fn an_address_that_is_not_the_apps_is_refused_on_a_page() {
    let Some(browser) = Browser::start("an_address_that_is_not_the_apps_is_refused_on_a_page") else {
        return;
    };
    let mut machine = new_machine(Host::Generic, "login");
    machine.input("credential", "browser").input("timeout", "30s");
    let run = machine.follow();
    let address = address_in(&run.line_with("/oauth2/v2.0/authorize?"));
    let elsewhere =
        address.replace("redirect_uri=http%3A%2F%2Flocalhost", "redirect_uri=http%3A%2F%2Fexample.com");
    assert_ne!(address, elsewhere);
    browser.open(&elsewhere);
    let words = browser.page("Sorry, but we're having trouble signing you in.");
    assert!(words.contains("AADSTS50011"), "{words}");
    support::signal(&run.child, rustix::process::Signal::TERM);
    machine.end(run).expect(143);
}
