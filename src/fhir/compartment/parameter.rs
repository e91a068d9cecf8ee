//! Search parameters of R4 that can name a Patient.

/// The type whose members belong to whoever may see all of its targets.
pub(super) const PROVENANCE: &str = "Provenance";

/// The reference parameters of a type that can name a Patient.
#[derive(Debug)]
pub(super) struct TypeReferences {
    pub(super) resource_type: &'static str,
    pub(super) parameters: &'static [PatientReference],
}

/// A reference search parameter that can name a Patient.
#[derive(Debug)]
pub(super) struct PatientReference {
    pub(super) name: &'static str,
    /// True if R4's definition of the compartment has it.
    pub(super) in_compartment: bool,
    /// The elements it reads, below the type. Without one it confers nothing.
    pub(super) paths: &'static [&'static str],
}
