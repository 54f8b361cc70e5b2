//! What has to hold whatever bytes come in: the one body of the fuzz targets and of `tests/hostile_input.rs`.
//!
//! Nothing may panic, nothing may hang, no secret may be repeated, and nothing that is shown may be a command to a
//! host or a terminal.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use adopat::azure_devops::Organization;
use adopat::azure_devops::hosts::{Purpose, parse_trusted};
use adopat::cli::CommandLine;
use adopat::entra::{Certificate, Client};
use adopat::failure::{Exit, Failure};
use adopat::host::HostSettings;
use adopat::host::streams::Captured;
use adopat::host::{self, Host, Level, Streams};
use adopat::http::Http;
use adopat::inputs::table::{INPUTS, Input};
use adopat::inputs::{Environment, Inputs};
use adopat::outputs::Outputs;
use adopat::pats::model::Filter;
use adopat::pats::reconciling::Unanswered;
use adopat::pats::{Change, CreateError, Fingerprint, NewPat, Pat, Scope, Service, minting};
use adopat::secret::{Register, Secret};
use adopat::store::Store as _;
use adopat::store::file::FileStore;
use adopat::store::sealed::is_sealed;
use adopat::time::Deadline;
use adopat::world::{Clock, Exchange, Random, Wire, World};
use adopat::{oidc, pending};
use bytes::Bytes;
use jiff::Timestamp;

/// Bytes, taken piece by piece.
struct Pieces<'a>(&'a [u8]);

impl<'a> Pieces<'a> {
    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first)
    }

    fn text(&mut self) -> String {
        let length = self.byte().min(self.0.len());
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }
}

/// The inputs, under every spelling, with every value: all problems are told, none of them tells a secret, and
/// what is accepted leads nowhere but to Microsoft or to this machine.
pub fn inputs(bytes: &[u8]) {
    let mut pieces = Pieces(bytes);
    let operation = INPUTS[0].choices[pieces.byte() % INPUTS[0].choices.len()];
    let mut variables: Vec<(OsString, OsString)> = Vec::new();
    let mut secrets = Vec::new();
    if pieces.byte().is_multiple_of(2) {
        for (name, value) in
            [("ORGANIZATION", "fabrikam"), ("CLIENT_ID", "c"), ("REFRESH_TOKEN", "1.fake-token")]
        {
            variables.push((format!("ADOPAT_{name}").into(), value.into()));
        }
    }
    while !pieces.0.is_empty() {
        let input: &Input = &INPUTS[pieces.byte() % INPUTS.len()];
        let name = match pieces.byte() % 3 {
            0 => input.variable(),
            1 => format!("INPUT_{}", input.name.to_uppercase()),
            _ => format!("INPUT_{}", input.name.to_uppercase().replace('-', "")),
        };
        let value = pieces.text().replace('\0', "");
        if input.secret && value.trim().len() >= 12 {
            secrets.push(value.trim().to_owned());
        }
        variables.push((name.into(), value.into()));
    }
    let environment: Environment = variables.into_iter().collect();
    let CommandLine::Run(arguments) = CommandLine::parse(&[operation.into()]) else { return };
    let inputs = Inputs::read(&environment, &arguments.flags);
    match inputs.into_request(&arguments, &environment).1 {
        Ok(request) => {
            let places = request.places;
            for place in [places.authority_host, places.service_url, places.devops_url] {
                let host = place.host_str().unwrap_or_default().to_owned();
                let loopback = ["localhost", "127.", "[::1]"].iter().any(|own| host.starts_with(own));
                let microsofts = [
                    "login.microsoftonline.com",
                    "login.microsoftonline.us",
                    "login.partner.microsoftonline.cn",
                    "vssps.dev.azure.com",
                    "dev.azure.com",
                ];
                let trusted = microsofts.contains(&host.as_str())
                    || host.ends_with(".dev.azure.com")
                    || host.ends_with(".visualstudio.com");
                assert!(loopback || (trusted && place.scheme() == "https"), "{place}");
            }
        }
        Err(problems) => {
            for problem in problems {
                let problem = problem.to_string();
                assert!(secrets.iter().all(|secret| !problem.contains(secret)), "{problem}");
            }
        }
    }
}

/// Addresses: none is trusted that is not Microsoft's or this machine's own.
pub fn addresses(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for purpose in [Purpose::SignIn, Purpose::AzureDevOps] {
        if let Ok(url) = parse_trusted(&text, purpose) {
            let host = url.host_str().expect("it has a host");
            assert!(url.username().is_empty() && url.password().is_none(), "{url}");
            assert!(!host.contains(['/', '@', '\\', '?', '#']), "{url}");
        }
    }
    let _ = Organization::parse(&text);
    let _ = adopat::store::Address::parse(&text);
    let _ = adopat::time::span::parse(&text);
    let _ = Scope::parse(&text).unknown();
    let _ = pending::Pending::parse(&text);
    let _ = adopat::http::proxy::parse_bypass_list(&text);
}

/// Who is told of nothing.
struct Nobody;

impl minting::Watch for Nobody {
    fn is_about_to_ask(&self, _: &Fingerprint, _: &Unanswered) -> Result<(), Failure> {
        Ok(())
    }

    fn cancelled_before_the_answer(&self, _: &Fingerprint) {}
}

/// What the PAT service may answer to each of its calls, under each status.
pub fn pat_service(bytes: &[u8]) {
    let mut pieces = Pieces(bytes);
    let (call, answer) = (pieces.byte(), answer_from(&mut pieces));
    run(async {
        let http = http(answer);
        let base = "https://vssps.dev.azure.com".parse().expect("an address");
        let organization = Organization::parse("fabrikam").expect("a name");
        let service = Service::new(http, &base, organization, Secret::new("eyJfake-bearer".into()));
        let id = "00000000-0000-0000-0000-000000000001";
        let new = NewPat {
            display_name: "nightly".into(),
            scope: Scope::parse("vso.code"),
            valid_to: now(),
            lifetime: None,
        };
        let failure = match call % 6 {
            0 => service.list(Filter::All).await.err(),
            1 => service.get(id).await.err(),
            2 => service.update(id, &Change::default()).await.err().map(Failure::from),
            3 => service.revoke(id).await.err().map(Failure::from),
            4 => match service.create(&Fingerprint::new(&new, now(), 0.5, |_| false)).await {
                Ok(minted) => {
                    assert!(!minted.token.is_empty());
                    None
                }
                Err(CreateError::Refused(failure) | CreateError::Later(_, failure)) => Some(failure),
                Err(CreateError::Ambiguous(doubt)) => Some(doubt.failure),
            },
            _ => {
                let mut unanswered = Unanswered::default();
                let minted = minting::mint(&service, &new, &Nobody, &mut unanswered).await;
                unanswered.look_once_more(&service).await;
                minted.err().map(|failure| unanswered.account_in(failure))
            }
        };
        if let Some(failure) = failure {
            shows_harmlessly(&failure, "eyJfake-bearer");
        }
    });
}

/// What Entra may answer to a refresh token.
pub fn entra(bytes: &[u8]) {
    let answer = answer_from(&mut Pieces(bytes));
    run(async {
        let authority = "https://login.microsoftonline.com".parse().expect("an address");
        let client = Client::new(http(answer), authority, "contoso.example".into(), "client".into(), None);
        match client.redeem(&Secret::new("1.AXXX-fake-refresh-token".into()), None).await {
            Ok(tokens) => assert_eq!(
                format!("{tokens:?}").matches("Secret").count(),
                1 + usize::from(tokens.refresh_token.is_some())
            ),
            Err(refusal) => shows_harmlessly(&refusal.failure, "1.AXXX-fake-refresh-token"),
        }
    });
}

/// Whatever a name or a message says, each host hears exactly adopat's own commands and values.
pub fn hosts(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let token = format!("FAKE{}AZDOFAKE", "a".repeat(72));
    let outputs = Outputs {
        token: Some(Secret::new(token.clone())),
        subject: Some(Pat {
            authorization_id: "00000000-0000-0000-0000-000000000001".into(),
            display_name: text.clone(),
            scope: Scope::parse("vso.code"),
            valid_from: None,
            valid_to: None,
            target_accounts: None,
        }),
        changed: true,
        ..Outputs::default()
    };
    let github = HostSettings::GithubActions {
        output: Some(folder.path().join("output")),
        env: None,
        state: None,
        step_summary: Some(folder.path().join("summary")),
    };
    let (github, printed) = open(github);
    github.say(Level::Error, &text);
    github.say(Level::Info, &text);
    github.print(&text);
    let heard = super::github_runner::commands(&printed.text());
    assert!(heard.len() == 1 && heard[0].name == "error", "{heard:?}");
    github.deliver(&outputs).expect("delivered");
    github.summarize(&text);
    let file = std::fs::read_to_string(folder.path().join("output")).expect("written");
    let pairs = super::github_runner::pairs(&file).expect("a command file");
    let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["token", "authorization-id", "display-name", "scope", "changed"]);
    assert_eq!((pairs[0].1.as_str(), pairs[2].1.as_str()), (token.as_str(), text.as_str()));

    let (azure, printed) = open(HostSettings::AzurePipelines { temp: None, decodes_percent: true });
    azure.say(Level::Warning, &text);
    azure.say(Level::Info, &text);
    azure.print(&text);
    azure.deliver(&outputs).expect("delivered");
    let heard = super::azure_agent::commands(&printed.text(), true);
    let heard: Vec<String> = heard
        .into_iter()
        .map(|each| format!("{} {}", each.name, each.properties.get("variable").cloned().unwrap_or_default()))
        .collect();
    let expected = [
        "logissue ",
        "setvariable ADO_PAT",
        "setvariable authorizationId",
        "setvariable displayName",
        "setvariable scope",
        "setvariable changed",
    ];
    assert_eq!(heard, expected.map(|command| format!("task.{command}")));
}

/// `Retry-After`: seconds or a date; never a panic, never negative.
pub fn retry_after(bytes: &[u8]) {
    let response = http::Response::builder().header("Retry-After", bytes).header("Date", bytes);
    if let Ok(response) = response.body(Bytes::new()) {
        let answer = adopat::http::Answer::from(response);
        let _ = (answer.retry_after(now()), answer.date());
    }
}

/// A client's certificate: PEM or PKCS#12, with a password or without.
pub fn certificates(bytes: &[u8]) {
    for password in [None, Some(Secret::new("fake-password".into()))] {
        if let Err(failure) = Certificate::read(bytes, password.as_ref()) {
            assert_eq!(failure.exit, Exit::Inputs);
            shows_harmlessly(&failure, "fake-password");
        }
    }
}

/// The job's own OIDC token: read for its claims, never shown.
pub fn job_tokens(bytes: &[u8]) {
    let token = Secret::new(String::from_utf8_lossy(bytes).into_owned());
    let identity = oidc::describe(&token).to_string();
    is_harmless(&streams().0.shown(&identity));
}

/// The credential store's file, with a key and without.
pub fn store_file(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    // A header within its bounds may ask for seconds of work; what is looked for here is found for less.
    if is_sealed(&bytes) && bytes.len() > 19 && bytes[7..10] == [0, 0, 0] && bytes[11..14] == [0, 0, 0] {
        bytes[14] = bytes[14].min(1);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    std::fs::write(&path, &bytes).expect("written");
    run(async {
        let (_cancel, cancellation) = tokio::sync::watch::channel(None);
        let deadline = Deadline::new(Duration::from_secs(20), cancellation);
        for key in [None, Some(Secret::new("fake-store-key".into()))] {
            let http = Http::new(world(http::Response::new(Bytes::new())), deadline.clone());
            let store = FileStore::new(path.clone(), key, http);
            if let Err(failure) = store.read(&deadline).await {
                assert_eq!(failure.exit, Exit::SignIn);
                shows_harmlessly(&failure, "fake-store-key");
            }
        }
    });
    assert_eq!(std::fs::read(&path).expect("there"), bytes, "it is left untouched");
}

fn answer_from(pieces: &mut Pieces<'_>) -> http::Response<Bytes> {
    const STATUSES: [u16; 13] = [200, 200, 200, 201, 203, 204, 302, 400, 401, 403, 404, 429, 503];
    let status = STATUSES[pieces.byte() % STATUSES.len()];
    let mut response = http::Response::builder().status(status);
    if pieces.byte().is_multiple_of(4) {
        for name in ["Retry-After", "Date", "ActivityId", "WWW-Authenticate", "X-TFS-ServiceError"] {
            let value = pieces.text();
            if http::HeaderValue::from_str(&value).is_ok() {
                response = response.header(name, value);
            }
        }
    }
    response.body(Bytes::copy_from_slice(pieces.0)).expect("a response")
}

fn shows_harmlessly(failure: &Failure, secret: &str) {
    let text = failure.to_string();
    assert!(!text.contains(secret), "{text}");
    is_harmless(&streams().0.shown(&text));
}

fn is_harmless(shown: &str) {
    assert!(!shown.contains("##") && !shown.trim_start().starts_with("::"), "{shown:?}");
    assert!(
        !shown.chars().any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{feff}')),
        "{shown:?}"
    );
}

fn streams() -> (Streams, Captured) {
    let (streams, out, _) = Streams::captured(Register::default());
    (streams, out)
}

fn open(settings: HostSettings) -> (Box<dyn Host>, Captured) {
    let (streams, out) = streams();
    let world = world(http::Response::new(Bytes::new()));
    (host::open(&settings, None, None, &world, streams, false), out)
}

fn run(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(work);
}

fn http(answer: http::Response<Bytes>) -> Http {
    let (cancel, cancellation) = tokio::sync::watch::channel(None);
    // It must outlive the run: a channel whose sender is gone cancels nothing either.
    drop(cancel);
    Http::new(world(answer), Deadline::new(Duration::from_secs(60), cancellation))
}

fn now() -> Timestamp {
    Timestamp::from_second(1_780_000_000).expect("an instant")
}

fn world(answer: http::Response<Bytes>) -> World {
    World { wire: Arc::new(Always(answer)), clock: Arc::new(Still), random: Arc::new(Still) }
}

/// A service that always gives the same answer.
#[derive(Debug)]
struct Always(http::Response<Bytes>);

impl Wire for Always {
    fn exchange(&self, _: http::Request<Bytes>) -> Exchange<'_> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        now()
    }
}

impl Random for Still {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}
