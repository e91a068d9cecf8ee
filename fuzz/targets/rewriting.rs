//! Body of an answer or a request → the same with addresses as the other side knows them, as it streams by.
//!
//! The first byte says which way it goes and how it is cut, the rest is the body. Wherever a body is cut, the same
//! comes out as of the whole; what was JSON is JSON, equal but for addresses; and what has no address in it goes on
//! byte by byte.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_fhir_auth_fuzz::model::json;

/// The gateway's own files: the program around them is much to build.
#[allow(dead_code, reason = "the gateway uses more of them")]
#[path = "../../fhir-auth/src/gateway"]
mod gateway {
    mod base;
    mod rewrite;
    mod spelling;

    use bytes::Bytes;

    fn rewriter(to_client: bool) -> rewrite::Rewriter {
        let public = super::PUBLIC.parse().unwrap();
        let bases = base::Bases::new(&public, &super::BEHIND.parse().unwrap());
        match to_client {
            true => rewrite::Rewriter::of_answer(bases),
            false => rewrite::Rewriter::of_request(bases),
        }
    }

    /// Rewrites a body that is there as a whole.
    pub(crate) fn at_once(to_client: bool, body: &[u8]) -> Vec<u8> {
        let mut rewriter = rewriter(to_client);
        let out = rewriter.whole(Bytes::copy_from_slice(body));
        [out, rewriter.finish()].concat()
    }

    /// Rewrites a body that comes in these parts.
    pub(crate) fn rewritten<'a>(to_client: bool, parts: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut rewriter = rewriter(to_client);
        let mut out = Vec::new();
        for part in parts {
            out.extend_from_slice(&rewriter.push(&Bytes::copy_from_slice(part)));
        }
        out.extend_from_slice(&rewriter.finish());
        out
    }
}

const PUBLIC: &str = "https://fhir.example.org/r4";
const BEHIND: &str = "http://127.0.0.1:8081/fhir";

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let to_client = first % 2 == 0;
    let whole = gateway::rewritten(to_client, std::iter::once(body));
    let at_once = gateway::at_once(to_client, body);
    assert_eq!(String::from_utf8_lossy(&at_once), String::from_utf8_lossy(&whole), "at once");
    // Cut into parts of one size, and into parts that grow.
    for (size, growth) in
        [(1, 0), (usize::from(first / 2) + 1, 0), (1, usize::from(first / 32) + 1)]
    {
        let (mut rest, mut next) = (body, size);
        let parts = std::iter::from_fn(|| {
            let (part, after) = rest.split_at(next.min(rest.len()));
            (rest, next) = (after, next + growth);
            (!part.is_empty()).then_some(part)
        });
        let out = gateway::rewritten(to_client, parts);
        assert_eq!(
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(&whole),
            "in parts of {size} and {growth}"
        );
    }
    if let Some(before) = json::object(body) {
        let after = json::object(&whole).expect("what was JSON is JSON");
        same(&Value::Object(before), &Value::Object(after), "", to_client);
    }
});

/// Checks that a document is as before but for the addresses in it, and for links to elsewhere.
fn same(before: &Value, after: &Value, name: &str, to_client: bool) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            if to_client && name == "link" {
                // Left out, or with an address of this server.
                let url = after.get("url").and_then(Value::as_str);
                assert!(url.is_none_or(|url| !url.contains("127.0.0.1")), "{after:?}");
                return;
            }
            let names: Vec<&String> = before.keys().collect();
            assert_eq!(names, after.keys().collect::<Vec<_>>());
            for (name, value) in before {
                same(value, &after[name], name, to_client);
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            if to_client && name == "link" {
                assert!(after.len() <= before.len());
                after.iter().for_each(|link| same(&Value::Null, link, "links", to_client));
                return;
            }
            assert_eq!(before.len(), after.len());
            for (before, after) in before.iter().zip(after) {
                same(before, after, if name == "link" { name } else { "" }, to_client);
            }
        }
        (Value::Null, _) if name == "links" => {}
        (Value::String(before), Value::String(after)) if before != after => {
            let rest = match to_client {
                true => after.strip_prefix(PUBLIC),
                false => Some(after.strip_prefix("https://foreign.invalid").unwrap_or(after)),
            };
            let rest = rest.unwrap_or_else(|| panic!("{name}: {before} became {after}"));
            assert!(before.ends_with(rest), "{name}: {before} became {after}");
            let addresses = ["fullUrl", "location", "reference", "url"];
            assert!(addresses.contains(&name), "{name}: {before} became {after}");
        }
        (before, after) => assert_eq!(before, after, "{name}"),
    }
}
