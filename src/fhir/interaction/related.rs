//! Interactions made of another one: entries of a bundle, and questions about what else its caller may do.

use http::Method;

use super::entry;
use super::route::Route;
use super::{Interaction, InteractionKind, Outside, OutsideUri};

impl Interaction {
    /// Reads an entry of a bundle that came to the same API: its `request.method`, `request.url`
    /// and `request.ifNoneExist`. The URL is relative to the base, with or without one leading
    /// slash, or absolute below it. An application that has an [`Access`](crate::Access) asks that to
    /// [authorize the entry](crate::Access::authorize_entry) instead.
    #[must_use]
    pub fn entry(&self, method: &Method, url: &str, condition: Option<&str>) -> Self {
        let (address, problem) = match entry::address(&self.base, &self.types, url) {
            Ok(address) => (Some(address), None),
            Err(problem) => (None, Some(problem)),
        };
        let outside = Outside::Entry { condition };
        let mut entry = Self::of(&self.base, &self.types, method, address, outside);
        if problem.is_some() {
            let outside = OutsideUri { problem, ..OutsideUri::default() };
            entry.outside_uri = Some(Box::new(outside));
        }
        entry
    }

    /// Makes a create, read, update, delete or search of a type, without an instance.
    pub(crate) fn on_type(&self, kind: InteractionKind, resource_type: &str) -> Self {
        let method = method_on_type(kind).filter(|_| self.types.contains(resource_type));
        let (kind, method) = match method {
            Some(method) => (kind, method),
            None => (InteractionKind::Unknown, Method::GET),
        };
        let address = format!("{}/{resource_type}", self.base.path()).parse().ok();
        Self::at(&self.base, &self.types, &method, address, |address| {
            let (_, name) = address.path().rsplit_once('/')?;
            Some((Route { resource_type: Some(name), ..Route::of(kind) }, None))
        })
    }

    /// Makes a create, read, update, delete or search of no type in particular: what grants it grants it on
    /// every type, for nothing can name this one.
    pub(crate) fn on_every_type(&self, kind: InteractionKind) -> Self {
        let address = format!("{}/-", self.base.path()).parse().ok();
        let method = method_on_type(kind).unwrap_or(Method::GET);
        Self::at(&self.base, &self.types, &method, address, |address| {
            let (_, name) = address.path().rsplit_once('/')?;
            Some((Route { resource_type: Some(name), ..Route::of(kind) }, None))
        })
    }

    /// Makes the export of one type.
    pub(crate) fn export_of(&self, resource_type: &str) -> Self {
        let known = self.types.contains(resource_type);
        let address = format!("{}/$export?_type={resource_type}", self.base.path());
        let address = address.parse().ok().filter(|_| known);
        Self::of(&self.base, &self.types, &Method::GET, address, Outside::Entry { condition: None })
    }

    /// Returns this search with the parameters of its body, which count beside those of its address
    /// (R4 section 3.1.1.1.2).
    pub(crate) fn with_body(&self, parameters: &str) -> Self {
        let outside = self.outside_uri.as_deref().cloned().unwrap_or_default();
        let outside = OutsideUri { body: Some(parameters.into()), ..outside };
        Self { outside_uri: Some(Box::new(outside)), ..self.clone() }
    }
}

/// Returns the method of an interaction on a type that is asked about without an instance.
fn method_on_type(kind: InteractionKind) -> Option<Method> {
    use InteractionKind as Kind;
    let known = [
        (Kind::Create, Method::POST),
        (Kind::Read, Method::GET),
        (Kind::SearchType, Method::GET),
        (Kind::Update, Method::PUT),
        (Kind::Delete, Method::DELETE),
    ];
    known.into_iter().find(|(known, _)| *known == kind).map(|(_, method)| method)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::fhir::{AddressProblem, BaseUrl};
    use InteractionKind as Kind;

    fn bundle(base: &BaseUrl) -> Interaction {
        let uri = if base.path().is_empty() { "/" } else { base.path() }.parse().unwrap();
        Interaction::parse(base, &Method::POST, &uri, &HeaderMap::new())
    }

    #[test]
    fn an_entry_of_a_bundle_is_read_like_a_request() {
        for base in ["https://h/r4", "https://h/r4/", "https://h"] {
            let base: BaseUrl = base.parse().unwrap();
            let absolute = format!("{}/Patient/1", base.as_str().trim_end_matches('/'));
            for (method, url, expected) in [
                ("GET", "Patient/1", Kind::Read),
                ("GET", &absolute, Kind::Read),
                ("GET", "Patient?identifier=s|v", Kind::SearchType),
                ("GET", "?_type=Patient", Kind::SearchSystem),
                ("PUT", "Patient?identifier=x", Kind::ConditionalUpdate),
                ("POST", "Patient", Kind::Create),
                ("POST", "", Kind::Batch),
                ("POST", base.as_str().trim_end_matches('/'), Kind::Batch),
                ("GET", "/Patient/1", Kind::Read),
                ("GET", "/Patient?identifier=x", Kind::SearchType),
                ("GET", "/_history", Kind::HistorySystem),
                ("GET", "/?_type=Patient", Kind::SearchSystem),
                ("GET", "/$export", Kind::Operation),
                ("GET", "/%24export", Kind::Operation),
                ("GET", "/Patient/1/%24everything", Kind::Operation),
                ("GET", "//Patient/1", Kind::Unknown),
                ("GET", "///Patient/1", Kind::Unknown),
                ("GET", "/\\Patient/1", Kind::Unknown),
                ("GET", "\\Patient/1", Kind::Unknown),
                ("GET", "/./Patient/1", Kind::Unknown),
                ("GET", "/.", Kind::Unknown),
                ("GET", "/../Patient/1", Kind::Unknown),
                ("POST", "/", Kind::Unknown),
                ("GET", "/metadata", Kind::Unknown),
                ("GET", "/_operations/export/1", Kind::Unknown),
                ("POST", "/_search", Kind::Unknown),
                ("GET", "/r4/Patient/1", Kind::Unknown),
                ("GET", "/patient/1", Kind::Unknown),
                ("GET", "/Foo/1", Kind::Unknown),
                ("GET", &format!("{absolute}#x"), Kind::Unknown),
                ("GET", "Patient/1#x", Kind::Unknown),
                ("GET", "urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9", Kind::Unknown),
                ("GET", "https://elsewhere/r4/Patient/1", Kind::Unknown),
                ("GET", "https://h/r4x/Patient/1", Kind::Unknown),
                ("GET", "https://h.evil/r4/Patient/1", Kind::Unknown),
                ("GET", "https://hPatient/1", Kind::Unknown),
                ("GET", "../Patient/1", Kind::Unknown),
                ("GET", "Patient/1 x", Kind::Unknown),
                ("GET", "Patient/%31", Kind::Unknown),
            ] {
                let entry = bundle(&base).entry(&method.parse().unwrap(), url, None);
                assert_eq!(entry.kind(), expected, "{method} {url} at {base}");
            }
        }
        let bundle = bundle(&"https://h/r4".parse().unwrap());
        let create = bundle.entry(&Method::POST, "Patient", Some("identifier=x"));
        assert_eq!(create.kind(), Kind::ConditionalCreate);
        assert_eq!(create.queries().collect::<Vec<_>>(), ["identifier=x"]);
    }

    #[test]
    fn an_entry_elsewhere_is_told_from_one_with_a_colon_in_it() {
        let bundle = bundle(&"https://h/r4".parse().unwrap());
        let unknown = |name: &str| AddressProblem::UnknownType {
            name: Some(name.to_owned()),
            is_of_later_version: false,
        };
        for (url, expected) in [
            ("https://elsewhere/r4/Patient/1", AddressProblem::OtherBase),
            ("https://h/r4Patient/1", AddressProblem::OtherBase),
            ("x-y.z+1:Patient/1", AddressProblem::OtherBase),
            (":Patient/1", unknown(":Patient")),
            ("a_b:Patient/1", unknown("a_b:Patient")),
        ] {
            let fault = bundle.entry(&Method::GET, url, None).address_fault().unwrap();
            assert_eq!(fault.problem(), &expected, "{url}");
        }
    }

    #[test]
    fn an_export_of_one_type_names_it() {
        for base in ["https://h/r4", "https://h"] {
            let export = bundle(&base.parse().unwrap()).export_of("Patient");
            assert_eq!((export.kind(), export.operation()), (Kind::Operation, Some("export")));
            assert_eq!(export.query(), Some("_type=Patient"));
            let none = bundle(&base.parse().unwrap()).export_of("Patient,Observation");
            assert_eq!(none.kind(), Kind::Unknown);
        }
    }

    #[test]
    fn an_interaction_on_a_type_has_no_instance() {
        let bundle = bundle(&"https://h/r4".parse().unwrap());
        for kind in [Kind::Create, Kind::Read, Kind::Update, Kind::Delete, Kind::SearchType] {
            let plain = bundle.on_type(kind, "Patient");
            assert_eq!((plain.kind(), plain.id()), (kind, None));
        }
        for (kind, resource_type) in
            [(Kind::Batch, "Patient"), (Kind::Read, "x/y"), (Kind::Read, "Foo")]
        {
            let none = bundle.on_type(kind, resource_type);
            assert_eq!(none.kind(), Kind::Unknown);
        }
    }
}
