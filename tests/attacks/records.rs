//! Resources that are another patient's, as handlers ask about them before they show or change one.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authorization::StoreError;
use tower_fhir_auth::{Enforcement, ScopePolicy, Visibility};

use crate::kit::{Answer, Attack, Refused, Row, name_of, row, table};
use crate::support::Server;

/// What a handler is about to do.
#[derive(Clone, Debug)]
enum Act {
    Show(Value),
    Create(Value),
    /// By id: as it is, and as it would be.
    Change(Value, Value),
    /// The patient's own record.
    ChangeSelf(Value, Value),
}

async fn start() -> Server {
    Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await
}

/// A handler for a caller with everything of patient `a`.
async fn ask(server: &Server, act: Act) -> Answer {
    let (method, path) = match &act {
        Act::Show(_) => ("GET", "/r4?_type=Observation,Device,Provenance,Group,Patient,Basic"),
        Act::Create(_) => ("POST", "/r4/Observation"),
        Act::Change(..) => ("PUT", "/r4/Observation/x"),
        Act::ChangeSelf(..) => ("PUT", "/r4/Patient/a"),
    };
    let token = server.token().claim("scope", "patient/*.cruds").claim("patient", json!("a"));
    let bearer = format!("Bearer {}", token.sign().unwrap());
    let request = Request::builder().method(method).uri(path).header("authorization", bearer);
    let reply = server.send(request).await;
    let (caller, access) = (reply.principal.unwrap(), reply.access.unwrap());
    let stored = match &act {
        Act::Show(resource) => {
            let is_shown = access.may_show(resource) == Visibility::Shown;
            is_shown.then_some(()).ok_or(StoreError::Hidden)
        }
        Act::Create(after) => access.may_store(None, Some(after)),
        Act::Change(before, after) | Act::ChangeSelf(before, after) => {
            access.may_store(Some(before), Some(after))
        }
    };
    match stored {
        Err(StoreError::Denied(denial) | StoreError::DeniedIfShown(denial, _)) => {
            Answer::judged(&server.layer, None, Err::<(), _>(denial))
        }
        Err(_) => Answer::hidden(),
        Ok(()) => {
            let principal = Some(name_of(&caller));
            Answer { status: 200, principal, ..Answer::default() }
        }
    }
}

fn observation(subject: &str) -> Value {
    json!({"resourceType": "Observation", "id": "x", "subject": {"reference": subject}})
}

pub(crate) fn attacks() -> Vec<Attack> {
    let rows = shown().into_iter().chain(references()).chain(changes());
    table(rows, start, ask)
}

const ANOTHER: Refused = Refused::Access("of the resource names another patient");
const UNTOLD: Refused = Refused::Access("whom it names cannot be told");

/// References that are not the patient's, however much they look like it, and what is told to who writes them.
const REFERENCES: [(&str, Refused); 16] = [
    ("Patient/b", ANOTHER),
    ("https://fhir.example.org/r4/Patient/b", ANOTHER),
    ("Patient/b/_history/1", ANOTHER),
    ("https://evil.example/r4/Patient/a", ANOTHER),
    ("http://fhir.example.org/r4/Patient/a", ANOTHER),
    ("https://fhir.example.org/r4x/Patient/a", ANOTHER),
    ("urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059", UNTOLD),
    ("Patient?identifier=a", UNTOLD),
    ("#a", UNTOLD),
    ("a", UNTOLD),
    ("patient/a", UNTOLD),
    ("Patient/%61", UNTOLD),
    ("Patient/b/../a", UNTOLD),
    ("Patient//a", UNTOLD),
    ("//fhir.example.org/r4/Patient/a", UNTOLD),
    ("Group/a", Refused::Access("is not about the patient of the token")),
];

fn references() -> Vec<Row<Act>> {
    let hidden = REFERENCES.map(|(reference, _)| {
        let name = format!("a record of {reference} is read");
        let (twin, attack) = (observation("Patient/a"), observation(reference));
        row(name, "tried by hand", Act::Show(twin), Act::Show(attack), Refused::Hidden)
    });
    let denied = REFERENCES.map(|(reference, refused)| {
        let name = format!("a record of {reference} is written");
        let (twin, attack) = (observation("Patient/a"), observation(reference));
        row(name, "tried by hand", Act::Create(twin), Act::Create(attack), refused)
    });
    hidden.into_iter().chain(denied).collect()
}

fn shown() -> Vec<Row<Act>> {
    let own = || Act::Show(observation("Patient/a"));
    let own_device =
        || Act::Show(json!({"resourceType": "Device", "patient": {"reference": "Patient/a"}}));
    let by_hand = "tried by hand";
    let hidden = |name, twin, attack| row(name, by_hand, twin, Act::Show(attack), Refused::Hidden);
    vec![
        hidden(
            "another patient",
            Act::Show(json!({"resourceType": "Patient", "id": "a"})),
            json!({"resourceType": "Patient", "id": "b"}),
        ),
        hidden(
            "another patient that links here",
            Act::Show(json!({"resourceType": "Patient", "id": "a"})),
            json!({"resourceType": "Patient", "id": "b",
                "link": [{"other": {"reference": "Patient/a"}}]}),
        ),
        hidden("a record that names nobody", own(), json!({"resourceType": "Observation"})),
        hidden(
            "a record whose focus is the patient",
            own(),
            json!({"resourceType": "Observation", "focus": [{"reference": "Patient/a"}]}),
        ),
        hidden(
            "a device of another",
            own_device(),
            json!({"resourceType": "Device", "patient": {"reference": "Patient/b"}}),
        ),
        hidden("a device of nobody", own_device(), json!({"resourceType": "Device"})),
        hidden(
            "a group with the patient in it",
            own(),
            json!({"resourceType": "Group", "member": [{"entity": {"reference": "Patient/a"}}]}),
        ),
        hidden(
            "a provenance of something of both",
            own(),
            json!({"resourceType": "Provenance",
                "target": [{"reference": "Patient/a"}, {"reference": "Patient/b"}]}),
        ),
        hidden("a resource without a type", own(), json!({"subject": {"reference": "Patient/a"}})),
    ]
}

fn changes() -> Vec<Row<Act>> {
    let (a, b) = (|| observation("Patient/a"), || observation("Patient/b"));
    let both = || {
        let mut both = a();
        both["performer"] = json!([{"reference": "Patient/b"}]);
        both
    };
    let stays = || Act::Change(a(), a());
    let other_id = || {
        let mut other = a();
        other["id"] = "y".into();
        other
    };
    let myself = |name: &str, other: &str| {
        json!({"resourceType": "Patient", "id": "a", "name": [{"family": name}],
            "link": [{"other": {"reference": other}, "type": "seealso"}]})
    };
    let by_hand = "tried by hand";
    vec![
        row(
            "a patient links itself to another",
            by_hand,
            Act::ChangeSelf(myself("x", "Patient/a1"), myself("y", "Patient/a1")),
            Act::ChangeSelf(myself("x", "Patient/a1"), myself("x", "Patient/b")),
            Refused::Access("cannot change `link`"),
        ),
        row(
            "a record of another type than the address says",
            by_hand,
            Act::Create(a()),
            Act::Create(
                json!({"resourceType": "Condition", "subject": {"reference": "Patient/a"}}),
            ),
            Refused::Access("not of the type of the address"),
        ),
        row("a record is moved to another", by_hand, stays(), Act::Change(a(), b()), ANOTHER),
        row("another's record is taken", by_hand, stays(), Act::Change(b(), a()), Refused::Hidden),
        row(
            "another's record is changed",
            by_hand,
            stays(),
            Act::Change(b(), b()),
            Refused::Hidden,
        ),
        row(
            "a record takes another id",
            by_hand,
            stays(),
            Act::Change(a(), other_id()),
            Refused::Access("must not change the type or the id"),
        ),
        row(
            "a record comes to name another, too",
            by_hand,
            stays(),
            Act::Change(a(), both()),
            ANOTHER,
        ),
        row(
            "a record that names another, too",
            by_hand,
            Act::Create(a()),
            Act::Create(both()),
            ANOTHER,
        ),
    ]
}
