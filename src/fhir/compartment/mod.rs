//! The Patient compartment of R4 (<https://hl7.org/fhir/R4/compartmentdefinition-patient.html>), as a
//! deployment has it.

mod membership;
mod parameter;
#[cfg(feature = "confine")]
mod patient_search;
mod r4;
mod reference;

pub(crate) use self::membership::{
    LocalPatient, MAX_LOOKUPS, Membership, NotAbout, id, resource_type,
};
#[cfg(feature = "confine")]
pub(crate) use self::patient_search::searches_other_patient;
pub use self::reference::ResourceReference;
pub(crate) use self::reference::{Node, ReferenceTarget, resource_of};

use self::parameter::{PROVENANCE, PatientReference};
use self::r4::PATIENT_REFERENCES;
use crate::fhir::resource_type::is_known;

/// The rules by which a resource belongs to a patient.
///
/// The default is R4's definition with three changes (`[patient]` of the configuration file):
///
/// - `also`: a Device belongs to its `patient`, and a Provenance to whoever may see all of its
///   targets; the latter replaces `Provenance:patient` of the definition;
/// - `less`: being a `member` of a Group confers nothing, since a Group shows its other members;
/// - `shared`: Organization, Practitioner, PractitionerRole, Location, Medication and
///   HealthcareService belong to no patient and are seen by all.
///
/// A Patient is in its own compartment. `Patient:link` of the definition never counts, because
/// whoever may write a link would then decide who sees another patient's record.
///
/// ```
/// use tower_fhir_auth::fhir::PatientCompartment;
///
/// let compartment = PatientCompartment::default();
/// let observation: Vec<&str> = compartment.parameters("Observation").collect();
/// assert_eq!(observation, ["performer", "subject"]);
/// assert!(compartment.is_shared("Organization"));
///
/// let without_devices = PatientCompartment::builder().also(["Provenance:target"]).build()?;
/// assert_eq!(without_devices.parameters("Device").count(), 0);
/// # Ok::<(), tower_fhir_auth::fhir::CompartmentError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PatientCompartment {
    /// In the order of the alphabet.
    types: Vec<TypeRules>,
    shared: Vec<String>,
}

/// The rules of one type.
#[derive(Clone, Debug)]
struct TypeRules {
    resource_type: &'static str,
    /// The parameters that confer membership.
    members: Vec<&'static PatientReference>,
    /// The parameters of which none may name another patient in what is written.
    naming: Vec<&'static PatientReference>,
    /// The parameters of which one must name the patient in what is written.
    about: Vec<&'static PatientReference>,
}

/// Collects the changes to R4's definition. Made by [`PatientCompartment::builder`].
///
/// ```
/// use tower_fhir_auth::fhir::PatientCompartment;
///
/// let compartment = PatientCompartment::builder()
///     .shared(["Organization", "Location"])
///     .less(["Group:member", "Appointment:actor"])
///     .build()?;
/// assert!(compartment.is_shared("Location") && !compartment.is_shared("Practitioner"));
/// # Ok::<(), tower_fhir_auth::fhir::CompartmentError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PatientCompartmentBuilder {
    also: Vec<String>,
    less: Vec<String>,
    shared: Vec<String>,
}

/// An entry of `also`, `less` or `shared` is invalid.
///
/// ```
/// use tower_fhir_auth::fhir::PatientCompartment;
///
/// // An Observation belongs to a patient, so that it cannot be of none.
/// let error = PatientCompartment::builder().shared(["Observation"]).build().unwrap_err();
/// println!("{error}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{list}`: expected {expected}, found \"{entry}\"")]
#[non_exhaustive]
pub struct CompartmentError {
    /// `also`, `less` or `shared`.
    pub list: &'static str,
    /// The entry.
    pub entry: String,
    /// The form of a correct entry.
    pub expected: &'static str,
}

impl PatientCompartment {
    /// Starts from the defaults; each setter replaces one list.
    pub fn builder() -> PatientCompartmentBuilder {
        let list = |entries: &[&str]| entries.iter().map(|entry| (*entry).to_owned()).collect();
        PatientCompartmentBuilder {
            also: list(&["Device:patient", "Provenance:target"]),
            less: list(&["Group:member"]),
            shared: list(&[
                "Organization",
                "Practitioner",
                "PractitionerRole",
                "Location",
                "Medication",
                "HealthcareService",
            ]),
        }
    }

    /// Returns the search parameters that put a resource of a type into a patient's compartment.
    /// A Patient is in its own by its id, and so has none; a Provenance has `target`, which counts
    /// in its own way.
    pub fn parameters(&self, resource_type: &str) -> impl Iterator<Item = &'static str> {
        let rules = self.rules(resource_type);
        rules.into_iter().flat_map(|rules| rules.members.iter().map(|parameter| parameter.name))
    }

    /// Reports whether resources of a type may be in a patient's compartment.
    #[must_use]
    pub fn has_place_for(&self, resource_type: &str) -> bool {
        resource_type == "Patient" || self.parameters(resource_type).next().is_some()
    }

    /// Reports whether resources of a type belong to no patient and are seen by all.
    #[must_use]
    pub fn is_shared(&self, resource_type: &str) -> bool {
        self.shared.iter().any(|shared| shared == resource_type)
    }

    fn rules(&self, resource_type: &str) -> Option<&TypeRules> {
        let index = self.types.binary_search_by_key(&resource_type, |rules| rules.resource_type);
        self.types.get(index.ok()?)
    }
}

impl PatientCompartmentBuilder {
    /// Adds parameters, each as `Type:parameter`, beyond the definition. Default:
    /// `Device:patient` and `Provenance:target`.
    pub fn also<E: Into<String>>(mut self, entries: impl IntoIterator<Item = E>) -> Self {
        self.also = entries.into_iter().map(Into::into).collect();
        self
    }

    /// Leaves parameters of the definition out. Default: `Group:member`.
    pub fn less<E: Into<String>>(mut self, entries: impl IntoIterator<Item = E>) -> Self {
        self.less = entries.into_iter().map(Into::into).collect();
        self
    }

    /// Names the types that all patients share.
    pub fn shared<E: Into<String>>(mut self, types: impl IntoIterator<Item = E>) -> Self {
        self.shared = types.into_iter().map(Into::into).collect();
        self
    }

    /// Lists everything that is wrong with the entries.
    #[must_use]
    pub fn faults(&self) -> Vec<CompartmentError> {
        let mut faults = Vec::new();
        let mut fault = |list, entry: &String, expected| {
            faults.push(CompartmentError { list, entry: entry.clone(), expected });
        };
        for entry in &self.also {
            let expected = "a reference search parameter that can name a Patient, such as \
                            \"Device:patient\"";
            match entry.as_str() {
                // What a patient says about others, or who says to be the same person.
                "Observation:focus" | "Patient:link" => {
                    fault("also", entry, "a parameter that makes a resource the patient's own");
                }
                _ if find(entry).is_none() => fault("also", entry, expected),
                _ => {}
            }
        }
        for entry in &self.less {
            if find(entry).is_none() {
                fault("less", entry, "a reference search parameter that can name a Patient");
            }
        }
        for entry in &self.shared {
            let in_compartment = PATIENT_REFERENCES.iter().any(|of| {
                let listed = of.parameters.iter().any(|parameter| parameter.in_compartment);
                of.resource_type == entry && listed
            });
            let added = self.also.iter().filter_map(|also| also.split_once(':'));
            if !is_known(entry) {
                fault("shared", entry, "a resource type");
            } else if in_compartment || entry == "Patient" {
                fault("shared", entry, "a type that has no place in the Patient compartment");
            } else if added.into_iter().any(|(name, _)| name == entry) {
                fault("shared", entry, "a type that `also` does not name");
            }
        }
        faults
    }

    /// Makes the compartment.
    ///
    /// # Errors
    ///
    /// The first invalid entry.
    pub fn build(self) -> Result<PatientCompartment, CompartmentError> {
        match self.faults().into_iter().next() {
            Some(fault) => Err(fault),
            None => Ok(self.compartment()),
        }
    }

    fn compartment(self) -> PatientCompartment {
        let listed = |list: &[String], of: &str, name: &str| {
            list.iter().any(|entry| entry.split_once(':') == Some((of, name)))
        };
        let types = PATIENT_REFERENCES.iter().map(|of| {
            let resource_type = of.resource_type;
            // `target` replaces `patient`, which would show what is said about others' resources.
            let defined = |parameter: &PatientReference| {
                parameter.in_compartment
                    && resource_type != PROVENANCE
                    && (resource_type, parameter.name) != ("Patient", "link")
            };
            let counts = |parameter: &PatientReference, name| {
                defined(parameter) || listed(&self.also, resource_type, name)
            };
            let all = of.parameters.iter();
            let naming: Vec<_> = all.filter(|one| counts(one, one.name)).collect();
            let members = naming.iter().copied();
            let members: Vec<_> =
                members.filter(|one| !listed(&self.less, resource_type, one.name)).collect();
            // A performer may see the Observation of somebody else, as R4 has it, but not change it.
            let subject = |one: &&PatientReference| matches!(one.name, "patient" | "subject");
            let subjects: Vec<_> = of.parameters.iter().filter(subject).collect();
            let about = if subjects.is_empty() { naming.clone() } else { subjects };
            TypeRules { resource_type, members, naming, about }
        });
        PatientCompartment { types: types.collect(), shared: self.shared }
    }
}

impl Default for PatientCompartment {
    fn default() -> Self {
        Self::builder().compartment()
    }
}

/// The parameter that an entry such as `Device:patient` names.
fn find(entry: &str) -> Option<&'static PatientReference> {
    let (resource_type, name) = entry.split_once(':')?;
    let of = PATIENT_REFERENCES.iter().find(|of| of.resource_type == resource_type)?;
    of.parameters.iter().find(|parameter| parameter.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_link_of_a_patient_nor_the_patient_of_a_provenance_counts() {
        let compartment = PatientCompartment::default();
        for (resource_type, expected) in [
            ("Provenance", &["target"][..]),
            ("Patient", &[]),
            ("Group", &[]),
            ("Device", &["patient"]),
            ("AllergyIntolerance", &["asserter", "patient", "recorder"]),
        ] {
            let found: Vec<&str> = compartment.parameters(resource_type).collect();
            assert_eq!(found, expected, "{resource_type}");
        }
        let without = PatientCompartment::builder().also(["Device:patient"]).build().unwrap();
        assert!(!without.has_place_for("Provenance"));
    }
}
