//! How Azure DevOps answers who has no usable credential: as if to a browser, unless
//! `X-TFS-FedAuthRedirect: Suppress` says that there is none.

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::unauthorized;
use crate::answer::{self, Answer};
use crate::call::Call;
use crate::services::{Service, Services};

/// The answer to a credential that is absent, malformed, unknown or over.
pub(crate) fn without_credential(services: &mut Services, call: &Call) -> Answer {
    if call.header("x-tfs-fedauthredirect").is_some_and(|value| value.eq_ignore_ascii_case("suppress")) {
        let entra = services.address(Service::Entra).to_owned();
        let tenant =
            call.path.first().and_then(|name| services.cast.organization(name)).map(|known| known.tenant);
        let bearer = tenant.map_or_else(
            || "Bearer".to_owned(),
            |tenant| format!("Bearer authorization_uri={entra}/{tenant}"),
        );
        let devops = services.address(Service::DevOps).to_owned();
        return unauthorized([bearer, format!("Basic realm=\"{devops}/\""), "TFS-Federated".to_owned()]);
    }
    if call.header("accept").is_some_and(|accept| accept.contains("text/html")) {
        return sign_in_redirect(services, call);
    }
    sign_in_page()
}

/// 203 and a page of HTML: a success to a client that looks at the status alone.
pub(crate) fn sign_in_page() -> Answer {
    let padding = "<!-- The real page is about 16 KB. -->\r\n".repeat(400);
    answer::html(
        StatusCode::NON_AUTHORITATIVE_INFORMATION,
        format!(
            "\r\n<!DOCTYPE html>\r\n<html lang=\"en-US\">\r\n<head><title>\r\n\tAzure DevOps Services | Sign \
             In\r\n</title></head>\r\n<body>\r\n<h1>Sign in</h1>\r\n{padding}</body>\r\n</html>\r\n"
        ),
    )
}

/// 302 to `_signin`, as a browser gets it.
pub(crate) fn sign_in_redirect(services: &mut Services, call: &Call) -> Answer {
    let pats = services.address(Service::Pats);
    let reply_to = format!("{pats}/{}", call.path.join("/"));
    let reply_to = utf8_percent_encode(&reply_to, NON_ALPHANUMERIC);
    let target = format!(
        "{pats}/_signin?realm=vssps.dev.azure.com&reply_to={reply_to}&redirect=1&hid=fa4e0000-0000-4000-8000-000000000002&context=eyJGQUtFIjp0cnVlfQ2"
    );
    answer::redirect(&target)
}
