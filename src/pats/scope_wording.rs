//! Scopes as the page *New Personal Access Token* words them: `Packaging (read)`, `Code (Read, write, & manage)`.

use super::scope::{self, Scope};

/// What the page calls a family of scopes, if that is not the family's own name with spaces.
const FAMILIES: [(&str, &str); 11] = [
    ("advanced security", "advsec"),
    ("deployment groups", "machinegroup"),
    ("extensions", "extension"),
    ("extension data", "extension.data"),
    ("marketplace", "gallery"),
    ("notifications", "notification"),
    ("project and team", "project"),
    ("service connections", "serviceendpoint"),
    ("team dashboards", "dashboards"),
    ("test management", "test"),
    ("work items", "work"),
];

/// What the page calls an access, the widest first, and how the name of its scope ends.
const ACCESSES: [(&str, &str); 10] = [
    ("full", "_full"),
    ("manage", "_manage"),
    ("execute", "_execute"),
    ("write", "_write"),
    ("publish", "_publish"),
    ("acquire", "_acquire"),
    ("query", "_query"),
    ("status", "_status"),
    ("use", "_use"),
    ("read", ""),
];

/// The scopes in this text that are worded as on the page, each as it is written and as the service knows it; and the
/// text without them.
fn take_out(text: &str) -> (Vec<(String, &'static str)>, String) {
    let (mut found, mut rest, mut after) = (Vec::new(), String::new(), text);
    while let Some((before, (access, next))) =
        after.split_once('(').and_then(|(before, inner)| Some((before, inner.split_once(')')?)))
    {
        let begins = before.rfind([',', ';', '\n']).map_or(0, |at| at + 1);
        let (others, family) = before.split_at(begins);
        rest.push_str(others);
        match known(family.trim(), access) {
            Some(scope) => found.push((format!("{} ({})", family.trim(), access.trim()), scope)),
            None => rest.push_str(&format!("{family}({access})")),
        }
        rest.push(' ');
        after = next;
    }
    rest.push_str(after);
    (found, rest)
}

/// The scopes of this text that are not known, each as it is written and with the one that was probably meant, if one is
/// like it.
pub fn unknown(text: &str) -> Vec<(String, Option<&'static str>)> {
    let (worded, rest) = take_out(text);
    let rest = Scope::parse(&rest);
    let rest = rest.unknown().into_iter().map(|(scope, near)| (scope.to_owned(), near));
    worded.into_iter().map(|(words, scope)| (words, Some(scope))).chain(rest).collect()
}

fn known(family: &str, access: &str) -> Option<&'static str> {
    let (family, access) = (family.to_lowercase(), access.to_lowercase());
    let named = FAMILIES.iter().find(|(words, _)| *words == family).map(|(_, name)| (*name).to_owned());
    let name = named.unwrap_or_else(|| family.split_whitespace().collect());
    let (_, end) = ACCESSES.iter().find(|(word, _)| access.contains(word))?;
    let ends: &[&str] = if end.is_empty() { &["", "_read"] } else { &[end] };
    ends.iter().find_map(|end| scope::known(&format!("vso.{name}{end}")))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Packaging (read)", "vso.packaging")]
    #[case("packaging (Read & write)", "vso.packaging_write")]
    #[case("Code (Read, write, & manage)", "vso.code_manage")]
    #[case("Build (Read & execute)", "vso.build_execute")]
    #[case("Work Items (Read)", "vso.work")]
    #[case("Variable Groups (Read)", "vso.variablegroups_read")]
    #[case("Agent Pools (Read & manage)", "vso.agentpools_manage")]
    #[case("Service Connections (Read & query)", "vso.serviceendpoint_query")]
    #[case("Marketplace (Publish)", "vso.gallery_publish")]
    #[case("Member Entitlement Management (Read)", "vso.memberentitlementmanagement")]
    #[case("Code (Status)", "vso.code_status")]
    fn the_pages_words_are_understood(#[case] words: &str, #[case] scope: &'static str) {
        let (found, rest) = take_out(words);
        assert_eq!(found, [(words.to_owned(), scope)]);
        assert_eq!(rest.trim(), "");
    }

    #[test]
    fn what_is_beside_them_stays() {
        let (found, rest) =
            take_out("vso.build, Packaging (read), Code (Read & write)\nvso.work, Tea (hot), vso.wiki (");
        let scopes: Vec<&str> = found.iter().map(|(_, scope)| *scope).collect();
        assert_eq!(scopes, ["vso.packaging", "vso.code_write"]);
        let words: Vec<&str> = rest.split([',', ' ', '\n']).filter(|word| !word.is_empty()).collect();
        assert_eq!(words, ["vso.build", "vso.work", "Tea", "(hot)", "vso.wiki", "("]);
    }
}
