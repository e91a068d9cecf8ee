//! The reasons why a document is rejected.

/// The deepest nesting of objects and arrays.
pub(crate) const MAX_DEPTH: u8 = 32;

/// The most names and values, of which the last name may still have a value: ten times what the largest token has
/// room for.
pub(crate) const MAX_NODES: usize = 65_535;

/// The reason why a document was rejected. It tells the position, never the content.
///
/// ```
/// use tower_fhir_auth::jose::JsonError;
///
/// fn says_something_twice(error: &JsonError) -> bool {
///     matches!(error, JsonError::Duplicate)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// It is not JSON (RFC 8259), from this column on.
    #[error("is not JSON (column {0})")]
    Syntax(usize),
    /// A member is in an object twice.
    #[error("has a duplicate member in an object")]
    Duplicate,
    /// It has more names and values than are read.
    #[error("has too many members and values")]
    TooMany,
    /// Objects and arrays are nested deeper than is read.
    #[error("is nested deeper than {MAX_DEPTH} levels")]
    Depth,
    /// It is JSON, but not an object.
    #[error("is not a JSON object")]
    NotAnObject,
}

/// A member is present, but is not a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAString;
