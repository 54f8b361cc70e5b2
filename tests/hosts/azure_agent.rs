//! How the Azure Pipelines agent reads a line (microsoft/azure-pipelines-agent, `Command.cs` and
//! `CommandStringConvertor.cs`), strictly: nothing is trimmed, nothing forgiven.

use std::collections::BTreeMap;

/// A logging command as the agent understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// `area.event`.
    pub name: String,
    /// The properties by their names in lower case, decoded.
    pub properties: BTreeMap<String, String>,
    /// What follows the head, decoded.
    pub data: String,
}

impl Command {
    /// A property's value; a boolean that is not there is false.
    pub fn is(&self, property: &str) -> bool {
        self.properties.get(property).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

/// The command in the line, if there is one. A head that is none, which the agent warns about, is an error.
pub fn command(line: &str, decodes_percent: bool) -> Result<Option<Command>, String> {
    const PREFIX: &str = "##vso[";
    let Some(start) = line.find(PREFIX) else { return Ok(None) };
    let rest = &line[start + PREFIX.len()..];
    let Some(end) = rest.find(']') else { return Ok(None) };
    let (head, data) = (&rest[..end], &rest[end + 1..]);
    let (name, listed) = head.split_once(' ').unwrap_or((head, ""));
    if name.split('.').filter(|part| !part.is_empty()).count() != 2 {
        return Err(format!("'{name}' is no area.event"));
    }
    let mut properties = BTreeMap::new();
    for each in listed.split(';').filter(|each| !each.is_empty()) {
        // Empty parts are dropped, so that `name=` is no property.
        if let Some((key, value)) = each.split_once('=')
            && !key.is_empty()
            && !value.is_empty()
        {
            properties.insert(key.to_lowercase(), decode(value, decodes_percent));
        }
    }
    Ok(Some(Command { name: name.into(), properties, data: decode(data, decodes_percent) }))
}

/// Every command in what was printed.
pub fn commands(printed: &str, decodes_percent: bool) -> Vec<Command> {
    // .NET's line reader ends a line at each of CR, LF and CRLF.
    let lines = printed.split(['\r', '\n']);
    lines.filter_map(|line| command(line, decodes_percent).expect("no malformed command")).collect()
}

fn decode(text: &str, decodes_percent: bool) -> String {
    let text = text.replace("%3B", ";").replace("%0D", "\r").replace("%0A", "\n").replace("%5D", "]");
    if decodes_percent { text.replace("%AZP25", "%") } else { text }
}
