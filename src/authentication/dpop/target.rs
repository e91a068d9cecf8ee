//! `htu`: the address that a proof is for, compared as RFC 3986 section 6.2 normalises.

use url::Url;

/// Reports whether a proof is for the address that clients write for a request: the origin of the
/// base URL, and the path of the request. Query and fragment do not count (RFC 9449 section 4.3).
///
/// `origin` ends without a slash.
pub(super) fn is_for(htu: &str, origin: &str, path: &str) -> bool {
    // As nearly every client writes it.
    if htu.strip_prefix(origin) == Some(path) {
        return true;
    }
    normalised(htu).is_some_and(|named| normalised(&format!("{origin}{path}")) == Some(named))
}

/// Returns an address in its normal form; `None` where it is none.
fn normalised(text: &str) -> Option<String> {
    // What the parser of a browser would mend is no address of RFC 3986.
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    let (scheme, rest) = text.split_once("://")?;
    if !text.bytes().all(is_allowed) || rest.starts_with(['/', '?', '#']) {
        return None;
    }
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    // `Url` leaves `%41` as it is, which is `A` by RFC 3986 section 6.2.2.2. It is decoded first.
    let address = unescaped(&format!("{scheme}://{}", rest.get(..end)?))?;
    // A user within it stays, and makes it another one.
    Some(Url::parse(&address).ok()?.into())
}

/// Decodes the bytes that need no encoding, and writes the encoding of all others in upper case
/// (RFC 3986 sections 6.2.2.1 and 6.2.2.2).
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        let (digits, after) = after.split_at_checked(2)?;
        let byte = u8::from_str_radix(digits, 16).ok()?;
        plain.push_str(before);
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => {
                plain.push(byte.into());
            }
            _ => {
                plain.push('%');
                plain.push_str(&digits.to_ascii_uppercase());
            }
        }
        rest = after;
    }
    plain.push_str(rest);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://fhir.example.org";

    #[test]
    fn addresses_that_rfc_3986_normalises_alike_are_one() {
        for (htu, path) in [
            ("https://fhir.example.org/r4/Patient/1", "/r4/Patient/1"),
            ("HTTPS://FHIR.Example.org/r4/Patient/1", "/r4/Patient/1"),
            ("https://fhir.example.org:443/r4/Patient/1", "/r4/Patient/1"),
            ("https://fhir.example.org:/r4/Patient/1", "/r4/Patient/1"),
            ("https://fhir.example.org/r4/%50atient/1", "/r4/Patient/1"),
            ("https://fhir.example.org/r4/Patient/1", "/r4/%50atient/%31"),
            ("https://fhir.example.org/r4/a/../Patient/1", "/r4/Patient/1"),
            ("https://fhir.example.org/r4/./Patient/1", "/r4/Patient/1"),
            ("https://fhir.example.org/r4/a/%2e%2E/Patient/1", "/r4/Patient/1"),
            ("https://fhir.example.org/r4/a%2fb", "/r4/a%2Fb"),
            ("https://fhir.example.org/r4/Patient/1?x=y", "/r4/Patient/1"),
            ("https://fhir.example.org/r4/Patient/1#x", "/r4/Patient/1"),
            ("https://fhir.example.org", "/"),
            ("https://fhir.example.org?x", "/"),
            ("https://fhir.example.org/r4/$export", "/r4/$export"),
        ] {
            assert!(is_for(htu, ORIGIN, path), "{htu} {path}");
        }
    }

    #[test]
    fn every_other_address_is_another_one() {
        for htu in [
            "http://fhir.example.org/r4/Patient/1",
            "https://fhir.example.org:444/r4/Patient/1",
            "https://fhir.example.org.evil.example/r4/Patient/1",
            "https://evil.example/r4/Patient/1",
            "https://fhir.example.org@evil.example/r4/Patient/1",
            "https://evil.example@fhir.example.org/r4/Patient/1",
            "https://fhir.example.org/r4/Patient/2",
            "https://fhir.example.org/r4/patient/1",
            "https://fhir.example.org/r4/Patient/1/",
            "https://fhir.example.org/r4//Patient/1",
            "https://fhir.example.org/r4/Patient%2F1",
            "https://fhir.example.org\\r4\\Patient\\1",
            "https:fhir.example.org/r4/Patient/1",
            "https:///fhir.example.org/r4/Patient/1",
            " https://fhir.example.org/r4/Patient/1",
            "https://fhir.example.org/r4/Pati\tent/1",
            "https://fhir.example.org/r4/Patient/1%",
            "https://fhir.example.org/r4/Patient/%zz",
            "a:https://fhir.example.org/r4/Patient/1",
            "//https://fhir.example.org/r4/Patient/1",
            "https://a:b@fhir.example.org/r4/Patient/1",
            "https://:b@fhir.example.org/r4/Patient/1",
            "/r4/Patient/1",
            "",
        ] {
            assert!(!is_for(htu, ORIGIN, "/r4/Patient/1"), "{htu}");
        }
        assert!(!is_for("https://fhir.example.org/r4/%2e%2e/x", ORIGIN, "/r4/x"));
        assert!(is_for("https://fhir.example.org/r4/../x", ORIGIN, "/x"));
    }
}
