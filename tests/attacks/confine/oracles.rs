//! Questions whose answer would tell that there is something, or what it is like.

use serde_json::json;

use super::world::{Shot, observation, reply};
use crate::kit::{Refused, Row, row};

const ABSENT: Refused = Refused::Judged(404, "not-found", "there is no such resource");
const BY_HAND: &str = "tried by hand";

pub(crate) fn rows() -> Vec<Row<Shot>> {
    reads().into_iter().chain(searches()).collect()
}

fn reads() -> Vec<Row<Shot>> {
    let of = |name, reference, way: fn(Shot) -> Shot, refused| {
        let read = |patient: &str| way(Shot::get(format!("/Observation/mark-of-{patient}")));
        row(name, reference, read("1"), read("2"), refused)
    };
    let below = |name, rest: &'static str, refused| {
        let read = |patient: &str| Shot::get(format!("/Observation/mark-of-{patient}{rest}"));
        row(name, BY_HAND, read("1"), read("2"), refused)
    };
    let answering = |name, status: u16| {
        let own = Shot::get("/Observation/mark-of-1");
        let hidden = Shot::get("/Observation/mark-of-2");
        let hidden = hidden.answered(move || {
            reply(
                status,
                &json!({"resourceType": "OperationOutcome", "issue": [{"code": "conflict"}]}),
            )
        });
        row(name, BY_HAND, own, hidden, ABSENT)
    };
    vec![
        of("a read", BY_HAND, |shot| shot, ABSENT),
        row(
            "a look by HEAD",
            "RFC 9110 section 9.3.2",
            Shot::get("/Observation/mark-of-1"),
            Shot::new("HEAD", "/Observation/mark-of-2"),
            Refused::Unreached(404),
        ),
        of("a tag that is known", "RFC 9110 section 13.1.2", |shot| shot.with("if-none-match", "W/\"2\""), ABSENT),
        of("any tag at all", "RFC 9110 section 13.1.1", |shot| shot.with("if-match", "*"), ABSENT),
        of("a date of the last change", "RFC 9110 section 13.1.3",
            |shot| shot.with("if-modified-since", "Thu, 01 Jan 2032 00:00:00 GMT"), ABSENT),
        of("a part by a range", "RFC 9110 section 14.2", |shot| shot.with("range", "bytes=0-0"), ABSENT),
        of("a range if it is unchanged", "RFC 9110 section 13.1.5",
            |shot| shot.with("range", "bytes=0-0").with("if-range", "W/\"3\""), ABSENT),
        below("some elements", "?_elements=id", ABSENT),
        below("a summary", "?_summary=text", ABSENT),
        below("a version", "/_history/3", ABSENT),
        row("a history", BY_HAND, history("1"), history("2"), ABSENT),
        answering("what is gone", 410),
        answering("what the upstream server forbids", 403),
        answering("what has no such method", 405),
        answering("what is in conflict", 409),
        answering("what cannot be processed", 422),
        row("a resource in place of the one that was asked for", BY_HAND,
            Shot::get("/Observation/mark-of-1"),
            Shot::get("/Observation/3").answered(|| super::world::fhir(&observation("2"))), ABSENT),
        row("a Binary of another's record", "R4 Binary.securityContext",
            Shot::get("/Binary/x").answered(|| binary("Observation/mark-of-1", "mark-of-1")),
            Shot::get("/Binary/x").answered(|| binary("Observation/mark-of-2", "mark-of-2")), ABSENT),
        row("a Binary of nothing", "R4 Binary.securityContext",
            Shot::get("/Binary/x").answered(|| binary("Observation/mark-of-1", "mark-of-1")),
            Shot::get("/Binary/x").answered(|| super::world::fhir(
                &json!({"resourceType": "Binary", "id": "x", "contentType": "a/b", "data": "mark-of-2"}))), ABSENT),
    ]
}

/// The history of an Observation of a patient.
fn history(patient: &'static str) -> Shot {
    let versions = move || super::world::fhir(&super::world::bundle(&[observation(patient)]));
    Shot::get(format!("/Observation/mark-of-{patient}/_history")).answered(versions)
}

fn binary(context: &str, data: &str) -> super::world::Reply {
    super::world::fhir(&json!({"resourceType": "Binary", "id": "x", "contentType": "text/plain",
        "securityContext": {"reference": context}, "data": data}))
}

/// Searches that are evaluated over what is hidden: their twin is asked without the one parameter.
fn searches() -> Vec<Row<Shot>> {
    let asked = |name, reference, query: &str, refused| {
        let twin = Shot::get("/Observation?status=final");
        row(name, reference, twin, Shot::get(format!("/Observation?status=final&{query}")), refused)
    };
    let hidden = |name, query: &str, words| {
        asked(name, "contract 6: 403 to confined tokens", query, Refused::Access(words))
    };
    let chain = "a chain might reveal resources";
    let unknown = "a parameter that R4 does not define here";
    let named = "the address names another";
    let somebody = "a search that is not limited to the patient of the token";
    let form = |body: &str| {
        Shot::new("POST", "/Observation/_search")
            .with("content-type", "application/x-www-form-urlencoded")
            .sending(body)
    };
    vec![
        hidden("a chain", "performer.name=x", chain),
        hidden("a chain with a type", "subject:Patient.name=x", chain),
        hidden("a chain back", "_has:Provenance:target:agent=x", "might reveal resources"),
        hidden("a filter", "_filter=code%20eq%20x", unknown),
        hidden("text in the narrative", "_text=x", unknown),
        hidden("text anywhere", "_content=x", unknown),
        hidden("a named query", "_query=x", unknown),
        hidden("what is contained", "_contained=true", unknown),
        hidden("a list", "_list=$current-allergies", unknown),
        hidden("a parameter of the server's own", "unheard-of=x", unknown),
        hidden("an order by a chain", "_sort=subject.name", "a sort by another resource"),
        hidden("another patient", "subject=Patient/2", named),
        hidden("another patient among others", "subject=Patient/1,Patient/2", named),
        hidden("another patient by type", "subject:Patient=2", named),
        hidden("another patient by an identifier", "subject:identifier=x%7C2", somebody),
        hidden("another patient by an escape", "subj%65ct=Patient/2", named),
        hidden(
            "a modifier of the result",
            "_count:missing=true",
            "a modifier that this parameter does not have",
        ),
        asked(
            "a count of what is hidden",
            "contract 6: 400",
            "_summary=count",
            Refused::Judged(400, "invalid", "would count what is hidden"),
        ),
        row(
            "another patient in the body",
            "contract 5: POST _search",
            form("status=final"),
            form("subject=Patient/2"),
            Refused::Access(named),
        ),
        row(
            "a chain in the body",
            "contract 5: POST _search",
            form("status=final"),
            form("performer.name=x"),
            Refused::Access(chain),
        ),
        row(
            "a body that is no form",
            "RFC 9110 section 15.5.16",
            form("status=final"),
            Shot::new("POST", "/Observation/_search").sending("{}"),
            Refused::Judged(415, "not-supported", "uncompressed form"),
        ),
    ]
}
