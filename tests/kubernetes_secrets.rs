//! `kubernetes-secret:` from inside a pod: a stand-in of the API server over TLS, and a machine that has the service
//! account's files where a pod has them.
//!
//! The files are put there in a mount namespace of the run's own. Where this machine allows none, these tests say so and
//! pass.
#![cfg(target_os = "linux")]

mod support;

use std::process::{Command, Stdio};
use std::time::Duration;

use adopat_emulator::{
    Emulator, Fault, KubernetesSecret, NewPat, NewServiceConnection, NewVariableGroup, Pat, Service,
};
use rstest::rstest;
use support::{Ended, Host, Machine};

const ADDRESS: &str = "kubernetes-secret:builds/ado-pat/token";
const FORMER: &str = "FAKE-former-value-of-the-key";

/// Where a pod has its service account, in a file system of the run's own.
const MOUNT: &str = "mount -t tmpfs tmpfs /run && mkdir -p /run/secrets/kubernetes.io && \
                     ln -s \"$POD\" /run/secrets/kubernetes.io/serviceaccount";

fn pods_can_be_made() -> bool {
    let there =
        |path: &str| std::fs::canonicalize("/var/run").is_ok_and(|at| at == std::path::Path::new(path));
    let can = Command::new("unshare")
        .args(["-rm", "sh", "-c", "mount -t tmpfs tmpfs /run"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !(can && there("/run")) {
        eprintln!("skipped: this machine makes no mount namespaces");
    }
    can && there("/run")
}

/// A pod's rotation of `nightly` into a Secret that is there.
fn rotating(mut machine: Machine) -> Machine {
    machine.emulator.add_pat(NewPat::named("nightly"));
    let secret =
        KubernetesSecret::named("builds", "ado-pat").holding("token", FORMER).holding("other", "kept");
    let token = {
        let mut held = machine.emulator.services();
        held.services.add_kubernetes_secret(secret);
        held.services.kubernetes_token()
    };
    let pod = machine.path("pod");
    std::fs::create_dir(&pod).expect("a folder");
    std::fs::copy(machine.emulator.ca_pem_path(), pod.join("ca.crt")).expect("copied");
    std::fs::write(pod.join("token"), format!("{token}\n")).expect("written");
    let url = machine.emulator.url(Service::Kubernetes);
    let (host, port) = url.trim_start_matches("https://").rsplit_once(':').expect("a port");
    machine.set("KUBERNETES_SERVICE_HOST", host).set("KUBERNETES_SERVICE_PORT", port).set("POD", pod);
    machine.set("PATH", "/usr/bin:/bin:/usr/sbin:/sbin");
    machine.input("display-name", "nightly").input("deliver-to", ADDRESS);
    machine
}

fn plain() -> Machine {
    rotating(Machine::new(Host::GitHub, "rotate"))
}

/// Runs in the pod.
fn run(machine: &Machine) -> Ended {
    machine.run_in(&["unshare", "-rm", "sh", "-c", &format!("{MOUNT} && exec \"$0\" \"$@\"")])
}

fn held(machine: &Machine, key: &str) -> Option<String> {
    let secrets = machine.emulator.services().services.kubernetes_secrets();
    let secret = secrets.into_iter().find(|secret| secret.name == "ado-pat").expect("there");
    secret.data.get(key).map(|value| String::from_utf8(value.clone()).expect("text"))
}

fn forbid(machine: &Machine, verbs: &[&str]) {
    machine.emulator.services().services.forbid_in_kubernetes(verbs);
}

#[track_caller]
fn the_one(machine: &Machine) -> Pat {
    let [one] = machine.active("nightly").try_into().expect("exactly one PAT of that name");
    one
}

#[track_caller]
fn mints_nothing(machine: &Machine) -> Ended {
    let old = the_one(machine);
    let ended = run(machine);
    ended.expect(7);
    assert!(machine.sent("POST").is_empty(), "{:?}", machine.pat_calls());
    assert_eq!(the_one(machine), old);
    ended
}

#[track_caller]
fn takes_the_new_one_back(machine: &Machine, ended: &Ended, old: &Pat) {
    ended.expect(7).says("has been revoked");
    assert_eq!(the_one(machine).authorization_id, old.authorization_id);
    assert!(!machine.outputs(ended).contains_key("token"));
}

#[test]
fn one_key_is_changed_and_the_others_stay() {
    if !pods_can_be_made() {
        return;
    }
    let mut machine = plain();
    // Never through a proxy, and with no authority but the cluster's.
    machine.set("HTTPS_PROXY", "http://127.0.0.1:9");
    run(&machine).expect(0);
    assert_eq!(held(&machine, "token"), Some(the_one(&machine).value));
    assert_eq!(held(&machine, "other").as_deref(), Some("kept"));
    let requests = machine.emulator.requests_to(Service::Kubernetes);
    let lines: Vec<String> = requests
        .iter()
        .map(|request| format!("{} {}", request.method, request.query("dryRun").unwrap_or("-")))
        .collect();
    assert_eq!(lines, ["GET -", "PATCH All", "PATCH -"]);
    assert!(requests.iter().all(|request| request.path == "/api/v1/namespaces/builds/secrets/ado-pat"));
}

#[test]
fn the_cluster_may_have_an_ipv6_address() {
    let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
    if !has_ipv6 || !pods_can_be_made() {
        return;
    }
    let loopback = "[::1]:0".parse().expect("an address");
    let emulator = Emulator::builder().listen_on(Service::Kubernetes, loopback).start();
    let mut machine = rotating(Machine::with(emulator, Host::GitHub, "rotate"));
    machine.set("KUBERNETES_SERVICE_HOST", "::1");
    run(&machine).expect(0);
    assert_eq!(held(&machine, "token"), Some(the_one(&machine).value));
}

#[test]
fn a_key_that_is_not_there_yet_is_made() {
    if !pods_can_be_made() {
        return;
    }
    let mut machine = plain();
    machine.input("deliver-to", "kubernetes-secret:builds/ado-pat/new.key");
    run(&machine).expect(0);
    assert_eq!(held(&machine, "new.key"), Some(the_one(&machine).value));
    assert_eq!(held(&machine, "token").as_deref(), Some(FORMER));
}

#[test]
fn the_verb_patch_alone_is_enough() {
    if !pods_can_be_made() {
        return;
    }
    let machine = plain();
    forbid(&machine, &["get"]);
    run(&machine).expect(0);
    assert_eq!(held(&machine, "token"), Some(the_one(&machine).value));
}

#[rstest]
#[case::no_patch(&["patch"], "builds/ado-pat/token", "may not do this to the Secret 'ado-pat' of namespace 'builds'.")]
#[case::no_such_secret(&[], "builds/nothing/token", "There is no Secret 'nothing' of namespace 'builds'.")]
#[case::no_such_secret_without_get(&["get"], "builds/nothing/token", "There is no Secret 'nothing'")]
#[case::immutable(&[], "builds/fixed/token", "The Secret 'fixed' of namespace 'builds' is immutable.")]
#[case::immutable_without_get(&["get"], "builds/fixed/token", "The Secret 'fixed' of namespace 'builds' is immutable.")]
fn what_cannot_be_changed_is_found_out_before_minting(
    #[case] forbidden: &[&str],
    #[case] secret: &str,
    #[case] why: &str,
    #[values("rotate", "doctor")] operation: &str,
) {
    if !pods_can_be_made() {
        return;
    }
    let mut machine = plain();
    let fixed = KubernetesSecret { immutable: true, ..KubernetesSecret::named("builds", "fixed") };
    machine.emulator.services().services.add_kubernetes_secret(fixed);
    forbid(&machine, forbidden);
    machine.run_as(operation).input("deliver-to", format!("kubernetes-secret:{secret}"));
    mints_nothing(&machine).says(why);
    assert_eq!(held(&machine, "token").as_deref(), Some(FORMER));
}

#[test]
fn a_webhook_that_refuses_dry_runs_is_warned_about() {
    if !pods_can_be_made() {
        return;
    }
    let machine = plain();
    machine.emulator.services().services.set_kubernetes_webhook(true);
    let ended = run(&machine);
    ended.expect(0).says("would take the PAT could not be tried.").says("does not support dry run");
    assert!(ended.stdout.contains("::warning::"));
    assert_eq!(held(&machine, "token"), Some(the_one(&machine).value));
}

#[test]
fn outside_a_pod_it_is_said_before_minting() {
    let mut machine = plain();
    let old = the_one(&machine);
    for _ in 0..2 {
        machine.run().expect(7).says("is reached from inside a pod alone").says("command: with kubectl");
        assert_eq!(the_one(&machine), old);
        machine.unset("KUBERNETES_SERVICE_HOST");
    }
    machine.run().says("KUBERNETES_SERVICE_HOST is not set here");
}

#[test]
fn a_pod_without_a_token_or_of_another_cluster_is_told() {
    if !pods_can_be_made() {
        return;
    }
    let machine = plain();
    std::fs::write(machine.path("pod/token"), "FAKE-of-another-cluster").expect("written");
    mints_nothing(&machine).says("did not accept the pod's service account");
    std::fs::remove_file(machine.path("pod/token")).expect("removed");
    mints_nothing(&machine).says("automountServiceAccountToken must not be false.");
    let other = Emulator::start();
    std::fs::copy(other.ca_pem_path(), machine.path("pod/ca.crt")).expect("copied");
    std::fs::write(machine.path("pod/token"), "FAKE-token").expect("written");
    mints_nothing(&machine).says("The certificate of The API server of the cluster");
}

#[test]
fn the_token_is_read_anew_for_every_request() {
    if !pods_can_be_made() {
        return;
    }
    let machine = plain();
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_before());
    let child = machine.spawn_in(&["unshare", "-rm", "sh", "-c", &format!("{MOUNT} && exec \"$0\" \"$@\"")]);
    assert!(hold.wait_until_held(Duration::from_secs(30)));
    let token = machine.emulator.services().services.kubernetes_token();
    std::fs::write(machine.path("pod/token"), token).expect("written");
    hold.release();
    machine.wait(child).expect(0);
    assert_eq!(held(&machine, "token"), Some(the_one(&machine).value));
}

#[rstest]
#[case::a_value("builds/ado-pat/token", Some(FORMER))]
#[case::nothing("builds/ado-pat/new", None)]
fn what_it_held_is_given_back_when_a_later_store_fails(#[case] secret: &str, #[case] former: Option<&str>) {
    if !pods_can_be_made() {
        return;
    }
    let mut machine = plain();
    let (old, token) = (the_one(&machine), machine.emulator.github_token());
    machine.input("github-token", token);
    machine.deliver_to(&[
        format!("kubernetes-secret:{secret}"),
        "github-secret:contoso/fabrikam/ADO_PAT".into(),
    ]);
    let no = r#"{"message":"no"}"#;
    machine.emulator.order(Fault::on(Service::GitHub).method("PUT").answer(
        422,
        &[("content-type", "application/json")],
        no,
    ));
    let ended = run(&machine);
    takes_the_new_one_back(&machine, &ended, &old);
    assert!(!ended.words().contains("hold a PAT"), "{}", ended.words());
    let key = secret.rsplit('/').next().expect("a key");
    assert_eq!(held(&machine, key).as_deref(), former);
}

#[test]
fn without_the_verb_get_it_is_named_as_holding_the_revoked_one() {
    if !pods_can_be_made() {
        return;
    }
    let mut machine = plain();
    let (old, file) = (the_one(&machine), machine.path("taken-away"));
    forbid(&machine, &["get"]);
    machine.input("output-file", file.join("pat.json"));
    std::fs::create_dir(&file).expect("a folder");
    let hold = machine.emulator.order(Fault::on(Service::Pats).method("POST").hold_after());
    let child = machine.spawn_in(&["unshare", "-rm", "sh", "-c", &format!("{MOUNT} && exec \"$0\" \"$@\"")]);
    assert!(hold.wait_until_held(Duration::from_secs(30)));
    std::fs::remove_dir_all(&file).expect("removed");
    hold.release();
    let ended = machine.wait(child);
    takes_the_new_one_back(&machine, &ended, &old);
    ended.says(&format!("These hold a PAT that is being revoked: {ADDRESS}."));
}

#[test]
fn a_lost_answer_is_asked_for_again() {
    if !pods_can_be_made() {
        return;
    }
    let machine = plain();
    machine.emulator.order(Fault::on(Service::Kubernetes).method("PATCH").nth(2).lose_answer());
    run(&machine).expect(0);
    assert_eq!(held(&machine, "token"), Some(the_one(&machine).value));
}

#[test]
fn an_answer_that_is_no_secret_is_told() {
    if !pods_can_be_made() {
        return;
    }
    let machine = plain();
    machine.emulator.order(Fault::on(Service::Kubernetes).answer(200, &[], "{}").always());
    mints_nothing(&machine).says("with something else than a Secret (HTTP 200).");
}

#[test]
fn the_refresh_token_can_be_kept_there() {
    if !pods_can_be_made() {
        return;
    }
    let mut machine = plain();
    let seed = machine.read("refresh-token");
    let secret = KubernetesSecret::named("builds", "ado-pat").holding("token", &seed);
    machine.emulator.services().services.add_kubernetes_secret(secret);
    machine.without("deliver-to").input("credential-store", ADDRESS);
    let file = machine.file("pat");
    machine.deliver_to(&[file]);
    run(&machine).expect(0);
    let rolled = held(&machine, "token").expect("kept");
    assert_ne!(rolled, seed);
    assert!(machine.emulator.refresh_token_is_valid(&rolled));
    forbid(&machine, &["get"]);
    run(&machine).expect(3).says("and get if its former value is to be given back or a refresh token");
}

#[test]
fn one_rotation_delivers_to_every_kind_of_store_in_their_order() {
    if !pods_can_be_made() {
        return;
    }
    let mut machine = rotating(Machine::with_vault(Host::GitHub, "rotate"));
    machine.opens_the_vault_by_secret();
    machine.emulator.add_variable_group(NewVariableGroup::named("web", "feeds").variable("A", "a"));
    machine
        .emulator
        .add_service_connection(NewServiceConnection::named("web", "feed").parameter("apitoken", FORMER));
    let vault = machine.vault_secret("ado-pat");
    let log = machine.path("programs");
    std::fs::create_dir(&log).expect("a folder");
    // What the Secret and the group hold when the command runs is seen by what has been asked until then.
    let command = format!("command:sh -c 'cat > {0}/held; date +%s%N > {0}/at'", log.display());
    machine.deliver_to(&[
        "service-connection:web/feed".into(),
        "variable-group:web/feeds/ADO_PAT".into(),
        command,
        vault,
        ADDRESS.into(),
    ]);
    run(&machine).expect(0);
    let new = the_one(&machine).value;
    assert_eq!(held(&machine, "token").as_ref(), Some(&new));
    assert_eq!(std::fs::read_to_string(log.join("held")).expect("it ran"), new);
    assert_eq!(machine.emulator.variable_groups()[0].variables["ADO_PAT"].value, new);
    assert_eq!(machine.emulator.service_connections()[0].parameters["apitoken"], new);
    assert_eq!(machine.emulator.vault_secret("ado-pat").expect("there").newest().expect("set").value, new);
    let nanoseconds = std::fs::read_to_string(log.join("at")).expect("it ran");
    let ran =
        jiff::Timestamp::from_nanosecond(nanoseconds.trim().parse().expect("a number")).expect("an instant");
    let writes: Vec<(String, bool)> = machine
        .emulator
        .requests()
        .iter()
        .filter(|request| {
            request.method == "PUT" || (request.method == "PATCH" && request.query("dryRun").is_none())
        })
        .map(|request| {
            (format!("{:?} {}", request.service, request.path.contains("/endpoints/")), request.at < ran)
        })
        .collect();
    assert!(
        writes
            .iter()
            .all(|(what, before)| *before == (what.starts_with("Vault") || what.starts_with("Kubernetes")))
    );
    let last: Vec<&str> = writes.iter().rev().take(2).map(|(what, _)| what.as_str()).collect();
    assert_eq!(last, ["DevOps true", "DevOps false"], "{writes:?}");
}

// A client that nobody here wrote.

#[test]
fn kubectl_works_against_the_stand_in() {
    let machine = plain();
    let token = std::fs::read_to_string(machine.path("pod/token")).expect("a token");
    let kubectl = |arguments: &[&str]| {
        let mut command = Command::new("kubectl");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", machine.path(""));
        command.arg(format!("--server={}", machine.emulator.url(Service::Kubernetes)));
        command.arg(format!("--certificate-authority={}", machine.emulator.ca_pem_path().display()));
        command.args([&format!("--token={}", token.trim()), "--namespace=builds"]).args(arguments);
        command
            .output()
            .map(|output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let Ok(shown) = kubectl(&["get", "secret", "ado-pat", "--output=jsonpath={.data.other}"]) else {
        eprintln!("skipped: there is no kubectl on this machine");
        return;
    };
    assert_eq!(shown, "a2VwdA==");
    let patch = ["patch", "secret", "ado-pat", "--type=merge", "--patch", r#"{"data":{"token":"eA=="}}"#];
    let dry = [&patch[..], &["--dry-run=server"]].concat();
    let words = kubectl(&dry).expect("kubectl");
    // An old kubectl first asks for the description of the API, which the stand-in does not serve.
    assert!(words.contains("patched") || words.contains("failed to download openapi"), "{words}");
    assert_eq!(held(&machine, "token").as_deref(), Some(FORMER));
    let words = kubectl(&patch).expect("kubectl");
    assert!(words.contains("patched"), "{words}");
    assert_eq!(held(&machine, "token").as_deref(), Some("x"));
    let words = kubectl(&["get", "secret", "nothing"]).expect("kubectl");
    assert!(words.contains("NotFound"), "{words}");
}

#[test]
fn the_examples_role_gives_what_the_store_needs() {
    let text = include_str!("../examples/kubernetes-cronjob.yaml");
    let documents: Vec<&str> = text.split("\n---\n").collect();
    let role = documents.iter().find(|document| document.contains("kind: Role\n")).expect("a Role");
    let role: serde_yaml_ng::Value = serde_yaml_ng::from_str(role).expect("YAML");
    let rule = &role["rules"][0];
    assert_eq!(rule["resources"][0], "secrets");
    assert_eq!(rule["resourceNames"].as_sequence().map(Vec::len), Some(1));
    let name = rule["resourceNames"][0].as_str().expect("a name");
    let verbs: Vec<&str> =
        rule["verbs"].as_sequence().expect("verbs").iter().filter_map(|verb| verb.as_str()).collect();
    assert_eq!(verbs, ["get", "patch"]);
    assert!(text.contains(&format!("kubernetes-secret:default/{name}/")), "the address names that Secret");
}
