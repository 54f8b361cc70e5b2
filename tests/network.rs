//! Through proxies, to certificates of an authority of one's own, and never anywhere else.

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use adopat_emulator::{Emulator, Fault, Service};
use base64::Engine as _;
use rstest::rstest;
use support::{Host, Machine};

/// A proxy that knows CONNECT, and remembers what it was asked.
struct Proxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&heads);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || tunnel(client, &seen));
            }
        });
        Self { port, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("unpoisoned").clone()
    }
}

fn tunnel(client: TcpStream, seen: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let target = head.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned();
    seen.lock().ok()?.push(head);
    let mut server = TcpStream::connect(target).ok()?;
    let mut client = client;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
    let (mut up, mut down) = (server.try_clone().ok()?, client.try_clone().ok()?);
    let upwards = std::thread::spawn(move || {
        let _ = std::io::copy(&mut reader, &mut up);
        let _ = up.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut down);
    let _ = down.shutdown(std::net::Shutdown::Both);
    upwards.join().ok()
}

/// A job on a machine that has to speak TLS, and trusts the emulator's authority.
fn secure(host: Host) -> Machine {
    let mut machine = Machine::with(Emulator::builder().tls(true).start(), host, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    let authority = machine.emulator.ca_pem_path().to_owned();
    machine.set("SSL_CERT_FILE", authority);
    machine
}

#[rstest]
#[case::plain("", None)]
#[case::with_credentials("contoso:fake%20proxy%20password@", Some("contoso:fake proxy password"))]
fn https_goes_through_the_proxy(
    #[case] credentials: &str,
    #[case] expected: Option<&str>,
    #[values("HTTPS_PROXY", "https_proxy")] name: &str,
) {
    let (mut machine, proxy) = (secure(Host::Azure), Proxy::start());
    machine.set(name, format!("http://{credentials}127.0.0.1:{}", proxy.port));
    let ended = machine.input("log", "trace").run();
    ended.expect(0);
    assert!(!ended.words().contains("fake proxy password") && !ended.words().contains("fake%20proxy"));
    let heads = proxy.heads();
    assert!(heads.len() >= 2, "one tunnel a service: {heads:?}");
    for head in heads {
        let sent = head.lines().find(|line| line.to_lowercase().starts_with("proxy-authorization:"));
        let wanted = expected.map(|text| base64::engine::general_purpose::STANDARD.encode(text));
        assert_eq!(sent.is_some(), wanted.is_some(), "{head}");
        assert!(wanted.is_none_or(|wanted| head.contains(&wanted)), "{head}");
        assert!(!head.to_lowercase().contains("bearer"), "the proxy sees no token");
    }
}

/// Whatever becomes of the proxy, and however its address is written.
#[rstest]
#[case::refused("http://contoso:fake%2Dproxy%2Dpassword@127.0.0.1:1")]
#[case::without_a_scheme("contoso:fake-proxy-password@127.0.0.1:1")]
#[case::without_a_port("http://contoso:fake-proxy-password@proxy.invalid")]
#[case::no_address("http://contoso:fake-proxy-password@[127.0.0.1")]
#[case::no_host("contoso:fake-proxy-password@")]
fn a_proxys_password_is_never_told(
    #[case] address: &str,
    #[values("HTTPS_PROXY", "AGENT_PROXYURL")] name: &str,
    #[values("create", "doctor")] operation: &str,
) {
    let mut machine = secure(Host::Generic);
    let file = machine.path("pat");
    machine.run_as(operation).input("output-file", file).input("log", "trace").input("timeout", "5s");
    let ended = machine.set(name, address).run();
    assert_ne!(ended.code, Some(0), "{}", ended.words());
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let words = ended.words();
    for form in ["fake-proxy-password", "fake%2Dproxy", &base64("contoso:fake-proxy-password")] {
        assert!(!words.contains(form), "{words}");
    }
}

#[test]
fn no_proxy_is_honoured() {
    let (mut machine, proxy) = (secure(Host::Azure), Proxy::start());
    machine
        .set("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port))
        .set("NO_PROXY", "localhost,127.0.0.1");
    machine.run().expect(0);
    assert_eq!(proxy.heads(), [""; 0]);
}

#[test]
fn the_agents_proxy_is_used_with_its_user_and_password() {
    let (mut machine, proxy) = (secure(Host::Azure), Proxy::start());
    machine
        .set("AGENT_PROXYURL", format!("http://127.0.0.1:{}", proxy.port))
        .set("AGENT_PROXYUSERNAME", "contoso")
        .set("SECRET_AGENT_PROXYPASSWORD", "fake-proxy-password");
    let ended = machine.run();
    ended.expect(0);
    assert!(!ended.words().contains("fake-proxy-password"));
    let wanted = base64::engine::general_purpose::STANDARD.encode("contoso:fake-proxy-password");
    assert!(!proxy.heads().is_empty());
    assert!(proxy.heads().iter().all(|head| head.contains(&wanted)));
}

#[test]
fn the_agents_bypass_list_is_regular_expressions_and_one_that_is_none_is_skipped_with_a_warning() {
    let (mut machine, proxy) = (secure(Host::Azure), Proxy::start());
    machine
        .set("AGENT_PROXYURL", format!("http://127.0.0.1:{}", proxy.port))
        .set("AGENT_PROXYBYPASSLIST", r#"["(unclosed", "HTTPS://127\\.0\\.0\\.1"]"#);
    machine.run().expect(0).says("(unclosed");
    assert_eq!(proxy.heads(), [""; 0]);
}

#[test]
fn https_proxy_beats_the_agents() {
    let (mut machine, proxy, agents) = (secure(Host::Azure), Proxy::start(), Proxy::start());
    machine
        .set("AGENT_PROXYURL", format!("http://127.0.0.1:{}", agents.port))
        .set("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port));
    machine.run().expect(0);
    assert!(!proxy.heads().is_empty());
    assert_eq!(agents.heads(), [""; 0]);
}

#[test]
fn a_proxy_that_is_not_there_is_explained() {
    let mut machine = secure(Host::Azure);
    machine.set("HTTPS_PROXY", "http://127.0.0.1:1").input("timeout", "20s");
    machine.run().expect(6).says("proxy");
    assert!(machine.calls().is_empty());
}

#[test]
fn the_agents_authority_is_trusted_too() {
    let mut machine = secure(Host::Azure);
    let authority = machine.emulator.ca_pem_path().to_owned();
    machine.unset("SSL_CERT_FILE").set("AGENT_CAINFO", authority);
    machine.run().expect(0);
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused_at_once_and_explained() {
    let mut machine = secure(Host::Azure);
    let begun = std::time::Instant::now();
    machine.unset("SSL_CERT_FILE").run().expect(6).says("not trusted").says("SSL_CERT_FILE");
    assert!(begun.elapsed() < std::time::Duration::from_secs(15), "it is not retried until the timeout");
    assert!(machine.calls().is_empty(), "no request was made");
}

#[rstest]
fn a_redirect_is_never_followed_so_no_bearer_goes_to_a_foreign_host(
    #[values(301, 302, 307, 308)] status: u16,
    #[values(Service::Entra, Service::Pats)] service: Service,
) {
    let foreign = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    foreign.set_nonblocking(true).expect("set");
    let address = format!("http://{}/", foreign.local_addr().expect("an address"));
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine.emulator.order(Fault::on(service).answer(status, &[("Location", &address)], "").always());
    machine.run().expect(3);
    let mut heard = String::new();
    if let Ok((mut stream, _)) = foreign.accept() {
        let _ = stream.read_to_string(&mut heard);
        panic!("the foreign host was spoken to: {heard}");
    }
}
