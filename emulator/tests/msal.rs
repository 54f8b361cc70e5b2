//! Microsoft's own library for Python signs in here. Without python3 and msal (PyPI) it is skipped, and says so.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use adopat_emulator::{DeviceCodePolicy, Emulator, Service, cast};

#[test]
fn msal_signs_in_by_device_code_and_refreshes() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_msal = Command::new(&python).args(["-c", "import msal"]).stderr(Stdio::null()).status();
    if !has_msal.is_ok_and(|status| status.success()) {
        println!("skipped: msal_signs_in_by_device_code_and_refreshes needs python3 with msal");
        return;
    }
    let emulator = Emulator::builder().tls(true).start();
    emulator
        .set_device_code_policy(DeviceCodePolicy { interval: Duration::from_secs(1), ..Default::default() });
    let mut msal = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sign_in_with_msal.py"))
        .arg(format!("{}/{}", emulator.entra_url(), cast::TENANT))
        .arg(cast::CLIENT_ID.to_string())
        .arg(emulator.ca_pem_path())
        .env_remove("HTTPS_PROXY")
        .env_remove("https_proxy")
        // These would beat the CA file that the script is given.
        .env_remove("REQUESTS_CA_BUNDLE")
        .env_remove("CURL_CA_BUNDLE")
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut lines = BufReader::new(msal.stdout.take().expect("it was piped")).lines();
    let mut value = |name: &str| {
        let line = lines.next().expect("the script says what it has").expect("in UTF-8");
        line.strip_prefix(name).unwrap_or_else(|| panic!("{line}")).trim().to_owned()
    };
    let user_code = value("user code");
    emulator.approve_device_code(&user_code, cast::PERSON);
    let first = value("access token");
    assert_eq!(value("account"), cast::PERSON);
    let second = value("access token");
    assert!(msal.wait().expect("it ends").success());
    assert_ne!(first, second);
    let issued = emulator.issued_secrets();
    assert!(issued.contains(&first) && issued.contains(&second));
    let grants: Vec<_> = emulator
        .requests_to(Service::Entra)
        .iter()
        .filter(|request| request.status() == Some(200))
        .filter_map(|request| request.form("grant_type"))
        .collect();
    assert_eq!(grants, ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]);
}
