//! The refusals of the entries of a bundle, as operators are told of them.

use http::request::Parts;

use crate::middleware::LayerParts;

/// The refusals of the entries of a bundle: a line of the log for each kind, and not for each entry.
#[derive(Debug, Default)]
pub(super) struct RefusedEntries(Vec<EntryRefusals>);

#[derive(Debug)]
struct EntryRefusals {
    kind: Kind,
    /// The reason of the first refusal.
    reason: String,
    entries: usize,
}

/// The kind of a refusal, and the check that has failed.
type Kind = (&'static str, Option<&'static str>);

impl RefusedEntries {
    /// Counts one.
    pub(super) fn add(&mut self, layer_parts: &LayerParts, kind: Kind, reason: &str) {
        layer_parts.count_refusal(kind.0, kind.1);
        match self.0.iter_mut().find(|one| one.kind == kind) {
            Some(known) => known.entries += 1,
            None => self.0.push(EntryRefusals { kind, reason: reason.to_owned(), entries: 1 }),
        }
    }

    pub(super) fn log(self, layer_parts: &LayerParts, request: &Parts) {
        for EntryRefusals { kind: (kind, check), reason, entries } in self.0 {
            layer_parts.log_refusals(kind, check, &reason, (entries, request));
        }
    }
}
