//! `get`: describe one PAT.

use super::find::{describe, find_one};
use super::listing::Described;
use super::text_table::Table;
use super::{Run, delivery, listing, sign_in};
use crate::failure::Failure;
use crate::inputs::request::Subject;
use crate::outputs::Outputs;

pub(super) async fn get(run: &Run<'_>, subject: &Subject) -> Result<(), Failure> {
    let session = sign_in::sign_in(run).await?;
    let pat = match subject {
        Subject::Id(id) => session.service.get(id).await?,
        Subject::Name(_) => find_one(run, &session.service, subject).await?,
    };
    let json = std::iter::once(Described::from(&pat).unchanged().to_json().to_string());
    let now = run.now().await;
    run.show(|_| Table::of_lines(&listing::one(&pat, now)), json, || format!("Found {}.", describe(&pat)));
    delivery::hand_over_plain(run, &Outputs { subject: Some(pat), ..Outputs::default() })
}
