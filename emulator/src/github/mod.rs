//! GitHub's REST API, as far as Actions secrets go: they are sealed for a key of the repository or environment,
//! and nobody can read them back; except a test, for which they are opened here.

mod access;
mod pages;
mod repository;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) use self::access::Access;
pub use self::access::{GitHubLimit, GitHubRights};
pub use self::repository::GitHubSecret;
use self::repository::Kept;
pub(crate) use self::repository::{Repositories, Vessel};
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::services::{Service, Services};

/// What GitHub remembers.
#[derive(Debug, Default)]
pub(crate) struct GitHub {
    pub(crate) access: Access,
    pub(crate) repositories: Repositories,
}

/// The versions of the API.
const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];
const LARGEST_VALUE: usize = 48 * 1024;
const MOST_SECRETS: usize = 100;

pub(crate) fn answer(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    match route(services, call, now) {
        Ok(answer) | Err(answer) => answer,
    }
}

fn route(services: &mut Services, call: &Call, now: Timestamp) -> Result<Answer, Answer> {
    if call.header("user-agent").is_none_or(str::is_empty) {
        let page = "<html><body><p>Request forbidden by administrative rules. Please make sure your request has a \
                    User-Agent header (https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-\
                    required). Check https://developer.github.com for other possible causes.</p></body></html>";
        return Err(answer::html(StatusCode::FORBIDDEN, page.to_owned()));
    }
    if let Some(version) = call.header("x-github-api-version").filter(|version| !VERSIONS.contains(version)) {
        return Err(error(
            StatusCode::BAD_REQUEST,
            &format!("\"{version}\" is not a supported version of the API."),
        ));
    }
    access::check_limits(services, now)?;
    // Enterprise Server has its API under this prefix.
    let path = call.segments();
    let path = path.strip_prefix(&["api", "v3"]).unwrap_or(&path);
    let (vessel, secret) = match path {
        ["repos", owner, repository] if call.method == Method::GET => {
            return pages::repository(services, call, owner, repository);
        }
        ["repos", owner, repository, "environments", environment] if call.method == Method::GET => {
            return pages::environment(services, call, owner, repository, environment);
        }
        ["repos", owner, repository, "actions", "secrets", secret @ ..] => {
            (Vessel::repository(owner, repository), secret)
        }
        ["repos", owner, repository, "environments", environment, "secrets", secret @ ..] => {
            (Vessel::environment(owner, repository, environment), secret)
        }
        _ => return Err(not_found()),
    };
    match (call.method.as_str(), secret) {
        ("GET", []) => list(services, call, &vessel),
        ("GET", ["public-key"]) => public_key(services, call, &vessel),
        ("GET", [name]) => get(services, call, &vessel, name),
        ("PUT", [name]) => put(services, call, &vessel, name, now),
        ("DELETE", [name]) => delete(services, call, &vessel, name),
        _ => Err(not_found()),
    }
}

/// The names of the secrets and when they were written, in pages.
fn list(services: &mut Services, call: &Call, vessel: &Vessel) -> Result<Answer, Answer> {
    access::allow(services, call, vessel, false)?;
    let secrets = services.github.repositories.secrets(vessel).ok_or_else(not_found)?;
    let number = |name: &str| call.query(name).and_then(|number| number.parse::<usize>().ok());
    let size = number("per_page").unwrap_or(30).clamp(1, MOST_SECRETS);
    let page = number("page").unwrap_or(1).max(1);
    let shown: Vec<Value> =
        secrets.iter().skip((page - 1) * size).take(size).map(|(name, kept)| shown(name, kept)).collect();
    let answer = answer::json(StatusCode::OK, &json!({"total_count": secrets.len(), "secrets": shown}));
    if page * size >= secrets.len() {
        return Ok(answer);
    }
    let address = format!("{}/{}", services.address(Service::GitHub), call.path.join("/"));
    let next = format!("<{address}?per_page={size}&page={}>; rel=\"next\"", page + 1);
    Ok(answer::with_header(answer, "Link", &next))
}

fn get(services: &mut Services, call: &Call, vessel: &Vessel, name: &str) -> Result<Answer, Answer> {
    access::allow(services, call, vessel, false)?;
    let name = name.to_ascii_uppercase();
    let secrets = services.github.repositories.secrets(vessel);
    let kept = secrets.and_then(|secrets| secrets.get(&name)).ok_or_else(not_found)?;
    Ok(answer::json(StatusCode::OK, &shown(&name, kept)))
}

fn delete(services: &mut Services, call: &Call, vessel: &Vessel, name: &str) -> Result<Answer, Answer> {
    access::allow(services, call, vessel, true)?;
    match services.github.repositories.delete(vessel, name) {
        true => Ok(answer::empty(StatusCode::NO_CONTENT)),
        false => Err(not_found()),
    }
}

/// Never with its value.
fn shown(name: &str, kept: &Kept) -> Value {
    let second = |instant: Timestamp| instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({"name": name, "created_at": second(kept.created), "updated_at": second(kept.updated)})
}

fn public_key(services: &mut Services, call: &Call, vessel: &Vessel) -> Result<Answer, Answer> {
    access::allow(services, call, vessel, false)?;
    let key = services.github.repositories.key(vessel).ok_or_else(not_found)?;
    let body = json!({"key_id": key.id, "key": STANDARD.encode(key.secret.public_key().as_bytes())});
    Ok(answer::json(StatusCode::OK, &body))
}

fn put(
    services: &mut Services,
    call: &Call,
    vessel: &Vessel,
    name: &str,
    now: Timestamp,
) -> Result<Answer, Answer> {
    access::allow(services, call, vessel, true)?;
    let key = services.github.repositories.key(vessel).ok_or_else(not_found)?;
    check_name(name)?;
    let body = call.json().ok_or_else(|| error(StatusCode::BAD_REQUEST, "Problems parsing JSON"))?;
    if body["key_id"].as_str() != Some(key.id.as_str()) {
        return Err(unprocessable("The key_id is not the one of this public key."));
    }
    let sealed = body["encrypted_value"].as_str().and_then(|sealed| STANDARD.decode(sealed).ok());
    let sealed =
        sealed.ok_or_else(|| unprocessable("encrypted_value does not match /^[-A-Za-z0-9+\\/]*={0,3}$/."))?;
    let value = key.secret.unseal(&sealed).ok().and_then(|value| String::from_utf8(value).ok());
    let value = value
        .ok_or_else(|| unprocessable("The encrypted_value cannot be decrypted with this public key."))?;
    if value.len() > LARGEST_VALUE {
        return Err(unprocessable("The secret is too large; the limit is 48 KB."));
    }
    services.remember_secret(&value);
    match services.github.repositories.store(vessel, name, value, now) {
        Ok(true) => Ok(answer::json(StatusCode::CREATED, &json!({}))),
        Ok(false) => Ok(answer::empty(StatusCode::NO_CONTENT)),
        Err(()) => Err(unprocessable(&format!("There may be {MOST_SECRETS} secrets at most."))),
    }
}

fn check_name(name: &str) -> Result<(), Answer> {
    let starts = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let fits = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if !starts || !fits {
        return Err(unprocessable(
            "Secret names can only contain alphanumeric characters ([a-z], [A-Z], [0-9]) or underscores (_). Spaces are \
             not allowed. Must start with a letter ([a-z], [A-Z]) or underscores (_).",
        ));
    }
    if name.to_ascii_uppercase().starts_with("GITHUB_") {
        return Err(unprocessable("Secret names must not start with GITHUB_."));
    }
    Ok(())
}

fn not_found() -> Answer {
    error(StatusCode::NOT_FOUND, "Not Found")
}

/// The status is documented, the texts are not.
fn unprocessable(message: &str) -> Answer {
    let mut body = body(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed");
    body["errors"] = json!([message]);
    answer::json(StatusCode::UNPROCESSABLE_ENTITY, &body)
}

fn error(status: StatusCode, message: &str) -> Answer {
    answer::json(status, &body(status, message))
}

fn body(status: StatusCode, message: &str) -> Value {
    json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest/actions/secrets",
        "status": status.as_str(),
    })
}

/// Puts on what every answer of GitHub carries.
pub(crate) fn dressed(services: &mut Services, answer: Answer, now: Timestamp) -> Answer {
    let request = format!("FA4E:{}", services.chance.alphanumeric(12).to_uppercase());
    let reset = (now + std::time::Duration::from_secs(3600)).as_second().to_string();
    let mut answer = answer;
    for (name, value) in [
        ("X-GitHub-Request-Id", request.as_str()),
        ("X-GitHub-Media-Type", "github.v3; format=json"),
        ("X-RateLimit-Limit", "5000"),
        ("X-RateLimit-Remaining", "4990"),
        ("X-RateLimit-Reset", reset.as_str()),
        ("X-RateLimit-Resource", "core"),
    ] {
        if !answer.headers().contains_key(name) {
            answer = answer::with_header(answer, name, value);
        }
    }
    answer
}
