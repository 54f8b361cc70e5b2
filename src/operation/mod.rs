//! The operations. Each reads first and makes a plan, which `dry-run` prints; applying the plan is one short
//! function whose order of steps is the promise: *nothing is lost, nothing is left over*.
//!
//! No operation knows on which host it runs.

mod apply;
mod create;
mod delivery;
mod destinations;
pub(crate) mod doctor;
mod exec;
mod find;
mod get;
mod lifecycle;
mod list;
mod listing;
mod login;
mod outcome;
mod plan;
mod post_step;
mod results;
mod retire;
mod revoke;
mod rotate;
mod sign_in;
mod sign_in_again;
mod state;
mod summary;
mod tenant;
mod text_table;
mod timeline;
mod transaction;
mod update;
mod verify;

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use terminal_size::terminal_size_of;

use self::text_table::Table;
use crate::azure_devops::Organization;
use crate::entra::Tokens;
use crate::failure::{Exit, Failure};
use crate::host::{Host, Level, sanitize};
use crate::http::Http;
use crate::inputs::request::{Doubt, Expiry, Operation};
use crate::inputs::{Problem, Request};
use crate::oidc::JobTokens;
use crate::pats;
use crate::secret::Mask;
use crate::time::{Cancellation, Deadline, span};
use crate::world::World;

/// One run of one operation.
pub struct Run<'a> {
    request: &'a Request,
    host: Arc<dyn Host>,
    http: Http,
    noted: Arc<Noted>,
}

/// What is said once a run.
#[derive(Default)]
struct Noted {
    /// The machine's clock is off, which has been said.
    clock: AtomicBool,
    /// The refresh token lies in a file in clear text, which is said at the end: nothing comes before a mask.
    clear_text: AtomicBool,
}

impl<'a> Run<'a> {
    /// A run of `request` on `host`, until it is cancelled or its time is over.
    pub fn new(request: &'a Request, host: Arc<dyn Host>, world: World, cancellation: Cancellation) -> Self {
        let deadline = Deadline::new(request.timeout, cancellation);
        let places = &request.places;
        let services = [&places.service_url, &places.devops_url, &places.authority_host];
        let http = Http::new(world, deadline).reckoning_by(&services);
        Self { request, host, http, noted: Arc::default() }
    }

    /// Runs it to its end; the exit code of a success is 0, but for exec, whose command has its own, and for
    /// doctor.
    ///
    /// # Errors
    /// The failure a person is to read; its exit code is the process's.
    pub async fn to_its_end(&self) -> Result<u8, Failure> {
        let carried_out = tokio::select! {
            biased;
            ended = self.carry_out() => ended,
            never = sign_in::renew_on_demand(self) => match never {},
        };
        let ended = match carried_out {
            Ok(code) => Ok(code),
            Err(failure) => Err(self.explained(failure).await),
        };
        self.tell_of_the_clock();
        if let Some(sentence) = sign_in::in_clear_text(self)
            && self.noted.clear_text.load(Ordering::Relaxed)
        {
            self.info(sentence);
        }
        ended
    }

    /// Signs in as every operation does, and returns once the rolled refresh token is stored: for a program that
    /// has work of its own to do as this user.
    ///
    /// # Errors
    /// As those of [`Run::to_its_end`].
    pub async fn sign_in(&self) -> Result<Tokens, Failure> {
        match sign_in::tokens(self).await {
            Ok(tokens) => Ok(tokens),
            Err(failure) => Err(self.explained(failure).await),
        }
    }

    /// The failure with what this run knows beside what the service says.
    async fn explained(&self, failure: Failure) -> Failure {
        self.explained_of(self.any_organization(), failure).await
    }

    /// The same of a failure in one organization.
    async fn explained_of(&self, organization: Option<&Organization>, failure: Failure) -> Failure {
        let failure = tenant::explain(self, organization, failure).await;
        with_next_step(sign_in_again::with_the_command(self.request, failure))
    }

    /// The way the run's requests go.
    pub fn http(&self) -> &Http {
        &self.http
    }

    async fn carry_out(&self) -> Result<u8, Failure> {
        // doctor says of each store by itself what is wrong with it, and the last step what may live on.
        if !matches!(self.request.operation, Operation::Doctor(_) | Operation::PostStep(_)) {
            destinations::look_up_programs(self)?;
        }
        if !matches!(self.request.operation, Operation::Doctor(_)) {
            self.refuse_an_end_in_the_past().await?;
            if let Some(doubt) = self.doubt_of_the_end().await {
                self.warn(format!("{} {}", doubt.what, doubt.remedy));
            }
        }
        delivery::require_a_writable_output_file(self)?;
        match &self.request.operation {
            Operation::Create(create) => create::create(self, create).await?,
            Operation::Rotate(rotate) => rotate::rotate(self, rotate).await?,
            Operation::Revoke(revoke) => revoke::revoke(self, revoke).await?,
            Operation::Update(update) => update::update(self, update).await?,
            Operation::Apply(apply) => return apply::apply(self, apply).await,
            Operation::Get(subject) => get::get(self, subject).await?,
            Operation::List(list) => list::list(self, list).await?,
            Operation::Exec(exec) => return exec::exec(self, exec).await,
            Operation::Login => login::login(self).await?,
            Operation::PostStep(pending) => post_step::revoke_what_is_left(self, pending).await,
            Operation::Doctor(asked) => return doctor::doctor(self, asked).await,
        }
        Ok(0)
    }

    /// Refuses a `valid-to` that is over by the services' clock.
    async fn refuse_an_end_in_the_past(&self) -> Result<(), Failure> {
        match self.request.valid_to {
            Some(at) if at <= self.now().await => {
                Err(Failure::new(Exit::Inputs, Problem::past_end(&at.to_string()).to_string(), ""))
            }
            _ => Ok(()),
        }
    }

    /// What the service may say of a `valid-to` that lies far ahead.
    async fn doubt_of_the_end(&self) -> Option<Doubt> {
        let at = self.request.valid_to?;
        (at > span::after(self.now().await, Expiry::A_YEAR)).then(|| Doubt::beyond_a_year(&at.to_string()))
    }

    /// The same run, cleaning up: deaf to signals, with some time of its own.
    fn cleaning_up(&self) -> Self {
        self.with_deadline(self.deadline().to_clean_up())
    }

    /// The same run, but ending at most `limit` from now.
    fn at_most(&self, limit: Duration) -> Self {
        self.with_deadline(self.deadline().at_most(limit))
    }

    fn with_deadline(&self, deadline: Deadline) -> Self {
        let (host, noted) = (Arc::clone(&self.host), Arc::clone(&self.noted));
        Self { http: self.http.with_deadline(deadline), request: self.request, host, noted }
    }

    /// The same run, signing in again: what it asks meanwhile waits for no sign-in.
    fn renewing(&self) -> Self {
        let again = self.with_deadline(self.deadline().clone());
        Self { http: self.http.without_renewals(), ..again }
    }

    fn deadline(&self) -> &Deadline {
        self.http.deadline()
    }

    /// What time it is at the services. They are asked if none of them has answered yet.
    async fn now(&self) -> jiff::Timestamp {
        let now = self.http.now().await;
        if !self.http.clock().is_set() && self.is_first_word_of_the_clock() {
            self.warn(
                "No service says what time it is, so this machine's clock counts: if it is wrong, so is every expiry.",
            );
        }
        self.tell_of_the_clock();
        now
    }

    /// Warns of a machine whose clock is off, once. doctor has a check for that, and the last step is not the first
    /// to find it.
    fn tell_of_the_clock(&self) {
        if matches!(self.request.operation, Operation::Doctor(_) | Operation::PostStep(_)) {
            return;
        }
        if let Some(off) = self.http.clock().machine_is_off()
            && self.is_first_word_of_the_clock()
        {
            self.warn(format!(
                "This machine's clock is {} the services'. Lifetimes and expiries are counted by the services' clock. \
                 Set this machine's clock: certificates are checked by it.",
                clock_off(off)
            ));
        }
    }

    fn is_first_word_of_the_clock(&self) -> bool {
        !self.noted.clock.swap(true, Ordering::Relaxed)
    }

    fn organization(&self) -> &Organization {
        self.request.organization.as_ref().expect("every operation of one organization has it")
    }

    /// An organization that the run is about, where it is about one: all of a run belong to one tenant.
    fn any_organization(&self) -> Option<&Organization> {
        match &self.request.operation {
            Operation::Apply(apply) => apply.manifest.entries.first().map(|entry| &entry.organization),
            _ => self.request.organization.as_ref(),
        }
    }

    fn info(&self, text: impl AsRef<str>) {
        self.host.say(Level::Info, text.as_ref());
    }

    fn error(&self, text: impl AsRef<str>) {
        self.host.say(Level::Error, text.as_ref());
    }

    fn notice(&self, text: impl AsRef<str>) {
        self.host.say(Level::Notice, text.as_ref());
    }

    fn warn(&self, text: impl AsRef<str>) {
        self.host.say(Level::Warning, text.as_ref());
    }

    /// Shows what was asked for: on a host without outputs of its own [alone](Self::show_alone); on the others the table
    /// is in the log, and the JSON in the outputs.
    fn show(
        &self,
        table: impl FnOnce(Option<usize>) -> Table,
        json: impl Iterator<Item = String>,
        headline: impl FnOnce() -> String,
    ) {
        if self.host.has_outputs() {
            self.info(headline());
            self.host.print(&table(None).text());
        } else {
            self.show_alone(table, json);
        }
    }

    /// Shows what was asked for on standard output: as a table for a person, or as JSON for a program, given part by
    /// part, since it may be long.
    fn show_alone(&self, table: impl FnOnce(Option<usize>) -> Table, json: impl Iterator<Item = String>) {
        if !std::io::stdout().is_terminal() {
            return json.for_each(|part| self.host.print(&sanitize::json(&part)));
        }
        let width = terminal_size_of(std::io::stdout()).map_or(80, |(width, _)| width.0.into());
        let table = table(Some(width));
        table.lines.iter().for_each(|line| self.host.print_line(line));
        if !table.left_out.is_empty() {
            let left_out = table.left_out.join(", ");
            self.info(format!("Left out for want of width: {left_out}. A pipe or a file gets all, as JSON."));
        }
    }

    /// The job's own OIDC token, from wherever this host hands it out.
    fn job_tokens(&self) -> JobTokens {
        let sign_in = &self.request.sign_in;
        let connection = sign_in.azure_service_connection.clone();
        JobTokens::new(self.http.clone(), sign_in.oidc.clone(), connection, self.mask())
    }

    /// Tells the host of every token that is handed to it.
    fn mask(&self) -> Mask {
        let host = Arc::clone(&self.host);
        Arc::new(move |secret| host.mask(secret))
    }

    /// Whether the run was cancelled, as the failure it then ends in.
    fn cancelled(&self) -> Result<(), Failure> {
        match self.deadline().cancelled() {
            Some(signal) => Err(Failure::new(Exit::Cancelled(signal), "The run was cancelled.", "")),
            None => Ok(()),
        }
    }
}

/// How far a machine's clock is off, like `3 days ahead of` (somebody's clock).
fn clock_off(clock_skew: jiff::SignedDuration) -> String {
    let side = if clock_skew.is_negative() { "behind" } else { "ahead of" };
    let minutes = (clock_skew.abs().as_secs() + 30) / 60;
    let (count, unit) = match minutes {
        0..120 => (minutes, "minutes"),
        120..2880 => ((minutes + 30) / 60, "hours"),
        _ => ((minutes + 720) / 1440, "days"),
    };
    format!("{count} {unit} {side}")
}

/// A sign-in that fails, and a service that refuses the signed-in user, can have twenty causes: doctor tells them
/// apart. Not so if adopat itself refuses, or if the service refuses what it was asked for: those have no name,
/// or one of which doctor knows nothing.
fn with_next_step(mut failure: Failure) -> Failure {
    let concerned = match failure.exit {
        Exit::SignIn => true,
        Exit::Refused | Exit::Store => {
            failure.name.as_deref().is_some_and(|name| !pats::refusal::is_about_the_request(name))
        }
        _ => false,
    };
    if concerned && !failure.remedy.contains("'adopat doctor'") {
        failure.remedy.push_str(" Run 'adopat doctor' to check the sign-in, the permissions and the stores.");
    }
    failure
}
