//! The SMART permissions that an interaction requires, and on which resource types (SMART App Launch
//! 2.2, "Scopes for requesting FHIR resources").
//!
//! The interaction itself comes first; its query can only add to it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::context;
use crate::authorization::Enforcement;
use crate::fhir::search_reach::{Reach, reached};
use crate::fhir::{Interaction, InteractionKind};
use crate::smart::Permissions;

/// The scopes that an interaction requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ScopeRequirement<'a> {
    Nothing,
    /// Any scope for FHIR data: the content of a bundle is judged entry by entry, and a job by its
    /// owner.
    AnyScope,
    /// All of these.
    All(Requirements<'a>),
    /// No scope grants it.
    Never,
    /// The handlers would have to enforce more than was declared, whatever the scopes.
    Undeclared(Enforcement),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Requirements<'a> {
    pub(super) each: SmallVec<[RequiredAccess<'a>; 2]>,
    /// The patients that the address names: a confined token must be about each of them.
    pub(super) patients: NamedPatients<'a>,
}

/// The patients that an address names. Of several that differ, one at least is not the token's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum NamedPatients<'a> {
    #[default]
    Nobody,
    One(Cow<'a, str>),
    Several,
}

/// Permissions that must be held, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequiredAccess<'a> {
    pub(super) permissions: Permissions,
    pub(super) types: RequiredTypes<'a>,
    pub(super) via: Via,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RequiredTypes<'a> {
    Type(Cow<'a, str>),
    /// Any one of these types.
    AnyOf(BTreeSet<String>),
    /// Any type at all.
    SomeType,
    /// Every type there is, unknown ones too.
    EveryType,
}

/// The way in which an interaction comes to a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Via {
    /// It is what is read, searched or changed.
    Direct,
    /// It comes along with a result: one of the permissions is enough.
    Included,
    /// A result depends on it, link by link.
    Chained,
    /// It may be reached by something that does not say what it reaches.
    Untargeted,
    /// It may be deleted with something else, and nobody sees what is.
    Cascade,
    /// It may be reached by something that nobody has seen.
    UnreadBody,
    /// It is exported, which only `system/` scopes allow.
    Exported,
}

/// The number of requirements of an interaction that are judged one by one.
const MAX_REQUIRED: usize = 64;

impl<'a> RequiredAccess<'a> {
    /// Returns the one access that is required by a read or a search of a type without parameters.
    pub(super) fn alone(interaction: &'a Interaction) -> Option<Self> {
        use InteractionKind as Kind;
        let kind = interaction.kind();
        let is_read = matches!(kind, Kind::Read | Kind::VersionRead | Kind::HistoryInstance);
        let is_search = matches!(kind, Kind::SearchType | Kind::HistoryType);
        if !(is_read || is_search)
            || interaction.has_unseen_body()
            || interaction.queries().next().is_some()
        {
            return None;
        }
        let permissions = if is_read { Permissions::READ } else { Permissions::SEARCH };
        let types = RequiredTypes::Type(interaction.resource_type()?.into());
        Some(Self { permissions, types, via: Via::Direct })
    }
}

impl NamedPatients<'_> {
    /// Reports whether somebody other than this patient is named.
    pub(super) fn include_other_than(&self, patient: &str) -> bool {
        match self {
            Self::Nobody => false,
            Self::One(named) => named != patient,
            Self::Several => true,
        }
    }
}

impl<'a> NamedPatients<'a> {
    fn add(&mut self, named: Cow<'a, str>) {
        match self {
            Self::Nobody => *self = Self::One(named),
            Self::One(known) if *known != named => *self = Self::Several,
            Self::One(_) | Self::Several => {}
        }
    }
}

/// Reports whether scopes may grant an operation: no permission stands for the others.
pub(super) fn is_grantable(operation: &str) -> bool {
    matches!(operation, "everything" | "export")
}

impl<'a> ScopeRequirement<'a> {
    pub(super) fn of(interaction: &'a Interaction, enforced: Enforcement) -> Self {
        use InteractionKind as Kind;
        use Permissions as P;
        let reached: Vec<Reach> = interaction.queries().flat_map(reached).collect();
        let mut required = Requirements::default();
        required.name_patients(interaction, &reached);
        let on = interaction.resource_type();
        match interaction.kind() {
            Kind::Capabilities => return Self::Nothing,
            Kind::Unknown => return Self::Never,
            Kind::Batch if !enforced.contains(Enforcement::BUNDLE_ENTRIES) => {
                return Self::Undeclared(Enforcement::BUNDLE_ENTRIES);
            }
            Kind::Batch if !reached.contains(&Reach::Cascade) => return Self::AnyScope,
            Kind::Batch => {}
            Kind::JobStatus | Kind::JobCancel if !enforced.contains(Enforcement::JOBS) => {
                return Self::Undeclared(Enforcement::JOBS);
            }
            Kind::Page if !enforced.contains(Enforcement::PAGES) => {
                return Self::Undeclared(Enforcement::PAGES);
            }
            // The search that it is of is judged when it has been opened.
            Kind::Page => return Self::AnyScope,
            // A job is its owner's alone, and to anybody else there is none: the handler says so.
            Kind::JobCancel => return Self::Nothing,
            Kind::JobStatus => return Self::AnyScope,
            Kind::Read | Kind::VersionRead | Kind::HistoryInstance => required.take(P::READ, on),
            Kind::Create => required.take(P::CREATE, on),
            // A condition is a search: its answer tells whether something is there.
            Kind::ConditionalCreate => required.take(P::CREATE | P::SEARCH, on),
            // An update may create what is not there, and `u` allows that (SMART App Launch 2.2, scopes).
            Kind::Update | Kind::Patch => required.take(P::UPDATE, on),
            Kind::ConditionalUpdate | Kind::ConditionalPatch => {
                required.take(P::UPDATE | P::SEARCH, on);
            }
            Kind::Delete | Kind::DeleteHistory => required.take(P::DELETE, on),
            Kind::ConditionalDelete => required.take(P::DELETE | P::SEARCH, on),
            Kind::SearchType | Kind::HistoryType => required.take(P::SEARCH, on),
            Kind::SearchCompartment => match interaction.searched_type() {
                Some(name) => required.take(P::SEARCH, Some(name)),
                None => required.search_several(interaction, BTreeSet::new()),
            },
            Kind::SearchSystem | Kind::HistorySystem => {
                required.search_several(interaction, results(&reached));
            }
            Kind::Operation => match interaction.operation() {
                Some("export") => required.take_export(interaction, &reached, enforced),
                Some("everything") => required.take_everything(interaction, &reached),
                Some(_) | None => return Self::Never,
            },
        }
        if interaction.operation() != Some("export") {
            required.add_reached(interaction, &reached, enforced);
        }
        Self::All(required)
    }
}

impl<'a> Requirements<'a> {
    /// Notes `Patient/…` in any shape, and whom a search asks for.
    fn name_patients(&mut self, interaction: &'a Interaction, reached: &[Reach]) {
        if interaction.resource_type() == Some("Patient")
            && let Some(id) = interaction.id()
        {
            self.patients.add(id.into());
        }
        for reach in reached {
            if let Reach::Patient(reference) = reach
                && let Some(named) = context::referred(reference, interaction.base())
            {
                self.patients.add(named.into());
            }
        }
    }

    /// Adds a requirement, each once. What reaches very many types might as well reach all.
    fn push(&mut self, permissions: Permissions, types: RequiredTypes<'a>, via: Via) {
        let is_full = self.each.len() >= MAX_REQUIRED;
        let types = if is_full { RequiredTypes::EveryType } else { types };
        let required = RequiredAccess { permissions, types, via };
        // From behind: when it is full, what is asked for again and again is the last.
        if !self.each.iter().rev().any(|other| *other == required) {
            self.each.push(required);
        }
    }

    fn take(&mut self, permissions: Permissions, resource_type: Option<&'a str>) {
        let types =
            resource_type.map_or(RequiredTypes::EveryType, |name| RequiredTypes::Type(name.into()));
        self.push(permissions, types, Via::Direct);
    }

    /// Takes permissions on each type that a query names.
    fn take_each(&mut self, permissions: Permissions, named: BTreeSet<String>, via: Via) {
        if named.len() > MAX_REQUIRED {
            return self.push(permissions, RequiredTypes::EveryType, via);
        }
        for name in named {
            self.push(permissions, RequiredTypes::Type(name.into()), via);
        }
    }

    /// A search or history of several types: of those that `_type` names, else of all. A body is
    /// judged when it is read; until then one type is enough to look at it.
    fn search_several(&mut self, interaction: &Interaction, named: BTreeSet<String>) {
        let search = Permissions::SEARCH;
        match (interaction.has_unseen_body(), named.is_empty()) {
            (true, true) => self.push(search, RequiredTypes::SomeType, Via::Direct),
            (true, false) => self.push(search, RequiredTypes::AnyOf(named), Via::Direct),
            (false, true) => self.take(search, None),
            (false, false) => self.take_each(search, named, Via::Direct),
        }
    }

    fn take_everything(&mut self, interaction: &Interaction, reached: &[Reach]) {
        let both = Permissions::READ | Permissions::SEARCH;
        let named = named_by_address(interaction, reached);
        if named.is_empty() {
            self.take(both, None);
        }
        self.take_each(both, named, Via::Direct);
    }

    /// A bulk export: of the types that `_type` names, and of what it starts from. Without `_type`
    /// it is of the types that the scopes grant, where the handlers see to that, else of all.
    fn take_export(&mut self, interaction: &Interaction, reached: &[Reach], enforced: Enforcement) {
        let both = Permissions::READ | Permissions::SEARCH;
        let mut types = named_by_address(interaction, reached);
        let is_narrowed = types.is_empty() && enforced.contains(Enforcement::EXPORT_TYPES);
        if is_narrowed {
            self.push(both, RequiredTypes::SomeType, Via::Exported);
        }
        let mut every = types.is_empty() && !is_narrowed;
        match interaction.resource_type() {
            Some("Patient") => types.extend(["Patient".to_owned()]),
            Some("Group") => types.extend(["Group".to_owned(), "Patient".to_owned()]),
            Some(_) | None => {}
        }
        for reach in reached {
            match reach {
                Reach::Included(name) | Reach::Searched(name) => types.extend([name.clone()]),
                Reach::UntypedReference | Reach::Anywhere | Reach::Cascade => every = true,
                Reach::Result(_) | Reach::Patient(_) => {}
            }
        }
        if every {
            self.push(both, RequiredTypes::EveryType, Via::Exported);
        } else {
            self.take_each(both, types, Via::Exported);
        }
    }

    /// Adds what the query reaches beyond that.
    fn add_reached(&mut self, interaction: &Interaction, reached: &[Reach], enforced: Enforcement) {
        use InteractionKind as Kind;
        use Permissions as P;
        let own = self.each.iter().fold(P::default(), |all, required| all | required.permissions);
        let of_all = own | P::READ | P::SEARCH;
        let kind = interaction.kind();
        // `_type` of a search of one type filters it, and reaches no other. Of a search of several
        // types, and of `$everything`, it has been taken.
        let of_one_type = matches!(kind, Kind::SearchType | Kind::HistoryType)
            || (kind == Kind::SearchCompartment && interaction.searched_type().is_some());
        let of_several = matches!(kind, Kind::SearchSystem | Kind::HistorySystem | Kind::Operation);
        let taken = of_one_type || of_several;
        let judged = enforced.contains(Enforcement::INCLUDES);
        for reach in reached {
            match reach {
                Reach::Result(_) if taken => {}
                Reach::Result(name) => {
                    self.push(P::SEARCH, RequiredTypes::Type(name.clone().into()), Via::Direct);
                }
                // The handler leaves out what the caller may not see, and follows no further.
                Reach::Included(_) | Reach::UntypedReference if judged => {}
                Reach::Included(name) => {
                    let types = RequiredTypes::Type(name.clone().into());
                    self.push(P::READ | P::SEARCH, types, Via::Included);
                }
                Reach::Searched(name) => {
                    self.push(P::SEARCH, RequiredTypes::Type(name.clone().into()), Via::Chained);
                }
                Reach::UntypedReference | Reach::Anywhere => {
                    self.push(of_all, RequiredTypes::EveryType, Via::Untargeted);
                }
                Reach::Cascade => {
                    let permissions = of_all | P::DELETE;
                    self.push(permissions, RequiredTypes::EveryType, Via::Cascade);
                }
                Reach::Patient(_) => {}
            }
        }
        if interaction.has_unseen_body() && !enforced.contains(Enforcement::SEARCH_BODIES) {
            self.push(of_all, RequiredTypes::EveryType, Via::UnreadBody);
        }
    }
}

/// The types that `_type` names.
fn results(reached: &[Reach]) -> BTreeSet<String> {
    let names = reached.iter().filter_map(|reach| {
        if let Reach::Result(name) = reach { Some(name.clone()) } else { None }
    });
    names.collect()
}

/// The types that `_type` names of an operation, whose body may name others.
fn named_by_address(interaction: &Interaction, reached: &[Reach]) -> BTreeSet<String> {
    let by_get = matches!(*interaction.method(), http::Method::GET | http::Method::HEAD);
    if by_get { results(reached) } else { BTreeSet::new() }
}
