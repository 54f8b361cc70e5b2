//! The API server of a Kubernetes cluster, as far as a pod sees it that keeps secrets there: Secrets are read and patched
//! by a service account, with RBAC, dry runs and Status objects. Made from the documentation of Kubernetes
//! (`concepts/configuration/secret.md`, `reference/using-api/api-concepts.md`) and of RFC 7386.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::services::Services;

/// The service account of the pod, as RBAC names it.
const USER: &str = "system:serviceaccount:builds:adopat";

/// A Secret of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesSecret {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it holds, decoded.
    pub data: BTreeMap<String, Vec<u8>>,
    /// Whether it can never be changed.
    pub immutable: bool,
    /// How often it was changed.
    pub version: u64,
}

impl KubernetesSecret {
    /// An empty one.
    pub fn named(namespace: &str, name: &str) -> Self {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Self { namespace, name, data: BTreeMap::new(), immutable: false, version: 1 }
    }

    /// With this value.
    pub fn holding(mut self, key: &str, value: &str) -> Self {
        self.data.insert(key.to_owned(), value.as_bytes().to_vec());
        self
    }

    fn shown(&self) -> Value {
        let data: Map<String, Value> =
            self.data.iter().map(|(key, value)| (key.clone(), STANDARD.encode(value).into())).collect();
        let mut shown = json!({
            "kind": "Secret",
            "apiVersion": "v1",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "uid": "fa4e0000-0000-4000-8000-00000000c0de",
                "resourceVersion": self.version.to_string(),
            },
            "data": data,
            "type": "Opaque",
        });
        if self.immutable {
            shown["immutable"] = true.into();
        }
        shown
    }
}

/// The cluster.
#[derive(Debug, Default)]
pub(crate) struct Kubernetes {
    secrets: Vec<KubernetesSecret>,
    tokens: Vec<String>,
    /// What the service account may not do.
    forbidden: Vec<String>,
    /// Whether a webhook refuses dry runs.
    webhook: bool,
}

pub(crate) fn answer(services: &mut Services, call: &Call) -> Answer {
    let is_known =
        call.bearer().is_some_and(|token| services.kubernetes.tokens.iter().any(|known| known == token));
    if !is_known {
        return status(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized");
    }
    match (call.method.as_str(), &call.segments()[..]) {
        ("GET", ["api"]) => found(&json!({"kind": "APIVersions", "versions": ["v1"]})),
        ("GET", ["apis"]) => found(&json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": []})),
        ("GET", ["api", "v1"]) => found(&json!({
            "kind": "APIResourceList",
            "groupVersion": "v1",
            "resources": [{
                "name": "secrets", "singularName": "secret", "namespaced": true, "kind": "Secret",
                "verbs": ["get", "patch"],
            }],
        })),
        (method, ["api", "v1", "namespaces", namespace, "secrets", name]) => {
            secret(services, call, method, namespace, name)
        }
        _ => status(StatusCode::NOT_FOUND, "NotFound", "the server could not find the requested resource"),
    }
}

fn secret(services: &mut Services, call: &Call, method: &str, namespace: &str, name: &str) -> Answer {
    let verb = match method {
        "GET" => "get",
        "PATCH" => "patch",
        _ => {
            return status(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "the server does not allow this method",
            );
        }
    };
    let cluster = &mut services.kubernetes;
    if cluster.forbidden.iter().any(|forbidden| forbidden == verb) {
        let words = format!(
            "secrets \"{name}\" is forbidden: User \"{USER}\" cannot {verb} resource \"secrets\" in API group \"\" in the \
             namespace \"{namespace}\""
        );
        return status(StatusCode::FORBIDDEN, "Forbidden", &words);
    }
    let webhook = cluster.webhook;
    let is_it = |secret: &&mut KubernetesSecret| secret.namespace == namespace && secret.name == name;
    let Some(kept) = cluster.secrets.iter_mut().find(is_it) else {
        return status(StatusCode::NOT_FOUND, "NotFound", &format!("secrets \"{name}\" not found"));
    };
    if verb == "get" {
        return found(&kept.shown());
    }
    let kind = call.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    if !["application/merge-patch+json", "application/strategic-merge-patch+json"].contains(&kind) {
        let words = "the body of the request was in an unknown format";
        return status(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", words);
    }
    let dry_run = call.query("dryRun") == Some("All");
    if dry_run && webhook {
        let words = "admission webhook \"policy.contoso.example\" does not support dry run";
        return status(StatusCode::BAD_REQUEST, "BadRequest", words);
    }
    match patched(kept, call.json().unwrap_or_default()) {
        Err(refusal) => refusal,
        Ok(changed) => {
            let shown = changed.shown();
            let values: Vec<String> =
                changed.data.values().filter_map(|value| String::from_utf8(value.clone()).ok()).collect();
            if !dry_run {
                *kept = changed;
                for value in values.iter().filter(|value| value.len() > 20) {
                    services.remember_secret(value);
                }
            }
            found(&shown)
        }
    }
}

/// What a merge patch makes of a Secret.
fn patched(kept: &KubernetesSecret, patch: Value) -> Result<KubernetesSecret, Answer> {
    let mut changed = kept.clone();
    let Value::Object(patch) = patch else {
        return Err(status(StatusCode::BAD_REQUEST, "BadRequest", "the patch is no object"));
    };
    let data = patch.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
    for (key, value) in data {
        let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        if !is_key {
            return Err(invalid(
                kept,
                &format!(
                    "data[{key}]: Invalid value: \"{key}\": a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                ),
            ));
        }
        match value {
            Value::Null => drop(changed.data.remove(&key)),
            Value::String(text) => match STANDARD.decode(text) {
                Ok(bytes) => drop(changed.data.insert(key, bytes)),
                Err(_) => {
                    let words = "illegal base64 data at input byte 0";
                    return Err(status(StatusCode::BAD_REQUEST, "BadRequest", words));
                }
            },
            _ => return Err(status(StatusCode::BAD_REQUEST, "BadRequest", "a value is no text")),
        }
    }
    if kept.immutable && changed.data != kept.data {
        return Err(invalid(kept, "data: Forbidden: field is immutable when `immutable` is set"));
    }
    changed.version += u64::from(changed.data != kept.data);
    Ok(changed)
}

fn invalid(kept: &KubernetesSecret, why: &str) -> Answer {
    status(
        StatusCode::UNPROCESSABLE_ENTITY,
        "Invalid",
        &format!("Secret \"{}\" is invalid: {why}", kept.name),
    )
}

fn found(body: &Value) -> Answer {
    answer::json(StatusCode::OK, body)
}

/// A failure, as the server tells it.
pub(crate) fn status(code: StatusCode, reason: &str, message: &str) -> Answer {
    answer::json(
        code,
        &json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code.as_u16(),
        }),
    )
}

impl Services {
    /// Puts a Secret into the cluster, or replaces the one of that name.
    pub fn add_kubernetes_secret(&mut self, secret: KubernetesSecret) {
        self.kubernetes
            .secrets
            .retain(|kept| (&kept.namespace, &kept.name) != (&secret.namespace, &secret.name));
        self.kubernetes.secrets.push(secret);
    }

    /// Every Secret of the cluster.
    pub fn kubernetes_secrets(&self) -> Vec<KubernetesSecret> {
        self.kubernetes.secrets.clone()
    }

    /// A token of the pod's service account. Those that were given out before are good no longer.
    pub fn kubernetes_token(&mut self) -> String {
        let token = format!("FAKE-service-account-token-{}", self.chance.guid());
        self.remember_secret(&token);
        self.kubernetes.tokens = vec![token.clone()];
        token
    }

    /// Takes these verbs from the service account, and gives it all others.
    pub fn forbid_in_kubernetes(&mut self, verbs: &[&str]) {
        self.kubernetes.forbidden = verbs.iter().map(|&verb| verb.to_owned()).collect();
    }

    /// Whether an admission webhook refuses dry runs from now on.
    pub fn set_kubernetes_webhook(&mut self, refuses_dry_runs: bool) {
        self.kubernetes.webhook = refuses_dry_runs;
    }
}
