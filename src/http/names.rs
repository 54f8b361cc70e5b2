//! From a name to addresses, as the machine is set up: its hosts file, then the name servers of its `resolv.conf`.
//!
//! If none is configured, the one on loopback is asked, as glibc does, and never anybody else's: what a machine
//! asks for is told to nobody whom its administrator has not chosen.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// How many name servers of a `resolv.conf` count (resolv.conf(5), `MAXNS`).
const MOST_SERVERS: usize = 3;
/// How long the addresses of one family wait for those of the other: some servers never answer for one of them
/// (RFC 8305, section 3).
const FOR_THE_OTHER_FAMILY: Duration = Duration::from_millis(50);

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// The machine's names. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Names {
    hosts: PathBuf,
    servers: PathBuf,
    /// Where name servers listen.
    port: u16,
    resolver: Arc<OnceLock<Resolver>>,
}

#[derive(Debug)]
struct Resolver {
    inner: TokioResolver,
    /// The longest that one question may take.
    limit: Duration,
    /// Why it asks this machine itself.
    unconfigured: Option<NoNameServer>,
}

/// No name server is configured, and none runs on this machine.
#[derive(Clone, Debug)]
pub(super) struct NoNameServer {
    file: PathBuf,
    is_there: bool,
}

impl fmt::Display for NoNameServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match self.is_there {
            true => write!(formatter, "{file} names no name server")?,
            false => write!(formatter, "there is no {file} that names a name server")?,
        }
        formatter.write_str(", and none answers on this machine")
    }
}

impl std::error::Error for NoNameServer {}

impl Names {
    /// As this machine is set up.
    pub(super) fn of_this_machine() -> Self {
        let hosts = if cfg!(windows) { r"C:\Windows\System32\drivers\etc\hosts" } else { "/etc/hosts" };
        Self::read_from(hosts, "/etc/resolv.conf", 53)
    }

    fn read_from(hosts: impl Into<PathBuf>, servers: impl Into<PathBuf>, port: u16) -> Self {
        Self { hosts: hosts.into(), servers: servers.into(), port, resolver: Arc::default() }
    }

    async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, Failed> {
        let hosts = std::fs::read(&self.hosts).unwrap_or_default();
        let mut known = in_hosts(&text(&hosts), name);
        // Always both loopbacks (RFC 6761, 6.3): many a hosts file lists only one of them.
        let bare = name.trim_end_matches('.').to_ascii_lowercase();
        if bare == "localhost" || bare.ends_with(".localhost") {
            let loopbacks: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            let missing = loopbacks.into_iter().filter(|address| !known.contains(address));
            known.extend(missing.collect::<Vec<_>>());
        }
        if !known.is_empty() {
            return Ok(known);
        }
        let resolver = match self.resolver.get() {
            Some(resolver) => resolver,
            None => {
                let made = self.resolver()?;
                self.resolver.get_or_init(|| made)
            }
        };
        resolver.ask(name).await.map_err(|error| match &resolver.unconfigured {
            Some(unconfigured) => unconfigured.clone().into(),
            None => error,
        })
    }

    fn resolver(&self) -> Result<Resolver, Failed> {
        let file = std::fs::read(&self.servers);
        let is_there = file.is_ok();
        let setup = if cfg!(windows) { of_windows() } else { Setup::parse(&text(&file.unwrap_or_default())) };
        let unconfigured = NoNameServer { file: self.servers.clone(), is_there };
        let unconfigured = Some(unconfigured).filter(|_| setup.is_unconfigured && cfg!(not(windows)));
        let servers = setup.servers.iter().map(|server| {
            let mut server = NameServerConfig::udp_and_tcp(*server);
            server.connections.iter_mut().for_each(|connection| connection.port = self.port);
            server
        });
        let search = setup.search.iter().filter_map(|domain| domain.parse().ok()).collect();
        let config = ResolverConfig::from_parts(None, search, servers.collect());
        let mut options = ResolverOpts::default();
        options.ndots = setup.ndots;
        options.timeout = setup.timeout;
        options.attempts = setup.attempts;
        options.use_hosts_file = ResolveHosts::Never;
        // One that is silent keeps nobody waiting.
        options.num_concurrent_reqs = MOST_SERVERS;
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let limit = setup.timeout * u32::try_from(setup.attempts).unwrap_or(1);
        Ok(Resolver { inner: builder.with_options(options).build()?, limit, unconfigured })
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.clone();
        Box::pin(async move {
            let found = names.look_up(name.as_str()).await?;
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

impl Resolver {
    /// Asks for both families at once; who has the addresses of one does not wait long for the other.
    async fn ask(&self, name: &str) -> Result<Vec<IpAddr>, Failed> {
        let four = Box::pin(async {
            let found = tokio::time::timeout(self.limit, self.inner.ipv4_lookup(name)).await??;
            Ok::<_, Failed>(
                found.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>(),
            )
        });
        let six = Box::pin(async {
            let found = tokio::time::timeout(self.limit, self.inner.ipv6_lookup(name)).await??;
            Ok::<_, Failed>(
                found.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>(),
            )
        });
        let (first, other) = match select(four, six).await {
            Either::Left((first, six)) => (first, Either::Left(six)),
            Either::Right((first, four)) => (first, Either::Right(four)),
        };
        match first {
            Ok(mut addresses) if !addresses.is_empty() => {
                if let Ok(Ok(others)) = tokio::time::timeout(FOR_THE_OTHER_FAMILY, other).await {
                    addresses.extend(others);
                }
                Ok(addresses)
            }
            first => match other.await {
                Ok(addresses) if !addresses.is_empty() => Ok(addresses),
                other => first.and(other).and_then(|_| Err("the name has no address".into())),
            },
        }
    }
}

/// What a `resolv.conf` says.
#[derive(Debug, PartialEq, Eq)]
struct Setup {
    servers: Vec<IpAddr>,
    /// No server is named: the one is this machine.
    is_unconfigured: bool,
    search: Vec<String>,
    ndots: usize,
    timeout: Duration,
    attempts: usize,
}

impl Setup {
    /// Reads what can be understood of it; what cannot is nothing.
    fn parse(text: &str) -> Self {
        let mut setup = Self {
            servers: Vec::new(),
            is_unconfigured: false,
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
        };
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => {
                    // A zone, as in fe80::1%eth0, cannot be used here.
                    let server: Option<IpAddr> =
                        words.next().and_then(|address| address.split('%').next()?.parse().ok());
                    setup.servers.extend(server);
                }
                Some("search" | "domain") => setup.search = words.map(str::to_owned).collect(),
                Some("options") => words.for_each(|option| setup.set(option)),
                _ => {}
            }
        }
        setup.servers.truncate(MOST_SERVERS);
        if setup.servers.is_empty() {
            setup.is_unconfigured = true;
            setup.servers.push(Ipv4Addr::LOCALHOST.into());
        }
        setup
    }

    fn set(&mut self, option: &str) {
        let Some((name, Ok(number))) = option.split_once(':').map(|(name, text)| (name, text.parse::<u8>()))
        else {
            return;
        };
        match name {
            "ndots" => self.ndots = number.min(15).into(),
            "timeout" => self.timeout = Duration::from_secs(number.clamp(1, 30).into()),
            "attempts" => self.attempts = number.clamp(1, 5).into(),
            _ => {}
        }
    }
}

/// Windows keeps its name servers in the registry.
#[cfg(windows)]
fn of_windows() -> Setup {
    let mut setup = Setup::parse("");
    if let Ok((config, _)) = hickory_resolver::system_conf::read_system_conf() {
        let servers: Vec<IpAddr> = config.name_servers().iter().map(|server| server.ip).collect();
        if !servers.is_empty() {
            setup.servers = servers;
        }
        setup.search = config.search().iter().map(ToString::to_string).collect();
    }
    setup
}

#[cfg(not(windows))]
fn of_windows() -> Setup {
    Setup::parse("")
}

/// The file as text, without a byte order mark, whatever else is in it.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)).into_owned()
}

/// The addresses of a name in a hosts file.
fn in_hosts(text: &str, name: &str) -> Vec<IpAddr> {
    let name = name.trim_end_matches('.');
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_ascii_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        words.any(|known| known.trim_end_matches('.').eq_ignore_ascii_case(name)).then_some(address)
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rstest::rstest;
    use tokio::net::UdpSocket;

    use super::*;

    #[rstest]
    #[case::nothing("")]
    #[case::a_comment("# nameserver 192.0.2.1\n; nameserver 192.0.2.2\n")]
    #[case::nonsense("nameserver\nnameserver somewhere\n\u{0}\u{1}")]
    fn without_a_name_server_it_is_loopbacks(#[case] text: &str) {
        assert_eq!(Setup::parse(text).servers, [IpAddr::from(Ipv4Addr::LOCALHOST)]);
    }

    #[test]
    fn what_is_understood_counts() {
        let file = b"\xEF\xBB\xBFnameserver 192.0.2.1 # here\r\n\tnameserver fe80::1%eth0\nsearch a.example b.example\n\
            options rotate ndots:2 timeout:1 attempts:9 \xFF\nnameserver 192.0.2.3;\nnameserver 192.0.2.4\n";
        let setup = Setup::parse(&text(file));
        assert_eq!(
            setup.servers,
            ["192.0.2.1", "fe80::1", "192.0.2.3"].map(|ip| ip.parse::<IpAddr>().expect("an address"))
        );
        assert_eq!(setup.search, ["a.example", "b.example"]);
        assert_eq!((setup.ndots, setup.timeout.as_secs(), setup.attempts), (2, 1, 5));
    }

    /// Names by this hosts file and this name server, which answers these types (1: A, 28: AAAA) and is asked so often.
    async fn names(hosts: &str, answers: &'static [u16]) -> (Names, tempfile::TempDir, Arc<AtomicUsize>) {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let port = socket.local_addr().expect("an address").port();
        std::fs::write(folder.path().join("hosts"), hosts).expect("written");
        std::fs::write(
            folder.path().join("resolv.conf"),
            "\u{feff}nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        )
        .expect("written");
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                count.fetch_add(1, Ordering::SeqCst);
                let end = 12 + query[12..length].iter().position(|byte| *byte == 0).expect("a name") + 5;
                let kind = u16::from_be_bytes([query[end - 4], query[end - 3]]);
                if answers.contains(&kind) {
                    let mut answer = query[..end].to_vec();
                    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
                    let data: &[u8] = if kind == 1 {
                        &[127, 0, 0, 9]
                    } else {
                        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
                    };
                    answer.extend([0xC0, 12]);
                    answer.extend(kind.to_be_bytes());
                    answer.extend([0, 1, 0, 0, 0, 60, 0, u8::try_from(data.len()).expect("short")]);
                    answer.extend(data);
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        let names = Names::read_from(folder.path().join("hosts"), folder.path().join("resolv.conf"), port);
        (names, folder, asked)
    }

    #[tokio::test]
    async fn the_hosts_file_comes_first_and_asks_nobody() {
        let (names, _folder, asked) = names("\u{feff}127.0.0.7 other vssps.dev.azure.com # it\n", &[]).await;
        let found = names.look_up("VSSPS.dev.azure.com.").await.expect("found");
        assert_eq!(found, ["127.0.0.7".parse::<IpAddr>().expect("an address")]);
        assert_eq!(asked.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn localhost_is_both_loopbacks_even_where_the_hosts_file_lists_one() {
        let (names, _folder, asked) = names("127.0.0.1 localhost\n", &[]).await;
        let both: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        assert_eq!(names.look_up("localhost").await.expect("found"), both);
        assert_eq!(asked.load(Ordering::SeqCst), 0);
    }

    #[rstest]
    #[case::both(&[1, 28], 2)]
    #[case::the_one_that_drops_aaaa(&[1], 1)]
    #[case::the_one_that_drops_a(&[28], 1)]
    #[tokio::test]
    async fn one_family_is_enough(#[case] answers: &'static [u16], #[case] count: usize) {
        let (names, _folder, _) = names("", answers).await;
        let found = names.look_up("vssps.dev.azure.com").await.expect("found");
        assert!(!found.is_empty() && found.len() <= count, "{found:?}");
    }

    #[tokio::test]
    async fn a_silent_name_server_is_given_up() {
        let (names, _folder, asked) = names("", &[]).await;
        names.look_up("vssps.dev.azure.com").await.expect_err("nobody answers");
        assert!(asked.load(Ordering::SeqCst) >= 2, "both families are asked for");
    }
}
