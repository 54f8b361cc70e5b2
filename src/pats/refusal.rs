//! What the service's refusals mean: its `patTokenError`s, the exceptions Azure DevOps names by `typeKey`,
//! and answers that name nothing, each as a cause, a remedy and an exit code.
//!
//! Microsoft describes none of its 37 `patTokenError`s (the enum `SessionTokenError` of
//! vsts-rest-api-specs); the words here come from their names, the policies' documentation and field reports.
//! The enum is open: a name that is not listed here is told as it is.

use crate::azure_devops::connection_data::ANONYMOUS;
use crate::azure_devops::error_body::{ErrorBody, support_ids};
use crate::azure_devops::{IS_DEACTIVATED, Organization, challenge};
use crate::failure::{Exit, Failure, without_people};
use crate::http::claims_challenge::INSUFFICIENT_CLAIMS;
use crate::http::{Answer, ClaimsChallenge};
use crate::refusal_table::{self, RefusalRow};

/// Of an answer that brought such ids; else [`AGAIN`] is all there is to say.
const REPORT: &str = "Run it again; if it keeps failing, send these IDs to Microsoft support.";
const AGAIN: &str = "Run it again; if it keeps failing, look at https://status.dev.azure.com.";
const REPORT_NAME: &str =
    "Ask a Project Collection Administrator, or search for the name of this error; adopat does not know it.";
const ANOTHER_ACCOUNT: &str = "Sign in with 'adopat login' as a user who is a member of this organization.";
const DEFECT: &str = "Report it: adopat should never have sent this.";
const SIGN_IN_AGAIN: &str =
    "Sign in again with 'adopat login', and check tenant-id and client-id with 'adopat doctor'.";

const fn meaning(name: &'static str, exit: Exit, cause: &'static str, remedy: &'static str) -> RefusalRow {
    RefusalRow::new(exit, cause, remedy).key(name)
}

/// Every `patTokenError` of the specification but `none`.
pub const MEANINGS: [RefusalRow; 36] = [
    meaning(
        "displayNameRequired",
        Exit::Refused,
        "The service wants a name for the PAT.",
        "Give the input display-name a text that is not blank.",
    ),
    meaning(
        "invalidDisplayName",
        Exit::Refused,
        "The service does not accept this name for a PAT.",
        "Give a shorter display-name of plain letters, digits, spaces and hyphens.",
    ),
    meaning(
        "invalidValidTo",
        Exit::Refused,
        "The service does not accept this expiry: Azure DevOps documents a year as the longest.",
        "Ask for a shorter lifetime, like 90d.",
    ),
    meaning(
        "invalidScope",
        Exit::Refused,
        "The service does not know, or does not permit, one of these scopes.",
        "Check the input scope against the list at \
         https://learn.microsoft.com/azure/devops/integrate/get-started/authentication/oauth#scopes; a policy of the \
         organization may also permit some scopes only.",
    ),
    meaning(
        "userIdRequired",
        Exit::Refused,
        "The service could not tell which user is signed in.",
        ANOTHER_ACCOUNT,
    ),
    meaning(
        "invalidUserId",
        Exit::Refused,
        "The service does not know the user who is signed in.",
        ANOTHER_ACCOUNT,
    ),
    meaning(
        "invalidUserType",
        Exit::Refused,
        "The service manages PATs of people only, and this identity is none: service principals and managed \
         identities are refused.",
        "Sign in as a user: give a refresh-token made by 'adopat login'.",
    ),
    meaning(
        "accessDenied",
        Exit::Refused,
        "The user who is signed in may not do this, by permission or by a policy of the organization.",
        "Ask a Project Collection Administrator whether PATs are restricted here.",
    ),
    meaning("failedToIssueAccessToken", Exit::Service, "The service failed to make the PAT.", REPORT),
    meaning(
        "invalidClient",
        Exit::Refused,
        "The service does not accept the app registration that was signed in to.",
        "Check client-id: the app needs the delegated permissions vso.pats and vso.pats_manage.",
    ),
    meaning(
        "invalidClientType",
        Exit::Refused,
        "The service does not accept the kind of app registration that was signed in to.",
        "Check client-id: the app needs the delegated permissions vso.pats and vso.pats_manage.",
    ),
    meaning(
        "invalidClientId",
        Exit::Refused,
        "The service does not know the app registration that was signed in to.",
        "Check client-id: the app needs the delegated permissions vso.pats and vso.pats_manage.",
    ),
    meaning(
        "invalidTargetAccounts",
        Exit::Refused,
        "The user who is signed in cannot reach this organization, or the PAT is good for others.",
        "Check organization; a PAT is managed through the organization it was made for.",
    ),
    meaning(
        "hostAuthorizationNotFound",
        Exit::NotFound,
        "There is no such PAT in this organization.",
        "Check authorization-id, organization and the user who signs in: a PAT is seen by its owner alone.",
    ),
    meaning(
        "authorizationNotFound",
        Exit::NotFound,
        "There is no such PAT.",
        "Check authorization-id, organization and the user who signs in: a PAT is seen by its owner alone.",
    ),
    meaning("failedToUpdateAccessToken", Exit::Service, "The service failed to change the PAT.", REPORT),
    meaning(
        "sourceNotSupported",
        Exit::Refused,
        "The service does not accept requests from where this one came.",
        "Run it from a network that the organization's policies accept.",
    ),
    meaning(
        "invalidSourceIP",
        Exit::Refused,
        "The service does not accept requests from this address.",
        "Run it from a network that the organization's conditional access policies accept.",
    ),
    meaning(
        "invalidSource",
        Exit::Refused,
        "The service does not accept requests from where this one came.",
        "Run it from a network that the organization's policies accept.",
    ),
    meaning("duplicateHash", Exit::Refused, "The service already holds a token with this value.", REPORT),
    meaning(
        "sshPolicyDisabled",
        Exit::Refused,
        "A policy of the organization forbids SSH keys, which the service takes this request for.",
        "Ask a Project Collection Administrator about the policy 'SSH authentication'.",
    ),
    meaning(
        "invalidToken",
        Exit::Refused,
        "The service does not accept the token that was sent.",
        SIGN_IN_AGAIN,
    ),
    meaning(
        "tokenNotFound",
        Exit::NotFound,
        "There is no such PAT.",
        "Check authorization-id, organization and the user who signs in: a PAT is seen by its owner alone.",
    ),
    meaning(
        "invalidAuthorizationId",
        Exit::NotFound,
        "The service knows no PAT of this authorization id.",
        "Check authorization-id: a previous run printed it, and 'adopat list' shows them all.",
    ),
    meaning(
        "failedToReadTenantPolicy",
        Exit::Service,
        "The service could not read the tenant's policies for PATs.",
        "Run it again later; if it keeps failing, an Azure DevOps Administrator of the tenant should look at its policies.",
    ),
    meaning(
        "globalPatPolicyViolation",
        Exit::Refused,
        "The tenant's policy 'Restrict global personal access token creation' forbids this PAT.",
        "Use a PAT of one organization, or ask an Azure DevOps Administrator of the tenant for the policy's allowlist.",
    ),
    meaning(
        "fullScopePatPolicyViolation",
        Exit::Refused,
        "The tenant's policy 'Restrict full-scoped personal access token creation' forbids full access (app_token).",
        "Name the scopes that are needed, or ask an Azure DevOps Administrator of the tenant for the policy's \
         allowlist.",
    ),
    meaning(
        "patLifespanPolicyViolation",
        Exit::Refused,
        "The tenant's policy 'Enforce maximum personal access token lifespan' forbids a PAT that lives so long.",
        "Ask for a shorter lifetime, or ask an Azure DevOps Administrator of the tenant for the policy's allowlist.",
    ),
    meaning(
        "invalidTokenType",
        Exit::Refused,
        "The service does not accept this kind of bearer token.",
        SIGN_IN_AGAIN,
    ),
    meaning(
        "invalidAudience",
        Exit::Refused,
        "The bearer token was not made for Azure DevOps.",
        SIGN_IN_AGAIN,
    ),
    meaning(
        "invalidSubject",
        Exit::Refused,
        "The bearer token names no user the service knows.",
        ANOTHER_ACCOUNT,
    ),
    meaning("deploymentHostNotSupported", Exit::Refused, "The request named no organization.", DEFECT),
    meaning(
        "disablePatCreationPolicyViolation",
        Exit::Refused,
        "The organization's policy 'Restrict personal access token creation' forbids this PAT.",
        "If the policy lets packaging scopes through, ask for vso.packaging alone; else ask a Project Collection \
         Administrator for the policy's allowlist.",
    ),
    meaning(
        "failedToReadOrgPolicy",
        Exit::Service,
        "The service could not read the organization's policies for PATs.",
        "Run it again later; if it keeps failing, a Project Collection Administrator should look at its policies.",
    ),
    meaning(
        "globalPATCreationBlocked",
        Exit::Refused,
        "Global PATs can no longer be made; all of them end on 2026-12-01.",
        "Use one PAT for each organization.",
    ),
    meaning(
        "expiredPatCannotBeExtended",
        Exit::Refused,
        "The PAT has expired, and an expired PAT can no longer be extended.",
        "Rotate it by its name with if-missing create, or create a new one.",
    ),
];

/// The failure behind a `patTokenError`.
pub fn of_name(name: &str, message: Option<&str>, organization: &Organization) -> Failure {
    let message = message.map(str::trim).filter(|message| !message.is_empty());
    let failure = match MEANINGS.iter().find(|meaning| meaning.key.eq_ignore_ascii_case(name)) {
        Some(meaning) => meaning.failure(&[]),
        None => {
            let exit = match not_found(name) {
                Some(_) if is_of_no_organization(name) => Exit::Refused,
                Some(_) => Exit::NotFound,
                None => exit_of_unknown(name),
            };
            let cause = format!("The PAT service refused the request in organization {organization}.");
            Failure::new(exit, cause, REPORT_NAME)
        }
    };
    let name = format!("patTokenError {name}");
    failure.named(message.map_or(name.clone(), |message| format!("{name}: {message}")))
}

/// The names of `patTokenError`s that concern who is signed in; every other concerns what was asked for.
const OF_THE_SIGN_IN: [&str; 14] = [
    "userIdRequired",
    "invalidUserId",
    "invalidUserType",
    "accessDenied",
    "invalidClient",
    "invalidClientType",
    "invalidClientId",
    "invalidTargetAccounts",
    "sourceNotSupported",
    "invalidSourceIP",
    "invalidToken",
    "invalidTokenType",
    "invalidAudience",
    "invalidSubject",
];

/// Whether the service's name of an error says that it refused what was asked for, and would from any user.
pub fn is_about_the_request(name: &str) -> bool {
    let name = name.strip_prefix("patTokenError ").map(|name| name.split(':').next().unwrap_or_default());
    name.is_some_and(|name| !is_of_the_sign_in(name))
}

fn is_of_the_sign_in(name: &str) -> bool {
    OF_THE_SIGN_IN.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a failure's name says that the service makes no PAT for this user, whatever is asked for.
pub fn is_for_everybody(name: &str) -> bool {
    let is_by_policy = |name: &str| name.eq_ignore_ascii_case("disablePatCreationPolicyViolation");
    let named = name.strip_prefix("patTokenError ").and_then(|name| name.split(':').next());
    named.is_some_and(|name| is_by_policy(name) || is_of_the_sign_in(name))
}

/// Whether the answer says that the PAT it was asked for does not exist. That its organization, user or page is not
/// found says nothing of the PAT, which may live on.
pub fn is_gone(answer: &Answer) -> bool {
    let body = ErrorBody::of(answer);
    let named = named_in(answer, body.message.as_deref().unwrap_or_default());
    is_of_no_pat(&named.or(body.type_key).unwrap_or_default())
}

/// What is not found, by an error's name like `SessionTokenNotFoundException` or `authorizationNotFound`, in lower
/// case; `None` if the error is another.
fn not_found(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    name.trim_end_matches("exception").strip_suffix("notfound").map(str::to_owned)
}

fn is_of_no_pat(name: &str) -> bool {
    let of_a_pat = |what: String| {
        ["token", "authorization", "authorizationid", "pat"].iter().any(|pat| what.ends_with(pat))
    };
    name.eq_ignore_ascii_case("invalidAuthorizationId") || not_found(name).is_some_and(of_a_pat)
}

fn is_of_no_organization(name: &str) -> bool {
    let of_one = |what: String| {
        ["host", "organization", "account", "collection"].iter().any(|one| what.ends_with(one))
    };
    not_found(name).is_some_and(of_one)
}

fn exit_of_unknown(name: &str) -> Exit {
    if name.to_ascii_lowercase().starts_with("failedto") { Exit::Service } else { Exit::Refused }
}

/// The failure behind an answer that is no success: what it names counts more than its status.
pub fn of_answer(answer: &Answer, organization: &Organization) -> Failure {
    let body = ErrorBody::of(answer);
    let message = body.message.clone().unwrap_or_default();
    let named = named_in(answer, &message).filter(|_| ClaimsChallenge::of(answer).is_none());
    let failure = match named {
        Some(name) => of_name(&name, None, organization),
        None => of_status(answer, &body, organization),
    };
    with_ids_of(answer, failure)
}

/// The failure with the ids that the answer brought, and advice to use them only if there are any.
pub fn with_ids_of(answer: &Answer, failure: Failure) -> Failure {
    let ids = support_ids(answer);
    let remedy = if ids.is_empty() && failure.remedy == REPORT { AGAIN.into() } else { failure.remedy };
    Failure { remedy, ..failure }.and(answer.asks_to_wait()).with_support_ids(ids)
}

/// A `patTokenError` can come in its own JSON or as the whole message of the generic one.
fn named_in(answer: &Answer, message: &str) -> Option<String> {
    let own = answer.json::<serde_json::Value>().ok();
    let own = own.as_ref().and_then(|json| json.get("patTokenError")).and_then(serde_json::Value::as_str);
    if let Some(name) = own.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("none")) {
        return Some(name.to_owned());
    }
    let word = message.trim().trim_end_matches('.');
    MEANINGS
        .iter()
        .find(|meaning| meaning.key.eq_ignore_ascii_case(word))
        .map(|meaning| meaning.key.to_owned())
}

/// How a refusal is known whose exception says that there is no such PAT.
const NOT_FOUND: &str = "...TokenNotFoundException";
/// How one is known whose exception says that there is no such organization.
const NO_ORGANIZATION: &str = "HostNotFoundException";
/// How an answer is known that is a page for a browser.
const PAGE: &str = "a web page";

/// What a refusal means that names no `patTokenError`: by its exception (`typeKey`), its words, its status.
pub const REFUSALS: &[RefusalRow] = &[
    challenge::REVOKED,
    IS_DEACTIVATED,
    RefusalRow::new(
        Exit::Refused,
        "A service principal or managed identity is signed in, and the PAT service serves people only.",
        "Sign in as a user: give a refresh-token made by 'adopat login'.",
    )
    .key("InvalidAccessException")
    .says(&["service principal"]),
    RefusalRow::new(
        Exit::Refused,
        "The PAT service does not allow this operation with the credential that was sent.",
        "It takes a Microsoft Entra token of a user, never a PAT or the job's own token.",
    )
    .key("InvalidAccessException"),
    RefusalRow::new(
        Exit::Refused,
        "Azure DevOps does not take the access token in organization {organization}: it has expired, was revoked, or \
         is not one for Azure DevOps.",
        "Sign in again; a token given as access-token must be a fresh one for Azure DevOps \
         (499b84ac-1321-427f-aa17-267ca6975798).",
    )
    .says(&["TF400813", "anonymous access"]),
    RefusalRow::new(
        Exit::Refused,
        "Azure DevOps takes the access token for nobody's (the Anonymous identity) in organization {organization}.",
        "Sign in again; a token given as access-token must be a fresh one for Azure DevOps \
         (499b84ac-1321-427f-aa17-267ca6975798), as a user of Microsoft Entra.",
    )
    .says(&["TF400813", ANONYMOUS]),
    RefusalRow::new(
        Exit::Refused,
        "Azure DevOps does not let the user who is signed in use PATs in organization {organization}: they are no \
         member of it, the token is another tenant's, or the app registration lacks a permission.",
        "Check organization and tenant-id, and that the app has the delegated permissions vso.pats and \
         vso.pats_manage, with consent; 'adopat doctor' checks each of them.",
    )
    .says(&["TF400813"]),
    RefusalRow::new(
        Exit::SignIn,
        "The user who is signed in has never been in this organization.",
        "Let them open https://dev.azure.com once in a browser, then run it again.",
    )
    .says(&["TF401444"]),
    RefusalRow::new(
        Exit::Refused,
        "A conditional access policy of the tenant refuses this request.",
        "Run it from a network the policy accepts, like a self-hosted agent, or ask the tenant's administrator.",
    )
    .says(&["VS403463"]),
    RefusalRow::new(
        Exit::NotFound,
        "There is no such PAT.",
        "Check authorization-id, organization and the user who signs in: a PAT is seen by its owner alone.",
    )
    .key(NOT_FOUND),
    RefusalRow::new(
        Exit::Refused,
        "Azure DevOps knows no organization {organization}, or hides it from this user.",
        "Check the input organization, and that the user who signs in is a member of it.",
    )
    .key(NO_ORGANIZATION),
    RefusalRow::new(
        Exit::SignIn,
        "The PAT service answered with a sign-in page (HTTP {status}): it did not accept the credential.",
        SIGN_IN_AGAIN,
    )
    .status(&[203..=203, 300..=399]),
    RefusalRow::new(
        Exit::SignIn,
        "The PAT service did not accept the access token (HTTP 401).",
        SIGN_IN_AGAIN,
    )
    .status(&[401..=401]),
    RefusalRow::new(
        Exit::Refused,
        "The PAT service refused the request by permission or policy (HTTP 403).",
        "Ask a Project Collection Administrator whether PATs are restricted here; 'adopat doctor' checks whether this \
         user may read them.",
    )
    .status(&[403..=403]),
    RefusalRow::new(
        Exit::Refused,
        "Azure DevOps knows no organization {organization}, or hides it from this user (HTTP 404).",
        "Check the input organization, and that the user who signs in is a member of it; 'adopat doctor' checks both.",
    )
    .status(&[404..=404]),
    RefusalRow::new(
        Exit::Service,
        "The PAT service is being asked too often (HTTP 429).",
        "Run it again later, run fewer jobs at once, or raise the input 'timeout'.",
    )
    .status(&[429..=429]),
    RefusalRow::new(Exit::Service, "The PAT service failed (HTTP {status}).", REPORT).status(&[500..=999]),
    RefusalRow::new(
        Exit::Service,
        "What answered in the PAT service's place sent a web page (HTTP {status}).",
        "Check service-url, and that no proxy answers in the service's place.",
    )
    .key(PAGE),
    RefusalRow::new(Exit::Refused, "The PAT service refused the request (HTTP {status}).", REPORT),
];

fn of_status(answer: &Answer, body: &ErrorBody, organization: &Organization) -> Failure {
    let status = answer.status.as_u16();
    let message = body.message.as_deref().unwrap_or_default();
    let key = challenge::key_of(answer, body.type_key.clone());
    let key = key.as_str();
    let known_by = match key {
        "" if answer.is_page() => PAGE,
        key if is_of_no_pat(key) => NOT_FOUND,
        key if is_of_no_organization(key) => NO_ORGANIZATION,
        key => key,
    };
    // A sign-in page may call itself a success.
    let kind = if status == 200 && answer.is_sign_in_page() { 203 } else { status };
    let meaning = refusal_table::find(REFUSALS, kind, known_by, message).expect("the last row fits all");
    let own = [("organization", organization.name()), ("status", &status.to_string())];
    let failure = meaning.failure(&own);
    if key == INSUFFICIENT_CLAIMS {
        // The words beside it are those for anybody without a credential.
        return failure.named(key);
    }
    match names_of(key, message) {
        Some(name) => failure.named(name),
        None => failure,
    }
}

/// What the service itself calls the error: its exception and its words, shortened.
fn names_of(key: &str, message: &str) -> Option<String> {
    let mut message = without_people(message);
    if let Some((end, _)) = message.char_indices().nth(300) {
        message.truncate(end);
        message.push_str("...");
    }
    match (key.is_empty(), message.is_empty()) {
        (true, true) => None,
        (true, false) => Some(message),
        (false, true) => Some(key.to_owned()),
        (false, false) => Some(format!("{key}: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rstest::rstest;

    use super::*;
    use crate::pats::model::GLOBAL_PATS_END;

    #[test]
    fn the_day_on_which_global_pats_end_is_one() {
        let told = MEANINGS.iter().filter(|row| row.cause.contains("all of them end on"));
        let told: Vec<_> = told.map(|row| row.cause.contains(&GLOBAL_PATS_END.to_string())).collect();
        assert_eq!(told, [true]);
    }

    #[rstest]
    #[case::of_a_failing_service(500, "")]
    #[case::of_a_failing_service(503, "<html></html>")]
    #[case::of_a_name(200, r#"{"patTokenError": "failedToIssueAccessToken"}"#)]
    #[case::of_a_name(400, r#"{"message": "duplicateHash"}"#)]
    fn support_is_to_be_given_the_ids_only_where_there_are_any(
        #[case] status: u16,
        #[case] body: &'static str,
    ) {
        let organization = Organization::parse("fabrikam").expect("a name");
        for id in [None, Some("00000000-0000-0000-0000-00000000000a")] {
            let mut response = http::Response::builder().status(status);
            if let Some(id) = id {
                response = response.header("ActivityId", id);
            }
            let answer = Answer::from(response.body(Bytes::from_static(body.as_bytes())).expect("an answer"));
            let failure = of_answer(&answer, &organization);
            assert_eq!(failure.remedy.contains("these IDs"), id.is_some(), "{failure}");
            assert_eq!(failure.to_string().contains("ActivityId"), id.is_some(), "{failure}");
            assert!(failure.remedy.starts_with("Run it again; if it keeps failing, "), "{failure}");
        }
    }
}
