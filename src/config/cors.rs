//! `[cors]`: the origins whose scripts may read answers of the gateway.

use http::HeaderValue;
use url::Url;

use super::reader::SectionReader;
use crate::display_safe::sanitize;

/// The origins whose scripts may read answers of the gateway.
///
/// ```
/// use http::HeaderValue;
/// use tower_fhir_auth::config::CorsOrigins;
///
/// fn is_allowed(origins: &CorsOrigins, origin: &HeaderValue) -> bool {
///     match origins {
///         CorsOrigins::Any => true,
///         CorsOrigins::Only(listed) => listed.contains(origin),
///         _ => false,
///     }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CorsOrigins {
    /// No other origin than the gateway's own.
    #[default]
    None,
    /// Every origin.
    Any,
    /// These alone, as browsers write them.
    Only(Vec<HeaderValue>),
}

/// Reads the section.
pub(super) fn read(root: &mut SectionReader<'_>) -> CorsOrigins {
    let Some(mut section) = root.table("cors") else { return CorsOrigins::None };
    let texts = section.strings("origins").unwrap_or_default();
    let is_any = texts.iter().any(|text| text == "*");
    if is_any && texts.len() > 1 {
        section.reject("origins", "expected \"*\" by itself: it stands for all origins");
    }
    let mut origins = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate().filter(|(_, text)| *text != "*") {
        match HeaderValue::from_str(text).ok().filter(|_| is_origin(text)) {
            Some(origin) => origins.push(origin),
            None => {
                let expected = "expected \"*\" or an origin as browsers write it, such as \
                                \"https://app.example.org\", without a path";
                let message = format!("{expected}; found \"{}\"", sanitize(text));
                section.reject(&format!("origins[{index}]"), message);
            }
        }
    }
    section.finish();
    match (is_any, origins.is_empty()) {
        (true, _) => CorsOrigins::Any,
        (false, true) => CorsOrigins::None,
        (false, false) => CorsOrigins::Only(origins),
    }
}

/// Reports whether a string is an origin in the one spelling that a browser sends (RFC 6454 section 6.2). Apps in
/// a web view have schemes of their own.
fn is_origin(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let host = url.host_str().filter(|host| !host.is_empty() && !host.contains('*'));
    let Some(host) = host else { return false };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    text == format!("{}://{host}{port}", url.scheme())
}
