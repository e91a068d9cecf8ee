//! The patients of a resource: by membership for those who read, and by what it is about for those who
//! write.

use std::borrow::Cow;

use hashbrown::HashSet;

use super::PatientCompartment;
use super::parameter::{PROVENANCE, PatientReference};
use super::reference::{Node, ReferenceTarget, ResourceReference, visit};
use crate::fhir::base_url::BaseUrl;

/// The membership of a resource in a patient's compartment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    Member,
    /// It does when all of these belong to the patient or are shared.
    Depends(Vec<ResourceReference>),
    NotMember,
}

/// The reason for which a resource must not be written on behalf of a patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotAbout {
    /// The type is one that no patient writes.
    Type,
    /// None of these parameters names the patient.
    Nobody(Vec<&'static str>),
    /// The parameter names another patient.
    Another(&'static str),
    /// The parameter names something that only a look-up could tell.
    Unresolved(&'static str),
    /// The resource would not be one of the patient's.
    Outside,
}

/// More targets than these hide a Provenance: each is a look-up in a store.
pub(crate) const MAX_LOOKUPS: usize = 64;

/// A patient and the server it is a patient of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalPatient<'a> {
    pub(crate) id: &'a str,
    pub(crate) base: &'a BaseUrl,
}

impl PatientCompartment {
    /// Returns whether a resource belongs to a patient.
    pub(crate) fn membership<'r, N: Node<'r>>(
        &self,
        resource: N,
        patient: LocalPatient<'_>,
    ) -> Membership {
        let resource_type = resource_type(resource);
        if resource_type == "Patient" {
            return member_if(id(resource) == Some(patient.id));
        }
        let Some(rules) = self.rules(resource_type) else {
            return Membership::NotMember;
        };
        if resource_type == PROVENANCE {
            let target = rules.members.iter().find(|parameter| parameter.name == "target");
            return target.map_or(Membership::NotMember, |_| of_targets(resource, patient.base));
        }
        let names = |target: &ReferenceTarget<'_>| target.names("Patient", patient.id);
        member_if(
            rules.members.iter().any(|parameter| any(resource, parameter, patient.base, names)),
        )
    }

    /// Checks that a resource, as it is or as it would be, is about a patient and no other.
    pub(crate) fn check_about<'r, N: Node<'r>>(
        &self,
        resource: N,
        patient: LocalPatient<'_>,
    ) -> Result<(), NotAbout> {
        let resource_type = resource_type(resource);
        if !self.is_written(resource_type) {
            return Err(NotAbout::Type);
        }
        let rules = self.rules(resource_type).ok_or(NotAbout::Type)?;
        for parameter in &rules.naming {
            let mut fault = None;
            for_each(resource, parameter, patient.base, |target| match target {
                ReferenceTarget::Here { resource_type, id } if resource_type == "Patient" => {
                    if id != patient.id {
                        fault = Some(NotAbout::Another(parameter.name));
                    }
                }
                ReferenceTarget::Elsewhere { resource_type: "Patient" } => {
                    fault = Some(NotAbout::Another(parameter.name));
                }
                ReferenceTarget::Unresolved => fault = Some(NotAbout::Unresolved(parameter.name)),
                ReferenceTarget::Here { .. }
                | ReferenceTarget::Elsewhere { .. }
                | ReferenceTarget::Nothing => {}
            });
            if let Some(fault) = fault {
                return Err(fault);
            }
        }
        let names = |target: &ReferenceTarget<'_>| target.names("Patient", patient.id);
        let is_about = match resource_type {
            "Patient" => id(resource) == Some(patient.id),
            _ => rules.about.iter().any(|one| any(resource, one, patient.base, names)),
        };
        if !is_about {
            return Err(NotAbout::Nobody(rules.about.iter().map(|one| one.name).collect()));
        }
        // `less` may leave out the parameter by which it is about the patient: it would be hidden then.
        match self.membership(resource, patient) {
            Membership::Member => Ok(()),
            Membership::Depends(_) | Membership::NotMember => Err(NotAbout::Outside),
        }
    }

    /// Returns whether a patient may write resources of a type at all. What says who did what, who
    /// somebody is, or who belongs together is for others to write.
    pub(crate) fn is_written(&self, resource_type: &str) -> bool {
        let never = matches!(resource_type, PROVENANCE | "AuditEvent" | "Group" | "Person");
        !never && !self.is_shared(resource_type) && self.has_place_for(resource_type)
    }
}

/// A Provenance belongs to whoever may see all of its targets, of which there must be one.
fn of_targets<'r, N: Node<'r>>(resource: N, base: &BaseUrl) -> Membership {
    let mut targets: Vec<ResourceReference> = Vec::new();
    let mut known: HashSet<ResourceReference> = HashSet::with_capacity(MAX_LOOKUPS);
    let mut all_are_here = true;
    visit(resource, "target", &mut |element| match ReferenceTarget::of(element, base) {
        ReferenceTarget::Here { resource_type, id } if targets.len() <= MAX_LOOKUPS => {
            let target = ResourceReference::new(resource_type, id);
            if known.insert(target.clone()) {
                targets.push(target);
            }
        }
        ReferenceTarget::Here { .. } => {}
        ReferenceTarget::Elsewhere { .. }
        | ReferenceTarget::Unresolved
        | ReferenceTarget::Nothing => all_are_here = false,
    });
    if !all_are_here || targets.is_empty() || targets.len() > MAX_LOOKUPS {
        return Membership::NotMember;
    }
    Membership::Depends(targets)
}

fn member_if(member: bool) -> Membership {
    if member { Membership::Member } else { Membership::NotMember }
}

fn any<'r, N: Node<'r>>(
    resource: N,
    parameter: &PatientReference,
    base: &BaseUrl,
    matches: impl Fn(&ReferenceTarget<'_>) -> bool,
) -> bool {
    let mut found = false;
    for_each(resource, parameter, base, |target| found = found || matches(target));
    found
}

fn for_each<'r, N: Node<'r>>(
    resource: N,
    parameter: &PatientReference,
    base: &BaseUrl,
    mut found: impl FnMut(&ReferenceTarget<'_>),
) {
    for path in parameter.paths {
        visit(resource, path, &mut |element| found(&ReferenceTarget::of(element, base)));
    }
}

/// The type of a resource; empty where it has none.
pub(crate) fn resource_type<'r, N: Node<'r>>(resource: N) -> &'r str {
    resource.member("resourceType").and_then(Node::string).unwrap_or_default()
}

/// The logical id of a resource.
pub(crate) fn id<'r, N: Node<'r>>(resource: N) -> Option<&'r str> {
    resource.member("id").and_then(Node::string)
}

impl NotAbout {
    /// The fault as a sentence that a client reads.
    pub(crate) fn describe(&self, resource_type: &str) -> Cow<'static, str> {
        match self {
            Self::Type => {
                format!("a scope that confines to a patient cannot write {resource_type}").into()
            }
            Self::Nobody(parameters) => {
                let names: Vec<String> =
                    parameters.iter().map(|name| format!("`{name}`")).collect();
                let names = names.join(" or ");
                format!("the resource is not about the patient of the token (by {names})").into()
            }
            Self::Another(parameter) => {
                format!("`{parameter}` of the resource names another patient").into()
            }
            Self::Unresolved(parameter) => format!(
                "`{parameter}` of the resource is not a plain reference to a resource, so whom it \
                 names cannot be told"
            )
            .into(),
            Self::Outside => "the resource would not belong to the patient of the token".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn membership(resource: &Value) -> Membership {
        let base = "https://fhir.example.org/r4".parse().unwrap();
        PatientCompartment::default().membership(resource, LocalPatient { id: "1", base: &base })
    }

    #[test]
    fn one_reference_of_several_is_enough() {
        for performers in [["Patient/1", "Practitioner/p"], ["Practitioner/p", "Patient/1"]] {
            let performer = performers.map(|one| json!({"reference": one}));
            let resource = json!({"resourceType": "Observation", "performer": performer});
            assert_eq!(membership(&resource), Membership::Member, "{resource}");
        }
    }

    #[test]
    fn targets_are_counted_once_each_and_no_more_than_are_looked_up() {
        for (different, repeated, expected) in
            [(1, 1, 1), (40, 2, 40), (MAX_LOOKUPS, 3, MAX_LOOKUPS), (MAX_LOOKUPS + 1, 1, 0)]
        {
            let targets = (0..different * repeated).map(|n| n % different);
            let targets = targets.map(|n| json!({"reference": format!("Observation/{n}")}));
            let targets: Vec<Value> = targets.collect();
            let resource = json!({"resourceType": PROVENANCE, "target": targets});
            let found = match membership(&resource) {
                Membership::Depends(targets) => targets.len(),
                Membership::Member | Membership::NotMember => 0,
            };
            assert_eq!(found, expected, "{different} targets, {repeated} times");
        }
    }

    /// An operator may leave the parameter out by which a resource is about somebody.
    #[test]
    fn what_would_be_about_the_patient_and_yet_not_be_shown_is_not_written() {
        let subject = "Observation:subject";
        let compartment = PatientCompartment::builder().less([subject]).build().unwrap();
        let base = "https://fhir.example.org/r4".parse().unwrap();
        let patient = LocalPatient { id: "1", base: &base };
        let about = json!({
            "resourceType": "Observation", "subject": {"reference": "Patient/1"},
        });
        assert_eq!(compartment.check_about(&about, patient), Err(NotAbout::Outside));
        let told = NotAbout::Outside.describe("Observation");
        assert_eq!(told, "the resource would not belong to the patient of the token");
        let mut shown = about.clone();
        shown["performer"] = json!([{"reference": "Patient/1"}]);
        assert_eq!(compartment.check_about(&shown, patient), Ok(()));
        assert_eq!(PatientCompartment::default().check_about(&about, patient), Ok(()));
    }
}
