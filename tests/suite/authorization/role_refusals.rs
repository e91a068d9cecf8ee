//! Refusals by role: what clients are told, what operators are, and what is advised.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authorization::{Assignments, DataAction, IssuerLimits, require_all_roles};
use tower_fhir_auth::config::Config;
use tower_fhir_auth::explanation::{Finding, HeldRole, Reason, Requirement, RoleStanding, Side};
use tower_fhir_auth::rejection::Disclosure;
use tower_fhir_auth::test_util::TokenBuilder;
use tower_fhir_auth::{
    AccessMode, AccessPolicy, Authorizer, Denial, Enforcement, RoleDefinitions, RolePolicy,
    ScopePolicy, authorize_fn, require_any_role, require_role,
};

use crate::operator_log::OperatorLog;
use crate::support::{BASE, Server};

fn definitions(roles: &[(&str, &[&str])]) -> RoleDefinitions {
    let roles = roles.iter().map(|(name, actions)| {
        json!({"name": name, "dataActions": actions, "notDataActions": [], "scopes": ["/"]})
    });
    let text = json!({"roles": roles.collect::<Vec<_>>()}).to_string();
    RoleDefinitions::parse(text.as_bytes()).unwrap()
}

fn policy(mode: AccessMode, roles: RoleDefinitions) -> AccessPolicy {
    AccessPolicy::new(mode, RolePolicy::new(roles), ScopePolicy::new())
}

/// What a refused request left: to the client, to the log, and in the explanation.
struct Refused {
    client: String,
    detail: String,
    finding: Finding,
}

async fn refused(server: &Server, token: TokenBuilder, method: &str, path: &str) -> Refused {
    let bearer = format!("Bearer {}", token.sign().unwrap());
    let request = || {
        let request = Request::builder().method(method).uri(format!("/r4{path}"));
        request.header("authorization", &bearer)
    };
    let reply = server.send(request()).await;
    assert_eq!(reply.status, 403, "{method} {path}: {}", reply.body);
    let (parts, ()) = request().body(()).unwrap().into_parts();
    let explanation = server.layer.explain(&parts).await;
    Refused {
        client: format!("{}\n{}", reply.body, reply.challenge()),
        detail: reply.rejection.unwrap().detail().to_owned(),
        finding: explanation.failure().unwrap().clone(),
    }
}

impl Refused {
    fn requirements(&self) -> &[Requirement] {
        let Reason::Denied { requirements, .. } = self.finding.reason() else {
            panic!("{:?}", self.finding)
        };
        requirements
    }

    fn advice(&self) -> Vec<(Side, String)> {
        self.finding.advice().into_iter().map(|one| (one.side, one.text)).collect()
    }

    /// Holds words in the log and in the explanation, and not in what the client gets.
    #[track_caller]
    fn tells_operators_alone(&self, words: &str) {
        assert!(self.detail.contains(words), "no `{words}` in {}", self.detail);
        assert_eq!(self.finding.to_string(), self.detail, "one text for both");
        assert!(!self.client.contains(words), "`{words}` in {}", self.client);
    }
}

/// A bare name beside scopes would be taken for one.
#[tokio::test]
async fn a_required_role_is_named_as_a_role_and_those_of_the_caller_to_operators_alone() {
    let advised = |text: &str| vec![(Side::Provider, text.to_owned())];
    for (rule, accepted, advice) in [
        (require_role("admin"), "the role admin", "assign the role `admin` to the caller"),
        (
            require_all_roles(["admin", "nurse"]),
            "the roles admin and nurse",
            "assign the roles `admin` and `nurse` to the caller",
        ),
        (
            require_any_role(["admin", "nurse", "clerk"]),
            "the role admin, nurse or clerk",
            "assign the role `admin`, `nurse` or `clerk` to the caller",
        ),
    ] {
        let server = Server::authorizing(rule).await;
        let refused =
            refused(&server, roles(server.token(), &["porter"]), "GET", "/Patient/1").await;
        let told =
            format!("the token lacks a role that this requires: this server accepts `{accepted}`");
        assert!(refused.client.contains(&told), "{}", refused.client);
        assert!(!refused.client.contains("scope="), "{}", refused.client);
        refused.tells_operators_alone("the role porter");
        assert_eq!(refused.advice(), advised(advice));
    }
    let closed = authorize_fn(|_| Err(Denial::new("closed").required_roles(["admin"])));
    let server = Server::authorizing(closed).await;
    let denied = refused(&server, server.token(), "GET", "/Patient/1").await;
    assert!(denied.client.contains("this server accepts `the role admin`"), "{}", denied.client);
    assert_eq!(denied.advice(), advised("assign the role `admin` to the caller"));
}

fn roles(token: TokenBuilder, roles: &[&str]) -> TokenBuilder {
    token.claim("roles", json!(roles))
}

#[tokio::test]
async fn a_role_that_is_not_defined_is_named_and_so_are_those_that_are() {
    for mode in [AccessMode::Roles, AccessMode::RolesOrScopes, AccessMode::RolesAndScopes] {
        let server = Server::authorizing(policy(mode, RoleDefinitions::microsoft())).await;
        let token = roles(server.token(), &["GlobalReaderX", "globalConverter"]);
        let refused = refused(&server, token, "POST", "/Patient").await;
        refused.tells_operators_alone("roles that are not defined: 'GlobalReaderX'");
        refused.tells_operators_alone("roles without this: 'globalConverter'");
        let order = "(defined, with those that grant this first, narrowest first: ";
        refused.tells_operators_alone(order);
        refused.tells_operators_alone(
            "'globalWriter', 'globalAdmin', 'smartUser', 'globalConverter', ",
        );
        let name = |role: &HeldRole| (role.name.clone(), role.standing, role.assigned);
        let held = refused.requirements().iter().find_map(|requirement| {
            let Requirement::DataActions { least, roles, .. } = requirement else { return None };
            assert_eq!(least, &["create"]);
            Some(roles.iter().map(name).collect::<Vec<_>>())
        });
        let expected = [
            ("GlobalReaderX".to_owned(), RoleStanding::Undefined, false),
            ("globalConverter".to_owned(), RoleStanding::Insufficient, false),
        ];
        assert_eq!(held.unwrap(), expected, "{mode:?}");
        let text = "define the role `GlobalReaderX` with the data action `create`, or give the \
                    caller a defined role that has no more than that";
        assert!(refused.advice().contains(&(Side::Server, text.to_owned())), "{mode:?}");
    }
}

#[tokio::test]
async fn without_any_definition_the_summary_says_so_and_the_advice_is_to_set_them() {
    let server = Server::authorizing(policy(AccessMode::Roles, RoleDefinitions::default())).await;
    let one = refused(&server, roles(server.token(), &["globalReader"]), "GET", "/Patient/1").await;
    let summary = "this server has no role definitions, so that no role grants anything";
    assert_eq!(one.finding.summary(), summary);
    one.tells_operators_alone(summary);
    one.tells_operators_alone("roles that are not defined: 'globalReader'");
    let [Requirement::RoleDefinitions { least, roles: held, .. }] = one.requirements() else {
        panic!("{:?}", one.requirements())
    };
    assert_eq!((least.as_slice(), held.len()), (&["readById"][..], 1));
    let text =
        "set `[roles] definitions`, with the data action `readById` for the role `globalReader`";
    assert_eq!(one.advice(), [(Side::Server, text.to_owned())]);

    let nobody = refused(&server, server.token(), "GET", "/Patient/1").await;
    nobody.tells_operators_alone("the token has `no roles`");
    let text = "set `[roles] definitions`, with a role that has the data action `readById`, and \
                give the caller this role";
    assert_eq!(nobody.advice(), [(Side::Server, text.to_owned())]);
}

#[tokio::test]
async fn the_three_reasons_read_differently_to_operators_and_alike_to_clients() {
    let mut texts = Vec::new();
    let mut clients = Vec::new();
    for (definitions, role) in [
        (RoleDefinitions::default(), "globalReader"),
        (RoleDefinitions::microsoft(), "GlobalReaderX"),
        (RoleDefinitions::microsoft(), "globalReader"),
        (RoleDefinitions::microsoft(), ""),
    ] {
        for disclosure in [Disclosure::Minimal, Disclosure::Reason, Disclosure::Full] {
            let policy = policy(AccessMode::RolesOrScopes, definitions.clone());
            let server =
                Server::layered(|layer| layer.authorizer(policy).disclosure(disclosure)).await;
            let token = roles(server.token(), &[role]);
            let refused = refused(&server, token, "POST", "/Patient").await;
            texts.push(refused.detail);
            clients.push((disclosure, refused.client));
        }
    }
    texts.dedup();
    assert_eq!(texts.len(), 4, "{texts:#?}");
    let [first, second, third, rest @ ..] = clients.as_slice() else { panic!("{clients:?}") };
    for (place, same) in rest.iter().enumerate() {
        assert_eq!(same, [first, second, third][place % 3]);
    }
    let told = "no scope of the token grants this; and no role of the caller grants this \
                interaction: the token has `no scopes`, this server accepts `user/Patient.c; or a \
                role with the data action write, or create`";
    assert!(second.1.contains(told), "{}", second.1);
}

#[tokio::test]
async fn an_assigned_role_is_told_as_assigned() {
    let server = Server::start().await;
    let assignments =
        Assignments::new().assign(server.issuer.url(), "sub:alice", ["nobody", "reader"]);
    let policy = RolePolicy::new(definitions(&[("reader", &["read"])])).assignments(assignments);
    let layer = tower_fhir_auth::FhirAuthLayer::builder(BASE)
        .issuer(server.issuer.trusted())
        .clock(server.clock.clone())
        .authorizer(policy)
        .build()
        .unwrap();
    layer.ready().await;
    let server = Server { layer, ..server };
    let refused = refused(&server, server.token(), "POST", "/Patient").await;
    refused.tells_operators_alone("roles that are not defined: 'nobody' (assigned)");
    refused.tells_operators_alone("roles without this: 'reader' (assigned)");
}

/// A stranger's token chooses how many roles it has, and how long their names are.
#[tokio::test]
async fn what_operators_are_told_is_bounded_and_safe_to_show() {
    let many: Vec<String> = (0..300).map(|n| format!("role {n}")).collect();
    let defined: Vec<(&str, &[&str])> =
        many.iter().map(|name| (name.as_str(), &["read"][..])).collect();
    let server = Server::authorizing(RolePolicy::new(definitions(&defined))).await;
    let unknown: Vec<String> = (0..200).map(|n| format!("\"\u{1b}[31m\n{n}")).collect();
    let long = "x".repeat(3000);
    let all: Vec<&str> = many.iter().chain(&unknown).map(String::as_str).collect();
    for held in [all, vec![&long, "y"]] {
        let refused = refused(&server, roles(server.token(), &held), "POST", "/Patient").await;
        assert!(refused.detail.len() < 1200, "{}", refused.detail.len());
        assert!(refused.detail.contains(" more"), "{}", refused.detail);
        assert!(refused.detail.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let [Requirement::DataActions { roles, .. }] = refused.requirements() else {
            panic!("{:?}", refused.requirements())
        };
        assert!(roles.len() <= 16 && roles.iter().all(|role| role.name.len() <= 256));
    }
}

/// Followed to the letter, the advice lets in that request; `*` and the mark `smart` are never in it.
#[tokio::test]
async fn the_advice_names_the_least_data_action_and_that_is_enough() {
    let enforced = Enforcement::ALL;
    for (held, method, path, least) in [
        (&[][..], "GET", "/Patient/1", &["readById"][..]),
        (&[], "GET", "/Patient?name=x", &["search"]),
        (&[], "GET", "/Patient/1/$everything", &["read"]),
        (&[], "POST", "/Patient", &["create"]),
        (&[], "PUT", "/Patient/1", &["update"]),
        (&[], "PATCH", "/Patient/1", &["update"]),
        (&["read"], "PATCH", "/Patient/1", &["update"]),
        (&[], "PUT", "/Patient?a=b", &["search", "update"]),
        (&["search"], "PUT", "/Patient?a=b", &["update"]),
        (&[], "DELETE", "/Patient/1", &["delete"]),
        (&["delete"], "DELETE", "/Patient/1?_hardDelete=true", &["hardDelete"]),
        (&["read"], "DELETE", "/Patient?a=b", &["delete"]),
        (&["create"], "DELETE", "/Patient?a=b", &["delete", "search"]),
        (&[], "POST", "/ValueSet", &["editProfileDefinitions", "create"]),
        (&[], "GET", "/$export", &["export"]),
        (&[], "POST", "", &["readById"]),
    ] {
        let none = Server::enforcing(enforced, RolePolicy::new(definitions(&[("r", held)]))).await;
        let refused = refused(&none, roles(none.token(), &["r"]), method, path).await;
        let [Requirement::DataActions { least: named, .. }] = refused.requirements() else {
            panic!("{:?}", refused.requirements())
        };
        assert_eq!(named, least, "{method} {path} with {held:?}");
        let followed: Vec<&str> = held.iter().chain(named).copied().collect();
        let policy = RolePolicy::new(definitions(&[("r", &followed)]));
        let server = Server::enforcing(enforced, policy).await;
        let token = roles(server.token(), &["r"]).sign().unwrap();
        let request = Request::builder().method(method).uri(format!("/r4{path}"));
        let reply = server.send(request.header("authorization", format!("Bearer {token}"))).await;
        assert_eq!(reply.status, 200, "{method} {path} with {followed:?}: {}", reply.body);
    }
}

#[tokio::test]
async fn no_refusal_proposes_every_data_action() {
    let limited = authorize_fn(|request| {
        let issuer = request.principal().issuer();
        IssuerLimits::new().allow(issuer, [DataAction::Read]).authorize(request)
    });
    let roles_alone = || RolePolicy::new(RoleDefinitions::microsoft());
    for server in [
        Server::authorizing(roles_alone()).await,
        Server::authorizing(limited).await,
        Server::authorizing(policy(AccessMode::RolesOrScopes, RoleDefinitions::microsoft())).await,
    ] {
        for (method, path) in [
            ("GET", "/Patient/1/"),
            ("GET", "/Patient//1"),
            ("GET", "/a/b/c/d"),
            ("POST", "/$fly"),
            ("GET", "/Patient/1/$fly"),
            ("POST", ""),
        ] {
            let token = server.token().claim("roles", json!(["globalReader"]));
            let bearer = format!("Bearer {}", token.sign().unwrap());
            let request = Request::builder().method(method).uri(format!("/r4{path}"));
            let reply = server.send(request.header("authorization", bearer)).await;
            let Some(rejection) = reply.rejection else { continue };
            let told =
                format!("{}\n{}\n{}", reply.body, rejection.detail(), rejection.kind().name());
            assert!(!told.contains("data action *") && !told.contains('*'), "{path}: {told}");
        }
    }
}

/// What no right of the caller would mend is required as what it is.
#[tokio::test]
async fn an_unknown_address_and_an_unlisted_operation_are_requirements_of_their_own() {
    let roles_alone = RolePolicy::new(RoleDefinitions::microsoft());
    let server = Server::authorizing(roles_alone).await;
    let token = || roles(server.token(), &["globalWriter"]);
    for (method, path) in [("GET", "/Patient//1"), ("GET", "/a/b/c/d"), ("GET", "/Patient/1/")] {
        let refused = refused(&server, token(), method, path).await;
        let requirements = refused.requirements();
        assert!(matches!(requirements, [Requirement::Address(_)]), "{path}: {requirements:?}");
    }
    let unlisted = refused(&server, token(), "POST", "/$fly").await;
    assert_eq!(unlisted.requirements(), [Requirement::ListedOperation("fly".to_owned())]);
    assert_eq!(unlisted.finding.expected(), None);
    let text = "no single data action stands for the operation `fly`: let a rule of this server's \
                own grant it (`authorize_fn`)";
    assert_eq!(unlisted.advice(), [(Side::Server, text.to_owned())]);
    let bundle = refused(&server, token(), "POST", "").await;
    assert!(matches!(bundle.requirements(), [Requirement::Declaration(_)]), "{:?}", bundle.finding);
}

fn file(access: &str, more: &str) -> Config {
    let text = format!(
        "base_url = \"{BASE}\"\naccess = \"{access}\"\n\
         [[issuers]]\nissuer = \"https://idp.example.org\"\n{more}"
    );
    Config::from_toml(&text).unwrap()
}

#[tokio::test]
async fn a_layer_whose_access_counts_roles_warns_at_start_when_none_is_defined() {
    let assigned = "[roles.assign]\n\"sub:alice\" = [\"globalReader\"]\n";
    for (access, more, warns) in [
        ("roles", "", 1),
        ("roles-or-scopes", "", 1),
        ("roles-and-scopes", "", 1),
        ("microsoft", "", 1),
        ("roles", assigned, 1),
        ("scopes", "", 0),
        ("roles", "[roles]\ndefinitions = \"builtin:microsoft\"\n", 0),
        ("roles-or-scopes", "[roles]\ndefinitions = \"builtin:azure\"\n", 0),
    ] {
        let config = file(access, more);
        let log = OperatorLog::start();
        let policy = config.policy().unwrap();
        let _layer = config.layer(policy).unwrap();
        let told = log.lines("WARN", "set `[roles] definitions`");
        assert_eq!(told, warns, "{access} {more}: {}", log.text());
        assert!(warns == 0 || log.text().contains(access), "{}", log.text());
    }
}

#[tokio::test]
async fn a_refusal_by_role_is_logged_with_the_roles() {
    let server = Server::authorizing(policy(AccessMode::Roles, RoleDefinitions::default())).await;
    let log = OperatorLog::start();
    let token = roles(server.token(), &["globalReader"]);
    assert_eq!(server.get(token).await.status, 403);
    assert_eq!(log.lines("INFO", "no role definitions"), 1, "{}", log.text());
    assert_eq!(log.lines("INFO", "'globalReader'"), 1, "{}", log.text());
}

/// The explanation as JSON, which tools read.
#[tokio::test]
async fn the_explanation_shows_the_roles_and_their_standing() {
    let server =
        Server::authorizing(policy(AccessMode::RolesOrScopes, RoleDefinitions::microsoft())).await;
    let token = roles(server.token(), &["GlobalReaderX"]).sign().unwrap();
    let request = Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let told: Value = serde_json::json!(server.layer.explain(&parts).await);
    let checks = told["checks"].as_array().unwrap();
    let failed = checks.iter().find(|check| check["outcome"] == "failed").unwrap();
    assert_eq!(failed["found"], "no scopes; roles that are not defined: 'GlobalReaderX'");
    let expected = failed["expected"].as_str().unwrap();
    assert!(
        expected.starts_with("user/Patient.r; or a role with the data action read, or readById")
    );
}

/// A role would open the records of all patients to who asked for one.
#[tokio::test]
async fn a_token_of_one_patient_is_sent_for_no_role() {
    let confined = [
        ("patient/Patient.rs", json!({})),
        ("patient/Patient.rs", json!({"patient": "other"})),
        ("patient/Observation.rs", json!({"patient": "1"})),
        ("user/Patient.rs", json!({"fhirUser": "Patient/other"})),
        ("user/Patient.rs", json!({"fhirUser": "RelatedPerson/1"})),
    ];
    for definitions in [RoleDefinitions::default(), RoleDefinitions::microsoft()] {
        let policy = policy(AccessMode::RolesOrScopes, definitions);
        let server = Server::enforcing(Enforcement::ALL, policy).await;
        let with = |scope: &str, claims: &Value| {
            let token = roles(server.token(), &["GlobalReaderX"]).claim("scope", scope);
            let claims = claims.as_object().unwrap().iter();
            claims.fold(token, |token, (name, value)| token.claim(name, value.clone()))
        };
        for (scope, claims) in &confined {
            let refused = refused(&server, with(scope, claims), "GET", "/Patient/1").await;
            for (side, text) in refused.advice() {
                assert!(side != Side::Server || !text.contains("role"), "{scope} {claims}: {text}");
            }
            assert!(
                !refused.client.contains("a role with"),
                "{scope} {claims}: {}",
                refused.client
            );
            let is_of_roles = |one: &Requirement| {
                matches!(one, Requirement::DataActions { .. } | Requirement::RoleDefinitions { .. })
            };
            assert!(!refused.requirements().iter().any(is_of_roles), "{scope} {claims}");
            refused.tells_operators_alone("'GlobalReaderX'");
        }
        for (scope, claims) in [
            ("", json!({})),
            ("user/Observation.rs", json!({})),
            ("user/Observation.rs", json!({"fhirUser": "Practitioner/1"})),
            ("system/Observation.rs", json!({"patient": "1"})),
        ] {
            let refused = refused(&server, with(scope, &claims), "GET", "/Patient/1").await;
            assert!(refused.client.contains("a role with"), "{scope} {claims}: {}", refused.client);
        }
    }
}
