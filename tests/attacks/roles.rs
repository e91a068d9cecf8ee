//! Roles that grant less than they seem to, and names that are no roles.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authorization::{Assignments, RoleDefinitions, RolePolicy};

use crate::kit::{Attack, Refused, Row, row, table};
use crate::support::{Reply, Server};

/// A caller with its roles, the definition of the role `x`, who is assigned it, and what is asked.
#[derive(Clone)]
struct Held {
    claims: Value,
    actions: Value,
    not_actions: Value,
    assigned: &'static str,
    method: &'static str,
    path: &'static str,
}

async fn start() {}

async fn ask((): &(), held: Held) -> Reply {
    let roles = json!({"roles": [{"name": "x", "dataActions": held.actions,
        "notDataActions": held.not_actions, "scopes": ["/"]}]});
    let definitions = RoleDefinitions::parse(roles.to_string().as_bytes()).unwrap();
    let policy = RolePolicy::new(definitions).assignments(Assignments::new());
    let server = Server::authorizing(policy.clone()).await;
    let assigned = Assignments::new().assign(server.issuer.url(), held.assigned, ["x"]);
    policy.replace_assignments(assigned);
    let mut token = server.token().claim("sub", "alice");
    for (name, value) in held.claims.as_object().unwrap() {
        token = token.claim(name, value.clone());
    }
    let bearer = format!("Bearer {}", token.sign().unwrap());
    let request = Request::builder().method(held.method).uri(held.path);
    server.send(request.header("authorization", bearer)).await
}

fn reading() -> Held {
    Held {
        claims: json!({"roles": ["x"]}),
        actions: json!(["read"]),
        not_actions: json!([]),
        assigned: "nobody",
        method: "GET",
        path: "/r4/Observation/1",
    }
}

const NO_ROLE: Refused = Refused::Access("no role of the caller grants this");

pub(crate) fn attacks() -> Vec<Attack> {
    table(claims().into_iter().chain(actions()), start, ask)
}

fn claims() -> Vec<Row<Held>> {
    let by_hand = "tried by hand";
    [
        ("a role in another claim", json!({"groups": ["x"]})),
        ("a role in a scope", json!({"scope": "x"})),
        ("a role that nobody has defined", json!({"roles": ["y"]})),
        ("a name that begins as a role's", json!({"roles": ["xx"]})),
        ("a role with a blank", json!({"roles": ["x "]})),
        ("roles joined by a comma", json!({"roles": "y,x"})),
        ("a role as a list in a list", json!({"roles": [["x"]]})),
        ("a role whose value is false", json!({"roles": {"x": false}})),
        ("a role whose value is empty", json!({"roles": {"x": {}}})),
        ("the name of a data action", json!({"roles": ["read", "*"]})),
        ("no roles", json!({})),
    ]
    .map(|(name, claims)| row(name, by_hand, reading(), Held { claims, ..reading() }, NO_ROLE))
    .into()
}

fn actions() -> Vec<Row<Held>> {
    let by_hand = "tried by hand";
    let all = || Held { actions: json!(["*"]), method: "DELETE", ..reading() };
    let hard = || Held { path: "/r4/Observation/1?_hardDelete=true", ..all() };
    let assigned = |assigned| Held { claims: json!({}), assigned, ..reading() };
    vec![
        row(
            "a role that another is assigned",
            by_hand,
            assigned("alice"),
            assigned("alic"),
            NO_ROLE,
        ),
        row(
            "an action that notDataActions takes away",
            by_hand,
            all(),
            Held { not_actions: json!(["delete"]), ..all() },
            NO_ROLE,
        ),
        row(
            "all actions that notDataActions takes away",
            by_hand,
            all(),
            Held { not_actions: json!(["*"]), ..all() },
            NO_ROLE,
        ),
        row(
            "a hard deletion by the action to delete",
            by_hand,
            Held { actions: json!(["delete", "hardDelete"]), ..hard() },
            Held { actions: json!(["delete"]), ..hard() },
            NO_ROLE,
        ),
        row(
            "a search by the action to read an id",
            by_hand,
            Held { path: "/r4/Observation", ..reading() },
            Held { actions: json!(["readById"]), path: "/r4/Observation", ..reading() },
            NO_ROLE,
        ),
        row(
            "an export by the action to read",
            by_hand,
            Held { actions: json!(["export"]), path: "/r4/$export?_type=Patient", ..reading() },
            Held { path: "/r4/$export?_type=Patient", ..reading() },
            NO_ROLE,
        ),
    ]
}
