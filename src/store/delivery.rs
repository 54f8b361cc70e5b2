//! Handing a new PAT to every store that is to have it, or to none.
//!
//! All stores are asked beforehand whether they would take it. If one fails at the handing over all the same,
//! the PAT will be revoked; so every store that can is given back what it held, and the others are named, since
//! from then on they hold a dead PAT.

use futures_util::future::join_all;

use super::{Address, Kind, Restored, Store};
use crate::failure::{Exit, Failure};
use crate::patience::Patience;
use crate::secret::Secret;

/// The stores of `deliver-to`.
pub struct Delivery {
    stores: Vec<Box<dyn Store>>,
}

impl Delivery {
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
    pub async fn prepare_all(&self, patience: &Patience) -> Result<Vec<String>, Failure> {
        let mut warnings = Vec::new();
        let mut failures = Vec::new();
        for prepared in join_all(self.stores().map(|store| store.prepare(patience))).await {
            match prepared {
                Ok(warning) => warnings.extend(warning),
                Err(failure) => failures.push(failure),
            }
        }
        together(failures).map_or(Ok(warnings), Err)
    }

    /// Writes the secret to every store. Those that share a variable group are written one after the other,
    /// since an update replaces the whole group; all others at once.
    ///
    /// # Errors
    /// Every store that could not be written; by then the others have been [taken back](Self::take_back),
    /// and the failure names those that hold the secret still.
    pub async fn write_all(&self, secret: &Secret, kind: &Kind, patience: &Patience) -> Result<(), Failure> {
        let lanes = self.lanes().into_iter().map(|lane| async move {
            for store in lane {
                store.write(secret, kind, patience).await?;
            }
            Ok(())
        });
        let failures = join_all(lanes).await.into_iter().filter_map(Result::err).collect();
        let Some(failure) = together(failures) else { return Ok(()) };
        Err(match self.take_back(patience).await {
            Some(left) => failure.and(left),
            None => failure,
        })
    }

    /// Gives every store back what it held when it was prepared; for when the delivery failed here or further
    /// on. Cleaning up, it goes on for a while past the deadline and the run's cancellation. Gives back a
    /// sentence that names the stores that hold the new secret still, if any do.
    pub async fn take_back(&self, patience: &Patience) -> Option<String> {
        let patience = patience.to_clean_up();
        let restored = join_all(self.stores().map(|store| store.restore(&patience))).await;
        let left = self.stores().zip(restored).filter_map(|(store, restored)| match restored {
            Ok(Restored::Whole) => None,
            Ok(Restored::NotPossible) => Some(store.address().to_string()),
            Err(failure) => Some(format!(
                "{} (it was not given back its former value: {})",
                store.address(),
                failure.cause
            )),
        });
        let left: Vec<String> = left.collect();
        (!left.is_empty()).then(|| format!("What these hold is a revoked PAT now: {}.", left.join(", ")))
    }

    /// The stores, in groups that may be written at once; within one, one after the other.
    fn lanes(&self) -> Vec<Vec<&dyn Store>> {
        let mut lanes: Vec<(String, Vec<&dyn Store>)> = Vec::new();
        for store in self.stores() {
            let place = match store.address() {
                Address::VariableGroup { project, group, .. } => {
                    format!("variable-group:{}/{}", project.to_lowercase(), group.to_lowercase())
                }
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
