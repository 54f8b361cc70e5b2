//! adopat
