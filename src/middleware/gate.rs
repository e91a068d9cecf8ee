//! The decision on a request, written once: for requests, after a wait, and for explanations.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, Request, Response};

use super::admission::Admission;
use super::audit;
use super::caller_span;
use super::layer_parts::{Head, LayerParts, LetInWithoutAccess};
use super::paths::TokenNeed;
use super::unread_body::announce_close;
use crate::authentication::authenticator::Interruption;
use crate::authentication::bearer::Scheme;
use crate::authentication::request::RequestHead;
use crate::authentication::wait::{Wait, Waited};
use crate::authentication::{AuthenticationError, Authenticator, Principal, bearer};
use crate::authorization::{Access, Policy};
use crate::explanation::recorder::{NoRecorder, Recorder};
use crate::explanation::{Check, Checked, Evidence, Explanation, Reason, Unreached};
use crate::fhir::Interaction;
use crate::rejection::Rejection;
use crate::telemetry::meter::{DecisionLabel, Started};

/// One configuration of a layer, by which it decides.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) authenticator: Authenticator,
    pub(crate) policy: Arc<Policy>,
    pub(crate) layer_parts: Arc<LayerParts>,
    /// `true` when responses say who was let in, and by which rule.
    pub(crate) names_callers: bool,
}

/// The decision on a request.
pub(super) enum Decision {
    /// The inner service answers.
    Pass,
    /// The layer does.
    Answer(OwnAnswer),
}

/// The layer's own answer to a request.
pub(super) enum OwnAnswer {
    /// A document, boxed: it is rare.
    Document(Box<Response<Bytes>>),
    Reject(Rejection),
}

impl From<Rejection> for Decision {
    fn from(rejection: Rejection) -> Self {
        Self::Answer(OwnAnswer::Reject(rejection))
    }
}

impl Gate {
    /// Decides on a request, or returns the wait that has to come before. Where the
    /// caller is known, the inner service finds [`Principal`] and [`Access`] in the extensions;
    /// those that came in prove nothing here, and never reach it.
    pub(super) fn decide<B>(
        &self,
        request: &mut Request<B>,
        waited: &Waited,
    ) -> Result<Decision, Wait> {
        let layer_parts = &*self.layer_parts;
        let started = layer_parts.meter.start();
        let mut extensions = mem::take(request.extensions_mut());
        self.authenticator.mutual_tls().strip(request.headers_mut(), &extensions);
        let head = Head::of(request);
        let mut admission = Admission::new(&mut extensions);
        let decision = self.walk(head, waited, &mut admission, &mut NoRecorder);
        let has_access = admission.end();
        let passes_on = || layer_parts.paths.passes_on(&layer_parts.server.base_url, request.uri());
        // Of a request that passes as if the layer were not there, another layer reports.
        if has_access || !matches!(decision, Ok(Decision::Pass)) || !passes_on() {
            self.report(&decision, head, &extensions, started);
        }
        *request.extensions_mut() = extensions;
        decision
    }

    /// Tells operators of a decision: the audit trail, the span around it, and the metrics.
    fn report(
        &self,
        decision: &Result<Decision, Wait>,
        head: Head<'_>,
        granted: &Extensions,
        started: Started,
    ) {
        match decision {
            Ok(Decision::Pass) => {
                audit::granted(head.headers, granted);
                caller_span::let_in(granted);
                let is_granted = || granted.get::<Access>().is_some();
                let verdict =
                    || if is_granted() { DecisionLabel::Granted } else { DecisionLabel::Open };
                self.layer_parts.meter.decided(started, verdict);
            }
            Ok(Decision::Answer(OwnAnswer::Reject(rejection))) => {
                let interaction = || Some(self.layer_parts.interaction(head));
                audit::refused(head.headers, rejection, interaction);
                self.layer_parts.meter.decided(started, || DecisionLabel::Refused);
            }
            Ok(Decision::Answer(OwnAnswer::Document(_))) => {
                caller_span::open();
                self.layer_parts.meter.decided(started, || DecisionLabel::Open);
            }
            Err(_) => {}
        }
    }

    /// Goes the way of a request. It is let in if
    ///
    /// 1. it asks for a well-known document of the layer, for a public path, or is a CORS
    ///    preflight: then its token is not looked at; or
    /// 2. it has no token, on a path where that is optional; or
    /// 3. its address is not too long to be judged, its token passes every check of the
    ///    [`Authenticator`], and the authorizer grants the FHIR interaction that its method and
    ///    address spell, which nobody asks where a token is optional.
    fn walk<R: Recorder>(
        &self,
        head: Head<'_>,
        waited: &Waited,
        admission: &mut Admission<'_>,
        recorder: &mut R,
    ) -> Result<Decision, Wait> {
        let Head { method, uri, headers } = head;
        let layer = &*self.layer_parts;
        let base_url = &layer.server.base_url;
        if let Some(document) = layer.well_known.answer(method, uri, &layer.advertised) {
            recorder.public();
            return Ok(Decision::Answer(OwnAnswer::Document(Box::new(document))));
        }
        let need = layer.paths.need(base_url, method, uri, headers);
        let optional = (need == TokenNeed::Optional).then(|| layer.interaction(head));
        if optional.is_some() || (need == TokenNeed::None && layer.confines()) {
            let policy = Arc::clone(&self.policy);
            admission.mark_without_access(LetInWithoutAccess { policy, optional });
        }
        if need == TokenNeed::None {
            recorder.public();
            return Ok(Decision::Pass);
        }
        let found = bearer::find(headers, uri);
        if need == TokenNeed::Optional && !bearer::presents_token(&found) {
            recorder.public();
            return Ok(Decision::Pass);
        }
        if base_url.is_too_long(uri) {
            let too_long: Result<(), _> = Err(Reason::AddressTooLong);
            let _ = recorder.check(Checked::new(Check::Interaction, too_long, Evidence::none));
            return Ok(Rejection::uri_too_long(&layer.server).into());
        }

        let scheme = found.as_ref().ok().map(|presented| presented.scheme);
        let scheme = || scheme.unwrap_or_else(|| Scheme::of(headers));
        let extensions = Some(admission.extensions());
        let request = RequestHead { method: Some(method), uri, headers, extensions };
        let principal = match self.authenticator.decide(&found, request, waited, recorder) {
            Ok(principal) => principal,
            Err(Interruption::Wait(wait)) => return Err(wait),
            Err(Interruption::Refused(error)) => {
                return Ok(self.reject_token(error, scheme()).into());
            }
        };

        if need == TokenNeed::Optional {
            let optional = || Evidence::found("none: a path where a token is optional");
            recorder.passed(Check::Interaction, optional);
            recorder.passed(Check::Authorization, optional);
            recorder.passed(Check::StepUp, optional);
            admission.admit_caller(principal);
            return Ok(Decision::Pass);
        }
        Ok(match self.authorize(head, principal, admission, recorder) {
            Ok(()) => Decision::Pass,
            Err(denied) => denied.of_scheme(scheme()).into(),
        })
    }

    /// Rejects a request for its token, or for what should have come with it.
    fn reject_token(&self, error: AuthenticationError, scheme: Scheme) -> Rejection {
        let rejection =
            Rejection::of_authentication(error, &self.layer_parts.server).of_scheme(scheme);
        rejection.with_nonce(|| self.authenticator.dpop_nonce())
    }

    /// Asks the authorizer about the interaction that a request spells.
    fn authorize<R: Recorder>(
        &self,
        head: Head<'_>,
        principal: Principal,
        admission: &mut Admission<'_>,
        recorder: &mut R,
    ) -> Result<(), Rejection> {
        let interaction = self.layer_parts.interaction(head);
        // No interaction of FHIR may be granted, too: only a denial says whether that is the fault.
        recorder.passed(Check::Interaction, || Evidence::found(describe(&interaction)));
        match Access::authorize(&self.policy, &principal, interaction) {
            Ok(access) => {
                let rule = || Evidence::found(access.granted_by().to_string());
                recorder.passed(Check::Authorization, rule);
                recorder.passed(Check::StepUp, Evidence::none);
                admission.grant(access, principal);
                Ok(())
            }
            Err(denial) => {
                if denial.asks_for_step_up() {
                    recorder.passed(Check::Authorization, Evidence::none);
                }
                recorder.failed(|| denial.finding());
                let denied = Rejection::of_authorization(&denial, &self.layer_parts.server);
                Err(denied.of_caller(&principal))
            }
        }
    }

    /// Makes the same decision as for a real request, and keeps every check.
    pub(crate) async fn explain(&self, request: &Parts) -> Explanation {
        let Parts { method, uri, headers, extensions, .. } = request;
        let head = Head { method, uri, headers };
        let mut waited = Waited::default();
        let mut explanation = Explanation::new();
        let mut extensions = extensions.clone();
        // The explanation is the result.
        while let Err(wait) =
            { self.walk(head, &waited, &mut Admission::new(&mut extensions), &mut explanation) }
        {
            waited = wait.finished(waited).await;
            explanation = Explanation::new();
        }
        if !explanation.is_accepted() && !explanation.has(Check::Interaction) {
            self.authenticator.record_unreached(headers, uri, Unreached::new(&mut explanation));
            // Nobody asks about the interaction where a token is optional.
            let LayerParts { paths, server, .. } = &*self.layer_parts;
            if paths.need(&server.base_url, method, uri, headers) != TokenNeed::Optional {
                Unreached::new(&mut explanation).interaction(self.asked(head));
            }
        }
        explanation.add_unreached(Check::ALL);
        explanation
    }

    /// Describes the interaction that a request spells, or what is wrong with its address.
    fn asked(&self, head: Head<'_>) -> Result<String, String> {
        let asked = self.layer_parts.interaction(head);
        match asked.address_fault() {
            Some(fault) => Err(fault.to_string()),
            None => Ok(describe(&asked)),
        }
    }

    /// Makes the layer's own response.
    pub(super) fn answer<B>(&self, answer: OwnAnswer, request: Request<B>) -> Response<Bytes> {
        match answer {
            OwnAnswer::Document(mut document) => {
                announce_close(&request.into_parts().0, document.headers_mut());
                *document
            }
            OwnAnswer::Reject(rejection) => self.layer_parts.reject(rejection, request),
        }
    }
}

fn describe(interaction: &Interaction) -> String {
    let code = interaction.kind().code();
    match interaction.searched_type().or_else(|| interaction.resource_type()) {
        Some(resource_type) => format!("{code} {resource_type}"),
        None => code.to_owned(),
    }
}
