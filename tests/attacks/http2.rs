//! Header fields of HTTP/2 (RFC 9113), by a client that knows that the server speaks it.

use http::HeaderValue;
use reqwest::Method;

use crate::kit::{Answer, Attack, Refused, Row, row, table};
use crate::wire::Wire;

/// Method, path, and fields; `TOKEN` is the token.
#[derive(Clone)]
struct Sent {
    method: &'static str,
    path: &'static str,
    fields: Vec<(&'static str, &'static [u8])>,
}

const BEARER: (&str, &[u8]) = ("authorization", b"Bearer TOKEN");

fn get(fields: &[(&'static str, &'static [u8])]) -> Sent {
    Sent { method: "GET", path: "/r4/Patient/1", fields: fields.to_vec() }
}

async fn ask(wire: &Wire, sent: Sent) -> Answer {
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}{}", wire.address, sent.path);
    let mut request = client.request(Method::from_bytes(sent.method.as_bytes()).unwrap(), url);
    for (name, value) in sent.fields {
        let value = match value.strip_suffix(b"TOKEN") {
            Some(before) => [before, wire.token().as_bytes()].concat(),
            None => value.to_vec(),
        };
        request = request.header(name, HeaderValue::from_bytes(&value).unwrap());
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer::read(status, &headers, &response.text().await.unwrap())
}

pub(crate) fn attacks() -> Vec<Attack> {
    table(rows(), Wire::start, ask)
}

fn rows() -> Vec<Row<Sent>> {
    let two = Refused::Request("more than one `Authorization` header");
    let none = Refused::Credentials("no bearer token in the `Authorization` header");
    let twice = "tried by hand: HTTP/2 with two headers";
    let against =
        |name, reference, sent, refused| row(name, reference, get(&[BEARER]), sent, refused);
    vec![
        against(
            "two headers, good and bad",
            twice,
            get(&[BEARER, ("authorization", b"Bearer x")]),
            two,
        ),
        against(
            "two headers, bad and good",
            twice,
            get(&[("authorization", b"Bearer x"), BEARER]),
            two,
        ),
        against("two headers, both good", twice, get(&[BEARER, BEARER]), two),
        against("no header", "RFC 6750 section 3.1", get(&[]), none),
        against(
            "a cookie",
            "RFC 9113 section 8.2.3",
            get(&[("cookie", b"access_token=TOKEN")]),
            none,
        ),
        against(
            "C1 bytes",
            "tried by hand: C1 bytes",
            get(&[("authorization", b"Bearer x\x80\x9f")]),
            Refused::Request("a byte that is not UTF-8"),
        ),
        against(
            "two tokens by a comma",
            "RFC 9110 section 5.3",
            get(&[("authorization", b"Bearer x, Bearer TOKEN")]),
            Refused::Request("joined by a comma"),
        ),
        against(
            "TRACE",
            "tried by hand: TRACE",
            Sent { method: "TRACE", ..get(&[BEARER]) },
            Refused::Address("it has none with this method"),
        ),
        against(
            "another method by a header",
            "tried by hand: override headers",
            Sent { method: "TRACE", ..get(&[BEARER, ("x-http-method-override", b"GET")]) },
            Refused::Address("it has none with this method"),
        ),
        against(
            "a token in the query",
            "CVE-2026-44883",
            Sent { path: "/r4/Patient/1?access_token=x", ..get(&[BEARER]) },
            Refused::Request("`access_token` in the query"),
        ),
        against(
            "a preflight that is a read",
            "Fetch standard section 4.8",
            get(&[("access-control-request-method", b"GET")]),
            none,
        ),
    ]
}
