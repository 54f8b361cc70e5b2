//! git, by its numbered configuration: a helper that answers with the PAT from the environment, for every address of
//! the organization, with or without `useHttpPath`. It writes no file and puts nothing on a command line.

use super::{Variables, lower};
use crate::azure_devops::Organization;
use crate::secret::Secret;

/// The variable that counts the others.
pub const COUNT: &str = "GIT_CONFIG_COUNT";

/// The configuration, appended to `count` entries that are there already. `variable` holds the PAT.
pub fn variables(organization: &Organization, variable: &str, count: u16) -> Variables {
    let helper = format!(
        "!f() {{ test \"$1\" = get && printf 'username={organization}\\npassword=%s\\n' \"${variable}\"; }}; f"
    );
    let mut variables = Variables::new();
    let mut number = u32::from(count);
    for host in ["dev.azure.com".to_owned(), format!("{}.visualstudio.com", lower(organization))] {
        // The empty one drops the helpers that are configured elsewhere, which would be asked first.
        for value in ["", helper.as_str()] {
            variables.push((
                format!("GIT_CONFIG_KEY_{number}"),
                Secret::new(format!("credential.https://{host}.helper")),
            ));
            variables.push((format!("GIT_CONFIG_VALUE_{number}"), Secret::new(value.to_owned())));
            number += 1;
        }
    }
    variables.push((COUNT.into(), Secret::new(number.to_string())));
    variables
}
