//! Tells which addresses name the same place, so that no two PATs are sent there.

use crate::azure_devops::Organization;
use crate::private_file::Identity;
use crate::store::Address;

/// The place that an address names. Two that are equal are one place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// A file, by whatever path.
    File(Identity),
    /// Any other, by what every spelling of it has in common.
    Named(String),
}

impl Place {
    /// The place that the address names for a PAT of this organization: the variable groups and service connections of
    /// two organizations are two places. A command names none: it may well be run for several PATs, and is told which it is given.
    pub fn of(address: &Address, organization: &Organization) -> Option<Self> {
        Some(match address {
            Address::File(path) => Self::File(Identity::of(path)),
            Address::VariableGroup { .. } | Address::ServiceConnection { .. } => {
                Self::Named(format!("{organization} {address}").to_lowercase())
            }
            Address::KeyVault { .. } | Address::GithubSecret { .. } => {
                Self::Named(address.to_string().to_lowercase())
            }
            Address::KubernetesSecret { .. } => Self::Named(address.to_string()),
            Address::Command { .. } => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn place(address: &str, organization: &str) -> Option<Place> {
        let organization = Organization::parse(organization).expect("an organization");
        Place::of(&Address::parse(address).expect("an address"), &organization)
    }

    #[rstest]
    #[case(
        "keyvault:https://contoso.vault.azure.net/secrets/a",
        "keyvault:https://CONTOSO.vault.azure.net/secrets/A"
    )]
    #[case("github-secret:contoso/web/PAT", "github-secret:Contoso/Web/pat")]
    #[case("file:no/such/folder/a", "file:no/such/folder/a")]
    fn one_place_has_many_spellings_and_is_the_same_for_every_organization(
        #[case] one: &str,
        #[case] other: &str,
    ) {
        assert_eq!(place(one, "fabrikam"), place(other, "contoso"));
    }

    #[test]
    fn a_variable_group_is_of_its_organization() {
        let group = |organization| place("variable-group:web/feeds/PAT", organization);
        assert_eq!(group("fabrikam"), group("Fabrikam"));
        assert_ne!(group("fabrikam"), group("contoso"));
    }

    #[test]
    fn a_command_is_no_place() {
        assert_eq!(place("command:gh secret set PAT", "contoso"), None);
    }

    #[test]
    fn files_differ_by_their_names() {
        assert_ne!(place("file:no/such/folder/a", "contoso"), place("file:no/such/folder/b", "contoso"));
    }
}
