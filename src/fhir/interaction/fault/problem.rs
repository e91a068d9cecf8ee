//! The fault of an address that is no interaction.

use std::fmt;

use crate::display_safe::sanitize;

/// The problem of an address that is no interaction of FHIR (R4 section 3.1.0.1).
///
/// ```
/// use tower_fhir_auth::fhir::{AddressFault, AddressProblem};
///
/// fn allow(fault: &AddressFault) -> Option<String> {
///     match fault.problem() {
///         AddressProblem::Method { allowed, .. } => Some(allowed.join(", ")),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressProblem {
    /// A path outside that of the base URL.
    #[non_exhaustive]
    OutsideBase {
        /// The base URL.
        base: String,
    },
    /// A path that has that of the base URL twice.
    BaseRepeated,
    /// A slash at the end.
    TrailingSlash,
    /// Two slashes with nothing between them.
    EmptySegment,
    /// A segment `.` or `..`.
    DotSegment,
    /// A percent-encoded octet other than `%24` before the name of an operation.
    PercentEncoding,
    /// A percent-encoding that is broken, or is not UTF-8.
    Undecodable,
    /// The name of a resource type in another case.
    #[non_exhaustive]
    TypeInOtherCase {
        /// The type as it is spelled.
        resource_type: String,
    },
    /// A name that is no resource type of R4, and none that the application declares.
    #[non_exhaustive]
    UnknownType {
        /// The name, where it is short and cannot be a token.
        name: Option<String>,
        /// True for a type of R4B or R5.
        is_of_later_version: bool,
    },
    /// An id with a character that FHIR does not allow (R4 datatype `id`).
    #[non_exhaustive]
    IdCharacter {
        /// The first of these characters.
        character: char,
    },
    /// An id of more than 64 characters.
    #[non_exhaustive]
    IdLength {
        /// The number of its characters.
        length: usize,
    },
    /// A method that has no interaction at this address, where others have.
    #[non_exhaustive]
    Method {
        /// The methods that have one.
        allowed: Vec<&'static str>,
    },
    /// An interaction that needs a query.
    QueryMissing,
    /// No interaction has an address of this shape.
    Shape,
    /// A `request.url` of a bundle with a leading slash and something that cannot follow it.
    LeadingSlash,
    /// A `request.url` of a bundle with a fragment.
    Fragment,
    /// A `request.url` of a bundle that is absolute, and not below the base URL.
    OtherBase,
    /// A string that cannot be read as an address.
    Unreadable,
}

impl fmt::Display for AddressProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fixed = match self {
            Self::OutsideBase { base } => {
                return write!(f, "it is outside the base URL `{}`", sanitize(base));
            }
            Self::BaseRepeated => "it has the path of the base URL twice",
            Self::TrailingSlash => "it ends in a slash",
            Self::EmptySegment => "it has two slashes with nothing between them",
            Self::DotSegment => "it has a segment of dots alone",
            Self::PercentEncoding => {
                "it is percent-encoded, and only the `$` of an operation may be"
            }
            Self::Undecodable => "its percent-encoding cannot be decoded",
            Self::TypeInOtherCase { resource_type } => {
                return write!(f, "the resource type is spelled `{}`", sanitize(resource_type));
            }
            Self::UnknownType { name, .. } => {
                let name = name.as_deref().map(|name| format!("`{}`", sanitize(name)));
                let name = name.unwrap_or_else(|| "its first part".to_owned());
                return write!(
                    f,
                    "{name} is not a resource type of R4, nor one that this application declares"
                );
            }
            Self::IdCharacter { character } => {
                let character = sanitize(&character.to_string());
                return write!(
                    f,
                    "an id has letters, digits, `-` and `.` alone, and this one has `{character}`"
                );
            }
            Self::IdLength { length } => {
                return write!(f, "an id has at most 64 characters, and this one has {length}");
            }
            Self::Method { allowed } => {
                let allowed = allowed.join(", ");
                return write!(f, "it has none with this method, but with {allowed}");
            }
            Self::QueryMissing => "with this method it needs a query",
            Self::Shape => "none has an address of this shape",
            Self::LeadingSlash => {
                "after a leading slash, which stands for the base URL, there must be a resource \
                 type, `_history`, `?` or `$`"
            }
            Self::Fragment => "it has a fragment (`#`)",
            Self::OtherBase => "it is neither relative nor below the base URL",
            Self::Unreadable => "it cannot be read as a URL",
        };
        f.write_str(fixed)
    }
}
