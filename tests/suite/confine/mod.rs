//! The layer that confines, before a server that enforces nothing and ignores what it is asked.

mod answered;
mod attachments;
mod binaries;
mod bundles;
mod careless;
mod changes;
mod conditions;
mod costs;
mod counts;
mod deleted;
mod exports;
mod headers;
mod hidden;
mod integrity;
mod local;
mod metadata;
mod pages;
mod patches;
mod provenance;
mod reads;
mod references;
mod refused;
mod replaced;
mod searches;
mod store;
mod transactions;
mod writes;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::authorization::ScopePolicy;
use tower_fhir_auth::confine::{ConfineSettings, ConfinedLayer, SealKey};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{TestClock, TestIssuer};
use tower_fhir_auth::{Authorizer, FhirAuthLayer, TrustedIssuer};

use careless::Careless;

use crate::support::{BASE, NOW};

/// A confined server, its issuer, and its clock.
struct Confined {
    issuer: TestIssuer,
    clock: TestClock,
    layer: ConfinedLayer,
    server: Careless,
}

/// What a client got.
#[derive(Debug)]
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Confined {
    async fn before(server: Careless) -> Self {
        Self::with(server, ConfineSettings::default()).await
    }

    async fn with(server: Careless, settings: ConfineSettings) -> Self {
        Self::trusting(server, settings, |issuer| issuer).await
    }

    /// With other rules for the issuer.
    async fn trusting(
        server: Careless,
        settings: ConfineSettings,
        rules: impl FnOnce(TrustedIssuer) -> TrustedIssuer,
    ) -> Self {
        Self::build(server, settings, rules, |_| ScopePolicy::new()).await
    }

    /// With other rules for callers.
    async fn ruled<A: Authorizer>(server: Careless, rule: impl FnOnce(&TestIssuer) -> A) -> Self {
        Self::build(server, ConfineSettings::default(), |issuer| issuer, rule).await
    }

    async fn build<A: Authorizer>(
        server: Careless,
        settings: ConfineSettings,
        rules: impl FnOnce(TrustedIssuer) -> TrustedIssuer,
        rule: impl FnOnce(&TestIssuer) -> A,
    ) -> Self {
        let issuer = TestIssuer::with_algorithm(Algorithm::Es256).await.unwrap();
        let clock = TestClock::at(NOW);
        let layer = FhirAuthLayer::builder(BASE)
            .issuer(rules(issuer.trusted()))
            .authorizer(rule(&issuer))
            .clock(clock.clone());
        let settings = settings.seal_keys([SealKey::new(&[7; 32]).unwrap()]);
        let layer = layer.build_confined(settings).unwrap();
        layer.auth().ready().await;
        Self { issuer, clock, layer, server }
    }

    fn token(&self, scope: &str, patient: &str, subject: &str) -> String {
        let token = self.issuer.token_at(UnixTime::from_secs(NOW)).claim("aud", BASE);
        let token = token.claim("scope", scope).claim("patient", patient).claim("sub", subject);
        token.sign().unwrap()
    }

    /// By a token for the patient 1.
    async fn get(&self, scope: &str, below: &str) -> Got {
        self.send(&self.token(scope, "1", "amara"), Request::get(format!("/r4{below}"))).await
    }

    async fn send(&self, token: &str, request: http::request::Builder) -> Got {
        self.send_with(token, request, "").await
    }

    async fn send_with(
        &self,
        token: &str,
        request: http::request::Builder,
        body: impl Into<Bytes>,
    ) -> Got {
        let request = request.header("authorization", format!("Bearer {token}"));
        self.answer(request, body).await
    }

    /// Without a token of its own.
    async fn send_plain(&self, request: http::request::Builder) -> Got {
        self.answer(request, "").await
    }

    async fn answer(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Got {
        let request = request.body(Full::new(body.into())).unwrap();
        let response = self.layer.layer(self.server.service()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Got { status: parts.status, headers: parts.headers, text }
    }
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The resources of a bundle, as `Type/id`.
    fn entries(&self) -> Vec<String> {
        assert_eq!(self.status, 200, "{}", self.text);
        let bundle = self.json();
        assert_eq!(bundle["resourceType"], "Bundle", "{bundle}");
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        let name = |entry: &Value| {
            let text = |name: &str| entry["resource"][name].as_str().unwrap().to_owned();
            format!("{}/{}", text("resourceType"), text("id"))
        };
        entries.iter().map(name).collect()
    }

    fn next(&self) -> Option<String> {
        let links = self.json()["link"].as_array().cloned().unwrap_or_default();
        let next = links.into_iter().find(|link| link["relation"] == "next")?;
        Some(next["url"].as_str().unwrap().strip_prefix(BASE).unwrap().to_owned())
    }
}

/// An Observation of a patient, in a category.
fn observation(id: &str, patient: &str, category: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final",
        "category": [{"coding": [{"system": "http://c.test", "code": category}]}],
        "subject": {"reference": format!("Patient/{patient}")},
        "performer": [{"reference": "Practitioner/p"}],
        "valueQuantity": {"value": 5.40}, "note": [{"text": format!("mark-of-{patient}")}]})
}

/// A bundle as a server writes it.
fn bundle(resources: &[Value], next: Option<&str>) -> Value {
    let entry: Vec<Value> = resources.iter().map(|one| json!({"resource": one})).collect();
    let link = next.map(|url| json!([{"relation": "next", "url": url}])).unwrap_or(json!([]));
    json!({"resourceType": "Bundle", "type": "searchset", "link": link, "entry": entry})
}

fn patient(id: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "name": [{"family": format!("mark-of-{id}")}]})
}

/// Two patients with records of their own, and what they share.
fn records() -> Vec<Value> {
    vec![
        patient("1"),
        patient("2"),
        observation("a1", "1", "laboratory"),
        observation("a2", "2", "laboratory"),
        observation("b1", "1", "vital-signs"),
        json!({"resourceType": "Practitioner", "id": "p"}),
        json!({"resourceType": "Basic", "id": "x", "code": {"text": "mark-of-nobody"}}),
        json!({"resourceType": "Provenance", "id": "own", "target": [{"reference": "Observation/a1"}]}),
        json!({"resourceType": "Provenance", "id": "other", "target": [{"reference": "Observation/a2"}]}),
        json!({"resourceType": "Provenance", "id": "mixed", "target": [
            {"reference": "Observation/a1"}, {"reference": "Observation/a2"}]}),
        json!({"resourceType": "Provenance", "id": "dangling", "target": [{"reference": "Observation/zz"}]}),
    ]
}
