//! What becomes of inputs that a test gives.

use crate::inputs::table::input;
use crate::inputs::{Arguments, Environment, Flags, Inputs, Request};
use crate::operation_name::OperationName;

/// The request that comes of these inputs, given by name, or all that is wrong with them. A name in capitals is a
/// variable of the environment.
pub(super) fn request(operation: OperationName, given: &[(&str, &str)]) -> Result<Request, Vec<String>> {
    let variable = |name: &str| {
        if name.starts_with(|c: char| c.is_ascii_uppercase()) { name.into() } else { input(name).variable() }
    };
    let environment: Environment =
        given.iter().map(|(name, value)| (variable(name).into(), value.into())).collect();
    let arguments = Arguments { operation: Some(operation), ..Arguments::default() };
    let inputs = Inputs::read(&environment, &Flags::default());
    let (_, request) = inputs.into_request(&arguments, &environment);
    request.map_err(|problems| problems.iter().map(ToString::to_string).collect())
}
