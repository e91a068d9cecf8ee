//! Addresses in the parameters of a search: those below the base are of this server and sent relative, and those below
//! that of the upstream server are of another, whatever that server thinks of itself.

use std::borrow::Cow;

use form_urlencoded::{Serializer, parse};

use super::link;
use crate::fhir::BaseUrl;
use crate::fhir::search::SearchParameter;

/// The base that is written for that of the upstream server. By RFC 2606 there is none.
const FOREIGN: &str = "https://foreign.invalid";

/// The base of this server and that of the upstream server, by which addresses in parameters are translated.
///
/// [`ConfineLayer`](super::ConfineLayer) does so by itself where its settings have an
/// [`upstream_base`](super::ConfineSettings::upstream_base): this is for proxies that are used without it.
///
/// ```
/// use tower_fhir_auth::confine::Addresses;
/// use tower_fhir_auth::fhir::BaseUrl;
///
/// let base: BaseUrl = "https://fhir.example.org/r4".parse()?;
/// let addresses = Addresses::new(&base, "http://127.0.0.1:8081/fhir");
/// let query = "subject=https://fhir.example.org/r4/Patient/amara";
/// let sent = addresses.query("/Observation", query);
/// assert_eq!(sent.as_deref(), Some("subject=Patient%2Famara"));
/// # Ok::<(), tower_fhir_auth::fhir::BaseUrlError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Addresses<'a> {
    base: &'a BaseUrl,
    upstream: &'a str,
}

impl<'a> Addresses<'a> {
    /// Creates it of the two bases.
    #[must_use]
    pub fn new(base: &'a BaseUrl, upstream: &'a str) -> Self {
        Self { base, upstream }
    }

    /// Returns a query, a form or an `If-None-Exist` as the upstream server reads it, of a request to a path below the
    /// base; `None` where it stays as it is.
    ///
    /// References below the base are sent relative. Those below that of the upstream server are foreign to clients, and
    /// get a host that is nobody's.
    #[must_use]
    pub fn query(&self, below: &str, query: &str) -> Option<String> {
        // An address has a colon, if it is not encoded.
        if !query.contains([':', '%']) {
            return None;
        }
        let resource_type = searched(below);
        let mut changed = false;
        let mut written = Serializer::new(String::new());
        for (name, value) in parse(query.as_bytes()) {
            let sent = self.value(resource_type, &name, &value);
            changed |= *sent != *value;
            written.append_pair(&name, &sent);
        }
        changed.then(|| written.finish())
    }

    /// Returns the value of a parameter for the upstream server. Only references are addresses of resources; a
    /// canonical URL names something wherever it is.
    pub(super) fn value<'v>(&self, of: &str, name: &str, value: &'v str) -> Cow<'v, str> {
        if !is_reference(of, name) || !value.contains(':') {
            return Cow::Borrowed(value);
        }
        let sent: Vec<Cow<'_, str>> = value.split(',').map(|one| self.address(one)).collect();
        Cow::Owned(sent.join(","))
    }

    fn address<'v>(&self, address: &'v str) -> Cow<'v, str> {
        let below = self.base.relative(address);
        if let Some(below) = below.as_deref().and_then(|below| below.strip_prefix('/')) {
            return Cow::Owned(below.to_owned());
        }
        let is_absolute = address.contains("://");
        match is_absolute.then(|| link::below(self.upstream, address)).flatten() {
            Some(below) => Cow::Owned(format!("{FOREIGN}{below}")),
            None => Cow::Borrowed(address),
        }
    }
}

/// The type that is searched at a path below the base, or that a change is about.
fn searched(below: &str) -> &str {
    let is_type = |segment: &&str| segment.starts_with(|first: char| first.is_ascii_uppercase());
    let mut segments = below.trim_start_matches('/').split('/');
    let (first, _, third) = (segments.next(), segments.next(), segments.next());
    third.filter(is_type).or_else(|| first.filter(is_type)).unwrap_or_default()
}

/// Reports whether a parameter is a reference: by its name, of a chain by its last link, and of `_has` by the
/// parameter of the type that refers.
fn is_reference(of: &str, name: &str) -> bool {
    let find = |of: &str, name: &str| {
        SearchParameter::find(of, name).is_some_and(|found| found.type_code() == "reference")
    };
    let (mut of, mut name) = (of, name);
    // A loop, not recursion: the address determines how deep it goes.
    loop {
        let further = if let Some(rest) = name.strip_prefix("_has:") {
            let mut parts = rest.splitn(3, ':');
            parts.next().zip(parts.nth(1))
        } else if let Some((link, rest)) = name.split_once('.') {
            link.split_once(':').map(|(_, target)| (target, rest))
        } else {
            break;
        };
        let Some(further) = further else { return false };
        (of, name) = further;
    }
    let (name, modifier) = name.split_once(':').unwrap_or((name, ""));
    let is_address = modifier.is_empty()
        || matches!(modifier, "not" | "above" | "below")
        || modifier.starts_with(|first: char| first.is_ascii_uppercase());
    // Without a type each that a system may search counts.
    is_address && if of.is_empty() { matches!(name, "patient" | "subject") } else { find(of, name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_links_of_a_chain_are_followed_however_many_there_are() {
        let base: BaseUrl = "https://fhir.example.org/r4".parse().unwrap();
        let addresses = Addresses::new(&base, "http://127.0.0.1:8081/fhir");
        for link in ["a:B.", "_has:B:a:"] {
            let query = format!("{}name=x:y", link.repeat(16_000));
            assert_eq!(addresses.query("/Observation", &query), None, "{link}");
        }
    }

    #[test]
    fn addresses_of_this_server_are_relative_and_those_of_the_server_behind_are_foreign() {
        let base: BaseUrl = "https://fhir.example.org/r4".parse().unwrap();
        let addresses = Addresses::new(&base, "http://127.0.0.1:8081/fhir");
        let here = "https%3A%2F%2FFHIR.example.org%3A443%2Fr4%2F";
        let behind = "http%3A%2F%2F127.0.0.1%3A8081%2Ffhir%2F";
        for (below, query, expected) in [
            (
                "/Observation",
                format!("subject={here}Patient/1&_count=2"),
                Some("subject=Patient%2F1&_count=2"),
            ),
            (
                "/Observation/_search",
                format!("subject:Patient={here}Patient/1"),
                Some("subject%3APatient=Patient%2F1"),
            ),
            (
                "/Patient/1/Observation",
                format!("encounter={here}Encounter/1,Encounter/2"),
                Some("encounter=Encounter%2F1%2CEncounter%2F2"),
            ),
            (
                "/Observation",
                format!("encounter={behind}Encounter/1"),
                Some("encounter=https%3A%2F%2Fforeign.invalid%2FEncounter%2F1"),
            ),
            (
                "/Observation",
                "encounter=HTTP://127.0.0.1:8081/fhir/Encounter/1".to_owned(),
                Some("encounter=https%3A%2F%2Fforeign.invalid%2FEncounter%2F1"),
            ),
            // However it is written.
            (
                "/Observation",
                "subject=%68ttps://fhir.example.org/r4/Patient/1".to_owned(),
                Some("subject=Patient%2F1"),
            ),
            (
                "/Observation",
                "encounter=%68%54tp%3a//127.0.0.1:8081/fhir/Encounter/1".to_owned(),
                Some("encounter=https%3A%2F%2Fforeign.invalid%2FEncounter%2F1"),
            ),
            (
                "/Observation",
                format!("encounter:not={here}Encounter/1"),
                Some("encounter%3Anot=Encounter%2F1"),
            ),
            (
                "/Patient",
                format!("_has:Observation:patient:encounter={here}Encounter/1"),
                Some("_has%3AObservation%3Apatient%3Aencounter=Encounter%2F1"),
            ),
            (
                "/Observation",
                format!("subject:Patient.organization={here}Organization/1"),
                Some("subject%3APatient.organization=Organization%2F1"),
            ),
            (
                "",
                format!("_type=Observation&patient={here}Patient/1"),
                Some("_type=Observation&patient=Patient%2F1"),
            ),
            ("/ValueSet", format!("url={here}ValueSet/1"), None),
            ("/Observation", format!("code={here}x|y"), None),
            ("/Observation", format!("subject:identifier={here}x|y"), None),
            ("/Observation", "subject=https://elsewhere.example.org/r4/Patient/1".to_owned(), None),
            ("/Observation", "subject=Patient/1".to_owned(), None),
            ("/Observation", "note=http".to_owned(), None),
        ] {
            assert_eq!(addresses.query(below, &query).as_deref(), expected, "{below} {query}");
        }
        let same = Addresses::new(&base, base.as_str());
        let sent = same.value("Observation", "subject", "https://fhir.example.org/r4/Patient/1");
        assert_eq!(sent, "Patient/1", "the one server there is");
    }
}
