//! Requests that would be read as others by the upstream server, or that nobody can hold to what was granted.

use serde_json::json;

use super::world::{Shot, bundle, fhir, observation};
use crate::kit::{Refused, Row, row};

const BY_HAND: &str = "tried by hand";

pub(crate) fn rows() -> Vec<Row<Shot>> {
    headers().into_iter().chain(addresses()).collect()
}

/// Headers that are not to reach the upstream server: the twin is asked without, and of one's own; the attack has no
/// effect.
fn headers() -> Vec<Row<Shot>> {
    let ignored = |name: &'static str, reference, value: &'static str| {
        let twin = Shot::get("/Observation").answered(|| fhir(&bundle(&[observation("1")])));
        let attack = Shot::get("/Observation").with(name, value).before(move |asked| {
            let read = |one: &str| one.replace('_', "-") == name.replace('_', "-");
            let has = asked.headers.iter().any(|(one, held)| read(one.as_str()) && held == value);
            // Whoever gets it finds one's own, which tells of it here, and whoever does not finds nothing.
            Some(fhir(&bundle(&if has { vec![observation("1")] } else { Vec::new() })))
        });
        row(format!("the header {name}: {value}"), reference, twin, attack, Refused::LeftOut)
    };
    let conditions = "contract 6: asks without conditions";
    let overriding = "contract 6: method overrides are not passed on";
    let mut rows = vec![
        ignored("x-http-method-override", overriding, "DELETE"),
        ignored("x-http-method", overriding, "DELETE"),
        ignored("x-method-override", overriding, "DELETE"),
        ignored("x_http_method_override", overriding, "DELETE"),
        ignored("x-original-url", "contract 6: X-Original-*", "/r4/Observation/mark-of-2"),
        ignored("x-original-uri", "contract 6: X-Original-*", "/r4/Observation/mark-of-2"),
        ignored("x_original_url", "contract 6: `_` read as `-`", "/r4/Observation/mark-of-2"),
        ignored("x-rewrite-url", "contract 6: X-Rewrite-URL", "/r4/Observation/mark-of-2"),
        ignored("accept-encoding", "contract 6: uncompressed JSON", "gzip"),
        ignored(
            "accept",
            "contract 6: uncompressed JSON",
            "application/fhir+json; fhirVersion=4.0",
        ),
        ignored("range", conditions, "bytes=0-10"),
        ignored("if-none-match", conditions, "W/\"2\""),
        ignored("if-modified-since", conditions, "Thu, 01 Jan 2032 00:00:00 GMT"),
        ignored("prefer", "contract 6: respond-async", "respond-async"),
        ignored("x-provenance", "R4 Provenance, 6.3.4.4", "{}"),
        ignored("x-forwarded-prefix", BY_HAND, "/r4/Observation/mark-of-2"),
        ignored("x-partition", BY_HAND, "mark-of-another-tenant"),
    ];
    let create = || Shot::new("POST", "/Observation").sending(observation("1"));
    rows.push(row(
        "a Provenance beside a change",
        "contract 6: X-Provenance",
        create(),
        create().with("x-provenance", "{\"resourceType\":\"Provenance\"}"),
        Refused::Access("`X-Provenance` needs the right to create Provenance"),
    ));
    rows.push(row(
        "a Provenance by a name with an underscore",
        "contract 6: X-Provenance",
        create(),
        create().with("x_provenance", "{\"resourceType\":\"Provenance\"}"),
        Refused::Access("`X-Provenance` needs the right to create Provenance"),
    ));
    rows.push(row(
        "XML alone",
        "contract 6: 406",
        Shot::get("/Observation"),
        Shot::get("/Observation").with("accept", "application/fhir+xml"),
        Refused::Unreached(406),
    ));
    rows.push(row(
        "XML alone, by `_format`",
        "contract 6: 406",
        Shot::get("/Observation"),
        Shot::get("/Observation?_format=xml"),
        Refused::Unreached(406),
    ));
    rows
}

fn addresses() -> Vec<Row<Shot>> {
    let own = || Shot::get("/Patient/1/Observation");
    let denied = |name, reference, attack, words| {
        row(name, reference, own(), attack, Refused::Access(words))
    };
    let another = "the address names another";
    let cannot = "it cannot be limited to what the token grants";
    let search = |query: &str| Shot::get(format!("/Observation?{query}"));
    vec![
        denied(
            "another patient's record",
            "contract 5: Patients",
            Shot::get("/Patient/2"),
            another,
        ),
        denied(
            "another patient's compartment",
            "contract 5: Patients",
            Shot::get("/Patient/2/Observation"),
            another,
        ),
        denied(
            "another patient's history",
            "contract 5: Patients",
            Shot::get("/Patient/2/_history"),
            another,
        ),
        denied(
            "everything of another patient",
            "contract 5: Patients",
            Shot::get("/Patient/2/$everything"),
            another,
        ),
        denied(
            "everything of another patient, escaped",
            "contract 5: Addresses",
            Shot::get("/Patient/2/%24everything"),
            another,
        ),
        denied(
            "another by a modifier of HAPI",
            BY_HAND,
            search("patient:mdm=Patient/2"),
            "not limited to the patient",
        ),
        denied(
            "everything, and of whom a server takes for the same",
            BY_HAND,
            Shot::get("/Patient/1/$everything?_mdm=true"),
            "a parameter that R4 does not define here",
        ),
        denied(
            "the newest of everybody",
            "contract 6: Operations",
            Shot::get("/Observation/$lastn"),
            "no scope grants",
        ),
        denied(
            "documents of another",
            "contract 6: Operations",
            Shot::get("/DocumentReference/$docref?patient=2"),
            "no scope grants",
        ),
        denied(
            "a query in a language of its own",
            BY_HAND,
            Shot::get("/$graphql?query=x"),
            "no scope grants",
        ),
        row(
            "the history of one's own, taken away",
            BY_HAND,
            own(),
            Shot::new("DELETE", "/Observation/mark-of-1/_history"),
            Refused::Access(cannot),
        ),
        row(
            "a search whose answer has no bundle",
            BY_HAND,
            search("status=final"),
            search("status=final")
                .answered(|| fhir(&json!({"resourceType": "Parameters", "id": "mark-of-2"}))),
            Refused::Judged(502, "exception", "it is not a Bundle"),
        ),
    ]
}
