//! Making a PAT.

use serde_json::{Value, json};

use crate::exhibits::Made;
use crate::expectation::Source::{Doc, Guess, Issue, Live, Spec, Src};
use crate::expectation::Sure::{Certain, Likely, Open};
use crate::expectation::{Area, Expectation, Sources, Sure, Unobserved};
use crate::scene::{SCOPE, Scene};
use crate::seen::{Seen, keys};

const EXAMPLE: &str = "tokens/7.2/httpExamples/Pats/CreatePat.json";

pub(super) fn expectations() -> Vec<Expectation> {
    vec![
        of(
            "create-status",
            "a create answers 200, not 201",
            &[(Spec, "tokens/7.2/tokens.json")],
            Certain,
        )
        .shows("200", |scene| Box::pin(async { Ok(scene.made().await?.answer.status.to_string()) })),
        of(
            "create-usable",
            "a new PAT works at once",
            &[(Live, "wardyn, once"), (Guess, "propagation is not documented")],
            Likely,
        )
        .question()
        .shows("within 5 s", |scene| Box::pin(async { Ok(within(scene.works().await?.as_secs_f64())) })),
        of(
            "create-error-none",
            "success is called `none` in `patTokenError`",
            &[(Spec, EXAMPLE)],
            Certain,
        )
        .shows("none", |scene| {
            Box::pin(async {
                Ok(match scene.made().await?.answer.field("patTokenError") {
                    Value::Null => "null".into(),
                    Value::String(word) if word == "none" => "none".into(),
                    _ => "something else".into(),
                })
            })
        }),
        of(
            "create-fields",
            "a PAT has seven fields, and no state among them",
            &[(Spec, "tokens.json, `PatToken`")],
            Certain,
        )
        .shows(
            "authorizationId, displayName, scope, targetAccounts, token, validFrom, validTo",
            |scene| Box::pin(async { Ok(keys(pat(&scene.made().await?))) }),
        ),
        of(
            "create-value",
            "its value is shown once: 84 letters and digits, `AZDO` at offset 76",
            &[(Doc, "use-personal-access-tokens-to-authenticate.md, purview")],
            Certain,
        )
        .shows("84 letters and digits, AZDO at 76", |scene| Box::pin(value(scene))),
        of(
            "create-valid-to-rounding",
            "`validTo` is rounded to 1/300 s: what ends in .319 comes back ending in .32",
            &[(Spec, EXAMPLE)],
            Certain,
        )
        .shows("rounded to 1/300 s", |scene| Box::pin(rounding(scene))),
        of(
            "create-valid-to-kept",
            "a `validTo` is kept to 1/300 s: create, get and list show the step that was asked for",
            &[(Spec, EXAMPLE), (Guess, "of get and list")],
            Likely,
        )
        .question()
        .shows("in create, get and list", |scene| Box::pin(kept(scene))),
        of(
            "create-valid-from",
            "`validFrom` is in UTC with up to seven digits of a fraction",
            &[(Spec, EXAMPLE)],
            Certain,
        )
        .shows("UTC, up to seven digits", |scene| Box::pin(valid_from(scene))),
        of(
            "create-scope",
            "the scope comes back as it was sent",
            &[(Spec, EXAMPLE)],
            Certain,
        )
        .shows("as it was sent", |scene| {
            Box::pin(async {
                let made = scene.made().await?;
                Ok(if pat(&made)["scope"] == SCOPE { "as it was sent".into() } else { "another".into() })
            })
        }),
        of(
            "create-target-accounts",
            "with `allOrgs: false` there is one target account, whose id is the `instanceId` of connectionData",
            &[(Spec, EXAMPLE), (Guess, "that it is the instance's")],
            Likely,
        )
        .shows("one, the instance's", |scene| Box::pin(target(scene))),
        of(
            "create-same-name",
            "names need not be unique",
            &[(Src, "microsoft-authentication-cli PatClient.cs, which rotates so")],
            Certain,
        )
        .shows("a PAT", |scene| Box::pin(async { Ok(scene.second().await?.answer.verdict()) })),
        of(
            "create-message-7.1",
            "`patTokenErrorMessage` is not in answers to 7.1",
            &[(Spec, "only in tokens/7.2, since 2025-06-02")],
            Likely,
        )
        .question()
        .shows("absent", |scene| {
            Box::pin(async { Ok(message(scene.made().await?.answer.field("patTokenErrorMessage"), true)) })
        }),
        of(
            "create-message-7.2",
            "`patTokenErrorMessage` is in answers to 7.2",
            &[(Spec, "tokens/7.2/tokens.json")],
            Likely,
        )
        .question()
        .shows("there", |scene| Box::pin(message_72(scene))),
        of(
            "create-name-256",
            "a name may have 256 characters",
            &[(Guess, "")],
            Open,
        )
        .question()
        .shows("a PAT", |scene| Box::pin(long_name(scene, 256))),
        of(
            "create-name-257",
            "a name of 257 characters is `invalidDisplayName`",
            &[(Guess, "")],
            Open,
        )
        .question()
        .shows("200 invalidDisplayName", |scene| Box::pin(long_name(scene, 257))),
        of(
            "create-name-characters",
            "punctuation, other scripts and pictures in a name are kept",
            &[(Guess, "")],
            Open,
        )
        .question()
        .shows("as it was sent", |scene| Box::pin(odd_name(scene))),
        of(
            "create-default-scope",
            "without `scope` it is full access",
            &[(Issue, "azure-devops-cli-extension#927 for that it may be left out"), (Guess, "the default")],
            Open,
        )
        .question()
        .not_probed("it could make a PAT of full access"),
        of(
            "create-default-valid-to",
            "without `validTo` it lives 30 days",
            &[(Guess, "the web page's default")],
            Open,
        )
        .question()
        .not_probed("it would make a PAT that lives longer than an hour"),
        of(
            "create-lifespan-policy",
            "too long a life is cut silently: from now on create, from its creation on update",
            &[(Spec, "`PatTokenCreateRequest.validTo`")],
            Certain,
        )
        .not_probed("it needs a PAT that lives longer than an hour, and a tenant policy"),
        of(
            "create-global",
            "global PATs have no `targetAccounts`; `global_pats_end` ends them",
            &[(Spec, ""), (Doc, "sprint 270")],
            Certain,
        )
        .not_probed("a global PAT opens every organization"),
        of(
            "create-value-old",
            "older PATs have 52 characters",
            &[(Spec, "its examples"), (Doc, "use-personal-access-tokens-to-authenticate.md")],
            Certain,
        )
        .not_probed("none is made any more; the emulator makes none either"),
    ]
}

fn of(name: &'static str, behaviour: &'static str, sources: Sources, sure: Sure) -> Expectation {
    Expectation::of(Area::Create, name, behaviour, sources, sure)
}

fn pat(made: &Made) -> &Value {
    made.answer.field("patToken")
}

/// A span that was waited, in words that do not change from run to run.
pub(super) fn within(seconds: f64) -> String {
    match seconds {
        ..=5.0 => "within 5 s".into(),
        _ => format!("after {seconds:.0} s"),
    }
}

async fn value(scene: &Scene) -> Result<String, Unobserved> {
    let made = scene.made().await?;
    let value = made.value.expose();
    let plain = value.chars().all(|c| c.is_ascii_alphanumeric());
    let kind = if plain { "letters and digits" } else { "characters" };
    let mark = value.match_indices("AZDO").map(|(at, _)| at).find(|at| *at >= 70);
    Ok(match mark {
        Some(at) => format!("{} {kind}, AZDO at {at}", value.len()),
        None => format!("{} {kind}, no AZDO", value.len()),
    })
}

async fn rounding(scene: &Scene) -> Result<String, Unobserved> {
    let made = scene.made().await?;
    let text = pat(&made)["validTo"].as_str().unwrap_or_default();
    let fraction = text.trim_end_matches('Z').split_once('.').map_or("", |(_, fraction)| fraction);
    Ok(match fraction.trim_end_matches('0') {
        "32" => "rounded to 1/300 s".into(),
        "319" => "as it was sent".into(),
        "" => "cut to whole seconds".into(),
        _ => "otherwise".into(),
    })
}

/// The step of 1/300 s that is nearest to an instant.
fn step(instant: jiff::Timestamp) -> i128 {
    (instant.as_nanosecond() * 300 + 500_000_000).div_euclid(1_000_000_000)
}

async fn kept(scene: &Scene) -> Result<String, Unobserved> {
    let pages = scene.active().await?;
    let made = scene.second().await?;
    let got = scene.page(&[("authorizationId", &made.id)]).await?;
    let listed = pages.iter().flat_map(Seen::pats).find(|pat| pat["authorizationId"] == made.id.as_str());
    let Some(listed) = listed else { return Err(Unobserved::hidden("it is not in the list")) };
    let has_step = |pat: &Value| {
        let shown: Option<jiff::Timestamp> = pat["validTo"].as_str().and_then(|text| text.parse().ok());
        shown.is_some_and(|shown| step(shown) == step(made.asked))
    };
    Ok(match (has_step(pat(&made)), has_step(got.field("patToken")), has_step(listed)) {
        (true, true, true) => "in create, get and list".into(),
        (false, false, false) => "nowhere".into(),
        (create, get, list) => {
            let places = [(create, "create"), (get, "get"), (list, "list")];
            let places = places.iter().filter(|(kept, _)| *kept).map(|(_, place)| *place);
            format!("in {} alone", places.collect::<Vec<_>>().join(" and "))
        }
    })
}

async fn valid_from(scene: &Scene) -> Result<String, Unobserved> {
    let made = scene.made().await?;
    let text = pat(&made)["validFrom"].as_str().unwrap_or_default();
    let utc = text.strip_suffix('Z').filter(|_| text.parse::<jiff::Timestamp>().is_ok());
    let digits = utc.map(|text| text.split_once('.').map_or(0, |(_, fraction)| fraction.len()));
    Ok(match digits {
        Some(0..=7) => "UTC, up to seven digits".into(),
        Some(more) => format!("UTC, {more} digits"),
        None => "otherwise".into(),
    })
}

async fn target(scene: &Scene) -> Result<String, Unobserved> {
    let made = scene.made().await?;
    let instance = scene.connection_data().send().await?;
    Ok(match pat(&made)["targetAccounts"].as_array().map(Vec::as_slice) {
        None => "none".into(),
        Some([one]) if one == instance.field("instanceId") => "one, the instance's".into(),
        Some([_]) => "one, another".into(),
        Some(more) => format!("{} of them", more.len()),
    })
}

fn message(field: &Value, answered: bool) -> String {
    match field {
        Value::Null if answered => "absent".into(),
        _ => "there".into(),
    }
}

/// Whether the field is there, `null` or not.
async fn message_72(scene: &Scene) -> Result<String, Unobserved> {
    let made = scene.made().await?;
    let call = scene.pats(http::Method::GET).query("authorizationId", &made.id);
    let seen = call.query("api-version", "7.2-preview.1").send().await?;
    if seen.pat().is_none() {
        return Ok(seen.verdict());
    }
    Ok(if seen.keys().contains("patTokenErrorMessage") { "there".into() } else { "absent".into() })
}

async fn long_name(scene: &Scene, length: usize) -> Result<String, Unobserved> {
    let name = format!("{}-", scene.name);
    let filler = "x".repeat(length - name.len());
    scene.verdict_on(scene.wish(&format!("{name}{filler}"))).await
}

async fn odd_name(scene: &Scene) -> Result<String, Unobserved> {
    let name = format!("{} <&> \"'/\\%#;: \u{e4}\u{df} \u{6f22} \u{1f511}", scene.name);
    let seen = scene.create(scene.wish(&name)).await?;
    let Some(pat) = seen.pat() else { return Ok(seen.verdict()) };
    if let Some(id) = pat["authorizationId"].as_str() {
        scene.revoke(id).await?;
    }
    Ok(if pat["displayName"] == json!(name) { "as it was sent".into() } else { "changed".into() })
}
