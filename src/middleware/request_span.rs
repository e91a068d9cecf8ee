//! The span around the layer, which knows caller, interaction and verdict once the layer has decided.

use http::{Extensions, Request};
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, span};

use super::loggable;
use crate::authentication::Principal;
use crate::authorization::Access;
use crate::fhir::Interaction;
use crate::rejection::Rejection;

/// The longest value of a field, in bytes.
const LONGEST: usize = 128;

const VERDICT: &str = "fhir_auth.verdict";
const ISSUER: &str = "fhir_auth.issuer";
const SUBJECT: &str = "enduser.id";
const CLIENT: &str = "fhir_auth.client";
const INTERACTION: &str = "fhir_auth.interaction";
const RESOURCE_TYPE: &str = "fhir_auth.resource_type";
const RULE: &str = "fhir_auth.rule";
const ERROR: &str = "error.type";
const CHECK: &str = "fhir_auth.check";

/// The fields that the layer fills in the span around it: those of them that the span has, if
/// `fhir_auth.verdict` is among them. The names are those of OpenTelemetry, where it has one.
pub const SPAN_FIELDS: &[&str] =
    &[VERDICT, ISSUER, SUBJECT, CLIENT, INTERACTION, RESOURCE_TYPE, RULE, ERROR, CHECK];

/// Makes a span for a request, for a layer that traces outside of this one: tower-http's
/// `TraceLayer::new_for_http().make_span_with(request_span)`.
///
/// It has `http.request.method`, `url.path`, [`SPAN_FIELDS`], and `http.response.status_code`, which is yours
/// to record. The query is health data, and left out; a token in the path is replaced.
///
/// ```
/// use tower_fhir_auth::middleware::request_span;
///
/// let request = http::Request::get("/r4/Patient?name=ada").body(())?;
/// let span = request_span(&request);
/// assert!(span.is_none() || span.has_field("fhir_auth.verdict"));
/// # Ok::<(), http::Error>(())
/// ```
pub fn request_span<B>(request: &Request<B>) -> Span {
    span!(
        target: "tower_fhir_auth::request",
        Level::INFO,
        "request",
        http.request.method = &*loggable::shorten(request.method().as_str(), 32),
        url.path = &*loggable::shorten(request.uri().path(), 512),
        http.response.status_code = Empty,
        { VERDICT } = Empty,
        { ISSUER } = Empty,
        { SUBJECT } = Empty,
        { CLIENT } = Empty,
        { INTERACTION } = Empty,
        { RESOURCE_TYPE } = Empty,
        { RULE } = Empty,
        { ERROR } = Empty,
        { CHECK } = Empty,
    )
}

/// Records that a request was let in, and its caller where there is one.
// The calls of what is inlined here are 1.4 % of the instructions for a request without a token.
#[inline]
pub(super) fn let_in(granted: &Extensions) {
    if let Some(span) = asked_for() {
        let access = granted.get::<Access>();
        span.record(VERDICT, if access.is_some() { "granted" } else { "open" });
        if let Some(caller) = granted.get() {
            record_caller(&span, caller);
        }
        if let Some(access) = access {
            record_interaction(&span, access.interaction());
            record(&span, RULE, Some(&access.granted_by().to_string()));
        }
    }
}

/// Records that the layer has answered where no token is required.
#[inline]
pub(super) fn open() {
    if let Some(span) = asked_for() {
        span.record(VERDICT, "open");
    }
}

/// Records that a request was refused, by the layer or by what is within it.
#[inline]
pub(super) fn refused(rejection: &Rejection, interaction: impl FnOnce() -> Interaction) {
    if let Some(span) = asked_for() {
        span.record(VERDICT, "refused").record(ERROR, rejection.kind().name());
        record(&span, CHECK, rejection.check().map(|check| check.name()));
        if let Some(caller) = rejection.caller() {
            record_caller(&span, caller);
            record_interaction(&span, &interaction());
        }
    }
}

/// Returns the span around the layer, if it has fields for the verdict. Where nobody traces, this is one load.
fn asked_for() -> Option<Span> {
    if LevelFilter::current() == LevelFilter::OFF {
        return None;
    }
    let span = Span::current();
    span.has_field(VERDICT).then_some(span)
}

fn record_caller(span: &Span, caller: &Principal) {
    record(span, ISSUER, Some(caller.issuer()));
    record(span, SUBJECT, caller.subject());
    record(span, CLIENT, caller.client_id());
}

fn record_interaction(span: &Span, interaction: &Interaction) {
    record(span, INTERACTION, Some(interaction.kind().code()));
    record(span, RESOURCE_TYPE, interaction.resource_type());
}

fn record(span: &Span, field: &str, value: Option<&str>) {
    if let Some(value) = value {
        span.record(field, &*loggable::shorten(value, LONGEST));
    }
}
