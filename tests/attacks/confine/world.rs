//! The layer that confines, and a hostile server behind it. What is patient 1's has the mark of 1 wherever it is,
//! what is another's that of 2: who sees or changes something of the mark of 2 has been let in.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::authentication::Clock;
use tower_fhir_auth::authorization::ScopePolicy;
use tower_fhir_auth::confine::{ConfineSettings, ConfinedLayer, RequestBody, SealKey};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{TestClock, TestIssuer};

use crate::kit::Answer;
use crate::support::{BASE, NOW};

/// The mark of patient 1, who is asking, and that of patient 2; also as numbers.
pub(crate) const MINE: &str = "mark-of-1";
pub(crate) const OTHERS: [&str; 2] = ["mark-of-2", "22222222"];

/// Everything that is patient 1's.
pub(crate) const OWN: &str = "patient/*.cruds";

/// A request as it has come to the upstream server.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

pub(crate) type Reply = Response<Full<Bytes>>;
pub(crate) type Behind = dyn Fn(&Asked) -> Option<Reply> + Send + Sync;

/// A request, and how the upstream server answers it, where not as [`usual`].
#[derive(Clone)]
pub(crate) struct Shot {
    pub(crate) method: &'static str,
    pub(crate) below: String,
    pub(crate) scope: &'static str,
    pub(crate) patient: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    pub(crate) behind: Arc<Behind>,
}

impl Shot {
    pub(crate) fn new(method: &'static str, below: impl Into<String>) -> Self {
        let (below, headers, body) = (below.into(), Vec::new(), String::new());
        let (scope, patient, subject) = (OWN, "1", "amara");
        Self { method, below, scope, patient, subject, headers, body, behind: Arc::new(|_| None) }
    }

    pub(crate) fn get(below: impl Into<String>) -> Self {
        Self::new("GET", below)
    }

    pub(crate) fn holding(self, scope: &'static str) -> Self {
        Self { scope, ..self }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With a body of FHIR JSON, unless a header says otherwise.
    #[expect(clippy::needless_pass_by_value, reason = "rows have them as they are written")]
    pub(crate) fn sending(mut self, body: impl ToString) -> Self {
        self.body = body.to_string();
        if !self.headers.iter().any(|(name, _)| *name == "content-type") {
            self.headers.push(("content-type", "application/fhir+json".to_owned()));
        }
        self
    }

    pub(crate) fn before(
        mut self,
        behind: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        self.behind = Arc::new(behind);
        self
    }

    /// Before a server that answers this request, and no other, in this way.
    pub(crate) fn answered(self, reply: impl Fn() -> Reply + Send + Sync + 'static) -> Self {
        let line = format!("/r4{}", self.below.split('?').next().unwrap_or_default());
        self.before(move |asked| {
            let path = asked.line.split([' ', '?']).nth(1).unwrap_or_default();
            (path == line).then(&reply)
        })
    }
}

/// The layer with an issuer of its own.
pub(crate) struct World {
    issuer: TestIssuer,
    pub(crate) clock: TestClock,
    layer: ConfinedLayer,
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) asked: Vec<Asked>,
}

pub(crate) async fn start() -> World {
    keyed(7).await
}

/// With another key that seals.
pub(crate) async fn keyed(key: u8) -> World {
    let issuer = TestIssuer::with_algorithm(Algorithm::Es256).await.unwrap();
    let clock = TestClock::at(NOW);
    let layer = FhirAuthLayer::builder(BASE).issuer(issuer.trusted());
    let layer = layer.authorizer(ScopePolicy::new()).clock(clock.clone());
    let settings = ConfineSettings::default().seal_keys([SealKey::new(&[key; 32]).unwrap()]);
    let layer = layer.build_confined(settings).unwrap();
    layer.auth().ready().await;
    World { issuer, clock, layer }
}

impl World {
    pub(crate) async fn got(&self, shot: &Shot) -> Got {
        let token = self.issuer.token_at(Clock::now(&self.clock)).claim("aud", BASE);
        let token = token.claim("scope", shot.scope).claim("patient", shot.patient);
        let token = token.claim("sub", shot.subject).sign().unwrap();
        let mut request = Request::builder().method(shot.method);
        request = request.uri(format!("/r4{}", shot.below));
        request = request.header("authorization", format!("Bearer {token}"));
        for (name, value) in &shot.headers {
            request = request.header(*name, value);
        }
        let log = Arc::new(Mutex::new(Vec::new()));
        let (behind, kept) = (Arc::clone(&shot.behind), Arc::clone(&log));
        let server = service_fn(move |request: Request<RequestBody<Full<Bytes>>>| {
            let (behind, kept) = (Arc::clone(&behind), Arc::clone(&kept));
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let body = String::from_utf8_lossy(&body).into_owned();
                let line = format!("{} {}", parts.method, parts.uri);
                let asked = Asked { line, headers: parts.headers, body };
                kept.lock().unwrap().push(asked.clone());
                Ok::<_, Infallible>(behind(&asked).unwrap_or_else(|| usual(&asked)))
            }
        });
        let request = request.body(Full::from(shot.body.clone())).unwrap();
        let response = self.layer.layer(server).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        // A file may break off where it cannot be judged.
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let text = String::from_utf8_lossy(&body).into_owned();
        let asked = log.lock().unwrap().clone();
        Got { status: parts.status.as_u16(), headers: parts.headers, text, asked }
    }
}

pub(crate) async fn ask(world: &World, shot: Shot) -> Answer {
    world.got(&shot).await.answer()
}

impl Got {
    /// Judges what a client got: whatever has the mark of another lets in, and so does a change of another's.
    pub(crate) fn answer(&self) -> Answer {
        let told = format!("{:?} {}", self.headers, self.text);
        let is_change =
            |asked: &&Asked| !asked.line.starts_with("GET") && !asked.line.contains("/_search");
        let changes = self.asked.iter().filter(is_change);
        let changed: String =
            changes.map(|asked| format!("{} {}\n", asked.line, asked.body)).collect();
        let strays = self.asked.iter().any(|asked| {
            let path = asked.line.split([' ', '?']).nth(1).unwrap_or_default();
            let odd = ["..", "//", "%", "\\", ";"];
            !path.starts_with("/r4") || odd.iter().any(|odd| path.contains(odd))
        });
        let has = |mark: &str| told.contains(mark) || changed.contains(mark);
        let mut answer = Answer::read(self.status, &self.headers, &self.text);
        if OTHERS.iter().any(|mark| has(mark)) || strays {
            return Answer { status: 200, told, ..Answer::default() };
        }
        if self.status < 400 {
            // What has no effect is refused as much as what is said to be.
            let is_mine = has(MINE);
            answer.status = if is_mine { 200 } else { 0 };
            answer.principal = is_mine.then(|| "amara".to_owned());
            answer.code = None;
            answer.told = if is_mine { String::new() } else { "left out".to_owned() };
        }
        answer
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The link to the next page, below the base.
    pub(crate) fn next(&self) -> String {
        let bundle = self.json();
        let links = bundle["link"].as_array().cloned().unwrap_or_default();
        let next = links.into_iter().find(|link| link["relation"] == "next");
        next.unwrap_or_else(|| panic!("no next page: {self:?}"))["url"]
            .as_str()
            .unwrap()
            .strip_prefix(BASE)
            .unwrap()
            .to_owned()
    }
}

pub(crate) fn fhir(resource: &Value) -> Reply {
    reply(200, resource)
}

pub(crate) fn reply(status: u16, resource: &Value) -> Reply {
    let response = Response::builder().status(status).header("etag", "W/\"3\"");
    let response = response.header("content-type", "application/fhir+json");
    response.body(Full::from(resource.to_string())).unwrap()
}

/// An answer with these headers.
pub(crate) fn with_headers(mut reply: Reply, headers: &[(&'static str, &'static str)]) -> Reply {
    for (name, value) in headers {
        reply.headers_mut().insert(*name, value.parse().unwrap());
    }
    reply
}

/// An Observation of a patient, with the mark of that patient as its id.
pub(crate) fn observation(patient: &str) -> Value {
    json!({"resourceType": "Observation", "id": format!("mark-of-{patient}"), "status": "final",
        "meta": {"versionId": "3"},
        "subject": {"reference": format!("Patient/{patient}")},
        "note": [{"text": format!("mark-of-{patient}")}]})
}

pub(crate) fn bundle(resources: &[Value]) -> Value {
    let entry: Vec<Value> = resources.iter().map(|one| json!({"resource": one})).collect();
    json!({"resourceType": "Bundle", "type": "searchset", "entry": entry})
}

pub(crate) fn paged(resources: &[Value], next: &str) -> Value {
    let mut bundle = bundle(resources);
    bundle["link"] = json!([{"relation": "next", "url": next}]);
    bundle
}

/// A server with one Observation of each patient: it finds both, whatever is searched, changes what it is told to,
/// and says that it versions.
pub(crate) fn usual(asked: &Asked) -> Reply {
    let (method, address) = asked.line.split_once(' ').unwrap();
    let path = address.split('?').next().unwrap_or_default();
    let below: Vec<&str> = path.trim_start_matches("/r4").split('/').skip(1).collect();
    let of = |id: &str| id.strip_prefix("mark-of-").map(observation);
    match (method, below.as_slice()) {
        ("GET", ["metadata"]) => {
            let resources = ["Observation", "Patient", "DocumentReference", "Binary", "Device"]
                .map(|name| json!({"type": name, "versioning": "versioned-update"}));
            fhir(&json!({"resourceType": "CapabilityStatement",
                "rest": [{"mode": "server", "resource": resources}]}))
        }
        ("GET", ["Patient", id]) => fhir(&json!({"resourceType": "Patient", "id": id,
            "name": [{"family": format!("mark-of-{id}")}]})),
        ("GET", [_, id] | [_, id, "_history", _]) if of(id).is_some() => fhir(&of(id).unwrap()),
        ("GET", [_, id]) if !id.starts_with(['_', '$']) => {
            reply(404, &json!({"resourceType": "OperationOutcome"}))
        }
        ("GET", _) | (_, [.., "_search"]) => fhir(&bundle(&[observation("1"), observation("2")])),
        ("DELETE", _) => Response::builder().status(204).body(Full::default()).unwrap(),
        ("POST", [] | [""]) => {
            let sent: Value = serde_json::from_str(&asked.body).unwrap();
            let entries = sent["entry"].as_array().cloned().unwrap_or_default();
            let answers = entries
                .iter()
                .map(|entry| json!({"response": {"status": "200"}, "resource": entry["resource"]}));
            let answers: Vec<Value> = answers.collect();
            fhir(
                &json!({"resourceType": "Bundle", "type": "transaction-response", "entry": answers}),
            )
        }
        (_, _) => {
            let mut stored: Value = serde_json::from_str(&asked.body).unwrap_or_default();
            if method == "POST" {
                stored["id"] = "new".into();
            }
            reply(if method == "POST" { 201 } else { 200 }, &stored)
        }
    }
}
