//! `login`: a person signs in once, and the refresh token rests in the credential store from then on.

mod gh_secret;
mod paste;
mod person;

use super::{Run, sign_in, tenant};
use crate::failure::{Exit, Failure};
use crate::store::{Address, Kind};
use crate::time::{span, to_the_second};

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
    let who = match person::name(run, &tokens.access_token).await {
        Some(name) => format!("Signed in as {name}."),
        None => "Signed in.".into(),
    };
    let until = to_the_second(span::after(run.http.clock().now(), Kind::REFRESH_TOKENS_IDLE_LIFE));
    let day = until.split('T').next().unwrap_or_default();
    let place = match address {
        Address::Command { .. } => format!("was handed to {address}"),
        _ => format!("is in {address}"),
    };
    run.info(format!(
        "{who} The refresh token {place}. If no run uses it, it is good until {day}; each run renews it."
    ));
    run.info("Paste what follows into your pipeline:");
    run.host.print(&paste::for_each_host(run.request, &tenant, address));
    Ok(())
}
