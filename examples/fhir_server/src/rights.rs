//! The rights of a request: the layer's answer, the operator's, or none.

use std::sync::LazyLock;

use axum::http::Method;
use tower_fhir_auth::authorization::{JobOwner, ResourceFilter};
use tower_fhir_auth::fhir::PatientCompartment;
use tower_fhir_auth::{Access, Denial, Interaction};

/// R4's patient compartment, where no layer configures another.
static BY_DEFAULT: LazyLock<PatientCompartment> = LazyLock::new(PatientCompartment::default);

/// The rights that a request was let in with.
#[derive(Clone)]
pub(crate) enum Rights {
    /// The access that the layer has granted to a token.
    Granted(Access),
    /// The operator has made the path public: anybody reads there, but only resources of the type that it names.
    Public(Interaction),
    /// There is no layer (`--unprotected`): everybody does everything.
    Everything(Interaction),
}

impl Rights {
    pub(crate) fn interaction(&self) -> &Interaction {
        match self {
            Self::Granted(access) => access.interaction(),
            Self::Public(interaction) | Self::Everything(interaction) => interaction,
        }
    }

    /// The rights of an entry of a bundle, as if it had come by itself.
    pub(crate) fn of_entry(
        &self,
        method: &Method,
        url: &str,
        if_none_exist: Option<&str>,
    ) -> Result<Self, Denial> {
        match self {
            Self::Granted(access) => {
                access.authorize_entry(method, url, if_none_exist).map(Self::Granted)
            }
            Self::Public(_) => Err(Denial::new("a public path is read, and no more")),
            Self::Everything(bundle) => {
                Ok(Self::Everything(bundle.entry(method, url, if_none_exist)))
            }
        }
    }

    /// The rights of a search whose parameters stand in its body.
    pub(crate) fn with_search_body(self, parameters: &str) -> Result<Self, Denial> {
        match self {
            Self::Granted(access) => access.authorize_search_body(parameters).map(Self::Granted),
            Self::Public(_) | Self::Everything(_) => Ok(self),
        }
    }

    pub(crate) fn may_export(&self, resource_type: &str) -> bool {
        match self {
            Self::Granted(access) => access.may_export(resource_type),
            Self::Public(_) => false,
            Self::Everything(_) => true,
        }
    }

    /// The owner of a job that the request begins. Where nobody is asked, jobs are everybody's.
    pub(crate) fn owner(&self) -> Option<JobOwner> {
        match self {
            Self::Granted(access) => access.owner(),
            Self::Public(_) => None,
            Self::Everything(_) => Some(JobOwner::new("", "everybody")),
        }
    }

    pub(crate) fn owns(&self, owner: &JobOwner) -> bool {
        self.owner().is_some_and(|own| own == *owner)
    }

    /// The rules by which a resource belongs to a patient here.
    pub(crate) fn patient_compartment(&self) -> &PatientCompartment {
        match self {
            Self::Granted(access) => access.patient_compartment(),
            Self::Public(_) | Self::Everything(_) => &BY_DEFAULT,
        }
    }

    /// The members of a patient's compartment, whoever asks.
    pub(crate) fn compartment(&self, patient: &str) -> ResourceFilter<'_> {
        let base = self.interaction().base();
        ResourceFilter::compartment(patient, self.patient_compartment(), base)
    }
}
