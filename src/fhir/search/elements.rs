//! The elements that a parameter reads.

use serde_json::Value;

/// Returns the paths of a parameter, each with the only type that its references may be to.
pub(super) fn paths(
    elements: &'static str,
) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    elements.split('|').map(|path| match path.split_once('>') {
        Some((path, target)) => (path, Some(target)),
        None => (path, None),
    })
}

/// Reports whether any value at a path such as `telecom[system=email].value` fits, through arrays.
pub(super) fn any_at(value: &Value, path: &str, fits: &mut dyn FnMut(&Value) -> bool) -> bool {
    if let Some(items) = value.as_array() {
        // An array within an array is no FHIR, and is not looked into.
        return items.iter().any(|item| !item.is_array() && any_at(item, path, fits));
    }
    if path.is_empty() {
        return fits(value);
    }
    let (step, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, condition) = match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
        Some((name, condition)) => (name, condition.split_once('=')),
        None => (step, None),
    };
    let Some(member) = value.get(name) else { return false };
    let Some((key, wanted)) = condition else { return any_at(member, rest, fits) };
    any_at(member, "", &mut |item| {
        item.get(key).and_then(Value::as_str) == Some(wanted) && any_at(item, rest, fits)
    })
}
