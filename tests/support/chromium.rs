//! A browser that a test clicks through pages with, as a person would: by what can be read on them. Chromium
//! without a window, driven by its own chromedriver over WebDriver, without a network but loopback.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const LONG: Duration = Duration::from_secs(60);

/// What Chromium is called, in the order of preference.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// What keeps it from asking anybody but this machine, and lets it run as root in a container.
const SWITCHES: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
];

/// A browser with one window and a profile of its own; it ends with this value.
pub struct Browser {
    client: Option<Client>,
    runtime: Runtime,
    driver: Driver,
    _profile: TempDir,
}

/// The driver's process, which ends with this value. Its output is read by nobody once its port is known, and
/// stays open for as long as it lives.
struct Driver {
    child: Child,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Browser {
    /// Starts a browser; none, and a line that says so, where there is none on this machine.
    pub fn start(test: &str) -> Option<Self> {
        let chromium = NAMES.iter().find_map(|name| which::which(name).ok());
        let (Some(chromium), Ok(driver)) = (chromium, which::which("chromedriver")) else {
            println!("skipped: {test}: there is no chromium, or no chromedriver, on this machine");
            return None;
        };
        let profile = tempfile::tempdir().expect("a folder");
        let driver = Driver::start(driver, profile.path());
        let mut switches = SWITCHES.map(str::to_owned).to_vec();
        switches.push(format!("--user-data-dir={}", profile.path().display()));
        // The narrowest of telephones: what can be read there can be read anywhere.
        let telephone = json!({ "deviceMetrics": { "width": 360, "height": 740, "pixelRatio": 2 } });
        let options = json!({ "binary": chromium, "args": switches, "mobileEmulation": telephone });
        let capabilities = json!({ "goog:chromeOptions": options });
        let capabilities = capabilities.as_object().expect("an object").clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let address = format!("http://127.0.0.1:{}", driver.port);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let connecting = builder.capabilities(capabilities).connect(&address);
        let client = runtime.block_on(async { tokio::time::timeout(LONG, connecting).await });
        let client = client.expect("the browser starts in time").expect("the browser starts");
        Some(Self { client: Some(client), runtime, driver, _profile: profile })
    }

    /// Opens an address, as if it had been typed in.
    #[track_caller]
    pub fn open(&self, address: &str) {
        self.wait(self.client().goto(address), &format!("{address} opens"));
    }

    /// Waits for the page of this heading, looks whether it can be read by everybody, and returns its words.
    #[track_caller]
    pub fn page(&self, heading: &str) -> String {
        let path = format!("//h1[normalize-space()={heading:?}]");
        self.await_element(&path);
        self.can_be_read_by_everybody(heading);
        self.picture(heading);
        self.words()
    }

    /// Fills in the field that is labelled so.
    #[track_caller]
    pub fn fill_in(&self, label: &str, text: &str) {
        let field = self.await_element(&format!("//input[@id=//label[normalize-space()={label:?}]/@for]"));
        self.wait(field.clear(), label);
        self.wait(field.send_keys(text), label);
    }

    /// Chooses what is labelled so.
    #[track_caller]
    pub fn choose(&self, label: &str) {
        let choice = self.await_element(&format!("//label[normalize-space()={label:?}]"));
        self.wait(choice.click(), label);
    }

    /// Presses the button that says so.
    #[track_caller]
    pub fn press(&self, button: &str) {
        let button_element = self.await_element(&format!("//button[normalize-space()={button:?}]"));
        self.wait(button_element.click(), button);
    }

    /// What the page complains of.
    #[track_caller]
    pub fn complaint(&self) -> String {
        let alert = self.await_element("//*[@role='alert']");
        let complaint = self.wait(alert.text(), "the complaint");
        self.picture(&complaint);
        complaint
    }

    /// A picture of the window, where somebody wants to look at it.
    #[track_caller]
    fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("ADOPAT_TEST_SCREENSHOTS") else { return };
        let picture = self.wait(self.client().screenshot(), "a picture");
        let name: String = name.chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect();
        std::fs::write(PathBuf::from(folder).join(format!("{name}.png")), picture).expect("written");
    }

    /// What a person reads.
    #[track_caller]
    fn words(&self) -> String {
        let body = self.await_element("//body");
        self.wait(body.text(), "the page's words")
    }

    /// A language, a title, a label for every field, nothing that runs off a narrow screen, and no need of
    /// script.
    #[track_caller]
    fn can_be_read_by_everybody(&self, heading: &str) {
        let script = "
            const shown = [...document.querySelectorAll('input')].filter(field => field.type !== 'hidden');
            return {
                language: document.documentElement.lang,
                title: document.title,
                unlabelled: shown.filter(field => !field.labels.length).map(field => field.name),
                unnamed: [...document.querySelectorAll('button')].filter(it => !it.innerText.trim()).length,
                beyond: document.documentElement.scrollWidth - document.documentElement.clientWidth,
                scripts: document.scripts.length,
            };";
        let found = self.wait(self.client().execute(script, Vec::new()), "a look at the page");
        assert!(found["title"].as_str().is_some_and(|title| title.starts_with(heading)), "{found}");
        let expected = json!({
            "language": "en", "title": found["title"], "unlabelled": [], "unnamed": 0, "beyond": 0, "scripts": 0,
        });
        assert_eq!(found, expected, "the page '{heading}'");
    }

    /// A look that falls into the change from one page to the next is an error to the driver: it is taken again.
    #[track_caller]
    fn await_element(&self, path: &str) -> fantoccini::elements::Element {
        let begun = Instant::now();
        loop {
            let looked = self.runtime.block_on(self.client().find(Locator::XPath(path)));
            match looked {
                Ok(element) => return element,
                Err(_) if begun.elapsed() < LONG => std::thread::sleep(Duration::from_millis(50)),
                Err(error) => {
                    let page = self.runtime.block_on(self.client().source()).unwrap_or_default();
                    panic!("{path} is not on the page ({error}):\n{page}")
                }
            }
        }
    }

    #[track_caller]
    fn wait<T>(&self, step: impl Future<Output = Result<T, CmdError>>, what: &str) -> T {
        let outcome = self.runtime.block_on(async { tokio::time::timeout(LONG, step).await });
        outcome
            .unwrap_or_else(|_| panic!("{what}: in time"))
            .unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("it is there until the end")
    }
}

/// The driver closes the browser first: a driver that is killed would leave it running.
impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let closing = async { tokio::time::timeout(Duration::from_secs(10), client.close()).await };
            if !matches!(self.runtime.block_on(closing), Ok(Ok(()))) {
                eprintln!("the browser of chromedriver {} was not closed", self.driver.child.id());
            }
        }
    }
}

impl Driver {
    /// Starts a driver on a port that it chooses itself; whatever it and its browser leave over is in `folder`.
    fn start(program: PathBuf, folder: &Path) -> Self {
        let mut command = Command::new(program);
        command
            .arg("--port=0")
            .env("TMPDIR", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("chromedriver starts");
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut driver = Self { child, output, port: 0 };
        let begun = Instant::now();
        while driver.port == 0 {
            let mut line = String::new();
            let read = driver.output.read_line(&mut line).expect("text");
            assert!(read > 0 && begun.elapsed() < LONG, "chromedriver names no port");
            // "ChromeDriver was started successfully on port 34567."
            if let Some((_, port)) = line.split_once("successfully on port ") {
                driver.port = port.trim_end().trim_end_matches('.').parse().expect("a port");
            }
        }
        driver
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
