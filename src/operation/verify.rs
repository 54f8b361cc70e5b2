//! `verify`: the new PAT is tried before anybody is given it and before an old one is retired.
//!
//! Azure DevOps spreads a new PAT over its servers for a while, and until then refuses it like a wrong one: so
//! it is tried again and again, for at most [`LONGEST`]. The PAT goes to `verify-url` alone; no redirect is
//! followed.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use http::{Method, Request};
use url::Url;
use zeroize::Zeroizing;

use super::Run;
use crate::azure_devops::IS_DEACTIVATED;
use crate::azure_devops::connection_data::AuthenticatedUser;
use crate::azure_devops::error_body::support_ids;
use crate::failure::{Exit, Failure};
use crate::http::request;
use crate::http::{Answer, DEACTIVATED, Effect, Http, NoAnswer};
use crate::inputs::request::Verify;
use crate::secret::Secret;
use crate::time::Ended;

/// How long a PAT has to become usable.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// What one try told.
enum Tried {
    /// The PAT works.
    Confirmed,
    /// It does not, and another try may do better.
    NotYet(Doubt),
    /// It does not, and no other try will do better.
    Never(Doubt),
}

/// Why the PAT is not confirmed, as the rest of a sentence, and what support asks for.
struct Doubt {
    why: String,
    /// What to do about it, where running it again is no help.
    remedy: Option<&'static str>,
    support_ids: Vec<(&'static str, String)>,
}

/// Tries the PAT until it works. One that does not is a sentence to warn with or, if it is `require`d to, a
/// failure.
///
/// # Errors
/// Exit 7 if the PAT has to work and does not; a cancelled run.
pub(super) async fn verify(
    run: &Run<'_>,
    verify: &Verify,
    token: &Secret,
) -> Result<Option<String>, Failure> {
    let http = run.http.with_deadline(run.deadline().at_most(LONGEST));
    let mut attempt = 1;
    let doubt = loop {
        let (doubt, asked) = match try_once(&http, &verify.url, token).await? {
            (Tried::Confirmed, _) => {
                tracing::debug!("the new PAT works, at try {attempt}");
                return Ok(None);
            }
            (Tried::Never(doubt), _) => break doubt,
            (Tried::NotYet(doubt), asked) => (doubt, asked),
        };
        let pause = asked.unwrap_or_else(|| http.backoff(attempt).min(LONGEST_PAUSE));
        match http.deadline().pause(pause).await {
            Ok(()) => attempt += 1,
            Err(Ended::TimedOut) => break doubt,
            Err(cancelled) => return Err(NoAnswer::Ended(cancelled).into_failure("")),
        }
    };
    let failure = not_confirmed(verify, attempt, &doubt);
    if verify.required { Err(failure) } else { Ok(Some(failure.to_string())) }
}

/// One request; beside what it told, how long the service asks to wait.
async fn try_once(http: &Http, url: &Url, token: &Secret) -> Result<(Tried, Option<Duration>), Failure> {
    // Repeating is ours to do, and a cancelled run waits for no answer: a PAT is tried, not made.
    let sent = http.deadline().bound(http.send(request(url, token), Effect::OnceOnly)).await;
    let answer = match sent.map_err(NoAnswer::Ended).and_then(|outcome| outcome) {
        Ok(answer) => answer,
        Err(cancelled @ NoAnswer::Ended(Ended::Cancelled(_))) => return Err(cancelled.into_failure("")),
        Err(error) => {
            let again = !matches!(&error, NoAnswer::Wire(error) if !error.may_pass());
            let why = error.into_failure(url.host_str().unwrap_or_default()).cause;
            let doubt = Doubt { why, remedy: None, support_ids: Vec::new() };
            return Ok((if again { Tried::NotYet(doubt) } else { Tried::Never(doubt) }, None));
        }
    };
    let asked = answer.retry_after(http.clock().now());
    let doubt = |why: String| Doubt { why, remedy: None, support_ids: support_ids(&answer) };
    if answer.is_of_a_deactivated_organization() {
        let why = format!("the organization has been deactivated ({DEACTIVATED}).");
        let doubt = Doubt { remedy: Some(IS_DEACTIVATED.remedy), ..doubt(why) };
        return Ok((Tried::Never(doubt), None));
    }
    let tried = match judge(&answer, is_connection_data(url)) {
        Ok(()) => Tried::Confirmed,
        Err((why, true)) => Tried::NotYet(doubt(why)),
        Err((why, false)) => Tried::Never(doubt(why)),
    };
    Ok((tried, asked))
}

fn request(url: &Url, token: &Secret) -> Request<bytes::Bytes> {
    let credential = Zeroizing::new(format!(":{}", token.expose()));
    let basic = Zeroizing::new(format!("Basic {}", STANDARD.encode(credential.as_bytes())));
    let mut basic = HeaderValue::from_str(&basic).expect("base64 is a header's text");
    basic.set_sensitive(true);
    request::build(
        Request::builder()
            .method(Method::GET)
            .uri(url.as_str())
            .header(AUTHORIZATION, basic)
            .header(ACCEPT, "application/json, */*;q=0.5")
            .header("X-TFS-FedAuthRedirect", "Suppress"),
        bytes::Bytes::new(),
    )
}

fn is_connection_data(url: &Url) -> bool {
    url.path().trim_end_matches('/').to_ascii_lowercase().ends_with("/_apis/connectiondata")
}

/// Whether the answer confirms the PAT; if not, why, and whether that may change while the PAT spreads.
fn judge(answer: &Answer, connection_data: bool) -> Result<(), (String, bool)> {
    let status = answer.status.as_u16();
    let identity = AuthenticatedUser::of(answer);
    match status {
        200..=299 if answer.is_sign_in_page() => {
            Err((format!("a sign-in page answered (HTTP {status})."), true))
        }
        200..=299 if identity.as_ref().is_some_and(AuthenticatedUser::is_anonymous) => {
            Err(("it was taken for nobody's (the Anonymous identity).".into(), true))
        }
        200..=299 if connection_data && identity.is_none() => {
            Err((format!("the answer (HTTP {status}) does not say whose it is."), false))
        }
        200..=299 => Ok(()),
        300..=399 => Err((format!("a redirect answered (HTTP {status}), as to a sign-in page."), true)),
        401 | 403 | 404 | 408 | 429 | 500.. => Err((format!("it was refused (HTTP {status})."), true)),
        _ => Err((format!("the address cannot be used to try it (HTTP {status})."), false)),
    }
}

fn not_confirmed(verify: &Verify, tries: u32, doubt: &Doubt) -> Failure {
    let host = verify.url.host_str().unwrap_or_default();
    let remedy = if let Some(remedy) = doubt.remedy {
        remedy
    } else if is_connection_data(&verify.url) {
        "Run it again; if the PAT's scope does not let it in there, give verify-url an address that it does."
    } else {
        "Run it again, and check that the PAT's scope lets it in at verify-url."
    };
    let tries = if tries == 1 { "1 try".into() } else { format!("{tries} tries") };
    let cause = format!("The new PAT could not be confirmed at {host} in {tries}: {}", doubt.why);
    Failure::new(Exit::Store, cause, remedy).with_support_ids(doubt.support_ids.iter().cloned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PERSON: &str = r#"{"authenticatedUser":{"id":"00000000-0000-0000-0000-000000000001"}}"#;
    const ANONYMOUS: &str = r#"{"authenticatedUser":{"id":"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"}}"#;

    #[rstest]
    #[case::a_person(200, PERSON, true, Ok(()))]
    #[case::nobody(200, ANONYMOUS, true, Err(true))]
    #[case::nobody_elsewhere(200, ANONYMOUS, false, Err(true))]
    #[case::a_feed(200, "{}", false, Ok(()))]
    #[case::a_page_of_a_feed(200, "<html>packages</html>", false, Ok(()))]
    #[case::nothing(204, "", false, Ok(()))]
    #[case::no_connection_data(200, "{}", true, Err(false))]
    #[case::sign_in_page(200, "<html>Sign In</html>", false, Err(true))]
    #[case::non_authoritative(203, PERSON, true, Err(true))]
    #[case::redirect(302, "", false, Err(true))]
    #[case::refused(401, "", true, Err(true))]
    #[case::forbidden(403, "", true, Err(true))]
    #[case::not_there_yet(404, "", true, Err(true))]
    #[case::failing(503, "", true, Err(true))]
    #[case::gone(410, "", false, Err(false))]
    fn a_pat_is_confirmed_by_a_success_that_is_somebodys(
        #[case] status: u16,
        #[case] body: &'static str,
        #[case] connection_data: bool,
        #[case] expected: Result<(), bool>,
    ) {
        let response = http::Response::builder().status(status).body(bytes::Bytes::from(body));
        let judged = judge(&response.expect("an answer").into(), connection_data);
        assert_eq!(judged.map_err(|(_, again)| again), expected);
    }
}
