//! The PAT lifecycle service of Azure DevOps: its model, its five calls, and what its refusals mean.

pub mod model;
pub mod scope;

pub use self::model::Pat;
pub use self::scope::Scope;
