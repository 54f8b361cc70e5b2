//! The action and the task as their hosts run them: `node launcher/main.js`, then `post.js`, with each host's
//! environment, files and standard output, read back by strict parsers.

mod support;

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use adopat_emulator::{Fault, NewPat, Service};
use rstest::rstest;
use support::{Ended, Host, Machine, azure_agent, github_runner};

const LONG: Duration = Duration::from_secs(20);

/// Whether this machine has node; without it these tests say that they are skipped.
fn has_node(test: &str) -> bool {
    let found = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: {test}: node is not installed");
    }
    found
}

/// A job's step on a host: its inputs in the host's own spelling.
fn step(host: Host, operation: &str, inputs: &[(&str, &str)]) -> Machine {
    let mut machine = Machine::new(host, operation);
    machine.set("PATH", std::env::var_os("PATH").unwrap_or_default());
    machine.set("ADOPAT_BINARY", support::BINARY);
    let mut all = vec![("operation", operation)];
    all.extend_from_slice(inputs);
    for (name, value) in all {
        let name = match host {
            Host::Azure => name.replace('-', "").to_uppercase(),
            _ => name.to_uppercase(),
        };
        machine.set(&format!("INPUT_{name}"), value);
    }
    machine
}

/// Starts one of the launcher's scripts, as the host does.
fn start(machine: &Machine, script: &str) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("launcher").join(script);
    let command = machine.command();
    let mut node = Command::new("node");
    node.arg(script).env_clear().current_dir(machine.folder.path());
    node.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    node.stdin(std::process::Stdio::null());
    node.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    node.spawn().expect("node starts")
}

/// Hands what a step saved to what comes after it, as the host does.
fn hand_on(machine: &mut Machine, host: Host, printed: &str) {
    match host {
        Host::Azure => {
            for command in azure_agent::commands(printed, true) {
                if command.name == "task.settaskvariable" {
                    let name = command.properties["variable"].to_uppercase();
                    machine.set(&format!("VSTS_TASKVARIABLE_{name}"), command.data);
                }
            }
        }
        _ => {
            let state = github_runner::pairs(&machine.read("GITHUB_STATE")).expect("a state file");
            for (name, value) in state {
                machine.set(&format!("STATE_{name}"), value);
            }
        }
    }
}

fn run(machine: &Machine, script: &str) -> Ended {
    machine.wait(start(machine, script))
}

const CREATE: &[(&str, &str)] =
    &[("display-name", "nightly"), ("scope", "vso.packaging"), ("revoke-on-completion", "true")];
const ROTATE: &[(&str, &str)] = &[("display-name", "nightly"), ("revoke-on-completion", "true")];
const NAMED: &[(&str, &str)] = &[("display-name", "nightly")];
const NONE: &[(&str, &str)] = &[];
const UPDATE: &[(&str, &str)] = &[("display-name", "nightly"), ("scope", "vso.build")];

#[rstest]
fn every_operation_succeeds_is_refused_and_is_cancelled_through_the_launcher(
    #[values(Host::GitHub, Host::Azure)] host: Host,
    #[values(("create", CREATE), ("rotate", ROTATE), ("revoke", NAMED), ("update", UPDATE), ("list", NONE))]
    operation: (&str, &[(&str, &str)]),
) {
    if !has_node("every_operation_succeeds_is_refused_and_is_cancelled_through_the_launcher") {
        return;
    }
    let (operation, inputs) = operation;
    let prepared = || {
        let machine = step(host, operation, inputs);
        if operation != "create" {
            machine.emulator.add_pat(NewPat::named("nightly"));
        }
        machine
    };
    run(&prepared(), "main.js").expect(0);

    let refused = prepared();
    refused
        .emulator
        .order(Fault::on(Service::Pats).answer(403, &[("Content-Type", "application/json")], "{}").always());
    run(&refused, "main.js").expect(4);

    let cancelled = prepared();
    let before = cancelled.active("nightly").len();
    let hold = cancelled.emulator.order(Fault::on(Service::Pats).hold_before());
    let child = start(&cancelled, "main.js");
    assert!(hold.wait_until_held(LONG), "the first call to the PAT service");
    support::signal(&child, rustix::process::Signal::INT);
    std::thread::sleep(Duration::from_millis(300));
    hold.release();
    cancelled.wait(child).expect(130);
    assert_eq!(cancelled.active("nightly").len(), before);
}

#[rstest]
fn what_a_step_created_a_later_step_reads_and_the_last_step_revokes(
    #[values(Host::GitHub, Host::Azure)] host: Host,
) {
    if !has_node("what_a_step_created_a_later_step_reads_and_the_last_step_revokes") {
        return;
    }
    let mut machine = step(host, "create", CREATE);
    let ended = run(&machine, "main.js");
    ended.expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one PAT");
    let read = match host {
        Host::Azure => azure_agent::commands(&ended.stdout, true)
            .into_iter()
            .find(|command| command.name == "task.setvariable" && command.properties["variable"] == "ADO_PAT")
            .map(|command| command.data),
        _ => github_runner::pairs(&machine.read("GITHUB_OUTPUT"))
            .expect("an output file")
            .into_iter()
            .find(|(name, _)| name == "token")
            .map(|(_, value)| value),
    };
    assert_eq!(read.as_ref(), Some(&pat.value));
    hand_on(&mut machine, host, &ended.stdout);
    run(&machine, "post.js").expect(0).says(&pat.authorization_id.to_string());
    assert!(machine.active("nightly").is_empty());
    let again = run(&machine, "post.js");
    again.expect(0);
    assert!(!again.words().contains("warning"), "gone already is no matter:\n{}", again.words());
}

#[rstest]
fn the_last_step_is_silent_where_the_step_never_ran(#[values(Host::GitHub, Host::Azure)] host: Host) {
    if !has_node("the_last_step_is_silent_where_the_step_never_ran") {
        return;
    }
    let mut machine = step(host, "create", CREATE);
    machine.set("ADOPAT_BINARY", "/no/such/binary");
    let ended = run(&machine, "post.js");
    ended.expect(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
    assert!(machine.calls().is_empty());
}

#[rstest]
fn the_last_step_that_cannot_revoke_warns_with_the_id_and_fails_no_job(
    #[values(Host::GitHub, Host::Azure)] host: Host,
) {
    if !has_node("the_last_step_that_cannot_revoke_warns_with_the_id_and_fails_no_job") {
        return;
    }
    let mut machine = step(host, "create", CREATE);
    let ended = run(&machine, "main.js");
    hand_on(&mut machine, host, &ended.stdout);
    let [pat] = machine.active("nightly").try_into().expect("one PAT");
    machine.emulator.refuse_next_token_request(700_082);
    run(&machine, "post.js").expect(0).says(&pat.authorization_id.to_string()).says("AADSTS700082");
    machine.emulator.order(Fault::on(Service::Pats).method("DELETE").internal_error().always());
    run(&machine, "post.js").expect(0).says(&pat.authorization_id.to_string());
}

#[rstest]
fn killed_before_the_answer_to_the_post_the_last_step_leaves_no_pat(
    #[values(Host::GitHub, Host::Azure)] host: Host,
    #[values(("create", CREATE), ("rotate", ROTATE))] operation: (&str, &[(&str, &str)]),
) {
    if !has_node("killed_before_the_answer_to_the_post_the_last_step_leaves_no_pat") {
        return;
    }
    let mut machine = step(host, operation.0, operation.1);
    let kept = (operation.0 == "rotate").then(|| machine.emulator.add_pat(NewPat::named("nightly")));
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_after());
    let mut child = machine.spawn_binary_with_launcher();
    assert!(hold.wait_until_held(LONG));
    child.kill().expect("killed");
    let ended = machine.wait(child);
    hold.release();
    assert_eq!(machine.active("nightly").len(), 1 + usize::from(kept.is_some()), "it was made");
    hand_on(&mut machine, host, &ended.stdout);
    run(&machine, "post.js").expect(0);
    let left: Vec<_> = machine.active("nightly").iter().map(|pat| pat.authorization_id).collect();
    assert_eq!(left, kept.iter().map(|pat| pat.authorization_id).collect::<Vec<_>>());
}

#[rstest]
fn a_retried_attempt_deals_with_what_the_one_before_left(
    #[values(("create", CREATE), ("rotate", ROTATE))] operation: (&str, &[(&str, &str)]),
) {
    if !has_node("a_retried_attempt_deals_with_what_the_one_before_left") {
        return;
    }
    let host = Host::Azure;
    let mut machine = step(host, operation.0, operation.1);
    if operation.0 == "rotate" {
        machine.emulator.add_pat(NewPat::named("nightly"));
    }
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_after());
    let mut child = machine.spawn_binary_with_launcher();
    assert!(hold.wait_until_held(LONG));
    child.kill().expect("killed");
    let first = machine.wait(child);
    hold.release();
    hand_on(&mut machine, host, &first.stdout);
    let second = run(&machine, "main.js");
    second.expect(0);
    let [pat] = machine.active("nightly").try_into().expect("two attempts leave one");
    assert!(second.stdout.contains(&pat.value), "the one that was delivered");
    hand_on(&mut machine, host, &second.stdout);
    run(&machine, "post.js").expect(0);
    assert!(machine.active("nightly").is_empty());
}

#[rstest]
fn the_state_is_saved_before_the_post_before_anything_is_delivered_and_after_a_roll_back(
    #[values(Host::GitHub, Host::Azure)] host: Host,
) {
    if !has_node("the_state_is_saved_before_the_post_before_anything_is_delivered_and_after_a_roll_back") {
        return;
    }
    let mut machine = step(host, "create", CREATE);
    std::fs::create_dir(machine.path("folder")).expect("made");
    let file = machine.path("folder/pat.json");
    machine.input("output-file", file);
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_after());
    let child = start(&machine, "main.js");
    assert!(hold.wait_until_held(LONG));
    // It could be written when the run began.
    std::fs::remove_dir(machine.path("folder")).expect("removed");
    hold.release();
    let ended = machine.wait(child);
    ended.expect(7);
    let states: Vec<String> = match host {
        Host::Azure => azure_agent::commands(&ended.stdout, true)
            .into_iter()
            .filter(|command| command.name == "task.settaskvariable")
            .map(|command| command.data)
            .collect(),
        _ => {
            let pairs = github_runner::pairs(&machine.read("GITHUB_STATE")).expect("a state file");
            pairs.into_iter().map(|(_, value)| value).collect()
        }
    };
    let [before, after, rolled_back] = states.try_into().expect("saved three times");
    assert!(before.contains("nightly") && before.contains("\"authorization-id\":null"), "{before}");
    let made = machine.emulator.pats().pop().expect("it was made");
    assert!(after.contains(&made.authorization_id.to_string()), "{after}");
    assert_eq!(rolled_back, "[]", "nothing is pending any more");
}
