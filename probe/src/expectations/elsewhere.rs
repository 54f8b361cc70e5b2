//! What the emulator shows of services that the probe does not go to.

use crate::expectation::Source::{Doc, Guess, Issue, Live, Spec, Src};
use crate::expectation::Sure::{Certain, Likely, Open};
use crate::expectation::{Area, Expectation};

pub(super) fn expectations() -> Vec<Expectation> {
    vec![
        Expectation::of(
            Area::Vault,
            "vault-secrets",
            "challenge, versions, whole seconds, 403 with its inner codes, 404, 409",
            &[(Live, "recordings"), (Doc, "")],
            Certain,
        ),
        Expectation::of(
            Area::Vault,
            "vault-limits",
            "limits of name, value, content type, tags",
            &[(Doc, "")],
            Certain,
        ),
        Expectation::of(
            Area::Vault,
            "vault-order",
            "order of versions in a list: that of their random ids",
            &[(Guess, "")],
            Open,
        ),
        Expectation::of(Area::Vault, "vault-texts", "texts of 400", &[(Guess, "")], Open),
        Expectation::of(
            Area::Groups,
            "groups-list",
            "list by name with `*`, references `null` in lists, secrets read as `null`",
            &[(Spec, ""), (Live, "")],
            Certain,
        ),
        Expectation::of(
            Area::Groups,
            "groups-manage",
            "`actionFilter=manage` lists what the user may change",
            &[(Spec, ""), (Guess, "that a role decides it")],
            Likely,
        ),
        Expectation::of(
            Area::Groups,
            "groups-update",
            "an update replaces the set; a secret without a value keeps it",
            &[(Issue, ""), (Src, ""), (Live, "")],
            Certain,
        ),
        Expectation::of(Area::Groups, "groups-empty", "an empty text overwrites", &[(Guess, "")], Likely),
        Expectation::of(
            Area::Groups,
            "groups-references",
            "references needed with names",
            &[(Issue, "")],
            Certain,
        ),
        Expectation::of(
            Area::Groups,
            "groups-unknown-id",
            "unknown id: 200 and `null`",
            &[(Src, "of clients")],
            Likely,
        ),
        Expectation::of(
            Area::Groups,
            "groups-role",
            "role missing: 403 `AccessDeniedException`",
            &[(Guess, "")],
            Open,
        ),
        Expectation::of(
            Area::GitHub,
            "github-secrets",
            "key, sealed box, 201 and 204, names, 401, 403, 404, `User-Agent`",
            &[(Spec, ""), (Doc, "")],
            Certain,
        ),
        Expectation::of(Area::GitHub, "github-token", "what a `GITHUB_TOKEN` is told", &[(Doc, "")], Certain),
        Expectation::of(Area::GitHub, "github-texts", "texts of 422", &[(Guess, "")], Open),
        Expectation::of(
            Area::Jobs,
            "jobs",
            "requests and answers of GitHub, Azure Pipelines, App Service, IMDS",
            &[(Src, "azure_identity"), (Doc, "")],
            Certain,
        ),
    ]
}
