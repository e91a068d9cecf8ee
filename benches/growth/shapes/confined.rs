//! Answers of the upstream server, and requests of clients, as the layer that confines reads them.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response};
use serde_json::{Value, json};
use tower_fhir_auth::confine::{ConfineSettings, RequestBody, SealKey};
use tower_fhir_auth::jose::Algorithm;
use tower_layer::Layer;
use tower_service::Service;

use super::{Named, Reading, filled, listed};
use crate::world::{self, BASE, Key};

pub(super) const SHAPES: &[Named] = &[
    ("confined: entries of a page", |n| page(0, flags(n), &[])),
    ("confined: entries of a page, and scopes", |n| page(scopes(n), flags(n / 2), &[])),
    ("confined: links of a page", |n| page(0, Vec::new(), &links(n))),
    ("confined: links and entries of a page", |n| page(0, flags(n / 2), &links(n / 2))),
    ("confined: includes of a page", |n| {
        let along =
            |entry: Value| json!({"resource": entry["resource"], "search": {"mode": "include"}});
        page(0, flags(n).into_iter().map(along).collect(), &[])
    }),
    ("confined: entries that nobody can read", |n| {
        page(0, vec![json!({"resource": {"resourceType": 7}}); n / 36], &[])
    }),
    ("confined: Provenances, and their targets", |n| {
        let provenance = |target| json!({"resource": {"resourceType": "Provenance", "id": "p", "target": [{"reference": target}]}});
        let targets = listed((n / 3).min(256 * 12), |m| format!("Flag/{}", m % 200));
        let entries = targets.into_iter().map(provenance).collect();
        bundle_at("/Provenance", 0, entries, &[])
    }),
    ("confined: a deep resource", |n| {
        let nested = (0..(n / 8).min(14)).fold(json!("x"), |inner, _| json!({"a": [inner]}));
        let flag = json!({"resourceType": "Flag", "id": "1", "subject": patient("1"), "x": nested,
            "text": "x".repeat(n)});
        read("/Flag/1", flag)
    }),
    ("confined: members of a resource", |n| {
        let mut flag = json!({"resourceType": "Flag", "id": "1", "subject": patient("1")});
        let names = listed(n, |m| format!("member{m}"));
        names.into_iter().for_each(|name| flag[name] = json!(1));
        read("/Flag/1", flag)
    }),
    ("confined: attachments of a document", |n| read("/DocumentReference/1", document(n))),
    ("confined: pages of a search that show nothing", |n| {
        let hidden = json!({"resource": flag("x", "2")});
        let size = n / 16 / hidden.to_string().len() + 1;
        asked(0, "GET", "/Flag", String::new(), move |address| {
            let number = address.rsplit("page=").next().and_then(|number| number.parse().ok());
            let next = number.unwrap_or(1) + 1;
            let next = json!([{"relation": "next", "url": format!("{BASE}?page={next}")}]);
            bundle(vec![hidden.clone(); size], &next).to_string()
        })
    }),
    ("confined: a long link to the next page", |n| {
        let url = format!("{BASE}?page={}", "x".repeat(n));
        page(0, flags(200), &[json!({"relation": "next", "url": url})])
    }),
    ("confined: a sealed address that is none", |n| {
        let path = format!("/_pages/{}", "A".repeat(n));
        answered(0, "GET", &path, String::new(), &[404], |_| String::new())
    }),
    ("confined: parameters of a search", |n| {
        let query = filled(n, "&", |m| format!("identifier={m}"));
        asked(0, "GET", &format!("/Flag?{query}"), String::new(), |_| {
            bundle(Vec::new(), &json!([])).to_string()
        })
    }),
    ("confined: parameters of a search, and scopes", |n| {
        let query = filled(n / 2, "&", |m| format!("identifier={m}"));
        asked(scopes(n), "GET", &format!("/Flag?{query}"), String::new(), |_| {
            bundle(Vec::new(), &json!([])).to_string()
        })
    }),
    ("confined: headers", |n| {
        let names = listed(n, |m| format!("x-original-{m}"));
        with_headers(names.into_iter().map(|name| (name, "x".to_owned())).collect())
    }),
    ("confined: preferences", |n| {
        with_headers(vec![("prefer".to_owned(), "respond-async, handling=strict, ".repeat(n / 32))])
    }),
    ("confined: tags that are known", |n| {
        with_headers(vec![("if-none-match".to_owned(), "W/\"7\", ".repeat(n / 8))])
    }),
    ("confined: entries of a batch", |n| {
        let entries = listed(n, |m| format!("Flag?identifier={m:012}")).into_iter();
        let entries = entries.map(|url| json!({"request": {"method": "GET", "url": url}}));
        sent("batch", 0, entries.collect())
    }),
    ("confined: entries of a batch, and scopes", |n| {
        let entries = listed(n / 2, |m| format!("Flag?identifier={m:012}")).into_iter();
        let entries = entries.map(|url| json!({"request": {"method": "GET", "url": url}}));
        sent("batch", scopes(n), entries.collect())
    }),
    ("confined: entries of a transaction", |n| sent("transaction", 0, changes(n))),
    ("confined: placeholders of a transaction", |n| sent("transaction", 0, placed(n))),
    ("confined: operations of a patch", |n| {
        let operation = |value| json!({"op": "replace", "path": "/status", "value": value});
        // At most 200 are taken.
        let values = (0..100).map(|m| format!("{m}{}", "s".repeat(n / 100)));
        let patch: Vec<Value> = values.map(operation).collect();
        asked(0, "PATCH", "/Flag/1", json!(patch).to_string(), behind)
    }),
    ("confined: members of what is written", |n| {
        let mut flag = flag("1", "1");
        let names = listed(n, |m| format!("member{m}"));
        names.into_iter().for_each(|name| flag[name] = json!(1));
        asked(0, "PUT", "/Flag/1", flag.to_string(), behind)
    }),
    ("confined: a statement of many parameters", |n| {
        let parameter = |name| json!({"name": name, "type": "token"});
        let parameters: Vec<Value> =
            listed(n, |m| format!("p{m}")).into_iter().map(parameter).collect();
        let statement = json!({"resourceType": "CapabilityStatement", "rest": [{"mode": "server",
            "resource": [{"type": "Flag", "searchParam": parameters}]}]});
        asked(0, "GET", "/metadata", String::new(), move |_| statement.to_string())
    }),
];

/// The bytes of scopes beside `n / 2` bytes of something else. With a thousand more there are as many constraints as
/// count, 32, at every size: up to there each resource is compared with each of them.
pub(super) fn scopes(n: usize) -> usize {
    n / 2 + 1000
}

pub(super) fn patient(id: &str) -> Value {
    json!({"reference": format!("Patient/{id}")})
}

pub(super) fn flag(id: &str, of: &str) -> Value {
    json!({"resourceType": "Flag", "id": id, "status": "active", "subject": patient(of)})
}

/// Entries with Flags of one patient and another, of so many bytes.
fn flags(room: usize) -> Vec<Value> {
    let size = json!({"resource": flag("000", "1")}).to_string().len();
    let one = |m: usize| {
        let of = if m.is_multiple_of(2) { "1" } else { "2" };
        json!({"resource": flag(&m.to_string(), of)})
    };
    (0..room / size).map(one).collect()
}

fn links(room: usize) -> Vec<Value> {
    let urls = listed(room, |m| format!("{BASE}?page={m}")).into_iter();
    urls.map(|url| json!({"relation": "related", "url": url})).collect()
}

fn document(room: usize) -> Value {
    let urls = listed(room, |m| format!("Binary/b{m}")).into_iter();
    let content: Vec<Value> = urls.map(|url| json!({"attachment": {"url": url}})).collect();
    json!({"resourceType": "DocumentReference", "id": "1", "status": "current",
        "subject": patient("1"), "content": content})
}

pub(super) fn bundle(entries: Vec<Value>, links: &Value) -> Value {
    json!({"resourceType": "Bundle", "type": "searchset", "link": links, "entry": entries})
}

fn changes(room: usize) -> Vec<Value> {
    let one = |id: String| json!({"request": {"method": "PUT", "url": format!("Flag/{id}")}, "resource": flag(&id, "1")});
    listed(room / 3, |m| format!("f{m:010}")).into_iter().map(one).collect()
}

/// Creations, each of which names the others.
fn placed(room: usize) -> Vec<Value> {
    let names = listed(room / 3, |m| format!("urn:uuid:{m:08}-58cc-4372-a567-0e02b2c3d479"));
    let one = |name: &String| {
        let mut created = flag("x", "1");
        created["extension"] = json!([{"valueReference": {"reference": name}}]);
        json!({"fullUrl": name, "resource": created, "request": {"method": "POST", "url": "Flag"}})
    };
    names.iter().map(one).collect()
}

fn page(scopes: usize, entries: Vec<Value>, links: &[Value]) -> Reading {
    bundle_at("/Flag", scopes, entries, links)
}

pub(super) fn bundle_at(
    path: &str,
    scopes: usize,
    entries: Vec<Value>,
    links: &[Value],
) -> Reading {
    let own = path.to_owned();
    let text = bundle(entries, &json!(links)).to_string();
    asked(scopes, "GET", path, String::new(), move |address| {
        // The search is narrowed by the layer.
        match address.split('?').next().is_some_and(|path| path.ends_with(&own)) {
            true => text.clone(),
            false => behind(address),
        }
    })
}

fn read(path: &str, resource: Value) -> Reading {
    let text = resource.to_string();
    asked(0, "GET", path, String::new(), move |_| text.clone())
}

pub(super) fn sent(kind: &str, scopes: usize, entries: Vec<Value>) -> Reading {
    let answers: Vec<Value> =
        entries.iter().map(|_| json!({"response": {"status": "200"}})).collect();
    let answer = json!({"resourceType": "Bundle", "entry": answers}).to_string();
    let body = json!({"resourceType": "Bundle", "type": kind, "entry": entries}).to_string();
    asked(scopes, "POST", "", body, move |address| match address {
        "/r4" => answer.clone(),
        address => behind(address),
    })
}

/// A server with every Flag of patient 1.
pub(super) fn behind(address: &str) -> String {
    let told = match address.rsplit('/').next().unwrap_or_default() {
        "metadata" => json!({"resourceType": "CapabilityStatement", "rest": [{"mode": "server",
            "resource": [{"type": "Flag", "versioning": "versioned-update"}]}]}),
        name if name.starts_with("Flag") => bundle(Vec::new(), &json!([])),
        id => flag(id, "1"),
    };
    told.to_string()
}

fn with_headers(headers: Vec<(String, String)>) -> Reading {
    let request = move |request: Request<String>| {
        let (mut parts, body) = request.into_parts();
        for (name, value) in &headers {
            let name: http::HeaderName = name.parse().expect("a name");
            parts.headers.append(name, value.parse().expect("a value"));
        }
        Request::from_parts(parts, body)
    };
    made(Sent::get("/Flag/1"), &[200], behind, request)
}

pub(super) fn asked(
    scopes: usize,
    method: &'static str,
    path: &str,
    body: String,
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Reading {
    answered(scopes, method, path, body, &[200], answer)
}

fn answered(
    scopes: usize,
    method: &'static str,
    path: &str,
    body: String,
    statuses: &'static [u16],
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Reading {
    made(Sent { scopes, method, body, ..Sent::get(path) }, statuses, answer, |request| request)
}

/// A request by a token of a patient, and what the upstream server says.
pub(super) struct Sent {
    /// The bytes of scopes under constraints.
    pub(super) scopes: usize,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: String,
    pub(super) subject: String,
    pub(super) etag: String,
}

impl Sent {
    pub(super) fn get(path: &str) -> Self {
        let (path, subject, etag) = (path.to_owned(), "amara".to_owned(), "W/\"1\"".to_owned());
        Self { scopes: 0, method: "GET", path, body: String::new(), subject, etag }
    }
}

pub(super) fn made(
    Sent { scopes, method, path, body, subject, etag }: Sent,
    statuses: &'static [u16],
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
    finish: impl Fn(Request<String>) -> Request<String>,
) -> Reading {
    let key = Key::new(Algorithm::EdDsa);
    let own = "patient/*.cruds";
    let scopes = match scopes {
        0 => own.to_owned(),
        room => filled(room, " ", |n| format!("user/Flag.cruds?_id={n}")) + " " + own,
    };
    let token = key.token().without("roles").claim("patient", "1").claim("sub", subject);
    let token = token.claim("scp", scopes).sign().expect("a token");
    let settings = ConfineSettings::default().seal_keys([SealKey::new(&[7; 32]).expect("a key")]);
    let layer = world::layer(key.set()).build_confined(settings).expect("a layer");
    let mut service = layer.layer(Behind(Arc::new(answer), etag.parse().expect("a header")));
    let kind =
        if method == "PATCH" { "application/json-patch+json" } else { "application/fhir+json" };
    let request = || {
        let request = Request::builder().method(method).uri(format!("/r4{path}"));
        let request = request.header("authorization", format!("Bearer {token}"));
        finish(request.header("content-type", kind).body(body.clone()).expect("a request"))
    };
    let mut ready: Vec<Request<String>> = (0..super::READY).map(|_| request()).collect();
    Reading::of(move || {
        let request = ready.pop().expect("a request is ready");
        let response = world::at_once(service.call(request)).expect("an answer");
        let status = response.status().as_u16();
        assert!(statuses.contains(&status), "{status}");
    })
}

/// The upstream server.
#[derive(Clone)]
struct Behind(Arc<dyn Fn(&str) -> String + Send + Sync>, HeaderValue);

impl Service<Request<RequestBody<String>>> for Behind {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody<String>>) -> Self::Future {
        let response = Response::new((self.0)(&request.uri().to_string()));
        let (mut parts, body) = response.into_parts();
        parts.headers.insert("etag", self.1.clone());
        ready(Ok(Response::from_parts(parts, body)))
    }
}
