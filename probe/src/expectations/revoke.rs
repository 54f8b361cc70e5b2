//! Revoking a PAT.

use crate::exhibits::End;
use crate::expectation::Source::{Doc, Guess, Live, Spec, Src};
use crate::expectation::Sure::{Certain, Open};
use crate::expectation::{Area, Expectation, Sources, Sure, Unobserved};
use crate::expectations::create::within;
use crate::seen::Body;

pub(super) fn expectations() -> Vec<Expectation> {
    vec![
        of(
            "revoke-status",
            "a delete answers 204 with an empty body",
            &[
                (Live, "wardyn, of an administrator and of a member"),
                (Spec, "RevokePat.json, its example"),
                (Src, "azure-devops-auth-samples app.py"),
            ],
            Certain,
        )
        .shows("204, empty", |scene| {
            Box::pin(async {
                let answer = scene.dead().await?.answer;
                let body = if matches!(answer.body, Body::Empty) { "empty" } else { "a body" };
                Ok(format!("{}, {body}", answer.status))
            })
        }),
        of(
            "revoke-dead",
            "a revoked PAT is dead at once",
            &[(Guess, ""), (Doc, "up to an hour, where an administrator revokes")],
            Open,
        )
        .question()
        .shows("within 5 s", |scene| {
            Box::pin(async {
                match scene.dead().await?.end {
                    End::After(took) => Ok(within(took.as_secs_f64())),
                    End::NotYet => Ok("not within a minute".into()),
                    End::Unseen => Err(Unobserved::hidden("it was never seen to work")),
                }
            })
        }),
        of(
            "revoke-dead-looks",
            "a PAT that does not work: 401, `Basic realm`, empty body, whatever is wrong with it",
            &[(Live, "wardyn")],
            Certain,
        )
        .shows("401, empty, Basic realm", |scene| {
            Box::pin(async {
                let dead = scene.dead().await?;
                if matches!(dead.end, End::NotYet) {
                    return Err(Unobserved::hidden("it went on working"));
                }
                let said = dead.said;
                let mut challenges = said.headers.get_all("WWW-Authenticate").iter();
                let basic = challenges.any(|value| value.as_bytes().starts_with(b"Basic realm"));
                Ok(format!("{}{}", said.verdict(), if basic { ", Basic realm" } else { "" }))
            })
        }),
        of(
            "revoke-again",
            "delete of a PAT that is revoked already: 404 `SessionTokenNotFoundException`",
            &[
                (Src, "azure-sdk-tools ServiceAccountPersonalAccessTokenStore.cs, for the exception"),
                (Guess, "the status"),
            ],
            Open,
        )
        .question()
        .shows("404 SessionTokenNotFoundException", |scene| {
            Box::pin(async {
                let dead = scene.dead().await?;
                Ok(scene.revoke(&dead.pat.id).await?.verdict())
            })
        }),
        of(
            "revoke-unknown-id",
            "delete of an unknown id: 404 `SessionTokenNotFoundException`",
            &[
                (Src, "azure-sdk-tools ServiceAccountPersonalAccessTokenStore.cs, for the exception"),
                (Guess, "the status"),
            ],
            Open,
        )
        .question()
        .shows("404 SessionTokenNotFoundException", |scene| {
            Box::pin(async { Ok(scene.revoke(&scene.http.world().uuid().to_string()).await?.verdict()) })
        }),
        of(
            "revoke-of-another-organization",
            "delete of a PAT of another organization: 404 `SessionTokenNotFoundException`",
            &[(Guess, "")],
            Open,
        )
        .question()
        .not_probed("it needs a second organization, and a PAT there"),
        of("revoke-malformed-id", "delete of what is no GUID: 400", &[(Guess, "")], Open)
            .not_probed("nobody knows what it would revoke"),
    ]
}

fn of(name: &'static str, behaviour: &'static str, sources: Sources, sure: Sure) -> Expectation {
    Expectation::of(Area::Revoke, name, behaviour, sources, sure)
}
