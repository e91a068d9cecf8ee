//! A base in all of its spellings.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use tower_fhir_auth::fhir::BaseUrl;
use url::{Host, Url};

/// A base, without a slash at its end.
#[derive(Debug)]
pub(super) struct Base {
    text: String,
    in_json: Vec<u8>,
    path: String,
    spellings: Vec<Spelling>,
}

/// One spelling of a base.
#[derive(Debug)]
struct Spelling {
    text: Vec<u8>,
    /// The length of the scheme.
    scheme: usize,
    /// The length of scheme, host and port, whose case does not matter.
    origin: usize,
}

static AFTER_SCHEME: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"://"));

/// The names of this very machine: a server that is known by one of them may write another.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

impl Base {
    pub(super) fn new(base: &BaseUrl) -> Self {
        let text = base.as_str().trim_end_matches('/').to_owned();
        let path = base.path().trim_end_matches('/').to_owned();
        let written = text.strip_suffix(&path).unwrap_or(&text).to_owned();
        let mut origins = vec![written];
        if let Some(url) = Url::parse(base.as_str()).ok().filter(Url::has_host) {
            let own = url.host_str().unwrap_or_default();
            let names: &[&str] = if is_loopback(&url) { &LOOPBACK } else { &[] };
            for host in [&own].into_iter().chain(names) {
                origins.extend(spelled(&url, host));
            }
        }
        let spellings = origins.iter().map(|origin| Spelling::new(origin, &path)).collect();
        let in_json = serde_json::to_string(&text).unwrap_or_default();
        let in_json = in_json.trim_matches('"').as_bytes().to_vec();
        Self { text, in_json, path, spellings }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Returns it as it is written within a text of JSON.
    pub(super) fn in_json(&self) -> &[u8] {
        &self.in_json
    }

    /// Reports whether a text is this base.
    pub(super) fn is(&self, text: &[u8]) -> bool {
        self.spellings.iter().any(|one| one.text.len() == text.len() && one.begins_with(text))
    }

    /// Reports whether a text may yet become this base.
    pub(super) fn may_be(&self, text: &[u8]) -> bool {
        self.spellings.iter().any(|one| one.begins_with(text))
    }

    /// Reports whether a text has this base anywhere in it.
    pub(super) fn is_within(&self, text: &[u8]) -> bool {
        AFTER_SCHEME.find_iter(text).any(|at| self.spellings.iter().any(|one| one.is_at(text, at)))
    }

    /// Returns the rest of an address below this base, with what it begins with.
    pub(super) fn below<'a>(&self, address: &'a str) -> Option<&'a str> {
        let rests = self.spellings.iter().filter_map(|one| {
            let (base, rest) = address.split_at_checked(one.text.len())?;
            self.is(base.as_bytes()).then_some(rest)
        });
        rests.into_iter().find(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
    }
}

impl Spelling {
    fn new(origin: &str, path: &str) -> Self {
        let scheme = origin.find("://").unwrap_or_default();
        Self { text: format!("{origin}{path}").into_bytes(), scheme, origin: origin.len() }
    }

    /// Reports whether a text has it where its scheme ends.
    fn is_at(&self, text: &[u8], end_of_scheme: usize) -> bool {
        let Some(start) = end_of_scheme.checked_sub(self.scheme) else { return false };
        let found = start.checked_add(self.text.len()).and_then(|end| text.get(start..end));
        found.is_some_and(|found| self.begins_with(found))
    }

    fn begins_with(&self, text: &[u8]) -> bool {
        let Some(own) = self.text.get(..text.len()) else { return false };
        let origin = self.origin.min(text.len());
        own.get(..origin).zip(text.get(..origin)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
            && own.get(origin..) == text.get(origin..)
    }
}

/// Returns an origin with its port, and without where that is the usual one.
fn spelled(url: &Url, host: &str) -> impl Iterator<Item = String> {
    let scheme = url.scheme();
    let port = url.port_or_known_default().unwrap_or_default();
    let short = url.port().is_none().then(|| format!("{scheme}://{host}"));
    std::iter::once(format!("{scheme}://{host}:{port}")).chain(short)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
