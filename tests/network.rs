//! Through proxies, to certificates of an authority of one's own, and never anywhere else.

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use adopat_emulator::{Emulator, Fault, Service};
use base64::Engine as _;
use rcgen::{CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rstest::rstest;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
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

/// As companies have them: a Windows domain, a mailbox as the user, a password as it was typed.
#[rstest]
#[case::of_a_domain(r"CORP\build:hunter2hunter2", r"CORP\build:hunter2hunter2", true)]
#[case::of_a_domain_encoded("CORP%5Cbuild:hunter2hunter2", r"CORP\build:hunter2hunter2", true)]
#[case::of_a_mailbox("alex@contoso.example:hunter2hunter2", "alex@contoso.example:hunter2hunter2", false)]
#[case::with_an_at("contoso:hunter2@hunter2", "contoso:hunter2@hunter2", false)]
#[case::with_a_percent("contoso:hunter2%hunter2%", "contoso:hunter2%hunter2%", true)]
#[case::encoded("contoso:hunter2%23hunter2%2F", "contoso:hunter2#hunter2/", true)]
#[case::with_a_colon("contoso:hunter2:hunter2", "contoso:hunter2:hunter2", true)]
#[case::without_a_password("contoso", "contoso:", true)]
#[case::without_a_user(":hunter2hunter2", ":hunter2hunter2", true)]
#[case::with_a_hash("contoso:hunter2#hunter2", "contoso:hunter2#hunter2", false)]
#[case::with_a_slash("contoso:hunter2/hunter2", "contoso:hunter2/hunter2", false)]
#[case::with_a_question("contoso:hunter2?hunter2", "contoso:hunter2?hunter2", false)]
#[case::with_a_number_and_a_slash("contoso:12/hunter2", "contoso:12/hunter2", false)]
#[case::with_everything(r"CORP\b:h#u/n?t@e%r\2:hunter2", r"CORP\b:h#u/n?t@e%r\2:hunter2", false)]
fn credentials_of_a_proxy_are_read_as_they_are_meant_and_never_told(
    #[case] written: &str,
    #[case] meant: &str,
    #[case] curl_reads_it: bool,
    #[values("http://", "")] scheme: &str,
) {
    let (mut machine, proxy) = (secure(Host::Azure), Proxy::start());
    let address = format!("{scheme}{written}@127.0.0.1:{}", proxy.port);
    let ended = machine.set("HTTPS_PROXY", &address).input("log", "trace").run();
    ended.expect(0);
    let header = |head: &str| {
        let line =
            head.lines().find(|line| line.to_lowercase().starts_with("proxy-authorization: basic "))?;
        let sent = base64::engine::general_purpose::STANDARD.decode(line.rsplit(' ').next()?).ok()?;
        String::from_utf8(sent).ok()
    };
    let heads = proxy.heads();
    assert!(
        !heads.is_empty() && heads.iter().all(|head| header(head).as_deref() == Some(meant)),
        "{heads:?}"
    );
    let words = ended.words();
    assert!(!words.contains("hunter2"), "{words}");
    // Where nothing can be reached its words name the proxy alone.
    let unreachable = address.replace(&format!("127.0.0.1:{}", proxy.port), "proxy.invalid:1");
    let mut machine = secure(Host::Azure);
    let ended = machine.set("HTTPS_PROXY", unreachable).input("log", "trace").input("timeout", "5s").run();
    ended.expect(6).says("proxy.invalid:1");
    assert!(!ended.words().contains("hunter2"), "{}", ended.words());
    if curl_reads_it {
        let judge = Proxy::start();
        let address = address.replace(&proxy.port.to_string(), &judge.port.to_string());
        let curl = std::process::Command::new("curl")
            .args(["-s", "-m", "5", "https://127.0.0.1:1/"])
            .env_clear()
            .env("HTTPS_PROXY", address)
            .status();
        match curl {
            Ok(_) => assert_eq!(judge.heads().first().and_then(|head| header(head)).as_deref(), Some(meant)),
            Err(_) => eprintln!("skipped: curl is not on this machine"),
        }
    }
}

#[rstest]
#[case("verify-url", "https://me:hunter2hunter2@dev.azure.com/contoso")]
#[case("verify-url", "https://me:hunter2/hunter2@evil.example/x")]
#[case("organization", "https://me:hunter2hunter2@dev.azure.com/contoso")]
#[case("service-url", "https://me:hunter2hunter2@evil.example")]
#[case("authority-host", "https://me:hunter2#hunter2@login.evil.example")]
#[case("github-api-url", "https://me:hunter2hunter2@evil.example")]
#[case("deliver-to", "keyvault:https://me:hunter2hunter2@evil.example/secrets/x")]
#[case("deliver-to", "https://me:hunter2hunter2@evil.example/x")]
#[case("credential-store", "keyvault:https://me:hunter2hunter2@evil.example/secrets/x")]
#[case("output-format", "https://me:hunter2hunter2@evil.example/x")]
fn a_password_in_any_address_is_masked_and_never_told(
    #[case] input: &str,
    #[case] value: &str,
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let mut machine = secure(host);
    machine.input("verify", "warn").input("timeout", "5s").input("log", "trace").input(input, value);
    let ended = machine.run();
    assert!(!ended.words().contains("hunter2"), "{}", ended.words());
    if host == Host::GitHub {
        assert!(ended.stdout.contains("::add-mask::hunter2"), "{}", ended.stdout);
    }
}

#[rstest]
#[case("*.contoso.example 127.0.0.1")]
#[case("*")]
#[case("127.0.0.0/8")]
#[case("https://127.0.0.1/")]
fn no_proxy_is_honoured_however_it_is_written(#[case] list: &str) {
    let (mut machine, proxy) = (secure(Host::Azure), Proxy::start());
    machine.set("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port)).set("no_proxy", list);
    machine.run().expect(0);
    assert_eq!(proxy.heads(), [""; 0]);
}

#[test]
fn an_entry_of_no_proxy_that_means_nothing_is_warned_about() {
    let (mut machine, proxy) = (secure(Host::Azure), Proxy::start());
    machine.set("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port)).set("NO_PROXY", "dev.*.com,127.*");
    let ended = machine.run();
    ended.expect(0).says("NO_PROXY").says("dev.*.com").says("127.*");
    assert!(!proxy.heads().is_empty());
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

/// A server that answers whatever it is sent first with the same bytes, and counts who came.
fn parrot(answer: &'static [u8]) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let came: Arc<AtomicUsize> = Arc::default();
    let count = Arc::clone(&came);
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = client.read(&mut [0; 4096]);
            let _ = client.write_all(answer);
            let _ = client.shutdown(std::net::Shutdown::Write);
            let _ = client.read_to_end(&mut Vec::new());
        }
    });
    (port, came)
}

/// The variables that name a proxy, what a remedy says of each, and how its password is given.
fn behind(machine: &mut Machine, variable: &str, port: u16) {
    match variable {
        "AGENT_PROXYURL" => machine
            .set("AGENT_PROXYURL", format!("http://127.0.0.1:{port}"))
            .set("AGENT_PROXYUSERNAME", "contoso")
            .set("SECRET_AGENT_PROXYPASSWORD", "fake-proxy-password"),
        _ => machine.set(variable, format!("http://contoso:fake-proxy-password@127.0.0.1:{port}")),
    };
}

#[rstest]
#[case::is_not_there(None, "could not be reached", "lets this machine reach that host")]
#[case::forbids(
    Some("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
    "refused to open a tunnel",
    "lets this machine reach that host"
)]
#[case::wants_credentials(
    Some(
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
    ),
    "HTTP 407",
    "user and password"
)]
#[case::cannot_reach_the_host(
    Some("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
    "refused to open a tunnel",
    "lets this machine reach that host"
)]
#[case::hangs_up(Some(""), "broke off", "lets this machine reach that host")]
fn a_proxy_that_fails_is_blamed_itself_with_the_variable_that_names_it(
    #[case] answer: Option<&'static str>,
    #[case] cause: &str,
    #[case] remedy: &str,
    #[values("HTTPS_PROXY", "https_proxy", "AGENT_PROXYURL")] variable: &str,
) {
    let mut machine = secure(Host::Azure);
    let (port, came) = answer.map_or((1, Arc::default()), |answer| parrot(answer.as_bytes()));
    behind(&mut machine, variable, port);
    let ended = machine.input("timeout", "20s").run();
    ended.expect(6).says(cause).says(remedy);
    ended
        .says(&format!("the proxy 127.0.0.1:{port}"))
        .says("Microsoft Entra (127.0.0.1) could not be reached");
    let named =
        if variable == "AGENT_PROXYURL" && cause == "HTTP 407" { "--proxypassword" } else { variable };
    assert!(ended.words().contains(named), "{}", ended.words());
    assert!(!ended.words().contains("fake-proxy-password"), "{}", ended.words());
    assert!(machine.calls().is_empty());
    if cause == "HTTP 407" {
        assert_eq!(came.load(Ordering::SeqCst), 1, "a wrong password is not tried again and again");
    }
}

#[rstest]
#[case::no_address("http://", "HTTPS_PROXY")]
#[case::of_another_kind("socks5://contoso:fake-proxy-password@proxy.contoso.example", "https_proxy")]
#[case::the_agents("http://:fake-proxy-password@", "AGENT_PROXYURL")]
fn what_is_no_address_of_a_proxy_fails_at_once(#[case] address: &str, #[case] variable: &str) {
    let mut machine = secure(Host::Azure);
    machine.set(variable, address).input("log", "debug");
    let ended = machine.run();
    ended.expect(6).says(&format!("{variable} is not the address of an HTTP proxy"));
    assert!(!ended.words().contains("fake-proxy-password"), "{}", ended.words());
    assert_eq!(ended.words().matches("/oauth2/v2.0/token").count(), 1, "not tried again: {}", ended.words());
    assert!(machine.calls().is_empty());
}

#[rstest]
#[case::missing(None)]
#[case::without_a_certificate(Some("no certificate at all\n"))]
#[case::broken(Some("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"))]
fn a_file_of_authorities_that_cannot_be_used_fails_at_once_by_name(
    #[case] holds: Option<&str>,
    #[values("SSL_CERT_FILE", "AGENT_CAINFO")] variable: &str,
) {
    let mut machine = secure(Host::Azure);
    let file = machine.path("authorities.pem");
    if let Some(text) = holds {
        std::fs::write(&file, text).expect("written");
    }
    machine.unset("SSL_CERT_FILE").set(variable, &file).input("log", "debug");
    let ended = machine.run();
    ended.expect(6).says(&file.display().to_string()).says(&format!("which {variable} names"));
    ended.says(&format!("Let {variable} name a file"));
    assert_eq!(ended.words().matches("/oauth2/v2.0/token").count(), 1, "not tried again: {}", ended.words());
    assert!(machine.calls().is_empty());
}

/// As tools and people write a CA file. None of these needs a word, unless something in it cannot be read.
#[rstest]
#[case::der("der", None)]
#[case::base64_alone("base64", None)]
#[case::utf_16le("utf-16le", None)]
#[case::utf_16be("utf-16be", None)]
#[case::with_a_mark("mark", None)]
#[case::latin_1("latin-1", None)]
#[case::of_windows("crlf", None)]
#[case::trusted("trusted", None)]
#[case::trusted_for_something("trusted for servers", None)]
#[case::explained("explained", None)]
#[case::of_old("X509", None)]
#[case::twice("twice", None)]
#[case::beside_a_key("key", None)]
#[case::beside_a_broken_one("broken", Some("1 of the certificates"))]
#[case::beside_one_cut_short("cut", Some("1 of the certificates"))]
#[case::beside_two_that_are_none("none", Some("2 of the certificates"))]
fn a_file_of_authorities_is_read_as_tools_write_it(
    #[case] how: &str,
    #[case] warning: Option<&str>,
    #[values("SSL_CERT_FILE", "AGENT_CAINFO")] variable: &str,
) {
    let mut machine = secure(Host::Azure);
    let authority = machine.emulator.ca_pem_path().to_owned();
    let pem = std::fs::read_to_string(&authority).expect("the emulator's authority");
    let openssl = |arguments: &[&str]| {
        let output = std::process::Command::new("openssl")
            .arg("x509")
            .arg("-in")
            .arg(&authority)
            .args(arguments)
            .output();
        output.ok().filter(|output| output.status.success()).map(|output| output.stdout)
    };
    let utf_16 = |write: fn(u16) -> [u8; 2]| {
        std::iter::once(0xfeff).chain(pem.encode_utf16()).flat_map(write).collect::<Vec<u8>>()
    };
    let section = |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    let bytes = match how {
        "der" => openssl(&["-outform", "der"]),
        "base64" => Some(
            pem.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n").into_bytes(),
        ),
        "utf-16le" => Some(utf_16(u16::to_le_bytes)),
        "utf-16be" => Some(utf_16(u16::to_be_bytes)),
        "mark" => Some(format!("\u{feff}{pem}").into_bytes()),
        "latin-1" => Some([b"# Pr\xfcfstelle\n".as_slice(), pem.as_bytes(), b"\xe4\xf6"].concat()),
        "crlf" => Some(pem.replace('\n', "\r\n").into_bytes()),
        "trusted" => openssl(&["-trustout"]),
        "trusted for servers" => openssl(&["-trustout", "-addtrust", "serverAuth", "-setalias", "Pr\u{fc}f"]),
        "explained" => openssl(&["-text"]),
        "X509" => Some(pem.replace("CERTIFICATE", "X509 CERTIFICATE").into_bytes()),
        "twice" => Some(pem.repeat(2).into_bytes()),
        "key" => Some(format!("{}{pem}", section("MAAw").replace("CERTIFICATE", "PRIVATE KEY")).into_bytes()),
        "broken" => Some(format!("{}{pem}", section("!!!!")).into_bytes()),
        "cut" => Some(format!("{pem}{}", &pem[..pem.len() / 2]).into_bytes()),
        _ => Some(format!("{}{pem}{}", section("MAAw"), section("bm9uZQ==")).into_bytes()),
    };
    let Some(bytes) = bytes else { return eprintln!("skipped: openssl is not on this machine") };
    let file = machine.path("authorities");
    std::fs::write(&file, bytes).expect("written");
    let ended = machine.unset("SSL_CERT_FILE").set(variable, &file).run();
    ended.expect(0);
    match warning {
        Some(warning) => drop(ended.says(warning).says(variable)),
        None => assert!(!ended.words().contains("cannot be read"), "{}", ended.words()),
    }
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

/// TLS in front of a service that speaks none, with a certificate and versions of one's choice.
struct Front {
    port: u16,
    came: Arc<AtomicUsize>,
}

/// The certificate that a front shows.
#[derive(Clone, Copy)]
struct Shown {
    names: &'static [&'static str],
    until: i32,
}

const GOOD: Shown = Shown { names: &["127.0.0.1", "localhost"], until: 4096 };

/// An authority of one's own: the PEM to be trusted, and a front for each service.
fn fronts<const N: usize>(
    shown: Shown,
    versions: &[&'static SupportedProtocolVersion],
    services: [String; N],
) -> (String, [Front; N]) {
    let key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&key).expect("a certificate").pem();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().expect("a key");
    let mut leaf = CertificateParams::new(shown.names.iter().map(ToString::to_string).collect::<Vec<_>>())
        .expect("names");
    leaf.not_before = date_time_ymd(2020, 1, 1);
    leaf.not_after = date_time_ymd(shown.until, 1, 1);
    let certificate: CertificateDer<'static> = leaf.signed_by(&key, &issuer).expect("signed").der().clone();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("ring serves them")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key in PKCS#8"),
        )
        .expect("the key is the certificate's");
    let config = Arc::new(config);
    (pem, services.map(|service| Front::start(Arc::clone(&config), &service)))
}

impl Front {
    fn start(config: Arc<ServerConfig>, service: &str) -> Self {
        let service = service.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let came: Arc<AtomicUsize> = Arc::default();
        let count = Arc::clone(&came);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let (config, service) = (Arc::clone(&config), service.clone());
                std::thread::spawn(move || pass_on(client, config, &service));
            }
        });
        Self { port, came }
    }

    fn connections(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }
}

/// Passes one request on, and its answer back.
fn pass_on(client: TcpStream, config: Arc<ServerConfig>, service: &str) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut client = BufReader::new(StreamOwned::new(connection, client));
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if client.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body)?;
    let mut server = TcpStream::connect(service)?;
    server.write_all(head.trim_end().as_bytes())?;
    server.write_all(b"\r\nConnection: close\r\n\r\n")?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    let client = client.get_mut();
    client.write_all(&answer)?;
    client.conn.send_close_notify();
    client.flush()
}

/// A job whose sign-in and PAT service are behind such fronts.
fn behind_fronts(shown: Shown, versions: &[&'static SupportedProtocolVersion]) -> (Machine, [Front; 2]) {
    let mut machine = Machine::new(Host::Azure, "create");
    let services = [machine.emulator.entra_url(), machine.emulator.service_url()];
    let (pem, fronts) = fronts(shown, versions, services);
    let file = machine.path("authority.pem");
    std::fs::write(&file, pem).expect("written");
    machine.set("SSL_CERT_FILE", file).input("display-name", "nightly").input("scope", "vso.code");
    for (name, front) in ["authority-host", "service-url"].iter().zip(&fronts) {
        machine.input(name, format!("https://127.0.0.1:{}", front.port));
    }
    (machine, fronts)
}

#[rstest]
#[case::tls_1_2(&rustls::version::TLS12)]
#[case::tls_1_3(&rustls::version::TLS13)]
fn a_service_that_speaks_one_safe_version_of_tls_alone_is_spoken_to(
    #[case] version: &'static SupportedProtocolVersion,
) {
    let (machine, fronts) = behind_fronts(GOOD, &[version]);
    machine.run().expect(0);
    let [entra, pats] = fronts.map(|front| front.connections());
    assert_eq!(entra, 1, "it is not tried again");
    assert!(
        (1..=2).contains(&pats),
        "one that is opened ahead and not there in time is not waited for: {pats}"
    );
    assert_eq!(machine.active("nightly").len(), 1);
}

#[rstest]
#[case::that_has_expired(Shown { until: 2021, ..GOOD }, "has expired", "renew")]
#[case::of_another_name(Shown { names: &["fabrikam.example"], ..GOOD }, "issued for another name", "another server")]
fn a_certificate_that_does_not_hold_is_told_with_its_host_and_not_tried_again(
    #[case] shown: Shown,
    #[case] cause: &str,
    #[case] remedy: &str,
) {
    let (machine, [entra, pats]) = behind_fronts(shown, rustls::ALL_VERSIONS);
    let ended = machine.run();
    ended
        .expect(6)
        .says("The certificate of Microsoft Entra (127.0.0.1) does not hold")
        .says(cause)
        .says(remedy);
    assert!(!ended.words().contains("SSL_CERT_FILE"), "no other authority would help: {}", ended.words());
    assert_eq!(entra.connections(), 1);
    assert!(pats.connections() <= 1, "it is opened ahead, once");
    assert!(machine.calls().is_empty());
}

/// A ServerHello of TLS 1.1, with a cipher suite of its time.
const SERVER_HELLO_1_1: &[u8] = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02\
    0123456789abcdef0123456789abcdef\x00\xc0\x13\x00";

#[rstest]
#[case::tls_1_1(SERVER_HELLO_1_1, "no version of TLS that is safe")]
#[case::an_alert(b"\x15\x03\x01\x00\x02\x02\x46", "no version of TLS that is safe")]
#[case::plain_http(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "speaks no TLS")]
fn what_speaks_no_tls_that_is_safe_is_told_and_not_tried_again(
    #[case] answer: &'static [u8],
    #[case] cause: &str,
) {
    let mut machine = Machine::new(Host::Azure, "create");
    let (port, came) = parrot(answer);
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine.input("authority-host", format!("https://127.0.0.1:{port}"));
    let ended = machine.run();
    ended
        .expect(6)
        .says("Microsoft Entra (127.0.0.1) could not be reached")
        .says(cause)
        .says("Check the address");
    assert_eq!(came.load(Ordering::SeqCst), 1);
}

/// Services on `[::1]` alone; `None` if this machine has no such loopback.
fn on_ipv6(tls: bool) -> Option<Machine> {
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    if TcpListener::bind(address).is_err() {
        println!("not tried: this machine has no [::1]");
        return None;
    }
    let services = [Service::Entra, Service::Pats, Service::DevOps];
    let builder = services
        .into_iter()
        .fold(Emulator::builder().tls(tls), |builder, service| builder.listen_on(service, address));
    let mut machine = Machine::with(builder.start(), Host::Azure, "create");
    let authority = machine.emulator.ca_pem_path().to_owned();
    machine.set("SSL_CERT_FILE", authority).input("display-name", "nightly").input("scope", "vso.code");
    // Asked at the third service, too.
    machine.without("tenant-id");
    Some(machine)
}

#[rstest]
fn services_that_are_on_ipv6_alone_are_reached_by_address_and_by_name(
    #[values(false, true)] tls: bool,
    #[values(false, true)] by_name: bool,
) {
    let Some(mut machine) = on_ipv6(tls) else { return };
    let addresses = [
        ("authority-host", machine.emulator.entra_url()),
        ("service-url", machine.emulator.service_url()),
        ("devops-url", machine.emulator.devops_url()),
    ];
    for (name, address) in addresses {
        assert!(address.contains("://[::1]:"), "{address}");
        if by_name {
            machine.input(name, address.replace("[::1]", "localhost"));
        }
    }
    machine.run().expect(0);
    assert_eq!(machine.active("nightly").len(), 1);
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
