//! The parameters of an interaction, in its address or in its body.

use http::Method;
use memchr::memmem;
use percent_encoding::percent_decode_str;

use super::Interaction;
use crate::fhir::search_reach::{Reach, reached};

impl Interaction {
    /// Reports whether it is a search with parameters in a body that was not read.
    pub(crate) fn has_unseen_body(&self) -> bool {
        let has_body = self.outside_uri.as_ref().is_some_and(|outside| outside.body.is_some());
        !has_body && self.is_search_by_post()
    }

    /// Reports whether it is a search whose parameters may be in the body.
    #[must_use]
    pub fn is_search_by_post(&self) -> bool {
        self.method == Method::POST && self.path().ends_with("/_search")
    }

    /// Returns all queries of the request: that of the address, the parameters of a body that was
    /// read, the conditions of a creation, and the header of a cascading deletion.
    pub(crate) fn queries(&self) -> impl Iterator<Item = &str> {
        let outside = self.outside_uri.iter().flat_map(|outside| {
            let queries = outside.queries.iter().map(|query| &**query);
            outside.body.as_deref().into_iter().chain(queries)
        });
        self.query().into_iter().chain(outside)
    }

    /// Reports whether its parameters look beyond the resources that it is about, or may: an include, a chain,
    /// `_has`, a filter, a sort by another resource, and spellings that one server reads as such and another
    /// does not.
    #[must_use]
    pub fn looks_beyond(&self) -> bool {
        let mut reached = self.queries().flat_map(reached);
        reached.any(|reach| !matches!(reach, Reach::Result(_) | Reach::Patient(_)))
    }

    /// Reports whether other resources are asked for beside the results of a search.
    #[cfg(feature = "confine")]
    pub(crate) fn has_includes(&self) -> bool {
        let mut reached = self.queries().flat_map(reached);
        reached.any(|reach| matches!(reach, Reach::Included(_) | Reach::UntypedReference))
    }

    /// Reports whether a deletion also asks to delete the history (`_hardDelete`, `_purgeHistory`, HAPI's
    /// `_expunge`), in whatever spelling and with whatever value: `false` is not recognised.
    pub(crate) fn is_hard_delete(&self) -> bool {
        let Some(query) = self.query().filter(|query| !query.is_empty()) else {
            return false;
        };
        let mut decoded: Vec<u8> = percent_decode_str(query).collect();
        decoded.make_ascii_lowercase();
        let asks = |words: &[u8]| memmem::find(&decoded, words).is_some();
        asks(b"harddelete") || asks(b"purgehistory") || asks(b"expunge")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn search(query: &str) -> Interaction {
        let base = "https://h/r4".parse().unwrap();
        let uri = format!("/r4/Observation?{query}").parse().unwrap();
        Interaction::parse(&base, &Method::GET, &uri, &HeaderMap::new())
    }

    #[test]
    fn a_search_by_post_is_told_by_method_and_address() {
        let base = "https://h/r4".parse().unwrap();
        for (method, uri, expected) in [
            (Method::POST, "/r4/Patient/_search", true),
            (Method::POST, "/r4/_search?_count=1", true),
            (Method::GET, "/r4/Patient/_search", false),
            (Method::POST, "/r4/Patient", false),
        ] {
            let found =
                Interaction::parse(&base, &method, &uri.parse().unwrap(), &HeaderMap::new());
            assert_eq!(found.is_search_by_post(), expected, "{method} {uri}");
        }
    }

    #[test]
    fn a_search_looks_beyond_what_it_is_about_where_a_parameter_does() {
        for (query, expected) in [
            ("", false),
            ("code=x&_count=5&_sort=-date", false),
            ("patient=1", false),
            ("_type=Patient", false),
            ("_include=Observation:subject", true),
            ("_revinclude=Provenance:target", true),
            ("subject.name=x", true),
            ("_has:Provenance:target:agent=x", true),
            ("_filter=x", true),
            ("_sort=subject.name", true),
        ] {
            assert_eq!(search(query).looks_beyond(), expected, "{query}");
        }
    }

    #[cfg(feature = "confine")]
    #[test]
    fn what_comes_along_is_told_from_what_is_only_searched() {
        for (query, expected) in [
            ("", false),
            ("code=x&patient=1", false),
            ("_has:Provenance:target:agent=x", false),
            ("_include=Observation:subject:Patient", true),
            ("_include=*", true),
            ("_revinclude=Provenance:target", true),
        ] {
            assert_eq!(search(query).has_includes(), expected, "{query}");
        }
    }
}
