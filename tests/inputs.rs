//! The inputs: where they are looked up, what they may say, and that nothing is sent where one is wrong.

mod support;

use std::ffi::OsString;

use adopat_emulator::{NewPat, cast};
use base64::Engine as _;
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
            "Input 'scope' is required: name what the PAT may do, like vso.packaging",
            "Input 'organization': 'a/b' is not an organization; use its name",
            "Input 'lifetime': 'soon' is not a duration; use 30d, 12h or P90D.",
            "Input 'verify': 'perhaps' is not one of its choices; use off, warn or require.",
            "Input 'timeout' leaves no time at all: give a duration like 5m",
            "Input 'authority-host': 'https://evil.example' is not an address that adopat sends a credential to; use \
             login.microsoftonline.com",
            "Input 'client-id' is required: give the 'Application (client) ID' of the app registration",
            "Input 'dry-run': 'maybe' is neither true nor false; use true or false.",
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
    // Each request brings the end forward by up to 10 s, which is its fingerprint.
    assert!(off <= SignedDuration::from_secs(1) && off >= SignedDuration::from_secs(-13), "{off}");
}

#[test]
fn valid_to_is_asked_for_less_than_a_second_earlier() {
    let mut machine = creating(Host::GitHub);
    let end = Timestamp::from_second((Timestamp::now() + SignedDuration::from_hours(50)).as_second());
    let end = end.expect("an instant");
    machine.input("valid-to", end.to_string()).run().expect(0);
    let asked: Timestamp =
        machine.sent("POST")[0]["validTo"].as_str().expect("text").parse().expect("RFC 3339");
    let earlier = end.duration_since(asked);
    assert!(earlier.is_positive() && earlier < SignedDuration::from_secs(1), "{earlier}");
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
#[case::unknown("mint", "Input 'operation': 'mint' is not one of its choices; use create, rotate")]
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
    let ended = refuses(&machine, &["--help' lists"]);
    assert!(!ended.words().contains("hunter2"), "{}", ended.words());
}

#[rstest]
#[case("--help", "revoke the old PAT")]
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

/// What stands in a refresh token's place, and how it is told.
#[rstest]
#[case::a_pat(format!("FAKE{}AZDOFAKE", "a".repeat(72)), "is a personal access token by its shape")]
#[case::an_old_pat("fake".repeat(13), "is a personal access token by its shape")]
#[case::an_access_token(format!("eyJ0{}.fake.fake", "a".repeat(300)), "is an access token or an ID token by its shape")]
#[case::a_path("/run/secrets/adopat".into(), "is a path or an address")]
#[case::a_path_of_windows(r"C:\secrets\adopat".into(), "is a path or an address")]
#[case::a_store("keyvault:https://contoso.vault.azure.net/secrets/x".into(), "is a path or an address")]
#[case::a_guid("00000000-0000-0000-0000-0000000000aa".into(), "is a GUID")]
#[case::in_quotes("\"0.AXoA-fakefakefake\"".into(), "stands in quotation marks")]
#[case::wrapped("0.AXoA-fakefake\nfakefake".into(), "holds a space or a line break")]
#[case::an_answer_of_entra("{\"refresh_token\":\"0.AXoA-fakefakefake\"}".into(), "is a JSON document")]
#[case::with_an_ellipsis("0.AXoA-fakefake\u{2026}".into(), "holds a character that no token has")]
#[case::githubs(format!("ghp_{}", "fake".repeat(9)), "is a GitHub token by its shape")]
fn what_is_no_refresh_token_is_not_sent_and_not_repeated(#[case] value: String, #[case] what: &str) {
    let mut machine = creating(Host::GitHub);
    machine.without("credential-store").input("refresh-token", &value);
    let ended = refuses(&machine, &[&format!("Input 'refresh-token' {what}")]);
    let words = ended.words().replace(&format!("::add-mask::{value}"), "");
    let words: Vec<&str> = words.lines().filter(|line| !line.contains("add-mask")).collect();
    assert!(!words.join("\n").contains(value.lines().next().expect("a line")), "{}", ended.words());
}

#[rstest]
#[case::a_refresh_token(format!("0.A{}", "Xo-_".repeat(60)), "is a refresh token by its shape")]
#[case::a_path("/run/secrets/token".into(), "is a path or an address")]
#[case::in_quotes("'eyJ0.fake.fake'".into(), "stands in quotation marks")]
fn what_is_no_access_token_is_not_sent(#[case] value: String, #[case] what: &str) {
    let mut machine = creating(Host::GitHub);
    machine.without("credential-store").input("access-token", &value);
    refuses(&machine, &[&format!("Input 'access-token' {what}")]);
}

#[test]
fn an_empty_secret_is_said_to_be_a_forks_or_a_misspelt_ones() {
    let mut machine = creating(Host::Generic);
    machine.without("credential-store").set("ADOPAT_REFRESH_TOKEN", "");
    refuses(
        &machine,
        &["Input 'refresh-token' is empty: pass the secret", "misspelled", "fork's pull request."],
    );
    let mut machine = creating(Host::GitHub);
    machine.without("credential-store").set("INPUT_REFRESH-TOKEN", "");
    refuses(&machine, &["Input 'credential' is missing", "misspelled", "fork's pull request."]);
    let mut machine = creating(Host::GitHub);
    machine.input("credential-store", "file:no-such-file").set("INPUT_REFRESH-TOKEN", "");
    machine
        .run()
        .expect(3)
        .says("There is no refresh token in file:no-such-file")
        .says("fork's pull request");
}

#[rstest]
#[case::a_token("tenant-id", "eyJ0_fake.fakefakefake.fakefakefake")]
#[case::a_url_with_a_password("service-url", "https://user:hunter2hunter2@vssps.dev.azure.com")]
#[case::a_long_secret("lifetime", "FAKE0fake0FAKE0fake0FAKE0fake0")]
fn a_value_that_may_hold_a_secret_is_not_repeated(#[case] input: &str, #[case] value: &str) {
    let mut machine = creating(Host::GitHub);
    machine.input(input, value);
    let ended = refuses(&machine, &[&format!("Input '{input}' ")]);
    assert!(!ended.words().contains(value) && !ended.words().contains("hunter2"), "{}", ended.words());
}

#[test]
fn a_lifetime_beyond_a_year_is_doubted_before_it_is_refused() {
    let mut machine = creating(Host::GitHub);
    let ended = machine.input("lifetime", "730d").run();
    ended.says("'730d' is more than a year, the longest that Azure DevOps documents");
    assert!(!ended.words().contains("clock"), "{}", ended.words());
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
#[case("access-token", "Input 'access-token' is not given, or is empty")]
#[case("certificate", "Input 'credential': 'certificate' is not one of its choices; use refresh-token")]
fn a_credential_has_to_fit(#[case] credential: &str, #[case] sentence: &str) {
    let mut machine = creating(Host::GitHub);
    machine.input("credential", credential);
    refuses(&machine, &[sentence]);
}

#[test]
fn a_store_that_never_shows_its_value_needs_the_refresh_token_beside_it() {
    let mut machine = creating(Host::GitHub);
    machine.input("credential-store", "github-secret:contoso/ci/ADO_REFRESH_TOKEN");
    let ended = refuses(
        &machine,
        &[
            "Input 'refresh-token' is not given, or is empty",
            "Input 'github-token' is not given, or is empty",
        ],
    );
    ended.says("cannot read it from github-secret:contoso/ci/ADO_REFRESH_TOKEN").says("fork's pull request");
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
    refuses(&machine, &["Input 'variable'", "is not a name that adopat may set here"]);
}

#[rstest]
#[case("authorizationId", "is the name of one of adopat's plain outputs")]
#[case("AUTHORIZATIONID", "is the name of one of adopat's plain outputs")]
#[case("changed", "is the name of one of adopat's plain outputs")]
#[case("a b", "is not the name of a variable")]
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
#[case::a_past_end("create", &[("valid-to", "2020-01-01T00:00:00Z")], "'valid-to': '2020-01-01T00:00:00Z' lies in the past")]
#[case::an_end_that_is_none("create", &[("valid-to", "tomorrow")], "'valid-to': 'tomorrow' is not a timestamp; use 2027-01-31T12:00:00Z.")]
#[case::no_lifetime("create", &[("lifetime", "0d")], "'lifetime' is no time at all")]
#[case::a_name_of_two_lines("create", &[("display-name", "a\nb")], "'display-name': 'a b' holds a line break")]
#[case::fractions("rotate", &[("renew-within", "1.5h")], "'renew-within': '1.5h' is not a duration")]
#[case::a_negative_span("rotate", &[("keep-previous-for", "-1h")], "'keep-previous-for': '-1h' is not a duration")]
#[case::a_span_of_centuries("create", &[("lifetime", "99999d")], "'lifetime': '99999d' is longer than 100 years")]
#[case::a_choice("rotate", &[("if-missing", "make")], "'if-missing': 'make' is not one of its choices; use fail, ignore or create.")]
#[case::duplicates("rotate", &[("duplicates", "keep")], "'duplicates': 'keep' is not one of its choices; use fail or revoke.")]
#[case::created_by_id("rotate", &[("authorization-id", "00000000-0000-0000-0000-000000000001"), ("if-missing", "create")],
    "'if-missing' is create, which is for rotate by display-name alone")]
#[case::created_by_revoke("revoke", &[("if-missing", "create")], "'if-missing' is create, which is for rotate")]
#[case::an_id("revoke", &[("authorization-id", "nightly")], "'authorization-id': 'nightly' is not a GUID; use the id that 'adopat list' shows")]
#[case::no_subject("get", &[("display-name", "")], "'display-name' is missing, and so is authorization-id")]
#[case::nothing_to_change("update", &[("scope", "")], "give new-display-name, scope, lifetime or valid-to")]
#[case::expiring_within_what("list", &[("fail-if-expiring", "true")], "'fail-if-expiring' needs expiring-within")]
#[case::a_filter("list", &[("filter", "dead")], "'filter': 'dead' is not one of its choices; use active, expired, revoked or all.")]
#[case::no_last_step("create", &[("revoke-on-completion", "true")], "'revoke-on-completion' needs a last step")]
#[case::a_store("create", &[("deliver-to", "s3:bucket/key")], "'deliver-to': 's3:bucket/key' is not the address of a store; use file:PATH")]
#[case::a_short_vault("create", &[("deliver-to", "keyvault:fabrikam-ci/adopat")],
    "'keyvault:fabrikam-ci/adopat' is not the address of a vault's secret; use keyvault:https://fabrikam-ci.vault.azure.net/secrets/adopat.")]
#[case::another_vault("create", &[("deliver-to", "keyvault:https://vault.example/secrets/x")],
    "use keyvault:https://VAULT.vault.azure.net/secrets/NAME.")]
#[case::a_group_of_two_parts("create", &[("deliver-to", "variable-group:web/feeds")], "use variable-group:PROJECT/GROUP/VARIABLE.")]
#[case::a_secret_of_two_parts("create", &[("deliver-to", "github-secret:web/PAT")], "use github-secret:OWNER/REPO[/ENVIRONMENT]/NAME.")]
#[case::an_empty_part("create", &[("deliver-to", "variable-group:web//PAT")], "has an empty part")]
#[case::a_name_of_githubs("create", &[("deliver-to", "github-secret:contoso/web/GITHUB_X")], "does not end in the name of a secret")]
#[case::a_file_without_a_path("create", &[("deliver-to", "file:")], "names no path; use file:PATH")]
#[case::a_server("create", &[("organization", "https://devops.contoso.com/tfs/DefaultCollection")],
    "'https://devops.contoso.com/tfs/DefaultCollection' is not an address of Azure DevOps Services: adopat cannot manage the PATs of an Azure DevOps Server")]
#[case::an_address_without_a_scheme("create", &[("devops-url", "dev.azure.com")], "'devops-url': 'dev.azure.com' is not an address; write it in full")]
#[case::a_client("create", &[("client-id", "my app")], "'client-id': 'my app' is not the id of an app registration")]
#[case::a_tenant_of_two_words("create", &[("tenant-id", "contoso ltd")], "'tenant-id': 'contoso ltd' is not a tenant")]
#[case::a_variable("create", &[("variable", "PATH")], "'variable': 'PATH' is not a name that adopat may set here")]
#[case::an_output_variable("create", &[("output-variable", "changed")], "'output-variable': 'changed' is the name of one of adopat's plain outputs")]
#[case::an_odd_output_variable("create", &[("output-variable", "1x")], "'output-variable': '1x' is not the name of a variable")]
#[case::a_tenant("create", &[("tenant-id", "consumers")], "'tenant-id': 'consumers' lets personal accounts in")]
#[case::a_format("create", &[("output-format", "yaml")], "'output-format': 'yaml' is not one of its choices; use json")]
#[case::a_host("create", &[("host", "jenkins")], "'host': 'jenkins' is not one of its choices; use azure-pipelines")]
#[case::a_log("create", &[("log", "adopat=[")], "'log': 'adopat=[' is not a log filter; use a level like debug")]
#[case::on_shortened("create", &[("on-shortened-lifetime", "cry")], "'on-shortened-lifetime': 'cry' is not one of its choices; use warn or fail.")]
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

/// A certificate that is given as a value is one in base64 too, whole or cut short: never a path that is told.
#[rstest]
#[case::a_pkcs12("pbes2-aes256.p12", usize::MAX)]
#[case::of_windows("3des-rc2.p12", usize::MAX)]
#[case::cut_short("pbes2-aes256.p12", 700)]
#[case::a_pem("pkcs1.pem", usize::MAX)]
fn a_certificate_in_base64_is_masked_and_never_told(
    #[case] fixture: &str,
    #[case] length: usize,
    #[values(0, 64, 76)] width: usize,
) {
    let path = format!("{}/tests/fixtures/certificates/{fixture}", env!("CARGO_MANIFEST_DIR"));
    let encoded = base64::engine::general_purpose::STANDARD.encode(std::fs::read(path).expect("a fixture"));
    let encoded = &encoded[..length.min(encoded.len())];
    let lines: Vec<_> = match width {
        0 => vec![encoded.to_owned()],
        width => {
            encoded.as_bytes().chunks(width).map(|line| String::from_utf8_lossy(line).into_owned()).collect()
        }
    };
    let mut machine = creating(Host::GitHub);
    machine
        .input("client-certificate", lines.join("\n"))
        .input("client-certificate-password", "fake-password");
    machine.input("log", "trace").input("lifetime", "soon");
    let ended = machine.run();
    ended.expect(2);
    for line in lines.iter().filter(|line| line.len() >= 6) {
        assert!(ended.stdout.contains(&format!("::add-mask::{line}\n")), "{line}");
        assert!(!ended.words().contains(line.as_str()), "{}", ended.words());
    }
    let readable = length == usize::MAX;
    assert_eq!(ended.words().contains("client-certificate"), !readable, "{}", ended.words());
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

// values that cannot be read

#[cfg(unix)]
#[rstest]
fn a_value_that_is_not_utf_8_is_called_that_and_nothing_else(
    #[values(
        "organization",
        "display-name",
        "scope",
        "lifetime",
        "refresh-token",
        "credential",
        "credential-store",
        "client-id",
        "tenant-id",
        "deliver-to",
        "output-file",
        "output-format",
        "verify",
        "timeout",
        "service-url",
        "client-certificate",
        "feed",
        "variable"
    )]
    name: &str,
) {
    use std::os::unix::ffi::OsStringExt as _;
    let mut machine = creating(Host::GitHub);
    machine.input(name, std::ffi::OsString::from_vec(b"caf\xe9".to_vec()));
    let ended = machine.run();
    ended.expect(2).says(&format!("Input '{name}' is not UTF-8 text: set it to plain text."));
    assert_eq!(ended.words().matches("Input '").count(), 1, "{}", ended.words());
    assert!(machine.calls().is_empty());
}

#[rstest]
fn a_macro_is_a_value_like_any_other_where_azure_pipelines_is_not_the_host(
    #[values(Host::GitHub, Host::Generic)] host: Host,
) {
    let mut machine = creating(host);
    let file = machine.path("pat.env");
    machine.input("output-file", file).input("display-name", "nightly $(name)");
    machine.run().expect(0);
    assert_eq!(machine.active("nightly $(name)").len(), 1);
    machine.input("host", "azure-pipelines");
    let ended = machine.run();
    ended.expect(2).says("an Azure Pipelines macro that was left unexpanded");
    assert_eq!(ended.words().matches("Input '").count(), 1, "{}", ended.words());
}

// output files

#[rstest]
fn a_format_for_a_pat_is_wrong_where_none_is_made(
    #[values("get", "list", "revoke", "update", "login")] operation: &str,
    #[values("token", "git-credentials", "netrc", "npmrc", "cargo")] format: &str,
) {
    let mut machine = Machine::new(Host::Generic, operation);
    let file = machine.path("file");
    machine.input("display-name", "nightly").input("new-display-name", "weekly");
    machine.input("output-file", file).input("output-format", format);
    let ended = machine.run();
    ended.expect(2).says(&format!("is for a PAT, and {operation}'s outputs hold none: use json or dotenv."));
    assert!(machine.calls().is_empty() && !machine.path("file").exists());
    machine.input("output-format", "json");
    if operation != "login" {
        machine.emulator.add_pat(adopat_emulator::NewPat::named("nightly"));
        machine.run().expect(0);
        assert!(machine.path("file").exists());
    }
}

#[test]
fn a_format_without_a_file_is_said_to_be_ignored() {
    let mut machine = creating(Host::GitHub);
    machine
        .input("output-format", "netrc")
        .run()
        .expect(0)
        .says("output-format is ignored: there is no output-file.");
}

#[cfg(unix)]
#[rstest]
fn a_file_that_the_run_needs_itself_takes_no_secret(
    #[values("output-file", "deliver-to", "credential-store")] input: &str,
    #[values(
        "GITHUB_OUTPUT",
        "GITHUB_ENV",
        "GITHUB_STATE",
        "GITHUB_STEP_SUMMARY",
        "SSL_CERT_FILE",
        "AZURE_FEDERATED_TOKEN_FILE"
    )]
    variable: &str,
    #[values("itself", "link", "hard")] way: &str,
) {
    let mut machine = creating(Host::GitHub);
    let file = machine.path(variable);
    std::fs::write(&file, "").expect("written");
    machine.set(variable, &file);
    let named = match way {
        "itself" => file.clone(),
        "link" => {
            std::os::unix::fs::symlink(&file, machine.path("link")).expect("linked");
            machine.path("link")
        }
        _ => {
            std::fs::hard_link(&file, machine.path("hard")).expect("linked");
            machine.path("hard")
        }
    };
    let prefix = if input == "output-file" { "" } else { "file:" };
    machine.input(input, format!("{prefix}{}", named.display()));
    machine.run().expect(2).says(&format!("is the file that {variable} names, which the run needs itself"));
    assert!(machine.calls().is_empty());
    assert_eq!(std::fs::read(&file).expect("there"), b"");
}

#[test]
fn a_certificate_and_the_program_itself_are_no_output_files() {
    let mut machine = creating(Host::Generic);
    let certificate = machine.path("app.pem");
    std::fs::write(&certificate, "mine").expect("written");
    machine.input("client-certificate", &certificate).input("output-file", &certificate);
    machine.run().expect(2).says("is the file of client-certificate, which the run needs itself");
    assert_eq!(machine.read("app.pem"), "mine");
    machine.without("client-certificate").input("output-file", support::BINARY);
    machine.run().expect(2).says("is adopat's own program");
}

#[cfg(unix)]
#[rstest]
fn a_file_that_standard_output_goes_to_is_not_replaced(
    #[values("out", "/dev/stdout", "/proc/self/fd/1", "/dev/fd/1")] named: &str,
) {
    if named != "out" && !std::path::Path::new(named).exists() {
        return;
    }
    let mut machine = creating(Host::Generic);
    machine.input("output-file", named);
    let out = std::fs::File::create(machine.path("out")).expect("made");
    let run = machine.command().stdout(out).spawn().expect("the binary starts");
    machine.wait(run).expect(2).says("Input 'output-file'");
    assert!(machine.calls().is_empty() && machine.read("out").is_empty());
}

#[rstest]
#[case("netrc", "machine github.com login me password mine\n")]
#[case("git-credentials", "https://me:mine@github.com\n")]
#[case("netrc", "# a comment\n")]
fn somebody_elses_logins_are_not_replaced_and_adopats_own_are(#[case] format: &str, #[case] theirs: &str) {
    let mut machine = creating(Host::Generic);
    let file = machine.path("logins");
    std::fs::write(&file, theirs).expect("written");
    machine.input("output-file", &file).input("output-format", format);
    machine.run().expect(2).says("holds settings that adopat did not write");
    assert!(machine.calls().is_empty());
    assert_eq!(machine.read("logins"), theirs);
    for _ in 0..2 {
        // An empty file, as mktemp makes it, then the one that adopat wrote.
        if machine.read("logins") == theirs {
            std::fs::write(&file, "").expect("emptied");
        }
        machine.run().expect(0);
    }
    assert!(machine.read("logins").contains("dev.azure.com"));
}

/// git itself writes its store anew at each sign-in.
#[cfg(unix)]
#[test]
fn a_store_that_git_has_written_anew_is_still_adopats_own() {
    let mut machine = creating(Host::Generic);
    let file = machine.path("store");
    machine.input("output-file", &file).input("output-format", "git-credentials");
    machine.run().expect(0);
    let before = machine.read("store");
    let line = before.lines().last().expect("a line").replace("https://", "");
    let (login, host) = line.rsplit_once('@').expect("a login");
    let (user, password) = login.split_once(':').expect("a password");
    let mut git = std::process::Command::new("git")
        .args(["credential-store", "--file"])
        .arg(&file)
        .arg("store")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("git starts");
    let told = format!("protocol=https\nhost={host}\nusername={user}\npassword={password}\n\n");
    std::io::Write::write_all(&mut git.stdin.take().expect("a pipe"), told.as_bytes()).expect("told");
    assert!(git.wait().expect("git ends").success());
    assert_ne!(machine.read("store"), before, "git has put the line first");
    machine.run().expect(0);
    assert_ne!(machine.read("store"), before);
}
