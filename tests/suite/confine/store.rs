//! A FHIR server that keeps what it is sent, and enforces nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::Full;
use serde_json::{Value, json};

use super::careless::Careless;
use crate::support::BASE;

/// All versions of each resource, as they were sent; `None` is a deletion.
pub(super) type Versions = BTreeMap<String, Vec<Option<String>>>;

type BeforeWrite = dyn Fn(&mut Versions) + Send + Sync;

/// What the server keeps, and how it is.
#[derive(Clone)]
pub(super) struct Store {
    versions: Arc<Mutex<Versions>>,
    /// What it says of versions, and whether it heeds `If-Match`.
    says: &'static str,
    heeds: bool,
    /// Whether an answer says its version, and shows what was written.
    tells_versions: bool,
    /// What happens between a read and the write after it.
    before_write: Option<Arc<BeforeWrite>>,
}

impl Store {
    pub(super) fn with(resources: &[Value]) -> Self {
        let name = |one: &Value| {
            format!("{}/{}", one["resourceType"].as_str().unwrap(), one["id"].as_str().unwrap())
        };
        let versions = resources.iter().map(|one| (name(one), vec![Some(one.to_string())]));
        let versions = Arc::new(Mutex::new(versions.collect()));
        Self {
            versions,
            says: "versioned-update",
            heeds: true,
            tells_versions: true,
            before_write: None,
        }
    }

    pub(super) fn saying(mut self, versioning: &'static str) -> Self {
        self.says = versioning;
        self
    }

    /// A server that overwrites whatever is there.
    pub(super) fn heedless(mut self) -> Self {
        self.heeds = false;
        self
    }

    pub(super) fn silent_of_versions(mut self) -> Self {
        self.tells_versions = false;
        self
    }

    pub(super) fn before_each_write(
        mut self,
        happens: impl Fn(&mut Versions) + Send + Sync + 'static,
    ) -> Self {
        self.before_write = Some(Arc::new(happens));
        self
    }

    pub(super) fn server(&self) -> Careless {
        let store = self.clone();
        Careless::handled_by(move |method, address, headers, body| {
            store.answer(method, address, headers, body)
        })
    }

    /// Adds a version, as somebody else would.
    pub(super) fn push(&self, name: &str, text: String) {
        self.versions.lock().unwrap().entry(name.to_owned()).or_default().push(Some(text));
    }

    /// The text of a resource as it is.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.versions.lock().unwrap().get(name)?.last()?.clone()
    }

    pub(super) fn json(&self, name: &str) -> Value {
        self.text(name).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    }

    /// The number of versions of all resources.
    pub(super) fn count(&self) -> usize {
        self.versions.lock().unwrap().values().map(Vec::len).sum()
    }

    pub(super) fn answer(
        &self,
        method: &str,
        address: &str,
        headers: &HeaderMap,
        body: &str,
    ) -> Response<Full<Bytes>> {
        let path = address.split('?').next().unwrap_or_default();
        let below: Vec<&str> = path.trim_start_matches("/r4").split('/').skip(1).collect();
        let mut versions = self.versions.lock().unwrap();
        if method != "GET"
            && let Some(happens) = &self.before_write
        {
            happens(&mut versions);
        }
        match (method, below.as_slice()) {
            ("GET", ["metadata"]) => self.metadata(),
            ("GET", [kind, id]) => self.read(&versions, &format!("{kind}/{id}")),
            ("GET", [kind, id, "_history"]) => history(&versions, &format!("{kind}/{id}")),
            ("GET", [kind]) => search(&versions, kind),
            ("POST", [] | [""]) => self.transaction(&mut versions, body),
            ("POST", [kind]) => {
                let name = format!("{kind}/new-{}", versions.len());
                let text = with_id(body, name.rsplit('/').next().unwrap());
                versions.insert(name.clone(), vec![Some(text)]);
                self.written(&versions, &name, 201)
            }
            (_, [kind, id]) => {
                let name = format!("{kind}/{id}");
                if !self.fits(&versions, &name, headers.get("if-match")) {
                    return outcome(412, "conflict");
                }
                let text = (method != "DELETE").then(|| body.to_owned());
                let is_new = !versions.contains_key(&name);
                versions.entry(name.clone()).or_default().push(text);
                match method {
                    "DELETE" => Response::builder().status(204).body(Full::default()).unwrap(),
                    _ => self.written(&versions, &name, if is_new { 201 } else { 200 }),
                }
            }
            _ => outcome(404, "not-found"),
        }
    }

    fn fits(&self, versions: &Versions, name: &str, if_match: Option<&http::HeaderValue>) -> bool {
        let current = versions.get(name).map_or(0, Vec::len);
        if_match.is_none_or(|tag| !self.heeds || tag == format!("W/\"{current}\"").as_str())
    }

    fn metadata(&self) -> Response<Full<Bytes>> {
        let resources = ["Patient", "Observation", "Condition", "Organization", "Provenance"];
        let resources = resources.map(|name| json!({"type": name, "versioning": self.says}));
        let statement = json!({"resourceType": "CapabilityStatement",
            "rest": [{"mode": "server", "resource": resources}]});
        answer(200, statement.to_string())
    }

    fn read(&self, versions: &Versions, name: &str) -> Response<Full<Bytes>> {
        match versions.get(name).and_then(|all| all.last()) {
            Some(Some(_)) => self.written(versions, name, 200),
            Some(None) => outcome(410, "deleted"),
            None => outcome(404, "not-found"),
        }
    }

    fn written(&self, versions: &Versions, name: &str, status: u16) -> Response<Full<Bytes>> {
        let all = versions.get(name).unwrap();
        let mut response = answer(status, all.last().unwrap().clone().unwrap());
        if self.tells_versions {
            let tag = format!("W/\"{}\"", all.len()).parse().unwrap();
            response.headers_mut().insert("etag", tag);
        }
        let place = format!("{BASE}/{name}/_history/{}", all.len()).parse().unwrap();
        response.headers_mut().insert("location", place);
        response
    }

    /// All entries or none.
    fn transaction(&self, versions: &mut Versions, body: &str) -> Response<Full<Bytes>> {
        let bundle: Value = serde_json::from_str(body).unwrap();
        let mut changed = versions.clone();
        let mut answers = Vec::new();
        for entry in bundle["entry"].as_array().into_iter().flatten() {
            let request = |name: &str| entry["request"][name].as_str();
            let method = request("method").unwrap();
            let url = request("url").unwrap().trim_start_matches('/').to_owned();
            let if_match = request("ifMatch").map(|tag| tag.parse().unwrap());
            if !self.fits(&changed, &url, if_match.as_ref()) {
                return outcome(412, "conflict");
            }
            let (name, status) = match method {
                "POST" => (format!("{url}/new-{}", changed.len()), "201 Created"),
                "DELETE" => (url, "204"),
                _ => (url, "200"),
            };
            let text = (method != "DELETE")
                .then(|| with_id(&entry["resource"].to_string(), name.rsplit('/').next().unwrap()));
            changed.entry(name.clone()).or_default().push(text.clone());
            let version = changed[&name].len();
            let mut answer = json!({"response": {"status": status, "etag": format!("W/\"{version}\""),
                "location": format!("{name}/_history/{version}")}});
            if let Some(text) = text {
                answer["resource"] = serde_json::from_str(&text).unwrap();
            }
            answers.push(answer);
        }
        *versions = changed;
        let bundle =
            json!({"resourceType": "Bundle", "type": "transaction-response", "entry": answers});
        answer(200, bundle.to_string())
    }
}

fn with_id(text: &str, id: &str) -> String {
    let mut resource: Value = serde_json::from_str(text).unwrap();
    resource["id"] = id.into();
    resource.to_string()
}

/// Whatever is searched: all of the type.
fn search(versions: &Versions, kind: &str) -> Response<Full<Bytes>> {
    let of_kind = versions.iter().filter(|(name, _)| name.starts_with(&format!("{kind}/")));
    let live = of_kind.filter_map(|(_, all)| all.last().unwrap().clone());
    let entries: Vec<String> = live.map(|text| format!("{{\"resource\":{text}}}")).collect();
    let entries = entries.join(",");
    answer(200, format!(r#"{{"resourceType":"Bundle","type":"searchset","entry":[{entries}]}}"#))
}

fn history(versions: &Versions, name: &str) -> Response<Full<Bytes>> {
    let Some(all) = versions.get(name) else { return outcome(404, "not-found") };
    let entries = all.iter().rev().map(|version| match version {
        Some(text) => format!("{{\"resource\":{text}}}"),
        None => format!("{{\"request\":{{\"method\":\"DELETE\",\"url\":\"{name}\"}}}}"),
    });
    let entries = entries.collect::<Vec<_>>().join(",");
    answer(200, format!(r#"{{"resourceType":"Bundle","type":"history","entry":[{entries}]}}"#))
}

fn answer(status: u16, body: String) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status);
    let response = response.header("content-type", "application/fhir+json");
    response.header("x-total-count", "99").body(Full::from(body)).unwrap()
}

fn outcome(status: u16, code: &str) -> Response<Full<Bytes>> {
    let outcome = json!({"resourceType": "OperationOutcome",
        "issue": [{"code": code, "diagnostics": "mark-of-the-server"}]});
    answer(status, outcome.to_string())
}
