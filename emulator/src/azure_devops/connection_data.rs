//! `connectionData`: who am I? The cheapest way to try a PAT.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::caller::{Caller, caller};
use super::version;
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::cast::{Organization, UserKind};
use crate::services::{Service, Services};

/// The identity of nobody: a 200 with this id proves nothing.
const ANONYMOUS: &str = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";

pub(super) fn answer(
    services: &mut Services,
    call: &Call,
    organization: &Organization,
    now: Timestamp,
) -> Answer {
    if let Err(refusal) = version::preview_if_given(call) {
        return refusal;
    }
    let caller = match caller(services, call, organization, now) {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    let user = identity(caller.as_ref());
    let body = json!({
        "authenticatedUser": user,
        "authorizedUser": user,
        "instanceId": organization.id,
        "deploymentId": "fa4e0000-0000-4000-8000-000000000003",
        "deploymentType": "hosted",
        "locationServiceData": {
            "serviceOwner": "00025394-6065-48ca-87d9-7f5672854ef7",
            "defaultAccessMappingMoniker": "HostGuidAccessMapping",
            "lastChangeId": 1,
            "lastChangeId64": 1,
        },
    });
    let answer = answer::json(StatusCode::OK, &body);
    match caller {
        Some(caller) => caller.signed(answer),
        None => answer::with_header(
            answer,
            "WWW-Authenticate",
            &format!("Bearer authorization_uri={}/{}", services.address(Service::Entra), organization.tenant),
        ),
    }
}

fn identity(caller: Option<&Caller>) -> Value {
    let Some(Caller { user, .. }) = caller else {
        return json!({
            "id": ANONYMOUS,
            "descriptor": format!("System:PublicAccess;{ANONYMOUS}"),
            "subjectDescriptor": "sys.UHVibGljQWNjZXNzO2FhYWFhYWFhLWFhYWEtYWFhYS1hYWFhLWFhYWFhYWFhYWFhYQ",
            "providerDisplayName": "Anonymous",
            "isActive": true,
            "properties": {},
            "resourceVersion": 2,
            "metaTypeId": 255,
        });
    };
    let (kind, meta_type) = match user.kind {
        UserKind::Person => ("Microsoft.IdentityModel.Claims.ClaimsIdentity", 0),
        UserKind::ServicePrincipal => ("Microsoft.VisualStudio.Services.Claims.AadServicePrincipal", 3),
    };
    json!({
        "id": user.id,
        "descriptor": format!("{kind};{}\\{}", user.tenant, user.name),
        "subjectDescriptor": format!("aad.FAKE{}", user.id.simple()),
        "providerDisplayName": user.name,
        "isActive": true,
        "properties": {"Account": {"$type": "System.String", "$value": user.name}},
        "resourceVersion": 2,
        "metaTypeId": meta_type,
    })
}
