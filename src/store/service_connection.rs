//! `service-connection:PROJECT/NAME[/PARAMETER]`: the secret parameter of an Azure DevOps service connection.
//!
//! An update replaces the connection, and no answer ever shows a secret. So the connection is kept as the JSON it came
//! as, one value is set in it, and everything else goes back as it was read, every reference to a project too: a null
//! that a typed value turned into an empty text would erase a secret (terraform-provider-azuredevops#550).
//!
//! Which parameter is the secret is read from the connection by its id alone, where a secret is `null`: in a list it is
//! absent. There is no conditional update, and what the connection held cannot be given back: it is written last. An
//! answer that was lost is looked for by the time of the last change.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use super::azure_devops_call::Call;
use super::bearer::Bearer;
use super::command::Log;
use super::turns::Turns;
use super::{Address, Doing, Expected, Holding, Kind, Restored, Store};
use crate::azure_devops::connection_data::AuthenticatedUser;
use crate::azure_devops::error_body::{ErrorBody, support_ids};
use crate::azure_devops::{IS_DEACTIVATED, Organization, challenge};
use crate::failure::{Exit, Failure};
use crate::http::claims_challenge::INSUFFICIENT_CLAIMS;
use crate::http::{Answer, Effect, Http, LATE_EFFECT, NoAnswer, may_have_acted};
use crate::refusal_table::{self, RefusalRow};
use crate::secret::Secret;
use crate::time::Deadline;

/// The version that tells whether a connection is disabled, and when it was changed last.
const API_VERSION: &str = "7.2-preview.4";
/// The newest that is released. What is read by one version is written by the same one, so that no member is lost.
const OLDER_VERSION: &str = "7.1";
/// The ways of signing in that have a place for a PAT.
const SCHEMES: [&str; 3] = ["Token", "UsernamePassword", "None"];
/// How long what became of a lost answer is looked for beyond the run's own time.
const LOOKED_FOR: Duration = Duration::from_secs(10);
/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

const ADMINISTRATOR: &str = "Open the connection in the project's settings, then Security, and give that user the role \
                             Administrator: in the Organization tab too, since that of the project does not let anybody \
                             change the credential.";

/// What it means that the user may not change the connection.
const NOT_MANAGEABLE: RefusalRow =
    RefusalRow::new(Exit::Store, "The user who signed in may not change the {connection}.", ADMINISTRATOR)
        .status(&[403..=403]);
/// What it means that the connection is not there, or is not shown.
const MISSING: RefusalRow = RefusalRow::new(
    Exit::Store,
    "There is no {connection}, or it is not shown to the user who signed in.",
    "Check the project and the name; if the connection is there, give that user the role Administrator on it (in the \
     Organization tab of its Security).",
)
.status(&[404..=404])
.key("ServiceEndpointNotFoundException");

/// What the refusals mean: by exception (`typeKey`), words and status.
pub const REFUSALS: &[RefusalRow] = &[
    challenge::REVOKED_FOR_A_STORE,
    IS_DEACTIVATED,
    RefusalRow::new(
        Exit::Store,
        "The sign-in may not manage service connections of this organization ({connection}).",
        "Give the app registration the delegated permissions vso.serviceendpoint and vso.serviceendpoint_manage and \
         consent to them, or check that the user belongs to the organization.",
    )
    .status(&[401..=401])
    .says(&["TF400813"]),
    RefusalRow::new(
        Exit::Store,
        "Azure DevOps did not accept the sign-in for the {connection}.",
        "Sign in again with 'adopat login'; check that the tenant is the organization's own.",
    )
    .status(&[203..=203, 302..=302, 401..=401]),
    NOT_MANAGEABLE,
    MISSING,
    RefusalRow::new(
        Exit::Store,
        "Azure DevOps knows no project '{project}', or does not show it to this user.",
        "Check the project's name, and that the user who signs in belongs to it.",
    )
    .status(&[404..=404]),
    RefusalRow::new(
        Exit::Store,
        "Azure DevOps had more requests than it takes.",
        "Run this again later, run fewer jobs at once, or raise the input 'timeout'.",
    )
    .status(&[429..=429]),
    RefusalRow::new(
        Exit::Store,
        "Azure DevOps did not accept the update of the {connection}.",
        "Look at what it says: save the connection once in the portal, which shows whether it can be changed at all.",
    )
    .status(&[400..=499]),
];

/// The secret parameter of a service connection as a store. It can be written, never read.
pub struct ServiceConnectionStore {
    address: Address,
    project: String,
    name: String,
    parameter: Option<String>,
    organization: Option<Organization>,
    devops_url: Url,
    bearer: Bearer,
    http: Http,
    log: Log,
    turns: Turns,
    /// Whether the service knows the older version alone.
    is_older: AtomicBool,
    held: Mutex<Restored>,
}

/// A connection as it came, found fit to be changed, and its secret parameter.
struct Connection {
    id: String,
    json: Map<String, Value>,
    parameter: String,
}

/// What became of an update whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    NotTaken,
    Unknown,
}

impl ServiceConnectionStore {
    /// The secret `parameter`, or the only one there is, of the connection `name` (or its id) in this project. Which
    /// other projects it changes goes to `log`.
    #[allow(clippy::too_many_arguments, reason = "each is another part of what the store is")]
    pub fn new(
        [project, name]: [String; 2],
        parameter: Option<String>,
        organization: Option<Organization>,
        devops_url: Url,
        bearer: Bearer,
        http: Http,
        log: Log,
        turns: Turns,
    ) -> Self {
        let address = Address::ServiceConnection {
            project: project.clone(),
            name: name.clone(),
            parameter: parameter.clone(),
        };
        Self {
            address,
            project,
            name,
            parameter,
            organization,
            devops_url,
            bearer,
            http,
            log,
            turns,
            is_older: AtomicBool::new(false),
            held: Mutex::new(Restored::Whole),
        }
    }

    async fn begin(&self, deadline: &Deadline) -> Result<Call, Failure> {
        Call::begin(&self.http, &self.bearer, deadline).await
    }

    /// The connection, whole, with its secret parameter, and fit to be changed.
    async fn connection(&self, call: &Call) -> Result<Connection, Failure> {
        let id = self.id(call).await?;
        self.read_whole(call, id).await
    }

    async fn read_whole(&self, call: &Call, id: String) -> Result<Connection, Failure> {
        let json = self.by_id(call, &id, None).await?;
        self.check(&json)?;
        let parameter = self.secret_parameter(call, &json).await?;
        Ok(Connection { id, json, parameter })
    }

    /// The id of the one connection of that name. A list leaves secrets out, and shows only what the user may see.
    async fn id(&self, call: &Call) -> Result<String, Failure> {
        if let Ok(id) = Uuid::parse_str(&self.name) {
            return Ok(id.to_string());
        }
        let mut url = self.place(Some(&self.project), &["endpoints"])?;
        url.query_pairs_mut().append_pair("endpointNames", &self.name).append_pair("includeFailed", "true");
        let list = self.read_json(call, url).await?;
        let found = list["value"].as_array().into_iter().flatten().filter(|connection| {
            connection["name"].as_str().is_some_and(|name| name.to_lowercase() == self.name.to_lowercase())
        });
        let ids: Vec<&str> = found.filter_map(|connection| connection["id"].as_str()).collect();
        match ids.as_slice() {
            [] => Err(self.meant(&MISSING)),
            [id] => Ok((*id).to_owned()),
            several => Err(Failure::new(
                Exit::Store,
                format!(
                    "Project '{}' has {} service connections named '{}'.",
                    self.project,
                    several.len(),
                    self.name
                ),
                format!("Give the id of the one that is meant in place of its name: {}.", several.join(", ")),
            )),
        }
    }

    /// The connection by its id. One that is not there, and one that the user may not see, are 200 and `null`; of one
    /// that they may only read, what it is made of is left out.
    async fn by_id(
        &self,
        call: &Call,
        id: &str,
        action: Option<&str>,
    ) -> Result<Map<String, Value>, Failure> {
        let mut url = self.place(Some(&self.project), &["endpoints", id])?;
        url.query_pairs_mut().extend_pairs(action.map(|action| ("actionFilter", action)));
        let Value::Object(json) = self.read_json(call, url).await? else { return Err(self.meant(&MISSING)) };
        if !json.get("id").and_then(Value::as_str).is_some_and(|shown| shown.eq_ignore_ascii_case(id)) {
            return Err(self.meant(&MISSING));
        }
        let is_whole = json.get("type").is_some_and(Value::is_string)
            && json.get("authorization").is_some_and(Value::is_object)
            && json.contains_key("data");
        if !is_whole {
            return Err(Failure::new(
                Exit::Store,
                format!(
                    "Azure DevOps shows the {} without its credential: the user may only read it.",
                    self.named()
                ),
                ADMINISTRATOR,
            ));
        }
        Ok(json)
    }

    /// Refuses a connection that could not be used with a new PAT, or has no place for one.
    fn check(&self, connection: &Map<String, Value>) -> Result<(), Failure> {
        let state = connection.get("operationStatus").and_then(|status| status["state"].as_str());
        let state = state.unwrap_or_default();
        let is_ready = connection.get("isReady").and_then(Value::as_bool).unwrap_or(true);
        if !is_ready || state.eq_ignore_ascii_case("Failed") {
            return Err(Failure::new(
                Exit::Store,
                format!("The {} has failed, or is not ready.", self.named()),
                "Repair it in the project's settings, or make a new one.",
            ));
        }
        if connection.get("isDisabled").and_then(Value::as_bool) == Some(true) {
            return Err(Failure::new(
                Exit::Store,
                format!("The {} is disabled, so that no pipeline can use it.", self.named()),
                "Enable it in the project's settings, or remove it from deliver-to.",
            ));
        }
        let scheme = scheme_of(connection);
        if !SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) {
            return Err(Failure::new(
                Exit::Store,
                format!(
                    "The {} signs in by the scheme '{scheme}', which has no place for a PAT.",
                    self.named()
                ),
                "Give a connection that signs in by Token, UsernamePassword or None.",
            ));
        }
        let references = connection.get("serviceEndpointProjectReferences").and_then(Value::as_array);
        if references.is_none_or(Vec::is_empty) {
            return Err(Failure::new(
                Exit::Store,
                format!(
                    "Azure DevOps did not say which projects share the {}; writing it might take it from some.",
                    self.named()
                ),
                ADMINISTRATOR,
            ));
        }
        Ok(())
    }

    /// The parameter that holds the secret: confidential by what its type declares and by the answer, which shows `null`
    /// for it; and the only one.
    async fn secret_parameter(
        &self,
        call: &Call,
        connection: &Map<String, Value>,
    ) -> Result<String, Failure> {
        let declared = self.declared(call, connection).await?;
        let none = Map::new();
        let members =
            |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or(none.clone());
        let parameters = members(connection.get("authorization").map(|it| &it["parameters"]));
        let data = members(connection.get("data"));
        let is_secret = |declared: &Declared, (name, value): (&String, &Value)| match declared.of(name) {
            Some(confidential) => confidential && !is_empty(value),
            None => value.is_null(),
        };
        let of_the_scheme = &declared.parameters;
        let parameter = match &self.parameter {
            Some(parameter) => parameter.clone(),
            None => {
                let candidates: Vec<&String> = parameters
                    .iter()
                    .filter(|(name, value)| of_the_scheme.of(name) == Some(true) && value.is_null())
                    .map(|(name, _)| name)
                    .collect();
                match candidates.as_slice() {
                    [one] => (*one).clone(),
                    several => return Err(self.undecided(connection, several)),
                }
            }
        };
        if of_the_scheme.of(&parameter) == Some(false)
            || parameters.get(&parameter).is_none_or(|it| !it.is_null())
        {
            let shown: Vec<&str> = parameters
                .iter()
                .filter(|(_, value)| value.is_null())
                .map(|(name, _)| name.as_str())
                .collect();
            let remedy = match shown.as_slice() {
                [] => "Save a secret in it once in the project's settings, so that there is one to replace."
                    .into(),
                shown => {
                    format!("Its secret parameters are: {}. Upper and lower case count.", shown.join(", "))
                }
            };
            return Err(Failure::new(
                Exit::Store,
                format!("The {} holds no secret in a parameter '{parameter}'.", self.named()),
                remedy,
            ));
        }
        let others = parameters.iter().filter(|(name, _)| **name != parameter);
        let others = others.filter(|member| is_secret(of_the_scheme, *member));
        let in_data = data.iter().filter(|member| is_secret(&declared.data, *member));
        let second: Vec<&str> = others.chain(in_data).map(|(name, _)| name.as_str()).collect();
        if second.is_empty() {
            return Ok(parameter);
        }
        Err(Failure::new(
            Exit::Store,
            format!(
                "The {} holds a second secret ({}), which nobody can read and send back: it might be lost.",
                self.named(),
                second.join(", ")
            ),
            "Give a connection with one secret alone, or use a variable group or a Key Vault.",
        ))
    }

    fn undecided(&self, connection: &Map<String, Value>, candidates: &[&String]) -> Failure {
        let kind = connection.get("type").and_then(Value::as_str).unwrap_or_default();
        let cause = match candidates {
            [] => format!(
                "Which parameter of the {} is its secret is not known: its type '{kind}' declares none that it holds.",
                self.named()
            ),
            several => {
                let names: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
                format!("The {} has several secrets: {}.", self.named(), names.join(", "))
            }
        };
        let remedy = "Name the parameter: service-connection:PROJECT/NAME/PARAMETER, like .../apitoken or .../password.";
        Failure::new(Exit::Store, cause, remedy)
    }

    /// What the type of the connection declares; nothing where its extension was removed.
    async fn declared(&self, call: &Call, connection: &Map<String, Value>) -> Result<DeclaredType, Failure> {
        let kind = connection.get("type").and_then(Value::as_str).unwrap_or_default();
        let mut url = self.place(None, &["types"])?;
        url.query_pairs_mut().append_pair("type", kind);
        let types = self.read_json(call, url).await?;
        let mut types = types["value"].as_array().into_iter().flatten();
        let is_it =
            |found: &&Value| found["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(kind));
        let Some(found) = types.find(is_it) else { return Ok(DeclaredType::default()) };
        let mut schemes = found["authenticationSchemes"].as_array().into_iter().flatten();
        let scheme = scheme_of(connection);
        let is_scheme =
            |found: &&Value| found["scheme"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(scheme));
        let parameters = schemes.find(is_scheme).map_or_else(Declared::default, Declared::of_descriptors);
        Ok(DeclaredType { parameters, data: Declared::of_descriptors(found) })
    }

    /// Names the projects that the connection changes too.
    fn tell_who_shares_it(&self, connection: &Map<String, Value>) {
        let references = connection.get("serviceEndpointProjectReferences").and_then(Value::as_array);
        let projects =
            references.into_iter().flatten().filter_map(|it| it["projectReference"]["name"].as_str());
        let mut others: Vec<&str> =
            projects.filter(|project| project.to_lowercase() != self.project.to_lowercase()).collect();
        others.sort_unstable();
        if !others.is_empty() {
            (self.log)(&format!(
                "The {} is shared: what is written to it changes it in {} too.",
                self.named(),
                others.join(", ")
            ));
        }
    }

    /// Reads the connection and writes it back with the secret in it. What was read is stale by the time of a
    /// repetition, so it is read anew for each.
    async fn replace(&self, call: &Call, secret: &Secret) -> Result<(), Failure> {
        let mut turn = None;
        for attempt in 1.. {
            let id = self.id(call).await?;
            // It has a name in each project that shares it.
            if turn.is_none() {
                let organization = self.organization.as_ref().map_or("", Organization::name);
                let place = format!("service-connection {} {id}", organization.to_ascii_lowercase());
                let taken = self.turns.take(&place, call.http.deadline()).await;
                turn = Some(taken.map_err(|ended| self.silent(ended.into()))?);
            }
            let connection = self.read_whole(call, id).await?;
            let before = changed_at(&connection.json);
            let sent = with_secret(connection.json, &connection.parameter, secret);
            let url = self.place(None, &["endpoints", &connection.id])?;
            let request = self.request(call, Method::PUT, url, Bytes::from(sent.to_string()));
            let outcome = call.http.send(request, Effect::OnceOnly).await;
            let pause = call.http.pause_after(attempt, outcome.as_ref());
            let stored = match &outcome {
                Ok(answer) if answer.status == 200 => answer.json::<Map<String, Value>>().ok(),
                _ => None,
            };
            if let Some(stored) = stored {
                self.now(Restored::NotPossible);
                return self.confirm(&sent, &stored, &connection.parameter);
            }
            if may_have_acted(outcome.as_ref()) {
                // Until it is known better.
                self.now(Restored::Doubtful);
                let read =
                    Reading { id: &connection.id, before, sent: &sent, parameter: &connection.parameter };
                let mut fate = self.fate(call, &read, pause.is_none()).await;
                if fate == Fate::Unknown && pause.is_some() {
                    fate = self.fate(call, &read, true).await;
                }
                match fate {
                    Fate::Taken => {
                        self.now(Restored::NotPossible);
                        return Ok(());
                    }
                    Fate::NotTaken => self.now(Restored::Whole),
                    Fate::Unknown => return Err(self.doubt(outcome)),
                }
            }
            match pause {
                Some(pause) => call.http.wait(pause).await.map_err(|silence| self.silent(silence))?,
                None => return Err(self.refusal(outcome)),
            }
        }
        unreachable!("the last attempt returns")
    }

    /// What became of an update, by reading the connection again: at once, and where it is `patient` again and again for
    /// as long as the update may be late.
    async fn fate(&self, call: &Call, read: &Reading<'_>, patient: bool) -> Fate {
        let deadline = call.http.deadline();
        let deadline = deadline.to_clean_up().at_most(deadline.left() + LOOKED_FOR);
        let call = call.with_deadline(&deadline);
        let until = Instant::now() + LATE_EFFECT;
        let mut pause = Duration::from_millis(500);
        loop {
            let now = self.by_id(&call, read.id, None).await;
            let unchanged = match &now {
                Ok(now) => match (read.before, changed_at(now)) {
                    (Some(before), Some(changed)) if changed == before => true,
                    (Some(_), Some(_)) => {
                        let is_ours = difference(read.sent, now, read.parameter).is_none()
                            && self.is_by_this_user(&call, now).await;
                        return if is_ours { Fate::Taken } else { Fate::Unknown };
                    }
                    // This service does not say when a connection was changed.
                    _ => return Fate::Unknown,
                },
                Err(_) => false,
            };
            let is_last = !patient || Instant::now() + pause > until || deadline.pause(pause).await.is_err();
            if is_last {
                return if unchanged { Fate::NotTaken } else { Fate::Unknown };
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether it was this user who changed the connection last.
    async fn is_by_this_user(&self, call: &Call, connection: &Map<String, Value>) -> bool {
        let by = connection.get("modifiedBy").and_then(|by| by["id"].as_str());
        let (Some(by), Some(organization)) = (by, &self.organization) else { return false };
        let mut url = self.devops_url.clone();
        let segments = [organization.name(), "_apis", "connectionData"];
        url.path_segments_mut().expect("an http address has a path").pop_if_empty().extend(segments);
        let answer = call.http.send(call.request(Method::GET, &url, Bytes::new()), Effect::Idempotent).await;
        answer.ok().and_then(|answer| AuthenticatedUser::of(&answer)).is_some_and(|user| user.is(by))
    }

    /// Checks that the connection came back as it was sent, and its secret as `null`.
    fn confirm(&self, sent: &Value, stored: &Map<String, Value>, parameter: &str) -> Result<(), Failure> {
        match difference(sent, stored, parameter) {
            None => Ok(()),
            Some(member) => Err(Failure::new(
                Exit::Store,
                format!("The {} came back with another '{member}' than was sent.", self.named()),
                "Look at the connection in the project's settings: another writer may have changed it at the same time.",
            )),
        }
    }

    /// Nobody can tell whether the connection holds the new PAT or the old one.
    fn doubt(&self, outcome: Result<Answer, NoAnswer>) -> Failure {
        let failure = self.refusal(outcome);
        let cause = format!(
            "{} It could not be found out whether the {} took the new PAT, so neither PAT is \
             revoked.",
            failure.cause,
            self.named()
        );
        let remedy = "Rotate this PAT by its display-name with duplicates set to revoke: once a newer one is delivered, \
                      the others end.";
        Failure { exit: Exit::Store, cause, remedy: remedy.into(), ..failure }
    }

    fn now(&self, held: Restored) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    async fn read_json(&self, call: &Call, url: Url) -> Result<Value, Failure> {
        let answer = self.get(call, url.clone()).await;
        if let Ok(answer) = &answer
            && answer.status == 400
            && ErrorBody::of(answer).type_key.is_some_and(|key| key.starts_with("VssVersion"))
            && !self.is_older.swap(true, Ordering::Relaxed)
        {
            return self.json(self.get(call, url).await);
        }
        self.json(answer)
    }

    async fn get(&self, call: &Call, url: Url) -> Result<Answer, NoAnswer> {
        let request = self.request(call, Method::GET, url, Bytes::new());
        call.http.send(request, Effect::Idempotent).await
    }

    fn request(&self, call: &Call, method: Method, mut url: Url, body: Bytes) -> Request<Bytes> {
        let version = if self.is_older.load(Ordering::Relaxed) { OLDER_VERSION } else { API_VERSION };
        url.query_pairs_mut().append_pair("api-version", version);
        call.request(method, &url, body)
    }

    fn place(&self, project: Option<&str>, resource: &[&str]) -> Result<Url, Failure> {
        let organization = self.organization.as_ref().ok_or_else(|| {
            Failure::new(
                Exit::Store,
                "A service connection belongs to an organization, and none is given.",
                "Give the input 'organization'.",
            )
        })?;
        let mut url = self.devops_url.clone();
        let segments = [Some(organization.name()), project, Some("_apis"), Some("serviceendpoint")];
        let segments = segments.into_iter().flatten().chain(resource.iter().copied());
        url.path_segments_mut().expect("an http address has a path").pop_if_empty().extend(segments);
        Ok(url)
    }

    /// The answer's JSON, else what its refusal means.
    fn json(&self, outcome: Result<Answer, NoAnswer>) -> Result<Value, Failure> {
        match outcome {
            Ok(answer) if answer.status == 200 && !answer.is_page() => {
                answer.json().map_err(|_| self.odd(&answer))
            }
            outcome => Err(self.refusal(outcome)),
        }
    }

    /// What it means that there is no answer, or another than was asked for.
    fn refusal(&self, outcome: Result<Answer, NoAnswer>) -> Failure {
        let answer = match outcome {
            Ok(answer) => answer,
            Err(silence) => return self.silent(silence),
        };
        let body = ErrorBody::of(&answer);
        let words = body.message.unwrap_or_default();
        let key = challenge::key_of(&answer, body.type_key);
        let Some(meaning) = refusal_table::find(REFUSALS, answer.status.as_u16(), &key, &words) else {
            return self.odd(&answer).quoting("Azure DevOps", &words);
        };
        // A challenge's words are those for anybody without a credential.
        let words = if key == INSUFFICIENT_CLAIMS { String::new() } else { words };
        let failure = self.meant(meaning).quoting("Azure DevOps", &words).and(answer.asks_to_wait());
        let failure = if key.is_empty() { failure } else { failure.named(key) };
        failure.with_support_ids(support_ids(&answer))
    }

    fn odd(&self, answer: &Answer) -> Failure {
        Failure::new(
            Exit::Store,
            format!(
                "Azure DevOps answered for the {} with something else than a connection (HTTP {}).",
                self.named(),
                answer.status.as_u16()
            ),
            "Run this again; if it keeps failing, look at https://status.dev.azure.com.",
        )
        .with_support_ids(support_ids(answer))
    }

    fn meant(&self, meaning: &RefusalRow) -> Failure {
        meaning.failure(&[("connection", &self.named()), ("project", &self.project)])
    }

    fn silent(&self, silence: NoAnswer) -> Failure {
        let host = self.devops_url.host_str().unwrap_or_default();
        Doing::Writing.failed(silence.into_failure(&format!("Azure DevOps ({host})")))
    }

    fn named(&self) -> String {
        format!("service connection '{}' of project '{}'", self.name, self.project)
    }
}

#[async_trait]
impl Store for ServiceConnectionStore {
    fn address(&self) -> &Address {
        &self.address
    }

    async fn prepare(&self, deadline: &Deadline) -> Result<Option<Failure>, Failure> {
        let call = self.begin(deadline).await?;
        let connection = self.connection(&call).await?;
        let manageable = self.by_id(&call, &connection.id, Some("manage")).await;
        manageable.map_err(|failure| match failure.cause == self.meant(&MISSING).cause {
            true => self.meant(&NOT_MANAGEABLE),
            false => failure,
        })?;
        self.tell_who_shares_it(&connection.json);
        Ok(None)
    }

    async fn holds(&self, expected: &Expected<'_>, deadline: &Deadline) -> Result<Holding, Failure> {
        let call = self.begin(deadline).await?;
        let connection = self.connection(&call).await?;
        Ok(changed_at(&connection.json).map_or(Holding::CannotTell(None), |changed| expected.since(changed)))
    }

    async fn read(&self, _deadline: &Deadline) -> Result<Option<Secret>, Failure> {
        Ok(None)
    }

    async fn write(&self, secret: &Secret, _kind: &Kind, deadline: &Deadline) -> Result<(), Failure> {
        let call = self.begin(deadline).await?;
        self.replace(&call, secret).await
    }

    async fn restore(&self, _deadline: &Deadline) -> Result<Restored, Failure> {
        Ok(*self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// By what an update is known again.
struct Reading<'a> {
    id: &'a str,
    before: Option<Timestamp>,
    sent: &'a Value,
    parameter: &'a str,
}

/// Which members a type declares, and whether each is confidential.
#[derive(Clone, Debug, Default)]
struct Declared(Vec<(String, bool)>);

/// The same of the parameters of a scheme, and of what else a connection of the type holds.
#[derive(Clone, Debug, Default)]
struct DeclaredType {
    parameters: Declared,
    data: Declared,
}

impl Declared {
    fn of_descriptors(owner: &Value) -> Self {
        let descriptors = owner["inputDescriptors"].as_array().into_iter().flatten();
        let declared = descriptors.filter_map(|input| {
            Some((input["id"].as_str()?.to_owned(), input["isConfidential"].as_bool().unwrap_or(false)))
        });
        Self(declared.collect())
    }

    /// Whether this member is confidential; `None` where nothing is declared of it.
    fn of(&self, name: &str) -> Option<bool> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, confidential)| *confidential)
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_str().is_some_and(str::is_empty)
}

fn scheme_of(connection: &Map<String, Value>) -> &str {
    connection.get("authorization").and_then(|it| it["scheme"].as_str()).unwrap_or_default()
}

fn changed_at(connection: &Map<String, Value>) -> Option<Timestamp> {
    connection.get("modificationDate")?.as_str()?.parse().ok()
}

/// The update that puts the secret into this parameter, and leaves all else as it came.
fn with_secret(connection: Map<String, Value>, parameter: &str, secret: &Secret) -> Value {
    let mut update = Value::Object(connection);
    update["authorization"]["parameters"][parameter] = json!(secret.expose());
    update
}

/// The first member of a connection that is not as it was sent, but for the secret, which is never shown, and for what
/// the service itself says of the change.
fn difference(sent: &Value, stored: &Map<String, Value>, parameter: &str) -> Option<&'static str> {
    let id = |it: &Value| it["id"].as_str().unwrap_or_default().to_lowercase();
    let stored = Value::Object(stored.clone());
    if id(sent) != id(&stored) {
        return Some("id");
    }
    // A member that is not shown says nothing.
    let same = |member: &str| stored.get(member).is_none_or(|it| *it == sent[member]);
    if let Some(other) = ["type", "url", "data", "isDisabled"].into_iter().find(|member| !same(member)) {
        return Some(other);
    }
    if sent["authorization"]["scheme"] != stored["authorization"]["scheme"] {
        return Some("authorization");
    }
    let parameters = |it: &Value| {
        let mut parameters = it["authorization"]["parameters"].as_object().cloned().unwrap_or_default();
        let secret = parameters.remove(parameter);
        (parameters, secret)
    };
    let ((sent_ones, _), (stored_ones, shown)) = (parameters(sent), parameters(&stored));
    if sent_ones != stored_ones || shown.is_some_and(|shown| !shown.is_null()) {
        return Some("authorization");
    }
    // They come in no order (terraform-provider-azuredevops#1248).
    let references = |it: &Value| {
        let references = it["serviceEndpointProjectReferences"].as_array().cloned();
        let mut references: Vec<String> =
            references.unwrap_or_default().iter().map(Value::to_string).collect();
        references.sort_unstable();
        references
    };
    let shown = stored.get("serviceEndpointProjectReferences").is_some_and(Value::is_array);
    (shown && references(sent) != references(&stored)).then_some("serviceEndpointProjectReferences")
}
