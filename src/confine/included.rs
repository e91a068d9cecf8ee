//! Resources that come along with the results of a search.

use super::entry::Candidate;
use crate::authorization::ResourceRef;
use crate::fhir::BaseUrl;
use crate::fhir::compartment::ReferenceTarget;
use hashbrown::{HashMap, HashSet};

/// Hides included resources that only hidden resources refer to: they would reveal what a hidden resource refers to,
/// for example whose doctor somebody is. An included resource is kept if a shown result or another kept resource refers
/// to it, or if it refers to a shown result. `hides_others` is true if resources that are not candidates were hidden.
pub(super) fn hide_includes_of_hidden(
    candidates: &[Candidate<'_>],
    shown: &mut [bool],
    hides_others: bool,
    base: &BaseUrl,
) {
    let hides = hides_others || shown.contains(&false);
    let shows_included =
        candidates.iter().zip(&*shown).any(|(one, shown)| one.is_included && *shown);
    // With nothing hidden there is nothing to give away, whatever the upstream server chose to include.
    if !hides || !shows_included {
        return;
    }
    let named = Named::of(candidates, shown);
    let names: Vec<HashSet<usize>> = candidates
        .iter()
        .zip(&*shown)
        .map(|(one, shown)| if *shown { named.by(one, base) } else { HashSet::new() })
        .collect();
    let mut stays: Vec<bool> =
        candidates.iter().zip(&*shown).map(|(one, shown)| *shown && !one.is_included).collect();
    let mut next: Vec<usize> = Vec::new();
    for (index, names) in names.iter().enumerate() {
        let names_a_result = names.iter().any(|name| named.is_shown_result(*name));
        if let Some(stays) = stays.get_mut(index) {
            *stays |= names_a_result && shown.get(index) == Some(&true);
            if *stays {
                next.push(index);
            }
        }
    }
    let mut others = named.indices;
    while let Some(index) = next.pop() {
        for name in names.get(index).into_iter().flatten() {
            // Where a name was followed once, all of its indices are known.
            for to in others.get_mut(*name).map(std::mem::take).into_iter().flatten() {
                if let Some(stays) = stays.get_mut(to).filter(|stays| !**stays)
                    && shown.get(to) == Some(&true)
                {
                    *stays = true;
                    next.push(to);
                }
            }
        }
    }
    shown.copy_from_slice(&stays);
}

/// The resources of an answer by their names, each name with a number.
struct Named<'c> {
    numbers: HashMap<(&'c str, &'c str), usize>,
    /// The indices of those of a name.
    indices: Vec<Vec<usize>>,
    /// True for the names of results that are shown.
    are_results: Vec<bool>,
}

impl<'c> Named<'c> {
    fn of(candidates: &'c [Candidate<'_>], shown: &[bool]) -> Self {
        let (mut numbers, mut indices, mut are_results) =
            (HashMap::new(), Vec::<Vec<usize>>::new(), Vec::<bool>::new());
        for (index, (one, shown)) in candidates.iter().zip(shown).enumerate() {
            let name = (&*one.resource_type, one.id().unwrap_or_default());
            let number = *numbers.entry(name).or_insert(indices.len());
            if number == indices.len() {
                indices.push(Vec::new());
                are_results.push(false);
            }
            if let (Some(indices), Some(is_result)) =
                (indices.get_mut(number), are_results.get_mut(number))
            {
                indices.push(index);
                *is_result |= *shown && !one.is_included;
            }
        }
        Self { numbers, indices, are_results }
    }

    fn is_shown_result(&self, name: usize) -> bool {
        self.are_results.get(name) == Some(&true)
    }

    /// Returns the names in the answer that a resource refers to, each once, as often as it may name one.
    fn by(&self, one: &Candidate<'_>, base: &BaseUrl) -> HashSet<usize> {
        let mut names = HashSet::new();
        let mut add = |object: ResourceRef<'_>| {
            if let ReferenceTarget::Here { resource_type, id } = ReferenceTarget::of(object, base) {
                names.extend(self.numbers.get(&(&*resource_type, &*id)).copied());
            }
        };
        one.look(|resource| resource.for_each_object(&mut add));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, is_included: bool) -> Candidate<'_> {
        let mut one = Candidate::read(text).unwrap();
        one.is_included = is_included;
        one
    }

    #[test]
    fn what_comes_along_with_hidden_results_alone_is_hidden() {
        let own = r#"{"resourceType":"Observation","id":"1","performer":[{"reference":"Practitioner/a"}]}"#;
        let hidden = r#"{"resourceType":"Observation","id":"2","performer":[{"reference":"Practitioner/b"}]}"#;
        let a = r#"{"resourceType":"Practitioner","id":"a","x":{"reference":"https://h.test/fhir/Organization/o"}}"#;
        let b = r#"{"resourceType":"Practitioner","id":"b"}"#;
        let o = r#"{"resourceType":"Organization","id":"o"}"#;
        let of_own = r#"{"resourceType":"Provenance","id":"p","target":[{"reference":"Observation/1/_history/1"}]}"#;
        let of_hidden =
            r#"{"resourceType":"Provenance","id":"q","target":[{"reference":"Observation/2"}]}"#;
        let of_a = r#"{"resourceType":"PractitionerRole","id":"r","practitioner":{"reference":"Practitioner/a"}}"#;
        let all = [
            (own, false),
            (hidden, false),
            (a, true),
            (b, true),
            (o, true),
            (of_own, true),
            (of_hidden, true),
            (of_a, true),
        ];
        let candidates: Vec<Candidate<'_>> =
            all.iter().map(|(text, along)| of(text, *along)).collect();
        let base = "https://h.test/fhir".parse().unwrap();
        let mut shown = [true, false, true, true, true, true, true, true];
        hide_includes_of_hidden(&candidates, &mut shown, false, &base);
        assert_eq!(shown, [true, false, true, false, true, true, false, false]);
        // What a hidden included resource brings along is its own, and so is that of one that nobody can read.
        let mut shown = [true, true, false, true, true, true, true, true];
        hide_includes_of_hidden(&candidates, &mut shown, false, &base);
        assert_eq!(shown, [true, true, false, true, false, true, true, false]);
        let mut shown = [true; 8];
        hide_includes_of_hidden(&candidates, &mut shown, true, &base);
        assert_eq!(shown, [true, true, true, true, true, true, true, false]);
        // Where nothing is hidden nothing else is, whatever the server means by its includes.
        let mut shown = [true; 8];
        hide_includes_of_hidden(&candidates, &mut shown, false, &base);
        assert_eq!(shown, [true; 8]);
    }

    #[test]
    fn what_an_included_resource_of_hidden_results_includes_is_hidden_with_it() {
        let hidden = r#"{"resourceType":"Observation","id":"2","performer":[{"reference":"Practitioner/b"}]}"#;
        let b = r#"{"resourceType":"Practitioner","id":"b","x":{"reference":"Organization/o"}}"#;
        let o = r#"{"resourceType":"Organization","id":"o"}"#;
        let candidates = [of(hidden, false), of(b, true), of(o, true)];
        let base = "https://h.test/fhir".parse().unwrap();
        let mut shown = [false, true, true];
        hide_includes_of_hidden(&candidates, &mut shown, false, &base);
        assert_eq!(shown, [false; 3]);
    }
}
