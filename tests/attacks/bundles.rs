//! Entries of bundles that name another patient's record, or another server's.

use http::{Method, Request};
use serde_json::json;
use tower_fhir_auth::{Access, Enforcement, Principal, ScopePolicy};

use crate::kit::{Answer, Attack, Refused, Row, row, table};
use crate::support::Server;

/// An entry: `method`, `url`, `ifNoneExist`.
type Entry = (&'static str, &'static str, Option<&'static str>);

struct Bundle {
    server: Server,
    caller: Principal,
    access: Access,
}

/// A bundle that a caller with everything of patient `a` has sent.
async fn start() -> Bundle {
    let server = Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await;
    let token = server.token().claim("scope", "patient/*.cruds").claim("patient", json!("a"));
    let request = Request::post("/r4");
    let bearer = format!("Bearer {}", token.sign().unwrap());
    let reply = server.send(request.header("authorization", bearer)).await;
    let (caller, access) = (reply.principal.unwrap(), reply.access.unwrap());
    Bundle { server, caller, access }
}

async fn ask(bundle: &Bundle, (method, url, if_none_exist): Entry) -> Answer {
    let Bundle { server, caller, access } = bundle;
    let method: Method = method.parse().unwrap();
    let judged = access.authorize_entry(&method, url, if_none_exist);
    Answer::judged(&server.layer, Some(caller), judged)
}

/// The body of a search by `POST`.
async fn ask_body(server: &Server, body: &'static str) -> Answer {
    let token = server.token().claim("scope", "patient/*.cruds").claim("patient", json!("a"));
    let request = Request::post("/r4/Observation/_search");
    let bearer = format!("Bearer {}", token.sign().unwrap());
    let reply = server.send(request.header("authorization", bearer)).await;
    let judged = reply.access.unwrap().authorize_search_body(body);
    Answer::judged(&server.layer, reply.principal.as_ref(), judged)
}

async fn searching() -> Server {
    Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await
}

const ANOTHER: Refused = Refused::Access("names another");

pub(crate) fn attacks() -> Vec<Attack> {
    let mut attacks = table(urls(), start, ask);
    attacks.extend(table(methods(), start, ask));
    attacks.extend(table(bodies(), searching, ask_body));
    attacks
}

fn urls() -> Vec<Row<Entry>> {
    const SLASH: Refused = Refused::Address("slash");
    const OTHER: Refused = Refused::Address("neither relative nor below the base URL");
    const DOTS: Refused = Refused::Address("a segment of dots alone");
    const UNREADABLE: Refused = Refused::Address("cannot be read as a URL");
    [
        ("Patient/b", ANOTHER),
        ("/Patient/b", ANOTHER),
        ("https://fhir.example.org/r4/Patient/b", ANOTHER),
        ("Patient/b/_history/1", ANOTHER),
        ("Patient/b/$everything", ANOTHER),
        ("Patient/b/%24everything", ANOTHER),
        ("Patient/b/Observation", ANOTHER),
        ("Patient/b?_format=json", ANOTHER),
        ("Observation?patient=b", ANOTHER),
        ("/Observation?subject=Patient/b", ANOTHER),
        ("?_type=Observation&patient=b", ANOTHER),
        ("//Patient/b", SLASH),
        ("/\\Patient/b", SLASH),
        ("/./Patient/b", SLASH),
        ("/../r4/Patient/b", SLASH),
        ("//fhir.example.org/r4/Patient/b", SLASH),
        ("/r4/Patient/b", SLASH),
        ("/%50atient/b", SLASH),
        ("r4/Patient/b", Refused::Address("base URL twice")),
        ("./Patient/b", DOTS),
        ("../r4/Patient/b", DOTS),
        ("Patient/a/../b", DOTS),
        ("Patient/%62", Refused::Address("percent-encoded")),
        ("Patient//b", Refused::Address("two slashes")),
        ("Patient/b/", Refused::Address("ends in a slash")),
        ("Patient/b#x", Refused::Address("a fragment")),
        ("Patient/b;x", Refused::Address("this one has `;`")),
        ("patient/b", Refused::Address("is spelled `Patient`")),
        (" Patient/b", UNREADABLE),
        ("Patient/b ", UNREADABLE),
        ("\tPatient/b", UNREADABLE),
        ("Patient\\b", Refused::Address("is not a resource type of R4")),
        ("https://fhir.example.org:443/r4/Patient/a", OTHER),
        ("HTTPS://FHIR.EXAMPLE.ORG/r4/Patient/a", OTHER),
        ("http://fhir.example.org/r4/Patient/a", OTHER),
        ("https://a@fhir.example.org/r4/Patient/a", OTHER),
        ("https://evil.example/r4/Patient/a", OTHER),
        ("https://fhir.example.org.evil.example/r4/Patient/a", OTHER),
        ("https://fhir.example.org/r4x/Patient/a", OTHER),
        ("urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9", OTHER),
        ("urn:oid:1.2.3", OTHER),
        ("file:///Patient/a", OTHER),
    ]
    .map(|(url, refused)| {
        let name = format!("{}", url.escape_debug());
        row(name, "tried by hand", ("GET", "Patient/a", None), ("GET", url, None), refused)
    })
    .into()
}

fn methods() -> Vec<Row<Entry>> {
    let own: Entry = ("POST", "Observation", Some("patient=a"));
    let mut rows: Vec<_> = ["PUT", "PATCH", "DELETE", "HEAD"]
        .map(|method| {
            let (twin, attack) = ((method, "Patient/a", None), (method, "Patient/b", None));
            row(format!("{method} Patient/b"), "tried by hand", twin, attack, ANOTHER)
        })
        .into();
    rows.extend([
        row(
            "POST with ifNoneExist of another",
            "tried by hand",
            own,
            ("POST", "Observation", Some("patient=b")),
            ANOTHER,
        ),
        row(
            "POST with ifNoneExist of both",
            "tried by hand",
            own,
            ("POST", "Observation", Some("patient=a&subject=Patient/b")),
            ANOTHER,
        ),
        row(
            "PUT by a search of another",
            "tried by hand",
            ("PUT", "Observation?patient=a", None),
            ("PUT", "Observation?patient=b", None),
            ANOTHER,
        ),
        row(
            "DELETE by a search of another",
            "tried by hand",
            ("DELETE", "Observation?patient=a", None),
            ("DELETE", "Observation?patient=b", None),
            ANOTHER,
        ),
        row(
            "a bundle within",
            "tried by hand",
            own,
            ("POST", "", None),
            Refused::Access("must not be a bundle"),
        ),
        row(
            "a bundle within, by a slash",
            "tried by hand",
            own,
            ("POST", "/", None),
            Refused::Address("slash"),
        ),
        row(
            "a bundle within, absolute",
            "tried by hand",
            own,
            ("POST", "https://fhir.example.org/r4", None),
            Refused::Access("must not be a bundle"),
        ),
        row(
            "an operation that nobody listed",
            "tried by hand",
            own,
            ("POST", "$reindex", None),
            Refused::Access("no scope grants this interaction"),
        ),
    ]);
    rows
}

fn bodies() -> Vec<Row<&'static str>> {
    [
        "patient=b",
        "patient=a&patient=b",
        "patient=a,b",
        "subject=Patient/b",
        "subject=Patient%2Fb",
        "subject%3APatient=b",
        "%70atient=b",
        "subject=https://fhir.example.org/r4/Patient/b",
    ]
    .map(|body| row(format!("the body {body}"), "tried by hand", "patient=a", body, ANOTHER))
    .into()
}
