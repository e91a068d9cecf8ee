//! Bytes that can be read as two requests, and addresses that can be read as two places.

use super::world::Bytes;
use crate::confine::world::{fhir, observation};
use crate::kit::{Refused, Row, row};

const BY_HAND: &str = "tried by hand";
const READ: &str = "GET /r4/Observation/mark-of-1";

pub(crate) fn rows() -> Vec<Row<Bytes>> {
    framing().into_iter().chain(smuggled()).chain(places()).collect()
}

/// A search by POST, which everybody may ask, with these fields about its body.
fn posted(fields: &str, body: &str) -> Bytes {
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    Bytes::sending("POST /r4/Observation/_search", &format!("{form}{fields}"), body)
}

fn framing() -> Vec<Row<Bytes>> {
    let section = "RFC 9112 section 6.3";
    let sized = || posted("content-length: 12\r\n", "status=final");
    let framed = |name, reference, fields: &str, body: &str| {
        row(name, reference, sized(), posted(fields, body), Refused::Unreached(400))
    };
    let chunked = "transfer-encoding: chunked\r\n";
    vec![
        framed(
            "two lengths",
            section,
            "content-length: 12\r\ncontent-length: 2\r\n",
            "status=final",
        ),
        framed("lengths in a list", section, "content-length: 12, 2\r\n", "status=final"),
        framed("a signed length", section, "content-length: +12\r\n", "status=final"),
        framed("a length of base 16", section, "content-length: 0xc\r\n", "status=final"),
        framed(
            "chunks that are not last",
            "RFC 9112 section 6.1",
            "transfer-encoding: chunked, identity\r\n",
            "",
        ),
        framed(
            "an encoding unheard of",
            "RFC 9112 section 6.1",
            "transfer-encoding: xchunked\r\n",
            "",
        ),
        framed("a folded field", "RFC 9112 section 5.2", "x-a: 1\r\n content-length: 0\r\n", ""),
        framed(
            "a blank before the colon",
            "RFC 9112 section 5.1",
            "content-length : 12\r\n",
            "status=final",
        ),
        framed(
            "a bare carriage return",
            "RFC 9112 section 2.2",
            "x-a: 1\rcontent-length: 0\r\n",
            "",
        ),
        row(
            "a chunk with a signed size",
            "RFC 9112 section 7.1",
            posted(chunked, "c\r\nstatus=final\r\n0\r\n\r\n"),
            posted(chunked, "+c\r\nstatus=final\r\n0\r\n\r\n"),
            Refused::Judged(413, "too-long", "more than 64 KiB"),
        ),
        row(
            "a chunk with a size that overflows",
            "RFC 9112 section 7.1",
            posted(chunked, "c\r\nstatus=final\r\n0\r\n\r\n"),
            posted(chunked, "1000000000000000c\r\nstatus=final\r\n0\r\n\r\n"),
            Refused::Judged(413, "too-long", "more than 64 KiB"),
        ),
    ]
}

/// Requests in the body of another, for whoever reads its end otherwise. Their twin is behind it.
fn smuggled() -> Vec<Row<Bytes>> {
    let second = |id: &str| {
        format!(
            "GET /r4/Observation/mark-of-{id} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer TOKEN\r\nx-request-id: REQUEST-ID\r\nconnection: close\r\n\r\n"
        )
    };
    let first = |fields: &str, body: String| Bytes {
        answer: 1,
        ..Bytes::new(format!(
            "POST /r4/Observation/_search HTTP/1.1\r\nhost: a\r\nauthorization: Bearer TOKEN\r\nx-request-id: REQUEST-ID\r\n\
             content-type: application/x-www-form-urlencoded\r\n{fields}\r\n{body}"
        ))
    };
    let twin = || first("transfer-encoding: chunked\r\n", format!("0\r\n\r\n{}", second("1")));
    let length = 5 + second("1").len() + 2000;
    let both = |name, fields: String| {
        let attack = first(&fields, format!("0\r\n\r\n{}", second("1")));
        row(name, "RFC 9112 section 6.1: TE with CL", twin(), attack, Refused::Unreached(0))
    };
    vec![
        both(
            "a request behind the end by TE with CL",
            format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"),
        ),
        both(
            "a request behind the end by CL with TE",
            format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"),
        ),
        row(
            "a request in an extension of a chunk",
            "RFC 9112 section 7.1.1",
            twin(),
            first(
                "transfer-encoding: chunked\r\n",
                format!("0;{}\r\n\r\n", second("1").replace("\r\n", "\n")),
            ),
            Refused::Unreached(0),
        ),
        row(
            "a request in the trailers",
            "RFC 9112 section 7.1.2",
            twin(),
            first(
                "transfer-encoding: chunked\r\ntrailer: x-a\r\n",
                format!("0\r\nx-a: {}\r\n\r\n", second("1").replace("\r\n", " ")),
            ),
            Refused::Unreached(0),
        ),
    ]
}

/// Addresses by a token for everything: what reaches the upstream server is what was judged, or nothing.
fn places() -> Vec<Row<Bytes>> {
    let own = || Bytes::asking(READ, "").of_everything();
    let spelled = |name, target: &str, words| {
        let attack = Bytes::asking(&format!("GET {target}"), "").of_everything();
        let attack = attack.before(|_| Some(fhir(&observation("2"))));
        row(
            format!("{name}: {target}"),
            "contract 5: one spelling",
            own(),
            attack,
            Refused::Address(words),
        )
    };
    let confined = |name, target: &str, words| {
        let attack = Bytes::asking(&format!("GET {target}"), "");
        let attack = attack.before(|_| Some(fhir(&observation("2"))));
        let own = Bytes::asking(READ, "");
        row(format!("{name}: {target}, confined"), BY_HAND, own, attack, Refused::Address(words))
    };
    let (dots, encoded) = ("it has a segment of dots alone", "it is percent-encoded");
    let doubled = "it has two slashes with nothing between them";
    let (id, kind) = ("an id has letters, digits, `-` and `.` alone", "is not a resource type");
    vec![
        spelled("steps up", "/r4/Patient/../Observation/other", dots),
        spelled("steps out", "/r4/../admin", dots),
        spelled("a step on the spot", "/r4/./Observation/other", dots),
        spelled("escaped steps", "/r4/Patient/%2e%2e/Observation/other", DOTTED),
        spelled("escaped steps, half", "/r4/Patient/.%2E/Observation/other", DOTTED),
        spelled("an escaped slash", "/r4/Observation%2fother", encoded),
        spelled("an escaped letter", "/r4/%4fbservation/other", encoded),
        spelled("an escaped backslash", "/r4/Observation%5cother", DOTTED),
        spelled("an escaped null", "/r4/Observation/other%00", DOTTED),
        spelled("escapes of escapes", "/r4/Patient/%252e%252e/Observation", DOTTED),
        spelled("a parameter of a segment", "/r4/Observation/other;x=1", id),
        spelled("a parameter of steps", "/r4/Patient/..;/Observation/other", id),
        spelled("a backslash", "/r4/Observation\\other", kind),
        spelled("two slashes", "/r4//Observation/other", doubled),
        spelled("a slash at the end", "/r4/Observation/other/", "it ends in a slash"),
        spelled("another case", "/R4/Observation/other", "it is outside the base URL"),
        spelled("beside the base", "/r4x/Observation/other", "it is outside the base URL"),
        spelled("a type in lower case", "/r4/observation/other", "the resource type is spelled"),
        confined("steps up", "/r4/Patient/1/../../Observation/other", dots),
        confined("two slashes", "/r4//Observation/other", doubled),
    ]
}

/// In what is told of an address that would be none without its escapes either.
const DOTTED: &str = "the address is not a FHIR interaction";
