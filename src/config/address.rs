//! Addresses in the file.

use super::reader::Reader;
use crate::secure_url;

/// Reads the address of something that is fetched.
pub(super) fn address(reader: &mut Reader<'_>, key: &'static str) -> Option<String> {
    let text = reader.text(key)?;
    if secure_url::parse(&text).is_none() {
        let expected = "expected an absolute https URL (http for loopback only)";
        return reader.fail(key, format!("{expected}, found \"{text}\""));
    }
    Some(text)
}
