//! The answer to a readiness probe.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use super::layer::FhirAuthLayer;

impl FhirAuthLayer {
    /// Answers a readiness probe: 200 when the tokens of every issuer can be verified, else 503;
    /// with the health of each as JSON, and where the last configuration that was to be put in force was
    /// refused, with its [fault](Self::configuration_fault) as `configuration`. It reveals internal state: serve it where only operators
    /// can reach it.
    #[must_use]
    pub fn readiness(&self) -> Response<Bytes> {
        let health = self.health();
        let ready = health.iter().all(|issuer| issuer.usable);
        let mut document = serde_json::json!({"ready": ready, "issuers": health});
        if let (Some(fault), Some(members)) = (self.configuration_fault(), document.as_object_mut())
        {
            members.insert("configuration".to_owned(), (&*fault).into());
        }
        let mut response = Response::new(Bytes::from(document.to_string()));
        // A configuration that was refused is no reason for 503: the one before it serves.
        if !ready {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
