//! What the PAT service and variable groups share: which hosts may be spoken to, organizations, error bodies,
//! the ids that support asks for.

pub mod error_body;
pub mod hosts;
pub mod organization;

pub use self::organization::Organization;
