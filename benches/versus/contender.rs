//! Who is measured: adopat, and what one would write or install in its place.
//!
//! Each is written as its users would write it, and told the same: where the services are, whom to trust, where the
//! refresh token rests and where the PAT goes. What they need is fetched into `target/versus`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::stage::Settings;

/// A program that manages PATs.
pub struct Contender {
    /// Its name in tables.
    pub name: &'static str,
    /// What it is made of, with versions.
    pub versions: String,
    /// The program, and the arguments before the operation.
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    told_by: fn(&Settings) -> Vec<(&'static str, OsString)>,
    further: Vec<(OsString, OsString)>,
}

impl Contender {
    /// Its whole environment.
    pub fn environment(&self, settings: &Settings) -> Vec<(OsString, OsString)> {
        let path = std::env::var_os("PATH").map(|path| ("PATH".into(), path));
        let told = (self.told_by)(settings).into_iter().map(|(name, value)| (name.into(), value));
        path.into_iter().chain(told).chain(self.further.clone()).collect()
    }

    /// The same, told something more.
    pub fn with(&self, further: Vec<(OsString, OsString)>) -> Self {
        Self {
            name: self.name,
            versions: self.versions.clone(),
            program: self.program.clone(),
            arguments: self.arguments.clone(),
            told_by: self.told_by,
            further,
        }
    }
}

/// All of them, adopat first, ready to run.
///
/// # Errors
/// What is missing on this machine, or could not be fetched.
pub fn all(adopat: &Path) -> Result<Vec<Contender>, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/versus");
    let workshop = Path::new(env!("CARGO_TARGET_TMPDIR")).join("versus");
    std::fs::create_dir_all(&workshop).map_err(|why| why.to_string())?;
    Ok(vec![
        adopat_itself(adopat)?,
        python(&sources.join("python"), &workshop.join("python"))?,
        node(&sources.join("node"), &workshop.join("node"))?,
        shell(&sources.join("shell"))?,
    ])
}

fn adopat_itself(program: &Path) -> Result<Contender, String> {
    let rustc = say("rustc", &["--version"])?;
    Ok(Contender {
        name: "adopat",
        versions: format!("{} ({rustc})", say(program, &["--version"])?),
        program: program.to_owned(),
        arguments: Vec::new(),
        told_by: |settings| {
            let mut store = OsString::from("file:");
            store.push(&settings.refresh_token);
            vec![
                ("ADOPAT_AUTHORITY_HOST", settings.authority_host.clone().into()),
                ("ADOPAT_SERVICE_URL", settings.service_url.clone().into()),
                ("ADOPAT_ORGANIZATION", Settings::ORGANIZATION.into()),
                ("ADOPAT_TENANT_ID", Settings::tenant_id().into()),
                ("ADOPAT_CLIENT_ID", Settings::client_id().into()),
                ("ADOPAT_CREDENTIAL_STORE", store),
                ("ADOPAT_DISPLAY_NAME", Settings::NAME.into()),
                ("ADOPAT_SCOPE", Settings::SCOPE.into()),
                ("ADOPAT_LIFETIME", "30d".into()),
                ("ADOPAT_OUTPUT_FILE", settings.new_pat.clone().into()),
                ("ADOPAT_OUTPUT_FORMAT", "token".into()),
                ("SSL_CERT_FILE", settings.certificate_authority.clone().into()),
            ]
        },
        further: Vec::new(),
    })
}

/// What the scripts are told; each knows the authority to trust by another name.
fn told(settings: &Settings, trusts: &'static str) -> Vec<(&'static str, OsString)> {
    vec![
        ("AUTHORITY_HOST", settings.authority_host.clone().into()),
        ("SERVICE_URL", settings.service_url.clone().into()),
        ("ORGANIZATION", Settings::ORGANIZATION.into()),
        ("TENANT_ID", Settings::tenant_id().into()),
        ("CLIENT_ID", Settings::client_id().into()),
        ("REFRESH_TOKEN_FILE", settings.refresh_token.clone().into()),
        ("PAT_FILE", settings.new_pat.clone().into()),
        ("NAME", Settings::NAME.into()),
        ("SCOPE", Settings::SCOPE.into()),
        ("LIFETIME_DAYS", "30".into()),
        (trusts, settings.certificate_authority.clone().into()),
    ]
}

fn python(sources: &Path, workshop: &Path) -> Result<Contender, String> {
    let program = workshop.join("bin/python");
    if !program.exists() {
        carry_out(Command::new("python3").args(["-m", "venv"]).arg(workshop))?;
    }
    let requirements = sources.join("requirements.txt");
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    carry_out(Command::new(&program).args(install).arg(requirements))?;
    let packages = "from importlib.metadata import version; print('msal', version('msal') + ',', 'requests', version('requests'))";
    Ok(Contender {
        name: "Python",
        versions: format!("{}, {}", say(&program, &["--version"])?, say(&program, &["-c", packages])?),
        program,
        arguments: vec![sources.join("pat.py").into()],
        told_by: |settings| told(settings, "REQUESTS_CA_BUNDLE"),
        further: Vec::new(),
    })
}

fn node(sources: &Path, workshop: &Path) -> Result<Contender, String> {
    std::fs::create_dir_all(workshop).map_err(|why| why.to_string())?;
    for file in ["package.json", "package-lock.json", "pat.mjs"] {
        std::fs::copy(sources.join(file), workshop.join(file)).map_err(|why| why.to_string())?;
    }
    let install = ["ci", "--omit=dev", "--no-audit", "--no-fund", "--silent", "--prefix"];
    carry_out(Command::new("npm").args(install).arg(workshop))?;
    let package = workshop.join("node_modules/@azure/msal-node/package.json");
    let package = std::fs::read_to_string(package).map_err(|why| why.to_string())?;
    let package: serde_json::Value = serde_json::from_str(&package).map_err(|why| why.to_string())?;
    let version = package["version"].as_str().unwrap_or_default();
    Ok(Contender {
        name: "Node",
        versions: format!("Node {}, @azure/msal-node {version}, fetch", say("node", &["--version"])?),
        program: on_the_path("node")?,
        arguments: vec![workshop.join("pat.mjs").into()],
        told_by: |settings| told(settings, "NODE_EXTRA_CA_CERTS"),
        further: Vec::new(),
    })
}

fn shell(sources: &Path) -> Result<Contender, String> {
    let first_words = |line: &str, count: usize| line.split(' ').take(count).collect::<Vec<_>>().join(" ");
    let bash = say("bash", &["-c", "echo bash $BASH_VERSION"])?;
    let curl = first_words(&say("curl", &["--version"])?, 2);
    Ok(Contender {
        name: "curl + jq",
        versions: format!("{bash}, {curl}, {}", say("jq", &["--version"])?),
        program: on_the_path("bash")?,
        arguments: vec![sources.join("pat.sh").into()],
        told_by: |settings| told(settings, "CURL_CA_BUNDLE"),
        further: Vec::new(),
    })
}

/// Where a program is, so that looking for it is not measured.
fn on_the_path(name: &str) -> Result<PathBuf, String> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&folders).map(|folder| folder.join(name));
    places.find(|place| place.is_file()).ok_or_else(|| format!("{name} is needed here, and is not there"))
}

/// The first line that a program says.
fn say(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Result<String, String> {
    let program = program.as_ref();
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|why| format!("{} is needed here: {why}", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

fn carry_out(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} failed ({status})")),
        Err(why) => Err(format!("{program} is needed here: {why}")),
    }
}
