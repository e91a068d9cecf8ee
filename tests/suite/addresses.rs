//! Addresses that are no interaction: what is wrong with each, and that no right is missing.

use http::Request;
use serde_json::json;
use tower_fhir_auth::authorization::{DataAction, IssuerLimits};
use tower_fhir_auth::explanation::{Check, Requirement, Side};
use tower_fhir_auth::fhir::{AddressFault, AddressProblem};
use tower_fhir_auth::smart::Permissions;
use tower_fhir_auth::{
    AccessMode, AccessPolicy, Enforcement, FhirAuthLayer, InteractionKind, RoleDefinitions,
    RolePolicy, ScopePolicy, authorize_fn,
};

use crate::support::{BASE, MODES, Reply, Server};

const EVERY_SCOPE: &str = "system/*.cruds user/*.cruds";

fn roles() -> RolePolicy {
    RolePolicy::new(RoleDefinitions::microsoft())
}

async fn server(mode: AccessMode) -> Server {
    Server::enforcing(Enforcement::ALL, AccessPolicy::new(mode, roles(), ScopePolicy::new())).await
}

/// A request of a caller with all scopes and a role that can almost everything.
fn request(server: &Server, method: &str, uri: &str, role: &str) -> http::request::Builder {
    let token = server.token().claim("scope", EVERY_SCOPE).claim("roles", json!([role]));
    let bearer = format!("Bearer {}", token.sign().unwrap());
    Request::builder().method(method).uri(uri).header("authorization", bearer)
}

async fn ask(server: &Server, method: &str, uri: &str) -> Reply {
    server.send(request(server, method, uri, "globalWriter")).await
}

/// Each fault in the field, with words of what is told, and the address that was probably meant.
fn faults() -> Vec<(&'static str, String, &'static str, Option<&'static str>)> {
    let row = |method, uri: &str, words, intended| (method, uri.to_owned(), words, intended);
    let long = format!("/r4/Patient/{}", "a".repeat(70));
    vec![
        row("GET", "/r4/Patient/", "ends in a slash", Some("/r4/Patient")),
        row("GET", "/r4/Patient/1/", "ends in a slash", Some("/r4/Patient/1")),
        row("GET", "/r4/r4/Patient/1", "base URL twice", Some("/r4/Patient/1")),
        row("GET", "/Patient/1", "outside the base URL `https://fhir", Some("/r4/Patient/1")),
        row("GET", "/other", "outside the base URL `https://fhir", None),
        row("GET", "/r4/patient/1", "is spelled `Patient`", Some("/r4/Patient/1")),
        row("GET", "/r4/Patient/an_id", "this one has `_`", None),
        row("GET", &long, "this one has 70", None),
        row("GET", "/r4//Patient/1", "two slashes", Some("/r4/Patient/1")),
        row("GET", "/r4/Patient//1", "two slashes", Some("/r4/Patient/1")),
        row("GET", "/r4/Patient/../Observation/1", "dots alone", None),
        row("GET", "/r4/Pa%74ient/1", "percent-encoded", Some("/r4/Patient/1")),
        row("GET", "/r4/Patient/%ff", "cannot be decoded", None),
        row("GET", "/r4/Foo/1", "`Foo` is not a resource type of R4", None),
        row("GET", "/r4/NutritionIntake", "`NutritionIntake` is not a resource type of R4", None),
        row("TRACE", "/r4/Patient/1", "with GET, PUT, PATCH, DELETE", None),
        row("PUT", "/r4/Patient", "needs a query", None),
        row("GET", "/r4", "needs a query", None),
        row("GET", "/r4/Patient/1/_history/2/3", "none has an address of this shape", None),
    ]
}

#[tokio::test]
async fn an_address_that_is_no_interaction_says_what_is_wrong_with_it() {
    for mode in MODES {
        let server = server(mode).await;
        for (method, uri, words, intended) in faults() {
            let reply = ask(&server, method, &uri).await;
            assert_eq!(reply.status, 403, "{mode:?} {method} {uri}");
            let rejection = reply.rejection.as_ref().unwrap();
            let told = rejection.detail();
            assert!(told.contains(words), "{method} {uri}: {told}");
            assert_eq!(told.matches("not a FHIR interaction").count(), 1, "{told}");
            if let Some(path) = intended {
                assert!(told.contains(&format!("`{path}` would be one")), "{uri}: {told}");
            }
            assert_eq!(rejection.check(), Some(Check::Interaction));
            assert_eq!(rejection.required_scope(), None, "{uri}");
            assert!(reply.challenge().contains("error=\"insufficient_scope\""));
            assert!(!reply.challenge().contains("scope=\""), "{}", reply.challenge());
            let told = told.to_lowercase();
            assert!(!told.contains("role") && !told.contains("data action"), "{told}");
        }
    }
}

#[tokio::test]
async fn advice_about_an_address_grants_nothing() {
    let server = server(AccessMode::RolesOrScopes).await;
    for (method, uri, _, intended) in faults() {
        let (parts, ()) =
            request(&server, method, &uri, "globalWriter").body(()).unwrap().into_parts();
        let explanation = server.layer.explain(&parts).await;
        let failure = explanation.failure().unwrap();
        assert_eq!(failure.check(), Check::Interaction, "{uri}");
        assert!(explanation.to_string().contains("not reached"), "{explanation}");
        let advice = failure.advice();
        assert!(!advice.is_empty());
        for one in &advice {
            let text = one.text.to_lowercase();
            for grant in ["scope", "role", "data action", "grant", "*", "assign"] {
                assert!(!text.contains(grant), "{uri}: {text}");
            }
        }
        if let Some(path) = intended {
            let first = advice.first().unwrap();
            assert_eq!(first.side, Side::Client);
            assert_eq!(first.text, format!("send it to `{path}`"));
            assert_eq!(ask(&server, method, path).await.status, 200, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn only_every_action_that_the_wildcard_stands_for_reaches_what_is_no_interaction() {
    for (mode, expected) in [
        (AccessMode::Roles, 200),
        (AccessMode::RolesOrScopes, 200),
        (AccessMode::Microsoft, 200),
        (AccessMode::Scopes, 403),
        (AccessMode::RolesAndScopes, 403),
    ] {
        let server = server(mode).await;
        for (method, uri, ..) in faults() {
            let admin = server.send(request(&server, method, &uri, "globalAdmin")).await;
            assert_eq!(admin.status, expected, "{mode:?} {method} {uri}");
        }
    }
    let limited = authorize_fn(|request| {
        let issuer = request.principal().issuer();
        let limits = IssuerLimits::new().allow(issuer, [DataAction::Read]);
        tower_fhir_auth::authorization::all_of([roles().boxed(), limits.boxed()]).authorize(request)
    });
    use tower_fhir_auth::Authorizer;
    let server = Server::authorizing(limited).await;
    let reply = server.send(request(&server, "GET", "/r4/Patient/", "globalAdmin")).await;
    assert_eq!(
        (reply.status.as_u16(), reply.rejection.unwrap().check()),
        (403, Some(Check::Interaction))
    );
    let unlimited = authorize_fn(|request| {
        let limits = IssuerLimits::new()
            .allow(request.principal().issuer(), DataAction::ALL.iter().copied());
        limits.authorize(request)
    });
    let server = Server::authorizing(unlimited).await;
    let reply = server.send(request(&server, "GET", "/r4/Patient/", "globalAdmin")).await;
    assert_eq!(reply.status, 200, "whose callers may do everything");
}

#[tokio::test]
async fn the_fault_of_an_address_is_a_value() {
    let fault = |uri: &str| -> AddressFault {
        let base = BASE.parse().unwrap();
        let (method, headers) = (http::Method::GET, http::HeaderMap::new());
        let interaction =
            tower_fhir_auth::Interaction::parse(&base, &method, &uri.parse().unwrap(), &headers);
        interaction.address_fault().unwrap()
    };
    assert_eq!(*fault("/r4/Patient/").problem(), AddressProblem::TrailingSlash);
    assert_eq!(fault("/r4/Patient/").intended(), Some("/r4/Patient"));
    assert!(matches!(
        fault("/r4/Patient/a_b").problem(),
        AddressProblem::IdCharacter { character: '_', .. }
    ));
    let policy = ScopePolicy::new();
    let server = Server::enforcing(Enforcement::ALL, policy).await;
    let seen = authorize_fn(move |request| {
        use tower_fhir_auth::Authorizer;
        let denial = policy.authorize(request).unwrap_err();
        assert!(matches!(denial.requirements(), [Requirement::Address(fault)]
            if *fault.problem() == AddressProblem::TrailingSlash));
        Err(denial)
    });
    let other = Server::authorizing(seen).await;
    assert_eq!(ask(&other, "GET", "/r4/Patient/").await.status, 403);
    assert_eq!(ask(&server, "GET", "/r4/Patient").await.status, 200);
}

#[tokio::test]
async fn a_token_in_a_path_is_not_told() {
    let server = server(AccessMode::RolesOrScopes).await;
    let token = server.token().sign().unwrap();
    for uri in [format!("/r4/{token}"), format!("/{token}"), format!("/r4/Patient/{token}/")] {
        let reply = ask(&server, "GET", &uri).await;
        assert_eq!(reply.status, 403);
        let told = format!("{} {} {:?}", reply.body, reply.challenge(), reply.rejection);
        assert!(!told.contains(token.get(..20).unwrap()), "{told}");
    }
}

async fn declaring(types: &[&str], mode: AccessMode) -> Server {
    let rule = AccessPolicy::new(mode, roles(), ScopePolicy::new());
    let types: Vec<String> = types.iter().map(|name| (*name).to_owned()).collect();
    Server::build(
        tower_fhir_auth::jose::Algorithm::Es256,
        |issuer| issuer,
        |layer| layer.authorizer(rule).handlers_enforce(Enforcement::ALL).resource_types(types),
    )
    .await
}

#[tokio::test]
async fn a_type_that_the_application_declares_is_one_of_its_own() {
    let server = declaring(&["TriageNote", "NutritionIntake"], AccessMode::Scopes).await;
    let status = async |scope: &str, method: &str, path: &str| {
        let token = server.token().claim("scope", scope).claim("patient", "1").sign().unwrap();
        let request = Request::builder().method(method).uri(format!("/r4{path}"));
        server
            .send(request.header("authorization", format!("Bearer {token}")))
            .await
            .status
            .as_u16()
    };
    for (scope, method, path, expected) in [
        ("system/*.rs", "GET", "/TriageNote/1", 200),
        ("system/TriageNote.r", "GET", "/TriageNote/1", 200),
        ("system.TriageNote.read", "GET", "/TriageNote/1/_history/2", 200),
        ("system/NutritionIntake.s", "GET", "/NutritionIntake?x=1", 200),
        ("system/TriageNote.s", "GET", "/TriageNote/1", 403),
        ("system/triagenote.r", "GET", "/TriageNote/1", 403),
        ("system/*.rs", "GET", "/triageNote/1", 403),
        ("system/*.rs", "GET", "/Transport/1", 403),
        ("system/*.rs", "GET", "/Foo/1", 403),
        ("system/TriageNote.s", "GET", "/Patient/1/TriageNote", 200),
        ("system/TriageNote.s", "GET", "?_type=TriageNote", 200),
        // It belongs to nobody's compartment, and R4 defines no parameter to confine it by.
        ("patient/TriageNote.r", "POST", "/TriageNote", 403),
        ("system/TriageNote.r?status=x", "GET", "/TriageNote/1", 403),
    ] {
        assert_eq!(status(scope, method, path).await, expected, "{scope} {method} {path}");
    }
    let bundle = ask(&server, "POST", "/r4").await.access.unwrap();
    for (url, expected) in [("TriageNote/1", true), ("/TriageNote/1", true), ("/Foo/1", false)] {
        assert_eq!(
            bundle.authorize_entry(&http::Method::GET, url, None).is_ok(),
            expected,
            "{url}"
        );
    }
    assert!(!bundle.may(Permissions::READ, "TriageNote").is_none());
    assert!(bundle.may(Permissions::READ, "Foo").is_none());
}

#[tokio::test]
async fn a_refusal_names_the_scope_of_a_declared_type_and_none_of_an_unknown_one() {
    let server = declaring(&["TriageNote"], AccessMode::Scopes).await;
    for (path, expected) in [
        ("/r4/TriageNote/1", Some("user/TriageNote.r")),
        ("/r4?_type=TriageNote", Some("user/TriageNote.s")),
        ("/r4?_type=Foo", None),
    ] {
        let token = server.token().claim("scope", "user/Device.r").sign().unwrap();
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let reply = server.send(request).await;
        assert_eq!(reply.status, 403);
        let rejection = reply.rejection.unwrap();
        assert_eq!(rejection.required_scope().as_deref(), expected, "{}", rejection.detail());
    }
}

#[test]
fn what_no_type_can_be_called_is_an_error_at_start() {
    for name in ["", "foo", "Foo/Bar", "PATIENT", "Foo1"] {
        let keys = tower_fhir_auth::jose::JwkSet::parse(
            br#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
        );
        let layer = FhirAuthLayer::builder(BASE)
            .issuer(tower_fhir_auth::TrustedIssuer::with_keys(
                "https://idp.example.org",
                keys.unwrap(),
            ))
            .authorizer(ScopePolicy::new())
            .resource_types([name]);
        let error = layer.build().unwrap_err().to_string();
        assert!(error.starts_with(&format!("resource type `{name}`: expected")), "{error}");
    }
}

#[tokio::test]
async fn the_dollar_of_an_operation_may_be_percent_encoded_and_nothing_else() {
    let server = server(AccessMode::Scopes).await;
    for (method, path, operation) in [
        ("GET", "/Patient/p1/%24everything", "everything"),
        ("GET", "/Patient/p1/$everything", "everything"),
        ("GET", "/%24export", "export"),
    ] {
        let access = ask(&server, method, &format!("/r4{path}")).await.access.unwrap();
        let interaction = access.interaction();
        assert_eq!(interaction.kind(), InteractionKind::Operation, "{path}");
        assert_eq!(interaction.operation(), Some(operation), "{path}");
        assert_eq!(interaction.path(), format!("/r4{path}"), "it is not rewritten");
    }
    for path in [
        "/Patient/p1/%2524everything",
        "/Patient/p1/%24every%74hing",
        "/Patient/p1/$%24everything",
        "/Patient/%70p1",
        "/%50atient/p1",
        "/Patient/p1/%24",
    ] {
        assert_eq!(ask(&server, "GET", &format!("/r4{path}")).await.status, 403, "{path}");
    }
    let bundle = ask(&server, "POST", "/r4").await.access.unwrap();
    for url in ["Patient/p1/%24everything", "/Patient/p1/%24everything", "/%24export"] {
        let entry = bundle.authorize_entry(&http::Method::GET, url, None).unwrap();
        assert_eq!(entry.interaction().kind(), InteractionKind::Operation, "{url}");
    }
    // What an operation takes does not depend on how its name is written.
    let token = server.token().claim("scope", "system/Patient.cruds").sign().unwrap();
    for path in ["/r4/Patient/p1/%24everything", "/r4/Patient/%24validate"] {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        assert_eq!(server.send(request).await.status, 403, "{path}");
    }
}

/// The URLs of HL7's R4 examples `bundle-request-medsallergies` and `-simplesummary`, and others.
#[tokio::test]
async fn one_leading_slash_of_an_entry_stands_for_the_base() {
    let server = server(AccessMode::Scopes).await;
    let bundle = ask(&server, "POST", "/r4").await.access.unwrap();
    let entry = |url: &str| bundle.authorize_entry(&http::Method::GET, url, None);
    for (url, kind) in [
        ("/Patient/example", InteractionKind::Read),
        ("/Condition?patient=example", InteractionKind::SearchType),
        (
            "/MedicationStatement?patient=example&_list=$current-medications",
            InteractionKind::SearchType,
        ),
        ("/MedicationStatement?patient=example&notgiven:not=true", InteractionKind::SearchType),
        (
            "/Observation?patient=example&code=http://loinc.org|55284-4&date=ge2015-01-01",
            InteractionKind::SearchType,
        ),
        ("/_history", InteractionKind::HistorySystem),
        ("/?_type=Patient", InteractionKind::SearchSystem),
        ("/$export", InteractionKind::Operation),
    ] {
        let access = entry(url).unwrap_or_else(|denial| panic!("{url}: {denial}"));
        let interaction = access.interaction();
        assert_eq!(interaction.kind(), kind, "{url}");
        let same = entry(url.strip_prefix('/').unwrap()).unwrap();
        assert_eq!(*same.interaction(), *interaction, "{url}");
    }
    for (url, words) in [
        ("//Patient/example", "after a leading slash"),
        ("//fhir.example.org/r4/Patient/1", "after a leading slash"),
        ("/\\Patient/example", "after a leading slash"),
        ("/./Patient/example", "after a leading slash"),
        ("/../Patient/example", "after a leading slash"),
        ("/metadata", "after a leading slash"),
        ("/", "after a leading slash"),
        ("/r4/Patient/1", "after a leading slash"),
        ("/patient/1", "after a leading slash"),
        ("/Foo/1", "after a leading slash"),
        ("https://elsewhere.example.org/r4/Patient/1", "neither relative nor below"),
        ("urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9", "neither relative nor below"),
        ("https://fhir.example.org/r4/Patient/1#x", "fragment"),
        ("Patient/1#x", "fragment"),
        ("Patient/1 2", "cannot be read"),
        ("/Patient/../Observation", "dots alone"),
        ("/Patient//1", "two slashes"),
    ] {
        let denial = entry(url).unwrap_err();
        assert!(denial.summary().contains(words), "{url}: {denial}");
        assert_eq!(denial.scopes().count(), 0, "{url}");
        assert!(matches!(denial.requirements(), [Requirement::Address(_)]), "{url}: {denial:?}");
    }
}
