//! Answers of the upstream server through the gateway.

use serde_json::{Value, json};

use super::world::{Bytes, upstream};
use crate::confine::world::{Reply, bundle, fhir, observation, reply, with_headers};
use crate::kit::{Refused, Row, row};

const NOT_FOR_CLIENTS: Refused =
    Refused::Judged(502, "exception", "is not for clients of this server");

pub(crate) fn rows() -> Vec<Row<Bytes>> {
    heads().into_iter().chain(bodies()).collect()
}

fn own() -> Bytes {
    Bytes::asking("GET /r4/Observation/mark-of-1", "").of_everything()
}

fn answered(answer: impl Fn() -> Reply + Send + Sync + 'static) -> Bytes {
    let shot = Bytes::asking("GET /r4/Observation", "").of_everything();
    shot.before(move |asked| (!asked.line.ends_with("/metadata")).then(&answer))
}

fn heads() -> Vec<Row<Bytes>> {
    let redirect = |status: u16| {
        let name = format!("a way to elsewhere, by {status}");
        let attack = answered(move || {
            with_headers(
                reply(status, &Value::Null),
                &[("location", "https://evil.example/mark-of-2")],
            )
        });
        row(name, "RFC 9110 section 15.4: open redirects", own(), attack, NOT_FOR_CLIENTS)
    };
    let headed = |name, header: &'static str, value: &'static str| {
        let attack = answered(move || with_headers(fhir(&bundle(&[])), &[(header, value)]));
        row(name, "contract 6", own(), attack, Refused::LeftOut)
    };
    let confined = |name, header: &'static str, value: &'static str| {
        let attack = Bytes::asking("GET /r4/Observation", "")
            .before(move |_| Some(with_headers(fhir(&bundle(&[])), &[(header, value)])));
        row(name, "contract 6: headers that are not FHIR's", own(), attack, Refused::LeftOut)
    };
    let mut rows: Vec<Row<Bytes>> = [301, 302, 303, 307, 308].map(redirect).into();
    rows.extend([
        row(
            "a challenge of the upstream server",
            "RFC 9110 section 11.6.1",
            own(),
            answered(|| {
                with_headers(
                    reply(401, &Value::Null),
                    &[("www-authenticate", "Basic realm=mark-of-2")],
                )
            }),
            NOT_FOR_CLIENTS,
        ),
        row(
            "a challenge of a proxy behind",
            "RFC 9110 section 11.7.1",
            own(),
            answered(|| {
                with_headers(
                    reply(407, &Value::Null),
                    &[("proxy-authenticate", "Basic realm=mark-of-2")],
                )
            }),
            NOT_FOR_CLIENTS,
        ),
        headed("a place at another server", "location", "https://evil.example/mark-of-2"),
        headed(
            "a place at another server, without its scheme",
            "location",
            "//evil.example/mark-of-2",
        ),
        headed("a place that leads out of the base", "content-location", "/r4/../mark-of-2"),
        headed("a place that is a script", "location", "javascript:mark-of-2"),
        headed("another service", "alt-svc", "h3=\"mark-of-2:443\""),
        headed("a leave for every origin", "access-control-allow-origin", "mark-of-2"),
        confined("a cookie", "set-cookie", "session=mark-of-2"),
        confined("a warning", "warning", "199 - mark-of-2"),
        confined("links in a header", "link", "<mark-of-2>; rel=next"),
        confined("a number of results", "x-total-count", "22222222"),
        row(
            "a look by HEAD at another's",
            "RFC 9110 section 9.3.2",
            own(),
            Bytes::asking("HEAD /r4/Observation/mark-of-2", ""),
            Refused::Unreached(404),
        ),
        row(
            "a read of another's",
            "contract 5: Patients",
            own(),
            Bytes::asking("GET /r4/Observation/mark-of-2", ""),
            Refused::Judged(404, "not-found", "no such resource"),
        ),
    ]);
    rows
}

/// Addresses of the upstream server in bodies; one that gets through is seen by its host.
fn bodies() -> Vec<Row<Bytes>> {
    let streamed = |name, write: fn(&str) -> String| {
        let attack = answered(move || fhir(&Value::Null).map(|_| write(upstream()).into()));
        row(
            name,
            "contract 6: the upstream's base is written as `base_url`",
            own(),
            attack,
            Refused::LeftOut,
        )
    };
    let judged = |name, member: fn(&str) -> Value| {
        let attack = Bytes::asking("GET /r4/Observation", "").before(move |_| {
            let mut hostile = bundle(&[]);
            hostile
                .as_object_mut()
                .unwrap()
                .extend(member(upstream()).as_object().unwrap().clone());
            Some(fhir(&hostile))
        });
        row(name, "contract 6: links to other origins are dropped", own(), attack, Refused::LeftOut)
    };
    let compressed = Bytes::asking("GET /r4/Observation", "").before(|_| {
        Some(with_headers(fhir(&bundle(&[observation("2")])), &[("content-encoding", "gzip")]))
    });
    vec![
        streamed("an address in escapes", |base| {
            format!(
                "{{\"resourceType\":\"Bundle\",\"entry\":[{{\"fullUrl\":\"{}\"}}]}}",
                format!("{base}/Observation/1").replace('/', "\\/")
            )
        }),
        streamed("an address in hexadecimal escapes", |base| {
            let escaped: String =
                base.chars().map(|one| format!("\\u{:04x}", u32::from(one))).collect();
            format!(
                "{{\"resourceType\":\"Observation\",\"subject\":{{\"reference\":\"{escaped}/Patient/1\"}}}}"
            )
        }),
        streamed("an address in a member with escapes", |base| {
            format!(
                "{{\"resourceType\":\"Observation\",\"subject\":{{\"ref\\u0065rence\":\"{base}/Patient/1\"}}}}"
            )
        }),
        streamed("a page link to another server", |base| {
            let _ = base;
            "{\"resourceType\":\"Bundle\",\"link\":[{\"relation\":\"next\",\"url\":\"https://evil.example/mark-of-2\"}]}".to_owned()
        }),
        streamed("a page link after another member of its name", |base| {
            format!(
                "{{\"resourceType\":\"Bundle\",\"link\":[{{\"url\":\"{base}?a\",\"relation\":\"next\",\"url\":\"https://evil.example/mark-of-2\"}}]}}"
            )
        }),
        judged(
            "a link to another server, confined",
            |_| json!({"link": [{"relation": "next", "url": "https://evil.example/mark-of-2"}]}),
        ),
        judged(
            "a self link of the upstream server, confined",
            |base| json!({"link": [{"relation": "self", "url": format!("{base}/x")}]}),
        ),
        judged(
            "an address in an extension, confined",
            |base| json!({"extension": [{"valueUri": base}]}),
        ),
        row(
            "a compressed answer, confined",
            "contract 6: compressed only if it was asked for",
            own(),
            compressed,
            Refused::Judged(502, "exception", "cannot be judged"),
        ),
    ]
}
