//! The criteria of constraints, read once for all resources of a type.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::handlers::Constraints;
use super::{Alternative, Confinement};
use crate::fhir::BaseUrl;
use crate::fhir::compartment::{Node, resource_type};
use crate::fhir::search::Criterion;

/// The criteria of a filter, read for the type of the first resource that it judges.
#[derive(Clone, Debug, Default)]
pub(super) struct Criteria(OnceLock<Arc<OfType>>);

/// The criteria of each constraint, in the order of the alternatives, read when first asked for.
#[derive(Debug)]
struct OfType {
    resource_type: String,
    each: Vec<OnceLock<Vec<Option<Criterion>>>>,
}

/// A resource as a tree, made when the first constraint asks for it.
pub(super) struct Tree<'r, N> {
    resource: N,
    value: OnceCell<Cow<'r, Value>>,
}

impl<'r, N: Node<'r>> Tree<'r, N> {
    pub(super) fn of(resource: N) -> Self {
        Self { resource, value: OnceCell::new() }
    }

    pub(super) fn resource(&self) -> N {
        self.resource
    }

    fn value(&self) -> &Value {
        self.value.get_or_init(|| self.resource.to_value())
    }
}

/// The rules by which constraints are evaluated, and the alternatives that have them.
#[derive(Clone, Copy)]
pub(super) struct Evaluation<'e> {
    pub(super) constraints: &'e Constraints,
    pub(super) base: &'e BaseUrl,
    pub(super) confinement: &'e Confinement,
}

impl Criteria {
    /// Reports whether a resource matches all parameters of the constraint of an alternative, which has this
    /// place among all. A parameter that cannot be evaluated matches nothing.
    pub(super) fn match_resource<'r, N: Node<'r>>(
        &self,
        evaluation: Evaluation<'_>,
        (place, alternative): (usize, &Alternative),
        tree: &Tree<'r, N>,
    ) -> bool {
        let Some(constraint) = alternative.constraint() else { return true };
        let Evaluation { constraints, base, confinement } = evaluation;
        let of = resource_type(tree.resource);
        let known = self.0.get_or_init(|| {
            let each = confinement.alternatives().map(|_| OnceLock::new()).collect();
            Arc::new(OfType { resource_type: of.to_owned(), each })
        });
        let read = || constraints.criteria(base, of, constraint);
        let known = Some(known).filter(|known| known.resource_type == of);
        match known.and_then(|known| known.each.get(place)) {
            Some(criteria) => {
                constraints.matches(tree.value(), constraint, criteria.get_or_init(read))
            }
            None => constraints.matches(tree.value(), constraint, &read()),
        }
    }
}
