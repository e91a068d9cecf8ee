//! Headers by which the upstream server would take a caller, an address or a method for others.

use super::world::{Bytes, upstream};
use crate::confine::world::{bundle, fhir, observation};
use crate::kit::{Refused, Row, row};

pub(crate) fn rows() -> Vec<Row<Bytes>> {
    let mut rows = vec![
        passing("the patient", CALLER, "x-fhir-patient", "2", ""),
        passing("the patient, with an underscore", CALLER, "x_fhir_patient", "2", ""),
        passing("the patient, in capitals", CALLER, "X-FHIR_Patient", "2", ""),
        passing("the subject", CALLER, "x-fhir-subject", "bela", ""),
        passing(
            "the patient, in a trailer",
            "RFC 9110 section 6.5.1",
            "x-fhir-patient",
            "2",
            TRAILER,
        ),
        passing("another method", OVERRIDE, "x-http-method-override", "DELETE", ""),
        passing(
            "another method, with underscores",
            OVERRIDE,
            "x_http_method_override",
            "DELETE",
            "",
        ),
        passing("another address", ORIGINAL, "x-original-url", "/r4/Patient/2", ""),
        passing(
            "another address, with underscores",
            ORIGINAL,
            "x_original_uri",
            "/r4/Patient/2",
            "",
        ),
        passing("a rewritten address", ORIGINAL, "x-rewrite-url", "/r4/Patient/2", ""),
        passing("another host", FORWARDED, "x-forwarded-host", "evil.example", ""),
        passing("another client", FORWARDED, "x-forwarded-for", "127.0.0.9", ""),
        passing("another client, by its other name", FORWARDED, "x-real-ip", "127.0.0.9", ""),
        passing("another way", FORWARDED, "forwarded", "host=evil.example", ""),
        passing("a name of its own", FORWARDED, "host", "evil.example", ""),
        passing("a header of the connection", HOP, "te", "trailers", ""),
        passing("another protocol", HOP, "upgrade", "h2c", ""),
        passing("credentials for a proxy", HOP, "proxy-authorization", "Basic eDp4", ""),
        passing(
            "a header that the connection names",
            HOP,
            "x-tenant",
            "2",
            "connection: x-tenant\r\n",
        ),
        passing("a proof", "RFC 9449 section 7", "dpop", "e30.e30.x", ""),
    ];
    // The identity that the gateway tells cannot be taken off by naming it.
    rows.push(taken_off());
    rows.extend(parameters());
    rows
}

const CALLER: &str = "contract 6: headers, `_` read as `-`, in any case";
const OVERRIDE: &str = "contract 6: method overrides";
const ORIGINAL: &str = "contract 6: X-Original-*, X-Rewrite-URL";
const FORWARDED: &str = "contract 6: Host and X-Forwarded-* are the gateway's";
const HOP: &str = "RFC 9110 section 7.6.1";
const TRAILER: &str = "trailer";

/// A search that finds one's own where the upstream server gets this header, by a token for everything, and one that
/// finds nothing; a trailer is sent after a body.
fn passing(
    name: &str,
    reference: &'static str,
    header: &'static str,
    value: &'static str,
    more: &'static str,
) -> Row<Bytes> {
    let field = format!("{header}: {value}\r\n");
    let attack = match more {
        TRAILER => {
            let fields = "content-type: application/fhir+json\r\ntransfer-encoding: chunked\r\ntrailer: x-fhir-patient\r\n";
            Bytes::sending(
                "POST /r4/Observation",
                fields,
                &format!("2\r\n{{}}\r\n0\r\n{field}\r\n"),
            )
        }
        _ => Bytes::asking("GET /r4/Observation", &format!("{field}{more}")),
    };
    let plain = |name: &str| name.replace('_', "-").to_ascii_lowercase();
    let attack = attack.of_everything().before(move |asked| {
        let mut held = asked.headers.iter();
        let has = held.any(|(name, held)| plain(name.as_str()) == plain(header) && held == value);
        Some(fhir(&bundle(&if has { vec![observation("1")] } else { Vec::new() })))
    });
    let twin = Bytes::asking("GET /r4/Observation/mark-of-1", "").of_everything();
    row(format!("{name}: {header}"), reference, twin, attack, Refused::LeftOut)
}

fn taken_off() -> Row<Bytes> {
    let own = Bytes::asking("GET /r4/Observation/mark-of-1", "");
    let attack = Bytes::asking("GET /r4/Observation", "connection: x-fhir-patient\r\n");
    let attack = attack.before(|asked| {
        let patient = asked.headers.get("x-fhir-patient").and_then(|value| value.to_str().ok());
        let is_told = patient == Some("1");
        Some(fhir(&bundle(&if is_told { Vec::new() } else { vec![observation("1")] })))
    });
    row("the patient, taken off by naming it", HOP, own, attack, Refused::LeftOut)
}

/// Addresses below the base of the upstream server, which are foreign to clients.
fn parameters() -> Vec<Row<Bytes>> {
    let foreign = "contract 6: those under the upstream's own base are foreign";
    let twin = || Bytes::asking("GET /r4/Observation/mark-of-1", "").of_everything();
    let seen = |attack: Bytes| {
        attack.of_everything().before(|asked| {
            let host = upstream().strip_prefix("http://").unwrap();
            let told =
                format!("{} {}", asked.line, asked.body).replace("%3A", ":").replace("%2F", "/");
            Some(fhir(&bundle(&if told.contains(host) {
                vec![observation("1")]
            } else {
                Vec::new()
            })))
        })
    };
    let query = |line: fn() -> String| seen(Bytes::asking(&line(), ""));
    let body = |reference: String| {
        let body = format!(
            "{{\"resourceType\":\"Observation\",\"subject\":{{\"reference\":\"{reference}\"}}}}"
        );
        let fields =
            format!("content-type: application/fhir+json\r\ncontent-length: {}\r\n", body.len());
        seen(Bytes::sending("POST /r4/Observation", &fields, &body))
    };
    vec![
        row(
            "a subject at the upstream server",
            foreign,
            twin(),
            query(|| format!("GET /r4/Observation?subject={}/Patient/2", upstream())),
            Refused::LeftOut,
        ),
        row(
            "a subject at the upstream server, escaped",
            foreign,
            twin(),
            query(|| {
                format!(
                    "GET /r4/Observation?subject={}",
                    format!("{}/Patient/2", upstream()).replace(':', "%3a").replace('/', "%2f")
                )
            }),
            Refused::LeftOut,
        ),
        row(
            "a subject at the upstream server, in capitals",
            foreign,
            twin(),
            query(|| {
                format!(
                    "GET /r4/Observation?subject={}/Patient/2",
                    upstream().replace("http", "HTTP")
                )
            }),
            Refused::LeftOut,
        ),
        row(
            "a reference to the upstream server",
            foreign,
            twin(),
            body(format!("{}/Patient/2", upstream())),
            Refused::LeftOut,
        ),
        row(
            "a reference to the upstream server, in escapes",
            foreign,
            twin(),
            body(format!("{}/Patient/2", upstream()).replace('/', "\\/")),
            Refused::LeftOut,
        ),
    ]
}
