//! The kinds of faults that were found once, each with the tests that hold it. How many instances a test tries is
//! counted in its source, so a test that is renamed, removed or thinned out shows in the page.

use std::fmt::Write as _;
use std::path::Path;

/// How the section begins.
pub const TITLE: &str = "\n## Kinds of faults";

/// One kind.
struct Kind {
    fault: &'static str,
    /// Each as `FILE NAME`.
    tests: &'static [&'static str],
}

const fn kind(fault: &'static str, tests: &'static [&'static str]) -> Kind {
    Kind { fault, tests }
}

const GROUPS: [(&str, &[Kind]); 5] = [
    (
        "Something is touched that is somebody else's",
        &[
            kind(
                "a last step that revokes after a request that was refused, settled or rolled back",
                &[
                    "tests/completion.rs where_the_step_left_nothing_the_last_step_signs_in_nowhere_and_revokes_nothing",
                    "tests/completion.rs what_an_earlier_attempt_left_is_settled_with_a_success_and_kept_with_a_refusal",
                ],
            ),
            kind(
                "a neighbour's PAT of the same name and scope, taken for the run's own",
                &[
                    "tests/reconciling.rs what_a_neighbour_made_a_moment_ago_is_not_touched",
                    "tests/completion.rs the_last_step_of_a_killed_run_waits_for_a_pat_that_is_late_and_leaves_a_neighbours",
                    "tests/reconciling.rs of_several_that_bear_the_fingerprint_none_is_revoked_and_each_is_named",
                ],
            ),
            kind(
                "what an owner keeps beside a secret of a vault is lost",
                &[
                    "tests/delivery.rs what_its_owner_keeps_beside_a_secret_of_a_vault_stays",
                    "tests/delivery.rs what_its_owner_keeps_beside_the_refresh_token_stays",
                ],
            ),
            kind(
                "a helper program gets secrets, hangs, or leaves programs of its own behind",
                &[
                    "tests/helper_programs.rs a_helper_gets_adopats_environment_but_no_secret",
                    "tests/helper_programs.rs a_helper_that_hangs_is_ended_with_all_that_it_started",
                ],
            ),
            kind(
                "a link is replaced, or leads to what another user owns",
                &[
                    "tests/secrets_at_rest.rs a_link_of_ones_own_is_followed_and_stays",
                    "tests/secrets_at_rest.rs a_link_that_another_user_could_have_made_is_refused_and_what_it_leads_to_left_alone",
                    "tests/secrets_at_rest.rs two_names_of_one_file_are_one_store",
                ],
            ),
        ],
    ),
    (
        "A word that is not true, or that does not help",
        &[
            kind(
                "a refusal of Microsoft Entra without its cause and its remedy",
                &[
                    "tests/sign_in.rs every_known_code_ends_in_its_cause_its_remedy_and_its_exit_code",
                    "tests/sign_in.rs every_combination_that_entra_refuses_has_its_sentence",
                    "tests/sign_in.rs a_damaged_refresh_token_is_told_as_one_and_nobody_is_said_to_have_declined",
                ],
            ),
            kind(
                "a remedy that does not lead out",
                &[
                    "tests/sign_in.rs signing_in_again_is_not_the_remedy_for_what_a_network_or_an_administrator_forbids",
                    "tests/sign_in.rs the_command_that_signs_in_again_does_so_as_it_is_pasted",
                ],
            ),
            kind(
                "another value in a token's place",
                &[
                    "tests/inputs.rs what_is_no_refresh_token_is_not_sent_and_not_repeated",
                    "tests/inputs.rs what_is_no_access_token_is_not_sent",
                    "tests/sign_in.rs what_is_stored_and_is_no_refresh_token_is_recognised_and_never_sent",
                ],
            ),
            kind(
                "a deactivated or unknown organization, taken for an outage or for a PAT that is gone",
                &[
                    "tests/organizations.rs a_deactivated_organization_is_no_outage",
                    "tests/organizations.rs whatever_else_is_not_found_leaves_the_pat_alive",
                    "tests/organizations.rs a_404_that_names_nothing_leaves_the_pat_alive",
                ],
            ),
            kind(
                "a change that was made though its answer was lost, told by what the next try was told",
                &[
                    "tests/lost_changes.rs what_the_first_try_did_is_told_as_done",
                    "tests/lost_changes.rs what_not_even_the_list_tells_is_not_told_as_known",
                    "tests/lost_changes.rs a_pat_that_the_list_shows_lives_unless_the_service_may_be_at_work",
                ],
            ),
            kind(
                "a dry run that does not name what the run does, or names what it does not",
                &["tests/simulation.rs a_dry_run_names_every_change_that_the_run_makes_and_nothing_else"],
            ),
            kind(
                "an error of TLS in a program's words",
                &[
                    "src/http/tls_words.rs every_error_of_webpki_is_told_in_plain_words",
                    "tests/network.rs a_certificate_that_does_not_hold_is_told_with_its_host_and_not_tried_again",
                    "tests/network.rs what_speaks_no_tls_that_is_safe_is_told_and_not_tried_again",
                ],
            ),
            kind(
                "a proxy's failure that is blamed on somebody else",
                &[
                    "tests/network.rs a_proxy_that_fails_is_blamed_itself_with_the_variable_that_names_it",
                    "tests/network.rs what_is_no_address_of_a_proxy_fails_at_once",
                ],
            ),
            kind(
                "a message that no test reaches",
                &[
                    "tests/messages.rs every_message_is_quoted_by_a_test_or_excused",
                    "tests/messages.rs every_row_of_every_table_is_found_by_what_it_is_known_by",
                ],
            ),
        ],
    ),
    (
        "A secret that can be read",
        &[
            kind(
                "a PAT in base64, wrapped or behind a user name",
                &[
                    "tests/masks.rs a_later_command_cannot_show_the_pat_in_base64",
                    "src/secret.rs a_pat_cannot_be_read_after_any_prefix_in_lines_of_any_width",
                ],
            ),
            kind(
                "a password in an address",
                &[
                    "tests/network.rs credentials_of_a_proxy_are_read_as_they_are_meant_and_never_told",
                    "tests/network.rs a_password_in_any_address_is_masked_and_never_told",
                ],
            ),
            kind(
                "a value that may be a secret, repeated by an error",
                &[
                    "tests/inputs.rs a_value_that_may_hold_a_secret_is_not_repeated",
                    "tests/inputs.rs an_unknown_word_or_flag_is_an_error_that_never_repeats_it",
                ],
            ),
            kind(
                "a service's words that are a command, a control character or a person's address",
                &[
                    "tests/hostile.rs a_services_words_are_words",
                    "tests/hostile.rs a_pat_that_is_none_is_not_handed_over",
                    "tests/hostile.rs a_services_words_address_nobody",
                    "src/host/sanitize.rs no_character_that_icu_skips_hides_a_command",
                ],
            ),
        ],
    ),
    (
        "A file, an address or an answer as real tools write it, that is not read",
        &[
            kind(
                "a client certificate",
                &[
                    "tests/client_certificates.rs a_pem_is_read_in_any_order",
                    "tests/client_certificates.rs a_certificate_is_read_however_openssl_writes_it",
                    "tests/client_certificates.rs an_encrypted_key_is_read",
                    "tests/client_certificates.rs a_pem_is_read_in_any_encoding",
                    "tests/client_certificates.rs a_pkcs12_is_read",
                    "tests/client_certificates.rs a_path_is_told_from_a_certificate",
                ],
            ),
            kind(
                "a file of authorities",
                &["tests/network.rs a_file_of_authorities_is_read_as_tools_write_it"],
            ),
            kind(
                "an address of Azure DevOps that git or curl finds no PAT for",
                &[
                    "tests/clients.rs git_finds_the_pat_for_every_address",
                    "tests/clients.rs curl_finds_the_pat_for_every_address",
                ],
            ),
            kind("an entry of NO_PROXY", &["tests/network.rs no_proxy_is_honoured_however_it_is_written"]),
            kind(
                "a notice or colours around the answer of the Azure CLI",
                &["src/entra/azure_cli.rs what_stands_around_the_answer_is_no_matter"],
            ),
            kind(
                "an output file that cannot be written, found too late",
                &[
                    "tests/operations.rs an_output_file_that_cannot_be_written_is_found_before_anything_is_sent",
                ],
            ),
        ],
    ),
    (
        "What breaks where the world is against it",
        &[
            kind(
                "a PAT that comes to be after the error, or that the list shows only later",
                &[
                    "tests/reconciling.rs a_pat_that_comes_to_be_later_than_the_error_is_found_and_revoked",
                    "tests/reconciling.rs a_pat_that_the_list_shows_only_later_is_found_and_revoked",
                    "tests/reconciling.rs a_run_that_gives_up_leaves_nothing_and_touches_nothing",
                ],
            ),
            kind(
                "a machine's clock that is days off",
                &[
                    "tests/clocks.rs a_lifetime_is_as_long_as_asked",
                    "tests/clocks.rs a_rotation_renews_what_is_about_to_end_and_nothing_else",
                    "tests/clocks.rs what_expires_soon_does_so_by_the_services_clock",
                    "tests/clocks.rs every_form_of_a_date_is_read",
                ],
            ),
            kind(
                "a device, a pipe or a folder in a file's place",
                &["tests/secrets_at_rest.rs what_is_no_regular_file_is_refused_before_anything_is_sent"],
            ),
            kind(
                "a limit on files",
                &[
                    "tests/resource_limits.rs a_file_that_may_not_grow_ends_the_write_and_not_the_run",
                    "tests/resource_limits.rs what_runs_short_is_no_reason_to_leave_a_pat",
                ],
            ),
            kind(
                "an odd field of a token answer that costs the refresh token",
                &[
                    "tests/sign_in.rs no_odd_field_costs_the_rolled_token",
                    "tests/sign_in.rs no_odd_field_keeps_a_person_from_signing_in",
                ],
            ),
            kind(
                "a signal or an exit code that is lost",
                &[
                    "tests/exec.rs a_signal_that_was_ignored_stays_ignored_for_adopat_and_for_the_command",
                    "tests/exec.rs the_commands_code_is_kept_though_sigchld_was_ignored",
                    "tests/exec.rs at_a_terminal_a_signal_reaches_the_command_exactly_once",
                ],
            ),
            kind(
                "a script that nothing can run",
                &["tests/exec.rs a_script_that_cannot_be_run_is_found_out_before_anything_is_sent"],
            ),
            kind(
                "words that nobody reads",
                &["tests/unread_output.rs a_run_whose_words_nobody_reads_is_cancelled_all_the_same"],
            ),
        ],
    ),
];

/// The section of the page.
pub fn section() -> String {
    let mut text = format!(
        "{TITLE}\n\nEach kind was found once, as one fault. The tests try other instances of it, at least as many as are counted \
         here: a test's cases, each with every combination of its values. What a case tries within itself, like every code of \
         a table or 256 random inputs, counts once. That nothing is touched that is somebody else's is held by every run above, \
         too.\n",
    );
    for (title, kinds) in GROUPS {
        let _ = write!(text, "\n### {title}\n\n| kind | held by | instances |\n| --- | --- | ---: |\n");
        for Kind { fault, tests } in kinds {
            let counts = tests.iter().map(|test| instances(test));
            let names = tests.iter().map(|test| format!("`{}`", test.replacen(' ', "` `", 1)));
            let names = names.collect::<Vec<_>>().join("<br>");
            let _ = writeln!(text, "| {fault} | {names} | {} |", counts.sum::<usize>());
        }
    }
    text
}

/// Whether a section that was written says what is so: the same kinds and tests, none of which tries less by now.
pub fn is_held(written: &str) -> bool {
    let (written, now) = (written.lines(), section());
    let row = |line: &str| {
        let (words, count) = line.strip_suffix(" |")?.rsplit_once(" | ")?;
        Some((words.to_owned(), count.parse::<usize>().ok()?))
    };
    let is_held = |(written, now): (&str, &str)| match (row(written), row(now)) {
        (Some((was, least)), Some((is, count))) => was == is && least <= count,
        _ => written == now,
    };
    written.clone().count() == now.lines().count() && written.zip(now.lines()).all(is_held)
}

/// How many cases a test has, by its source.
fn instances(test: &str) -> usize {
    let (file, name) = test.split_once(' ').expect("a file and a name");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let at = source.find(&format!("fn {name}(")).unwrap_or_else(|| panic!("{file} has no test {name}"));
    let (before, rest) = source.split_at(at);
    // What is said of it begins after the last item before it.
    let own = before.rfind("\n}\n").map_or(before, |end| &before[end..]);
    assert!(own.contains("test"), "{name} is not a test");
    let cases = own.lines().filter(|line| line.trim_start().starts_with("#[case")).count();
    let arguments = rest.split(" {\n").next().expect("a body");
    let values = arguments.split("#[values(").skip(1).map(listed);
    cases.max(1) * values.product::<usize>()
}

/// How many there are, up to the parenthesis that closes the list.
fn listed(list: &str) -> usize {
    let (mut depth, mut commas, mut quoted) = (0, 0, false);
    let mut last = ' ';
    for c in list.chars() {
        match c {
            '"' if last != '\\' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => commas += 1,
            _ => {}
        }
        if !c.is_whitespace() {
            last = c;
        }
    }
    // A comma may stand at the end.
    if last == ',' { commas } else { commas + 1 }
}
