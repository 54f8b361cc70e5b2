//! What the PAT service and variable groups share: which hosts may be spoken to, organizations and the tenants
//! behind them, whom a caller is taken for, error bodies, the ids that support asks for.

pub mod challenge;
pub mod connection_data;
pub mod endpoints;
pub mod error_body;
pub mod hosts;
pub mod organization;
pub mod tenant;

pub use self::endpoints::Endpoints;
pub use self::organization::{IS_DEACTIVATED, Organization};
