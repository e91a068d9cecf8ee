//! The reason why a token has no patient, by the names of its claims and never by their values.

use std::fmt;

/// The reason for which a token has no usable patient. It names the claims as they are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPatient<'a> {
    /// Neither one of these claims nor `fhirUser` is there.
    Missing(&'a [String]),
    /// None of these claims is there, and `fhirUser` is no Patient.
    OtherUser(&'a [String]),
    /// None of these claims is there, and `fhirUser` is a relative.
    Relative(&'a [String]),
    /// A claim of the launch context has no usable value.
    Value(&'a str, ValueFault),
    /// Two claims of the launch context name different patients.
    Differ(&'a str, &'a str),
    /// No claim of the launch context is there, and `fhirUser` is unreadable.
    User(UserFault),
}

/// The fault of a claim that should name the patient in context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueFault {
    NotAString,
    Empty,
    OtherType,
    Version,
    Elsewhere,
    TooLong,
    NoId,
}

/// The fault of the claim that should name the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UserFault {
    NotAString(&'static str),
    /// It is no instance of this server.
    Nobody(&'static str),
    /// It is of a type that no user has.
    NoUser(&'static str),
}

impl fmt::Display for NoPatient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing([]) => f.write_str("`fhirUser` is missing"),
            Self::Missing(names) => write!(f, "{} and `fhirUser` are missing", listed(names, ", ")),
            Self::OtherUser([]) => f.write_str("`fhirUser` is no Patient"),
            Self::OtherUser(names) => {
                write!(f, "{} is missing, and `fhirUser` is no Patient", listed(names, " or "))
            }
            Self::Relative([]) => f.write_str("`fhirUser` is a RelatedPerson or Person"),
            Self::Relative(names) => {
                let names = listed(names, " or ");
                write!(f, "{names} is missing, and `fhirUser` is a RelatedPerson or Person")
            }
            Self::Value(name, fault) => {
                write!(f, "`{name}` is not the id of a patient: {fault}")
            }
            Self::Differ(one, other) => {
                write!(f, "`{one}` and `{other}` name different patients")
            }
            Self::User(fault) => fault.fmt(f),
        }
    }
}

impl fmt::Display for ValueFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAString => "it is not a string",
            Self::Empty => "it is empty",
            Self::OtherType => "it names a resource of another type",
            Self::Version => "it names a version",
            Self::Elsewhere => "it is a URL that is not below the base URL",
            Self::TooLong => "it has more than 64 characters",
            Self::NoId => "expected an id, `Patient/<id>`, or the URL of that below the base URL",
        })
    }
}

impl fmt::Display for UserFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAString(claim) => write!(f, "`{claim}` is not a string"),
            Self::Nobody(claim) => write!(f, "`{claim}` names nobody of this server"),
            Self::NoUser(claim) => write!(f, "`{claim}` is of a type that no user has"),
        }
    }
}

fn listed(names: &[String], between: &str) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(between)
}
