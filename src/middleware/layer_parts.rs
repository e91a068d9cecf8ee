//! The parts of a layer that those within it need. A request finds those of the configuration by which it was
//! let in, also after another one has taken its place.

#[cfg(feature = "confine")]
use std::any::Any;
#[cfg(feature = "confine")]
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Request, Response, Uri};

use super::caller_span;
use super::paths::Paths;
#[cfg(feature = "confine")]
use super::paths::TokenNeed;
use super::unread_body::announce_close;
use crate::authentication::advertisement::Advertisement;
use crate::authentication::{Principal, bearer};
#[cfg(feature = "confine")]
use crate::authorization::Authorizer;
use crate::authorization::{Access, Policy};
use crate::explanation::{Check, Evidence, Finding, Reason};
use crate::fhir::{Interaction, ResourceTypes};
use crate::metadata::WellKnown;
use crate::rejection::{Rejection, RejectionResponder, ServerIdentity};
use crate::telemetry::log;
use crate::telemetry::meter::LayerMeter;
#[cfg(feature = "confine")]
use crate::time::Clock;

/// A number that tells the layers of a process apart. A layer keeps it when its configuration is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerId(u64);

impl LayerId {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // The number only has to be unique; it orders no other memory.
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The parts of one configuration of a layer that do not verify tokens.
#[derive(Debug)]
pub(crate) struct LayerParts {
    pub(crate) layer: LayerId,
    #[cfg(feature = "confine")]
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) paths: Paths,
    pub(crate) resource_types: ResourceTypes,
    pub(crate) well_known: WellKnown,
    pub(crate) advertised: Arc<Advertisement>,
    pub(crate) responder: Box<dyn RejectionResponder>,
    pub(crate) server: Arc<ServerIdentity>,
    pub(crate) meter: LayerMeter,
    #[cfg(feature = "confine")]
    pub(crate) clock: Arc<dyn Clock>,
    /// The settings of an inner confining layer, if there is one.
    #[cfg(feature = "confine")]
    pub(crate) inner_settings: Option<InnerSettings>,
}

/// The settings of a layer within that confines, of which this one knows no more.
#[cfg(feature = "confine")]
#[derive(Clone)]
pub(crate) struct InnerSettings(pub(crate) Arc<dyn Any + Send + Sync>);

#[cfg(feature = "confine")]
impl fmt::Debug for InnerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InnerSettings").finish_non_exhaustive()
    }
}

/// The parts of a request that a decision depends on.
#[derive(Clone, Copy)]
pub(super) struct Head<'r> {
    pub(super) method: &'r Method,
    pub(super) uri: &'r Uri,
    pub(super) headers: &'r HeaderMap,
}

impl<'r> Head<'r> {
    pub(super) fn of<B>(request: &'r Request<B>) -> Self {
        Self { method: request.method(), uri: request.uri(), headers: request.headers() }
    }
}

/// Marks a request that a layer let in without an [`Access`], so that those within can tell it from one that no
/// layer has seen.
#[derive(Clone)]
pub(super) struct LetInWithoutAccess {
    pub(super) policy: Arc<Policy>,
    /// The interaction of the address as it came, where a token is optional: a router in between may take a
    /// prefix away.
    pub(super) optional: Option<Interaction>,
}

impl LayerParts {
    /// Returns the configuration that a policy belongs to.
    pub(super) fn of_policy(policy: &Policy) -> Option<&Self> {
        policy.layer.downcast_ref()
    }

    /// Returns the configuration by which an access was given.
    #[cfg(feature = "confine")]
    pub(crate) fn of(access: &Access) -> Option<&Self> {
        Self::of_policy(access.policy())
    }

    /// Returns the configuration by which a request was let in without an [`Access`]: on a public path, where
    /// a token is optional, as a preflight.
    #[cfg(feature = "confine")]
    pub(crate) fn of_public<B>(request: &Request<B>) -> Option<&Self> {
        let LetInWithoutAccess { policy, .. } = request.extensions().get()?;
        let Head { method, uri, headers } = Head::of(request);
        // The mark tells who let it in and not to what: the address may have been rewritten on the way.
        Self::of_policy(policy).filter(|layer_parts| {
            let base_url = &layer_parts.server.base_url;
            layer_parts.paths.need(base_url, method, uri, headers) != TokenNeed::Required
        })
    }

    /// Returns this configuration to be kept, by a request that it has let in.
    #[cfg(feature = "confine")]
    pub(crate) fn keep<B>(request: &Request<B>) -> Option<Arc<Self>> {
        let access = request.extensions().get::<Access>().map(Access::policy);
        let policy =
            access.or_else(|| Some(&request.extensions().get::<LetInWithoutAccess>()?.policy));
        Arc::clone(&policy?.layer).downcast().ok()
    }

    /// Reports whether a layer within confines, which has to know what was let in without a look at a token.
    pub(super) fn confines(&self) -> bool {
        #[cfg(feature = "confine")]
        return self.inner_settings.is_some();
        #[cfg(not(feature = "confine"))]
        false
    }

    /// Returns the present moment, by the clock of the layer.
    #[cfg(feature = "confine")]
    pub(crate) fn now(&self) -> crate::time::UnixTime {
        self.clock.now()
    }

    /// Reads the interaction that a request spells.
    pub(super) fn interaction(&self, head: Head<'_>) -> Interaction {
        let Head { method, uri, headers } = head;
        let (base_url, types) = (&self.server.base_url, &self.resource_types);
        Interaction::parse_with_types(base_url, types, method, uri, headers)
    }

    /// Returns the interaction of a request as it came: a router in between may have taken a prefix away.
    fn interaction_of(&self, request: &Parts) -> Interaction {
        let Parts { method, uri, headers, extensions, .. } = request;
        let met = extensions.get::<Access>().map(Access::interaction);
        let met = met.or_else(|| extensions.get::<LetInWithoutAccess>()?.optional.as_ref());
        met.cloned().unwrap_or_else(|| self.interaction(Head { method, uri, headers }))
    }

    /// Returns the `security` of `CapabilityStatement.rest`.
    pub(crate) fn capability_security(&self) -> serde_json::Value {
        self.well_known.smart_configuration().capability_security(self.advertised.provider())
    }

    /// Refuses a request for its lack of a token, in the words for the credentials that it has.
    pub(super) fn ask_for_token(&self, head: Head<'_>) -> Rejection {
        let missing = match bearer::find(head.headers, head.uri) {
            Err(reason) => reason,
            // A token that is here by now was put in behind the layer, which alone verifies: it counts as none.
            Ok(_) => Reason::MissingCredentials,
        };
        let error = Finding::new(Check::Credentials, missing, Evidence::none()).into();
        Rejection::of_authentication(error, &self.server)
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
        log_refusal(kind, check, reason, (None, request));
        self.meter.refusal(kind, check);
    }

    /// Counts the refusal of an entry of a bundle, which is logged with others.
    #[cfg(feature = "confine")]
    pub(crate) fn count_refusal(&self, kind: &'static str, check: Option<&'static str>) {
        self.meter.refusal(kind, check);
    }

    /// Logs the refusal of so many entries of a bundle, with the reason of the first one.
    #[cfg(feature = "confine")]
    pub(crate) fn log_refusals(
        &self,
        kind: &'static str,
        check: Option<&'static str>,
        reason: &str,
        (entries, request): (usize, &Parts),
    ) {
        log_refusal(kind, check, reason, (Some(entries), request));
    }

    /// Logs and counts a refusal, tells the span around the layer, and makes its response.
    pub(crate) fn respond(&self, rejection: Rejection, request: &Parts) -> Response<Bytes> {
        caller_span::refused(&rejection, || self.interaction_of(request));
        let check = rejection.check().map(|check| check.name());
        self.note_refusal(rejection.kind().name(), check, rejection.detail(), request);
        let mut response = self.responder.respond(&rejection, request);
        response.extensions_mut().insert(rejection);
        response
    }
}

/// Logs a refusal, also one of no configuration, or of so many entries of a bundle.
pub(super) fn log_refusal(
    kind: &'static str,
    check: Option<&'static str>,
    reason: &str,
    (entries, request): (Option<usize>, &Parts),
) {
    log::info!(
        target: "tower_fhir_auth::rejection",
        kind,
        check,
        // With the rest of an event less than 2 KiB.
        method = &*super::loggable::shorten(request.method.as_str(), 32),
        path = &*super::loggable::shorten(request.uri.path(), 512),
        reason = &*super::loggable::shorten(reason, 1024),
        entries,
        "request refused"
    );
    let _ = (kind, check, reason, request, entries);
}

/// Removes a `Principal` or `Access` that a request brings with it, which proves nothing.
pub(super) fn strip_untrusted(extensions: &mut Extensions) {
    extensions.remove::<LetInWithoutAccess>();
    extensions.remove::<Principal>();
    extensions.remove::<Access>();
}
