//! The two bases: the one that clients know, and that of the server behind in all of its spellings.

use std::sync::Arc;

use http::Uri;
use tower_fhir_auth::fhir::BaseUrl;

/// The bases, cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Bases(Arc<Both>);

#[derive(Debug)]
struct Both {
    /// The base that clients know, without a slash at its end.
    public: String,
    public_in_json: Vec<u8>,
    public_spellings: Vec<Spelling>,
    upstream: Vec<Spelling>,
    upstream_path: String,
}

/// A spelling of the base of the server behind, without a slash at its end.
#[derive(Debug)]
struct Spelling {
    text: Vec<u8>,
    /// The length of scheme, host and port, whose case does not matter.
    origin: usize,
}

impl Spelling {
    fn new(origin: &str, path: &str) -> Self {
        Self { text: format!("{origin}{path}").into_bytes(), origin: origin.len() }
    }

    /// The spellings of a base: as it was given, and with and without the port that is the usual one.
    fn all_of(base: &BaseUrl) -> Vec<Self> {
        let text = base.as_str().trim_end_matches('/');
        let path = base.path();
        let written = text.strip_suffix(path).unwrap_or(text);
        let mut spellings = vec![Self::new(written, path)];
        if let Ok(uri) = base.as_str().parse::<Uri>() {
            let (scheme, host) =
                (uri.scheme_str().unwrap_or("http"), uri.host().unwrap_or_default());
            let usual = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
            let port = uri.port_u16().unwrap_or(usual);
            spellings.push(Self::new(&format!("{scheme}://{host}:{port}"), path));
            if port == usual {
                spellings.push(Self::new(&format!("{scheme}://{host}"), path));
            }
        }
        spellings
    }

    /// Reports whether a text is one of these spellings.
    fn is_one(all: &[Self], text: &[u8]) -> bool {
        all.iter().any(|one| one.text.len() == text.len() && one.begins_with(text))
    }

    fn begins_with(&self, text: &[u8]) -> bool {
        let Some(own) = self.text.get(..text.len()) else { return false };
        let origin = self.origin.min(text.len());
        own.get(..origin).zip(text.get(..origin)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
            && own.get(origin..) == text.get(origin..)
    }
}

impl Bases {
    pub(super) fn new(public: &BaseUrl, upstream: &BaseUrl) -> Self {
        let public_spellings = Spelling::all_of(public);
        let public = public.as_str().trim_end_matches('/').to_owned();
        let in_json = serde_json::to_string(&public).unwrap_or_default();
        Self(Arc::new(Both {
            public_in_json: in_json.trim_matches('"').as_bytes().to_vec(),
            public,
            public_spellings,
            upstream: Spelling::all_of(upstream),
            upstream_path: upstream.path().to_owned(),
        }))
    }

    /// The base that clients know, as it is written within a text of JSON.
    pub(super) fn public_in_json(&self) -> &[u8] {
        &self.0.public_in_json
    }

    /// Reports whether a text is the base of the server behind.
    pub(super) fn is_base(&self, text: &[u8]) -> bool {
        Spelling::is_one(&self.0.upstream, text)
    }

    /// Reports whether a text is the base that clients know.
    pub(super) fn is_public(&self, text: &[u8]) -> bool {
        Spelling::is_one(&self.0.public_spellings, text)
    }

    /// Reports whether a text may yet become the base that clients know.
    pub(super) fn may_be_public(&self, text: &[u8]) -> bool {
        self.0.public_spellings.iter().any(|one| one.begins_with(text))
    }

    /// Reports whether a text may yet become the base of the server behind.
    pub(super) fn may_be_base(&self, text: &[u8]) -> bool {
        self.0.upstream.iter().any(|one| one.begins_with(text))
    }

    /// Returns an address of the server behind as clients know it; `None` where it leads elsewhere.
    pub(super) fn public(&self, address: &str) -> Option<String> {
        let public = self.0.public.as_str();
        if below(address, public).is_some() {
            return Some(address.to_owned());
        }
        for one in &self.0.upstream {
            let (base, rest) =
                address.as_bytes().split_at_checked(one.text.len()).unwrap_or_default();
            let rest = std::str::from_utf8(rest).ok()?;
            if self.is_base(base) && (rest.is_empty() || rest.starts_with(['/', '?', '#'])) {
                return Some(format!("{public}{rest}"));
            }
        }
        if address.starts_with('/') {
            let rest =
                below(address, &self.0.upstream_path).filter(|_| !address.starts_with("//"))?;
            return Some(format!("{public}{rest}"));
        }
        // Relative to the address that was asked, which is so for both.
        let segment = address.split(['/', '?', '#']).next().unwrap_or_default();
        let is_relative =
            !segment.is_empty() && !segment.contains(':') && !segment.starts_with('.');
        (is_relative && !address.contains('\\')).then(|| address.to_owned())
    }
}

/// Returns the rest of an address below a base.
fn below<'a>(address: &'a str, base: &str) -> Option<&'a str> {
    let rest = address.strip_prefix(base)?;
    (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then_some(rest)
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
            (
                "/fhir/Patient/1/_history/1",
                Some("https://fhir.example.org/r4/Patient/1/_history/1"),
            ),
            (
                "https://fhir.example.org/r4/Patient/1",
                Some("https://fhir.example.org/r4/Patient/1"),
            ),
            ("Patient/1", Some("Patient/1")),
            ("http://127.0.0.1:8082/fhir/Patient/1", None),
            ("http://127.0.0.1:8081/fhirs/Patient/1", None),
            ("https://fhir.example.org/r4x", None),
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
        assert!(root.is_base(b"http://[::1]:8081") && !root.may_be_base(b"http://[::1]:8082"));
        let told = root.public("/Patient/1");
        assert_eq!(told.as_deref(), Some("https://fhir.example.org/Patient/1"));
        assert_eq!(root.public("//elsewhere.example.org"), None);
    }
}
