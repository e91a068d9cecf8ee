//! The requests: every token with every address.

use serde_json::json;
use tower_fhir_auth::test_util::{TestIssuer, TokenBuilder};

use crate::kit::BASE;

/// What of a request a sub-request shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Needs no token.
    Public,
    /// All of it, and the path confines it to patient 1.
    Own,
    /// All of it.
    Plain,
    /// Not what is in its body, comes along or is looked at.
    Unseen,
    /// All of it, in two readings.
    TwoReadings,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) method: &'static str,
    pub(crate) target: &'static str,
    pub(crate) header: Option<(&'static str, &'static str)>,
    pub(crate) sight: Sight,
}

/// The credentials of a request.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) name: &'static str,
    /// The value of `Authorization`.
    pub(crate) value: Option<String>,
    pub(crate) is_confined: bool,
    pub(crate) may_do_everything: bool,
}

pub(crate) fn credentials(issuer: &TestIssuer) -> Vec<Credentials> {
    let token = || issuer.token().claim("aud", BASE).claim("sub", "amara %");
    let scoped = |scope: &str| token().claim("scope", scope);
    let bearer = |token: TokenBuilder| Some(format!("Bearer {}", token.sign().unwrap()));
    let of =
        |name, value| Credentials { name, value, is_confined: false, may_do_everything: false };
    let good = bearer(scoped("system/*.rs")).unwrap();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let swapped = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{signed}.{swapped}{}", signature.get(1..).unwrap());
    let everything = |name, value| Credentials { may_do_everything: true, ..of(name, value) };
    vec![
        of("none", None),
        of("another scheme", Some("Basic YTpi".to_owned())),
        of("malformed", Some("Bearer a b".to_owned())),
        of("two joined", Some("Bearer a, Bearer b".to_owned())),
        of("no token", Some("Bearer abc".to_owned())),
        of("forged", Some(forged)),
        of("expired", bearer(scoped("system/*.rs").claim("exp", 1_000_000))),
        of("another audience", bearer(scoped("system/*.rs").claim("aud", "https://elsewhere"))),
        of("another issuer", bearer(scoped("system/*.rs").claim("iss", "https://elsewhere"))),
        of("no scope", bearer(scoped("openid"))),
        of("reader", bearer(scoped("system/Patient.rs system/Observation.rs"))),
        of("writer", bearer(scoped("system/Observation.cruds"))),
        of("creator", bearer(scoped("system/Observation.c"))),
        of("role reader", bearer(token().claim("roles", json!(["reader"])))),
        everything("all scopes", bearer(scoped("system/*.cruds"))),
        everything("role everything", bearer(token().claim("roles", json!(["everything"])))),
        Credentials {
            is_confined: true,
            ..of("patient", bearer(scoped("patient/*.cruds").claim("patient", "1")))
        },
    ]
}

pub(crate) fn addresses() -> Vec<Asked> {
    use Sight::{Own, Plain, Public, TwoReadings, Unseen};
    let preflight = Some(("access-control-request-method", "PUT"));
    let conditional = Some(("if-none-exist", "identifier=x"));
    [
        ("GET", "/r4/metadata", None, Public),
        ("GET", "/r4/metadata?_format=json", None, Public),
        ("OPTIONS", "/r4/Patient/1", preflight, Public),
        ("GET", "/r4/Patient/1", None, Own),
        ("HEAD", "/r4/Patient/1", None, Own),
        ("GET", "/r4/Patient/1?_elements=name", None, Own),
        ("GET", "/r4/Patient/1/Observation", None, Own),
        ("GET", "/r4/Patient/1/Condition?_count=5", None, Own),
        ("GET", "/r4/Patient/2", None, Plain),
        ("GET", "/r4/Patient/2/Observation", None, Plain),
        ("GET", "/r4/Patient?name=x%20y&birthdate=gt2000-01-01", None, Plain),
        ("GET", "/r4/Observation/1", None, Plain),
        ("GET", "/r4/Observation?code=http://loinc.org%7C1234-5", None, Plain),
        ("GET", "/r4/Observation/1/_history/2", None, Plain),
        ("GET", "/r4/Observation/_history", None, Plain),
        ("GET", "/r4?_type=Patient", None, Plain),
        ("POST", "/r4/Observation", None, Plain),
        ("POST", "/r4/Observation", conditional, Plain),
        ("PUT", "/r4/Observation/1", None, Plain),
        ("PATCH", "/r4/Observation/1", None, Plain),
        ("DELETE", "/r4/Observation/1", None, Plain),
        ("DELETE", "/r4/Observation?identifier=x", None, Plain),
        ("GET", "/r4/Practitioner/1", None, Plain),
        ("POST", "/r4/Patient/$validate", None, Plain),
        ("GET", "/r4/Patient/1/", None, Plain),
        ("GET", "/r4/Nothing/1", None, Plain),
        ("GET", "/elsewhere/Patient/1", None, Plain),
        ("POST", "/r4", None, Unseen),
        ("POST", "/r4/Patient/_search", None, Unseen),
        ("GET", "/r4/Observation?_include=Observation:subject", None, Unseen),
        ("GET", "/r4/Observation?subject:Patient.name=x", None, Unseen),
        ("GET", "/r4/Patient?_has:Observation:patient:code=x", None, Unseen),
        ("GET", "/r4/Patient/1/$everything", None, Unseen),
        ("GET", "/r4/Patient/1/%24everything", None, Unseen),
        ("GET", "/r4/Patient/../Observation/1", None, TwoReadings),
        ("GET", "/r4/Patient/%2e%2e/Observation", None, TwoReadings),
        ("GET", "/r4/Patient%2f1", None, TwoReadings),
        ("GET", "/r4/Patient//1", None, TwoReadings),
        ("GET", "/r4/Patient\\1", None, TwoReadings),
        ("GET", "/r4/Patient/1;x=y", None, TwoReadings),
    ]
    .map(|(method, target, header, sight)| Asked { method, target, header, sight })
    .to_vec()
}
