//! What a vault lists: secrets, deleted ones, versions; never with their values, and in pages.

use http::StatusCode;
use serde_json::{Value, json};

use super::bad_parameter;
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::services::{Service, Services};

/// The most items in one page.
const LARGEST_PAGE: usize = 25;

/// The newest version of every secret that is not deleted.
pub(super) fn secrets(services: &Services, call: &Call) -> Result<Answer, Answer> {
    let base = services.address(Service::Vault);
    let living = services.vault.secrets.all().filter(|secret| secret.deletion.is_none());
    let items = living.filter_map(|secret| Some((secret.name.to_lowercase(), secret.listed(base)?)));
    page(call, &format!("{base}/secrets"), items.collect())
}

/// Every deleted secret that can be recovered.
pub(super) fn deleted(services: &Services, call: &Call) -> Result<Answer, Answer> {
    let base = services.address(Service::Vault);
    let items = services.vault.secrets.all().filter_map(|secret| {
        Some((secret.name.to_lowercase(), super::deletion::shown(secret.recoverable()?, base, false)?))
    });
    page(call, &format!("{base}/deletedsecrets"), items.collect())
}

/// The versions of a secret; of one that is not there it has none (recorded, .NET), and of a deleted one neither.
/// Their order is that of their ids, which are random: none is promised.
pub(super) fn versions(services: &Services, call: &Call, name: &str) -> Result<Answer, Answer> {
    let base = services.address(Service::Vault);
    let versions = services.vault.secrets.living(name).map_or(&[][..], |secret| &secret.versions);
    let mut items: Vec<(String, Value)> =
        versions.iter().map(|version| (version.id.clone(), version.shown(base, name, false))).collect();
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    page(call, &format!("{base}/secrets/{name}/versions"), items)
}

/// One page of items, each with the key that it is sorted by.
fn page(call: &Call, address: &str, mut items: Vec<(String, Value)>) -> Result<Answer, Answer> {
    let most = match call.query("maxresults").map(str::parse::<usize>) {
        None => LARGEST_PAGE,
        Some(Ok(most @ 1..=LARGEST_PAGE)) => most,
        Some(_) => return Err(bad_parameter("maxresults must be between 1 and 25.")),
    };
    if let Some(last) = call.query("$skiptoken") {
        items.retain(|(key, _)| key.as_str() > last);
    }
    let more = items.len() > most;
    items.truncate(most);
    let next = items.last().filter(|_| more).map(|(last, _)| {
        let version = call.query("api-version").unwrap_or_default();
        format!("{address}?api-version={version}&maxresults={most}&$skiptoken={last}")
    });
    let value: Vec<Value> = items.into_iter().map(|(_, item)| item).collect();
    Ok(answer::json(StatusCode::OK, &json!({"value": value, "nextLink": next})))
}
