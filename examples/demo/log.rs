//! What a host's log shows of a step's output: commands are carried out and not shown, errors and warnings are
//! marked, and every secret the host was told of is `***` from then on.

use super::job::Host;

#[path = "../../tests/hosts/azure_agent.rs"]
#[allow(dead_code)]
mod azure_agent;
#[path = "../../tests/hosts/github_runner.rs"]
#[allow(dead_code)]
pub mod github_runner;

/// A log, and what the host took from the commands in it.
#[derive(Default)]
pub struct Log {
    /// The lines a person can read.
    pub shown: Vec<String>,
    /// Azure Pipelines: the variables that were set, secret or not.
    pub variables: Vec<(String, String)>,
}

impl Log {
    /// Reads what a step printed. `masks` are the secrets that the job knows already; those of this step are added.
    pub fn read(host: Host, printed: &str, masks: &mut Vec<String>) -> Self {
        let mut log = Self::default();
        for line in printed.lines() {
            let shown = match host {
                Host::GitHubActions => log.github(line, masks),
                Host::AzurePipelines => log.azure(line, masks),
            };
            if let Some(text) = shown {
                log.shown.push(masked(&text, masks));
            }
        }
        log
    }

    fn github(&mut self, line: &str, masks: &mut Vec<String>) -> Option<String> {
        let Some(command) = github_runner::command(line) else { return Some(line.to_owned()) };
        match command.name.as_str() {
            "add-mask" => {
                masks.push(command.data);
                None
            }
            "error" => Some(format!("Error: {}", command.data)),
            "warning" => Some(format!("Warning: {}", command.data)),
            "notice" => Some(format!("Notice: {}", command.data)),
            _ => None,
        }
    }

    fn azure(&mut self, line: &str, masks: &mut Vec<String>) -> Option<String> {
        let command = azure_agent::command(line, true).expect("no malformed command");
        let Some(command) = command else { return Some(line.to_owned()) };
        let property = |name: &str| command.properties.get(name).cloned().unwrap_or_default();
        match command.name.as_str() {
            "task.setsecret" => masks.push(command.data),
            "task.setvariable" => {
                if command.is("issecret") {
                    masks.push(command.data.clone());
                }
                self.variables.push((property("variable"), command.data));
            }
            "task.logissue" => return Some(format!("##[{}]{}", property("type"), command.data)),
            _ => {}
        }
        None
    }
}

/// The text as the host would show it.
pub fn masked(text: &str, masks: &[String]) -> String {
    let mut text = text.to_owned();
    let mut longest_first: Vec<&String> = masks.iter().filter(|mask| !mask.is_empty()).collect();
    longest_first.sort_by_key(|mask| std::cmp::Reverse(mask.len()));
    for mask in longest_first {
        text = text.replace(mask.as_str(), "***");
    }
    text
}
