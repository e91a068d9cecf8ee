//! Paths that two servers could read differently.

use tower_fhir_auth::fhir::is_unambiguous_path;

/// Reports whether a path, below the base, could be read as another one, or as one outside the base. None that
/// spells an interaction of FHIR can, but that of an id of dots alone.
pub(crate) fn may_be_read_otherwise(below: &str) -> bool {
    !is_unambiguous_path(below)
}
