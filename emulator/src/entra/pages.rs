//! The pages that a person clicks through: account, password, second factor, consent. Nothing is asked that could
//! be secret: the password is any word, the second factor a click.
//!
//! The pages keep no session; what has been said so far travels in hidden fields.

use http::StatusCode;
use uuid::Uuid;

use crate::answer::{self, Answer, escaped};
use crate::call::{Call, Form};
use crate::cast::{AppRegistration, UserKind};
use crate::entra::aadsts::Aadsts;
use crate::entra::scope::Scope;
use crate::services::Services;

/// Which app would like to do what, and the user code of its device if it is on one.
pub(super) struct Asked<'a> {
    client_id: Uuid,
    permissions: Vec<String>,
    user_code: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// `.default` asks for every permission that the app is registered with.
    pub(super) fn by(app: &AppRegistration, scope: &Scope, user_code: Option<&'a str>) -> Self {
        let listed = if scope.permissions.is_empty() { &app.permissions } else { &scope.permissions };
        let offline = scope.offline.then(|| "offline_access".to_owned());
        let permissions = listed.iter().cloned().chain(offline).collect();
        Self { client_id: app.client_id, permissions, user_code }
    }
}

/// Where the clicking has led.
pub(super) enum Decision {
    /// To another page.
    Ask(Answer),
    /// This user has signed in and consents.
    Accept(String),
    /// Somebody said no.
    Decline,
}

/// The next page, or the decision.
pub(super) fn sign_in(services: &Services, call: &Call, asked: &Asked<'_>) -> Decision {
    let form = call.form();
    let hint = Form::from_query(call);
    if matches!(form.get("decision"), Some("decline" | "cancel")) {
        return Decision::Decline;
    }
    let account = form
        .get("account")
        .and_then(|name| services.cast.user(name))
        .filter(|user| user.kind == UserKind::Person);
    let Some(account) = account else {
        let hinted = hint.get("login_hint").unwrap_or_default();
        return Decision::Ask(choose_account(services, asked, hinted, form.get("account")));
    };
    let said = Said { account: &account.name, asked };
    match form.get("step") {
        Some("password") if form.get("password").is_none() => {
            Decision::Ask(said.password(Some("Enter a password; any word will do.")))
        }
        Some("password") => Decision::Ask(said.second_factor()),
        Some("second-factor") => Decision::Ask(said.consent()),
        Some("consent") if form.get("decision") == Some("accept") => Decision::Accept(account.name.clone()),
        _ => Decision::Ask(said.password(None)),
    }
}

fn choose_account(services: &Services, asked: &Asked<'_>, hinted: &str, unknown: Option<&str>) -> Answer {
    let people = services.cast.users.iter().filter(|user| user.kind == UserKind::Person);
    let choices: String = people
        .enumerate()
        .map(|(number, user)| {
            let name = escaped(&user.name);
            let chosen = if user.name == hinted || (hinted.is_empty() && number == 0) { " checked" } else { "" };
            format!(
                "<label class=\"choice\"><input type=\"radio\" name=\"account\" value=\"{name}\"{chosen} required> \
                 {name}</label>"
            )
        })
        .collect();
    let complaint = unknown.map(|name| format!("There is no account called {}.", escaped(name)));
    let place = if asked.user_code.is_some() { " on another device" } else { "" };
    page(
        StatusCode::OK,
        "Pick an account",
        complaint.as_deref(),
        &form(
            asked.user_code,
            &format!(
                "<p>You are signing in to the app <code>{}</code>{place}. If you did not start that yourself, \
                 cancel.</p><fieldset><legend>Who are you today?</legend>{choices}</fieldset>\
                 <input type=\"hidden\" name=\"step\" value=\"account\">{}",
                asked.client_id,
                buttons("Next", "cancel", "Cancel")
            ),
        ),
    )
}

/// What has been said so far.
struct Said<'a> {
    account: &'a str,
    asked: &'a Asked<'a>,
}

impl Said<'_> {
    fn password(&self, complaint: Option<&str>) -> Answer {
        self.page(
            "Enter password",
            complaint,
            "password",
            "<p><label for=\"password\">Password</label><input id=\"password\" name=\"password\" \
             type=\"password\" autocomplete=\"off\" aria-describedby=\"about\"></p>\
             <p id=\"about\">A stand-in: any word will do. Never type a real password here.</p>",
            &buttons("Sign in", "cancel", "Cancel"),
        )
    }

    fn second_factor(&self) -> Answer {
        self.page(
            "Approve sign in request",
            None,
            "second-factor",
            "<p>Open your Authenticator app, and enter the number shown to sign in.</p>\
             <p class=\"number\">42</p>\
             <p>A stand-in: there is no app to open. Say that you have done it.</p>",
            &buttons("I have approved it", "cancel", "Cancel"),
        )
    }

    fn consent(&self) -> Answer {
        let permissions: String = self
            .asked
            .permissions
            .iter()
            .map(|permission| {
                format!("<li>{}<br><code>{}</code></li>", meaning(permission), escaped(permission))
            })
            .collect();
        self.page(
            "Permissions requested",
            None,
            "consent",
            &format!(
                "<p>The app <code>{}</code> would like to:</p><ul>{permissions}</ul>",
                self.asked.client_id
            ),
            "<p class=\"buttons\"><button name=\"decision\" value=\"accept\">Accept</button> \
             <button class=\"off\" name=\"decision\" value=\"decline\">Decline</button></p>",
        )
    }

    fn page(&self, title: &str, complaint: Option<&str>, step: &str, content: &str, buttons: &str) -> Answer {
        let account = escaped(self.account);
        let fields = format!(
            "<p class=\"account\">{account}</p><input type=\"hidden\" name=\"account\" value=\"{account}\">\
             <input type=\"hidden\" name=\"step\" value=\"{step}\">{content}{buttons}"
        );
        page(StatusCode::OK, title, complaint, &form(self.asked.user_code, &fields))
    }
}

/// What a permission lets an app do.
fn meaning(permission: &str) -> &'static str {
    match permission {
        "vso.pats" => "Read your personal access tokens in Azure DevOps",
        "vso.pats_manage" => "Create, change and revoke your personal access tokens",
        "vso.variablegroups_read" => "Read the variable groups that you can read",
        "vso.variablegroups_manage" => "Create and change the variable groups that you can change",
        "user_impersonation" => "Do in Azure DevOps whatever you can do",
        "offline_access" => "Keep that access when you are away",
        _ => "Do what this permission of Azure DevOps allows",
    }
}

/// Asks for the code of a device.
pub(super) fn ask_user_code(given: Option<&str>, complaint: Option<&str>) -> Answer {
    let given = escaped(given.unwrap_or_default());
    page(
        StatusCode::OK,
        "Enter code",
        complaint,
        &form(
            None,
            &format!(
                "<p><label for=\"code\">The code that your device shows</label>\
                 <input id=\"code\" name=\"otc\" value=\"{given}\" autocomplete=\"off\" autocapitalize=\"characters\" \
                 spellcheck=\"false\" required></p><p class=\"buttons\"><button>Next</button></p>"
            ),
        ),
    )
}

/// The end of a device's sign-in.
pub(super) fn device_done(accepted: bool) -> Answer {
    match accepted {
        true => page(
            StatusCode::OK,
            "You have signed in",
            None,
            "<p>You have signed in on your device. You may close this window.</p>",
        ),
        false => page(
            StatusCode::OK,
            "You have declined",
            None,
            "<p>Your device gets nothing. You may close this window.</p>",
        ),
    }
}

/// A refusal that a person sees.
pub(super) fn refusal(refusal: &Aadsts) -> Answer {
    let text = format!("<p>AADSTS{}: {}</p>", refusal.code, escaped(&refusal.text));
    page(StatusCode::BAD_REQUEST, "Sorry, but we're having trouble signing you in.", None, &text)
}

/// A page that posts itself to the client (`response_mode=form_post`).
pub(super) fn form_post(to: &str, fields: &[(&str, &str)]) -> Answer {
    let inputs: String = fields
        .iter()
        .map(|(name, value)| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value)))
        .collect();
    let content = format!(
        "<form method=\"post\" action=\"{}\">{inputs}<p><button>Continue</button></p></form>\
         <script>document.forms[0].submit()</script>",
        escaped(to)
    );
    page(StatusCode::OK, "Working...", None, &content)
}

/// Every form goes back to the address it came from.
fn form(user_code: Option<&str>, content: &str) -> String {
    let code = user_code
        .map(|code| format!("<input type=\"hidden\" name=\"otc\" value=\"{}\">", escaped(code)))
        .unwrap_or_default();
    format!("<form method=\"post\">{code}{content}</form>")
}

fn buttons(on: &str, decision: &str, off: &str) -> String {
    format!(
        "<p class=\"buttons\"><button>{on}</button> \
         <button class=\"off\" name=\"decision\" value=\"{decision}\" formnovalidate>{off}</button></p>"
    )
}

/// Readable at any width, on a telephone and without a network.
const STYLE: &str = "\
    *{box-sizing:border-box}\
    body{font:1.0625rem/1.5 system-ui,sans-serif;margin:0;padding:1rem;color:#1b1b1b;background:#f2f2f2}\
    main{max-width:28rem;margin:1.5rem auto 0;padding:1.5rem;background:#fff;border:1px solid #d2d2d2}\
    h1{font-size:1.5rem;line-height:1.25;margin:0 0 1rem}\
    label{display:block}\
    fieldset{border:0;margin:1rem 0;padding:0}legend{padding:0}\
    .choice{padding:.5rem 0}\
    input,button{font:inherit}\
    input:not([type=radio]){width:100%;padding:.5rem;border:1px solid #666}\
    .buttons{display:flex;flex-wrap:wrap;gap:.75rem;margin:1.5rem 0 0}\
    button{padding:.5rem 1.5rem;border:1px solid #0b5cad;background:#0b5cad;color:#fff;cursor:pointer}\
    button.off{border-color:#666;background:#fff;color:#1b1b1b}\
    :focus-visible{outline:3px solid #0b5cad;outline-offset:2px}\
    .account{color:#505050;overflow-wrap:anywhere}code{font-size:.9em;color:#505050;overflow-wrap:anywhere}\
    ul{padding-left:1.25rem}li{margin:.5rem 0}.number{font-size:2.5rem;margin:.5rem 0}\
    [role=alert]{color:#a4262c;font-weight:600}\
    footer{max-width:28rem;margin:1rem auto;padding:0 1.5rem;font-size:.875rem;color:#505050}";

fn page(status: StatusCode, title: &str, complaint: Option<&str>, content: &str) -> Answer {
    let complaint = complaint.map(|text| format!("<p role=\"alert\">{text}</p>")).unwrap_or_default();
    answer::html(
        status,
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title} - adopat-emulator</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <h1>{title}</h1>\n{complaint}{content}\n</main>\n\
             <footer>This is adopat-emulator, a stand-in for tests. It is not Microsoft, and nothing you type is \
             kept.</footer>\n</body>\n</html>\n"
        ),
    )
}
