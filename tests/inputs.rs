//! The inputs: where they are looked up, what they may say, and that nothing is sent where one is wrong.

mod support;

use std::ffi::OsString;

use adopat_emulator::{NewPat, cast};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use support::{Ended, Host, Machine};

fn creating(host: Host) -> Machine {
    let mut machine = Machine::new(host, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine
}

/// Exit 2 with all of these sentences, and not one request.
#[track_caller]
fn refuses(machine: &Machine, sentences: &[&str]) -> Ended {
    let ended = machine.run();
    ended.expect(2);
    for sentence in sentences {
        ended.says(sentence);
    }
    assert_eq!(machine.calls(), Vec::<String>::new(), "nothing is sent");
    ended
}

#[rstest]
fn every_problem_is_told_at_once_each_with_its_remedy(
    #[values(Host::GitHub, Host::Azure, Host::Generic)] host: Host,
) {
    let mut machine = Machine::new(host, "create");
    machine.input("organization", "a/b").input("lifetime", "soon").input("verify", "perhaps");
    machine.input("timeout", "0s").input("authority-host", "https://evil.example").without("client-id");
    machine.input("dry-run", "maybe");
    let ended = refuses(
        &machine,
        &[
            "Input 'display-name' is required: give the PAT a name",
            "Input 'scope' is required: name what the PAT may do, such as vso.packaging",
            "Input 'organization' is not an organization: give its name",
            "Input 'lifetime' is no span of time: write a number and s, m, h, d or w",
            "Input 'verify' is none of its choices: give off, warn, require",
            "Input 'timeout' leaves no time at all: give a span such as 5m",
            "Input 'authority-host' may only name login.microsoftonline.com",
            "Input 'client-id' is required: give the id of the app registration",
            "Input 'dry-run' is neither true nor false: give true, false, 1, 0, yes or no",
        ],
    );
    assert_eq!(ended.words().matches("Input '").count(), 9, "{}", ended.words());
}

#[rstest]
#[case::github("INPUT_DISPLAY-NAME")]
#[case::azure_pipelines("INPUT_DISPLAYNAME")]
#[case::underscored("INPUT_DISPLAY_NAME")]
#[case::own("ADOPAT_DISPLAY_NAME")]
fn an_input_is_found_under_every_spelling_and_trimmed(#[case] name: &str) {
    let mut machine = creating(Host::GitHub);
    machine.without("display-name").set(name, "  fabrikam ci\n");
    machine.run().expect(0);
    assert_eq!(machine.active("fabrikam ci").len(), 1);
}

#[rstest]
#[case::the_hosts_own("from the host", "from the host")]
#[case::unless_it_is_empty("", "nightly")]
#[case::or_blank("  \t", "nightly")]
fn the_hosts_spelling_comes_first(#[case] hosts: &str, #[case] name: &str) {
    let mut machine = creating(Host::GitHub);
    machine.set("INPUT_DISPLAY-NAME", hosts).run().expect(0);
    assert_eq!(machine.active(name).len(), 1);
}

#[test]
fn a_macro_left_unexpanded_says_so() {
    let mut machine = creating(Host::Azure);
    machine.input("display-name", "nightly $(Build.BuildId)").input("refresh-token", "$(adoRefreshToken)");
    refuses(
        &machine,
        &[
            "'display-name' holds $(Build.BuildId), an Azure Pipelines macro that was left unexpanded",
            "'refresh-token' holds $(adoRefreshToken), an Azure Pipelines macro that was left unexpanded",
            "define that variable",
        ],
    );
}

#[rstest]
fn a_boolean_is_true_in_every_spelling(#[values("true", "TRUE", "True", "1", "yes", "YES")] text: &str) {
    let mut machine = creating(Host::GitHub);
    machine.input("dry-run", text).run().expect(0);
    assert!(machine.active("nightly").is_empty(), "it is a dry run");
}

#[rstest]
fn a_boolean_is_false_in_every_spelling(#[values("false", "False", "0", "no", "NO", " ")] text: &str) {
    let mut machine = creating(Host::GitHub);
    machine.input("dry-run", text).run().expect(0);
    assert_eq!(machine.active("nightly").len(), 1, "it is no dry run");
}

#[rstest]
#[case::seconds("5400s", 5400)]
#[case::minutes("90m", 5400)]
#[case::hours("36h", 129_600)]
#[case::days("90d", 7_776_000)]
#[case::weeks("2w", 1_209_600)]
#[case::iso_days("P90D", 7_776_000)]
#[case::iso_hours("PT12H", 43_200)]
#[case::the_default("", 2_592_000)]
fn a_lifetime_is_counted_from_now(#[case] text: &str, #[case] seconds: i64) {
    let mut machine = creating(Host::GitHub);
    machine.input("lifetime", text).run().expect(0);
    let [pat] = machine.active("nightly").try_into().expect("one PAT");
    let off = pat.valid_to.duration_since(pat.valid_from) - SignedDuration::from_secs(seconds);
    assert!(off.abs() <= SignedDuration::from_secs(3), "{off}");
}

#[test]
fn valid_to_is_sent_as_it_is() {
    let mut machine = creating(Host::GitHub);
    let end = Timestamp::from_second((Timestamp::now() + SignedDuration::from_hours(50)).as_second());
    let end = end.expect("an instant").to_string();
    machine.input("valid-to", &end).run().expect(0);
    assert_eq!(machine.sent("POST")[0]["validTo"], *end);
}

#[rstest]
#[case("ADOPAT_DISPLAYNAME", "ADOPAT_DISPLAY_NAME")]
#[case("ADOPAT_SCOPES", "ADOPAT_SCOPE")]
#[case("ADOPAT_ORGANISATION", "ADOPAT_ORGANIZATION")]
fn a_misspelt_name_is_warned_about_with_the_nearest(#[case] wrong: &str, #[case] right: &str) {
    let mut machine = creating(Host::GitHub);
    let ended = machine.set(wrong, "x").run();
    ended.expect(0).says(&format!("{wrong} is no input of adopat"));
    ended.says(&format!("Did you mean {right}?"));
    assert!(ended.stdout.contains("::warning::"), "as a warning of the host");
}

#[test]
fn a_name_that_is_like_no_input_is_warned_about_and_not_taken_for_a_slip() {
    let mut machine = creating(Host::GitHub);
    let ended = machine.set("ADOPAT_FOO_BAR", "x").run();
    ended
        .expect(0)
        .says("ADOPAT_FOO_BAR is no input of adopat")
        .says("nearest name is ADOPAT_")
        .says("--help");
    assert!(!ended.words().contains("Did you mean"), "{}", ended.words());
}

#[rstest]
#[case::inferred(None)]
#[case::said(Some("refresh-token"))]
fn a_malformed_store_is_the_one_problem_there_is(#[case] credential: Option<&str>) {
    let mut machine = creating(Host::GitHub);
    machine.input("credential-store", "vault:x");
    if let Some(credential) = credential {
        machine.input("credential", credential);
    }
    let ended = refuses(&machine, &["Input 'credential-store'"]);
    assert_eq!(ended.words().matches("Input '").count(), 1, "{}", ended.words());
}

#[test]
fn the_launchers_names_are_not_warned_about() {
    let mut machine = creating(Host::GitHub);
    let ended = machine.set("ADOPAT_BINARY", "/opt/adopat").set("ADOPAT_LAUNCHER", "1").run();
    ended.expect(0);
    assert!(!ended.stdout.contains("::warning::"), "{}", ended.words());
}

#[test]
fn a_word_beats_the_input_operation() {
    let mut machine = creating(Host::GitHub);
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.input("operation", "create").run_as("get").run().expect(0);
    assert_eq!(machine.pat_calls(), ["GET"]);
}

#[test]
fn without_a_word_the_input_says_what_to_do() {
    let mut machine = creating(Host::GitHub);
    machine.arguments(&[]).input("operation", "create").run().expect(0);
    assert_eq!(machine.active("nightly").len(), 1);
}

#[rstest]
#[case::none("", "Input 'operation' is required")]
#[case::unknown("mint", "Input 'operation' is none of its choices: give create, rotate")]
fn an_operation_is_required(#[case] operation: &str, #[case] sentence: &str) {
    let mut machine = creating(Host::GitHub);
    machine.arguments(&[]).input("operation", operation);
    refuses(&machine, &[sentence]);
}

#[rstest]
#[case::a_flag(&["--refresh-token=hunter2hunter2"])]
#[case::a_flag_after_the_operation(&["create", "--access-token", "hunter2hunter2"])]
#[case::a_word(&["hunter2hunter2"])]
#[case::a_word_after_the_operation(&["create", "hunter2hunter2"])]
#[case::a_command_without_hyphens(&["exec", "hunter2hunter2"])]
#[case::a_flag_of_exec(&["exec", "--hunter2hunter2", "--", "true"])]
fn an_unknown_word_or_flag_is_an_error_that_never_repeats_it(#[case] arguments: &[&str]) {
    let mut machine = creating(Host::GitHub);
    machine.arguments(arguments);
    let ended = refuses(&machine, &["adopat --help"]);
    assert!(!ended.words().contains("hunter2"), "{}", ended.words());
}

#[rstest]
#[case("--help", "keep-previous-for")]
#[case("--version", "adopat ")]
fn help_and_version_are_printed(#[case] flag: &str, #[case] text: &str) {
    let mut machine = Machine::new(Host::Generic, "list");
    let ended = machine.arguments(&[flag]).run();
    ended.expect(0);
    assert!(ended.stdout.contains(text));
    assert!(machine.calls().is_empty());
}

#[cfg(unix)]
#[test]
fn variables_that_are_no_text_are_neither_a_reason_to_fail_nor_printed() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut machine = creating(Host::GitHub);
    machine.set("LATIN_1", OsString::from_vec(b"caf\xe9-caf\xe9".to_vec())).input("log", "trace");
    let mut command = machine.command();
    command.env(OsString::from_vec(b"\xff\xfe".to_vec()), "of a strange name");
    let ended = machine.wait(command.spawn().expect("the binary starts"));
    ended.expect(0);
    assert!(!ended.words().contains("caf") && !ended.words().contains("of a strange name"));
}

#[cfg(unix)]
#[test]
fn an_input_that_is_no_text_is_named() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut machine = creating(Host::GitHub);
    machine.input("display-name", OsString::from_vec(b"caf\xe9".to_vec()));
    let ended = refuses(&machine, &["Input 'display-name' is not UTF-8 text"]);
    assert!(!ended.words().contains("caf"));
}

#[rstest]
#[case::of_52_characters("fake".repeat(13))]
#[case::of_84_characters(format!("FAKE{}AZDOFAKE", "a".repeat(72)))]
#[case::with_the_signature_a_place_earlier(format!("FAKE{}AZDOFAKE1", "a".repeat(71)))]
fn a_pat_given_as_access_token_is_told_apart(#[case] pat: String) {
    let mut machine = creating(Host::GitHub);
    machine.without("credential-store").input("access-token", &pat);
    let ended = refuses(&machine, &["Input 'access-token' is a personal access token", "refresh-token"]);
    assert!(!ended.words().contains(&pat));
}

#[test]
fn a_users_access_token_signs_in_without_entra_and_without_client_id() {
    let mut machine = creating(Host::GitHub);
    let token = machine.emulator.access_token(cast::PERSON);
    machine.without("credential-store").without("client-id").input("access-token", token).run().expect(0);
    // No service has told the time yet.
    assert_eq!(machine.calls(), ["Pats HEAD", "Pats POST"]);
}

#[test]
fn an_access_token_that_is_over_is_said_to_be() {
    let mut machine = creating(Host::GitHub);
    let token = machine.emulator.access_token(cast::PERSON);
    machine.emulator.expire_access_tokens();
    machine.without("credential-store").input("access-token", token);
    machine.run().expect(4).says("does not take the access token").says("TF400813").says("ActivityId");
}

#[rstest]
#[case::none("", "", "Input 'credential' is missing, and no secret or store says what it could be")]
#[case::both("0.FAKE-refresh", "fake-access", "both refresh-token and access-token are given")]
fn who_signs_in_is_never_guessed(#[case] refresh: &str, #[case] access: &str, #[case] sentence: &str) {
    let mut machine = creating(Host::GitHub);
    machine.without("credential-store").input("refresh-token", refresh).input("access-token", access);
    refuses(
        &machine,
        &[sentence, "device-code"].map(|text| if refresh.is_empty() { text } else { sentence }),
    );
}

#[rstest]
#[case("browser", "is browser, which is for login only")]
#[case("access-token", "Input 'access-token' is missing")]
#[case("certificate", "Input 'credential' is none of its choices")]
fn a_credential_has_to_fit(#[case] credential: &str, #[case] sentence: &str) {
    let mut machine = creating(Host::GitHub);
    machine.input("credential", credential);
    refuses(&machine, &[sentence]);
}

#[test]
fn a_store_that_never_shows_its_value_needs_the_refresh_token_beside_it() {
    let mut machine = creating(Host::GitHub);
    machine.input("credential-store", "github-secret:contoso/ci/ADO_REFRESH_TOKEN");
    refuses(&machine, &["Input 'refresh-token' is required beside", "Input 'github-token' is missing"]);
}

#[rstest]
#[case("authority-host", "https://evil.example")]
#[case("authority-host", "https://login.microsoftonline.com.evil.example")]
#[case("authority-host", "https://dev.azure.com")]
#[case("authority-host", "http://login.microsoftonline.com")]
#[case("service-url", "https://evil.example")]
#[case("service-url", "https://evildev.azure.com")]
#[case("service-url", "http://vssps.dev.azure.com")]
#[case("service-url", "https://user:hunter2@vssps.dev.azure.com")]
#[case("devops-url", "https://dev.azure.com.evil.example")]
#[case("devops-url", "http://dev.azure.com")]
#[case("verify-url", "https://evil.example/x")]
#[case("verify-url", "http://fabrikam.visualstudio.com/x")]
#[case("github-api-url", "https://github.evil.example/api/v3")]
#[case("github-api-url", "http://api.github.com")]
fn a_credential_goes_to_no_other_host(#[case] input: &str, #[case] address: &str) {
    let mut machine = creating(Host::GitHub);
    machine.input(input, address).input("verify", "require");
    let ended = refuses(&machine, &[&format!("Input '{input}'")]);
    assert!(!ended.words().contains("hunter2"));
}

#[rstest]
#[case::the_runners_own("https://ghes.contoso.example/api/v3", "https://ghes.contoso.example/api/v3", 0)]
#[case::another("https://ghes.contoso.example/api/v3", "https://ghes.fabrikam.example/api/v3", 2)]
fn a_github_enterprise_host_has_to_be_the_runners(
    #[case] runners: &str,
    #[case] given: &str,
    #[case] code: i32,
) {
    let mut machine = creating(Host::GitHub);
    machine.set("GITHUB_API_URL", runners).input("github-api-url", given).run().expect(code);
}

#[rstest]
#[case("fabrikam")]
#[case("https://dev.azure.com/fabrikam")]
#[case("https://dev.azure.com/fabrikam/")]
#[case("https://fabrikam.visualstudio.com")]
#[case("https://FABRIKAM.visualstudio.com/DefaultCollection")]
fn an_organization_is_a_name_or_an_address(#[case] organization: &str) {
    let mut machine = creating(Host::GitHub);
    machine.input("organization", organization).run().expect(0);
    assert_eq!(machine.active("nightly").len(), 1);
}

#[rstest]
#[case("https://dev.azure.com/fabrikam/")]
#[case("https://fabrikam.visualstudio.com/")]
fn on_azure_pipelines_the_organization_is_the_jobs_own(#[case] collection: &str) {
    let mut machine = creating(Host::Azure);
    machine.without("organization").set("SYSTEM_COLLECTIONURI", collection).run().expect(0);
    assert_eq!(machine.active("nightly").len(), 1);
}

#[test]
fn elsewhere_the_organization_is_required() {
    let mut machine = creating(Host::GitHub);
    machine.without("organization");
    refuses(&machine, &["Input 'organization' is required: give the Azure DevOps organization's name"]);
}

#[rstest]
#[case(Host::GitHub, "1ST")]
#[case(Host::GitHub, "FEED-PAT")]
#[case(Host::GitHub, "FEED\nPATH")]
#[case(Host::GitHub, "GITHUB_TOKEN")]
#[case(Host::GitHub, "NODE_OPTIONS")]
#[case(Host::GitHub, "PATH")]
#[case(Host::Azure, "a;isoutput=true")]
#[case(Host::Azure, "System.AccessToken")]
#[case(Host::Azure, "agent.name")]
fn a_variable_is_a_name_that_may_be_set(#[case] host: Host, #[case] name: &str) {
    let mut machine = creating(host);
    machine.input("variable", name);
    refuses(&machine, &["Input 'variable' is no name that may be set here"]);
}

#[rstest]
#[case("authorizationId", "is the name of a plain output")]
#[case("AUTHORIZATIONID", "is the name of a plain output")]
#[case("changed", "is the name of a plain output")]
#[case("a b", "is no name")]
fn an_output_variable_is_a_name_of_its_own(#[case] name: &str, #[case] sentence: &str) {
    let mut machine = creating(Host::Azure);
    machine.input("output-variable", name);
    refuses(&machine, &["Input 'output-variable'", sentence]);
}

#[rstest]
fn without_github_output_nothing_is_minted(#[values("create", "rotate")] operation: &str) {
    let mut machine = creating(Host::GitHub);
    machine.run_as(operation).unset("GITHUB_OUTPUT");
    refuses(&machine, &["GITHUB_OUTPUT is not set"]);
}

#[test]
fn without_github_env_no_variable_is_promised() {
    let mut machine = creating(Host::GitHub);
    machine.input("variable", "FEED_PAT").unset("GITHUB_ENV");
    refuses(&machine, &["GITHUB_ENV is not set"]);
}

#[rstest]
fn without_github_output_what_mints_nothing_runs(#[values("list", "get", "revoke")] operation: &str) {
    let mut machine = creating(Host::GitHub);
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.run_as(operation).unset("GITHUB_OUTPUT").run().expect(0);
}

#[rstest]
fn a_host_without_a_mask_needs_a_file_or_a_store(#[values("create", "rotate")] operation: &str) {
    let mut machine = creating(Host::Generic);
    machine.run_as(operation);
    refuses(&machine, &["output-file", "deliver-to", "adopat exec"]);
}

#[test]
fn a_host_without_a_mask_is_fine_with_a_file() {
    let mut machine = creating(Host::Generic);
    let file = machine.path("pat.json");
    machine.input("output-file", file).run().expect(0);
    assert_eq!(machine.active("nightly").len(), 1);
}

#[test]
fn scopes_are_sorted_and_sent_once() {
    let mut machine = creating(Host::GitHub);
    machine.input("scope", "vso.work,vso.code\nvso.build  vso.code").run().expect(0);
    assert_eq!(machine.sent("POST")[0]["scope"], "vso.build vso.code vso.work");
}

#[test]
fn an_unknown_scope_is_warned_about_and_sent() {
    let mut machine = creating(Host::GitHub);
    let ended = machine.input("scope", "vso.packagin").run();
    ended.expect(4).says("Did you mean vso.packaging?").says("invalidScope");
    assert_eq!(machine.sent("POST")[0]["scope"], "vso.packagin");
}

#[rstest]
fn full_access_has_to_be_allowed(#[values("create", "rotate", "update", "exec")] operation: &str) {
    let mut machine = creating(Host::GitHub);
    machine.input("scope", "vso.code app_token").run_as(operation);
    if operation == "exec" {
        machine.arguments(&["exec", "--", "true"]);
    }
    refuses(&machine, &["Input 'scope' holds app_token, which is full access", "allow-full-access"]);
}

#[test]
fn full_access_that_is_allowed_is_sent() {
    let mut machine = creating(Host::GitHub);
    machine.input("scope", "app_token").input("allow-full-access", "true").run().expect(0);
    assert_eq!(machine.sent("POST")[0]["scope"], "app_token");
}

#[rstest]
#[case::two_ends("create", &[("lifetime", "1d"), ("valid-to", "2099-01-01T00:00:00Z")], "given together with lifetime")]
#[case::a_past_end("create", &[("valid-to", "2020-01-01T00:00:00Z")], "'valid-to' lies in the past")]
#[case::an_end_that_is_none("create", &[("valid-to", "tomorrow")], "'valid-to' is no RFC 3339 instant")]
#[case::no_lifetime("create", &[("lifetime", "0d")], "'lifetime' is no time at all")]
#[case::a_name_of_two_lines("create", &[("display-name", "a\nb")], "'display-name' holds a control character")]
#[case::fractions("rotate", &[("renew-within", "1.5h")], "'renew-within' is no span")]
#[case::a_negative_span("rotate", &[("keep-previous-for", "-1h")], "'keep-previous-for' is no span")]
#[case::a_choice("rotate", &[("if-missing", "make")], "'if-missing' is none of its choices: give fail, ignore, create")]
#[case::duplicates("rotate", &[("duplicates", "keep")], "'duplicates' is none of its choices: give fail, revoke")]
#[case::created_by_id("rotate", &[("authorization-id", "00000000-0000-0000-0000-000000000001"), ("if-missing", "create")],
    "'if-missing' is create, which is for rotate by display-name alone")]
#[case::created_by_revoke("revoke", &[("if-missing", "create")], "'if-missing' is create, which is for rotate")]
#[case::an_id("revoke", &[("authorization-id", "nightly")], "'authorization-id' is no GUID")]
#[case::no_subject("get", &[("display-name", "")], "'display-name' is missing, and so is authorization-id")]
#[case::nothing_to_change("update", &[("scope", "")], "give new-display-name, scope, lifetime or valid-to")]
#[case::expiring_within_what("list", &[("fail-if-expiring", "true")], "'fail-if-expiring' needs expiring-within")]
#[case::a_filter("list", &[("filter", "dead")], "'filter' is none of its choices: give active, expired, revoked, all")]
#[case::no_last_step("create", &[("revoke-on-completion", "true")], "'revoke-on-completion' needs a last step")]
#[case::a_store("create", &[("deliver-to", "s3:bucket/key")], "'deliver-to' holds 's3:bucket/key', which is no store")]
#[case::a_tenant("create", &[("tenant-id", "consumers")], "'tenant-id' lets personal accounts in")]
#[case::a_format("create", &[("output-format", "yaml")], "'output-format' is none of its choices")]
#[case::a_host("create", &[("host", "jenkins")], "'host' is none that is known")]
#[case::a_log("create", &[("log", "adopat=[")], "'log' is no tracing filter")]
#[case::on_shortened("create", &[("on-shortened-lifetime", "cry")], "'on-shortened-lifetime' is none of its choices")]
#[case::no_command("exec", &[], "'operation' is exec, and no command is given")]
fn each_rule_has_its_sentence(
    #[case] operation: &str,
    #[case] inputs: &[(&str, &str)],
    #[case] sentence: &str,
) {
    let mut machine = creating(Host::GitHub);
    machine.arguments(&[]).input("operation", operation);
    for (name, value) in inputs {
        machine.input(name, *value);
    }
    refuses(&machine, &[sentence]);
}

#[test]
fn an_input_that_the_operation_does_not_use_is_ignored() {
    let mut machine = Machine::new(Host::Azure, "list");
    machine.input("lifetime", "soon").input("variable", "1 bad;name").input("output-variable", "changed");
    machine
        .input("deliver-to", "nowhere")
        .input("verify-url", "https://evil.example")
        .input("dry-run", "maybe");
    machine.input("display-name", "$(name)").input("authorization-id", "x").input("scope", "app_token");
    let ended = machine.run();
    ended.expect(0);
    assert!(!ended.stdout.contains("type=warning"), "{}", ended.words());
}

#[test]
fn every_secret_input_is_masked_before_anything_else_is_printed() {
    let mut machine = creating(Host::GitHub);
    let secrets = ["refresh-token", "client-secret", "id-token", "store-key", "github-token"];
    for (index, name) in secrets.iter().enumerate() {
        machine.input(name, format!("hunter{index}hunter{index}/"));
    }
    machine.set("AZURE_CLIENT_SECRET", "hunter7hunter7/").input("lifetime", "soon").set("ADOPAT_TYPO", "x");
    let ended = refuses(&machine, &["Input 'lifetime'", "ADOPAT_TYPO"]);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let masks = lines.iter().take_while(|line| line.starts_with("::add-mask::")).count();
    assert!(lines[masks..].iter().all(|line| !line.starts_with("::add-mask::")), "the masks come first");
    for index in [0, 1, 2, 3, 4, 7] {
        let secret = format!("hunter{index}hunter{index}/");
        for form in [secret.clone(), secret.replace('/', "%2F").replace('%', "%25")] {
            assert!(lines[..masks].contains(&format!("::add-mask::{form}").as_str()), "{form}");
        }
    }
    assert!(!ended.words().contains("hunter"));
}

#[test]
fn nothing_short_is_masked() {
    let mut machine = creating(Host::GitHub);
    machine.input("store-key", "abcde").input("lifetime", "soon");
    let ended = refuses(&machine, &["Input 'lifetime'"]);
    assert!(!ended.stdout.contains("::add-mask::abcde\n"), "{}", ended.stdout);
}

#[rstest]
#[case(Host::GitHub, "RUNNER_DEBUG", "1")]
#[case(Host::Azure, "SYSTEM_DEBUG", "true")]
fn debug_is_on_where_the_host_asks_for_it(#[case] host: Host, #[case] name: &str, #[case] value: &str) {
    let mut machine = creating(host);
    machine.run().expect(0);
    let quiet = machine.run();
    let ended = machine.set(name, value).run();
    ended.expect(0);
    assert!(ended.stderr.contains("DEBUG") && !quiet.stderr.contains("DEBUG"), "{}", ended.stderr);
}

#[test]
fn every_request_to_the_pat_service_is_as_the_service_wants_it() {
    let mut machine = creating(Host::GitHub);
    machine.emulator.add_pat(NewPat::named("nightly"));
    machine.run_as("rotate").input("keep-previous-for", "1h").run().expect(0);
    machine.without("keep-previous-for").input("duplicates", "revoke").run().expect(0);
    let requests = machine.emulator.requests_to(adopat_emulator::Service::Pats);
    assert!(requests.len() >= 7);
    for request in requests {
        assert_eq!(request.query("api-version"), Some("7.1-preview.1"));
        assert_eq!(request.header("x-tfs-fedauthredirect"), Some("Suppress"));
        assert!(request.header("user-agent").is_some_and(|agent| agent.starts_with("adopat/")));
        assert!(request.header("authorization").is_some_and(|value| value.starts_with("Bearer ")));
    }
}
