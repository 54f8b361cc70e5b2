//! From a tree to entries: every rule that a manifest has to obey, each with its place and its remedy.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use url::Url;

use super::document::{Node, Pair, Value};
use super::keys::{self, DISPLAY_NAME, ENTRY, Key, MANIFEST, PRUNE};
use super::problem::{Position, Problem, in_order, quoted};
use super::{Context, Entry, MOST_PATS, Manifest, placeholder, scalar, secret_shape};
use crate::azure_devops::Organization;
use crate::azure_devops::hosts::{self, Purpose};
use crate::pats::terms::{Expiry, Minting, OnShortenedLifetime, Verify};
use crate::pats::{Scope, scope_wording};
use crate::private_file::{self, Identity};
use crate::store::{Address, Place};
use crate::time::span;

/// The shortest `prune.name-prefix`: a shorter one would cover what nobody meant.
const SHORTEST_PREFIX: usize = 3;

/// Reads the entries, as far as they can be read; beside them, everything that is wrong.
pub(super) fn read(document: &Node, context: Context<'_>) -> (Option<Manifest>, Vec<Problem>) {
    let mut reader = Reader::new(context);
    reader.hidden_secrets(document);
    let manifest = reader.manifest(document);
    let warnings = in_order(reader.warnings.into_values().collect());
    (manifest.map(|manifest| Manifest { warnings, ..manifest }), reader.problems)
}

/// `verify`: none is `off`, and whether it has to be confirmed.
type Confirmation = Option<bool>;

struct Reader<'a> {
    context: Context<'a>,
    problems: Vec<Problem>,
    /// By place and text, so that what stands in `defaults` is told once.
    warnings: BTreeMap<(Position, String), Problem>,
    /// The organizations, by their names in lower case, as they were first spelt.
    organizations: HashMap<String, Organization>,
    /// Where each PAT was first named, by organization and name.
    named: HashMap<(String, String), Position>,
    /// Which PAT each place was first given.
    delivered: HashMap<Place, String>,
    /// What the files are for that no PAT may go to.
    taken: HashMap<Place, &'static str>,
}

/// A mapping whose keys are known. One that is misspelt counts as the key that was probably meant, so that nobody is
/// told to add what they have written.
#[derive(Clone, Default)]
struct Keys<'n>(Vec<(&'static str, &'n Node)>);

impl<'n> Keys<'n> {
    fn get(&self, name: &str) -> Option<&'n Node> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, node)| *node)
    }
}

/// An entry with the defaults behind it.
#[derive(Clone, Copy)]
struct Layers<'k, 'n> {
    entry: &'k Keys<'n>,
    defaults: &'k Keys<'n>,
}

impl<'n> Layers<'_, 'n> {
    fn get(self, name: &str) -> Option<&'n Node> {
        self.entry.get(name).or_else(|| self.defaults.get(name))
    }
}

/// What an entry says of its PAT in every organization alike.
struct Common {
    scope: Option<Scope>,
    lifetime: Duration,
    renew_within: Option<Duration>,
    keep_previous_for: Option<Duration>,
    confirmation: Confirmation,
    verify_url: Option<Url>,
    on_shortened_lifetime: OnShortenedLifetime,
    allow_global_narrowing: bool,
}

impl<'a> Reader<'a> {
    fn new(context: Context<'a>) -> Self {
        let files = [(context.output_file, "output-file"), (context.manifest_file, "manifest")];
        let files = files.into_iter().filter_map(|(path, input)| Some((Identity::of(path?), input)));
        Self {
            context,
            problems: Vec::new(),
            warnings: BTreeMap::new(),
            organizations: HashMap::new(),
            named: HashMap::new(),
            delivered: HashMap::new(),
            taken: files.map(|(file, input)| (Place::File(file), input)).collect(),
        }
    }

    fn add(&mut self, at: Position, what: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem::new(at, what, remedy));
    }

    fn warn(&mut self, at: Position, what: String, remedy: String) {
        self.warnings.insert((at, what.clone()), Problem::new(at, what, remedy));
    }

    /// What quotes and escapes have spelt so that it is not found in the text itself.
    fn hidden_secrets(&mut self, node: &Node) {
        match &node.value {
            Value::Scalar { text, .. } => self.problems.extend(secret_shape::find_in(text, node.at)),
            Value::List(nodes) => nodes.iter().for_each(|node| self.hidden_secrets(node)),
            Value::Map(pairs) => {
                for pair in pairs {
                    self.problems.extend(secret_shape::find_in(&pair.key, pair.at));
                    self.hidden_secrets(&pair.node);
                }
            }
            Value::Refused => {}
        }
    }

    fn manifest(&mut self, document: &Node) -> Option<Manifest> {
        let keys = self.keys(document, "a manifest", &MANIFEST)?;
        self.version(document.at, keys.get("version"));
        let organization = match keys.get("organization") {
            Some(node) => self.organization(node),
            None => self.context.organization.cloned(),
        };
        let defaults = match keys.get("defaults") {
            Some(node) => {
                let known: Vec<Key> = keys::of_defaults().collect();
                self.keys(node, "defaults", &known).unwrap_or_default()
            }
            None => Keys::default(),
        };
        self.only_one_of_the_organizations(&defaults);
        let prune = keys.get("prune").and_then(|node| self.prune(node));
        let mut entries = Vec::new();
        match keys.get("pats").map(|node| (node.at, &node.value)) {
            None => self.add(document.at, "The manifest has no 'pats'", "list the PATs that there shall be"),
            Some((at, Value::List(nodes))) => {
                if nodes.is_empty() {
                    self.add(at, "'pats' is empty", "list the PATs that there shall be");
                }
                let unnamed = (keys.get("organization").is_some(), organization.as_ref());
                for node in nodes {
                    if entries.len() > MOST_PATS {
                        break;
                    }
                    self.entry(node, &defaults, unnamed, &mut entries);
                }
                if entries.len() > MOST_PATS {
                    let what = format!("The manifest describes more than {MOST_PATS} PATs");
                    self.add(at, what, "cut it by organization or team");
                }
            }
            Some((_, Value::Refused)) => {}
            Some((at, _)) => self.add(at, "'pats' is not a list", "begin each entry with '- display-name:'"),
        }
        Some(Manifest { entries, prune, warnings: Vec::new() })
    }

    /// The pairs of a mapping, each of whose keys is in the table; an unknown key is told with the nearest.
    fn keys<'n>(&mut self, node: &'n Node, of: &str, known: &[Key]) -> Option<Keys<'n>> {
        let Value::Map(pairs) = &node.value else {
            if node.value != Value::Refused {
                let names: Vec<&str> = known.iter().map(|key| key.name).take(3).collect();
                let what = format!("{} is not a mapping", capitalized(of));
                let remedy = format!("write 'key: value' lines, with keys like {}", names.join(", "));
                self.add(node.at, what, remedy);
            }
            return None;
        };
        let named = |pair: &Pair| known.iter().find(|key| key.name == pair.key);
        let mut keys: Vec<_> =
            pairs.iter().filter_map(|pair| Some((named(pair)?.name, &pair.node))).collect();
        for pair in pairs.iter().filter(|pair| named(pair).is_none()) {
            let what = format!("{} is not a key of {of}", quoted(&pair.key));
            let remedy = match keys::nearest_of(known, &pair.key) {
                Some(near) => {
                    keys.push((near, &pair.node));
                    format!("did you mean '{near}'?")
                }
                None => {
                    let names: Vec<&str> = known.iter().map(|key| key.name).collect();
                    format!("use {}", names.join(", "))
                }
            };
            self.add(pair.at, what, remedy);
        }
        Some(Keys(keys))
    }

    fn version(&mut self, start: Position, node: Option<&Node>) {
        match node.map(|node| (&node.value, node.at)) {
            Some((Value::Scalar { text, plain: true }, _)) if text == "1" => {}
            Some((Value::Refused, _)) => {}
            Some((_, at)) => self.add(at, "This is not a version that this adopat knows", "write version: 1"),
            None => self.add(start, "The manifest has no 'version'", "write version: 1"),
        }
    }

    fn prune(&mut self, node: &Node) -> Option<String> {
        let keys = self.keys(node, "prune", &PRUNE)?;
        let Some(prefix) = keys.get("name-prefix") else {
            let remedy = "say how the names begin of the PATs that it may revoke";
            self.add(node.at, "'prune' has no 'name-prefix'", remedy);
            return None;
        };
        let text = self.text(prefix, "name-prefix")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
        if text.chars().count() < SHORTEST_PREFIX || !text.chars().all(allowed) {
            let what = format!("{} cannot be the name-prefix of prune", quoted(&text));
            self.add(prefix.at, what, "give at least 3 letters, digits, '-', '_', '.' or spaces");
            return None;
        }
        Some(text)
    }

    fn entry(
        &mut self,
        node: &Node,
        defaults: &Keys<'_>,
        unnamed: (bool, Option<&Organization>),
        entries: &mut Vec<Entry>,
    ) {
        let Some(entry) = self.keys(node, "an entry", &ENTRY) else { return };
        self.only_one_of_the_organizations(&entry);
        let layers = Layers { entry: &entry, defaults };
        let at = first_key(node);
        for key in ENTRY.iter().filter(|key| key.required) {
            let given = if key.name == DISPLAY_NAME { entry.get(key.name) } else { layers.get(key.name) };
            if given.is_none() {
                let remedy = match key.name {
                    DISPLAY_NAME => "give the PAT a name",
                    "scope" => "say what the PAT may do, like vso.packaging",
                    _ => "say which stores receive the PAT, here or in defaults",
                };
                self.add(at, format!("The entry has no '{}'", key.name), remedy);
            }
        }
        let organizations = self.organizations(at, layers, unnamed);
        let name = entry.get(DISPLAY_NAME).and_then(|node| Some((node.at, self.text(node, DISPLAY_NAME)?)));
        let stores = layers.get("deliver-to").map(|node| self.texts(node, "deliver-to")).unwrap_or_default();
        let common = self.common(at, layers);
        for organization in organizations {
            let name =
                name.as_ref().and_then(|(at, name)| Some((*at, self.filled(*at, name, &organization)?)));
            if let Some((at, name)) = &name {
                self.named_once(*at, name, &organization);
            }
            let whose = name.as_ref().map_or("a PAT without a name".to_owned(), |(_, name)| quoted(name));
            let deliver_to = self.stores(&stores, &organization, &format!("{whose} of {organization}"));
            let (Some((_, display_name)), Some(scope)) = (name, common.scope.clone()) else { continue };
            entries.push(Entry {
                scope,
                deliver_to,
                display_name,
                lifetime: common.lifetime,
                renew_within: common.renew_within,
                keep_previous_for: common.keep_previous_for,
                minting: self.minting(&common, &organization),
                allow_global_narrowing: common.allow_global_narrowing,
                organization,
                at,
            });
        }
    }

    fn common(&mut self, at: Position, layers: Layers<'_, '_>) -> Common {
        let allow_full_access = self.boolean(layers, "allow-full-access");
        let scope = self.scope(layers, allow_full_access);
        let lifetime = self.span(layers, "lifetime", false).unwrap_or(Expiry::CREATED_FOR);
        let renew_within = self.span(layers, "renew-within", false);
        let keep_previous_for = self.span(layers, "keep-previous-for", true).filter(|keep| !keep.is_zero());
        self.spans_in_order(at, layers, lifetime, renew_within, keep_previous_for);
        let confirmation = self.choice(layers, "verify", keys::VERIFY, |word| match word {
            "off" => Some(None),
            "warn" => Some(Some(false)),
            "require" => Some(Some(true)),
            _ => None,
        });
        let verify_url = layers.get("verify-url").and_then(|node| self.verify_url(node));
        let on_shortened_lifetime =
            self.choice(layers, "on-shortened-lifetime", keys::ON_SHORTENED_LIFETIME, |word| match word {
                "warn" => Some(OnShortenedLifetime::Warn),
                "fail" => Some(OnShortenedLifetime::Fail),
                _ => None,
            });
        Common {
            scope,
            lifetime,
            renew_within,
            keep_previous_for,
            confirmation: confirmation.flatten(),
            verify_url,
            on_shortened_lifetime: on_shortened_lifetime.unwrap_or(OnShortenedLifetime::Warn),
            allow_global_narrowing: self.boolean(layers, "allow-global-narrowing"),
        }
    }

    fn minting(&self, common: &Common, organization: &Organization) -> Minting {
        let url = || {
            common.verify_url.clone().or_else(|| Verify::default_url(self.context.devops_url, organization))
        };
        let verify = common.confirmation.and_then(|required| Some(Verify { required, url: url()? }));
        Minting { on_shortened_lifetime: common.on_shortened_lifetime, verify }
    }

    fn only_one_of_the_organizations(&mut self, keys: &Keys<'_>) {
        if let (Some(_), Some(node)) = (keys.get("organization"), keys.get("organizations")) {
            self.add(node.at, "'organizations' stands beside 'organization'", "keep one of them");
        }
    }

    /// Those of the entry; else those of `defaults`; else the manifest's, or the input's. `unnamed` says whether the
    /// manifest names one, and which holds.
    fn organizations(
        &mut self,
        at: Position,
        layers: Layers<'_, '_>,
        unnamed: (bool, Option<&Organization>),
    ) -> Vec<Organization> {
        for keys in [layers.entry, layers.defaults] {
            if let Some(node) = keys.get("organization") {
                return self.organization(node).into_iter().collect();
            }
            if let Some(node) = keys.get("organizations") {
                return self.list_of_organizations(node);
            }
        }
        if unnamed == (false, None) {
            let remedy = "give organization here, at the top of the manifest, or as the input";
            self.add(at, "The entry has no organization", remedy);
        }
        unnamed.1.map(|organization| self.spelt_alike(organization.clone())).into_iter().collect()
    }

    fn list_of_organizations(&mut self, node: &Node) -> Vec<Organization> {
        let Value::List(nodes) = &node.value else {
            if node.value != Value::Refused {
                let remedy = "write [fabrikam, contoso], or use organization for a single one";
                self.add(node.at, "'organizations' is not a list", remedy);
            }
            return Vec::new();
        };
        if nodes.is_empty() {
            self.add(node.at, "'organizations' is empty", "name at least one");
        }
        let mut organizations: Vec<Organization> = Vec::new();
        for node in nodes {
            let Some(organization) = self.organization(node) else { continue };
            if organizations.contains(&organization) {
                self.add(node.at, format!("'{organization}' stands twice"), "keep one of them");
            } else {
                organizations.push(organization);
            }
        }
        organizations
    }

    fn organization(&mut self, node: &Node) -> Option<Organization> {
        let text = self.text(node, "organization")?;
        match Organization::parse(&text) {
            Ok(organization) => Some(self.spelt_alike(organization)),
            Err(what) => {
                self.add(node.at, format!("{} {what}", quoted(&text)), "");
                None
            }
        }
    }

    /// The organization as it was first spelt.
    fn spelt_alike(&mut self, organization: Organization) -> Organization {
        self.organizations.entry(organization.name().to_ascii_lowercase()).or_insert(organization).clone()
    }

    fn named_once(&mut self, at: Position, name: &str, organization: &Organization) {
        let key = (organization.name().to_owned(), name.to_owned());
        let Some(first) = self.named.get(&key) else {
            self.named.insert(key, at);
            return;
        };
        let line = first.line;
        let what = format!("{} of {organization} is described twice, first on line {line}", quoted(name));
        self.add(at, what, "give each PAT of an organization a name of its own");
    }

    fn scope(&mut self, layers: Layers<'_, '_>, allow_full_access: bool) -> Option<Scope> {
        let node = layers.get("scope")?;
        let texts = self.texts(node, "scope");
        let texts: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
        let text = texts.join("\n");
        let scope = Scope::parse(&text);
        if scope.is_empty() {
            if !texts.is_empty() {
                self.add(node.at, "'scope' names no scope", "give at least one, like vso.packaging");
            }
            return None;
        }
        if scope.is_full_access() && !allow_full_access {
            let remedy = "name the scopes that are needed, or set allow-full-access to true";
            self.add(node.at, "'scope' holds app_token, which is full access", remedy);
        }
        for (unknown, near) in scope_wording::unknown(&text) {
            let remedy = match near {
                Some(near) => format!("did you mean {near}?"),
                None => "check its spelling".to_owned(),
            };
            let what = format!("The scope {} is not a known one, and is sent all the same", quoted(&unknown));
            self.warn(node.at, what, remedy);
        }
        Some(scope)
    }

    /// The stores of one PAT, each of which is nobody else's.
    fn stores(
        &mut self,
        stores: &[(Position, String)],
        organization: &Organization,
        whose: &str,
    ) -> Vec<Address> {
        let mut addresses = Vec::new();
        for (at, text) in stores {
            let Some(text) = self.filled(*at, text, organization) else { continue };
            let address = match Address::parse(&text) {
                Ok(address) => address,
                Err(what) => {
                    self.add(*at, format!("{} {what}", quoted(&text)), "");
                    continue;
                }
            };
            if let Address::File(path) = &address
                && let Some(why) = private_file::unfit(path)
            {
                self.add(*at, format!("{} {why}", quoted(&text)), "name a file of your own");
            }
            let Some(place) = Place::of(&address, organization) else {
                addresses.push(address);
                continue;
            };
            let remedy = "give the PAT a place of its own";
            let of_the_store = |store| Place::of(store, organization).is_some_and(|other| other == place);
            if self.context.credential_store.is_some_and(of_the_store) {
                self.add(*at, format!("{address} is the credential-store"), remedy);
            }
            if let Some(input) = self.taken.get(&place) {
                let what = format!("{address} is the file of the input {input}");
                self.add(*at, what, remedy);
            }
            match self.delivered.get(&place) {
                Some(other) if other == whose => {
                    self.add(*at, format!("{address} is named twice"), "name each store once");
                }
                Some(other) => {
                    let what = format!("{address} would receive both {other} and {whose}");
                    self.add(*at, what, "give each PAT a place of its own");
                }
                None => {
                    self.delivered.insert(place, whose.to_owned());
                    addresses.push(address);
                }
            }
        }
        addresses
    }

    fn filled(&mut self, at: Position, text: &str, organization: &Organization) -> Option<String> {
        match placeholder::fill(text, organization.name()) {
            Ok(filled) => Some(filled),
            Err((what, remedy)) => {
                self.add(at, what, remedy);
                None
            }
        }
    }

    fn spans_in_order(
        &mut self,
        at: Position,
        layers: Layers<'_, '_>,
        lifetime: Duration,
        renew_within: Option<Duration>,
        keep_previous_for: Option<Duration>,
    ) {
        if lifetime > Expiry::A_YEAR {
            let what = format!(
                "{} is more than a year, the longest life that Azure DevOps documents, and the service may refuse or \
                 shorten it",
                span::describe(lifetime)
            );
            let at = layers.get("lifetime").map_or(at, |node| node.at);
            self.warn(at, what, "use 365d or less".into());
        }
        if let (Some(within), Some(node)) = (renew_within, layers.get("renew-within"))
            && within >= lifetime
        {
            let what = format!(
                "renew-within ({}) is not shorter than lifetime ({})",
                span::describe(within),
                span::describe(lifetime)
            );
            self.add(node.at, what, "choose a shorter one; every run would rotate the PAT");
        }
        let within = renew_within.unwrap_or(lifetime / 3);
        if let (Some(keep), Some(node)) = (keep_previous_for, layers.get("keep-previous-for"))
            && keep >= within
        {
            let default = if renew_within.is_none() { ", a third of lifetime by default" } else { "" };
            let what = format!(
                "keep-previous-for ({}) is not shorter than renew-within ({}{default})",
                span::describe(keep),
                span::describe(within)
            );
            self.add(node.at, what, "choose a shorter one, or a longer renew-within");
        }
    }

    fn verify_url(&mut self, node: &Node) -> Option<Url> {
        let text = self.text(node, "verify-url")?;
        if text.contains('{') {
            let remedy = "write the address in full; only display-name and deliver-to have {organization}";
            self.add(node.at, "'verify-url' holds a brace", remedy);
            return None;
        }
        match hosts::parse_trusted(&text, Purpose::AzureDevOps) {
            Ok(url) => Some(url),
            Err(what) => {
                self.add(node.at, format!("{} {what}", quoted(&text)), "");
                None
            }
        }
    }

    fn span(&mut self, layers: Layers<'_, '_>, key: &str, may_be_zero: bool) -> Option<Duration> {
        let node = layers.get(key)?;
        let text = self.raw(node, key)?;
        match span::parse(&text) {
            Ok(span) if span.is_zero() && !may_be_zero => {
                self.add(node.at, format!("'{key}' is no time at all"), "give a span like 10d");
                None
            }
            Ok(span) => Some(span),
            Err(what) => {
                self.add(node.at, format!("'{key}': {} {what}", quoted(&text)), "");
                None
            }
        }
    }

    fn choice<T>(
        &mut self,
        layers: Layers<'_, '_>,
        key: &str,
        words: &[&str],
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let node = layers.get(key)?;
        let text = self.raw(node, key)?;
        let chosen = read(&text);
        if chosen.is_none() {
            let what = format!("{} is not a value of '{key}'", quoted(&text));
            self.add(node.at, what, format!("use {}", words.join(", ")));
        }
        chosen
    }

    fn boolean(&mut self, layers: Layers<'_, '_>, key: &str) -> bool {
        let Some(node) = layers.get(key) else { return false };
        match &node.value {
            Value::Scalar { text, plain: true } if text == "true" => true,
            Value::Scalar { text, plain: true } if text == "false" => false,
            Value::Refused => false,
            _ => {
                self.add(node.at, format!("'{key}' is not a boolean"), "write true or false, without quotes");
                false
            }
        }
    }

    /// One text or several, each with its place; of one text, each line.
    fn texts(&mut self, node: &Node, key: &str) -> Vec<(Position, String)> {
        let Value::List(nodes) = &node.value else {
            let text = self.text_of_lines(node, key).unwrap_or_default();
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let lines: Vec<_> = lines.map(|line| (node.at, line.to_owned())).collect();
            return lines.into_iter().filter(|(at, line)| self.is_one_line(*at, key, line)).collect();
        };
        if nodes.is_empty() {
            self.add(node.at, format!("'{key}' is an empty list"), "name at least one");
        }
        nodes.iter().filter_map(|node| Some((node.at, self.text(node, key)?))).collect()
    }

    /// A text of one line.
    fn text(&mut self, node: &Node, key: &str) -> Option<String> {
        let text = self.text_of_lines(node, key)?;
        self.is_one_line(node.at, key, &text).then_some(text)
    }

    fn is_one_line(&mut self, at: Position, key: &str, text: &str) -> bool {
        let broken = text.chars().any(char::is_control);
        if broken {
            let what = format!("'{key}' holds a line break or another control character");
            self.add(at, what, "write it on one line");
        }
        !broken
    }

    /// A text; a number, a boolean or nothing without quotes is none.
    fn text_of_lines(&mut self, node: &Node, key: &str) -> Option<String> {
        if let Value::Scalar { text, plain: true } = &node.value
            && let Some(what) = scalar::other_than_text(text)
            && !text.is_empty()
        {
            let what = format!("'{key}' is text, and {} without quotes is {what}", quoted(text));
            self.add(node.at, what, "put it in quotes");
            return None;
        }
        self.raw(node, key)
    }

    /// The text of a scalar, whatever it would mean without quotes.
    fn raw(&mut self, node: &Node, key: &str) -> Option<String> {
        let Value::Scalar { text, .. } = &node.value else {
            if node.value != Value::Refused {
                self.add(node.at, format!("'{key}' is not a text"), "write one value");
            }
            return None;
        };
        let text = text.trim();
        if text.is_empty() {
            self.add(node.at, format!("'{key}' has no value"), "give it one, or remove the key");
            return None;
        }
        Some(text.to_owned())
    }
}

/// Where a mapping's first key stands.
fn first_key(node: &Node) -> Position {
    match &node.value {
        Value::Map(pairs) => pairs.first().map_or(node.at, |pair| pair.at),
        _ => node.at,
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
