//! The rules of the file, held to what a sub-request shows: method, address and headers, and no body.

use http::Method;
use tower_fhir_auth::authorization::AccessPolicy;
use tower_fhir_auth::fhir::PatientCompartment;
use tower_fhir_auth::{
    AccessRequest, Authorizer, Denial, Enforcement, Grant, Interaction, InteractionKind as Kind,
};

use crate::failure::Failure;

/// Grants what the rules of the file grant and this server can tell: no answer and no body is looked into.
#[derive(Debug)]
pub(super) struct AddressOnlyPolicy {
    policy: AccessPolicy,
    /// The compartment that a server of R4 knows by itself; `None` where no token is held to a patient.
    by_path: Option<PatientCompartment>,
}

/// The part of a request that no sub-request shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unseen {
    Entries,
    SearchBody,
    Beyond,
    Answer,
}

impl AddressOnlyPolicy {
    /// The declaration to the layer that goes with it: what is granted for one patient, by a constraint or with
    /// an include is judged here. The entries of a bundle, jobs and pages are not.
    pub(super) const ENFORCED: Enforcement = Enforcement::COMPARTMENTS
        .union(Enforcement::CONSTRAINTS)
        .union(Enforcement::INCLUDES)
        .union(Enforcement::SEARCH_BODIES);

    /// `by_path`: whether a token that is held to a patient is granted what the path confines.
    pub(super) fn new(policy: AccessPolicy, by_path: bool) -> Result<Self, Failure> {
        let nothing: [&str; 0] = [];
        let r4 = PatientCompartment::builder().also(nothing).less(nothing).shared(nothing).build();
        let r4 = r4.map_err(|error| Failure::new(error.to_string()))?;
        Ok(Self { policy, by_path: by_path.then_some(r4) })
    }

    /// Grants what no sub-request shows to who may do everything.
    fn unseen(&self, unseen: Unseen, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        let everything = self.policy.grants_everything(request);
        match unseen {
            // Nobody judges its entries, for which the rules of the file would ask.
            Unseen::Entries if everything => Ok(Grant::by("the right to do everything")),
            Unseen::Entries => Err(unseen.denial()),
            Unseen::SearchBody | Unseen::Beyond | Unseen::Answer => {
                let granted = self.policy.authorize(request)?;
                if everything { Ok(granted) } else { Err(unseen.denial()) }
            }
        }
    }

    /// Reports whether the path of a request confines its answer to the patient that the grant is for.
    fn is_confined_by_path(&self, request: &AccessRequest<'_>, grant: &Grant) -> bool {
        let interaction = request.interaction();
        let Some(r4) = &self.by_path else { return false };
        let is_get = matches!(*interaction.method(), Method::GET | Method::HEAD);
        let patient = match (interaction.kind(), interaction.searched_type()) {
            (Kind::Read, _) => interaction.id(),
            (Kind::SearchCompartment, Some(searched)) => interaction
                .id()
                .filter(|_| is_known_to_r4(r4, request.patient_compartment(), searched)),
            _ => None,
        };
        let Some(patient) = patient.filter(|_| interaction.resource_type() == Some("Patient"))
        else {
            return false;
        };
        let is_all_of_the_patient = |set: &tower_fhir_auth::authorization::Alternatives| {
            set.iter().any(|one| one.constraint().is_none() && one.patient() == Some(patient))
        };
        is_get && grant.confinement().sets().all(is_all_of_the_patient)
    }
}

/// Reports whether a server of R4 puts resources of a type into the compartment of a patient by the parameters
/// that this deployment has, or by fewer: one that knows none, or more, shows what is another's.
fn is_known_to_r4(r4: &PatientCompartment, here: &PatientCompartment, resource_type: &str) -> bool {
    let mut theirs = r4.parameters(resource_type).peekable();
    theirs.peek().is_some()
        && theirs.all(|name| here.parameters(resource_type).any(|own| own == name))
}

impl Authorizer for AddressOnlyPolicy {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        if let Some(unseen) = Unseen::of(request.interaction()) {
            return self.unseen(unseen, request);
        }
        let granted = self.policy.authorize(request)?;
        // What is granted before handlers that enforce nothing has been decided wholly.
        let alone = AccessRequest::new(request.principal(), request.interaction());
        match self.policy.authorize(&alone) {
            Ok(decided) => Ok(decided),
            Err(_) if self.is_confined_by_path(request, &granted) => Ok(granted),
            Err(_) => Err(Denial::new(
                "the token is held to one patient or to a constraint, and the answer cannot be checked here: \
                 what the path alone confines is the patient's own Patient/{id} and Patient/{id}/{type}",
            )),
        }
    }

    fn treats_unnamed_types_alike(&self) -> bool {
        true
    }
}

impl Unseen {
    fn of(interaction: &Interaction) -> Option<Self> {
        if interaction.kind() == Kind::Batch {
            Some(Self::Entries)
        } else if interaction.is_search_by_post() {
            Some(Self::SearchBody)
        } else if interaction.looks_beyond() {
            Some(Self::Beyond)
        } else if interaction.operation().is_some_and(|name| !has_one_answer(name))
            && interaction.kind() == Kind::Operation
        {
            Some(Self::Answer)
        } else {
            None
        }
    }

    fn denial(self) -> Denial {
        Denial::new(match self {
            Self::Entries => {
                "the entries of a bundle are in its body, which cannot be checked here: send them one by one"
            }
            Self::SearchBody => {
                "the parameters of this search may be in its body, which cannot be checked here: search by GET"
            }
            Self::Beyond => {
                "an include, a chain, a filter or a cascade reaches resources that cannot be checked here: ask without it"
            }
            Self::Answer => {
                "the answer of this operation is made of several resources, which cannot be checked here"
            }
        })
    }
}

/// Reports whether the answer of an operation is about one thing, which its own right is for: no resources of
/// patients come with it.
fn has_one_answer(name: &str) -> bool {
    matches!(
        name,
        "convert-data"
            | "expand"
            | "import"
            | "lookup"
            | "purge-history"
            | "reindex"
            | "status"
            | "subsumes"
            | "translate"
            | "validate"
            | "validate-code"
    )
}
