//! `[upstream] headers`: the headers that tell the upstream server who the caller is.

use http::HeaderName;

use super::reader::SectionReader;

/// A header that tells the upstream server one property of the caller.
///
/// ```
/// use tower_fhir_auth::config::Config;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::from_toml(r#"
///     base_url = "https://fhir.example.org/r4"
///     access   = "scopes"
///
///     [[issuers]]
///     issuer = "https://idp.example.org"
///
///     [upstream]
///     url     = "http://127.0.0.1:8081/fhir"
///     headers = { subject = "X-Subject" }
/// "#)?;
/// let header = &config.gateway().upstream.headers[0];
/// assert_eq!(header.name, "x-subject");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallerHeader {
    /// The property of the caller that it tells.
    pub member: CallerMember,
    /// Its name.
    pub name: HeaderName,
}

/// A property of the caller.
///
/// ```
/// use tower_fhir_auth::Principal;
/// use tower_fhir_auth::config::CallerMember;
///
/// fn value(caller: &Principal, member: CallerMember) -> Option<&str> {
///     match member {
///         CallerMember::Issuer => Some(caller.issuer()),
///         CallerMember::Subject => caller.subject(),
///         CallerMember::Client => caller.client_id(),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallerMember {
    /// `iss`
    Issuer,
    /// `sub`
    Subject,
    /// The client of the token.
    Client,
    /// The scopes.
    Scopes,
    /// The roles.
    Roles,
    /// The patient of the launch context.
    Patient,
    /// `fhirUser`
    FhirUser,
}

const MEMBERS: [(&str, CallerMember); 7] = [
    ("issuer", CallerMember::Issuer),
    ("subject", CallerMember::Subject),
    ("client", CallerMember::Client),
    ("scopes", CallerMember::Scopes),
    ("roles", CallerMember::Roles),
    ("patient", CallerMember::Patient),
    ("fhir_user", CallerMember::FhirUser),
];

/// Reads the table.
pub(super) fn read(section: &mut SectionReader<'_>, several_issuers: bool) -> Vec<CallerHeader> {
    let Some(mut table) = section.table("headers") else { return Vec::new() };
    let mut headers: Vec<CallerHeader> = Vec::new();
    for (key, member) in MEMBERS {
        let Some(text) = table.string(key) else { continue };
        let name = HeaderName::try_from(text.as_str()).ok();
        let name = name.filter(|name| !is_reserved(name.as_str()));
        let Some(name) = name else {
            let expected = "expected the name of a header of your own, such as \"x-fhir-issuer\": no standard \
                            one, none of a connection or of forwarding";
            table.reject(key, format!("{expected}; found \"{text}\""));
            continue;
        };
        if headers.iter().any(|other| as_read(other.name.as_str()) == as_read(name.as_str())) {
            table.reject(key, format!("expected each header once, found `{name}` twice"));
        }
        headers.push(CallerHeader { member, name });
    }
    let has = |member| headers.iter().any(|header| header.member == member);
    if several_issuers && has(CallerMember::Subject) && !has(CallerMember::Issuer) {
        let expected =
            "expected `issuer` beside it: the subject of one issuer may be another's, too";
        table.reject("subject", expected);
    }
    table.finish();
    headers
}

/// Reports whether the headers name the issuer, the patient and the scopes.
pub(super) fn name_what_was_granted(headers: &[CallerHeader]) -> bool {
    [CallerMember::Issuer, CallerMember::Patient, CallerMember::Scopes]
        .into_iter()
        .all(|member| headers.iter().any(|header| header.member == member))
}

/// Returns a name as some servers read it: an underscore as a hyphen, in lower case.
fn as_read(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

/// Reports whether a header has a meaning already.
fn is_reserved(name: &str) -> bool {
    let name = as_read(name);
    let prefixes =
        ["x-forwarded-", "x-original-", "access-control-", "sec-", "proxy-", "x-http-", "content-"];
    let more = [
        "forwarded",
        "keep-alive",
        "if-none-exist",
        "prefer",
        "priority",
        "x-method-override",
        "x-provenance",
        "x-real-ip",
        "x-rewrite-url",
    ];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
        || more.contains(&&*name)
        || STANDARD.contains(&&*name)
}

/// The standard headers that no prefix covers.
const STANDARD: [&str; 68] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-patch",
    "accept-post",
    "accept-ranges",
    "age",
    "allow",
    "alt-svc",
    "alt-used",
    "authentication-info",
    "authorization",
    "baggage",
    "cache-control",
    "cdn-loop",
    "clear-site-data",
    "client-cert",
    "client-cert-chain",
    "connection",
    "cookie",
    "date",
    "digest",
    "dnt",
    "dpop",
    "dpop-nonce",
    "early-data",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-event-id",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "range",
    "referer",
    "referrer-policy",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "vary",
    "via",
    "want-digest",
    "warning",
    "www-authenticate",
    "x-content-type-options",
    "x-frame-options",
];
