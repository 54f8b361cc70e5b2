//! A change of a PAT that the service made, though its answer was lost: whatever the next try is told, the run says what
//! is so, and where nobody can tell, it says that.

mod support;

use std::time::Duration;

use adopat_emulator::{Emulator, Fault, NewPat, Pat, PatStatus, Policies, Service};
use rstest::rstest;
use support::{Ended, Host, Machine, github_runner};

/// What revokes or changes a PAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Revoke,
    Rotate,
    Keep,
    Extend,
    Rename,
    /// A create that takes back what it made.
    RollBack,
    Exec,
    LastStep,
}

use Deed::{Exec, Extend, Keep, LastStep, Rename, Revoke, RollBack, Rotate};

/// What the second try is told.
#[derive(Clone, Copy, Debug)]
enum Second {
    Refused,
    NotSignedIn,
    NoSuchPat,
    SignInPage,
    Redirected,
    Fails,
    Nonsense,
}

use Second::{Fails, NoSuchPat, Nonsense, NotSignedIn, Redirected, Refused, SignInPage};

impl Deed {
    fn method(self) -> &'static str {
        if matches!(self, Keep | Extend | Rename) { "PUT" } else { "DELETE" }
    }

    /// A machine that is about to do it, and the PAT that is there before, if one is.
    fn machine(self) -> (Machine, Option<Pat>) {
        let longest_lifespan = (self == RollBack).then(|| Duration::from_secs(600));
        let emulator = Emulator::builder().policies(Policies { longest_lifespan, ..Policies::default() });
        let operation = match self {
            Revoke => "revoke",
            Rotate | Keep => "rotate",
            Extend | Rename => "update",
            RollBack | LastStep => "create",
            Exec => "exec",
        };
        let mut machine = Machine::with(emulator.start(), Host::GitHub, operation);
        machine.input("display-name", "nightly");
        let there = matches!(self, Revoke | Rotate | Keep | Extend | Rename);
        let there = there.then(|| machine.emulator.add_pat(NewPat::named("nightly")));
        match self {
            Keep => drop(machine.input("keep-previous-for", "2h")),
            Extend => drop(machine.input("lifetime", "60d")),
            Rename => drop(machine.input("new-display-name", "weekly")),
            RollBack => drop(machine.input("scope", "vso.code").input("on-shortened-lifetime", "fail")),
            Exec => drop(machine.input("scope", "vso.code").arguments(&["exec", "--", "/bin/true"])),
            LastStep => {
                machine.input("scope", "vso.code").input("revoke-on-completion", "true");
                machine.set("ADOPAT_LAUNCHER", "1").run().expect(0);
                let saved = github_runner::pairs(&machine.read("GITHUB_STATE")).expect("pairs");
                let (_, pending) =
                    saved.into_iter().rfind(|(name, _)| name == "adopat_pending").expect("saved");
                machine.set("STATE_adopat_pending", pending).run_as("complete");
            }
            Revoke | Rotate => {}
        }
        (machine, there)
    }

    /// The exit code if it is known that it was done.
    fn code(self) -> i32 {
        if self == RollBack { 4 } else { 0 }
    }

    /// What says that it was done.
    fn words(self) -> &'static str {
        match self {
            Revoke | Exec | LastStep => "Revoked ",
            Rotate => "revoked ",
            Keep => "stays valid until",
            Extend | Rename => "Updated ",
            RollBack => "has been revoked",
        }
    }
}

/// The first try is acted on, and nobody hears; every other is told this.
fn order(machine: &Machine, method: &str, second: Second) {
    let fault = || Fault::on(Service::Pats).method(method);
    machine.emulator.order(fault().lose_answer());
    let others = match second {
        Refused => fault().answer(403, &[], ""),
        NotSignedIn => fault().answer(401, &[], ""),
        NoSuchPat => return,
        SignInPage => fault().sign_in_page(),
        Redirected => fault().sign_in_redirect(),
        Fails => fault().internal_error(),
        Nonsense => fault().body("[1]"),
    };
    machine.emulator.order(others.always());
}

/// What became of it: the PAT that it was about is revoked, or is changed.
fn is_done(deed: Deed, machine: &Machine, there: Option<&Pat>) -> bool {
    let pats = machine.emulator.pats();
    let pat = match there {
        Some(there) => pats.iter().find(|pat| pat.authorization_id == there.authorization_id).expect("there"),
        None => &pats[0],
    };
    if deed.method() == "PUT" { Some(pat) != there } else { pat.status == PatStatus::Revoked }
}

fn warns(ended: &Ended) -> bool {
    ended.stdout.contains("::warning::")
}

#[rstest]
fn what_the_first_try_did_is_told_as_done(
    #[values(Revoke, Rotate, Keep, Extend, Rename, RollBack, Exec, LastStep)] deed: Deed,
    #[values(Refused, NotSignedIn, NoSuchPat, SignInPage, Redirected, Fails, Nonsense)] second: Second,
) {
    let (machine, there) = deed.machine();
    order(&machine, deed.method(), second);
    let ended = machine.run();
    assert!(is_done(deed, &machine, there.as_ref()));
    ended.expect(deed.code()).says(deed.words());
    assert!(!warns(&ended), "{}", ended.words());
    if matches!(deed, Revoke | Extend | Rename) {
        assert_eq!(machine.outputs(&ended)["changed"], "true");
    }
}

#[rstest]
fn what_not_even_the_list_tells_is_not_told_as_known(
    #[values(Revoke, Rotate, Keep, Extend, RollBack, Exec, LastStep)] deed: Deed,
    #[values(Refused, SignInPage, Fails)] second: Second,
) {
    let (machine, there) = deed.machine();
    order(&machine, deed.method(), second);
    let look = Fault::on(Service::Pats).method("GET").nth(if there.is_some() { 2 } else { 1 });
    machine.emulator.order(look.internal_error().always());
    let ended = machine.run();
    assert!(is_done(deed, &machine, there.as_ref()));
    ended.says("may ");
    let words = ended.words().to_lowercase();
    for known in
        ["still lives", "still alive:", "as it was", "gone already", "revoked '", "; revoked ", "updated "]
    {
        let known = words
            .lines()
            .filter(|line| !line.contains("may still be alive"))
            .any(|line| line.contains(known));
        assert!(!known, "{}", ended.words());
    }
    if deed == Extend || deed == Revoke {
        assert_ne!(ended.code, Some(0));
    }
}

/// What a gateway gave up on may come to be in a moment; a service that says that it has failed is done.
#[rstest]
#[case::the_service_failed(Fault::on(Service::Pats).internal_error(), "still lives")]
#[case::a_gateway_gave_up(Fault::on(Service::Pats).unavailable(), "may still live")]
fn a_pat_that_the_list_shows_lives_unless_the_service_may_be_at_work(
    #[case] fault: Fault,
    #[case] words: &str,
) {
    let (machine, there) = Rotate.machine();
    machine.emulator.order(fault.method("DELETE").always());
    let ended = machine.run();
    assert!(!is_done(Rotate, &machine, there.as_ref()));
    ended.expect(0).says(&format!("could not be revoked and {words}"));
}

/// Not a try of this run's: the PAT was gone before.
#[test]
fn what_another_revoked_is_told_as_gone() {
    let (machine, there) = Revoke.machine();
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("DELETE").hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(20)));
    let now = machine.emulator.now();
    machine.emulator.services().services.revoke_pat(there.expect("there").authorization_id, now);
    hold.release();
    let ended = machine.wait(run);
    ended.expect(0).says("was gone already");
    assert_eq!(machine.outputs(&ended)["changed"], "false");
}
