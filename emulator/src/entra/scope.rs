//! What a client asks for: one resource, and either everything that was consented to (`.default`) or single
//! permissions of it, beside the OpenID scopes.

use crate::call::Form;
use crate::entra::AZURE_DEVOPS;
use crate::entra::aadsts::Aadsts;
use crate::entra::tokens::Audience;

/// What a client would like to hear besides its tokens.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    /// An id token.
    pub(crate) id_token: bool,
    /// What the id token shall repeat.
    pub(crate) nonce: Option<String>,
    /// Whom the tokens are for, in MSAL's own way.
    pub(crate) client_info: bool,
    /// What a challenge wants in the access token, as JSON.
    pub(crate) claims: Option<String>,
}

/// A `scope` parameter, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// The resource, if one is named.
    pub(crate) audience: Option<Audience>,
    /// Its permissions, without the resource; empty for `.default`.
    pub(crate) permissions: Vec<String>,
    /// `offline_access`: a refresh token is wanted.
    pub(crate) offline: bool,
    /// `openid`: an id token is wanted.
    pub(crate) openid: bool,
}

impl Scope {
    pub(crate) fn parse(text: &str) -> Result<Self, Aadsts> {
        let mut scope = Self::default();
        for word in text.split_whitespace() {
            match word {
                "offline_access" => scope.offline = true,
                "openid" => scope.openid = true,
                "profile" | "email" => {}
                _ => scope.add(word)?,
            }
        }
        Ok(scope)
    }

    fn add(&mut self, word: &str) -> Result<(), Aadsts> {
        let Some((resource, permission)) = word.rsplit_once('/').filter(|(resource, _)| !resource.is_empty())
        else {
            return Err(Aadsts::code(70011).saying(format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input \
                 parameter 'scope' is not valid. The scope {word} is not valid."
            )));
        };
        let audience = Audience::of_resource(resource).ok_or_else(|| {
            Aadsts::code(500011).saying(format!(
                "The resource principal named {resource} was not found in the tenant named Contoso. This can \
                 happen if the application has not been installed by the administrator of the tenant or \
                 consented to by any user in the tenant. You might have sent your authentication request to \
                 the wrong tenant."
            ))
        })?;
        if self.audience.is_some_and(|other| other != audience) {
            return Err(Aadsts::code(28000));
        }
        self.audience = Some(audience);
        if permission != ".default" {
            self.permissions.push(permission.to_owned());
        }
        Ok(())
    }

    /// What else the client would like to hear.
    pub(crate) fn wishes(&self, form: &Form, nonce: Option<String>) -> Wishes {
        // Whatever the order in which its keys are written.
        let claims =
            form.get("claims").and_then(|claims| serde_json::from_str::<serde_json::Value>(claims).ok());
        Wishes {
            id_token: self.openid,
            nonce,
            client_info: form.get("client_info") == Some("1"),
            claims: claims.map(|claims| claims.to_string()),
        }
    }

    /// What an answer says was granted: every permission with its resource in front.
    pub(crate) fn granted(audience: Audience, permissions: &[String]) -> String {
        let resource = match audience {
            Audience::AzureDevOps => AZURE_DEVOPS,
            Audience::KeyVault => "https://vault.azure.net",
            Audience::Graph => "https://graph.microsoft.com",
        };
        permissions
            .iter()
            .map(String::as_str)
            .chain([".default"])
            .map(|permission| format!("{resource}/{permission}"))
            .collect::<Vec<_>>()
            .join(" ")
    }
}
