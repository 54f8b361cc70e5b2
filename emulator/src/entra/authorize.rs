//! The authorization code flow: a person signs in with a browser, and the client gets a code at its redirect
//! address.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use uuid::Uuid;

use crate::answer::{self, Answer};
use crate::call::{Call, Form};
use crate::cast::{AppRegistration, Platform, Redirect};
use crate::entra::Tenant;
use crate::entra::aadsts::Aadsts;
use crate::entra::pages::{self, Asked, Decision};
use crate::entra::scope::Scope;
use crate::entra::token::{self, Grant};
use crate::entra::tokens::{ClientKind, NewRefreshToken};
use crate::jwt;
use crate::services::Services;

/// How long a code lives.
const LIFE: Duration = Duration::from_secs(600);

#[derive(Clone, Debug)]
pub(super) struct Code {
    value: String,
    client_id: Uuid,
    redirect: String,
    platform: Platform,
    challenge: Option<String>,
    nonce: Option<String>,
    user: String,
    scope: Scope,
    end: Timestamp,
    redeemed: bool,
}

/// A request to sign in, checked as far as it can be before anybody has signed in.
struct Request {
    app: AppRegistration,
    redirect: String,
    platform: Platform,
    state: Option<String>,
    mode: String,
    form: Form,
}

/// Shows the pages, and sends the browser back.
pub(super) fn answer(services: &mut Services, call: &Call, tenant: &str, now: Timestamp) -> Answer {
    let request = match Request::check(services, Form::from_query(call), tenant) {
        Ok(request) => request,
        // Where it is not known that the redirect address is the client's, nothing may be sent there.
        Err(refusal) => return pages::refusal(&refusal),
    };
    match decide(services, call, &request) {
        Err(refusal) => request.refused(&refusal),
        Ok(Decision::Ask(page)) => page,
        Ok(Decision::Decline) => request.refused(&Aadsts::code(65004)),
        Ok(Decision::Accept(user)) => match request.code(services, &user, now) {
            Ok(code) => request
                .send_back(&[("code", &code), ("session_state", "fa4e0000-0000-4000-8000-00000000005e")]),
            Err(refusal) => request.refused(&refusal),
        },
    }
}

fn decide(services: &mut Services, call: &Call, request: &Request) -> Result<Decision, Aadsts> {
    let scope = request.scope()?;
    if request.form.get("response_type") != Some("code") {
        return Err(Aadsts::code(700051).error("unsupported_response_type"));
    }
    if request.form.get("prompt") == Some("none") {
        return Err(Aadsts::code(50058).error("login_required"));
    }
    Ok(pages::sign_in(services, call, &Asked::by(&request.app, &scope, None)))
}

impl Request {
    fn check(services: &Services, form: Form, tenant: &str) -> Result<Self, Aadsts> {
        let tenant = Tenant::named(services, tenant)?;
        let app = token::app(services, token::required(&form, "client_id")?, tenant)?;
        let Some(first) = app.redirects.first() else { return Err(Aadsts::code(500113)) };
        let redirect = form.get("redirect_uri").unwrap_or(&first.address).to_owned();
        let Some(registered) = app.redirects.iter().find(|known| known.matches(&redirect)) else {
            return Err(Aadsts::code(50011).saying(format!(
                "The redirect URI '{redirect}' specified in the request does not match the redirect URIs \
                 configured for the application '{}'. Make sure the redirect URI sent in the request matches one \
                 added to your application in the Azure portal.",
                app.client_id
            )));
        };
        let platform = registered.platform;
        let state = form.get("state").map(str::to_owned);
        let mode = form.get("response_mode").unwrap_or("query").to_owned();
        Ok(Self { app, redirect, platform, state, mode, form })
    }

    fn scope(&self) -> Result<Scope, Aadsts> {
        Scope::parse(token::required(&self.form, "scope")?)
    }

    fn code(&self, services: &mut Services, user: &str, now: Timestamp) -> Result<String, Aadsts> {
        let value = format!("1.FAKE-code-{}", services.chance.url_safe(500));
        let challenge = match self.form.get("code_challenge") {
            None if self.platform == Platform::SinglePage => {
                return Err(Aadsts::code(9002325));
            }
            None => None,
            Some(challenge) => match self.form.get("code_challenge_method") {
                Some("S256") => Some(challenge.to_owned()),
                _ => {
                    return Err(
                        Aadsts::code(501491).saying("Invalid size or method of Code_Challenge parameter.")
                    );
                }
            },
        };
        services.remember_secret(&value);
        services.entra.codes.push(Code {
            value: value.clone(),
            client_id: self.app.client_id,
            redirect: self.redirect.clone(),
            platform: self.platform,
            challenge,
            nonce: self.form.get("nonce").map(str::to_owned),
            user: user.to_owned(),
            scope: self.scope()?,
            end: now + LIFE,
            redeemed: false,
        });
        Ok(value)
    }

    fn refused(&self, refusal: &Aadsts) -> Answer {
        let description = format!("AADSTS{}: {}", refusal.code, refusal.text);
        self.send_back(&[("error", &refusal.error), ("error_description", &description)])
    }

    fn send_back(&self, fields: &[(&str, &str)]) -> Answer {
        let mut fields = fields.to_vec();
        if let Some(state) = &self.state {
            fields.push(("state", state));
        }
        if self.mode == "form_post" {
            return pages::form_post(&self.redirect, &fields);
        }
        let pairs = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mark = if self.mode == "fragment" {
            '#'
        } else if self.redirect.contains('?') {
            '&'
        } else {
            '?'
        };
        answer::redirect(&format!("{}{mark}{pairs}", self.redirect))
    }
}

impl Redirect {
    /// Entra ignores the port of a loopback address, and nothing else (entra-docs, reply-url).
    fn matches(&self, asked: &str) -> bool {
        self.address == asked
            || loopback(&self.address).is_some_and(|registered| loopback(asked) == Some(registered))
    }
}

/// A loopback address without its port: host and path.
fn loopback(address: &str) -> Option<(String, String)> {
    let uri: http::Uri = address.parse().ok()?;
    let host = uri.host()?.to_owned();
    let is_loopback = uri.scheme_str() == Some("http") && (host == "localhost" || host == "127.0.0.1");
    is_loopback.then(|| (host, uri.path().to_owned()))
}

/// Redeems a code.
pub(super) fn redeem(
    services: &mut Services,
    call: &Call,
    form: &Form,
    app: &AppRegistration,
    proven: bool,
    now: Timestamp,
) -> Result<Answer, Aadsts> {
    let value = token::required(form, "code")?;
    let Some(code) = services.entra.codes.iter_mut().find(|code| code.value == value) else {
        return Err(Aadsts::code(70000).saying("The provided value for the 'code' parameter is not valid."));
    };
    if code.client_id != app.client_id {
        return Err(Aadsts::code(700007));
    }
    let kind = match code.platform {
        Platform::Native if proven => return Err(Aadsts::code(700025)),
        Platform::Native => ClientKind::Public,
        Platform::Web if !proven => return Err(Aadsts::code(7000218)),
        Platform::Web => ClientKind::Confidential,
        Platform::SinglePage if call.header("origin").is_none() => return Err(Aadsts::code(9002327)),
        Platform::SinglePage => ClientKind::SinglePage,
    };
    if code.redeemed {
        return Err(Aadsts::code(54005));
    }
    if code.end <= now {
        return Err(Aadsts::code(70008));
    }
    if form.get("redirect_uri").is_some_and(|redirect| redirect != code.redirect) {
        return Err(Aadsts::code(500112));
    }
    let verified = match (&code.challenge, form.get("code_verifier")) {
        (None, _) => true,
        (Some(challenge), Some(verifier)) => *challenge == jwt::pkce_challenge(verifier),
        (Some(_), None) => false,
    };
    if !verified {
        return Err(Aadsts::code(501481));
    }
    code.redeemed = true;
    let code = code.clone();
    let user = services.user_named(&code.user);
    let grant = Grant::to_user(app, &user, &code.scope, crate::Audience::AzureDevOps)?;
    let refresh = code.scope.offline.then_some(NewRefreshToken {
        user: user.name,
        client_id: app.client_id,
        kind,
        audience: grant.audience,
        by_device_code: false,
    });
    Ok(token::tokens(services, grant, &code.scope.wishes(form, code.nonce), refresh, now))
}

impl Services {
    /// A user signs in at the address that a client has shown, and consents; the address to which the browser is
    /// sent then. For tests that have no browser.
    ///
    /// # Panics
    /// When the address does not lead there.
    pub fn sign_in_at(&mut self, address: &str, user: &str, now: Timestamp) -> String {
        self.decide_at(address, &[("step", "consent"), ("account", user), ("decision", "accept")], now)
    }

    /// A person declines at the address that a client has shown; the address to which the browser is sent then.
    ///
    /// # Panics
    /// When the address does not lead there.
    pub fn decline_at(&mut self, address: &str, now: Timestamp) -> String {
        self.decide_at(address, &[("decision", "decline")], now)
    }

    fn decide_at(&mut self, address: &str, fields: &[(&str, &str)], now: Timestamp) -> String {
        let uri: http::Uri = address.parse().expect("an address");
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = http::Request::post(path).body(body.into()).expect("a request");
        let answer = self.handle(crate::Service::Entra, request, now);
        assert_eq!(answer.status(), StatusCode::FOUND, "{}", String::from_utf8_lossy(answer.body()));
        let location = answer.headers().get(http::header::LOCATION).expect("a redirect leads somewhere");
        location.to_str().expect("an address is ASCII").to_owned()
    }
}
