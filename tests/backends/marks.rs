//! Marks: of each string in the data they say which version it is of, so that a leak is seen wherever it is.

use serde_json::Value;

/// The start of a mark. What follows it are digits, and a dot.
pub(crate) const MARK: &str = "mark";

/// The members whose texts are no strings of FHIR that could hold a mark: codes, addresses, ids and references.
const OTHERS: [&str; 15] = [
    "assurance",
    "code",
    "contentType",
    "gender",
    "id",
    "intent",
    "lifecycleStatus",
    "mode",
    "reference",
    "resourceType",
    "status",
    "system",
    "type",
    "uid",
    "url",
];

/// The marks in a text, in the order in which they stand.
pub(crate) fn marks_in(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(MARK).filter_map(|(start, _)| {
        let rest = text.get(start + MARK.len()..)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let is_mark = digits > 0 && rest.as_bytes().get(digits) == Some(&b'.');
        if is_mark { text.get(start..start + MARK.len() + digits + 1) } else { None }
    })
}

/// The strings of a resource that have no mark, by their paths.
pub(crate) fn unmarked(resource: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(resource, "", &mut found);
    found
}

fn look(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let name = path.rsplit('.').next().unwrap_or_default();
            let is_other = OTHERS.contains(&name) || is_date(text);
            if !is_other && marks_in(text).next().is_none() {
                found.push(path.trim_start_matches('.').to_owned());
            }
        }
        Value::Array(values) => values.iter().for_each(|value| look(value, path, found)),
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| look(value, &format!("{path}.{name}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_date(text: &str) -> bool {
    let digits = |from: usize, to: usize| {
        text.get(from..to).is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    digits(0, 4) && digits(5, 7) && digits(8, 10) && text.get(4..5) == Some("-")
}

/// Holds the look to what it is for: the data pass it because of their marks alone.
pub(crate) fn check_the_look() {
    let bare = serde_json::json!({
        "resourceType": "Patient", "id": "p1", "birthDate": "1950-03-04",
        "name": [{"family": "mark1.", "given": ["mark2.", "Amara"]}],
        "code": {"coding": [{"code": "1", "display": "bare"}]}, "note": [{"text": "mark3"}],
    });
    assert_eq!(unmarked(&bare), ["code.coding.display", "name.given", "note.text"]);
}
