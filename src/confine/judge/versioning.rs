//! The question whether the upstream server changes only the version that was judged.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use tower_service::Service;

use super::{BoxError, Judge};
use crate::authorization::Denial;
use crate::confine::capability::Versioning;
use crate::confine::refusal::Refusal;
use crate::confine::request_body::RequestBody;
use crate::confine::stop::{Judged, Stop};
use crate::telemetry::log;

impl<S, B, R> Judge<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    /// Checks that `If-Match` is honoured for a type: without it a change could be one of a version that nobody
    /// has judged.
    pub(super) async fn check_versioning(&mut self, resource_type: &str) -> Judged<(), S::Error> {
        if self.settings.versions_checked || self.is_versioned(resource_type).await? {
            return Ok(());
        }
        let text = format!(
            "the upstream server does not declare `versioned-update` for {resource_type} in its CapabilityStatement, \
             so that a change could reach a version that was never judged: this token is limited to some resources, \
             and cannot change it"
        );
        Err(Stop::Denied(Denial::new(text)))
    }

    /// Asks the upstream server what it says of a type, unless that is known. Who asks at the same time waits.
    async fn is_versioned(&mut self, resource_type: &str) -> Judged<bool, S::Error> {
        let capabilities = Arc::clone(&self.capabilities);
        let failures = || capabilities.failures.load(Ordering::Relaxed);
        let before = failures();
        let mut known = capabilities.known.lock().await;
        let now = self.layer_parts.now();
        if let Some(known) = known.as_ref().filter(|known| known.counts(now)) {
            return Ok(known.is_of(resource_type));
        }
        if failures() != before {
            return Err(Refusal::no_statement(StatusCode::BAD_GATEWAY).into());
        }
        let answer = self.statement().await;
        let statement = match answer {
            Ok(statement) => statement,
            Err(stop) => {
                capabilities.failures.fetch_add(1, Ordering::Relaxed);
                return Err(stop);
            }
        };
        let read = Versioning::read(&statement, self.access.interaction().resource_types(), now);
        if read.is_empty() {
            log::warn!(
                "the CapabilityStatement of the upstream server says `versioned-update` of no type: updates, patches \
                 and deletions by tokens that are confined are refused"
            );
        }
        Ok(known.insert(read).is_of(resource_type))
    }
    /// Asks for the CapabilityStatement; what is none says nothing.
    async fn statement(&mut self) -> Judged<Bytes, S::Error> {
        let address = self.below_base("/metadata");
        let answer = self.upstream.get(&address).await?;
        let is_trouble = answer.status.is_server_error()
            || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT]
                .contains(&answer.status);
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            status if is_trouble => {
                Err(Refusal::no_statement(status).with_retry_after(&answer.headers).into())
            }
            _ => Ok(Bytes::new()),
        }
    }
}
