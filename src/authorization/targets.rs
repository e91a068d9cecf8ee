//! The resources that an interaction is about: how many questions it asks about them, and with which
//! permissions it shows and changes them.

use crate::fhir::{Interaction, InteractionKind as Kind};
use crate::smart::Permissions;

/// The number of questions that an interaction asks about resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetCount {
    /// One permission on one type.
    One,
    Several,
    None,
}

/// The right by which an interaction shows resources of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// By its own grant.
    Granted,
    /// By permissions on the type.
    Held(Permissions),
    /// By the right to export the type.
    Exported,
    Nothing,
}

/// The way in which an interaction changes a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Writes {
    pub(super) permission: Permissions,
    /// True if its address names the instance, which must then be there already. A conditional
    /// update that finds nothing creates.
    pub(super) names_instance: bool,
}

impl TargetCount {
    pub(super) fn of(interaction: &Interaction) -> Self {
        match interaction.kind() {
            Kind::Create | Kind::Update | Kind::Patch | Kind::Delete | Kind::DeleteHistory => {
                Self::One
            }
            Kind::Read | Kind::VersionRead | Kind::HistoryInstance => Self::One,
            Kind::SearchType | Kind::HistoryType => Self::One,
            Kind::SearchCompartment if interaction.searched_type().is_some() => Self::One,
            Kind::ConditionalCreate
            | Kind::ConditionalUpdate
            | Kind::ConditionalPatch
            | Kind::ConditionalDelete
            | Kind::HistorySystem
            | Kind::SearchSystem
            | Kind::SearchCompartment
            | Kind::Page
            | Kind::Batch => Self::Several,
            Kind::Operation => match interaction.operation() {
                Some("everything" | "export") => Self::Several,
                Some(_) | None => Self::None,
            },
            Kind::Capabilities | Kind::JobStatus | Kind::JobCancel | Kind::Unknown => Self::None,
        }
    }
}

impl Shows {
    pub(super) fn of(interaction: &Interaction, resource_type: &str) -> Self {
        let target_type = interaction.searched_type().or_else(|| interaction.resource_type());
        match interaction.kind() {
            Kind::Read | Kind::VersionRead | Kind::HistoryInstance => {
                if target_type == Some(resource_type) {
                    return Self::Granted;
                }
                Self::Held(Permissions::READ)
            }
            Kind::SearchType | Kind::HistoryType if target_type == Some(resource_type) => {
                Self::Granted
            }
            Kind::SearchCompartment if interaction.searched_type() == Some(resource_type) => {
                Self::Granted
            }
            Kind::SearchType
            | Kind::SearchSystem
            | Kind::SearchCompartment
            | Kind::HistoryType
            | Kind::HistorySystem => Self::Held(Permissions::SEARCH),
            // What a change has made.
            Kind::Create
            | Kind::ConditionalCreate
            | Kind::Update
            | Kind::ConditionalUpdate
            | Kind::Patch
            | Kind::ConditionalPatch
            | Kind::Delete
            | Kind::ConditionalDelete
            | Kind::DeleteHistory => Self::Held(Permissions::READ),
            Kind::Operation => match interaction.operation() {
                Some("everything") => Self::Held(Permissions::READ | Permissions::SEARCH),
                Some("export") => Self::Exported,
                Some(_) | None => Self::Nothing,
            },
            Kind::Batch
            | Kind::Capabilities
            | Kind::JobStatus
            | Kind::JobCancel
            | Kind::Page
            | Kind::Unknown => Self::Nothing,
        }
    }
}

impl Writes {
    pub(super) fn of(interaction: &Interaction) -> Option<Self> {
        let (permission, names_instance) = match interaction.kind() {
            Kind::Create | Kind::ConditionalCreate => (Permissions::CREATE, false),
            Kind::Update | Kind::Patch => (Permissions::UPDATE, true),
            Kind::ConditionalUpdate => (Permissions::UPDATE, false),
            // A patch that finds nothing creates nothing, unlike a conditional update (R4, "patch").
            Kind::ConditionalPatch => (Permissions::UPDATE, true),
            Kind::Delete | Kind::ConditionalDelete | Kind::DeleteHistory => {
                (Permissions::DELETE, true)
            }
            Kind::Read
            | Kind::VersionRead
            | Kind::HistoryInstance
            | Kind::HistoryType
            | Kind::HistorySystem
            | Kind::SearchType
            | Kind::SearchSystem
            | Kind::SearchCompartment
            | Kind::Batch
            | Kind::Capabilities
            | Kind::Operation
            | Kind::JobStatus
            | Kind::JobCancel
            | Kind::Page
            | Kind::Unknown => return None,
        };
        Some(Self { permission, names_instance })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn interaction(method: &str, below: &str) -> Interaction {
        let base = "https://fhir.example.org/r4".parse().unwrap();
        let uri = format!("/r4{below}").parse().unwrap();
        Interaction::parse(&base, &method.parse().unwrap(), &uri, &HeaderMap::new())
    }

    #[test]
    fn each_interaction_has_one_kind_of_answer() {
        for (method, below, expected) in [
            ("GET", "/Observation/1", TargetCount::One),
            ("GET", "/Observation", TargetCount::One),
            ("POST", "/Observation/_search", TargetCount::One),
            ("GET", "/Practitioner/5/Observation", TargetCount::One),
            ("GET", "/Patient/1/*", TargetCount::Several),
            ("GET", "?_type=Observation", TargetCount::Several),
            ("GET", "/_history", TargetCount::Several),
            ("GET", "/Patient/1/$everything", TargetCount::Several),
            ("GET", "/$export", TargetCount::Several),
            ("PUT", "/Observation?code=x", TargetCount::Several),
            ("PUT", "/Observation/1", TargetCount::One),
            ("POST", "", TargetCount::Several),
            ("GET", "/metadata", TargetCount::None),
            ("POST", "/Patient/$validate", TargetCount::None),
            ("GET", "/_operations/export/1", TargetCount::None),
            ("GET", "/Patient//1", TargetCount::None),
        ] {
            assert_eq!(TargetCount::of(&interaction(method, below)), expected, "{method} {below}");
        }
    }

    #[test]
    fn a_result_is_shown_by_the_permission_that_found_it() {
        use Permissions as P;
        for (method, below, on, expected) in [
            ("GET", "/Observation/1", "Observation", Shows::Granted),
            ("GET", "/Observation/1", "Patient", Shows::Held(P::READ)),
            ("GET", "/Observation", "Observation", Shows::Granted),
            ("GET", "/Observation", "Patient", Shows::Held(P::SEARCH)),
            ("GET", "/Patient/1/Observation", "Observation", Shows::Granted),
            ("GET", "/Patient/1/Observation", "Patient", Shows::Held(P::SEARCH)),
            ("GET", "/Patient/1/*", "Patient", Shows::Held(P::SEARCH)),
            ("GET", "/Patient/1/$everything", "Patient", Shows::Held(P::READ | P::SEARCH)),
            ("PUT", "/Observation/1", "Observation", Shows::Held(P::READ)),
            ("GET", "/$export", "Patient", Shows::Exported),
            ("POST", "", "Patient", Shows::Nothing),
            ("GET", "/Patient//1", "Patient", Shows::Nothing),
        ] {
            let found = Shows::of(&interaction(method, below), on);
            assert_eq!(found, expected, "{method} {below} {on}");
        }
    }
}
