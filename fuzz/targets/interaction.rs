//! Method and address → interaction (R4 section 3.1.0).
//!
//! The first line is a method and a target, each further line a value of `If-None-Exist`. Kind, type,
//! id, operation and searched type must be the model's, and their address written from these parts
//! must mean the same again. What is no interaction says why, and what it says was meant is one.

#![no_main]

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue, Method, Uri};
use libfuzzer_sys::fuzz_target;
use tower_fhir_auth::fhir::BaseUrl;
use tower_fhir_auth::{Interaction, InteractionKind};
use tower_fhir_auth_fuzz::access::{TYPES, is_type};
use tower_fhir_auth_fuzz::model::route::{Route, below, route};

static BASES: LazyLock<[BaseUrl; 2]> = LazyLock::new(|| {
    ["https://fhir.example.org/r4", "https://fhir.example.org"].map(|base| base.parse().unwrap())
});

fuzz_target!(|data: &str| {
    let mut lines = data.split('\n');
    let Some((method, target)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    let (Ok(method), Ok(uri)) = (Method::from_bytes(method.as_bytes()), target.parse::<Uri>())
    else {
        return;
    };
    let mut headers = HeaderMap::new();
    for line in lines {
        let Ok(value) = HeaderValue::from_str(line) else { return };
        headers.append("if-none-exist", value);
    }
    for base in &*BASES {
        check(base, &method, &uri, &headers);
    }
});

fn parse(base: &BaseUrl, method: &Method, uri: &Uri, headers: &HeaderMap) -> Interaction {
    Interaction::parse_with_types(base, &TYPES, method, uri, headers)
}

fn check(base: &BaseUrl, method: &Method, uri: &Uri, headers: &HeaderMap) {
    let found = parse(base, method, uri, headers);
    // An authority alone has no path.
    let path = uri.path_and_query().map(|address| address.path());
    let has_query = uri.query().is_some_and(|query| !query.is_empty());
    let expected = path
        .and_then(|path| below(base.path(), path))
        .and_then(|below| route(method.as_str(), below, has_query, !headers.is_empty(), is_type));
    let Some(expected) = expected else {
        assert_eq!(found.kind(), InteractionKind::Unknown, "{method} {uri}");
        let fault = found.address_fault().expect("what is no interaction says why");
        assert!(!fault.to_string().is_empty());
        if let Some(intended) = fault.intended() {
            // The path, for the same method and query.
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            let meant = format!("{intended}{query}").parse();
            let uri: Uri = meant.unwrap_or_else(|_| panic!("{intended} is no address"));
            let intended = parse(base, method, &uri, headers);
            assert_ne!(intended.kind(), InteractionKind::Unknown, "{method} {uri} is none either");
        }
        return;
    };
    let parts = Route {
        kind: found.kind().code(),
        resource_type: found.resource_type().map(str::to_owned),
        id: found.id().map(str::to_owned),
        operation: found.operation().map(str::to_owned),
        searched: found.searched_type().map(str::to_owned),
    };
    assert_eq!(parts, expected, "{method} {uri}");
    assert_eq!(found.address_fault(), None);
    assert_eq!((found.path(), found.query()), (uri.path(), uri.query()));
    let written = written(base, &expected, uri.path());
    let again: Uri = written.parse().unwrap_or_else(|_| panic!("{written} is no address"));
    let again = parse(base, method, &again, headers);
    assert_eq!(again.kind(), found.kind(), "{written}");
    assert_eq!(
        (again.resource_type(), again.id(), again.operation(), again.searched_type()),
        (found.resource_type(), found.id(), found.operation(), found.searched_type()),
        "{written}"
    );
}

/// The address of an interaction from its parts.
fn written(base: &BaseUrl, route: &Route, path: &str) -> String {
    let mut segments = vec![base.path().to_owned()];
    let on = [&route.resource_type, &route.id];
    let version = path.rsplit('/').next().unwrap_or_default();
    match route.kind {
        "job-status" | "job-cancel" => {
            let kind = route.operation.clone().unwrap_or_default();
            segments.extend(["_operations".to_owned(), kind, route.id.clone().unwrap_or_default()]);
        }
        "page" => segments.extend(["_pages".to_owned(), route.id.clone().unwrap_or_default()]),
        _ => segments.extend(on.into_iter().flatten().cloned()),
    }
    match route.kind {
        "operation" => {
            segments.push(format!("${}", route.operation.as_deref().unwrap_or_default()))
        }
        "capabilities" => segments.push("metadata".to_owned()),
        "vread" => segments.extend(["_history".to_owned(), version.to_owned()]),
        "history-instance" | "history-type" | "history-system" | "delete-history" => {
            segments.push("_history".to_owned());
        }
        "search-compartment" => segments.push(route.searched.clone().unwrap_or("*".to_owned())),
        _ => {}
    }
    let is_by_post = path.ends_with("/_search");
    if is_by_post {
        segments.push("_search".to_owned());
    }
    let path = segments.join("/");
    let path = if path.is_empty() { "/".to_owned() } else { path };
    let needs_query =
        ["search-system", "update-conditional", "patch-conditional", "delete-conditional"];
    if needs_query.contains(&route.kind) { format!("{path}?a=b") } else { path }
}
