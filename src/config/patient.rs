//! The `[patient]` table: rules that extend or narrow the patient compartment of R4.

use super::reader::SectionReader;
use crate::fhir::PatientCompartment;

pub(crate) fn read(root: &mut SectionReader<'_>) -> PatientCompartment {
    let mut builder = PatientCompartment::builder();
    let Some(mut patient) = root.table("patient") else {
        return PatientCompartment::default();
    };
    if let Some(also) = patient.strings("also") {
        builder = builder.also(also);
    }
    if let Some(less) = patient.strings("less") {
        builder = builder.less(less);
    }
    if let Some(shared) = patient.strings("shared") {
        builder = builder.shared(shared);
    }
    for fault in builder.faults() {
        let message = format!("expected {}, found \"{}\"", fault.expected, fault.entry);
        patient.reject(fault.list, message);
    }
    patient.finish();
    // With an error the file is rejected, and this compartment is not used.
    builder.build().unwrap_or_default()
}
