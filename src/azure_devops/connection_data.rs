//! `connectionData`: the user that Azure DevOps takes the caller for.
//!
//! It answers for an access token and for a PAT. A success alone proves nothing: if anonymous access is allowed, Azure
//! DevOps answers as the Anonymous user.

use serde::Deserialize;
use serde_json::Value;

use crate::http::Answer;

/// The identity of a caller without an accepted credential.
pub const ANONYMOUS: &str = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";

/// Kinds of identities that are no person, as `descriptor` and `subjectDescriptor` begin.
const NO_PERSON: [&str; 6] = [
    "Microsoft.VisualStudio.Services.Claims.AadServicePrincipal",
    "Microsoft.TeamFoundation.ServiceIdentity",
    "System:ServicePrincipal",
    "aadsp.",
    "svc.",
    "s2s.",
];

/// The part of the answer that is looked at.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConnectionData {
    authenticated_user: AuthenticatedUser,
}

/// Whom Azure DevOps takes the caller for.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticatedUser {
    id: String,
    #[serde(default)]
    descriptor: Option<String>,
    #[serde(default)]
    subject_descriptor: Option<String>,
    #[serde(default)]
    provider_display_name: Value,
    #[serde(default)]
    properties: Value,
}

impl AuthenticatedUser {
    /// The identity in an answer; `None` if it is not `connectionData`.
    pub fn of(answer: &Answer) -> Option<Self> {
        answer.json::<ConnectionData>().ok().map(|data| data.authenticated_user)
    }

    /// What the person is called, for that person alone to read: the account, else the name. No run but `login`, which
    /// they themselves look at, says it.
    pub fn name(&self) -> Option<String> {
        let account = self.properties.pointer("/Account/$value").and_then(Value::as_str);
        let name = account.into_iter().chain(self.provider_display_name.as_str());
        name.map(str::trim).find(|name| !name.is_empty()).map(str::to_owned)
    }

    /// Whether it is the identity of this id.
    pub fn is(&self, id: &str) -> bool {
        self.id.eq_ignore_ascii_case(id)
    }

    /// Whether it is nobody's.
    pub fn is_anonymous(&self) -> bool {
        self.id.eq_ignore_ascii_case(ANONYMOUS)
    }

    /// Whether it is a service principal's, a managed identity's or a service's own, as far as is told.
    pub fn is_no_person(&self) -> bool {
        let descriptors = [&self.descriptor, &self.subject_descriptor].into_iter().flatten();
        descriptors.into_iter().any(|descriptor| {
            NO_PERSON.iter().any(|kind| {
                descriptor.get(..kind.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(kind))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn identity(json: serde_json::Value) -> Option<AuthenticatedUser> {
        let body = bytes::Bytes::from(json.to_string());
        AuthenticatedUser::of(&http::Response::new(body).into())
    }

    #[rstest]
    #[case::person("Microsoft.IdentityModel.Claims.ClaimsIdentity;x", "aad.x", false)]
    #[case::service_principal(
        "Microsoft.VisualStudio.Services.Claims.AadServicePrincipal;x",
        "aadsp.x",
        true
    )]
    #[case::by_its_short_name("", "aadsp.x", true)]
    #[case::the_jobs_own("Microsoft.TeamFoundation.ServiceIdentity;x", "svc.x", true)]
    fn a_person_is_told_from_a_service(#[case] long: &str, #[case] short: &str, #[case] no_person: bool) {
        let found = identity(json!({"authenticatedUser": {
            "id": "00000000-0000-0000-0000-000000000001", "descriptor": long, "subjectDescriptor": short,
        }}));
        assert_eq!(found.map(|identity| identity.is_no_person()), Some(no_person));
    }

    #[test]
    fn nobody_is_told_from_somebody_whatever_the_case() {
        let anonymous = identity(json!({"authenticatedUser": {"id": ANONYMOUS.to_uppercase()}}));
        assert!(anonymous.expect("an identity").is_anonymous());
        assert_eq!(identity(json!({"authenticatedUser": null})), None);
        assert_eq!(identity(json!([])), None);
    }
}
