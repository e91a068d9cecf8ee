//! The reasons why a document is rejected.

/// The deepest nesting of objects and arrays.
pub(crate) const MAX_DEPTH: u8 = 32;

/// The most names and values, of which the last name may still have a value: ten times what the largest token has
/// room for.
pub(crate) const MAX_NODES: usize = 65_535;

/// The reason why a document was rejected. It tells the position, never the content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("is not JSON (column {0})")]
    Syntax(usize),
    #[error("has a duplicate member in an object")]
    Duplicate,
    #[error("has too many members and values")]
    TooMany,
    #[error("is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    #[error("is not a JSON object")]
    NotAnObject,
}

/// A member is present, but is not a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAString;
