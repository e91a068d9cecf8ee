//! The patient of a token: its three forms, the claims that may hold it, and what a refusal advises
//! where there is none, or another's record is asked for.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::explanation::{Requirement, Side};
use tower_fhir_auth::{Enforcement, ScopePolicy, TrustedIssuer, authorize_fn};

use crate::support::{BASE, Reply, Server};

async fn server() -> Server {
    Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await
}

/// With the launch context in other claims, as `patient_claims` has it.
async fn renamed() -> Server {
    Server::build(
        tower_fhir_auth::jose::Algorithm::Es256,
        |issuer: TrustedIssuer| issuer.patient_claims(["pid", "ctx_patient"]),
        |layer| layer.authorizer(ScopePolicy::new()).handlers_enforce(Enforcement::ALL),
    )
    .await
}

async fn ask(server: &Server, claims: &Value, method: &str, path: &str) -> Reply {
    let mut token = server.token();
    for (name, value) in claims.as_object().unwrap() {
        token = token.claim(name, value.clone());
    }
    let request = Request::builder().method(method).uri(format!("/r4{path}"));
    let bearer = format!("Bearer {}", token.sign().unwrap());
    server.send(request.header("authorization", bearer)).await
}

#[tokio::test]
async fn a_launch_context_has_three_forms_and_several_claims_agree() {
    let server = renamed().await;
    let absolute = format!("{BASE}/Patient/1");
    for (pid, other, expected) in [
        (json!("1"), json!(null), None),
        (json!("Patient/1"), json!(null), None),
        (json!(absolute), json!(null), None),
        (json!(null), json!("1"), None),
        (json!("1"), json!(absolute), None),
        (json!("Patient/1"), json!("1"), None),
        (json!("1"), json!("2"), Some("`pid` and `ctx_patient` name different patients")),
        (
            json!("1"),
            json!(["1"]),
            Some("`ctx_patient` is not the id of a patient: it is not a string"),
        ),
        (
            json!(null),
            json!(7),
            Some("`ctx_patient` is not the id of a patient: it is not a string"),
        ),
        (
            json!("Practitioner/1"),
            json!("1"),
            Some("`pid` is not the id of a patient: it names a resource of another type"),
        ),
        (json!("Patient/1/_history/2"), json!(null), Some("it names a version")),
        (json!("https://other.example.org/Patient/1"), json!(null), Some("not below the base URL")),
        (json!(""), json!(null), Some("`pid` is not the id of a patient: it is empty")),
        (json!("a_b"), json!(null), Some("expected an id")),
        (json!(null), json!(null), Some("`pid`, `ctx_patient` and `fhirUser` are missing")),
    ] {
        // A claim of the default's name does not count.
        let claims = json!({"scope": "patient/Observation.rs", "pid": pid, "ctx_patient": other,
            "patient": "9"});
        let reply = ask(&server, &claims, "GET", "/Observation/1").await;
        let Some(words) = expected else {
            assert_eq!(reply.status, 200, "{claims}: {}", reply.body);
            continue;
        };
        assert_eq!(reply.status, 403, "{claims}");
        let rejection = reply.rejection.unwrap();
        assert!(rejection.detail().contains(words), "{claims}: {}", rejection.detail());
        assert!(!rejection.detail().contains("`patient`"), "{}", rejection.detail());
        let asked = rejection.required_scope();
        assert_eq!(asked.as_deref(), Some("launch/patient patient/Observation.rs"), "{claims}");
    }
}

/// Contract: "where no usable patient is there `scope="launch/patient …"` with the token's own scopes
/// that would then grant, none where it is another's: never `user/` or `system/` in place of
/// `patient/`".
#[tokio::test]
async fn without_a_patient_launch_patient_is_asked_for_and_at_anothers_record_nothing() {
    let server = server().await;
    let relative = "RelatedPerson/r";
    for (claims, method, path, expected) in [
        (
            json!({"scope": "patient/*.rs"}),
            "GET",
            "/Patient/1",
            Some("launch/patient patient/*.rs"),
        ),
        (json!({"scope": "patient/*.rs"}), "GET", "/Patient", Some("launch/patient patient/*.rs")),
        (
            json!({"scope": "patient/Patient.r patient/Observation.rs"}),
            "GET",
            "/Patient/1",
            Some("launch/patient patient/Patient.r"),
        ),
        (
            json!({"scope": "patient/Observation.rs"}),
            "GET",
            "/Patient/1",
            Some("launch/patient patient/Patient.r"),
        ),
        (
            json!({"scope": "patient/Observation.sr"}),
            "GET",
            "/Patient/1",
            Some("launch/patient patient/Patient.r"),
        ),
        (
            json!({"scope": "patient/*.rs user/*.rs", "fhirUser": relative}),
            "GET",
            "/Patient/1",
            Some("launch/patient patient/*.rs user/*.rs"),
        ),
        (
            json!({"scope": "user/*.rs", "fhirUser": relative}),
            "GET",
            "/Patient/1",
            Some("launch/patient user/*.rs"),
        ),
        (
            json!({"scope": "user/Device.r", "fhirUser": "Person/p"}),
            "GET",
            "/Patient/1",
            Some("launch/patient user/Patient.r"),
        ),
        (
            json!({"scope": "patient/*.rs", "patient": ["1"]}),
            "GET",
            "/Patient/1",
            Some("launch/patient patient/*.rs"),
        ),
        (
            json!({"scope": "patient/*.rs", "fhirUser": "Practitioner/p"}),
            "GET",
            "/Patient/1",
            Some("launch/patient patient/*.rs"),
        ),
        // The record is another's.
        (json!({"scope": "patient/*.rs", "patient": "2"}), "GET", "/Patient/1", None),
        (json!({"scope": "patient/*.rs", "patient": "2"}), "GET", "/Observation?patient=1", None),
        (json!({"scope": "patient/*.rs", "fhirUser": "Patient/2"}), "GET", "/Patient/1", None),
        (json!({"scope": "patient/Observation.rs", "patient": "2"}), "GET", "/Patient/1", None),
        (json!({"scope": "user/*.rs", "fhirUser": "Patient/2"}), "GET", "/Patient/1", None),
        (
            json!({"scope": "user/Observation.rs", "fhirUser": "Patient/2"}),
            "GET",
            "/Patient/1",
            None,
        ),
        (
            json!({"scope": "user/*.rs", "fhirUser": relative, "patient": "2"}),
            "GET",
            "/Patient/1",
            None,
        ),
        (json!({"scope": "patient/*.rs user/Device.r", "patient": "2"}), "GET", "/Patient/1", None),
        (
            json!({"scope": "patient/*.rs system/Device.r", "patient": "2"}),
            "GET",
            "/Patient/1",
            None,
        ),
        (json!({"scope": "openid launch/patient", "patient": "2"}), "GET", "/Patient/1", None),
        // Whom a practitioner looks at confines no `user/` scope.
        (
            json!({"scope": "user/Device.r", "fhirUser": "Practitioner/p", "patient": "2"}),
            "GET",
            "/Patient/1",
            Some("user/Patient.r"),
        ),
        // A patient is known, and only a letter is missing.
        (
            json!({"scope": "patient/Patient.s user/Device.r", "patient": "1"}),
            "GET",
            "/Patient/1",
            Some("patient/Patient.r"),
        ),
        (
            json!({"scope": "openid launch/patient", "patient": "1"}),
            "GET",
            "/Patient/1",
            Some("patient/Patient.r"),
        ),
        (
            json!({"scope": "openid launch/patient"}),
            "GET",
            "/Patient/1",
            Some("launch/patient patient/Patient.r"),
        ),
        // No patient's scope would do, so that none is asked for.
        (json!({"scope": "patient/*.cruds", "patient": "1"}), "POST", "/Patient", None),
        (json!({"scope": "patient/*.cruds"}), "POST", "/Patient", None),
        (json!({"scope": "patient/*.cruds", "patient": "1"}), "POST", "/Organization", None),
        (json!({"scope": "patient/*.cruds", "patient": "1"}), "GET", "/$export", None),
        (
            json!({"scope": "patient/*.cruds system/Device.r", "patient": "1"}),
            "GET",
            "/$export?_type=Patient",
            None,
        ),
        (json!({"scope": "user/*.cruds"}), "GET", "/$export?_type=Patient", None),
        (
            json!({"scope": "user/*.cruds system/Device.r"}),
            "GET",
            "/$export?_type=Patient",
            Some("system/Patient.rs"),
        ),
        // The user is unreadable.
        (json!({"scope": "user/*.rs", "fhirUser": ["Patient/1"]}), "GET", "/Patient/1", None),
        (json!({"scope": "user/Device.rs", "fhirUser": "x"}), "GET", "/Patient/1", None),
        (
            json!({"scope": "patient/*.rs user/*.rs", "fhirUser": "x"}),
            "GET",
            "/Patient/1",
            Some("launch/patient patient/*.rs"),
        ),
    ] {
        let reply = ask(&server, &claims, method, path).await;
        assert_eq!(reply.status, 403, "{claims} {path}");
        assert!(reply.challenge().contains("error=\"insufficient_scope\""));
        let rejection = reply.rejection.unwrap();
        let asked = rejection.required_scope();
        assert_eq!(asked.as_deref(), expected, "{claims} {method} {path}: {}", rejection.detail());
    }
}

#[tokio::test]
async fn an_unreadable_user_is_named_by_its_claim() {
    let server = server().await;
    for (claims, words) in [
        (json!({"fhirUser": ["Patient/1"]}), "`fhirUser` is not a string"),
        (json!({"fhirUser": "https://other.example.org/Patient/1"}), "`fhirUser` names nobody"),
        (json!({"fhirUser": "Device/1"}), "`fhirUser` is of a type that no user has"),
        (json!({"extension_fhirUser": "x"}), "`extension_fhirUser` names nobody of this server"),
    ] {
        let mut claims = claims;
        claims["scope"] = json!("user/*.rs");
        let reply = ask(&server, &claims, "GET", "/Patient/1").await;
        assert_eq!(reply.status, 403);
        assert!(reply.body.contains(words), "{claims}: {}", reply.body);
    }
}

#[tokio::test]
async fn a_parameter_that_the_application_does_not_declare_is_one_all_the_same() {
    #[derive(Debug)]
    struct ByName;
    impl tower_fhir_auth::authorization::ConstraintMatcher for ByName {
        fn supports(&self, resource_type: &str, parameter: &str) -> bool {
            (resource_type, parameter) == ("Patient", "name")
        }

        fn matches(&self, _: &Value, _: &str, _: &str) -> bool {
            false
        }
    }
    let server = Server::build(
        tower_fhir_auth::jose::Algorithm::Es256,
        |issuer| issuer,
        |layer| {
            let layer = layer.authorizer(ScopePolicy::new()).constraint_matcher(ByName);
            layer.handlers_enforce(Enforcement::ALL)
        },
    )
    .await;
    let undeclared =
        "`gender` is a search parameter of Patient that this application does not declare";
    for (scope, words, has_advice) in [
        ("patient/Patient.rs?gender=male", undeclared, true),
        ("patient/Patient.rs?sex=male", "Patient has no search parameter `sex`", false),
        ("patient/*.rs?gender=male", undeclared, true),
    ] {
        let claims = json!({"scope": scope, "patient": "1"});
        let reply = ask(&server, &claims, "GET", "/Patient/1").await;
        assert_eq!(reply.status, 403, "{scope}");
        let rejection = reply.rejection.unwrap();
        assert!(rejection.detail().contains(words), "{scope}: {}", rejection.detail());
        // Nobody is sent for more than they had asked for.
        assert_eq!(rejection.required_scope(), None, "{scope}");
        let token = server.token().claim("scope", scope).claim("patient", "1").sign().unwrap();
        let request =
            Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let explanation = server.layer.explain(&parts).await;
        let advice = explanation.failure().unwrap().advice();
        let names = advice.iter().any(|one| {
            one.side == Side::Server && one.text.contains("search parameter `gender` of Patient")
        });
        assert_eq!(names, has_advice, "{scope}: {advice:?}");
    }
    let granted = json!({"scope": "patient/Patient.rs?name=x", "patient": "1"});
    assert_eq!(ask(&server, &granted, "GET", "/Patient/1").await.status, 200);
}

#[tokio::test]
async fn a_patient_creates_no_patient_and_changes_its_own() {
    let server = server().await;
    let claims = json!({"scope": "patient/*.cruds", "patient": "1"});
    let reply = ask(&server, &claims, "POST", "/Patient").await;
    assert_eq!(reply.status, 403);
    let told = reply.rejection.unwrap();
    assert!(
        told.detail().contains("cannot create a Patient, and can change its own alone"),
        "{}",
        told.detail()
    );
    assert_eq!(ask(&server, &claims, "PUT", "/Patient/1").await.status, 200);
    assert_eq!(ask(&server, &claims, "PUT", "/Patient/2").await.status, 403);
    // It is said of the scopes that it is true of: others of the token may reach further.
    let claims = json!({"scope": "patient/Patient.cud user/Patient.r", "patient": "1"});
    assert_eq!(ask(&server, &claims, "GET", "/Patient/2").await.status, 200);
    for (method, path, words) in [
        ("POST", "/Patient", "a scope that confines to a patient cannot create a Patient"),
        ("PUT", "/Patient/2", "scopes that confine to a patient do not count here"),
    ] {
        let reply = ask(&server, &claims, method, path).await;
        assert_eq!(reply.status, 403, "{method}");
        let told = reply.rejection.unwrap();
        assert!(told.detail().contains(words), "{}", told.detail());
        assert!(!told.detail().contains("the token is confined"), "{}", told.detail());
    }
}

#[tokio::test]
async fn scopes_are_understood_as_uris() {
    let server = server().await;
    let uri = |scope: &str| format!("http://smarthealthit.org/fhir/scopes/{scope}");
    for (scope, expected) in [
        (uri("patient/Patient.read"), 200),
        (uri("patient/*.rs"), 200),
        (uri("patient/Patient.r?name=x"), 200),
        (uri("patient/Patient.s"), 403),
        (uri("patient/Patient.sr"), 403),
        (uri(&uri("patient/Patient.r")), 403),
        ("https://smarthealthit.org/fhir/scopes/patient/Patient.r".to_owned(), 403),
        ("http://smarthealthit.org/fhir/scopespatient/Patient.r".to_owned(), 403),
    ] {
        let claims = json!({"scope": format!("openid {scope}"), "patient": "1"});
        assert_eq!(ask(&server, &claims, "GET", "/Patient/1").await.status, expected, "{scope}");
    }
    // A context that is spelled so is the token's own all the same.
    let claims = json!({"scope": format!("{} {}", uri("launch/patient"), uri("patient/Device.r"))});
    let reply = ask(&server, &claims, "GET", "/Patient/1").await;
    let asked = reply.rejection.unwrap().required_scope();
    assert_eq!(asked.as_deref(), Some("launch/patient patient/Patient.r"));
}

/// Each piece of scope advice is the least of its kind: it lets the request in, and with any letter
/// less it would not.
#[tokio::test]
async fn the_scopes_of_a_refusal_are_the_least_that_let_the_request_in() {
    let server = server().await;
    let rows = [
        ("GET", "/Patient/1"),
        ("GET", "/Patient?name=x"),
        ("POST", "/Observation"),
        ("PUT", "/Observation?code=x"),
        ("DELETE", "/Observation/1"),
        ("GET", "?_type=Observation,Condition"),
        ("POST", "/_search?_type=Observation,Condition"),
        ("POST", "/_search"),
        ("GET", "/Observation?patient.name=x"),
        ("GET", "/Observation?patient:Patient.name=x"),
        ("GET", "/Patient/1/$everything"),
        ("GET", "/Patient/1/$everything?_type=Condition"),
        ("GET", "/$export?_type=Patient"),
        ("GET", "/Patient/$export"),
        ("GET", "/$export"),
        ("GET", "/_history"),
        ("POST", ""),
    ];
    for context in ["patient", "user", "system"] {
        for (method, path) in rows {
            let held = format!("{context}/Device.d");
            let claims = |scope: &str| json!({"scope": scope, "patient": "1"});
            let reply = ask(&server, &claims(&held), method, path).await;
            if reply.status == 200 {
                continue;
            }
            let Some(asked) = reply.rejection.unwrap().required_scope() else {
                assert!(
                    path.contains("$export") && context != "system",
                    "{context} {method} {path}"
                );
                continue;
            };
            let asked: Vec<&str> = asked.split(' ').collect();
            let widened = |scopes: &[String]| claims(&format!("{held} {}", scopes.join(" ")));
            let all: Vec<String> = asked.iter().map(|scope| (*scope).to_owned()).collect();
            let reply = ask(&server, &widened(&all), method, path).await;
            assert_eq!(reply.status, 200, "{context} {method} {path}: {asked:?}");
            for (place, scope) in asked.iter().enumerate() {
                assert!(scope.starts_with(context), "{context} {method} {path}: {asked:?}");
                let (name, letters) = scope.rsplit_once('.').unwrap();
                for letter in letters.chars() {
                    let mut less = all.clone();
                    match letters.replace(letter, "") {
                        rest if rest.is_empty() => drop(less.remove(place)),
                        rest => less[place] = format!("{name}.{rest}"),
                    }
                    let reply = ask(&server, &widened(&less), method, path).await;
                    assert_eq!(reply.status, 403, "{method} {path}: {asked:?} without {letter}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_application_sees_the_parameter_as_a_value() {
    #[derive(Debug)]
    struct Nothing;
    impl tower_fhir_auth::authorization::ConstraintMatcher for Nothing {
        fn supports(&self, _: &str, _: &str) -> bool {
            false
        }

        fn matches(&self, _: &Value, _: &str, _: &str) -> bool {
            false
        }
    }
    let rule = authorize_fn(|request| {
        use tower_fhir_auth::Authorizer;
        let denial = ScopePolicy::new().authorize(request).unwrap_err();
        assert!(
            denial.requirements().iter().any(|one| matches!(one,
            Requirement::Parameter { resource_type, name, .. }
                if resource_type == "Patient" && name == "gender")),
            "{denial:?}"
        );
        Err(denial)
    });
    let server = Server::build(
        tower_fhir_auth::jose::Algorithm::Es256,
        |issuer| issuer,
        |layer| {
            let layer = layer.authorizer(rule).constraint_matcher(Nothing);
            layer.handlers_enforce(Enforcement::ALL)
        },
    )
    .await;
    let claims = json!({"scope": "user/Patient.rs?gender=male"});
    assert_eq!(ask(&server, &claims, "GET", "/Patient/1").await.status, 403);
}
