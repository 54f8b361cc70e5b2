//! Takes out of an exchange whatever is secret or personal, before it is kept.
//!
//! What is kept is what this module knows to be harmless: names of errors, instants, numbers. Ids, names and secrets
//! become placeholders, the same one wherever the same text stood; every other text becomes `redacted`. Of the user's
//! own PATs nothing is kept but that they are there.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use adopat::entra::AZURE_DEVOPS;
use adopat::http::Answer;
use adopat::secret::Secret;
use adopat_emulator::{Exchange, Service};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Map, Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use crate::scene::PREFIX;

/// The identity of nobody, which is nobody's personal data.
const ANONYMOUS: &str = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";

/// Gives placeholders, the same one for the same text. It remembers texts by their hashes alone.
#[derive(Debug, Default)]
pub struct Redactor {
    hasher: RandomState,
    numbers: HashMap<(&'static str, u64), usize>,
    /// Names of persons and organizations that were met: they may stand in a service's words unquoted.
    names: Vec<Secret>,
}

impl Redactor {
    /// The exchange without anything secret or personal.
    pub fn exchange(
        &mut self,
        service: Service,
        at: Timestamp,
        request: &Request<Bytes>,
        response: &Response<Bytes>,
    ) -> Exchange {
        let answer = Answer::from(response.clone());
        self.learn(service, request, &answer);
        let headers = request.headers();
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let request_id = text("client-request-id").map(|id| self.ids(id));
        Exchange {
            service,
            at,
            method: request.method().to_string(),
            path: self.path(service, request.uri().path()),
            query: self.query(request.uri().query().unwrap_or_default()),
            authorization: text("authorization").and_then(|value| value.split(' ').next()).map(str::to_owned),
            request_id,
            body: self.request_body(request),
            status: answer.status.as_u16(),
            headers: self.headers(&answer),
            byte_order_mark: answer.body.starts_with(b"\xEF\xBB\xBF"),
            answer: self.answer_body(service, at, &answer),
        }
    }

    fn learn(&mut self, service: Service, request: &Request<Bytes>, answer: &Answer) {
        let mut names = Vec::new();
        if service != Service::Entra {
            names.extend(request.uri().path().split('/').nth(1).map(str::to_owned));
        }
        let user = answer.header("X-VSS-UserData").and_then(|data| data.split_once(':'));
        names.extend(user.map(|(_, name)| name.to_owned()));
        if let Ok(json) = answer.json::<Value>() {
            let user = &json["authenticatedUser"];
            for name in [
                &user["providerDisplayName"],
                &user["customDisplayName"],
                &user["properties"]["Account"]["$value"],
            ] {
                names.extend(name.as_str().map(str::to_owned));
            }
        }
        for name in names.into_iter().map(|name| Secret::new(name.to_ascii_lowercase())) {
            let says_something = name.expose().len() > 2 && name.expose().contains(char::is_alphanumeric);
            if says_something && !name.expose().starts_with('_') && !self.names.contains(&name) {
                self.names.push(name);
            }
        }
    }

    fn placeholder(&mut self, kind: &'static str, text: &str) -> String {
        let key = (kind, self.hasher.hash_one(text));
        let next = 1 + self.numbers.keys().filter(|(known, _)| *known == kind).count();
        format!("{{{{{kind}-{}}}}}", self.numbers.entry(key).or_insert(next))
    }

    fn id(&mut self, id: &str) -> String {
        let lower = id.to_ascii_lowercase();
        match Uuid::parse_str(&lower) {
            Ok(uuid) if uuid.is_nil() => lower,
            _ if lower == ANONYMOUS || lower == AZURE_DEVOPS => lower,
            _ => self.placeholder("id", &lower),
        }
    }

    /// The text with every GUID in it as a placeholder.
    fn ids(&mut self, text: &str) -> String {
        let mut kept = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            match rest.get(..36).filter(|window| is_guid(window)) {
                Some(guid) => {
                    kept.push_str(&self.id(guid));
                    rest = &rest[36..];
                }
                None => {
                    kept.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        kept
    }

    fn path(&mut self, service: Service, path: &str) -> String {
        let mut segments: Vec<String> = path.split('/').map(str::to_owned).collect();
        // The organization, or the tenant, comes first.
        if let Some(first) = segments.get_mut(1).filter(|first| !first.is_empty() && !first.starts_with('_'))
        {
            *first = match service {
                Service::Entra if ["organizations", "common", "devicelogin"].contains(&first.as_str()) => {
                    first.clone()
                }
                Service::Entra if is_guid(first) => self.id(first),
                Service::Entra => self.placeholder("tenant", &first.to_lowercase()),
                _ => self.placeholder("organization", &first.to_lowercase()),
            };
        }
        segments.join("/")
    }

    fn query(&mut self, query: &str) -> Map<String, Value> {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect::<Vec<_>>();
        let kept = pairs.into_iter().map(|(name, value)| {
            let value = match name.as_str() {
                "continuationToken" if !value.is_empty() => self.placeholder("continuation", &value),
                "authorizationId" if is_guid(&value) => self.id(&value),
                "authorizationId"
                | "api-version"
                | "displayFilterOption"
                | "sortByOption"
                | "isSortAscending"
                | "$top" => value,
                _ if value.is_empty() => value,
                _ => self.placeholder("text", &value),
            };
            (name, Value::from(value))
        });
        kept.collect()
    }

    fn request_body(&mut self, request: &Request<Bytes>) -> Value {
        let body = request.body();
        let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if body.is_empty() {
            return Value::Null;
        }
        let fields: Map<String, Value> = if kind.is_some_and(|kind| kind.contains("x-www-form-urlencoded")) {
            let pairs = form_urlencoded::parse(body).into_owned();
            pairs.map(|(name, value)| (name, Value::from(value))).collect()
        } else {
            match serde_json::from_slice(body) {
                Ok(Value::Object(fields)) => fields,
                _ => return "{{text-1}}".into(),
            }
        };
        let kept = fields.into_iter().map(|(name, value)| {
            let value = match value {
                Value::String(text) => self.sent(&name, &text).into(),
                Value::Object(_) | Value::Array(_) => "redacted".into(),
                plain => plain,
            };
            (name, value)
        });
        kept.collect()
    }

    /// A text that a request sends under this name.
    fn sent(&mut self, name: &str, text: &str) -> String {
        match name {
            _ if text.trim().is_empty() => text.to_owned(),
            "displayName" => self.placeholder("name", text),
            "authorizationId" | "client_id" => self.id(text),
            "scope" => scope(text),
            "grant_type" | "validTo" | "client_assertion_type" => text.to_owned(),
            _ => self.placeholder("secret", text),
        }
    }

    fn headers(&mut self, answer: &Answer) -> Vec<(String, String)> {
        let mut kept = Vec::new();
        for (name, value) in &answer.headers {
            let Ok(text) = value.to_str() else { continue };
            let text = match name.as_str() {
                "content-type"
                | "retry-after"
                | "x-ratelimit-limit"
                | "x-ratelimit-remaining"
                | "x-ratelimit-delay" => text.to_owned(),
                "activityid"
                | "x-vss-e2eid"
                | "x-vss-resourcetenant"
                | "x-ms-request-id"
                | "client-request-id" => self.ids(text),
                "x-vss-userdata" => "redacted:redacted".into(),
                "www-authenticate" => self.challenge(text),
                "location" if text.contains("/_signin") => "https://redacted.example/_signin".into(),
                "location" => "https://redacted.example/".into(),
                "x-tfs-serviceerror" => {
                    let words = percent_decode_str(text).decode_utf8_lossy().replace('+', " ");
                    utf8_percent_encode(&self.words(&words), NON_ALPHANUMERIC).to_string()
                }
                _ => continue,
            };
            kept.push((name.as_str().to_owned(), text));
        }
        kept
    }

    /// `Bearer authorization_uri=...` keeps the tenant as a placeholder, `Basic realm=...` nothing but that it is one.
    fn challenge(&mut self, text: &str) -> String {
        if let Some((scheme, _)) = text.split_once("realm=") {
            return format!("{scheme}realm=\"redacted\"");
        }
        let Some((scheme, address)) = text.split_once("authorization_uri=") else { return self.words(text) };
        let tenant =
            self.ids(address.trim_matches('"').trim_end_matches('/').rsplit('/').next().unwrap_or_default());
        let tenant = if tenant.contains("{{") || is_guid(&tenant) { tenant } else { "redacted".into() };
        format!("{scheme}authorization_uri=https://login.microsoftonline.com/{tenant}")
    }

    fn answer_body(&mut self, service: Service, at: Timestamp, answer: &Answer) -> Value {
        if answer.body.is_empty() {
            return Value::Null;
        }
        if answer.is_page() {
            let text = answer.text();
            let title = text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
            let title = title.map_or(String::new(), |(title, _)| self.words(title.trim()));
            return format!("<!DOCTYPE html><html><head><title>{title}</title></head></html>").into();
        }
        match answer.json::<Value>() {
            Ok(json @ (Value::Object(_) | Value::Array(_))) => self.received(service, at, "", &json),
            Ok(other) => other,
            Err(_) => "redacted".into(),
        }
    }

    /// What an answer holds under this name.
    fn received(&mut self, service: Service, at: Timestamp, name: &str, json: &Value) -> Value {
        match json {
            Value::Object(fields) if is_a_pat_of_the_users_own(fields) => self.of_the_users_own(at, fields),
            Value::Object(fields) => {
                let fields = fields.iter();
                fields.map(|(name, value)| (name.clone(), self.received(service, at, name, value))).collect()
            }
            Value::Array(values) => {
                values.iter().map(|value| self.received(service, at, name, value)).collect()
            }
            Value::String(text) => self.told(service, name, text).into(),
            other => other.clone(),
        }
    }

    fn told(&mut self, service: Service, name: &str, text: &str) -> String {
        match name {
            _ if text.is_empty() => String::new(),
            "token" => self.placeholder("pat", text),
            "access_token" | "refresh_token" | "id_token" | "device_code" | "user_code" | "client_info" => {
                self.placeholder("secret", text)
            }
            "displayName" => self.placeholder("name", text),
            "continuationToken" => self.placeholder("continuation", text),
            // The words that go with a device code hold the code itself.
            "message" if service == Service::Entra => "redacted".into(),
            "message" | "error_description" | "patTokenErrorMessage" => self.words(text),
            "patTokenError" | "typeKey" | "typeName" | "error" | "suberror" | "token_type"
            | "deploymentType" | "timestamp" | "$id" => self.ids(text),
            "scope" => scope(text),
            "verification_uri" => "https://microsoft.com/devicelogin".into(),
            _ if is_guid(text) => self.id(text),
            _ if text.contains('T') && text.parse::<Timestamp>().is_ok() => text.to_owned(),
            _ => "redacted".into(),
        }
    }

    /// A PAT that the probe has not made: its shape, and nothing of what it is.
    fn of_the_users_own(&mut self, at: Timestamp, fields: &Map<String, Value>) -> Value {
        let day = SignedDuration::from_hours(24);
        let kept = fields.iter().map(|(name, value)| {
            let value = match (name.as_str(), value) {
                ("displayName", Value::String(text)) => self.placeholder("name", text).into(),
                ("authorizationId", Value::String(text)) => self.id(text).into(),
                ("targetAccounts", Value::Array(ids)) => {
                    ids.iter().map(|id| self.id(id.as_str().unwrap_or_default())).collect()
                }
                ("validFrom", Value::String(_)) => {
                    json!((at - day).strftime("%Y-%m-%dT00:00:00Z").to_string())
                }
                ("validTo", Value::String(_)) => {
                    json!((at + 30 * day).strftime("%Y-%m-%dT00:00:00Z").to_string())
                }
                (_, Value::Null) => Value::Null,
                _ => "redacted".into(),
            };
            (name.clone(), value)
        });
        kept.collect()
    }

    /// A service's words without what they quote, without addresses and without ids.
    fn words(&mut self, text: &str) -> String {
        let mut text = without_quotes(&self.ids(text));
        for name in &self.names {
            while let Some(at) = text.to_ascii_lowercase().find(name.expose()) {
                text.replace_range(at..at + name.expose().len(), "...");
            }
        }
        let kept = text.split(' ').map(|word| match word {
            word if word.contains(['@', '\\']) || word.contains("://") => "...",
            word => word,
        });
        kept.collect::<Vec<_>>().join(" ")
    }
}

/// The words of a scope that are Azure DevOps' own; others could be an app's of the tenant.
fn scope(text: &str) -> String {
    let known = |word: &str| {
        word.starts_with("vso.")
            || word.starts_with(AZURE_DEVOPS)
            || ["offline_access", "app_token"].contains(&word)
    };
    let kept = text.split(' ').map(|word| if known(word) { word } else { "redacted" });
    kept.collect::<Vec<_>>().join(" ")
}

fn is_guid(text: &str) -> bool {
    text.len() == 36 && Uuid::parse_str(text).is_ok()
}

fn is_a_pat_of_the_users_own(fields: &Map<String, Value>) -> bool {
    let name = fields.get("displayName").and_then(Value::as_str);
    fields.contains_key("authorizationId") && !name.unwrap_or_default().starts_with(PREFIX)
}

/// The text with `...` between its quotation marks. An apostrophe within a word is none.
fn without_quotes(text: &str) -> String {
    let mut kept = String::new();
    let mut open = None;
    let mut before = ' ';
    for c in text.chars() {
        match open {
            Some(mark) if c == mark => {
                kept.push_str("...");
                kept.push(c);
                open = None;
            }
            Some(_) => {}
            None => {
                kept.push(c);
                if c == '"' || (c == '\'' && !before.is_alphanumeric()) {
                    open = Some(c);
                }
            }
        }
        before = c;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-11-24T12:00:00Z";

    fn exchanged(service: Service, request: Request<&str>, status: u16, body: &str) -> Exchange {
        let answer = Response::builder().status(status).header("x-vss-userdata", "1:megan@contoso.example");
        let answer = answer.body(Bytes::from(body.to_owned())).expect("a response");
        let request = request.map(|body| Bytes::from(body.to_owned()));
        Redactor::default().exchange(service, AT.parse().expect("an instant"), &request, &answer)
    }

    #[test]
    fn nothing_of_a_person_is_kept() {
        let request = Request::get("https://dev.azure.com/contoso/_apis/connectionData").body("");
        let body = r#"{"authenticatedUser": {"id": "00000000-0000-0000-0000-0000000000aa",
            "providerDisplayName": "Megan Bowen", "properties": {"Account": {"$value": "megan@contoso.example"}}},
            "instanceId": "00000000-0000-0000-0000-0000000000bb"}"#;
        let kept = exchanged(Service::DevOps, request.expect("a request"), 200, body).to_json().to_string();
        for personal in ["Megan", "contoso", "0000000000aa", "0000000000bb"] {
            assert!(!kept.contains(personal), "{personal} is in {kept}");
        }
        assert!(
            kept.contains("{{id-1}}") && kept.contains("{{id-2}}") && kept.contains("{{organization-1}}")
        );
    }

    #[test]
    fn no_quotation_address_or_account_is_kept_of_a_message() {
        let mut redactor = Redactor::default();
        let told = redactor.words(
            "TF400813: The user 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa' of contoso\\megan (megan@contoso.example) \
             isn't authorized at https://contoso.visualstudio.com/ for \"Secret Project\".",
        );
        assert_eq!(told, "TF400813: The user '...' of ... ... isn't authorized at ... for \"...\".");
    }

    #[test]
    fn a_name_that_was_met_is_kept_nowhere_even_unquoted() {
        let mut redactor = Redactor::default();
        let request = Request::get("https://dev.azure.com/fabrikam/_apis/connectionData").body(Bytes::new());
        let answer =
            Response::new(Bytes::from(r#"{"authenticatedUser": {"providerDisplayName": "Megan Bowen"}}"#));
        let at = AT.parse().expect("an instant");
        redactor.exchange(Service::DevOps, at, &request.expect("a request"), &answer);
        assert_eq!(
            redactor.words("Megan Bowen is unknown in Fabrikam, says megan bowen."),
            "... is unknown in ..., says ...."
        );
    }

    #[test]
    fn of_the_users_own_pats_only_the_shape_is_kept() {
        let request = Request::get("https://vssps.dev.azure.com/contoso/_apis/tokens/pats?$top=100").body("");
        let body = r#"{"continuationToken": "bWVnYW4=", "patTokens": [{"displayName": "megan's laptop",
            "validTo": "2027-03-04T05:06:07Z", "scope": "vso.code_full", "targetAccounts": null, "token": null,
            "validFrom": "2026-03-04T05:06:07Z", "authorizationId": "00000000-0000-0000-0000-0000000000cc"}]}"#;
        let kept = exchanged(Service::Pats, request.expect("a request"), 200, body);
        let pat = &kept.answer["patTokens"][0];
        assert_eq!(pat["displayName"], "{{name-1}}");
        assert_eq!((&pat["scope"], &pat["targetAccounts"]), (&json!("redacted"), &Value::Null));
        assert_eq!(pat["validTo"], "2026-12-24T00:00:00Z");
        assert_eq!(kept.answer["continuationToken"], "{{continuation-1}}");
    }

    #[test]
    fn a_secret_is_the_same_placeholder_wherever_it_stands() {
        let request = Request::post("https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body("grant_type=refresh_token&refresh_token=hunter2hunter2&client_secret=hunter3hunter3");
        let body =
            r#"{"access_token": "hunter4hunter4", "refresh_token": "hunter2hunter2", "expires_in": 3600}"#;
        let kept = exchanged(Service::Entra, request.expect("a request"), 200, body);
        assert!(!kept.to_json().to_string().contains("hunter"));
        assert_eq!(kept.body["refresh_token"], kept.answer["refresh_token"]);
        assert_ne!(kept.body["refresh_token"], kept.body["client_secret"]);
    }
}
