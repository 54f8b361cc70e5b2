//! The token endpoint.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::answer::{self, Answer};
use crate::call::{Call, Form};
use crate::cast::{AppRegistration, User};
use crate::entra::aadsts::Aadsts;
use crate::entra::scope::{Scope, Wishes};
use crate::entra::tokens::{
    AccessToken, Audience, ClientKind, NewRefreshToken, RefreshTokenState, is_like_a_refresh_token,
};
use crate::entra::{Tenant, authorize, client_proof, device_code};
use crate::services::{Service, Services};
use crate::{jwt, moment};

pub(super) fn answer(
    services: &mut Services,
    call: &Call,
    tenant: &str,
    now: Timestamp,
) -> Result<Answer, Aadsts> {
    let form = call.form_with_client();
    let tenant = Tenant::named(services, tenant)?;
    let grant = required(&form, "grant_type")?;
    let app = app(services, required(&form, "client_id")?, tenant)?;
    let proven = client_proof::check(services, &form, &app, now)?;
    match grant {
        "refresh_token" => refresh(services, &form, &app, tenant.one(), proven, now),
        "authorization_code" => authorize::redeem(services, call, &form, &app, proven, now),
        "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => {
            device_code::redeem(services, &form, &app, proven, now)
        }
        "client_credentials" => client_credentials(services, &form, &app, tenant.one(), proven, now),
        other => {
            Err(Aadsts::code(70003).saying(format!("The app requested an unsupported grant type '{other}'.")))
        }
    }
}

pub(super) fn required<'a>(form: &'a Form, name: &str) -> Result<&'a str, Aadsts> {
    form.get(name).ok_or_else(|| {
        Aadsts::code(900144)
            .saying(format!("The request body must contain the following parameter: '{name}'."))
    })
}

/// The app registration with that id, if the tenant has it.
pub(super) fn app(services: &Services, client_id: &str, tenant: Tenant) -> Result<AppRegistration, Aadsts> {
    let named = tenant.one();
    let found = Uuid::parse_str(client_id)
        .ok()
        .and_then(|id| services.cast.app(id))
        .filter(|app| named.is_none() || app.tenant.is_none() || app.tenant == named);
    match found {
        None => {
            let directory = named.map_or_else(|| "Contoso".to_owned(), |tenant| tenant.to_string());
            Err(Aadsts::code(700016).saying(format!(
                "Application with identifier '{client_id}' was not found in the directory '{directory}'. This \
                 can happen if the application has not been installed by the administrator of the tenant or \
                 consented to by any user in the tenant. You may have sent your authentication request to the \
                 wrong tenant."
            )))
        }
        Some(app) => match tenant {
            Tenant::Organizations if app.tenant.is_some() => Err(Aadsts::code(50059)),
            Tenant::Common if app.tenant.is_some() => Err(Aadsts::code(50194)),
            _ => Ok(app.clone()),
        },
    }
}

fn refresh(
    services: &mut Services,
    form: &Form,
    app: &AppRegistration,
    tenant: Option<Uuid>,
    proven: bool,
    now: Timestamp,
) -> Result<Answer, Aadsts> {
    let value = required(form, "refresh_token")?;
    let Some(token) = services.entra.tokens.refresh.get(value).cloned() else {
        // Recorded of a token that was damaged: the number of a malformed request, under `invalid_grant`.
        return Err(match is_like_a_refresh_token(value) {
            true => Aadsts::code(70000),
            false => Aadsts::code(9002313).error("invalid_grant"),
        });
    };
    if token.client_id != app.client_id {
        return Err(Aadsts::code(700007));
    }
    match token.kind {
        ClientKind::Public if proven => return Err(Aadsts::code(700025)),
        ClientKind::Public if !app.public && app.redirects.is_empty() => return Err(Aadsts::code(7000218)),
        ClientKind::Confidential if !proven => return Err(Aadsts::code(7000218)),
        _ => {}
    }
    match token.state(now) {
        RefreshTokenState::Valid => {}
        RefreshTokenState::Revoked(code) => return Err(Aadsts::code(code)),
        RefreshTokenState::Expired if token.kind == ClientKind::SinglePage => {
            return Err(Aadsts::code(700084));
        }
        RefreshTokenState::Expired => {
            return Err(Aadsts::code(700082).saying(format!(
                "The refresh token has expired due to inactivity. The token was issued on {} and was inactive \
                 for 90.00:00:00.",
                moment::dotnet(token.issued)
            )));
        }
    }
    if token.by_device_code && services.entra.device_codes.blocked {
        return Err(Aadsts::code(53003));
    }
    let user = services.user_named(&token.user);
    if tenant.is_some_and(|tenant| tenant != user.tenant) {
        return Err(Aadsts::code(50020).saying(format!(
            "User account '{}' from identity provider 'https://sts.windows.net/{}/' does not exist in tenant \
             'Fabrikam' and cannot access the application '{}' in that tenant. The account needs to be added as \
             an external user in the tenant first.",
            user.name, user.tenant, app.client_id
        )));
    }
    let scope = Scope::parse(form.get("scope").unwrap_or_default())?;
    let granted = Grant::to_user(app, &user, &scope, token.audience)?;
    if services.entra.one_time_refresh_tokens
        && let Some(used) = services.entra.tokens.refresh.get_mut(value)
    {
        used.revoked = Some(70000);
    }
    let renewed = NewRefreshToken {
        user: user.name.clone(),
        client_id: app.client_id,
        kind: token.kind,
        audience: granted.audience,
        by_device_code: token.by_device_code,
    };
    Ok(tokens(services, granted, &scope.wishes(form, None), Some(renewed), now))
}

/// An app signs in as itself: its service principal, whom the PAT API refuses and a vault welcomes.
fn client_credentials(
    services: &mut Services,
    form: &Form,
    app: &AppRegistration,
    tenant: Option<Uuid>,
    proven: bool,
    now: Timestamp,
) -> Result<Answer, Aadsts> {
    let Some(tenant) = tenant else { return Err(Aadsts::code(50059)) };
    if !proven {
        return Err(Aadsts::code(7000216));
    }
    let asked = required(form, "scope")?;
    let scope = Scope::parse(asked)?;
    let Some(audience) = scope.audience.filter(|_| scope.permissions.is_empty()) else {
        return Err(Aadsts::code(1002012).saying(format!(
            "The provided value for scope {asked} is not valid. Client credential flows must have a scope value with \
             /.default suffixed to the resource identifier (application ID URI)."
        )));
    };
    // This service principal is known by its client id.
    let user = User::service_principal(&app.client_id.to_string()).tenant(tenant);
    let grant = Grant { user, client_id: app.client_id, audience, permissions: Vec::new() };
    Ok(tokens(services, grant, &Wishes::default(), None, now))
}

/// What an access token is issued for.
pub(super) struct Grant {
    pub(super) user: User,
    pub(super) client_id: Uuid,
    pub(super) audience: Audience,
    pub(super) permissions: Vec<String>,
}

impl Grant {
    /// What was consented to for this app, of what is asked.
    pub(super) fn to_user(
        app: &AppRegistration,
        user: &User,
        scope: &Scope,
        audience_before: Audience,
    ) -> Result<Self, Aadsts> {
        let audience = scope.audience.unwrap_or(audience_before);
        let permissions = match audience {
            Audience::AzureDevOps => {
                let missing = scope.permissions.iter().any(|asked| !app.permissions.contains(asked));
                if missing || app.permissions.is_empty() {
                    return Err(Aadsts::code(65001).saying(format!(
                        "The user or administrator has not consented to use the application with ID '{}' named \
                         'adopat'. Send an interactive authorization request for this user and resource.",
                        app.client_id
                    )));
                }
                app.permissions.clone()
            }
            Audience::KeyVault | Audience::Graph => vec!["user_impersonation".to_owned()],
        };
        Ok(Self { user: user.clone(), client_id: app.client_id, audience, permissions })
    }
}

/// The answer that hands out tokens.
pub(super) fn tokens(
    services: &mut Services,
    grant: Grant,
    wishes: &Wishes,
    refresh: Option<NewRefreshToken>,
    now: Timestamp,
) -> Answer {
    // Access tokens live 60 to 90 minutes, at random (entra-docs, configurable-token-lifetimes).
    let expires_in = services.chance.between(3600, 5400);
    let scope = Scope::granted(grant.audience, &grant.permissions);
    let id_token = wishes.id_token.then(|| id_token(services, &grant, wishes, now));
    let info = json!({"uid": grant.user.id, "utid": grant.user.tenant}).to_string();
    let meets_a_challenge =
        wishes.claims.as_ref().is_some_and(|claims| services.entra.tokens.challenges.contains(claims));
    let access_token = services.issue_access_token(AccessToken {
        user: grant.user.name,
        tenant: grant.user.tenant,
        audience: grant.audience,
        permissions: grant.permissions,
        end: now + Duration::from_secs(expires_in),
        meets_a_challenge,
    });
    let mut body = json!({
        "token_type": "Bearer",
        "scope": scope,
        "expires_in": expires_in,
        "ext_expires_in": expires_in,
        "access_token": access_token,
    });
    if let Some(refresh) = refresh {
        body["refresh_token"] = services.issue_refresh_token(refresh, now).into();
    }
    if let Some(id_token) = id_token {
        services.remember_secret(&id_token);
        body["id_token"] = id_token.into();
    }
    if wishes.client_info {
        body["client_info"] = URL_SAFE_NO_PAD.encode(info).into();
    }
    answer::json(StatusCode::OK, &body)
}

/// Says who has signed in. Unlike an access token it is meant to be read by the client.
fn id_token(services: &Services, grant: &Grant, wishes: &Wishes, now: Timestamp) -> String {
    let user = &grant.user;
    let mut claims = json!({
        "ver": "2.0",
        "iss": format!("{}/{}/v2.0", services.address(Service::Entra), user.tenant),
        "aud": grant.client_id,
        "sub": format!("FAKE{}", user.id.simple()),
        "oid": user.id,
        "tid": user.tenant,
        "preferred_username": user.name,
        "name": user.name,
        "iat": now.as_second(),
        "nbf": now.as_second(),
        "exp": now.as_second() + 3600,
    });
    if let Some(nonce) = &wishes.nonce {
        claims["nonce"] = nonce.as_str().into();
    }
    jwt::signed(&claims)
}
