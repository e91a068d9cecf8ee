//! Paths that two servers could read differently.

/// Reports whether a path, below the base, could be read as another one, or as one outside the base. None that
/// spells an interaction of FHIR can.
pub(crate) fn may_be_read_otherwise(below: &str) -> bool {
    let lower = below.to_ascii_lowercase();
    let is_odd =
        ["%2e", "%2f", "%5c", "%25", "%00", ";", "\\"].iter().any(|odd| lower.contains(odd));
    let inner = below.strip_prefix('/').unwrap_or(below);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let mut segments = inner.split('/');
    is_odd
        || (!inner.is_empty()
            && segments.any(|segment| segment.is_empty() || segment.starts_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_goes_on_that_could_be_read_as_another() {
        for odd in [
            "//admin",
            "/a//b",
            "/../admin",
            "/a/../../admin",
            "/.",
            "/%2e%2e/admin",
            "/%2E./x",
            "/a%2fb",
            "/a%5Cb",
            "/a;b",
            "/a\\b",
            "/a%252fb",
            "/docs//",
            "/..",
        ] {
            assert!(may_be_read_otherwise(odd), "{odd}");
        }
        for plain in [
            "",
            "/",
            "/Patient/1",
            "/Patient/1/$everything",
            "/docs/",
            "/docs/a%20b",
            "/Patient/a.b",
        ] {
            assert!(!may_be_read_otherwise(plain), "{plain}");
        }
    }
}
