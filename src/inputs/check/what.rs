//! What is to be done: the operation, and the inputs that say which PAT and on which terms.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Check, or};
use crate::azure_devops::hosts::Purpose;
use crate::azure_devops::{Endpoints, Organization};
use crate::host::{DEFAULT_VARIABLE, HostSettings};
use crate::inputs::Arguments;
use crate::inputs::choices::{Duplicates, VerifyMode};
use crate::inputs::problem::Problem;
use crate::inputs::request::{
    Create, Delivery, Doctor, Doubt, Exec, Expiry, IfMissing, List, Minting, OnCompletion,
    OnShortenedLifetime, Operation, Revoke, Rotate, Subject, Update, Verify,
};
use crate::inputs::table::input;
use crate::manifest::Manifest;
use crate::operation_name::OperationName;
use crate::pats::model::Filter;
use crate::pats::{Scope, scope_wording};

/// 2026-01-01, in seconds since 1970: no instant before this program was written lies ahead, whatever any clock says.
const WRITTEN: i64 = 1_767_225_600;

/// Which scope a task needs.
const SCOPES_BY_TASK: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/scopes.md");
/// Where Microsoft lists the scopes.
const SCOPES: &str =
    "https://learn.microsoft.com/azure/devops/integrate/get-started/authentication/oauth#scopes";

impl Check<'_> {
    pub(super) fn operation_is_missing(&mut self) {
        let words = or(input("operation").choices);
        match self.text("operation") {
            None => self.problems.add("operation", "is required", format!("give {words}")),
            Some(_) => self.wrong("operation", "is not one of its choices", format!("use {words}")),
        }
    }

    pub(super) fn operation(
        &mut self,
        operation: OperationName,
        arguments: &Arguments,
        organization: Option<&Organization>,
        endpoints: Option<&Endpoints>,
        delivery: &Delivery,
        manifest: Option<Manifest>,
    ) -> Option<Operation> {
        let minting =
            if matches!(operation, OperationName::Create | OperationName::Exec | OperationName::Rotate) {
                self.minting(organization, endpoints)
            } else {
                None
            };
        let dry_run = operation != OperationName::Exec && self.boolean("dry-run");
        Some(match operation {
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
                    renew_within: self.span("renew-within"),
                    if_missing,
                    revoke_duplicates: self.revoke_duplicates(),
                    keep_previous_for: self.span("keep-previous-for"),
                    allow_global_narrowing: self.allow_global_narrowing(),
                    minting: minting?,
                    dry_run,
                    revoke_on_completion: self.revoke_on_completion(&delivery.host),
                };
                Operation::Rotate(rotate)
            }
            OperationName::Apply => Operation::Apply(self.apply(manifest, delivery, dry_run)?),
            OperationName::Revoke => {
                let subject = self.subject();
                let if_missing = self.if_missing(IfMissing::Ignore, true);
                let revoke_duplicates = self.revoke_duplicates();
                Operation::Revoke(Revoke { subject: subject?, if_missing, revoke_duplicates, dry_run })
            }
            OperationName::Update => {
                let subject = self.subject();
                let new_display_name = self.name("new-display-name");
                let (scope, expiry) = (self.scope(), self.expiry());
                if !["new-display-name", "scope", "lifetime", "valid-to"]
                    .iter()
                    .any(|name| self.is_given(name))
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
                let (display_name, is_dated) = if self.is_given("display-name") {
                    (self.name("display-name"), false)
                } else {
                    let (name, is_dated) = self.name_of_this_run();
                    (Some(name), is_dated)
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
                let variable = delivery.variable.clone().unwrap_or_else(|| DEFAULT_VARIABLE.into());
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
                self.inputs_of_every_operation(organization, endpoints);
                if manifest.is_some() {
                    self.apply(manifest.clone(), delivery, dry_run);
                }
                let display_name = self.name("display-name");
                let doubts = std::mem::take(&mut self.doubts);
                Operation::Doctor(Doctor {
                    display_name,
                    doubts,
                    manifest,
                    problems: Vec::new(),
                    is_sign_in_wrong: false,
                    is_delivery_wrong: false,
                })
            }
        })
    }

    /// doctor is asked about a job whose operation it does not know: every input that is given has to be right.
    fn inputs_of_every_operation(
        &mut self,
        organization: Option<&Organization>,
        endpoints: Option<&Endpoints>,
    ) {
        self.scope();
        self.expiry();
        self.minting(organization, endpoints);
        self.list();
        self.if_missing(IfMissing::Fail, false);
        self.revoke_duplicates();
        self.allow_global_narrowing();
        self.boolean("dry-run");
        self.boolean("revoke-on-completion");
        self.span("renew-within");
        self.span("keep-previous-for");
        self.name("new-display-name");
        if self.is_given("authorization-id") {
            self.subject();
        }
    }

    fn minting(
        &mut self,
        organization: Option<&Organization>,
        endpoints: Option<&Endpoints>,
    ) -> Option<Minting> {
        let on_shortened_lifetime = self.choice("on-shortened-lifetime");
        let mode = self.choice("verify").unwrap_or(VerifyMode::Off);
        let url = match self.is_given("verify-url") {
            true => self.trusted_url("verify-url", Purpose::AzureDevOps),
            false => endpoints.zip(organization).and_then(|(endpoints, organization)| {
                Verify::default_url(&endpoints.devops_url, organization)
            }),
        };
        let verify = match mode {
            VerifyMode::Off => None,
            VerifyMode::Warn => Some(Verify { required: false, url: url? }),
            VerifyMode::Require => Some(Verify { required: true, url: url? }),
        };
        Some(Minting {
            on_shortened_lifetime: on_shortened_lifetime.unwrap_or(OnShortenedLifetime::Warn),
            verify,
        })
    }

    fn list(&mut self) -> List {
        let filter = self.choice("filter").unwrap_or(Filter::Active);
        let expiring_within = self.span("expiring-within");
        let fail_if_expiring = self.boolean("fail-if-expiring");
        if fail_if_expiring && !self.is_given("expiring-within") {
            self.problems.add("fail-if-expiring", "needs expiring-within", "give a duration like 14d");
        }
        List { filter, expiring_within, fail_if_expiring, fail_if_global: self.boolean("fail-if-global") }
    }

    fn name(&mut self, input: &str) -> Option<String> {
        let text = self.text(input)?;
        if text.chars().any(char::is_control) {
            let what = "holds a line break or another control character";
            self.wrong(input, what, "use a name of one line");
            return None;
        }
        Some(text.to_owned())
    }

    fn required_name(&mut self) -> Option<String> {
        if !self.is_given("display-name") {
            self.problems.add("display-name", "is required", "give the PAT a name");
        }
        self.name("display-name")
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
        if let Some(id) = self.text("authorization-id") {
            return match Uuid::parse_str(id) {
                Ok(id) => Some(Subject::Id(id.hyphenated().to_string())),
                Err(_) => {
                    self.wrong(
                        "authorization-id",
                        "is not a GUID",
                        "use the id that 'adopat list' shows, like 00000000-0000-0000-0000-000000000001; to find a PAT \
                         by its name, use display-name",
                    );
                    None
                }
            };
        }
        if !self.is_given("display-name") {
            self.problems.add(
                "display-name",
                "is missing, and so is authorization-id",
                "give one of them to say which PAT",
            );
        }
        self.name("display-name").map(Subject::Name)
    }

    fn scope(&mut self) -> Option<Scope> {
        let scope = Scope::parse(self.text("scope")?);
        if scope.is_empty() {
            self.problems.add("scope", "names no scope", "give at least one, like vso.packaging");
            return None;
        }
        let full = self.boolean("allow-full-access");
        if scope.is_full_access() && !full {
            self.problems.add(
                "scope",
                "holds app_token, which is full access",
                "name the scopes that are needed, or set allow-full-access to true",
            );
        }
        for (unknown, near) in scope_wording::unknown(self.text("scope")?) {
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
        if !self.is_given("scope") {
            self.problems.add("scope", "is required", "name what the PAT may do, like vso.packaging");
        }
        self.scope()
    }

    fn expiry(&mut self) -> Option<Expiry> {
        let (lifetime, valid_to) = (self.text("lifetime"), self.text("valid-to"));
        if lifetime.is_some() && valid_to.is_some() {
            self.problems.add("valid-to", "is given together with lifetime", "give one of them");
        }
        let span = self.span("lifetime");
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
                self.wrong("valid-to", "is not a timestamp", "use 2027-01-31T12:00:00Z");
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
        let given = self.choice("if-missing");
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
        self.choice("duplicates") == Some(Duplicates::Revoke)
    }

    fn allow_global_narrowing(&mut self) -> bool {
        self.boolean("allow-global-narrowing")
    }

    fn revoke_on_completion(&mut self, host: &HostSettings) -> Option<OnCompletion> {
        let wanted = self.boolean("revoke-on-completion");
        if wanted && (!host.has_last_step() || !self.environment.is_true("ADOPAT_LAUNCHER")) {
            self.problems.add(
                "revoke-on-completion",
                "needs a last step, which only the GitHub action and the Azure Pipelines task have",
                "use one of them, or the operation exec",
            );
        } else if wanted && host.lacks_state_file() {
            self.problems.add(
                "revoke-on-completion",
                "needs the file that GITHUB_STATE names, and it is not set",
                "pass GITHUB_STATE on to adopat",
            );
        }
        wanted.then(|| OnCompletion { left: self.environment.pending() })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;

    use super::*;
    use crate::inputs::check::testing::request;

    const LIST: [(&str, &str); 2] = [("organization", "fabrikam"), ("credential", "azure-cli")];

    fn operation(name: OperationName, given: &[(&str, &str)]) -> Result<Operation, Vec<String>> {
        request(name, &[&LIST, given].concat()).map(|request| request.operation)
    }

    #[rstest]
    #[case(&[], Expiry::After(Expiry::CREATED_FOR))]
    #[case(&[("lifetime", "90d")], Expiry::After(Duration::from_secs(90 * 86_400)))]
    #[case(&[("valid-to", "2027-01-31T12:00:00Z")], Expiry::At("2027-01-31T12:00:00Z".parse().expect("an instant")))]
    fn a_pat_lives_as_long_as_its_inputs_say(#[case] given: &[(&str, &str)], #[case] expected: Expiry) {
        let given = [&[("display-name", "ci"), ("scope", "vso.code")], given].concat();
        let Ok(Operation::Create(create)) = operation(OperationName::Create, &given) else {
            panic!("no create")
        };
        assert_eq!(create.expiry, expected);
    }

    #[rstest]
    #[case(&[("display-name", "ci")], Subject::Name("ci".into()))]
    #[case(
        &[("display-name", "ci"), ("authorization-id", "0000000000000000000000000000000A")],
        Subject::Id("00000000-0000-0000-0000-00000000000a".into())
    )]
    fn an_authorization_id_wins_over_a_name(#[case] given: &[(&str, &str)], #[case] expected: Subject) {
        let Ok(Operation::Get(subject)) = operation(OperationName::Get, given) else { panic!("no get") };
        assert_eq!(subject, expected);
    }

    #[rstest]
    #[case(OperationName::Rotate, IfMissing::Fail)]
    #[case(OperationName::Revoke, IfMissing::Ignore)]
    fn what_a_missing_pat_means_depends_on_the_operation(
        #[case] name: OperationName,
        #[case] expected: IfMissing,
    ) {
        let if_missing = match operation(name, &[("display-name", "ci")]) {
            Ok(Operation::Rotate(rotate)) => rotate.if_missing,
            Ok(Operation::Revoke(revoke)) => revoke.if_missing,
            other => panic!("{other:?}"),
        };
        assert_eq!(if_missing, expected);
    }

    #[test]
    fn an_update_that_changes_nothing_is_told_what_it_could_change() {
        let problems = operation(OperationName::Update, &[("display-name", "ci")]).expect_err("no change");
        assert_eq!(
            problems,
            [
                "Input 'new-display-name' is missing, and so is every other change: give new-display-name, scope, lifetime \
              or valid-to."
            ]
        );
    }

    #[rstest]
    #[case(&[("GITHUB_REPOSITORY", "contoso/website"), ("GITHUB_RUN_ID", "7")], "adopat contoso/website 7", false)]
    #[case(&[("GITHUB_REPOSITORY", "contoso/website"), ("HOSTNAME", "build-1")], "adopat build-1", true)]
    fn the_pat_of_exec_is_named_for_the_run(
        #[case] given: &[(&str, &str)],
        #[case] name: &str,
        #[case] is_dated: bool,
    ) {
        let environment = given.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let (values, mut problems, mut warnings) = Default::default();
        let check = Check::new(&values, &environment, &mut problems, &mut warnings);
        assert_eq!(check.name_of_this_run(), (name.to_owned(), is_dated));
    }
}
