//! Where a PAT and the outputs go.

use std::path::Path;

use super::Check;
use crate::azure_devops::Organization;
use crate::feed::{self, Feed, PackageClient};
use crate::host::{HostSettings, is_variable_name};
use crate::inputs::request::{Delivery, OutputFile, OutputFormat};
use crate::inputs::table::camel_case;
use crate::operation_name::OperationName;
use crate::outputs::OUTPUTS;
use crate::private_file;
use crate::secret::Secret;
use crate::store::{Address, Cluster};

impl Check<'_> {
    /// The cluster whose pod this is, if it is one.
    fn cluster(&self) -> Option<Cluster> {
        let host = self.environment.text("KUBERNETES_SERVICE_HOST")?.to_owned();
        let port = self.environment.text("KUBERNETES_SERVICE_PORT").unwrap_or("443").to_owned();
        Some(Cluster { host, port })
    }

    /// Where a PAT goes.
    pub(super) fn delivery(&mut self, host: HostSettings) -> Delivery {
        let variable = self.variable(&host);
        let output_variable = self.output_variable();
        let deliver_to = self.deliver_to();
        let output_file = self.output_file();
        let store = self.text("credential-store").and_then(|text| Address::parse(text).ok());
        if let Some(Address::File(path)) = &store {
            self.file("credential-store", path);
        }
        if let Some(file) = &output_file {
            self.file("output-file", &file.path);
            let file = Address::File(file.path.clone());
            if store.as_ref().is_some_and(|store| is_same(store, &file)) {
                self.problems.add(
                    "output-file",
                    "is the file of the credential-store",
                    "give each a file of its own",
                );
            }
            if deliver_to.iter().any(|address| is_same(address, &file)) {
                self.problems.add("output-file", "is a file of deliver-to", "give each a file of its own");
            }
        }
        if store.is_some_and(|store| deliver_to.iter().any(|address| is_same(address, &store))) {
            self.problems.add("deliver-to", "holds the credential-store", "give the PAT a place of its own");
        }
        let github_token = self.values.secret("github-token").cloned();
        let command_environment = self.environment.for_a_delivery().into();
        Delivery {
            host,
            variable,
            output_variable,
            deliver_to,
            github_token,
            feed: None,
            output_file,
            cluster: self.cluster(),
            command_environment,
        }
    }

    fn variable(&mut self, host: &HostSettings) -> Option<String> {
        let name = self.text("variable")?;
        let dangerous = ["PATH", "NODE_OPTIONS", "LD_PRELOAD", "HOME"];
        if !host.may_set(name) || dangerous.contains(&name.to_ascii_uppercase().as_str()) {
            self.wrong(
                "variable",
                "is not a name that adopat may set here",
                "use letters, digits and _, with a letter first, like ADO_PAT; the host's own names are reserved",
            );
            return None;
        }
        Some(name.to_owned())
    }

    fn output_variable(&mut self) -> Option<String> {
        let name = self.text("output-variable")?;
        let mut plain = OUTPUTS.iter().filter(|output| !output.secret);
        if plain.any(|output| camel_case(output.name).eq_ignore_ascii_case(name)) {
            let what = "is the name of one of adopat's plain outputs";
            self.wrong("output-variable", what, "choose another, like token");
            return None;
        }
        if !is_variable_name(name) {
            self.wrong(
                "output-variable",
                "is not the name of a variable",
                "use letters, digits and _, with a letter first, like token",
            );
            return None;
        }
        Some(name.to_owned())
    }

    fn deliver_to(&mut self) -> Vec<Address> {
        let mut stores = Vec::new();
        let lines = self.text("deliver-to").unwrap_or_default().lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty()) {
            match Address::parse(line) {
                Ok(address) if stores.iter().any(|other| is_same(other, &address)) => {
                    self.problems.add("deliver-to", format!("names {address} twice"), "name each store once");
                }
                Ok(address) => {
                    if let Address::File(path) = &address {
                        self.file("deliver-to", path);
                    }
                    stores.push(address);
                }
                Err(what) => self.problems.wrong("deliver-to", line, what, ""),
            }
        }
        stores
    }

    fn output_file(&mut self) -> Option<OutputFile> {
        let format = self.choice("output-format");
        let Some(path) = self.text("output-file") else {
            if self.is_given("output-format") {
                self.warnings.push("output-format is ignored: there is no output-file.".into());
            }
            return None;
        };
        let by_ending = if path.ends_with(".json") { OutputFormat::Json } else { OutputFormat::Dotenv };
        Some(OutputFile { path: path.into(), format: format.unwrap_or(by_ending) })
    }

    /// Says of a file that is to hold a secret what makes its path unfit for that, whatever else may come of it.
    fn file(&mut self, input: &'static str, path: &Path) {
        if let Some(why) = private_file::unfit(path).or_else(|| self.own_use_of(path)) {
            self.problems.wrong(input, &path.display().to_string(), why, "name a file of your own");
        }
    }

    pub(super) fn feed(&mut self, organization: &Organization) -> Option<Feed> {
        self.read("feed", |text| Feed::parse(text, organization))
    }

    /// A file of settings needs a new PAT and a feed that its client can use, and takes no place of anybody else's
    /// settings. Under `exec` no file is replaced at all, since it goes with the command.
    pub(super) fn settings_file(&mut self, operation: OperationName, delivery: &Delivery) {
        let Some(OutputFile { path, format }) = &delivery.output_file else { return };
        let mints = matches!(operation, OperationName::Create | OperationName::Rotate | OperationName::Exec);
        // doctor looks at a job that may mint.
        let is_for_it = mints || format.is_for_outputs();
        if !is_for_it && !matches!(operation, OperationName::Apply | OperationName::Doctor) {
            let what = format!("is for a PAT, and {}'s outputs hold none", operation.text());
            self.problems.add("output-format", what, "use json or dotenv");
            return;
        }
        let is_own: Option<fn(&[u8]) -> bool> = match format {
            OutputFormat::GitCredentials => Some(feed::logins::is_own_git_store),
            OutputFormat::Netrc => Some(feed::logins::is_own_netrc),
            _ => format.settings().map(|_| feed::is_own as fn(&[u8]) -> bool),
        };
        if operation == OperationName::Exec {
            if path.symlink_metadata().is_ok() {
                self.problems.wrong(
                    "output-file",
                    &path.display().to_string(),
                    "is there already, and under exec the file lives no longer than the command",
                    "name a file that does not exist",
                );
            }
        } else if let Some(is_own) = is_own
            && let Ok(Some(text)) = private_file::read(path)
            && !text.trim_ascii().is_empty()
            && !is_own(&text)
        {
            self.problems.wrong(
                "output-file",
                &path.display().to_string(),
                "holds settings that adopat did not write, and replacing the file would lose them",
                "name another file",
            );
        }
        let Some(settings) = format.settings() else { return };
        match (&delivery.feed, self.text("feed")) {
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
            (None, None) => self.problems.add(
                "feed",
                "is required by this output-format",
                "name the Azure Artifacts feed, like website/packages",
            ),
        }
    }

    /// How many entries git's numbered configuration has already (git-config, `GIT_CONFIG_COUNT`). `None` if git
    /// itself would not understand it.
    pub(super) fn git_entries(&self) -> Option<u16> {
        self.environment.text(feed::git::COUNT).map_or(Some(0), |count| count.parse().ok())
    }

    /// The clients, each of which must be able to use the feed and find none of its variables taken.
    pub(super) fn clients(
        &mut self,
        organization: Option<&Organization>,
        delivery: &Delivery,
        variable: &str,
        git_entries: Option<u16>,
    ) -> Vec<PackageClient> {
        let words = self.text("clients").unwrap_or_default();
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
                None if client.needs_a_feed() && !self.is_given("feed") => {
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
}

/// Whether two addresses are one place.
fn is_same(one: &Address, other: &Address) -> bool {
    match (one, other) {
        (Address::File(one), Address::File(other)) => private_file::is_same(one, other),
        // A program may well be run for both tokens, and is told which it is given.
        (Address::Command { .. }, Address::Command { .. }) => false,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::inputs::check::testing::request;

    fn delivery(given: &[(&str, &str)]) -> Result<Delivery, Vec<String>> {
        let whole = [("organization", "fabrikam"), ("credential", "azure-cli"), ("display-name", "ci")];
        request(OperationName::Rotate, &[&whole, given].concat()).map(|request| request.delivery)
    }

    #[rstest]
    #[case("pat.json", "", OutputFormat::Json)]
    #[case("pat.env", "", OutputFormat::Dotenv)]
    #[case("pat.json", "token", OutputFormat::Token)]
    #[case("pat", "git-credentials", OutputFormat::GitCredentials)]
    fn the_format_is_the_one_that_is_given_or_follows_from_the_files_ending(
        #[case] path: &str,
        #[case] format: &str,
        #[case] expected: OutputFormat,
    ) {
        let delivery = delivery(&[("output-file", path), ("output-format", format)]).expect("a request");
        assert_eq!(delivery.output_file, Some(OutputFile { path: path.into(), format: expected }));
    }

    #[rstest]
    #[case(&[("deliver-to", "file:a\n file:a")], "Input 'deliver-to' names file:a twice: name each store once.")]
    #[case(
        &[("deliver-to", "file:a"), ("output-file", "a")],
        "Input 'output-file' is a file of deliver-to: give each a file of its own."
    )]
    #[case(
        &[("deliver-to", "file:a"), ("credential-store", "file:./a")],
        "Input 'deliver-to' holds the credential-store: give the PAT a place of its own."
    )]
    #[case(
        &[("output-variable", "displayName")],
        "Input 'output-variable': 'displayName' is the name of one of adopat's plain outputs; choose another, like token."
    )]
    fn no_two_things_share_a_place(#[case] given: &[(&str, &str)], #[case] problem: &str) {
        assert_eq!(delivery(given).expect_err("a problem"), [problem]);
    }
}
