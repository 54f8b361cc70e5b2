//! `create`: sign in, mint, deliver.

use super::lifecycle::MintRequest;
use super::plan::{Plan, new_pat};
use super::transaction;
use super::{Run, delivery, sign_in};
use crate::failure::Failure;
use crate::inputs::request::Create;
use crate::outputs::Outputs;

pub(super) async fn create(run: &Run<'_>, create: &Create) -> Result<(), Failure> {
    delivery::require_a_way_out(run, create.revoke_on_completion.as_ref())?;
    let session = sign_in::sign_in(run).await?;
    let new = new_pat(&create.display_name, &create.scope, create.expiry, run.now().await);
    if create.dry_run {
        delivery::describe(run, &Plan::create(new), create.revoke_on_completion.is_some());
        return delivery::hand_over_unchanged(run, &Outputs::default());
    }
    let mint_request = MintRequest {
        new: &new,
        before: None,
        minting: &create.minting,
        exact_scope: false,
        to_the_job: Some(None),
        on_completion: create.revoke_on_completion.as_ref(),
    };
    transaction::carry_out(run, &session, &mint_request, &[]).await?.tell(run, run.organization());
    if create.revoke_on_completion.is_none() {
        run.info(format!(
            "create did not look for other PATs named '{}'. If there is one, the next rotate of that name needs \
             duplicates set to revoke.",
            create.display_name
        ));
    }
    Ok(())
}
