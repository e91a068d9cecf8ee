//! The part of a SMART scope after `?`: search parameters that must hold.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Search parameters, each with its value, all of which a resource has to match.
///
/// Names and values are decoded: take them as data, not as a piece of a query. As in a search, a
/// comma in a value separates alternatives. They are in alphabetical order, each once. `Display`
/// writes them as in a scope: `category=laboratory&status=final`, what is not plain encoded.
///
/// ```
/// use tower_fhir_auth::smart::Constraint;
///
/// /// Names the columns that a search in a database has to compare.
/// fn columns(constraint: &Constraint) -> Vec<&str> {
///     constraint.parameters().map(|(name, _)| name).collect()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Constraint(Box<[(Box<str>, Box<str>)]>);

/// The reason why a string is not a constraint, so that its scope grants nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub(crate) enum ConstraintError {
    #[error("a constraint must be plain `name=value` pairs")]
    NotPlain,
    #[error("a constraint has at most {MAX_PARAMETERS} different parameters")]
    TooManyParameters,
}

/// The most different parameters that count: each is evaluated for each resource.
const MAX_PARAMETERS: usize = 8;

/// All characters of a value but those that stand for themselves in a scope, and in a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b',')
    .remove(b':')
    .remove(b'/')
    .remove(b'|');

impl Constraint {
    /// Reads plain `name=value` pairs joined by `&`. Anything else is an error: modifiers, chains,
    /// empty parts, broken escapes. Each part decodes to one name or one value, never more.
    pub(crate) fn parse(text: &str) -> Result<Self, ConstraintError> {
        let pairs = text.split('&').map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let (name, value) = (decoded(name)?, decoded(value)?);
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            name.bytes().all(plain).then(|| (name.into_boxed_str(), value.into_boxed_str()))
        });
        let pairs = pairs.collect::<Option<Vec<_>>>();
        let mut pairs = pairs.ok_or(ConstraintError::NotPlain)?;
        pairs.sort_unstable();
        pairs.dedup();
        if pairs.len() > MAX_PARAMETERS {
            return Err(ConstraintError::TooManyParameters);
        }
        Ok(Self(pairs.into_boxed_slice()))
    }

    /// Returns the parameters.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Returns its size in memory, in bytes.
    pub(crate) fn size(&self) -> usize {
        let pairs = self.0.iter().map(|(name, value)| name.len() + value.len());
        size_of_val(&*self.0) + pairs.sum::<usize>()
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "&" })?;
            write!(f, "{name}={}", utf8_percent_encode(value, ENCODED))?;
        }
        Ok(())
    }
}

/// Decodes one name or value (RFC 3986 section 2.1); never empty.
fn decoded(text: &str) -> Option<String> {
    let hexadecimal = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let whole = text.split('%').skip(1).all(|rest| rest.get(..2).is_some_and(hexadecimal));
    if !whole || text.is_empty() || text.contains(['=', '?']) {
        return None;
    }
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (!text.contains(char::is_control)).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Vec<(String, String)>> {
        let constraint = Constraint::parse(text).ok()?;
        Some(constraint.parameters().map(|(a, b)| (a.to_owned(), b.to_owned())).collect())
    }

    #[test]
    fn plain_parameters_are_decoded_one_by_one() {
        for (text, expected) in [
            ("category=laboratory", vec![("category", "laboratory")]),
            ("code=http:%2f%2floinc.org|4454-1", vec![("code", "http://loinc.org|4454-1")]),
            ("a=x%26b%3dy", vec![("a", "x&b=y")]),
            ("a=x%20user/*.cruds", vec![("a", "x user/*.cruds")]),
            ("a=1+2", vec![("a", "1+2")]),
            ("a=1,2&_tag=s|v&a=1%2C2", vec![("_tag", "s|v"), ("a", "1,2")]),
        ] {
            let expected = expected.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned()));
            assert_eq!(parsed(text), Some(expected.collect()), "{text}");
            let constraint = Constraint::parse(text).unwrap();
            let written = constraint.to_string();
            assert_eq!(Constraint::parse(&written), Ok(constraint), "{written}");
        }
        for (text, written) in [
            ("code=http:%2f%2floinc.org|4454-1", "code=http://loinc.org|4454-1"),
            ("b=x%26c%3dy&a=1,%202+3%3f%C3%A9", "a=1,%202%2B3%3F%C3%A9&b=x%26c%3Dy"),
        ] {
            assert_eq!(Constraint::parse(text).unwrap().to_string(), written);
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "a",
            "a=",
            "=b",
            "a=b&",
            "&a=b",
            "a=b=c",
            "a:in=b",
            "a.b=c",
            "_has:X:y:z=1",
            "a%3Ain=b",
            "a=%",
            "a=%2",
            "a=%zz",
            "a=%ff",
            "a=%00",
            "a=%0a",
            "a?=b",
            "a=x?y",
            "a=%20x?y",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn at_most_eight_different_parameters_count() {
        let of = |count: usize| {
            let each: Vec<String> = (0..count).map(|n| format!("a{n}=x")).collect();
            each.join("&")
        };
        assert!(Constraint::parse(&of(8)).is_ok());
        assert!(Constraint::parse(&format!("{0}&{0}", of(8))).is_ok(), "doubles count once");
        assert_eq!(Constraint::parse(&of(9)), Err(ConstraintError::TooManyParameters));
    }
}
