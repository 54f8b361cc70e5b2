//! Limits that an administrator, a container or a shell sets: a run that meets one fails as any other, and leaves
//! nothing over.
#![cfg(target_os = "linux")]

mod support;

use adopat_emulator::cast;
use rstest::rstest;
use support::{Host, Machine};

/// One that signs in with what it must not store, so that the first file it writes is the PAT's.
fn creating(host: Host) -> Machine {
    let mut machine = Machine::new(host, "create");
    let token = machine.emulator.access_token(cast::PERSON);
    machine.without("credential-store").input("access-token", token);
    machine.input("display-name", "nightly").input("scope", "vso.code");
    std::fs::remove_file(machine.store()).expect("removed");
    machine
}

/// How a limit on the size of files is met: by what is written, and when.
#[derive(Clone, Copy, Debug)]
enum Written {
    OutputFile,
    Delivered,
    CommandFile,
}

#[rstest]
fn a_file_that_may_not_grow_ends_the_write_and_not_the_run(
    #[values(Written::OutputFile, Written::Delivered, Written::CommandFile)] what: Written,
    #[values("ulimit -f 0", "trap '' XFSZ; ulimit -f 0")] limit: &str,
) {
    let mut machine = creating(match what {
        Written::CommandFile => Host::GitHub,
        _ => Host::Generic,
    });
    match what {
        Written::OutputFile => machine.input("output-file", "pat.json"),
        Written::Delivered => {
            let file = machine.file("pat");
            machine.input("deliver-to", file)
        }
        Written::CommandFile => &mut machine,
    };
    let run = machine.in_a_shell(limit).spawn().expect("a shell starts");
    // Besides, the machine looks for a token in whatever was left behind.
    machine.wait(run).expect(7).says("has been revoked");
    assert_eq!(machine.emulator.pats().len(), 1, "one was made");
    assert!(machine.active("nightly").is_empty(), "and it is revoked");
    assert_eq!(machine.read("GITHUB_OUTPUT"), "");
    for name in ["pat.json", "pat"] {
        assert!(!machine.path(name).exists(), "{name}");
    }
}

#[test]
fn a_refresh_token_that_may_not_be_stored_ends_the_run_and_keeps_what_was_there() {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    let before = machine.read("refresh-token");
    let run = machine.in_a_shell("ulimit -f 0").spawn().expect("a shell starts");
    machine.wait(run).expect(7);
    assert!(machine.emulator.pats().is_empty());
    assert_eq!(machine.read("refresh-token"), before);
}

/// Files, processes and memory that are to be had no more: the run may fail, but not die of it and not leave a PAT.
#[rstest]
fn what_runs_short_is_no_reason_to_leave_a_pat(
    #[values(
        "ulimit -n 4",
        "ulimit -n 6",
        "ulimit -n 8",
        "ulimit -n 10",
        "ulimit -n 12",
        "ulimit -n 16",
        "ulimit -c 0; ulimit -s 1024"
    )]
    limit: &str,
) {
    let machine = creating(Host::GitHub);
    let run = machine.in_a_shell(limit).spawn().expect("a shell starts");
    let ended = machine.wait(run);
    let code = ended.code.expect("no signal killed it");
    let active = machine.active("nightly").len();
    let delivered = machine.read("GITHUB_OUTPUT").contains("token<<");
    assert_eq!((active, code == 0), (usize::from(delivered), delivered), "{}", ended.words());
    assert!(!ended.words().contains("defect"), "{}", ended.words());
}
