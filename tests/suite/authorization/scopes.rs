//! SMART scopes as policy, through the layer.

use http::Request;
use tower_fhir_auth::fhir::ResourceTypes;
use tower_fhir_auth::{Enforcement, ScopePolicy};

use super::oracle::InOneVoice;
use crate::support::{Reply, Server};

async fn send(server: &Server, method: &str, uri: &str, scope: &str) -> Reply {
    let (method, conditional) = method.split_at(method.find('?').unwrap_or(method.len()));
    let token = server.token().claim("scope", scope).sign().unwrap();
    let mut request = Request::builder().method(method).uri(format!("/r4{uri}"));
    if !conditional.is_empty() {
        request = request.header("if-none-exist", "identifier=x");
    }
    server.send(request.header("authorization", format!("Bearer {token}"))).await
}

/// Each interaction with the narrowest scopes that grant it, together.
const TABLE: &[(&str, &str, &[&str])] = &[
    ("GET", "/Patient/1", &["user/Patient.r"]),
    ("GET", "/Patient/1/_history/2", &["user/Patient.r"]),
    ("GET", "/Patient/1/_history", &["user/Patient.r"]),
    ("GET", "/Patient/_history", &["user/Patient.s"]),
    ("GET", "/_history", &["user/*.s"]),
    ("GET", "/_history?_type=Patient", &["user/Patient.s"]),
    ("GET", "/Patient?name=x", &["user/Patient.s"]),
    ("GET", "/Patient?_type=Observation", &["user/Patient.s"]),
    ("GET", "/Patient?code:in=x&subject:Patient=1", &["user/Patient.s"]),
    ("POST", "/Patient/_search", &["user/Patient.s"]),
    ("GET", "?name=x", &["user/*.s"]),
    ("POST", "/_search?_type=Patient", &["user/Patient.s"]),
    ("GET", "?_type=Patient,Observation", &["user/Patient.s", "user/Observation.s"]),
    ("GET", "/Patient/1/Observation", &["user/Observation.s"]),
    ("GET", "/Patient/1/*", &["user/*.s"]),
    ("POST", "/Patient", &["user/Patient.c"]),
    ("POST?", "/Patient", &["user/Patient.c", "user/Patient.s"]),
    ("PUT", "/Patient/1", &["user/Patient.u"]),
    ("PATCH", "/Patient/1", &["user/Patient.u"]),
    ("PUT", "/Patient?a=b", &["user/Patient.u", "user/Patient.s"]),
    ("PATCH", "/Patient?a=b", &["user/Patient.u", "user/Patient.s"]),
    ("DELETE", "/Patient/1", &["user/Patient.d"]),
    ("DELETE", "/Patient?a=b", &["user/Patient.d", "user/Patient.s"]),
    ("GET", "/$export", &["system/*.rs"]),
    ("GET", "/$export", &["system/*.r", "system/*.s"]),
    ("GET", "/Patient/1/$everything", &["user/*.rs"]),
    ("GET", "/Patient/1/$everything?_type=Patient", &["user/Patient.rs"]),
    // Its body may name others.
    ("POST", "/Patient/1/$everything?_type=Patient", &["user/*.rs"]),
    ("GET", "/Patient/1/Observation?_type=Encounter", &["user/Observation.s"]),
    ("DELETE", "/Patient?_type=Encounter", &["user/Patient.ds", "user/Encounter.s"]),
    ("GET", "/Patient?_include=Patient:organization", &["user/*.rs"]),
    ("GET", "/Patient?_revinclude=Observation:subject", &["user/*.rs"]),
    ("GET", "/Observation?subject.name=x", &["user/*.rs"]),
    ("GET", "/Patient?_has:Observation:subject:code=x", &["user/*.rs"]),
    ("GET", "/Patient?%5Finclude=x", &["user/*.rs"]),
    ("GET", "/Patient?_INCLUDE=x", &["user/*.rs"]),
    ("GET", "/Patient?a=1;_include=x", &["user/*.rs"]),
    ("GET", "/Patient?_sort=organization.name", &["user/*.rs"]),
    ("GET", "/Patient?_list=1", &["user/*.rs"]),
    ("GET", "/Patient?_in=Group/1", &["user/*.rs"]),
    ("GET", "?_type=Patient&_TYPE=Device", &["user/*.rs"]),
    ("GET", "?_type=Patient&_type[]=Device", &["user/*.rs"]),
    ("GET", "?_type=Patient%2CDevice", &["user/*.rs"]),
    ("GET", "?_type=", &["user/*.rs"]),
    ("POST", "", &["user/Observation.c"]),
];

#[tokio::test]
async fn each_interaction_takes_its_letters_and_nothing_less() {
    let enforced = Enforcement::SEARCH_BODIES | Enforcement::BUNDLE_ENTRIES;
    let server = Server::enforcing(enforced, ScopePolicy::new()).await;
    for (method, uri, scopes) in TABLE {
        let reply = send(&server, method, uri, &scopes.join(" ")).await;
        assert_eq!(reply.status, 200, "{method} {uri} with {scopes:?}: {}", reply.body);
        for missing in *scopes {
            let less: Vec<_> = scopes.iter().copied().filter(|scope| scope != missing).collect();
            let reply = send(&server, method, uri, &less.join(" ")).await;
            assert_eq!(reply.status, 403, "{method} {uri} with {less:?}");
            let enough = reply.rejection.unwrap().required_scope().unwrap();
            let widened = format!("{} {enough}", less.join(" "));
            let reply = send(&server, method, uri, &widened).await;
            assert_eq!(reply.status, 200, "{method} {uri}: `{enough}` was said to be enough");
        }
        // The same letters on another type, or other letters on the same one.
        if !uri.is_empty() {
            let other = scopes.join(" ").replace("Patient", "Device").replace('*', "Device");
            let other = other.replace("Observation", "Device");
            assert_eq!(send(&server, method, uri, &other).await.status, 403, "{uri} with {other}");
        }
    }
}

/// Whatever stands in a query or a condition, it never takes away from what an interaction takes.
#[tokio::test]
async fn a_query_only_adds() {
    let enforced = Enforcement::SEARCH_BODIES | Enforcement::BUNDLE_ENTRIES;
    for server in [
        Server::authorizing(ScopePolicy::new()).await,
        Server::enforcing(enforced, ScopePolicy::new()).await,
    ] {
        let others = [
            ("POST", "/$reindex"),
            ("POST", "/Patient/$validate"),
            ("GET", "/%50atient/1"),
            ("GET", "/Patient//1"),
            ("TRACE", "/Patient/1"),
            ("POST", "/x%79/z/_search"),
        ];
        let rows = TABLE.iter().map(|(method, uri, _)| (*method, *uri)).chain(others);
        for (method, uri) in rows {
            let scopes = ["user/*.rs", "user/Patient.cruds", "system/*.c", "patient/*.cruds"];
            for scope in scopes {
                if send(&server, method, uri, scope).await.status == 200 {
                    continue;
                }
                for trick in [
                    ".",
                    "a.b=1",
                    "_include",
                    "_has:x",
                    "%61=1",
                    "_type=Device",
                    "a;b",
                    "_sort=a.b",
                ] {
                    let sign = if uri.contains('?') { '&' } else { '?' };
                    let tricked = format!("{uri}{sign}{trick}");
                    let reply = send(&server, method, &tricked, scope).await;
                    assert_eq!(reply.status, 403, "{method} {tricked} with {scope}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_condition_in_a_header_is_judged_like_a_query() {
    let server = Server::authorizing(ScopePolicy::new()).await;
    let create = async |condition: &str| {
        let token = server.token().claim("scope", "user/Observation.cs").sign().unwrap();
        let request = Request::post("/r4/Observation").header("if-none-exist", condition);
        server.send(request.header("authorization", format!("Bearer {token}"))).await.status
    };
    assert_eq!(create("identifier=x").await, 200);
    assert_eq!(create("patient.name=Peeters").await, 403);
    assert_eq!(create("_has:Patient:x:y=z").await, 403);
}

#[tokio::test]
async fn refusals_stay_small_whatever_the_query_names() {
    let server = Server::authorizing(ScopePolicy::new()).await;
    let letters = ('A'..='Z').flat_map(|a| ('a'..='z').map(move |b| format!("{a}{b}")));
    let types: Vec<String> = letters.collect();
    let reply =
        send(&server, "GET", &format!("?_type={}", types.join(",")), "user/Patient.r").await;
    assert_eq!(reply.status, 403);
    assert!(reply.challenge().len() < 1000, "{}", reply.challenge().len());
}

#[tokio::test]
async fn what_has_no_letter_is_granted_by_no_scope() {
    let server = Server::authorizing(ScopePolicy::new()).await;
    let all = "system/*.cruds user/*.cruds patient/*.cruds system/*.*";
    for (method, uri) in [
        ("POST", "/Patient/$validate"),
        ("GET", "/ValueSet/$expand"),
        ("GET", "/Patient//1"),
        ("GET", "/Patient/%31"),
        ("GET", ""),
        ("TRACE", "/Patient/1"),
    ] {
        let reply = send(&server, method, uri, all).await;
        assert_eq!(reply.status, 403, "{method} {uri}");
        assert_eq!(reply.rejection.unwrap().required_scope(), None, "{method} {uri}");
    }
    assert_eq!(send(&server, "GET", "/$export", "user/*.rs").await.status, 403);
    assert_eq!(send(&server, "GET", "/$export", "system/Patient.rs").await.status, 403);
}

#[tokio::test]
async fn scopes_that_confine_grant_nothing_where_nobody_enforces_them() {
    let server = Server::authorizing(ScopePolicy::new()).await;
    for scope in ["patient/Patient.r", "patient/*.cruds", "user/Patient.r?name=x", "user/*.*?_id=1"]
    {
        let reply = send(&server, "GET", "/Patient/1", scope).await;
        assert_eq!(reply.status, 403, "{scope}");
        assert!(reply.body.contains("not declared that"), "{}", reply.body);
    }
    // The body of a search may reach any type, and a bundle may do anything.
    assert_eq!(send(&server, "POST", "/Patient/_search", "user/Patient.rs").await.status, 403);
    assert_eq!(send(&server, "POST", "/Patient/_search", "user/*.rs").await.status, 200);
    assert_eq!(send(&server, "POST", "", "user/*.rs").await.status, 403);
    assert_eq!(send(&server, "POST", "", "user/*.cruds system/*.cruds").await.status, 403);
    let everything = "/Patient/1/$everything?_type=Patient";
    assert_eq!(send(&server, "GET", everything, "user/Patient.rs").await.status, 200);
    assert_eq!(send(&server, "POST", everything, "user/Patient.rs").await.status, 403);
}

/// Whoever holds a permission under a constraint is not told to ask for it without.
#[tokio::test]
async fn a_constraint_that_cannot_be_held_is_not_advised_away() {
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    let many: Vec<String> = (0..33).map(|n| format!("user/Flag.r?_id={n}")).collect();
    let many = format!("{} user/Flag.s?_id=33", many.join(" "));
    for (scopes, uri, enough) in [
        ("user/Flag.r?bad=1", "/Flag/1", None),
        ("user/Flag.r?category:in=x", "/Flag/1", None),
        ("user/Flag.rs?subject.name=x", "/Flag/1", None),
        ("user.Flag.read?category:in=x", "/Flag/1", None),
        ("user/*.r?category:in=x", "/Flag/1", None),
        ("http://smarthealthit.org/fhir/scopes/user/Flag.r?a:b=x", "/Flag/1", None),
        // Malformed: what it was meant to grant, it was meant to grant under a constraint.
        ("user/Flag.sr?category=x", "/Flag/1", None),
        ("user/Flag.r?", "/Flag/1", None),
        (&many, "/Flag", None),
        // A wildcard would undo the constraint of any type.
        ("user/Flag.s?status=active", "?name=x", None),
        ("user/*.s?_id=1", "?name=x", None),
        // A chain depends on what a constraint hides.
        ("user/Flag.s user/Patient.s?gender=male", "/Flag?subject:Patient.name=x", None),
        // Another permission, another type, another context: nothing of these was constrained.
        ("user/Flag.s?category:in=x", "/Flag/1", Some("user/Flag.r")),
        ("user/Basic.r?a:b=x", "/Flag/1", Some("user/Flag.r")),
        ("user/Flag.u", "/Flag/1", Some("user/Flag.r")),
        // Held without a constraint as well, so that nothing is widened.
        ("user/Flag.r user/Flag.r?a:b=x", "/Flag", Some("user/Flag.s")),
    ] {
        let reply = send(&server, "GET", uri, scopes).await;
        assert_eq!(reply.status, 403, "{scopes}");
        let named = reply.rejection.as_ref().unwrap().required_scope();
        assert_eq!(named.as_deref(), enough, "{scopes}: {}", reply.body);
        let said = enough.is_some_and(|scope| reply.challenge().contains(scope));
        assert_eq!(said, enough.is_some(), "{}", reply.challenge());
        assert_eq!(reply.challenge().contains(" scope="), enough.is_some(), "{scopes}");
    }
}

/// A letter that is missing is named with the constraint that the others have, and is then enough.
#[tokio::test]
async fn a_missing_permission_is_advised_under_the_constraint_of_the_others() {
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    for (scopes, method, uri, enough) in [
        (
            "user/Observation.s?category=laboratory",
            "GET",
            "/Observation/1",
            "user/Observation.r?category=laboratory",
        ),
        (
            "user/Observation.rs?category=laboratory&code=http:%2f%2fx|1",
            "POST",
            "/Observation",
            "user/Observation.c?category=laboratory&code=http:%2f%2fx|1",
        ),
        ("user/*.s?_id=1", "GET", "/Observation/1", "user/Observation.r?_id=1"),
        (
            "user/Observation.s?category=a user/Observation.s?category=b",
            "GET",
            "/Observation/1",
            "user/Observation.r?category=a",
        ),
        // Something of the type is held without.
        ("user/Observation.s?category=a user/*.d", "GET", "/Observation/1", "user/Observation.r"),
        ("user/Device.s?_id=1", "GET", "/Observation/1", "user/Observation.r"),
        // A constraint that the type cannot have.
        ("user/*.s?gender=male", "GET", "/Observation/1", "user/Observation.r"),
    ] {
        let reply = send(&server, method, uri, scopes).await;
        assert_eq!(reply.status, 403, "{scopes}");
        let named = reply.rejection.unwrap().required_scope();
        assert_eq!(named.as_deref(), Some(enough), "{scopes}: {}", reply.body);
        let reply = send(&server, method, uri, &format!("{scopes} {enough}")).await;
        assert_eq!(reply.status, 200, "{enough} was said to be enough: {}", reply.body);
    }
}

#[tokio::test]
async fn malformed_scopes_grant_nothing_and_spoil_nothing() {
    let server = Server::authorizing(ScopePolicy::new()).await;
    for malformed in
        ["user/Patient.sr", "user/Patient.rr", "user/patient.r", "user/Patient.r,x", "user/Foo.r"]
    {
        assert_eq!(send(&server, "GET", "/Patient/1", malformed).await.status, 403, "{malformed}");
        let beside = format!("{malformed} openid launch/patient user.Patient.read");
        assert_eq!(send(&server, "GET", "/Patient/1", &beside).await.status, 200, "{malformed}");
    }
    // A type that the application does not declare is nobody's.
    assert_eq!(send(&server, "GET", "/Foo/1", "user/*.r").await.status, 403);
    assert_eq!(send(&server, "GET", "/Foo/1", "user/Foo.r").await.status, 403);
    // Decoding happens within a token, never across tokens.
    let smuggled = "user/Observation.r?code=a%20user/*.cruds";
    assert_eq!(send(&server, "GET", "/Patient/1", smuggled).await.status, 403);
}

/// What a refusal names fits into the headers of a response, and is never cut: a part of a constraint
/// is another one.
#[tokio::test]
async fn scopes_that_would_fill_the_headers_are_not_named() {
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    let types = ["Observation", "Condition", "Encounter", "Procedure", "Immunization", "Goal"];
    for (length, is_named) in [(20, true), (3000, false)] {
        let held = format!("user/*.r?_id={}", "a".repeat(length));
        let token = server.token().claim("scope", held).sign().unwrap();
        let request = Request::get(format!("/r4?_type={}", types.join(",")));
        let reply = server.send(request.header("authorization", format!("Bearer {token}"))).await;
        assert_eq!(reply.status, 403);
        assert_eq!(reply.challenge().contains("scope=\""), is_named, "{}", reply.challenge());
        assert!(reply.challenge().len() < 8192, "{}", reply.challenge().len());
    }
}

#[tokio::test]
async fn no_wildcard_is_advised_where_every_wildcard_has_a_constraint() {
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    for (held, advised) in [
        ("user/*.r?_tag=x", ""),
        ("user/*.r?_tag=x user/*.d", "scope=\"user/*.s\""),
        ("user/*.r", "scope=\"user/*.s\""),
    ] {
        let token = server.token().claim("scope", held).sign().unwrap();
        let request = Request::get("/r4?name=x");
        let reply = server.send(request.header("authorization", format!("Bearer {token}"))).await;
        assert_eq!(reply.status, 403, "{held}");
        let named = reply.challenge().contains("scope=\"");
        assert_eq!(named, !advised.is_empty(), "{held}: {}", reply.challenge());
        assert!(reply.challenge().contains(advised), "{held}: {}", reply.challenge());
    }
}

/// As with wildcards under a constraint that one of the types can have.
#[tokio::test]
async fn a_search_of_any_of_several_types_may_be_looked_at_by_one_of_them() {
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    for (scope, expected) in [
        ("user/Flag.s", 200),
        ("user/*.s?status=active", 200),
        ("user/*.s?gender=male", 403),
        ("user/*.r?status=active", 403),
        // Of a patient, and the token has none.
        ("patient/*.s?status=active", 403),
        ("user/Patient.s", 403),
    ] {
        let reply = send(&server, "POST", "/_search?_type=Flag,Device", scope).await;
        assert_eq!(reply.status, expected, "{scope}: {}", reply.body);
    }
}

#[tokio::test]
async fn where_nobody_reads_the_form_of_a_search_access_to_its_type_is_not_enough_for_either_answer()
 {
    let enforced = Enforcement::ALL - Enforcement::SEARCH_BODIES;
    let server = Server::enforcing(enforced, InOneVoice(ScopePolicy::new())).await;
    for (scope, expected) in [("user/Flag.s", 403), ("user/*.rs", 200)] {
        let reply = send(&server, "POST", "/Flag/_search", scope).await;
        assert_eq!(reply.status, expected, "{scope}: {}", reply.body);
    }
}

#[tokio::test]
async fn more_than_64_types_take_a_wildcard() {
    let server = Server::authorizing(ScopePolicy::new()).await;
    let types = ResourceTypes::r4();
    for (count, expected) in [(64, 200), (65, 403)] {
        let named: Vec<&str> = types.names().take(count).collect();
        let uri = format!("?_type={}", named.join(","));
        let scopes = named.iter().map(|name| format!("user/{name}.s")).collect::<Vec<_>>();
        assert_eq!(send(&server, "GET", &uri, &scopes.join(" ")).await.status, expected, "{count}");
        assert_eq!(send(&server, "GET", &uri, "user/*.s").await.status, 200, "{count}");
        // And so do as many that are reached in other ways.
        let included = named.iter().map(|name| format!("_has:{name}:subject:code=x"));
        let uri = format!("/Patient?{}", included.collect::<Vec<_>>().join("&"));
        let scopes = format!("user/Patient.s {}", scopes.join(" "));
        let expected = if count > 63 { 403 } else { 200 };
        assert_eq!(send(&server, "GET", &uri, &scopes).await.status, expected, "{count}");
        assert_eq!(send(&server, "GET", &uri, "user/*.rs").await.status, 200, "{count}");
    }
}

#[tokio::test]
async fn pages_and_jobs_are_for_scopes_where_the_application_serves_them() {
    for (enforced, page, job) in [
        (Enforcement::empty(), 403, 403),
        (Enforcement::PAGES, 200, 403),
        (Enforcement::JOBS, 403, 200),
    ] {
        let server = Server::enforcing(enforced, ScopePolicy::new()).await;
        let asked = async |uri| send(&server, "GET", uri, "user/Flag.rs").await.status;
        assert_eq!(asked("/_pages/sealed").await, page, "{enforced}");
        assert_eq!(asked("/_operations/export/1").await, job, "{enforced}");
    }
}

/// A grant names each scope that has a part in it, and a refusal each reason, once.
#[tokio::test]
async fn scopes_and_reasons_are_named_once() {
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    let reply = send(&server, "GET", "?_type=Flag,Device", "user/*.s").await;
    assert_eq!(reply.access.unwrap().granted_by().to_string(), "scope `user/*.s`");
    let token = server.token().claim("scope", "user/Flag.r user/Flag.rs user/*.r");
    let bearer = format!("Bearer {}", token.claim("fhirUser", "somebody").sign().unwrap());
    let request = Request::get("/r4/Flag/1").header("authorization", bearer);
    let reply = server.send(request).await;
    assert_eq!(reply.status, 403);
    assert_eq!(reply.body.matches("names nobody").count(), 1, "{}", reply.body);
}

#[tokio::test]
async fn the_own_patient_may_be_named_twice() {
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    for (uri, expected) in [
        ("/Patient/1/Observation?subject=Patient/1", 200),
        ("/Observation?patient=1&subject=Patient/1", 200),
        ("/Observation?patient=1&subject=Patient/2", 403),
    ] {
        let token = server.token().claim("scope", "patient/*.rs").claim("patient", "1");
        let bearer = format!("Bearer {}", token.sign().unwrap());
        let request = Request::get(format!("/r4{uri}")).header("authorization", bearer);
        assert_eq!(server.send(request).await.status, expected, "{uri}");
    }
}

/// HAPI deletes what refers to a resource by the header as by the parameter.
#[tokio::test]
async fn a_deletion_by_x_cascade_takes_the_right_to_delete_every_type() {
    let server = Server::enforcing(Enforcement::ALL, InOneVoice(ScopePolicy::new())).await;
    for (scope, name, path, status) in [
        ("system/Patient.d", "x-cascade", "/Patient/1", 403),
        ("system/Patient.d", "x_cascade", "/Patient/1", 403),
        ("system/Patient.ds", "x-cascade", "/Patient?_id=1", 403),
        ("system/*.rs system/Patient.d", "x-cascade", "/Patient/1", 403),
        ("system/*.rds", "x-cascade", "/Patient/1", 200),
        ("system/Patient.d", "x-other", "/Patient/1", 200),
        // Handlers confine what is read, and nobody what is deleted on the way.
        ("patient/*.cruds", "x-cascade", "/Observation/1", 403),
        ("system/*.rs system/*.d?code=x", "x-cascade", "/Observation/1", 403),
    ] {
        let token = server.token().claim("scope", scope).claim("patient", "1").sign().unwrap();
        let request = Request::delete(format!("/r4{path}")).header(name, "delete");
        let reply = server.send(request.header("authorization", format!("Bearer {token}"))).await;
        assert_eq!(reply.status, status, "{scope} {name} {path}: {}", reply.body);
    }
    // Its deletions may take the header of a bundle for theirs.
    for (scope, status) in [("system/Patient.d", 403), ("system/*.rds", 200)] {
        let token = server.token().claim("scope", scope).sign().unwrap();
        let request = Request::post("/r4").header("x-cascade", "delete");
        let reply = server.send(request.header("authorization", format!("Bearer {token}"))).await;
        assert_eq!(reply.status, status, "{scope}: {}", reply.body);
    }
    let token = server.token().claim("scope", "patient/*.cruds").claim("patient", "1");
    let token = token.sign().unwrap();
    let request = Request::delete("/r4/Observation/1?_cascade=delete");
    let reply = server.send(request.header("authorization", format!("Bearer {token}"))).await;
    assert!(reply.status == 403 && reply.body.contains("cascading deletion"), "{}", reply.body);
    // It means nothing to a read.
    let token = server.token().claim("scope", "system/Patient.r").sign().unwrap();
    let request = Request::get("/r4/Patient/1").header("x-cascade", "delete");
    let reply = server.send(request.header("authorization", format!("Bearer {token}"))).await;
    assert_eq!(reply.status, 200);
}
