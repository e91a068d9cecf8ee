//! The criteria of constraints, read once for all resources of a type.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::handlers::ConstraintEvaluation;
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
    pub(super) constraints: &'e ConstraintEvaluation,
    pub(super) base: &'e BaseUrl,
    pub(super) confinement: &'e Confinement,
}

impl Criteria {
    /// Reports whether a resource matches all parameters of the constraint of an alternative, which has this
    /// index among all. A parameter that cannot be evaluated matches nothing.
    pub(super) fn match_resource<'r, N: Node<'r>>(
        &self,
        evaluation: Evaluation<'_>,
        (index, alternative): (usize, &Alternative),
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
        match known.and_then(|known| known.each.get(index)) {
            Some(criteria) => {
                constraints.matches(tree.value(), constraint, criteria.get_or_init(read))
            }
            None => constraints.matches(tree.value(), constraint, &read()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::json;

    use super::*;
    use crate::authorization::Alternatives;
    use crate::smart::Constraint;

    /// A resource that counts how often it is made a tree.
    #[derive(Clone, Copy)]
    struct Counted<'a>(&'a Value, &'a Cell<usize>);

    impl<'a> Node<'a> for Counted<'a> {
        fn member(self, name: &str) -> Option<Self> {
            self.0.get(name).map(|member| Self(member, self.1))
        }

        fn for_each(self, visit: &mut dyn FnMut(Self)) {
            visit(self);
        }

        fn string(self) -> Option<&'a str> {
            self.0.as_str()
        }

        fn is_object(self) -> bool {
            self.0.is_object()
        }

        fn to_value(self) -> Cow<'a, Value> {
            self.1.set(self.1.get() + 1);
            Cow::Borrowed(self.0)
        }
    }

    #[test]
    fn a_resource_is_made_a_tree_once_and_each_type_has_criteria_of_its_own() {
        let base = "https://fhir.example.org/r4".parse().unwrap();
        let constraints = ConstraintEvaluation::default();
        let each = ["code=a", "code=b", "status=final"]
            .map(|text| Alternative::new(None, Some(Constraint::parse(text).unwrap())));
        let confinement = Confinement::from(each.into_iter().collect::<Alternatives>());
        let criteria = Criteria::default();
        let evaluation =
            Evaluation { constraints: &constraints, base: &base, confinement: &confinement };
        for (resource, expected) in [
            (json!({"resourceType": "Observation", "code": {"coding": [{"code": "b"}]}}), 1),
            (json!({"resourceType": "Observation", "status": "final"}), 1),
            // A Patient has neither parameter.
            (json!({"resourceType": "Patient", "status": "final"}), 0),
            (json!({"resourceType": "Condition", "code": {"coding": [{"code": "a"}]}}), 1),
        ] {
            let made = Cell::new(0);
            let tree = Tree::of(Counted(&resource, &made));
            let alternatives = confinement.alternatives().enumerate();
            let matching =
                alternatives.filter(|one| criteria.match_resource(evaluation, *one, &tree));
            assert_eq!(matching.count(), expected, "{resource}");
            assert_eq!(made.get(), 1, "{resource}");
        }
    }
}
