//! Framing and targets of HTTP/1.1 (RFC 9112), as bytes on a socket.

use crate::header::{GOOD, MALFORMED, NONE, ask, to};
use crate::kit::{Answer, Attack, Pair, Refused, Row, row, table};
use crate::wire::Wire;

pub(crate) fn attacks() -> Vec<Attack> {
    let mut attacks = table(framing().into_iter().chain(targets()), Wire::start, ask);
    let reference = "tried by hand: TE with CL, RFC 9112 section 6.1";
    attacks.push(Attack::new("a request in the body, by TE with CL", reference, smuggled));
    attacks
}

/// A second request lies in the body of the first for whoever reads by the length alone. Where there
/// is no length it is a request like any other; with one, hyper closes the connection before it.
async fn smuggled() -> Pair {
    let wire = Wire::start().await;
    let second = String::from_utf8(to("GET /r4/Patient/2", GOOD)).unwrap();
    let body = format!("0\r\n\r\n{second}");
    let length = format!("content-length: {}\r\n", body.len());
    let sent = |length: &str| {
        let bearer = "authorization: Bearer TOKEN\r\ntransfer-encoding: chunked\r\n";
        post(&format!("{bearer}{length}"), &body)
    };
    let mut answers = wire.all(&sent("")).await;
    let (twin, first) = (answers.pop().unwrap(), answers.pop().unwrap());
    assert_eq!(first.status, 200, "{first}");
    let answers = wire.all(&sent(&length)).await;
    let [first] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!(first.status, 200, "{first}");
    Pair::new(twin, Answer::default(), Refused::Unreached(0))
}

fn post(fields: &str, body: &str) -> Vec<u8> {
    format!("POST /r4/Patient HTTP/1.1\r\nhost: a\r\n{fields}\r\n{body}").into_bytes()
}

fn framing() -> Vec<Row<Vec<u8>>> {
    let length = "tried by hand: two CL, RFC 9112 section 6.3";
    let both = "tried by hand: TE with CL, RFC 9112 section 6.1";
    let good = "connection: close\r\nauthorization: Bearer TOKEN\r\n";
    let posted = |fields: &str| post(&format!("{good}{fields}"), "12345");
    let framed = |name, reference, fields: &str| {
        row(name, reference, posted("content-length: 5\r\n"), posted(fields), MALFORMED)
    };
    let behind = |authorization: &str| {
        let inner = format!(
            "GET /r4/Patient/2 HTTP/1.1\r\nhost: a\r\n{authorization}connection: close\r\n\r\n"
        );
        post("authorization: Bearer TOKEN\r\ncontent-length: 0\r\n", &inner)
    };
    let bearer = "authorization: Bearer TOKEN\r\n";
    let trailer = |authorization: &str, trailer: &str| {
        post(
            &format!(
                "connection: close\r\n{authorization}trailer: authorization\r\ntransfer-encoding: chunked\r\n"
            ),
            &format!("5\r\n12345\r\n0\r\n{trailer}\r\n"),
        )
    };
    vec![
        framed("two lengths", length, "content-length: 5\r\ncontent-length: 6\r\n"),
        framed("two lengths by a comma", length, "content-length: 5, 6\r\n"),
        framed("a length with a sign", length, "content-length: +5\r\n"),
        framed("a negative length", length, "content-length: -5\r\n"),
        framed("a length of base 16", length, "content-length: 0x5\r\n"),
        framed("an endless length", length, "content-length: 99999999999999999999\r\n"),
        framed("another encoding", both, "transfer-encoding: xchunked\r\n"),
        framed("chunks that are not last", both, "transfer-encoding: chunked, identity\r\n"),
        row("a request behind another", "RFC 9112 section 9.3.2", behind(bearer), behind(""), NONE),
        row(
            "a token in a trailer",
            "RFC 9110 section 6.5.1",
            trailer(bearer, ""),
            trailer("", bearer),
            NONE,
        ),
        row(
            "a token in the body",
            "RFC 6750 section 2.2",
            post(
                &format!(
                    "{good}content-type: application/x-www-form-urlencoded\r\ncontent-length: 14\r\n"
                ),
                "access_token=x",
            ),
            post(
                "connection: close\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 14\r\n",
                "access_token=x",
            ),
            NONE,
        ),
    ]
}

fn targets() -> Vec<Row<Vec<u8>>> {
    let hand = "tried by hand";
    let good = |line: &str| to(line, GOOD);
    let query = "CVE-2026-44883, RFC 6750 section 2.3";
    let read = "GET /r4/Patient/1";
    let upgrade = |authorization: &[u8]| {
        let fields = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n";
        let head = b"GET /r4/Patient/1 HTTP/1.1\r\nhost: a\r\n";
        // The request behind closes the connection.
        [head, &fields[..], authorization, b"\r\n", &to(read, authorization)].concat()
    };
    vec![
        row(
            "CONNECT",
            "tried by hand: CONNECT",
            good(read),
            good("CONNECT a:443"),
            Refused::Address("it cannot be read as a URL"),
        ),
        row(
            "CONNECT without a token",
            "tried by hand: CONNECT",
            good(read),
            to("CONNECT a:443", b""),
            NONE,
        ),
        row(
            "TRACE",
            "tried by hand: TRACE",
            good(read),
            good("TRACE /r4/Patient/1"),
            Refused::Address("it has none with this method"),
        ),
        row(
            "TRACE without a token",
            "tried by hand: TRACE",
            good(read),
            to("TRACE /r4/Patient/1", b""),
            NONE,
        ),
        row(
            "a method that nobody knows",
            hand,
            good(read),
            good("GETS /r4/Patient/1"),
            Refused::Address("it has none with this method"),
        ),
        row(
            "a method in small letters",
            "RFC 9110 section 9.1",
            good(read),
            good("get /r4/Patient/1"),
            Refused::Address("it has none with this method"),
        ),
        row("OPTIONS of everything", hand, good(read), to("OPTIONS *", b""), NONE),
        row(
            "OPTIONS that is no preflight",
            hand,
            good(read),
            to("OPTIONS /r4/Patient/1", b"origin: https://app.example\r\n"),
            NONE,
        ),
        row("h2c upgrade", "tried by hand: h2c upgrade", upgrade(GOOD), upgrade(b""), NONE),
        row(
            "a token in the query",
            query,
            good(read),
            good("GET /r4/Patient/1?access_token=TOKEN"),
            Refused::Request("`access_token` in the query"),
        ),
        row(
            "a token in the query alone",
            query,
            good(read),
            to("GET /r4/Patient/1?access_token=TOKEN", b""),
            Refused::Request("`access_token` in the query"),
        ),
        row(
            "a token in the query, encoded",
            query,
            good(read),
            good("GET /r4/Patient/1?access%5ftoken=x"),
            Refused::Request("`access_token` in the query"),
        ),
        row(
            "absolute form without a token",
            hand,
            good("GET http://a/r4/Patient/1"),
            to("GET http://a/r4/Patient/1", b""),
            NONE,
        ),
        row(
            "absolute form of a public path of another host",
            hand,
            good("GET http://a/r4/Patient/1"),
            to("GET http://evil.example/r4/metadata/../Patient/1", b""),
            NONE,
        ),
        row(
            "a blank in the target",
            "RFC 9112 section 3.2",
            good(read),
            good("GET /r4/Patient/1 x"),
            MALFORMED,
        ),
        row(
            "HTTP/0.9",
            "RFC 9112 section 3",
            good(read),
            b"GET /r4/Patient/1\r\n\r\n".to_vec(),
            MALFORMED,
        ),
        row(
            "HTTP/3.0 on the line",
            "RFC 9112 section 2.3",
            good(read),
            b"GET /r4/Patient/1 HTTP/3.0\r\nhost: a\r\nauthorization: Bearer TOKEN\r\n\r\n"
                .to_vec(),
            MALFORMED,
        ),
        row(
            "a very long address",
            "RFC 9110 section 15.5.15",
            good(read),
            good(&format!("GET /r4/Patient?name={}", "x".repeat(66_000))),
            Refused::Unreached(414),
        ),
    ]
}
