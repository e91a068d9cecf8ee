//! The ways in which a granted request is dealt with.

use http::{HeaderMap, Method};

use super::headers;
use crate::authorization::Access;
use crate::fhir::InteractionKind as Kind;
use crate::smart::Permissions;

/// The way of a request that was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing of the answer has to be judged, or it is about no resources.
    Through,
    /// The answer is one resource.
    One,
    /// The answer is a bundle.
    Several,
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
    /// The interaction cannot be held to what was granted.
    Refused,
    /// The Provenance that comes along in a header was not granted.
    RefusedProvenance,
}

impl Way {
    pub(super) fn of(access: &Access, headers: &HeaderMap) -> Self {
        let interaction = access.interaction();
        let is_get = matches!(*interaction.method(), Method::GET | Method::HEAD);
        let judged = match interaction.kind() {
            Kind::Capabilities => return Self::Through,
            Kind::Page => return Self::Page,
            Kind::JobStatus | Kind::JobCancel => return Self::Job,
            Kind::Read | Kind::VersionRead if interaction.resource_type() == Some("Binary") => {
                Self::Binary
            }
            Kind::Read | Kind::VersionRead => Self::One,
            Kind::HistoryInstance | Kind::HistoryType | Kind::HistorySystem => Self::Several,
            Kind::SearchType | Kind::SearchSystem | Kind::SearchCompartment => match is_get {
                true => Self::Several,
                false => Self::SearchByPost,
            },
            Kind::Operation => match interaction.operation() {
                Some("everything") if is_get => Self::Several,
                Some("export") => return Self::Export,
                // The status of an export by the server's own address would be anybody's.
                Some(name) if is_always_refused(name) => return Self::Refused,
                Some(_) | None => Self::Refused,
            },
            Kind::Create
            | Kind::ConditionalCreate
            | Kind::Update
            | Kind::ConditionalUpdate
            | Kind::Patch
            | Kind::ConditionalPatch
            | Kind::Delete
            | Kind::ConditionalDelete
            | Kind::DeleteHistory
            | Kind::Batch
            | Kind::Unknown => Self::Refused,
        };
        if !access.is_unconfined() {
            return judged;
        }
        let provenance = || access.may(Permissions::CREATE, "Provenance");
        if access.changes() && headers::have_provenance(headers) && !provenance().is_open() {
            return Self::RefusedProvenance;
        }
        Self::Through
    }
}

/// Reports whether an operation is refused whatever was granted.
pub(super) fn is_always_refused(operation: &str) -> bool {
    operation.starts_with("export-")
}
