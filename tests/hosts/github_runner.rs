//! How the GitHub Actions runner reads a line and a command file (actions/runner, `ActionCommand.cs`,
//! `ActionCommandManager.cs` and `FileCommandManager.cs`).

/// A workflow command as the runner understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its name, in lower case.
    pub name: String,
    /// What stands between the name and the data, as it came.
    pub properties: String,
    /// The data, decoded.
    pub data: String,
}

const REGISTERED: [&str; 16] = [
    "add-mask",
    "debug",
    "notice",
    "warning",
    "error",
    "group",
    "endgroup",
    "echo",
    "add-matcher",
    "remove-matcher",
    "stop-commands",
    "save-state",
    "set-output",
    "set-env",
    "add-path",
    "internal-set-repo-path",
];

/// The command in the line, if there is one: `::name::data` as the first text, else the old `##[name]data`
/// anywhere.
pub fn command(line: &str) -> Option<Command> {
    current(line).or_else(|| old(line))
}

/// Every command in what was printed.
pub fn commands(printed: &str) -> Vec<Command> {
    printed.split(['\r', '\n']).filter_map(command).collect()
}

fn current(line: &str) -> Option<Command> {
    let (head, data) = line.trim_start().strip_prefix("::")?.split_once("::")?;
    let (name, properties) = split_head(head)?;
    let data = data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
    Some(Command { name, properties, data })
}

fn old(line: &str) -> Option<Command> {
    let (_, rest) = line.split_once("##[")?;
    let (head, data) = rest.split_once(']')?;
    let (name, properties) = split_head(head)?;
    let data = data.replace("%3B", ";").replace("%0D", "\r").replace("%0A", "\n").replace("%5D", "]");
    Some(Command { name, properties, data })
}

fn split_head(head: &str) -> Option<(String, String)> {
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let name = name.to_lowercase();
    REGISTERED.contains(&name.as_str()).then(|| (name, properties.into()))
}

/// The names and values in a command file, in order.
pub fn pairs(file: &str) -> Result<Vec<(String, String)>, String> {
    let mut rest = file.strip_prefix('\u{feff}').unwrap_or(file);
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        let line = take_line(&mut rest).0;
        let (equals, here) = (line.find('='), line.find("<<"));
        match (equals, here) {
            _ if line.is_empty() => {}
            (Some(equals), here) if here.is_none_or(|here| equals < here) => {
                pairs.push((line[..equals].into(), line[equals + 1..].into()));
            }
            (_, Some(here)) => {
                let (name, delimiter) = (&line[..here], &line[here + 2..]);
                if name.is_empty() || delimiter.is_empty() {
                    return Err(format!("'{line}' names nothing"));
                }
                pairs.push((name.into(), take_value(&mut rest, delimiter)?));
            }
            _ => return Err(format!("'{line}' is no pair")),
        }
    }
    Ok(pairs)
}

fn take_value(rest: &mut &str, delimiter: &str) -> Result<String, String> {
    let mut lines: Vec<&str> = Vec::new();
    loop {
        if rest.is_empty() {
            return Err(format!("there is no '{delimiter}'"));
        }
        let (line, ended) = take_line(rest);
        if line == delimiter {
            return Ok(lines.join("\n"));
        }
        if !ended {
            return Err(format!("there is no newline before '{delimiter}'"));
        }
        lines.push(line);
    }
}

fn take_line<'a>(rest: &mut &'a str) -> (&'a str, bool) {
    match rest.split_once('\n') {
        Some((line, after)) => {
            *rest = after;
            (line, true)
        }
        None => (std::mem::take(rest), false),
    }
}
