//! Every message of the program is quoted by a test, or excused here with the reason; and the tests of those that no
//! other test has a reason to quote.
//!
//! A message is a call that says something to a person: a failure, a problem with an input, a warning, a finding of
//! `doctor`. It counts as reached where a test quotes words of it that fit few other messages. The tables of refusals
//! are looked up row by row instead.
#![cfg(unix)]

mod support;

use std::path::{Path, PathBuf};

use adopat::pats::refusal as pats;
use adopat::refusal_table::{self, RefusalRow};
use adopat::store::{
    github_secret, key_vault_refusal, kubernetes_secret, service_connection, variable_group,
};
use adopat_emulator::{Emulator, Fault, NewPat, Service, cast};
use rstest::rstest;
use serde_json::json;
use support::{Ended, Host, Machine};

/// What says something to a person.
const SAYERS: [&str; 10] =
    ["Failure::new", ".warn", ".info", ".notice", ".error", ".say", ".add", ".wrong", ".and", "Finding::"];

/// Of the messages that no test quotes: words of each, and why.
const EXCUSED: &[(&str, &str)] = &[
    ("The client's certificate could not sign.", "ring refuses no key that was read and checked before"),
    (
        "The address of the sign-in host is none.",
        "an authority-host that is read is an address with any path",
    ),
    ("The address of {service} is none.", "the host's address has been read as one before"),
    ("What was written of it is still there.", "a file that could be written to has to refuse to be cut"),
    ("It still holds the revoked PAT: {why}", "a file that was replaced a moment ago has to refuse it now"),
    (
        "The system does not let adopat {what}: {error}.",
        "the system has to refuse what it grants every process",
    ),
    ("There is no credential-store.", "the inputs refuse a login without one before"),
    ("Waiting for the sign-in: {} left.", "told once a minute while a person is waited for"),
    ("There is no sign-in to Azure DevOps.", "every credential that opens such a store signs in to it"),
    (
        "Let the user that runs adopat read it, or correct the path.",
        "root, who runs most tests, reads every file: to anybody else the preparation has told of it already",
    ),
    ("The secret could not be sealed for {}.", "a key of 32 bytes seals whatever it is given"),
    (
        "The vault cannot be opened by {way}: {error}.",
        "the SDK refuses none of the values that are checked before",
    ),
    (
        "The file {path} cannot be written: {}.",
        "its remedies are quoted, one by one, by the tests of resource limits",
    ),
    ("The variable '{name}' could not be set", "standard output has to fail between two writes"),
    (
        "What the job's last step needs could not be saved: writing",
        "standard output has to fail between two writes",
    ),
    (
        "The secret has several lines, which the agent could not mask.",
        "a PAT of several lines is refused before",
    ),
    ("The program of {address} {}.", "its reasons are quoted, one by one, by the tests of commands"),
    (
        "{address} could not be run: {error}.",
        "the system has to refuse a program that was found fit a moment ago",
    ),
    (
        "The Azure CLI is too old.",
        "the SDK reads the answers of older ones, too, in every form that is known",
    ),
    (
        "The input client-certificate {what}.",
        "its reasons are quoted, one by one, by the tests of certificates",
    ),
    (
        "{address} can be read. {}",
        "a user with root's rights, as whom tests may run, can write whatever can be read",
    ),
    ("cannot be used", "the rest of the sentence is quoted by the tests of certificates"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// A piece of Rust, as far as this test has to understand it.
enum Token {
    Text(String),
    Open { call: Option<String> },
    OpenBlock,
    Close,
}

/// Texts and brackets, without comments. A call's parenthesis knows what is called.
fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    let mut before = String::new();
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
            continue;
        }
        let hashes = rest.strip_prefix('r').map(|raw| raw.len() - raw.trim_start_matches('#').len());
        let is_raw = hashes.is_some_and(|count| rest[1 + count..].starts_with('"'))
            && !before.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        if let (true, Some(count)) = (is_raw, hashes) {
            let end = format!("\"{}", "#".repeat(count));
            let (text, after) = rest[2 + count..].split_once(&end).expect("an end");
            tokens.push(Token::Text(text.to_owned()));
            (rest, before) = (after, String::new());
            continue;
        }
        if c == '"' {
            let (text, after) = unescaped(&rest[1..]);
            tokens.push(Token::Text(text));
            (rest, before) = (after, String::new());
            continue;
        }
        if c == '\'' {
            // A character; else a lifetime.
            let inner = &rest[1..];
            let length = match inner.strip_prefix('\\') {
                Some(escaped) => escaped.get(1..).and_then(|more| more.find('\'')).map(|end| end + 3),
                None => inner
                    .chars()
                    .next()
                    .filter(|c| inner[c.len_utf8()..].starts_with('\''))
                    .map(|c| c.len_utf8() + 1),
            };
            rest = &inner[length.unwrap_or(0)..];
            continue;
        }
        match c {
            '(' => tokens.push(Token::Open { call: called(&before) }),
            '[' => tokens.push(Token::Open { call: None }),
            '{' => tokens.push(Token::OpenBlock),
            ')' | ']' | '}' => tokens.push(Token::Close),
            _ => {}
        }
        before.push(c);
        rest = &rest[c.len_utf8()..];
    }
    tokens
}

/// The text up to its closing quotation mark, as it reads, and what follows.
fn unescaped(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = source.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, &source[at + 1..]),
            '\\' => match chars.next().expect("something escaped").1 {
                '\n' => while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                'n' | 'r' | 't' => text.push(' '),
                other => text.push(other),
            },
            _ => text.push(c),
        }
    }
    panic!("a text without an end");
}

/// What a parenthesis calls that stands behind this; nothing where it only wraps a text.
fn called(before: &str) -> Option<String> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '.' | '!');
    let start = before
        .rfind(|c| !is_part(c))
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let name = &before[start..];
    let wraps = ["format!", "Some", "Ok", "Err", "if", "match", "concat!", ".into", ".to_owned", "::from"];
    let is_wrap = name.is_empty() || wraps.iter().any(|wrap| name.ends_with(wrap));
    (!is_wrap).then(|| name.to_owned())
}

/// The texts of each call that says something.
fn messages(source: &str) -> Vec<Vec<String>> {
    /// Where a text belongs: to the innermost call around it, as long as no block is between.
    struct Call {
        name: Option<String>,
        texts: Vec<String>,
        is_block: bool,
    }
    let mut messages = Vec::new();
    let mut calls: Vec<Call> = Vec::new();
    for token in tokens(source) {
        match token {
            Token::Open { call } => calls.push(Call { name: call, texts: Vec::new(), is_block: false }),
            Token::OpenBlock => calls.push(Call { name: None, texts: Vec::new(), is_block: true }),
            Token::Text(text) => {
                let within = calls.iter_mut().rev().take_while(|call| !call.is_block);
                if let Some(call) = within.into_iter().find(|call| call.name.is_some()) {
                    call.texts.push(text);
                }
            }
            Token::Close => {
                let call = calls.pop().expect("it was opened");
                let says = call.name.is_some_and(|name| SAYERS.iter().any(|sayer| says(&name, sayer)));
                if says && call.texts.iter().any(|text| is_prose(text)) {
                    messages.push(call.texts.into_iter().filter(|text| is_prose(text)).collect());
                }
            }
        }
    }
    messages
}

fn says(name: &str, sayer: &str) -> bool {
    if sayer.ends_with("::") { name.contains(sayer) } else { name.ends_with(sayer) }
}

/// The words of a text between what is filled in.
fn fragments(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest).trim())
}

fn is_prose(text: &str) -> bool {
    fragments(text).any(|words| words.split_whitespace().count() >= 3)
}

/// A file's source without its unit tests, and these.
fn halves(source: &str) -> (&str, &str) {
    let tests = source.find("#[cfg(test)]\nmod tests").or_else(|| source.find("mod tests {"));
    source.split_at(tests.unwrap_or(source.len()))
}

#[test]
fn every_message_is_quoted_by_a_test_or_excused() {
    let mut quotes = Vec::new();
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let quoted = |source: &str, quotes: &mut Vec<String>| {
        let texts = tokens(source).into_iter().filter_map(|token| match token {
            Token::Text(text) => Some(text.to_lowercase()),
            _ => None,
        });
        quotes.extend(texts);
    };
    for path in rust_files("src") {
        let name = path.strip_prefix(root()).expect("ours").display().to_string();
        let source = std::fs::read_to_string(&path).expect("a source");
        let (program, tests) = halves(&source);
        quoted(tests, &mut quotes);
        // What the unit tests alone are built of.
        if !["src/store/fake.rs", "src/host/testing.rs", "src/entra/scripted.rs"].contains(&&*name) {
            found.extend(messages(program).into_iter().map(|texts| (name.clone(), texts)));
        }
    }
    for path in rust_files("tests") {
        let source = std::fs::read_to_string(&path).expect("a source");
        // The excuses are no quotes.
        let excuses =
            source.find("const EXCUSED").map(|at| (at, at + source[at..].find("\n];").expect("an end")));
        let (before, after) = excuses.map_or((&*source, ""), |(from, to)| (&source[..from], &source[to..]));
        quoted(before, &mut quotes);
        quoted(after, &mut quotes);
    }
    assert!(found.len() > 180 && quotes.len() > 2_000, "{} messages, {} texts", found.len(), quotes.len());

    let all: Vec<String> = found.iter().map(|(_, texts)| texts.join("\n").to_lowercase()).collect();
    let parts = quotes.iter().flat_map(|quote| fragments(quote));
    let mut parts: Vec<&str> = parts.filter(|part| part.len() >= 10 && part.contains(' ')).collect();
    parts.sort_unstable();
    parts.dedup();
    parts.retain(|part| (1..=3).contains(&all.iter().filter(|message| message.contains(part)).count()));
    let everything = quotes.join("\n");
    let is_reached = |texts: &[String], message: &str| {
        let long =
            texts.iter().flat_map(|text| fragments(text)).filter(|words| words.split(' ').count() >= 4);
        parts.iter().any(|part| message.contains(part))
            || long.into_iter().any(|words| everything.contains(&words.to_lowercase()))
    };
    let mut excuses: Vec<&str> = EXCUSED.iter().map(|(words, _)| *words).collect();
    let mut unreached = Vec::new();
    for ((file, texts), message) in found.iter().zip(&all) {
        if is_reached(texts, message) {
            continue;
        }
        match excuses.iter().position(|words| message.contains(&words.to_lowercase())) {
            Some(at) => drop(excuses.swap_remove(at)),
            None => unreached.push(format!("{file}: {}", texts.join(" | "))),
        }
    }
    assert!(
        unreached.is_empty(),
        "{} messages that no test reaches:\n{}",
        unreached.len(),
        unreached.join("\n")
    );
    assert!(excuses.is_empty(), "these are excused for nothing: {excuses:#?}");
}

// the tables

/// A row that stands behind one that fits whatever it fits would never be told.
#[rstest]
#[case::pats(pats::REFUSALS)]
#[case::key_vault(key_vault_refusal::REFUSALS)]
#[case::variable_group(variable_group::REFUSALS)]
#[case::service_connection(service_connection::REFUSALS)]
#[case::kubernetes_secret(kubernetes_secret::REFUSALS)]
#[case::github_secret(github_secret::REFUSALS)]
fn every_row_of_every_table_is_found_by_what_it_is_known_by(#[case] table: &[RefusalRow]) {
    for meaning in table {
        let statuses = if meaning.statuses.is_empty() {
            vec![418]
        } else {
            meaning.statuses.iter().flat_map(|range| [*range.start(), *range.end()]).collect()
        };
        let words = meaning.says.join(" ");
        let is_found = statuses.iter().any(|status| {
            refusal_table::find(table, *status, meaning.key, &words)
                .is_some_and(|found| found.cause == meaning.cause)
        });
        assert!(is_found, "no refusal is told as: {}", meaning.cause);
        let failure = meaning.failure(&[]);
        assert!(failure.cause.ends_with('.') && failure.remedy.ends_with('.'), "{failure}");
    }
}

#[test]
fn every_pat_token_error_is_told_with_its_cause_its_remedy_and_its_exit_code() {
    for meaning in &pats::MEANINGS {
        let mut machine = Machine::new(Host::GitHub, "create");
        machine.input("display-name", "nightly").input("scope", "vso.code");
        let body = json!({ "patToken": null, "patTokenError": meaning.key }).to_string();
        machine.emulator.order(Fault::on(Service::Pats).method("POST").answer(200, &[], body).always());
        let ended = machine.run();
        assert_eq!(ended.code, Some(i32::from(meaning.exit.code())), "{}: {}", meaning.key, ended.words());
        ended.says(meaning.cause).says(&format!("patTokenError {}", meaning.key));
        let (remedy, _) = meaning.remedy.split_once("; ").unwrap_or((meaning.remedy, ""));
        ended.says(remedy.trim_end_matches('.'));
        assert!(machine.emulator.pats().is_empty());
    }
}

// inputs

#[rstest]
#[case::a_store_twice("create", &[("deliver-to", "file:a\nfile:a")], "name each store once")]
#[case::no_span("list", &[("fail-if-expiring", "true")], "needs expiring-within: give a duration like 14d")]
#[case::two_lines("create", &[("display-name", "a\nb")], "use a name of one line")]
#[case::no_scope("create", &[("scope", " , ")], "names no scope: give at least one, like vso.packaging")]
#[case::another_credential("login", &[("credential", "azure-cli")], "cannot be used by login; use device-code or browser")]
#[case::no_github_token(
    "create",
    &[("deliver-to", "github-secret:contoso/website/PAT")],
    "is not given, or is empty, and a github-secret: address needs it"
)]
#[case::no_refresh_token(
    "create",
    &[("credential-store", "github-secret:contoso/website/TOKEN"), ("github-token", "ghp_fake0000000000000000000000000000000")],
    "is not given, or is empty, and adopat cannot read it from"
)]
#[case::no_client("create", &[("client-id", "")], "give the 'Application (client) ID' of the app registration that you sign in to")]
#[case::no_token_and_no_store(
    "create",
    &[("credential-store", ""), ("credential", "refresh-token")],
    "is not given, or is empty, and there is no credential-store"
)]
fn an_input_that_does_not_do_is_told(
    #[case] operation: &str,
    #[case] inputs: &[(&str, &str)],
    #[case] sentence: &str,
) {
    let mut machine = Machine::new(Host::GitHub, operation);
    machine.input("display-name", "nightly").input("scope", "vso.code");
    for (name, value) in inputs {
        machine.input(name, *value);
    }
    machine.run().expect(2).says(sentence);
    assert!(machine.calls().is_empty());
}

#[test]
fn a_github_step_without_its_files_is_told_which_is_missing() {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine.input("revoke-on-completion", "true").unset("GITHUB_STATE").set("ADOPAT_LAUNCHER", "1");
    machine.run().expect(2).says("needs the file that GITHUB_STATE names, and it is not set");
    machine.without("revoke-on-completion").unset("GITHUB_OUTPUT");
    machine.run().expect(2).says("GITHUB_OUTPUT is not set, so nothing could be handed over");
    machine.set("GITHUB_OUTPUT", machine.path("no-such-folder/output"));
    machine.run().expect(2).says("Mount the runner's file into the container that adopat runs in");
    assert!(machine.pat_calls().is_empty());
    machine
        .run_as("list")
        .unset("GITHUB_OUTPUT")
        .run()
        .expect(0)
        .says("GITHUB_OUTPUT, which names their file, is not");
    machine.set("GITHUB_STEP_SUMMARY", machine.path("no-such-folder/summary"));
    machine
        .run()
        .expect(0)
        .says("The summary could not be shown. The file that")
        .says("names could not be written");
}

#[test]
fn an_output_file_in_no_folder_is_told_before_anything_is_done() {
    let mut machine = Machine::new(Host::GitHub, "create");
    let file = machine.path("no-such-folder/pat");
    machine.input("display-name", "nightly").input("scope", "vso.code").input("output-file", file);
    machine
        .run()
        .expect(7)
        .says("Nothing was done.")
        .says("Give 'output-file' a path in a folder that exists");
    assert!(machine.calls().is_empty());
}

// what becomes of PATs

#[test]
fn what_is_ambiguous_global_or_unchanged_is_told() {
    let mut machine = Machine::new(Host::GitHub, "get");
    machine.input("display-name", "nightly");
    let pats = ["nightly", "nightly"].map(|name| machine.emulator.add_pat(NewPat::named(name)));
    machine.run().expect(5).says("active PATs are");
    machine.emulator.add_pat(NewPat::named("everywhere").global());
    machine.run_as("list").run().expect(0).says("Global, and stops working on 2026-12-01: ");
    machine.input("display-name", "everywhere").run_as("rotate");
    machine
        .run()
        .expect(4)
        .says("Make one PAT for each organization that needs it, or set allow-global-narrowing to true");
    machine.input("display-name", "never-was").input("if-missing", "create");
    machine.run().expect(5).says("no expired PAT of that name says what it could do");
    machine.run_as("update").without("display-name").without("if-missing");
    machine.input("authorization-id", pats[0].authorization_id.to_string()).input("scope", &pats[0].scope);
    machine.run().expect(0).says("is as it was.");
}

#[test]
fn a_dry_run_says_where_the_pat_would_go_and_when_it_would_end() {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code").input("dry-run", "true");
    machine.input("revoke-on-completion", "true").set("ADOPAT_LAUNCHER", "1");
    let ended = machine.run();
    ended.expect(0).says("Would deliver the new PAT to").says("the outputs and variables of this job");
    ended.says("The last step of this job would revoke the new PAT.");
}

#[test]
fn a_refusal_that_brings_a_pat_all_the_same_leaves_none() {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    let id = machine.emulator.add_pat(NewPat::named("left")).authorization_id;
    let pat = json!({
        "displayName": "left", "scope": "vso.code", "authorizationId": id, "targetAccounts": null,
        "validFrom": "2026-01-01T00:00:00Z", "validTo": "2027-01-01T00:00:00Z", "token": null,
    });
    let body = json!({ "patToken": pat, "patTokenError": "accessDenied" }).to_string();
    machine.emulator.order(Fault::on(Service::Pats).method("POST").answer(200, &[], body));
    machine.run().expect(4).says("The answer holds a PAT all the same, which must not live on.");
    assert!(machine.active("left").is_empty());
}

// services and the sign-in

#[rstest]
#[case::too_many_sign_ins(Fault::on(Service::Entra).path("/token").answer(429, &[], ""), "is being asked too often (HTTP 429).", 6)]
#[case::endless(Fault::on(Service::Pats).method("GET").oversize(), "sent more than 1 MiB, which none of its answers should be.", 6)]
fn a_service_that_fails_is_named(#[case] fault: Fault, #[case] sentence: &str, #[case] code: i32) {
    let mut machine = Machine::new(Host::GitHub, "list");
    machine.without("tenant-id").input("timeout", "20s");
    machine.emulator.order(fault.always());
    machine.run().expect(code).says(sentence);
}

#[test]
fn a_certificate_that_nobody_here_trusts_is_told() {
    let machine = Machine::with(Emulator::builder().tls(true).start(), Host::GitHub, "list");
    machine.run().expect(6).says("The certificate of ").says("an authority that is not trusted here");
}

#[test]
fn a_token_with_bytes_that_no_token_has_is_told() {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine
        .input("deliver-to", "github-secret:contoso/website/PAT")
        .input("github-token", "ghp_fake\u{1}fake");
    machine.run().expect(7).says("'github-token' holds bytes that no token has.");
    machine.without("deliver-to").without("github-token").input("federated", "true");
    let (url, token) = machine.emulator.github_id_token_request();
    machine.set("ACTIONS_ID_TOKEN_REQUEST_URL", url);
    machine.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", format!("{token}\u{1}"));
    machine.run().expect(3).says("for asking an OIDC token holds characters that no token has.");
    assert!(machine.emulator.pats().is_empty());
}

#[test]
fn a_workloads_token_file_that_does_not_do_is_told() {
    let mut machine = Machine::with_vault(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    let (vault, file) = (machine.vault_secret("pat"), machine.path("no-such-token"));
    machine.input("deliver-to", vault).set("AZURE_FEDERATED_TOKEN_FILE", file);
    machine.run().expect(7).says("AZURE_FEDERATED_TOKEN_FILE is set, but not the AZURE_CLIENT_ID");
    machine
        .set("AZURE_CLIENT_ID", support::VAULT_APP.to_string())
        .set("AZURE_TENANT_ID", cast::TENANT.to_string());
    machine
        .run()
        .expect(7)
        .says("that AZURE_FEDERATED_TOKEN_FILE names cannot be used")
        .says("Check that the workload's token is mounted there");
    assert!(machine.emulator.pats().is_empty());
}

#[test]
fn an_answer_that_is_no_variable_group_is_told() {
    let mut machine = Machine::new(Host::GitHub, "create");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine.input("deliver-to", "variable-group:website/feeds/ADO_PAT");
    machine.emulator.order(
        Fault::on(Service::DevOps).path("/_apis/distributedtask").answer(200, &[], "no group").always(),
    );
    machine.run().expect(7).says("with something else than a group");
    assert!(machine.emulator.pats().is_empty());
}

// doctor

#[rstest]
#[case::not_a_member(403, "", "does not let the signed-in user into the organization")]
#[case::hidden(404, "", "hides the organization")]
#[case::failing(500, "", "did not say who is signed in")]
#[case::anonymous(
    200,
    r#"{"authenticatedUser":{"id":"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa","descriptor":"System:PublicAccess;aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"}}"#,
    "Azure DevOps takes the access token for nobody's (the Anonymous identity)."
)]
fn doctor_says_whom_the_organization_does_not_know(
    #[case] status: u16,
    #[case] body: &'static str,
    #[case] sentence: &str,
) {
    let machine = doctor();
    let kind = [("Content-Type", "application/json")];
    machine
        .emulator
        .order(Fault::on(Service::DevOps).path("connectiondata").answer(status, &kind, body).always());
    let ended = machine.run();
    assert_ne!(ended.code, Some(0));
    ended.says(sentence);
    if status != 500 {
        ended.says("The user who is signed in has no PATs here.");
    }
}

fn doctor() -> Machine {
    let mut machine = Machine::new(Host::GitHub, "doctor");
    machine.input("display-name", "nightly").input("scope", "vso.code");
    machine
}

#[track_caller]
fn finds(ended: &Ended, sentences: &[&str]) {
    for sentence in sentences {
        ended.says(sentence);
    }
}

#[test]
fn doctor_says_what_is_in_place() {
    let mut machine = doctor();
    let ended = machine.run();
    finds(
        ended.expect(0),
        &[
            "Every input is well formed; credential refresh-token (",
            "Signed in; granted: ",
            "Signed in as a user, who is a member of fabrikam.",
            "as tenant-id says.",
        ],
    );
    machine.without("tenant-id");
    machine.run().expect(0).says("which is signed in to.");
    machine.input("tenant-id", "contoso.onmicrosoft.com");
    machine
        .run()
        .says(&format!("exists; its tenant is {}; tenant-id is contoso.onmicrosoft.com.", cast::TENANT));
    let token = machine.emulator.access_token(cast::PERSON);
    machine.without("credential-store").without("client-id").input("access-token", token);
    let ended = machine.run();
    finds(
        &ended,
        &[
            "The given access-token is used as it is; identity and PATs try it.",
            "An access-token needs none.",
        ],
    );
}

#[test]
fn doctor_says_why_a_check_was_left_out() {
    let mut machine = doctor();
    machine.emulator.expire_refresh_token(&machine.read("refresh-token"));
    machine
        .run()
        .expect(3)
        .says("Nobody is signed in.")
        .says("can be read, and looks as if it could be written.");
    machine.input("organization", "no-such-organization");
    machine.run().says("The organization is not known to exist.");
    let token = machine.emulator.refresh_token();
    machine.without("credential-store").without("tenant-id").input("refresh-token", token);
    machine.run().says("Without a sign-in there is no refresh token to store.");
}
