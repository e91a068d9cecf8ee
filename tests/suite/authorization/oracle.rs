//! Decisions against an oracle that shares no code with the crate: it knows what each request
//! takes as text, and adds up grants by itself.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use http::Request;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::json;
use tokio::runtime::Runtime;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::{
    AccessMode, AccessPolicy, AccessRequest, Authorizer, Denial, Enforcement, FhirAuthLayerBuilder,
    Grant, RoleDefinitions, RolePolicy, ScopePolicy,
};

use crate::support::Server;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static SCOPES: LazyLock<Server> = LazyLock::new(|| RUNTIME.block_on(enforcing(ScopePolicy::new())));

/// Enforces everything, and declares a type of its own.
async fn enforcing(rule: impl Authorizer) -> Server {
    let settings = |layer: FhirAuthLayerBuilder| {
        layer
            .authorizer(InOneVoice(rule))
            .handlers_enforce(Enforcement::ALL)
            .resource_types(["Foo"])
    };
    Server::build(Algorithm::Es256, |issuer| issuer, settings).await
}

/// A rule that says the same by both of its answers.
#[derive(Debug)]
pub(crate) struct InOneVoice<R>(pub(crate) R);

impl<R: Authorizer> Authorizer for InOneVoice<R> {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        let answer = self.0.authorize(request);
        let is_open = answer.as_ref().is_ok_and(|grant| grant.confinement().is_open());
        assert_eq!(self.0.grants_unconfined(request), is_open, "{request:?}: {answer:?}");
        answer
    }
}

/// A request; which data actions it takes; which letters on which types it takes, `*` for every
/// type; and the patient whom its address names.
type Row = (&'static str, &'static str, &'static str, &'static str, Option<&'static str>);

const ROWS: &[Row] = &[
    ("GET", "/Patient/1", "read|readById", "r Patient", Some("1")),
    ("GET", "/Patient/2", "read|readById", "r Patient", Some("2")),
    ("GET", "/Observation/1", "read|readById", "r Observation", None),
    ("GET", "/Organization/1", "read|readById", "r Organization", None),
    // Of a type that the application declares, and of one that it does not.
    ("GET", "/Foo/1", "read|readById", "r Foo", None),
    ("GET", "/Bar/1", "*", "never", None),
    ("GET", "/Observation/1/_history/2", "read|readById", "r Observation", None),
    ("GET", "/Observation/1/_history", "read|search", "r Observation", None),
    ("GET", "/Observation/_history", "read|search", "s Observation", None),
    ("GET", "/_history", "read|search", "s *", None),
    ("GET", "/Observation", "read|search", "s Observation", None),
    ("GET", "/Observation?patient=2", "read|search", "s Observation", Some("2")),
    ("GET", "?_type=Observation,Patient", "read|search", "s Observation,s Patient", None),
    ("GET", "/Patient/1/Observation", "read|search", "s Observation", Some("1")),
    ("GET", "/Patient/2/*", "read|search", "s *", Some("2")),
    ("POST", "/Observation", "write|create", "c Observation", None),
    ("POST", "/Organization", "write|create", "c Organization", None),
    ("POST", "/Patient", "write|create", "c Patient", None),
    ("PUT", "/Observation/1", "write|update", "u Observation", None),
    ("PUT", "/Patient/2", "write|update", "u Patient", Some("2")),
    ("PUT", "/Observation?code=x", "read&write|search&update", "u Observation,s Observation", None),
    ("PATCH", "/Observation/1", "read&write|update", "u Observation", None),
    (
        "PATCH",
        "/Observation?code=x",
        "read&write|search&update",
        "u Observation,s Observation",
        None,
    ),
    ("DELETE", "/Observation/1", "delete", "d Observation", None),
    (
        "DELETE",
        "/Observation?code=x",
        "delete&read|delete&search",
        "d Observation,s Observation",
        None,
    ),
    (
        "PUT",
        "/ValueSet/1",
        "write&editProfileDefinitions|update&editProfileDefinitions",
        "u ValueSet",
        None,
    ),
    ("GET", "/$export", "export", "export", None),
    ("POST", "/$reindex", "reindex", "never", None),
    ("POST", "/Patient/$validate", "resourceValidate", "never", None),
    ("GET", "/Patient/1/$everything", "read", "r *,s *", Some("1")),
    ("POST", "/$fly", "*", "never", None),
    ("GET", "/Patient//1", "*", "never", None),
    ("GET", "/Patient/", "*", "never", None),
    ("GET", "/patient/1", "*", "never", None),
    ("GET", "/Patient/a_b", "*", "never", None),
    ("PUT", "/Patient", "*", "never", None),
    ("TRACE", "/Patient/1", "*", "never", None),
    ("GET", "/Patient/1/%24everything", "read", "r *,s *", Some("1")),
    ("GET", "/Patient/%31/$everything", "*", "never", None),
];

pub(crate) const ACTIONS: [&str; 17] = [
    "read",
    "write",
    "delete",
    "hardDelete",
    "export",
    "resourceValidate",
    "reindex",
    "convertData",
    "editProfileDefinitions",
    "import",
    "searchParameter",
    "bulkOperator",
    "search",
    "readById",
    "create",
    "update",
    "smart",
];

#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) actions: Vec<&'static str>,
    pub(crate) not: Vec<&'static str>,
}

pub(crate) fn effective(roles: &[Role]) -> BTreeSet<&'static str> {
    let of = |role: &Role| {
        let all = role.actions.contains(&"*");
        let given =
            ACTIONS.into_iter().filter(|a| role.actions.contains(a) || (all && *a != "smart"));
        let every_not = role.not.contains(&"*");
        let kept = given.filter(|a| !(role.not.contains(a) || every_not && *a != "smart"));
        kept.collect::<Vec<_>>()
    };
    roles.iter().flat_map(of).collect()
}

pub(crate) fn roles_grant(held: &BTreeSet<&str>, needed: &str) -> bool {
    let has = |action: &str| match action {
        "*" => ACTIONS.iter().filter(|a| **a != "smart").all(|a| held.contains(a)),
        action => held.contains(action),
    };
    needed.split('|').any(|set| set.split('&').all(has))
}

#[derive(Clone, Debug)]
struct Scope {
    context: &'static str,
    on: &'static str,
    letters: String,
    constrained: bool,
}

impl Scope {
    fn text(&self) -> String {
        let constraint = if self.constrained { "?category=x" } else { "" };
        format!("{}/{}.{}{constraint}", self.context, self.on, self.letters)
    }

    /// Whether it counts for a letter on a type, for a caller who is patient 1.
    fn counts(&self, letter: &str, on: &str, named: Option<&str>) -> bool {
        let about = self.on == "*" || self.on == on;
        let constraint = !self.constrained || on == "Observation";
        // Whether an instance may be changed is for the handler, which sees whether it is there.
        let never = letter == "c" && on != "Observation";
        let own = named.is_none_or(|named| named == "1") && !never;
        let patient = self.context != "patient" || own;
        self.letters.contains(letter) && about && constraint && patient
    }
}

fn scopes_grant(scopes: &[Scope], needed: &str, named: Option<&str>) -> bool {
    match needed {
        "never" => false,
        // Of the types that are granted, of which there must be one.
        "export" => scopes.iter().any(|Scope { on, .. }| {
            ["r", "s"].iter().all(|letter| {
                let of = |s: &Scope| s.context == "system" && !s.constrained;
                let about = |s: &Scope| s.on == "*" || s.on == *on;
                let holds = |s: &Scope| s.letters.contains(letter);
                scopes.iter().any(|scope| of(scope) && about(scope) && holds(scope))
            })
        }),
        needed => needed.split(',').all(|one| {
            let (letter, on) = one.split_once(' ').unwrap();
            scopes.iter().any(|scope| scope.counts(letter, on, named))
        }),
    }
}

fn scope() -> impl Strategy<Value = Scope> {
    let types = ["*", "Observation", "Patient", "Organization", "ValueSet"];
    let letters = subsequence(vec!["c", "r", "u", "d", "s"], 1..=5);
    (select(vec!["patient", "user", "system"]), select(types.to_vec()), letters, 0..4).prop_map(
        |(context, on, letters, one_in)| {
            let constrained = one_in == 0 && matches!(on, "*" | "Observation");
            Scope { context, on, letters: letters.concat(), constrained }
        },
    )
}

fn role() -> impl Strategy<Value = Role> {
    let actions = || {
        prop_oneof![
            4 => subsequence(ACTIONS.to_vec(), 0..4),
            1 => Just(vec!["*"]),
            1 => subsequence(ACTIONS.to_vec(), 0..4).prop_map(|mut some| { some.push("*"); some }),
        ]
    };
    (actions(), prop_oneof![3 => Just(vec![]), 2 => actions()])
        .prop_map(|(actions, not)| Role { actions, not })
}

pub(crate) fn definitions(roles: &[Role]) -> RoleDefinitions {
    let roles = roles.iter().zip(["a", "b", "c", "d"]).map(|(role, name)| {
        json!({"name": name, "dataActions": role.actions, "notDataActions": role.not, "scopes": ["/"]})
    });
    RoleDefinitions::parse(json!({"roles": roles.collect::<Vec<_>>()}).to_string().as_bytes())
        .unwrap()
}

fn is_let_in(server: &Server, row: &Row, scope: &str) -> bool {
    let token = server.token().claim("scope", scope).claim("patient", "1");
    let token = token.claim("roles", json!(["A", "b", "c", "D"])).sign().unwrap();
    let request = Request::builder().method(row.0).uri(format!("/r4{}", row.1));
    let request = request.header("authorization", format!("Bearer {token}"));
    let status = RUNTIME.block_on(server.send(request)).status.as_u16();
    assert!(matches!(status, 200 | 403), "{status}");
    status == 200
}

fn texts(scopes: &[Scope]) -> String {
    scopes.iter().map(Scope::text).collect::<Vec<_>>().join(" ")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn scopes_decide_as_the_oracle_does_and_more_never_grant_less(
        scopes in proptest::collection::vec(scope(), 0..4),
        more in scope(),
        row in any::<Index>(),
    ) {
        let row = &ROWS[row.index(ROWS.len())];
        let granted = is_let_in(&SCOPES, row, &texts(&scopes));
        prop_assert_eq!(granted, scopes_grant(&scopes, row.3, row.4), "{:?} with {}", row, texts(&scopes));
        let wider = [scopes, vec![more]].concat();
        prop_assert!(!granted || is_let_in(&SCOPES, row, &texts(&wider)), "{:?} with {}", row, texts(&wider));
    }

    #[test]
    fn a_wildcard_is_the_union_over_types(scope in scope(), row in any::<Index>()) {
        let row = &ROWS[row.index(ROWS.len())];
        // An unknown type is covered by wildcards alone, and so is every type at once.
        prop_assume!(!row.3.contains(['*', 'F']) && row.3 != "export");
        let types = ["Observation", "Patient", "Organization", "ValueSet", "Device"];
        let union: Vec<Scope> = types.map(|on| Scope { on, ..scope.clone() }).to_vec();
        let wildcard = Scope { on: "*", ..scope };
        prop_assert_eq!(
            is_let_in(&SCOPES, row, &wildcard.text()),
            is_let_in(&SCOPES, row, &texts(&union)),
            "{:?} with {}", row, wildcard.text()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn roles_decide_as_the_oracle_does_in_every_mode(
        roles in proptest::collection::vec(role(), 0..4),
        scopes in proptest::collection::vec(scope(), 0..3),
        not in select(ACTIONS.to_vec()),
        place in any::<Index>(),
    ) {
        let policy = RolePolicy::new(definitions(&roles));
        let modes = [
            AccessMode::Roles,
            AccessMode::RolesOrScopes,
            AccessMode::RolesAndScopes,
            AccessMode::Microsoft,
        ];
        let servers = modes.map(|mode| {
            let rule = AccessPolicy::new(mode, policy.clone(), ScopePolicy::new());
            (mode, RUNTIME.block_on(enforcing(rule)))
        });
        let held = effective(&roles);
        let mut granted = Vec::new();
        for row in ROWS {
            let by_role = roles_grant(&held, row.2);
            let by_scope = scopes_grant(&scopes, row.3, row.4);
            for (mode, server) in &servers {
                let expected = match mode {
                    AccessMode::Roles => by_role,
                    AccessMode::RolesOrScopes => by_role || by_scope,
                    AccessMode::RolesAndScopes => by_role && by_scope,
                    AccessMode::Microsoft => by_role && (by_scope || !held.contains("smart")),
                    AccessMode::Scopes | _ => by_scope,
                };
                let actual = is_let_in(server, row, &texts(&scopes));
                prop_assert_eq!(actual, expected, "{:?} {:?} {:?} {}", mode, row, roles, texts(&scopes));
                granted.push(actual);
            }
        }
        // One action less in one role never grants more by roles.
        if !roles.is_empty() {
            let mut fewer = roles.clone();
            let place = place.index(fewer.len());
            fewer[place].not.push(not);
            let less = effective(&fewer);
            policy.replace_definitions(definitions(&fewer));
            for row in ROWS {
                let granted = is_let_in(&servers[0].1, row, "");
                prop_assert_eq!(granted, roles_grant(&less, row.2));
                prop_assert!(!granted || roles_grant(&held, row.2), "{:?}", row);
            }
        }
    }
}
