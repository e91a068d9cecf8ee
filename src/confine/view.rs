//! The verdicts on the resources of an answer.

use hashbrown::HashMap;

use super::entry::Candidate;
use super::known::{KnownVerdicts, KnownVisibility, ResourceIndex, Verdicts};
use crate::authorization::{Access, ResourceFilter, ResourceRef, Visibility};
use crate::fhir::ResourceReference;
use crate::fhir::compartment::{self, MAX_LOOKUPS, Node};
use crate::smart::Permissions;

/// Judges the resources of one answer.
pub(super) struct View<'a> {
    access: &'a Access,
    /// The indices of the filters by type: of results, and of what comes along.
    indices: [HashMap<String, usize>; 2],
    filters: Vec<Filter<'a>>,
    /// The types whose every resource may be read, as far as that was asked.
    readable: HashMap<String, bool>,
}

/// A filter, and the number of the verdicts on what its resources depend on.
struct Filter<'a> {
    filter: ResourceFilter<'a>,
    known: usize,
}

/// The verdict on a resource.
#[derive(Debug)]
pub(super) enum Judgement {
    Shown,
    Hidden,
    /// It depends on others.
    Depends(Walk),
}

/// A walk through what a resource depends on, which goes on where it had to wait.
#[derive(Debug)]
pub(super) struct Walk {
    filter: usize,
    own: Option<ResourceIndex>,
    reached: Vec<ResourceIndex>,
    /// The targets of which nothing was known when it came to them.
    waiting: Vec<ResourceIndex>,
}

/// A resource that has to be found, for the resources of a filter.
pub(super) struct Missing {
    filter: usize,
    target: ResourceIndex,
}

impl<'a> View<'a> {
    pub(super) fn new(access: &'a Access) -> Self {
        let (indices, filters, readable) = Default::default();
        Self { access, indices, filters, readable }
    }

    /// Judges a resource by itself.
    pub(super) fn verdict(&mut self, one: &Candidate<'_>, known: &mut KnownVerdicts) -> Judgement {
        let filter = self.filter(one, known);
        let verdict = one.look(|resource| self.verdict_on(resource, one, filter, known));
        verdict.unwrap_or(Judgement::Hidden)
    }

    fn verdict_on(
        &mut self,
        resource: ResourceRef<'_>,
        one: &Candidate<'_>,
        filter: usize,
        known: &mut KnownVerdicts,
    ) -> Judgement {
        let visibility = self.filters.get(filter).map(|found| found.filter.shows(resource));
        match visibility.unwrap_or(Visibility::Hidden) {
            Visibility::Shown if self.hides_content(resource) => Judgement::Hidden,
            Visibility::Shown => Judgement::Shown,
            Visibility::Depends(targets) if !targets.iter().any(|to| to.is(resource)) => {
                let verdicts = self.filters.get(filter).and_then(|one| known.get_mut(one.known));
                let Some(verdicts) = verdicts else { return Judgement::Hidden };
                let own = one.id().map(|id| ResourceReference::new(&*one.resource_type, id));
                let own = own.map(|own| verdicts.index_of(own));
                let reached: Vec<ResourceIndex> =
                    targets.into_iter().map(|to| verdicts.index_of(to)).collect();
                Judgement::Depends(Walk { filter, own, waiting: reached.clone(), reached })
            }
            Visibility::Hidden | Visibility::Depends(_) => Judgement::Hidden,
        }
    }

    /// Reports whether it is a Binary that is the content of something of a type which may not be read
    /// altogether (R4, `Binary.securityContext`). By itself each of these is read.
    fn hides_content(&mut self, resource: ResourceRef<'_>) -> bool {
        let context = resource.member("securityContext");
        let Some(context) = context.filter(|_| compartment::resource_type(resource) == "Binary")
        else {
            return false;
        };
        let base = self.access.interaction().base();
        let named = context.member("reference").and_then(Node::string);
        let named = named.and_then(|text| compartment::resource_of(text, base));
        // A Binary may be the content of something again.
        named.is_none_or(|named| {
            named.resource_type == "Binary" || !self.may_read_all(named.resource_type)
        })
    }

    fn may_read_all(&mut self, resource_type: String) -> bool {
        let access = self.access;
        let answer = |name: &String| access.may(Permissions::READ, name).is_open();
        *self.readable.entry(resource_type).or_insert_with_key(answer)
    }

    /// Judges a resource by what it depends on, as far as that is known. The rest is added to `missing`, all
    /// of it at once.
    pub(super) fn settle(
        &self,
        verdict: &mut Judgement,
        known: &KnownVerdicts,
        missing: &mut Vec<Missing>,
    ) {
        let Judgement::Depends(walk) = verdict else { return };
        let verdicts = self.filters.get(walk.filter).and_then(|one| known.get(one.known));
        let may_be_shown = verdicts.is_some_and(|verdicts| walk.goes_on(verdicts));
        if !may_be_shown {
            *verdict = Judgement::Hidden;
        } else if walk.waiting.is_empty() {
            *verdict = Judgement::Shown;
        } else {
            let filter = walk.filter;
            missing.extend(walk.waiting.iter().map(|&target| Missing { filter, target }));
        }
    }

    /// Returns the name of what is missing; `None` if it was found in the meantime.
    pub(super) fn name(
        &self,
        missing: &Missing,
        known: &KnownVerdicts,
    ) -> Option<std::sync::Arc<ResourceReference>> {
        known.get(self.filters.get(missing.filter)?.known)?.unknown(missing.target)
    }

    /// Judges a missing resource once it is found.
    pub(super) fn target(&self, missing: &Missing, found: ResourceRef<'_>) -> Visibility {
        let filter = self.filters.get(missing.filter);
        filter.map_or(Visibility::Hidden, |one| one.filter.shows_target(found))
    }

    /// Keeps the verdict on what was missing; `None` where there is no such resource.
    pub(super) fn learn(
        &self,
        missing: &Missing,
        found: Option<Visibility>,
        known: &mut KnownVerdicts,
    ) {
        let number = self.filters.get(missing.filter).map(|one| one.known);
        if let Some(verdicts) = number.and_then(|number| known.get_mut(number)) {
            verdicts.learn(missing.target, found.unwrap_or(Visibility::Hidden));
        }
    }

    /// Returns the index of the filter for a resource.
    fn filter(&mut self, one: &Candidate<'_>, known: &mut KnownVerdicts) -> usize {
        let [results, along] = &mut self.indices;
        let indices = if one.is_included { along } else { results };
        if let Some(index) = indices.get(&one.resource_type) {
            return *index;
        }
        let filter = match one.is_included {
            true => self.access.readable(&one.resource_type),
            false => self.access.shown(&one.resource_type),
        };
        let index = self.filters.len();
        indices.insert(one.resource_type.clone(), index);
        let number = known.of_patients(&filter.patients());
        self.filters.push(Filter { filter, known: number });
        index
    }
}

impl Walk {
    /// Goes on as far as it is known what the resource depends on, and reports whether nothing of that is hidden.
    /// It may take [`MAX_LOOKUPS`] resources; one that leads back to itself leads to nobody.
    fn goes_on(&mut self, verdicts: &Verdicts) -> bool {
        let mut pending = std::mem::take(&mut self.waiting);
        let mut next = 0;
        while let Some(target) = pending.get(next).copied() {
            next += 1;
            match verdicts.verdict(target) {
                KnownVisibility::Unknown => self.waiting.push(target),
                KnownVisibility::Shown => {}
                KnownVisibility::Hidden => return false,
                KnownVisibility::Depends(further) => {
                    for &one in further {
                        match self.own == Some(one) || self.reached.contains(&one) {
                            // Only a Provenance depends on others, so only one met again can close a circle.
                            true if verdicts.is_provenance(one) => return false,
                            true => {}
                            false => {
                                self.reached.push(one);
                                pending.push(one);
                            }
                        }
                    }
                }
            }
            // All of them would have to be looked up.
            if self.reached.len() > MAX_LOOKUPS {
                return false;
            }
        }
        true
    }
}

/// An index of an answer's resources by type and id.
pub(super) struct Among<'c, 'a> {
    candidates: &'c [Candidate<'a>],
    /// `None` where two are called alike.
    indices: HashMap<(&'c str, &'c str), Option<usize>>,
}

impl<'c, 'a> Among<'c, 'a> {
    pub(super) fn new(candidates: &'c [Candidate<'a>]) -> Self {
        let mut indices = HashMap::new();
        for (index, one) in candidates.iter().enumerate() {
            let Some(id) = one.id() else { continue };
            let name = (&*one.resource_type, id);
            indices.entry(name).and_modify(|index| *index = None).or_insert(Some(index));
        }
        Self { candidates, indices }
    }

    /// Returns the one that another one of the answer depends on, if there is exactly one such.
    pub(super) fn find(&self, reference: &ResourceReference) -> Option<&Candidate<'a>> {
        let index = (*self.indices.get(&(&*reference.resource_type, &*reference.id))?)?;
        self.candidates.get(index)
    }
}
