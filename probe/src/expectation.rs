//! What one expectation is: a behaviour of a service in a plain sentence, where it is known from, how sure that is,
//! and how to look at it.

use std::pin::Pin;

use adopat::failure::Failure;

use crate::scene::Scene;

/// One behaviour of a service.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Its own name, in kebab-case.
    pub name: &'static str,
    /// Which part of which service it is about.
    pub area: Area,
    /// The behaviour, in one plain sentence.
    pub behaviour: &'static str,
    /// Where it is known from.
    pub sources: Sources,
    /// How sure it is.
    pub sure: Sure,
    /// Whether nobody has published an answer yet.
    pub question: bool,
    /// How to look at it.
    pub check: Check,
}

/// Where a behaviour is known from: the kind of source, and which one.
pub type Sources = &'static [(Source, &'static str)];

/// A kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// vsts-rest-api-specs, GitHub's and Key Vault's API descriptions.
    Spec,
    /// Microsoft Learn, entra-docs, docs.github.com, RFCs.
    Doc,
    /// Source published by Microsoft.
    Src,
    /// Somebody measured or recorded the live service.
    Live,
    /// A public thread.
    Issue,
    /// The emulator's own tests run a published client against it.
    Run,
    /// Nothing was found.
    Guess,
}

impl Source {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Spec => "SPEC",
            Self::Doc => "DOC",
            Self::Src => "SRC",
            Self::Live => "LIVE",
            Self::Issue => "ISSUE",
            Self::Run => "RUN",
            Self::Guess => "GUESS",
        }
    }
}

/// How sure it is that a service behaves so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sure {
    /// Published by the service's operator, or measured.
    Certain,
    /// Somebody relies on it.
    Likely,
    /// Nobody knows.
    Open,
}

impl Sure {
    /// As dots, for a table.
    pub const fn dots(self) -> &'static str {
        match self {
            Self::Certain => "●●●",
            Self::Likely => "●●",
            Self::Open => "●",
        }
    }
}

/// Which part of which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The PAT service: making a PAT.
    Create,
    /// The PAT service: reading one, listing all.
    Read,
    /// The PAT service: changing one.
    Update,
    /// The PAT service: what it refuses, and how that looks.
    Refusals,
    /// Who gets into Azure DevOps.
    Door,
    /// The PAT service: revoking one.
    Revoke,
    /// Microsoft Entra.
    Entra,
    /// Azure Key Vault.
    Vault,
    /// Variable groups.
    Groups,
    /// Service connections, and how clients find resources.
    Connections,
    /// GitHub.
    GitHub,
    /// What CI hosts give their jobs.
    Jobs,
}

impl Area {
    /// Every area, in the order of the report: a PAT is looked at before it is revoked.
    pub const ALL: [Self; 12] = [
        Self::Create,
        Self::Read,
        Self::Update,
        Self::Refusals,
        Self::Door,
        Self::Revoke,
        Self::Entra,
        Self::Vault,
        Self::Groups,
        Self::Connections,
        Self::GitHub,
        Self::Jobs,
    ];

    /// As a heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Create => "PAT service: create",
            Self::Read => "PAT service: get and list",
            Self::Update => "PAT service: update",
            Self::Refusals => "PAT service: refusals",
            Self::Door => "Who gets in",
            Self::Revoke => "PAT service: revoke",
            Self::Entra => "Entra",
            Self::Vault => "Key Vault",
            Self::Groups => "Variable groups",
            Self::Connections => "Service connections, locations",
            Self::GitHub => "GitHub",
            Self::Jobs => "Job tokens, managed identities",
        }
    }
}

/// How to look at a behaviour.
#[derive(Clone, Debug)]
pub enum Check {
    /// It is looked at, and this is what the emulator shows.
    Shows(&'static str, Observation),
    /// The probe does not look at it, for this reason; if that is none, it is not about what it probes.
    NotProbed(Option<&'static str>),
}

/// Looks at a behaviour, and says in a few words what is to be seen.
pub type Observation = for<'a> fn(&'a Scene) -> Observing<'a>;

/// Looking.
pub type Observing<'a> = Pin<Box<dyn Future<Output = Result<String, Unobserved>> + Send + 'a>>;

/// Why a behaviour was not seen.
#[derive(Clone, Debug)]
pub enum Unobserved {
    /// It cannot be seen here, for this reason.
    Hidden(String),
    /// The run ends.
    Ended(Failure),
}

impl Unobserved {
    pub(crate) fn hidden(why: impl Into<String>) -> Self {
        Self::Hidden(why.into())
    }
}

impl Expectation {
    pub(crate) fn of(
        area: Area,
        name: &'static str,
        behaviour: &'static str,
        sources: Sources,
        sure: Sure,
    ) -> Self {
        Self { name, area, behaviour, sources, sure, question: false, check: Check::NotProbed(None) }
    }

    /// What the emulator shows, and how to look.
    pub(crate) fn shows(mut self, value: &'static str, observe: Observation) -> Self {
        self.check = Check::Shows(value, observe);
        self
    }

    /// Nobody has published an answer.
    pub(crate) fn question(mut self) -> Self {
        self.question = true;
        self
    }

    /// The probe could look at it, and does not.
    pub(crate) fn not_probed(mut self, why: &'static str) -> Self {
        self.check = Check::NotProbed(Some(why));
        self
    }

    /// The sources, in words.
    pub fn source(&self) -> String {
        let words = self.sources.iter().map(|(source, place)| match place.is_empty() {
            true => source.word().to_owned(),
            false => format!("{} ({place})", source.word()),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}
