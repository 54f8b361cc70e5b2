//! List: at most a hundred a page, the way on in the body, and an empty string at the end.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Asked, PatStatus, Record, shown};
use crate::answer::{self, Answer};
use crate::azure_devops::VssError;
use crate::moment;
use crate::services::Services;

/// Which PATs, in which order. What the service takes where the client does not say is unpublished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct View {
    shows: Option<PatStatus>,
    sorted_by: SortedBy,
    ascending: bool,
}

/// Where a PAT stands in an order; no two stand in the same place.
type Place = (String, Uuid);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SortedBy {
    Name,
    Date,
    Status,
}

pub(super) fn answer(services: &mut Services, asked: &Asked) -> Result<Answer, Answer> {
    let view = View::of(asked)?;
    let now = asked.now;
    let size = page_size(services.page_size, asked)?;
    let records = services.pats.of(&asked.caller.user.name, &asked.organization.name);
    let lag = asked.organization.policies.listed_after;
    let listed = records.filter(|record| record.valid_from + lag <= moment::rounded_to_sql(now));
    let shown_here = listed.filter(|record| view.shows.is_none_or(|status| record.status(now) == status));
    let mut placed: Vec<_> = shown_here.map(|record| (view.place(record, now), record)).collect();
    if let Some(token) = asked.call.query("continuationToken").filter(|token| !token.is_empty()) {
        let last = view.continued(token).ok_or_else(|| {
            VssError::argument("The continuation token is not valid for these filter and sort options.")
                .render()
        })?;
        placed.retain(|(place, _)| if view.ascending { *place > last } else { *place < last });
    }
    let in_order = |(left, _): &(Place, &Record), (right, _): &(Place, &Record)| {
        if view.ascending { left.cmp(right) } else { right.cmp(left) }
    };
    let more = placed.len() > size;
    if more {
        // Of a long list only the page is put in order.
        placed.select_nth_unstable_by(size, in_order);
        placed.truncate(size);
    }
    placed.sort_unstable_by(in_order);
    let shown: Vec<Value> = placed.iter().map(|(_, record)| shown(record, services, None)).collect();
    let token = match placed.pop() {
        Some((last, _)) if more => view.continuation(last),
        _ => String::new(),
    };
    Ok(answer::json(StatusCode::OK, &json!({"continuationToken": token, "patTokens": shown})))
}

fn page_size(largest: usize, asked: &Asked) -> Result<usize, Answer> {
    match asked.call.query("$top") {
        None | Some("") => Ok(largest),
        Some(top) => {
            match top.parse::<usize>() {
                Ok(top @ 1..) => Ok(top.min(largest)),
                _ => Err(VssError::argument(format!("The value '{top}' is not valid for parameter '$top'."))
                    .render()),
            }
        }
    }
}

impl View {
    fn of(asked: &Asked) -> Result<Self, Answer> {
        let option = |name: &str| asked.call.query(name).unwrap_or_default().to_ascii_lowercase();
        let invalid = |name: &str| {
            let value = asked.call.query(name).unwrap_or_default();
            VssError::argument(format!("The value '{value}' is not valid for parameter '{name}'.")).render()
        };
        Ok(Self {
            shows: match option("displayFilterOption").as_str() {
                "" | "active" => Some(PatStatus::Active),
                "revoked" => Some(PatStatus::Revoked),
                "expired" => Some(PatStatus::Expired),
                "all" => None,
                _ => return Err(invalid("displayFilterOption")),
            },
            sorted_by: match option("sortByOption").as_str() {
                "" | "displayname" => SortedBy::Name,
                "displaydate" => SortedBy::Date,
                "status" => SortedBy::Status,
                _ => return Err(invalid("sortByOption")),
            },
            ascending: match option("isSortAscending").as_str() {
                "" | "true" => true,
                "false" => false,
                _ => return Err(invalid("isSortAscending")),
            },
        })
    }

    fn place(self, record: &Record, now: Timestamp) -> Place {
        let key = match self.sorted_by {
            SortedBy::Name => record.display_name.to_lowercase(),
            SortedBy::Date => format!("{:020}", record.valid_to.as_millisecond()),
            SortedBy::Status => (record.status(now) as u8).to_string(),
        };
        (key, record.authorization_id)
    }

    fn continuation(self, last: Place) -> String {
        URL_SAFE_NO_PAD.encode(json!([self.signature(), last.0, last.1]).to_string())
    }

    /// The place after which the list goes on: only for the filter and order that the token was given for.
    fn continued(self, token: &str) -> Option<Place> {
        let written: Vec<String> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        match <[String; 3]>::try_from(written).ok()? {
            [signature, key, id] if signature == self.signature() => Some((key, id.parse().ok()?)),
            _ => None,
        }
    }

    fn signature(self) -> String {
        format!("{self:?}")
    }
}
