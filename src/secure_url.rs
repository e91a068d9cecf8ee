//! Addresses that tokens and keys may travel to: https, or http on loopback.

use url::{Host, Url};

/// Parses an absolute URL with a host and without fragment that is https, or http for a host
/// that is loopback by name or number.
pub(crate) fn parse(text: &str) -> Option<Url> {
    // The URL parser silently drops white space and control characters.
    if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    (is_secure(&url) && url.has_host() && url.fragment().is_none()).then_some(url)
}

/// Reports whether a URL is https, or http on loopback.
pub(crate) fn is_secure(url: &Url) -> bool {
    match url.scheme() {
        "https" => true,
        "http" => names_loopback(url),
        _ => false,
    }
}

fn names_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_alone() {
        for good in ["https://h", "http://127.0.0.1:1", "http://[::1]/", "http://LOCALHOST/"] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in [
            "http://h",
            "http://localhost.evil",
            "http://127.0.0.1.evil",
            "file:///x",
            "/x",
            "",
            "https://",
            "https://h#f",
            "urn:x",
            " https://h",
            "https://h\n",
            "https://h/a b",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }
}
