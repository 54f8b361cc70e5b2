#![no_main]

#[path = "../../tests/hosts/azure_agent.rs"]
#[allow(dead_code)]
mod azure_agent;
#[path = "../../tests/hosts/github_runner.rs"]
#[allow(dead_code)]
mod github_runner;
#[path = "../properties.rs"]
#[allow(dead_code)]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::pat_service(bytes));
