//! The scopes of one token, so that those about a type are found without a look at the others.

use smallvec::SmallVec;

use super::scope::SmartScope;

/// Scopes in the order of their types: those for every type first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScopesByType(SmallVec<[SmartScope; 2]>);

impl FromIterator<SmartScope> for ScopesByType {
    fn from_iter<I: IntoIterator<Item = SmartScope>>(scopes: I) -> Self {
        let mut scopes: SmallVec<[SmartScope; 2]> = scopes.into_iter().collect();
        scopes.sort_by_key(SmartScope::resource_type);
        Self(scopes)
    }
}

impl ScopesByType {
    /// All of them.
    pub(crate) fn all(&self) -> &[SmartScope] {
        &self.0
    }

    /// Those about a type, the ones for every type included; with `None` these alone.
    pub(crate) fn about<'s>(
        &'s self,
        resource_type: Option<&'s str>,
    ) -> impl Iterator<Item = &'s SmartScope> {
        let from = |start: usize| self.0.get(start..).unwrap_or_default().iter();
        let of_every_type = from(0).take_while(|scope| scope.resource_type().is_none());
        let of_this_type = resource_type.into_iter().flat_map(move |name| {
            let start = self.0.partition_point(|scope| scope.resource_type() < Some(name));
            from(start).take_while(move |scope| scope.resource_type() == Some(name))
        });
        of_every_type.chain(of_this_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_about_a_type_is_what_covers_it() {
        let texts = [
            "user/Patient.r",
            "user/*.s",
            "patient/Observation.rs",
            "user/Patient.u",
            "system/all.r",
            "user/Account.r",
        ];
        let scopes: ScopesByType = texts.iter().filter_map(|text| text.parse().ok()).collect();
        for name in ["Patient", "Observation", "Account", "Device", "VisionPrescription", ""] {
            let mut expected: Vec<_> =
                scopes.all().iter().filter(|scope| scope.covers(name)).collect();
            let mut found: Vec<_> = scopes.about(Some(name)).collect();
            expected.sort_by_key(ToString::to_string);
            found.sort_by_key(ToString::to_string);
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(scopes.about(None).count(), 2);
        assert_eq!(ScopesByType::default().about(Some("Patient")).count(), 0);
    }
}
