//! Signs in for an operation. The new refresh token is stored before the PAT service is asked for anything, so that
//! the chain of tokens never breaks.

use std::convert::Infallible;
use std::io::IsTerminal as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::{Run, destinations, tenant};
use crate::azure_devops::{Organization, challenge};
use crate::entra::azure_cli::sign_in_by_azure_cli;
use crate::entra::browser::open_page;
use crate::entra::device_code::Prompt;
use crate::entra::{self, Proof, Refusal, Tokens};
use crate::failure::{Exit, Failure};
use crate::http::NoAnswer;
use crate::http::renewals::Why;
use crate::inputs::request::{ClientProof, Credential, Operation};
use crate::pats::Service;
use crate::secret::Secret;
use crate::store::bearer::{Bearer, BearerSlot, bearer};
use crate::store::{Address, AllStores, Kind, Store, Turns};
use crate::time::{Deadline, Ended, span, to_the_second};
use crate::token_shape::{Shape, Wanted};

/// The pauses before each further look at a store whose token Entra has refused.
const LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(500), Duration::from_millis(1500)];

/// What is said of an access token that has ended.
const IS_OVER: &str = "The access token had expired.";

/// The least time there is for storing a new refresh token, however late it is.
const TO_STORE: Duration = Duration::from_secs(5);

/// A user who is signed in to one organization, and the stores that wait for the PAT.
pub(super) struct Session {
    /// The PAT service of the organization, as this user.
    pub(super) service: Service,
    /// The `deliver-to` stores, each found able to take the PAT.
    pub(super) stores: AllStores,
    tokens: Tokens,
}

impl Session {
    /// Whether the access token lives on for a while, as far as is known.
    pub(super) fn is_still_good(&self) -> bool {
        self.tokens.good_for(Duration::from_secs(60))
    }

    /// The refresh token that the job's last step needs, where neither a store keeps it nor the host hands one in again:
    /// inputs come back in the last step, and a used refresh token stays good.
    pub(super) fn refresh_token_for_the_last_step(&self, run: &Run<'_>) -> Option<&Secret> {
        let comes_back = matches!(run.request.sign_in.credential, Credential::RefreshToken(Some(_)));
        self.tokens.refresh_token.as_ref().filter(|_| readable_store(run).is_none() && !comes_back)
    }
}

/// Signs in, and beside it finds out whether the stores that are to receive the PAT would take it.
pub(super) async fn sign_in(run: &Run<'_>) -> Result<Session, Failure> {
    let (slot, bearer) = bearer();
    let stores = destinations::open_all(run, bearer);
    if is_soon_at_the_pat_service(run) {
        run.http.open_ahead(&run.request.places.service_url);
    }
    let tokens = {
        let mut preparing = std::pin::pin!(stores.prepare_all(run.deadline()));
        let mut signing_in = std::pin::pin!(tokens(run));
        let mut prepared = None;
        // A sign-in is never torn apart, since it rolls the refresh token; a store that cannot be used ends the
        // run only once that is stored.
        let tokens = loop {
            tokio::select! {
                biased;
                tokens = &mut signing_in => break tokens?,
                outcome = &mut preparing, if prepared.is_none() => prepared = Some(outcome),
            }
        };
        slot.put(tokens.access_token.clone());
        let prepared = match prepared {
            Some(outcome) => outcome,
            None => preparing.await,
        };
        let warnings = prepared.map_err(|failure| failure.and("No PAT was created."))?;
        warnings.iter().for_each(|warning| run.warn(warning.to_string()));
        tokens
    };
    if run.deadline().left().is_zero() {
        return Err(took_all_the_time());
    }
    may_write_stores(&run.request.delivery.deliver_to, &tokens)?;
    let service = service(run, run.organization(), &tokens);
    Ok(Session { service, stores, tokens })
}

/// The PAT service of an organization.
fn service(run: &Run<'_>, organization: &Organization, tokens: &Tokens) -> Service {
    let address = &run.request.places.service_url;
    Service::new(run.http.clone(), address, organization.clone(), tokens.access_token.clone())
}

/// A user who is signed in to several organizations, for a run that lasts as long as it takes: an access token that ends
/// on the way is renewed.
pub(super) struct SignedIn {
    tokens: Tokens,
    bearer: Bearer,
    /// By which those that write one place at once take turns.
    turns: Turns,
    /// Where stores wait for the bearer.
    _slot: BearerSlot,
}

impl SignedIn {
    /// Signs in.
    pub(super) async fn to_many(run: &Run<'_>) -> Result<Self, Failure> {
        if is_soon_at_the_pat_service(run) {
            run.http.open_ahead(&run.request.places.service_url);
        }
        run.http.renewals().keep_fresh();
        let tokens = tokens(run).await?;
        if run.deadline().left().is_zero() {
            return Err(took_all_the_time());
        }
        let (slot, bearer) = bearer();
        slot.put(tokens.access_token.clone());
        Ok(Self { tokens, bearer, turns: Turns::default(), _slot: slot })
    }

    /// The PAT service of an organization.
    pub(super) fn service(&self, run: &Run<'_>, organization: &Organization) -> Service {
        service(run, organization, &self.tokens)
    }

    /// The stores at these addresses, those of the organization's own projects among them.
    pub(super) fn stores(
        &self,
        run: &Run<'_>,
        organization: &Organization,
        addresses: &[Address],
    ) -> AllStores {
        let bearer = self.bearer.clone();
        destinations::open_these(run, addresses, Some(organization), bearer, self.turns.clone())
    }

    /// What one PAT of an organization needs that is delivered to these stores, each found able to take it. Gives back
    /// what to warn of.
    pub(super) async fn session(
        &self,
        run: &Run<'_>,
        organization: &Organization,
        stores: AllStores,
    ) -> Result<(Session, Vec<Failure>), Failure> {
        may_write_stores(stores.stores().map(Store::address), &self.tokens)?;
        let prepared = stores.prepare_all(run.deadline()).await;
        let warnings = prepared.map_err(|failure| failure.and("No PAT was created."))?;
        let service = self.service(run, organization);
        Ok((Session { service, stores, tokens: self.tokens.clone() }, warnings))
    }
}

fn took_all_the_time() -> Failure {
    Failure::new(
        Exit::Service,
        "The sign-in took all the time that this operation may take.",
        "Run it again; raise the input 'timeout' if the sign-in is slow from here.",
    )
}

/// Whether the PAT service is called as soon as the sign-in is through: not if a person is waited for, who takes
/// minutes, nor if there is nothing to wait for, nor by a dry run that has nothing to read.
fn is_soon_at_the_pat_service(run: &Run<'_>) -> bool {
    let at_once =
        matches!(run.request.sign_in.credential, Credential::RefreshToken(_) | Credential::AzureCli);
    at_once && !matches!(&run.request.operation, Operation::Create(create) if create.dry_run)
}

/// Refuses to mint for a store of Azure DevOps that this sign-in could read but not write, as far as the sign-in's
/// answer says what it was granted.
fn may_write_stores<'a>(
    stores: impl IntoIterator<Item = &'a Address>,
    tokens: &Tokens,
) -> Result<(), Failure> {
    let Some(granted) = &tokens.granted else { return Ok(()) };
    for store in stores {
        let needed = match store {
            Address::VariableGroup { .. } => "vso.variablegroups_manage",
            Address::ServiceConnection { .. } => "vso.serviceendpoint_manage",
            _ => continue,
        };
        let may = |permission: &String| {
            [needed, "user_impersonation"].iter().any(|may| permission.eq_ignore_ascii_case(may))
        };
        if !granted.iter().any(may) {
            return Err(Failure::new(
                Exit::Store,
                format!("The sign-in was not granted {needed}, without which {store} cannot be written."),
                "Add it to the app registration ('API permissions', 'Azure DevOps', delegated), and consent to it; \
                 'adopat doctor' shows what was granted.",
            ));
        }
    }
    Ok(())
}

/// The user's tokens; whatever refresh token came with them is stored.
pub(super) async fn tokens(run: &Run<'_>) -> Result<Tokens, Failure> {
    match &run.request.sign_in.credential {
        Credential::AccessToken(token) => {
            Ok(Tokens { access_token: token.clone(), expires: None, refresh_token: None, granted: None })
        }
        Credential::RefreshToken(seed) => {
            let store = readable_store(run).map(|address| destinations::open(run, address, bearer().1));
            let tokens = redeem(run, store.as_deref(), seed.as_ref(), None).await?;
            keep(run, store, &tokens).await?;
            Ok(tokens)
        }
        Credential::DeviceCode | Credential::Browser => {
            let store = writable_store(run).await?;
            let tokens = by_a_person(run, &tenant::of(run).await?).await?;
            if run.request.sign_in.credential_store.is_some() {
                keep(run, store, &tokens).await?;
            }
            Ok(tokens)
        }
        Credential::AzureCli => {
            let tenant = run.request.sign_in.tenant_id.as_deref();
            let authority = &run.request.places.authority_host;
            let tokens = sign_in_by_azure_cli(&run.http, authority, tenant).await?;
            run.host.mask(&tokens.access_token);
            Ok(tokens)
        }
    }
}

/// Signs the same user in once more, long after the first time: by the refresh token that came with it, never by
/// asking a person again.
pub(super) async fn tokens_again(run: &Run<'_>, session: &Session) -> Result<Tokens, Failure> {
    if matches!(run.request.sign_in.credential, Credential::AccessToken(_) | Credential::AzureCli) {
        return tokens(run).await;
    }
    by_refresh_token(run, session.tokens.refresh_token.as_ref(), None).await
}

/// Gives a fresh access token for each that Azure DevOps says a policy has revoked, with the claims that it wants, and
/// for each that ends, for as long as the run lasts: by the refresh token, which is rolled and stored as ever.
pub(super) async fn renew_on_demand(run: &Run<'_>) -> Infallible {
    let mut asks = run.http.renewals().attend();
    loop {
        let Some(ask) = asks.recv().await else { return std::future::pending().await };
        let again = run.with_deadline(ask.deadline).renewing();
        let (what, claims) = match &ask.why {
            Why::Challenged(claims) => (challenge::WHAT, Some(claims.as_str())),
            Why::Over => (IS_OVER, None),
        };
        let tokens = by_refresh_token(&again, ask.refresh_token.as_ref(), claims).await;
        // One that was got by claims is not asked for again.
        if let (Ok(tokens), Why::Over) = (&tokens, &ask.why) {
            remember(run, tokens);
        }
        let fresh = tokens.map(|tokens| tokens.access_token).map_err(|failure| match failure.exit {
            Exit::SignIn => {
                let cause = format!("{what} {}", failure.cause);
                Failure { cause, ..failure }
            }
            _ => failure.and(what),
        });
        if fresh.is_ok() {
            run.info(format!("{what} Signed in again with the refresh token."));
        }
        // Who asked has not gone: a request that waits for its answer is not torn apart.
        let _ = ask.reply.send(fresh);
    }
}

/// Tokens by the newest refresh token there is: that of the store, or the `latest` that this run was given.
async fn by_refresh_token(
    run: &Run<'_>,
    latest: Option<&Secret>,
    claims: Option<&str>,
) -> Result<Tokens, Failure> {
    let seed = match (&run.request.sign_in.credential, latest) {
        (Credential::RefreshToken(seed), None) => seed.as_ref(),
        (_, latest) => latest,
    };
    let store = readable_store(run).map(|address| destinations::open(run, address, bearer().1));
    let tokens = redeem(run, store.as_deref(), seed, claims).await?;
    if run.request.sign_in.credential_store.is_some() {
        keep(run, store, &tokens).await?;
    }
    Ok(tokens)
}

/// Redeems the stored token, else the seed. Where Entra no longer takes the stored one, the store is read again,
/// since another run may have rolled it meanwhile, and at last the seed is tried.
pub(super) async fn redeem(
    run: &Run<'_>,
    store: Option<&dyn Store>,
    seed: Option<&Secret>,
    claims: Option<&str>,
) -> Result<Tokens, Failure> {
    let stored = stored(run, store).await?;
    let misfit = stored.as_ref().and_then(|stored| no_refresh_token(run, stored));
    let Some(first) = stored.as_ref().filter(|_| misfit.is_none()).or(seed) else {
        return Err(misfit.unwrap_or_else(|| nothing_to_redeem(run)));
    };
    let entra = client(run, &tenant::of(run).await?);
    let mut refusal = match attempt(run, &entra, store, first, claims).await {
        Err(refusal) if refusal.invalid_grant => refusal,
        outcome => return outcome.map_err(|refusal| refusal.failure),
    };
    let mut tried = vec![first.clone()];
    loop {
        let rolled = if stored.is_some() { rolled_meanwhile(run, store, &tried).await? } else { None };
        let Some(token) = rolled.or_else(|| seed.filter(|seed| !tried.contains(seed)).cloned()) else {
            return Err(refusal.failure);
        };
        match attempt(run, &entra, store, &token, claims).await {
            Err(next) if next.invalid_grant => refusal = next,
            outcome => return outcome.map_err(|refusal| refusal.failure),
        }
        tried.push(token);
    }
}

/// Refuses what cannot be a refresh token by its shape: Entra's own refusal would say less.
fn no_refresh_token(run: &Run<'_>, stored: &Secret) -> Option<Failure> {
    let (what, _) = Shape::of(stored.expose())?.misfit(Wanted::RefreshToken)?;
    let store = run.request.sign_in.credential_store.as_ref()?;
    Some(Failure::new(
        Exit::SignIn,
        format!("What {store} holds {what}."),
        "Sign in again with 'adopat login', which stores a refresh token there.",
    ))
}

/// What another run has stored meanwhile. Between its redeeming the old token and its storing the new one lies a
/// moment, so one look is not enough.
async fn rolled_meanwhile(
    run: &Run<'_>,
    store: Option<&dyn Store>,
    tried: &[Secret],
) -> Result<Option<Secret>, Failure> {
    for pause in LOOKS {
        match run.deadline().pause(pause).await {
            Ok(()) => {}
            Err(Ended::TimedOut) => break,
            Err(cancelled) => return Err(NoAnswer::from(cancelled).into_failure("")),
        }
        if let Some(token) = stored(run, store).await?.filter(|token| !tried.contains(token)) {
            return Ok(Some(token));
        }
    }
    Ok(None)
}

async fn attempt(
    run: &Run<'_>,
    entra: &entra::Client,
    store: Option<&dyn Store>,
    token: &Secret,
    claims: Option<&str>,
) -> Result<Tokens, Refusal> {
    run.host.mask(token);
    match entra.redeem(token, claims).await {
        Ok(tokens) => {
            mask(run, &tokens);
            // One that was got by claims is not asked for again.
            if claims.is_none() {
                remember(run, &tokens);
            }
            Ok(tokens)
        }
        Err(mut refusal) => {
            if let (Some(rolled), Some(store)) = (refusal.rolled.take(), store) {
                run.host.mask(&rolled);
                let kept = store.write(&rolled, &Kind::RefreshToken, &deadline_to_store(run)).await;
                refusal.failure = refusal.failure.and(match kept {
                    Ok(()) => "The new refresh token in that answer is stored.".into(),
                    Err(why) => {
                        format!("The new refresh token in that answer could not be stored: {}", why.account())
                    }
                });
            }
            Err(refusal)
        }
    }
}

/// Remembers that there can be a fresh access token in place of this one.
fn remember(run: &Run<'_>, tokens: &Tokens) {
    run.http.renewals().remember(&tokens.access_token, tokens.refresh_token.as_ref(), tokens.expires);
}

fn mask(run: &Run<'_>, tokens: &Tokens) {
    run.host.mask(&tokens.access_token);
    if let Some(refresh_token) = &tokens.refresh_token {
        run.host.mask(refresh_token);
    }
}

/// Signs a person in: by device code if they are elsewhere, or in this machine's browser. The time that they take
/// does not count for the run's deadline.
pub(super) async fn by_a_person(run: &Run<'_>, tenant: &str) -> Result<Tokens, Failure> {
    let entra = client(run, tenant);
    let begun = Instant::now();
    let tokens = if matches!(run.request.sign_in.credential, Credential::Browser) {
        let open = |page: &Url| {
            run.notice(format!("To sign in, open this page in a browser on this machine: {page}"));
            open_for_a_person(page.as_str());
        };
        entra.sign_in_by_browser(open).await
    } else {
        let show = |prompt: &Prompt| {
            run.notice(format!(
                "To sign in, open {} on any device and enter the code {} ({} left).",
                prompt.address,
                prompt.code,
                in_minutes(prompt.expires_in)
            ));
            open_for_a_person(&prompt.address);
        };
        let tick = |left: Duration| {
            run.info(format!("Waiting for the sign-in: {} left.", in_minutes(left)));
        };
        let tokens = entra.sign_in_by_device_code(show, tick).await;
        run.deadline().grant(begun.elapsed());
        tokens
    };
    let tokens = tokens.map_err(|refusal| refusal.failure)?;
    mask(run, &tokens);
    remember(run, &tokens);
    Ok(tokens)
}

/// The time in whole minutes, rounded up.
fn in_minutes(time: Duration) -> String {
    match time.as_secs().div_ceil(60) {
        1 => "1 minute".into(),
        minutes => format!("{minutes} minutes"),
    }
}

/// Opens the page if a person sits at a terminal. It does no harm if it does not open: they have the address.
fn open_for_a_person(page: &str) {
    if std::io::stderr().is_terminal()
        && let Ok(page) = Url::parse(page)
    {
        let _ = open_page(&page);
    }
}

fn client(run: &Run<'_>, tenant: &str) -> entra::Client {
    let sign_in = &run.request.sign_in;
    let authority = run.request.places.authority_host.clone();
    let proof = sign_in.proof.clone().map(|proof| match proof {
        ClientProof::Secret(secret) => Proof::Secret(secret),
        ClientProof::Certificate { certificate, .. } => Proof::Certificate(certificate),
        ClientProof::Federated => Proof::Federated(Box::new(run.job_tokens())),
    });
    entra::Client::new(run.http.clone(), authority, tenant.to_owned(), sign_in.client_id.clone(), proof)
}

/// The token in the credential store, if there is a store that can be read and something in it.
async fn stored(run: &Run<'_>, store: Option<&dyn Store>) -> Result<Option<Secret>, Failure> {
    match store {
        Some(store) => Ok(store.read(run.deadline()).await?.filter(|token| !token.is_empty())),
        None => Ok(None),
    }
}

pub(super) fn readable_store<'a>(run: &'a Run<'_>) -> Option<&'a Address> {
    run.request.sign_in.credential_store.as_ref().filter(|address| address.is_readable())
}

/// The credential store, once it is found able to take a token: a person is not asked to sign in for one that
/// has nowhere to go. `None` if there is no store, or it is opened by that very sign-in.
pub(super) async fn writable_store(run: &Run<'_>) -> Result<Option<Box<dyn Store>>, Failure> {
    let store = run.request.sign_in.credential_store.as_ref();
    let Some(address) = store.filter(|address| !matches!(address, Address::VariableGroup { .. })) else {
        return Ok(None);
    };
    let store = destinations::open(run, address, bearer().1);
    if let Some(warning) = store.prepare(run.deadline()).await? {
        run.warn(warning.to_string());
    }
    Ok(Some(store))
}

/// Stores the rolled refresh token, or says on which day the chain may end without it.
pub(super) async fn keep(
    run: &Run<'_>,
    store: Option<Box<dyn Store>>,
    tokens: &Tokens,
) -> Result<(), Failure> {
    let Some(rolled) = &tokens.refresh_token else { return Ok(()) };
    let store = match (store, &run.request.sign_in.credential_store) {
        (Some(store), _) => store,
        (None, Some(address)) => {
            let (slot, bearer) = bearer();
            slot.put(tokens.access_token.clone());
            destinations::open(run, address, bearer)
        }
        // The job's first step has said so.
        (None, None) if matches!(run.request.operation, Operation::PostStep(_)) => return Ok(()),
        (None, None) => {
            run.warn(goes_nowhere(run));
            return Ok(());
        }
    };
    store.write(rolled, &Kind::RefreshToken, &deadline_to_store(run)).await.map_err(|failure| {
        failure.and(
            "The new refresh token could not be stored, or it is not known whether it was, so the run ends before \
             anything else is done.",
        )
    })?;
    // The job's last step is not the first to say so.
    let is_last_step = matches!(run.request.operation, Operation::PostStep(_));
    run.noted.clear_text.fetch_or(!is_last_step, Ordering::Relaxed);
    Ok(())
}

/// That the credential store keeps the refresh token as it is, if it is a file without a key.
pub(super) fn in_clear_text(run: &Run<'_>) -> Option<String> {
    let sign_in = &run.request.sign_in;
    let store = sign_in.credential_store.as_ref().filter(|_| sign_in.store_key.is_none());
    let store = store.filter(|store| matches!(store, Address::File(_)))?;
    Some(format!(
        "The refresh token in {store} lies there in clear text: anyone who can read the file can sign in as its user. To \
         encrypt it, set store-key, delete the file and run 'adopat login' again."
    ))
}

/// Entra has rolled the token: no signal, and no deadline that is close or has passed, may keep it from being
/// stored.
pub(super) fn deadline_to_store(run: &Run<'_>) -> Deadline {
    let left = run.deadline().left().max(TO_STORE);
    run.deadline().to_clean_up().at_most(left)
}

/// The warning for a run without a credential-store.
pub(super) fn goes_nowhere(run: &Run<'_>) -> String {
    let day = to_the_second(span::after(run.http.clock().now(), Kind::REFRESH_TOKENS_IDLE_LIFE));
    format!(
        "The refresh token that Microsoft Entra sent back goes nowhere, since no credential-store is given: the one \
         in use may end on {} (90 days from now), and a person has to sign in again before then.",
        day.split('T').next().unwrap_or_default()
    )
}

fn nothing_to_redeem(run: &Run<'_>) -> Failure {
    let place =
        run.request.sign_in.credential_store.as_ref().map_or(String::new(), |store| format!(" in {store}"));
    Failure::new(
        Exit::SignIn,
        format!("There is no refresh token{place} yet."),
        "Run 'adopat login' once, or pass the first refresh token as refresh-token. A secret that is passed is empty if \
         its name is misspelled, or if the run comes from a fork's pull request.",
    )
}
