//! Answers and requests in which two things grow that are chosen apart, each with the other: what the layer that
//! confines would pay for both together, were one looked for in the other.
//!
//! Some are bounded by constants instead, which are large beside these sizes, and have no shape here: the values of a
//! condition with the entries that it finds (64 values), and the operations of a patch with the items of a list that
//! they push along (200 operations, 1,048,576 items).

use serde_json::{Value, json};

use super::confined::{Sent, asked, behind, bundle, bundle_at, flag, made, patient, scopes, sent};
use super::{Named, Reading, listed};
use crate::world::BASE;

pub(super) const SHAPES: &[Named] = &[
    ("confined: Provenances of one target, and its references", |n| {
        let mut target = flag("t", "1");
        let others = listed(n / 2, |m| format!("Device/{m}")).into_iter();
        target["x"] = others.map(|one| json!({"reference": one})).collect();
        let mut entries = provenances(n / 2, "Flag/t");
        entries.push(json!({"resource": target}));
        bundle_at("/Provenance", 0, entries, &[])
    }),
    ("confined: Provenances, and other entries of the page", |n| {
        let mut entries = provenances(n / 2, "Flag/0");
        let others = listed(n / 2, |m| m.to_string()).into_iter();
        entries.extend(others.take(n / 200).map(|id| json!({"resource": flag(&id, "1")})));
        bundle_at("/Provenance", 0, entries, &[])
    }),
    ("confined: attachments, and the name of the caller", |n| {
        let urls = listed(n / 2, |m| format!("Binary/b{m}")).into_iter();
        let content: Vec<Value> = urls.map(|url| json!({"attachment": {"url": url}})).collect();
        let document = json!({"resourceType": "DocumentReference", "id": "1", "subject": patient("1"),
            "content": content});
        let answer = document.to_string();
        made(
            Sent { subject: "a".repeat(n / 2), ..Sent::get("/DocumentReference/1") },
            &[200],
            move |_| answer.clone(),
            |request| request,
        )
    }),
    ("confined: documents of a page, and scopes", |n| {
        let document = |m: usize| {
            json!({"resource": {"resourceType": "DocumentReference", "id": m.to_string(), "subject": patient("1"),
                "content": [{"attachment": {"url": "Binary/b"}}]}})
        };
        bundle_at("/DocumentReference", scopes(n), (0..n / 300).map(document).collect(), &[])
    }),
    ("confined: deletions of a history, and scopes", |n| {
        let deletion =
            |m: usize| json!({"request": {"method": "DELETE", "url": format!("Flag/{m}")}});
        let entries: Vec<Value> = (0..n / 100).map(deletion).collect();
        let answer =
            json!({"resourceType": "Bundle", "type": "history", "entry": entries}).to_string();
        asked(scopes(n), "GET", "/Flag/_history", String::new(), move |_| answer.clone())
    }),
    ("confined: entries of a transaction, and headers", |n| {
        let entries = changes(n / 2);
        let headers = listed(n / 2, |m| format!("x-{m}"));
        with_headers(entries, headers)
    }),
    ("confined: entries of a batch that are refused", |n| {
        let entries = listed(n, |m| format!("Flag/{m:010}/$nothing")).into_iter();
        let entries = entries.map(|url| json!({"request": {"method": "GET", "url": url}}));
        sent("batch", 0, entries.collect())
    }),
    ("confined: references of results, and what comes along", |n| {
        let along = |m: usize| {
            json!({"resource": {"resourceType": "Device", "id": m.to_string(), "patient": patient("1")},
                "search": {"mode": "include"}})
        };
        let many = n / 200;
        let mut result = flag("r", "1");
        let all = listed(n / 2, |m| format!("Device/{}", m % many)).into_iter();
        result["x"] = all.map(|one| json!({"reference": one})).collect();
        let mut entries = vec![json!({"resource": result}), json!({"resource": flag("h", "2")})];
        entries.extend((0..many).map(along));
        bundle_at("/Flag", 0, entries, &[])
    }),
    ("confined: tags that are known, and a long ETag", |n| {
        let tag = format!("W/\"{}\"", "7".repeat(n / 2));
        let tags = format!("W/\"{}\", ", "8".repeat(4)).repeat(n / 20);
        tagged(tag, tags)
    }),
    ("confined: tests of a patch, and digits", |n| {
        let mut flag = flag("1", "1");
        flag["x"] = json!({"valueDecimal": "DIGITS"});
        let digits = format!("1.{}", "0".repeat(n / 2));
        let before = flag.to_string().replace("\"DIGITS\"", &digits);
        let tests = listed(n / 2, |m| format!("{m:040}")).len().min(200);
        let test = json!({"op": "test", "path": "/status", "value": "active"});
        let long = format!(r#"{{"op":"test","path":"/x/valueDecimal","value":{digits}}}"#);
        let all = vec![test.to_string(); tests].join(",");
        asked(0, "PATCH", "/Flag/1", format!("[{all},{long}]"), move |address| {
            match address.ends_with("/Flag/1") {
                true => before.clone(),
                false => behind(address),
            }
        })
    }),
    ("confined: addresses of a statement", |n| {
        let texts = listed(n, |m| format!("{BASE}/{m}"));
        let statement = json!({"resourceType": "CapabilityStatement", "x": texts}).to_string();
        asked(0, "GET", "/metadata", String::new(), move |_| statement.clone())
    }),
    ("confined: servers of a statement", |n| {
        let servers = vec![json!({"mode": "server"}); n / 18];
        let statement = json!({"resourceType": "CapabilityStatement", "rest": servers}).to_string();
        asked(0, "GET", "/metadata", String::new(), move |_| statement.clone())
    }),
    ("confined: values of a condition", |n| {
        let value = |m: usize| format!("{m:0width$}", width = n / 64);
        let values: Vec<String> = (0..32).map(value).collect();
        let below = format!("/Flag?identifier={}", values.join(","));
        let mut new = flag("x", "1");
        new.as_object_mut().expect("an object").remove("id");
        let sent = Sent { method: "PUT", body: new.to_string(), ..Sent::get(&below) };
        made(sent, &[200, 201], behind_all, |request| request)
    }),
];

/// A server that knows nothing by a condition, and everything by its id.
fn behind_all(address: &str) -> String {
    match address.contains('?') {
        true => bundle(Vec::new(), &json!([])).to_string(),
        false if address.ends_with("/Flag") => flag("new", "1").to_string(),
        false => behind(address),
    }
}

fn provenances(room: usize, target: &str) -> Vec<Value> {
    let one = |m: usize| {
        json!({"resource": {"resourceType": "Provenance", "id": m.to_string(),
            "target": [{"reference": target}]}})
    };
    (0..room / 100).map(one).collect()
}

fn changes(room: usize) -> Vec<Value> {
    let ids = listed(room / 3, |m| format!("f{m:010}")).into_iter();
    let one = |id: String| json!({"request": {"method": "PUT", "url": format!("Flag/{id}")}, "resource": flag(&id, "1")});
    ids.map(one).collect()
}

fn with_headers(entries: Vec<Value>, names: Vec<String>) -> Reading {
    let answers: Vec<Value> =
        entries.iter().map(|_| json!({"response": {"status": "200"}})).collect();
    let answer = json!({"resourceType": "Bundle", "entry": answers}).to_string();
    let body = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let transaction = Sent { method: "POST", body: body.to_string(), ..Sent::get("") };
    made(
        transaction,
        &[200],
        move |address| match address {
            "/r4" => answer.clone(),
            address => behind(address),
        },
        move |mut request| {
            for name in &names {
                let name: http::HeaderName = name.parse().expect("a name");
                request.headers_mut().append(name, http::HeaderValue::from_static("x"));
            }
            request
        },
    )
}

fn tagged(tag: String, tags: String) -> Reading {
    let sent = Sent { etag: tag, ..Sent::get("/Flag/1") };
    made(sent, &[200], behind, move |mut request| {
        let tags = tags.parse().expect("a header");
        request.headers_mut().insert("if-none-match", tags);
        request
    })
}
