//! Callers of many roles, groups and scopes: what is found out about them once holds for each entry of a bundle, and no
//! longer than the definitions do.

use http::{Method, Request};
use serde_json::json;
use tower_fhir_auth::authorization::Assignments;
use tower_fhir_auth::test_util::TokenBuilder;
use tower_fhir_auth::{
    Access, Authorizer, Enforcement, RoleDefinitions, RolePolicy, require_any_role,
    require_any_scope,
};

use crate::support::{Reply, Server};

fn definitions(roles: &[(&str, &str)]) -> RoleDefinitions {
    let roles = roles.iter().map(|(name, action)| {
        json!({"name": name, "dataActions": [action], "notDataActions": [], "scopes": ["/"]})
    });
    let text = json!({"roles": roles.collect::<Vec<_>>()}).to_string();
    RoleDefinitions::parse(text.as_bytes()).unwrap()
}

fn many(named: &str, further: &[&str]) -> Vec<String> {
    let others = (0..100).map(|n| format!("{named}-{n}"));
    others.chain(further.iter().map(|&one| one.to_owned())).collect()
}

fn assigned(server: &Server, caller: &str, roles: &[&str]) -> Assignments {
    Assignments::new().assign(server.issuer.url(), caller, roles.iter().copied())
}

async fn judging(rule: impl Authorizer) -> Server {
    Server::enforcing(Enforcement::ALL, rule).await
}

async fn sent(server: &Server, token: TokenBuilder, method: &str, path: &str) -> Reply {
    let bearer = format!("Bearer {}", token.sign().unwrap());
    let request = Request::builder().method(method).uri(format!("/r4{path}"));
    server.send(request.header("authorization", bearer)).await
}

async fn bundle(server: &Server, token: TokenBuilder) -> Access {
    sent(server, token, "POST", "").await.access.unwrap()
}

fn is_granted(access: &Access, method: &Method, url: &str) -> bool {
    access.authorize_entry(method, url, None).is_ok()
}

#[tokio::test]
async fn entries_are_judged_by_the_roles_of_the_token_and_by_those_that_are_assigned() {
    let roles = definitions(&[("Reader", "read"), ("Deleter", "delete")]);
    let policy = RolePolicy::new(roles);
    let server = judging(policy.clone()).await;
    policy.replace_assignments(assigned(&server, "group:group-7", &["deleter"]));
    let token = || server.token().claim("roles", many("role", &["reader", "READER", "reader"]));
    let access = bundle(&server, token().claim("groups", many("group", &[]))).await;
    for _ in 0..2 {
        assert!(is_granted(&access, &Method::GET, "Patient/1"));
        assert!(is_granted(&access, &Method::DELETE, "Patient/1"));
        assert!(!is_granted(&access, &Method::POST, "Patient"));
    }
    let read = access.authorize_entry(&Method::GET, "Patient/1", None).unwrap();
    assert_eq!(read.granted_by().to_string(), "role `Reader`");
    let none = bundle(&server, token().claim("groups", many("other", &[]))).await;
    assert!(is_granted(&none, &Method::GET, "Patient/1"));
    assert!(!is_granted(&none, &Method::DELETE, "Patient/1"));
}

#[tokio::test]
async fn definitions_and_assignments_that_are_replaced_count_for_the_next_entry() {
    let reader = || definitions(&[("reader", "read")]);
    let policy = RolePolicy::new(reader());
    let server = judging(policy.clone()).await;
    let token = server.token().claim("roles", many("role", &["reader"]));
    let access = bundle(&server, token.claim("groups", many("group", &[]))).await;
    let entry = access.authorize_entry(&Method::GET, "Patient/1", None).unwrap();
    let may = |expected: [bool; 2]| {
        for access in [&access, &entry] {
            let asked = [(Method::GET, "Patient/1"), (Method::DELETE, "Patient/1")];
            assert_eq!(asked.map(|(method, url)| is_granted(access, &method, url)), expected);
        }
    };
    may([true, false]);
    policy.replace_definitions(definitions(&[("reader", "delete")]));
    may([false, true]);
    policy.replace_definitions(reader());
    may([true, false]);
    policy.replace_definitions(definitions(&[("r", "read"), ("d", "delete")]));
    may([false, false]);
    policy.replace_assignments(assigned(&server, "group:group-3", &["r", "d"]));
    may([true, true]);
    policy.replace_assignments(Assignments::new());
    may([false, false]);
    // However often that happens while an access is kept.
    for _ in 0..12 {
        policy.replace_definitions(reader());
        may([true, false]);
        policy.replace_definitions(definitions(&[("reader", "delete")]));
        may([false, true]);
    }
}

/// One policy's answers say nothing of another's.
#[tokio::test]
async fn two_policies_of_one_rule_have_answers_of_their_own() {
    let reads = RolePolicy::new(definitions(&[("one", "read"), ("other", "export")]));
    let deletes = RolePolicy::new(definitions(&[("one", "export"), ("other", "delete")]));
    let server = judging(reads.or(deletes)).await;
    let access =
        bundle(&server, server.token().claim("roles", many("role", &["one", "other"]))).await;
    for _ in 0..2 {
        assert!(is_granted(&access, &Method::GET, "Patient/1"));
        assert!(is_granted(&access, &Method::DELETE, "Patient/1"));
        assert!(!is_granted(&access, &Method::POST, "Patient"));
    }
}

/// The definitions are the same of both.
#[tokio::test]
async fn assignments_of_one_policy_are_none_of_another() {
    let without = RolePolicy::new(definitions(&[("reader", "read"), ("other", "export")]));
    let with = without.clone().assignments(Assignments::new());
    let server = judging(with.clone().and(without)).await;
    with.replace_assignments(assigned(&server, "group:group-3", &["reader"]));
    for (held, expected) in [(&["other"][..], false), (&["other", "reader"], true)] {
        let token = server.token().claim("roles", many("role", held));
        let access = bundle(&server, token.claim("groups", many("group", &[]))).await;
        assert_eq!(is_granted(&access, &Method::GET, "Patient/1"), expected, "{held:?}");
    }
}

/// A role that is spelled in several ways, or repeated by groups, is told once.
#[tokio::test]
async fn a_refusal_tells_the_first_roles_of_each_standing_and_the_number_of_the_others() {
    let policy = RolePolicy::new(definitions(&[("reader", "read")]));
    let server = judging(policy.clone()).await;
    let assignments = assigned(&server, "group:group-1", &["reader"]);
    let twice = assignments.assign(server.issuer.url(), "group:group-2", ["READER", "unknown"]);
    policy.replace_assignments(twice);
    for (further, expected) in [
        (&["Reader", "READER"][..], "; roles without this: 'Reader', 'reader' (assigned)"),
        (&[], "; roles without this: 'reader' (assigned)"),
    ] {
        let token = server.token().claim("roles", many("role", further));
        let access = bundle(&server, token.claim("groups", many("group", &[]))).await;
        let denial = access.authorize_entry(&Method::DELETE, "Patient/1", None).unwrap_err();
        let detail = format!("{denial:?}");
        let undefined = "roles that are not defined: 'role-0', 'role-1', 'role-2', 'role-3', 'role-4', \
                         'role-5', 'role-6', 'role-7' and 93 more";
        assert!(detail.contains(&format!("{undefined}{expected}")), "{detail}");
    }
}

#[tokio::test]
async fn a_scope_or_role_that_is_required_is_found_among_many_and_compared_exactly() {
    for (required, held, expected) in [
        ("last", &["last"][..], true),
        ("item-3", &[], true),
        ("Item-3", &[], false),
        ("item", &[], false),
    ] {
        let by_role = judging(require_any_role(["x", required])).await;
        let by_scope = judging(require_any_scope(["x", required])).await;
        // What the one list has is not in the other.
        let (held, others) = (many("item", held), many("other", &["x", "last", "Item-3"]));
        let token = by_role.token().claim("roles", held.clone()).claim("scope", others.join(" "));
        let reply = sent(&by_role, token, "GET", "/Patient/1").await;
        assert_eq!(reply.status == 200, expected, "{required}: {}", reply.body);
        let token = by_scope.token().claim("scope", held.join(" ")).claim("roles", others);
        let reply = sent(&by_scope, token, "GET", "/Patient/1").await;
        assert_eq!(reply.status == 200, expected, "{required}: {}", reply.body);
    }
}

/// What is told of the scopes of the first entry that is refused is told of each.
#[tokio::test]
async fn entries_are_refused_alike_whichever_comes_first() {
    let server = judging(tower_fhir_auth::ScopePolicy::new()).await;
    let scopes = format!(
        "user/Patient.r user/Condition.rs?code=1 user-Flag.r {}",
        many("other", &[]).join(" ")
    );
    let access = bundle(&server, server.token().claim("scope", scopes)).await;
    let refused = |url: &str| {
        let denial = access.authorize_entry(&Method::DELETE, url, None).unwrap_err();
        (denial.scopes().map(str::to_owned).collect::<Vec<_>>(), format!("{denial:?}"))
    };
    let first = [refused("Patient/1"), refused("Condition/1"), refused("Flag/1")];
    let again = [refused("Patient/1"), refused("Condition/1"), refused("Flag/1")];
    assert_eq!(first, again);
    let scopes = first.each_ref().map(|(scopes, _)| scopes.join(" "));
    assert_eq!(scopes, ["user/Patient.d", "user/Condition.d?code=1", "user/Flag.d"]);
    for (_, told) in &first {
        assert!(told.contains("`user-Flag.r` is not a SMART scope; `user.Flag.r` is"), "{told}");
        assert!(
            told.contains("user/Patient.r user/Condition.rs?code=1 user-Flag.r other-0"),
            "{told}"
        );
    }
}
