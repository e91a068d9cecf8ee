//! Addresses in the file.

use super::reader::SectionReader;
use crate::danger::PlainHttp;
use crate::display_safe::sanitize;
use crate::secure_url;

/// Reads `[danger]`: the origins that may be reached without TLS.
pub(super) fn plain_http(root: &mut SectionReader<'_>) -> PlainHttp {
    let Some(mut danger) = root.table("danger") else {
        return PlainHttp::default();
    };
    let texts = danger.strings("plain_http").unwrap_or_default();
    let mut good = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match PlainHttp::new([text]) {
            Ok(_) => good.push(text),
            Err(error) => {
                danger.reject(&format!("plain_http[{index}]"), sanitize(&error.to_string()))
            }
        }
    }
    danger.finish();
    PlainHttp::new(good).unwrap_or_default()
}

/// Reads the address of something that is fetched.
pub(super) fn address(
    reader: &mut SectionReader<'_>,
    key: &'static str,
    plain_http: &PlainHttp,
) -> Option<String> {
    let text = reader.string(key)?;
    if secure_url::parse_with(&text, plain_http).is_none() {
        let expected = "expected an absolute https URL (http for loopback and `[danger] plain_http` \
                        only)";
        return reader.fail(key, format!("{expected}, found \"{}\"", loggable(&text)));
    }
    Some(text)
}

/// Returns an address as an error may tell it.
pub(super) fn loggable(address: &str) -> String {
    sanitize(&secure_url::without_user(address))
}
