//! What an interaction takes of SMART scopes: letters, and the types they are taken on
//! (SMART App Launch 2.2, "Scopes for requesting FHIR resources").
//!
//! What the interaction itself takes comes first; what its query spells can only add to it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use smallvec::SmallVec;

use super::patient;
use crate::authorization::Enforcement;
use crate::fhir::query::{Reach, reached};
use crate::fhir::{Interaction, InteractionKind, Permissions};

/// What an interaction takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Need<'a> {
    Nothing,
    /// Any scope for FHIR data: what a bundle holds is judged entry by entry, and whose a job is by
    /// its owner.
    AnyScope,
    /// All of these.
    All(Demands<'a>),
    /// No scope there is.
    Never,
    /// More than the handlers are declared to enforce, whatever the scopes.
    Undeclared(Enforcement),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demands<'a> {
    pub(crate) demands: SmallVec<[Demand<'a>; 2]>,
    /// The patients that the address names: a confined token must be about each of them.
    pub(crate) patients: SmallVec<[Cow<'a, str>; 1]>,
}

/// Letters that must be held, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Demand<'a> {
    pub(crate) letters: Permissions,
    pub(crate) on: On<'a>,
    pub(crate) part: Part,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum On<'a> {
    Type(Cow<'a, str>),
    /// Any one of these types.
    AnyOf(BTreeSet<String>),
    /// Any type at all.
    SomeType,
    /// Every type there is, unknown ones too.
    EveryType,
}

/// What part a type has in an interaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// It is read, searched or changed.
    Subject,
    /// It comes along with a result: one of the letters is enough.
    Included,
    /// A result depends on it, link by link.
    Searched,
    /// It may be reached by something that does not say what it reaches.
    Reached,
    /// It may be reached by something that nobody has seen.
    Unseen,
    /// It is exported, which only `system/` scopes allow.
    Exported,
}

/// How many things an interaction can take that are judged one by one.
const MAX_DEMANDS: usize = 64;

impl<'a> Need<'a> {
    pub(crate) fn of(interaction: &'a Interaction, enforced: Enforcement) -> Self {
        use InteractionKind as Kind;
        use Permissions as P;
        let reached: Vec<Reach> = interaction.queries().flat_map(reached).collect();
        let mut demands = Demands::default();
        demands.name_patients(interaction, &reached);
        let on = interaction.resource_type();
        match interaction.kind() {
            Kind::Capabilities => return Self::Nothing,
            Kind::Unknown => return Self::Never,
            Kind::Batch if !enforced.includes(Enforcement::BUNDLE_ENTRIES) => {
                return Self::Undeclared(Enforcement::BUNDLE_ENTRIES);
            }
            Kind::Batch => return Self::AnyScope,
            Kind::JobStatus | Kind::JobCancel if !enforced.includes(Enforcement::JOBS) => {
                return Self::Undeclared(Enforcement::JOBS);
            }
            // A job is its owner's alone, and to anybody else there is none: the handler says so.
            Kind::JobStatus | Kind::JobCancel => return Self::AnyScope,
            Kind::Read | Kind::VersionRead | Kind::HistoryInstance => demands.take(P::READ, on),
            Kind::Create => demands.take(P::CREATE, on),
            Kind::ConditionalCreate => demands.take(P::CREATE | P::SEARCH, on),
            Kind::Update | Kind::Patch => demands.take(P::UPDATE, on),
            Kind::ConditionalUpdate | Kind::ConditionalPatch => {
                demands.take(P::UPDATE | P::SEARCH, on);
            }
            Kind::Delete | Kind::DeleteHistory => demands.take(P::DELETE, on),
            Kind::ConditionalDelete => demands.take(P::DELETE | P::SEARCH, on),
            Kind::SearchType | Kind::HistoryType => demands.take(P::SEARCH, on),
            Kind::SearchCompartment => match interaction.searched_type() {
                Some(name) => demands.take(P::SEARCH, Some(name)),
                None => demands.search_several(interaction, BTreeSet::new()),
            },
            Kind::SearchSystem | Kind::HistorySystem => {
                demands.search_several(interaction, results(&reached));
            }
            Kind::Operation => match interaction.operation() {
                Some("export") => return Self::All(demands.for_export(interaction, &reached)),
                Some("everything") => demands.for_everything(interaction, &reached),
                Some(_) | None => return Self::Never,
            },
        }
        demands.add_reached(interaction, &reached, enforced);
        Self::All(demands)
    }
}

impl<'a> Demands<'a> {
    /// `Patient/…` in any shape, and whom a search asks for.
    fn name_patients(&mut self, interaction: &'a Interaction, reached: &[Reach]) {
        if interaction.resource_type() == Some("Patient") {
            self.patients.extend(interaction.id().map(Cow::Borrowed));
        }
        for reach in reached {
            if let Reach::Patient(reference) = reach {
                let named = patient::referred(reference, interaction.base());
                self.patients.extend(named.map(Cow::Owned));
            }
        }
    }

    /// Each demand once. What reaches very many types might as well reach all.
    fn push(&mut self, letters: Permissions, on: On<'a>, part: Part) {
        let is_full = self.demands.len() >= MAX_DEMANDS;
        let on = if is_full { On::EveryType } else { on };
        let demand = Demand { letters, on, part };
        if !self.demands.contains(&demand) {
            self.demands.push(demand);
        }
    }

    fn take(&mut self, letters: Permissions, resource_type: Option<&'a str>) {
        let on = resource_type.map_or(On::EveryType, |name| On::Type(name.into()));
        self.push(letters, on, Part::Subject);
    }

    /// The same of types that a query names.
    fn take_each(&mut self, letters: Permissions, named: BTreeSet<String>) {
        for name in named {
            self.push(letters, On::Type(name.into()), Part::Subject);
        }
    }

    /// A search or history of several types: of those that `_type` names, else of all. What a body
    /// says is judged when it is read; until then one type is enough to look at it.
    fn search_several(&mut self, interaction: &Interaction, named: BTreeSet<String>) {
        let letters = Permissions::SEARCH;
        match (interaction.has_unseen_body(), named.is_empty()) {
            (true, true) => self.push(letters, On::SomeType, Part::Subject),
            (true, false) => self.push(letters, On::AnyOf(named), Part::Subject),
            (false, true) => self.take(letters, None),
            (false, false) => self.take_each(letters, named),
        }
    }

    fn for_everything(&mut self, interaction: &Interaction, reached: &[Reach]) {
        let letters = Permissions::READ | Permissions::SEARCH;
        let named = named_by(interaction, reached);
        if named.is_empty() {
            self.take(letters, None);
        }
        self.take_each(letters, named);
    }

    /// A bulk export: of the types that `_type` names, else of all, and of what it is about.
    fn for_export(mut self, interaction: &Interaction, reached: &[Reach]) -> Self {
        let letters = Permissions::READ | Permissions::SEARCH;
        let mut types = named_by(interaction, reached);
        let mut every = types.is_empty();
        match interaction.resource_type() {
            Some("Patient") => types.extend(["Patient".to_owned()]),
            Some("Group") => types.extend(["Group".to_owned(), "Patient".to_owned()]),
            Some(_) | None => {}
        }
        for reach in reached {
            match reach {
                Reach::Included(name) | Reach::Searched(name) => types.extend([name.clone()]),
                Reach::Unspelt | Reach::Anywhere => every = true,
                Reach::Result(_) | Reach::Patient(_) => {}
            }
        }
        if every {
            self.push(letters, On::EveryType, Part::Exported);
        } else {
            for name in types {
                self.push(letters, On::Type(name.into()), Part::Exported);
            }
        }
        self
    }

    /// What the query reaches beyond that.
    fn add_reached(&mut self, interaction: &Interaction, reached: &[Reach], enforced: Enforcement) {
        use Permissions as P;
        let own = self.demands.iter().fold(P::default(), |all, demand| all | demand.letters);
        let of_all = own | P::READ | P::SEARCH;
        let judged = matches!(
            interaction.kind(),
            InteractionKind::SearchSystem | InteractionKind::HistorySystem
        );
        for reach in reached {
            match reach {
                Reach::Result(_) if judged => {}
                Reach::Result(name) => {
                    self.push(P::SEARCH, On::Type(name.clone().into()), Part::Subject);
                }
                Reach::Included(name) => {
                    self.push(P::READ | P::SEARCH, On::Type(name.clone().into()), Part::Included);
                }
                Reach::Searched(name) => {
                    self.push(P::SEARCH, On::Type(name.clone().into()), Part::Searched);
                }
                // The handler follows no further than the caller may go.
                Reach::Unspelt if enforced.includes(Enforcement::INCLUDES) => {}
                Reach::Unspelt | Reach::Anywhere => {
                    self.push(of_all, On::EveryType, Part::Reached);
                }
                Reach::Patient(_) => {}
            }
        }
        if interaction.has_unseen_body() && !enforced.includes(Enforcement::SEARCH_BODIES) {
            self.push(of_all, On::EveryType, Part::Unseen);
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

/// The same of an operation, whose body may say otherwise.
fn named_by(interaction: &Interaction, reached: &[Reach]) -> BTreeSet<String> {
    let by_get = matches!(*interaction.method(), http::Method::GET | http::Method::HEAD);
    if by_get { results(reached) } else { BTreeSet::new() }
}
