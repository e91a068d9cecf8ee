//! The way of a request, once: for requests, after a wait, and for explanations.

use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request, Response, Uri};

use super::audit;
use super::caller_span;
use super::paths::{Paths, TokenNeed};
use super::unread_body::announce_close;
use crate::authentication::authenticator::Interruption;
use crate::authentication::bearer::Scheme;
use crate::authentication::request::RequestHead;
use crate::authentication::wait::{Wait, Waited};
use crate::authentication::{AuthenticationError, Authenticator, Principal, bearer};
use crate::authorization::{Access, Policy};
use crate::explanation::recorder::{NoRecorder, Recorder};
use crate::explanation::{Check, Checked, Evidence, Explanation, Finding, Reason, Unreached};
use crate::fhir::{Interaction, ResourceTypes};
use crate::metadata::WellKnown;
use crate::rejection::{Rejection, RejectionResponder, ServerIdentity};
use crate::telemetry::log;
use crate::telemetry::meter::{LayerMeter, Started, Verdict};

/// The shared state of all decisions, one for all clones of a layer and of its services.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) authenticator: Authenticator,
    pub(crate) policy: Arc<Policy>,
    pub(crate) paths: Paths,
    pub(crate) resource_types: ResourceTypes,
    pub(crate) well_known: WellKnown,
    pub(crate) responder: Box<dyn RejectionResponder>,
    /// `true` when responses say who was let in, and by which rule.
    pub(crate) names_callers: bool,
    pub(crate) server: Arc<ServerIdentity>,
    pub(crate) meter: LayerMeter,
}

/// The decision on a request.
pub(super) enum Decision {
    /// The inner service answers.
    Pass,
    /// The layer answers with a document of its own, boxed: the other decisions are a word each.
    Document(Box<Response<Bytes>>),
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

/// Marks a request that a layer let in where a token is optional, so that a requirement within can
/// tell nobody's request from one that no layer has seen.
#[derive(Clone)]
struct LetInAsOptional {
    policy: Arc<Policy>,
    /// That of the address as it came: a router in between may take a prefix away.
    interaction: Interaction,
}

impl Gate {
    /// Decides on a request, or returns the wait that has to come before. Where the
    /// caller is known, the inner service finds [`Principal`] and [`Access`] in the extensions;
    /// those that came in prove nothing here, and are removed first.
    #[inline]
    pub(super) fn decide<B>(
        &self,
        request: &mut Request<B>,
        waited: &Waited,
    ) -> Result<Decision, Wait> {
        let started = self.meter.start();
        let mut extensions = mem::take(request.extensions_mut());
        let passes_on = self.paths.passes_on(&self.server.base_url, request.uri());
        if !passes_on {
            strip_untrusted(&mut extensions);
        }
        self.authenticator.mutual_tls().strip(request.headers_mut(), &extensions);
        let head = Head::of(request);
        let decision = self.walk(head, waited, &mut extensions, &mut NoRecorder);
        // Of a request that passes as if the layer were not there, another layer reports.
        if !(passes_on && matches!(decision, Ok(Decision::Pass))) {
            self.report(&decision, head, &extensions, started);
        }
        *request.extensions_mut() = extensions;
        decision
    }

    /// Tells operators of a decision: the audit trail, the span around it, and the metrics.
    #[inline]
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
                let verdict = || if is_granted() { Verdict::Granted } else { Verdict::Open };
                self.meter.decided(started, verdict);
            }
            Ok(Decision::Reject(rejection)) => {
                let interaction = || Some(self.interaction(head));
                audit::refused(head.headers, rejection, interaction);
                caller_span::refused(rejection, interaction);
                self.meter.decided(started, || Verdict::Refused);
            }
            Ok(Decision::Document(_)) => {
                caller_span::open();
                self.meter.decided(started, || Verdict::Open);
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
    #[inline]
    fn walk<R: Recorder>(
        &self,
        head: Head<'_>,
        waited: &Waited,
        granted: &mut Extensions,
        recorder: &mut R,
    ) -> Result<Decision, Wait> {
        let Head { method, uri, headers } = head;
        let base_url = &self.server.base_url;
        if let Some(document) = self.well_known.answer(method, uri, &self.authenticator) {
            recorder.public();
            return Ok(Decision::Document(Box::new(document)));
        }
        let need = self.paths.need(base_url, method, uri, headers);
        if need == TokenNeed::Optional {
            let (policy, interaction) = (Arc::clone(&self.policy), self.interaction(head));
            granted.insert(LetInAsOptional { policy, interaction });
        }
        if need == TokenNeed::None
            || (need == TokenNeed::Optional && !bearer::is_there(headers, uri))
        {
            recorder.public();
            return Ok(Decision::Pass);
        }
        if base_url.is_too_long(uri) {
            let too_long: Result<(), _> = Err(Reason::AddressTooLong);
            let _ = recorder.check(Checked::new(Check::Interaction, too_long, Evidence::none));
            return Ok(Decision::Reject(Rejection::uri_too_long(&self.server)));
        }

        let extensions = Some(&*granted);
        let request = RequestHead { method: Some(method), uri, headers, extensions };
        let principal = match self.authenticator.decide(request, waited, recorder) {
            Ok(principal) => principal,
            Err(Interruption::Wait(wait)) => return Err(wait),
            Err(Interruption::Refused(error)) => {
                return Ok(Decision::Reject(self.refuse_token(error, headers)));
            }
        };

        if need == TokenNeed::Optional {
            let optional = || Evidence::found("none: a path where a token is optional");
            recorder.passed(Check::Interaction, optional);
            recorder.passed(Check::Authorization, optional);
            recorder.passed(Check::StepUp, optional);
            granted.insert(principal);
            return Ok(Decision::Pass);
        }
        Ok(self.authorize(head, principal, granted, recorder))
    }

    /// Refuses a request for its token, or for what should have come with it.
    fn refuse_token(&self, error: AuthenticationError, headers: &HeaderMap) -> Rejection {
        let rejection = Rejection::of_authentication(error, &self.server);
        let rejection = rejection.of_scheme(Scheme::of(headers));
        rejection.with_nonce(|| self.authenticator.dpop_nonce())
    }

    /// Asks the authorizer about the interaction that a request spells.
    fn authorize<R: Recorder>(
        &self,
        head: Head<'_>,
        principal: Principal,
        granted: &mut Extensions,
        recorder: &mut R,
    ) -> Decision {
        let interaction = self.interaction(head);
        // No interaction of FHIR may be granted, too: only a denial says whether that is the fault.
        recorder.passed(Check::Interaction, || Evidence::found(describe(&interaction)));
        match Access::authorize(&self.policy, &principal, interaction) {
            Ok(access) => {
                let rule = || Evidence::found(access.granted_by().to_string());
                recorder.passed(Check::Authorization, rule);
                recorder.passed(Check::StepUp, Evidence::none);
                granted.insert(access);
                granted.insert(principal);
                Decision::Pass
            }
            Err(denial) => {
                if denial.asks_for_step_up() {
                    recorder.passed(Check::Authorization, Evidence::none);
                }
                recorder.failed(|| denial.finding());
                let rejection = Rejection::of_authorization(&denial, &self.server);
                let rejection = rejection.of_scheme(Scheme::of(head.headers));
                Decision::Reject(rejection.of_caller(&principal))
            }
        }
    }

    /// Reads the interaction that a request spells.
    fn interaction(&self, head: Head<'_>) -> Interaction {
        let Head { method, uri, headers } = head;
        let (base_url, types) = (&self.server.base_url, &self.resource_types);
        Interaction::parse_with_types(base_url, types, method, uri, headers)
    }

    /// Returns the `security` of `CapabilityStatement.rest`.
    pub(crate) fn capability_security(&self) -> serde_json::Value {
        let provider = self.authenticator.advertised().provider();
        self.well_known.smart_configuration().capability_security(provider)
    }

    /// Reports whether this layer has granted an access.
    #[cfg(feature = "confine")]
    pub(crate) fn has_let_in(&self, access: &Access) -> bool {
        access.was_given_by(&self.policy)
    }

    /// Reports whether this layer lets a request in without an [`Access`]: on a public path, where a token is
    /// optional, as a preflight.
    #[cfg(feature = "confine")]
    pub(crate) fn needs_no_access<B>(&self, request: &Request<B>) -> bool {
        let Head { method, uri, headers } = Head::of(request);
        self.paths.need(&self.server.base_url, method, uri, headers) != TokenNeed::Required
    }

    /// Returns the interaction of a request that this layer let in where a token is optional.
    pub(super) fn let_in_as_optional<'e>(
        &self,
        extensions: &'e Extensions,
    ) -> Option<&'e Interaction> {
        let LetInAsOptional { policy, interaction } = extensions.get()?;
        Arc::ptr_eq(policy, &self.policy).then_some(interaction)
    }

    /// Refuses a request for its lack of a token, in the words for the credentials that it has.
    pub(super) fn ask_for_token(&self, head: Head<'_>) -> Rejection {
        let missing = match bearer::find(head.headers, head.uri) {
            Err(reason) => reason,
            Ok(_) => Reason::MissingCredentials,
        };
        let error = Finding::new(Check::Credentials, missing, Evidence::none()).into();
        Rejection::of_authentication(error, &self.server)
    }

    /// Makes the same decision as for a real request, and keeps every check.
    pub(crate) async fn explain(&self, request: &Parts) -> Explanation {
        let Parts { method, uri, headers, extensions, .. } = request;
        let head = Head { method, uri, headers };
        let mut waited = Waited::default();
        let mut explanation = Explanation::new();
        let mut granted = extensions.clone();
        strip_untrusted(&mut granted);
        // The explanation is the result.
        while let Err(wait) = self.walk(head, &waited, &mut granted, &mut explanation) {
            waited = wait.over(waited).await;
            explanation = Explanation::new();
        }
        if !explanation.is_accepted() && !explanation.has(Check::Interaction) {
            self.authenticator.record_unreached(headers, uri, Unreached::new(&mut explanation));
            // Nobody asks about the interaction where a token is optional.
            if self.paths.need(&self.server.base_url, method, uri, headers) != TokenNeed::Optional {
                Unreached::new(&mut explanation).interaction(self.asked(head));
            }
        }
        explanation.add_unreached(Check::ALL);
        explanation
    }

    /// Describes the interaction that a request spells, or what is wrong with its address.
    fn asked(&self, head: Head<'_>) -> Result<String, String> {
        let asked = self.interaction(head);
        match asked.address_fault() {
            Some(fault) => Err(fault.to_string()),
            None => Ok(describe(&asked)),
        }
    }

    /// Carries out a decision: the request for the inner service, or the layer's own response.
    #[inline]
    pub(super) fn carry_out<B>(
        &self,
        decision: Decision,
        request: Request<B>,
    ) -> Result<Request<B>, Response<Bytes>> {
        match decision {
            Decision::Pass => Ok(request),
            Decision::Document(mut document) => {
                announce_close(&request.into_parts().0, document.headers_mut());
                Err(*document)
            }
            Decision::Reject(rejection) => Err(self.reject(rejection, request)),
        }
    }

    /// Refuses a request whose body nobody has read.
    pub(crate) fn reject<B>(&self, rejection: Rejection, request: Request<B>) -> Response<Bytes> {
        let (request, _) = request.into_parts();
        let mut response = self.respond(rejection, &request);
        announce_close(&request, response.headers_mut());
        response
    }

    /// Logs and counts a refusal.
    pub(crate) fn note_refusal(
        &self,
        kind: &'static str,
        check: Option<&'static str>,
        reason: &str,
        request: &Parts,
    ) {
        log::info!(
            target: "tower_fhir_auth::rejection",
            kind,
            check,
            // With the rest of an event less than 2 KiB.
            method = &*super::loggable::of(request.method.as_str(), 32),
            path = &*super::loggable::of(request.uri.path(), 512),
            reason = &*super::loggable::of(reason, 1024),
            "request refused"
        );
        self.meter.refusal(kind, check);
        let _ = (reason, request);
    }

    /// Logs and counts a refusal, and makes its response.
    pub(crate) fn respond(&self, rejection: Rejection, request: &Parts) -> Response<Bytes> {
        let check = rejection.check().map(|check| check.name());
        self.note_refusal(rejection.kind().name(), check, rejection.detail(), request);
        let mut response = self.responder.respond(&rejection, request);
        response.extensions_mut().insert(rejection);
        response
    }
}

/// Removes a `Principal` or `Access` that a request brings with it, which proves nothing.
pub(super) fn strip_untrusted(extensions: &mut Extensions) {
    extensions.remove::<LetInAsOptional>();
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
