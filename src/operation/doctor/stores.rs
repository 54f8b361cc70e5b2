//! The stores that doctor looks at.

use super::super::Run;
use crate::azure_devops::Organization;
use crate::store::Address;

/// A store that is to receive a PAT.
pub(super) struct Receiver<'a> {
    /// The organization of that PAT.
    pub(super) organization: &'a Organization,
    /// The store.
    pub(super) address: &'a Address,
}

/// Those of `deliver-to` and of the manifest, each once: a command may be there for many PATs.
pub(super) fn receivers<'a>(run: &Run<'a>) -> Vec<Receiver<'a>> {
    let request = run.request;
    let given = request.organization.iter().flat_map(|organization| {
        let stores = request.delivery.deliver_to.iter();
        stores.map(move |address| Receiver { organization, address })
    });
    let entries = request.operation.manifest().into_iter().flat_map(|manifest| &manifest.entries);
    let of_entries = entries.flat_map(|entry| {
        let stores = entry.deliver_to.iter();
        stores.map(|address| Receiver { organization: &entry.organization, address })
    });
    let mut receivers: Vec<Receiver<'a>> = Vec::new();
    for receiver in given.chain(of_entries) {
        let is_same = |other: &Receiver<'_>| {
            other.organization == receiver.organization && other.address == receiver.address
        };
        if !receivers.iter().any(is_same) {
            receivers.push(receiver);
        }
    }
    receivers
}

/// All stores of the run: those, and the one that keeps the refresh token.
pub(super) fn all<'a>(run: &Run<'a>) -> Vec<&'a Address> {
    let keeper = run.request.sign_in.credential_store.as_ref();
    receivers(run).into_iter().map(|receiver| receiver.address).chain(keeper).collect()
}
