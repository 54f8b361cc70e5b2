//! Changing a PAT.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::call::By;
use crate::expectation::Source::{Doc, Guess, Issue, Spec, Src};
use crate::expectation::Sure::{Certain, Likely, Open};
use crate::expectation::{Area, Expectation, Sources, Sure, Unobserved};
use crate::scene::{Scene, is_somebody};

pub(super) fn expectations() -> Vec<Expectation> {
    vec![
        of(
            "update-name",
            "a PUT with the id in its body changes the name",
            &[(Spec, "tokens.json")],
            Certain,
        )
        .shows("the new name, without the value", |scene| Box::pin(rename(scene))),
        of(
            "update-omitted",
            "what is not sent stays as it is",
            &[(Src, "azure-devops-auth-samples app.py `pat_put`")],
            Certain,
        )
        .shows("scope and end are the same", |scene| Box::pin(omitted(scene))),
        of(
            "update-value",
            "the value goes on working after an update",
            &[(Issue, "aggregator-cli#266"), (Doc, "'regenerate' is what invalidates it")],
            Likely,
        )
        .question()
        .shows("it works", |scene| Box::pin(value(scene))),
        of("update-earlier", "an update may set an earlier end", &[(Guess, "")], Open)
            .question()
            .shows("it ends earlier", |scene| Box::pin(earlier(scene))),
        of("update-past", "an update to an end in the past is `invalidValidTo`", &[(Guess, "")], Open).shows(
            "200 invalidValidTo",
            |scene| {
                Box::pin(async {
                    let made = scene.made().await?;
                    let past = (scene.now() - SignedDuration::from_hours(24)).to_string();
                    let body = json!({"authorizationId": made.id, "validTo": past});
                    Ok(scene.update(body).await?.verdict())
                })
            },
        ),
        of(
            "update-unknown-id",
            "update of an unknown id: 200 with `authorizationNotFound`",
            &[(Guess, "")],
            Open,
        )
        .question()
        .shows("200 authorizationNotFound", |scene| {
            Box::pin(async {
                let id = scene.http.world().uuid().to_string();
                let body = json!({"authorizationId": id, "displayName": scene.name});
                Ok(scene.update(body).await?.verdict())
            })
        }),
        of(
            "update-revoked",
            "a revoked PAT cannot be changed: 200 with `authorizationNotFound`",
            &[(Spec, ""), (Doc, "sprint 271"), (Guess, "the name")],
            Likely,
        )
        .shows("200 authorizationNotFound", |scene| {
            Box::pin(async {
                let dead = scene.dead().await?;
                let body = json!({"authorizationId": dead.pat.id, "displayName": scene.name});
                Ok(scene.update(body).await?.verdict())
            })
        }),
        of(
            "update-expired",
            "an expired PAT cannot be changed: `expiredPatCannotBeExtended`, a name of 7.2, in answers to 7.1 too",
            &[
                (Spec, "`SessionTokenError`, since 2026-03-19"),
                (Doc, "sprint 271"),
                (Guess, "that 7.1 has it"),
            ],
            Likely,
        )
        .question()
        .shows("200 expiredPatCannotBeExtended", |scene| Box::pin(expired(scene))),
    ]
}

fn of(name: &'static str, behaviour: &'static str, sources: Sources, sure: Sure) -> Expectation {
    Expectation::of(Area::Update, name, behaviour, sources, sure)
}

async fn rename(scene: &Scene) -> Result<String, Unobserved> {
    let seen = scene.renamed().await?;
    let Some(pat) = seen.pat() else { return Ok(seen.verdict()) };
    let name = pat["displayName"].as_str().unwrap_or_default();
    let name = if name.ends_with("-renamed") { "the new name" } else { "the old name" };
    let value = if seen.secret("token").is_some() { "with a value" } else { "without the value" };
    Ok(format!("{name}, {value}"))
}

async fn omitted(scene: &Scene) -> Result<String, Unobserved> {
    let (made, seen) = (scene.made().await?, scene.renamed().await?);
    let Some(after) = seen.pat() else { return Ok(seen.verdict()) };
    let before = made.answer.field("patToken");
    let same_scope = before["scope"] == after["scope"];
    Ok(match (same_scope, close(&before["validTo"], &after["validTo"], 2)) {
        (true, true) => "scope and end are the same",
        (false, true) => "the scope is another",
        (true, false) => "the end is another",
        (false, false) => "scope and end are others",
    }
    .into())
}

/// Whether two instants are so many seconds apart at most.
fn close(one: &Value, other: &Value, seconds: i64) -> bool {
    let instant = |value: &Value| value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    match instant(one).zip(instant(other)) {
        Some((one, other)) => one.duration_since(other).abs() <= SignedDuration::from_secs(seconds),
        None => false,
    }
}

async fn value(scene: &Scene) -> Result<String, Unobserved> {
    scene.works().await?;
    let (made, renamed) = (scene.made().await?, scene.renamed().await?);
    if renamed.pat().is_none() {
        return Err(Unobserved::hidden("the update was refused"));
    }
    let seen = scene.connection_data().by(By::Pat(&made.value)).send().await?;
    Ok(if is_somebody(&seen) { "it works".into() } else { seen.verdict() })
}

async fn earlier(scene: &Scene) -> Result<String, Unobserved> {
    let made = scene.made().await?;
    let asked = scene.now() + SignedDuration::from_mins(30);
    let body =
        json!({"authorizationId": made.id, "validTo": asked.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()});
    let seen = scene.update(body).await?;
    let Some(pat) = seen.pat() else { return Ok(seen.verdict()) };
    Ok(match close(&pat["validTo"], &json!(asked.to_string()), 600) {
        true => "it ends earlier".into(),
        false => "it ends as before".into(),
    })
}

async fn expired(scene: &Scene) -> Result<String, Unobserved> {
    let (pat, over) = scene.dying().await?;
    let wait = over.saturating_duration_since(Instant::now());
    scene.wait(wait).await?;
    let valid_to = (scene.now() + SignedDuration::from_mins(30)).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Ok(scene.update(json!({"authorizationId": pat.id, "validTo": valid_to})).await?.verdict())
}
