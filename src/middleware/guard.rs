//! The decisions on a request, from its token to what the inner service gets.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request, Response, Uri};

use super::public::PublicPaths;
use crate::authentication::{AuthenticationError, Authenticator, Principal};
use crate::authorization::{Access, Denial, Policy};
use crate::explanation::{Check, Explanation, Finding, Reason, Seen};
use crate::fhir::Interaction;
use crate::metadata::WellKnown;
use crate::rejection::{Rejection, RejectionResponder, ServerIdentity};
use crate::telemetry::log;
use crate::telemetry::meter;

/// The shared state of a decision, one for all clones of a layer and of its services.
pub(crate) struct Guard {
    pub(crate) authenticator: Authenticator,
    pub(crate) policy: Arc<Policy>,
    pub(crate) public_paths: PublicPaths,
    pub(crate) well_known: WellKnown,
    pub(crate) responder: Box<dyn RejectionResponder>,
    pub(crate) server: Arc<ServerIdentity>,
}

/// A request that needs no token.
pub(super) enum Public {
    /// The layer answers it by itself, with a well-known document.
    Document(Response<Bytes>),
    /// The inner service does: a public path, or a CORS preflight.
    Inner,
}

impl Guard {
    /// Returns who answers a request that needs no token; `None` for one that needs a token.
    pub(super) fn public(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Public> {
        if let Some(document) = self.well_known.answer(method, uri, &self.authenticator) {
            return Some(Public::Document(document));
        }
        let is_public = self.public_paths.admit(&self.server.base_url, method, uri, headers);
        is_public.then_some(Public::Inner)
    }

    /// Authorizes a verified caller and puts the [`Principal`] and [`Access`] into the request.
    pub(crate) fn admit<B>(
        &self,
        principal: Principal,
        request: &mut Request<B>,
    ) -> Result<(), Denial> {
        let base_url = &self.server.base_url;
        let (method, uri) = (request.method(), request.uri());
        let interaction = Interaction::parse(base_url, method, uri, request.headers());
        let access = Access::authorize(&self.policy, &principal, interaction)?;
        // Always insert both, see `forget_what_came_in`.
        request.extensions_mut().insert(access);
        request.extensions_mut().insert(principal);
        Ok(())
    }

    pub(super) fn too_long<B>(&self, request: Request<B>) -> Response<Bytes> {
        self.refuse(Rejection::uri_too_long(&self.server), &refused_parts(request))
    }

    pub(crate) fn deny<B>(&self, denial: &Denial, request: Request<B>) -> Response<Bytes> {
        let rejection = Rejection::of_authorization(denial, &self.server);
        self.refuse(rejection, &refused_parts(request))
    }

    /// Makes the same decision as for a real request, and keeps every check.
    pub(crate) async fn explain(&self, request: &Parts) -> Explanation {
        let Parts { method, uri, headers, .. } = request;
        if self.public(method, uri, headers).is_some() {
            return Explanation::of_public_request();
        }
        if self.server.base_url.is_too_long(uri) {
            let finding = Finding::new(Check::Interaction, Reason::AddressTooLong);
            return Explanation::of_refused_address(finding);
        }
        let (mut explanation, principal) =
            self.authenticator.explain_to_principal(headers, uri).await;
        let Some(principal) = principal else {
            explanation.not_reached([Check::Interaction, Check::Authorization]);
            return explanation;
        };
        let interaction = Interaction::parse(&self.server.base_url, method, uri, headers);
        let on = interaction.searched_type().or_else(|| interaction.resource_type());
        let found = match on {
            Some(name) => format!("{} {name}", interaction.kind().code()),
            None => interaction.kind().code().to_owned(),
        };
        explanation.passed(Check::Interaction, Seen::found(found));
        match Access::authorize(&self.policy, &principal, interaction) {
            Ok(access) => {
                let found = access.granted_by().to_string();
                explanation.passed(Check::Authorization, Seen::found(found));
            }
            Err(denial) => {
                let (found, expected) = denial.found_and_expected();
                let reason = Reason::Denied {
                    summary: denial.summary().to_owned().into(),
                    requirements: denial.requirements().to_vec(),
                };
                let mut finding = Finding::new(Check::Authorization, reason);
                if let Some(found) = found {
                    finding = finding.with_found(found);
                }
                if let Some(expected) = expected {
                    finding = finding.with_expected(expected);
                }
                explanation.failed(finding);
            }
        }
        explanation
    }

    /// Decides a request that has waited for a key. It does not wait a second time.
    pub(crate) fn decide_after_wait<B>(
        &self,
        mut request: Request<B>,
    ) -> Result<Request<B>, Response<Bytes>> {
        match self.authenticator.decide_after_wait(request.headers(), request.uri()) {
            Ok(principal) => match self.admit(principal, &mut request) {
                Ok(()) => Ok(request),
                Err(denial) => Err(self.deny(&denial, request)),
            },
            Err(error) => Err(self.reject(error, request)),
        }
    }

    pub(crate) fn reject<B>(
        &self,
        error: AuthenticationError,
        request: Request<B>,
    ) -> Response<Bytes> {
        let rejection = Rejection::of_authentication(error, &self.server);
        self.refuse(rejection, &refused_parts(request))
    }

    pub(crate) fn refuse(&self, rejection: Rejection, request: &Parts) -> Response<Bytes> {
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
/// [`Guard::admit`] overwrites both; every other way out calls this before anything else sees the
/// request.
pub(super) fn forget_what_came_in(extensions: &mut Extensions) {
    extensions.remove::<Principal>();
    extensions.remove::<Access>();
}

/// Returns what a responder sees of a refused request, without a foreign `Principal` or `Access`.
pub(super) fn refused_parts<B>(request: Request<B>) -> Parts {
    let mut parts = request.into_parts().0;
    forget_what_came_in(&mut parts.extensions);
    parts
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("authenticator", &self.authenticator)
            .field("public_paths", &self.public_paths)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
