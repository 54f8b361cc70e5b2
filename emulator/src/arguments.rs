//! The command line.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use adopat_emulator::{Builder, Emulator, POLICIES, Scenario};

/// What the command line asks for.
#[derive(Debug)]
pub enum CommandLine {
    Serve(Box<Serve>),
    Help,
    Version,
    Misused(String),
}

/// How to serve.
#[derive(Debug)]
pub struct Serve {
    pub builder: Builder,
    /// A process of its own serves, and this one ends as soon as it does.
    pub background: bool,
    /// Where the addresses and the certificate are written too.
    pub folder: Option<PathBuf>,
    pub interface: IpAddr,
    pub pats: usize,
    pub latency: Duration,
}

impl CommandLine {
    /// Reads the arguments, without the program's own name.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Self {
        match parse(arguments) {
            Ok(command) => command,
            Err(why) => Self::Misused(why),
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<CommandLine, String> {
    let mut builder = Emulator::builder();
    let mut serve = Serve {
        builder: Emulator::builder(),
        background: false,
        folder: None,
        interface: Ipv4Addr::LOCALHOST.into(),
        pats: 0,
        latency: Duration::ZERO,
    };
    let (mut scenario, mut host) = (None, None);
    let (mut organizations, mut projects, mut policies) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(argument) = arguments.next() {
        let mut value = |what: &str| arguments.next().ok_or_else(|| format!("{argument} needs {what}"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(CommandLine::Help),
            "--version" | "-V" => return Ok(CommandLine::Version),
            "--tls" => builder = builder.tls(true),
            "--background" => serve.background = true,
            "--seed" => builder = builder.seed(number(&argument, &value("a number")?)?),
            "--pats" => serve.pats = number(&argument, &value("a number")?)?,
            "--latency" => {
                serve.latency =
                    Duration::from_millis(number(&argument, &value("a number of milliseconds")?)?);
            }
            "--organization" => organizations.push(value("a name")?),
            "--project" => projects.push(value("a name")?),
            "--policy" => {
                let policy = value("NAME=VALUE")?;
                let (name, value) = policy
                    .split_once('=')
                    .ok_or_else(|| format!("'{policy}' is not a policy; use NAME=VALUE"))?;
                policies.push((name.to_owned(), value.to_owned()));
            }
            "--scenario" => {
                let path = value("a file")?;
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("{path} cannot be read: {error}"))?;
                scenario = Some(Scenario::parse(&text).map_err(|error| format!("{path}: {error}"))?);
            }
            "--listen" => {
                let address = value("an IP address")?;
                serve.interface = address.parse().map_err(|_| format!("'{address}' is not an IP address"))?;
                builder = builder.interface(serve.interface);
            }
            "--first-port" => builder = builder.first_port(number(&argument, &value("a number")?)?),
            "--host" => host = Some(value("a name")?),
            "--folder" => {
                let folder = PathBuf::from(value("a folder")?);
                let folder = std::path::absolute(&folder)
                    .map_err(|error| format!("{} cannot be used: {error}", folder.display()))?;
                builder = builder.folder(&folder);
                serve.folder = Some(folder);
            }
            other => return Err(format!("unknown argument '{other}'")),
        }
    }
    if scenario.is_some() && !organizations.is_empty() {
        return Err(
            "--organization does not go with --scenario, which names the organizations itself".to_owned()
        );
    }
    // An address that means every interface is none to connect to.
    let host = host.or_else(|| serve.interface.is_unspecified().then(|| "127.0.0.1".to_owned()));
    if let Some(host) = host {
        builder = builder.host(&host);
    }
    let mut scenario = scenario.unwrap_or_else(Scenario::fabrikam);
    if !organizations.is_empty() {
        scenario = scenario.with_organizations(&organizations);
    }
    for project in &projects {
        scenario = scenario.with_project(project);
    }
    for (name, value) in &policies {
        scenario = scenario.with_policy(name, value)?;
    }
    serve.builder = builder.scenario(scenario);
    Ok(CommandLine::Serve(Box::new(serve)))
}

fn number<T: std::str::FromStr>(argument: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{argument} needs a number, and '{text}' is none"))
}

/// The text of `--help`.
pub fn help() -> String {
    let policies: String = POLICIES.iter().map(|(name, what)| format!("  {name:<18}{what}\n")).collect();
    format!("{HELP}\nPolicies:\n{policies}\n{NOTES}")
}

const HELP: &str = "\
Microsoft Entra and the Azure DevOps PAT lifecycle API on loopback, for tests.

Usage: adopat-emulator [OPTION]...

What is there:
  --organization NAME     the organization, in place of fabrikam; may be repeated
  --project NAME          a project of the first organization, besides website; may be repeated
  --policy NAME=VALUE     a policy of every organization; may be repeated
  --scenario FILE         another world altogether, as JSON
  --pats NUMBER           so many PATs are there from the start (default 0)
  --seed NUMBER           what everything random follows from (default 1)

How it is served:
  --background            serve in a process of its own, and end when it is ready
  --folder FOLDER         write the lines to FOLDER/emulator.env and the CA's certificate to FOLDER/ca.pem
  --tls                   everything over TLS, not the vault alone
  --latency MILLISECONDS  each request waits so long before it is looked at (default 0)
  --first-port NUMBER     eight ports from this one on, in place of free ones
  --listen ADDRESS        the interface, in place of 127.0.0.1: for a container alone
  --host NAME             the name in the addresses and in the certificate, in place of 127.0.0.1

  --help                  this text
  --version               the version
";

const NOTES: &str = "\
Prints its addresses, a client id and a refresh token that is ready to use as lines for a shell, and serves until it
is stopped (Ctrl-C):

  eval \"$(adopat-emulator --background)\"
  curl -I \"$ADOPAT_DEVOPS_URL/fabrikam\"
  kill \"$EMULATOR_PID\"

SSL_CERT_FILE is among them: in that shell nothing but the emulator is trusted. Nothing is kept between two runs.
";
