//! Scopes that say more than they may, and launch contexts that name nobody.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::{Enforcement, ScopePolicy};

use crate::kit::{Attack, Refused, Row, row, table};
use crate::support::{Reply, Server};

/// The scopes of a token, its launch context and `fhirUser`.
#[derive(Clone)]
struct Held {
    scope: String,
    patient: Value,
    user: Value,
}

async fn start() -> Server {
    Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await
}

async fn ask(server: &Server, Held { scope, patient, user }: Held) -> Reply {
    let token = server.token().claim("scope", scope);
    let token = token.claim("patient", patient).claim("fhirUser", user).sign().unwrap();
    let request = Request::get("/r4/Observation/1");
    server.send(request.header("authorization", format!("Bearer {token}"))).await
}

fn holding(scope: impl Into<String>) -> Held {
    Held { scope: scope.into(), patient: Value::Null, user: Value::Null }
}

pub(crate) fn attacks() -> Vec<Attack> {
    let rows = malformed().into_iter().chain(constrained()).chain(contexts()).chain(users());
    table(rows.chain([very_many()]), start, ask)
}

fn malformed() -> Vec<Row<Held>> {
    const NOTHING: Refused = Refused::Access("no scope of the token grants this");
    [
        "user/Observation.s",
        "user/Patient.r",
        "user/observation.r",
        "user/Observation.R",
        "user/Observation.sr",
        "user/Observation.rr",
        "user/Observation.x",
        "user/Observation.",
        "user/Observation",
        "user/.r",
        "user/Observation.read.write",
        "USER/Observation.r",
        "root/*.cruds",
        "user//Observation.r",
        "user\\Observation.r",
        "user/Observation.r,",
        "user/Observation.r\tuser/Patient.r",
        "user/Observation.r\u{a0}",
        "user/Observation.r\0",
        "user/Observation%2er",
        "xuser/Observation.r",
        "user/Obs*.r",
        "user/**.r",
        "user/Observation.r?",
        "user/*.r?",
        "openid",
        "*",
        "",
    ]
    .map(|scope| {
        let name = format!("the scope `{}`", scope.escape_debug());
        let twin = holding("user/Observation.r");
        row(name, "SMART App Launch 2.2", twin, holding(scope), NOTHING)
    })
    .into()
}

/// A constraint that cannot be read must not be taken for none.
fn constrained() -> Vec<Row<Held>> {
    const ODD: Refused = Refused::Access("must be plain `name=value` pairs");
    const UNKNOWN: Refused = Refused::Access("Observation has no search parameter");
    [
        ("category:in=x", ODD),
        ("subject.name=x", ODD),
        ("subject:Patient.name=x", ODD),
        ("_has:Observation:subject:code=x", ODD),
        ("_filter=x", UNKNOWN),
        ("_include=Observation:subject", UNKNOWN),
        ("_count=1", UNKNOWN),
        ("_sort=date", UNKNOWN),
        ("_summary=count", UNKNOWN),
        ("category=", ODD),
        ("category", ODD),
        ("category=x&", ODD),
        ("=x", ODD),
        ("birthdate=2000", UNKNOWN),
        ("nonsense=x", UNKNOWN),
    ]
    .map(|(constraint, refused)| {
        let name = format!("the constraint `{constraint}`");
        let twin = holding("user/Observation.r?category=x");
        let attack = holding(format!("user/Observation.r?{constraint}"));
        row(name, "SMART App Launch 2.2", twin, attack, refused)
    })
    .into()
}

fn contexts() -> Vec<Row<Held>> {
    let confined = |patient: Value| Held { patient, ..holding("patient/*.rs") };
    let row = |name, patient, words| {
        let reference = "SMART App Launch 2.2, launch context";
        row(name, reference, confined(json!("a")), confined(patient), Refused::Access(words))
    };
    vec![
        row("no launch context", Value::Null, "are missing"),
        row("a list as launch context", json!(["a"]), "it is not a string"),
        row("a number as launch context", json!(1), "it is not a string"),
        row("an object as launch context", json!({"id": "a"}), "it is not a string"),
        row("an empty launch context", json!(""), "it is empty"),
        row("everybody as launch context", json!("*"), "expected an id"),
        row("two patients as launch context", json!("a,b"), "expected an id"),
        row("two patients by a blank", json!("a b"), "expected an id"),
        row("dots as launch context", json!("../b"), "expected an id"),
        row("a query as launch context", json!("a?x=y"), "expected an id"),
        row("an encoded launch context", json!("%61"), "expected an id"),
        row("a very long launch context", json!("a".repeat(65)), "more than 64 characters"),
        row("a version as launch context", json!("Patient/a/_history/1"), "it names a version"),
        row("a practitioner as launch context", json!("Practitioner/a"), "of another type"),
        row("a patient of elsewhere", json!("https://evil.example/r4/Patient/a"), "not below"),
    ]
}

fn users() -> Vec<Row<Held>> {
    let of = |user: Value| Held { user, ..holding("user/*.rs") };
    let row = |name, user, words| {
        let reference = "SMART App Launch 2.2, fhirUser";
        row(name, reference, of(json!("Practitioner/p")), of(user), Refused::Access(words))
    };
    vec![
        row("a list as user", json!(["Practitioner/p"]), "`fhirUser` is not a string"),
        row("a user of elsewhere", json!("https://evil.example/r4/Practitioner/p"), "names nobody"),
        row("a user of no type", json!("p"), "`fhirUser`"),
        row("a user of a type that no user has", json!("Observation/p"), "no user has"),
        row("a relative without a patient", json!("RelatedPerson/p"), "is a RelatedPerson"),
    ]
}

/// What is beyond the bound grants nothing.
fn very_many() -> Row<Held> {
    let held = |number: usize| {
        let search = |n| format!("user/Observation.s?code=x{n} ");
        let scopes: String = (0..number).map(search).collect();
        holding(format!("{scopes}user/Observation.r?code=y"))
    };
    let refused = Refused::Access("at most 32 different constraints count");
    row("very many constraints", "tried by hand", held(31), held(32), refused)
}
