//! `create`: sign in, mint, deliver.

use super::minting::{Ticket, mint_and_deliver};
use super::plan::{describe_new, new_pat};
use super::{Run, delivery, sign_in, summary};
use crate::failure::Failure;
use crate::inputs::request::Create;
use crate::outputs::Outputs;

pub(super) async fn create(run: &Run<'_>, create: &Create) -> Result<(), Failure> {
    delivery::require_a_way_out(run, create.dry_run)?;
    let session = sign_in::sign_in(run).await?;
    let new = new_pat(&create.display_name, &create.scope, create.expiry, run.now().await);
    if create.dry_run {
        run.info(describe_new(&new));
        return delivery::hand_over_unchanged(run, &Outputs::default());
    }
    let ticket = Ticket {
        new: &new,
        before: None,
        minting: &create.minting,
        previous: None,
        on_completion: create.revoke_on_completion.as_ref(),
    };
    let mut delivered = mint_and_deliver(run, &session, &ticket).await?;
    let left = create.revoke_on_completion.as_ref().map_or(&[][..], |on_completion| &on_completion.left);
    let alive = delivered.settle(left).await;
    run.host.summarize(&summary::created(&delivered.pat, run.organization()));
    delivered.finish(run, alive);
    Ok(())
}
