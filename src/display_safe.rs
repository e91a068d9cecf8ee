//! Strings from outside, made safe to show in refusals, explanations and logs.

/// The longest part of a value that is shown.
const MAX_SHOWN: usize = 256;

/// Makes a value of a token safe to show: in the characters that RFC 6750 section 3 allows for
/// `error_description`, and not too long. A value cannot forge a line of a log.
pub(crate) fn sanitize(value: &str) -> String {
    if value.len() <= MAX_SHOWN && is_safe(value) {
        return value.to_owned();
    }
    let mut shown: String = value.chars().map(safe_character).take(MAX_SHOWN).collect();
    if value.chars().nth(MAX_SHOWN).is_some() {
        shown.truncate(MAX_SHOWN - 3);
        shown.push_str("...");
    }
    shown
}

/// Replaces a character outside `%x20-21 / %x23-5B / %x5D-7E`: printable ASCII except for the quote
/// and the backslash.
pub(crate) fn safe_character(character: char) -> char {
    match character {
        '"' => '\'',
        '\\' => '/',
        ' '..='~' => character,
        _ => '?',
    }
}

/// Reports whether a value may be shown as it is.
pub(crate) fn is_safe(value: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') & (byte != b'"') & (byte != b'\\');
    // No early exit, so that the loop vectorises.
    value.bytes().fold(true, |all, byte| all & is_plain(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_to_the_characters_of_rfc_6750_and_are_cut() {
        assert_eq!(sanitize("a\"b\\c\r\nd\u{e9}\u{1F600}~"), "a'b/c??d??~");
        let long = sanitize(&"x".repeat(1000));
        assert_eq!(long.len(), 256);
        assert!(long.ends_with("..."));
        assert_eq!(sanitize(&"x".repeat(256)), "x".repeat(256));
        for character in ('\0'..='\u{200}').chain(['\u{1F600}']) {
            let is_plain = safe_character(character) == character;
            assert_eq!(is_safe(&character.to_string()), is_plain, "{character:?}");
        }
    }
}
