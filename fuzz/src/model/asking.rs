//! What an upstream server may be asked on behalf of a token that confines.

use super::route::{below, route};

/// Parameters that look into what may be hidden, or that are heeded before.
const NEVER: [&str; 12] = [
    "_has",
    "_filter",
    "_text",
    "_content",
    "_query",
    "_contained",
    "_list",
    "_elements",
    "_pretty",
    "_format",
    "_total",
    "access_token",
];

/// Says what is wrong with a request to the upstream server: an address that is no interaction or could be read as
/// another one, or a parameter that looks into what is hidden.
pub fn fault_of_address(
    method: &str,
    path: &str,
    query: &str,
    is_type: impl Fn(&str) -> bool,
) -> Option<String> {
    // An id may begin with dots.
    let has_dots = path.split('/').any(|segment| matches!(segment, "." | ".."));
    if path.contains(['%', '\\', ';', '~']) || path.contains("//") || has_dots {
        return Some("a path that can be read otherwise".to_owned());
    }
    let has_query = !query.is_empty();
    let Some(route) =
        below("/r4", path).and_then(|rest| route(method, rest, has_query, false, is_type))
    else {
        return Some("a path that is no interaction".to_owned());
    };
    if ["page", "job-status", "job-cancel"].contains(&route.kind) {
        return Some("an address that is this server's alone".to_owned());
    }
    // A search of every type has to have some parameter.
    let is_search_of_all =
        method == "GET" && route.kind == "search-system" && query == "_format=json";
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let base = name.split(':').next().unwrap_or_default();
        let is_chain = name.contains('.') || name.matches(':').count() > 1;
        let sorts_by_chain = base == "_sort" && value.contains(['.', ':']);
        let is_never = NEVER.contains(&base) && !is_search_of_all;
        if is_never || is_chain || sorts_by_chain {
            return Some(format!("the parameter {name}={value}"));
        }
    }
    None
}
