//! The audit trail: one event for each decision on a verified caller, under `tower_fhir_auth::audit`.
//!
//! Query values, other claims and bodies are never part of it: they are health data.

use http::{Extensions, HeaderMap};

use super::loggable;
use crate::authentication::Principal;
use crate::authorization::Access;
use crate::fhir::Interaction;
use crate::rejection::Rejection;
use crate::telemetry::log;

/// The longest value of a field, in bytes: with all of them an event stays below 2 KiB.
const LONGEST: usize = 128;

/// Records that a request was let in, if its caller is known.
pub(super) fn granted(headers: &HeaderMap, granted: &Extensions) {
    if log::is_on!("tower_fhir_auth::audit") {
        record_grant(headers, granted);
    }
}

fn record_grant(headers: &HeaderMap, granted: &Extensions) {
    if let (Some(caller), Some(access)) = (granted.get::<Principal>(), granted.get::<Access>()) {
        let rule = access.granted_by().to_string();
        event("granted", headers, caller, access.interaction(), &rule);
    }
}

/// Records that a verified caller was refused an interaction.
pub(super) fn refused(
    headers: &HeaderMap,
    rejection: &Rejection,
    interaction: impl FnOnce() -> Option<Interaction>,
) {
    if log::is_on!("tower_fhir_auth::audit")
        && let Some(caller) = rejection.caller()
        && let Some(interaction) = interaction()
    {
        event("refused", headers, caller, &interaction, rejection.kind().name());
    }
}

fn event(
    verdict: &'static str,
    headers: &HeaderMap,
    caller: &Principal,
    interaction: &Interaction,
    rule: &str,
) {
    let short =
        |value: Option<&str>| value.map(|value| loggable::shorten(value, LONGEST).into_owned());
    let request_id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    log::info!(
        target: "tower_fhir_auth::audit",
        verdict,
        request_id = short(request_id),
        iss = short(Some(caller.issuer())),
        sub = short(caller.subject()),
        client = short(caller.client_id()),
        patient = short(caller.patient()),
        interaction = interaction.kind().code(),
        resource_type = short(interaction.resource_type()),
        id = short(interaction.id()),
        rule = short(Some(rule)),
        "access decided"
    );
    // Without the feature `tracing` the event expands to nothing, and these would be unused.
    let _ = (verdict, request_id, caller, interaction, rule, short);
}
