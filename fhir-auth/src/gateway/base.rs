//! The two bases: the one that clients know, and that of the upstream server.

use std::sync::Arc;

use tower_fhir_auth::fhir::BaseUrl;

use super::spelling::Base;

/// The bases, cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Bases(Arc<Both>);

#[derive(Debug)]
struct Both {
    public: Base,
    upstream: Base,
}

impl Bases {
    pub(super) fn new(public: &BaseUrl, upstream: &BaseUrl) -> Self {
        Self(Arc::new(Both { public: Base::new(public), upstream: Base::new(upstream) }))
    }

    /// The base that clients know.
    pub(super) fn of_clients(&self) -> &Base {
        &self.0.public
    }

    /// The base of the upstream server.
    pub(super) fn of_server(&self) -> &Base {
        &self.0.upstream
    }

    /// Returns an address of the upstream server as clients know it; `None` where it leads elsewhere.
    pub(super) fn public(&self, address: &str) -> Option<String> {
        if leaves_its_folder(address) {
            return None;
        }
        let (public, upstream) = (&self.0.public, &self.0.upstream);
        if public.below(address).is_some() {
            return Some(address.to_owned());
        }
        if let Some(rest) = upstream.below(address) {
            return Some(format!("{}{rest}", public.as_str()));
        }
        if address.starts_with('/') {
            let rest = address.strip_prefix(upstream.path())?;
            let is_below = rest.is_empty() || rest.starts_with(['/', '?', '#']);
            // Two slashes begin an authority of their own (RFC 3986 section 4.2).
            return (is_below && !address.starts_with("//"))
                .then(|| format!("{}{rest}", public.as_str()));
        }
        // Relative to the address that was asked, which is so for both.
        let segment = address.split(['/', '?', '#']).next().unwrap_or_default();
        let is_relative = !address.is_empty() && !segment.contains(':');
        is_relative.then(|| address.to_owned())
    }
}

/// Reports whether an address has segments that lead out of the one before, as browsers read it (WHATWG URL).
fn leaves_its_folder(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let is_dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    path.contains('\\') || path.split('/').any(is_dots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_as_clients_know_it_or_not_at_all() {
        let bases = Bases::new(
            &"https://fhir.example.org/r4/".parse().unwrap(),
            &"http://127.0.0.1:8081/fhir".parse().unwrap(),
        );
        for (address, expected) in [
            ("http://127.0.0.1:8081/fhir/Patient/1", Some("https://fhir.example.org/r4/Patient/1")),
            ("HTTP://127.0.0.1:8081/fhir", Some("https://fhir.example.org/r4")),
            ("http://LOCALHOST:8081/fhir?a", Some("https://fhir.example.org/r4?a")),
            ("http://[::1]:8081/fhir", Some("https://fhir.example.org/r4")),
            (
                "/fhir/Patient/1/_history/1",
                Some("https://fhir.example.org/r4/Patient/1/_history/1"),
            ),
            (
                "https://fhir.example.org/r4/Patient/1",
                Some("https://fhir.example.org/r4/Patient/1"),
            ),
            (
                "HTTPS://fhir.example.org:443/r4/Patient/1",
                Some("HTTPS://fhir.example.org:443/r4/Patient/1"),
            ),
            ("Patient/1", Some("Patient/1")),
            ("?_page=2", Some("?_page=2")),
            ("http://127.0.0.1:8082/fhir/Patient/1", None),
            ("http://127.0.0.1/fhir/Patient/1", None),
            ("https://127.0.0.1:8081/fhir/Patient/1", None),
            ("http://127.0.0.1:8081/fhirs/Patient/1", None),
            ("http://127.0.0.1:8081/fhir/../admin", None),
            ("http://127.0.0.1:8081/fhir/%2e%2E/admin", None),
            ("https://fhir.example.org/r4x", None),
            ("https://fhir.example.org/r4/../admin", None),
            ("//elsewhere.example.org/fhir", None),
            ("/admin", None),
            ("../admin", None),
            ("javascript:alert(1)", None),
            (r"a\b", None),
            ("é", Some("é")),
            ("", None),
        ] {
            assert_eq!(bases.public(address).as_deref(), expected, "{address}");
        }
        let root = Bases::new(
            &"https://fhir.example.org".parse().unwrap(),
            &"http://[::1]:8081/".parse().unwrap(),
        );
        let behind = root.of_server();
        assert!(behind.is(b"http://[::1]:8081") && !behind.may_be(b"http://[::1]:8082"));
        let public = root.public("/Patient/1");
        assert_eq!(public.as_deref(), Some("https://fhir.example.org/Patient/1"));
        assert_eq!(root.public("//elsewhere.example.org"), None);
    }
}
