//! The rules that the application's handlers enforce, beyond what the layer can see.

use std::fmt;

use bitflags::bitflags;

bitflags! {
    /// The declaration of an application: all that its handlers enforce. The layer sees no bodies
    /// and no resources: a grant that leaves something for the handler is a refusal until the
    /// handler is declared to do it.
    ///
    /// ```
    /// use tower_fhir_auth::{Enforcement, FhirAuthLayer};
    ///
    /// let builder = FhirAuthLayer::builder("https://fhir.example.org/r4")
    ///     .handlers_enforce(Enforcement::COMPARTMENTS | Enforcement::BUNDLE_ENTRIES);
    /// ```
    #[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
    pub struct Enforcement: u8 {
        /// The parameters in the body of `POST …/_search` are judged like those of an address:
        /// [`Access::authorize_search_body`](super::Access::authorize_search_body).
        const SEARCH_BODIES = 1;
        /// Each entry of a batch or transaction is judged by itself:
        /// [`Access::authorize_entry`](super::Access::authorize_entry).
        const BUNDLE_ENTRIES = 1 << 1;
        /// A grant for one patient is confined to that patient's compartment, before and after
        /// a change, in every version and every result:
        /// [`Access::may_show`](super::Access::may_show) and
        /// [`Access::may_store`](super::Access::may_store).
        const COMPARTMENTS = 1 << 2;
        /// A grant by a scope with search parameters is confined to resources that match them, by
        /// the same two, or by [`Alternative::constraint`](super::Alternative::constraint).
        const CONSTRAINTS = 1 << 3;
        /// Included resources and links of chains are judged one by one, those too whose type an
        /// address does not spell: [`Access::readable`](super::Access::readable).
        const INCLUDES = 1 << 4;
        /// Asynchronous jobs are shown to their owner alone:
        /// [`Access::owns`](super::Access::owns). The types of an export are judged again then:
        /// [`Access::may_export`](super::Access::may_export).
        const JOBS = 1 << 5;
        /// An export without `_type` is narrowed to the types that the caller may export:
        /// [`Access::may_export`](super::Access::may_export).
        const EXPORT_TYPES = 1 << 6;
        /// Further pages, `_pages/[sealed]`, are shown to whom they were sealed for, and judged again
        /// with the token that comes: [`Access::authorize_page`](super::Access::authorize_page).
        const PAGES = 1 << 7;
    }
}

impl Enforcement {
    /// All of it.
    pub const ALL: Self = Self::all();

    const NAMES: [(Self, &'static str); 8] = [
        (Self::SEARCH_BODIES, "bodies of searches"),
        (Self::BUNDLE_ENTRIES, "bundle entries"),
        (Self::COMPARTMENTS, "compartments"),
        (Self::CONSTRAINTS, "constraints"),
        (Self::INCLUDES, "includes"),
        (Self::JOBS, "job ownership"),
        (Self::EXPORT_TYPES, "the types of exports"),
        (Self::PAGES, "pages"),
    ];
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let declared = Self::NAMES.iter().filter(|(one, _)| self.contains(*one));
        let names: Vec<&str> = declared.map(|(_, name)| *name).collect();
        f.write_str(if names.is_empty() { "nothing" } else { "" })?;
        f.write_str(&names.join(", "))
    }
}

impl fmt::Debug for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enforcement({self})")
    }
}
