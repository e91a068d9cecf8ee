//! The answer to a request beside the one that the models expect.

use std::sync::LazyLock;

use http::Request;
use serde_json::Value;
use tower_fhir_auth::authorization::Answer;
use tower_fhir_auth::{
    AccessMode, AccessPolicy, Enforcement, FhirAuthLayer, RoleDefinitions, RolePolicy, ScopePolicy,
};

use crate::access::{TYPES as KNOWN, is_type, layer};
use crate::asked::{Asked, DEFINITIONS, Header, Mode, Second, TYPES};
use crate::issuer::{forge, sign};
use crate::model::bearer::{Presented, presented};
use crate::model::grants::{self, Confined, Held};
use crate::model::roles::{self, Definitions};
use crate::model::route::{Route, below, is_public, route};
use crate::model::scope::{LATER, parse};
use crate::model::token::{Verdict, judge};
use crate::service::{Reply, send};

/// The layers of a mode.
struct Layers {
    uncached: FhirAuthLayer,
    cached: FhirAuthLayer,
    /// The handlers enforce nothing.
    undeclared: FhirAuthLayer,
}

static LAYERS: LazyLock<Vec<(Mode, Layers)>> = LazyLock::new(|| {
    let definitions = RoleDefinitions::parse(DEFINITIONS.as_bytes()).unwrap();
    let modes = [
        (Mode::Scopes, AccessMode::Scopes),
        (Mode::Roles, AccessMode::Roles),
        (Mode::RolesOrScopes, AccessMode::RolesOrScopes),
        (Mode::RolesAndScopes, AccessMode::RolesAndScopes),
        (Mode::Microsoft, AccessMode::Microsoft),
    ];
    let layers = modes.map(|(mode, access)| {
        let rule =
            || AccessPolicy::new(access, RolePolicy::new(definitions.clone()), ScopePolicy::new());
        let layers = Layers {
            uncached: layer(rule(), Enforcement::ALL, 0),
            cached: layer(rule(), Enforcement::ALL, 1000),
            undeclared: layer(rule(), Enforcement::empty(), 0),
        };
        (mode, layers)
    });
    layers.into()
});

static ROLES: LazyLock<Definitions> =
    LazyLock::new(|| roles::parse(&serde_json::from_str(DEFINITIONS).unwrap()).unwrap());

static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| KNOWN.names().collect());

/// The answer that is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    /// The inner service's, with a caller or without.
    LetIn { caller: bool },
    /// A document of the layer.
    Document,
    Refused {
        status: u16,
        error: Option<&'static str>,
        issue: &'static str,
        check: Option<&'static str>,
    },
}

/// Sends a request in every way, and compares.
pub fn check(asked: &Asked) {
    let Some((_, layers)) = LAYERS.iter().find(|(mode, _)| *mode == asked.mode) else { return };
    let (token, is_signed) = token(asked, None);
    let Some(request) = request(asked, &token) else { return };
    let expected = expected(asked, &request, &token, is_signed);
    let reply = send(&layers.uncached, request);
    compare(asked, &reply, expected.as_ref());

    match asked.second {
        Second::Cached => repeats(asked, &reply, layers, &token),
        Second::More if reply.access.is_some() => grows(asked, layers),
        Second::More => {}
        Second::Undeclared => narrows(asked, &reply, layers, &token),
    }
}

/// A token in the cache is the token that was verified, the second time as the first.
fn repeats(asked: &Asked, reply: &Reply, layers: &Layers, token: &str) {
    for _ in 0..2 {
        let Some(request) = request(asked, token) else { return };
        let again = send(&layers.cached, request);
        let answer = |reply: &Reply| (reply.status, reply.headers.clone(), reply.body.clone());
        assert_eq!(answer(&again), answer(reply), "{asked:#?}");
        assert_eq!(again.access.is_some(), reply.access.is_some(), "{asked:#?}");
    }
}

/// What is granted where handlers enforce nothing is granted as it is, and where they do, too.
fn narrows(asked: &Asked, reply: &Reply, layers: &Layers, token: &str) {
    let Some(request) = request(asked, token) else { return };
    let undeclared = send(&layers.undeclared, request);
    let Some(access) = undeclared.access else { return };
    assert!(reply.access.is_some(), "enforcing more lets fewer in: {asked:#?}");
    if let Answer::Plain(filter) = access.answer() {
        assert!(
            filter.is_open(),
            "handlers that enforce nothing would have to confine: {asked:#?}"
        );
    }
}

/// One scope more never grants less.
fn grows(asked: &Asked, layers: &Layers) {
    let (token, _) = token(asked, Some(&asked.more));
    // The further scope may make the token too large to be read.
    let Some(request) = request(asked, &token).filter(|_| token.len() <= 16 * 1024) else { return };
    let wider = send(&layers.uncached, request);
    assert!(wider.access.is_some(), "a scope more grants less: {asked:#?}");
}

fn token(asked: &Asked, more: Option<&str>) -> (String, bool) {
    let (header, payload) = (&asked.token.header, asked.token.payload(more));
    let token = forge(header, &payload);
    // Signing takes longest, and only where everything before is right does anybody look.
    match asked.token.is_signed && judge(token.as_bytes(), true) != judge(token.as_bytes(), false) {
        true => (sign(header, &payload), true),
        false => (token, false),
    }
}

fn request(asked: &Asked, token: &str) -> Option<Request<()>> {
    let query = asked.query();
    let query = if query.is_empty() { query } else { format!("?{query}") };
    let uri = match format!("{}{query}", asked.path) {
        empty if empty.is_empty() => "/".to_owned(),
        uri if uri.starts_with('?') => format!("/{uri}"),
        uri => uri,
    };
    let mut request = Request::builder().method(asked.method).uri(uri);
    for value in asked.credentials.values {
        request = request.header("authorization", value.replace("{}", token));
    }
    if let Some(condition) = asked.condition {
        request = request.header("if-none-exist", condition);
    }
    request = match asked.header {
        Header::None => request,
        Header::Preflight => request.header("access-control-request-method", "GET"),
        Header::Grpc => request.header("content-type", "application/grpc+proto"),
        Header::Xml => request.header("accept", "application/fhir+xml"),
    };
    request.body(()).ok()
}

/// The answer by the models; `None` where they have no opinion.
fn expected(
    asked: &Asked,
    request: &Request<()>,
    token: &str,
    is_signed: bool,
) -> Option<Expected> {
    let (method, path, query) =
        (request.method().as_str(), request.uri().path(), request.uri().query());
    let is_read = matches!(method, "GET" | "HEAD");
    let documents =
        ["/r4/.well-known/smart-configuration", "/.well-known/oauth-protected-resource/r4"];
    if is_read && documents.contains(&path) {
        return Some(Expected::Document);
    }
    let is_preflight = method == "OPTIONS" && asked.header == Header::Preflight;
    if is_preflight || is_public(path) {
        return Some(Expected::LetIn { caller: false });
    }
    let values: Vec<Vec<u8>> = asked
        .credentials
        .values
        .iter()
        .map(|value| value.replace("{}", token).into_bytes())
        .collect();
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let refused =
        |status, error, issue, check| Some(Expected::Refused { status, error, issue, check });
    let caller = match presented(&values, query) {
        Presented::Nothing => return refused(401, None, "login", None),
        Presented::Malformed => return refused(400, Some("invalid_request"), "invalid", None),
        // Challenged in another way: the target `bearer` sees that it is refused.
        Presented::DpopToken(_) => return None,
        Presented::Token(sent) => match judge(sent, is_signed && sent == token.as_bytes()) {
            Ok(caller) => caller,
            Err(check) => {
                let is_expired = check == "expiry" && asked.token.claims["exp"].is_number();
                let issue = if is_expired { "expired" } else { "login" };
                return refused(401, Some("invalid_token"), issue, Some(check));
            }
        },
    };
    let has_query = query.is_some_and(|query| !query.is_empty());
    let route = below("/r4", path)
        .and_then(|below| route(method, below, has_query, asked.condition.is_some(), is_type));
    match is_granted(asked, route.as_ref(), &Ok(caller), query.unwrap_or_default())? {
        true => Some(Expected::LetIn { caller: true }),
        false => refused(403, Some("insufficient_scope"), "forbidden", None),
    }
}

fn is_granted(
    asked: &Asked,
    route: Option<&Route>,
    verdict: &Verdict,
    query: &str,
) -> Option<bool> {
    let caller = verdict.as_ref().ok()?;
    let on = [
        route.and_then(|route| route.resource_type.as_deref()),
        route.and_then(|route| route.searched.as_deref()),
    ];
    if on.into_iter().flatten().any(|on| !TYPES.contains(&on)) {
        return None;
    }
    let may_be_named = |name: &str| is_type(name) || LATER.contains(&name);
    let scopes = caller.scopes.iter().filter_map(|scope| parse(scope, may_be_named)).collect();
    let held = Held::of(scopes, &caller.claims);
    let by_scope = grants::grant(&held, asked.method, route, &asked.params, &NAMES);
    let actions = roles::union(&ROLES, caller.roles.iter().map(String::as_str));
    let by_role = roles::grant(&actions, asked.method, route, query);
    Some(match asked.mode {
        Mode::Scopes => by_scope,
        Mode::Roles => by_role,
        Mode::RolesOrScopes => by_role || by_scope,
        Mode::RolesAndScopes => by_role && by_scope,
        Mode::Microsoft => by_role && (by_scope || !actions.contains("smart")),
    })
}

fn compare(asked: &Asked, reply: &Reply, expected: Option<&Expected>) {
    let is_grpc = asked.header == Header::Grpc;
    let Some(expected) = expected else { return };
    match expected {
        Expected::Document => {
            assert!(!reply.let_in && reply.rejection.is_none(), "{asked:#?}: {reply:#?}");
            assert_eq!(reply.status, 200);
        }
        Expected::LetIn { caller } => {
            assert!(reply.let_in, "refused: {asked:#?}: {:?}", reply.rejection);
            assert_eq!((reply.principal.is_some(), reply.access.is_some()), (*caller, *caller));
            if *caller {
                confines(asked, reply);
            }
        }
        Expected::Refused { status, error, issue, check } => {
            assert!(!reply.let_in && reply.access.is_none(), "let in: {asked:#?}");
            let rejection = reply.rejection.as_ref().expect("a refusal says so");
            assert_eq!(rejection.status().as_u16(), *status, "{asked:#?}: {rejection:?}");
            if let Some(check) = check {
                assert_eq!(rejection.check().map(|check| check.name()), Some(*check), "{asked:#?}");
            }
            if is_grpc {
                let code = match status {
                    401 => "16",
                    403 => "7",
                    _ => "3",
                };
                assert_eq!(
                    (reply.status.as_u16(), &reply.headers["grpc-status"]),
                    (200, &code.parse().unwrap())
                );
                return;
            }
            assert_eq!(reply.status.as_u16(), *status);
            assert_eq!(reply.headers["cache-control"], "no-store");
            let challenge = reply.headers["www-authenticate"].to_str().unwrap();
            let says = |error: &str| challenge.contains(&format!("error=\"{error}\""));
            assert!(
                challenge.starts_with("Bearer realm=\"https://fhir.example.org/r4\""),
                "{challenge}"
            );
            assert!(challenge.contains("resource_metadata="), "{challenge}");
            assert!(error.map_or(!challenge.contains("error="), says), "{challenge}");
            // Never a wider right in place of a patient's own.
            let known: Vec<_> =
                asked.scopes.iter().filter_map(|scope| parse(scope, is_type)).collect();
            let own = !known.is_empty() && known.iter().all(|scope| scope.context == "patient");
            let scope = challenge.split(" scope=\"").nth(1).unwrap_or_default();
            let widens = scope.contains("launch/patient")
                && (scope.contains("user/") || scope.contains("system/"));
            assert!(!(own && widens), "{challenge}");
            body(asked, reply, issue);
        }
    }
}

fn body(asked: &Asked, reply: &Reply, issue: &str) {
    if asked.method == "HEAD" {
        assert!(reply.body.is_empty());
        return;
    }
    let wants_xml = asked.header == Header::Xml || asked.query().contains("_format=xml");
    if wants_xml {
        assert_eq!(reply.headers["content-type"], "application/fhir+xml");
        let body = std::str::from_utf8(&reply.body).unwrap();
        assert!(body.contains(&format!("<code value=\"{issue}\"/>")), "{body}");
        return;
    }
    assert_eq!(reply.headers["content-type"], "application/fhir+json");
    let outcome: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    assert_eq!(outcome["issue"][0]["code"], issue, "{asked:#?}");
}

/// Another patient's path is let in by nobody whom every grant confines.
fn confines(asked: &Asked, reply: &Reply) {
    let principal = reply.principal.as_ref().unwrap();
    let only_patient =
        principal.smart_scopes().iter().all(|scope| scope.to_string().starts_with("patient/"));
    let counts = matches!(asked.mode, Mode::Scopes | Mode::RolesAndScopes);
    let held = Held::of(Vec::new(), &asked.token.claims);
    let segments: Vec<&str> = asked.path.split('/').collect();
    if let ([_, "r4", "Patient", id, ..], Confined::To(own), true) =
        (segments.as_slice(), &held.patient, only_patient && counts)
        && !id.starts_with(['$', '_', '%'])
    {
        assert_eq!(id, own, "another patient's path: {asked:#?}");
    }
}
