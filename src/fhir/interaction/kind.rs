//! The kinds of interaction.

use std::fmt;

/// The kind of an interaction (R4 section 3.1.0).
///
/// ```
/// use tower_fhir_auth::{Interaction, InteractionKind};
///
/// fn is_search(interaction: &Interaction) -> bool {
///     use InteractionKind::{SearchCompartment, SearchSystem, SearchType};
///     matches!(interaction.kind(), SearchType | SearchSystem | SearchCompartment)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InteractionKind {
    /// `GET [type]/[id]`
    Read,
    /// `GET [type]/[id]/_history/[vid]`
    VersionRead,
    /// `PUT [type]/[id]`
    Update,
    /// `PUT [type]?…`
    ConditionalUpdate,
    /// `PATCH [type]/[id]`
    Patch,
    /// `PATCH [type]?…`
    ConditionalPatch,
    /// `DELETE [type]/[id]`
    Delete,
    /// `DELETE [type]?…`
    ConditionalDelete,
    /// `POST [type]`
    Create,
    /// `POST [type]` with `If-None-Exist`
    ConditionalCreate,
    /// `GET [type]?…`, `POST [type]/_search`
    SearchType,
    /// `GET [base]?…`, `POST [base]/_search`
    SearchSystem,
    /// `GET [compartment]/[id]/[type]?…`, or `…/*?…`
    SearchCompartment,
    /// `GET [type]/[id]/_history`
    HistoryInstance,
    /// `GET [type]/_history`
    HistoryType,
    /// `GET [base]/_history`
    HistorySystem,
    /// `DELETE [type]/[id]/_history`, `DELETE [type]/[id]/_history/[vid]` (R6, in use before)
    DeleteHistory,
    /// `POST [base]`: a batch or a transaction
    Batch,
    /// `GET [base]/metadata`
    Capabilities,
    /// `$name` at the base, a type or an instance. Microsoft's bulk operations are called with
    /// `DELETE` and `PATCH` as well.
    Operation,
    /// `GET [base]/_operations/[kind]/[id]` and below: the status of an asynchronous job, and its
    /// results. The kind is the [`operation`](crate::Interaction::operation) that began it.
    JobStatus,
    /// `DELETE [base]/_operations/[kind]/[id]`: ends a job and deletes its results.
    JobCancel,
    /// `GET [base]/_pages/[sealed]`: a further page of a search or history, where page links are sealed.
    Page,
    /// Not an interaction of FHIR.
    Unknown,
}

impl InteractionKind {
    /// Returns the code of FHIR where there is one (value set `restful-interaction`), else a
    /// similar one.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::VersionRead => "vread",
            Self::Update => "update",
            Self::ConditionalUpdate => "update-conditional",
            Self::Patch => "patch",
            Self::ConditionalPatch => "patch-conditional",
            Self::Delete => "delete",
            Self::ConditionalDelete => "delete-conditional",
            Self::Create => "create",
            Self::ConditionalCreate => "create-conditional",
            Self::SearchType => "search-type",
            Self::SearchSystem => "search-system",
            Self::SearchCompartment => "search-compartment",
            Self::HistoryInstance => "history-instance",
            Self::HistoryType => "history-type",
            Self::HistorySystem => "history-system",
            Self::DeleteHistory => "delete-history",
            Self::Batch => "batch",
            Self::Capabilities => "capabilities",
            Self::Operation => "operation",
            Self::JobStatus => "job-status",
            Self::JobCancel => "job-cancel",
            Self::Page => "page",
            Self::Unknown => "no interaction of FHIR",
        }
    }
}

impl fmt::Display for InteractionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use InteractionKind as K;

    use super::*;

    /// Logs, metrics and policies of others go by them.
    #[test]
    fn the_codes_are_those_of_fhir_and_their_like() {
        for (kind, code) in [
            (K::Read, "read"),
            (K::VersionRead, "vread"),
            (K::Update, "update"),
            (K::ConditionalUpdate, "update-conditional"),
            (K::Patch, "patch"),
            (K::ConditionalPatch, "patch-conditional"),
            (K::Delete, "delete"),
            (K::ConditionalDelete, "delete-conditional"),
            (K::Create, "create"),
            (K::ConditionalCreate, "create-conditional"),
            (K::SearchType, "search-type"),
            (K::SearchSystem, "search-system"),
            (K::SearchCompartment, "search-compartment"),
            (K::HistoryInstance, "history-instance"),
            (K::HistoryType, "history-type"),
            (K::HistorySystem, "history-system"),
            (K::DeleteHistory, "delete-history"),
            (K::Batch, "batch"),
            (K::Capabilities, "capabilities"),
            (K::Operation, "operation"),
            (K::JobStatus, "job-status"),
            (K::JobCancel, "job-cancel"),
            (K::Page, "page"),
            (K::Unknown, "no interaction of FHIR"),
        ] {
            assert_eq!(kind.code(), code, "{kind:?}");
        }
    }
}
