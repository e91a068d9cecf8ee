//! Answers with what nobody has asked for, or with what is another patient's.

use serde_json::{Value, json};

use super::world::{Reply, Shot, bundle, fhir, observation, reply, with_headers};
use crate::kit::{Refused, Row, row};
use crate::support::BASE;

const UNJUDGED: Refused = Refused::Judged(502, "exception", "cannot be judged");
const BY_HAND: &str = "tried by hand";

pub(crate) fn rows() -> Vec<Row<Shot>> {
    let all = entries().into_iter().chain(members()).chain(resources());
    all.chain(ways()).chain(whole()).collect()
}

fn search(answer: Value) -> Shot {
    Shot::get("/Observation").answered(move || fhir(&answer))
}

/// A search that finds one entry: the same entry for each patient, twin and attack.
fn found(name: &'static str, entry: impl Fn(&str) -> Value) -> Row<Shot> {
    let of = |patient: &str| {
        search(json!({"resourceType": "Bundle", "type": "searchset", "entry": [entry(patient)]}))
    };
    row(name, BY_HAND, of("1"), of("2"), Refused::LeftOut)
}

fn entries() -> Vec<Row<Shot>> {
    let moded = |name, mode: &'static str| {
        found(
            name,
            move |patient| json!({"resource": observation(patient), "search": {"mode": mode}}),
        )
    };
    vec![
        found("a match of another patient", |patient| json!({"resource": observation(patient)})),
        moded("an include of another patient", "include"),
        moded("a match that is said to be one", "match"),
        moded("a mode unheard of", "Match"),
        found(
            "a match behind an address of one's own",
            |patient| json!({"fullUrl": format!("{BASE}/Observation/1"), "resource": observation(patient)}),
        ),
        found("a resource of another patient beside a change of one's own", |patient| {
            json!({"resource": observation(patient), "response": {"status": "200"},
                "request": {"method": "PUT", "url": "Observation/1"}})
        }),
        found("the Patient of another", |patient| {
            json!({"resource": {"resourceType": "Patient", "id": patient,
                "name": [{"family": format!("mark-of-{patient}")}]}})
        }),
    ]
}

/// Members that are no entries, with something of another patient's beside nothing of one's own.
fn members() -> Vec<Row<Shot>> {
    let beside = |name, member: Value| {
        let mut hostile = bundle(&[]);
        hostile.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
        row(name, BY_HAND, search(bundle(&[observation("1")])), search(hostile), Refused::LeftOut)
    };
    vec![
        beside("a total that counts what is hidden", json!({"total": 22222222})),
        beside(
            "a self link with the other's name",
            json!({"link": [
            {"relation": "self", "url": format!("{BASE}/Observation?_id=mark-of-2")}]}),
        ),
        beside(
            "a next link to elsewhere",
            json!({"link": [
            {"relation": "next", "url": "https://evil.example/r4/mark-of-2"}]}),
        ),
        beside(
            "links of other relations",
            json!({"link": [
            {"relation": "last", "url": format!("{BASE}?page=22222222")},
            {"relation": "first", "url": format!("{BASE}/Observation/mark-of-2")}]}),
        ),
        beside("an extension of the bundle", json!({"extension": [{"valueString": "mark-of-2"}]})),
        beside("tags of the bundle", json!({"meta": {"tag": [{"code": "mark-of-2"}]}})),
        beside("a signature of the bundle", json!({"signature": {"data": "mark-of-2"}})),
        beside(
            "an outcome as an entry",
            json!({"entry": [{"search": {"mode": "outcome"},
            "resource": {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "mark-of-2"}]}}]}),
        ),
        beside(
            "a resource that is called an outcome",
            json!({"entry": [
            {"search": {"mode": "outcome"}, "resource": observation("2")}]}),
        ),
        beside(
            "an address without a resource",
            json!({"entry": [
            {"fullUrl": format!("{BASE}/Observation/mark-of-2")}]}),
        ),
        beside(
            "a link of an entry",
            json!({"entry": [{"link": [{"relation": "x", "url": "mark-of-2"}]}]}),
        ),
        beside(
            "an outcome of an entry's answer",
            json!({"entry": [{"response": {"status": "200",
            "outcome": {"resourceType": "OperationOutcome", "id": "mark-of-2"}}}]}),
        ),
        beside("a score of an entry", json!({"entry": [{"search": {"score": 22222222}}]})),
    ]
}

/// Resources that seem to be one's own, or that have others within.
fn resources() -> Vec<Row<Shot>> {
    let with = |name, member: Value| {
        found(name, move |patient| {
            let mut resource = observation(patient);
            if patient == "2" {
                resource.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
            }
            json!({"resource": resource})
        })
    };
    let within = |name, kind: &'static str, around: fn(Value) -> Value| {
        found(name, move |patient| match patient {
            "1" => json!({"resource": observation("1")}),
            _ => {
                let mut outer = around(observation("2"));
                outer["resourceType"] = kind.into();
                json!({"resource": outer})
            }
        })
    };
    let doubled = observation("2").to_string();
    let doubled = doubled.replacen(
        "\"subject\":",
        "\"subject\":{\"reference\":\"Patient/1\"},\"subject\":",
        1,
    );
    let doubled = format!(
        "{{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"entry\":[{{\"resource\":{doubled}}}]}}"
    );
    let doubled = move || raw(200, doubled.clone());
    vec![
        with(
            "a subject who is contained",
            json!({"subject": {"reference": "#p"},
            "contained": [{"resourceType": "Patient", "id": "p", "link": [{"other": {"reference": "Patient/1"}}]}]}),
        ),
        with(
            "a subject at another server",
            json!({"subject": {"reference": "https://evil.example/r4/Patient/1"}}),
        ),
        with("a subject by an identifier", json!({"subject": {"identifier": {"value": "1"}}})),
        with("a subject of another case", json!({"subject": {"reference": "patient/1"}})),
        with(
            "a focus alone",
            json!({"subject": {"reference": "Patient/2"}, "focus": [{"reference": "Patient/1"}]}),
        ),
        with("a member of another name", json!({"Subject": {"reference": "Patient/1"}})),
        row(
            "a subject who is named twice",
            "RFC 8259 section 4",
            search(bundle(&[observation("1")])),
            Shot::get("/Observation").answered(doubled),
            Refused::LeftOut,
        ),
        within("a bundle within the bundle", "Bundle", |inner| bundle(&[inner])),
        within(
            "a resource in Parameters",
            "Parameters",
            |inner| json!({"id": "1", "parameter": [{"name": "x", "resource": inner}]}),
        ),
        within(
            "an audit of another's record",
            "AuditEvent",
            |_| json!({"id": "1", "entity": [{"what": {"reference": "Observation/mark-of-2"}}]}),
        ),
        within("a provenance of both", "Provenance", |_| {
            json!({"id": "1", "target": [{"reference": "Observation/mark-of-1"},
                {"reference": "Observation/mark-of-2"}]})
        }),
        within(
            "a provenance of itself",
            "Provenance",
            |_| json!({"id": "mark-of-2", "target": [{"reference": "Provenance/mark-of-2"}]}),
        ),
        within(
            "a type that R4 does not have",
            "Dossier",
            |_| json!({"id": "mark-of-2", "subject": {"reference": "Patient/1"}}),
        ),
    ]
}

/// The ways of asking, each answered with what is another's.
fn ways() -> Vec<Row<Shot>> {
    let asked = |name, shot: Shot| {
        let of = |patient: &'static str| {
            shot.clone().answered(move || fhir(&bundle(&[observation(patient)])))
        };
        row(name, BY_HAND, of("1"), of("2"), Refused::LeftOut)
    };
    let post = Shot::new("POST", "/Observation/_search")
        .with("content-type", "application/x-www-form-urlencoded")
        .sending("code=x");
    let old = json!({"resourceType": "Bundle", "type": "history", "entry": [
        {"request": {"method": "DELETE", "url": "Observation/mark-of-2"}, "response": {"status": "204"}}]});
    let histories =
        |answer: Value| Shot::get("/Observation/_history").answered(move || fhir(&answer));
    vec![
        asked("a search by POST", post),
        asked("a search of several types", Shot::get("?_type=Observation,Patient")),
        asked("a search of one's own compartment", Shot::get("/Patient/1/Observation")),
        asked("everything of oneself", Shot::get("/Patient/1/$everything")),
        asked("the history of a type", Shot::get("/Observation/_history")),
        asked("the history of the server", Shot::get("/_history")),
        asked(
            "an include that was asked for",
            Shot::get("/Observation?_include=Observation:subject"),
        ),
        asked("what refers to one's own", Shot::get("/Observation?_revinclude=Provenance:target")),
        row(
            "another's deletion in a history",
            BY_HAND,
            histories(bundle(&[observation("1")])),
            histories(old),
            Refused::LeftOut,
        ),
    ]
}

/// An answer with this text.
fn raw(status: u16, text: impl Into<String>) -> Reply {
    reply(status, &Value::Null).map(|_| text.into().into())
}

/// Answers that are not to be judged at all.
fn whole() -> Vec<Row<Shot>> {
    let good = || search(bundle(&[observation("1")]));
    let instead = |name, reference, answer: fn() -> Reply, refused| {
        row(name, reference, good(), Shot::get("/Observation").answered(answer), refused)
    };
    let headed = || {
        let leaks = [
            ("x-total-count", "22222222"),
            ("link", "</r4/mark-of-2>; rel=next"),
            ("warning", "199 - mark-of-2"),
            ("set-cookie", "a=mark-of-2"),
            ("location", "/mark-of-2"),
            ("content-location", "/r4/Observation/mark-of-2"),
            ("etag", "W/\"mark-of-2\""),
            ("x-request-url", "mark-of-2"),
            ("server-timing", "db;dur=22222222"),
        ];
        with_headers(fhir(&bundle(&[])), &leaks)
    };
    vec![
        instead(
            "headers that tell of another",
            "contract 6: headers that are not FHIR's",
            headed,
            Refused::LeftOut,
        ),
        instead("a resource in place of a bundle", BY_HAND, || fhir(&observation("2")), UNJUDGED),
        instead(
            "a compressed answer",
            "RFC 9110 section 8.4",
            || with_headers(fhir(&bundle(&[observation("2")])), &[("content-encoding", "gzip")]),
            UNJUDGED,
        ),
        instead(
            "XML",
            BY_HAND,
            || raw(200, "<Bundle><id value=\"mark-of-2\"/></Bundle>"),
            UNJUDGED,
        ),
        instead(
            "an answer that is cut off",
            BY_HAND,
            || {
                let whole = bundle(&[observation("2")]).to_string();
                raw(200, whole.strip_suffix('}').unwrap())
            },
            UNJUDGED,
        ),
        instead(
            "two documents in one",
            BY_HAND,
            || {
                let both = format!("{}{}", bundle(&[]), bundle(&[observation("2")]));
                raw(200, both)
            },
            UNJUDGED,
        ),
        instead(
            "a bundle with two lists of entries",
            "RFC 8259 section 4",
            || {
                let both = format!(
                    "{{\"resourceType\":\"Bundle\",\"entry\":[],\"entry\":{}}}",
                    bundle(&[observation("2")])["entry"]
                );
                raw(200, both)
            },
            UNJUDGED,
        ),
        instead(
            "a way to elsewhere",
            "RFC 9110 section 15.4",
            || {
                with_headers(
                    reply(302, &Value::Null),
                    &[("location", "https://evil.example/mark-of-2")],
                )
            },
            UNJUDGED,
        ),
        instead(
            "a challenge of the upstream server",
            "RFC 9110 section 11.6.1",
            || {
                with_headers(
                    reply(401, &Value::Null),
                    &[("www-authenticate", "Basic realm=mark-of-2")],
                )
            },
            UNJUDGED,
        ),
        instead(
            "a part of an answer",
            "RFC 9110 section 15.3.7",
            || {
                with_headers(
                    reply(206, &bundle(&[observation("2")])),
                    &[("content-range", "bytes 0-9/99")],
                )
            },
            UNJUDGED,
        ),
        instead(
            "words of the upstream server",
            "contract 6: OperationOutcomes are not shown",
            || {
                reply(
                    422,
                    &json!({"resourceType": "OperationOutcome", "issue": [{"code": "processing",
                "diagnostics": "mark-of-2", "details": {"text": "mark-of-2"}}]}),
                )
            },
            Refused::Judged(422, "processing", "has refused the request"),
        ),
        instead(
            "an error page",
            BY_HAND,
            || raw(500, "<html>stack trace of mark-of-2</html>"),
            Refused::Judged(500, "exception", "has refused the request"),
        ),
    ]
}
