//! How a confidential client proves to be the app: a secret (in the form, or by Basic authentication), an assertion signed with its certificate, or a token
//! of an issuer that it trusts (a federated credential).

use jiff::Timestamp;

use crate::call::Form;
use crate::cast::AppRegistration;
use crate::entra::aadsts::Aadsts;
use crate::jwt::Jwt;
use crate::services::{Service, Services};

/// The only assertion type that Entra takes.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How far the client's clock may be ahead.
const SKEW: i64 = 300;

/// Whether the client has proven to be that app. A wrong proof is an error, none is not: it may not be needed.
pub(super) fn check(
    services: &mut Services,
    form: &Form,
    app: &AppRegistration,
    now: Timestamp,
) -> Result<bool, Aadsts> {
    if let Some(secret) = form.get("client_secret") {
        can_prove(app)?;
        secret_of(app, secret, now)?;
        services.remember_secret(secret);
        return Ok(true);
    }
    let Some(assertion) = form.get("client_assertion") else { return Ok(false) };
    can_prove(app)?;
    if form.get("client_assertion_type") != Some(JWT_BEARER) {
        return Err(Aadsts::code(900144)
            .saying("The request body must contain the following parameter: 'client_assertion_type'."));
    }
    // A line break behind the token, as a file holds it, makes it another one.
    let jwt = Jwt::parse(assertion)
        .ok_or_else(|| Aadsts::code(50027).saying("JWT token is invalid or malformed."))?;
    let by_certificate = jwt.claim("iss").is_some_and(|issuer| issuer == app.client_id.to_string());
    if by_certificate {
        certificate_of(services, app, &jwt, now)?
    } else {
        federated(app, &jwt, now)?
    }
    services.remember_secret(assertion);
    Ok(true)
}

/// An app without any proof registered is a public client.
fn can_prove(app: &AppRegistration) -> Result<(), Aadsts> {
    let nothing = app.secrets.is_empty() && app.certificates.is_empty() && app.federated.is_empty();
    if nothing { Err(Aadsts::code(700025)) } else { Ok(()) }
}

fn secret_of(app: &AppRegistration, secret: &str, now: Timestamp) -> Result<(), Aadsts> {
    match app.secrets.iter().find(|(known, _)| known == secret) {
        None => Err(Aadsts::code(7000215).saying(format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
             value, not the client secret ID, for a secret added to app '{}'.",
            app.client_id
        ))),
        Some((_, Some(end))) if *end <= now => Err(Aadsts::code(7000222)),
        Some(_) => Ok(()),
    }
}

fn certificate_of(
    services: &Services,
    app: &AppRegistration,
    jwt: &Jwt,
    now: Timestamp,
) -> Result<(), Aadsts> {
    let Some(certificate) = app.certificates.iter().find(|certificate| jwt.names(certificate)) else {
        return Err(Aadsts::code(700027));
    };
    if !jwt.is_signed_with(certificate) {
        return Err(Aadsts::code(700027).saying(
            "The certificate with identifier used to sign the client assertion is registered on application, but \
             the signature does not hold. [Reason - The key was found, but signature verification failed.]",
        ));
    }
    if jwt.claim("sub") != Some(app.client_id.to_string().as_str()) {
        return Err(Aadsts::code(700021));
    }
    let audience = jwt.claim("aud").unwrap_or_default();
    let endpoint = audience
        .strip_prefix(services.address(Service::Entra))
        .or_else(|| audience.strip_prefix(Service::Entra.real_address()));
    // Any tenant's token endpoint will do, of either version; so will the tenant itself.
    if !endpoint.is_some_and(|path| path.starts_with('/') && path.split('/').count() >= 2) {
        return Err(Aadsts::code(700023));
    }
    let now = now.as_second();
    let start = jwt.instant("nbf").or_else(|| jwt.instant("iat")).unwrap_or(now);
    // How long it may live is not limited (entra-docs, certificate-credentials, only recommends 5 to 10 minutes).
    in_time(start, jwt.instant("exp").unwrap_or_default(), now)
}

fn in_time(start: i64, end: i64, now: i64) -> Result<(), Aadsts> {
    if start > now + SKEW || end <= now {
        let written = |second: i64| {
            Timestamp::from_second(second).map_or_else(|_| second.to_string(), crate::moment::dotnet)
        };
        return Err(Aadsts::code(700024).saying(format!(
            "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, \
             expiry time of assertion {}.",
            written(now),
            written(start),
            written(end)
        )));
    }
    Ok(())
}

/// Issuer, audience and subject must be those of one registered credential, to the letter: matching has been
/// case-sensitive since 2025 (entra-docs, reference-breaking-changes).
fn federated(app: &AppRegistration, jwt: &Jwt, now: Timestamp) -> Result<(), Aadsts> {
    if app.federated.is_empty() {
        return Err(Aadsts::code(70025).saying(format!(
            "The client '{}' has no configured federated identity credentials.",
            app.client_id
        )));
    }
    if !jwt.is_signed_here() {
        return Err(Aadsts::code(700027).saying("Client assertion failed signature validation."));
    }
    let claim = |name: &str| jwt.claim(name).unwrap_or_default();
    let (issuer, audience, subject) = (claim("iss"), claim("aud"), claim("sub"));
    let no_match = |code: u32, what: &str, presented: &str| {
        Aadsts::code(code).saying(format!(
            "No matching federated identity record found for presented assertion {what} '{presented}'. Check your \
             federated identity credential Subject, Audience and Issuer against the presented assertion. \
             https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
        ))
    };
    let of_issuer: Vec<_> = app.federated.iter().filter(|credential| credential.issuer == issuer).collect();
    if of_issuer.is_empty() {
        return Err(no_match(700211, "issuer", issuer));
    }
    if !of_issuer.iter().any(|credential| credential.audience == audience) {
        return Err(no_match(700212, "audience", audience));
    }
    if !of_issuer.iter().any(|credential| credential.audience == audience && credential.subject == subject) {
        return Err(no_match(700213, "subject", subject));
    }
    let now = now.as_second();
    in_time(jwt.instant("nbf").unwrap_or(now), jwt.instant("exp").unwrap_or_default(), now)
}
