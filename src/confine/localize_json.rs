//! Addresses of the upstream server in a document that is about it, wherever they stand.

use std::borrow::Cow;

use super::bounded::TooLong;
use super::link;

/// Writes each text of sound JSON that is an address below the base of the upstream server as one below the base that
/// clients know, into no more than so many bytes. All else keeps its bytes.
pub(super) fn localize_json(
    text: &str,
    behind: &str,
    base: &str,
    limit: usize,
) -> Result<String, TooLong> {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = split_before_text(rest) {
        let end = end_of_text(from);
        let (one, after) = from.split_at_checked(end).unwrap_or((from, ""));
        written.push_str(before);
        match local(one, behind, base) {
            Some(local) => written.push_str(&local),
            None => written.push_str(one),
        }
        if written.len() > limit {
            return Err(TooLong);
        }
        rest = after;
    }
    written.push_str(rest);
    if written.len() > limit { Err(TooLong) } else { Ok(written) }
}

fn split_before_text(text: &str) -> Option<(&str, &str)> {
    text.split_at_checked(memchr::memchr(b'"', text.as_bytes())?)
}

/// Returns the length of a text with its quotes, with which it begins.
fn end_of_text(from: &str) -> usize {
    let mut is_escaped = false;
    for (index, byte) in from.bytes().enumerate().skip(1) {
        match byte {
            _ if std::mem::take(&mut is_escaped) => {}
            b'\\' => is_escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    from.len()
}

fn local(quoted: &str, behind: &str, base: &str) -> Option<String> {
    // An absolute address of HTTP, which may be written with an escape.
    if !quoted.get(1..).is_some_and(|text| text.starts_with(['h', 'H', '\\'])) {
        return None;
    }
    let address: Cow<'_, str> = serde_json::from_str(quoted).ok()?;
    let below = match below_as_written(&address, behind.trim_end_matches('/')) {
        Some(below) => below.to_owned(),
        // In another spelling, such as with the port that is the default one. Most addresses are of others, and are
        // told by their host alone.
        None => match host(&address)?.eq_ignore_ascii_case(host(behind)?) {
            true => link::below(behind, &address)?,
            false => return None,
        },
    };
    serde_json::to_string(&format!("{base}{below}")).ok()
}

/// Returns the host of an absolute address of HTTP, as it is written.
fn host(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once("://")?;
    let is_http = ["http", "https"].iter().any(|one| scheme.eq_ignore_ascii_case(one));
    let authority = rest.split(['/', '?', '#']).next().filter(|_| is_http)?;
    match authority.rsplit_once(':') {
        // The colons of IPv6 are within brackets.
        Some((host, port)) if !port.ends_with(']') => Some(host),
        Some(_) | None => Some(authority),
    }
}

/// Returns what follows the base in an address, a version or a fragment, too.
fn below_as_written<'a>(address: &'a str, behind: &str) -> Option<&'a str> {
    let (start, below) = address.split_at_checked(behind.len())?;
    let is_whole = below.is_empty() || below.starts_with(['/', '?', '#', '|']);
    (start.eq_ignore_ascii_case(behind) && is_whole).then_some(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_server_behind_become_those_that_clients_know() {
        let behind = "http://10.0.0.7:8081/fhir";
        for (text, expected) in [
            (
                r#"{"a": "http://10.0.0.7:8081/fhir/X/1", "n": 1.50}"#,
                r#"{"a": "https://h.test/r4/X/1", "n": 1.50}"#,
            ),
            (r#"["http:\/\/10.0.0.7:8081\/fhir"]"#, r#"["https://h.test/r4"]"#),
            (r#"["\u0068ttp://10.0.0.7:8081/fhir/"]"#, r#"["https://h.test/r4/"]"#),
            (r#"["HTTP://10.0.0.7:8081/fhir?a=\"b"]"#, r#"["https://h.test/r4?a=\"b"]"#),
            (r#"["http://10.0.0.7:8081/fhir/X/1|2#c"]"#, r#"["https://h.test/r4/X/1|2#c"]"#),
            (r#"["http://10.0.0.7:08081/fhir/X"]"#, r#"["https://h.test/r4/X"]"#),
            (r#"["http://10.0.0.7:8081/FHIR"]"#, r#"["https://h.test/r4"]"#),
            (r#"["http://10.0.0.8:8081/fhir/X"]"#, r#"["http://10.0.0.8:8081/fhir/X"]"#),
            (r#"["http://10.0.0.7:80810/fhir/X"]"#, r#"["http://10.0.0.7:80810/fhir/X"]"#),
            (r#"["http://10.0.0.7:8081/fhirx"]"#, r#"["http://10.0.0.7:8081/fhirx"]"#),
            (r#"["X/1", "\\", "", "h"]"#, r#"["X/1", "\\", "", "h"]"#),
            (r#""\"http://10.0.0.7:8081/fhir""#, r#""\"http://10.0.0.7:8081/fhir""#),
        ] {
            let written = localize_json(text, behind, "https://h.test/r4", expected.len());
            assert_eq!(written.as_deref(), Ok(expected), "{text}");
            let shorter = localize_json(text, behind, "https://h.test/r4", expected.len() - 1);
            assert_eq!(shorter, Err(TooLong), "{text}");
        }
    }

    #[test]
    fn the_port_that_is_the_default_one_makes_no_other_server_also_of_an_ipv6_address() {
        for (behind, text, expected) in [
            ("http://[::1]:80/fhir", r#"["http://[::1]/fhir/X"]"#, r#"["https://h.test/r4/X"]"#),
            ("http://[::1]/fhir", r#"["http://[::1]:80/fhir/X"]"#, r#"["https://h.test/r4/X"]"#),
            ("http://[::1]/fhir", r#"["http://[::2]/fhir/X"]"#, r#"["http://[::2]/fhir/X"]"#),
        ] {
            let written = localize_json(text, behind, "https://h.test/r4", 100);
            assert_eq!(written.as_deref(), Ok(expected), "{text}");
        }
    }
}
