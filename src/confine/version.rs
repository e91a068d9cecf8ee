//! Versions: what `If-Match` names.

use http::HeaderMap;
use http::header::ETAG;

use crate::authorization::ResourceRef;
use crate::fhir::compartment::Node;
use crate::fhir::is_id;

/// The entity tag of a version, as `If-Match` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version(String);

impl Version {
    /// Reads the version of a resource that was read: its entity tag, else its `meta.versionId` (R4 section
    /// 3.1.0.1.3).
    pub(super) fn of(headers: &HeaderMap, resource: ResourceRef<'_>) -> Option<Self> {
        let mut tags = headers.get_all(ETAG).iter();
        let tag = match (tags.next(), tags.next()) {
            (Some(tag), None) => tag.to_str().ok().filter(|tag| is_tag(tag)),
            _ => None,
        };
        if let Some(tag) = tag {
            return Some(Self(tag.to_owned()));
        }
        let number = resource.member("meta")?.member("versionId")?.string()?;
        is_id(number).then(|| Self(format!("W/\"{number}\"")))
    }

    pub(super) fn tag(&self) -> &str {
        &self.0
    }

    /// Reports whether entity tags, in a list or as `*`, name it. They are compared weakly, as FHIR's are weak.
    pub(super) fn is_among(&self, tags: &str) -> bool {
        let own = plain(&self.0);
        tags.split(',').map(str::trim).any(|tag| tag == "*" || plain(tag) == own)
    }
}

/// Returns what is compared of an entity tag; some clients leave its quotes out.
fn plain(tag: &str) -> &str {
    tag.trim_start_matches("W/").trim_matches('"')
}

/// Reports whether a string is one entity tag (RFC 9110 section 8.8.3).
fn is_tag(text: &str) -> bool {
    let quoted = text.strip_prefix("W/").unwrap_or(text);
    let opaque = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    opaque.is_some_and(|opaque| {
        !opaque.is_empty() && opaque.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_entity_tag_or_else_the_version_id_is_the_version() {
        let with_meta = json!({"meta": {"versionId": "7"}});
        for (tags, resource, expected) in [
            (vec!["W/\"3\""], &with_meta, Some("W/\"3\"")),
            (vec!["\"abc\""], &json!({}), Some("\"abc\"")),
            (vec![], &with_meta, Some("W/\"7\"")),
            (vec!["3"], &with_meta, Some("W/\"7\"")),
            (vec!["W/\"3\"", "W/\"4\""], &with_meta, Some("W/\"7\"")),
            (vec!["*"], &json!({}), None),
            (vec!["W/\"\""], &json!({}), None),
            (vec!["\"a\", \"b\""], &json!({}), None),
            (vec!["\"a b\""], &json!({}), None),
            (vec!["\"a\"b\""], &json!({}), None),
            (vec![], &json!({"meta": {"versionId": "a\"b"}}), None),
            (vec![], &json!({"meta": {"versionId": 7}}), None),
        ] {
            let mut headers = HeaderMap::new();
            for tag in &tags {
                headers.append(ETAG, tag.parse().unwrap());
            }
            let found = Version::of(&headers, ResourceRef::from(resource));
            assert_eq!(found.as_ref().map(Version::tag), expected, "{tags:?} {resource}");
        }
    }

    #[test]
    fn a_list_of_tags_names_a_version() {
        let version = Version("W/\"3\"".to_owned());
        for (tags, expected) in [
            ("W/\"3\"", true),
            ("\"3\"", true),
            ("3", true),
            ("*", true),
            ("W/\"2\", W/\"3\"", true),
            ("W/\"2\"", false),
            ("", false),
        ] {
            assert_eq!(version.is_among(tags), expected, "{tags}");
        }
    }
}
