//! The handling of a granted request, by its interaction and what was granted.

use http::{HeaderMap, Method};

use super::headers;
use crate::authorization::Access;
use crate::fhir::InteractionKind as Kind;
use crate::smart::Permissions;

/// The handling of a request that was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handling {
    /// Nothing of the answer has to be judged, or it is about no resources.
    Through,
    /// The answer is one resource.
    Resource,
    /// The answer is a bundle.
    Bundle,
    /// The answer is a bundle, and some parameters of the search are in the body.
    SearchByPost,
    /// The answer is a further page of a bundle.
    Page,
    /// The answer is a Binary.
    Binary,
    /// An export begins.
    Export,
    /// The status, a file or the end of an export.
    Job,
    /// Several requests come in a bundle.
    Batch,
    /// A resource is changed.
    Write,
    /// The interaction cannot be held to what was granted.
    Refused,
    /// The Provenance that comes along in a header was not granted.
    RefusedProvenance,
}

impl Handling {
    pub(super) fn of(access: &Access, headers: &HeaderMap) -> Self {
        // As a right, and as an interaction for which the user may have to be authenticated anew.
        let may_create = || {
            access.may(Permissions::CREATE, "Provenance").is_open()
                && access.authorize_entry(&Method::POST, "Provenance", None).is_ok()
        };
        if access.changes() && headers::have_provenance(headers) && !may_create() {
            return Self::RefusedProvenance;
        }
        let interaction = access.interaction();
        let operation = interaction.operation();
        // Never passed through, even where a token may do everything: exports and pages are their owner's.
        let is_of_its_own = operation == Some("export")
            || operation.is_some_and(is_always_refused)
            || matches!(
                interaction.kind(),
                Kind::Capabilities | Kind::Page | Kind::JobStatus | Kind::JobCancel
            );
        match !is_of_its_own && (access.is_unconfined() || access.may_run_by_a_right_of_its_own()) {
            true => Self::Through,
            false => Self::judged(access),
        }
    }

    /// Returns the handling of a request whose answer has to be judged.
    pub(super) fn judged(access: &Access) -> Self {
        let interaction = access.interaction();
        let is_get = matches!(*interaction.method(), Method::GET | Method::HEAD);
        match interaction.kind() {
            Kind::Capabilities => Self::Through,
            Kind::Page => Self::Page,
            Kind::JobStatus | Kind::JobCancel => Self::Job,
            Kind::Read | Kind::VersionRead if interaction.resource_type() == Some("Binary") => {
                Self::Binary
            }
            Kind::Read | Kind::VersionRead => Self::Resource,
            Kind::HistoryInstance | Kind::HistoryType | Kind::HistorySystem => Self::Bundle,
            Kind::SearchType | Kind::SearchSystem | Kind::SearchCompartment => match is_get {
                true => Self::Bundle,
                false => Self::SearchByPost,
            },
            Kind::Operation => match interaction.operation() {
                Some("everything") if is_get => Self::Bundle,
                Some("export") => Self::Export,
                Some(_) | None => Self::Refused,
            },
            Kind::Create
            | Kind::ConditionalCreate
            | Kind::Update
            | Kind::ConditionalUpdate
            | Kind::Patch
            | Kind::ConditionalPatch
            | Kind::Delete
            | Kind::ConditionalDelete => Self::Write,
            Kind::Batch => Self::Batch,
            Kind::DeleteHistory | Kind::Unknown => Self::Refused,
        }
    }
}

/// Reports whether an operation is refused whatever was granted.
pub(super) fn is_always_refused(operation: &str) -> bool {
    // A server's own address of a job, such as HAPI's `$export-poll-status`, would lead past the seal.
    operation.starts_with("export-")
}
