//! Inputs: the one table of them, and how an environment becomes a [`Request`].

pub mod request;

pub use self::request::Request;
