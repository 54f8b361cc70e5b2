//! `login`: a person signs in once, and the refresh token rests in the credential store from then on.

use super::{Run, sign_in, tenant};
use crate::failure::{Exit, Failure};
use crate::store::Address;

pub(super) async fn login(run: &Run<'_>) -> Result<(), Failure> {
    let Some(address) = &run.request.sign_in.credential_store else {
        return Err(Failure::new(Exit::Inputs, "There is no credential-store.", "Give one."));
    };
    let store = sign_in::writable_store(run).await?;
    let tenant = tenant::of(run).await?;
    let tokens = sign_in::by_a_person(run, &tenant).await?;
    if tokens.refresh_token.is_none() {
        return Err(Failure::new(
            Exit::SignIn,
            "Microsoft Entra sent no refresh token.",
            "The app registration must allow offline_access; ask who owns it, and sign in again.",
        ));
    }
    sign_in::keep(run, store, &tokens).await?;
    run.info(format!("Signed in. The refresh token rests in {address}. Use it like this:"));
    run.host.print(&yaml(&run.request.sign_in.client_id, &tenant, address));
    Ok(())
}

fn yaml(client_id: &str, tenant: &str, store: &Address) -> String {
    let store = store.to_string();
    let lines = [("client-id", client_id), ("tenant-id", tenant), ("credential-store", &store)];
    let lines = lines.map(|(name, value)| format!("  {name}: {}", scalar(value)));
    format!("with:\n{}", lines.join("\n"))
}

/// A value as YAML: plain where that is safe, else in the quotes that YAML shares with JSON.
fn scalar(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '/' | '.' | '_' | '-' | '%');
    let safe = value.chars().all(plain)
        && value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !value.ends_with(':');
    if safe { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_yaml_would_read_otherwise_is_quoted() {
        assert_eq!(scalar("file:/var/lib/token"), "file:/var/lib/token");
        assert_eq!(scalar("file:/a b: c#d"), "\"file:/a b: c#d\"");
        assert_eq!(scalar("variable-group:a/b%2Fc/D"), "variable-group:a/b%2Fc/D");
    }
}
