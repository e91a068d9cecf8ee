//! The page as this example and the gateway serve it: its files, its headers, and why a request is let in or refused.

use std::net::IpAddr;

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri};
use serde::Deserialize;
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::explanation::Explanation;
use tower_fhir_auth::fhir::BaseUrl;

/// The files, and what they are.
pub(super) const FILES: [(&str, &str, &str); 7] = [
    ("/", "text/html; charset=utf-8", include_str!("index.html")),
    ("/style.css", "text/css; charset=utf-8", include_str!("style.css")),
    ("/page.js", "text/javascript; charset=utf-8", include_str!("page.js")),
    ("/callers.js", "text/javascript; charset=utf-8", include_str!("callers.js")),
    ("/oauth.js", "text/javascript; charset=utf-8", include_str!("oauth.js")),
    ("/show.js", "text/javascript; charset=utf-8", include_str!("show.js")),
    ("/icon.svg", "image/svg+xml", include_str!("icon.svg")),
];
pub(super) const DESCRIPTION: &str = "/demo.json";
pub(super) const EXPLAIN: &str = "/explain";

/// The largest question: a token of the size that is read at all, and requests.
pub(super) const MAX_QUESTION: usize = 128 << 10;

/// The most requests that one question is about.
const MAX_REQUESTS: usize = 64;

/// Requests with one token.
#[derive(Deserialize)]
pub(super) struct Question {
    token: Option<String>,
    requests: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    method: String,
    /// Below the base URL.
    path: String,
}

pub(super) fn is_of_the_page(path: &str) -> bool {
    [DESCRIPTION, EXPLAIN].contains(&path) || FILES.iter().any(|(file, ..)| *file == path)
}

/// Explains requests, by the checks that guard them.
pub(super) async fn explained(
    auth: &FhirAuthLayer,
    base: &BaseUrl,
    question: Question,
) -> Result<Vec<Explanation>, (StatusCode, String)> {
    if question.requests.len() > MAX_REQUESTS {
        let text = format!("at most {MAX_REQUESTS} requests at once");
        return Err((StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    let mut explained = Vec::with_capacity(question.requests.len());
    for asked in &question.requests {
        let uri = format!("{}{}", base.path(), asked.path);
        let mut request = Request::builder().method(&*asked.method).uri(uri);
        if let Some(token) = &question.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request =
            request.body(()).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
        explained.push(auth.explain(&request.into_parts().0).await);
    }
    Ok(explained)
}

/// Puts on each answer what keeps it from other sites.
pub(super) fn protect(headers: &mut HeaderMap, policy: HeaderValue) {
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Returns what may be loaded: nothing of elsewhere but the token endpoint of `provider`, where it is known.
pub(super) fn policy(provider: &str) -> String {
    let provider = if provider.is_empty() { String::new() } else { format!(" {provider}") };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'{provider}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'"
    )
}

/// Reports whether a request is for a name of this machine alone: to another one, a site that has made it lead here
/// could read the answers.
pub(crate) fn is_for_loopback(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse().ok());
    let authority = uri.authority().cloned().or(host);
    authority.is_some_and(|name| is_loopback(name.host()))
}

/// Reports whether a host is this machine to every resolver: no site can have an address lead elsewhere.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}
