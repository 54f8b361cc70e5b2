//! What a vault, or Entra on its behalf, means by a refusal, and what to do about it.
//!
//! Sources: the recorded traffic of Azure's own SDKs, and Key Vault's documentation of its error codes
//! (MicrosoftDocs/azure-docs, key-vault/general/rest-error-codes). The words of a service are quoted, cut to
//! one line.

use serde::Deserialize;

use super::Doing;
use super::vault_identity::VaultCredential;
use crate::failure::{Exit, Failure};
use crate::http::Answer;
use crate::refusal_table::{self, RefusalRow};

/// Key Vault's error: a code, words, and below them the code that says which of several causes it was.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    error: VaultError,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VaultError {
    code: Option<String>,
    message: Option<String>,
    innererror: Option<Box<VaultError>>,
}

/// How an answer is known that is a page for a browser.
const PAGE: &str = "a web page";

/// What it means that the name is taken by a deleted secret.
const SOFT_DELETED: RefusalRow = RefusalRow::new(
    Exit::Store,
    "Secret {secret} in the vault {vault} was deleted and its name is held until it is purged.",
    "Recover it ('az keyvault secret recover'), or use another name; adopat never purges a secret.",
)
.key("ObjectIsDeletedButRecoverable");

/// What it means that something else answers.
const NO_VAULT: RefusalRow = RefusalRow::new(
    Exit::Store,
    "Something other than a vault answered for {vault} (HTTP {status}).",
    "Check the vault's name and the proxy on the way to it.",
);

/// What it means that one of Azure's policies refuses a secret. How a vault words that is not documented.
const NOT_BY_POLICY: RefusalRow = RefusalRow::new(
    Exit::Store,
    "A policy of Azure does not let the vault {vault} take secret {secret} as it is written.",
    "Look up the policy (Azure portal, Policy, Compliance). If it limits how long a secret may be valid, choose a \
     'lifetime' within that limit; otherwise exempt the vault from it, or use another one.",
)
.status(&[400..=400, 403..=403]);

/// What the refusals of a vault mean, by its innermost code, its words and its status. The exit code is 7, but 3
/// if a refresh token is read.
pub const REFUSALS: &[RefusalRow] = &[
    RefusalRow::new(
        Exit::Store,
        "The vault {vault} belongs to another tenant than the identity that opens it, {identity}.",
        "Use an identity of the vault's own tenant: the vault names it as the expected issuer.",
    )
    .status(&[401..=401])
    .says(&["AKV10032"]),
    RefusalRow::new(
        Exit::Store,
        "The vault {vault} did not accept the token of {identity}.",
        "Check that the vault is in the cloud that 'authority-host' signs in to.",
    )
    .status(&[401..=401]),
    RefusalRow::new(
        Exit::Store,
        "No role lets {identity} {verb} secret {secret} in the vault {vault}.",
        "Assign it the role '{role}' on the vault, and allow some minutes for that to spread.",
    )
    .key("ForbiddenByRbac"),
    NOT_BY_POLICY.says(&["expir"]),
    NOT_BY_POLICY.says(&["Azure Policy"]),
    NOT_BY_POLICY.key("RequestDisallowedByPolicy"),
    RefusalRow::new(
        Exit::Store,
        "The access policies of the vault {vault} do not allow {identity} to {verb} secret {secret}.",
        "Add the secret permission '{permission}' for it to the vault's access policies.",
    )
    .key("ForbiddenByPolicy"),
    RefusalRow::new(
        Exit::Store,
        "The firewall of the vault {vault} does not let this machine's address in.",
        "Allow the address of this agent in the vault's networking settings, or run on an agent within its network.",
    )
    .key("ForbiddenByFirewall"),
    RefusalRow::new(
        Exit::Store,
        "The vault {vault} has public access switched off.",
        "Run on an agent that reaches the vault's private endpoint.",
    )
    .key("ForbiddenByConnection"),
    RefusalRow::new(
        Exit::Store,
        "The newest version of secret {secret} in the vault {vault} is disabled.",
        "Enable it, or store a value again ('adopat login' for a refresh token).",
    )
    .key("SecretDisabled"),
    RefusalRow::new(
        Exit::Store,
        "The vault {vault} does not allow {identity} to {verb} secret {secret}.",
        "Give it the role '{role}' on the vault.",
    )
    .status(&[403..=403]),
    RefusalRow::new(
        Exit::Store,
        "The vault {vault} had more requests than it takes (4,000 in 10 seconds).",
        "Run this again later, or keep the secret in a vault that is used less.",
    )
    .status(&[429..=429]),
    NO_VAULT.key(PAGE),
    NO_VAULT.status(&[300..=399]),
    RefusalRow::new(
        Exit::Store,
        "The vault {vault} does not know secret {secret}.",
        "Check the vault's and the secret's name.",
    )
    .status(&[404..=404]),
    SOFT_DELETED,
    SOFT_DELETED.key("ObjectIsBeingDeleted"),
    RefusalRow::new(
        Exit::Store,
        "Secret {secret} in the vault {vault} is being changed by somebody else.",
        "Run this again in a moment.",
    )
    .status(&[409..=409]),
    RefusalRow::new(
        Exit::Store,
        "The vault {vault} did not {verb} secret {secret} (HTTP {status}).",
        "Run this again; if it keeps failing, look at the vault's health in the Azure portal.",
    ),
];

/// The most telling code of a vault's refusal: the innermost.
pub fn code(answer: &Answer) -> String {
    let Body { error } = answer.json().unwrap_or_default();
    let inner = error.innererror.and_then(|inner| inner.code);
    inner.or(error.code).unwrap_or_default()
}

/// Whether the refusal says no more than that this identity may not read (or that the newest version is
/// switched off): it may well write.
pub fn is_about_reading(answer: &Answer) -> bool {
    matches!(code(answer).as_str(), "ForbiddenByRbac" | "ForbiddenByPolicy" | "SecretDisabled")
}

/// Whether the newest version is switched off.
pub fn is_disabled(answer: &Answer) -> bool {
    code(answer) == "SecretDisabled"
}

/// Whether a policy may be at work here that wants an end of every secret. How it is worded is not documented, so it
/// is whatever does not say that something else is the matter.
pub fn may_want_an_end(answer: &Answer) -> bool {
    let gates = ["ForbiddenByRbac", "ForbiddenByFirewall", "ForbiddenByConnection", "SecretDisabled"];
    matches!(answer.status.as_u16(), 400 | 403)
        && !answer.is_page()
        && !gates.contains(&code(answer).as_str())
        && !answer.text().contains("secrets set permission")
}

/// Whether the vault says that there is no such secret; a page says nothing about a vault.
pub fn is_absence(answer: &Answer) -> bool {
    answer.status == 404 && !answer.is_page()
}

/// What the vault's answer means for the secret of this name.
pub(super) fn of_vault(
    answer: &Answer,
    vault: &str,
    name: &str,
    way: &VaultCredential,
    doing: Doing,
) -> Failure {
    let Body { error } = answer.json().unwrap_or_default();
    let words = error.message.as_deref().unwrap_or_default();
    let code = code(answer);
    let status = answer.status.as_u16();
    let known_by = if code.is_empty() && answer.is_page() { PAGE } else { &code };
    let meaning = refusal_table::find(REFUSALS, status, known_by, words).expect("the last row fits all");
    let failure = meaning.failure(&[
        ("vault", vault),
        ("secret", name),
        ("identity", &way.to_string()),
        ("verb", doing.verb()),
        ("role", doing.role()),
        ("permission", doing.permission()),
        ("status", &status.to_string()),
    ]);
    let mut failure =
        Failure { exit: doing.exit(), ..failure }.quoting("The vault", words).and(answer.asks_to_wait());
    if !code.is_empty() {
        failure = failure.named(format!("Key Vault {code}"));
    }
    let ids = answer.header("x-ms-request-id").map(|id| ("x-ms-request-id", id.to_owned()));
    failure.with_support_ids(ids)
}

/// The failure if the name is taken by a deleted secret, found out before anything is written.
pub(super) fn of_soft_deleted(vault: &str, name: &str, doing: Doing) -> Failure {
    let failure = SOFT_DELETED.failure(&[("vault", vault), ("secret", name)]);
    Failure { exit: doing.exit(), ..failure }.named(format!("Key Vault {}", SOFT_DELETED.key))
}

/// Entra's error, or that of a machine's identity endpoint, which borrows its shape.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TokenError {
    error: Option<String>,
    error_description: Option<String>,
    error_codes: Vec<u64>,
    correlation_id: Option<String>,
}

/// What it means that no token for the vault was given.
pub(super) fn of_identity(answer: &Answer, vault: &str, way: &VaultCredential, doing: Doing) -> Failure {
    let body: TokenError = answer.json().unwrap_or_default();
    let description = body.error_description.unwrap_or_default();
    let words = description.split(" Trace ID:").next().unwrap_or_default();
    let remedy = match body.error_codes.first().copied().unwrap_or_default() {
        70_021 | 70_025 | 700_211 | 700_212 | 700_213 => {
            "Add a federated credential to that app for exactly the issuer, subject and audience that Entra names; \
             minutes may pass until it works."
        }
        7_000_215 | 7_000_222 => {
            "Renew the client secret and set AZURE_CLIENT_SECRET to its value, not its id."
        }
        700_016 => "Check AZURE_CLIENT_ID: that app is not known in that tenant.",
        90_002 | 900_023 => "Check AZURE_TENANT_ID: there is no such tenant.",
        700_024 => "Check this machine's clock.",
        500_011 => "Check that the vault is in the cloud that 'authority-host' signs in to.",
        _ if matches!(way, VaultCredential::AppService | VaultCredential::WhateverIsThere) => {
            "Assign a managed identity to this machine or app; for a user-assigned one set AZURE_CLIENT_ID to its client id."
        }
        _ => "Check the identity's client id, tenant and proof.",
    };
    let cause =
        format!("No token for the vault {vault} was given to {way} (HTTP {}).", answer.status.as_u16());
    let mut failure =
        Failure::new(doing.exit(), cause, remedy).quoting("The sign-in", words).and(answer.asks_to_wait());
    if let Some(error) = body.error {
        failure = failure.named(body.error_codes.first().map_or(error, |code| format!("AADSTS{code}")));
    }
    failure.with_support_ids(body.correlation_id.map(|id| ("correlation id", id)))
}

impl Doing {
    fn verb(self) -> &'static str {
        match self {
            Self::Reading => "read",
            Self::Writing => "set",
        }
    }

    /// The secret permission in an access policy.
    fn permission(self) -> &'static str {
        match self {
            Self::Reading => "Get",
            Self::Writing => "Set",
        }
    }

    /// The built-in role.
    fn role(self) -> &'static str {
        match self {
            Self::Reading => "Key Vault Secrets User",
            Self::Writing => "Key Vault Secrets Officer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fake;
    use rstest::rstest;
    use serde_json::json;

    fn refused(status: u16, code: &str, inner: Option<&str>, message: &str) -> Failure {
        let mut body = json!({"error": {"code": code, "message": message}});
        if let Some(inner) = inner {
            body["error"]["innererror"] = json!({"code": inner});
        }
        let answer = Answer::from(fake::json(status, &body).expect("an answer"));
        of_vault(&answer, "contoso.vault.azure.net", "ado-pat", &VaultCredential::AppService, Doing::Writing)
    }

    #[rstest]
    #[case(
        401,
        "Unauthorized",
        None,
        "AKV10032: Invalid issuer. Expected one of x, found y.",
        "another tenant",
        "Unauthorized"
    )]
    #[case(401, "Unauthorized", None, "AKV10022: Invalid audience.", "did not accept", "Unauthorized")]
    #[case(
        403,
        "Forbidden",
        Some("ForbiddenByRbac"),
        "Caller is not authorized.\r\nAction: 'setSecret/action'",
        "No role",
        "ForbiddenByRbac"
    )]
    #[case(
        403,
        "Forbidden",
        Some("ForbiddenByPolicy"),
        "does not have secrets set permission",
        "access policies",
        "ForbiddenByPolicy"
    )]
    #[case(
        403,
        "Forbidden",
        Some("ForbiddenByFirewall"),
        "Client address is not authorized",
        "firewall",
        "ForbiddenByFirewall"
    )]
    #[case(
        403,
        "Forbidden",
        Some("ForbiddenByConnection"),
        "Public network access is disabled",
        "public access",
        "ForbiddenByConnection"
    )]
    #[case(403, "Forbidden", None, "", "does not allow", "Forbidden")]
    #[case(404, "SecretNotFound", None, "", "does not know", "SecretNotFound")]
    #[case(
        409,
        "Conflict",
        Some("ObjectIsDeletedButRecoverable"),
        "",
        "deleted",
        "ObjectIsDeletedButRecoverable"
    )]
    #[case(409, "Conflict", None, "", "somebody else", "Conflict")]
    #[case(429, "Throttled", None, "", "4,000", "Throttled")]
    #[case(500, "InternalServerError", None, "", "HTTP 500", "InternalServerError")]
    fn each_refusal_has_its_own_cause_and_name(
        #[case] status: u16,
        #[case] code: &str,
        #[case] inner: Option<&str>,
        #[case] message: &str,
        #[case] cause: &str,
        #[case] name: &str,
    ) {
        let failure = refused(status, code, inner, message);
        assert_eq!(failure.exit, Exit::Store);
        assert!(failure.cause.contains(cause), "{failure}");
        assert!(!failure.cause.contains('\n') && !failure.remedy.is_empty(), "{failure}");
        assert_eq!(failure.name, Some(format!("Key Vault {name}")));
    }

    #[rstest]
    #[case(403, "Forbidden", None, "Denied by Azure Policy 'x'.", true, true)]
    #[case(403, "Forbidden", Some("ForbiddenByPolicy"), "Azure Policy 'x' was violated.", true, true)]
    #[case(400, "BadParameter", None, "Secrets need an expiration date.", true, true)]
    #[case(403, "RequestDisallowedByPolicy", None, "", true, true)]
    #[case(403, "Forbidden", None, "", true, false)]
    #[case(
        403,
        "Forbidden",
        Some("ForbiddenByPolicy"),
        "x does not have secrets set permission",
        false,
        false
    )]
    #[case(403, "Forbidden", Some("ForbiddenByRbac"), "no", false, false)]
    #[case(403, "Forbidden", Some("ForbiddenByFirewall"), "no", false, false)]
    #[case(401, "Unauthorized", None, "", false, false)]
    fn a_policy_that_may_want_an_end_is_known_whatever_its_words(
        #[case] status: u16,
        #[case] code: &str,
        #[case] inner: Option<&str>,
        #[case] message: &str,
        #[case] wants_an_end: bool,
        #[case] told_as_a_policy: bool,
    ) {
        let mut body = json!({"error": {"code": code, "message": message}});
        if let Some(inner) = inner {
            body["error"]["innererror"] = json!({"code": inner});
        }
        let answer = Answer::from(fake::json(status, &body).expect("an answer"));
        assert_eq!(may_want_an_end(&answer), wants_an_end);
        let failure = refused(status, code, inner, message);
        assert_eq!(failure.cause.starts_with("A policy of Azure"), told_as_a_policy, "{failure}");
    }

    #[test]
    fn entras_words_are_told_though_they_hold_escapes() {
        let body = json!({
            "error": "invalid_client", "error_codes": [700213], "correlation_id": "00000000-0000-0000-0000-000000000007",
            "error_description": "AADSTS700213: No matching \"federated identity\" record.\r\nSubject: 'x' Trace ID: t",
        });
        let answer = Answer::from(fake::json(401, &body).expect("an answer"));
        let failure =
            of_identity(&answer, "contoso.vault.azure.net", &VaultCredential::AppService, Doing::Reading);
        assert_eq!(failure.exit, Exit::SignIn);
        assert!(
            failure.account().ends_with("No matching \"federated identity\" record. Subject: 'x'."),
            "{failure}"
        );
        assert_eq!(failure.name.as_deref(), Some("AADSTS700213"));
        assert_eq!(failure.support_ids[0].0, "correlation id");
    }
}
