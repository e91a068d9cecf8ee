//! The part of a grant that is left to the handler: patients, constraints, and what has to be declared.

use http::{Method, Request};
use serde_json::{Value, json};
use tower_fhir_auth::authorization::{Alternative, Answer, Confinement, JobOwner, all_of, any_of};
use tower_fhir_auth::smart::Permissions;
use tower_fhir_auth::{Access, Authorizer, Denial, Enforcement, Grant, ScopePolicy, authorize_fn};

use crate::support::{BASE, Reply, Server};

async fn enforcing(enforced: Enforcement) -> Server {
    Server::enforcing(enforced, ScopePolicy::new()).await
}

/// A request of a caller with these scopes and this `patient`.
pub(crate) async fn ask(
    server: &Server,
    scope: &str,
    patient: Value,
    method: &str,
    uri: &str,
) -> Reply {
    let token = server.token().claim("scope", scope).claim("patient", patient).sign().unwrap();
    let request = Request::builder().method(method).uri(format!("/r4{uri}"));
    server.send(request.header("authorization", format!("Bearer {token}"))).await
}

pub(crate) async fn granted(server: &Server, scope: &str, method: &str, uri: &str) -> Access {
    let reply = ask(server, scope, json!("1"), method, uri).await;
    reply.access.unwrap_or_else(|| panic!("{method} {uri} with {scope}: {}", reply.body))
}

/// A confinement as text: `-` for open, else patient and constraint of each alternative, and `+`
/// before a further set.
fn shown(confinement: &Confinement) -> Vec<String> {
    if confinement.is_open() {
        return vec!["-".to_owned()];
    }
    let mut sets = confinement.sets().map(alternatives);
    let mut shown = sets.next().unwrap_or_default();
    sets.for_each(|set| {
        shown.push("+".to_owned());
        shown.extend(set);
    });
    shown
}

fn alternatives(alternatives: &tower_fhir_auth::authorization::Alternatives) -> Vec<String> {
    let shown = alternatives.iter().map(|alternative| {
        let constraint = alternative.constraint().map(|constraint| {
            constraint.parameters().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&")
        });
        let patient = alternative.patient().map(|id| format!("patient {id}"));
        patient.into_iter().chain(constraint).collect::<Vec<String>>().join(", ")
    });
    shown.collect()
}

#[tokio::test]
async fn alternatives_add_up_letter_by_letter_and_type_by_type() {
    use Permissions as P;
    let server = enforcing(Enforcement::ALL).await;
    for (scope, letters, resource_type, expected) in [
        ("user/Observation.rs", P::READ, "Observation", &["-"][..]),
        ("user/Observation.rs", P::READ | P::SEARCH, "Observation", &["-"]),
        ("user/Observation.rs", P::UPDATE, "Observation", &[]),
        ("user/Observation.rs", P::READ, "Patient", &[]),
        ("patient/Observation.rs", P::READ, "Observation", &["patient 1"]),
        ("user/Observation.r patient/Observation.s", P::READ, "Observation", &["-"]),
        ("user/Observation.r patient/Observation.s", P::SEARCH, "Observation", &["patient 1"]),
        (
            "patient/Observation.rs user/Observation.rs?category=laboratory",
            P::READ,
            "Observation",
            &["category=laboratory", "patient 1"],
        ),
        (
            "patient/Observation.r user/Observation.s?category=laboratory",
            P::READ | P::SEARCH,
            "Observation",
            &["patient 1", "+", "category=laboratory"],
        ),
        ("patient/Observation.rs", P::READ | P::SEARCH, "Observation", &["patient 1"]),
        (
            "patient/Observation.rs?category=a%20b&code=http:%2f%2fx|1",
            P::SEARCH,
            "Observation",
            &["patient 1, category=a b&code=http://x|1"],
        ),
        ("patient/*.rs?category=x", P::SEARCH, "Observation", &["patient 1, category=x"]),
        ("patient/*.rs?category=x", P::SEARCH, "Patient", &[]),
        ("patient/*.cruds user/*.cruds", P::ALL, "Observation", &["-"]),
        ("patient/*.cruds", P::READ, "Organization", &["patient 1"]),
        // Whether there is such an instance decides between 403 and 404.
        ("patient/*.cruds", P::UPDATE, "Organization", &["patient 1"]),
        ("patient/*.cruds", P::CREATE, "Organization", &[]),
        ("patient/*.cruds", P::CREATE, "Provenance", &[]),
        ("patient/*.cruds", P::CREATE, "Group", &[]),
        ("patient/*.cruds", P::CREATE, "Device", &["patient 1"]),
        ("patient/*.cruds", P::CREATE, "Patient", &[]),
        ("patient/*.cruds", P::UPDATE, "Patient", &["patient 1"]),
        ("patient/*.cruds", P::CREATE, "Foo", &[]),
        ("patient/*.cruds", P::READ, "x/y", &[]),
    ] {
        let access = granted(&server, &format!("user/Device.r {scope}"), "GET", "/Device/1").await;
        let found = access.may(letters, resource_type);
        assert_eq!(shown(found.confinement()), expected, "{scope} {resource_type}");
    }
}

#[tokio::test]
async fn rules_that_confine_differently_add_up_where_either_is_enough() {
    let confined = |patient: &'static str| {
        authorize_fn(move |_| {
            Ok(Grant::by(patient).confined_to(Alternative::new(Some(patient), None)))
        })
        .boxed()
    };
    let serving =
        async |rule: Box<dyn Authorizer>| Server::enforcing(Enforcement::COMPARTMENTS, rule).await;
    let either = any_of([confined("1"), confined("2")]);
    let access = granted(&serving(either.boxed()).await, "", "GET", "/Observation/1").await;
    let found = access.may(Permissions::READ, "Observation");
    assert_eq!(shown(found.confinement()), ["patient 1", "patient 2"]);
    let both = all_of([confined("1"), confined("2")]);
    let access = granted(&serving(both.boxed()).await, "", "GET", "/Observation/1").await;
    assert!(access.may(Permissions::READ, "Observation").is_none(), "nothing is in both");
}

#[tokio::test]
async fn a_rule_that_confines_exports_nothing() {
    let own =
        authorize_fn(|_| Ok(Grant::by("our rule").confined_to(Alternative::new(Some("1"), None))));
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new().and(own)).await;
    let access = granted(&server, "system/*.rs", "GET", "/Observation/1").await;
    assert!(!access.may_export("Observation"));
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    let access = granted(&server, "system/*.rs", "GET", "/Observation/1").await;
    assert!(access.may_export("Observation") && !access.may_export("x"));
}

/// Contract, section 3: where a grant leaves something to handlers that have not declared it, the layer refuses.
#[tokio::test]
async fn a_rule_of_an_application_confines_only_what_handlers_enforce() {
    for confinement in [Alternative::new(Some("1"), None).into(), Confinement::none()] {
        let rule = || {
            let confinement = confinement.clone();
            authorize_fn(move |_| Ok(Grant::by("our rule").confined_to(confinement.clone())))
        };
        let server = Server::enforcing(Enforcement::default(), rule()).await;
        let reply = ask(&server, "", json!("1"), "GET", "/Observation/1").await;
        let told = "our rule confines what it grants (the application has not declared that its \
                    handlers enforce compartments)";
        assert!(reply.status == 403 && reply.body.contains(told), "{}", reply.body);
        let server = Server::enforcing(Enforcement::COMPARTMENTS, rule()).await;
        granted(&server, "", "GET", "/Observation/1").await;
    }
}

#[tokio::test]
async fn what_comes_along_is_what_may_be_read_or_searched() {
    let server = enforcing(Enforcement::ALL).await;
    let scope = "user/Device.r patient/Patient.r user/Patient.s?_id=7 user/Encounter.c";
    let access = granted(&server, scope, "GET", "/Device/1").await;
    assert_eq!(shown(access.readable("Patient").confinement()), ["_id=7", "patient 1"]);
    assert!(access.readable("Device").is_open());
    assert!(access.readable("Encounter").is_none(), "whoever may create may not see");
}

#[tokio::test]
async fn a_grant_that_needs_more_than_was_declared_is_refused_and_says_what_is_missing() {
    let lab = "user/Observation.rs?category=laboratory";
    for (scope, method, uri, needed, words) in [
        (
            "patient/Observation.r",
            "GET",
            "/Observation/1",
            Enforcement::COMPARTMENTS,
            "compartments",
        ),
        (lab, "GET", "/Observation/1", Enforcement::CONSTRAINTS, "constraints"),
        (lab, "GET", "/Observation", Enforcement::CONSTRAINTS, "constraints"),
        ("user/*.rs", "POST", "", Enforcement::BUNDLE_ENTRIES, "bundle entries"),
        ("user/*.rs", "GET", "/_operations/export/1", Enforcement::JOBS, "job ownership"),
        ("system/*.rs", "DELETE", "/_operations/export/1", Enforcement::JOBS, "job ownership"),
    ] {
        let server = enforcing(needed).await;
        assert_eq!(ask(&server, scope, json!("1"), method, uri).await.status, 200, "{scope}");
        let server = enforcing(Enforcement::empty()).await;
        let reply = ask(&server, scope, json!("1"), method, uri).await;
        assert_eq!(reply.status, 403, "{scope}");
        let why = reply.rejection.unwrap().detail().to_owned();
        assert!(why.contains("has not declared") && why.contains(words), "{why}");
    }
}

#[tokio::test]
async fn includes_chains_and_bodies_are_granted_by_name_or_where_handlers_judge_them() {
    let e = Enforcement::COMPARTMENTS | Enforcement::CONSTRAINTS;
    let (bare, judged, all) = (
        enforcing(e).await,
        enforcing(e | Enforcement::INCLUDES).await,
        enforcing(Enforcement::ALL).await,
    );
    let o = "/Observation";
    for (scope, uri, by_bare, by_judged) in [
        // Spelled out: the layer's.
        ("user/Observation.s user/Patient.r", "?_include=Observation:subject:Patient", 200, 200),
        ("user/Observation.s user/Patient.s", "?_include=Observation:subject:Patient", 200, 200),
        ("user/Observation.s user/Patient.c", "?_include=Observation:subject:Patient", 403, 200),
        ("user/Observation.s", "?_include=Observation:subject:Patient", 403, 200),
        ("user/Observation.s", "?_revinclude=Provenance:target", 403, 200),
        ("user/Observation.s user/Provenance.s", "?_revinclude=Provenance:target", 200, 200),
        ("user/Observation.s user/Patient.s", "?subject:Patient.name=x", 200, 200),
        ("user/Observation.s user/Patient.r", "?subject:Patient.name=x", 403, 403),
        ("user/Observation.s user/Patient.s?_id=1", "?subject:Patient.name=x", 403, 403),
        ("user/Observation.s user/Device.s", "?_has:Device:patient:x=y", 200, 200),
        ("user/Observation.s", "?_has:Device:patient:x=y", 403, 403),
        ("user/Observation.s user/Device.s", "?_has:Device:patient:_filter=x", 403, 403),
        ("user/*.rs", "?_has:Device:patient:_filter=x", 200, 200),
        // Not spelled out: the handler's, if it is declared.
        ("user/Observation.s", "?_include=Observation:subject", 403, 200),
        ("user/Observation.s", "?subject.name=x", 403, 200),
        ("user/*.rs", "?subject.name=x", 200, 200),
        // Confined: the handler's, too.
        ("patient/*.rs", "?_include=Observation:subject:Patient", 403, 200),
        ("patient/*.rs", "?_filter=x", 403, 200),
        ("patient/Observation.rs", "?_filter=x", 403, 403),
        ("user/Observation.rs", "?_filter=x", 403, 403),
        ("user/*.rs", "?_filter=x", 200, 200),
    ] {
        let uri = format!("{o}{uri}");
        for (server, expected) in [(&bare, by_bare), (&judged, by_judged), (&all, by_judged)] {
            let reply = ask(server, scope, json!("1"), "GET", &uri).await;
            assert_eq!(reply.status.as_u16(), expected, "{uri} with {scope}: {}", reply.body);
        }
        // A body that nobody reads may say anything.
        let posted = ask(&bare, scope, json!("1"), "POST", "/Observation/_search").await;
        assert_eq!(posted.status == 200, scope == "user/*.rs", "{scope}");
        let posted = ask(&all, scope, json!("1"), "POST", "/Observation/_search").await;
        assert_eq!(posted.status, 200, "{scope}: {}", posted.body);
        // One that is read is judged like the query of an address.
        let parameters = uri.split_once('?').unwrap().1;
        let judged = posted.access.unwrap().authorize_search_body(parameters).is_ok();
        assert_eq!(judged, by_judged == 200, "{uri} with {scope}");
    }
}

#[tokio::test]
async fn a_confined_token_is_about_the_patient_that_the_address_names() {
    let server = enforcing(Enforcement::ALL).await;
    for (uri, expected) in [
        ("/Patient/1", 200),
        ("/Patient/2", 403),
        ("/Patient/2/_history", 403),
        ("/Patient/2/_history/1", 403),
        ("/Patient/1/Observation", 200),
        ("/Patient/2/Observation", 403),
        ("/Patient/2/*", 403),
        ("/Patient/1/$everything", 200),
        ("/Patient/2/$everything", 403),
        ("/Observation?patient=1", 200),
        ("/Observation?patient=2", 403),
        ("/Observation?patient=1,2", 403),
        ("/Observation?patient=1&patient=2", 403),
        ("/Observation?patient=Patient/2", 403),
        ("/Observation?patient=Patient%2F2", 403),
        ("/Observation?%70atient=2", 403),
        ("/Observation?subject=Patient/1", 200),
        ("/Observation?subject=Patient/2", 403),
        ("/Observation?subject:Patient=2", 403),
        ("/Observation?patient:Patient=2", 403),
        ("/Observation?subject=https://fhir.example.org/r4/Patient/2", 403),
        ("/Observation?subject=Group/2", 200),
        ("?_type=Observation&patient=2", 403),
        ("/Encounter/2/Observation", 200),
        ("/Observation/2", 200),
    ] {
        let reply = ask(&server, "patient/*.cruds", json!("1"), "GET", uri).await;
        assert_eq!(reply.status.as_u16(), expected, "{uri}: {}", reply.body);
        if expected == 403 {
            assert!(reply.body.contains("names another"), "{}", reply.body);
            assert_eq!(reply.rejection.unwrap().required_scope(), None, "more than was asked for");
        }
        let both = ask(&server, "patient/*.cruds user/*.rs", json!("1"), "GET", uri).await;
        assert_eq!(both.status, 200, "an open scope is not confined: {uri}");
    }
    for (method, uri) in [
        ("PUT", "/Patient/2"),
        ("PATCH", "/Patient/2"),
        ("DELETE", "/Patient/2"),
        ("HEAD", "/Patient/2"),
        ("POST", "/Patient/2/$everything"),
        ("POST", "/Patient/2/Observation/_search"),
        ("DELETE", "/Patient/2/_history"),
    ] {
        let reply = ask(&server, "patient/*.cruds", json!("1"), method, uri).await;
        assert_eq!(reply.status, 403, "{method} {uri}");
    }
    let posted = granted(&server, "patient/*.cruds", "POST", "/Observation/_search").await;
    assert!(
        posted.authorize_search_body("patient=2").is_err()
            && posted.authorize_search_body("patient=1").is_ok()
    );
}

#[tokio::test]
async fn the_patient_is_the_launch_context_else_the_user() {
    let server = enforcing(Enforcement::ALL).await;
    for (patient, user, expected) in [
        (json!("1"), json!(null), Ok("1")),
        (json!("1"), json!("Patient/2"), Ok("1")),
        (json!("1"), json!("Practitioner/9"), Ok("1")),
        (json!(null), json!("Patient/2"), Ok("2")),
        (json!(null), json!(format!("{BASE}/Patient/2")), Ok("2")),
        (json!("Patient/1"), json!("Patient/2"), Ok("1")),
        (json!(format!("{BASE}/Patient/1")), json!(null), Ok("1")),
        (json!(null), json!("https://other.example.org/r4/Patient/2"), Err("names nobody")),
        (json!(null), json!("Practitioner/2"), Err("is no Patient")),
        (json!(null), json!(["Patient/2"]), Err("is not a string")),
        (json!("Patient/1/_history/1"), json!(null), Err("is not the id")),
        (json!("https://other.example.org/r4/Patient/1"), json!(null), Err("is not the id")),
        (json!("Practitioner/1"), json!("Patient/2"), Err("is not the id")),
        (json!(null), json!(null), Err("are missing")),
        (json!(["1"]), json!("Patient/2"), Err("is not the id")),
        (json!(1), json!("Patient/2"), Err("is not the id")),
        (json!(""), json!("Patient/2"), Err("is not the id")),
        (json!("1 2"), json!("Patient/2"), Err("is not the id")),
        (json!("a".repeat(65)), json!("Patient/2"), Err("is not the id")),
        (json!(".."), json!("Patient/2"), Err("is not the id")),
    ] {
        let token = server.token().claim("scope", "patient/Observation.r");
        let token = token.claim("patient", patient.clone()).claim("fhirUser", user.clone());
        let token = token.sign().unwrap();
        let request = Request::get("/r4/Observation/1");
        let reply = server.send(request.header("authorization", format!("Bearer {token}"))).await;
        match expected {
            Ok(id) => {
                let access = reply.access.unwrap();
                let found = access.may(Permissions::READ, "Observation");
                assert_eq!(
                    shown(found.confinement()),
                    [format!("patient {id}")],
                    "{patient} {user}"
                );
            }
            Err(words) => {
                assert_eq!(reply.status, 403, "{patient} {user}");
                assert!(reply.challenge().contains("insufficient_scope"));
                assert!(reply.challenge().contains(words), "{patient}: {}", reply.challenge());
                let asked = reply.rejection.unwrap().required_scope();
                assert_eq!(asked.as_deref(), Some("launch/patient patient/Observation.r"));
            }
        }
    }
}

/// Confines Observations by a parameter of its own, and nothing by anything else.
#[derive(Debug)]
struct OnlyMine;

impl tower_fhir_auth::authorization::ConstraintMatcher for OnlyMine {
    fn supports(&self, resource_type: &str, parameter: &str) -> bool {
        (resource_type, parameter) == ("Observation", "mine")
    }

    fn matches(&self, resource: &Value, parameter: &str, value: &str) -> bool {
        resource[parameter] == value
    }
}

#[tokio::test]
async fn a_constraint_is_plain_and_of_its_type_or_the_scope_grants_nothing() {
    let server = enforcing(Enforcement::ALL).await;
    for (constraint, grants) in [
        ("category=laboratory", true),
        ("category=laboratory&code=http://loinc.org|4548-4", true),
        ("_tag=x", true),
        ("category:in=x", false),
        ("subject.name=x", false),
        ("subject:Patient.name=x", false),
        ("_has:Observation:subject:code=x", false),
        ("_filter=x", false),
        ("_include=Observation:subject", false),
        ("_count=1", false),
        ("_sort=date", false),
        ("_summary=count", false),
        ("category=", false),
        ("category", false),
        ("category=x&", false),
        ("birthdate=2000", false),
        ("nonsense=x", false),
        ("category=a%20patient/*.cruds", true),
    ] {
        let scope = format!("user/Observation.rs?{constraint}");
        let reply = ask(&server, &scope, json!(null), "GET", "/Observation/1").await;
        assert_eq!(reply.status == 200, grants, "{constraint}: {}", reply.body);
        let reply = ask(&server, &scope, json!(null), "GET", "/Patient/1").await;
        assert_eq!(reply.status, 403, "{constraint} smuggles nothing");
    }
    let server = Server::build(
        tower_fhir_auth::jose::Algorithm::Es256,
        |issuer| issuer,
        |layer| {
            let layer = layer.authorizer(ScopePolicy::new()).handlers_enforce(Enforcement::ALL);
            layer.constraint_matcher(OnlyMine)
        },
    );
    let server = server.await;
    for (constraint, grants) in [("mine=x", true), ("category=x", false)] {
        let scope = format!("user/Observation.r?{constraint}");
        let reply = ask(&server, &scope, json!(null), "GET", "/Observation/1").await;
        assert_eq!(reply.status == 200, grants, "{constraint}: {}", reply.body);
    }
}

#[tokio::test]
async fn entries_of_bundles_are_judged_like_requests() {
    let server = enforcing(Enforcement::ALL).await;
    let access = granted(&server, "patient/*.rs user/Device.cu", "POST", "").await;
    let entry = |method: Method, url: &str, condition: Option<&str>| -> Result<Access, Denial> {
        access.authorize_entry(&method, url, condition)
    };
    for (method, url, allowed) in [
        (Method::GET, "Observation/1", true),
        (Method::GET, "Patient/1", true),
        (Method::GET, "Patient/2", false),
        (Method::GET, "https://fhir.example.org/r4/Patient/1", true),
        (Method::GET, "https://fhir.example.org/r4/Patient/2", false),
        (Method::GET, "https://elsewhere.example.org/r4/Patient/1", false),
        (Method::GET, "Patient?_id=1", true),
        (Method::GET, "Observation?patient=2", false),
        (Method::POST, "Device", true),
        (Method::PUT, "Device/1", true),
        (Method::PUT, "Device?identifier=x", true),
        (Method::DELETE, "Device/1", false),
        (Method::POST, "Observation", false),
        (Method::POST, "", false),
        (Method::GET, "Patient/%31", false),
        (Method::POST, "$reindex", false),
        (Method::GET, "urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9", false),
    ] {
        assert_eq!(entry(method.clone(), url, None).is_ok(), allowed, "{method} {url}");
    }
    assert!(entry(Method::POST, "Device", Some("identifier=x")).is_ok());
    assert!(entry(Method::POST, "Device", Some("patient=2")).is_err(), "its search is confined");
    let denial = entry(Method::POST, "Observation", None).unwrap_err();
    let rejection = server.layer.rejection(&denial);
    assert_eq!(rejection.status(), 403);
    assert!(rejection.outcome().to_json().contains("forbidden"));
    let (parts, ()) = Request::get("/r4/x").body(()).unwrap().into_parts();
    let response = server.layer.reject(&denial, &parts);
    assert!(response.headers().contains_key("www-authenticate"));
}

#[tokio::test]
async fn a_further_layer_narrows_what_the_handler_may_do_next() {
    use tower::{ServiceBuilder, ServiceExt};
    let server = enforcing(Enforcement::ALL).await;
    let reads = authorize_fn(|request| {
        let interaction = request.interaction();
        match *interaction.method() == Method::GET || interaction.resource_type().is_none() {
            true => Ok(Grant::by("reads alone")),
            false => Err(Denial::new("reads alone")),
        }
    });
    let service = ServiceBuilder::new()
        .layer(server.layer.clone())
        .layer(server.layer.require(reads))
        .service_fn(|mut request: Request<()>| async move {
            let mut response = http::Response::new(http_body_util::Empty::<bytes::Bytes>::new());
            response.extensions_mut().insert(request.extensions_mut().remove::<Access>().unwrap());
            Ok::<_, std::convert::Infallible>(response)
        });
    let token = server.token().claim("scope", "user/*.cruds").sign().unwrap();
    let request = Request::post("/r4").header("authorization", format!("Bearer {token}"));
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let access: &Access = response.extensions().get().unwrap();
    assert!(access.authorize_entry(&Method::GET, "Patient/1", None).is_ok());
    assert!(access.authorize_entry(&Method::DELETE, "Patient/1", None).is_err());
    assert!(access.may(Permissions::READ, "Patient").is_open());
    assert!(access.may(Permissions::DELETE, "Patient").is_none());
    assert!(access.granted_by().to_string().contains("scope `user/*.cruds`, reads alone"));
}

#[tokio::test]
async fn a_job_is_its_owners_alone() {
    let server = enforcing(Enforcement::ALL).await;
    let access = granted(&server, "system/*.rs", "GET", "/$export").await;
    let owner = access.owner().unwrap();
    assert!(access.owns(&owner));
    assert!(!format!("{access:?} {owner:?}").contains(owner.subject()));
    for other in [
        JobOwner::new(owner.issuer(), "someone-else"),
        JobOwner::new("https://other.example.org", owner.subject()),
        JobOwner::new("", ""),
    ] {
        assert!(!access.owns(&other));
    }
}

/// A token of 16 KiB with as many odd scopes as fit, against requests that look at all of them.
#[tokio::test]
async fn very_many_scopes_cost_no_more_than_their_number() {
    let server = enforcing(Enforcement::ALL).await;
    let names = ('a'..='z').flat_map(|a| ('a'..='z').map(move |b| format!("{a}{b}")));
    let scopes: Vec<String> = names.map(|name| format!("user/*.s?x={name}")).collect();
    let scope = scopes.join(" ");
    let includes =
        ('A'..='Z').flat_map(|a| ('a'..='z').map(move |b| format!("_include={a}{b}:x:{a}{b}")));
    let query = includes.collect::<Vec<_>>().join("&");
    let start = std::time::Instant::now();
    for (method, path) in [
        ("POST", "/_search"),
        ("GET", "?x=1"),
        ("GET", "/Observation"),
        ("GET", &format!("/Observation?{query}")),
    ] {
        let reply = ask(&server, &scope, json!("1"), method, path).await;
        assert_eq!(reply.status, 403, "{method} {path}");
        assert!(reply.challenge().len() < 2000, "{}", reply.challenge().len());
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_is_said_to_be_enough_is_enough_or_is_not_said() {
    use tower_fhir_auth::{AccessMode, AccessPolicy, RoleDefinitions, RolePolicy};
    let server = enforcing(Enforcement::ALL).await;
    let reply = ask(&server, "user/Patient.rs", json!("1"), "GET", "/Foobar/1").await;
    assert_eq!(reply.rejection.unwrap().required_scope(), None, "no type of this server");
    for (mode, roles) in
        [(AccessMode::RolesAndScopes, json!([])), (AccessMode::Microsoft, json!(["smartUser"]))]
    {
        let policy = RolePolicy::new(RoleDefinitions::microsoft());
        let policy = AccessPolicy::new(mode, policy, ScopePolicy::new());
        let server = Server::authorizing(policy).await;
        let token = server.token().claim("scope", "openid").claim("roles", roles);
        let why = server.get(token).await.rejection.unwrap();
        // With the role still missing, no scope would have been enough.
        let named = why.required_scope();
        assert_eq!(named.is_some(), mode == AccessMode::Microsoft, "{mode:?}: {}", why.detail());
        assert!(why.detail().contains("user/Patient.r"), "{}", why.detail());
    }
}

fn plain(access: &Access) -> Vec<String> {
    match access.answer() {
        Answer::Plain(found) => shown(found.confinement()),
        Answer::Composite | Answer::None | _ => panic!("one permission on one type"),
    }
}

#[tokio::test]
async fn an_interaction_knows_what_it_was_granted_under() {
    let server = enforcing(Enforcement::ALL).await;
    for (scope, path, expected) in [
        ("patient/Observation.r", "/Observation/1", "patient 1"),
        ("patient/Observation.r", "/Observation/1/_history", "patient 1"),
        ("user/Observation.s?category=x", "/Observation", "category=x"),
        ("user/Observation.r patient/Observation.r", "/Observation/1", "-"),
    ] {
        let access = granted(&server, scope, "GET", path).await;
        assert_eq!(plain(&access), [expected], "{path} with {scope}");
    }
    // A role that searches sees histories, although it may not read.
    let json =
        br#"{"roles":[{"name":"s","dataActions":["search"],"notDataActions":[],"scopes":["/"]}]}"#;
    let roles = tower_fhir_auth::RoleDefinitions::parse(json).unwrap();
    let server = Server::authorizing(tower_fhir_auth::RolePolicy::new(roles)).await;
    let token = server.token().claim("roles", json!(["s"])).sign().unwrap();
    let request = Request::get("/r4/Patient/1/_history");
    let reply = server.send(request.header("authorization", format!("Bearer {token}"))).await;
    let access = reply.access.unwrap();
    assert_eq!(plain(&access), ["-"]);
    assert!(access.may(Permissions::READ, "Patient").is_none());
}

#[tokio::test]
async fn an_export_takes_unconstrained_system_scopes() {
    let server = enforcing(Enforcement::ALL).await;
    for (scope, method, uri, expected) in [
        ("system/*.rs", "GET", "/$export", 200),
        ("system/*.rs", "POST", "/$export", 200),
        ("system/*.r system/*.s", "GET", "/Patient/$export", 200),
        ("system/*.rs", "GET", "/Group/1/$export", 200),
        ("system/*.r", "GET", "/$export", 403),
        ("user/*.rs", "GET", "/$export", 403),
        ("patient/*.rs", "GET", "/$export", 403),
        ("system/*.rs?_id=1", "GET", "/$export", 403),
        ("system/Patient.rs", "GET", "/$export", 200),
        ("system/Patient.r", "GET", "/$export", 403),
        ("system/Patient.r system/Device.s", "GET", "/$export", 403),
        ("system/Patient.rs", "GET", "/$export?_type=Patient", 200),
        ("system/Patient.rs", "POST", "/$export?_type=Patient", 200),
        ("system/Patient.rs", "GET", "/$export?_type=Patient,Observation", 403),
        ("system/Patient.rs?_id=1", "GET", "/$export?_type=Patient", 403),
        ("system/Observation.rs", "GET", "/Patient/$export?_type=Observation", 403),
        (
            "system/Observation.rs system/Patient.rs",
            "GET",
            "/Patient/$export?_type=Observation",
            200,
        ),
        ("system/Patient.rs", "GET", "/Group/1/$export?_type=Patient", 403),
        (
            "system/Patient.rs",
            "GET",
            "/$export?_type=Patient&_typeFilter=Patient%3Flink.x%3D1",
            403,
        ),
        ("system/*.rs", "PUT", "/$export", 403),
        // Whose a job is, its handler knows: to all others there is none.
        ("system/Patient.rs", "GET", "/_operations/export/1", 200),
        ("system/*.rs", "GET", "/_operations/export/1/Patient.ndjson", 200),
        ("user/Patient.r", "DELETE", "/_operations/import/1", 200),
        ("openid", "GET", "/_operations/export/1", 403),
    ] {
        let reply = ask(&server, scope, json!("1"), method, uri).await;
        assert_eq!(reply.status.as_u16(), expected, "{method} {uri} with {scope}: {}", reply.body);
    }
}
