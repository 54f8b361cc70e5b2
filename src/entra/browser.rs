//! Signing in by the browser of this machine: authorization code with PKCE (RFC 8252, RFC 7636), answered to a
//! listener on loopback.
//!
//! Whatever else knocks at the listener (a browser's idle connections, its search for an icon, another program
//! that guesses) neither ends the wait nor holds it up, and a code that comes with another `state` than ours is
//! never redeemed.

use std::borrow::Cow;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2::{AuthorizationCode, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::{Url, form_urlencoded};

use super::Tokens;
use super::client::{self, Client, Refusal};
use super::refusal::{self, ErrorAnswer};
use crate::failure::{Exit, Failure};
use crate::http::NoAnswer;
use crate::secret::Secret;
use crate::subprocess::Helper;
use crate::time::Ended;

/// How long one connection may take to say what it wants.
const ONE_VISIT: Duration = Duration::from_secs(10);
/// The most bytes of a request that are read: an authorization code is some 2 KB long.
const LARGEST_REQUEST: usize = 32 * 1024;
/// The most connections that are served at once.
const MOST_VISITORS: usize = 64;

impl Client {
    /// Signs a person in by their browser. `open` is given the page to open once the answer is listened for; the
    /// address holds no secret.
    ///
    /// # Errors
    /// Exit 3 if the person or Entra declines, 6 if nobody comes in time or Entra is not heard.
    pub async fn sign_in_by_browser(&self, open: impl FnOnce(&Url)) -> Result<Tokens, Refusal> {
        let listener = Listener::open().await.map_err(|error| {
            Failure::new(
                Exit::SignIn,
                format!("The browser's answer cannot be listened for on this machine's loopback: {error}."),
                "Use credential device-code, or run it where a program may listen on 127.0.0.1.",
            )
        })?;
        // Entra ignores the port of a http://localhost redirect, but not a path: not even a single slash.
        let redirect = format!("http://localhost:{}", listener.port);
        let redirect = RedirectUrl::new(redirect).expect("localhost and a port are an address");
        let (state, verifier) = (self.unguessable(), self.unguessable());
        let verifier = PkceCodeVerifier::new(verifier);
        let (page, _) = self
            .protocol()
            .authorize_url(|| CsrfToken::new(state.clone()))
            .add_scopes(client::scopes())
            .set_redirect_uri(Cow::Borrowed(&redirect))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_extra_param("prompt", "select_account")
            .url();

        open(&page);
        let arrived = self.http.deadline().bound(listener.await_answer(&state)).await;
        let code = match arrived.map_err(|ended| self.nobody_came(ended))? {
            Arrived::Code(code) => AuthorizationCode::new(code.expose().to_owned()),
            Arrived::Refused(error) => {
                return Err(Refusal {
                    failure: refusal::of_error(&error, self.app().asking_a_person()),
                    invalid_grant: false,
                    rolled: None,
                    error: Some(error.error),
                });
            }
        };

        let courier = self.transport();
        let proven = self.prove().await?;
        let protocol = self.protocol().set_redirect_uri(redirect);
        let scopes = client::scopes().map(|scope| scope.to_string()).join(" ");
        let mut request =
            protocol.exchange_code(code).set_pkce_verifier(verifier).add_extra_param("scope", scopes);
        for (name, value) in &proven.parameters {
            request = request.add_extra_param(*name, value.expose());
        }
        let answer = request.request_async(&courier).await;
        answer
            .map(client::tokens)
            .map_err(|error| self.refusal(error, &courier, &proven, self.app().asking_a_person()))
    }

    /// 256 random bits as the 43 characters that PKCE asks for at least.
    fn unguessable(&self) -> String {
        let mut bytes = [0; 32];
        self.http.world().random.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn nobody_came(&self, ended: Ended) -> Failure {
        match ended {
            Ended::TimedOut => Failure::new(
                Exit::Service,
                "Nobody signed in through the browser in time.",
                "Run it again and open the address on this very machine; raise the input 'timeout' if it takes longer.",
            ),
            cancelled @ Ended::Cancelled(_) => NoAnswer::from(cancelled).into_failure(&self.service()),
        }
    }
}

/// Shows the page in this machine's browser, if there is one. It may fail silently: the address has to be
/// printed all the same.
///
/// # Errors
/// If there is no program for it, or the address is none of a page: a device code's comes from outside, and
/// the desktop would start a file's program as readily.
pub fn open_page(page: &Url) -> io::Result<()> {
    if !matches!(page.scheme(), "http" | "https") {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no web page"));
    }
    let (program, arguments): (_, &[&str]) = if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else if cfg!(target_os = "macos") {
        ("open", &[])
    } else {
        ("xdg-open", &[])
    };
    Helper::new(program).arguments(arguments).arguments([page.as_str()]).start()
}

/// What came back from the sign-in page.
#[derive(Debug, PartialEq, Eq)]
enum Arrived {
    /// An authorization code, with our `state`.
    Code(Secret),
    /// An error, with our `state`.
    Refused(ErrorAnswer),
}

/// Listens on loopback for the browser's answer.
#[derive(Debug)]
struct Listener {
    port: u16,
    v4: TcpListener,
    /// `localhost` may mean `::1` first. If there is no IPv6, the browser goes on to 127.0.0.1.
    v6: Option<TcpListener>,
}

impl Listener {
    async fn open() -> io::Result<Self> {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = v4.local_addr()?.port();
        let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok();
        Ok(Self { port, v4, v6 })
    }

    /// Serves every connection until one brings an answer with this `state`.
    async fn await_answer(&self, state: &str) -> Arrived {
        let state: Arc<str> = state.into();
        let mut visits = JoinSet::new();
        loop {
            tokio::select! {
                Some(visit) = visits.join_next() => {
                    if let Ok(Some(arrived)) = visit {
                        return arrived;
                    }
                }
                visitor = self.next_visitor(), if visits.len() < MOST_VISITORS => {
                    let state = Arc::clone(&state);
                    visits.spawn(async move {
                        tokio::time::timeout(ONE_VISIT, serve(visitor, &state)).await.ok().flatten()
                    });
                }
            }
        }
    }

    async fn next_visitor(&self) -> TcpStream {
        loop {
            let accepted = match &self.v6 {
                Some(v6) => tokio::select! { a = self.v4.accept() => a, a = v6.accept() => a },
                None => self.v4.accept().await,
            };
            match accepted {
                Ok((visitor, _)) => return visitor,
                // Out of file descriptors, or the visitor has left already.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// Reads one request, answers it with a page, and hands on what it brought.
async fn serve(mut visitor: TcpStream, state: &str) -> Option<Arrived> {
    let target = read_target(&mut visitor).await?;
    let (page, arrived) = answer(&target, state);
    // The person may have closed the window; what arrived counts all the same.
    let _ = visitor.write_all(page.to_http().as_bytes()).await;
    let _ = visitor.shutdown().await;
    arrived
}

/// The target of a GET request, once its head has been read to the end; `None` if it is not such a request.
async fn read_target(visitor: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 100];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&head) {
            Ok(httparse::Status::Complete(_)) => {
                return (request.method == Some("GET")).then(|| request.path.map(str::to_owned)).flatten();
            }
            Ok(httparse::Status::Partial) if head.len() < LARGEST_REQUEST => {}
            _ => return None,
        }
        if visitor.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
}

/// The page that answers a request, and what it brought.
fn answer(target: &str, state: &str) -> (Page, Option<Arrived>) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if path != "/" {
        return (Page::NOT_FOUND, None);
    }
    let parameter = |name: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    };
    if parameter("state").as_deref() != Some(state) {
        return (Page::NOT_OURS, None);
    }
    if let Some(error) = parameter("error") {
        let error_description = parameter("error_description");
        let error = ErrorAnswer { error, error_description, ..ErrorAnswer::default() };
        return (Page::REFUSED, Some(Arrived::Refused(error)));
    }
    match parameter("code").filter(|code| !code.is_empty()) {
        Some(code) => (Page::DONE, Some(Arrived::Code(Secret::new(code)))),
        None => (Page::NOT_OURS, None),
    }
}

/// A plain page. None of them repeats anything of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Page {
    status: &'static str,
    title: &'static str,
    words: &'static str,
}

impl Page {
    const DONE: Self = Self {
        status: "200 OK",
        title: "Go back to the terminal",
        words: "adopat has received the answer and goes on from there. You can close this window.",
    };
    const REFUSED: Self = Self {
        status: "200 OK",
        title: "Not signed in",
        words: "The sign-in was not completed. You can close this window; the terminal says why.",
    };
    const NOT_OURS: Self = Self {
        status: "400 Bad Request",
        title: "Not the answer",
        words: "This is no answer to the sign-in that adopat waits for. Use the address that it printed last.",
    };
    const NOT_FOUND: Self =
        Self { status: "404 Not Found", title: "Not found", words: "There is nothing here." };

    /// Without script, pictures or anything from elsewhere.
    fn to_http(self) -> String {
        let Self { status, title, words } = self;
        let body = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title} - adopat</title>\n\
             <style>body{{font:1.125rem/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto 0;padding:0 1rem;\
             color:#1b1b1b;background:#fff}}h1{{font-size:1.75rem}}</style>\n</head>\n\
             <body><h1>{title}</h1><p>{words}</p></body>\n</html>\n"
        );
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n\
             Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::super::scripted::{self, CLIENT, Script};
    use super::*;
    use crate::failure::Signal;

    /// A sign-in under way, and the page that it asks to be opened.
    struct SignIn {
        script: Arc<Script>,
        page: Url,
        cancel: tokio::sync::watch::Sender<Option<Signal>>,
        outcome: tokio::task::JoinHandle<Result<Tokens, Refusal>>,
    }

    impl SignIn {
        async fn begin(seconds: u64) -> Self {
            let tokens =
                json!({ "token_type": "Bearer", "access_token": "eyJ0.fake", "refresh_token": "0.fake" });
            let script = Script::of([scripted::json(200, tokens)]);
            let (http, cancel) = scripted::http(&script, seconds);
            let client = scripted::client_over(http, None);
            let (sender, opened) = oneshot::channel();
            let outcome = tokio::spawn(async move {
                client.sign_in_by_browser(|page| sender.send(page.clone()).expect("the test waits")).await
            });
            Self { script, page: opened.await.expect("a page"), cancel, outcome }
        }

        fn asked(&self) -> BTreeMap<String, String> {
            self.page.query_pairs().into_owned().collect()
        }

        async fn connect(&self) -> TcpStream {
            let redirect: Url = self.asked()["redirect_uri"].parse().expect("an address");
            TcpStream::connect(("127.0.0.1", redirect.port().expect("a port"))).await.expect("a connection")
        }

        /// What a browser gets for this target.
        async fn visit(&self, target: &str) -> String {
            let mut connection = self.connect().await;
            let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n");
            connection.write_all(request.as_bytes()).await.expect("sent");
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await.expect("answered");
            answer
        }

        async fn answer(&self) -> String {
            self.visit(&format!("/?code=fake-code&state={}", self.asked()["state"])).await
        }

        async fn refusal(self) -> Failure {
            self.outcome.await.expect("no panic").expect_err("no tokens").failure
        }
    }

    #[tokio::test]
    async fn the_code_is_redeemed_with_the_verifier_of_the_challenge() {
        let sign_in = SignIn::begin(60).await;
        let asked = sign_in.asked();
        assert_eq!(sign_in.page.path(), "/contoso.com/oauth2/v2.0/authorize");
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], CLIENT);
        assert_eq!(asked["prompt"], "select_account");
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].ends_with("/.default offline_access"));
        assert!(
            asked["redirect_uri"].starts_with("http://localhost:") && !asked["redirect_uri"].ends_with('/')
        );

        let page = sign_in.answer().await;
        assert!(page.starts_with("HTTP/1.1 200 OK") && page.contains("close this window"), "{page}");
        assert!(!page.contains("fake-code"));
        let script = Arc::clone(&sign_in.script);
        sign_in.outcome.await.expect("no panic").expect("tokens");
        let form = script.form(0);
        assert_eq!(form["grant_type"], "authorization_code");
        assert_eq!(form["code"], "fake-code");
        assert_eq!(form["redirect_uri"], asked["redirect_uri"]);
        let digest = ring::digest::digest(&ring::digest::SHA256, form["code_verifier"].as_bytes());
        assert_eq!(URL_SAFE_NO_PAD.encode(digest), asked["code_challenge"]);
    }

    #[tokio::test]
    async fn another_state_is_never_redeemed_and_other_paths_do_not_end_the_wait() {
        let sign_in = SignIn::begin(60).await;
        let state = sign_in.asked()["state"].clone();
        for target in [
            "/?code=stolen&state=another".to_owned(),
            "/?code=stolen".into(),
            "/".into(),
            format!("/?state={state}"),
            "/?error=access_denied&state=another".into(),
        ] {
            assert!(sign_in.visit(&target).await.starts_with("HTTP/1.1 400 "), "{target}");
        }
        for target in ["/favicon.ico".to_owned(), format!("/callback?code=stolen&state={state}")] {
            assert!(sign_in.visit(&target).await.starts_with("HTTP/1.1 404 "), "{target}");
        }
        sign_in.answer().await;
        let script = Arc::clone(&sign_in.script);
        sign_in.outcome.await.expect("no panic").expect("tokens");
        assert_eq!(script.asked().len(), 1);
        assert_eq!(script.form(0)["code"], "fake-code");
    }

    #[tokio::test]
    async fn idle_and_broken_connections_do_not_hold_up_the_answer() {
        let sign_in = SignIn::begin(60).await;
        let idle = [sign_in.connect().await, sign_in.connect().await];
        for nonsense in ["\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "\u{16}\u{3}\u{1}", "GET / HTTP/1.1\r\n"] {
            let mut connection = sign_in.connect().await;
            connection.write_all(nonsense.as_bytes()).await.expect("sent");
        }
        sign_in.answer().await;
        sign_in.outcome.await.expect("no panic").expect("tokens");
        drop(idle);
    }

    #[tokio::test]
    async fn more_visitors_than_are_served_at_once_do_not_shut_the_browser_out() {
        let sign_in = SignIn::begin(60).await;
        let mut idle = Vec::new();
        for _ in 0..MOST_VISITORS {
            idle.push(sign_in.connect().await);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        let answered = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(idle);
        };
        let (page, ()) = tokio::join!(sign_in.answer(), answered);
        assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
        sign_in.outcome.await.expect("no panic").expect("tokens");
    }

    #[rstest]
    #[case(
        "access_denied",
        "AADSTS65004: User declined to consent to access the app.",
        "AADSTS65004",
        "declined"
    )]
    #[case("access_denied", "the user canceled the authentication", "access_denied", "declined")]
    #[case("invalid_request", "AADSTS50011: The redirect URI does not match.", "AADSTS50011", "redirect")]
    #[tokio::test]
    async fn a_refusal_is_told_with_its_remedy(
        #[case] error: &str,
        #[case] description: &str,
        #[case] name: &str,
        #[case] cause: &str,
    ) {
        let sign_in = SignIn::begin(60).await;
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("error", error)
            .append_pair("error_description", description)
            .append_pair("state", &sign_in.asked()["state"])
            .finish();
        assert!(sign_in.visit(&format!("/?{query}")).await.contains("not completed"));
        let failure = sign_in.refusal().await;
        assert_eq!((failure.exit, failure.name.as_deref()), (Exit::SignIn, Some(name)));
        assert!(failure.cause.contains(cause), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_in_time_is_said_so() {
        let failure = SignIn::begin(30).await.refusal().await;
        assert_eq!(failure.exit, Exit::Service);
        assert!(failure.remedy.contains("timeout"), "{failure}");
    }

    #[tokio::test]
    async fn a_signal_ends_the_wait_and_closes_the_port() {
        let sign_in = SignIn::begin(60).await;
        sign_in.cancel.send(Some(Signal::Interrupt)).expect("a receiver lives");
        let redirect: Url = sign_in.asked()["redirect_uri"].parse().expect("an address");
        assert_eq!(sign_in.refusal().await.exit, Exit::Cancelled(Signal::Interrupt));
        TcpStream::connect(("127.0.0.1", redirect.port().expect("a port"))).await.expect_err("closed");
    }

    #[tokio::test]
    async fn each_sign_in_has_a_state_and_a_verifier_of_its_own() {
        let pages = Mutex::new(Vec::new());
        let script = Script::of([]);
        let (http, _sender) = scripted::http(&script, 0);
        let client = scripted::client_over(http, None);
        for _ in 0..2 {
            client
                .sign_in_by_browser(|page| pages.lock().expect("alone").push(page.clone()))
                .await
                .expect_err("late");
        }
        let pages = pages.into_inner().expect("alone");
        let [first, second] =
            [0, 1].map(|n: usize| pages[n].query_pairs().into_owned().collect::<BTreeMap<_, _>>());
        for name in ["state", "code_challenge"] {
            assert_ne!(first[name], second[name], "{name}");
        }
    }

    #[tokio::test]
    async fn only_a_web_page_is_opened() {
        for address in ["file:///bin/true", "javascript:0", "ms-msdt:/id"] {
            let error = open_page(&address.parse().expect("an address")).expect_err("refused");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{address}");
        }
    }

    proptest! {
        #[test]
        fn only_our_state_brings_anything(target in "/?[a-z?&=%0-9/]{0,80}") {
            prop_assert_eq!(answer(&target, "the-State-of-ours").1, None);
        }
    }
}
