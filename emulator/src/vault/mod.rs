//! Azure Key Vault, as far as secrets go.

mod access;
mod deletion;
mod list;
mod secret;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

pub(crate) use self::access::{Access, Right};
pub use self::access::{Challenge, Expiry, VaultAccess, VaultPolicy, VaultRights};
pub use self::deletion::Deletion;
pub(crate) use self::secret::Secrets;
pub use self::secret::{VaultSecret, VaultVersion};
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::services::Services;

/// What the vault remembers.
#[derive(Debug, Default)]
pub(crate) struct Vault {
    pub(crate) access: Access,
    pub(crate) secrets: Secrets,
}

pub(crate) fn answer(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    match route(services, call, now) {
        Ok(answer) | Err(answer) => answer,
    }
}

fn route(services: &mut Services, call: &Call, now: Timestamp) -> Result<Answer, Answer> {
    // A client without a token learns first where to get one: clients send their first request without body.
    let caller = access::caller(services, call, now)?;
    check_version(call)?;
    let (right, name) = match (call.method.as_str(), &call.segments()[..]) {
        ("GET", ["secrets" | "deletedsecrets"]) => (Right::List, ""),
        ("GET", ["secrets", name, "versions"]) => (Right::List, *name),
        ("GET", ["secrets", name] | ["secrets", name, _] | ["deletedsecrets", name]) => (Right::Get, *name),
        ("PUT", ["secrets", name]) | ("PATCH", ["secrets", name] | ["secrets", name, _]) => {
            (Right::Set, *name)
        }
        ("DELETE", ["secrets", name]) => (Right::Delete, *name),
        ("POST", ["deletedsecrets", name, "recover"]) => (Right::Recover, *name),
        ("DELETE", ["deletedsecrets", name]) => (Right::Purge, *name),
        _ => {
            return Err(error(
                StatusCode::NOT_FOUND,
                "NotFound",
                "The requested resource does not exist.",
                None,
            ));
        }
    };
    if !name.is_empty() {
        check_name(name)?;
    }
    access::allow(services, &caller, right, name)?;
    match (call.method.as_str(), &call.segments()[..]) {
        ("GET", ["secrets"]) => list::secrets(services, call),
        ("GET", ["deletedsecrets"]) => list::deleted(services, call),
        ("GET", ["secrets", name, "versions"]) => list::versions(services, call, name),
        ("GET", ["secrets", name]) => secret::get(services, name, None),
        ("GET", ["secrets", name, version]) => secret::get(services, name, Some(version)),
        ("GET", _) => deletion::get(services, name),
        ("PUT", _) => secret::set(services, call, name, now),
        ("PATCH", ["secrets", name, version]) => secret::change(services, call, name, Some(version), now),
        ("PATCH", _) => secret::change(services, call, name, None, now),
        ("POST", _) => deletion::recover(services, name),
        (_, ["secrets", ..]) => deletion::delete(services, name, now),
        _ => deletion::purge(services, name),
    }
}

/// Names hold letters, digits and dashes; they are the same in any case.
fn check_name(name: &str) -> Result<(), Answer> {
    let fits = (1..=127).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits {
        Ok(())
    } else {
        Err(bad_parameter(&format!("The request URI contains an invalid name: {name}")))
    }
}

fn check_version(call: &Call) -> Result<(), Answer> {
    match call.query("api-version") {
        None | Some("") => Err(bad_parameter("api-version must be specified")),
        Some(version) if version.starts_with("7.") || version.starts_with("202") => Ok(()),
        Some(version) => Err(error(
            StatusCode::BAD_REQUEST,
            "BadParameter",
            &format!(
                "The specified version ({version}) is not recognized. Consider using the latest supported version (7.6)."
            ),
            None,
        )),
    }
}

fn bad_parameter(message: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, "BadParameter", message, None)
}

fn error(status: StatusCode, code: &str, message: &str, inner: Option<&str>) -> Answer {
    let mut error = json!({"code": code, "message": message});
    if let Some(inner) = inner {
        error["innererror"] = json!({"code": inner});
    }
    answer::json(status, &json!({"error": error}))
}

/// Puts on what every answer of a vault carries.
pub(crate) fn dressed(services: &mut Services, call: &Call, answer: Answer) -> Answer {
    let request = services.chance.guid().to_string();
    let mut answer = answer;
    for (name, value) in [
        ("Cache-Control", "no-cache"),
        ("x-ms-keyvault-region", "westeurope"),
        ("x-ms-keyvault-service-version", "1.9.0000.1"),
        ("x-ms-request-id", request.as_str()),
        ("Strict-Transport-Security", "max-age=31536000;includeSubDomains"),
    ] {
        answer = answer::with_header(answer, name, value);
    }
    match call.header("x-ms-client-request-id") {
        Some(id) => answer::with_header(answer, "x-ms-client-request-id", id),
        None => answer,
    }
}
