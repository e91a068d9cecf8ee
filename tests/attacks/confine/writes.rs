//! Changes that would reach what is another patient's, or that nobody has judged.

use serde_json::{Value, json};

use super::world::{Reply, Shot, ask, fhir, observation, reply, start, with_headers};
use crate::kit::{Pair, Refused, Row, row};

const ABSENT: Refused = Refused::Judged(404, "not-found", "there is no such resource");
const ANOTHER: Refused = Refused::Access("names another patient");
const BY_HAND: &str = "tried by hand";

pub(crate) fn rows() -> Vec<Row<Shot>> {
    let all = instances().into_iter().chain(patches()).chain(creations());
    all.chain(conditions()).chain(bundles()).chain(servers()).collect()
}

fn put(id: &str, resource: Value) -> Shot {
    Shot::new("PUT", format!("/Observation/{id}")).sending(resource)
}

fn own() -> Shot {
    put("mark-of-1", observation("1"))
}

/// One's own, and then another's.
fn given(mut resource: Value) -> Value {
    resource["subject"]["reference"] = "Patient/2".into();
    resource
}

fn instances() -> Vec<Row<Shot>> {
    let delete = |id: &str| Shot::new("DELETE", format!("/Observation/{id}"));
    let doubled = observation("1").to_string().replacen('{', "{\"status\":\"draft\",", 1);
    let mut new = observation("1");
    new["id"] = "absent".into();
    vec![
        row(
            "an update of another's",
            BY_HAND,
            own(),
            put("mark-of-2", {
                let mut resource = observation("1");
                resource["id"] = "mark-of-2".into();
                resource
            }),
            ABSENT,
        ),
        row(
            "an update that gives one's own away",
            BY_HAND,
            own(),
            put("mark-of-1", given(observation("1"))),
            ANOTHER,
        ),
        row(
            "an update with the id of another",
            BY_HAND,
            own(),
            put("mark-of-1", observation("2")),
            Refused::Judged(400, "invalid", "`id` of the body is not that of the address"),
        ),
        row(
            "an update of what is not there",
            "contract 5: no creation by PUT",
            own(),
            put("absent", new),
            ABSENT,
        ),
        row(
            "an update of another type",
            BY_HAND,
            own(),
            put("mark-of-1", json!({"resourceType": "Flag", "id": "mark-of-1"})),
            Refused::Judged(400, "invalid", "`resourceType` of the body"),
        ),
        row(
            "an update with a member twice",
            "contract 6: 400",
            own(),
            own().sending(doubled),
            Refused::Judged(400, "invalid", "the body cannot be judged"),
        ),
        row(
            "an update of an old version",
            "RFC 9110 section 13.1.1",
            own().with("if-match", "W/\"3\""),
            own().with("if-match", "W/\"2\""),
            Refused::Judged(412, "conflict", "its version does not meet the precondition"),
        ),
        row(
            "an update unless it is there",
            "RFC 9110 section 13.1.2",
            own(),
            own().with("if-none-match", "*"),
            Refused::Judged(412, "conflict", "its version does not meet the precondition"),
        ),
        row(
            "an update in XML",
            "contract 6: 415",
            own(),
            Shot::new("PUT", "/Observation/mark-of-1")
                .with("content-type", "application/fhir+xml")
                .sending("<Observation/>"),
            Refused::Judged(415, "not-supported", "uncompressed JSON"),
        ),
        row(
            "a compressed update",
            "RFC 9110 section 8.4",
            own(),
            own().with("content-encoding", "gzip"),
            Refused::Judged(415, "not-supported", "uncompressed JSON"),
        ),
        row("a deletion of another's", BY_HAND, delete("mark-of-1"), delete("mark-of-2"), ABSENT),
        row(
            "a deletion of what is not there",
            BY_HAND,
            delete("mark-of-1"),
            delete("absent"),
            ABSENT,
        ),
        row(
            "a deletion with what refers to it",
            "HAPI _cascade",
            delete("mark-of-1"),
            delete("mark-of-1?_cascade=delete"),
            Refused::Access("do not count for a cascading deletion"),
        ),
        row(
            "a deletion with its history",
            "contract 5: microsoft hardDelete",
            delete("mark-of-1"),
            delete("mark-of-1?_hardDelete=true"),
            Refused::Access("could delete versions that are hidden"),
        ),
        row(
            "a link of one's own record to another",
            "contract 5: Patient.link",
            patient(&json!({})),
            patient(&json!({"link": [{"other": {"reference": "Patient/2"}, "type": "seealso"}]})),
            Refused::Access("cannot change `link`"),
        ),
    ]
}

/// An update of one's own record.
fn patient(more: &Value) -> Shot {
    let mut resource =
        json!({"resourceType": "Patient", "id": "1", "name": [{"family": "mark-of-1"}]});
    resource.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Shot::new("PUT", "/Patient/1").sending(resource)
}

fn patches() -> Vec<Row<Shot>> {
    let patch = |id: &str, patch: Value| {
        let shot = Shot::new("PATCH", format!("/Observation/{id}"));
        shot.with("content-type", "application/json-patch+json").sending(patch)
    };
    let status = || json!([{"op": "replace", "path": "/status", "value": "amended"}]);
    let own = move || patch("mark-of-1", status());
    let kind = |kind: &str, body: Value| {
        let shot = Shot::new("PATCH", "/Observation/mark-of-1").with("content-type", kind);
        shot.sending(body)
    };
    let no_patch = Refused::Judged(415, "not-supported", "uncompressed JSON Patch");
    let blind = |shot: Shot| shot.holding("patient/Observation.u patient/Patient.r");
    let test = json!([{"op": "test", "path": "/status", "value": "final"},
        {"op": "add", "path": "/x", "value": "mark-of-1"}]);
    let add = json!([{"op": "add", "path": "/x", "value": "mark-of-1"}]);
    vec![
        row("a patch of another's", BY_HAND, own(), patch("mark-of-2", status()), ABSENT),
        row(
            "a patch that gives one's own away",
            "google/fhir-gateway: a PATCH that names no patient",
            own(),
            patch(
                "mark-of-1",
                json!([{"op": "replace", "path": "/subject/reference", "value": "Patient/2"}]),
            ),
            ANOTHER,
        ),
        row(
            "a patch that takes the subject away",
            BY_HAND,
            own(),
            patch("mark-of-1", json!([{"op": "remove", "path": "/subject"}])),
            Refused::Access("is not about the patient of the token"),
        ),
        row(
            "a patch of the id",
            BY_HAND,
            own(),
            patch("mark-of-1", json!([{"op": "replace", "path": "/id", "value": "mark-of-2"}])),
            Refused::Judged(400, "invalid", "`id`"),
        ),
        row(
            "a patch of the type",
            BY_HAND,
            own(),
            patch(
                "mark-of-1",
                json!([{"op": "replace", "path": "/resourceType", "value": "Flag"}]),
            ),
            Refused::Judged(400, "invalid", "`resourceType`"),
        ),
        row(
            "a patch that asks, without the right to read",
            "RFC 6902 section 4.6",
            blind(patch("mark-of-1", add)),
            blind(patch("mark-of-1", test)),
            Refused::Access("needs the right to read it"),
        ),
        row(
            "a merge patch",
            "RFC 7396",
            own(),
            kind("application/merge-patch+json", json!({"status": "x"})),
            no_patch,
        ),
        row(
            "a FHIRPath patch",
            "R4 3.1.0.8.2",
            own(),
            kind("application/fhir+json", json!({"resourceType": "Parameters"})),
            no_patch,
        ),
    ]
}

fn creations() -> Vec<Row<Shot>> {
    let create = |resource: Value| Shot::new("POST", "/Observation").sending(resource);
    let own = move || create(observation("1"));
    let with = |name: &str, value: Value| {
        let mut resource = observation("1");
        resource[name] = value;
        create(resource)
    };
    let document = |attachment: Value| {
        Shot::new("POST", "/DocumentReference").sending(json!({"resourceType": "DocumentReference", "id": "mark-of-1",
            "description": "mark-of-1", "status": "current", "subject": {"reference": "Patient/1"}, "content": [{"attachment": attachment}]}))
    };
    let scope = "patient/DocumentReference.cruds patient/Observation.cruds";
    vec![
        row("a creation for another", BY_HAND, own(), create(given(observation("1"))), ANOTHER),
        row(
            "a creation by another",
            BY_HAND,
            own(),
            with("performer", json!([{"reference": "Patient/2"}])),
            ANOTHER,
        ),
        row(
            "a reference that is a search",
            "R4 3.1.0.11.2",
            own(),
            with("subject", json!({"reference": "Patient?identifier=2"})),
            Refused::Judged(400, "invalid", "conditional reference"),
        ),
        row(
            "an absolute reference that is a search",
            "R4 3.1.0.11.2",
            own(),
            with(
                "encounter",
                json!({"reference": "https://fhir.example.org/r4/Encounter?patient=2"}),
            ),
            Refused::Judged(400, "invalid", "conditional reference"),
        ),
        row(
            "references in a list",
            BY_HAND,
            own(),
            with("encounter", json!({"reference": ["Encounter/1"]})),
            Refused::Judged(400, "invalid", "`reference` must be a string, not an array"),
        ),
        row(
            "a Binary that was not shown",
            "contract 6: Binary",
            document(json!({"contentType": "a/b"})).holding(scope),
            document(json!({"url": "Binary/b"})).holding(scope),
            Refused::Judged(400, "invalid", "Binary"),
        ),
        row(
            "a Binary by an address that was forged",
            "contract 6: Binary",
            document(json!({"contentType": "a/b"})).holding(scope),
            document(json!({"url": "https://fhir.example.org/r4/_pages/AAAA"})).holding(scope),
            Refused::Judged(400, "invalid", "attachment"),
        ),
        row(
            "a creation of a shared type",
            "contract 5: shared types are never writable",
            own(),
            Shot::new("POST", "/Practitioner").sending(json!({"resourceType": "Practitioner"})),
            Refused::Access("Practitioner"),
        ),
        row(
            "a creation of a Provenance",
            "contract 5: never written confined",
            own(),
            Shot::new("POST", "/Provenance").sending(json!({"resourceType": "Provenance",
                "target": [{"reference": "Observation/mark-of-1"}]})),
            Refused::Access("Provenance"),
        ),
    ]
}

fn conditions() -> Vec<Row<Shot>> {
    let own = |query: &str, method: &'static str| {
        let shot = Shot::new(method, format!("/Observation?{query}"));
        if method == "DELETE" { shot } else { shot.sending(unnamed("1")) }
    };
    let somebody = Refused::Access("the address names another");
    let create = |condition: &str| {
        Shot::new("POST", "/Observation").with("if-none-exist", condition).sending(observation("1"))
    };
    vec![
        row(
            "an update of what a search for another finds",
            "contract 6: conditional writes",
            own("subject=Patient/1", "PUT"),
            own("subject=Patient/2", "PUT"),
            somebody,
        ),
        row(
            "a deletion of what a search for another finds",
            "contract 6: conditional writes",
            own("_id=mark-of-1", "DELETE"),
            own("subject=Patient/2", "DELETE"),
            somebody,
        ),
        row(
            "a deletion by the id of another's",
            "contract 6: conditional writes",
            own("_id=mark-of-1", "DELETE"),
            own("_id=mark-of-2", "DELETE"),
            Refused::LeftOut,
        ),
        row(
            "a condition by a chain",
            "contract 6: conditional writes",
            own("subject=Patient/1", "PUT"),
            own("subject.name=x", "PUT"),
            Refused::Access("a chain might reveal resources"),
        ),
        row(
            "a creation unless another has such",
            "contract 6: If-None-Exist is narrowed",
            create("status=draft"),
            create("subject=Patient/2"),
            somebody,
        ),
        row(
            "a creation by a condition that nobody can evaluate",
            "contract 6: If-None-Exist is narrowed",
            create("status=draft"),
            create("code:below=x"),
            Refused::Judged(400, "invalid", "the condition cannot be evaluated"),
        ),
        row(
            "a creation by no condition at all",
            "contract 6: If-None-Exist is narrowed",
            create("status=draft"),
            create("_count=1"),
            Refused::Judged(400, "invalid", "the condition is not a search for resources"),
        ),
    ]
}

/// An Observation without an id.
fn unnamed(patient: &str) -> Value {
    let mut resource = observation(patient);
    resource.as_object_mut().unwrap().remove("id");
    resource
}

fn bundles() -> Vec<Row<Shot>> {
    let sent = |kind: &str, entries: Vec<Value>| {
        Shot::new("POST", "")
            .sending(json!({"resourceType": "Bundle", "type": kind, "entry": entries}))
    };
    let entry = |method: &str, url: &str, resource: Value| json!({"request": {"method": method, "url": url}, "resource": resource});
    let own = move || entry("PUT", "Observation/mark-of-1", observation("1"));
    let all = move |more: Vec<Value>| sent("transaction", [vec![own()], more].concat());
    let alone = move |more: Value| sent("batch", vec![more]);
    let mut stolen = observation("1");
    stolen["id"] = "mark-of-2".into();
    let placed = json!({"fullUrl": "urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059",
        "request": {"method": "POST", "url": "Patient"}, "resource": {"resourceType": "Patient"}});
    vec![
        row(
            "a transaction with an update of another's",
            "contract 5: a transaction with a refused entry",
            all(vec![]),
            all(vec![entry("PUT", "Observation/mark-of-2", stolen)]),
            ABSENT,
        ),
        row(
            "a transaction with a deletion of another's",
            "contract 5: a transaction with a refused entry",
            all(vec![]),
            all(vec![json!({"request": {"method": "DELETE", "url": "Observation/mark-of-2"}})]),
            ABSENT,
        ),
        row(
            "a transaction with a creation for another",
            "contract 5: a transaction with a refused entry",
            all(vec![]),
            all(vec![entry("POST", "Observation", given(unnamed("1")))]),
            ANOTHER,
        ),
        row(
            "a transaction that creates a patient",
            BY_HAND,
            all(vec![]),
            all(vec![placed]),
            Refused::Access("Patient"),
        ),
        row(
            "a transaction with another patient's address",
            BY_HAND,
            all(vec![]),
            all(vec![json!({"request": {"method": "GET", "url": "Patient/2"}})]),
            Refused::Access("the address names another"),
        ),
        row(
            "a transaction with two changes of one resource",
            "R4 3.1.0.11.2",
            all(vec![]),
            all(vec![own()]),
            Refused::Judged(
                400,
                "invalid",
                "two entries of the transaction are about one resource",
            ),
        ),
        row(
            "a transaction with an address elsewhere",
            "R4 3.1.0.11.2",
            all(vec![]),
            all(vec![json!({"request": {"method": "GET", "url": "//evil.example/Observation"}})]),
            Refused::Address("after a leading slash"),
        ),
        row(
            "a batch with a read of another's",
            BY_HAND,
            alone(json!({"request": {"method": "GET", "url": "Observation/mark-of-1"}})),
            alone(json!({"request": {"method": "GET", "url": "Observation/mark-of-2"}})),
            Refused::LeftOut,
        ),
        row(
            "a batch with a deletion of another's",
            BY_HAND,
            alone(own()),
            alone(json!({"request": {"method": "DELETE", "url": "Observation/mark-of-2"}})),
            Refused::LeftOut,
        ),
        row(
            "a batch with a creation for another",
            BY_HAND,
            alone(own()),
            alone(entry("POST", "Observation", given(unnamed("1")))),
            Refused::LeftOut,
        ),
        row(
            "a batch within a batch",
            BY_HAND,
            alone(own()),
            alone(entry("POST", "", json!({"resourceType": "Bundle", "type": "batch"}))),
            Refused::LeftOut,
        ),
        row(
            "a bundle of 1,001 entries",
            "contract 6: 413",
            alone(own()),
            sent("batch", vec![own(); 1001]),
            Refused::Judged(413, "too-long", "more than 1000 entries"),
        ),
        row(
            "a bundle of another kind",
            BY_HAND,
            alone(own()),
            sent("document", vec![own()]),
            Refused::Judged(400, "invalid", "`batch` or `transaction`"),
        ),
        row(
            "a bundle that names a member twice",
            "contract 6: 400",
            alone(own()),
            Shot::new("POST", "").sending(
                "{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"type\":\"transaction\"}",
            ),
            Refused::Judged(400, "invalid", "has a duplicate member"),
        ),
    ]
}

/// A server whose statement says nothing of `If-Match`; what it says is remembered, so that each has a layer.
pub(crate) async fn unversioned() -> Pair {
    let silent = own().before(|asked| {
        let statement = json!({"resourceType": "CapabilityStatement", "rest": [{"mode": "server",
            "resource": [{"type": "Observation", "versioning": "versioned"}]}]});
        asked.line.ends_with("/metadata").then(|| fhir(&statement))
    });
    let twin = ask(&start().await, own()).await;
    let refused = Refused::Access("does not declare `versioned-update`");
    Pair::new(twin, ask(&start().await, silent).await, refused)
}

/// Servers behind that do something else than what they were told.
fn servers() -> Vec<Row<Shot>> {
    let creating = |answer: fn() -> Reply| {
        Shot::new("POST", "/Observation")
            .sending(unnamed("1"))
            .before(move |asked| asked.line.starts_with("POST").then(answer))
    };
    // What was sent has no mark, so that only the answer does.
    let quiet = |answer: fn() -> Reply| {
        let plain = json!({"resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/1"}});
        Shot::new("POST", "/Observation")
            .sending(plain)
            .before(move |asked| asked.line.starts_with("POST").then(answer))
    };
    let one = || reply(201, &observation("1"));
    let silent = own().before(|asked| {
        let mut resource = observation("1");
        resource.as_object_mut().unwrap().remove("meta");
        asked.line.starts_with("GET /r4/Observation").then(|| {
            let mut reply = fhir(&resource);
            reply.headers_mut().remove("etag");
            reply
        })
    });
    let located = |place: &'static str| {
        let plain = json!({"resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/1"}});
        let shot =
            Shot::new("POST", "/Observation").with("prefer", "return=minimal").sending(plain);
        shot.before(move |asked| {
            asked.line.starts_with("POST").then(|| {
                let empty = reply(201, &Value::Null).map(|_| Default::default());
                with_headers(empty, &[("location", place), ("content-location", place)])
            })
        })
    };
    let by_hand = BY_HAND;
    vec![
        row(
            "a server that tells no version",
            "contract 6: 403",
            own(),
            silent,
            Refused::Access("does not say the version of the resource"),
        ),
        row(
            "a creation answered with another's",
            by_hand,
            creating(one),
            quiet(|| reply(201, &observation("2"))),
            Refused::LeftOut,
        ),
        row(
            "a creation answered with nothing FHIR",
            by_hand,
            creating(one),
            quiet(|| reply(201, &json!("mark-of-2"))),
            Refused::Judged(502, "exception", "it is not a FHIR resource"),
        ),
        row(
            "a creation that was another's before",
            by_hand,
            creating(one),
            quiet(|| {
                with_headers(
                    reply(200, &observation("2")),
                    &[("location", "/r4/Observation/mark-of-2")],
                )
            }),
            Refused::LeftOut,
        ),
        row(
            "a place at another server",
            "contract 6: Location",
            located("https://fhir.example.org/r4/Observation/mark-of-1"),
            located("https://evil.example/r4/Observation/mark-of-1"),
            Refused::LeftOut,
        ),
        row(
            "a place that leads out of the base",
            "contract 6: Location",
            located("https://fhir.example.org/r4/Observation/mark-of-1"),
            located("https://fhir.example.org/r4/../admin/mark-of-1"),
            Refused::LeftOut,
        ),
        row(
            "a place of another type",
            "contract 6: Location",
            located("https://fhir.example.org/r4/Observation/mark-of-1"),
            located("https://fhir.example.org/r4/Patient/mark-of-1"),
            Refused::LeftOut,
        ),
        row(
            "a place with a question",
            "contract 6: Location",
            located("https://fhir.example.org/r4/Observation/mark-of-1"),
            located("https://fhir.example.org/r4/Observation/mark-of-1?x=mark-of-1"),
            Refused::LeftOut,
        ),
        row(
            "words about a hidden resource in a refusal",
            "contract 6: OperationOutcomes",
            creating(one),
            quiet(|| {
                reply(
                    404,
                    &json!({"resourceType": "OperationOutcome", "issue": [{"code": "not-found",
                "diagnostics": "Encounter/mark-of-2"}]}),
                )
            }),
            Refused::Judged(409, "conflict", "conflicts with a related resource"),
        ),
    ]
}
