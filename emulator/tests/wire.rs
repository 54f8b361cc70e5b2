//! The server layer and the faults, over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use adopat_emulator::{
    Emulator, Fault, Instead, Outcome, Policies, RefusalShape, RetryAfter, Service, Spoil, cast,
};
use http::StatusCode;

const PATS: &str = "/fabrikam/_apis/tokens/pats?api-version=7.1-preview.1";
const SOON: Duration = Duration::from_secs(10);

/// One request on a connection of its own: everything that was read, and how it ended.
fn send(
    emulator: &Emulator,
    service: Service,
    method: &str,
    path: &str,
    body: &str,
) -> (String, std::io::Result<()>) {
    let address = emulator.url(service).replace("http://", "");
    let bearer = emulator.access_token(cast::PERSON);
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bearer}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut read = Vec::new();
    let ended = stream.read_to_end(&mut read).map(|_| ());
    (String::from_utf8_lossy(&read).into_owned(), ended)
}

fn create(emulator: &Emulator) -> (String, std::io::Result<()>) {
    send(emulator, Service::Pats, "POST", PATS, r#"{"displayName":"ci","scope":"vso.code"}"#)
}

fn list(emulator: &Emulator) -> (String, std::io::Result<()>) {
    send(emulator, Service::Pats, "GET", PATS, "")
}

#[test]
fn requests_are_answered_and_written_down() {
    let emulator = Emulator::start();
    let (answer, ended) = create(&emulator);
    ended.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(answer.matches("date:").count(), 1);
    let requests = emulator.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].line(), "POST /fabrikam/_apis/tokens/pats");
    assert_eq!(requests[0].query("api-version"), Some("7.1-preview.1"));
    assert_eq!(requests[0].json()["displayName"], "ci");
    assert_eq!(requests[0].outcome, Outcome::Answered(StatusCode::OK));
    assert!(answer.contains(&emulator.pats()[0].value));
}

#[test]
fn an_answer_is_lost_after_acting() {
    let emulator = Emulator::start();
    emulator.order(Fault::on(Service::Pats).method("POST").nth(2).lose_answer());
    create(&emulator).1.unwrap();
    let (answer, ended) = create(&emulator);
    assert_eq!(answer, "");
    assert_eq!(ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(emulator.active_pats().len(), 2);
    assert_eq!(emulator.requests()[1].outcome, Outcome::Lost(Some(StatusCode::OK)));
    create(&emulator).1.unwrap();
}

#[test]
fn a_request_goes_unheard() {
    let emulator = Emulator::start();
    let fault = emulator.order(Fault::on(Service::Pats).reset());
    assert!(create(&emulator).1.is_err());
    assert!(emulator.pats().is_empty());
    assert_eq!((fault.struck(), emulator.requests()[0].outcome), (1, Outcome::Lost(None)));
    emulator.order(Fault::on(Service::Pats).close_without_answer());
    let (answer, ended) = create(&emulator);
    assert_eq!((answer.as_str(), ended.is_ok()), ("", true));
}

#[test]
fn an_answer_breaks_off_within_its_body() {
    let emulator = Emulator::start();
    emulator.order(Fault::on(Service::Pats).cut_after(10));
    let (answer, _) = list(&emulator);
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(body.len(), 10, "{answer}");
    assert!(answer.contains("content-length: 39"), "{answer}");
    assert_eq!(emulator.requests()[0].outcome, Outcome::Lost(Some(StatusCode::OK)));

    let pat = emulator.add_pat(adopat_emulator::NewPat::named("ci"));
    emulator.order(Fault::on(Service::Pats).method("DELETE").cut_after(10));
    let path = format!("{PATS}&authorizationId={}", pat.authorization_id);
    assert_eq!(send(&emulator, Service::Pats, "DELETE", &path, "").0, "");
    assert!(emulator.active_pats().is_empty());
}

#[test]
fn every_service_is_throttled_in_its_own_words() {
    let emulator = Emulator::start();
    for (service, words) in [
        (Service::Entra, "AADSTS90055"),
        (Service::Pats, "TF400733"),
        (Service::DevOps, "TF400733"),
        (Service::GitHub, "secondary rate limit"),
    ] {
        emulator.order(Fault::on(service).throttle(RetryAfter::Seconds(7)));
        let answer = send(&emulator, service, "GET", "/fabrikam", "").0;
        assert!(answer.starts_with("HTTP/1.1 429") && answer.contains(words), "{answer}");
        assert!(answer.contains("retry-after: 7"), "{answer}");
    }
}

#[test]
fn answers_are_given_instead_of_acting() {
    let emulator = Emulator::start();
    let answered = |fault: Fault| {
        emulator.order(fault);
        create(&emulator).0
    };
    let on = || Fault::on(Service::Pats).method("POST");
    assert!(answered(on().answer(418, &[("x-tea", "green")], "short and stout")).contains("x-tea: green"));
    let throttled = answered(on().throttle(RetryAfter::Seconds(7)));
    assert!(throttled.starts_with("HTTP/1.1 429") && throttled.contains("retry-after: 7"), "{throttled}");
    let throttled = answered(on().throttle(RetryAfter::DateIn(7)));
    assert!(throttled.contains(" GMT\r\n") && throttled.contains("retry-after: "), "{throttled}");
    assert!(answered(on().unavailable()).starts_with("HTTP/1.1 503"));
    assert!(answered(on().internal_error()).starts_with("HTTP/1.1 500"));
    assert!(answered(on().sign_in_page()).starts_with("HTTP/1.1 203"));
    assert!(answered(on().sign_in_redirect()).contains("/_signin?"));
    let refused = answered(on().pat_token_error("invalidScope", RefusalShape::BadRequest));
    assert!(
        refused.starts_with("HTTP/1.1 400") && refused.contains(r#""patTokenError":"invalidScope""#),
        "{refused}"
    );
    let hostile = Instead::VssError {
        status: StatusCode::BAD_REQUEST,
        exception: "System.ArgumentException".to_owned(),
        message: adopat_emulator::HOSTILE_TEXTS[0].to_owned(),
    };
    assert!(answered(on().instead(hostile)).contains("##vso[task.setvariable"));
    assert!(emulator.pats().is_empty());
}

#[test]
fn answers_are_spoiled_after_acting() {
    let emulator = Emulator::start();
    let answered = |fault: Fault| {
        emulator.order(fault);
        list(&emulator)
            .0
            .split_once("\r\n\r\n")
            .map(|(head, body)| (head.to_owned(), body.to_owned()))
            .unwrap()
    };
    let on = || Fault::on(Service::Pats);
    assert_eq!(answered(on().truncate()).1.len(), 19);
    assert_eq!(answered(on().oversize()).1.len(), adopat_emulator::OVERSIZED);
    assert!(answered(on().content_type("text/html")).0.contains("content-type: text/html"));
    assert_eq!(answered(on().body("##vso[x]")).1, "##vso[x]");
    assert!(answered(on().spoil(Spoil::ByteOrderMark)).1.starts_with('\u{feff}'));
    let (head, _) = answered(on().retry_after(RetryAfter::Seconds(3)));
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("retry-after: 3"), "{head}");
}

#[test]
fn a_request_is_held_before_or_after_acting() {
    let emulator = Emulator::start();
    for acted in [false, true] {
        let fault = Fault::on(Service::Pats).method("POST");
        let held = emulator.order(if acted { fault.hold_after() } else { fault.hold_before() });
        let before = emulator.pats().len();
        std::thread::scope(|scope| {
            let client = scope.spawn(|| create(&emulator));
            assert!(held.wait_until_held(SOON));
            assert_eq!(emulator.pats().len() > before, acted);
            assert_eq!(emulator.requests().last().unwrap().outcome, Outcome::Pending);
            held.release();
            client.join().unwrap().1.unwrap();
        });
        assert_eq!(emulator.pats().len(), before + 1);
    }
}

#[test]
fn a_service_acts_though_its_client_has_hung_up() {
    let emulator = Emulator::start();
    let held = emulator.order(Fault::on(Service::Pats).hold_before());
    let bearer = emulator.access_token(cast::PERSON);
    let mut stream = TcpStream::connect(emulator.service_url().replace("http://", "")).unwrap();
    let body = r#"{"displayName":"ci","scope":"vso.code"}"#;
    write!(
        stream,
        "POST {PATS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bearer}\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    assert!(held.wait_until_held(SOON));
    drop(stream);
    std::thread::sleep(Duration::from_millis(50));
    held.release();
    let start = Instant::now();
    while emulator.requests()[0].outcome == Outcome::Pending && start.elapsed() < SOON {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(emulator.requests()[0].outcome, Outcome::Lost(Some(StatusCode::OK)));
    assert_eq!(emulator.active_pats().len(), 1);
}

#[test]
fn a_service_acts_after_the_gateway_has_given_up() {
    let emulator = Emulator::start();
    let late = || Fault::on(Service::Pats).method("POST").acts_late(Duration::from_millis(300));
    emulator.order(late().answer(504, &[], ""));
    emulator.order(late());
    let (answer, ended) = create(&emulator);
    ended.unwrap();
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    let (answer, _) = create(&emulator);
    assert_eq!(answer, "", "the connection is reset");
    let begun = Instant::now();
    while emulator.pats().len() < 2 {
        assert!(begun.elapsed() < SOON, "it acts after all");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_list_can_lag_behind() {
    let emulator = Emulator::start();
    let listed_after = Duration::from_secs(60);
    emulator.set_policies(cast::ORGANIZATION, Policies { listed_after, ..Policies::default() });
    create(&emulator).1.unwrap();
    assert!(list(&emulator).0.contains(r#""patTokens":[]"#), "{}", list(&emulator).0);
    emulator.advance(jiff::SignedDuration::from_secs(61));
    assert!(list(&emulator).0.contains("ci"));
}

#[test]
fn a_slow_service_answers_in_the_end() {
    let emulator = Emulator::start();
    let delay = Duration::from_millis(120);
    emulator.order(Fault::on(Service::Pats).delay_before(delay).delay_after(delay).times(2));
    let start = Instant::now();
    list(&emulator).1.unwrap();
    assert!(start.elapsed() >= 2 * delay);
}

#[test]
fn the_clock_can_be_wrong_and_set() {
    let hour = jiff::SignedDuration::from_hours(1);
    let emulator = Emulator::builder().clock_offset(hour).start();
    let ahead = emulator.now() - jiff::Timestamp::now();
    assert!(ahead > jiff::SignedDuration::from_mins(59), "{ahead}");
    let token = emulator.refresh_token();
    assert!(emulator.refresh_token_is_valid(&token));
    emulator.advance(hour * 24 * 91);
    assert!(!emulator.refresh_token_is_valid(&token));
}

#[test]
fn everything_is_offered_over_tls_too() {
    let provider = rustls::crypto::ring::default_provider();
    let _ = provider.install_default();
    let emulator = Emulator::builder().tls(true).start();
    assert!(emulator.ca_pem_path().exists());
    let authority = reqwest::Certificate::from_pem(emulator.ca_pem().as_bytes()).unwrap();
    let get = |client: reqwest::Client| {
        let address = format!("{}/fabrikam/_apis/connectionData", emulator.devops_url());
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async { client.get(address).send().await })
    };
    let trusting = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap();
    assert_eq!(get(trusting).unwrap().status(), 200);
    let wary = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    assert!(get(wary).is_err());
}
