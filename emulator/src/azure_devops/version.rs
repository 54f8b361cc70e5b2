//! `api-version`: a resource under preview is served only to those who say `-preview`.

use http::StatusCode;

use super::error::VssError;
use crate::answer::{self, Answer};
use crate::call::Call;

/// An api-version, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u8, pub(crate) u8);

/// The version asked for, which must be one of these and say `-preview`; its resource version may be up to
/// `resource`.
pub(crate) fn preview_version(call: &Call, served: &[Version], resource: u8) -> Result<Version, Answer> {
    let Some(asked) = asked(call) else { return Err(not_specified(call)) };
    let (number, preview) = match asked.split_once("-preview") {
        Some((number, suffix)) => (number, Some(suffix)),
        None => (asked.as_str(), None),
    };
    let version = parse(number).filter(|version| served.contains(version));
    let suffix_fits = match preview {
        None | Some("") => true,
        Some(suffix) => suffix
            .strip_prefix('.')
            .and_then(|number| number.parse::<u8>().ok())
            .is_some_and(|number| (1..=resource).contains(&number)),
    };
    match version {
        Some(version) if suffix_fits && preview.is_some() => Ok(version),
        Some(_) if suffix_fits => Err(not_preview(&asked)),
        _ => Err(out_of_range(&asked)),
    }
}

/// The version asked for, of a resource that has long been released: with `-preview` or without.
pub(super) fn any_version(call: &Call) -> Result<Version, Answer> {
    let Some(asked) = asked(call) else { return Err(not_specified(call)) };
    let number = asked.split_once("-preview").map_or(asked.as_str(), |(number, _)| number);
    parse(number)
        .filter(|version| (Version(5, 0)..=Version(7, 2)).contains(version))
        .ok_or_else(|| out_of_range(&asked))
}

/// If no version is needed: one that is given must say `-preview`.
pub(super) fn preview_if_given(call: &Call) -> Result<(), Answer> {
    match asked(call) {
        Some(asked) if !asked.contains("-preview") => Err(not_preview(&asked)),
        _ => Ok(()),
    }
}

/// Says in the content type which version was served, as recorded answers do.
pub(super) fn served(call: &Call, answer: Answer) -> Answer {
    let Some(asked) = asked(call).filter(|_| !answer.body().is_empty()) else { return answer };
    let kind = format!("application/json; charset=utf-8; api-version={asked}");
    answer::with_content_type(answer, &kind)
}

fn parse(number: &str) -> Option<Version> {
    let (major, minor) = number.split_once('.')?;
    Some(Version(major.parse().ok()?, minor.parse().ok()?))
}

fn not_specified(call: &Call) -> Answer {
    VssError::new(
        StatusCode::BAD_REQUEST,
        "Microsoft.VisualStudio.Services.WebApi.VssVersionNotSpecifiedException",
        format!(
            "No api-version was supplied for the \"{}\" request. The version must be supplied either as part of the \
             Accept header (e.g. \"application/json; api-version=1.0\") or as a query parameter (e.g. \
             \"?api-version=1.0\").",
            call.method
        ),
    )
    .render()
}

fn out_of_range(asked: &str) -> Answer {
    VssError::new(
        StatusCode::BAD_REQUEST,
        "Microsoft.VisualStudio.Services.WebApi.VssVersionOutOfRangeException",
        format!("The requested REST API version of {asked} is out of range for this server."),
    )
    .render()
}

fn not_preview(asked: &str) -> Answer {
    VssError::new(
        StatusCode::BAD_REQUEST,
        "Microsoft.VisualStudio.Services.WebApi.VssInvalidPreviewVersionException",
        format!(
            "The requested version \"{asked}\" of the resource is under preview. The -preview flag must be supplied \
             in the api-version for such requests. For example: \"{asked}-preview\""
        ),
    )
    .render()
}

fn asked(call: &Call) -> Option<String> {
    let in_query = call.query("api-version").filter(|version| !version.is_empty());
    let in_accept = || call.header("accept")?.split("api-version=").nth(1);
    let asked = in_query.or_else(in_accept)?;
    Some(asked.split([';', ',']).next()?.trim().to_owned())
}
