//! Extractors of axum handlers, and unit tests of handlers.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::FromRequestParts;
use axum::routing::get;
use http::{Method, Request};
use serde::{Deserialize, Deserializer};
use serde_json::json;
use tower::ServiceExt;
use tower_fhir_auth::axum_support::Claims;
use tower_fhir_auth::test_util::{TestCaller, TestUtilError};
use tower_fhir_auth::{Access, Principal, Visibility, require_role};

#[derive(Clone, Deserialize)]
struct Staff {
    department: String,
}

/// How often `Counted` was read.
static READ: AtomicUsize = AtomicUsize::new(0);

#[derive(Clone)]
struct Counted;

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        READ.fetch_add(1, Ordering::SeqCst);
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

fn router() -> Router {
    let department = |Claims(staff): Claims<Staff>| async move { staff.department };
    let thrice = |_: Claims<Counted>, _: Claims<Counted>, Claims(_): Claims<Counted>| async {};
    let method = |access: Access| async move { access.interaction().method().to_string() };
    let is_guarded = |access: Option<Access>, caller: Option<Principal>| async move {
        (access.is_some() && caller.is_some()).to_string()
    };
    Router::new()
        .route("/department", get(department))
        .route("/thrice", get(thrice))
        .route("/method", get(method))
        .route("/guarded", get(is_guarded))
}

/// Asks the router as a handler test does: without a server, an issuer or a key.
async fn ask(caller: Option<TestCaller>, path: &str) -> (u16, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let request = match caller {
        Some(caller) => caller.authorizer(tower_fhir_auth::authenticated()).authorize(request),
        None => Ok(request),
    };
    let response = router().oneshot(request.unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_handler_gets_all_claims_as_its_own_type() {
    let caller = TestCaller::new().claim("department", "radiology");
    assert_eq!(ask(Some(caller), "/department").await, (200, "radiology".to_owned()));
}

#[tokio::test]
async fn claims_that_do_not_fit_are_403_and_not_told() {
    for wrong in [json!(null), json!(["of-a-secret-clinic"])] {
        let (status, body) =
            ask(Some(TestCaller::new().claim("department", wrong)), "/department").await;
        assert_eq!(status, 403, "{body}");
        assert!(body.contains("forbidden") && !body.contains("secret-clinic"), "{body}");
    }
}

#[tokio::test]
async fn claims_without_a_layer_are_500() {
    let (status, body) = ask(None, "/department").await;
    assert_eq!(status, 500);
    assert!(body.contains("layer"), "{body}");
}

#[tokio::test]
async fn what_is_granted_is_there_behind_the_layer_and_without_one_it_is_500_or_none() {
    for (caller, path, expected) in [
        (Some(TestCaller::new()), "/method", (200, "GET")),
        (Some(TestCaller::new()), "/guarded", (200, "true")),
        (None, "/guarded", (200, "false")),
    ] {
        let (status, body) = ask(caller, path).await;
        assert_eq!((status, &*body), expected, "{path}");
    }
    let (status, body) = ask(None, "/method").await;
    assert_eq!(status, 500);
    assert!(body.contains("layer"), "{body}");
}

#[tokio::test]
async fn claims_are_read_once_for_a_request() {
    let (status, _) = ask(Some(TestCaller::new()), "/thrice").await;
    assert_eq!((status, READ.load(Ordering::SeqCst)), (200, 1));
}

#[tokio::test]
async fn claims_are_those_of_the_caller_that_the_request_has_now() {
    let caller = |name: &str| TestCaller::new().claim("department", name).principal().unwrap();
    let (mut parts, ()) = Request::new(()).into_parts();
    for department in ["radiology", "surgery"] {
        parts.extensions.insert(caller(department));
        let read = Claims::<Staff>::from_request_parts(&mut parts, &()).await;
        assert_eq!(read.unwrap().0.department, department);
    }
}

#[test]
fn a_unit_test_has_a_principal_in_a_line() {
    let caller = TestCaller::new().claim("sub", "ada").principal().unwrap();
    assert_eq!((caller.subject(), caller.has_scope("system/*.cruds")), (Some("ada"), true));
    let bare =
        TestCaller::new().base_url("https://fhir.example.org/r4").claim("scope", json!(null));
    assert_eq!(bare.principal().unwrap().scopes().count(), 0);
}

#[test]
fn a_unit_test_has_an_access_that_confines_as_the_layers_does() {
    let caller = TestCaller::new().claim("scope", "patient/*.rs").claim("patient", "1");
    let access = caller.access(Method::GET, "/Observation?code=1").unwrap();
    let of = |patient: &str| json!({"resourceType": "Observation", "subject": {"reference": format!("Patient/{patient}")}});
    assert_eq!(access.may_show(&of("1")), Visibility::Shown);
    assert_ne!(access.may_show(&of("2")), Visibility::Shown);
}

#[test]
fn a_caller_who_would_be_refused_is_an_error_that_says_why() {
    let refused =
        TestCaller::new().claim("scope", "user/Patient.r").access(Method::DELETE, "/Patient/1");
    let TestUtilError::Refused(reason) = refused.unwrap_err() else { panic!("refused") };
    assert!(reason.contains("user/Patient.r"), "{reason}");
    let role = TestCaller::new().authorizer(require_role("admin"));
    assert!(role.access(Method::GET, "/Patient/1").is_err());
    let public = TestCaller::new().access(Method::GET, "/metadata").unwrap_err();
    assert!(matches!(public, TestUtilError::Public));
}

#[test]
fn extensions_and_body_of_a_request_stay_and_a_foreign_principal_goes() {
    let foreign = TestCaller::new().claim("sub", "mallory").principal().unwrap();
    let mut request = Request::post("/r4/Patient").body("its body").unwrap();
    request.extensions_mut().insert("of the test");
    request.extensions_mut().insert(foreign);
    let caller = TestCaller::new().base_url("https://fhir.example.org/r4");
    let request = caller.authorize(request).unwrap();
    assert_eq!(*request.body(), "its body");
    assert_eq!(request.extensions().get(), Some(&"of the test"));
    let caller: &Principal = request.extensions().get().unwrap();
    assert_eq!(caller.subject(), Some("alice"));
}
