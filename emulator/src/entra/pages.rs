//! The pages that a person clicks through: account, password, second factor, consent. Nothing is asked that could
//! be secret: the password is any word, the second factor a click.
//!
//! The pages keep no session; what has been said so far travels in hidden fields.

use http::StatusCode;

use crate::answer::{self, Answer, escaped};
use crate::call::{Call, Form};
use crate::cast::UserKind;
use crate::entra::aadsts::Aadsts;
use crate::services::Services;

/// Where the clicking has led.
pub(super) enum Decision {
    /// To another page.
    Ask(Answer),
    /// This user has signed in and consents.
    Accept(String),
    /// Somebody said no.
    Decline,
}

/// The next page, or the decision. A user code, where there is one, travels along.
pub(super) fn sign_in(services: &Services, call: &Call, user_code: Option<&str>) -> Decision {
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
        return Decision::Ask(choose_account(services, user_code, hinted, form.get("account")));
    };
    let said = Said { account: &account.name, user_code };
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

fn choose_account(
    services: &Services,
    user_code: Option<&str>,
    hinted: &str,
    unknown: Option<&str>,
) -> Answer {
    let people = services.cast.users.iter().filter(|user| user.kind == UserKind::Person);
    let choices: String = people
        .enumerate()
        .map(|(number, user)| {
            let name = escaped(&user.name);
            let chosen = if user.name == hinted || (hinted.is_empty() && number == 0) { " checked" } else { "" };
            format!(
                "<p><label><input type=\"radio\" name=\"account\" value=\"{name}\"{chosen}> {name}</label></p>"
            )
        })
        .collect();
    let complaint = unknown.map(|name| format!("There is no account called {}.", escaped(name)));
    page(
        StatusCode::OK,
        "Pick an account",
        complaint.as_deref(),
        &form(
            user_code,
            &format!(
                "<fieldset><legend>Who are you today?</legend>{choices}</fieldset>\
                 <input type=\"hidden\" name=\"step\" value=\"account\">{}",
                buttons("Next", "cancel", "Cancel")
            ),
        ),
    )
}

/// What has been said so far.
struct Said<'a> {
    account: &'a str,
    user_code: Option<&'a str>,
}

impl Said<'_> {
    fn password(&self, complaint: Option<&str>) -> Answer {
        self.page(
            "Enter password",
            complaint,
            "password",
            "<p><label for=\"password\">Password</label><br><input id=\"password\" name=\"password\" \
             type=\"password\" value=\"stand-in\" autocomplete=\"off\" aria-describedby=\"about\"></p>\
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
             <p><output aria-label=\"number\">42</output></p>",
            &buttons("I have approved it", "cancel", "Cancel"),
        )
    }

    fn consent(&self) -> Answer {
        self.page(
            "Permissions requested",
            None,
            "consent",
            "<p>This app would like to:</p><ul><li>Read your personal access tokens in Azure DevOps</li>\
             <li>Create, update and revoke them</li><li>Keep that access when you are away</li></ul>",
            "<p><button name=\"decision\" value=\"accept\">Accept</button> \
             <button name=\"decision\" value=\"decline\">Decline</button></p>",
        )
    }

    fn page(&self, title: &str, complaint: Option<&str>, step: &str, content: &str, buttons: &str) -> Answer {
        let account = escaped(self.account);
        let fields = format!(
            "<p>{account}</p><input type=\"hidden\" name=\"account\" value=\"{account}\">\
             <input type=\"hidden\" name=\"step\" value=\"{step}\">{content}{buttons}"
        );
        page(StatusCode::OK, title, complaint, &form(self.user_code, &fields))
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
                "<p><label for=\"code\">The code that your device shows</label><br>\
                 <input id=\"code\" name=\"otc\" value=\"{given}\" autocomplete=\"off\" required></p>{}",
                buttons("Next", "cancel", "Cancel")
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
        false => page(StatusCode::OK, "You have declined", None, "<p>Your device gets nothing.</p>"),
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
        "<p><button>{on}</button> <button name=\"decision\" value=\"{decision}\" formnovalidate>{off}</button></p>"
    )
}

fn page(status: StatusCode, title: &str, complaint: Option<&str>, content: &str) -> Answer {
    let complaint = complaint.map(|text| format!("<p role=\"alert\">{text}</p>")).unwrap_or_default();
    answer::html(
        status,
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title} - adopat-emulator</title>\n<style>\
             body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:28rem;margin:3rem auto;padding:0 1rem;\
             color:#1b1b1b;background:#fff}}button,input{{font:inherit;padding:.4rem .8rem}}\
             button{{cursor:pointer}}output{{font-size:2rem}}[role=alert]{{color:#a4262c}}\
             footer{{margin-top:3rem;font-size:.9rem;color:#505050}}</style>\n</head>\n<body>\n<main>\n\
             <h1>{title}</h1>\n{complaint}{content}\n</main>\n\
             <footer>This is adopat-emulator, a stand-in for tests. It is not Microsoft, and nothing you type is \
             kept.</footer>\n</body>\n</html>\n"
        ),
    )
}
