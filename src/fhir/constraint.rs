//! What stands after the `?` of a SMART scope: search parameters that must hold.

use percent_encoding::percent_decode_str;

/// Search parameters, each with its value, that a resource has to match, all of them.
///
/// Names and values are decoded: take them as data, not as a piece of a query. As in a search, a
/// comma in a value parts alternatives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Constraint(Vec<(String, String)>);

impl Constraint {
    /// Reads plain `name=value` pairs that `&` joins. `None` for anything else: modifiers, chains,
    /// empty parts, broken escapes. What is decoded is one name or one value, never more.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let pairs = text.split('&').map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let (name, value) = (decoded(name)?, decoded(value)?);
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            name.bytes().all(plain).then_some((name, value))
        });
        pairs.collect::<Option<Vec<_>>>().map(Self)
    }

    /// The parameters.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Both constraints at once.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut both = self.0.clone();
        both.extend(other.0.iter().filter(|pair| !self.0.contains(pair)).cloned());
        Self(both)
    }
}

/// One name or value without its escapes (RFC 3986 section 2.1); never empty.
fn decoded(text: &str) -> Option<String> {
    let mut escapes = text.split('%');
    let first = escapes.next().unwrap_or_default();
    let hexadecimal = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let whole = escapes.all(|rest| rest.get(..2).is_some_and(hexadecimal));
    if !whole || text.is_empty() || text.contains('=') || first.contains('?') {
        return None;
    }
    let text = percent_decode_str(text).decode_utf8().ok()?;
    (!text.contains(char::is_control)).then(|| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<Vec<(String, String)>> {
        Constraint::parse(text).map(|constraint| constraint.0)
    }

    #[test]
    fn plain_parameters_are_decoded_one_by_one() {
        for (text, expected) in [
            ("category=laboratory", vec![("category", "laboratory")]),
            ("code=http:%2f%2floinc.org|4454-1", vec![("code", "http://loinc.org|4454-1")]),
            ("a=x%26b%3dy", vec![("a", "x&b=y")]),
            ("a=x%20user/*.cruds", vec![("a", "x user/*.cruds")]),
            ("a=1+2", vec![("a", "1+2")]),
            ("a=1,2&_tag=s|v", vec![("a", "1,2"), ("_tag", "s|v")]),
        ] {
            let expected = expected.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned()));
            assert_eq!(parsed(text), Some(expected.collect()), "{text}");
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
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
