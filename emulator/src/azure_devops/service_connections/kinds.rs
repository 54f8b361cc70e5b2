//! The types of service connections, and which of their parameters are confidential
//! (vsts-rest-api-specs, serviceEndpoint/7.2/httpExamples/endpoints/ListEndpointTypes.json).

use http::StatusCode;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::call::Call;

/// A type of service connection.
struct Kind {
    name: &'static str,
    display_name: &'static str,
    /// What its `data` holds.
    data: &'static [Input],
    schemes: &'static [Scheme],
}

/// A way in which a type authenticates.
struct Scheme {
    name: &'static str,
    parameters: &'static [Input],
}

/// One parameter.
struct Input {
    id: &'static str,
    confidential: bool,
    required: bool,
}

const fn secret(id: &'static str) -> Input {
    Input { id, confidential: true, required: true }
}

const fn optional_secret(id: &'static str) -> Input {
    Input { id, confidential: true, required: false }
}

const fn plain(id: &'static str) -> Input {
    Input { id, confidential: false, required: true }
}

const fn optional(id: &'static str) -> Input {
    Input { id, confidential: false, required: false }
}

const TOKEN: Scheme = Scheme { name: "Token", parameters: &[secret("apitoken")] };
const USER_AND_PASSWORD: Scheme =
    Scheme { name: "UsernamePassword", parameters: &[plain("username"), secret("password")] };
const BOTH_OPTIONAL: Scheme =
    Scheme { name: "UsernamePassword", parameters: &[optional("username"), optional_secret("password")] };

const KINDS: [Kind; 14] = [
    Kind {
        name: "externaltfs",
        display_name: "Azure Repos/Team Foundation Server",
        data: &[],
        schemes: &[TOKEN, USER_AND_PASSWORD],
    },
    Kind {
        name: "externalnugetfeed",
        display_name: "NuGet",
        data: &[],
        schemes: &[TOKEN, Scheme { name: "None", parameters: &[secret("nugetkey")] }, USER_AND_PASSWORD],
    },
    Kind {
        name: "externalnpmregistry",
        display_name: "npm",
        data: &[],
        schemes: &[TOKEN, USER_AND_PASSWORD],
    },
    Kind {
        name: "externalmavenrepository",
        display_name: "Maven",
        data: &[plain("RepositoryId")],
        schemes: &[TOKEN, USER_AND_PASSWORD],
    },
    Kind {
        name: "externalPythonDownloadFeed",
        display_name: "Python package download",
        data: &[],
        schemes: &[TOKEN, USER_AND_PASSWORD],
    },
    Kind {
        name: "externalPythonUploadFeed",
        display_name: "Python package upload",
        data: &[plain("EndpointName")],
        schemes: &[TOKEN, USER_AND_PASSWORD],
    },
    Kind { name: "generic", display_name: "Generic", data: &[], schemes: &[BOTH_OPTIONAL] },
    Kind { name: "git", display_name: "Other Git", data: &[], schemes: &[BOTH_OPTIONAL] },
    Kind {
        name: "dockerregistry",
        display_name: "Docker Registry",
        data: &[optional("registrytype")],
        schemes: &[
            Scheme {
                name: "UsernamePassword",
                parameters: &[
                    plain("registry"),
                    optional("username"),
                    optional_secret("password"),
                    optional("email"),
                ],
            },
            Scheme {
                name: "ServicePrincipal",
                parameters: &[
                    plain("loginServer"),
                    plain("tenantId"),
                    plain("servicePrincipalId"),
                    optional_secret("servicePrincipalKey"),
                ],
            },
        ],
    },
    Kind {
        name: "VstsMarketplacePublishing",
        display_name: "Visual Studio Marketplace",
        data: &[],
        schemes: &[BOTH_OPTIONAL],
    },
    Kind {
        name: "github",
        display_name: "GitHub",
        data: &[],
        schemes: &[Scheme { name: "Token", parameters: &[secret("AccessToken"), optional("apitoken")] }],
    },
    Kind {
        name: "ssh",
        display_name: "SSH",
        data: &[plain("Host"), optional("Port"), optional_secret("PrivateKey")],
        schemes: &[BOTH_OPTIONAL],
    },
    Kind {
        name: "kubernetes",
        display_name: "Kubernetes",
        data: &[],
        schemes: &[Scheme {
            name: "Token",
            parameters: &[secret("apitoken"), secret("serviceAccountCertificate")],
        }],
    },
    // Its password is declared as if it were none.
    Kind {
        name: "chef",
        display_name: "Chef",
        data: &[],
        schemes: &[Scheme { name: "UsernamePassword", parameters: &[plain("username"), plain("password")] }],
    },
];

/// Whether this parameter of a scheme is declared confidential; `None` if nothing is declared about it.
pub(super) fn is_confidential(kind: &str, scheme: &str, parameter: &str) -> Option<bool> {
    let schemes = KINDS.iter().find(|known| known.name.eq_ignore_ascii_case(kind))?.schemes;
    let scheme = schemes.iter().find(|known| known.name.eq_ignore_ascii_case(scheme))?;
    scheme.parameters.iter().find(|input| input.id == parameter).map(|input| input.confidential)
}

/// Whether this member of `data` is declared confidential.
pub(super) fn is_confidential_data(kind: &str, member: &str) -> bool {
    let kind = KINDS.iter().find(|known| known.name.eq_ignore_ascii_case(kind));
    kind.is_some_and(|kind| kind.data.iter().any(|input| input.id == member && input.confidential))
}

/// The types, or those that are asked for.
pub(super) fn answer(call: &Call) -> Answer {
    let wanted = |parameter: &str, value: &str| {
        call.query(parameter)
            .filter(|wanted| !wanted.is_empty())
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(value))
    };
    let value: Vec<Value> = KINDS
        .iter()
        .filter(|kind| wanted("type", kind.name))
        .filter(|kind| kind.schemes.iter().any(|scheme| wanted("scheme", scheme.name)))
        .map(|kind| {
            let schemes: Vec<Value> = kind
                .schemes
                .iter()
                .filter(|scheme| wanted("scheme", scheme.name))
                .map(shown_scheme)
                .collect();
            json!({
                "name": kind.name,
                "displayName": kind.display_name,
                "description": format!("A service connection of the type {}.", kind.display_name),
                "inputDescriptors": kind.data.iter().map(shown_input).collect::<Vec<_>>(),
                "authenticationSchemes": schemes,
                "dataSources": [],
                "trustedHosts": [],
            })
        })
        .collect();
    answer::json(StatusCode::OK, &json!({"count": value.len(), "value": value}))
}

fn shown_scheme(scheme: &Scheme) -> Value {
    json!({
        "scheme": scheme.name,
        "displayName": scheme.name,
        "inputDescriptors": scheme.parameters.iter().map(shown_input).collect::<Vec<_>>(),
    })
}

fn shown_input(input: &Input) -> Value {
    json!({
        "id": input.id,
        "name": input.id,
        "description": format!("The {}.", input.id),
        "inputMode": if input.confidential { "passwordBox" } else { "textBox" },
        "isConfidential": input.confidential,
        "validation": {"dataType": "string", "isRequired": input.required},
    })
}
