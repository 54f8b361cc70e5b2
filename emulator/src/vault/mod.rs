//! Azure Key Vault, as far as secrets go: set, get, list versions, change.

mod access;
mod secret;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) use self::access::{Access, Right};
pub use self::access::{Challenge, VaultAccess, VaultPolicy, VaultRights};
pub(crate) use self::secret::Secrets;
pub use self::secret::{Deletion, VaultSecret, VaultVersion};
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::services::{Service, Services};

/// What the vault remembers.
#[derive(Debug, Default)]
pub(crate) struct Vault {
    pub(crate) access: Access,
    pub(crate) secrets: Secrets,
}

/// The most versions in one page.
const LARGEST_PAGE: usize = 25;

pub(crate) fn answer(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    match route(services, call, now) {
        Ok(answer) | Err(answer) => answer,
    }
}

fn route(services: &mut Services, call: &Call, now: Timestamp) -> Result<Answer, Answer> {
    // Whoever comes without a token learns first where to get one: clients send their first request without body.
    let caller = access::caller(services, call, now)?;
    check_version(call)?;
    let allow = |services: &Services, right: Right, name: &str| access::allow(services, &caller, right, name);
    match (call.method.as_str(), &call.segments()[..]) {
        ("GET", ["secrets", name, "versions"]) => {
            check_name(name)?;
            allow(services, Right::List, name)?;
            versions(services, call, name)
        }
        ("PUT", ["secrets", name]) => {
            check_name(name)?;
            allow(services, Right::Set, name)?;
            secret::set(services, call, name, now)
        }
        ("GET", ["secrets", name]) => {
            check_name(name)?;
            allow(services, Right::Get, name)?;
            secret::get(services, name, None)
        }
        ("GET", ["secrets", name, version]) => {
            check_name(name)?;
            allow(services, Right::Get, name)?;
            secret::get(services, name, Some(version))
        }
        ("PATCH", ["secrets", name, version]) => {
            check_name(name)?;
            allow(services, Right::Set, name)?;
            secret::change(services, call, name, version, now)
        }
        ("GET", ["deletedsecrets", name]) => {
            check_name(name)?;
            allow(services, Right::Get, name)?;
            secret::get_deleted(services, name)
        }
        // Nobody here may delete.
        ("DELETE", ["secrets", name]) => {
            check_name(name)?;
            Err(access::forbidden(services, &caller, Right::Delete, name))
        }
        _ => Err(error(StatusCode::NOT_FOUND, "NotFound", "The requested resource does not exist.", None)),
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

fn versions(services: &Services, call: &Call, name: &str) -> Result<Answer, Answer> {
    let base = services.address(Service::Vault);
    let secret = services.vault.secrets.living(name)?;
    let most = match call.query("maxresults").map(str::parse::<usize>) {
        None => LARGEST_PAGE,
        Some(Ok(most @ 1..=LARGEST_PAGE)) => most,
        Some(_) => return Err(bad_parameter("maxresults must be between 1 and 25.")),
    };
    // In no promised order: here in that of their ids, which are random.
    let mut versions: Vec<&VaultVersion> = secret.versions.iter().collect();
    versions.sort_by(|one, other| one.id.cmp(&other.id));
    if let Some(last) = call.query("$skiptoken") {
        versions.retain(|version| version.id.as_str() > last);
    }
    let more = versions.len() > most;
    versions.truncate(most);
    let next = versions.last().filter(|_| more).map(|last| {
        let version = call.query("api-version").unwrap_or_default();
        format!(
            "{base}/secrets/{name}/versions?api-version={version}&maxresults={most}&$skiptoken={}",
            last.id
        )
    });
    let shown: Vec<Value> = versions.iter().map(|version| version.shown(base, name, false)).collect();
    Ok(answer::json(StatusCode::OK, &json!({"value": shown, "nextLink": next})))
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
