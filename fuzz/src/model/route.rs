//! The interactions of R4 section 3.1.0 by method and path, with one spelling of each.

/// A route below the base.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// The code of the interaction; empty for none.
    pub kind: &'static str,
    pub resource_type: Option<String>,
    pub id: Option<String>,
    pub operation: Option<String>,
    pub searched: Option<String>,
}

/// Tells if a path is one that needs no token where nothing else is configured.
pub fn is_public(path: &str) -> bool {
    below("/r4", path).is_some_and(|rest| {
        matches!(rest, "/metadata" | "/health" | "/.well-known/smart-configuration")
    })
}

/// The rest of a path below the base, if it lies there.
pub fn below<'a>(base_path: &str, path: &'a str) -> Option<&'a str> {
    let rest = path.strip_prefix(base_path)?;
    (rest.is_empty() || rest.as_bytes()[0] == b'/').then_some(rest)
}

/// Reads a request by its method and the path below the base, empty or with a slash in front.
pub fn route(
    method: &str,
    below: &str,
    has_query: bool,
    is_conditional: bool,
    is_type: impl Fn(&str) -> bool,
) -> Option<Route> {
    let method = if method == "HEAD" { "GET" } else { method };
    let segments: Vec<&str> = match below {
        "" | "/" => Vec::new(),
        _ => below[1..].split('/').collect(),
    };
    let [first, rest @ ..] = segments.as_slice() else {
        let kind = match (method, has_query) {
            ("GET", true) => "search-system",
            ("POST", _) => "batch",
            _ => return None,
        };
        return Some(Route { kind, ..Route::default() });
    };
    match (method, *first, rest) {
        ("GET", "metadata", []) => return Some(plain("capabilities")),
        ("GET", "_history", []) => return Some(plain("history-system")),
        ("POST", "_search", []) => return Some(plain("search-system")),
        (_, "_operations", rest) => return job(method, rest),
        ("GET", "_pages", [sealed]) if is_sealed(sealed) => {
            return Some(Route { id: Some((*sealed).to_owned()), ..plain("page") });
        }
        (_, name, []) if operation(method, name).is_some() => {
            let operation = operation(method, name);
            return Some(Route { operation, ..plain("operation") });
        }
        _ if !is_type(first) => return None,
        _ => {}
    }
    let resource_type = Some((*first).to_owned());
    let on_type =
        |kind| Some(Route { kind, resource_type: resource_type.clone(), ..Route::default() });
    match (method, rest) {
        ("GET", []) | ("POST", ["_search"]) => return on_type("search-type"),
        ("POST", []) if is_conditional => return on_type("create-conditional"),
        ("POST", []) => return on_type("create"),
        ("PUT", []) if has_query => return on_type("update-conditional"),
        ("PATCH", []) if has_query => return on_type("patch-conditional"),
        ("DELETE", []) if has_query => return on_type("delete-conditional"),
        ("GET", ["_history"]) => return on_type("history-type"),
        _ => {}
    }
    if let [name] = rest
        && let Some(name) = operation(method, name)
    {
        return Some(Route { operation: Some(name), resource_type, ..plain("operation") });
    }
    let [id, rest @ ..] = rest else { return None };
    if !is_id(id) {
        return None;
    }
    let instance = Route { resource_type, id: Some((*id).to_owned()), ..Route::default() };
    below_instance(method, rest, instance, is_type)
}

fn below_instance(
    method: &str,
    rest: &[&str],
    instance: Route,
    is_type: impl Fn(&str) -> bool,
) -> Option<Route> {
    let kind = match (method, rest) {
        ("GET", []) => "read",
        ("PUT", []) => "update",
        ("PATCH", []) => "patch",
        ("DELETE", []) => "delete",
        ("GET", ["_history"]) => "history-instance",
        ("GET", ["_history", version]) if is_id(version) => "vread",
        ("DELETE", ["_history"]) => "delete-history",
        ("DELETE", ["_history", version]) if is_id(version) => "delete-history",
        (_, [name]) if operation(method, name).is_some() => {
            let operation = operation(method, name);
            return Some(Route { kind: "operation", operation, ..instance });
        }
        ("GET", [kind]) | ("POST", [kind, "_search"]) if *kind == "*" || is_type(kind) => {
            let searched = (*kind != "*").then(|| (*kind).to_owned());
            return Some(Route { kind: "search-compartment", searched, ..instance });
        }
        _ => return None,
    };
    Some(Route { kind, ..instance })
}

fn plain(kind: &'static str) -> Route {
    Route { kind, ..Route::default() }
}

/// `[kind]/[id]` of an asynchronous job, and its files.
fn job(method: &str, rest: &[&str]) -> Option<Route> {
    let [kind, id, files @ ..] = rest else { return None };
    let is_file = |file: &&str| is_id(&file.replace('_', "-"));
    if !is_name(kind) || !(is_id(id) || is_sealed(id)) || !files.iter().all(is_file) {
        return None;
    }
    let code = match (method, files) {
        ("GET", _) => "job-status",
        ("DELETE", []) => "job-cancel",
        _ => return None,
    };
    let (operation, id) = (Some((*kind).to_owned()), Some((*id).to_owned()));
    Some(Route { operation, id, ..plain(code) })
}

/// A sealed address has the alphabet of base64url, and any length.
fn is_sealed(id: &str) -> bool {
    let is_of_alphabet = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !id.is_empty() && id.bytes().all(is_of_alphabet)
}

/// The name of an operation that may be called with a method.
fn operation(method: &str, segment: &str) -> Option<String> {
    let name = ["$", "%24"].iter().find_map(|sign| segment.strip_prefix(sign))?;
    let may_be_called = match method {
        "GET" | "POST" => true,
        "DELETE" => name == "bulk-delete" || name == "purge-history",
        "PATCH" => name == "bulk-update",
        _ => false,
    };
    (may_be_called && is_name(name)).then(|| name.to_owned())
}

fn is_name(text: &str) -> bool {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || one == '-';
    !text.is_empty() && text.len() <= 64 && text.chars().all(is_plain)
}

/// The datatype `id`, without what a router may resolve.
pub fn is_id(text: &str) -> bool {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || one == '-' || one == '.';
    let is_short = !text.is_empty() && text.len() <= 64;
    is_short && text.chars().all(is_plain) && text != "." && text != ".."
}
