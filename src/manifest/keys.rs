//! The one table of a manifest's keys: the errors, the documentation and the JSON Schema are made from it.

use crate::nearest::nearest;

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What it means: sentences.
    pub help: &'static str,
    /// What holds if it is not given, for a person.
    pub default: Option<&'static str>,
    /// Whether it has to be given; of an entry's key, by the entry or by `defaults`.
    pub required: bool,
}

/// What a key's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The number 1.
    Version,
    /// A text of one line.
    Text,
    /// The beginning of PATs' names.
    Prefix,
    /// An organization's name or address.
    Organization,
    /// A list of those.
    Organizations,
    /// One text, or a list of texts.
    Texts,
    /// A span of time.
    Span,
    /// `true` or `false`.
    Boolean,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// An https address.
    Address,
    /// A mapping with the keys of an entry, but `display-name`.
    Defaults,
    /// A list of entries.
    Entries,
    /// A mapping with the keys of [`PRUNE`].
    Prune,
}

impl Kind {
    /// What it is, in a few words for the documentation.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Version => "the number 1",
            Self::Text | Self::Prefix => "a text",
            Self::Organization => "an organization",
            Self::Organizations => "a list of organizations",
            Self::Texts => "a text or a list of them",
            Self::Span => "a span: 30d, 12h, P90D",
            Self::Boolean => "true or false",
            Self::Choice(_) => "a word",
            Self::Address => "an https address",
            Self::Defaults => "the keys of an entry but display-name",
            Self::Entries => "a list of entries",
            Self::Prune => "a mapping",
        }
    }
}

const fn key(name: &'static str, kind: Kind, help: &'static str) -> Key {
    Key { name, kind, help, default: None, required: false }
}

impl Key {
    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }
}

/// The key that `defaults` cannot have.
pub const DISPLAY_NAME: &str = "display-name";

/// The words of `verify`.
pub const VERIFY: &[&str] = &["off", "warn", "require"];
/// The words of `on-shortened-lifetime`.
pub const ON_SHORTENED_LIFETIME: &[&str] = &["warn", "fail"];

/// The keys of the manifest itself.
pub const MANIFEST: [Key; 5] = [
    key("version", Kind::Version, "The version of this form.").required(),
    key("organization", Kind::Organization, "The organization of every entry that names none.")
        .default("the input organization"),
    key("defaults", Kind::Defaults, "What holds for every entry that does not say otherwise."),
    key("pats", Kind::Entries, "The PATs that there shall be.").required(),
    key("prune", Kind::Prune, "What the input prune may revoke."),
];

/// The keys of an entry.
pub const ENTRY: [Key; 13] = [
    key(
        DISPLAY_NAME,
        Kind::Text,
        "The PAT's name. {organization} stands for the PAT's organization, {{ for a brace.",
    )
    .required(),
    key("scope", Kind::Texts, "What the PAT may do, like vso.packaging. One text is split on spaces and commas.")
        .required(),
    key(
        "deliver-to",
        Kind::Texts,
        "The stores that receive the PAT, each by its address. {organization} stands for the PAT's organization, {{ \
         for a brace.",
    )
    .required(),
    key("organization", Kind::Organization, "The organization of this PAT.").default("the manifest's"),
    key("organizations", Kind::Organizations, "One PAT of this name in each of these organizations."),
    key("lifetime", Kind::Span, "How long a new PAT lives.").default("30d"),
    key(
        "renew-within",
        Kind::Span,
        "The PAT is rotated once it expires within this span. It is shorter than lifetime and longer than \
         keep-previous-for.",
    )
    .default("a third of the span that the PAT was granted"),
    key("keep-previous-for", Kind::Span, "How long the old PAT lives on after a rotation.")
        .default("0s: it is revoked at once"),
    key(
        "verify",
        Kind::Choice(VERIFY),
        "Whether a new PAT is tried before it is delivered. If it is not confirmed, warn goes on, and require revokes \
         it and fails.",
    )
    .default("off"),
    key("verify-url", Kind::Address, "The address at which a new PAT is tried.")
        .default("the organization's connectionData"),
    key(
        "on-shortened-lifetime",
        Kind::Choice(ON_SHORTENED_LIFETIME),
        "What follows if the service grants over 60 s less than lifetime.",
    )
    .default("warn"),
    key("allow-full-access", Kind::Boolean, "Whether scope may hold app_token, which is full access.")
        .default("false"),
    key(
        "allow-global-narrowing",
        Kind::Boolean,
        "Whether a global PAT of this name is replaced by one that is good for this organization alone.",
    )
    .default("false"),
];

/// The keys of `prune`.
pub const PRUNE: [Key; 1] = [key(
    "name-prefix",
    Kind::Prefix,
    "Active PATs whose name begins with it, and that no entry names, are revoked if the input prune says so. At least \
     3 letters, digits, '-', '_', '.' or spaces. Each part of a manifest that is cut up needs a prefix of its own.",
)
.required()];

/// The keys that `defaults` can have.
pub fn of_defaults() -> impl Iterator<Item = Key> {
    ENTRY.into_iter().filter(|key| key.name != DISPLAY_NAME)
}

/// The key that is most like a word, if one is like it.
pub(super) fn nearest_of(keys: &[Key], word: &str) -> Option<&'static str> {
    let near = nearest(word, keys.iter().map(|key| key.name));
    near.is_alike.then_some(near.name)
}
