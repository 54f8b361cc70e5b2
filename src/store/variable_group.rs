//! `variable-group:PROJECT/GROUP/VARIABLE`: a secret variable of an Azure DevOps variable group.
//!
//! An update replaces the whole group, so that whatever is not sent back is lost: a variable, a project that
//! shares the group. Everything is therefore kept as the JSON it came as, and sent back. The values of secrets
//! are never shown; one that is sent as null keeps its value (Microsoft's own clients do the same).
//!
//! There is no conditional update. The group is read right before each write, and of two runs that write at
//! once the last wins. Within a run those that write one group take [turns](super::turns).

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Map, Value, json};
use url::Url;

use super::azure_devops_call::Call;
use super::bearer::Bearer;
use super::turns::Turns;
use super::written::Written;
use super::{Address, Doing, Expected, Holding, Kind, Restored, Store};
use crate::azure_devops::error_body::{ErrorBody, support_ids};
use crate::azure_devops::{IS_DEACTIVATED, Organization, challenge};
use crate::failure::{Exit, Failure};
use crate::http::claims_challenge::INSUFFICIENT_CLAIMS;
use crate::http::{Answer, Effect, Http, NoAnswer, may_have_acted};
use crate::refusal_table::{self, RefusalRow};
use crate::secret::Secret;
use crate::time::Deadline;

const API_VERSION: &str = "7.1";
/// How many groups a page of the list holds.
const PAGE: &str = "100";
/// The most pages that are looked through; a service that goes on longer repeats itself.
const MOST_PAGES: usize = 100;

/// The action by which the service lists only the groups that the user may change (MicrosoftDocs/
/// vsts-rest-api-specs, `VariableGroupActionFilter`).
const MANAGE: &str = "manage";
/// What it means that the user may only read the group.
const NOT_MANAGEABLE: RefusalRow = RefusalRow::new(
    Exit::Store,
    "The user who signed in may not change the {group}.",
    "Give that user the role Administrator on the group (Pipelines, Library, the group, Security); 'adopat doctor' \
     shows whether that is enough.",
)
.status(&[403..=403]);
/// What it means that the group is not there.
const MISSING: RefusalRow = RefusalRow::new(
    Exit::Store,
    "There is no {group}, or it is not shown to the user who signed in.",
    "Create the group in the project's Library, or give that user the role Administrator on it.",
)
.status(&[404..=404])
.key("VariableGroupNotFoundException");

/// What the refusals mean: by exception (`typeKey`), words and status.
pub const REFUSALS: &[RefusalRow] = &[
    challenge::REVOKED_FOR_A_STORE,
    IS_DEACTIVATED,
    RefusalRow::new(
        Exit::Store,
        "The sign-in may not manage variable groups of this organization ({group}).",
        "Give the app registration the delegated permissions vso.variablegroups_read and vso.variablegroups_manage \
         and consent to them, or check that the user belongs to the organization.",
    )
    .status(&[401..=401])
    .says(&["TF400813"]),
    RefusalRow::new(
        Exit::Store,
        "Azure DevOps did not accept the sign-in for the {group}.",
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
        "Azure DevOps did not accept the update of the {group}.",
        "Look at what it says; if the name is not the reason, save the group once in the portal.",
    )
    .status(&[400..=499]),
];

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
    turns: Turns,
    written: Written,
}

/// A group as it came.
type Group = Map<String, Value>;

impl VariableGroupStore {
    /// The variable `variable` of the group `group` in the project `project` of this organization.
    pub fn new(
        [project, group, variable]: [String; 3],
        organization: Option<Organization>,
        devops_url: Url,
        bearer: Bearer,
        http: Http,
        turns: Turns,
    ) -> Self {
        let address = Address::VariableGroup {
            project: project.clone(),
            group: group.clone(),
            variable: variable.clone(),
        };
        let written = Written::default();
        Self { address, project, group, variable, organization, devops_url, bearer, http, turns, written }
    }

    async fn begin(&self, deadline: &Deadline) -> Result<Call, Failure> {
        Call::begin(&self.http, &self.bearer, deadline).await
    }

    /// The group, whole and fit to be changed.
    async fn group(&self, call: &Call) -> Result<Group, Failure> {
        let id = self.id(call).await?;
        self.read_whole(call, id).await
    }

    /// The group's number.
    async fn id(&self, call: &Call) -> Result<i64, Failure> {
        self.find(call, None).await?.ok_or_else(|| self.missing())
    }

    async fn read_whole(&self, call: &Call, id: i64) -> Result<Group, Failure> {
        // What a list tells of a group is not all of it: it leaves out the projects.
        let request = request(call, Method::GET, self.in_project(Some(id))?, Bytes::new());
        let answer = call.http.send(request, Effect::Idempotent).await;
        let Value::Object(group) = self.json(answer)? else { return Err(self.missing()) };
        self.check(&group)?;
        Ok(group)
    }

    /// The id of the group of that very name. The service reads `*` in a name as a wildcard, and may answer
    /// with other groups. Under an `action` those alone are looked through that the user may do that with.
    async fn find(&self, call: &Call, action: Option<&str>) -> Result<Option<i64>, Failure> {
        let mut continuation: Option<String> = None;
        let mut alike = None;
        for _ in 0..MOST_PAGES {
            let mut url = self.in_project(None)?;
            url.query_pairs_mut()
                .append_pair("groupName", &self.group)
                .append_pair("$top", PAGE)
                .extend_pairs(action.map(|action| ("actionFilter", action)))
                .extend_pairs(continuation.as_ref().map(|token| ("continuationToken", token)));
            let request = request(call, Method::GET, url, Bytes::new());
            let answer = call.http.send(request, Effect::Idempotent).await;
            let next = answer.as_ref().ok().and_then(|answer| answer.header("x-ms-continuationtoken"));
            let next = next.filter(|token| !token.is_empty()).map(ToOwned::to_owned);
            let page = self.json(answer)?;
            for group in page["value"].as_array().into_iter().flatten() {
                let (Some(name), Some(id)) = (group["name"].as_str(), group["id"].as_i64()) else { continue };
                if name == self.group {
                    return Ok(Some(id));
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
        Ok(alike)
    }

    fn check(&self, group: &Group) -> Result<(), Failure> {
        let kind = group.get("type").and_then(Value::as_str).unwrap_or("Vsts");
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
        let projects = group.get("variableGroupProjectReferences").and_then(Value::as_array);
        if projects.is_none_or(Vec::is_empty) || !group.get("variables").is_some_and(Value::is_object) {
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

    /// Reads the group and writes it back with the secret in it. An update whose answer was lost may come late, and take
    /// the place of what was written meanwhile, in other variables too: so this is done only when none can come any
    /// more.
    async fn replace(&self, call: &Call, secret: &Secret) -> Result<(), Failure> {
        let mut turn = None;
        for attempt in 1.. {
            let id = self.id(call).await?;
            // Projects can share a group, each under a name of its own.
            if turn.is_none() {
                let organization = self.organization.as_ref().map_or("", Organization::name);
                let place = format!("variable-group {} {id}", organization.to_ascii_lowercase());
                let taken = self.turns.take(&place, call.http.deadline()).await;
                turn = Some(taken.map_err(|ended| self.silent(ended.into()))?);
            }
            let group = self.read_whole(call, id).await?;
            let update = with_secret(group, &self.variable, secret);
            let request =
                request(call, Method::PUT, self.in_organization(id)?, Bytes::from(update.to_string()));
            // Sent once: by the time of a repetition, what was read for it is stale.
            let outcome = call.http.send(request, Effect::OnceOnly).await;
            let is_taken = matches!(&outcome, Ok(answer) if answer.status == 200 && !answer.is_page());
            if is_taken {
                self.written.taken();
            } else if may_have_acted(outcome.as_ref()) {
                self.written.lost();
            }
            match call.http.pause_after(attempt, outcome.as_ref()) {
                Some(pause) => call.http.wait(pause).await.map_err(|silence| self.silent(silence))?,
                None => {
                    self.confirm(&update, &self.json(outcome)?)?;
                    self.written.settle(call.http.deadline()).await;
                    return Ok(());
                }
            }
        }
        unreachable!("the last attempt returns")
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
        let key = challenge::key_of(&answer, body.type_key);
        let Some(meaning) = refusal_table::find(REFUSALS, answer.status.as_u16(), &key, &words) else {
            return Err(self.odd(&answer));
        };
        // A challenge's words are those for anybody without a credential.
        let words = if key == INSUFFICIENT_CLAIMS { String::new() } else { words };
        let mut failure = self.meant(meaning).quoting("Azure DevOps", &words).and(answer.asks_to_wait());
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
            "Run this again; if it keeps failing, look at https://status.dev.azure.com.",
        )
        .with_support_ids(support_ids(answer))
    }

    fn missing(&self) -> Failure {
        self.meant(&MISSING)
    }

    fn meant(&self, meaning: &RefusalRow) -> Failure {
        let organization = self.organization.as_ref().map_or("", Organization::name);
        meaning.failure(&[
            ("group", &self.named()),
            ("project", &self.project),
            ("organization", organization),
        ])
    }

    fn silent(&self, silence: NoAnswer) -> Failure {
        let host = self.devops_url.host_str().unwrap_or_default();
        Doing::Writing.failed(silence.into_failure(&format!("Azure DevOps ({host})")))
    }

    fn named(&self) -> String {
        format!("variable group '{}' of project '{}'", self.group, self.project)
    }
}

fn request(call: &Call, method: Method, mut url: Url, body: Bytes) -> Request<Bytes> {
    url.query_pairs_mut().append_pair("api-version", API_VERSION);
    call.request(method, &url, body)
}

#[async_trait]
impl Store for VariableGroupStore {
    fn address(&self) -> &Address {
        &self.address
    }

    async fn prepare(&self, deadline: &Deadline) -> Result<Option<Failure>, Failure> {
        let call = self.begin(deadline).await?;
        self.group(&call).await?;
        match self.find(&call, Some(MANAGE)).await? {
            Some(_) => Ok(None),
            None => Err(self.meant(&NOT_MANAGEABLE)),
        }
    }

    /// The service shows whether there is such a secret, and when the whole group was last changed: what was put into it
    /// since may be another variable's.
    async fn holds(&self, expected: &Expected<'_>, deadline: &Deadline) -> Result<Holding, Failure> {
        let call = self.begin(deadline).await?;
        let group = Value::Object(self.group(&call).await?);
        let Some(variable) = entry_of(&group, &self.variable) else {
            return Ok(Holding::Not("was not there".into()));
        };
        if variable["isSecret"] != json!(true) {
            return Ok(Holding::Not("was a variable that everybody can read, not a secret".into()));
        }
        let changed = group["modifiedOn"].as_str().and_then(|at| at.parse().ok());
        Ok(changed.map_or(Holding::Holds, |changed| expected.since(changed)))
    }

    async fn read(&self, _deadline: &Deadline) -> Result<Option<Secret>, Failure> {
        Ok(None)
    }

    async fn write(&self, secret: &Secret, _kind: &Kind, deadline: &Deadline) -> Result<(), Failure> {
        let call = self.begin(deadline).await?;
        self.replace(&call, secret).await
    }

    async fn restore(&self, _deadline: &Deadline) -> Result<Restored, Failure> {
        Ok(self.written.is_left())
    }
}

/// The update that puts the secret under this name, and leaves all else as it came.
fn with_secret(group: Group, variable: &str, secret: &Secret) -> Value {
    let mut update: Map<String, Value> =
        group.into_iter().filter(|(field, _)| FIELDS.contains(&field.as_str())).collect();
    if let Some(Value::Object(variables)) = update.get_mut("variables") {
        for (_, other) in variables.iter_mut() {
            // A secret keeps its value when it is sent as null; an empty text would overwrite it.
            if other["isSecret"] == json!(true) {
                other["value"] = Value::Null;
            }
        }
        let known = variables.keys().find(|name| is_same(name, variable)).cloned();
        let entry = variables.entry(known.unwrap_or_else(|| variable.to_owned())).or_insert(Value::Null);
        if !entry.is_object() {
            *entry = json!({});
        }
        entry["value"] = json!(secret.expose());
        entry["isSecret"] = json!(true);
    }
    Value::Object(update)
}

/// The service does not tell names of variables apart by case.
fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// What the group says of this variable.
fn entry_of<'a>(group: &'a Value, variable: &str) -> Option<&'a Value> {
    let mut variables = group["variables"].as_object()?.iter();
    variables.find(|(name, _)| is_same(name, variable)).map(|(_, entry)| entry)
}

/// The names of a group's variables, which do not differ by case.
fn names(group: &Value) -> Vec<String> {
    group["variables"].as_object().into_iter().flatten().map(|(name, _)| name.to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::proxy::ProxySettings;
    use crate::http::reqwest_wire::ReqwestWire;
    use crate::store::bearer::bearer;
    use crate::store::fake::{self, FakeWire, deadline};
    use crate::world::World;
    use http::Response;
    use rstest::rstest;
    use std::sync::{Arc, Mutex};

    const LIST: &str = "/fabrikam/Fabrikam%20Fiber/_apis/distributedtask/variablegroups";

    type Outcome = Result<Response<Bytes>, crate::world::WireError>;

    fn group() -> Value {
        json!({
            "id": 7, "name": "feeds", "type": "Vsts", "description": "for npm", "isShared": true,
            "createdBy": {"displayName": "someone"}, "modifiedOn": "2026-01-01T00:00:00Z",
            "variables": {
                "PLAIN": {"value": "1"},
                "FIXED": {"value": "2", "isReadOnly": true},
                "OTHER": {"value": null, "isSecret": true},
                "EMPTY": {"value": "", "isSecret": true},
            },
            "variableGroupProjectReferences": [
                {"projectReference": {"id": "a", "name": "Fabrikam Fiber"}, "name": "feeds", "description": "x"},
                {"projectReference": {"id": "b", "name": "Contoso"}, "name": "feeds of Fabrikam"},
            ],
        })
    }

    /// A service that holds one group; `odd` may answer first.
    fn service(
        group: Value,
        odd: impl Fn(&Request<Bytes>) -> Option<Outcome> + Send + Sync + 'static,
    ) -> (Arc<FakeWire>, World) {
        let group = Mutex::new(group);
        fake::world(move |request| {
            if let Some(outcome) = odd(request) {
                return outcome;
            }
            let mut group = group.lock().expect("not poisoned");
            match (request.method(), request.uri().path()) {
                (&Method::GET, LIST) => {
                    let alike = json!({"id": 3, "name": "feeds-of-others"});
                    let mut listed = group.clone();
                    listed["variableGroupProjectReferences"] = Value::Null;
                    fake::json(200, &json!({"count": 2, "value": [alike, listed]}))
                }
                (&Method::GET, path) if path == format!("{LIST}/7") => fake::json(200, &group),
                (&Method::PUT, "/fabrikam/_apis/distributedtask/variablegroups/7") => {
                    let update = fake::body(request);
                    for (field, value) in update.as_object().expect("an object") {
                        group[field] = value.clone();
                    }
                    fake::json(200, &group)
                }
                other => panic!("no such call: {other:?}"),
            }
        })
    }

    fn store_named(world: World, name: &str, variable: &str) -> VariableGroupStore {
        let (slot, bearer) = bearer();
        slot.put(Secret::new("eyJfake".into()));
        VariableGroupStore::new(
            ["Fabrikam Fiber".into(), name.into(), variable.into()],
            Some(Organization::parse("fabrikam").expect("a name")),
            Url::parse("https://dev.azure.com").expect("an address"),
            bearer,
            Http::new(world, deadline(60)),
            Turns::default(),
        )
    }

    fn store(world: World) -> VariableGroupStore {
        store_named(world, "feeds", "ADO_PAT")
    }

    async fn write(store: &VariableGroupStore) -> Result<(), Failure> {
        store.write(&Secret::new("patpatpat".into()), &Kind::RefreshToken, &deadline(60)).await
    }

    fn updates(wire: &FakeWire) -> Vec<Value> {
        wire.requests().iter().filter(|request| request.method() == Method::PUT).map(fake::body).collect()
    }

    fn with_bom(status: u16, body: &Value) -> Outcome {
        let mut answer = fake::json(status, body)?;
        let mut bytes = b"\xEF\xBB\xBF".to_vec();
        bytes.extend_from_slice(answer.body());
        *answer.body_mut() = bytes.into();
        Ok(answer)
    }

    #[tokio::test]
    async fn an_update_changes_one_variable_and_sends_all_else_back() {
        let (wire, world) = service(group(), |_| None);
        write(&store(world)).await.expect("written");
        let mut expected = group();
        for field in ["id", "isShared", "createdBy", "modifiedOn"] {
            expected.as_object_mut().expect("an object").remove(field);
        }
        expected["variables"]["EMPTY"]["value"] = Value::Null;
        expected["variables"]["ADO_PAT"] = json!({"value": "patpatpat", "isSecret": true});
        assert_eq!(updates(&wire), [expected]);
        let put = wire.requests().pop().expect("a request");
        assert_eq!(put.uri().query(), Some("api-version=7.1"));
        assert_eq!(put.headers()["authorization"], "Bearer eyJfake");
        assert_eq!(put.headers()["x-tfs-fedauthredirect"], "Suppress");
    }

    #[tokio::test]
    async fn a_name_in_another_case_is_the_same_variable() {
        let (wire, world) = service(group(), |_| None);
        write(&store_named(world, "Feeds", "fixed")).await.expect("written");
        let variables = updates(&wire)[0]["variables"].clone();
        assert_eq!(variables["FIXED"], json!({"value": "patpatpat", "isSecret": true, "isReadOnly": true}));
        assert_eq!(variables.as_object().map(Map::len), Some(4));
    }

    #[rstest]
    #[case("feeds-of-other")]
    #[case("feed*")]
    #[tokio::test]
    async fn a_name_that_only_matches_is_no_group(#[case] name: &str) {
        let (_, world) = service(group(), |_| None);
        let failure = store_named(world, name, "X").prepare(&deadline(60)).await.expect_err("none");
        assert!(failure.cause.contains("There is no variable group"), "{failure}");
    }

    #[rstest]
    #[case::a_secret("other", "2025-12-31T23:59:59.9Z", None)]
    #[case::in_a_group_that_was_not_changed_since("OTHER", "2026-01-01T00:00:01Z", Some("was last changed"))]
    #[case::missing("ADO_PAT", "2025-12-31T00:00:00Z", Some("was not there"))]
    #[case::for_all_to_read("PLAIN", "2025-12-31T00:00:00Z", Some("not a secret"))]
    #[tokio::test]
    async fn a_variable_tells_what_it_can(
        #[case] variable: &str,
        #[case] made: &str,
        #[case] not: Option<&str>,
    ) {
        let (_, world) = service(group(), |_| None);
        let mut store = store(world);
        store.variable = variable.into();
        let expected = Expected { authorization_id: "x", valid_from: made.parse().ok() };
        match (store.holds(&expected, &deadline(60)).await.expect("asked"), not) {
            (Holding::Holds, None) => {}
            (Holding::Not(why), Some(part)) => assert!(why.contains(part), "{why}"),
            (other, _) => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn every_page_of_the_list_is_looked_through() {
        let (wire, world) = service(group(), |request| {
            let first =
                request.uri().path() == LIST && !request.uri().query()?.contains("continuationToken=2");
            let mut page =
                fake::json(200, &json!({"value": [{"id": 1, "name": "feeds2"}]})).expect("an answer");
            page.headers_mut().insert("x-ms-continuationtoken", "2".parse().expect("a header"));
            first.then_some(Ok(page))
        });
        assert_eq!(store(world).prepare(&deadline(60)).await, Ok(None));
        assert_eq!(wire.log().len(), 5, "two pages, the group, and two pages of what may be changed");
        assert!(wire.log()[0].contains("?groupName=feeds&%24top=100&api-version=7.1"), "{:?}", wire.log());
    }

    #[tokio::test]
    async fn a_list_that_never_ends_is_left() {
        let (_, world) = service(group(), |request| {
            let mut page = fake::json(200, &json!({"value": []})).expect("an answer");
            page.headers_mut().insert("x-ms-continuationtoken", "1".parse().expect("a header"));
            (request.uri().path() == LIST).then_some(Ok(page))
        });
        store(world).prepare(&deadline(60)).await.expect_err("none");
    }

    #[rstest]
    #[case(json!({"type": "AzureKeyVault"}), "linked to a Key Vault")]
    #[case(json!({"variableGroupProjectReferences": null}), "might take some away")]
    #[case(json!({"variables": null}), "might take some away")]
    #[tokio::test]
    async fn a_group_that_cannot_be_sent_back_whole_is_not_touched(
        #[case] change: Value,
        #[case] cause: &str,
    ) {
        let mut group = group();
        for (field, value) in change.as_object().expect("an object") {
            group[field] = value.clone();
        }
        let (wire, world) = service(group, |_| None);
        let store = store(world);
        let failure = store.prepare(&deadline(60)).await.expect_err("refused");
        assert!(failure.cause.contains(cause), "{failure}");
        assert_eq!(write(&store).await, Err(failure));
        assert!(updates(&wire).is_empty());
        assert_eq!(store.restore(&deadline(60)).await, Ok(Restored::Whole));
    }

    #[rstest]
    #[case(401, json!({"message": "TF400813: The user is not authorized.", "typeKey": "InvalidAccessException"}), "vso.variablegroups_manage")]
    #[case(401, json!({}), "adopat login")]
    #[case(203, json!({}), "adopat login")]
    #[case(403, json!({"message": "no", "typeKey": "AccessDeniedException"}), "Administrator")]
    #[case(404, json!({"message": "TF200016", "typeKey": "ProjectDoesNotExistWithNameException"}), "project's name")]
    #[case(404, json!({"message": "x", "typeKey": "VariableGroupNotFoundException"}), "Create the group")]
    #[case(400, json!({"message": "Project information name is not valid", "typeKey": "ArgumentException"}), "what it says")]
    #[tokio::test]
    async fn each_refusal_says_what_to_do(#[case] status: u16, #[case] body: Value, #[case] remedy: &str) {
        let key = body["typeKey"].as_str().map(ToOwned::to_owned);
        let (_, world) = service(group(), move |_| Some(with_bom(status, &body)));
        let failure = store(world).prepare(&deadline(60)).await.expect_err("refused");
        assert_eq!((failure.exit, &failure.name), (Exit::Store, &key), "{failure}");
        assert!(failure.to_string().contains(remedy), "{failure}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_group_is_read_again_before_it_is_written_again() {
        let writes = Mutex::new(0);
        let (wire, world) = service(group(), move |request| {
            let mut writes = writes.lock().expect("not poisoned");
            *writes += i32::from(request.method() == Method::PUT);
            (request.method() == Method::PUT && *writes == 1).then(|| fake::json(503, &json!({})))
        });
        let store = store(world);
        write(&store).await.expect("written");
        let methods: Vec<_> =
            wire.log().iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
        assert_eq!(methods, ["GET", "GET", "PUT", "GET", "GET", "PUT"]);
        assert_eq!(store.restore(&deadline(60)).await, Ok(Restored::NotPossible));
    }

    #[tokio::test]
    async fn an_update_that_came_back_without_a_variable_is_told() {
        let (_, world) = service(group(), |request| {
            (request.method() == Method::PUT).then(|| fake::json(200, &json!({"variables": {"ado_pat": {}}})))
        });
        let failure = write(&store(world)).await.expect_err("lost");
        assert!(failure.cause.contains("came back without its variable"), "{failure}");
    }

    #[tokio::test]
    async fn variables_of_an_odd_shape_are_sent_back_as_they_came() {
        let mut group = group();
        group["variables"] = json!({"ODD": "text", "ADO_PAT": "text", "NONE": null});
        let (wire, world) = service(group, |_| None);
        write(&store(world)).await.expect("written");
        let expected =
            json!({"ODD": "text", "NONE": null, "ADO_PAT": {"value": "patpatpat", "isSecret": true}});
        assert_eq!(updates(&wire)[0]["variables"], expected);
    }

    #[tokio::test]
    async fn a_write_goes_over_a_real_connection() {
        let mut server = mockito::Server::new_async().await;
        let list = server
            .mock("GET", LIST)
            .match_query(mockito::Matcher::UrlEncoded("$top".into(), "100".into()))
            .match_query(mockito::Matcher::Regex("groupName=feeds".into()))
            .with_body(json!({"value": [group()]}).to_string())
            .create();
        let one = server
            .mock("GET", format!("{LIST}/7?api-version=7.1").as_str())
            .with_body(format!("\u{feff}{}", group()))
            .create();
        let put = server
            .mock("PUT", "/fabrikam/_apis/distributedtask/variablegroups/7?api-version=7.1")
            .match_header("content-type", "application/json")
            .match_body(mockito::Matcher::PartialJson(json!({"variables": {"ADO_PAT": {"isSecret": true}}})))
            .with_body(json!({"variables": with_all_names()}).to_string())
            .create();
        let wire = ReqwestWire::new(ProxySettings::default(), Vec::new());
        let mut store = store(World { wire: Arc::new(wire), ..fake::offline() });
        store.devops_url = Url::parse(&server.url()).expect("an address");
        write(&store).await.expect("written");
        for mock in [list, one, put] {
            mock.assert();
        }
    }

    fn with_all_names() -> Value {
        let mut variables = group()["variables"].clone();
        variables["ADO_PAT"] = json!({"value": null, "isSecret": true});
        variables
    }
}
