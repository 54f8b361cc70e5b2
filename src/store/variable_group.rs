//! `variable-group:PROJECT/GROUP/VARIABLE`: a secret variable of an Azure DevOps variable group.
//!
//! An update replaces the whole group, so that whatever is not sent back is lost: a variable, a project that
//! shares the group. Everything is therefore kept as the JSON it came as, and sent back. The values of secrets
//! are never shown; one that is sent as null keeps its value (Microsoft's own clients do the same).
//!
//! There is no conditional update. The group is read right before each write, and of two runs that write at
//! once the last wins. Two variables of one group must be written one after the other
//! ([`Delivery`](super::delivery) does so).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use serde_json::{Map, Value, json};
use url::Url;

use super::bearer::Bearer;
use super::{Address, Doing, Kind, Restored, Store};
use crate::azure_devops::Organization;
use crate::azure_devops::error_body::{ErrorBody, support_ids};
use crate::failure::{Exit, Failure};
use crate::http::{Answer, Effect, Http, NoAnswer};
use crate::patience::Patience;
use crate::secret::Secret;
use crate::world::WireError;

const API_VERSION: &str = "7.1";
/// How many groups a page of the list holds.
const PAGE: &str = "100";
/// The most pages that are looked through; a service that goes on longer repeats itself.
const MOST_PAGES: usize = 100;
/// How often reading the group and writing it is tried, where the service has a bad moment.
const ATTEMPTS: u32 = 3;

/// A group's fields that an update takes (MicrosoftDocs/vsts-rest-api-specs, `VariableGroupParameters`). The
/// others, who made it and when, are the service's own.
const FIELDS: [&str; 6] =
    ["name", "type", "description", "variables", "variableGroupProjectReferences", "providerData"];

/// A variable of a variable group as a store. It can be written, never read.
pub struct VariableGroupStore {
    address: Address,
    project: String,
    group: String,
    variable: String,
    organization: Option<Organization>,
    devops_url: Url,
    bearer: Bearer,
    http: Http,
    /// Whether a write may have reached the service.
    changed: AtomicBool,
}

/// A group as it came.
struct Group {
    id: i64,
    json: Map<String, Value>,
}

/// What one call of the store speaks with.
struct Call {
    http: Http,
    bearer: HeaderValue,
}

impl VariableGroupStore {
    /// The variable `variable` of the group `group` in the project `project` of this organization.
    pub fn new(
        [project, group, variable]: [String; 3],
        organization: Option<Organization>,
        devops_url: Url,
        bearer: Bearer,
        http: Http,
    ) -> Self {
        let address = Address::VariableGroup {
            project: project.clone(),
            group: group.clone(),
            variable: variable.clone(),
        };
        let changed = AtomicBool::new(false);
        Self { address, project, group, variable, organization, devops_url, bearer, http, changed }
    }

    async fn begin(&self, patience: &Patience) -> Result<Call, Failure> {
        let bearer = self.bearer.get(patience).await.map_err(|failure| Doing::Writing.failed(failure))?;
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", bearer.expose()))
            .map_err(|_| Failure::new(Exit::SignIn, "The access token holds bytes that no token has.", ""))?;
        bearer.set_sensitive(true);
        Ok(Call { http: self.http.with_patience(patience.clone()), bearer })
    }

    /// The group, whole and fit to be changed.
    async fn group(&self, call: &Call) -> Result<Group, Failure> {
        let id = self.find(call).await?;
        // What a list tells of a group is not all of it: it leaves out the projects.
        let request = self.request(call, Method::GET, &self.in_project(Some(id))?, Bytes::new());
        let answer = call.http.send(request, Effect::Idempotent).await;
        let Value::Object(json) = self.json(answer)? else { return Err(self.missing()) };
        let group = Group { id, json };
        self.check(&group)?;
        Ok(group)
    }

    /// The id of the group of that very name. The service reads `*` in a name as a wildcard, and may answer
    /// with other groups.
    async fn find(&self, call: &Call) -> Result<i64, Failure> {
        let mut continuation: Option<String> = None;
        let mut alike = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.in_project(None)?;
            url.query_pairs_mut()
                .append_pair("groupName", &self.group)
                .append_pair("$top", PAGE)
                .extend_pairs(continuation.as_ref().map(|token| ("continuationToken", token)));
            let request = self.request(call, Method::GET, &url, Bytes::new());
            let answer = call.http.send(request, Effect::Idempotent).await;
            let next = answer.as_ref().ok().and_then(|answer| answer.header("x-ms-continuationtoken"));
            let next = next.filter(|token| !token.is_empty()).map(ToOwned::to_owned);
            let page = self.json(answer)?;
            for group in page["value"].as_array().into_iter().flatten() {
                let (Some(name), Some(id)) = (group["name"].as_str(), group["id"].as_i64()) else { continue };
                if name == self.group {
                    return Ok(id);
                }
                if name.to_lowercase() == self.group.to_lowercase() {
                    alike = Some(id);
                }
            }
            if next.is_none() || next == continuation {
                break;
            }
            continuation = next;
        }
        alike.ok_or_else(|| self.missing())
    }

    fn check(&self, group: &Group) -> Result<(), Failure> {
        let kind = group.json.get("type").and_then(Value::as_str).unwrap_or("Vsts");
        if kind != "Vsts" {
            return Err(Failure::new(
                Exit::Store,
                format!(
                    "{} is linked to a Key Vault: its variables are names of secrets there.",
                    self.named()
                ),
                "Give the vault's own address, keyvault:https://VAULT.vault.azure.net/secrets/NAME.",
            ));
        }
        let projects = group.json.get("variableGroupProjectReferences").and_then(Value::as_array);
        if projects.is_none_or(Vec::is_empty) || !group.json.get("variables").is_some_and(Value::is_object) {
            return Err(Failure::new(
                Exit::Store,
                format!(
                    "Azure DevOps did not say which variables and projects the {} has; writing it might take some away.",
                    self.named()
                ),
                "Let the user who signs in be Administrator of the group, and run this again.",
            ));
        }
        Ok(())
    }

    /// Reads the group and writes it back with the secret in it.
    async fn replace(&self, call: &Call, secret: &Secret) -> Result<(), Failure> {
        for attempt in 1.. {
            let Group { id, json } = self.group(call).await?;
            let update = with_secret(json, &self.variable, secret);
            let request =
                self.request(call, Method::PUT, &self.in_organization(id)?, Bytes::from(update.to_string()));
            // Sent once: by the time of a repetition, what was read for it is stale.
            let outcome = call.http.send(request, Effect::OnceOnly).await;
            let may_have_acted = match &outcome {
                Ok(answer) => !answer.status.is_client_error(),
                Err(silence) => silence.may_have_acted(),
            };
            self.changed.fetch_or(may_have_acted, Ordering::Relaxed);
            match self.pause_after(call, &outcome).filter(|_| attempt < ATTEMPTS) {
                Some(pause) => call.http.wait(pause).await.map_err(|silence| self.silent(silence))?,
                None => return self.confirm(&update, &self.json(outcome)?),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// How long to wait before the group is read and written once more, if that is worth a try.
    fn pause_after(&self, call: &Call, outcome: &Result<Answer, NoAnswer>) -> Option<Duration> {
        match outcome {
            Ok(answer) if answer.status == 429 || answer.status.is_server_error() => {
                let asked = answer.retry_after(call.http.world().clock.now());
                Some(asked.unwrap_or_else(|| call.http.backoff(1)))
            }
            Err(NoAnswer::Wire(WireError::Unreachable(_) | WireError::BrokenOff(_))) => {
                Some(call.http.backoff(1))
            }
            _ => None,
        }
    }

    /// Checks that the group which came back has every variable that was sent.
    fn confirm(&self, sent: &Value, stored: &Value) -> Result<(), Failure> {
        let stored = names(stored);
        match names(sent).into_iter().find(|name| !stored.contains(name)) {
            None => Ok(()),
            Some(name) => Err(Failure::new(
                Exit::Store,
                format!("The {} came back without its variable '{name}'.", self.named()),
                "Look at the group's variables: another writer may have changed it at the same time.",
            )),
        }
    }

    fn request(&self, call: &Call, method: Method, url: &Url, body: Bytes) -> Request<Bytes> {
        let mut url = url.clone();
        url.query_pairs_mut().append_pair("api-version", API_VERSION);
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(AUTHORIZATION, &call.bearer)
            .header(ACCEPT, "application/json")
            .header("X-TFS-FedAuthRedirect", "Suppress");
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request.body(body).expect("an address is a request's address")
    }

    fn in_project(&self, id: Option<i64>) -> Result<Url, Failure> {
        let id = id.map(|id| id.to_string());
        self.place(Some(&self.project), id.as_deref())
    }

    fn in_organization(&self, id: i64) -> Result<Url, Failure> {
        self.place(None, Some(&id.to_string()))
    }

    fn place(&self, project: Option<&str>, id: Option<&str>) -> Result<Url, Failure> {
        let organization = self.organization.as_ref().ok_or_else(|| {
            Failure::new(
                Exit::Store,
                "A variable group belongs to an organization, and none is given.",
                "Give the input 'organization'.",
            )
        })?;
        let mut url = self.devops_url.clone();
        let segments = [Some(organization.name()), project, Some("_apis"), Some("distributedtask")];
        let segments = segments.into_iter().chain([Some("variablegroups"), id]).flatten();
        url.path_segments_mut().expect("an http address has a path").pop_if_empty().extend(segments);
        Ok(url)
    }

    /// The answer's JSON, else what its refusal means.
    fn json(&self, outcome: Result<Answer, NoAnswer>) -> Result<Value, Failure> {
        let answer = outcome.map_err(|silence| self.silent(silence))?;
        if answer.status == 200 && !answer.is_page() {
            return answer.json().map_err(|_| self.odd(&answer));
        }
        let body = ErrorBody::of(&answer);
        let words = body.message.unwrap_or_default();
        let key = body.type_key.unwrap_or_default();
        let (cause, remedy) = match (answer.status.as_u16(), key.as_str()) {
            (401, _) if words.contains("TF400813") => (
                format!(
                    "The sign-in may not manage variable groups of this organization ({}).",
                    self.named()
                ),
                "Give the app registration the delegated permissions vso.variablegroups_read and \
                 vso.variablegroups_manage and consent to them, or check that the user belongs to the organization.",
            ),
            (203 | 302 | 401, _) => (
                format!("Azure DevOps did not accept the sign-in for the {}.", self.named()),
                "Sign in again with `adopat login`; check that the tenant is the organization's own.",
            ),
            (403, _) => (
                format!("The user who signed in may not change the {}.", self.named()),
                "Give that user the role Administrator on the group (Pipelines, Library, the group, Security).",
            ),
            (404, "VariableGroupNotFoundException") => return Err(self.missing().named(key)),
            (404, _) => (
                format!(
                    "Azure DevOps knows no project '{}', or does not show it to this user.",
                    self.project
                ),
                "Check the project's name, and that the user who signs in belongs to it.",
            ),
            (429, _) => (
                "Azure DevOps had more requests than it takes.".to_owned(),
                "Run this again later, or run fewer jobs at once.",
            ),
            (400..=499, _) => (
                format!("Azure DevOps did not accept the update of the {}.", self.named()),
                "Look at what it says; if the name is not the reason, save the group once in the portal.",
            ),
            _ => return Err(self.odd(&answer)),
        };
        let mut failure = Failure::new(Exit::Store, cause, remedy);
        if !words.is_empty() {
            failure = failure.and(format!("It says: {}", words.trim()));
        }
        if !key.is_empty() {
            failure = failure.named(key);
        }
        Err(failure.with_support_ids(support_ids(&answer)))
    }

    fn odd(&self, answer: &Answer) -> Failure {
        Failure::new(
            Exit::Store,
            format!(
                "Azure DevOps answered for the {} with something else than a group (HTTP {}).",
                self.named(),
                answer.status.as_u16()
            ),
            "Run this again; if it stays, look at https://status.dev.azure.com.",
        )
        .with_support_ids(support_ids(answer))
    }

    fn missing(&self) -> Failure {
        Failure::new(
            Exit::Store,
            format!("There is no {}, or it is not shown to the user who signed in.", self.named()),
            "Create the group in the project's Library, or give that user the role Administrator on it.",
        )
    }

    fn silent(&self, silence: NoAnswer) -> Failure {
        let host = self.devops_url.host_str().unwrap_or_default();
        Doing::Writing.failed(silence.into_failure(&format!("Azure DevOps ({host})")))
    }

    fn named(&self) -> String {
        format!("variable group '{}' of project '{}'", self.group, self.project)
    }
}

#[async_trait]
impl Store for VariableGroupStore {
    fn address(&self) -> &Address {
        &self.address
    }

    async fn prepare(&self, patience: &Patience) -> Result<Option<String>, Failure> {
        let call = self.begin(patience).await?;
        self.group(&call).await.map(|_| None)
    }

    async fn read(&self, _patience: &Patience) -> Result<Option<Secret>, Failure> {
        Ok(None)
    }

    async fn write(&self, secret: &Secret, _kind: &Kind, patience: &Patience) -> Result<(), Failure> {
        let call = self.begin(patience).await?;
        self.replace(&call, secret).await
    }

    async fn restore(&self, _patience: &Patience) -> Result<Restored, Failure> {
        let changed = self.changed.load(Ordering::Relaxed);
        Ok(if changed { Restored::NotPossible } else { Restored::Whole })
    }
}

/// The update that puts the secret under this name, and leaves all else as it came.
fn with_secret(group: Map<String, Value>, variable: &str, secret: &Secret) -> Value {
    let mut update: Map<String, Value> =
        group.into_iter().filter(|(field, _)| FIELDS.contains(&field.as_str())).collect();
    if let Some(Value::Object(variables)) = update.get_mut("variables") {
        for (_, other) in variables.iter_mut() {
            // A secret keeps its value when it is sent as null; an empty text would overwrite it.
            if other["isSecret"] == json!(true) {
                other["value"] = Value::Null;
            }
        }
        // The service does not tell names apart by case.
        let known = variables.keys().find(|name| name.to_lowercase() == variable.to_lowercase()).cloned();
        let entry =
            variables.entry(known.unwrap_or_else(|| variable.to_owned())).or_insert_with(|| json!({}));
        entry["value"] = json!(secret.expose());
        entry["isSecret"] = json!(true);
    }
    Value::Object(update)
}

/// The names of a group's variables, which do not differ by case.
fn names(group: &Value) -> Vec<String> {
    group["variables"].as_object().into_iter().flatten().map(|(name, _)| name.to_lowercase()).collect()
}
