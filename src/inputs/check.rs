//! From texts to a [`Request`]: every rule an input has to obey, each with its remedy.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::arguments::Arguments;
use super::environment::Environment;
use super::problem::{Problem, Problems};
use super::request::{
    ClientProof, Create, Credential, Delivery, Doctor, Doubt, Exec, Expiry, IfMissing, List, Minting,
    OnCompletion, OnShortenedLifetime, Operation, OutputFile, OutputFormat, Request, Revoke, Rotate, SignIn,
    Subject, Update, Verify,
};
use super::table::{Input, camel_case, input};
use super::{Inputs, Values};
use crate::azure_devops::Endpoints;
use crate::azure_devops::hosts::{self, Purpose};
use crate::azure_devops::organization::Organization;
use crate::entra::Certificate;
use crate::feed::{self, Feed, PackageClient, Settings};
use crate::host::HostSettings;
use crate::oidc::OidcSources;
use crate::operation_name::OperationName;
use crate::outputs::OUTPUTS;
use crate::pats::model::Filter;
use crate::pats::{Scope, scope_wording};
use crate::private_file;
use crate::secret::Secret;
use crate::store::Address;
use crate::store::vault_identity::{ServiceConnection, VaultIdentity};
use crate::time::span;
use crate::token_shape::{Shape, Wanted};

/// 2026-01-01, in seconds since 1970: no instant before this program was written lies ahead, whatever any clock says.
const WRITTEN: i64 = 1_767_225_600;

/// Which scope a task needs.
const SCOPES_BY_TASK: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/scopes.md");
/// Where Microsoft lists the scopes.
const SCOPES: &str =
    "https://learn.microsoft.com/azure/devops/integrate/get-started/authentication/oauth#scopes";

/// The default of `variable` on Azure Pipelines and for exec.
const VARIABLE: &str = "ADO_PAT";

/// Why a secret that a workflow passes is empty.
const EMPTY_SECRET: &str =
    "A secret is empty if its name is misspelled, or if the run comes from a fork's pull request.";

/// An Azure Pipelines macro that named no variable reaches the task as it was written. Whether the value is one.
pub(super) fn is_macro(input: &Input, value: &Secret, problems: &mut Problems) -> bool {
    let text = value.expose();
    let inside = |start: usize| {
        let name = &text[start + 2..];
        let end = name.find(')')?;
        let name = &name[..end];
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | ' ');
        (!name.is_empty() && name.chars().all(is_name)).then_some(name)
    };
    let found = if input.secret {
        // Within a secret these characters mean nothing; only a secret that is nothing else is a macro.
        (text.starts_with("$(") && text.ends_with(')')).then(|| inside(0)).flatten()
    } else {
        text.match_indices("$(").find_map(|(start, _)| inside(start))
    };
    if let Some(name) = found {
        problems.add(
            input.name,
            format!("holds $({name}), an Azure Pipelines macro that was left unexpanded"),
            "define that variable, or make it available to this job; a secret variable is missing from the build of a \
             fork's pull request",
        );
    }
    found.is_some()
}

/// The part of the request that says where a PAT goes: checked first, since the host is opened with it.
pub(super) fn delivery(values: &Values, host: HostSettings, problems: &mut Problems) -> Delivery {
    let variable = values.variable.clone().filter(|name| {
        let hosts_own = |prefix: &str| name.to_ascii_uppercase().starts_with(prefix);
        let free = match &host {
            HostSettings::AzurePipelines { .. } => {
                is_name(name, ".")
                    && !["SYSTEM.", "AGENT.", "BUILD.", "RELEASE.", "ENDPOINT.", "SYSTEM_", "AGENT_", "VSTS_"]
                        .into_iter()
                        .any(hosts_own)
            }
            HostSettings::GithubActions { .. } => {
                is_name(name, "") && !["GITHUB_", "RUNNER_", "ACTIONS_"].into_iter().any(hosts_own)
            }
            HostSettings::Generic { .. } => is_name(name, ""),
        };
        let dangerous =
            ["PATH", "NODE_OPTIONS", "LD_PRELOAD", "HOME"].contains(&name.to_ascii_uppercase().as_str());
        if !free || dangerous {
            problems.wrong(
                "variable",
                name,
                "is not a name that adopat may set here",
                "use letters, digits and _, with a letter first, like ADO_PAT; the host's own names are reserved",
            );
        }
        free && !dangerous
    });
    let output_variable = values.output_variable.clone().filter(|name| {
        let plain = OUTPUTS.iter().filter(|output| !output.secret);
        let taken = plain.map(|output| camel_case(output.name)).any(|plain| plain.eq_ignore_ascii_case(name));
        if taken {
            problems.wrong(
                "output-variable",
                name,
                "is the name of one of adopat's plain outputs",
                "choose another, like token",
            );
        } else if !is_name(name, "") {
            problems.wrong(
                "output-variable",
                name,
                "is not the name of a variable",
                "use letters, digits and _, with a letter first, like token",
            );
        }
        !taken && is_name(name, "")
    });
    let mut deliver_to = Vec::new();
    for line in values.deliver_to.iter().flat_map(|list| list.lines()).map(str::trim) {
        if line.is_empty() {
            continue;
        }
        match Address::parse(line) {
            Ok(address) if deliver_to.iter().any(|other| is_same(other, &address)) => {
                problems.add("deliver-to", format!("names {address} twice"), "name each store once");
            }
            Ok(address) => {
                if let Address::File(path) = &address {
                    check_file("deliver-to", path, problems);
                }
                deliver_to.push(address);
            }
            Err(what) => problems.wrong("deliver-to", line, what, ""),
        }
    }
    let format = choice("output-format", values.output_format.as_deref(), problems, |word| {
        Some(match word {
            "json" => OutputFormat::Json,
            "dotenv" => OutputFormat::Dotenv,
            "token" => OutputFormat::Token,
            "git-credentials" => OutputFormat::GitCredentials,
            "netrc" => OutputFormat::Netrc,
            _ => OutputFormat::Settings(Settings::parse(word)?),
        })
    });
    let output_file = values.output_file.as_ref().map(|path| OutputFile {
        path: PathBuf::from(path),
        format: format.unwrap_or(if path.ends_with(".json") {
            OutputFormat::Json
        } else {
            OutputFormat::Dotenv
        }),
    });
    let store = values.credential_store.as_deref().and_then(|text| Address::parse(text).ok());
    if let Some(Address::File(path)) = &store {
        check_file("credential-store", path, problems);
    }
    if let Some(file) = &output_file {
        check_file("output-file", &file.path, problems);
        let file = Address::File(file.path.clone());
        if store.as_ref().is_some_and(|store| is_same(store, &file)) {
            problems.add("output-file", "is the file of the credential-store", "give each a file of its own");
        }
        if deliver_to.iter().any(|address| is_same(address, &file)) {
            problems.add("output-file", "is a file of deliver-to", "give each a file of its own");
        }
    }
    if store.is_some_and(|store| deliver_to.iter().any(|address| is_same(address, &store))) {
        problems.add("deliver-to", "holds the credential-store", "give the PAT a place of its own");
    }
    Delivery {
        host,
        variable,
        output_variable,
        deliver_to,
        github_token: values.github_token.clone(),
        feed: None,
        output_file,
    }
}

/// Letters, digits, `_` and the given others, no digit first.
fn is_name(name: &str, others: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || others.contains(c))
}

pub(super) fn request(
    inputs: Inputs,
    arguments: &Arguments,
    environment: &Environment,
) -> (Vec<String>, Result<Request, Vec<Problem>>) {
    let given = inputs.operation(arguments);
    let Inputs { values, mut problems, mut delivery, mut warnings, .. } = inputs;
    let mut check = Check {
        doubts: Vec::new(),
        values: &values,
        environment,
        valid_to: None,
        problems: &mut problems,
        warnings: &mut warnings,
    };
    if given.is_none() && !arguments.post_step {
        check.operation_is_missing();
    }
    let word = given.unwrap_or(OperationName::Doctor);
    let organization = check.organization(word);
    let places = check.places();
    delivery.feed = organization.as_ref().and_then(|organization| check.feed(organization));
    check.settings_file(word, &delivery);
    let sign_in = check.sign_in(word, arguments.post_step, &delivery);
    let timeout = check.span("timeout", values.timeout.as_deref()).unwrap_or(Duration::from_secs(5 * 60));
    if timeout.is_zero() {
        check.problems.add("timeout", "leaves no time at all", "give a duration like 5m");
    }
    let operation = if arguments.post_step {
        Some(Operation::PostStep(environment.pending()))
    } else {
        check.operation(word, arguments, organization.as_ref(), places.as_ref(), &delivery)
    };
    let valid_to = check.valid_to;
    if !input("deliver-to").is_for(word) || arguments.post_step {
        delivery.deliver_to.clear();
    }
    if matches!(delivery.host, HostSettings::AzurePipelines { .. }) && delivery.variable.is_none() {
        delivery.variable = Some(VARIABLE.into());
    }
    let doubts = check.doubts.iter().map(|doubt| format!("{} {}", doubt.what, doubt.remedy));
    check.warnings.extend(doubts);
    let credential_store = sign_in.as_ref().and_then(|sign_in| sign_in.credential_store.as_ref());
    let mut stores = delivery.deliver_to.iter().chain(credential_store);
    if delivery.github_token.is_none() && stores.any(|store| matches!(store, Address::GithubSecret { .. })) {
        check.problems.add(
            "github-token",
            "is not given, or is empty, and a github-secret: address needs it",
            format!("give a token that may write secrets (GITHUB_TOKEN cannot). {EMPTY_SECRET}"),
        );
    }
    if given.is_some() && word != OperationName::Doctor {
        problems.retain_for(word);
    }
    let problems = problems.into_vec();
    let request = match (operation, sign_in, places) {
        (Some(operation), Some(sign_in), Some(places)) if problems.is_empty() => {
            Ok(Request { operation, organization, sign_in, places, delivery, timeout, valid_to })
        }
        _ => Err(problems),
    };
    (warnings, request)
}

/// A choice's value; the problem names what may be chosen.
fn choice<T>(
    name: &'static str,
    text: Option<&str>,
    problems: &mut Problems,
    read: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let text = text?;
    let value = read(text);
    if value.is_none() {
        problems.wrong(name, text, "is not one of its choices", format!("use {}", or(input(name).choices)));
    }
    value
}

/// The words as a choice: `a, b or c`.
pub(super) fn or(words: &[&str]) -> String {
    match words {
        [all @ .., last] if !all.is_empty() => format!("{} or {last}", all.join(", ")),
        _ => words.join(""),
    }
}

struct Check<'a> {
    /// What may be wrong, and only the service knows.
    doubts: Vec<Doubt>,
    values: &'a Values,
    environment: &'a Environment,
    /// `valid-to`, once it has been read.
    valid_to: Option<Timestamp>,
    problems: &'a mut Problems,
    warnings: &'a mut Vec<String>,
}

impl Check<'_> {
    fn operation_is_missing(&mut self) {
        let words = or(input("operation").choices);
        match &self.values.operation {
            None => self.problems.add("operation", "is required", format!("give {words}")),
            Some(text) => {
                let remedy = format!("use {words}");
                self.problems.wrong("operation", text, "is not one of its choices", remedy);
            }
        }
    }

    fn organization(&mut self, word: OperationName) -> Option<Organization> {
        let given = self.values.organization.as_deref();
        let jobs = ["SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"];
        let Some(text) = given.or_else(|| self.environment.first(&jobs)) else {
            if word != OperationName::Login {
                self.problems.add("organization", "is required", "give the Azure DevOps organization's name");
            }
            return None;
        };
        let read = Organization::parse(text).map_err(|what| match given {
            Some(_) => what,
            None => format!("is the collection of this job's agent and {what}"),
        });
        self.problems.check("organization", text, read)
    }

    fn places(&mut self) -> Option<Endpoints> {
        let authority_host =
            self.place("authority-host", self.values.authority_host.as_deref(), Purpose::SignIn);
        let service_url = self.place("service-url", self.values.service_url.as_deref(), Purpose::AzureDevOps);
        let devops_url = self.place("devops-url", self.values.devops_url.as_deref(), Purpose::AzureDevOps);
        let github_api_url = self.github_api();
        Some(Endpoints {
            authority_host: authority_host?,
            service_url: service_url?,
            devops_url: devops_url?,
            github_api_url: github_api_url?,
        })
    }

    fn place(&mut self, name: &'static str, text: Option<&str>, purpose: Purpose) -> Option<Url> {
        let text = text.unwrap_or(input(name).default.expect("every service has its address"));
        self.problems.check(name, text, hosts::parse_trusted(text, purpose))
    }

    /// github.com, the runner's own server, or loopback: the token goes nowhere else.
    fn github_api(&mut self) -> Option<Url> {
        let runners = self.environment.text("GITHUB_API_URL");
        let text = self.values.github_api_url.as_deref().or(runners).unwrap_or("https://api.github.com");
        let url = self.problems.check("github-api-url", text, hosts::parse_address(text))?;
        let same = |other: &str| Url::parse(other).is_ok_and(|other| other.origin() == url.origin());
        if hosts::is_loopback(&url) || same("https://api.github.com") || runners.is_some_and(same) {
            return Some(url);
        }
        self.problems.wrong(
            "github-api-url",
            text,
            "is not an address that adopat sends a GitHub token to",
            "use https://api.github.com or the runner's own GITHUB_API_URL",
        );
        None
    }

    fn boolean(&mut self, name: &'static str, text: Option<&str>) -> bool {
        match text.map(str::to_ascii_lowercase).as_deref() {
            None | Some("false" | "0" | "no") => false,
            Some("true" | "1" | "yes") => true,
            Some(_) => {
                let text = text.unwrap_or_default();
                self.problems.wrong(name, text, "is neither true nor false", "use true or false");
                false
            }
        }
    }

    fn span(&mut self, name: &'static str, text: Option<&str>) -> Option<Duration> {
        self.problems.check(name, text?, span::parse(text?))
    }

    fn operation(
        &mut self,
        word: OperationName,
        arguments: &Arguments,
        organization: Option<&Organization>,
        places: Option<&Endpoints>,
        delivery: &Delivery,
    ) -> Option<Operation> {
        let values = self.values;
        let minting = if matches!(word, OperationName::Create | OperationName::Exec | OperationName::Rotate) {
            self.minting(organization, places)
        } else {
            None
        };
        let dry_run = word != OperationName::Exec && self.boolean("dry-run", values.dry_run.as_deref());
        Some(match word {
            OperationName::Create => {
                let display_name = self.required_name();
                let scope = self.required_scope();
                let expiry = self.expiry();
                let revoke_on_completion = self.revoke_on_completion(&delivery.host);
                Operation::Create(Create {
                    display_name: display_name?,
                    scope: scope?,
                    expiry: expiry.unwrap_or(Expiry::After(Expiry::CREATED_FOR)),
                    minting: minting?,
                    dry_run,
                    revoke_on_completion,
                })
            }
            OperationName::Rotate => {
                let subject = self.subject();
                let if_missing = self.if_missing(IfMissing::Fail, matches!(subject, Some(Subject::Id(_))));
                let rotate = Rotate {
                    subject: subject.unwrap_or(Subject::Name(String::new())),
                    scope: self.scope(),
                    expiry: self.expiry(),
                    renew_within: self.span("renew-within", values.renew_within.as_deref()),
                    if_missing,
                    revoke_duplicates: self.revoke_duplicates(),
                    keep_previous_for: self.span("keep-previous-for", values.keep_previous_for.as_deref()),
                    allow_global_narrowing: self.allow_global_narrowing(),
                    minting: minting?,
                    dry_run,
                    revoke_on_completion: self.revoke_on_completion(&delivery.host),
                };
                Operation::Rotate(rotate)
            }
            OperationName::Revoke => {
                let subject = self.subject();
                let if_missing = self.if_missing(IfMissing::Ignore, true);
                let revoke_duplicates = self.revoke_duplicates();
                Operation::Revoke(Revoke { subject: subject?, if_missing, revoke_duplicates, dry_run })
            }
            OperationName::Update => {
                let subject = self.subject();
                let new_display_name = self.name("new-display-name", values.new_display_name.as_deref());
                let (scope, expiry) = (self.scope(), self.expiry());
                if [&values.new_display_name, &values.scope, &values.lifetime, &values.valid_to]
                    .iter()
                    .all(|change| change.is_none())
                {
                    self.problems.add(
                        "new-display-name",
                        "is missing, and so is every other change",
                        "give new-display-name, scope, lifetime or valid-to",
                    );
                }
                let allow_global_narrowing = self.allow_global_narrowing();
                Operation::Update(Update {
                    subject: subject?,
                    new_display_name,
                    scope,
                    expiry,
                    allow_global_narrowing,
                    dry_run,
                })
            }
            OperationName::Get => Operation::Get(self.subject()?),
            OperationName::List => Operation::List(self.list()),
            OperationName::Exec => {
                let (display_name, is_dated) = match &values.display_name {
                    Some(_) => (self.required_name(), false),
                    None => {
                        let (name, is_dated) = self.name_of_this_run();
                        (Some(name), is_dated)
                    }
                };
                let scope = self.required_scope();
                let expiry = self.expiry();
                if arguments.command.is_empty() {
                    self.problems.add(
                        "operation",
                        "is exec, and no command is given",
                        "run adopat exec -- COMMAND ARG...",
                    );
                }
                let environment = self.environment.for_a_command();
                let variable = delivery.variable.clone().unwrap_or_else(|| VARIABLE.into());
                let git_entries = self.git_entries();
                let clients = self.clients(organization, delivery, &variable, git_entries);
                let git_entries = git_entries.unwrap_or_default();
                Operation::Exec(Exec {
                    display_name: display_name?,
                    is_dated,
                    scope: scope?,
                    expiry: expiry.unwrap_or(Expiry::After(Expiry::EXECUTED_FOR)),
                    minting: minting?,
                    variable,
                    clients,
                    git_entries,
                    command: arguments.command.clone(),
                    environment,
                })
            }
            OperationName::Login => Operation::Login,
            OperationName::Doctor => {
                self.inputs_of_every_operation(organization, places);
                let display_name = self.name("display-name", values.display_name.as_deref());
                Operation::Doctor(Doctor { display_name, doubts: std::mem::take(&mut self.doubts) })
            }
        })
    }

    fn feed(&mut self, organization: &Organization) -> Option<Feed> {
        let text = self.values.feed.as_deref()?;
        self.problems.check("feed", text, Feed::parse(text, organization))
    }

    /// A file of settings needs a feed that its client can use, and takes no place of anybody else's settings. Under
    /// `exec` no file is replaced at all, since it goes with the command.
    fn settings_file(&mut self, word: OperationName, delivery: &Delivery) {
        let Some(OutputFile { path, format }) = &delivery.output_file else { return };
        if word == OperationName::Exec {
            if path.symlink_metadata().is_ok() {
                self.problems.wrong(
                    "output-file",
                    &path.display().to_string(),
                    "is there already, and under exec the file lives no longer than the command",
                    "name a file that does not exist",
                );
            }
        } else if let (OperationName::Create | OperationName::Rotate, OutputFormat::Settings(_)) =
            (word, format)
            && let Ok(Some(text)) = private_file::read(path)
            && !feed::is_own(&text)
        {
            self.problems.wrong(
                "output-file",
                &path.display().to_string(),
                "holds settings that adopat did not write, and replacing the file would lose them",
                "name another file",
            );
        }
        let OutputFormat::Settings(settings) = format else { return };
        match (&delivery.feed, &self.values.feed) {
            (Some(feed), _) => {
                if let Some(why) = settings.unfit(feed) {
                    self.problems.wrong(
                        "feed",
                        &feed.to_string(),
                        why,
                        "choose another feed or output-format",
                    );
                }
            }
            (None, Some(_)) => {}
            (None, None)
                if matches!(word, OperationName::Create | OperationName::Rotate | OperationName::Exec) =>
            {
                self.problems.add(
                    "feed",
                    "is required by this output-format",
                    "name the Azure Artifacts feed, like website/packages",
                )
            }
            (None, None) => {}
        }
    }

    /// How many entries git's numbered configuration has already (git-config, `GIT_CONFIG_COUNT`). `None` if git
    /// itself would not understand it.
    fn git_entries(&self) -> Option<u16> {
        self.environment.text(feed::git::COUNT).map_or(Some(0), |count| count.parse().ok())
    }

    /// The clients, each of which must be able to use the feed and find none of its variables taken.
    fn clients(
        &mut self,
        organization: Option<&Organization>,
        delivery: &Delivery,
        variable: &str,
        git_entries: Option<u16>,
    ) -> Vec<PackageClient> {
        let words = self.values.clients.as_deref().unwrap_or_default();
        let words = words.split(|c: char| c == ',' || c == ';' || c.is_whitespace());
        let mut clients = Vec::new();
        for word in words.filter(|word| !word.is_empty()) {
            match PackageClient::ALL.into_iter().find(|client| client.word() == word) {
                Some(client) if !clients.contains(&client) => clients.push(client),
                Some(_) => {}
                None => {
                    let known = PackageClient::ALL.map(PackageClient::word).join(", ");
                    let remedy = format!("use one or more of {known} (npm is for pnpm too)");
                    self.problems.wrong("clients", word, "is not a client that adopat knows", remedy);
                }
            }
        }
        let Some(organization) = organization else { return clients };
        if clients.contains(&PackageClient::Git) {
            if git_entries.is_none() {
                let what =
                    "holds git, and its variable GIT_CONFIG_COUNT is not a number that git understands";
                self.problems.add("clients", what, "unset the variable, or leave the client out");
            }
            if variable.contains('.') {
                let what = "holds git, which cannot read a variable with a dot in its name";
                self.problems.add("clients", what, "choose another name for the input 'variable'");
            }
        }
        let token = Secret::new(String::new());
        let feed = delivery.feed.as_ref();
        let git_entries = git_entries.unwrap_or_default();
        let sign_in = feed::ClientLogin { organization, feed, token: &token, variable, git_entries };
        for client in &clients {
            match feed {
                None if client.needs_a_feed() && self.values.feed.is_none() => {
                    let what = format!("is required by the client {}", client.word());
                    self.problems.add("feed", what, "name the Azure Artifacts feed, like website/packages");
                }
                None => {}
                Some(feed) => {
                    if let Some(why) = client.unfit(feed) {
                        self.problems.wrong("feed", &feed.to_string(), why, "choose another feed or client");
                    }
                }
            }
            let ours = client.variables(&sign_in);
            let ours = ours.iter().map(|(name, value)| (name.as_str(), value.expose()));
            for (name, value) in ours.chain(client.beaten_by().iter().map(|name| (*name, ""))) {
                if name == variable && !value.is_empty() {
                    let what =
                        format!("holds {}, whose variable {name} is not for the PAT alone", client.word());
                    self.problems.add("clients", what, "choose another name for the input 'variable'");
                } else if ![variable, feed::git::COUNT].contains(&name)
                    && self.environment.is_otherwise(name, value)
                {
                    let what = format!("holds {}, and its variable {name} is set already", client.word());
                    self.problems.add("clients", what, "unset the variable, or leave the client out");
                }
            }
        }
        clients
    }

    /// doctor is asked about a job whose operation it does not know: every input that is given has to be right.
    fn inputs_of_every_operation(&mut self, organization: Option<&Organization>, places: Option<&Endpoints>) {
        let values = self.values;
        self.scope();
        self.expiry();
        self.minting(organization, places);
        self.list();
        self.if_missing(IfMissing::Fail, false);
        self.revoke_duplicates();
        self.allow_global_narrowing();
        self.boolean("dry-run", values.dry_run.as_deref());
        self.boolean("revoke-on-completion", values.revoke_on_completion.as_deref());
        self.span("renew-within", values.renew_within.as_deref());
        self.span("keep-previous-for", values.keep_previous_for.as_deref());
        self.name("new-display-name", values.new_display_name.as_deref());
        if values.authorization_id.is_some() {
            self.subject();
        }
    }

    fn minting(
        &mut self,
        organization: Option<&Organization>,
        places: Option<&Endpoints>,
    ) -> Option<Minting> {
        let shortened = self.values.on_shortened_lifetime.as_deref();
        let on_shortened_lifetime =
            choice("on-shortened-lifetime", shortened, self.problems, |word| match word {
                "warn" => Some(OnShortenedLifetime::Warn),
                "fail" => Some(OnShortenedLifetime::Fail),
                _ => None,
            });
        let required = choice("verify", self.values.verify.as_deref(), self.problems, |word| match word {
            "off" => Some(None),
            "warn" => Some(Some(false)),
            "require" => Some(Some(true)),
            _ => None,
        });
        let verify_url = match self.values.verify_url.as_deref() {
            Some(text) => {
                let read = hosts::parse_trusted(text, Purpose::AzureDevOps);
                self.problems.check("verify-url", text, read)
            }
            None => places
                .zip(organization)
                .and_then(|(places, organization)| Verify::default_url(&places.devops_url, organization)),
        };
        let verify = match required.flatten() {
            Some(required) => Some(Verify { required, url: verify_url? }),
            None => None,
        };
        Some(Minting {
            on_shortened_lifetime: on_shortened_lifetime.unwrap_or(OnShortenedLifetime::Warn),
            verify,
        })
    }

    fn list(&mut self) -> List {
        let values = self.values;
        let filter = choice("filter", values.filter.as_deref(), self.problems, |word| {
            [Filter::Active, Filter::Expired, Filter::Revoked, Filter::All]
                .into_iter()
                .find(|f| f.word() == word)
        });
        let expiring_within = self.span("expiring-within", values.expiring_within.as_deref());
        let fail_if_expiring = self.boolean("fail-if-expiring", values.fail_if_expiring.as_deref());
        if fail_if_expiring && values.expiring_within.is_none() {
            self.problems.add("fail-if-expiring", "needs expiring-within", "give a duration like 14d");
        }
        List {
            filter: filter.unwrap_or(Filter::Active),
            expiring_within,
            fail_if_expiring,
            fail_if_global: self.boolean("fail-if-global", values.fail_if_global.as_deref()),
        }
    }

    fn name(&mut self, input: &'static str, text: Option<&str>) -> Option<String> {
        let text = text?;
        if text.chars().any(char::is_control) {
            self.problems.wrong(
                input,
                text,
                "holds a line break or another control character",
                "use a name of one line",
            );
            return None;
        }
        Some(text.to_owned())
    }

    fn required_name(&mut self) -> Option<String> {
        if self.values.display_name.is_none() {
            self.problems.add("display-name", "is required", "give the PAT a name");
        }
        self.name("display-name", self.values.display_name.as_deref())
    }

    /// exec's PAT is named for the run, so that a person finds out where one comes from; and whether the time has to
    /// be added, for want of anything that tells one run from another.
    fn name_of_this_run(&self) -> (String, bool) {
        let repository = self.environment.first(&[
            "GITHUB_REPOSITORY",
            "BUILD_REPOSITORY_NAME",
            "CI_PROJECT_PATH",
            "BUILDKITE_PIPELINE_SLUG",
            "CIRCLE_PROJECT_REPONAME",
            "JOB_NAME",
        ]);
        let run = self.environment.first(&[
            "GITHUB_RUN_ID",
            "BUILD_BUILDID",
            "CI_PIPELINE_ID",
            "BUILDKITE_BUILD_NUMBER",
            "CIRCLE_BUILD_NUM",
            "BUILD_NUMBER",
        ]);
        let (name, is_dated) = match (repository, run) {
            (Some(repository), Some(run)) => (format!("adopat {repository} {run}"), false),
            _ => {
                let host = self.environment.first(&["HOSTNAME", "COMPUTERNAME"]).map(str::to_owned);
                let host = host.or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
                let host = host.as_deref().map_or("localhost", str::trim);
                (format!("adopat {host}"), true)
            }
        };
        (name.chars().filter(|c| !c.is_control()).collect(), is_dated)
    }

    fn subject(&mut self) -> Option<Subject> {
        let values = self.values;
        if let Some(id) = &values.authorization_id {
            return match Uuid::parse_str(id) {
                Ok(id) => Some(Subject::Id(id.hyphenated().to_string())),
                Err(_) => {
                    self.problems.wrong(
                        "authorization-id",
                        id,
                        "is not a GUID",
                        "use the id that 'adopat list' shows, like 00000000-0000-0000-0000-000000000001; to find a PAT \
                         by its name, use display-name",
                    );
                    None
                }
            };
        }
        if values.display_name.is_none() {
            self.problems.add(
                "display-name",
                "is missing, and so is authorization-id",
                "give one of them to say which PAT",
            );
        }
        self.name("display-name", values.display_name.as_deref()).map(Subject::Name)
    }

    fn scope(&mut self) -> Option<Scope> {
        let scope = Scope::parse(self.values.scope.as_deref()?);
        if scope.is_empty() {
            self.problems.add("scope", "names no scope", "give at least one, like vso.packaging");
            return None;
        }
        let full = self.boolean("allow-full-access", self.values.allow_full_access.as_deref());
        if scope.is_full_access() && !full {
            self.problems.add(
                "scope",
                "holds app_token, which is full access",
                "name the scopes that are needed, or set allow-full-access to true",
            );
        }
        for (unknown, near) in scope_wording::unknown(self.values.scope.as_deref()?) {
            self.doubts.push(Doubt {
                what: format!("The scope {unknown} is not a known one; it is sent all the same."),
                remedy: match near {
                    Some(near) => format!("Did you mean {near}? Scopes by task: {SCOPES_BY_TASK}."),
                    None => format!("Check its spelling against {SCOPES}; scopes by task: {SCOPES_BY_TASK}."),
                },
            });
        }
        Some(scope)
    }

    fn required_scope(&mut self) -> Option<Scope> {
        if self.values.scope.is_none() {
            self.problems.add("scope", "is required", "name what the PAT may do, like vso.packaging");
        }
        self.scope()
    }

    fn expiry(&mut self) -> Option<Expiry> {
        let (lifetime, valid_to) = (self.values.lifetime.as_deref(), self.values.valid_to.as_deref());
        if lifetime.is_some() && valid_to.is_some() {
            self.problems.add("valid-to", "is given together with lifetime", "give one of them");
        }
        let span = self.span("lifetime", lifetime);
        if span.is_some_and(|span| span.is_zero()) {
            self.problems.add("lifetime", "is no time at all", "give a duration like 30d");
        }
        let at = valid_to.and_then(|text| match text.parse::<Timestamp>() {
            // Whether any other lies ahead, the services' clock says.
            Ok(at) if at.as_second() < WRITTEN => {
                self.problems.push(Problem::past_end(text));
                None
            }
            Ok(at) => Some(at),
            Err(_) => {
                self.problems.wrong("valid-to", text, "is not a timestamp", "use 2027-01-31T12:00:00Z");
                None
            }
        });
        self.valid_to = at;
        if span.is_some_and(|span| span > Expiry::A_YEAR) {
            self.doubts.push(Doubt::beyond_a_year(lifetime.unwrap_or_default()));
        }
        span.map(Expiry::After).or(at.map(Expiry::At))
    }

    fn if_missing(&mut self, default: IfMissing, cannot_create: bool) -> IfMissing {
        let given =
            choice("if-missing", self.values.if_missing.as_deref(), self.problems, |word| match word {
                "fail" => Some(IfMissing::Fail),
                "ignore" => Some(IfMissing::Ignore),
                "create" => Some(IfMissing::Create),
                _ => None,
            });
        if given == Some(IfMissing::Create) && cannot_create {
            self.problems.add(
                "if-missing",
                "is create, which is for rotate by display-name alone",
                "give display-name and leave authorization-id out, or give fail or ignore",
            );
        }
        given.unwrap_or(default)
    }

    fn revoke_duplicates(&mut self) -> bool {
        let given =
            choice("duplicates", self.values.duplicates.as_deref(), self.problems, |word| match word {
                "fail" => Some(false),
                "revoke" => Some(true),
                _ => None,
            });
        given.unwrap_or(false)
    }

    fn allow_global_narrowing(&mut self) -> bool {
        self.boolean("allow-global-narrowing", self.values.allow_global_narrowing.as_deref())
    }

    fn revoke_on_completion(&mut self, host: &HostSettings) -> Option<OnCompletion> {
        let wanted = self.boolean("revoke-on-completion", self.values.revoke_on_completion.as_deref());
        let generic = matches!(host, HostSettings::Generic { .. });
        if wanted && (generic || !self.environment.is_true("ADOPAT_LAUNCHER")) {
            self.problems.add(
                "revoke-on-completion",
                "needs a last step, which only the GitHub action and the Azure Pipelines task have",
                "use one of them, or the operation exec",
            );
        } else if wanted && matches!(host, HostSettings::GithubActions { state: None, .. }) {
            self.problems.add(
                "revoke-on-completion",
                "needs the file that GITHUB_STATE names, and it is not set",
                "pass GITHUB_STATE on to adopat",
            );
        }
        wanted.then(|| OnCompletion { left: self.environment.pending() })
    }

    fn sign_in(&mut self, word: OperationName, post_step: bool, delivery: &Delivery) -> Option<SignIn> {
        let values = self.values;
        let credential_store = values
            .credential_store
            .as_deref()
            .and_then(|text| self.problems.check("credential-store", text, Address::parse(text)));
        if values.store_key.is_some() && !matches!(credential_store, None | Some(Address::File(_))) {
            self.warnings.push("store-key is ignored: only a file: store is encrypted by it.".into());
        }
        let proof = self.proof();
        let (credential, inferred_from) = match self.environment.saved_refresh_token() {
            Some(token) if post_step => {
                (Some(Credential::RefreshToken(Some(token))), "saved by the step".into())
            }
            _ => self.credential(word, proof.is_some()),
        };
        if let Some(Credential::RefreshToken(seed)) = &credential
            && let Some(store) = &credential_store
            && !store.is_readable()
            && seed.is_none()
        {
            self.problems.add(
                "refresh-token",
                format!("is not given, or is empty, and adopat cannot read it from {store}"),
                format!("pass the secret that holds it as refresh-token. {EMPTY_SECRET}"),
            );
        }
        if word == OperationName::Login && values.credential_store.is_none() {
            self.problems.add(
                "credential-store",
                "is required",
                "say where to store the refresh token, like file:refresh-token or \
                 keyvault:https://VAULT.vault.azure.net/secrets/NAME",
            );
        }
        let needs_client = matches!(
            credential,
            Some(Credential::RefreshToken(_) | Credential::DeviceCode | Credential::Browser)
        );
        if needs_client && values.client_id.is_none() {
            self.problems.add(
                "client-id",
                "is required",
                "give the 'Application (client) ID' of the app registration that you sign in to",
            );
        }
        if values
            .client_id
            .as_deref()
            .is_some_and(|id| id.chars().any(|c| c.is_control() || c.is_whitespace()))
        {
            let text = values.client_id.as_deref().unwrap_or_default();
            self.problems.wrong(
                "client-id",
                text,
                "is not the id of an app registration",
                "use its 'Application (client) ID', like 00000000-0000-0000-0000-000000000001",
            );
        }
        let tenant_id = self.tenant_id();
        let service_connection = self.service_connection();
        Some(SignIn {
            credential: credential?,
            inferred_from,
            tenant_id,
            client_id: values.client_id.clone().unwrap_or_default(),
            proof,
            credential_store,
            store_key: values.store_key.clone(),
            azure_service_connection: values.azure_service_connection.clone(),
            oidc: self.oidc(&delivery.host),
            vault_identity: VaultIdentity {
                client_id: self.environment.text("AZURE_CLIENT_ID").map(str::to_owned),
                tenant_id: self.environment.text("AZURE_TENANT_ID").map(str::to_owned),
                client_secret: self.environment.secret("AZURE_CLIENT_SECRET"),
                service_connection,
                app_service: self.environment.text("IDENTITY_ENDPOINT").is_some()
                    && self.environment.text("IDENTITY_HEADER").is_some(),
            },
        })
    }

    fn tenant_id(&mut self) -> Option<String> {
        let tenant = self.values.tenant_id.clone()?;
        let is_segment = tenant.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
            && tenant.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !is_segment {
            self.problems.wrong(
                "tenant-id",
                &tenant,
                "is not a tenant",
                "use its GUID, or a verified domain like contoso.com",
            );
            return None;
        }
        if ["common", "consumers"].contains(&tenant.to_ascii_lowercase().as_str()) {
            self.problems.wrong(
                "tenant-id",
                &tenant,
                "lets personal accounts in, which the PAT service refuses",
                "use the tenant's GUID or domain, or organizations",
            );
            return None;
        }
        Some(tenant)
    }

    fn credential(&mut self, word: OperationName, has_proof: bool) -> (Option<Credential>, String) {
        let values = self.values;
        // One that is malformed is told as such, and no reason to ask for another credential.
        let has_store = values.credential_store.is_some();
        let (refresh, access) = (values.refresh_token.clone(), values.access_token.clone());
        let given = choice("credential", values.credential.as_deref(), self.problems, |word| {
            input("credential").choices.iter().copied().find(|known| *known == word)
        });
        if values.credential.is_some() && given.is_none() {
            return (None, String::new());
        }
        if word == OperationName::Login {
            let credential = match given {
                Some("browser") => Some(Credential::Browser),
                Some("device-code") => Some(Credential::DeviceCode),
                None if has_proof => Some(Credential::Browser),
                None => Some(Credential::DeviceCode),
                Some(other) => {
                    let remedy = "use device-code or browser";
                    self.problems.wrong("credential", other, "cannot be used by login", remedy);
                    None
                }
            };
            return (credential, "login".into());
        }
        let (credential, from) = match given {
            Some("refresh-token") if refresh.is_none() && !has_store => {
                self.problems.add(
                    "refresh-token",
                    "is not given, or is empty, and there is no credential-store",
                    format!("give one of them; 'adopat login' makes one. {EMPTY_SECRET}"),
                );
                (None, "given")
            }
            Some("refresh-token") => (Some(Credential::RefreshToken(refresh)), "given"),
            Some("access-token") => match access {
                Some(token) => (Some(Credential::AccessToken(token)), "given"),
                None => {
                    let remedy = format!("give it, or another credential. {EMPTY_SECRET}");
                    self.problems.add("access-token", "is not given, or is empty", remedy);
                    (None, "given")
                }
            },
            Some("device-code") => (Some(Credential::DeviceCode), "given"),
            Some("azure-cli") => (Some(Credential::AzureCli), "given"),
            Some(_) => {
                self.problems.add(
                    "credential",
                    "is browser, which is for login only",
                    "run 'adopat login' once",
                );
                (None, "given")
            }
            None => match (refresh, access) {
                (Some(_), Some(_)) => {
                    self.problems.add(
                        "credential",
                        "is missing, and both refresh-token and access-token are given",
                        "give one of them, or say which by credential",
                    );
                    (None, "")
                }
                (Some(token), None) => {
                    (Some(Credential::RefreshToken(Some(token))), "inferred from refresh-token")
                }
                (None, Some(token)) => (Some(Credential::AccessToken(token)), "inferred from access-token"),
                (None, None) if has_store => {
                    (Some(Credential::RefreshToken(None)), "inferred from credential-store")
                }
                (None, None) => {
                    let empty = ["refresh-token", "access-token"];
                    match empty.into_iter().find(|name| self.is_handed_over_empty(name)) {
                        Some(name) => {
                            let remedy = format!("pass the secret that holds it. {EMPTY_SECRET}");
                            self.problems.add(name, "is empty", remedy);
                        }
                        None => self.problems.add(
                            "credential",
                            "is missing, and no secret or store says what it could be",
                            format!(
                                "give refresh-token, credential-store or access-token, or set it to device-code or \
                                 azure-cli. {EMPTY_SECRET}"
                            ),
                        ),
                    }
                    (None, "")
                }
            },
        };
        match &credential {
            Some(Credential::AccessToken(token)) => self.fits("access-token", token, Wanted::AccessToken),
            Some(Credential::RefreshToken(Some(token))) => {
                self.fits("refresh-token", token, Wanted::RefreshToken);
            }
            _ => {}
        }
        (credential, from.to_owned())
    }

    /// What by its shape is no such token is not even sent.
    fn fits(&mut self, input: &'static str, token: &Secret, wanted: Wanted) {
        if let Some((what, remedy)) = Shape::of(token.expose()).and_then(|shape| shape.misfit(wanted)) {
            self.problems.add(input, what, remedy);
        }
    }

    /// Whether this secret was handed over, and is empty. GitHub hands every input over, set or not.
    fn is_handed_over_empty(&self, name: &str) -> bool {
        let on_github = self.environment.is_true("GITHUB_ACTIONS");
        self.environment.is_set_but_empty(input(name)) && !on_github
    }

    fn proof(&mut self) -> Option<ClientProof> {
        let values = self.values;
        let federated = self.boolean("federated", values.federated.as_deref());
        let given = [values.client_secret.is_some(), values.client_certificate.is_some(), federated];
        if given.into_iter().filter(|given| *given).count() > 1 {
            self.problems.add(
                "client-secret",
                "is not the only proof of the client",
                "give one of client-secret, client-certificate and federated",
            );
        }
        if federated {
            return Some(ClientProof::Federated);
        }
        if let Some(secret) = &values.client_secret {
            return Some(ClientProof::Secret(secret.clone()));
        }
        let text = values.client_certificate.as_ref()?.expose();
        let file = (!input("client-certificate").holds_a_secret(text)).then(|| PathBuf::from(text));
        let bytes = match &file {
            None => Ok(text.as_bytes().to_vec()),
            Some(file) => std::fs::read(file),
        };
        let password = values.client_certificate_password.as_ref();
        let read = match bytes.map(Zeroizing::new) {
            Ok(bytes) => Certificate::read(&bytes, password).map_err(|failure| failure.to_string()),
            Err(error) => Err(format!("The file it names cannot be read: {error}.")),
        };
        match read {
            Ok(certificate) => {
                Some(ClientProof::Certificate { certificate, file, has_password: password.is_some() })
            }
            Err(why) => {
                self.problems.add("client-certificate", "cannot be used", why.trim_end_matches('.'));
                None
            }
        }
    }

    fn oidc(&mut self, host: &HostSettings) -> OidcSources {
        let environment = self.environment;
        let servers = ["GITHUB_SERVER_URL", "GITHUB_API_URL"].map(|name| environment.text(name));
        let githubs = |text: &str| hosts::parse_githubs(text, servers.into_iter().flatten());
        let azures = |text: &str| hosts::parse_trusted(text, Purpose::AzureDevOps);
        OidcSources {
            github: self.token_endpoint(
                "ACTIONS_ID_TOKEN_REQUEST_URL",
                githubs,
                &["ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
            ),
            azure_pipelines: self.token_endpoint(
                "SYSTEM_OIDCREQUESTURI",
                azures,
                &["ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN", "SYSTEM_ACCESSTOKEN"],
            ),
            file: environment.path("AZURE_FEDERATED_TOKEN_FILE"),
            id_token: self.values.id_token.clone(),
            on_github: matches!(host, HostSettings::GithubActions { .. }),
        }
    }

    /// The address that the host names for asking its OIDC token, and the job's own token for it, which goes to
    /// that host alone.
    fn token_endpoint(
        &mut self,
        address: &str,
        parse: impl Fn(&str) -> Result<Url, String>,
        tokens: &[&str],
    ) -> Option<(Url, Secret)> {
        let text = self.environment.text(address)?;
        let token = tokens.iter().find_map(|name| self.environment.secret(name))?;
        match parse(text) {
            Ok(url) => Some((url, token)),
            Err(what) => {
                self.warnings.push(format!("{address} is ignored: it {what}."));
                None
            }
        }
    }

    fn service_connection(&mut self) -> Option<ServiceConnection> {
        let id = self.values.azure_service_connection.as_deref()?;
        let parameter = |name: &str| {
            let spellings = [id.to_owned(), id.to_ascii_lowercase(), id.to_ascii_uppercase()];
            spellings.into_iter().find_map(|id| {
                self.environment.text(&format!("ENDPOINT_AUTH_PARAMETER_{id}_{name}")).map(str::to_owned)
            })
        };
        Some(ServiceConnection {
            id: id.to_owned(),
            client_id: parameter("SERVICEPRINCIPALID").unwrap_or_default(),
            tenant_id: parameter("TENANTID").unwrap_or_default(),
        })
    }
}

/// Whether two addresses are one place.
fn is_same(one: &Address, other: &Address) -> bool {
    match (one, other) {
        (Address::File(one), Address::File(other)) => private_file::is_same(one, other),
        _ => one == other,
    }
}

/// Says of a file that is to hold a secret what makes its path unfit for that, whatever else may come of it.
fn check_file(input: &'static str, path: &Path, problems: &mut Problems) {
    if let Some(why) = private_file::unfit(path) {
        problems.wrong(input, &path.display().to_string(), why, "name a file of your own");
    }
}
