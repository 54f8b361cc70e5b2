//! Whether Azure DevOps takes the caller for a user who is a member of the organization. Never who that is.

use http::Request;
use http::header::ACCEPT;

use super::super::{Run, tenant};
use super::report::Finding;
use crate::azure_devops::connection_data::{ANONYMOUS, AuthenticatedUser};
use crate::azure_devops::error_body::{ErrorBody, support_ids};
use crate::azure_devops::{IS_DEACTIVATED, challenge};
use crate::failure::{Exit, Failure};
use crate::http::claims_challenge::INSUFFICIENT_CLAIMS;
use crate::http::request;
use crate::http::{Answer, ClaimsChallenge, DEACTIVATED, Effect};
use crate::secret::Secret;

const FRESH_TOKEN: &str = "Sign in again with 'adopat login'; a token given as access-token must be a fresh one for Azure \
                           DevOps (499b84ac-1321-427f-aa17-267ca6975798), as a user of Microsoft Entra.";
const AS_A_PERSON: &str = "Sign in as a person: 'adopat login' makes a refresh token.";

pub(super) async fn check(run: &Run<'_>, bearer: &Secret) -> Result<Finding, Failure> {
    of_a_member(run, bearer).await?;
    Ok(Finding::ok(format!("Signed in as a user, who is a member of {}.", run.organization())))
}

/// Whom Azure DevOps takes the bearer for: a person whom the organization knows.
///
/// # Errors
/// Why it is none, or why Azure DevOps does not say.
pub(in crate::operation) async fn of_a_member(
    run: &Run<'_>,
    bearer: &Secret,
) -> Result<AuthenticatedUser, Failure> {
    let mut address = run.request.places.devops_url.clone();
    if let Ok(mut path) = address.path_segments_mut() {
        path.pop_if_empty().extend([run.organization().name(), "_apis", "connectionData"]);
    }
    let service = format!("Azure DevOps ({})", address.host_str().unwrap_or_default());
    let request = request::build(
        request::authorized(Request::get(address.as_str()), bearer)
            .header(ACCEPT, "application/json")
            .header("X-TFS-FedAuthRedirect", "Suppress"),
        bytes::Bytes::new(),
    );
    let answer =
        run.http.send(request, Effect::Idempotent).await.map_err(|error| error.into_failure(&service))?;
    match judge(&answer, &service, run) {
        Ok(identity) => Ok(identity),
        Err(failure) => Err(tenant::explain(
            run,
            run.request.organization.as_ref(),
            failure.with_support_ids(support_ids(&answer)),
        )
        .await),
    }
}

fn judge(answer: &Answer, service: &str, run: &Run<'_>) -> Result<AuthenticatedUser, Failure> {
    let status = answer.status.as_u16();
    if let Some(identity) = AuthenticatedUser::of(answer).filter(|_| status == 200) {
        return a_person(identity);
    }
    if answer.is_of_a_deactivated_organization() {
        let own = [("organization", run.organization().name())];
        return Err(IS_DEACTIVATED.failure(&own).named(DEACTIVATED));
    }
    if ClaimsChallenge::of(answer).is_some() {
        return Err(challenge::REVOKED.failure(&[]).named(INSUFFICIENT_CLAIMS));
    }
    let body = ErrorBody::of(answer);
    let message = body.message.unwrap_or_default();
    let is_nobodys = message.contains("anonymous access") || message.contains(ANONYMOUS);
    if status == 401 && message.contains("TF400813") && is_nobodys {
        let cause = format!(
            "{service} does not take the access token: it has expired, was revoked, or is not one for Azure DevOps."
        );
        return Err(Failure::new(Exit::SignIn, cause, FRESH_TOKEN).named("TF400813"));
    }
    if status == 401 && message.contains("TF400813") || status == 403 {
        let failure = Failure::new(
            Exit::Refused,
            format!(
                "{service} does not let the signed-in user into the organization {}.",
                run.organization()
            ),
            "Let the organization's administrator add the user, or sign in as another with 'adopat login'.",
        );
        return Err(if message.contains("TF400813") { failure.named("TF400813") } else { failure });
    }
    Err(match status {
        200 if answer.is_page() => sign_in_page(service, status),
        203 | 300..=399 => sign_in_page(service, status),
        401 => Failure::new(
            Exit::SignIn,
            format!("{service} did not accept the access token (HTTP 401)."),
            FRESH_TOKEN,
        ),
        404 => Failure::new(
            Exit::Refused,
            format!(
                "{service} hides the organization {} from the signed-in user (HTTP 404).",
                run.organization()
            ),
            "Check the input organization, and that the user who signs in is a member of it.",
        ),
        _ => Failure::new(
            Exit::Service,
            format!("{service} did not say who is signed in (HTTP {status})."),
            "Run it again later.",
        ),
    })
}

fn a_person(identity: AuthenticatedUser) -> Result<AuthenticatedUser, Failure> {
    if identity.is_anonymous() {
        return Err(Failure::new(
            Exit::SignIn,
            "Azure DevOps takes the access token for nobody's (the Anonymous identity).",
            FRESH_TOKEN,
        ));
    }
    if identity.is_no_person() {
        return Err(Failure::new(
            Exit::Refused,
            "A service principal or managed identity is signed in, and the PAT service serves people only.",
            AS_A_PERSON,
        ));
    }
    Ok(identity)
}

fn sign_in_page(service: &str, status: u16) -> Failure {
    Failure::new(
        Exit::SignIn,
        format!(
            "{service} answered with a sign-in page (HTTP {status}): it did not accept the access token."
        ),
        FRESH_TOKEN,
    )
}
