//! Getting one PAT, and listing all.

use http::Method;

use crate::expectation::Source::{Doc, Guess, Spec, Src};
use crate::expectation::Sure::{Certain, Likely, Open};
use crate::expectation::{Area, Expectation, Sources, Sure, Unobserved};
use crate::scene::{BY_NAME, Scene};
use crate::seen::Seen;

pub(super) fn expectations() -> Vec<Expectation> {
    vec![
        of(
            "get-by-id",
            "with `authorizationId` the list's address gives one PAT, without its value",
            &[(Spec, "tokens.json")],
            Certain,
        )
        .shows("that PAT, without its value", |scene| Box::pin(get(scene))),
        of("get-empty-id", "with an empty `authorizationId` it is the list", &[(Guess, "")], Likely).shows(
            "a list",
            |scene| {
                Box::pin(async {
                    let call = scene.pats(Method::GET).query("authorizationId", "");
                    Ok(call.query("$top", "1").send().await?.verdict())
                })
            },
        ),
        of("get-unknown-id", "get of an unknown id: 200 with `authorizationNotFound`", &[(Guess, "")], Open)
            .question()
            .shows("200 authorizationNotFound", |scene| {
                Box::pin(async {
                    let id = scene.http.world().uuid().to_string();
                    let call = scene.pats(Method::GET).query("authorizationId", &id);
                    Ok(call.send().await?.verdict())
                })
            }),
        of(
            "get-malformed-id",
            "get of what is no GUID: 200 with `invalidAuthorizationId`",
            &[(Guess, "")],
            Open,
        )
        .shows("200 invalidAuthorizationId", |scene| {
            Box::pin(async {
                let call = scene.pats(Method::GET).query("authorizationId", "adopat-probe");
                Ok(call.send().await?.verdict())
            })
        }),
        of(
            "path-case",
            "the path may be written `_apis/Tokens/Pats`",
            &[(Doc, "its examples are written so")],
            Certain,
        )
        .shows("a list", |scene| {
            Box::pin(async {
                let path = [scene.organization.name(), "_apis", "Tokens", "Pats"];
                Ok(scene.pats(Method::GET).at(&path).query("$top", "1").send().await?.verdict())
            })
        }),
        of(
            "list-fields",
            "a list is `continuationToken` and `patTokens`, no `count` and `value`",
            &[(Spec, "tokens.json, `PagedPatTokens`")],
            Certain,
        )
        .shows("continuationToken, patTokens", |scene| {
            Box::pin(async { Ok(first(&scene.active().await?)?.keys()) })
        }),
        of(
            "list-end",
            "the last page has an empty continuation token",
            &[(Spec, "ListPats.json"), (Src, "microsoft-authentication-cli PatClient.cs")],
            Certain,
        )
        .shows("empty", |scene| Box::pin(end(scene))),
        of(
            "list-page-size",
            "a page has at most 100 PATs",
            &[(Spec, "tokens.json"), (Src, "microsoft-authentication-cli PatClient.cs")],
            Certain,
        )
        .shows("100", |scene| Box::pin(async { Ok(full_page(scene).await?.to_string()) })),
        of("list-top-above-limit", "`$top` over 100 counts as 100", &[(Guess, "")], Open)
            .question()
            .shows("as 100", |scene| Box::pin(as_a_full_page(scene, Some("1000")))),
        of("list-default-top", "without `$top` a page has 100 PATs too", &[(Guess, "")], Open)
            .question()
            .shows("as 100", |scene| Box::pin(as_a_full_page(scene, None))),
        of("list-top", "`$top=1` gives one PAT and a token to go on with", &[(Spec, "tokens.json")], Certain)
            .shows("1 PAT, and a token", |scene| Box::pin(one_at_a_time(scene))),
        of(
            "list-next-page",
            "the next page begins behind the last, where filter and order are sent again",
            &[(Spec, "List"), (Src, "microsoft-authentication-cli PatClient.cs")],
            Certain,
        )
        .shows("another PAT", |scene| Box::pin(next_page(scene))),
        of(
            "list-token-of-another-filter",
            "a continuation token with another filter is refused",
            &[(Guess, "")],
            Open,
        )
        .shows("400 ArgumentException", |scene| Box::pin(token_of_another_filter(scene))),
        of("list-unknown-filter", "a filter that is none is refused", &[(Guess, "")], Open).shows(
            "400 ArgumentException",
            |scene| {
                Box::pin(async {
                    Ok(scene.page(&[("displayFilterOption", "adopat-probe"), ("$top", "1")]).await?.verdict())
                })
            },
        ),
        of("list-default-filter", "without a filter it is `active`", &[(Guess, "")], Open)
            .question()
            .shows("active", |scene| Box::pin(default_filter(scene))),
        of("list-default-order", "without an order it is by name, ascending", &[(Guess, "")], Open)
            .question()
            .shows("displayName, ascending", |scene| Box::pin(default_order(scene))),
        of("list-active", "`active` holds no revoked PAT", &[(Spec, "`DisplayFilterOptions`")], Certain)
            .shows("it is not there", |scene| Box::pin(there_when_revoked(scene, "active"))),
        of("list-revoked", "`revoked` holds it", &[(Spec, "`DisplayFilterOptions`")], Certain)
            .shows("it is there", |scene| Box::pin(there_when_revoked(scene, "revoked"))),
        of("list-values", "no list shows a value", &[(Spec, "`PatToken.token`")], Certain).shows(
            "none",
            |scene| {
                Box::pin(async {
                    let shown = scene.active().await?.iter().any(|page| page.secret("token").is_some());
                    Ok(if shown { "values".into() } else { "none".into() })
                })
            },
        ),
        of("get-revoked", "a revoked PAT can still be read by its id", &[(Guess, "")], Open).shows(
            "a PAT",
            |scene| {
                Box::pin(async {
                    let dead = scene.dead().await?;
                    let call = scene.pats(Method::GET).query("authorizationId", &dead.pat.id);
                    Ok(call.send().await?.verdict())
                })
            },
        ),
    ]
}

fn of(name: &'static str, behaviour: &'static str, sources: Sources, sure: Sure) -> Expectation {
    Expectation::of(Area::Read, name, behaviour, sources, sure)
}

async fn get(scene: &Scene) -> Result<String, Unobserved> {
    let made = scene.made().await?;
    let seen = scene.pats(Method::GET).query("authorizationId", &made.id).send().await?;
    Ok(match seen.pat() {
        None => seen.verdict(),
        Some(pat) if pat["authorizationId"] != made.id.as_str() => "another PAT".into(),
        Some(_) if seen.secret("token").is_some() => "that PAT, with its value".into(),
        Some(_) => "that PAT, without its value".into(),
    })
}

/// The first page, which must be one.
fn first(pages: &[Seen]) -> Result<&Seen, Unobserved> {
    match pages.first() {
        Some(page) if page.field("patTokens").is_array() => Ok(page),
        Some(page) => Err(Unobserved::hidden(format!("there is no list: {}", page.verdict()))),
        None => Err(Unobserved::hidden("there is no list")),
    }
}

async fn end(scene: &Scene) -> Result<String, Unobserved> {
    let pages = scene.active().await?;
    first(&pages)?;
    let last = pages.last().map(|page| page.field("continuationToken"));
    Ok(match last.and_then(|token| token.as_str()) {
        Some("") => "empty".into(),
        Some(_) => return Err(Unobserved::hidden("the list has too many pages")),
        None => "null or absent".into(),
    })
}

/// How many PATs a full page of `$top=100` has.
async fn full_page(scene: &Scene) -> Result<usize, Unobserved> {
    let pages = scene.active().await?;
    let page = first(&pages)?;
    match page.continuation() {
        Some(_) => Ok(page.pats().len()),
        None => Err(Unobserved::hidden("fewer PATs than a page holds are there")),
    }
}

/// How many a page has under another `$top`, told against a full page: that is another row's matter.
async fn as_a_full_page(scene: &Scene, top: Option<&str>) -> Result<String, Unobserved> {
    let full = full_page(scene).await?;
    let mut query = BY_NAME[..3].to_vec();
    query.extend(top.map(|top| ("$top", top)));
    let page = scene.page(&query).await?;
    Ok(match page.pats().len() {
        0 => page.verdict(),
        same if same == full => "as 100".into(),
        other => format!("{other} PATs"),
    })
}

async fn one(scene: &Scene) -> Result<Seen, Unobserved> {
    scene.second().await?;
    scene.page(&[&BY_NAME[..3], &[("$top", "1")]].concat()).await
}

async fn one_at_a_time(scene: &Scene) -> Result<String, Unobserved> {
    let page = one(scene).await?;
    let token = if page.continuation().is_some() { "and a token" } else { "and no token" };
    let count = page.pats().len();
    Ok(format!("{count} PAT{}, {token}", if count == 1 { "" } else { "s" }))
}

async fn next_page(scene: &Scene) -> Result<String, Unobserved> {
    let page = one(scene).await?;
    let Some(token) = page.continuation() else { return Err(Unobserved::hidden("no page follows")) };
    let query = [&BY_NAME[..3], &[("$top", "1"), ("continuationToken", token)]].concat();
    let next = scene.page(&query).await?;
    let id = |page: &Seen| page.pats().first().map(|pat| pat["authorizationId"].clone());
    Ok(match id(&next) {
        None => next.verdict(),
        same if same == id(&page) => "the same PAT".into(),
        Some(_) => "another PAT".into(),
    })
}

async fn token_of_another_filter(scene: &Scene) -> Result<String, Unobserved> {
    let page = one(scene).await?;
    let Some(token) = page.continuation() else { return Err(Unobserved::hidden("no page follows")) };
    let query = [
        ("displayFilterOption", "all"),
        ("sortByOption", "displayDate"),
        ("isSortAscending", "false"),
        ("$top", "1"),
        ("continuationToken", token),
    ];
    Ok(scene.page(&query).await?.verdict())
}

async fn default_filter(scene: &Scene) -> Result<String, Unobserved> {
    let (made, dead) = (scene.made().await?, scene.dead().await?);
    let pages = scene.pages(&[("sortByOption", "displayName"), ("isSortAscending", "true")]).await?;
    let page = first(&pages)?;
    if pages.last().unwrap_or(page).continuation().is_some() {
        return Err(Unobserved::hidden("the list has too many pages"));
    }
    let holds = |id: &str| pages.iter().flat_map(Seen::pats).any(|pat| pat["authorizationId"] == id);
    Ok(match (holds(&made.id), holds(&dead.pat.id)) {
        (true, false) => "active",
        (true, true) => "all",
        (false, true) => "revoked",
        (false, false) => "neither active nor revoked",
    }
    .into())
}

async fn default_order(scene: &Scene) -> Result<String, Unobserved> {
    // Two PATs of two names, of which the later one was made first.
    scene.renamed().await?;
    scene.dead().await?;
    let ids = |page: &Seen| page.pats().iter().map(|pat| pat["authorizationId"].clone()).collect::<Vec<_>>();
    let top = [("displayFilterOption", "all"), ("$top", "100")];
    let unordered = scene.page(&top).await?;
    first(std::slice::from_ref(&unordered))?;
    for by in ["displayName", "displayDate", "status"] {
        for (ascending, word) in [("true", "ascending"), ("false", "descending")] {
            let query = [&top[..], &[("sortByOption", by), ("isSortAscending", ascending)]].concat();
            if ids(&scene.page(&query).await?) == ids(&unordered) {
                return Ok(format!("{by}, {word}"));
            }
        }
    }
    Ok("another".into())
}

async fn there_when_revoked(scene: &Scene, filter: &str) -> Result<String, Unobserved> {
    let dead = scene.dead().await?;
    let query = [
        ("displayFilterOption", filter),
        ("sortByOption", "displayName"),
        ("isSortAscending", "true"),
        ("$top", "100"),
    ];
    Ok(if scene.lists(&query, &dead.pat.id).await? { "it is there".into() } else { "it is not there".into() })
}
