//! The device code flow: a code that is typed in elsewhere, and a client that asks whether it has been.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::answer::{self, Answer};
use crate::call::{Call, Form};
use crate::cast::AppRegistration;
use crate::entra::Tenant;
use crate::entra::aadsts::Aadsts;
use crate::entra::pages::Asked;
use crate::entra::scope::Scope;
use crate::entra::token::{self, Grant};
use crate::entra::tokens::{ClientKind, NewRefreshToken};
use crate::services::{Service, Services};

/// How the flow behaves.
#[derive(Clone, Debug)]
pub struct DeviceCodePolicy {
    /// How long a code lives; Entra's live 900 s.
    pub lifetime: Duration,
    /// How long the client shall wait between two questions; Entra says 5 s.
    pub interval: Duration,
    /// A Conditional Access policy blocks the flow: 53003, for the refresh tokens it has given too.
    pub blocked: bool,
    /// Every new code is at once approved by this user.
    pub approved_by: Option<String>,
}

impl Default for DeviceCodePolicy {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(900),
            interval: Duration::from_secs(5),
            blocked: false,
            approved_by: None,
        }
    }
}

/// A device code as a test reads it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCode {
    /// What the person types in.
    pub user_code: String,
    /// Who asked for it.
    pub client_id: Uuid,
    /// How it stands.
    pub state: DeviceCodeState,
    /// How often the client has asked.
    pub polls: usize,
}

/// How a device code stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceCodeState {
    /// Nobody has typed it in.
    Pending,
    /// This user has signed in with it.
    Approved(String),
    /// Somebody said no.
    Declined,
    /// The tokens have been fetched.
    Redeemed,
}

#[derive(Clone, Debug)]
pub(super) struct Pending {
    device_code: String,
    user_code: String,
    client_id: Uuid,
    scope: Scope,
    end: Timestamp,
    interval: Duration,
    last_poll: Option<Timestamp>,
    polls: usize,
    state: DeviceCodeState,
}

/// Hands out a code.
pub(super) fn begin(
    services: &mut Services,
    call: &Call,
    tenant: &str,
    now: Timestamp,
) -> Result<Answer, Aadsts> {
    let form = call.form();
    let tenant = Tenant::named(services, tenant)?;
    let app = token::app(services, token::required(&form, "client_id")?, tenant)?;
    let scope = Scope::parse(token::required(&form, "scope")?)?;
    let policy = services.entra.device_codes.clone();
    let pending = Pending {
        device_code: format!("FAKE{}", services.chance.url_safe(180)),
        user_code: format!("FAKE{}", services.chance.typeable(5)),
        client_id: app.client_id,
        scope,
        end: now + policy.lifetime,
        interval: policy.interval,
        last_poll: None,
        polls: 0,
        state: policy.approved_by.map_or(DeviceCodeState::Pending, DeviceCodeState::Approved),
    };
    let page = format!("{}/devicelogin", services.address(Service::Entra));
    let body = json!({
        "user_code": pending.user_code,
        "device_code": pending.device_code,
        "verification_uri": page,
        "expires_in": policy.lifetime.as_secs(),
        "interval": policy.interval.as_secs(),
        "message": format!(
            "To sign in, use a web browser to open the page {page} and enter the code {} to authenticate.",
            pending.user_code
        ),
    });
    services.remember_secret(&pending.device_code);
    services.entra.pending.push(pending);
    Ok(answer::json(StatusCode::OK, &body))
}

/// Answers whether it has been typed in.
pub(super) fn redeem(
    services: &mut Services,
    form: &Form,
    app: &AppRegistration,
    proven: bool,
    now: Timestamp,
) -> Result<Answer, Aadsts> {
    if !app.public && !proven {
        return Err(Aadsts::code(7000218));
    }
    let value = form.get("device_code").or_else(|| form.get("code"));
    let value = value.ok_or_else(|| {
        Aadsts::code(900144).saying("The request body must contain the following parameter: 'device_code'.")
    })?;
    let blocked = services.entra.device_codes.blocked;
    let known = services.entra.pending.iter_mut().find(|pending| pending.device_code == value);
    let Some(pending) = known.filter(|pending| pending.client_id == app.client_id) else {
        return Err(Aadsts::code(70018));
    };
    pending.polls += 1;
    if pending.end <= now {
        return Err(Aadsts::code(70019));
    }
    // Half a second is forgiven: it was on its way.
    let too_soon = pending.last_poll.is_some_and(|last| {
        last + pending.interval > now + Duration::from_millis(500).min(pending.interval / 2)
    });
    pending.last_poll = Some(now);
    if too_soon {
        pending.interval += Duration::from_secs(5);
        return Err(Aadsts::code(70016).error("slow_down").saying("The client asks too often."));
    }
    let user = match &pending.state {
        DeviceCodeState::Pending => return Err(Aadsts::code(70016)),
        DeviceCodeState::Declined => {
            return Err(Aadsts::code(65004).error("authorization_declined"));
        }
        DeviceCodeState::Redeemed => return Err(Aadsts::code(54005)),
        DeviceCodeState::Approved(_) if blocked => return Err(Aadsts::code(53003)),
        DeviceCodeState::Approved(user) => user.clone(),
    };
    pending.state = DeviceCodeState::Redeemed;
    let scope = pending.scope.clone();
    let user = services.user_named(&user);
    let grant = Grant::to_user(app, &user, &scope, crate::Audience::AzureDevOps)?;
    let refresh = scope.offline.then_some(NewRefreshToken {
        user: user.name,
        client_id: app.client_id,
        kind: ClientKind::Public,
        audience: grant.audience,
        by_device_code: true,
    });
    Ok(token::tokens(services, grant, &scope.wishes(form, None), refresh, now))
}

impl Services {
    /// How the device code flow behaves from now on.
    pub fn set_device_code_policy(&mut self, policy: DeviceCodePolicy) {
        self.entra.device_codes = policy;
    }

    /// Every device code, in the order of issue.
    pub fn device_codes(&self) -> Vec<DeviceCode> {
        let shown = |pending: &Pending| DeviceCode {
            user_code: pending.user_code.clone(),
            client_id: pending.client_id,
            state: pending.state.clone(),
            polls: pending.polls,
        };
        self.entra.pending.iter().map(shown).collect()
    }

    /// A user signs in with this user code.
    ///
    /// # Panics
    /// When there is no such code or user.
    pub fn approve_device_code(&mut self, user_code: &str, user: &str) {
        let user = self.user_named(user).name;
        self.pending(user_code).expect("a user code that was issued here").state =
            DeviceCodeState::Approved(user);
    }

    /// Somebody says no to this user code.
    ///
    /// # Panics
    /// When there is no such code.
    pub fn decline_device_code(&mut self, user_code: &str) {
        self.pending(user_code).expect("a user code that was issued here").state = DeviceCodeState::Declined;
    }

    /// This user code expires now.
    ///
    /// # Panics
    /// When there is no such code.
    pub fn expire_device_code(&mut self, user_code: &str, now: Timestamp) {
        self.pending(user_code).expect("a user code that was issued here").end = now;
    }

    fn pending(&mut self, user_code: &str) -> Option<&mut Pending> {
        self.entra.pending.iter_mut().find(|pending| pending.user_code.eq_ignore_ascii_case(user_code.trim()))
    }

    /// What the device asks for that shows this user code; what a person is told if nobody can sign in with
    /// it now.
    pub(super) fn asked_by_device<'a>(
        &mut self,
        user_code: &'a str,
        now: Timestamp,
    ) -> Result<Asked<'a>, &'static str> {
        const UNKNOWN: &str = "That code didn't work. Check the code and try again.";
        let pending = self.pending(user_code).ok_or(UNKNOWN)?;
        if pending.state != DeviceCodeState::Pending {
            return Err("That code has been used already. Start the sign-in on your device again.");
        }
        if pending.end <= now {
            return Err("That code has expired. Start the sign-in on your device again.");
        }
        let (client_id, scope) = (pending.client_id, pending.scope.clone());
        let app = self.cast.app(client_id).ok_or(UNKNOWN)?;
        Ok(Asked::by(app, &scope, Some(user_code)))
    }
}
