//! Resources that come along with the results of a search.

use hashbrown::{HashMap, HashSet};
use serde_json::Value;

use super::entry::Candidate;
use crate::authorization::ResourceRef;
use crate::fhir::BaseUrl;
use crate::fhir::compartment::{Node, resource_of};

/// Hides what came along with what is hidden alone, be that a result or another companion: it would tell that
/// somebody's resource refers to it, such as whose doctor somebody is. What stays is named by a result that is
/// shown or by something else that stays, or names such a result. `hides_others` tells of hidden resources that
/// are no candidates.
pub(super) fn hide_companions_of_hidden(
    candidates: &[Candidate<'_>],
    shown: &mut [bool],
    hides_others: bool,
    base: &BaseUrl,
) {
    let hides = hides_others || shown.contains(&false);
    let shows_companions =
        candidates.iter().zip(&*shown).any(|(one, shown)| one.comes_along && *shown);
    if !hides || !shows_companions {
        return;
    }
    let names: Vec<Vec<Name>> =
        candidates.iter().zip(&*shown).map(|(one, shown)| names_in(one, *shown, base)).collect();
    let mut places: HashMap<Name, Vec<usize>> = HashMap::new();
    for (place, one) in candidates.iter().enumerate() {
        let id = one.id().unwrap_or_default().to_owned();
        places.entry((one.resource_type.clone(), id)).or_default().push(place);
    }
    let is_shown_result = |place: &usize| {
        let is_result = candidates.get(*place).is_some_and(|one| !one.comes_along);
        is_result && shown.get(*place) == Some(&true)
    };
    let results: HashSet<Name> = places
        .iter()
        .filter(|(_, places)| places.iter().any(is_shown_result))
        .map(|(name, _)| name.clone())
        .collect();
    let mut stays: Vec<bool> =
        candidates.iter().zip(&*shown).map(|(one, shown)| *shown && !one.comes_along).collect();
    let mut next: Vec<usize> = Vec::new();
    for (place, names) in names.iter().enumerate() {
        let names_a_result = names.iter().any(|name| results.contains(name));
        if let Some(stays) = stays.get_mut(place) {
            *stays |= names_a_result && shown.get(place) == Some(&true);
            if *stays {
                next.push(place);
            }
        }
    }
    while let Some(place) = next.pop() {
        let named = names.get(place).into_iter().flatten();
        // Where a name was followed once, all of its places are known.
        for to in named.filter_map(|name| places.remove(name)).flatten() {
            if let Some(stays) = stays.get_mut(to).filter(|stays| !**stays)
                && shown.get(to) == Some(&true)
            {
                *stays = true;
                next.push(to);
            }
        }
    }
    shown.copy_from_slice(&stays);
}

type Name = (String, String);

/// Returns the resources of this server that a resource refers to; of one that is hidden, none.
fn names_in(one: &Candidate<'_>, is_shown: bool, base: &BaseUrl) -> Vec<Name> {
    let mut names = Vec::new();
    if is_shown {
        references(&ResourceRef::from(&one.resource).to_value(), base, &mut names);
    }
    // A resource may name another one as often as it likes.
    names.sort_unstable();
    names.dedup();
    names
}

/// Collects the references in a value, which is no deeper than [`BorrowedResource`](crate::authorization) takes.
fn references(value: &Value, base: &BaseUrl, names: &mut Vec<Name>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| references(value, base, names)),
        Value::Object(members) => {
            let named = members.get("reference").and_then(Value::as_str);
            let named = named.and_then(|text| resource_of(text, base));
            names.extend(named.map(|named| (named.resource_type, named.id)));
            members.values().for_each(|value| references(value, base, names));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorization::BorrowedResource;

    fn of(text: &str, comes_along: bool) -> Candidate<'_> {
        let resource = BorrowedResource::parse(text).unwrap();
        let resource_type = text.split('"').nth(3).unwrap().to_owned();
        Candidate { resource_type, resource, comes_along }
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
        hide_companions_of_hidden(&candidates, &mut shown, false, &base);
        assert_eq!(shown, [true, false, true, false, true, true, false, false]);
        // What a hidden companion brings along is its own, and so is that of one that nobody can read.
        let mut shown = [true, true, false, true, true, true, true, true];
        hide_companions_of_hidden(&candidates, &mut shown, false, &base);
        assert_eq!(shown, [true, true, false, true, false, true, true, false]);
        let mut shown = [true; 8];
        hide_companions_of_hidden(&candidates, &mut shown, true, &base);
        assert_eq!(shown, [true, true, true, true, true, true, true, false]);
        // Where nothing is hidden nothing else is, whatever the server means by its includes.
        let mut shown = [true; 8];
        hide_companions_of_hidden(&candidates, &mut shown, false, &base);
        assert_eq!(shown, [true; 8]);
    }
}
