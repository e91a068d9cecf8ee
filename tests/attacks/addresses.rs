//! Addresses of another patient, with a token that is confined to one's own: `a`, never `b`.

use http::Request;
use serde_json::json;
use tower_fhir_auth::{Enforcement, ScopePolicy};

use crate::kit::{Attack, Refused, Row, row, table};
use crate::support::{Reply, Server};

/// Method, path and query below the base, and headers beside the token.
#[derive(Clone, Copy)]
struct Sent {
    method: &'static str,
    target: &'static str,
    headers: &'static [(&'static str, &'static str)],
    scope: &'static str,
}

const OWN: &str = "patient/*.cruds";

const fn get(target: &'static str) -> Sent {
    Sent { method: "GET", target, headers: &[], scope: OWN }
}

async fn start() -> Server {
    Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await
}

/// With handlers that judge neither includes nor chains.
async fn without_includes() -> Server {
    Server::enforcing(Enforcement::COMPARTMENTS, ScopePolicy::new()).await
}

async fn ask(server: &Server, sent: Sent) -> Reply {
    let token = server.token().claim("scope", sent.scope).claim("patient", json!("a"));
    let target = match sent.target.starts_with("http") {
        true => sent.target.to_owned(),
        false => format!("/r4{}", sent.target),
    };
    let mut request = Request::builder()
        .method(sent.method)
        .uri(target)
        .header("authorization", format!("Bearer {}", token.sign().unwrap()));
    for (name, value) in sent.headers {
        request = request.header(*name, *value);
    }
    server.send(request).await
}

const ANOTHER: Refused = Refused::Access("names another");
const HAND: &str = "tried by hand";

fn against(
    method: &'static str,
    twin: &'static str,
    attack: &'static str,
    refused: Refused,
) -> Row<Sent> {
    let sent = |target| Sent { method, ..get(target) };
    row(format!("{method} {attack}"), HAND, sent(twin), sent(attack), refused)
}

pub(crate) fn attacks() -> Vec<Attack> {
    let rows = plain().into_iter().chain(searches()).chain(spellings()).chain(overrides());
    let mut attacks = table(rows.chain(exports()), start, ask);
    attacks.extend(table(undeclared(), without_includes, ask));
    let long = |length: usize| get(format!("/Observation?code={}", "x".repeat(length)).leak());
    let row = row("a very long address", HAND, long(60_000), long(65_510), Refused::TooLong);
    attacks.extend(table([row], start, ask));
    attacks
}

fn plain() -> Vec<Row<Sent>> {
    let mut rows: Vec<_> = ["GET", "HEAD", "PUT", "PATCH", "DELETE"]
        .map(|method| against(method, "/Patient/a", "/Patient/b", ANOTHER))
        .into();
    rows.extend(
        [
            ("GET", "/Patient/a/_history", "/Patient/b/_history"),
            ("GET", "/Patient/a/_history/1", "/Patient/b/_history/1"),
            ("GET", "/Patient/a/Observation", "/Patient/b/Observation"),
            ("GET", "/Patient/a/*", "/Patient/b/*"),
            ("GET", "/Patient/a/Observation?code=x", "/Patient/b/Observation?code=x"),
            ("POST", "/Patient/a/Observation/_search", "/Patient/b/Observation/_search"),
            ("GET", "/Patient/a/$everything", "/Patient/b/$everything"),
            ("GET", "/Patient/a/%24everything", "/Patient/b/%24everything"),
            ("POST", "/Patient/a/$everything", "/Patient/b/$everything"),
            ("GET", "/Patient/a?_format=json", "/Patient/b?_format=json"),
            ("GET", "/Patient/a?_format=xml", "/Patient/b?_format=xml"),
            (
                "GET",
                "/Patient/a?_format=application/fhir%2Bxml",
                "/Patient/b?_format=application/fhir%2Bxml",
            ),
            ("GET", "/Patient/a?_summary=true", "/Patient/b?_summary=true"),
            ("GET", "/Patient/a?_elements=id", "/Patient/b?_elements=id"),
            ("GET", "/Patient/a?_id=a", "/Patient/b?_id=a"),
            ("GET", "/Patient/a?patient=a", "/Patient/b?patient=a"),
            ("GET", "/Patient/a", "/Patient/A"),
            ("GET", "/Patient/a", "/Patient/b.json"),
            ("GET", "/Patient/a", "/Patient/a.b"),
        ]
        .map(|(method, twin, attack)| against(method, twin, attack, ANOTHER)),
    );
    rows
}

fn searches() -> Vec<Row<Sent>> {
    [
        "/Observation?patient=b",
        "/Observation?patient=a,b",
        "/Observation?patient=b,a",
        "/Observation?patient=a%2Cb",
        "/Observation?patient=a&patient=b",
        "/Observation?patient=b&patient=a",
        "/Observation?patient=Patient/b",
        "/Observation?patient=Patient%2Fb",
        "/Observation?patient=%62",
        "/Observation?%70atient=b",
        "/Observation?patient=https://fhir.example.org/r4/Patient/b",
        "/Observation?patient=Patient/b/_history/1",
        "/Observation?subject=Patient/b",
        "/Observation?subject=Patient/a,Patient/b",
        "/Observation?subject:Patient=b",
        "/Observation?patient:Patient=b",
        "/Observation?subject=https://fhir.example.org/r4/Patient/b",
        "/Observation?code=x&subject=Patient/b",
        "/Encounter?patient=b",
        "/Condition?patient=b",
        "/MedicationRequest?subject=Patient/b",
        "?_type=Observation&patient=b",
        "?_type=Observation&subject=Patient/b",
    ]
    .map(|attack| {
        let twin = if attack.starts_with('?') {
            "?_type=Observation&patient=a"
        } else {
            "/Observation?patient=a"
        };
        against("GET", twin, attack, ANOTHER)
    })
    .into_iter()
    .chain([
        against(
            "POST",
            "/Observation/_search?patient=a",
            "/Observation/_search?patient=b",
            ANOTHER,
        ),
        against("DELETE", "/Observation?patient=a", "/Observation?patient=b", ANOTHER),
        against("PUT", "/Observation?patient=a", "/Observation?patient=b", ANOTHER),
        against(
            "PATCH",
            "/Observation?subject=Patient/a",
            "/Observation?subject=Patient/b",
            ANOTHER,
        ),
    ])
    .collect()
}

/// No spelling of an address is understood as another one.
fn spellings() -> Vec<Row<Sent>> {
    const ENCODED: Refused = Refused::Address("percent-encoded");
    const DOTS: Refused = Refused::Address("dots alone");
    const SLASHES: Refused = Refused::Address("two slashes");
    const ID: Refused = Refused::Address("this one has");
    const BASE: Refused = Refused::Address("outside the base URL");
    const SHAPE: Refused = Refused::Address("none has an address of this shape");
    [
        ("/Patient/%62", ENCODED),
        ("/%50atient/b", ENCODED),
        ("/Patient%2Fb", ENCODED),
        ("/Patient/a%2F..%2Fb", ENCODED),
        ("/Patient/a%2f..%2fb", ENCODED),
        ("/Patient/%2e%2e/Patient/b", ENCODED),
        ("/Patient/a/%2e%2e/b", ENCODED),
        ("/Patient/a/%2E%2E/b", ENCODED),
        ("/Patient/a/.%2e/b", ENCODED),
        ("/Patient/%2562", ENCODED),
        ("/Patient/b%00", ENCODED),
        ("/Patient/b%20", ENCODED),
        ("/Patient/b%0d%0a", ENCODED),
        ("/Patient/b%3Bx", ENCODED),
        ("/Patient/b%3Fx", ENCODED),
        ("/Patient/b%23", ENCODED),
        ("/Patient/a%5C..%5Cb", ENCODED),
        ("/Patient/%EF%BD%82", ENCODED),
        ("/Patient/%c1%a2", Refused::Address("cannot be decoded")),
        ("/Patient/%", Refused::Address("cannot be decoded")),
        ("/Patient/a/../b", DOTS),
        ("/Patient/./b", DOTS),
        ("/Patient/b/.", DOTS),
        ("/../r4/Patient/b", DOTS),
        ("/Patient/a/../../Patient/b", DOTS),
        ("/Patient/...", ANOTHER),
        ("/Patient//b", SLASHES),
        ("//Patient/b", SLASHES),
        ("/Patient/b//", SLASHES),
        ("/Patient/b/", Refused::Address("ends in a slash")),
        ("/Patient/b;x=1", ID),
        ("/Patient/b;", ID),
        ("/Patient/a;/../b", DOTS),
        ("/Patient/a/..;/b", Refused::Address("`..;` is not a resource type")),
        ("/Patient;x=1/b", Refused::Address("is not a resource type of R4")),
        ("/Patient/a,b", ID),
        ("/Patient/a+b", ID),
        ("/Patient/b:x", ID),
        ("/Patient/b@", ID),
        ("/Patient/b*", ID),
        ("/Patient/b_", ID),
        ("/Patient/b|", ID),
        ("/patient/b", Refused::Address("is spelled `Patient`")),
        ("/PATIENT/b", Refused::Address("is spelled `Patient`")),
        ("/r4/Patient/b", Refused::Address("base URL twice")),
        ("/Patient/a/Patient/b", SHAPE),
        ("/Patient/a/_history/1/b", SHAPE),
        ("/Patient/a/Observation/b", SHAPE),
        ("https://fhir.example.org/Patient/b", BASE),
        ("https://fhir.example.org/R4/Patient/b", BASE),
        ("https://fhir.example.org/r4x/Patient/b", BASE),
        ("https://fhir.example.org/r4/../Patient/b", DOTS),
        ("https://fhir.example.org/r4/Patient/b", ANOTHER),
        ("https://evil.example/r4/Patient/b", ANOTHER),
        ("http://a@fhir.example.org/r4/Patient/b", ANOTHER),
    ]
    .map(|(attack, refused)| {
        let twin = if attack.starts_with("http") {
            "https://fhir.example.org/r4/Patient/a"
        } else {
            "/Patient/a"
        };
        against("GET", twin, attack, refused)
    })
    .into()
}

/// Headers that other servers take for the request that was meant.
fn overrides() -> Vec<Row<Sent>> {
    type Headers = &'static [(&'static str, &'static str)];
    let rows: [(&str, Headers); 16] = [
        ("X-HTTP-Method-Override: OPTIONS", &[("x-http-method-override", "OPTIONS")]),
        ("X-HTTP-Method-Override: HEAD", &[("x-http-method-override", "HEAD")]),
        ("X-HTTP-Method: GET", &[("x-http-method", "GET")]),
        ("X-Method-Override: GET", &[("x-method-override", "GET")]),
        ("X-Original-URL", &[("x-original-url", "/r4/Patient/a")]),
        ("X-Original-URI", &[("x-original-uri", "/r4/Patient/a")]),
        ("X-Original-Method", &[("x-original-method", "OPTIONS")]),
        ("X-Rewrite-URL", &[("x-rewrite-url", "/r4/Patient/a")]),
        ("X-Forwarded-URI", &[("x-forwarded-uri", "/r4/Patient/a")]),
        ("X-Forwarded-Prefix", &[("x-forwarded-prefix", "/r4/metadata")]),
        ("X-Forwarded-Path", &[("x-forwarded-path", "/r4/metadata")]),
        ("X-Forwarded-Host", &[("x-forwarded-host", "evil.example")]),
        ("Forwarded", &[("forwarded", "for=127.0.0.1;host=evil.example")]),
        ("X-Forwarded-For", &[("x-forwarded-for", "127.0.0.1")]),
        ("Host", &[("host", "evil.example")]),
        (
            "Access-Control-Request-Method without OPTIONS",
            &[("access-control-request-method", "GET")],
        ),
    ];
    let sent = |target, headers| Sent { headers, ..get(target) };
    rows.map(|(name, headers)| {
        let (twin, attack) = (sent("/Patient/a", headers), sent("/Patient/b", headers));
        row(format!("another patient with {name}"), HAND, twin, attack, ANOTHER)
    })
    .into()
}

fn exports() -> Vec<Row<Sent>> {
    let system = |scope: &'static str, target| Sent { scope, ..get(target) };
    let all = "system/*.rs";
    ["/$export", "/Patient/$export", "/Group/1/$export"]
        .map(|path| {
            let refused = Refused::Access("only unconstrained `system/` scopes export");
            row(
                format!("{path} for a patient"),
                HAND,
                system(all, path),
                system(OWN, path),
                refused,
            )
        })
        .into()
}

/// What a handler would have to judge, and is not declared to.
fn undeclared() -> Vec<Row<Sent>> {
    let twin = "/Observation?patient=a";
    let undeclared = Refused::Access("has not declared");
    [
        "/Observation?patient=a&_include=Observation:subject",
        "/Observation?patient=a&_include=Observation:subject:Patient",
        "/Observation?patient=a&_include:iterate=Observation:subject",
        "/Observation?patient=a&_include=*",
        "/Observation?patient=a&_revinclude=Provenance:target",
        "/Observation?subject.name=x",
        "/Observation?subject:Patient.name=x",
        "/Observation?_has:Provenance:target:agent=x",
        "/Observation?_filter=subject%20eq%20b",
        "/Observation?_sort=subject.name",
    ]
    .map(|attack| against("GET", twin, attack, undeclared))
    .into_iter()
    .chain([against("POST", "/Observation", "/Observation/_search", undeclared)])
    .collect()
}
