//! The way of a request, once: for requests, after a wait for keys, and for explanations.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request, Response, Uri};

use super::public::PublicPaths;
use crate::authentication::authenticator::{Interruption, OnMissingKey};
use crate::authentication::{Authenticator, Principal};
use crate::authorization::{Access, Policy};
use crate::explanation::recorder::Recorder;
use crate::explanation::{Check, Checked, Evidence, Explanation, Reason};
use crate::fhir::Interaction;
use crate::keys::KeyWait;
use crate::metadata::WellKnown;
use crate::rejection::{Rejection, RejectionResponder, ServerIdentity};
use crate::telemetry::log;
use crate::telemetry::meter;

/// The shared state of all decisions, one for all clones of a layer and of its services.
pub(crate) struct Gate {
    pub(crate) authenticator: Authenticator,
    pub(crate) policy: Arc<Policy>,
    pub(crate) public_paths: PublicPaths,
    pub(crate) well_known: WellKnown,
    pub(crate) responder: Box<dyn RejectionResponder>,
    pub(crate) server: Arc<ServerIdentity>,
}

/// The decision on a request.
pub(super) enum Decision {
    /// The inner service answers a request that needs no token.
    PassAnonymous,
    /// The inner service answers, and finds both in the request's extensions.
    Pass(Principal, Access),
    /// The layer answers with a document of its own.
    Document(Response<Bytes>),
    Reject(Rejection),
}

/// The parts of a request that a decision depends on.
#[derive(Clone, Copy)]
pub(super) struct Head<'r> {
    method: &'r Method,
    uri: &'r Uri,
    headers: &'r HeaderMap,
}

impl<'r> Head<'r> {
    pub(super) fn of<B>(request: &'r Request<B>) -> Self {
        Self { method: request.method(), uri: request.uri(), headers: request.headers() }
    }
}

impl Gate {
    /// Decides on a request, or returns the wait for a key that has to come before. A request is
    /// let in if
    ///
    /// 1. it asks for a well-known document of the layer, for a public path, or is a CORS
    ///    preflight: then its token is not looked at; or
    /// 2. its address is not too long to be judged,
    /// 3. its token passes every check of the [`Authenticator`], and
    /// 4. the authorizer grants the FHIR interaction that its method and address spell.
    pub(super) fn decide<R: Recorder, W: OnMissingKey>(
        &self,
        head: Head<'_>,
        to: &mut R,
    ) -> Result<Decision, W> {
        let Head { method, uri, headers } = head;
        let base_url = &self.server.base_url;
        if let Some(document) = self.well_known.answer(method, uri, &self.authenticator) {
            to.public();
            return Ok(Decision::Document(document));
        }
        if self.public_paths.admit(base_url, method, uri, headers) {
            to.public();
            return Ok(Decision::PassAnonymous);
        }
        if base_url.is_too_long(uri) {
            let too_long: Result<(), _> = Err(Reason::AddressTooLong);
            let _ = to.check(Checked::new(Check::Interaction, too_long, Evidence::none));
            return Ok(Decision::Reject(Rejection::uri_too_long(&self.server)));
        }

        let principal = match self.authenticator.decide(headers, uri, to) {
            Ok(principal) => principal,
            Err(Interruption::Wait(wait)) => return Err(wait),
            Err(Interruption::Refused(error)) => {
                return Ok(Decision::Reject(Rejection::of_authentication(error, &self.server)));
            }
        };

        let interaction = Interaction::parse(base_url, method, uri, headers);
        to.passed(Check::Interaction, || Evidence::found(describe(&interaction)));
        match Access::authorize(&self.policy, &principal, interaction) {
            Ok(access) => {
                let rule = || Evidence::found(access.granted_by().to_string());
                to.passed(Check::Authorization, rule);
                Ok(Decision::Pass(principal, access))
            }
            Err(denial) => {
                to.failed(|| denial.finding());
                Ok(Decision::Reject(Rejection::of_authorization(&denial, &self.server)))
            }
        }
    }

    /// Makes the same decision as for a real request, and keeps every check.
    pub(crate) async fn explain(&self, request: &Parts) -> Explanation {
        let Parts { method, uri, headers, .. } = request;
        let head = Head { method, uri, headers };
        let mut explanation = Explanation::new();
        if let Err(wait) = self.decide::<_, KeyWait>(head, &mut explanation) {
            wait.over().await;
            explanation = Explanation::new();
            // The explanation is the result.
            let Ok(_) = self.decide::<_, Infallible>(head, &mut explanation);
        }
        explanation.close(|_| true);
        explanation
    }

    /// Carries out a decision: the request for the inner service, or the layer's own response.
    pub(super) fn carry_out<B>(
        &self,
        decision: Decision,
        mut request: Request<B>,
    ) -> Result<Request<B>, Response<Bytes>> {
        match decision {
            Decision::PassAnonymous => Ok(request),
            Decision::Pass(principal, access) => {
                request.extensions_mut().insert(access);
                request.extensions_mut().insert(principal);
                Ok(request)
            }
            Decision::Document(document) => Err(document),
            Decision::Reject(rejection) => Err(self.reject(rejection, request)),
        }
    }

    pub(super) fn reject<B>(&self, rejection: Rejection, request: Request<B>) -> Response<Bytes> {
        self.respond(rejection, &request.into_parts().0)
    }

    /// Logs and counts a refusal, and makes its response.
    pub(super) fn respond(&self, rejection: Rejection, request: &Parts) -> Response<Bytes> {
        log::info!(
            target: "tower_fhir_auth::rejection",
            kind = rejection.kind().name(),
            check = rejection.check().map(|check| check.name()),
            method = %request.method,
            path = request.uri.path(),
            reason = rejection.detail(),
            "request refused"
        );
        meter::refusal(rejection.kind().name(), rejection.check().map(|check| check.name()));
        let mut response = self.responder.respond(&rejection, request);
        response.extensions_mut().insert(rejection);
        response
    }
}

/// Removes a `Principal` or `Access` that a request brings with it, which proves nothing.
pub(super) fn strip_untrusted_extensions(extensions: &mut Extensions) {
    extensions.remove::<Principal>();
    extensions.remove::<Access>();
}

fn describe(interaction: &Interaction) -> String {
    let code = interaction.kind().code();
    match interaction.searched_type().or_else(|| interaction.resource_type()) {
        Some(resource_type) => format!("{code} {resource_type}"),
        None => code.to_owned(),
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate")
            .field("authenticator", &self.authenticator)
            .field("public_paths", &self.public_paths)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
