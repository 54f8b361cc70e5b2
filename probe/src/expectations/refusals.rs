//! What the PAT service refuses, and how that looks.

use http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::call::By;
use crate::expectation::Source::{Doc, Guess, Issue, Live, Spec, Src};
use crate::expectation::Sure::{Certain, Likely, Open};
use crate::expectation::{Area, Expectation, Sources, Sure};
use crate::scene::Scene;
use crate::seen::Seen;

const CLIENTS: &str = "of clients, for the shape; the status is undocumented";

pub(super) fn expectations() -> Vec<Expectation> {
    vec![
        of("refusal-past", "an end in the past: 200 with `invalidValidTo`", &[(Src, CLIENTS)], Likely)
            .question()
            .shows("200 invalidValidTo", |scene| {
                Box::pin(async {
                    let past = scene.now() - SignedDuration::from_hours(24);
                    scene.verdict_on(with(scene, "validTo", json!(past.to_string()))).await
                })
            }),
        of(
            "refusal-over-a-year",
            "an end more than a year away: 200 with `invalidValidTo`",
            &[(Doc, "admin-revoke-user-pats, for the year"), (Guess, "the name")],
            Likely,
        )
        .question()
        .shows("200 invalidValidTo", |scene| {
            Box::pin(async {
                let end = scene.now() + SignedDuration::from_hours(24 * 400);
                scene.verdict_on(with(scene, "validTo", json!(end.to_string()))).await
            })
        }),
        of("refusal-scope", "a scope that is none: 200 with `invalidScope`", &[(Src, CLIENTS)], Likely)
            .question()
            .shows("200 invalidScope", |scene| {
                Box::pin(scene.verdict_on(with(scene, "scope", json!("vso.adopat_probe"))))
            }),
        of("refusal-name", "an empty name: 200 with `displayNameRequired`", &[(Src, CLIENTS)], Likely)
            .question()
            .shows("200 displayNameRequired", |scene| {
                Box::pin(scene.verdict_on(with(scene, "displayName", json!(""))))
            }),
        of(
            "refusal-no-json",
            "a body that is no JSON: 400, `TF400898`",
            &[(Issue, "vsts-rest-api-specs#636")],
            Likely,
        )
        .shows("400 JsonReaderException TF400898", |scene| {
            Box::pin(async { Ok(scene.pats(Method::POST).no_json().send().await?.verdict()) })
        }),
        of(
            "version-without-preview",
            "an api-version without `-preview` is refused",
            &[
                (Spec, "no released version exists"),
                (Doc, "whose page of 2026-09-21 shows 7.1 without it"),
                (Guess, "the exception, as other APIs have it"),
            ],
            Open,
        )
        .question()
        .shows("400 VssInvalidPreviewVersionException", |scene| {
            Box::pin(async { Ok(scene.generic_error().await?.verdict()) })
        }),
        of("version-missing", "without api-version: 400", &[(Guess, "as other APIs of Azure DevOps do")], Likely).shows(
            "400 VssVersionNotSpecifiedException",
            |scene| {
                Box::pin(async {
                    Ok(scene.pats(Method::GET).without("api-version").send().await?.verdict())
                })
            },
        ),
        of("version-unknown", "an api-version that is none: 400", &[(Guess, "as other APIs of Azure DevOps do")], Likely)
            .shows("400 VssVersionOutOfRangeException", |scene| {
                Box::pin(async {
                    let call = scene.pats(Method::GET).query("api-version", "99.0-preview.1");
                    Ok(call.send().await?.verdict())
                })
            }),
        of(
            "version-6.1-preview",
            "the version may be `6.1-preview`, without a number behind it",
            &[(Doc, "its examples are written so")],
            Certain,
        )
        .shows("a list", |scene| {
            Box::pin(async {
                let call = scene.pats(Method::GET).query("api-version", "6.1-preview");
                Ok(call.query("$top", "1").send().await?.verdict())
            })
        }),
        of(
            "error-fields",
            "the generic error has seven fields",
            &[(Live, "wardyn, of a 401")],
            Likely,
        )
        .shows("$id, errorCode, eventId, innerException, message, typeKey, typeName", |scene| {
            Box::pin(async { Ok(scene.generic_error().await?.keys()) })
        }),
        of(
            "error-of-a-controller",
            "what a controller refuses has neither a byte order mark nor `X-TFS-ServiceError`",
            &[(Live, "recordings of other APIs")],
            Likely,
        )
        .shows("no byte order mark, no header", |scene| {
            Box::pin(async { Ok(error_shape(&scene.generic_error().await?)) })
        }),
        of(
            "error-before-controllers",
            "what is refused before any controller is asked begins with a byte order mark, and its message is in \
             `X-TFS-ServiceError` too, URL-encoded",
            &[(Live, "wardyn, of a 401; recordings of other APIs")],
            Likely,
        )
        .shows("a byte order mark, URL-encoded in the header", |scene| {
            Box::pin(async { Ok(error_shape(&scene.pats(Method::GET).by(By::Nobody).send().await?)) })
        }),
        of(
            "error-no-route",
            "a route that does not exist: 404, a plain text, with `X-TFS-ServiceError`",
            &[(Live, "recordings of other APIs")],
            Likely,
        )
        .shows("404, a text, URL-encoded in the header", |scene| {
            Box::pin(async {
                let path = [scene.organization.name(), "_apis", "adopat-probe"];
                let seen = scene.pats(Method::GET).at(&path).send().await?;
                Ok(format!("{}, {}", seen.verdict(), header_shape(&seen)))
            })
        }),
        of(
            "support-ids",
            "every answer carries `ActivityId` and `X-VSS-E2EID`",
            &[(Src, "artifacts-credprovider IAuthUtil.cs, for the latter")],
            Likely,
        )
        .shows("both", |scene| {
            Box::pin(async {
                let seen = scene.generic_error().await?;
                let both = (seen.header("ActivityId").is_some(), seen.header("X-VSS-E2EID").is_some());
                Ok(match both {
                    (true, true) => "both",
                    (false, false) => "neither",
                    (true, false) => "ActivityId",
                    (false, true) => "X-VSS-E2EID",
                }
                .into())
            })
        }),
        of(
            "refusal-policies",
            "policies refuse by name: `disablePatCreationPolicyViolation` and the like, as 200 with `patToken: null` \
             (or, if asked for, as 400 in two shapes)",
            &[(Src, CLIENTS), (Issue, "git-credential-manager#355, #2344")],
            Likely,
        )
        .question()
        .not_probed("an ordinary user sets no policies"),
        of(
            "throttled",
            "429 `TF400733` with `Retry-After` and the rate headers",
            &[(Doc, "rate-limits.md")],
            Certain,
        )
        .not_probed("it would use up the user's budget"),
    ]
}

fn of(name: &'static str, behaviour: &'static str, sources: Sources, sure: Sure) -> Expectation {
    Expectation::of(Area::Refusals, name, behaviour, sources, sure)
}

/// The probe's usual wish, with one field otherwise.
fn with(scene: &Scene, field: &str, value: Value) -> Value {
    let mut wish = scene.wish(&scene.name);
    wish[field] = value;
    wish
}

fn error_shape(seen: &Seen) -> String {
    let mark = if seen.byte_order_mark { "a byte order mark" } else { "no byte order mark" };
    format!("{mark}, {}", header_shape(seen))
}

fn header_shape(seen: &Seen) -> &'static str {
    match seen.header("X-TFS-ServiceError") {
        None => "no header",
        Some(text) if text.contains(' ') => "as it is in the header",
        Some(_) => "URL-encoded in the header",
    }
}
