//! What Microsoft Entra's refusals mean: its AADSTS codes, each as a cause and a remedy.
//!
//! The numbers choose the words alone. What is *done* about a refusal (repeat it, read the store once more,
//! sign in again) follows the HTTP status and the protocol's `error`: Microsoft says of the numbers that a
//! program which depends on them will break in time (entra-docs, reference-error-codes).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::failure::{Exit, Failure, without_people};
use crate::http::Answer;

/// What some AADSTS codes mean.
#[derive(Debug)]
pub struct Meaning {
    /// The numbers after `AADSTS`.
    pub codes: &'static [u32],
    /// The exit code.
    pub exit: Exit,
    /// One sentence of cause. `{client_id}` and `{tenant}` stand for the run's own.
    pub cause: &'static str,
    /// One sentence of remedy. `{consent}` stands for the address where an administrator consents.
    pub remedy: &'static str,
}

const fn meaning(codes: &'static [u32], cause: &'static str, remedy: &'static str) -> Meaning {
    Meaning { codes, exit: Exit::SignIn, cause, remedy }
}

const MFA: &str = "Run 'adopat login' again and complete multi-factor authentication; if the policy depends on the \
                   network, run the pipeline from an address that it accepts.";
const POLICY: &str = "Ask an administrator of the tenant to allow this sign-in; if the policy blocks device codes, run \
                      'adopat login' with credential browser, and if it depends on the device or the network, use a \
                      self-hosted agent that it accepts.";
const LOGIN: &str = "Sign in again with 'adopat login' and store the new refresh token.";
const OWN_APP: &str = "Use an app registration of your own that lists the delegated permissions vso.pats and \
                       vso.pats_manage of Azure DevOps, and give its id as client-id.";
const FEDERATION: &str = "Register issuer, subject and audience exactly as the job's token says them under \
                          'Federated credentials' of app registration {client_id}; a new entry takes some minutes \
                          to spread.";
const ADMINISTRATOR_OF_ACCOUNT: &str =
    "Ask the administrator of that account, or sign in as another person with 'adopat login'.";
const NAME_TENANT: &str = "Give tenant-id the GUID or a verified domain of the tenant that backs the organization; \
                           'adopat doctor' shows which that is.";
const MALFORMED: &str =
    "Check authority-host; if that is right, report it: adopat should never have sent this request.";
const DAMAGED: &str = "Store the token again exactly as 'adopat login' wrote it, in one piece and without quotation \
                       marks, or sign in again with 'adopat login'.";
const NETWORK: &str = "Ask the administrators of this network to let its proxy pass the tenant of the organization, or \
                       run the pipeline from another network; signing in again does not help.";
const APP_OWNER: &str =
    "Ask the owner of app registration {client_id} to enable it, or give another client-id.";
const MANAGED_DEVICE: &str =
    "Run 'adopat login' from a device that the tenant manages, and complete what it asks.";

/// Every AADSTS code adopat has words for (entra-docs, reference-error-codes, and field reports).
pub const MEANINGS: &[Meaning] = &[
    meaning(&[50076, 50074], "Microsoft Entra wants multi-factor authentication for this sign-in.", MFA),
    meaning(
        &[50079, 50072],
        "The user who signs in has first to be registered for multi-factor authentication.",
        MFA,
    ),
    meaning(
        &[50078],
        "The multi-factor authentication of this sign-in is too old for the tenant's policy.",
        MFA,
    ),
    meaning(&[53003], "A Conditional Access policy of the tenant blocks this sign-in.", POLICY),
    meaning(
        &[53000, 53001, 530_002, 530_003],
        "A Conditional Access policy of the tenant accepts this sign-in from a managed or compliant device only.",
        POLICY,
    ),
    meaning(
        &[65001],
        "Nobody has consented yet that app registration {client_id} may use Azure DevOps for this user.",
        "Consent while running 'adopat login', or let an administrator open {consent} and accept.",
    ),
    meaning(
        &[90094],
        "The permissions of app registration {client_id} need an administrator's consent.",
        "Let an administrator of the tenant open {consent} and accept.",
    ),
    meaning(&[700_082], "The refresh token has expired: it was not used for 90 days.", LOGIN),
    meaning(&[70008], "The refresh token or the authorization code has expired.", LOGIN),
    meaning(
        &[70043],
        "The refresh token has ended because the tenant's sign-in frequency policy wants a fresh sign-in.",
        "Sign in again with 'adopat login'; if that comes too often, ask the tenant's administrator to exempt this \
         user from the sign-in frequency policy.",
    ),
    meaning(
        &[700_084],
        "The refresh token has expired: a single-page application's lives for 24 hours and no longer.",
        "Register http://localhost under 'Mobile and desktop applications' of app registration {client_id} in place \
         of 'Single-page application', then sign in again with 'adopat login'.",
    ),
    meaning(
        &[9_002_327],
        "The refresh token was issued to a single-page application, which may redeem it in a browser alone.",
        "Register http://localhost under 'Mobile and desktop applications' of app registration {client_id} in place \
         of 'Single-page application', then sign in again with 'adopat login'.",
    ),
    meaning(
        &[70000],
        "The refresh token is not valid (any more): it was revoked, used up, or issued to another app.",
        "Check client-id and tenant-id; if they are those of the sign-in, sign in again with 'adopat login'.",
    ),
    meaning(
        &[50173, 50132, 50133],
        "The refresh token was revoked: the user's password was changed or has expired, or their sessions were ended.",
        LOGIN,
    ),
    meaning(
        &[7_000_218],
        "App registration {client_id} is a confidential client, and this run has nothing that proves it.",
        "Turn on 'Allow public client flows' in the app registration, or give client-secret, client-certificate or \
         federated.",
    ),
    meaning(
        &[700_025],
        "App registration {client_id} is a public client, or its refresh token came from a device code or a public \
         redirect, which makes it a public client's; a public client proves nothing.",
        "Remove client-secret, client-certificate and federated; or keep them, and sign in once with 'adopat login', \
         credential browser and that proof, through a redirect of platform 'Web'.",
    ),
    meaning(
        &[7_000_215],
        "The client secret is wrong; often the secret's id was given in place of its value.",
        "Give client-secret the value that was shown when the secret was made, or make a new one.",
    ),
    meaning(
        &[7_000_222],
        "The client secret has expired.",
        "Make a new client secret for app registration {client_id} and give it as client-secret.",
    ),
    meaning(
        &[700_027],
        "Microsoft Entra does not accept the signature of the client's certificate.",
        "Upload this certificate's public part under 'Certificates & secrets' of app registration {client_id}, or \
         give the one that is registered there.",
    ),
    meaning(
        &[700_024],
        "The client's signed assertion is not within its time.",
        "Run it again; with federated, let the job get a fresh OIDC token, which lives for some minutes only; with \
         client-certificate, check that no proxy or cache changes the Date of the services' answers, since the \
         assertion counts by it, not by this machine's clock.",
    ),
    meaning(
        &[70021],
        "No federated credential of app registration {client_id} matches the job's OIDC token.",
        FEDERATION,
    ),
    meaning(
        &[700_211],
        "No federated credential of app registration {client_id} has the issuer of the job's OIDC token.",
        FEDERATION,
    ),
    meaning(
        &[700_212],
        "No federated credential of app registration {client_id} has the audience of the job's OIDC token.",
        FEDERATION,
    ),
    meaning(
        &[700_213],
        "No federated credential of app registration {client_id} has the subject of the job's OIDC token.",
        FEDERATION,
    ),
    meaning(
        &[700_016],
        "Tenant {tenant} knows no app registration {client_id}.",
        "Check client-id (the application id, not the object id) and tenant-id.",
    ),
    meaning(&[90002], "Microsoft Entra knows no tenant {tenant}.", NAME_TENANT),
    meaning(&[900_023], "{tenant} is not the name of a tenant.", NAME_TENANT),
    meaning(
        &[50059, 50194],
        "Microsoft Entra was not told which tenant this is: app registration {client_id} belongs to one tenant alone.",
        NAME_TENANT,
    ),
    meaning(
        &[50034],
        "Tenant {tenant} knows no such user.",
        "Check tenant-id, or sign in with 'adopat login' as a person of that tenant.",
    ),
    meaning(
        &[50020],
        "The user who signs in comes from another tenant and is no guest in tenant {tenant}.",
        "Check tenant-id, let the user be invited as a guest, or sign in as a person of that tenant.",
    ),
    meaning(
        &[50105],
        "The user who signs in is not assigned to the enterprise application of {client_id}, which wants that.",
        "Ask an administrator to assign the user under 'Enterprise applications', 'Users and groups'.",
    ),
    meaning(&[50057], "The account of the user who signs in is disabled.", ADMINISTRATOR_OF_ACCOUNT),
    meaning(
        &[50055],
        "The password of the user who signs in has expired.",
        "Change that account's password, then sign in again with 'adopat login'.",
    ),
    meaning(
        &[500_011],
        "Tenant {tenant} does not have Azure DevOps.",
        "Sign in to the tenant that backs the organization: 'adopat doctor' shows which that is.",
    ),
    meaning(&[70001, 7_000_112], "App registration {client_id} is disabled.", APP_OWNER),
    meaning(
        &[70011, 9_002_313, 90014, 900_144],
        "Microsoft Entra does not understand the request, or the scope that it asks for.",
        MALFORMED,
    ),
    meaning(
        &[500_021],
        "A proxy of this network lets sign-ins through to chosen tenants only (tenant restrictions), and {tenant} is \
         not one of them.",
        NETWORK,
    ),
    meaning(
        &[500_022],
        "A proxy of this network restricts sign-ins to chosen tenants, and what it sends to say so is not valid.",
        NETWORK,
    ),
    meaning(
        &[90072],
        "The user's account is not in tenant {tenant}, which does not let it in from outside.",
        "Check tenant-id, ask an administrator of that tenant to invite the user as a guest, or run 'adopat login' as a \
         user of that tenant.",
    ),
    meaning(
        &[500_571],
        "The guest account of the user in tenant {tenant} is disabled.",
        "Ask an administrator of that tenant to enable the guest, or run 'adopat login' as another user.",
    ),
    meaning(
        &[5_000_225],
        "Tenant {tenant} was blocked because nobody used it for a long time.",
        "Ask the tenant's administrator to have Microsoft unblock it; signing in again does not help.",
    ),
    meaning(
        &[65002],
        "App {client_id} is one of Microsoft's own and is not authorized for Azure DevOps.",
        OWN_APP,
    ),
    meaning(
        &[65004],
        "The user declined to let app registration {client_id} use Azure DevOps.",
        "Run 'adopat login' again and accept, or let an administrator open {consent}.",
    ),
    meaning(
        &[650_052],
        "The tenant {tenant} has no subscription to a service that the app asks for.",
        OWN_APP,
    ),
    meaning(
        &[650_057],
        "App registration {client_id} does not list the permissions of Azure DevOps that were asked for.",
        OWN_APP,
    ),
    meaning(
        &[50011, 500_113],
        "The redirect address of this sign-in is not registered with app registration {client_id}.",
        "Register http://localhost under 'Mobile and desktop applications' for a public client, or under 'Web' for \
         one that proves itself.",
    ),
    meaning(&[54005], "The authorization code was used before.", "Run 'adopat login' again."),
    meaning(
        &[50097],
        "Microsoft Entra wants to know the device this sign-in comes from, which a pipeline cannot prove.",
        MANAGED_DEVICE,
    ),
    meaning(
        &[50158],
        "Microsoft Entra wants another check of an outside provider, which a pipeline cannot answer.",
        MANAGED_DEVICE,
    ),
    meaning(
        &[50053],
        "The account is locked, or the address this sign-in comes from is known for attacks.",
        "Ask the account's administrator; on a shared runner, try again from another address.",
    ),
    meaning(
        &[70025],
        "App registration {client_id} has no federated credential.",
        "Add one under 'Federated credentials' of the app registration, with the issuer, subject and audience of the \
         job's OIDC token.",
    ),
    meaning(
        &[70052, 700_223, 700_238, 7_002_381],
        "The tenant or the app registration {client_id} restricts which federated tokens it accepts.",
        "Ask an administrator of the tenant; a token that Microsoft Entra issued needs a single-tenant registration.",
    ),
    meaning(
        &[50196],
        "Microsoft Entra takes the many token requests of this client for a loop.",
        "Wait some minutes, and run fewer jobs at once.",
    ),
    Meaning {
        codes: &[90033, 50033, 90006, 90012, 90024, 90090, 50087, 90055],
        exit: Exit::Service,
        cause: "Microsoft Entra is busy or has a passing fault.",
        remedy: "Run it again in some minutes; https://status.cloud.microsoft tells of outages.",
    },
];

/// The meaning of a code, if it is known.
pub fn meaning_of(code: u32) -> Option<&'static Meaning> {
    MEANINGS.iter().find(|meaning| meaning.codes.contains(&code))
}

/// Whether the code means that the job's OIDC token does not match what is registered, so that a person has to
/// see what the token says.
pub fn is_about_federation(code: u32) -> bool {
    matches!(code, 70021 | 70025 | 700_211 | 700_212 | 700_213)
}

/// Whether the code means that this app will never do, and only a registration of one's own helps.
pub fn wants_own_registration(code: u32) -> bool {
    matches!(code, 65002 | 650_052 | 650_057)
}

/// An OAuth error as Entra sends it: RFC 6749's fields and its own.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The protocol's name of the error, like `invalid_grant`.
    pub error: String,
    /// `AADSTSnnnnn: words Trace ID: ... Correlation ID: ... Timestamp: ...`.
    #[serde(default)]
    pub error_description: Option<String>,
    /// The numbers after `AADSTS`.
    #[serde(default)]
    pub error_codes: Vec<u32>,
    /// What kind of sign-in would help, like `consent_required`.
    #[serde(default)]
    pub suberror: Option<String>,
    /// A claims challenge, which only a person can answer.
    #[serde(default)]
    pub claims: Option<String>,
    /// Microsoft's id of the failure.
    #[serde(default)]
    pub trace_id: Option<String>,
    /// Microsoft's id of the sign-in.
    #[serde(default)]
    pub correlation_id: Option<String>,
    /// When it happened, on Entra's clock.
    #[serde(default)]
    pub timestamp: Option<String>,
}

impl oauth2::ErrorResponse for ErrorAnswer {}

impl fmt::Display for ErrorAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.error)
    }
}

impl ErrorAnswer {
    /// Whether Entra says that the same request may do better later.
    pub fn is_transient(&self) -> bool {
        matches!(self.error.as_str(), "temporarily_unavailable" | "server_error")
    }

    /// The AADSTS number: the one that is known, else the one the words begin with, else the first.
    pub fn code(&self) -> Option<u32> {
        let described = self.described_code();
        let mut codes = described.into_iter().chain(self.error_codes.iter().copied());
        codes.clone().find(|code| meaning_of(*code).is_some()).or_else(|| codes.next())
    }

    fn has_code(&self, code: u32) -> bool {
        self.error_codes.contains(&code) || self.described_code() == Some(code)
    }

    fn described_code(&self) -> Option<u32> {
        let (_, rest) = self.error_description.as_deref()?.split_once("AADSTS")?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    }

    /// Entra's own first sentence, without its code and its ids, at most 300 characters, with a full stop.
    fn first_sentence(&self) -> Option<String> {
        let words = self.error_description.as_deref()?.trim();
        let words =
            words.split_once(": ").filter(|(code, _)| code.starts_with("AADSTS")).map_or(words, |it| it.1);
        let words = words.split(['\r', '\n']).next().unwrap_or_default();
        let words = words.split(" Trace ID:").next().unwrap_or_default();
        let words = words.split_inclusive(". ").next().unwrap_or_default().trim().trim_end_matches('.');
        let words = without_people(words);
        (!words.is_empty()).then(|| format!("{}.", words.chars().take(300).collect::<String>()))
    }

    /// What Microsoft's support asks for: from the fields, else from the words.
    pub fn support_ids(&self) -> Vec<(&'static str, String)> {
        let described = |label: &str| {
            let (_, rest) = self.error_description.as_deref()?.split_once(label)?;
            let end =
                if label == "Timestamp: " { rest.lines().next() } else { rest.split_whitespace().next() };
            end.map(str::to_owned)
        };
        [
            ("correlation id", self.correlation_id.clone().or_else(|| described("Correlation ID: "))),
            ("trace id", self.trace_id.clone().or_else(|| described("Trace ID: "))),
            ("timestamp", self.timestamp.clone().or_else(|| described("Timestamp: "))),
        ]
        .into_iter()
        .filter_map(|(name, id)| Some((name, id.filter(|id| !id.is_empty())?)))
        .collect()
    }
}

/// Who was signed in to, for the words.
#[derive(Clone, Copy, Debug)]
pub struct App<'a> {
    /// The sign-in host's address.
    pub authority: &'a url::Url,
    /// The tenant.
    pub tenant: &'a str,
    /// The app registration.
    pub client_id: &'a str,
    /// Whether a person was asked, who may have declined.
    pub asked_a_person: bool,
}

impl App<'_> {
    /// The same, if a person was asked.
    pub fn asking_a_person(self) -> Self {
        Self { asked_a_person: true, ..self }
    }

    fn fill(&self, words: &str) -> String {
        let authority = self.authority.as_str().trim_end_matches('/');
        let consent = format!("{authority}/{}/adminconsent?client_id={}", self.tenant, self.client_id);
        words
            .replace("{consent}", &consent)
            .replace("{client_id}", self.client_id)
            .replace("{tenant}", self.tenant)
    }
}

/// What it means that a refresh token is no refresh token at all: AADSTS9002313 beside `invalid_grant`, where beside
/// `invalid_request` it is the request that is wrong.
pub const DAMAGED_TOKEN: Meaning = meaning(
    &[9_002_313],
    "The refresh token is damaged: it was cut off, wrapped, put in quotation marks, or another value stands in its place.",
    DAMAGED,
);

/// The failure behind Entra's refusal.
pub fn of_error(error: &ErrorAnswer, app: App<'_>) -> Failure {
    let code = error.code();
    let meaning = match error.error.as_str() {
        // That the person declined is beyond doubt, whatever number stands beside it.
        "authorization_declined" => None,
        "invalid_grant" if error.has_code(9_002_313) => Some(&DAMAGED_TOKEN),
        _ => code.and_then(meaning_of),
    };
    let failure = match meaning {
        Some(meaning) => Failure::new(meaning.exit, app.fill(meaning.cause), app.fill(meaning.remedy)),
        None => {
            let exit = if error.is_transient() { Exit::Service } else { Exit::SignIn };
            Failure::new(exit, cause_of_unknown(error, app), app.fill(remedy_of_unknown(error, app)))
        }
    };
    let failure = match &error.claims {
        Some(_) => failure.and("It asks for more than a stored token can answer: a person has to sign in."),
        None => failure,
    };
    let name = code.map_or_else(|| error.error.clone(), |code| format!("AADSTS{code}"));
    failure.named(name).with_support_ids(error.support_ids())
}

/// A cause by what the protocol itself says, else in Entra's own words, for a code that has none here.
/// `authorization_declined` is Entra's name for what RFC 8628 calls `access_denied`.
fn cause_of_unknown(error: &ErrorAnswer, app: App<'_>) -> String {
    match error.error.as_str() {
        "authorization_declined" => "The person who was asked to sign in declined.".into(),
        "access_denied" if app.asked_a_person => {
            "The sign-in was declined by the person who was asked, or denied by a policy.".into()
        }
        "expired_token" => "The sign-in code has expired: nobody signed in with it in time.".into(),
        "bad_verification_code" => "Microsoft Entra does not know the sign-in code (any more).".into(),
        name => match error.first_sentence() {
            Some(words) => format!("Microsoft Entra refused the sign-in: {words}"),
            None => format!("Microsoft Entra refused the sign-in ({name})."),
        },
    }
}

/// A remedy by what the protocol itself says, for a code that has no words of its own.
fn remedy_of_unknown(error: &ErrorAnswer, app: App<'_>) -> &'static str {
    match (error.suberror.as_deref().unwrap_or_default(), error.error.as_str()) {
        ("consent_required", _) | (_, "consent_required") => {
            "Consent while running 'adopat login', or let an administrator open {consent} and accept."
        }
        ("user_password_expired", _) => {
            "Change that account's password, then sign in again with 'adopat login'."
        }
        ("protection_policy_required", _) => POLICY,
        ("client_mismatch", _) => {
            "Check that client-id is the app registration that the refresh token was issued to."
        }
        (_, "invalid_client" | "unauthorized_client") => {
            "Check client-id and what proves it: client-secret, client-certificate or federated."
        }
        (_, "invalid_grant" | "interaction_required" | "login_required") => LOGIN,
        (_, "access_denied") if !app.asked_a_person => {
            "Ask the tenant's administrator which policy denies this sign-in; the sign-in log of the tenant tells."
        }
        (_, "authorization_declined" | "access_denied") => {
            "Run 'adopat login' again and accept; if nobody declined, ask the tenant's administrator which policy did."
        }
        (_, "expired_token" | "bad_verification_code") => {
            "Run it again and use the code in time; where a policy blocks device codes, run 'adopat login' with \
             credential browser."
        }
        (_, "temporarily_unavailable" | "server_error") => "Run it again in some minutes.",
        _ => "Search for the name of this error, or send these IDs to Microsoft support.",
    }
}

/// The failure behind an answer that is no success by its status alone: a busy or failing service.
pub fn of_busy_service(answer: &Answer, service: &str) -> Failure {
    let status = answer.status.as_u16();
    let error: Option<ErrorAnswer> = answer.json().ok();
    let failure = match status {
        429 => Failure::new(
            Exit::Service,
            format!("{service} is being asked too often (HTTP 429)."),
            "Run it again later, run fewer jobs at once, or raise the input 'timeout'.",
        ),
        _ => Failure::new(
            Exit::Service,
            format!("{service} failed (HTTP {status})."),
            "Run it again in some minutes; if it keeps failing, send these IDs to Microsoft support.",
        ),
    };
    let failure = failure.and(answer.asks_to_wait());
    match error {
        Some(error) => {
            let name = error.code().map_or_else(|| error.error.clone(), |code| format!("AADSTS{code}"));
            failure.named(name).with_support_ids(error.support_ids())
        }
        None => failure.with_support_ids(request_id(answer)),
    }
}

/// The failure behind an answer that is no token and no error of the protocol: a page, a redirect, nothing.
pub fn of_strange_answer(answer: &Answer, service: &str) -> Failure {
    let status = answer.status.as_u16();
    let elsewhere = answer.header("Location").and_then(|place| url::Url::parse(place).ok());
    let elsewhere = elsewhere.as_ref().and_then(url::Url::host_str);
    let failure = if answer.is_sign_in_page() {
        let cause = match elsewhere {
            Some(host) => {
                format!("{service} answered with a redirect to {host} (HTTP {status}), which is no token.")
            }
            None => format!("{service} answered with a sign-in page (HTTP {status}), which is no token."),
        };
        let remedy = "Check authority-host, and that no captive portal or proxy answers in its place.";
        Failure::new(Exit::SignIn, cause, remedy)
    } else if answer.is_page() {
        Failure::new(
            Exit::Service,
            format!("{service} answered with a web page (HTTP {status}), which is no token."),
            "Check authority-host, and that no captive portal or proxy answers in its place.",
        )
    } else {
        Failure::new(
            Exit::Service,
            format!("{service} answered with something that is no token (HTTP {status})."),
            "Check authority-host, and that no proxy changes its answers; if it keeps failing, run it again later.",
        )
    };
    failure.with_support_ids(request_id(answer))
}

fn request_id(answer: &Answer) -> Option<(&'static str, String)> {
    answer.header("x-ms-request-id").map(|id| ("trace id", id.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const CLIENT: &str = "00000000-0000-0000-0000-000000000001";

    fn app(authority: &url::Url) -> App<'_> {
        App { authority, tenant: "contoso.com", client_id: CLIENT, asked_a_person: false }
    }

    fn failure(json: serde_json::Value) -> Failure {
        let authority = "https://login.microsoftonline.com/".parse().expect("an address");
        let error: ErrorAnswer = serde_json::from_value(json).expect("an OAuth error");
        of_error(&error, app(&authority))
    }

    #[test]
    fn a_code_has_one_meaning() {
        let codes: Vec<u32> = MEANINGS.iter().flat_map(|meaning| meaning.codes).copied().collect();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
    }

    #[test]
    fn every_meaning_is_a_sentence_of_cause_and_one_of_remedy() {
        for meaning in MEANINGS {
            let failure =
                failure(serde_json::json!({ "error": "invalid_grant", "error_codes": [meaning.codes[0]] }));
            for words in [&failure.cause, &failure.remedy] {
                assert!(words.ends_with('.') && !words.contains(['{', '}']), "{words}");
                assert!(!words.contains(". "), "more than one sentence: {words}");
            }
            assert_eq!(failure.exit, meaning.exit);
        }
    }

    #[rstest]
    #[case::mfa(&[50076, 50079, 50078, 50072], "adopat login")]
    #[case::conditional_access(&[53003, 53000, 53001, 530_003, 530_002], "browser")]
    #[case::consent(&[65001, 90094], "https://login.microsoftonline.com/contoso.com/adminconsent?client_id=00000000-0000-0000-0000-000000000001")]
    #[case::ended(&[700_082, 70008, 70043, 700_084, 70000, 50173, 50132, 50133], "adopat login")]
    #[case::single_page(&[700_084, 9_002_327], "Mobile and desktop")]
    #[case::confidential(&[7_000_218], "Allow public client flows")]
    #[case::public(&[700_025], "credential browser")]
    #[case::secret(&[7_000_215, 7_000_222], "client-secret")]
    #[case::certificate(&[700_027], "Certificates & secrets")]
    #[case::assertion(&[700_024], "not by this machine's clock")]
    #[case::federated(&[70021, 700_211, 700_212, 700_213], "Federated credentials")]
    #[case::app(&[700_016], "client-id")]
    #[case::tenant(&[90002, 900_023, 50059, 50194], "tenant-id")]
    #[case::user(&[50034, 50020], "tenant-id")]
    #[case::unassigned(&[50105], "assign")]
    #[case::account(&[50057, 50055, 50053], "account")]
    #[case::resource(&[500_011], "tenant that backs the organization")]
    #[case::disabled(&[70001, 7_000_112], "enable")]
    #[case::malformed(&[70011, 90014, 900_144], "authority-host")]
    #[case::own_app(&[65002, 650_052, 650_057], "vso.pats_manage")]
    #[case::declined(&[65004], "accept")]
    #[case::redirect(&[50011, 500_113], "http://localhost")]
    #[case::code_used(&[54005], "adopat login")]
    #[case::device(&[50097, 50158], "device")]
    #[case::federation_restricted(&[70025, 70052, 700_223, 700_238, 7_002_381], "tra")]
    #[case::looping(&[50196], "Wait")]
    #[case::transient(&[90033, 50033, 90006, 90012, 90024, 90090, 50087, 90055], "again")]
    fn a_known_code_says_what_to_do(#[case] codes: &[u32], #[case] remedy: &str) {
        for code in codes {
            let failure = failure(serde_json::json!({ "error": "invalid_grant", "error_codes": [code] }));
            assert!(failure.remedy.contains(remedy), "{code}: {}", failure.remedy);
            assert_eq!(failure.name, Some(format!("AADSTS{code}")));
        }
    }

    #[test]
    fn an_unknown_code_is_told_in_entras_first_sentence_with_its_ids() {
        let failure = failure(serde_json::json!({
            "error": "invalid_grant",
            "error_description": "AADSTS12345: The moon is full. Ask again. Trace ID: 00000000-0000-0000-0000-00000000000a \
                                  Correlation ID: 00000000-0000-0000-0000-00000000000b Timestamp: 2026-11-24 10:00:00Z",
        }));
        assert_eq!(
            failure.to_string(),
            "Microsoft Entra refused the sign-in: The moon is full. Sign in again with 'adopat login' and store the new \
             refresh token. [AADSTS12345; correlation id: 00000000-0000-0000-0000-00000000000b; \
             trace id: 00000000-0000-0000-0000-00000000000a; timestamp: 2026-11-24 10:00:00Z]"
        );
        assert_eq!(failure.exit, Exit::SignIn);
    }

    #[rstest]
    #[case::a_damaged_token("invalid_grant", 9_002_313, "damaged", "in one piece")]
    #[case::a_bad_request("invalid_request", 9_002_313, "does not understand", "report it")]
    #[case::declined("authorization_declined", 65004, "person who was asked to sign in declined", "accept")]
    #[case::declined_by_an_odd_number("authorization_declined", 50076, "declined", "accept")]
    #[case::denied_where_nobody_was_asked(
        "access_denied",
        999_999,
        "refused the sign-in",
        "which policy denies"
    )]
    fn the_protocols_error_decides_beside_a_number_of_two_meanings(
        #[case] error: &str,
        #[case] code: u32,
        #[case] cause: &str,
        #[case] remedy: &str,
    ) {
        let failure = failure(serde_json::json!({ "error": error, "error_codes": [code] }));
        assert!(failure.cause.contains(cause) && failure.remedy.contains(remedy), "{failure}");
        assert_eq!(failure.name, Some(format!("AADSTS{code}")));
    }

    #[rstest]
    fn signing_in_again_is_no_remedy_for_what_an_administrator_did(
        #[values(500_021, 500_022, 5_000_225)] code: u32,
    ) {
        let failure = failure(serde_json::json!({ "error": "invalid_grant", "error_codes": [code] }));
        assert!(failure.remedy.starts_with("Ask ") && !failure.remedy.contains("adopat login"), "{failure}");
    }

    #[test]
    fn the_protocol_decides_where_the_number_says_nothing() {
        let busy = failure(serde_json::json!({ "error": "temporarily_unavailable" }));
        assert_eq!((busy.exit, busy.name.as_deref()), (Exit::Service, Some("temporarily_unavailable")));
        let consent =
            failure(serde_json::json!({ "error": "invalid_grant", "suberror": "consent_required" }));
        assert!(consent.remedy.contains("adminconsent?client_id="), "{consent}");
        let claims = failure(serde_json::json!({ "error": "interaction_required", "claims": "{}" }));
        assert!(claims.cause.contains("a person has to sign in"), "{claims}");
    }

    proptest! {
        #[test]
        fn no_description_is_too_odd(description in ".*", prefix in prop_oneof![Just(""), Just("AADSTS"), Just("AADSTS50076: ")]) {
            let json = serde_json::json!({ "error": "x", "error_description": format!("{prefix}{description}") });
            let failure = failure(json);
            prop_assert!(failure.cause.ends_with('.'));
        }
    }
}
