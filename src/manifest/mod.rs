//! The manifest of `apply`: which PATs there shall be, each with its scope, its life and the stores that receive it.
//!
//! - `document` reads YAML or JSON into a tree that knows where everything stands, and refuses what a manifest
//!   never needs: aliases, tags, duplicate keys, a second document;
//! - [`keys`] is the one table of keys, from which the errors, the documentation and the JSON Schema are made;
//! - `entries` turns the tree into [`Entry`] values, one for each PAT of each organization;
//! - [`schema`] writes the JSON Schema.
//!
//! Nothing here sends a request. Every problem is collected, so that you hear of all of them at once.

mod document;
mod entries;
pub mod keys;
mod placeholder;
mod problem;
mod scalar;
pub mod schema;
mod secret_shape;

use std::path::Path;
use std::time::Duration;

use url::Url;

pub use self::problem::{Position, Problem};
use crate::azure_devops::Organization;
use crate::pats::Scope;
use crate::pats::terms::Minting;
use crate::store::Address;

/// The largest manifest that is read, in bytes: 1 MiB.
pub const LARGEST: usize = 1 << 20;
/// The most PATs that one manifest may describe, counted after `organizations` is expanded.
pub const MOST_PATS: usize = 1000;

/// A manifest, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// One for each PAT of each organization, in the manifest's order. Entries of one organization spell its name
    /// alike, as the first of them does.
    pub entries: Vec<Entry>,
    /// `prune.name-prefix`: how the names begin of the PATs that the input `prune` may revoke.
    pub prune: Option<String>,
    /// What is not wrong, but worth a look; each a sentence with its place.
    pub warnings: Vec<Problem>,
}

/// One PAT that there shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `organization`, or one of `organizations`.
    pub organization: Organization,
    /// `display-name`, with `{organization}` filled in.
    pub display_name: String,
    /// `scope`.
    pub scope: Scope,
    /// `deliver-to`, with `{organization}` filled in; never empty.
    pub deliver_to: Vec<Address>,
    /// `lifetime`: how long a new PAT is asked to live.
    pub lifetime: Duration,
    /// `renew-within`; if it is not given, a third of the span that the PAT was granted.
    pub renew_within: Option<Duration>,
    /// `keep-previous-for`; if it is not given, or no time at all, the old PAT is revoked at once.
    pub keep_previous_for: Option<Duration>,
    /// `verify`, `verify-url` and `on-shortened-lifetime`.
    pub minting: Minting,
    /// `allow-global-narrowing`.
    pub allow_global_narrowing: bool,
    /// Where the entry begins.
    pub at: Position,
}

/// What the inputs say beside the manifest.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// `organization`: that of every entry that names none, in a manifest that names none either.
    pub organization: Option<&'a Organization>,
    /// `credential-store`, where no PAT may go.
    pub credential_store: Option<&'a Address>,
    /// `output-file`, where no PAT may go either.
    pub output_file: Option<&'a Path>,
    /// The file that the manifest is read from, if it is one: no PAT may take its place.
    pub manifest_file: Option<&'a Path>,
    /// `devops-url`: below it lies the address at which a new PAT is tried by default.
    pub devops_url: &'a Url,
}

/// Reads a manifest.
///
/// # Errors
/// Every problem, in the order in which they stand.
pub fn read(text: &str, context: Context<'_>) -> Result<Manifest, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > LARGEST {
        let what = "The manifest is larger than 1 MiB";
        return Err(vec![Problem::new(Position::START, what, "cut it by organization or team")]);
    }
    let secrets = secret_shape::find_all(text);
    let (document, unread) = document::parse(text);
    let (manifest, wrong) = match &document {
        Some(document) => entries::read(document, context),
        None => (None, Vec::new()),
    };
    match manifest {
        Some(manifest) if [&secrets, &unread, &wrong].into_iter().all(Vec::is_empty) => Ok(manifest),
        _ => Err(problem::in_order([secrets, unread, wrong].concat())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::pats::terms::{OnShortenedLifetime, Verify};

    const EXAMPLE: &str = "\
version: 1
organization: fabrikam
defaults:
  lifetime: 30d
  verify: require
pats:
  - display-name: ci-restore
    scope: vso.packaging
    deliver-to: keyvault:https://fabrikam-ci.vault.azure.net/secrets/ci-restore
  - display-name: ci-publish
    organizations: [fabrikam, contoso]
    scope: [vso.packaging_write]
    keep-previous-for: 2h
    deliver-to:
      - keyvault:https://fabrikam-ci.vault.azure.net/secrets/ci-publish-{organization}
      - variable-group:website/feed/PAT
prune:
  name-prefix: ci-
";

    /// A problem as this module's tests read it.
    fn told(problem: &Problem) -> String {
        let Problem { at, what, remedy } = problem;
        format!("{}:{}: {what}; {remedy}", at.line, at.column)
    }

    static DEVOPS_URL: LazyLock<Url> =
        LazyLock::new(|| Url::parse("https://dev.azure.com").expect("an address"));

    fn read_with<'a>(text: &str, change: impl FnOnce(&mut Context<'a>)) -> Result<Manifest, Vec<String>> {
        let mut context = Context {
            organization: None,
            credential_store: None,
            output_file: None,
            manifest_file: None,
            devops_url: &DEVOPS_URL,
        };
        change(&mut context);
        read(text, context).map_err(|problems| problems.iter().map(told).collect())
    }

    fn read_alone(text: &str) -> Result<Manifest, Vec<String>> {
        read_with(text, |_| {})
    }

    #[test]
    fn the_example_is_three_pats() {
        let manifest = read_alone(EXAMPLE).expect("a manifest");
        let names: Vec<_> = manifest
            .entries
            .iter()
            .map(|entry| format!("{}/{} {}", entry.organization, entry.display_name, entry.at.line))
            .collect();
        assert_eq!(names, ["fabrikam/ci-restore 7", "fabrikam/ci-publish 10", "contoso/ci-publish 10"]);
        let last = &manifest.entries[2];
        let url = Url::parse("https://dev.azure.com/contoso/_apis/connectionData").expect("an address");
        let verify = Some(Verify { required: true, url });
        assert_eq!(last.minting, Minting { on_shortened_lifetime: OnShortenedLifetime::Warn, verify });
        assert_eq!(last.lifetime, Duration::from_secs(30 * 86_400));
        assert_eq!((last.renew_within, last.keep_previous_for), (None, Some(Duration::from_secs(7200))));
        let stores: Vec<_> = last.deliver_to.iter().map(ToString::to_string).collect();
        let vault = "keyvault:https://fabrikam-ci.vault.azure.net/secrets/ci-publish-contoso";
        assert_eq!(stores, [vault, "variable-group:website/feed/PAT"]);
        assert_eq!(manifest.prune.as_deref(), Some("ci-"));
        assert_eq!(manifest.warnings, []);
    }

    #[test]
    fn json_is_read_by_the_same_way_and_so_is_a_byte_order_mark() {
        let json = "\u{feff}{\"version\": 1, \"pats\": [{\"display-name\": \"1\", \"organization\": \"fabrikam\",\r\n\
                    \"scope\": [\"vso.code\"], \"deliver-to\": \"file:one\", \"allow-full-access\": false,\r\n\
                    \"keep-previous-for\": \"0s\"}]}";
        let manifest = read_alone(json).expect("a manifest");
        assert_eq!(manifest.entries[0].display_name, "1");
        assert_eq!(manifest.entries[0].keep_previous_for, None);
    }

    #[test]
    fn an_entrys_own_organization_beats_both_of_defaults_and_these_the_manifests() {
        let text = "\
version: 1
organization: top
defaults: {organizations: [one, two], scope: vso.code, deliver-to: 'file:no/such/{organization}'}
pats:
- {display-name: a}
- {display-name: b, organization: ONE, deliver-to: file:no/such/b}
- {display-name: '{organization}-{{c', organizations: [https://dev.azure.com/three], deliver-to: file:no/such/c}
";
        let manifest = read_alone(text).expect("a manifest");
        let named = |entry: &Entry| format!("{}/{}", entry.organization, entry.display_name);
        let names: Vec<_> = manifest.entries.iter().map(named).collect();
        assert_eq!(names, ["one/a", "two/a", "one/b", "three/three-{c"]);
    }

    #[test]
    fn an_entry_that_names_none_is_of_the_inputs_organization() {
        let text = EXAMPLE.replace("organization: fabrikam\n", "");
        let contoso = Organization::parse("Fabrikam").expect("an organization");
        let manifest = read_with(&text, |context| context.organization = Some(&contoso)).expect("a manifest");
        assert_eq!(manifest.entries[1].organization.name(), "Fabrikam", "it is spelt as it was first");
        let problems = read_alone(&text).expect_err("a problem");
        let expected = "6:5: The entry has no organization; give organization here, at the top of the manifest, or as the input";
        assert_eq!(problems, [expected]);
    }

    #[test]
    fn what_is_doubtful_is_warned_of_once() {
        let text = "\
version: 1
organization: contoso
defaults: {scope: [vso.packging, Code (read)], lifetime: 400d, deliver-to: 'file:no/such/{organization}'}
pats:
- {display-name: a, organizations: [one, two]}
- {display-name: b}
";
        let warnings = read_alone(text).expect("a manifest").warnings;
        let warnings: Vec<_> = warnings.iter().map(told).collect();
        let [code, packaging, year] = warnings.as_slice() else { panic!("{warnings:?}") };
        let known = "is not a known one, and is sent all the same; did you mean";
        assert_eq!(*packaging, format!("3:19: The scope 'vso.packging' {known} vso.packaging?"));
        assert_eq!(*code, format!("3:19: The scope 'Code (read)' {known} vso.code?"));
        assert!(
            year.starts_with("3:58: 400d is more than a year, the longest life")
                && year.ends_with("use 365d or less"),
            "{year}"
        );
    }

    #[rstest]
    #[case::the_credential_store("file:no/such/store", "is the credential-store")]
    #[case::the_output_file("file:no/such/output", "is the file of the input output-file")]
    #[case::itself("file:no/such/manifest", "is the file of the input manifest")]
    fn no_pat_goes_where_something_else_is(#[case] address: &str, #[case] problem: &str) {
        let store = Address::parse("file:no/such/store").expect("an address");
        let text = EXAMPLE.replace("variable-group:website/feed/PAT", address).replace(", contoso", "");
        let problems = read_with(&text, |context| {
            context.credential_store = Some(&store);
            context.output_file = Some(Path::new("no/such/output"));
            context.manifest_file = Some(Path::new("no/such/manifest"));
        });
        assert_eq!(
            problems.expect_err("a problem"),
            [format!("16:9: {address} {problem}; give the PAT a place of its own")]
        );
    }

    /// Each as a person makes it, with everything that they are told.
    #[rstest]
    #[case::nothing("# nothing yet\n", &["2:1: The manifest is empty; write version, and a list of pats"])]
    #[case::a_text("adopat", &["1:1: A manifest is not a mapping; write 'key: value' lines, with keys like version, organization, defaults"])]
    #[case::a_list("- display-name: ci\n", &["1:1: A manifest is not a mapping; write 'key: value' lines, with keys like version, organization, defaults"])]
    #[case::no_version_no_pats("organization: contoso\n", &[
        "1:1: The manifest has no 'version'; write version: 1",
        "1:1: The manifest has no 'pats'; list the PATs that there shall be",
    ])]
    #[case::another_version("version: 2\npats: []\n", &[
        "1:10: This is not a version that this adopat knows; write version: 1",
        "2:7: 'pats' is empty; list the PATs that there shall be",
    ])]
    #[case::pats_as_a_mapping("version: 1\npats:\n  ci: {scope: vso.code}\n", &[
        "3:3: 'pats' is not a list; begin each entry with '- display-name:'",
    ])]
    #[case::slips_of_the_pen("version: 1\norganisation: contoso\npats:\n- display-nme: ci\n  scopes: vso.code\n  deliver: file:pat\n", &[
        "2:1: 'organisation' is not a key of a manifest; did you mean 'organization'?",
        "4:3: 'display-nme' is not a key of an entry; did you mean 'display-name'?",
        "5:3: 'scopes' is not a key of an entry; did you mean 'scope'?",
        "6:3: 'deliver' is not a key of an entry; did you mean 'deliver-to'?",
    ])]
    #[case::an_entry_of_nothing("version: 1\norganization: a\npats:\n- {}\n", &[
        "4:3: The entry has no 'display-name'; give the PAT a name",
        "4:3: The entry has no 'scope'; say what the PAT may do, like vso.packaging",
        "4:3: The entry has no 'deliver-to'; say which stores receive the PAT, here or in defaults",
    ])]
    #[case::a_tab("version: 1\npats:\n\t- display-name: ci\n", &["3:2: A tab stands where YAML wants spaces; indent with spaces"])]
    #[case::a_colon_in_a_text("version: 1\npats:\n- display-name: ci: nightly\n", &[
        "3:19: A colon and a space stand where no key can; put the text in quotes, or check the indentation",
    ])]
    #[case::an_open_quote("version: 1\npats:\n- display-name: \"ci\n", &["3:17: A quotation mark is never closed; close it"])]
    #[case::an_open_bracket("version: 1\npats:\n- organizations: [contoso\n  scope: x\n", &[
        "4:8: A colon stands where no key can, after a bracket that is not closed; close the bracket, or put the text in quotes",
    ])]
    #[case::an_open_brace("{\"version\": 1, \"pats\": [{\"display-name\": \"ci\" \"scope\": \"x\"}]}", &[
        "1:47: Something follows a closing quotation mark; put a comma or a line break between, or the whole text in quotes",
    ])]
    #[case::a_windows_path("version: 1\npats:\n- deliver-to: \"file:C:\\pats\\ci\"\n", &[
        "3:15: A backslash escapes nothing that YAML knows; use single quotes, or write \\\\",
    ])]
    #[case::a_bad_indentation("version: 1\npats:\n- display-name: ci\n   scope: vso.code\n", &[
        "4:9: A colon and a space stand where no key can; put the text in quotes, or check the indentation",
    ])]
    #[case::two_documents("version: 1\npats: []\n---\nversion: 1\n", &[
        "2:7: 'pats' is empty; list the PATs that there shall be",
        "3:1: A second document begins here; keep one document in a manifest",
    ])]
    #[case::aliases("version: 1\ndefaults: &base {scope: vso.code}\npats:\n- *base\n- <<: *base\n  display-name: ci\n  organization: a\n  deliver-to: file:no/such/pat\n", &[
        "2:11: A manifest has no anchors and aliases ('&', '*'); put a text in quotes that begins with one, and use defaults for what entries share",
        "4:3: A manifest has no anchors and aliases ('&', '*'); put a text in quotes that begins with one, and use defaults for what entries share",
        "5:3: '<<' is not a key of an entry; use display-name, scope, deliver-to, organization, organizations, lifetime, renew-within, keep-previous-for, verify, verify-url, on-shortened-lifetime, allow-full-access, allow-global-narrowing",
        "5:7: A manifest has no anchors and aliases ('&', '*'); put a text in quotes that begins with one, and use defaults for what entries share",
    ])]
    #[case::a_secret_in_a_comment(&format!("version: 1 # FAKE{}AZDOFAKE\npats: []\n", "a".repeat(72)), &[
        "1:14: This looks like a personal access token; remove it from the manifest and from its history, and revoke it",
        "2:7: 'pats' is empty; list the PATs that there shall be",
    ])]
    #[case::a_secret_in_pieces(&format!("version: 1\npats: []\nx: \"FAKE{}\\\n  {}AZDOFAKE\"\n", "a".repeat(35), "a".repeat(37)), &[
        "2:7: 'pats' is empty; list the PATs that there shall be",
        "3:1: 'x' is not a key of a manifest; use version, organization, defaults, pats, prune",
        "3:4: This looks like a personal access token; remove it from the manifest and from its history, and revoke it",
    ])]
    #[case::a_short_prefix("version: 1\npats: []\nprune: {name-prefix: ci}\n", &[
        "2:7: 'pats' is empty; list the PATs that there shall be",
        "3:22: 'ci' cannot be the name-prefix of prune; give at least 3 letters, digits, '-', '_', '.' or spaces",
    ])]
    #[case::an_odd_prefix("version: 1\npats: []\nprune: {name-prefix: 'ci-*'}\n", &[
        "2:7: 'pats' is empty; list the PATs that there shall be",
        "3:22: 'ci-*' cannot be the name-prefix of prune; give at least 3 letters, digits, '-', '_', '.' or spaces",
    ])]
    #[case::no_prefix("version: 1\npats: []\nprune: {}\n", &[
        "2:7: 'pats' is empty; list the PATs that there shall be",
        "3:8: 'prune' has no 'name-prefix'; say how the names begin of the PATs that it may revoke",
    ])]
    fn a_malformed_manifest_is_told_whole(#[case] text: &str, #[case] problems: &[&str]) {
        assert_eq!(read_alone(text).expect_err("problems"), problems);
    }

    /// An entry, the lines of which begin on line 4, without these keys and with these lines instead.
    fn with(lines: &str) -> Result<Manifest, Vec<String>> {
        let given = |key: &str| lines.lines().any(|line| line.starts_with(&format!("{key}:")));
        let mut text = String::from("version: 1\norganization: fabrikam\npats:\n-\n");
        lines.lines().for_each(|line| text.push_str(&format!("  {line}\n")));
        for (key, value) in
            [("display-name", "ci"), ("scope", "vso.code"), ("deliver-to", "file:no/such/pat")]
        {
            if !given(key) {
                text.push_str(&format!("  {key}: {value}\n"));
            }
        }
        read_alone(&text)
    }

    #[rstest]
    #[case::number(
        "display-name: 12",
        "5:17: 'display-name' is text, and '12' without quotes is a number; put it in quotes"
    )]
    #[case::boolean(
        "display-name: true",
        "5:17: 'display-name' is text, and 'true' without quotes is a boolean; put it in quotes"
    )]
    #[case::null(
        "display-name: ~",
        "5:17: 'display-name' is text, and '~' without quotes is nothing; put it in quotes"
    )]
    #[case::numeric_organization(
        "organization: 365",
        "5:17: 'organization' is text, and '365' without quotes is a number; put it in quotes"
    )]
    #[case::nothing("display-name:", "5:15: 'display-name' has no value; give it one, or remove the key")]
    #[case::blank("display-name: ' '", "5:17: 'display-name' has no value; give it one, or remove the key")]
    #[case::a_list_for_a_name("display-name: [ci]", "5:17: 'display-name' is not a text; write one value")]
    #[case::two_lines(
        "display-name: \"a\\nb\"",
        "5:17: 'display-name' holds a line break or another control character; write it on one line"
    )]
    #[case::twice(
        "lifetime: 30d\nlifetime: 30d",
        "6:3: 'lifetime' stands twice, first on line 5; keep one of them"
    )]
    #[case::yes(
        "allow-full-access: yes",
        "5:22: 'allow-full-access' is not a boolean; write true or false, without quotes"
    )]
    #[case::quoted(
        "allow-full-access: 'true'",
        "5:22: 'allow-full-access' is not a boolean; write true or false, without quotes"
    )]
    #[case::placeholder(
        "display-name: 'ci-{project}'",
        "5:17: '{project}' is not a placeholder; the only one is {organization}; write {{ for a brace"
    )]
    #[case::no_span("lifetime: 30", "5:13: 'lifetime': '30' is not a duration; use 30d, 12h or P90D; ")]
    #[case::no_time("renew-within: 0s", "5:17: 'renew-within' is no time at all; give a span like 10d")]
    #[case::late(
        "renew-within: 30d",
        "5:17: renew-within (30d) is not shorter than lifetime (30d); choose a shorter one; every run would rotate the PAT"
    )]
    #[case::kept(
        "keep-previous-for: 10d",
        "5:22: keep-previous-for (10d) is not shorter than renew-within (10d, a third of lifetime by default); choose a shorter one, or a longer renew-within"
    )]
    #[case::kept_too_long(
        "keep-previous-for: 3d\nrenew-within: 2d",
        "5:22: keep-previous-for (3d) is not shorter than renew-within (2d); choose a shorter one, or a longer renew-within"
    )]
    #[case::tag("lifetime: !!str 30d", "5:13: A manifest has no tags ('!...'); write the value without one")]
    #[case::full(
        "scope: app_token",
        "5:10: 'scope' holds app_token, which is full access; name the scopes that are needed, or set allow-full-access to true"
    )]
    #[case::no_scope("scope: ' , '", "5:10: 'scope' names no scope; give at least one, like vso.packaging")]
    #[case::both(
        "organization: a\norganizations: [b]",
        "6:18: 'organizations' stands beside 'organization'; keep one of them"
    )]
    #[case::one_as_several(
        "organizations: contoso",
        "5:18: 'organizations' is not a list; write [fabrikam, contoso], or use organization for a single one"
    )]
    #[case::of_none("organizations: []", "5:18: 'organizations' is empty; name at least one")]
    #[case::one_twice("organizations: [one, ONE]", "5:24: 'one' stands twice; keep one of them")]
    #[case::no_organization(
        "organization: con toso",
        "5:17: 'con toso' is not an organization; use its name, https://dev.azure.com/NAME or https://NAME.visualstudio.com; "
    )]
    #[case::no_stores("deliver-to: []", "5:15: 'deliver-to' is an empty list; name at least one")]
    #[case::a_device(
        "deliver-to: file:/dev/null",
        "5:15: 'file:/dev/null' is a device; name a file of your own"
    )]
    #[case::a_store_twice(
        "deliver-to: [file:no/such/a, file:no/such/a]",
        "5:32: file:no/such/a is named twice; name each store once"
    )]
    #[case::no_word("verify: always", "5:11: 'always' is not a value of 'verify'; use off, warn, require")]
    #[case::another_host(
        "verify-url: https://evil.example/",
        "5:15: 'https://evil.example/' is not an address that adopat sends a credential to; use dev.azure.com, a host below it or below visualstudio.com, over https; "
    )]
    #[case::a_brace(
        "verify-url: 'https://dev.azure.com/{organization}'",
        "5:15: 'verify-url' holds a brace; write the address in full; only display-name and deliver-to have {organization}"
    )]
    fn what_is_wrong_with_an_entry_is_told_with_its_place(#[case] lines: &str, #[case] problem: &str) {
        assert_eq!(with(lines), Err(vec![problem.to_owned()]));
    }

    #[test]
    fn what_is_no_store_is_told_with_the_forms_of_one() {
        let problems = with("deliver-to: s3://bucket").expect_err("a problem");
        let [problem] = problems.as_slice() else { panic!("{problems:?}") };
        assert!(
            problem.starts_with("5:15: 's3://bucket' is not the address of a store; use file:PATH"),
            "{problem}"
        );
    }

    #[test]
    fn one_name_in_one_organization_and_one_store_are_given_once() {
        let text = EXAMPLE
            .replace("display-name: ci-restore", "display-name: ci-publish")
            .replace("[fabrikam, contoso]", "[Fabrikam, contoso]")
            .replace("-{organization}", "");
        assert_eq!(
            read_alone(&text).expect_err("problems"),
            [
                "10:19: 'ci-publish' of fabrikam is described twice, first on line 7; give each PAT of an organization a name of its own",
                "15:9: keyvault:https://fabrikam-ci.vault.azure.net/secrets/ci-publish would receive both 'ci-publish' of fabrikam and 'ci-publish' of contoso; give each PAT a place of its own",
            ]
        );
    }

    #[test]
    fn a_manifest_has_its_limits() {
        let large = format!("version: 1 #{}\n", "x".repeat(LARGEST));
        assert_eq!(
            read_alone(&large).expect_err("too large"),
            ["1:1: The manifest is larger than 1 MiB; cut it by organization or team"]
        );
        let entries = |count: usize| {
            let entries: String = (0..count / 2)
                .map(|number| format!("- {{display-name: pat-{number}, deliver-to: 'file:no/such/{{organization}}-{number}'}}\n"))
                .collect();
            format!("version: 1\ndefaults: {{organizations: [a, b], scope: vso.code}}\npats:\n{entries}")
        };
        assert_eq!(read_alone(&entries(1000)).expect("a manifest").entries.len(), 1000);
        assert_eq!(
            read_alone(&entries(1002)).expect_err("too many"),
            ["4:3: The manifest describes more than 1000 PATs; cut it by organization or team"]
        );
    }

    /// A row of anything that nests or decorates is read, or refused, without going deep or taking long.
    #[rstest]
    fn what_is_hostile_ends(
        #[values(
            "[", "{", "- ", "? ", "&a ", "!a ", "*a ", "a: ", "\"", "'", "|\n", "#", "\t", "\n", "%A\n",
            "---\n", "a:\n ", "{a: ", "a,\n", "\u{85}", "eyJ.a.b "
        )]
        piece: &str,
    ) {
        let text = piece.repeat((100 << 10) / piece.len());
        read_alone(&text).expect_err("it is none");
        read_alone(&format!("version: 1\npats:\n- {text}")).expect_err("it is none");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-a-z0-9{}\\[\\]:,.\"'&*!|>%#@?\\\\ \t\r\n\u{e9}\u{2028}]{0,200}") {
            let _ = read_alone(&text);
            let _ = read_alone(&format!("version: 1\norganization: a\npats:\n- display-name: {text}"));
        }

        #[test]
        fn every_problem_stands_in_the_text(line in 0usize..18, at in 0usize..60, text in "[-a-z{}\\[\\]:,\"'&*! ]{1,8}") {
            let mut lines: Vec<String> = EXAMPLE.lines().map(str::to_owned).collect();
            let at = at.min(lines[line].len());
            lines[line].insert_str(at, &text);
            let problems = read_alone(&lines.join("\n")).err().unwrap_or_default();
            for problem in problems {
                let number: usize = problem.split(':').next().expect("a line").parse().expect("a number");
                prop_assert!((1..=lines.len() + 1).contains(&number), "{problem}");
            }
        }
    }
}
