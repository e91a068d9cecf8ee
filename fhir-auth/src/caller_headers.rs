//! The caller, in headers for the upstream server or the proxy that asks.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tower_fhir_auth::Principal;
use tower_fhir_auth::config::{CallerHeader, CallerMember};
use tower_fhir_auth::fhir::BaseUrl;

/// The longest value of a header.
const MAX_VALUE: usize = 4 * 1024;

/// Bytes that are no visible ASCII, and the sign of the encoding itself; blanks within stay.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// The bytes that are encoded in an item of a list: blanks too, which stand between items.
const ENCODED_IN_LIST: &AsciiSet = &ENCODED.add(b' ');

/// A header about the caller would be longer than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl TooLong {
    pub(crate) const TEXT: &str = "a header about the caller would be longer than 4 KiB";
}

/// Adds each of the headers, empty where the token has nothing of it, or where nobody is known.
pub(crate) fn set_headers(
    caller: Option<&Principal>,
    wanted: &[CallerHeader],
    base: &BaseUrl,
    headers: &mut HeaderMap,
) -> Result<(), TooLong> {
    for header in wanted {
        let value = caller.map(|caller| value(caller, header.member, base)).unwrap_or_default();
        if value.len() > MAX_VALUE {
            return Err(TooLong);
        }
        let value = HeaderValue::try_from(value).map_err(|_| TooLong)?;
        headers.insert(header.name.clone(), value);
    }
    Ok(())
}

fn value(caller: &Principal, member: CallerMember, base: &BaseUrl) -> String {
    match member {
        CallerMember::Issuer => encoded(caller.issuer()),
        CallerMember::Subject => encoded(caller.subject().unwrap_or_default()),
        CallerMember::Client => encoded(caller.client_id().unwrap_or_default()),
        CallerMember::Scopes => list(caller.scopes()),
        CallerMember::Roles => list(caller.roles()),
        CallerMember::Patient => encoded(&caller.patient_id(base).unwrap_or_default()),
        CallerMember::FhirUser => encoded(caller.fhir_user().unwrap_or_default()),
        _ => String::new(),
    }
}

/// Encodes a value. Blanks at its ends would be cut off on the way.
fn encoded(value: &str) -> String {
    let within = value.trim_matches(' ');
    let (before, after) = value.split_once(within).unwrap_or((value, ""));
    let blanks = |text: &str| "%20".repeat(text.len());
    match within.is_empty() {
        true => blanks(value),
        false => {
            format!("{}{}{}", blanks(before), utf8_percent_encode(within, ENCODED), blanks(after))
        }
    }
}

fn list<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let values: Vec<Cow<'_, str>> =
        values.map(|value| utf8_percent_encode(value, ENCODED_IN_LIST).into()).collect();
    values.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_visible_ascii_that_can_be_read_in_one_way() {
        for (value, expected) in [
            ("amara", "amara"),
            ("a b", "a b"),
            (" a  b ", "%20a  b%20"),
            ("  ", "%20%20"),
            ("", ""),
            ("100%", "100%25"),
            ("é\n\r\0\u{7f}", "%C3%A9%0A%0D%00%7F"),
            ("https://idp.example.org/?a=b,c", "https://idp.example.org/?a=b,c"),
        ] {
            assert_eq!(encoded(value), expected, "{value:?}");
        }
        assert_eq!(list(["a b", "c%", "d"].into_iter()), "a%20b c%25 d");
    }
}
