//! A stand-in for Azure Artifacts and Azure Repos: a proxy that answers in their place, over TLS, and lets in anyone who
//! brings the organization and a PAT as Basic credentials. It remembers every request.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::PrivateKeyDer;
use tempfile::TempDir;

/// The hosts that ask for a PAT of the organization `fabrikam`.
pub const LOCKED: [&str; 4] =
    ["pkgs.dev.azure.com", "fabrikam.pkgs.visualstudio.com", "dev.azure.com", "fabrikam.visualstudio.com"];

/// Azure's 401 (one of the two schemes is for Entra's tokens, the last for nobody here).
const CHALLENGES: &str = "WWW-Authenticate: Bearer authorization_uri=https://login.windows.net/\
    00000000-0000-0000-0000-000000000000\r\n\
    WWW-Authenticate: Basic realm=\"https://pkgsprodcus1.pkgs.visualstudio.com/\"\r\n\
    WWW-Authenticate: TFS-Federated\r\n";

/// A request that the stand-in has answered.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The host that the client meant.
    pub host: String,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The header `Authorization`, whole.
    pub authorization: Option<String>,
    /// The answer's status.
    pub status: u16,
}

/// The stand-in.
pub struct StandIn {
    folder: TempDir,
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// What each connection is answered with.
struct World {
    authority: Issuer<'static, KeyPair>,
    packages: Packages,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// One package of each kind, all called `fabrikam-widgets`.
struct Packages {
    npm: Vec<u8>,
    wheel: Vec<u8>,
}

impl StandIn {
    /// Starts it.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "Package clients' tests");
        let certificate = parameters.self_signed(&key).expect("signed");
        std::fs::write(folder.path().join("authority.pem"), certificate.pem()).expect("written");
        let asked = Arc::default();
        let world = Arc::new(World {
            authority: Issuer::new(parameters, key),
            packages: Packages::made_in(folder.path()),
            asked: Arc::clone(&asked),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let world = Arc::clone(&world);
                std::thread::spawn(move || world.serve(client));
            }
        });
        Self { folder, port, asked }
    }

    /// The proxy's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority whose certificates the stand-in shows.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// A wheel, to be uploaded.
    pub fn wheel(&self) -> PathBuf {
        self.folder.path().join("fabrikam_widgets-1.0-py3-none-any.whl")
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("unpoisoned").clone()
    }
}

impl Packages {
    /// With the archivers of the machine: `tar`, and Python's for the wheel. One that is missing leaves its package
    /// empty, and its clients are missing then too.
    fn made_in(folder: &Path) -> Self {
        std::fs::create_dir(folder.join("package")).expect("a folder");
        let manifest = r#"{"name":"fabrikam-widgets","version":"1.0.0"}"#;
        std::fs::write(folder.join("package/package.json"), manifest).expect("written");
        let _ = Command::new("tar").current_dir(folder).args(["-czf", "npm.tgz", "package"]).status();
        let zip = "import zipfile\n\
            with zipfile.ZipFile('fabrikam_widgets-1.0-py3-none-any.whl', 'w') as wheel:\n    \
            about = 'fabrikam_widgets-1.0.dist-info/'\n    \
            wheel.writestr('fabrikam_widgets.py', '')\n    \
            wheel.writestr(about + 'METADATA', 'Metadata-Version: 2.1\\nName: fabrikam-widgets\\nVersion: 1.0\\n')\n    \
            wheel.writestr(about + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n    \
            wheel.writestr(about + 'RECORD', 'fabrikam_widgets.py,,\\n')\n";
        let _ = Command::new("python3").current_dir(folder).args(["-c", zip]).status();
        let read = |name| std::fs::read(folder.join(name)).unwrap_or_default();
        Self { npm: read("npm.tgz"), wheel: read("fabrikam_widgets-1.0-py3-none-any.whl") }
    }
}

impl World {
    /// `CONNECT`, then one request over TLS.
    fn serve(&self, client: TcpStream) -> Option<()> {
        let mut client = BufReader::new(client);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if client.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let host = head.strip_prefix("CONNECT ")?.split(':').next()?.to_ascii_lowercase();
        let mut client = client.into_inner();
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
        let tls = ServerConnection::new(self.certified_as(&host)).ok()?;
        let mut client = BufReader::new(StreamOwned::new(tls, client));
        let (mut asked, body) = Asked::read(&mut client, host)?;
        let answer = self.answer(&mut asked, &body);
        self.asked.lock().ok()?.push(asked);
        let client = client.get_mut();
        client.write_all(&answer).ok()?;
        client.conn.send_close_notify();
        client.flush().ok()
    }

    fn certified_as(&self, host: &str) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(vec![host.to_owned()]).expect("a host's name");
        parameters.use_authority_key_identifier_extension = true;
        let certificate = parameters.signed_by(&key, &self.authority).expect("signed");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS#8");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = versions.expect("versions").with_no_client_auth();
        let mut config = config.with_single_cert(vec![certificate.der().clone()], key).expect("a pair");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }

    fn answer(&self, asked: &mut Asked, body: &[u8]) -> Vec<u8> {
        let is_locked = LOCKED.contains(&asked.host.as_str());
        let (status, headers, kind, content) = if is_locked && !asked.is_let_in() {
            (401, CHALLENGES, "text/plain", b"Sign in.".to_vec())
        } else {
            let (status, kind, content) = self.content(asked, body);
            (status, "", kind, content)
        };
        asked.status = status;
        let length = content.len();
        let mut answer = format!(
            "HTTP/1.1 {status} An answer\r\n{headers}Content-Type: {kind}\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n"
        )
        .into_bytes();
        if asked.method != "HEAD" {
            answer.extend(content);
        }
        answer
    }

    /// The least that each client needs.
    fn content(&self, asked: &Asked, body: &[u8]) -> (u16, &'static str, Vec<u8>) {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let rest = path.split_once("/_packaging/").and_then(|(_, rest)| rest.split_once('/'));
        let rest = rest.map_or("", |(_, rest)| rest);
        let base = format!("https://{}{}", asked.host, path.strip_suffix(rest).unwrap_or(path));
        let index =
            r#"{"name":"fabrikam-widgets","vers":"1.0.0","deps":[],"features":{},"yanked":false,"cksum":"#;
        match (asked.method.as_str(), rest) {
            ("GET" | "HEAD", "npm/registry/fabrikam-widgets") => {
                let tarball = format!("{base}npm/registry/fabrikam-widgets/-/fabrikam-widgets-1.0.0.tgz");
                let package = serde_json::json!({
                    "name": "fabrikam-widgets",
                    "dist-tags": { "latest": "1.0.0" },
                    "versions": { "1.0.0": {
                        "name": "fabrikam-widgets", "version": "1.0.0", "dist": { "tarball": tarball },
                    } },
                });
                (200, "application/json", package.to_string().into_bytes())
            }
            ("PUT", "npm/registry/fabrikam-widgets") if !body.is_empty() => {
                (200, "application/json", b"{}".to_vec())
            }
            ("GET", "npm/registry/fabrikam-widgets/-/fabrikam-widgets-1.0.0.tgz") => {
                (200, "application/octet-stream", self.packages.npm.clone())
            }
            ("GET", "pypi/simple/fabrikam-widgets/") => {
                let file = "fabrikam_widgets-1.0-py3-none-any.whl";
                let link = format!("{base}pypi/download/fabrikam-widgets/1/{file}");
                (200, "text/html", format!("<!DOCTYPE html><a href=\"{link}\">{file}</a>").into_bytes())
            }
            ("GET" | "HEAD", file) if file.starts_with("pypi/download/") => {
                (200, "application/octet-stream", self.packages.wheel.clone())
            }
            ("POST", "pypi/upload/") if !body.is_empty() => (200, "text/plain", Vec::new()),
            ("GET", "maven/v1/com/fabrikam/parent/1/parent-1.pom") => (200, "text/xml", PARENT.into()),
            ("GET", "Cargo/index/config.json") => {
                let config = serde_json::json!({ "dl": format!("{base}Cargo/api"), "auth-required": true });
                (200, "application/json", config.to_string().into_bytes())
            }
            ("GET", "Cargo/index/fa/br/fabrikam-widgets") => {
                (200, "text/plain", format!("{index}\"{}\"}}\n", "0".repeat(64)).into_bytes())
            }
            _ if path.ends_with("/_git/site/info/refs") && query == "service=git-upload-pack" => (
                200,
                "application/x-git-upload-pack-advertisement",
                b"001e# service=git-upload-pack\n00000000".to_vec(),
            ),
            _ if path.ends_with("/_apis/projects") => (200, "application/json", b"{}".to_vec()),
            _ => (404, "text/plain", Vec::new()),
        }
    }
}

const PARENT: &str = "<project><modelVersion>4.0.0</modelVersion><groupId>com.fabrikam</groupId>\
    <artifactId>parent</artifactId><version>1</version><packaging>pom</packaging></project>";

impl Asked {
    /// A request and its body.
    fn read(
        client: &mut BufReader<StreamOwned<ServerConnection, TcpStream>>,
        host: String,
    ) -> Option<(Self, Vec<u8>)> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            client.read_line(&mut line).ok().filter(|&read| read > 0)?;
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let header = |wanted: &str| {
            let pairs = lines.iter().skip(1).filter_map(|line| line.split_once(':'));
            let mut values = pairs.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            values.next().map(|(_, value)| value.trim().to_owned())
        };
        if header("expect").is_some() {
            client.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        }
        let mut body = Vec::new();
        if let Some(length) = header("content-length").and_then(|length| length.parse().ok()) {
            body.resize(length, 0);
            client.read_exact(&mut body).ok()?;
        } else if header("transfer-encoding").is_some() {
            while !body.ends_with(b"0\r\n\r\n") {
                let available = client.fill_buf().ok().filter(|bytes| !bytes.is_empty())?;
                body.extend_from_slice(available);
                let read = available.len();
                client.consume(read);
            }
        }
        let mut words = lines.first()?.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some((Self { host, method, path, authorization: header("authorization"), status: 0 }, body))
    }

    /// Whether this is the organization's name and something of a PAT's length: which PAT, the tests look at.
    fn is_let_in(&self) -> bool {
        let pair = self.credentials();
        pair.is_some_and(|pair| pair.strip_prefix("fabrikam:").is_some_and(|pat| pat.len() == 84))
    }

    /// Whether there is a user's name without a password.
    pub fn is_a_user_alone(&self) -> bool {
        self.credentials().is_some_and(|pair| pair.ends_with(':'))
    }

    fn credentials(&self) -> Option<String> {
        let basic = self.authorization.as_deref().and_then(|header| header.strip_prefix("Basic "));
        String::from_utf8(STANDARD.decode(basic?).ok()?).ok()
    }
}
