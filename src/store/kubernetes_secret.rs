//! `kubernetes-secret:NAMESPACE/NAME/KEY`: one key of a Kubernetes Secret that is there already, from inside a pod, as its
//! service account.
//!
//! A merge patch changes this key and no other. It is tried as a dry run before a PAT is made. Where the service account
//! may read the Secret too, the key is given back what it held.
//!
//! A pod finds the address of the API server in its environment, and the authority and its token in files. Nobody but
//! that authority is trusted, and no proxy is asked. The kubelet replaces the token while the pod runs, so it is read
//! anew for every request.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use serde_json::{Value, json};
use url::Url;

use super::address::Turn;
use super::written::Written;
use super::{Address, Doing, Expected, Holding, Kind, Restored, Store};
use crate::failure::{Exit, Failure};
use crate::http::reqwest_wire::ReqwestWire;
use crate::http::{Answer, Effect, Http, NoAnswer, may_have_acted, request};
use crate::refusal_table::{self, RefusalRow};
use crate::secret::Secret;
use crate::time::Deadline;
use crate::world::World;

/// Where a pod finds its service account (kubernetes.io, "Accessing the Kubernetes API from a Pod").
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// What a dry run would put there; it is stored nowhere.
const TRIED: &str = "adopat";

/// The name by which the server calls its refusal of a dry run, for the sake of a webhook (kubernetes/apiserver,
/// `NewDryRunUnsupportedErr`).
const NO_DRY_RUN: &str = "does not support dry run";

/// What it means that the Secret is not there.
const MISSING: RefusalRow = RefusalRow::new(
    Exit::Store,
    "There is no {secret}.",
    "Create it first, with whatever value: 'kubectl create secret generic NAME --namespace NAMESPACE'.",
)
.status(&[404..=404]);

/// What it means that the Secret can never be changed.
const IMMUTABLE: RefusalRow = RefusalRow::new(
    Exit::Store,
    "The {secret} is immutable.",
    "Delete it and create it again without immutable: nothing else can change it.",
)
.status(&[422..=422])
.says(&["immutable"]);

/// What the refusals mean: by the server's reason, words and status.
pub const REFUSALS: &[RefusalRow] = &[
    RefusalRow::new(
        Exit::Store,
        "The API server did not accept the pod's service account for the {secret}.",
        "Check that the pod runs in this cluster, and that its token is mounted (automountServiceAccountToken).",
    )
    .status(&[401..=401]),
    RefusalRow::new(
        Exit::Store,
        "The pod's service account may not do this to the {secret}.",
        "Give its Role the verb patch on this Secret, and get if its former value is to be given back or a refresh token \
         is kept there.",
    )
    .status(&[403..=403]),
    MISSING,
    IMMUTABLE,
    RefusalRow::new(
        Exit::Store,
        "The API server had more requests than it takes.",
        "Run this again later, or raise the input 'timeout'.",
    )
    .status(&[429..=429]),
    RefusalRow::new(
        Exit::Store,
        "The API server did not accept the change of the {secret}.",
        "Look at what it says: an admission webhook or a quota of the cluster may refuse it.",
    )
    .status(&[400..=499]),
];

/// Where the API server of a pod's cluster is, by `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// A name or an IP address, an IPv6 one without brackets.
    pub host: String,
    /// The port.
    pub port: String,
}

/// Why there is no answer: the wire's reason, or that there was no token to ask with.
enum NoAnswerOrToken {
    Answer(NoAnswer),
    Token(Failure),
}

/// One key of a Kubernetes Secret as a store.
pub struct KubernetesSecretStore {
    address: Address,
    namespace: String,
    name: String,
    key: String,
    cluster: Option<Cluster>,
    http: Http,
    written: Written,
    known: Mutex<Known>,
}

/// What is known of the key.
#[derive(Clone, Debug, Default)]
struct Known {
    /// What it held when it was prepared, where that may be read: nothing at all, or a value in base64.
    former: Option<Option<Secret>>,
    /// What was last written, in base64.
    ours: Option<Secret>,
}

/// What one call of the store speaks with.
struct Call {
    http: Http,
    url: Url,
}

impl KubernetesSecretStore {
    /// The key `key` of the Secret `name` in the namespace, in the cluster whose pod this is.
    pub fn new([namespace, name, key]: [String; 3], cluster: Option<Cluster>, http: Http) -> Self {
        let address =
            Address::KubernetesSecret { namespace: namespace.clone(), name: name.clone(), key: key.clone() };
        let (written, known) = (Written::default(), Mutex::default());
        Self { address, namespace, name, key, cluster, http, written, known }
    }

    fn begin(&self, deadline: &Deadline, doing: Doing) -> Result<Call, Failure> {
        let outside = |why: String| {
            let remedy = "Run adopat in a pod of the cluster, with its service account's token mounted; from elsewhere use \
                          command: with kubectl.";
            Failure::new(
                doing.exit(),
                format!("{} is reached from inside a pod alone: {why}.", self.address),
                remedy,
            )
        };
        let cluster =
            self.cluster.as_ref().ok_or_else(|| outside("KUBERNETES_SERVICE_HOST is not set here".into()))?;
        let host = match cluster.host.contains(':') {
            true => format!("[{}]", cluster.host.trim_matches(['[', ']'])),
            false => cluster.host.clone(),
        };
        let mut url = Url::parse(&format!("https://{host}:{}", cluster.port)).map_err(|error| {
            outside(format!("KUBERNETES_SERVICE_HOST and _PORT are no address ({error})"))
        })?;
        let segments = ["api", "v1", "namespaces", &self.namespace, "secrets", &self.name];
        url.path_segments_mut().expect("an https address has a path").extend(segments);
        let authority = Path::new(SERVICE_ACCOUNT).join("ca.crt");
        let authorities = std::fs::read(&authority)
            .map_err(|error| outside(format!("{} cannot be read ({error})", authority.display())))?;
        let wire = ReqwestWire::trusting_alone(&authorities)
            .ok_or_else(|| outside(format!("{} holds no certificate", authority.display())))?;
        let world = World { wire: Arc::new(wire), ..self.http.world().clone() };
        Ok(Call { http: Http::new(world, deadline.clone()), url })
    }

    /// Sends a request with the token that the pod has at this moment.
    async fn send(
        &self,
        call: &Call,
        method: Method,
        query: &str,
        body: Bytes,
    ) -> Result<Answer, NoAnswerOrToken> {
        let file = Path::new(SERVICE_ACCOUNT).join("token");
        let token = std::fs::read_to_string(&file).map_err(|error| {
            NoAnswerOrToken::Token(Failure::new(
                Exit::Store,
                format!(
                    "The token of the pod's service account, {}, cannot be read: {error}.",
                    file.display()
                ),
                "Let it be mounted: automountServiceAccountToken must not be false.",
            ))
        })?;
        let token = Secret::new(token);
        let bearer = HeaderValue::try_from(format!("Bearer {}", token.expose().trim()));
        let mut bearer = bearer.unwrap_or(HeaderValue::from_static("Bearer"));
        bearer.set_sensitive(true);
        let mut url = call.url.clone();
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, "application/json");
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/merge-patch+json");
        }
        // A merge patch of one key does the same however often it is sent.
        let outcome = call.http.send(request::build(request, body), Effect::Idempotent).await;
        outcome.map_err(NoAnswerOrToken::Answer)
    }

    /// The Secret as it is; `None` where the service account may not read it.
    async fn get(&self, call: &Call) -> Result<Option<Value>, Failure> {
        let answer = self.send(call, Method::GET, "", Bytes::new()).await;
        let answer = answer.map_err(|why| self.unanswered(why))?;
        if answer.status == 403 {
            return Ok(None);
        }
        self.json(&answer).map(Some)
    }

    /// Changes the key to this value, in base64, or takes it away.
    async fn patch(&self, call: &Call, value: Option<&Secret>, dry_run: bool) -> Result<(), Failure> {
        let body = json!({ "data": { self.key.as_str(): value.map(Secret::expose) } }).to_string();
        let query = if dry_run { "dryRun=All" } else { "" };
        let answer = self.send(call, Method::PATCH, query, Bytes::from(body)).await;
        let may_have_acted = match &answer {
            Ok(answer) => may_have_acted(Ok(answer)),
            Err(NoAnswerOrToken::Answer(silence)) => silence.may_have_acted(),
            Err(NoAnswerOrToken::Token(_)) => false,
        };
        if may_have_acted && !dry_run {
            self.written.lost();
        }
        let answer = answer.map_err(|why| self.unanswered(why))?;
        self.json(&answer).map(drop)
    }

    /// What stands under the key, in base64; `None` where there is nothing.
    fn value_in(&self, secret: &Value) -> Option<Secret> {
        secret["data"][&self.key].as_str().map(|text| Secret::new(text.to_owned()))
    }

    /// The answer's Secret, else what its refusal means.
    fn json(&self, answer: &Answer) -> Result<Value, Failure> {
        if answer.status == 200
            && let Ok(secret) = answer.json::<Value>()
            && secret["metadata"]["name"].as_str() == Some(&self.name)
        {
            return Ok(secret);
        }
        let status: Value = answer.json().unwrap_or_default();
        let reason = status["reason"].as_str().unwrap_or_default();
        let words = status["message"].as_str().unwrap_or_default();
        let Some(row) = refusal_table::find(REFUSALS, answer.status.as_u16(), reason, words) else {
            return Err(Failure::new(
                Exit::Store,
                format!(
                    "The API server answered for the {} with something else than a Secret (HTTP {}).",
                    self.named(),
                    answer.status.as_u16()
                ),
                "Run this again; if it keeps failing, look at the state of the cluster.",
            )
            .quoting("Kubernetes", words));
        };
        let failure = row.failure(&[("secret", &self.named())]).quoting("Kubernetes", words);
        Err(if reason.is_empty() { failure } else { failure.named(format!("Kubernetes {reason}")) })
    }

    fn unanswered(&self, why: NoAnswerOrToken) -> Failure {
        let silence = match why {
            NoAnswerOrToken::Token(failure) => return failure,
            NoAnswerOrToken::Answer(silence) => silence,
        };
        let host = self.cluster.as_ref().map_or("", |cluster| cluster.host.as_str());
        Doing::Writing.failed(silence.into_failure(&format!("The API server of the cluster ({host})")))
    }

    fn named(&self) -> String {
        format!("Secret '{}' of namespace '{}'", self.name, self.namespace)
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn now(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[async_trait]
impl Store for KubernetesSecretStore {
    fn address(&self) -> &Address {
        &self.address
    }

    /// Without the verb get nothing can be given back.
    fn turn(&self) -> Turn {
        if self.known().former.is_some() { Turn::Restorable } else { Turn::WrittenOnly }
    }

    async fn prepare(&self, deadline: &Deadline) -> Result<Option<Failure>, Failure> {
        let call = self.begin(deadline, Doing::Writing)?;
        if let Some(secret) = self.get(&call).await? {
            if secret["immutable"] == json!(true) {
                return Err(IMMUTABLE.failure(&[("secret", &self.named())]));
            }
            self.now(|known| known.former = Some(self.value_in(&secret)));
        }
        let tried = encoded(&Secret::new(TRIED.into()));
        match self.patch(&call, Some(&tried), true).await {
            Ok(()) => Ok(None),
            Err(failure) if failure.quote.as_deref().is_some_and(|words| words.contains(NO_DRY_RUN)) => {
                let cause = format!("Whether the {} would take the PAT could not be tried.", self.named());
                let remedy = "An admission webhook of the cluster does not support dry runs: let it declare sideEffects None.";
                Ok(Some(Failure { cause, remedy: remedy.into(), ..failure }))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn holds(&self, _expected: &Expected<'_>, deadline: &Deadline) -> Result<Holding, Failure> {
        let call = self.begin(deadline, Doing::Writing)?;
        Ok(match self.get(&call).await? {
            None => Holding::CannotTell(Some(format!(
                "The pod's service account may not read the {}. Give its Role the verb get on it.",
                self.named()
            ))),
            Some(secret) => match self.value_in(&secret) {
                None => Holding::Not("is not there yet".into()),
                Some(value) if value.is_empty() => Holding::Not("is empty".into()),
                Some(_) => Holding::Holds,
            },
        })
    }

    async fn read(&self, deadline: &Deadline) -> Result<Option<Secret>, Failure> {
        let call = self.begin(deadline, Doing::Reading)?;
        let answer = self.send(&call, Method::GET, "", Bytes::new()).await;
        let secret = answer.map_err(|why| self.unanswered(why)).and_then(|answer| self.json(&answer));
        let secret = secret.map_err(|failure| Doing::Reading.failed(failure))?;
        let Some(value) = self.value_in(&secret) else { return Ok(None) };
        let text = STANDARD.decode(value.expose()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        text.map(|text| Some(Secret::new(text.trim().to_owned()))).ok_or_else(|| {
            Failure::new(
                Exit::SignIn,
                format!("What {} holds is not text.", self.address),
                "Sign in again with 'adopat login', which stores a refresh token there.",
            )
        })
    }

    async fn write(&self, secret: &Secret, _kind: &Kind, deadline: &Deadline) -> Result<(), Failure> {
        let call = self.begin(deadline, Doing::Writing)?;
        let value = encoded(secret);
        self.now(|known| known.ours = Some(value.clone()));
        self.patch(&call, Some(&value), false).await?;
        self.written.taken();
        Ok(())
    }

    async fn restore(&self, deadline: &Deadline) -> Result<Restored, Failure> {
        let Known { former: Some(former), ours: Some(ours) } = self.known() else {
            return Ok(self.written.is_left());
        };
        let call = self.begin(deadline, Doing::Writing)?;
        self.written.settle(deadline).await;
        // What somebody else has put there meanwhile stays.
        match self.get(&call).await? {
            None => Ok(self.written.is_left()),
            Some(secret) if self.value_in(&secret).as_ref() == Some(&ours) => {
                self.patch(&call, former.as_ref(), false).await?;
                Ok(Restored::Whole)
            }
            Some(_) => Ok(Restored::Whole),
        }
    }
}

/// A value as a Secret holds it.
fn encoded(value: &Secret) -> Secret {
    Secret::new(STANDARD.encode(value.expose()))
}
