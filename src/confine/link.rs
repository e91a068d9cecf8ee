//! Links of the upstream server.

use url::Url;

/// Returns what a link of the upstream server names below its base: the rest of the path, and the query. A link may be
/// relative to the base. `None` where it leads elsewhere, or could be read as if it did.
pub(super) fn below(base: &str, link: &str) -> Option<String> {
    if is_odd(link) {
        return None;
    }
    let mut base = Url::parse(base).ok()?;
    let root = base.path().trim_end_matches('/').to_owned();
    // Without the slash a relative link would replace the last segment (RFC 3986 section 5.2.3).
    base.set_path(&format!("{root}/"));
    let url = base.join(link).ok()?;
    let rest = url.path().strip_prefix(&*root)?;
    let is_here = url.origin() == base.origin()
        && url.username().is_empty()
        && url.password().is_none()
        && (rest.is_empty() || rest.starts_with('/'));
    let rest = if rest == "/" { "" } else { rest };
    is_here.then(|| match url.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    })
}

/// Reports whether a link is written so that it could be read in two ways: blanks, which are dropped from a
/// URL, a fragment, a path with encoded, empty or dotted segments. One slash may stand at the end.
fn is_odd(link: &str) -> bool {
    let blank = |byte: u8| byte <= b' ' || byte == 0x7f;
    let (path, _) = link.split_once('?').unwrap_or((link, ""));
    let path = match path.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None if path.contains(':') => return true,
        None => path.strip_prefix('/').unwrap_or(path),
    };
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments = path.split('/');
    link.bytes().any(blank)
        || link.contains(['#', '\\'])
        || path.contains('%')
        || (!path.is_empty() && segments.any(|one| one.is_empty() || one.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_below_the_base_or_not_at_all() {
        for base in ["https://h.test/fhir", "https://h.test:443/fhir/"] {
            for (link, expected) in [
                ("https://h.test/fhir?_page=2", Some("?_page=2")),
                ("https://h.test/fhir/?_page=2", Some("?_page=2")),
                ("HTTPS://H.test:443/fhir?_page=2", Some("?_page=2")),
                (
                    "https://h.test/fhir/Observation?a=https://x/../y%2e",
                    Some("/Observation?a=https://x/../y%2e"),
                ),
                ("https://h.test/fhir/Observation/?a=1", Some("/Observation/?a=1")),
                ("?_page=2", Some("?_page=2")),
                ("Observation?_page=2", Some("/Observation?_page=2")),
                ("/fhir?_page=2", Some("?_page=2")),
                ("/fhir/Observation?_page=2", Some("/Observation?_page=2")),
                ("/Observation?_page=2", None),
                ("http://h.test/fhir?_page=2", None),
                ("https://h.test:8443/fhir?_page=2", None),
                ("https://h.test/fhirx?_page=2", None),
                ("https://h.test.evil.test/fhir?_page=2", None),
                ("https://u:p@h.test/fhir/?_page=2", None),
                ("https://u@h.test/fhir/?_page=2", None),
                ("https://:p@h.test/fhir/?_page=2", None),
                ("https://h.test/fhir/x/../Observation", None),
                ("https://h.test/fhir/Obser\tvation", None),
                ("https://h.test/fhir/Observation\x7f", None),
                ("https://h.test/fhir/../admin", None),
                ("https://h.test/fhir/%2e%2e/admin", None),
                ("https://h.test/fhir/a%2fb", None),
                ("https://h.test/fhir//Observation", None),
                ("https://h.test//fhir/Observation", None),
                ("https://h.test/fhir/Observation//", None),
                ("https://h.test/fhir/.\t./admin", None),
                ("https://h.test/fhir\\Observation", None),
                ("https://h.test/fhir/Observation#x", None),
                ("//evil.test/fhir/x", None),
                ("../admin", None),
                ("https:Observation", None),
                ("urn:x", None),
            ] {
                assert_eq!(below(base, link).as_deref(), expected, "{link} at {base}");
            }
        }
    }
}
