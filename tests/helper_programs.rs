//! The programs that adopat starts to help it: none is handed a secret, none outlives its time, and none holds it up.
#![cfg(target_os = "linux")]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use adopat_emulator::cast;
use rstest::rstest;
use support::{Host, Machine};

/// What looks like a secret of this machine and is none that the emulator knows.
const SECRET: &str = "hunter2-hunter2";
/// Every way in which a host or a person names an input.
const SPELLINGS: [fn(&str) -> String; 5] = [
    |name| format!("INPUT_{}", name.to_uppercase()),
    |name| format!("INPUT_{}", name.to_uppercase().replace('-', "")),
    |name| format!("INPUT_{}", name.to_uppercase().replace('-', "_")),
    |name| format!("ADOPAT_{}", name.to_uppercase().replace('-', "_")),
    |name| format!("ADOPAT_{}", name.to_uppercase().replace('-', "")),
];

/// The programs that a run may start, each on a machine where a run does.
#[derive(Clone, Copy, Debug)]
enum Helper {
    AzForSigningIn,
    AzForAVault,
    BuildkiteAgent,
    Browser,
}

impl Helper {
    fn name(self) -> &'static str {
        match self {
            Self::AzForSigningIn | Self::AzForAVault => "az",
            Self::BuildkiteAgent => "buildkite-agent",
            Self::Browser => "xdg-open",
        }
    }

    /// A machine on which a run starts this program, whose shell does `then` once it has written down its environment
    /// and its process group.
    fn machine(self, then: &str) -> Machine {
        let mut machine = match self {
            Self::AzForSigningIn => Machine::new(Host::Generic, "list"),
            Self::AzForAVault => Machine::with_vault(Host::Generic, "list"),
            Self::BuildkiteAgent => Machine::new(Host::Generic, "create"),
            Self::Browser => Machine::new(Host::Generic, "login"),
        };
        match self {
            Self::AzForSigningIn => {
                machine.without("credential-store").without("client-id").input("credential", "azure-cli");
            }
            Self::AzForAVault => {
                let store = machine.vault_secret("refresh-token");
                machine.input("credential-store", store);
            }
            Self::BuildkiteAgent => {
                let file = machine.path("pat.json");
                machine
                    .input("display-name", "nightly")
                    .input("scope", "vso.code")
                    .input("output-file", file);
                machine.set("BUILDKITE", "true");
            }
            Self::Browser => {
                machine.input("credential", "browser").input("timeout", "2s").set("DISPLAY", ":0");
            }
        }
        let programs = machine.path("programs");
        std::fs::create_dir(&programs).expect("a folder");
        let script = format!(
            "#!/bin/sh\ncd '{}'\ntr '\\0' '\\n' < /proc/$$/environ >> environment\n\
             cut -d' ' -f5 /proc/$$/stat >> group\n{then}\n",
            programs.display()
        );
        let program = programs.join(self.name());
        std::fs::write(&program, script).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("a program");
        machine.set("PATH", format!("{}:/usr/bin:/bin", programs.display()));
        machine
    }
}

#[rstest]
#[case::az_for_signing_in(Helper::AzForSigningIn)]
#[case::az_for_a_vault(Helper::AzForAVault)]
#[case::buildkite_agent(Helper::BuildkiteAgent)]
#[case::browser(Helper::Browser)]
fn a_helper_gets_adopats_environment_but_no_secret(#[case] helper: Helper) {
    let mut machine = helper.machine("cat > /dev/null; exit 1");
    for input in adopat::inputs::table::INPUTS.iter().filter(|input| input.secret) {
        // One that is wanted is given rightly; the others only lie there.
        let operations_own = matches!(
            (helper, input.name),
            (_, "client-certificate" | "client-certificate-password" | "client-secret" | "access-token")
                | (Helper::AzForSigningIn | Helper::AzForAVault | Helper::Browser, "refresh-token")
        );
        for spelling in SPELLINGS {
            let name = spelling(input.name);
            let value = if input.name == "client-certificate" {
                format!("-----BEGIN {SECRET}")
            } else {
                SECRET.to_owned()
            };
            if operations_own && !name.starts_with("ADOPAT_CLIENTC") {
                continue;
            }
            machine.set(&name, value);
        }
    }
    if matches!(helper, Helper::BuildkiteAgent) {
        let token = machine.emulator.refresh_token();
        for spelling in SPELLINGS {
            machine.set(&spelling("refresh-token"), token.clone());
        }
        std::fs::remove_file(machine.store()).expect("removed");
    }
    for name in ["SECRET_FEED", "ENDPOINT_AUTH_SYSTEMVSSCONNECTION", "STATE_adopat_refresh_token"] {
        machine.set(name, SECRET);
    }
    if !matches!(helper, Helper::AzForAVault) {
        machine.set("AZURE_CLIENT_SECRET", SECRET);
    }
    machine.set("CONTOSO", "is kept");
    // A page is opened for a person alone, who sits at a terminal.
    let (_ours, theirs) = support::terminal();
    let mut command = machine.command();
    if matches!(helper, Helper::Browser) {
        command.stderr(theirs);
    }
    let ended = machine.wait(command.spawn().expect("the binary starts"));
    let environment = machine.read("programs/environment");
    assert!(environment.contains("CONTOSO=is kept"), "it was started:\n{}", ended.words());
    assert!(environment.contains("ADOPAT_ORGANIZATION="), "only what is secret is missing:\n{environment}");
    assert!(!environment.contains(SECRET), "{environment}");
    for secret in machine.emulator.issued_secrets() {
        assert!(!environment.contains(&secret), "{environment}");
    }
    let ours = rustix::process::getpgrp().as_raw_nonzero().to_string();
    let groups = machine.read("programs/group");
    assert!(
        !groups.is_empty() && groups.lines().all(|group| group != ours),
        "it is in a process group of its own"
    );
}

/// What a helper starts, and waits for: in a while it makes the file `survived`.
const A_GRANDCHILD: &str = "(sleep 4; touch survived) & wait";

#[rstest]
#[case::az_for_signing_in(Helper::AzForSigningIn, 6)]
#[case::buildkite_agent(Helper::BuildkiteAgent, 0)]
fn a_helper_that_hangs_is_ended_with_all_that_it_started(#[case] helper: Helper, #[case] code: i32) {
    let mut machine = helper.machine(match helper {
        Helper::BuildkiteAgent => "(sleep 8; touch survived) & wait",
        _ => A_GRANDCHILD,
    });
    if !matches!(helper, Helper::BuildkiteAgent) {
        machine.input("timeout", "2s");
    }
    machine.run().expect(code);
    std::thread::sleep(Duration::from_secs(5));
    assert!(!machine.path("programs/survived").exists());
}

#[test]
fn a_run_that_is_cancelled_ends_its_helper_and_all_that_this_started() {
    let machine = Helper::AzForSigningIn.machine(&format!("touch started; {A_GRANDCHILD}"));
    let run = machine.spawn();
    while !machine.path("programs/started").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    support::signal(&run, rustix::process::Signal::TERM);
    machine.wait(run).expect(143);
    std::thread::sleep(Duration::from_secs(5));
    assert!(!machine.path("programs/survived").exists());
}

#[test]
fn what_a_helper_leaves_running_holds_nobody_up() {
    let machine = Helper::AzForSigningIn.machine("exit 9");
    let token = machine.emulator.access_token(cast::PERSON);
    let answer = format!(
        "sleep 300 &\necho $! >> left\ncase \"$2\" in show) echo '\"user\"';; *) echo '{{\"accessToken\": \"{token}\", \
         \"expires_on\": 4102444800, \"tokenType\": \"Bearer\"}}';; esac"
    );
    let az = machine.path("programs/az");
    let script = std::fs::read_to_string(&az).expect("a script").replace("exit 9", &answer);
    std::fs::write(&az, script).expect("written");
    machine.run().expect(0);
    for id in machine.read("programs/left").lines() {
        let id = id.parse().ok().and_then(rustix::process::Pid::from_raw).expect("an id");
        rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it runs on");
    }
}
