//! Package clients and git, unmodified, sign in to a feed with what adopat writes for them: by the file of an
//! output-format, and by the environment that `exec` gives its command.
#![cfg(unix)]

mod support;

#[path = "package_clients/stand_in.rs"]
mod stand_in;

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rstest::rstest;
use stand_in::StandIn;
use support::{Ended, Host, Machine, mode};

/// The feed that all sign in to.
const FEED: &str = "website/packages";
/// Its address.
const ADDRESS: &str = "https://pkgs.dev.azure.com/fabrikam/website/_packaging/packages";

/// A developer's machine with a project, whose way to Azure leads to the stand-in.
struct Place {
    azure: StandIn,
    machine: Machine,
    environment: Vec<(String, String)>,
}

/// A client's command line.
struct Line(Vec<String>);

impl Place {
    fn new() -> Self {
        let mut place = Self {
            azure: StandIn::start(),
            machine: Machine::new(Host::Generic, "create"),
            environment: Vec::new(),
        };
        std::fs::create_dir(place.home()).expect("a folder");
        std::fs::create_dir(place.project()).expect("a folder");
        place.machine.input("display-name", "packages").input("scope", "vso.packaging_write");
        let own = concat!(env!("CARGO_MANIFEST_DIR"), "/target/venv/bin:");
        let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/package_clients/node_modules/.bin:");
        let path = format!("{own}{modules}{}", std::env::var("PATH").expect("a PATH"));
        let home = place.home().display().to_string();
        place.set("PATH", &path).set("HOME", &home);
        let proxy = format!("http://127.0.0.1:{}", place.azure.port());
        for name in ["HTTPS_PROXY", "https_proxy", "YARN_HTTPS_PROXY"] {
            place.set(name, &proxy);
        }
        let authority = place.azure.authority().display().to_string();
        let settings = [
            "NODE_EXTRA_CA_CERTS",
            "npm_config_cafile",
            "SSL_CERT_FILE",
            "PIP_CERT",
            "REQUESTS_CA_BUNDLE",
            "CARGO_HTTP_CAINFO",
            "GIT_SSL_CAINFO",
            "CURL_CA_BUNDLE",
        ];
        for name in settings {
            place.set(name, &authority);
        }
        place
    }

    fn home(&self) -> PathBuf {
        self.machine.path("home")
    }

    fn project(&self) -> PathBuf {
        self.machine.path("project")
    }

    fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.machine.set(name, value);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.project().join(name), text).expect("written");
    }

    /// Makes the project one of this client's, and says how the client is asked for what the feed has. `None` if the
    /// client is not on this machine, which is said.
    fn project_of(&mut self, client: &str, test: &str) -> Option<Line> {
        let home = self.home().display().to_string();
        let registry = format!("{ADDRESS}/npm/registry/");
        let wheel = self.azure.wheel().display().to_string();
        let words: Vec<&str> = match client {
            "npm" | "pnpm" | "yarn" => {
                let package =
                    r#"{"name":"site","version":"1.0.0","dependencies":{"fabrikam-widgets":"1.0.0"}}"#;
                self.write("package.json", package);
                self.set("npm_config_cache", &format!("{home}/npm"));
                self.set("npm_config_store_dir", &format!("{home}/pnpm"));
                self.set("npm_config_fetch_retries", "0");
                match client {
                    "npm" => vec!["npm", "install", "--no-audit", "--no-fund", "--no-update-notifier"],
                    "pnpm" => vec!["pnpm", "install"],
                    _ => {
                        self.write("yarn.lock", "");
                        self.set("YARN_ENABLE_TELEMETRY", "0").set("YARN_NODE_LINKER", "node-modules");
                        self.set("YARN_ENABLE_GLOBAL_CACHE", "false").set("YARN_HTTP_RETRY", "0");
                        self.set("YARN_NPM_MINIMAL_AGE_GATE", "0");
                        vec!["yarn", "install"]
                    }
                }
            }
            "npm publish" => {
                let package = format!(
                    r#"{{"name":"fabrikam-widgets","version":"1.0.1","publishConfig":{{"registry":"{registry}"}}}}"#
                );
                self.write("package.json", &package);
                self.set("npm_config_cache", &format!("{home}/npm"));
                vec!["npm", "publish", "--no-update-notifier"]
            }
            "pip" => {
                self.set("PIP_DISABLE_PIP_VERSION_CHECK", "1").set("PIP_NO_CACHE_DIR", "1");
                vec!["pip", "--retries=0", "install", "--quiet", "--target=packages", "fabrikam-widgets"]
            }
            "uv" => {
                self.set("UV_NO_CACHE", "1").set("UV_PYTHON_DOWNLOADS", "never");
                vec!["uv", "pip", "install", "--target=packages", "--python=python3", "fabrikam-widgets"]
            }
            "uv publish" => {
                self.set("UV_NO_CACHE", "1");
                vec!["uv", "publish", &wheel]
            }
            "twine" => vec!["twine", "upload", "--non-interactive", "--disable-progress-bar", &wheel],
            "maven" => {
                let port = self.azure.port();
                self.write(
                    "pom.xml",
                    &format!(
                        "<project><modelVersion>4.0.0</modelVersion><parent><groupId>com.fabrikam</groupId>\
                         <artifactId>parent</artifactId><version>1</version><relativePath/></parent>\
                         <artifactId>site</artifactId><packaging>pom</packaging><repositories><repository>\
                         <id>packages</id><url>{ADDRESS}/maven/v1</url></repository></repositories></project>"
                    ),
                );
                self.write(
                    "machine.xml",
                    &format!(
                        "<settings><localRepository>{home}/m2</localRepository><proxies><proxy><active>true</active>\
                         <protocol>https</protocol><host>127.0.0.1</host><port>{port}</port></proxy></proxies></settings>"
                    ),
                );
                // Maven 3.8 and 3.9 name the setting differently; which certificate is shown is not what is tested.
                vec![
                    "mvn",
                    "-B",
                    "-q",
                    "-Dmaven.wagon.http.ssl.insecure=true",
                    "-Dmaven.wagon.http.ssl.allowall=true",
                    "-Daether.connector.https.securityMode=insecure",
                    "-gs",
                    "machine.xml",
                    "validate",
                ]
            }
            "cargo" => {
                self.write(
                    "Cargo.toml",
                    "[package]\nname = \"site\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[dependencies]\n\
                     fabrikam-widgets = { version = \"1\", registry = \"packages\" }\n",
                );
                std::fs::create_dir(self.project().join("src")).expect("a folder");
                self.write("src/lib.rs", "");
                self.set("CARGO_HOME", &home).set("CARGO_NET_RETRY", "0");
                // Not rustup's stand-in, which looks for its toolchains in HOME.
                let cargo = std::env::var("CARGO").expect("cargo runs the tests");
                let rustc = Path::new(&cargo).with_file_name("rustc").display().to_string();
                self.set("RUSTC", &rustc);
                return Some(Line(vec![cargo, "generate-lockfile".into()]));
            }
            "git" => {
                self.set("GIT_CONFIG_NOSYSTEM", "1").set("GIT_TERMINAL_PROMPT", "0");
                vec!["git", "ls-remote", "https://dev.azure.com/fabrikam/website/_git/site"]
            }
            "curl" => {
                vec!["curl", "-sSf", "-m", "20", "https://dev.azure.com/fabrikam/_apis/projects"]
            }
            _ => panic!("{client} is not a client"),
        };
        let path = self.environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.clone());
        if which::which_in_global(words[0], path).map_or(true, |mut found| found.next().is_none()) {
            println!("skipped: {test}: there is no {} on this machine", words[0]);
            return None;
        }
        Some(Line(words.into_iter().map(str::to_owned).collect()))
    }

    /// `adopat create` writes the file.
    fn create(&mut self, format: &str, file: &Path) -> Ended {
        let file = file.display().to_string();
        self.machine.input("output-format", format).input("output-file", file).input("feed", FEED);
        self.machine.run()
    }

    /// The client by itself, without adopat.
    #[track_caller]
    fn run(&self, line: &Line) {
        let mut command = Command::new(&line.0[0]);
        command.args(&line.0[1..]).env_clear().current_dir(self.project());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = command.output().expect("the client starts");
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(output.status.success(), "{}\n{}\n{:#?}", output.status, said.concat(), self.azure.asked());
    }

    /// The client as the command of `exec`.
    fn exec(&mut self, clients: &str, line: &Line) -> Ended {
        self.machine.input("clients", clients).input("feed", FEED);
        let mut arguments = vec!["exec", "--"];
        arguments.extend(line.0.iter().map(String::as_str));
        self.machine.arguments(&arguments);
        let child = self.machine.command().current_dir(self.project()).spawn().expect("the binary starts");
        self.machine.wait(child)
    }

    /// The header that is right, and the only one.
    fn header(&self) -> String {
        let pats = self.machine.emulator.pats();
        let pat = pats.last().expect("a PAT was made");
        format!("Basic {}", STANDARD.encode(format!("fabrikam:{}", pat.value)))
    }

    /// The client has signed in, with exactly the right header, and nothing else was sent anywhere.
    #[track_caller]
    fn signed_in(&self) {
        let (asked, header) = (self.azure.asked(), self.header());
        for one in &asked {
            assert!(stand_in::LOCKED.contains(&one.host.as_str()), "{one:?}");
            // Of an address with a user, git first sends the user alone.
            let sent = one.authorization.as_ref().filter(|_| !one.is_a_user_alone());
            assert!(sent.is_none_or(|sent| *sent == header && one.status != 401), "{one:?}");
        }
        let is_in = |one: &stand_in::Asked| one.authorization.as_ref() == Some(&header) && one.status == 200;
        assert!(asked.iter().any(is_in), "{asked:#?}");
    }
}

#[rstest]
#[case("npm", "npm")]
#[case("npm", "npm publish")]
#[case("npm", "pnpm")]
#[case("yarn", "yarn")]
#[case("pip", "pip")]
#[case("uv", "uv")]
#[case("uv", "uv publish")]
#[case("twine", "twine")]
#[case("cargo", "cargo")]
#[case("git", "git")]
fn the_environment_of_exec_alone_signs_a_client_in(#[case] clients: &str, #[case] client: &str) {
    let mut place = Place::new();
    let Some(line) = place.project_of(client, "the_environment_of_exec_alone_signs_a_client_in") else {
        return;
    };
    if clients == "npm" {
        // Which registry is asked is the project's to say.
        place.write(".npmrc", &format!("registry={ADDRESS}/npm/registry/\n"));
    }
    let ended = place.exec(clients, &line);
    assert_eq!(ended.code, Some(0), "{}\n{:#?}", ended.words(), place.azure.asked());
    place.signed_in();
    assert!(place.machine.emulator.active_pats().is_empty(), "the PAT is revoked");
}

#[rstest]
#[case("npmrc", ".npmrc", "npm")]
#[case("npmrc", ".npmrc", "npm publish")]
#[case("npmrc", ".npmrc", "pnpm")]
#[case("yarnrc", ".yarnrc.yml", "yarn")]
#[case("pip", ".config/pip/pip.conf", "pip")]
#[case("pypirc", ".pypirc", "twine")]
#[case("maven", "settings.xml", "maven")]
#[case("cargo", "config.toml", "cargo")]
#[case("git-credentials", ".git-credentials", "git")]
#[case("netrc", ".netrc", "git")]
#[case("netrc", ".netrc", "curl")]
fn the_file_of_an_output_format_signs_a_client_in(
    #[case] format: &str,
    #[case] name: &str,
    #[case] client: &str,
) {
    let mut place = Place::new();
    let Some(Line(mut line)) = place.project_of(client, "the_file_of_an_output_format_signs_a_client_in")
    else {
        return;
    };
    let file = place.home().join(name);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    place.create(format, &file).expect(0);
    assert_eq!(mode(&file), 0o600);
    let more: &[&str] = match (format, client) {
        ("pypirc", _) => &["-r", "packages"],
        ("maven", _) => &["-s", "../home/settings.xml"],
        ("netrc", "curl") => &["-n"],
        _ => &[],
    };
    line.extend(more.iter().map(|&word| word.to_owned()));
    if format == "git-credentials" {
        place.set("GIT_CONFIG_COUNT", "1").set("GIT_CONFIG_KEY_0", "credential.helper");
        place.set("GIT_CONFIG_VALUE_0", "store");
    }
    place.run(&Line(line));
    place.signed_in();
}

/// What Azure DevOps shows as the address of a repository, what people make of it, and Git for Windows' own setting.
#[rstest]
fn git_signs_in_by_the_environment_of_exec_at_every_address(
    #[values(
        "dev.azure.com/fabrikam/website/_git/site",
        "fabrikam@dev.azure.com/fabrikam/website/_git/site",
        "somebody@dev.azure.com/fabrikam/website/_git/site",
        "fabrikam.visualstudio.com/website/_git/site",
        "Fabrikam.visualstudio.com/DefaultCollection/website/_git/site"
    )]
    address: &str,
    #[values("true", "false")] looks_at_paths: &str,
) {
    let mut place = Place::new();
    let test = "git_signs_in_by_the_environment_of_exec_at_every_address";
    let Some(Line(mut line)) = place.project_of("git", test) else { return };
    *line.last_mut().expect("an address") = format!("https://{address}");
    // A helper that is asked first, and does not know the PAT, and one entry of the numbered configuration.
    let settings = format!(
        "[credential]\n  helper = \"!f() {{ echo username=fabrikam; echo password=wrong; }}; f\"\n\
         [credential \"https://dev.azure.com\"]\n  useHttpPath = {looks_at_paths}\n"
    );
    std::fs::write(place.home().join(".gitconfig"), settings).expect("written");
    place
        .set("GIT_CONFIG_COUNT", "1")
        .set("GIT_CONFIG_KEY_0", "fabrikam.kept")
        .set("GIT_CONFIG_VALUE_0", "yes");
    assert_eq!(place.exec("git", &Line(line)).code, Some(0), "{:#?}", place.azure.asked());
    place.signed_in();
    let kept = Line(["git", "config", "fabrikam.kept"].map(str::to_owned).into());
    assert_eq!(place.exec("git", &kept).expect(0).stdout, "yes\n", "the entries that were there stay");
}

#[rstest]
#[case::npm_by_environment("npm", None)]
#[case::npm_by_file("npm", Some(("npmrc", ".npmrc")))]
#[case::pnpm_by_environment("pnpm", None)]
#[case::yarn_by_file("yarn", Some(("yarnrc", ".yarnrc.yml")))]
fn another_registry_never_sees_the_pat(#[case] client: &str, #[case] file: Option<(&str, &str)>) {
    let mut place = Place::new();
    let Some(line) = place.project_of(client, "another_registry_never_sees_the_pat") else { return };
    place.write("package.json", r#"{"name":"site","dependencies":{"@contoso/widgets":"1.0.0"}}"#);
    place.write(".npmrc", "@contoso:registry=https://npm.contoso.example/\n");
    let scopes = "npmScopes:\n  contoso:\n    npmRegistryServer: \"https://npm.contoso.example/\"\n";
    place.write(".yarnrc.yml", scopes);
    match file {
        Some((format, name)) => {
            let file = place.home().join(name);
            place.create(format, &file).expect(0);
            let mut command = Command::new(&line.0[0]);
            command.args(&line.0[1..]).env_clear().current_dir(place.project());
            command.envs(place.environment.iter().map(|(name, value)| (name, value)));
            command.output().expect("the client starts");
        }
        None => {
            place.exec("npm", &line);
        }
    }
    let asked = place.azure.asked();
    assert!(asked.iter().any(|one| one.host == "npm.contoso.example"), "{asked:#?}");
    assert!(asked.iter().all(|one| one.authorization.is_none()), "{asked:#?}");
}

/// There is no dotnet here: the file is read as its schema says, the element's name as .NET decodes it
/// (learn.microsoft.com/nuget/reference/nuget-config-file).
#[test]
fn the_nuget_config_holds_the_source_and_its_credentials() {
    let mut place = Place::new();
    let file = place.machine.path("nuget.config");
    let name = file.display().to_string();
    place.machine.input("output-format", "nuget").input("output-file", name);
    place.machine.input("feed", "My Web/9 feeds & more@Local").run().expect(0);
    let script = "import json, re, sys, xml.etree.ElementTree as tree\n\
        root = tree.parse(sys.argv[1]).getroot()\n\
        added = lambda element: [dict(add.attrib) for add in element]\n\
        decode = lambda name: re.sub('_x([0-9A-F]{4})_', lambda found: chr(int(found[1], 16)), name)\n\
        print(json.dumps([root.tag, added(root.find('packageSources')),\n\
          {decode(source.tag): added(source) for source in root.find('packageSourceCredentials')}]))";
    let Ok(output) = Command::new("python3").args(["-c", script]).arg(&file).output() else {
        return println!(
            "skipped: the_nuget_config_holds_the_source_and_its_credentials: there is no python3"
        );
    };
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let [pat] = place.machine.emulator.pats().try_into().expect("one PAT");
    let source = "https://pkgs.dev.azure.com/fabrikam/My%20Web/_packaging/9%20feeds%20%26%20more@Local/nuget/v3/index.json";
    let expected = serde_json::json!([
        "configuration",
        [{}, { "key": "9 feeds & more@Local", "value": source, "protocolVersion": "3" }],
        { "9 feeds & more@Local": [
            { "key": "Username", "value": "fabrikam" },
            { "key": "ClearTextPassword", "value": pat.value },
            { "key": "ValidAuthenticationTypes", "value": "basic" },
        ] },
    ]);
    assert_eq!(read, expected);
}

/// Tools that cannot be run here get the variables that they are documented to read.
#[test]
fn nuget_az_and_terraform_find_their_variables() {
    let mut place = Place::new();
    let ended =
        place.exec("nuget, az,terraform", &Line(vec!["sh".into(), "-c".into(), "env > variables".into()]));
    ended.expect(0);
    let variables = std::fs::read_to_string(place.project().join("variables")).expect("written");
    let [pat] = place.machine.emulator.pats().try_into().expect("one PAT");
    for line in [
        "VSS_NUGET_URI_PREFIXES=https://pkgs.dev.azure.com/fabrikam/;https://fabrikam.pkgs.visualstudio.com/",
        &format!("VSS_NUGET_ACCESSTOKEN={}", pat.value),
        &format!("AZURE_DEVOPS_EXT_PAT={}", pat.value),
        &format!("AZDO_PERSONAL_ACCESS_TOKEN={}", pat.value),
        "AZDO_ORG_SERVICE_URL=https://dev.azure.com/fabrikam",
        &format!("ADO_PAT={}", pat.value),
    ] {
        assert!(variables.lines().any(|found| found == line), "{line}");
    }
}
