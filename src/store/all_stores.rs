//! Handing a new PAT to every store that is to have it, or to none.
//!
//! All stores are asked beforehand whether they would take it. If one fails at the handing over all the same,
//! the PAT will be revoked; so every store that can is given back what it held, and the others are named, since
//! from then on they hold a dead PAT.

use std::time::Duration;

use futures_util::future::join_all;

use super::address::Turn;
use super::{Address, Kind, Restored, Store};
use crate::failure::{Exit, Failure};
use crate::secret::Secret;
use crate::time::Deadline;

/// The time that is left for the revocation of the PAT: the rest of [`CLEAN_UP`](crate::time::CLEAN_UP) is as long
/// as a lost write can be late, and a moment more.
const TO_REVOKE: Duration = Duration::from_secs(12);

/// The stores of `deliver-to`.
pub struct AllStores {
    stores: Vec<Box<dyn Store>>,
}

impl AllStores {
    /// A delivery to these stores; there may be none.
    pub fn new(stores: Vec<Box<dyn Store>>) -> Self {
        Self { stores }
    }

    /// The stores, in the order in which they were given.
    pub fn stores(&self) -> impl Iterator<Item = &dyn Store> {
        self.stores.iter().map(AsRef::as_ref)
    }

    /// Finds out, of all at once, whether each store could be written, and has each remember what it holds. To
    /// be awaited before anything is minted; may run beside the sign-in. Gives back what to warn of.
    ///
    /// # Errors
    /// Every store that could not be written.
    pub async fn prepare_all(&self, deadline: &Deadline) -> Result<Vec<Failure>, Failure> {
        let mut warnings = Vec::new();
        let mut failures = Vec::new();
        for prepared in join_all(self.stores().map(|store| store.prepare(deadline))).await {
            match prepared {
                Ok(warning) => warnings.extend(warning),
                Err(failure) => failures.push(failure),
            }
        }
        for store in self.stores() {
            warnings.extend(store.gives_way().await);
        }
        together(failures).map_or(Ok(warnings), Err)
    }

    /// Writes the secret to every store, [turn](Turn) by turn, and none of a turn unless all before it have taken it:
    /// the less can be taken back, the later it is written. Within a turn all are written at once, but commands, in
    /// their order, and variable groups, since an update replaces the whole group.
    ///
    /// # Errors
    /// Every store that could not be written; by then the others have been [taken back](Self::roll_back),
    /// and the failure names those that hold the secret still.
    pub async fn write_all(&self, secret: &Secret, kind: &Kind, deadline: &Deadline) -> Result<(), Failure> {
        for turn in Turn::ALL {
            let lanes = self.lanes(turn).into_iter().map(|lane| async move {
                for store in lane {
                    store.write(secret, kind, deadline).await?;
                }
                Ok(())
            });
            let failures = join_all(lanes).await.into_iter().filter_map(Result::err).collect();
            if let Some(failure) = together(failures) {
                return Err(self.roll_back(deadline).await.told_in(failure));
            }
        }
        Ok(())
    }

    /// Gives every store back what it held when it was prepared; for when the delivery failed here or further
    /// on. Cleaning up, it goes on for a while past the deadline and the run's cancellation, but leaves
    /// time to the revocation that follows. Gives back what names the stores that hold the
    /// new secret still, or may hold it, if any do.
    pub async fn roll_back(&self, deadline: &Deadline) -> RolledBack {
        let deadline = deadline.to_clean_up();
        let deadline = deadline.at_most(deadline.left().saturating_sub(TO_REVOKE));
        let restored = join_all(self.stores().map(|store| store.restore(&deadline))).await;
        let (mut holding, mut doubtful, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for (store, restored) in self.stores().zip(restored) {
            let address = store.address();
            match restored {
                Ok(Restored::Whole) => {}
                Ok(Restored::NotPossible) => holding.push(address.to_string()),
                Ok(Restored::Doubtful) if address.turn() == Turn::Connection => {
                    unknown.push(address.to_string())
                }
                Ok(Restored::Doubtful) => doubtful.push(address.to_string()),
                Err(failure) => {
                    let why = failure.account();
                    doubtful.push(format!("{address} (it was not given back its former value: {why})"));
                }
            }
        }
        let spares_the_new = !unknown.is_empty();
        let what = if spares_the_new { "the new PAT" } else { "a PAT that is being revoked" };
        let holding = said_of(&holding, &format!("These hold {what}"));
        let doubtful = said_of(&[doubtful, unknown].concat(), &format!("These may hold {what}"));
        RolledBack { left: holding.into_iter().chain(doubtful).collect(), spares_the_new }
    }

    /// The stores of a turn, in groups that may be written at once; within one, one after the other.
    fn lanes(&self, turn: Turn) -> Vec<Vec<&dyn Store>> {
        let mut lanes: Vec<(String, Vec<&dyn Store>)> = Vec::new();
        for store in self.stores().filter(|store| store.turn() == turn) {
            let place = match store.address() {
                // Projects can share a group, each under a name of its own.
                Address::VariableGroup { .. } => "variable-group".to_owned(),
                Address::Command { .. } => "command".to_owned(),
                // A connection may be given by its name or its id, and by its name in several projects.
                Address::ServiceConnection { .. } => "service-connection".to_owned(),
                other => other.to_string(),
            };
            match lanes.iter_mut().find(|(taken, _)| *taken == place) {
                Some((_, lane)) => lane.push(store),
                None => lanes.push((place, vec![store])),
            }
        }
        lanes.into_iter().map(|(_, lane)| lane).collect()
    }
}

/// What became of the stores when they were given back what they held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledBack {
    /// Sentences that name the stores that hold the new secret still, or may hold it.
    left: Vec<String>,
    /// Whether the new PAT has to live on, since a service connection may hold it and nobody can tell.
    spares_the_new: bool,
}

impl RolledBack {
    /// The failure that was the reason for it, with what it has to say besides.
    pub fn told_in(self, failure: Failure) -> Failure {
        let told = self.left.iter().fold(failure, |failure, sentence| failure.and(sentence));
        Failure { spares_the_new: told.spares_the_new || self.spares_the_new, ..told }
    }
}

/// The sentence about these addresses, if there are any.
fn said_of(addresses: &[String], what: &str) -> Option<String> {
    (!addresses.is_empty()).then(|| format!("{what}: {}.", addresses.join(", ")))
}

/// One failure of all of them: a cancelled run first, else the first with the others told after it.
fn together(mut failures: Vec<Failure>) -> Option<Failure> {
    if let Some(at) = failures.iter().position(|failure| matches!(failure.exit, Exit::Cancelled(_))) {
        return Some(failures.swap_remove(at));
    }
    let mut failures = failures.into_iter();
    let mut first = failures.next()?;
    for other in failures {
        first.remedy = format!("{} Besides: {other}", first.remedy).trim_start().to_owned();
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure_devops::Endpoints;
    use crate::azure_devops::Organization;
    use crate::http::Http;
    use crate::store::bearer::bearer;
    use crate::store::fake::{self, deadline, pat};
    use crate::store::{Context, Turns, open};
    use crate::world::World;
    use http::Method;
    use serde_json::json;
    use std::sync::{Arc, Mutex};
    use url::Url;

    fn delivery(world: World, addresses: &[String]) -> AllStores {
        let place = |text: &str| Url::parse(text).expect("an address");
        let (slot, bearer) = bearer();
        slot.put(Secret::new("eyJfake".into()));
        let context = Context {
            http: Http::new(world, deadline(60)),
            places: Endpoints {
                authority_host: place("https://login.microsoftonline.com"),
                service_url: place("https://vssps.dev.azure.com"),
                devops_url: place("https://dev.azure.com"),
                github_api_url: place("https://api.github.com"),
            },
            organization: Some(Organization::parse("fabrikam").expect("a name")),
            bearer,
            store_key: Some(Secret::new("never for a PAT".into())),
            github_token: Some(Secret::new("github_pat_fake".into())),
            vault: fake::vault_settings(),
            cluster: None,
            environment: Arc::default(),
            log: Arc::new(|_| ()),
            turns: Turns::default(),
        };
        let addresses = addresses.iter().map(|text| Address::parse(text).expect("an address"));
        AllStores::new(addresses.map(|address| open(&address, &context)).collect())
    }

    /// Variable groups that all go by the id 1, kept as one; GitHub refuses every write.
    fn services() -> (Arc<fake::FakeWire>, World) {
        let project = json!({"projectReference": {"id": "p", "name": "web"}, "name": "feeds"});
        let group = Mutex::new(json!({
            "id": 1, "name": "feeds", "type": "Vsts", "variables": {},
            "variableGroupProjectReferences": [project],
        }));
        fake::world(move |request| {
            let mut group = group.lock().expect("not poisoned");
            match (request.method(), request.uri().host().expect("a host"), request.uri().path()) {
                (&Method::GET, "api.github.com", _) => fake::json(
                    200,
                    &json!({"key_id": "1", "key": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="}),
                ),
                (&Method::PUT, "api.github.com", _) => fake::json(403, &json!({"message": "Forbidden"})),
                (&Method::GET, _, "/fabrikam/web/_apis/distributedtask/variablegroups") => {
                    fake::json(200, &json!({"count": 1, "value": [{"id": 1, "name": "feeds"}]}))
                }
                (&Method::PUT, ..) => {
                    *group = fake::body(request);
                    fake::json(200, &group)
                }
                _ => fake::json(200, &group),
            }
        })
    }

    #[tokio::test]
    async fn two_variables_of_one_group_are_both_kept() {
        let (wire, world) = services();
        let addresses = ["variable-group:web/feeds/ONE".into(), "variable-group:web/Feeds/TWO".into()];
        let delivery = delivery(world, &addresses);
        assert_eq!(delivery.prepare_all(&deadline(60)).await, Ok(vec![]));
        delivery.write_all(&Secret::new("patpatpat".into()), &pat(), &deadline(60)).await.expect("written");
        let requests = wire.requests();
        let last = requests.iter().rfind(|request| request.method() == Method::PUT).expect("written");
        let names: Vec<_> =
            fake::body(last)["variables"].as_object().expect("variables").keys().cloned().collect();
        assert_eq!(names, ["ONE", "TWO"]);
    }

    #[tokio::test]
    async fn when_one_store_fails_the_others_are_given_back_or_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let (old, none) = (folder.path().join("old"), folder.path().join("none"));
        std::fs::write(&old, "former").expect("written");
        let (_, world) = services();
        let delivery = delivery(
            world,
            &[
                format!("file:{}", old.display()),
                "github-secret:contoso/web/ADO_PAT".into(),
                format!("file:{}", none.display()),
                "variable-group:web/feeds/ADO_PAT".into(),
            ],
        );
        delivery.prepare_all(&deadline(60)).await.expect("prepared");
        let secret = Secret::new("patpatpat".into());
        let failure = delivery.write_all(&secret, &pat(), &deadline(60)).await.expect_err("refused");
        assert_eq!(failure.exit, Exit::Store);
        assert!(failure.cause.contains("may not write github-secret:contoso/web/ADO_PAT"), "{failure}");
        assert!(
            failure
                .cause
                .ends_with("These hold a PAT that is being revoked: variable-group:web/feeds/ADO_PAT."),
            "{failure}"
        );
        assert_eq!(std::fs::read(&old).expect("there"), b"former");
        assert!(!none.exists());
    }

    #[tokio::test]
    async fn a_delivery_that_fails_further_on_can_be_taken_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pat");
        let delivery = delivery(fake::offline(), &[format!("file:{}", path.display())]);
        delivery.prepare_all(&deadline(60)).await.expect("prepared");
        let secret = Secret::new("patpatpat".into());
        delivery.write_all(&secret, &pat(), &deadline(60)).await.expect("written");
        assert_eq!(std::fs::read(&path).expect("there"), b"patpatpat");
        let nothing = RolledBack { left: Vec::new(), spares_the_new: false };
        assert_eq!(delivery.roll_back(&deadline(60)).await, nothing);
        assert!(!path.exists());
    }

    #[tokio::test(start_paused = true)]
    async fn every_store_that_cannot_be_used_is_told_at_once() {
        let addresses =
            ["github-secret:contoso/web/ADO_PAT".into(), "variable-group:web/feeds/ADO_PAT".into()];
        let failure =
            delivery(fake::offline(), &addresses).prepare_all(&deadline(60)).await.expect_err("offline");
        assert_eq!(failure.exit, Exit::Store);
        assert!(failure.cause.contains("GitHub could not be reached"), "{failure}");
        assert!(
            failure.remedy.contains("Besides: Azure DevOps (dev.azure.com) could not be reached"),
            "{failure}"
        );
    }
}
