//! What a run costs: how many requests, when connections are opened, which files are read.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use adopat_emulator::{Emulator, Fault, NewPat, Service, cast};
use rstest::rstest;
use support::{Host, Machine};

/// Stands before the PAT service: tells of each connection when it is opened, remembers what was sent over it, and
/// passes everything on.
struct Front {
    port: u16,
    opened: mpsc::Receiver<()>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Front {
    /// The first connections are closed as soon as they are there, so many of them.
    fn before(emulator: &Emulator, closed: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let url = emulator.service_url();
        let service = url.rsplit('/').next().expect("an authority").to_owned();
        let (tell, opened) = mpsc::channel();
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let all = Arc::clone(&heard);
        std::thread::spawn(move || {
            for (number, client) in listener.incoming().flatten().enumerate() {
                if number < closed {
                    drop(client);
                } else {
                    let server = TcpStream::connect(&service).expect("the service is there");
                    pass_on(
                        client.try_clone().expect("a socket"),
                        server.try_clone().expect("a socket"),
                        Some(&all),
                    );
                    pass_on(server, client, None);
                }
                let _ = tell.send(());
            }
        });
        Self { port, opened, heard }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn heard(&self) -> usize {
        self.heard.lock().expect("unpoisoned").len()
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, heard: Option<&Arc<Mutex<Vec<u8>>>>) {
    let heard = heard.map(Arc::clone);
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if let Some(heard) = &heard {
                heard.lock().expect("unpoisoned").extend(&bytes[..count]);
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

/// A job that makes a PAT through a front.
fn creating(closed: usize) -> (Machine, Front) {
    let mut machine = Machine::new(Host::Azure, "create");
    let front = Front::before(&machine.emulator, closed);
    machine.input("display-name", "nightly").input("scope", "vso.code").input("service-url", front.url());
    (machine, front)
}

#[test]
fn the_connection_to_the_pat_service_is_opened_while_the_sign_in_is_under_way_and_nothing_is_sent_over_it() {
    let (machine, front) = creating(0);
    let hold = machine.emulator.order(Fault::on(Service::Entra).hold_before());
    let run = machine.spawn();
    front.opened.recv().expect("it is opened though nobody is signed in yet");
    assert!(hold.wait_until_held(Duration::from_secs(60)), "the sign-in is under way");
    assert_eq!(front.heard(), 0, "nothing is sent without a bearer");
    hold.release();
    machine.wait(run).expect(0);
    assert_eq!(front.opened.try_iter().count(), 0, "there is no second connection");
    assert_eq!(machine.calls(), ["Entra POST", "Pats POST"], "and no request more");
}

#[test]
fn a_connection_that_the_service_has_closed_again_is_not_used() {
    let (machine, front) = creating(1);
    let hold = machine.emulator.order(Fault::on(Service::Entra).hold_before());
    let run = machine.spawn();
    front.opened.recv().expect("it is opened, and closed");
    assert!(hold.wait_until_held(Duration::from_secs(60)), "the sign-in is under way");
    hold.release();
    machine.wait(run).expect(0);
    assert_eq!(machine.calls(), ["Entra POST", "Pats POST"], "nothing was repeated, nothing looked for");
    assert_eq!(machine.active("nightly").len(), 1);
}

#[test]
fn nobody_is_connected_to_who_is_not_called() {
    let (mut machine, front) = creating(0);
    machine.input("dry-run", "true").run().expect(0);
    assert_eq!(machine.calls(), ["Entra POST"]);
    assert_eq!(front.opened.try_iter().count(), 0);

    let (mut machine, front) = creating(0);
    machine.input("scope", " ").run().expect(2);
    assert_eq!(front.opened.try_iter().count(), 0, "the inputs are wrong");
}

#[test]
fn where_there_is_no_sign_in_to_wait_for_one_connection_is_enough() {
    let (mut machine, front) = creating(0);
    let token = machine.emulator.access_token(cast::PERSON);
    machine.without("credential-store").input("access-token", token).run().expect(0);
    front.opened.recv().expect("it is opened");
    assert_eq!(front.opened.try_iter().count(), 0);
}

#[test]
fn a_rotation_by_name_is_four_requests() {
    let mut machine = Machine::new(Host::GitHub, "rotate");
    machine.emulator.add_pat(NewPat::named("nightly").scope("vso.code"));
    machine.input("display-name", "nightly").run().expect(0);
    assert_eq!(machine.calls(), ["Entra POST", "Pats GET", "Pats POST", "Pats DELETE"]);
}

/// Which files a run opens, as far as strace sees; `None` if there is no strace.
fn opened(machine: &Machine) -> Option<Vec<String>> {
    let there = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no strace on this machine");
        return None;
    }
    let own = machine.command();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=openat", "-o"]).arg(machine.path("strace.log"));
    command.arg(own.get_program()).args(own.get_args()).env_clear();
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.stdin(Stdio::null()).output().expect("strace runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = machine.read("strace.log");
    Some(log.lines().filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect())
}

fn are_roots(file: &str) -> bool {
    file.contains("/certs") || file.contains("/ssl") || file.contains("/pki") || file.ends_with(".pem")
}

/// The file that the environment names is read once, at the start, so that you hear of what is wrong with it. The
/// machine's own are not read at all as long as the bundled ones and that file vouch.
#[rstest]
#[case::over_tls(true)]
#[case::over_plain_http(false)]
fn trust_roots_are_read_once_and_only_those_that_are_named(#[case] tls: bool) {
    let mut machine = Machine::with(Emulator::builder().tls(tls).start(), Host::GitHub, "rotate");
    machine.emulator.add_pat(NewPat::named("nightly").scope("vso.code"));
    let authority = machine.emulator.ca_pem_path().to_owned();
    machine.set("SSL_CERT_FILE", &authority).input("display-name", "nightly");
    let Some(files) = opened(&machine) else { return };
    let roots: Vec<&String> = files.iter().filter(|file| are_roots(file)).collect();
    assert_eq!(roots, [&authority.display().to_string()], "{files:?}");
}

#[rstest]
fn what_asks_nobody_reads_nothing(#[values("--version", "--help")] flag: &str) {
    let mut machine = Machine::new(Host::GitHub, flag);
    machine.arguments(&[flag]).set("SSL_CERT_FILE", "/etc/ssl/cert.pem");
    let Some(files) = opened(&machine) else { return };
    // What glibc and Rust ask of the kernel at every start.
    let strange: Vec<_> =
        files.iter().filter(|file| !file.starts_with("/proc") && !file.starts_with("/sys")).collect();
    assert!(strange.is_empty(), "{strange:?}");
}
