//! Microsoft Entra: signs users in and hands out tokens (v2.0 endpoints).

pub mod aadsts;
mod authorize;
mod client_proof;
mod device_code;
mod discovery;
mod pages;
mod scope;
mod token;
mod tokens;

use http::StatusCode;
use jiff::Timestamp;
use uuid::Uuid;

pub use self::device_code::{DeviceCode, DeviceCodePolicy, DeviceCodeState};
pub(crate) use self::tokens::{AccessToken, Tokens};
pub use self::tokens::{Audience, ClientKind, RefreshTokenState};
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::entra::aadsts::Aadsts;
use crate::jwt;
use crate::services::{Service, Services};

/// The resource id of Azure DevOps.
pub const AZURE_DEVOPS: &str = "499b84ac-1321-427f-aa17-267ca6975798";

/// What Entra remembers.
#[derive(Debug, Default)]
pub(crate) struct Entra {
    pub(crate) tokens: Tokens,
    pub(crate) device_codes: DeviceCodePolicy,
    pending: Vec<device_code::Pending>,
    codes: Vec<authorize::Code>,
    /// Whether a refresh token dies when it is used; Entra's documentation says that it does not.
    pub(crate) one_time_refresh_tokens: bool,
}

pub(crate) fn answer(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    let result = match (call.method.as_str(), &call.segments()[..]) {
        ("POST", [tenant, "oauth2", "v2.0", "token"]) => token::answer(services, call, tenant, now),
        ("POST", [tenant, "oauth2", "v2.0", "devicecode"]) => device_code::begin(services, call, tenant, now),
        ("GET" | "POST", [tenant, "oauth2", "v2.0", "authorize"]) => {
            Ok(authorize::answer(services, call, tenant, now))
        }
        ("GET" | "POST", ["devicelogin" | "deviceauth"]) => Ok(device_page(services, call, now)),
        ("GET", ["common", "discovery", "instance"]) => {
            Ok(discovery::instance(services, call.query("authorization_endpoint")))
        }
        ("GET", [tenant, "v2.0", ".well-known", "openid-configuration"]) => {
            Tenant::named(services, tenant).map(|_| discovery::configuration(services, tenant))
        }
        ("GET", [_, "discovery", "v2.0", "keys"]) => Ok(answer::json(StatusCode::OK, &jwt::keys())),
        (_, [_, "oauth2", "v2.0", "token"]) => Err(Aadsts::code(900144)
            .saying("The request body must contain the following parameter: 'grant_type'.")),
        _ => Ok(answer::empty(StatusCode::NOT_FOUND)),
    };
    result.unwrap_or_else(|refusal| render(services, call, &refusal, now))
}

/// Where a person types the code of a device: first the code, then who they are.
fn device_page(services: &mut Services, call: &Call, now: Timestamp) -> Answer {
    let form = call.form();
    let Some(code) = form.get("otc") else {
        return pages::ask_user_code(call.query("otc"), None);
    };
    let asked = match services.asked_by_device(code, now) {
        Ok(asked) => asked,
        Err(complaint) => return pages::ask_user_code(Some(code), Some(complaint)),
    };
    match pages::sign_in(services, call, &asked) {
        pages::Decision::Ask(page) => page,
        pages::Decision::Accept(user) => {
            services.approve_device_code(code, &user);
            pages::device_done(true)
        }
        pages::Decision::Decline => {
            services.decline_device_code(code);
            pages::device_done(false)
        }
    }
}

pub(crate) fn render(services: &mut Services, call: &Call, refusal: &Aadsts, now: Timestamp) -> Answer {
    let entra = services.address(Service::Entra).to_owned();
    refusal.render(call, &mut services.chance, &entra, now)
}

pub(crate) fn dressed(services: &mut Services, call: &Call, mut answer: Answer) -> Answer {
    for (name, value) in [
        ("Cache-Control", "no-store, no-cache"),
        ("Pragma", "no-cache"),
        ("Strict-Transport-Security", "max-age=31536000; includeSubDomains"),
        ("X-Content-Type-Options", "nosniff"),
        ("x-ms-ests-server", "2.1.00000.0 - FAKE ProdSlices"),
    ] {
        answer = answer::with_header(answer, name, value);
    }
    if !answer.headers().contains_key("x-ms-request-id") {
        let id = services.chance.guid().to_string();
        answer = answer::with_header(answer, "x-ms-request-id", &id);
    }
    match call.header("client-request-id") {
        Some(id) => answer::with_header(answer, "client-request-id", id),
        None => answer,
    }
}

/// The tenant that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tenant {
    /// This one.
    One(Uuid),
    /// `organizations`: the user's own, of work accounts.
    Organizations,
    /// `common`: the user's own, of any account.
    Common,
}

impl Tenant {
    pub(crate) fn named(services: &Services, name: &str) -> Result<Self, Aadsts> {
        match name.to_ascii_lowercase().as_str() {
            "organizations" => return Ok(Self::Organizations),
            "common" => return Ok(Self::Common),
            _ => {}
        }
        if !name.contains('.') && Uuid::parse_str(name).is_err() {
            return Err(Aadsts::code(900023).saying(format!(
                "Specified tenant identifier '{name}' is neither a valid DNS name, nor a valid external domain."
            )));
        }
        services.cast.tenant(name).map(Self::One).ok_or_else(|| {
            Aadsts::code(90002).saying(format!(
                "Tenant '{name}' not found. Check to make sure you have the correct tenant ID and are signing into \
                 the correct cloud. Check with your subscription administrator, this may happen if there are no \
                 active subscriptions for the tenant."
            ))
        })
    }

    /// The one tenant, if one is named.
    pub(crate) fn one(self) -> Option<Uuid> {
        match self {
            Self::One(tenant) => Some(tenant),
            Self::Organizations | Self::Common => None,
        }
    }
}
