//! The address of an entry of a bundle (R4 section 3.1.0.11.1).

use http::Uri;
use http::uri::PathAndQuery;

use super::AddressProblem;
use super::route::operation;
use crate::fhir::base_url::BaseUrl;
use crate::fhir::resource_type::ResourceTypes;

/// Returns the address that a `request.url` stands for, as if it had come by itself: relative to
/// the base, or absolute below it.
pub(super) fn address(
    base: &BaseUrl,
    types: &ResourceTypes,
    url: &str,
) -> Result<PathAndQuery, AddressProblem> {
    // `Uri` drops a fragment silently; whoever executes the entry may not.
    if url.contains('#') {
        return Err(AddressProblem::Fragment);
    }
    // Compared as text, not as a URL: another spelling of the base is another address.
    let below = match url.strip_prefix(base.as_str().trim_end_matches('/')) {
        Some(rest) if rest.is_empty() || rest.starts_with(['/', '?']) => rest.to_owned(),
        Some(_) | None => match url.strip_prefix('/') {
            // The slash stands for the base, and for nothing else: what follows cannot be read as
            // a host, and not as a path elsewhere.
            Some(query) if query.starts_with('?') => query.to_owned(),
            Some(rest) if is_below_base(types, rest) => url.to_owned(),
            Some(_) => return Err(AddressProblem::LeadingSlash),
            None if has_scheme(url) => return Err(AddressProblem::OtherBase),
            None if url.is_empty() || url.starts_with('?') => url.to_owned(),
            None => format!("/{url}"),
        },
    };
    // At the root of a host the base itself is written with a slash.
    let path = match base.path() {
        "" if !below.starts_with('/') => format!("/{below}"),
        path => format!("{path}{below}"),
    };
    let uri = path.parse::<Uri>().ok();
    uri.and_then(|uri| uri.into_parts().path_and_query).ok_or(AddressProblem::Unreadable)
}

/// Reports whether a string begins with what may follow a leading slash, beside a query.
fn is_below_base(types: &ResourceTypes, rest: &str) -> bool {
    let segment = rest.split(['/', '?']).next().unwrap_or_default();
    segment == "_history" || operation(segment).is_some() || types.contains(segment)
}

/// Reports whether a URL begins with a scheme (RFC 3986 section 3.1).
fn has_scheme(url: &str) -> bool {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.bytes().all(is_part))
}
