//! The answer to a readiness probe.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use super::layer::FhirAuthLayer;

impl FhirAuthLayer {
    /// Answers a readiness probe: 200 when the tokens of every issuer can be verified, else 503;
    /// with the health of each as JSON. It reveals internal state: serve it where only operators
    /// can reach it.
    #[must_use]
    pub fn readiness(&self) -> Response<Bytes> {
        let health = self.health();
        let ready = health.iter().all(|issuer| issuer.usable);
        let document = serde_json::json!({"ready": ready, "issuers": health}).to_string();
        let mut response = Response::new(Bytes::from(document));
        if !ready {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
