//! `WWW-Authenticate` (RFC 6750 section 3, RFC 9728 section 5.1), to the letter.

use http::HeaderValue;

use super::Rejection;

/// How much of a value is shown.
const MAX_SHOWN: usize = 256;

/// The challenge of a refusal, each attribute once.
pub(crate) fn of(rejection: &Rejection) -> Option<HeaderValue> {
    let row = rejection.kind().row();
    if !row.challenge {
        return None;
    }
    let base = rejection.base_url();
    let mut challenge = format!("Bearer realm=\"{}\"", quotable(base.as_str()));
    if let Some(error) = row.error {
        let description = quotable(&rejection.description());
        challenge.push_str(&format!(", error=\"{error}\", error_description=\"{description}\""));
    }
    if let Some(scope) = rejection.required_scope() {
        let scope = quotable(&scope);
        challenge.push_str(&format!(", scope=\"{scope}\""));
    }
    let metadata = base.resource_metadata();
    challenge.push_str(&format!(", resource_metadata=\"{}\"", quotable(&metadata)));
    HeaderValue::from_str(&challenge).ok()
}

/// A value as it may be shown to a client: in the characters that RFC 6750 section 3 allows for
/// `error_description`, and not too long.
pub(crate) fn shown(value: &str) -> String {
    let mut shown: String = value.chars().map(allowed).take(MAX_SHOWN).collect();
    if value.chars().nth(MAX_SHOWN).is_some() {
        shown.truncate(MAX_SHOWN - 3);
        shown.push_str("...");
    }
    shown
}

fn quotable(text: &str) -> String {
    text.chars().map(allowed).collect()
}

/// `%x20-21 / %x23-5B / %x5D-7E`: printable ASCII but for the quote and the backslash.
fn allowed(character: char) -> char {
    match character {
        '"' => '\'',
        '\\' => '/',
        ' '..='~' => character,
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_to_the_characters_of_rfc_6750_and_are_cut() {
        assert_eq!(shown("a\"b\\c\r\nd\u{e9}\u{1F600}~"), "a'b/c??d??~");
        let long = shown(&"x".repeat(1000));
        assert_eq!(long.len(), 256);
        assert!(long.ends_with("..."));
        assert_eq!(shown(&"x".repeat(256)), "x".repeat(256));
    }
}
