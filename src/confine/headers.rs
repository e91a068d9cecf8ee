//! The headers of a request as they go on.

use std::borrow::Cow;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName,
};
use http::{HeaderMap, HeaderValue};

use super::preference::ReturnPreference;

/// The headers of a request that is judged which go on. All others might make its answer another one than
/// the resource as it is: conditions, ranges, preferences, and what a server has of its own.
const PASSED: [&str; 8] = [
    "accept-language",
    "authorization",
    "host",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-correlation-id",
    "x-request-id",
];

/// The most of them that go on, with those that come several times, and the most of their bytes beside the token:
/// each request for one of a client has them.
const MAX_PASSED: usize = 32;
const MAX_PASSED_BYTES: usize = 4096;

/// Resources that a client wants recorded beside those that it writes.
const PROVENANCE: &str = "x-provenance";

/// The preference for an answer that comes later (R4 section 3.1.0.1.7.1).
const ASYNC: &str = "respond-async";

/// Reports, by a quick look at the names, whether no header can be one that is removed from a request.
pub(super) fn are_ordinary(headers: &HeaderMap) -> bool {
    let is_ordinary = |name: &HeaderName| !name.as_str().starts_with('x') && name != "prefer";
    headers.keys().all(is_ordinary)
}

/// Removes the headers that override the method or the address, so that the upstream server executes the request that
/// was judged. Any spelling counts: some servers take `_` for `-`.
pub(super) fn strip_overrides(headers: &mut HeaderMap) {
    remove(headers, |name| {
        ["x-original-", "x-rewrite-", "x-http-method"].iter().any(|start| name.starts_with(start))
            || name == "x-method-override"
    });
}

/// Removes the resources that a client wants recorded beside what it does.
pub(super) fn strip_provenance(headers: &mut HeaderMap) {
    remove(headers, |name| name == PROVENANCE);
}

/// Reports whether a client wants resources recorded beside what it does.
pub(super) fn have_provenance(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| plain(name) == PROVENANCE)
}

/// Removes the preference for an answer that comes later, whose jobs would be anybody's. Other preferences
/// stay.
pub(super) fn strip_async(headers: &mut HeaderMap) {
    // A value outside ASCII cannot be searched for the preference, so it does not go on.
    let asks =
        |value: &HeaderValue| value.to_str().map_or(true, |text| text.split(',').any(is_async));
    let names: Vec<HeaderName> =
        headers.keys().filter(|name| plain(name) == "prefer").cloned().collect();
    for name in names {
        if !headers.get_all(&name).iter().any(asks) {
            continue;
        }
        let values = headers.get_all(&name).iter().filter_map(|value| value.to_str().ok());
        let others = values.flat_map(|value| value.split(',')).filter(|one| !is_async(one));
        let others: Vec<&str> = others.map(str::trim).filter(|one| !one.is_empty()).collect();
        let others = HeaderValue::from_str(&others.join(", ")).ok();
        headers.remove(&name);
        if let Some(others) = others.filter(|others| !others.is_empty()) {
            headers.insert(name, others);
        }
    }
}

/// Returns the headers for a request that is judged: those that cannot change its answer, and the wish for
/// plain JSON.
pub(super) fn for_judged(headers: &HeaderMap) -> HeaderMap {
    let passed = headers.iter().filter(|(name, _)| PASSED.contains(&name.as_str()));
    let mut asked: HeaderMap = HeaderMap::new();
    let mut bytes = 0;
    for (name, value) in passed.take(MAX_PASSED) {
        let is_free = matches!(*name, AUTHORIZATION | HOST);
        let more = if is_free { 0 } else { value.len() };
        if bytes + more <= MAX_PASSED_BYTES {
            bytes += more;
            asked.append(name, value.clone());
        }
    }
    asked.insert(ACCEPT, HeaderValue::from_static("application/fhir+json"));
    asked.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    asked
}

/// Returns the headers that the entries of a bundle have in common, each as if it came by itself: the few that count
/// for one, read once. What an entry may be answered in is JSON, whatever else the client of the bundle accepts.
pub(super) fn of_entries(bundle: &HeaderMap) -> HeaderMap {
    let mut shared = HeaderMap::new();
    let preference = HeaderValue::from_static(ReturnPreference::of(bundle).preference());
    shared.insert(HeaderName::from_static("prefer"), preference);
    if let Some(provenance) = bundle.get(PROVENANCE) {
        shared.insert(HeaderName::from_static(PROVENANCE), provenance.clone());
    }
    shared
}

/// Reports whether the headers describe a form that is not compressed; one that says nothing is taken for one.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    has_media_type(headers, &["application/x-www-form-urlencoded"])
}

/// Reports whether the headers describe FHIR JSON that is not compressed; what says nothing is taken for it.
pub(super) fn is_fhir_json(headers: &HeaderMap) -> bool {
    const JSON: [&str; 4] =
        ["application/fhir+json", "application/json", "application/json+fhir", "text/json"];
    has_media_type(headers, &JSON)
}

/// Reports whether the headers describe a JSON Patch (RFC 6902) that is not compressed.
pub(super) fn is_json_patch(headers: &HeaderMap) -> bool {
    // R4 section 3.1.0.6 has three kinds of patch, and only the content type tells them apart.
    headers.contains_key(CONTENT_TYPE) && has_media_type(headers, &["application/json-patch+json"])
}

fn has_media_type(headers: &HeaderMap, media_types: &[&str]) -> bool {
    let is = |value: &HeaderValue, wanted: &str| {
        let text = value.to_str().unwrap_or_default();
        let name = text.split(';').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case(wanted)
    };
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    types.all(|value| media_types.iter().any(|wanted| is(value, wanted)))
        && codings.all(|value| is(value, "identity"))
}

/// Reports whether one of several preferences is the one for an answer that comes later.
fn is_async(preference: &str) -> bool {
    let name = preference.split(['=', ';']).next().unwrap_or_default();
    name.trim().eq_ignore_ascii_case(ASYNC)
}

/// Returns the name of a header as the servers read it that take `_` for `-`.
fn plain(name: &HeaderName) -> Cow<'_, str> {
    let name = name.as_str();
    match name.contains('_') {
        true => Cow::Owned(name.replace('_', "-")),
        false => Cow::Borrowed(name),
    }
}

fn remove(headers: &mut HeaderMap, is_one: impl Fn(&str) -> bool) {
    let names: Vec<HeaderName> =
        headers.keys().filter(|name| is_one(&plain(name))).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_and_a_form_may_come_without_a_type_and_a_patch_may_not() {
        for (content_type, json, form, patch) in [
            (None, true, true, false),
            (Some("application/fhir+json"), true, false, false),
            (Some("application/x-www-form-urlencoded"), false, true, false),
            (Some("application/json-patch+json; charset=utf-8"), false, false, true),
        ] {
            let value = content_type.map(HeaderValue::from_static);
            let headers = HeaderMap::from_iter(value.map(|value| (CONTENT_TYPE, value)));
            let described = [is_fhir_json, is_form, is_json_patch];
            let described = described.map(|describes| describes(&headers));
            assert_eq!(described, [json, form, patch], "{content_type:?}");
        }
    }
}
