//! Where a new PAT goes: to every store that was asked for, then to the output file, to the host last; or, where
//! one of them cannot take it, to none.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use adopat_emulator::{
    AppRegistration, Deletion, Emulator, Expiry, Fault, GitHubRights, GroupRole, NewPat, NewVariableGroup,
    Pat, Policies, RetryAfter, Service, Variable, VariableGroup, VaultAccess, VaultPolicy, VaultRights, cast,
};
use rstest::rstest;
use support::{Ended, Host, Machine, VAULT_APP};

const GROUP: &str = "variable-group:web/feeds/ADO_PAT";
const SECRET: &str = "github-secret:contoso/fabrikam/ADO_PAT";
const OF_ENVIRONMENT: &str = "github-secret:contoso/fabrikam/production/ADO_PAT";

/// A rotation of `nightly`, with a variable group, GitHub and (over TLS) a vault to deliver to.
fn rotating(mut machine: Machine) -> Machine {
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.emulator.add_variable_group(feeds());
    let token = machine.emulator.github_token();
    machine.input("display-name", "nightly").input("github-token", token);
    machine
}

fn plain() -> Machine {
    rotating(Machine::new(Host::GitHub, "rotate"))
}

fn with_vault() -> Machine {
    let mut machine = rotating(Machine::with_vault(Host::GitHub, "rotate"));
    machine.opens_the_vault_by_secret();
    machine
}

fn feeds() -> NewVariableGroup {
    let kept = Variable { value: "kept as it is".into(), is_secret: false, is_read_only: true };
    let locked = Variable { value: "FAKE-locked-secret".into(), is_secret: true, is_read_only: true };
    NewVariableGroup::named("web", "feeds")
        .description("What builds need")
        .shared_with("mobile")
        .variable("REGISTRY", "https://pkgs.contoso.example")
        .variable("EMPTY", "")
        .secret("NPM_TOKEN", "FAKE-npm-token-0123456789")
        .with("FIXED", kept)
        .with("LOCKED", locked)
}

fn to(machine: &mut Machine, addresses: &[&str]) {
    let addresses: Vec<String> = addresses.iter().map(|&address| address.to_owned()).collect();
    machine.deliver_to(&addresses);
}

#[track_caller]
fn the_one(machine: &Machine) -> Pat {
    let [one] = machine.active("nightly").try_into().expect("exactly one PAT of that name");
    one
}

fn group(machine: &Machine, name: &str) -> VariableGroup {
    machine.emulator.variable_groups().into_iter().find(|group| group.name == name).expect("there")
}

/// What was delivered to GitHub, by environment.
fn github(machine: &Machine, environment: Option<&str>) -> Option<String> {
    let secrets = machine.emulator.github_secrets();
    let found = secrets.into_iter().find(|secret| secret.environment.as_deref() == environment);
    found.map(|secret| secret.value)
}

/// A run that minted nothing, but for a reason of a store's: the old PAT works, the rolled refresh token is safe.
#[track_caller]
fn mints_nothing(machine: &Machine) -> Ended {
    let old = the_one(machine);
    let ended = machine.run();
    ended.expect(7);
    assert!(machine.sent("POST").is_empty(), "{:?}", machine.pat_calls());
    assert_eq!(the_one(machine), old);
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
    assert!(!machine.outputs(&ended).contains_key("token"));
    ended
}

/// A run that minted, could not deliver, and took back what it had minted.
#[track_caller]
fn takes_the_new_one_back(machine: &Machine, ended: &Ended, old: &Pat) {
    ended.expect(7).says("has been revoked");
    assert_eq!(machine.sent("POST").len(), 1);
    let left = the_one(machine);
    assert_eq!((left.authorization_id, left.valid_to), (old.authorization_id, old.valid_to));
    assert!(!machine.read("GITHUB_OUTPUT").contains("token"), "{}", machine.read("GITHUB_OUTPUT"));
}

/// The PAT that was minted and revoked again.
fn minted(machine: &Machine, old: &Pat) -> Pat {
    let pats = machine.emulator.pats();
    pats.into_iter().find(|pat| pat.authorization_id != old.authorization_id).expect("it was minted")
}

#[track_caller]
fn hold_until(machine: &Machine, fault: Fault, meanwhile: impl FnOnce()) -> Ended {
    let hold = machine.emulator.order(fault);
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(30)));
    meanwhile();
    hold.release();
    machine.wait(run)
}

// All of them.

/// What stands beside the newest version of a secret of the vault: content type, and tags.
fn beside(machine: &Machine, name: &str) -> (Option<String>, BTreeMap<String, String>) {
    let secret = machine.emulator.vault_secret(name).expect("there");
    let newest = secret.newest().expect("set");
    (newest.content_type.clone(), newest.tags.clone())
}

#[rstest]
#[case::few(2, &[])]
#[case::as_many_as_there_is_room_for(12, &[])]
#[case::one_too_many(13, &["organization"])]
#[case::as_many_as_there_may_be(15, &["authorization-id", "display-name", "organization"])]
fn what_its_owner_keeps_beside_a_secret_of_a_vault_stays(#[case] count: usize, #[case] left_out: &[&str]) {
    let mut machine = with_vault();
    machine.emulator.add_vault_secret("ado-pat", "FAKE-former-value");
    let names: Vec<String> = (0..count).map(|number| format!("owner-{number:02}")).collect();
    let tags: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "web")).collect();
    machine.emulator.label_vault_secret("ado-pat", Some("text/plain"), &tags);
    let vault = machine.vault_secret("ado-pat");
    to(&mut machine, &[&vault]);
    for _ in 0..2 {
        let ended = machine.run();
        ended.expect(0);
        let (content_type, tags) = beside(&machine, "ado-pat");
        assert_eq!(content_type.as_deref(), Some("text/plain"));
        for name in &names {
            assert_eq!(tags.get(name).map(String::as_str), Some("web"), "{name}");
        }
        for name in ["authorization-id", "display-name", "organization"] {
            assert_eq!(tags.contains_key(name), !left_out.contains(&name), "{name}");
        }
        if let Some(id) = tags.get("authorization-id") {
            assert_eq!(*id, the_one(&machine).authorization_id.to_string(), "no former PAT's");
        }
        assert_eq!(ended.words().contains("leaves out"), !left_out.is_empty(), "{}", ended.words());
        for name in left_out {
            ended.says(name).says("Remove the tags that nobody needs any more to make room for them.");
        }
    }
}

#[test]
fn what_its_owner_keeps_beside_the_refresh_token_stays() {
    let mut machine = with_vault();
    machine.emulator.add_vault_secret("refresh-token", &machine.emulator.refresh_token());
    let tags: Vec<String> = (0..15).map(|number| format!("owner-{number:02}")).collect();
    let tags: Vec<(&str, &str)> = tags.iter().map(|name| (name.as_str(), "web")).collect();
    machine.emulator.label_vault_secret("refresh-token", None, &tags);
    let store = machine.vault_secret("refresh-token");
    machine.input("credential-store", store).without("deliver-to");
    let ended = machine.run();
    ended.expect(0);
    assert!(!ended.words().contains("leaves out"), "adopat has no tags for it: {}", ended.words());
    let (content_type, after) = beside(&machine, "refresh-token");
    assert_eq!(content_type.as_deref(), Some("application/vnd.adopat.refresh-token"));
    assert_eq!(after.len(), 15);
    assert!(tags.iter().all(|(name, _)| after.contains_key(*name)));
}

#[test]
fn one_rotation_delivers_to_every_kind_of_store() {
    let mut machine = with_vault();
    let before = group(&machine, "feeds");
    let (vault, file) = (machine.vault_secret("ado-pat"), machine.file("pat"));
    to(&mut machine, &[&vault, GROUP, SECRET, OF_ENVIRONMENT, &file]);
    let seed = machine.read("refresh-token");
    std::fs::remove_file(machine.store()).expect("removed");
    machine.input("refresh-token", seed).input("store-key", "FAKE correct horse");
    // A policy that shortens it has the PAT end within a second: three quarters in.
    let shorten = || {
        let ten_days = Duration::from_secs(10 * 86_400) + Duration::from_millis(1_750);
        let within = Duration::from_nanos(machine.emulator.now().subsec_nanosecond() as u64);
        let policies = Policies { longest_lifespan: Some(ten_days - within), ..Policies::default() };
        machine.emulator.set_policies(cast::ORGANIZATION, policies);
    };
    let ended = hold_until(&machine, Fault::on(Service::Pats).method("POST").hold_before(), shorten);
    ended.expect(0);
    let new = the_one(&machine);

    let secret = machine.emulator.vault_secret("ado-pat").expect("made");
    let [version] = &secret.versions[..] else { panic!("{:?}", secret.versions) };
    assert_eq!(version.value, new.value);
    assert!(new.valid_to.subsec_nanosecond() > 500_000_000, "{}", new.valid_to);
    assert_eq!(version.expires, Some(new.valid_to.as_second()), "whole seconds, rounded down");
    assert_eq!(version.content_type.as_deref(), Some("application/vnd.adopat.pat"));
    let tags: Vec<_> = version.tags.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let id = new.authorization_id.to_string();
    let expected =
        [("authorization-id", id.as_str()), ("display-name", "nightly"), ("organization", "fabrikam")];
    assert_eq!(tags, expected);

    let mut after = group(&machine, "feeds");
    let variable = after.variables.remove("ADO_PAT").expect("made");
    assert_eq!(variable, Variable { value: new.value.clone(), is_secret: true, is_read_only: false });
    assert_eq!(after, before, "the other variables, the projects and the description stay as they were");

    for environment in [None, Some("production")] {
        assert_eq!(github(&machine, environment).as_ref(), Some(&new.value), "{environment:?}");
    }
    assert_eq!(machine.read("pat"), new.value, "a PAT's file is bare, though there is a store-key");
    #[cfg(unix)]
    assert_eq!(support::mode(&machine.path("pat")), 0o600);
    assert!(!machine.read("refresh-token").contains("1.A"), "a refresh token's is not");
    assert_eq!(machine.outputs(&ended)["token"], new.value);
}

#[test]
fn the_vault_sees_no_bearer_of_azure_devops_and_nobody_else_the_vaults() {
    let mut machine = with_vault();
    let vault = machine.vault_secret("ado-pat");
    to(&mut machine, &[&vault, GROUP, SECRET]);
    machine.run().expect(0);
    let seen = |service: Service| -> std::collections::BTreeSet<String> {
        let requests = machine.emulator.requests_to(service);
        requests.iter().filter_map(|request| request.header("authorization").map(str::to_owned)).collect()
    };
    let all = [Service::Vault, Service::Pats, Service::DevOps, Service::GitHub].map(seen);
    assert!(
        all.iter().all(|bearers| bearers.len() == 1),
        "each service is shown its own bearer: {}",
        all.len()
    );
    let [vault, pats, devops, github] = all;
    assert_eq!(pats, devops);
    assert!(vault.is_disjoint(&pats) && github.is_disjoint(&pats) && github.is_disjoint(&vault));
}

#[test]
fn a_rotation_goes_on_from_what_the_stores_hold() {
    let mut machine = with_vault();
    let (vault, file) = (machine.vault_secret("ado-pat"), machine.file("pat"));
    to(&mut machine, &[&vault, GROUP, SECRET, &file]);
    for _ in 0..2 {
        machine.run().expect(0);
        let new = the_one(&machine).value;
        assert_eq!(machine.emulator.vault_secret("ado-pat").expect("made").newest().expect("set").value, new);
        assert_eq!(group(&machine, "feeds").variables["ADO_PAT"].value, new);
        assert_eq!(github(&machine, None), Some(new.clone()));
        assert_eq!(machine.read("pat"), new);
    }
}

#[test]
fn the_stores_come_first_then_the_output_file_and_the_host_last() {
    let mut machine = plain();
    let file = machine.path("pat.json");
    to(&mut machine, &[SECRET]);
    machine.input("output-file", file);
    let fault = Fault::on(Service::GitHub).method("PUT").hold_before();
    let nothing_yet =
        || assert_eq!((machine.read("pat.json"), machine.read("GITHUB_OUTPUT")), Default::default());
    hold_until(&machine, fault, nothing_yet).expect(0);
    let new = the_one(&machine).value;
    assert!(machine.read("pat.json").contains(&new) && machine.read("GITHUB_OUTPUT").contains(&new));
}

#[test]
fn every_store_has_the_new_one_before_the_old_one_is_retired() {
    let mut machine = plain();
    let file = machine.file("pat");
    to(&mut machine, &[GROUP, SECRET, &file]);
    let old = the_one(&machine);
    let delivered = || {
        let new = minted(&machine, &old).value;
        assert_eq!(group(&machine, "feeds").variables["ADO_PAT"].value, new);
        assert_eq!((github(&machine, None), machine.read("pat")), (Some(new.clone()), new.clone()));
        assert!(machine.read("GITHUB_OUTPUT").contains(&new));
    };
    hold_until(&machine, Fault::on(Service::Pats).method("DELETE").hold_before(), delivered).expect(0);
}

#[test]
fn where_a_store_takes_the_pat_a_host_without_a_mask_needs_no_file() {
    let mut machine = rotating(Machine::new(Host::Generic, "create"));
    machine.input("display-name", "hourly").input("scope", "vso.code");
    to(&mut machine, &[GROUP]);
    machine.run().expect(0);
    assert_eq!(group(&machine, "feeds").variables["ADO_PAT"].value, machine.active("hourly")[0].value);
}

// Variable groups.

#[test]
fn two_variables_of_one_group_are_both_written_and_the_others_kept() {
    let mut machine = plain();
    let before = group(&machine, "feeds");
    to(&mut machine, &["variable-group:web/feeds/ONE", "variable-group:mobile/Feeds/TWO", SECRET]);
    machine.run().expect(0);
    let new = the_one(&machine).value;
    let mut after = group(&machine, "feeds");
    for name in ["ONE", "TWO"] {
        assert_eq!(after.variables.remove(name).expect("made").value, new);
    }
    assert_eq!(after, before);
}

#[test]
fn a_variable_is_known_by_its_name_in_any_case_and_becomes_secret() {
    let mut machine = plain();
    to(&mut machine, &["variable-group:WEB/FEEDS/registry"]);
    machine.run().expect(0);
    let variables = group(&machine, "feeds").variables;
    assert_eq!(variables.len(), 5);
    let expected = Variable { value: the_one(&machine).value, is_secret: true, is_read_only: false };
    assert_eq!(variables["REGISTRY"], expected);
}

#[test]
fn a_group_that_is_named_like_a_pattern_is_no_pattern() {
    let mut machine = plain();
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds of others").variable("A", "a"));
    to(&mut machine, &["variable-group:web/feeds*/ADO_PAT"]);
    mints_nothing(&machine).says("There is no variable group 'feeds*'");
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds*").variable("A", "a"));
    machine.run().expect(0);
    for (name, variables) in [("feeds", 5), ("feeds of others", 1), ("feeds*", 2)] {
        assert_eq!(group(&machine, name).variables.len(), variables, "{name}");
    }
}

#[test]
fn parts_of_an_address_are_percent_decoded() {
    let mut machine = plain();
    let odd = NewVariableGroup::named("Fabrikam Fiber", "feeds/npm 100% ü?#&").variable("A", "a");
    machine.emulator.add_variable_group(odd);
    machine.emulator.services().services.add_github_environment("contoso", "fabrikam", "prod/eu 1");
    to(
        &mut machine,
        &[
            "variable-group:Fabrikam Fiber/feeds%2Fnpm 100%25 ü?#&/ADO.PAT",
            "github-secret:contoso/fabrikam/prod%2Feu 1/ADO_PAT",
        ],
    );
    machine.run().expect(0);
    let new = the_one(&machine).value;
    assert_eq!(group(&machine, "feeds/npm 100% ü?#&").variables["ADO.PAT"].value, new);
    assert_eq!(github(&machine, Some("prod/eu 1")), Some(new));
    assert_eq!(github(&machine, None), None);
}

// What is found out before anything is minted.

#[rstest]
#[case::no_such_group(&["variable-group:web/nothing/ADO_PAT"], "There is no variable group 'nothing'")]
#[case::no_such_project(&["variable-group:nowhere/feeds/ADO_PAT"], "ProjectDoesNotExistWithNameException")]
#[case::a_group_of_another_project(&["variable-group:shop/feeds/ADO_PAT"], "There is no variable group 'feeds'")]
#[case::a_group_linked_to_a_vault(&["variable-group:shop/linked/ADO_PAT"], "linked to a Key Vault")]
#[case::no_such_repository(&["github-secret:contoso/nothing/ADO_PAT"], "GitHub 404")]
#[case::no_such_environment(&["github-secret:contoso/fabrikam/nowhere/ADO_PAT"], "an environment must exist first")]
#[case::no_such_folder(&["file:no-such-folder/pat"], "Create its folder first")]
#[case::one_of_several(&[SECRET, GROUP, "file:no-such-folder/pat"], "Create its folder first")]
fn a_store_that_is_not_there(#[case] addresses: &[&str], #[case] why: &str) {
    let mut machine = plain();
    let linked =
        NewVariableGroup::named("shop", "linked").linked_to_vault("contoso").secret("A", "FAKE-a-secret");
    machine.emulator.add_variable_group(linked);
    to(&mut machine, addresses);
    mints_nothing(&machine).says(why);
    assert_eq!(github(&machine, None), None);
    assert!(!group(&machine, "feeds").variables.contains_key("ADO_PAT"));
}

#[rstest]
#[case::a_file("file:pat", "file:pat")]
#[case::a_file_by_another_path("file:pat", "file:./pat")]
#[case::a_vaults_secret(
    "keyvault:https://contoso.vault.azure.net/secrets/pat",
    "keyvault:https://CONTOSO.vault.azure.net/secrets/PAT"
)]
#[case::a_variable("variable-group:web/feeds/ADO_PAT", "variable-group:Web/Feeds/ado_pat")]
#[case::a_secret("github-secret:contoso/fabrikam/ADO_PAT", "github-secret:Contoso/Fabrikam/ado_pat")]
fn one_place_cannot_take_both_tokens_however_it_is_spelt(#[case] one: &str, #[case] other: &str) {
    let mut machine = plain();
    let seed = machine.emulator.refresh_token();
    to(&mut machine, &[other]);
    machine.input("credential-store", one).input("refresh-token", seed);
    machine.run().expect(2).says("holds the credential-store");
    to(&mut machine, &[one, other]);
    machine.without("credential-store").run().expect(2).says("twice");
    assert!(machine.calls().is_empty(), "{:?}", machine.calls());
}

#[rstest]
#[case("credential-store", "is the file of the credential-store")]
#[case("deliver-to", "is a file of deliver-to")]
fn an_output_file_is_no_store_however_it_is_spelt(#[case] input: &str, #[case] why: &str) {
    let mut machine = plain();
    let seed = machine.emulator.refresh_token();
    std::fs::create_dir(machine.path("folder")).expect("a folder");
    machine.input("refresh-token", seed).input(input, "file:place").input("output-file", "folder/../place");
    machine.run().expect(2).says(why);
    assert!(machine.calls().is_empty());
}

#[test]
fn every_store_that_cannot_be_used_is_named_at_once() {
    let mut machine = plain();
    to(
        &mut machine,
        &["variable-group:web/nothing/A", "github-secret:contoso/nothing/A", "file:nowhere/pat"],
    );
    mints_nothing(&machine).says("'nothing'").says("contoso/nothing").says("nowhere/pat");
}

#[rstest]
#[case::the_jobs_own(GitHubRights::Workflow, "GITHUB_TOKEN never may")]
#[case::without_the_right(GitHubRights::FineGrained { secrets: false, environments: true }, "secrets=read")]
#[case::classic_without_repo(GitHubRights::Classic { repo: false }, "GitHub 404")]
#[case::for_other_repositories(GitHubRights::Elsewhere, "hides it from this token")]
fn a_github_token_that_may_not(#[case] rights: GitHubRights, #[case] why: &str) {
    let mut machine = plain();
    let token = machine.emulator.github_token_with(rights);
    to(&mut machine, &[SECRET]);
    machine.input("github-token", token);
    mints_nothing(&machine).says(why);
}

#[test]
fn a_github_token_that_may_write_secrets_may_not_write_an_environments() {
    let mut machine = plain();
    let rights = GitHubRights::FineGrained { secrets: true, environments: false };
    let token = machine.emulator.github_token_with(rights);
    to(&mut machine, &[SECRET, OF_ENVIRONMENT]);
    machine.input("github-token", token);
    mints_nothing(&machine).says("environments=read");
}

#[test]
fn a_github_secret_without_a_github_token_is_a_mistake_in_the_inputs() {
    let mut machine = plain();
    to(&mut machine, &[SECRET]);
    machine.without("github-token").run().expect(2).says("github-token");
    assert!(machine.calls().is_empty(), "{:?}", machine.calls());
}

#[test]
fn a_group_that_the_user_may_only_read() {
    let mut machine = plain();
    machine.emulator.services().services.set_group_role(1, cast::PERSON, GroupRole::Reader);
    to(&mut machine, &[GROUP]);
    mints_nothing(&machine).says("may not change").says("Administrator");
}

#[rstest]
#[case::to_read(&["vso.pats", "vso.pats_manage"])]
#[case::to_write(&["vso.pats", "vso.pats_manage", "vso.variablegroups_read"])]
fn an_app_without_the_permission_for_groups(#[case] permissions: &[&str]) {
    let app = AppRegistration::public(cast::CLIENT_ID).permissions(permissions);
    let mut machine = rotating(Machine::with(Emulator::builder().app(app).start(), Host::GitHub, "rotate"));
    to(&mut machine, &[GROUP]);
    mints_nothing(&machine).says("vso.variablegroups_manage");
}

#[rstest]
#[case::a_firewall(VaultAccess::Firewalled, "ForbiddenByFirewall")]
#[case::no_public_access(VaultAccess::PrivateOnly, "ForbiddenByConnection")]
fn a_vault_that_lets_nobody_in(#[case] access: VaultAccess, #[case] why: &str) {
    let mut machine = with_vault();
    machine.emulator.services().services.set_vault_policy(VaultPolicy { access, ..VaultPolicy::default() });
    let vault = machine.vault_secret("ado-pat");
    to(&mut machine, &[&vault]);
    mints_nothing(&machine).says(why);
}

#[test]
fn a_vault_that_nobody_opens() {
    let mut machine = rotating(Machine::with_vault(Host::GitHub, "rotate"));
    let vault = machine.vault_secret("ado-pat");
    to(&mut machine, &[&vault]);
    mints_nothing(&machine).says("No identity was found");
}

#[test]
fn a_vault_whose_app_is_refused() {
    let mut machine = with_vault();
    let vault = machine.vault_secret("ado-pat");
    to(&mut machine, &[&vault]);
    machine.set("AZURE_CLIENT_SECRET", "FAKE~not-the-secret-0123456789");
    mints_nothing(&machine).says("AADSTS7000215");
}

#[test]
fn a_name_that_a_deleted_secret_holds() {
    let mut machine = with_vault();
    machine.emulator.add_vault_secret("ado-pat", "FAKE-former-value");
    machine.emulator.services().services.set_vault_deletion("ado-pat", Some(Deletion::Recoverable));
    let vault = machine.vault_secret("ado-pat");
    to(&mut machine, &[&vault]);
    mints_nothing(&machine).says("az keyvault secret recover");
}

#[rstest]
#[case::github(SECRET, Service::GitHub, "GET", "GitHub")]
#[case::azure_devops(GROUP, Service::DevOps, "GET", "Azure DevOps")]
#[case::the_vault("vault", Service::Vault, "GET", "Azure Key Vault")]
#[case::the_vaults_sign_in("vault", Service::Entra, "client_credentials", "Azure sign-in")]
fn a_service_that_does_not_answer_in_time(
    #[case] address: &str,
    #[case] service: Service,
    #[case] request: &'static str,
    #[case] who: &str,
) {
    let mut machine = with_vault();
    let vault = machine.vault_secret("ado-pat");
    to(&mut machine, &[if address == "vault" { &vault } else { address }]);
    let meant = move |asked: &http::Request<bytes::Bytes>| {
        asked.method() == request || String::from_utf8_lossy(asked.body()).contains(request)
    };
    let hold = machine.emulator.order(Fault::on(service).when(meant).hold_before().always());
    machine.input("timeout", "4s");
    let ended = mints_nothing(&machine);
    hold.release();
    ended.says(who).says("did not answer");
}

#[test]
fn a_vault_identity_that_may_only_set_is_warned_about_and_delivers() {
    let mut machine = with_vault();
    machine.emulator.add_vault_secret("ado-pat", "FAKE-former-value");
    machine.emulator.set_vault_rights(&VAULT_APP.to_string(), VaultRights::SET);
    let vault = machine.vault_secret("ado-pat");
    to(&mut machine, &[&vault]);
    let ended = machine.run();
    ended.expect(0).says("cannot be read by this identity");
    assert!(ended.stdout.contains("::warning::"), "{}", ended.words());
    let secret = machine.emulator.vault_secret("ado-pat").expect("there");
    assert_eq!(secret.newest().expect("set").value, the_one(&machine).value);
    assert!(secret.versions[0].enabled, "a PAT's former version is the old PAT, which is retired anyway");
}

#[test]
fn a_dry_run_finds_it_out_too_and_writes_nothing() {
    let mut machine = plain();
    to(&mut machine, &["variable-group:web/nothing/ADO_PAT"]);
    machine.input("dry-run", "true");
    mints_nothing(&machine);
    let file = machine.file("pat");
    to(&mut machine, &[GROUP, SECRET, &file]);
    machine.run().expect(0);
    assert!(!group(&machine, "feeds").variables.contains_key("ADO_PAT"));
    assert_eq!((github(&machine, None), machine.path("pat").exists()), (None, false));
}

// When one of them fails at the handing over.

/// Every kind of store, each with a former value; the file `pat` too.
fn holding_a_former_value() -> (Machine, Pat) {
    let mut machine = with_vault();
    let (vault, file) = (machine.vault_secret("ado-pat"), machine.file("pat"));
    machine.emulator.add_vault_secret("ado-pat", "FAKE-former-in-vault");
    std::fs::write(machine.path("pat"), "FAKE-former-in-file").expect("written");
    to(&mut machine, &[&vault, GROUP, SECRET, &file]);
    let old = the_one(&machine);
    (machine, old)
}

fn in_vault(machine: &Machine) -> String {
    machine.emulator.vault_secret("ado-pat").expect("there").newest().expect("set").value.clone()
}

const NO: &[(&str, &str)] = &[("content-type", "application/json")];

#[rstest]
#[case::the_vault(
    Service::Vault,
    r#"{"error":{"code":"Forbidden","message":"no","innererror":{"code":"ForbiddenByRbac"}}}"#,
    "ForbiddenByRbac"
)]
#[case::the_group(
    Service::DevOps,
    r#"{"message":"no","typeKey":"AccessDeniedException"}"#,
    "AccessDeniedException"
)]
#[case::github(Service::GitHub, r#"{"message":"no"}"#, "GitHub 403")]
fn a_store_that_fails_at_the_write(#[case] service: Service, #[case] body: &'static str, #[case] why: &str) {
    let (machine, old) = holding_a_former_value();
    let fault = Fault::on(service).method("PUT");
    machine.emulator.order(fault.answer(403, NO, body));
    let ended = machine.run();
    takes_the_new_one_back(&machine, &ended, &old);
    ended.says(why);
    let dead = minted(&machine, &old).value;
    assert_eq!(in_vault(&machine), "FAKE-former-in-vault");
    assert_eq!(machine.read("pat"), "FAKE-former-in-file");
    let words = ended.words();
    let named = |address: &str| {
        let (_, after) = words.split_once("These hold a PAT that is being revoked").unwrap_or_default();
        after.contains(address)
    };
    // Where a store fails that can be given back what it held, those that cannot are not written at all.
    let written = service != Service::Vault;
    assert_eq!(named("variable-group:"), written && service != Service::DevOps, "{words}");
    assert_eq!(named("github-secret:"), written && service != Service::GitHub, "{words}");
    assert!(!named("keyvault:") && !named("file:"), "{words}");
    // What is named does hold it, and what is not does not.
    let in_group = group(&machine, "feeds").variables.get("ADO_PAT").is_some_and(|it| it.value == dead);
    assert_eq!(in_group, named("variable-group:"));
    assert_eq!(github(&machine, None).is_some_and(|it| it == dead), named("github-secret:"));
}

#[test]
fn a_store_whose_answer_is_lost_may_hold_the_revoked_one_and_is_named() {
    let mut machine = plain();
    to(&mut machine, &[SECRET]);
    let old = the_one(&machine);
    machine.emulator.order(Fault::on(Service::GitHub).method("PUT").lose_answer().always());
    let ended = machine.input("timeout", "20s").run();
    takes_the_new_one_back(&machine, &ended, &old);
    ended.says(&format!("These may hold a PAT that is being revoked: {SECRET}."));
    assert_eq!(github(&machine, None), Some(minted(&machine, &old).value));
}

#[test]
fn a_bad_moment_of_a_store_is_waited_out() {
    let mut machine = plain();
    to(&mut machine, &[GROUP, SECRET]);
    let before = group(&machine, "feeds");
    for service in [Service::DevOps, Service::GitHub] {
        machine.emulator.order(Fault::on(service).method("PUT").internal_error());
        machine.emulator.order(Fault::on(service).method("PUT").lose_answer());
    }
    machine.run().expect(0);
    let new = the_one(&machine).value;
    assert_eq!(github(&machine, None), Some(new.clone()));
    let mut after = group(&machine, "feeds");
    assert_eq!(after.variables.remove("ADO_PAT").expect("written").value, new);
    assert_eq!(after, before);
    assert_eq!(machine.sent("POST").len(), 1);
}

#[test]
fn what_services_put_off_is_waited_for() {
    let mut machine = with_vault();
    let vault = machine.vault_secret("ado-pat");
    to(&mut machine, &[&vault, GROUP, SECRET]);
    let wait = RetryAfter::Seconds(1);
    for (service, method) in [
        (Service::Vault, "GET"),
        (Service::Vault, "PUT"),
        (Service::DevOps, "GET"),
        (Service::DevOps, "PUT"),
        (Service::GitHub, "GET"),
    ] {
        machine.emulator.order(Fault::on(service).method(method).throttle(wait));
    }
    let headers = &[("content-type", "application/json"), ("retry-after", "1")];
    let limit = Fault::on(Service::GitHub).method("PUT");
    machine.emulator.order(limit.answer(
        403,
        headers,
        r#"{"message":"You have exceeded a secondary rate limit."}"#,
    ));
    machine.run().expect(0);
    let new = the_one(&machine).value;
    assert_eq!(in_vault(&machine), new);
    assert_eq!(group(&machine, "feeds").variables["ADO_PAT"].value, new);
    assert_eq!(github(&machine, None), Some(new));
    assert_eq!(machine.sent("POST").len(), 1);
}

#[rstest]
#[case::github(Service::GitHub, &[GROUP], &[SECRET])]
#[case::azure_devops(Service::DevOps, &[SECRET], &[GROUP])]
#[case::the_vault(Service::Vault, &[], &[])]
fn a_store_that_never_answers_the_write(
    #[case] service: Service,
    #[case] hold_it: &[&str],
    #[case] may_hold_it: &[&str],
) {
    let (mut machine, old) = holding_a_former_value();
    let held = machine.emulator.order(Fault::on(service).method("PUT").hold_before().always());
    machine.input("timeout", "5s");
    let ended = machine.run();
    takes_the_new_one_back(&machine, &ended, &old);
    assert_eq!(in_vault(&machine), "FAKE-former-in-vault");
    assert_eq!(machine.read("pat"), "FAKE-former-in-file");
    let hold = format!("These hold a PAT that is being revoked: {}.", hold_it.join(", "));
    assert_eq!(ended.words().contains(&hold), !hold_it.is_empty(), "{}", ended.words());
    let may = format!("These may hold a PAT that is being revoked: {}.", may_hold_it.join(", "));
    assert_eq!(ended.words().contains(&may), !may_hold_it.is_empty(), "{}", ended.words());
    let named = usize::from(!hold_it.is_empty()) + usize::from(!may_hold_it.is_empty());
    assert_eq!(ended.words().matches("hold a PAT").count(), named);
    held.release();
}

/// What a gateway says that has given up on the vault behind it, and nothing else.
fn given_up(status: u16) -> Fault {
    Fault::on(Service::Vault).method("PUT").answer(
        status,
        &[("content-type", "text/html")],
        "<html>Gateway</html>",
    )
}

#[rstest]
fn a_write_that_a_gateway_gave_up_and_the_vault_takes_late_is_taken_back(
    #[values(408, 502, 503, 504)] status: u16,
    #[values(50, 3_000, 14_000)] late: u64,
) {
    let mut machine = with_vault();
    let vault = machine.vault_secret("ado-pat");
    machine.emulator.add_vault_secret("ado-pat", "FAKE-former-in-vault");
    let labels = [("owner", "web")];
    machine.emulator.label_vault_secret("ado-pat", Some("text/plain"), &labels);
    to(&mut machine, &[&vault, SECRET]);
    let old = the_one(&machine);
    // The delivery fails at another store, after the vault's answer was lost.
    machine.emulator.order(given_up(status).acts_late(Duration::from_millis(late)));
    machine.emulator.order(given_up(status).times(3));
    machine.emulator.order(Fault::on(Service::GitHub).method("PUT").answer(403, NO, r#"{"message":"no"}"#));
    let ended = machine.run();
    takes_the_new_one_back(&machine, &ended, &old);
    assert!(!ended.words().contains("hold a PAT"), "{}", ended.words());
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(in_vault(&machine), "FAKE-former-in-vault");
    let tags = labels.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    assert_eq!(beside(&machine, "ado-pat"), (Some("text/plain".to_owned()), tags));
}

#[test]
fn a_write_that_the_vault_took_though_every_answer_was_lost_is_a_delivery() {
    let mut machine = with_vault();
    let vault = machine.vault_secret("ado-pat");
    machine.emulator.add_vault_secret("ado-pat", "FAKE-former-in-vault");
    to(&mut machine, &[&vault]);
    machine.emulator.order(Fault::on(Service::Vault).method("PUT").lose_answer().always());
    machine.run().expect(0);
    assert_eq!(in_vault(&machine), the_one(&machine).value);
    let secret = machine.emulator.vault_secret("ado-pat").expect("there");
    assert_eq!(secret.versions.len(), 2, "it is not set again");
}

#[test]
fn a_vault_that_says_nothing_any_more_is_named() {
    let mut machine = with_vault();
    let vault = machine.vault_secret("ado-pat");
    to(&mut machine, &[&vault]);
    let old = the_one(&machine);
    // It was asked before the PAT was made; from the write on nobody hears of it.
    machine.emulator.order(given_up(504).acts_late(Duration::from_secs(2)).always());
    let reads = Fault::on(Service::Vault).method("GET").nth(4).unavailable().always();
    machine.emulator.order(reads);
    let ended = machine.input("timeout", "20s").run();
    takes_the_new_one_back(&machine, &ended, &old);
    ended.says(&format!("These may hold a PAT that is being revoked: {vault}."));
}

#[test]
fn what_somebody_else_has_put_into_the_vault_meanwhile_stays() {
    let mut machine = with_vault();
    let vault = machine.vault_secret("ado-pat");
    machine.emulator.add_vault_secret("ado-pat", "FAKE-former-in-vault");
    to(&mut machine, &[&vault, SECRET]);
    let refused =
        Fault::on(Service::GitHub).method("PUT").answer(403, NO, r#"{"message":"no"}"#).hold_before();
    let old = the_one(&machine);
    let ended = hold_until(&machine, refused, || {
        while in_vault(&machine) == "FAKE-former-in-vault" {
            std::thread::sleep(Duration::from_millis(20));
        }
        machine.emulator.add_vault_secret("ado-pat", "FAKE-of-somebody-else");
    });
    takes_the_new_one_back(&machine, &ended, &old);
    assert_eq!(in_vault(&machine), "FAKE-of-somebody-else");
}

#[test]
fn a_secret_that_was_disabled_is_disabled_again_and_named() {
    let mut machine = with_vault();
    let vault = machine.vault_secret("ado-pat");
    machine.emulator.add_vault_secret("ado-pat", "FAKE-former-in-vault");
    machine.emulator.services().services.disable_vault_secret("ado-pat");
    to(&mut machine, &[&vault, SECRET]);
    let old = the_one(&machine);
    machine.emulator.order(Fault::on(Service::GitHub).method("PUT").answer(403, NO, r#"{"message":"no"}"#));
    let ended = machine.run();
    takes_the_new_one_back(&machine, &ended, &old);
    ended.says(&format!("These hold a PAT that is being revoked: {vault}."));
    let secret = machine.emulator.vault_secret("ado-pat").expect("there");
    assert!(secret.versions.iter().all(|version| !version.enabled), "{secret:?}");
}

#[test]
fn a_policy_that_limits_how_long_a_secret_may_be_valid_is_told_as_that() {
    let mut machine = with_vault();
    let vault = machine.vault_secret("ado-pat");
    let policy = VaultPolicy { expiry: Expiry::WithinDays(7), ..VaultPolicy::default() };
    machine.emulator.services().services.set_vault_policy(policy);
    to(&mut machine, &[&vault]);
    let old = the_one(&machine);
    let ended = machine.run();
    takes_the_new_one_back(&machine, &ended, &old);
    ended.says("A policy of Azure").says("'lifetime'").says("maximum validity period");
    // The remedy helps.
    machine.input("lifetime", "6d").run().expect(0);
    assert_eq!(in_vault(&machine), the_one(&machine).value);
}

#[cfg(unix)]
#[test]
fn a_signal_during_the_delivery_changes_nothing() {
    let mut machine = plain();
    to(&mut machine, &[GROUP, SECRET]);
    let old = the_one(&machine);
    let hold = machine.emulator.order(Fault::on(Service::GitHub).method("PUT").hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(30)));
    support::signal(&run, rustix::process::Signal::TERM);
    std::thread::sleep(Duration::from_millis(300));
    hold.release();
    machine.wait(run).expect(0);
    let new = the_one(&machine);
    assert_ne!(new.authorization_id, old.authorization_id);
    assert_eq!(github(&machine, None), Some(new.value));
}

#[cfg(unix)]
#[test]
fn a_signal_while_a_store_is_asked_beforehand_ends_the_run_with_a_good_token_stored() {
    let mut machine = plain();
    to(&mut machine, &[SECRET]);
    let hold = machine.emulator.order(Fault::on(Service::GitHub).method("GET").hold_before());
    let run = machine.spawn();
    assert!(hold.wait_until_held(Duration::from_secs(30)));
    support::signal(&run, rustix::process::Signal::TERM);
    machine.wait(run).expect(143);
    hold.release();
    assert!(machine.sent("POST").is_empty());
    assert!(machine.emulator.refresh_token_is_valid(&machine.read("refresh-token")));
}

#[test]
fn a_run_that_mints_nothing_leaves_every_store_as_it_is() {
    let (mut machine, old) = holding_a_former_value();
    machine.input("renew-within", "1h").run().expect(0);
    assert_eq!(the_one(&machine), old);
    assert_eq!(
        (in_vault(&machine), machine.read("pat")),
        ("FAKE-former-in-vault".into(), "FAKE-former-in-file".into())
    );
    assert_eq!(github(&machine, None), None);
    assert!(!group(&machine, "feeds").variables.contains_key("ADO_PAT"));
}

#[test]
fn a_file_that_fails_at_the_write_is_not_said_to_hold_the_new_one() {
    let (mut machine, old) = holding_a_former_value();
    let (here, moved) = (machine.path("here"), machine.path("moved"));
    std::fs::create_dir(&here).expect("made");
    std::fs::rename(machine.path("pat"), here.join("pat")).expect("moved");
    let (vault, file) = (machine.vault_secret("ado-pat"), machine.file("here/pat"));
    to(&mut machine, &[&vault, GROUP, SECRET, &file]);
    let break_it = || std::fs::rename(&here, &moved).expect("moved");
    let ended = hold_until(&machine, Fault::on(Service::Pats).method("POST").hold_after(), break_it);
    takes_the_new_one_back(&machine, &ended, &old);
    assert_eq!(in_vault(&machine), "FAKE-former-in-vault");
    assert_eq!(machine.read("moved/pat"), "FAKE-former-in-file");
    assert!(!ended.words().contains("hold a PAT"), "{}", ended.words());
    assert_eq!(github(&machine, None), None, "what cannot be given back is written last");
}

#[test]
fn a_secret_and_a_file_that_were_not_there() {
    let mut machine = with_vault();
    let (vault, file) = (machine.vault_secret("ado-pat"), machine.file("pat"));
    to(&mut machine, &[&vault, SECRET, &file]);
    let old = the_one(&machine);
    let body = r#"{"message":"no"}"#;
    machine.emulator.order(Fault::on(Service::GitHub).method("PUT").answer(422, NO, body));
    let ended = machine.run();
    takes_the_new_one_back(&machine, &ended, &old);
    assert!(!machine.path("pat").exists(), "there was no file, so there is none");
    // A vault's versions cannot be deleted singly.
    ended.says(&format!("These hold a PAT that is being revoked: {vault}."));
}

#[test]
fn a_name_that_is_soft_deleted_at_the_write() {
    let (machine, old) = holding_a_former_value();
    let delete = || {
        machine.emulator.services().services.set_vault_deletion("ado-pat", Some(Deletion::Recoverable));
    };
    let ended = hold_until(&machine, Fault::on(Service::Pats).method("POST").hold_after(), delete);
    takes_the_new_one_back(&machine, &ended, &old);
    ended.says("ObjectIsDeletedButRecoverable").says("adopat never purges");
}

#[test]
fn an_output_file_that_fails_after_the_stores() {
    let (mut machine, old) = holding_a_former_value();
    let folder = machine.path("folder");
    std::fs::create_dir(&folder).expect("made");
    machine.input("output-file", folder.join("pat.json"));
    let break_it = || std::fs::remove_dir(&folder).expect("removed");
    let ended = hold_until(&machine, Fault::on(Service::Pats).method("POST").hold_after(), break_it);
    takes_the_new_one_back(&machine, &ended, &old);
    assert_eq!(in_vault(&machine), "FAKE-former-in-vault");
    assert_eq!(machine.read("pat"), "FAKE-former-in-file");
    ended.says("pat.json").says(&format!("These hold a PAT that is being revoked: {GROUP}, {SECRET}."));
    // Each took it once: stores are written before the output file.
    let puts = |service| machine.emulator.requests_to(service).iter().filter(|it| it.method == "PUT").count();
    assert_eq!((puts(Service::DevOps), puts(Service::GitHub), puts(Service::Vault)), (1, 1, 2));
}

#[test]
fn a_host_that_fails_last() {
    let (mut machine, old) = holding_a_former_value();
    let file = machine.path("pat.json");
    std::fs::write(&file, "as it was").expect("written");
    machine.input("output-file", file);
    let output = machine.path("GITHUB_OUTPUT");
    let break_it = || {
        std::fs::remove_file(&output).expect("removed");
        std::fs::create_dir(&output).expect("made");
    };
    let ended = hold_until(&machine, Fault::on(Service::Pats).method("POST").hold_after(), break_it);
    takes_the_new_one_back(&machine, &ended, &old);
    assert_eq!(in_vault(&machine), "FAKE-former-in-vault");
    assert_eq!(machine.read("pat"), "FAKE-former-in-file");
    assert_eq!(machine.read("pat.json"), "as it was");
    ended.says(&format!("These hold a PAT that is being revoked: {GROUP}, {SECRET}."));
}

#[test]
fn what_the_vault_is_given_back_stands_as_it_stood() {
    let mut machine = with_vault();
    let (vault, file) = (machine.vault_secret("ado-pat"), machine.file("pat"));
    to(&mut machine, &[&vault, &file]);
    machine.run().expect(0);
    let before = machine.emulator.vault_secret("ado-pat").expect("there").newest().expect("set").clone();
    let old = the_one(&machine);
    std::fs::write(machine.path("GITHUB_OUTPUT"), "").expect("emptied");
    machine.emulator.clear_requests();
    let folder = machine.path("folder");
    std::fs::create_dir(&folder).expect("made");
    machine.input("output-file", folder.join("pat.json"));
    let break_it = || std::fs::remove_dir(&folder).expect("removed");
    let ended = hold_until(&machine, Fault::on(Service::Pats).method("POST").hold_after(), break_it);
    takes_the_new_one_back(&machine, &ended, &old);
    let after = machine.emulator.vault_secret("ado-pat").expect("there").newest().expect("set").clone();
    assert_ne!(after.id, before.id);
    assert_eq!((after.value, after.content_type), (before.value, before.content_type));
    assert_eq!((after.expires, after.tags, after.enabled), (before.expires, before.tags, true));
    assert!(!ended.words().contains("These hold"), "{}", ended.words());
}

#[test]
fn where_the_new_one_cannot_be_revoked_what_lives_is_named() {
    let mut machine = plain();
    to(&mut machine, &[SECRET]);
    let old = the_one(&machine);
    let body = r#"{"message":"no"}"#;
    machine.emulator.order(Fault::on(Service::GitHub).method("PUT").answer(403, NO, body));
    let denied = r#"{"message":"no","typeKey":"AccessDeniedException"}"#;
    machine.emulator.order(Fault::on(Service::Pats).method("DELETE").answer(403, NO, denied).always());
    let ended = machine.run();
    ended.expect(7).says("may still be alive").says(&minted(&machine, &old).authorization_id.to_string());
}
