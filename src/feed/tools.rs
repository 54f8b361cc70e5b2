//! Tools that read a PAT from a variable of their own.

use super::Variables;
use crate::azure_devops::Organization;
use crate::secret::Secret;

/// `az devops` and `az artifacts`. An `az login` that works is preferred to it by the tool itself.
pub fn az(token: &Secret) -> Variables {
    vec![("AZURE_DEVOPS_EXT_PAT".into(), token.clone())]
}

/// Terraform's provider `azuredevops`.
pub fn terraform(organization: &Organization, token: &Secret) -> Variables {
    vec![
        ("AZDO_PERSONAL_ACCESS_TOKEN".into(), token.clone()),
        ("AZDO_ORG_SERVICE_URL".into(), Secret::new(format!("https://dev.azure.com/{organization}"))),
    ]
}
