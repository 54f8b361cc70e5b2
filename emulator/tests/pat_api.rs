//! What is known of the PAT lifecycle API.

mod world;

use std::time::Duration;

use adopat_emulator::{
    AppRegistration, Audience, Creation, Emulator, NewPat, Organization, PAT_TOKEN_ERRORS, PatStatus,
    Policies, RefusalShape, Service, TooLong, cast,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use world::{PATS, World, basic};

const SUPPRESS: (&str, &str) = ("x-tfs-fedauthredirect", "Suppress");

#[test]
fn a_created_pat_shows_its_value_once() {
    let mut world = World::new();
    let body = json!({"displayName": "new_token", "scope": "vso.code vso.build",
                      "validTo": "2026-12-01T23:46:23.319Z", "allOrgs": false});
    let created = world.pats("POST", "", &body.to_string()).with_status(200).json();
    let pat = &created["patToken"];
    let value = pat["token"].as_str().unwrap().to_owned();
    assert_eq!(value.len(), 84);
    assert_eq!(&value[76..80], "AZDO");
    assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric()) && value.contains("FAKE"));
    assert_eq!(created["patTokenError"], "none");
    assert_eq!(pat["displayName"], "new_token");
    assert_eq!(pat["validTo"], "2026-12-01T23:46:23.32Z");
    assert_eq!(pat["validFrom"], "2026-11-24T12:00:00.32Z");
    assert_eq!(pat["targetAccounts"], json!([cast::ORGANIZATION_ID]));

    let id = pat["authorizationId"].as_str().unwrap();
    let read = world.pats("GET", &format!("&authorizationId={id}"), "").with_status(200).json();
    assert_eq!(read["patToken"]["authorizationId"], id);
    assert_eq!(read["patToken"]["token"], Value::Null);
    let listed = world.pats("GET", "", "").with_status(200).json();
    assert_eq!(listed["patTokens"][0]["token"], Value::Null);
    assert_eq!(listed["continuationToken"], "");
    assert!(world.services.issued_secrets().contains(&value));
}

#[test]
fn a_preview_version_must_be_asked_for() {
    let mut world = World::new();
    let bearer = format!("Bearer {}", world.person_token());
    let headers = [("authorization", bearer.as_str())];
    for (query, key) in [
        ("", "VssVersionNotSpecifiedException"),
        ("?api-version=7.1", "VssInvalidPreviewVersionException"),
        ("?api-version=5.0-preview", "VssVersionOutOfRangeException"),
        ("?api-version=7.1-preview.2", "VssVersionOutOfRangeException"),
    ] {
        let path = format!("/fabrikam/_apis/tokens/pats{query}");
        let refused = world.send(Service::Pats, "GET", &path, &headers, "").with_status(400);
        assert_eq!(refused.json()["typeKey"], key, "{query}");
    }
    for version in ["6.1-preview", "7.0-preview.1", "7.2-preview.1"] {
        let path = format!("/fabrikam/_apis/Tokens/Pats?api-version={version}");
        world.send(Service::Pats, "GET", &path, &headers, "").with_status(200);
    }
}

#[test]
fn a_client_without_a_credential_gets_a_page_or_a_401() {
    let mut world = World::new();
    for authorization in [None, Some("Bearer nonsense"), Some("nonsense")] {
        let mut headers: Vec<(&str, &str)> =
            authorization.map(|value| ("authorization", value)).into_iter().collect();
        let page = world.send(Service::Pats, "GET", PATS, &headers, "").with_status(203);
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.text().contains("Azure DevOps Services | Sign In") && page.bytes.len() > 10_000);

        headers.push(SUPPRESS);
        let refused = world.send(Service::Pats, "GET", PATS, &headers, "").with_status(401);
        assert_eq!(refused.json()["typeKey"], "UnauthorizedRequestException");
        assert!(
            refused.json()["message"]
                .as_str()
                .unwrap()
                .starts_with("TF400813: Resource not available for anonymous")
        );
    }
    let browser = [("accept", "text/html")];
    let moved = world.send(Service::Pats, "GET", PATS, &browser, "").with_status(302);
    assert!(moved.header("location").contains("/_signin?realm=vssps.dev.azure.com"));
}

#[test]
fn an_expired_access_token_is_no_credential() {
    let mut world = World::new();
    let bearer = format!("Bearer {}", world.person_token());
    world.pass(SignedDuration::from_secs(3601));
    world.send(Service::Pats, "GET", PATS, &[("authorization", &bearer), SUPPRESS], "").with_status(401);
}

#[test]
fn a_token_for_another_audience_is_no_credential() {
    let mut world = World::new();
    let end = world.now + SignedDuration::from_hours(1);
    let token = world.services.access_token_for(cast::PERSON, Audience::KeyVault, &[], end);
    let bearer = format!("Bearer {token}");
    world.send(Service::Pats, "GET", PATS, &[("authorization", &bearer)], "").with_status(203);
}

#[test]
fn a_stranger_is_refused_with_tf400813() {
    let mut world = World::new();
    let bearer = format!("Bearer {}", world.services.access_token(cast::STRANGER, world.now));
    let refused = world.send(Service::Pats, "GET", PATS, &[("authorization", &bearer)], "").with_status(401);
    assert!(refused.has_byte_order_mark());
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    assert!(refused.header("x-tfs-serviceerror").starts_with("TF400813%3A%20The%20user"));
    assert_eq!(refused.json()["typeKey"], "InvalidIdentityException");
    assert_eq!(refused.json()["eventId"], 3000);
}

#[test]
fn reading_needs_vso_pats_and_changing_needs_both_permissions() {
    let mut world = World::new();
    let end = world.now + SignedDuration::from_hours(1);
    let mut status = |permissions: &[&str], method: &str| {
        let permissions: Vec<String> = permissions.iter().map(|&permission| permission.to_owned()).collect();
        let token = world.services.access_token_for(cast::PERSON, Audience::AzureDevOps, &permissions, end);
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = json!({"displayName": "x", "scope": "vso.code"}).to_string();
        world.send(Service::Pats, method, PATS, &headers, body).status.as_u16()
    };
    assert_eq!(status(&["vso.pats"], "GET"), 200);
    assert_eq!(status(&["vso.pats_manage"], "GET"), 401);
    assert_eq!(status(&["vso.pats_manage"], "POST"), 401);
    assert_eq!(status(&["vso.pats"], "POST"), 401);
    assert_eq!(status(&["vso.pats", "vso.pats_manage"], "POST"), 200);
    assert_eq!(status(&["user_impersonation"], "POST"), 200);
}

#[test]
fn a_service_principal_and_a_pat_are_refused() {
    let mut world = World::new();
    let bearer = format!("Bearer {}", world.services.access_token(cast::SERVICE_PRINCIPAL, world.now));
    let refused = world.send(Service::Pats, "GET", PATS, &[("authorization", &bearer)], "").with_status(403);
    assert_eq!(refused.json()["typeKey"], "InvalidAccessException");
    assert_eq!(refused.json()["message"], "Service principals are not allowed to perform this action.");

    let (value, _) = world.create("ci");
    let refused =
        world.send(Service::Pats, "GET", PATS, &[("authorization", &basic(&value))], "").with_status(403);
    assert_eq!(refused.json()["message"], "The requested operation is not allowed.");
    let unknown = basic("nonsense");
    let refused = world.send(Service::Pats, "GET", PATS, &[("authorization", &unknown)], "").with_status(401);
    assert!(refused.bytes.is_empty() && refused.header("www-authenticate").starts_with("Basic realm="));
}

#[test]
fn an_organization_of_personal_accounts_has_no_tenant_and_lets_nobody_in() {
    let mut world = World::of(
        Emulator::builder().organization(Organization::named("fabrikam").backed_by_personal_accounts()),
    );
    let bearer = format!("Bearer {}", world.person_token());
    let refused = world.send(Service::Pats, "GET", PATS, &[("authorization", &bearer)], "").with_status(401);
    assert_eq!(refused.header("x-vss-resourcetenant"), "00000000-0000-0000-0000-000000000000");
}

#[test]
fn lists_come_in_pages_and_their_token_belongs_to_their_filter() {
    let mut world = World::new();
    for number in 0..230 {
        world.services.add_pat(NewPat::named(&format!("pat {number:03}")), world.now);
    }
    let mut names = Vec::new();
    let mut more = String::new();
    for expected in [100, 100, 30] {
        let page = world
            .pats("GET", &format!("&displayFilterOption=active&$top=500{more}"), "")
            .with_status(200)
            .json();
        let pats = page["patTokens"].as_array().unwrap();
        assert_eq!(pats.len(), expected);
        names.extend(pats.iter().map(|pat| pat["displayName"].as_str().unwrap().to_owned()));
        more = format!("&continuationToken={}", page["continuationToken"].as_str().unwrap());
        if expected == 100 {
            world.pats("GET", &format!("&displayFilterOption=all{more}"), "").with_status(400);
        }
    }
    assert_eq!(more, "&continuationToken=");
    assert_eq!(names.len(), 230);
    assert!(names.is_sorted());
}

#[test]
fn lists_are_filtered_and_sorted() {
    let mut world = World::new();
    for (name, status) in [("b", PatStatus::Active), ("c", PatStatus::Expired), ("a", PatStatus::Revoked)] {
        world.services.add_pat(NewPat::named(name).status(status), world.now);
    }
    world.services.add_pat(NewPat::named("of another").owner(cast::STRANGER), world.now);
    let mut names = |query: &str| {
        let listed = world.pats("GET", query, "").with_status(200).json();
        listed["patTokens"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pat| pat["displayName"].as_str().unwrap().to_owned())
            .collect::<String>()
    };
    assert_eq!(names("&displayFilterOption=active"), "b");
    assert_eq!(names("&displayFilterOption=expired"), "c");
    assert_eq!(names("&displayFilterOption=revoked"), "a");
    assert_eq!(names("&displayFilterOption=all&sortByOption=displayName&isSortAscending=false"), "cba");
    assert_eq!(names("&displayFilterOption=all&sortByOption=status"), "bca");
    world.pats("GET", "&displayFilterOption=nonsense", "").with_status(400);
}

#[test]
fn an_update_leaves_alone_what_it_does_not_name_and_shows_no_value() {
    let mut world = World::new();
    let (value, id) = world.create("ci");
    let body = json!({"authorizationId": id, "validTo": "2027-01-01T00:00:00Z"}).to_string();
    let updated = world.pats("PUT", "", &body).with_status(200).json();
    assert_eq!(updated["patToken"]["displayName"], "ci");
    assert_eq!(updated["patToken"]["scope"], "vso.code");
    assert_eq!(updated["patToken"]["validTo"], "2027-01-01T00:00:00Z");
    assert_eq!(updated["patToken"]["token"], Value::Null);
    assert_eq!(world.services.pats(world.now)[0].value, value);

    let body = json!({"authorizationId": "00000000-0000-0000-0000-000000000001"}).to_string();
    assert_eq!(world.pats("PUT", "", &body).json()["patTokenError"], "authorizationNotFound");
    world.pass(SignedDuration::from_hours(24 * 60));
    let body = json!({"authorizationId": id, "validTo": "2027-02-01T00:00:00Z"}).to_string();
    let refused = world.pats("PUT", "", &body).with_status(200).json();
    assert_eq!(refused["patTokenError"], "expiredPatCannotBeExtended");
    assert_eq!(refused["patToken"], Value::Null);
}

#[test]
fn a_revocation_needs_an_id() {
    let mut world = World::new();
    world.create("ci");
    world.pats("DELETE", "&authorizationId=", "").with_status(400);
    assert_eq!(world.services.pats(world.now)[0].status, PatStatus::Active);
}

#[test]
fn wrong_bodies_are_refused() {
    let mut world = World::new();
    let refused = world.pats("POST", "", "no json").with_status(400);
    assert_eq!(refused.json()["typeKey"], "JsonReaderException");
    let mut error = |body: Value| {
        world.pats("POST", "", &body.to_string()).with_status(200).json()["patTokenError"].clone()
    };
    assert_eq!(error(json!({"scope": "vso.code"})), "displayNameRequired");
    assert_eq!(error(json!({"displayName": "x", "scope": "vso.nonsense"})), "invalidScope");
    assert_eq!(error(json!({"displayName": "x", "scope": "vso.code,vso.build"})), "invalidScope");
    assert_eq!(error(json!({"displayName": "x", "validTo": "2026-11-24T00:00:00Z"})), "invalidValidTo");
    assert_eq!(error(json!({"displayName": "x", "validTo": "2027-11-26T00:00:00Z"})), "invalidValidTo");
    assert_eq!(error(json!({"displayName": "x", "validTo": "2027-11-24T00:00:00Z"})), "none");
    assert_eq!(error(json!({"displayName": "only a name"})), "none");
}

#[test]
fn policies_refuse_by_name_or_shorten_silently() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let mut world = World::of(Emulator::builder().policies(Policies {
        longest_lifespan: Some(7 * DAY),
        restrict_full_scope: true,
        restrict_global: true,
        creation: Creation::PackagingOnly,
        ..Policies::default()
    }));
    let mut create = |body: Value| world.pats("POST", "", &body.to_string()).with_status(200).json();
    let error = |answer: Value| answer["patTokenError"].as_str().unwrap().to_owned();
    assert_eq!(
        error(create(json!({"displayName": "x", "scope": "app_token"}))),
        "fullScopePatPolicyViolation"
    );
    assert_eq!(
        error(create(json!({"displayName": "x", "scope": "vso.code"}))),
        "disablePatCreationPolicyViolation"
    );
    let packaging = "vso.packaging vso.packaging_write";
    assert_eq!(
        error(create(json!({"displayName": "x", "scope": packaging, "allOrgs": true}))),
        "globalPatPolicyViolation"
    );
    let clamped = create(json!({"displayName": "x", "scope": packaging, "validTo": "2027-01-01T00:00:00Z"}));
    assert_eq!(clamped["patToken"]["validTo"], "2026-12-01T12:00:00.32Z");

    // Extended: counted from its creation, so that it is a no-op.
    world.pass(SignedDuration::from_hours(48));
    let id = clamped["patToken"]["authorizationId"].as_str().unwrap();
    let body = json!({"authorizationId": id, "validTo": "2027-01-01T00:00:00Z"}).to_string();
    assert_eq!(world.pats("PUT", "", &body).json()["patToken"]["validTo"], "2026-12-01T12:00:00.32Z");

    world.services.set_policies(
        "fabrikam",
        Policies {
            longest_lifespan: Some(DAY),
            too_long: TooLong::Refuse,
            refusal_shape: RefusalShape::Generic,
            ..Policies::default()
        },
    );
    let body =
        json!({"displayName": "x", "scope": "vso.code", "validTo": "2027-01-01T00:00:00Z"}).to_string();
    let refused = world.pats("POST", "", &body).with_status(400);
    assert!(!refused.has_byte_order_mark());
    assert_eq!(refused.json()["message"], "PatLifespanPolicyViolation");
}

#[test]
fn a_global_pat_has_no_target_accounts_and_can_be_narrowed() {
    let mut world = World::of(
        Emulator::builder()
            .organization(Organization::named("fabrikam"))
            .organization(Organization::named("tailspin")),
    );
    let pat = world.services.add_pat(NewPat::named("wide").global(), world.now);
    let elsewhere = [("authorization", basic(&pat.value))];
    let elsewhere: Vec<(&str, &str)> =
        elsewhere.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let who = "/tailspin/_apis/connectionData";
    world.send(Service::DevOps, "GET", who, &elsewhere, "").with_status(200);
    let id = pat.authorization_id;
    let read = world.pats("GET", &format!("&authorizationId={id}"), "").json();
    assert_eq!(read["patToken"]["targetAccounts"], Value::Null);
    let body = json!({"authorizationId": id, "allOrgs": false}).to_string();
    let narrowed = world.pats("PUT", "", &body).json();
    assert_eq!(narrowed["patToken"]["targetAccounts"], json!([cast::ORGANIZATION_ID]));
    world.send(Service::DevOps, "GET", who, &elsewhere, "").with_status(401);

    world
        .services
        .set_policies("fabrikam", Policies { global_pats_end: Some(world.now), ..Policies::default() });
    let body = json!({"displayName": "x", "scope": "vso.code", "allOrgs": true}).to_string();
    assert_eq!(world.pats("POST", "", &body).json()["patTokenError"], "globalPATCreationBlocked");
}

#[test]
fn connection_data_says_who_a_pat_belongs_to() {
    let mut world = World::of(Emulator::builder().policies(Policies {
        usable_after: Duration::from_secs(5),
        dead_after: Duration::from_secs(5),
        ..Policies::default()
    }));
    let who = "/fabrikam/_apis/connectionData";
    let anonymous = world.send(Service::DevOps, "GET", who, &[], "").with_status(200).json();
    assert_eq!(anonymous["authenticatedUser"]["id"], "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa");

    let (value, id) = world.create("ci");
    let credential = basic(&value);
    let headers = [("authorization", credential.as_str())];
    let not_yet = world.send(Service::DevOps, "GET", who, &headers, "").with_status(401);
    assert!(not_yet.bytes.is_empty() && not_yet.headers.get("content-type").is_none());
    assert!(not_yet.header("www-authenticate").starts_with("Basic realm="));
    world.pass(SignedDuration::from_secs(6));
    let known = world.send(Service::DevOps, "GET", who, &headers, "").with_status(200);
    assert_eq!(known.json()["authenticatedUser"]["properties"]["Account"]["$value"], cast::PERSON);
    assert_eq!(known.json()["instanceId"], cast::ORGANIZATION_ID.to_string());
    assert!(known.header("x-vss-userdata").ends_with(cast::PERSON));
    world.send(Service::DevOps, "GET", &format!("{who}?api-version=7.1"), &headers, "").with_status(400);

    world.pats("DELETE", &format!("&authorizationId={id}"), "").with_status(204);
    world.send(Service::DevOps, "GET", who, &headers, "").with_status(200);
    world.pass(SignedDuration::from_secs(6));
    world.send(Service::DevOps, "GET", who, &headers, "").with_status(401);
}

#[test]
fn the_front_page_names_the_tenant() {
    let mut world = World::new();
    let page = world.send(Service::DevOps, "HEAD", "/fabrikam", &[SUPPRESS], "").with_status(401);
    let challenges = page.all("www-authenticate");
    let expected = format!("Bearer authorization_uri=https://login.microsoftonline.com/{}", cast::TENANT);
    assert!(challenges.contains(&expected.as_str()), "{challenges:?}");
    assert_eq!(page.header("x-vss-resourcetenant"), cast::TENANT.to_string());
    world.send(Service::DevOps, "HEAD", "/fabrikam", &[], "").with_status(302);
    world.send(Service::DevOps, "HEAD", "/nowhere", &[], "").with_status(404);
}

#[test]
fn every_answer_carries_the_ids_that_support_asks_for() {
    let mut world = World::new();
    let answer = world.pats("GET", "", "");
    for name in ["date", "activityid", "x-vss-e2eid", "x-vss-resourcetenant"] {
        assert!(!answer.header(name).is_empty(), "{name}");
    }
    assert!(answer.header("x-vss-userdata").ends_with(cast::PERSON));
    assert_eq!(answer.header("date"), "Tue, 24 Nov 2026 12:00:00 GMT");
}

#[test]
fn the_refusals_have_37_names() {
    let mut names = PAT_TOKEN_ERRORS.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 37);
}

#[test]
fn an_app_without_permission_is_told_to_consent() {
    let app = AppRegistration::public(cast::CLIENT_ID).permissions(&[]);
    let mut world = World::of(Emulator::builder().app(app));
    let token = world.services.refresh_token(cast::PERSON, cast::CLIENT_ID, world.now);
    let client = cast::CLIENT_ID.to_string();
    let fields =
        [("grant_type", "refresh_token"), ("client_id", client.as_str()), ("refresh_token", token.as_str())];
    let refused = world.form(world::TOKEN, &fields).with_status(400).json();
    assert_eq!(refused["error_codes"], json!([65001]));
    assert_eq!(refused["suberror"], "consent_required");
}
