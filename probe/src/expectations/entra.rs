//! Microsoft Entra's token and device code endpoints. Nothing here asks a person for anything, or spends what a run
//! needs: the refresh token that a run stores is never touched.

use adopat::entra::AZURE_DEVOPS;
use serde_json::Value;
use url::form_urlencoded;

use crate::call::By;
use crate::expectation::Source::{Doc, Guess, Issue, Live, Run};
use crate::expectation::Sure::{Certain, Likely, Open};
use crate::expectation::{Area, Expectation, Sources, Sure, Unobserved};
use crate::scene::{NO_REFRESH_TOKEN, Scene};
use crate::seen::Seen;

pub(super) fn expectations() -> Vec<Expectation> {
    vec![
        of("entra-token-fields", "what a token answer holds", &[(Doc, "v2-oauth2-auth-code-flow")], Certain)
            .shows("access_token, expires_in, ext_expires_in, refresh_token, scope, token_type", |scene| {
                Box::pin(async { Ok(scene.sign_in()?.keys) })
            }),
        of("entra-rolled", "a refresh token is rolled at each use", &[(Doc, "refresh-tokens")], Certain).shows(
            "another one",
            |scene| {
                Box::pin(async {
                    Ok(match scene.sign_in()?.rolled {
                        Some(true) => "another one".into(),
                        Some(false) => "the same one".into(),
                        None => return Err(Unobserved::hidden("no refresh token was redeemed")),
                    })
                })
            },
        ),
        of("entra-old-lives-on", "the one that was redeemed lives on", &[(Doc, "refresh-tokens")], Certain)
            .shows("it is redeemed", |scene| {
                Box::pin(async {
                    let seen = redeem_again(scene, None).await?;
                    Ok(match seen.secret("access_token") {
                        Some(_) => "it is redeemed".into(),
                        None => seen.verdict(),
                    })
                })
            }),
        of("entra-lifetime", "access tokens live 60 to 90 minutes", &[(Doc, "configurable-token-lifetimes")], Certain)
            .shows("60 to 90 minutes", |scene| {
                Box::pin(async {
                    Ok(match scene.sign_in()?.expires_in {
                        // The answer is some seconds older than the token.
                        Some(3_500..=5_400) => "60 to 90 minutes".into(),
                        Some(seconds) => format!("{} minutes", seconds / 60),
                        None => "it is not said".into(),
                    })
                })
            }),
        of(
            "entra-granted",
            "the answer's `scope` names permissions with their resource in front",
            &[(Guess, "sources differ")],
            Likely,
        )
        .shows("with the resource", |scene| {
            Box::pin(async {
                Ok(match scene.sign_in()?.scope {
                    None => "it is not said".into(),
                    Some(scope) if scope.split(' ').all(|word| word.contains('/')) => "with the resource".into(),
                    Some(_) => "bare, some at least".into(),
                })
            })
        }),
        of(
            "entra-one-permission",
            "a client that asks for `vso.pats_manage` alone is granted all that was consented to; a token of that one \
             permission was measured to be refused",
            &[(Live, "wardyn, for the 401"), (Guess, "what is granted")],
            Open,
        )
        .question()
        .shows("vso.pats too", |scene| Box::pin(one_permission(scene))),
        of(
            "entra-no-refresh-token",
            "what is no refresh token: AADSTS9002313 under `invalid_grant`",
            &[(Issue, "recorded by two clients")],
            Likely,
        )
        .shows("400 invalid_grant AADSTS9002313", |scene| {
            Box::pin(async {
                scene.public_client()?;
                let form = [
                    ("grant_type", "refresh_token"),
                    ("client_id", scene.client.id.as_str()),
                    ("refresh_token", NO_REFRESH_TOKEN),
                ];
                Ok(scene.token_request(&form)?.send().await?.verdict())
            })
        }),
        of(
            "entra-no-client",
            "an app that the tenant does not know: AADSTS700016",
            &[(Doc, "reference-error-codes"), (Issue, "for the status")],
            Likely,
        )
        .shows("400 unauthorized_client AADSTS700016", |scene| {
            Box::pin(async { Ok(scene.refused_token().await?.0.verdict()) })
        }),
        of(
            "entra-no-tenant",
            "a tenant that does not exist: AADSTS90002",
            &[(Doc, "reference-error-codes"), (Issue, "for the status")],
            Likely,
        )
        .shows("400 invalid_request AADSTS90002", |scene| {
            Box::pin(async {
                scene.public_client()?;
                let tenant = scene.http.world().uuid().to_string();
                let form = [
                    ("grant_type", "refresh_token"),
                    ("client_id", scene.client.id.as_str()),
                    ("refresh_token", NO_REFRESH_TOKEN),
                ];
                Ok(scene.entra("token", Some(&tenant))?.form(&form).send().await?.verdict())
            })
        }),
        of("entra-no-grant", "a grant that is none: AADSTS70003", &[(Doc, "reference-error-codes")], Likely).shows(
            "400 unsupported_grant_type AADSTS70003",
            |scene| {
                Box::pin(async {
                    scene.public_client()?;
                    let form = [("grant_type", "adopat_probe"), ("client_id", scene.client.id.as_str())];
                    Ok(scene.token_request(&form)?.send().await?.verdict())
                })
            },
        ),
        of(
            "entra-grant-missing",
            "no grant at all: AADSTS900144",
            &[(Doc, "reference-error-codes"), (Issue, "for the status")],
            Likely,
        )
        .shows("400 invalid_request AADSTS900144", |scene| {
            Box::pin(async {
                scene.public_client()?;
                let form = [("client_id", scene.client.id.as_str())];
                Ok(scene.token_request(&form)?.send().await?.verdict())
            })
        }),
        of("entra-error-fields", "what an error holds", &[(Doc, "v2-oauth2-auth-code-flow"), (Issue, "")], Certain)
            .shows(
                "correlation_id, error, error_codes, error_description, error_uri, timestamp, trace_id",
                |scene| Box::pin(async { Ok(scene.refused_token().await?.0.keys()) }),
            ),
        of(
            "entra-correlation-id",
            "its `correlation_id` is the request's `client-request-id`",
            &[(Guess, "")],
            Likely,
        )
        .shows("that of the request", |scene| {
            Box::pin(async {
                let (seen, id) = scene.refused_token().await?;
                Ok(match seen.field("correlation_id") {
                    Value::String(said) if said.eq_ignore_ascii_case(&id) => "that of the request".into(),
                    Value::String(_) => "one of its own".into(),
                    _ => "absent".into(),
                })
            })
        }),
        of("entra-request-id", "`x-ms-request-id` is its `trace_id`", &[(Guess, "")], Likely).shows(
            "the trace id",
            |scene| {
                Box::pin(async {
                    let (seen, _) = scene.refused_token().await?;
                    Ok(match (seen.header("x-ms-request-id"), seen.field("trace_id").as_str()) {
                        (None, _) => "absent".into(),
                        (Some(header), Some(trace)) if header == trace => "the trace id".into(),
                        _ => "another id".into(),
                    })
                })
            },
        ),
        of("entra-device-code", "a device code lives 900 s, to be asked for every 5 s", &[(Doc, "v2-oauth2-device-code")], Certain)
            .shows("900 s, every 5 s", |scene| {
                Box::pin(async {
                    let (seen, _) = scene.device_code().await?;
                    let number = |name: &str| seen.field(name).as_u64().map_or("?".into(), |n| n.to_string());
                    Ok(format!("{} s, every {} s", number("expires_in"), number("interval")))
                })
            }),
        of(
            "entra-device-code-pending",
            "while nobody has typed it in: `authorization_pending`",
            &[(Doc, "v2-oauth2-device-code"), (Guess, "AADSTS70016")],
            Certain,
        )
        .shows("400 authorization_pending AADSTS70016", |scene| {
            Box::pin(async { Ok(ask_for_device(scene).await?.verdict()) })
        }),
        of(
            "entra-device-code-too-soon",
            "`slow_down` to a client that asks before the interval is over",
            &[(Doc, "RFC 8628"), (Guess, "for Entra, and its number")],
            Open,
        )
        .shows("400 slow_down AADSTS70016", |scene| {
            Box::pin(async { Ok(ask_for_device(scene).await?.verdict()) })
        }),
        of(
            "entra-device-code-unknown",
            "a device code that is none: `bad_verification_code`",
            &[(Doc, "v2-oauth2-device-code"), (Guess, "AADSTS70018")],
            Likely,
        )
        .shows("400 bad_verification_code AADSTS70018", |scene| {
            Box::pin(async {
                scene.public_client()?;
                let form = device_form(&scene.client.id, "adopat-probe-no-device-code");
                Ok(scene.token_request(&form)?.send().await?.verdict())
            })
        }),
        of(
            "entra-device-code-ends",
            "device code: `authorization_declined`, `expired_token`",
            &[(Doc, "v2-oauth2-device-code"), (Guess, "their AADSTS numbers")],
            Certain,
        )
        .not_probed("it needs a person, or a quarter of an hour"),
        of(
            "entra-inactivity",
            "a refresh token lives for 90 days without use (24 hours for a single-page app)",
            &[(Doc, "refresh-tokens")],
            Certain,
        )
        .not_probed("it takes 90 days"),
        of("entra-error-texts", "AADSTS numbers and texts of errors", &[(Doc, "reference-error-codes"), (Issue, "")], Certain),
        of(
            "entra-error-status",
            "which HTTP status and `error` go with which number",
            &[(Issue, "for the commonest"), (Guess, "for the rest")],
            Likely,
        ),
        of(
            "entra-client-kind",
            "a token of a public client is refused with a proof (700025), one of a confidential client without \
             (7000218)",
            &[(Issue, ""), (Live, "")],
            Certain,
        ),
        of("entra-opaque", "access tokens cannot be read by clients", &[(Doc, "access-tokens")], Certain),
        of(
            "entra-code-flow",
            "PKCE is verified, codes serve once (54005), the port of a loopback redirect is ignored",
            &[(Doc, "v2-oauth2-auth-code-flow")],
            Certain,
        ),
        of(
            "entra-certificates",
            "certificates: `PS256` and `RS256`, `x5t#S256` padded or not; instants may be fractions, and no life is too long",
            &[(Doc, "certificate-credentials, RFC 7519"), (Run, "MSAL for Python and Node")],
            Likely,
        ),
        of(
            "entra-federated",
            "federated: 700211, 700212, 700213 in that order, case-sensitive",
            &[(Doc, ""), (Issue, ""), (Guess, "the order")],
            Likely,
        ),
        of(
            "entra-msal",
            "MSAL and azure-identity sign in in every way that they have",
            &[(Run, "Python and JavaScript")],
            Certain,
        ),
        of(
            "entra-client-secret-basic",
            "a client secret may come by Basic authentication",
            &[(Live, "recorded discovery"), (Run, "Authlib, requests-oauthlib")],
            Certain,
        ),
    ]
}

fn of(name: &'static str, behaviour: &'static str, sources: Sources, sure: Sure) -> Expectation {
    Expectation::of(Area::Entra, name, behaviour, sources, sure)
}

/// Sends the sign-in's own request once more: the refresh token in it is the one that was redeemed, not the one that
/// a run stores. What comes back is dropped.
async fn redeem_again(scene: &Scene, scope: Option<&str>) -> Result<Seen, Unobserved> {
    let sign_in = scene.sign_in()?;
    if sign_in.rolled.is_none() {
        return Err(Unobserved::hidden("no refresh token was redeemed"));
    }
    let fields = form_urlencoded::parse(sign_in.body.expose().as_bytes());
    let fields = fields.map(|(name, value)| match scope.filter(|_| name == "scope") {
        Some(scope) => (name, scope.into()),
        None => (name, value),
    });
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    scene.entra("token", None)?.form_body(body).send().await
}

async fn one_permission(scene: &Scene) -> Result<String, Unobserved> {
    let scope = format!("{AZURE_DEVOPS}/vso.pats_manage offline_access");
    let seen = redeem_again(scene, Some(&scope)).await?;
    let Some(token) = seen.secret("access_token") else { return Ok(seen.verdict()) };
    let granted = seen.field("scope").as_str().unwrap_or_default();
    let mut permissions = granted.split(' ').filter_map(|word| word.rsplit('/').next());
    if permissions.any(|permission| matches!(permission, "vso.pats" | "user_impersonation")) {
        return Ok("vso.pats too".into());
    }
    let list = scene.pats(http::Method::GET).query("$top", "1").by(By::Bearer(token)).send().await?;
    Ok(format!("that one alone; the list then: {}", list.verdict()))
}

fn device_form<'f>(client_id: &'f str, code: &'f str) -> [(&'static str, &'f str); 3] {
    [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", client_id),
        ("device_code", code),
    ]
}

async fn ask_for_device(scene: &Scene) -> Result<Seen, Unobserved> {
    let (_, code) = scene.device_code().await?;
    scene.token_request(&device_form(&scene.client.id, code.expose()))?.send().await
}
