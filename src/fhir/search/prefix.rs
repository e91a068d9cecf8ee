//! Prefixes of values that have an order (R4, Search, "Prefixes").

/// The way in which an element is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    StartsAfter,
    EndsBefore,
}

impl Prefix {
    /// Takes the prefix off a value; one without a prefix is compared for equality. An error for `ap`, which
    /// every server reads in its own way.
    pub(super) fn split(text: &str) -> Result<(Self, &str), String> {
        Ok(match text.split_at_checked(2) {
            Some(("eq", value)) => (Self::Equal, value),
            Some(("ne", value)) => (Self::NotEqual, value),
            Some(("gt", value)) => (Self::Greater, value),
            Some(("lt", value)) => (Self::Less, value),
            Some(("ge", value)) => (Self::GreaterOrEqual, value),
            Some(("le", value)) => (Self::LessOrEqual, value),
            Some(("sa", value)) => (Self::StartsAfter, value),
            Some(("eb", value)) => (Self::EndsBefore, value),
            Some(("ap", _)) => return Err(unsupported("ap")),
            Some(_) | None => (Self::Equal, text),
        })
    }
}

pub(super) fn unsupported(prefix: &str) -> String {
    format!("the prefix `{prefix}` is not supported")
}
