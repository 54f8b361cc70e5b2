//! What the services of Azure DevOps share: their addresses, the hosts that may be spoken to, organizations and the
//! tenants behind them, the signed-in user, error bodies, and the ids that support asks for.

pub mod challenge;
pub mod connection_data;
pub mod endpoints;
pub mod error_body;
pub mod hosts;
pub mod organization;
pub mod tenant;

pub use self::endpoints::Endpoints;
pub use self::organization::{IS_DEACTIVATED, Organization};
