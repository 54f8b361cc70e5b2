//! adopat
pub mod azure_devops;
pub mod entra;
pub mod failure;
pub mod host;
pub mod http;
pub mod inputs;
pub mod oidc;
pub mod outputs;
pub mod patience;
pub mod pats;
pub mod private_file;
pub mod secret;
pub mod store;
pub mod world;
