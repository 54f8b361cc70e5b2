//! What `adopat login` printed is pasted, and the run signs in: each step is put into a job as its host would
//! do it, each variable into a shell, and nothing else is there.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use adopat_emulator::{AppRegistration, Emulator, GITHUB_ISSUER, NewVariableGroup, TOKEN_EXCHANGE, cast};
use base64::Engine as _;
use rstest::rstest;
use serde_yaml_ng::Value;

use super::support::{Ended, Host, Machine, VAULT_APP, VAULT_APP_SECRET};
use super::{HOSTS, LONG, SECRET, confidential, new_machine, page, visit};

/// Of the certificates among the fixtures.
const PASSWORD: &str = "fake-password";

/// What a host keeps under a name.
type Kept<'a> = BTreeMap<&'a str, String>;

/// What was printed for each host.
struct Pasted {
    github: Option<String>,
    azure: Option<String>,
    shell: Option<String>,
}

/// Each part begins with a comment that says whose it is; an empty line parts them.
fn printed(ended: &Ended) -> Pasted {
    let parts: Vec<&str> = ended.stdout.trim_end().split("\n\n").collect();
    let of = |title: &str| {
        let found: Vec<_> = parts.iter().filter(|part| part.starts_with(&format!("# {title}"))).collect();
        assert!(found.len() < 2, "{}", ended.stdout);
        found.first().map(|part| part.to_string())
    };
    let pasted = Pasted {
        github: of("GitHub Actions, "),
        azure: of("Azure Pipelines, "),
        shell: of("Every other CI system, and a shell"),
    };
    let found = [&pasted.github, &pasted.azure, &pasted.shell].into_iter().flatten().count();
    assert_eq!(found, parts.len(), "{}", ended.stdout);
    pasted
}

/// Signs in as it is done on a laptop.
#[track_caller]
fn sign_in(machine: &Machine) -> Pasted {
    let run = machine.follow();
    let by_browser = machine.emulator.device_codes().is_empty();
    match run.line_with("To sign in, open") {
        line if line.contains("enter the code") => {
            let code = machine.emulator.wait_for_device_code(LONG).expect("a device code was asked for");
            machine.emulator.approve_device_code(&code, cast::PERSON);
        }
        _ => {
            assert!(by_browser);
            visit(&machine.emulator.sign_in_at(&page(&run), cast::PERSON));
        }
    }
    let ended = machine.end(run);
    ended.expect(0).says(&format!("Signed in as {}", cast::PERSON));
    printed(&ended)
}

/// The one step of the list, with its inputs and its environment.
fn step(text: &str, kind: &str, program: &str, inputs: &str) -> [Vec<(String, String)>; 2] {
    let steps: Vec<Value> = serde_yaml_ng::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let [step] = &steps[..] else { panic!("one step: {text}") };
    assert_eq!(step[kind].as_str(), Some(program));
    let pairs = |key: &str| {
        let mapping = step.get(key).and_then(Value::as_mapping).cloned().unwrap_or_default();
        let text = |value: Value| value.as_str().unwrap_or_else(|| panic!("{value:?} is text")).to_owned();
        mapping.into_iter().map(|(name, value)| (text(name), text(value))).collect()
    };
    [pairs(inputs), pairs("env")]
}

/// What stands between these marks is replaced by what the host keeps under that name.
#[track_caller]
fn expanded(text: &str, marks: [&str; 2], kept: &Kept<'_>) -> String {
    let mut expanded = text.to_owned();
    while let Some((before, rest)) = expanded.clone().split_once(marks[0]) {
        let (name, after) = rest.split_once(marks[1]).expect("an end");
        let value = kept.get(name).unwrap_or_else(|| panic!("nothing is kept under {name}"));
        expanded = format!("{before}{value}{after}");
    }
    expanded
}

/// The step made its PAT, which is then of no use any more.
#[track_caller]
fn made_a_pat(machine: &Machine, ended: &Ended) {
    ended.expect(0);
    let made = machine.emulator.active_pats();
    assert_eq!(made.len(), 1, "{}", ended.words());
    machine.emulator.revoke_pat(made[0].authorization_id);
}

impl Pasted {
    /// As the runner and the action do it.
    #[track_caller]
    fn runs_on_github(&self, machine: &mut Machine, kept: &Kept<'_>) -> Ended {
        self.runs_on_github_in(machine, kept, &[])
    }

    /// The same in a job that is handed this.
    #[track_caller]
    fn runs_on_github_in(&self, machine: &mut Machine, kept: &Kept<'_>, job: &[(&str, String)]) -> Ended {
        let text = self.github.as_deref().expect("a step for GitHub Actions");
        let [inputs, environment] = step(text, "uses", "adopat/adopat@v0", "with");
        machine.becomes(Host::GitHub).set("ADOPAT_LAUNCHER", "1");
        job.iter().for_each(|(name, value)| {
            machine.set(name, value);
        });
        let value = |text: &str| {
            let text = expanded(text, ["${{ secrets.", " }}"], kept);
            expanded(&text, ["${{ vars.", " }}"], kept)
        };
        for (name, text) in inputs {
            machine.set(&format!("INPUT_{}", name.to_uppercase()), value(&text));
        }
        for (name, text) in environment {
            machine.set(&name, value(&text));
        }
        let ended = machine.run();
        made_a_pat(machine, &ended);
        ended
    }

    /// As the agent and the task do it.
    #[track_caller]
    fn runs_on_azure(&self, machine: &mut Machine, kept: &Kept<'_>) -> Ended {
        self.runs_on_azure_in(machine, kept, &[])
    }

    /// The same in a job that is handed this.
    #[track_caller]
    fn runs_on_azure_in(&self, machine: &mut Machine, kept: &Kept<'_>, job: &[(&str, String)]) -> Ended {
        let text = self.azure.as_deref().expect("a step for Azure Pipelines");
        let [inputs, environment] = step(text, "task", "adopat@0", "inputs");
        machine.becomes(Host::Azure).set("ADOPAT_LAUNCHER", "1");
        job.iter().for_each(|(name, value)| {
            machine.set(name, value);
        });
        for (name, text) in inputs {
            machine.set(&format!("INPUT_{}", name.to_uppercase()), expanded(&text, ["$(", ")"], kept));
        }
        for (name, text) in environment {
            machine.set(&name, expanded(&text, ["$(", ")"], kept));
        }
        let ended = machine.run();
        made_a_pat(machine, &ended);
        ended
    }

    /// As it is pasted into a shell, with the command that the title names.
    #[track_caller]
    fn runs_in_a_shell(&self, machine: &mut Machine, kept: &Kept<'_>) -> Ended {
        let text = self.shell.as_deref().expect("variables");
        assert!(
            text.lines().next().expect("a title").contains("'adopat exec --scope vso.packaging -- COMMAND'")
        );
        machine.becomes(Host::Generic);
        for (name, value) in kept {
            machine.set(name, value);
        }
        machine.arguments(&[
            "exec",
            "--scope",
            "vso.packaging",
            "--",
            "/bin/sh",
            "-c",
            "test -n \"$ADO_PAT\"",
        ]);
        let mut shell = machine.in_a_shell(&format!("set -eu\n{text}\n:"));
        let ended = machine.wait(shell.spawn().expect("a shell"));
        ended.expect(0);
        ended
    }

    /// Everywhere.
    #[track_caller]
    fn runs_everywhere(&self, machine: &mut Machine, kept: &Kept<'_>) {
        self.runs_on_github(machine, kept);
        self.runs_on_azure(machine, kept);
        self.runs_in_a_shell(machine, kept);
    }

    fn on_one_host_alone(&self) -> bool {
        [&self.github, &self.azure, &self.shell].into_iter().flatten().count() == 1
    }
}

#[rstest]
fn a_file(#[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host) {
    let mut machine = new_machine(host, Emulator::start());
    let pasted = sign_in(&machine);
    pasted.runs_everywhere(&mut machine, &Kept::new());
}

#[test]
fn a_file_of_an_odd_name_in_the_folder_that_login_was_run_in() {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    std::fs::create_dir(machine.path("a folder: with #1 'quotes'")).expect("a folder");
    machine.input("credential-store", "file:a folder: with #1 'quotes'/token");
    let pasted = sign_in(&machine);
    pasted.runs_everywhere(&mut machine, &Kept::new());
}

#[test]
fn an_encrypted_file() {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    let key = "a fake passphrase of the store";
    machine.input("store-key", key);
    let pasted = sign_in(&machine);
    pasted.runs_everywhere(&mut machine, &Kept::from([("ADOPAT_STORE_KEY", key.into())]));
}

#[test]
fn no_tenant() {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    machine.without("tenant-id");
    let pasted = sign_in(&machine);
    assert!(pasted.github.as_deref().expect("a step").contains(&format!("tenant-id: {}", cast::TENANT)));
    machine.emulator.clear_requests();
    pasted.runs_on_github(&mut machine, &Kept::new());
    assert_eq!(machine.calls(), ["Entra POST", "Pats POST"], "later runs need not ask");
}

#[test]
fn no_organization() {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    machine.without("organization");
    let run = machine.spawn();
    let code = machine.emulator.wait_for_device_code(LONG).expect("a device code was asked for");
    machine.emulator.approve_device_code(&code, cast::PERSON);
    let pasted = printed(machine.wait(run).expect(0));
    let github = pasted.github.as_deref().expect("a step");
    assert!(github.contains("\n    organization: YOUR-ORGANIZATION\n"), "{github}");
    assert!(github.contains("# YOUR-ORGANIZATION is the NAME in https://dev.azure.com/NAME."), "{github}");
    // There the job's own is meant.
    assert!(!pasted.azure.expect("a step").contains("rganization"));
}

#[test]
fn a_github_secret_with_the_token_that_writes_it_and_the_one_that_it_holds() {
    for environment in ["", "production/"] {
        let mut machine = new_machine(Host::Generic, Emulator::start());
        let token = machine.emulator.github_token();
        machine
            .input("credential-store", format!("github-secret:contoso/fabrikam/{environment}REFRESH_TOKEN"));
        machine.input("github-token", &token);
        let pasted = sign_in(&machine);
        assert!(pasted.on_one_host_alone(), "nobody else can read it");
        let github = pasted.github.as_deref().expect("a step");
        assert_eq!(github.contains("# The job needs 'environment: production'."), !environment.is_empty());
        let secret = |machine: &Machine| machine.emulator.github_secrets().remove(0).value;
        let first = secret(&machine);
        let kept = Kept::from([("REFRESH_TOKEN", first.clone()), ("ADOPAT_GITHUB_TOKEN", token)]);
        let ended = pasted.runs_on_github(&mut machine, &kept);
        assert!(!ended.words().contains("goes nowhere"));
        assert!(secret(&machine) != first, "the renewed one is put back");
    }
}

/// On a laptop gh is signed in, and no second token is needed there.
#[test]
fn a_github_secret_that_gh_sets() {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    let elsewhere = tempfile::tempdir().expect("a folder");
    let kept_by_gh = elsewhere.path().join("stored");
    let gh = elsewhere.path().join("gh");
    std::fs::write(&gh, format!("#!/bin/sh\ncat > '{}'\n", kept_by_gh.display())).expect("a program");
    std::fs::set_permissions(&gh, std::fs::Permissions::from_mode(0o755)).expect("it can run");
    let path = format!("{}:/usr/bin:/bin", elsewhere.path().display());
    let command = "command:gh secret set REFRESH_TOKEN --repo contoso/fabrikam";
    machine.set("PATH", path).input("credential-store", command);
    let pasted = sign_in(&machine);
    assert!(pasted.on_one_host_alone(), "nobody else can read it");
    let github = pasted.github.as_deref().expect("a step");
    for line in [
        "    refresh-token: ${{ secrets.REFRESH_TOKEN }}",
        "    credential-store: github-secret:contoso/fabrikam/REFRESH_TOKEN",
        "    github-token: ${{ secrets.ADOPAT_GITHUB_TOKEN }}",
        "# Without credential-store and github-token the chain ends: a person has to sign in again within 90 days.",
    ] {
        assert!(github.lines().any(|printed| printed == line), "{line} is not in:\n{github}");
    }
    let stored = std::fs::read_to_string(kept_by_gh).expect("stored");
    let token = machine.emulator.github_token();
    let kept = Kept::from([("REFRESH_TOKEN", stored.clone()), ("ADOPAT_GITHUB_TOKEN", token)]);
    pasted.runs_on_github(&mut machine, &kept);
    let secret = machine.emulator.github_secrets().remove(0);
    assert!(secret.name == "REFRESH_TOKEN" && secret.value != stored, "the renewed one is put back");
}

#[test]
fn a_secret_that_another_program_stores() {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    let elsewhere = tempfile::tempdir().expect("a folder");
    let place = elsewhere.path().join("stored");
    machine.set("PATH", "/usr/bin:/bin");
    machine.input("credential-store", format!("command:dd status=none 'of={}'", place.display()));
    let pasted = sign_in(&machine);
    let stored = || std::fs::read_to_string(&place).expect("stored");
    let kept = Kept::from([("ADOPAT_REFRESH_TOKEN", stored())]);
    pasted.runs_on_github_in(&mut machine, &kept, &[("PATH", "/usr/bin:/bin".into())]);
    assert!(stored() != kept["ADOPAT_REFRESH_TOKEN"], "the renewed one is stored too");
}

#[test]
fn a_variable_of_a_group_on_azure_pipelines_alone() {
    let mut machine = new_machine(Host::Generic, Emulator::start());
    machine.emulator.add_variable_group(NewVariableGroup::named("contoso", "sign in"));
    machine.input("credential-store", "variable-group:contoso/sign in/REFRESH_TOKEN");
    let pasted = sign_in(&machine);
    assert!(pasted.on_one_host_alone(), "nobody else can read it");
    let azure = pasted.azure.as_deref().expect("a step");
    assert!(
        azure.contains("# The pipeline needs the group: 'variables: [{ group: \"sign in\" }]'."),
        "{azure}"
    );
    let variable =
        |machine: &Machine| machine.emulator.variable_groups()[0].variables["REFRESH_TOKEN"].value.clone();
    let first = variable(&machine);
    pasted.runs_on_azure(&mut machine, &Kept::from([("REFRESH_TOKEN", first.clone())]));
    assert!(variable(&machine) != first, "the renewed one is put back");
}

#[test]
fn a_vault_that_an_apps_secret_opens() {
    let mut machine = with_a_vault();
    machine.opens_the_vault_by_secret();
    let pasted = sign_in(&machine);
    pasted.runs_everywhere(&mut machine, &Kept::from([("AZURE_CLIENT_SECRET", VAULT_APP_SECRET.into())]));
}

/// Where an identity of the machine opens the vault, as `az login` does on a laptop, the job needs one of its own.
#[test]
fn a_vault_that_the_jobs_own_identity_opens() {
    let mut machine = with_a_vault();
    let (endpoint, header) = machine.emulator.app_service_endpoint();
    machine.set("IDENTITY_ENDPOINT", endpoint).set("IDENTITY_HEADER", header);
    let pasted = sign_in(&machine);
    let [github, azure, shell] =
        [&pasted.github, &pasted.azure, &pasted.shell].map(|part| part.clone().expect("printed"));
    assert!(
        github.contains("# The job needs 'permissions: { contents: read, id-token: write }'."),
        "{github}"
    );
    assert!(azure.contains("\n    azureServiceConnection: adopat\n"), "{azure}");
    assert!(
        azure.contains("# azureServiceConnection names your Azure Resource Manager connection"),
        "{azure}"
    );
    assert!(
        shell.contains("# The vault is opened by the machine's managed identity or 'az login'"),
        "{shell}"
    );
    let [issuer, subject] = {
        let switchboard = machine.emulator.services();
        let services = &switchboard.services;
        [services.service_connection_issuer(), services.service_connection_subject("adopat")]
    };
    let app = AppRegistration::new(VAULT_APP).single_tenant(cast::TENANT);
    let app = app.federated(GITHUB_ISSUER, "repo:contoso/fabrikam:ref:refs/heads/main", TOKEN_EXCHANGE);
    machine.emulator.services().services.add_app(app.federated(&issuer, &subject, TOKEN_EXCHANGE));
    let ids = [VAULT_APP.to_string(), cast::TENANT.to_string()];
    let kept: Kept<'_> = ["AZURE_CLIENT_ID", "AZURE_TENANT_ID"].into_iter().zip(ids.clone()).collect();
    let (url, token) = machine.emulator.github_id_token_request();
    let job = [("ACTIONS_ID_TOKEN_REQUEST_URL", url), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token)];
    pasted.runs_on_github_in(&mut machine, &kept, &job);
    let (url, token) = machine.emulator.pipelines_id_token_request();
    // The agent hands a task the connections that its inputs name.
    let [client, tenant] = ids;
    let job = [
        ("ENDPOINT_AUTH_PARAMETER_adopat_SERVICEPRINCIPALID", client),
        ("ENDPOINT_AUTH_PARAMETER_adopat_TENANTID", tenant),
        ("SYSTEM_OIDCREQUESTURI", url),
        ("SYSTEM_ACCESSTOKEN", token),
    ];
    pasted.runs_on_azure_in(&mut machine, &Kept::new(), &job);
}

fn with_a_vault() -> Machine {
    let mut machine = Machine::with_vault(Host::Generic, "login");
    std::fs::remove_file(machine.store()).expect("there was one");
    let store = machine.vault_secret("refresh-token");
    machine.input("credential-store", store);
    machine
}

/// A certificate's path is of use to a shell; a secret of a host holds the certificate itself, as text.
#[rstest]
#[case::secret("client-secret", SECRET)]
#[case::certificate("client-certificate", "pkcs1.pem")]
#[case::inline("client-certificate", "inline")]
#[case::pkcs12("client-certificate", "pbes2-aes256.p12")]
fn a_confidential_client(#[case] name: &str, #[case] value: &str) {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/certificates");
    let file = format!("{fixtures}/{value}");
    let pem = std::fs::read_to_string(format!("{fixtures}/pkcs1.pem")).expect("a certificate");
    let mut machine = confidential(|app| app.secret(SECRET).certificate_pem(&pem));
    let variable = format!("ADOPAT_{}", name.to_uppercase().replace('-', "_"));
    let mut kept = Kept::new();
    let (given, held) = match value {
        "pkcs1.pem" => (file, pem),
        "inline" => (pem.clone(), pem),
        "pbes2-aes256.p12" => {
            machine.input("client-certificate-password", PASSWORD);
            kept.insert("ADOPAT_CLIENT_CERTIFICATE_PASSWORD", PASSWORD.into());
            let bytes = std::fs::read(&file).expect("a certificate");
            (file, base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        secret => (secret.to_owned(), secret.to_owned()),
    };
    machine.input(name, given);
    kept.insert(&variable, held);
    sign_in(&machine).runs_everywhere(&mut machine, &kept);
}

#[test]
fn an_app_that_the_jobs_own_token_proves() {
    let subject = "repo:contoso/fabrikam:ref:refs/heads/main";
    let mut machine = confidential(|app| app.federated(GITHUB_ISSUER, subject, TOKEN_EXCHANGE));
    let (url, token) = machine.emulator.github_id_token_request();
    let job = [("ACTIONS_ID_TOKEN_REQUEST_URL", url), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", token)];
    let id_token = machine.emulator.job_token(GITHUB_ISSUER, subject, TOKEN_EXCHANGE);
    machine.input("federated", "true").input("id-token", &id_token);
    let pasted = sign_in(&machine);
    let github = pasted.github.as_deref().expect("a step");
    assert!(
        github.contains("# The job needs 'permissions: { contents: read, id-token: write }'."),
        "{github}"
    );
    let azure = pasted.azure.as_deref().expect("a step");
    assert!(azure.contains("\n    azureServiceConnection: adopat\n"), "{azure}");
    pasted.runs_on_github_in(&mut machine, &Kept::new(), &job);
    pasted.runs_in_a_shell(&mut machine, &Kept::from([("ADOPAT_ID_TOKEN", id_token)]));
}

#[test]
fn what_is_printed_holds_no_secret_and_is_all_of_standard_output() {
    for host in HOSTS {
        let app = AppRegistration::confidential(cast::CLIENT_ID).secret(SECRET);
        let mut machine = new_machine(host, Emulator::builder().app(app).start());
        machine.input("client-secret", SECRET);
        let run = machine.follow();
        visit(&machine.emulator.sign_in_at(&page(&run), cast::PERSON));
        let ended = machine.end(run);
        printed(ended.expect(0));
        assert!(!ended.stdout.contains(SECRET));
    }
}
