//! JSON Patch (RFC 6902).

use std::slice::from_ref;

use json_patch::{Patch, PatchOperation, patch_unsafe};
use serde_json::Value;

use crate::json;

/// The most operations of a patch.
const MAX_OPERATIONS: usize = 200;

/// The most levels of a patched resource, and roughly the most bytes in memory of the resource and of all
/// that the operations carry. `copy` could double both with every operation.
const MAX_DEPTH: usize = 64;
const MAX_SIZE: usize = 16 << 20;

/// The bytes that a value takes beside its text.
const VALUE_SIZE: usize = 16;

/// The resource after all operations of the patch.
pub(crate) fn patch(resource: &Value, patch: &[u8]) -> Result<Value, String> {
    let Patch(operations) =
        json::read(patch).map_err(|error| format!("this is no JSON Patch: {error}"))?;
    if operations.len() > MAX_OPERATIONS {
        return Err(format!("a patch has at most {MAX_OPERATIONS} operations"));
    }
    let mut patched = resource.clone();
    let mut size_left = MAX_SIZE;
    if !is_within_limits(&patched, MAX_DEPTH, &mut size_left) {
        // What is too large already may shrink.
        size_left = 0;
    }
    for operation in &operations {
        if !is_carried(operation, &patched, &mut size_left) {
            return Err("the patch makes the resource too large".to_owned());
        }
        // The `unsafe` one does not undo a failed patch. It need not, on a copy, and undoing a
        // failed `move` panics.
        patch_unsafe(&mut patched, from_ref(operation))
            .map_err(|error| format!("the patch cannot be applied: {error}"))?;
    }
    for name in ["resourceType", "id"] {
        if patched.get(name) != resource.get(name) {
            return Err(format!("the patch would change `{name}`"));
        }
    }
    Ok(patched)
}

/// Reports whether what an operation puts into the resource is within the limits. No more than that is walked through,
/// and all of it counts, so that the cost of a patch does not grow with operations times size.
fn is_carried(operation: &PatchOperation, resource: &Value, size_left: &mut usize) -> bool {
    let (path, value) = match operation {
        PatchOperation::Add(add) => (&add.path, Some(&add.value)),
        PatchOperation::Replace(replace) => (&replace.path, Some(&replace.value)),
        PatchOperation::Move(from_to) => (&from_to.path, resource.pointer(from_to.from.as_str())),
        PatchOperation::Copy(from_to) => (&from_to.path, resource.pointer(from_to.from.as_str())),
        PatchOperation::Test(_) | PatchOperation::Remove(_) => return true,
    };
    // What cannot be found is told when the operation is applied.
    let Some(value) = value else { return true };
    let depth_left = MAX_DEPTH.saturating_sub(path.as_str().matches('/').count());
    is_within_limits(value, depth_left, size_left)
}

fn is_within_limits(value: &Value, depth_left: usize, size_left: &mut usize) -> bool {
    let Some(depth_left) = depth_left.checked_sub(1) else { return false };
    let text = value.as_str().unwrap_or_default();
    if !take(size_left, text) {
        return false;
    }
    match value {
        Value::Array(members) => {
            members.iter().all(|member| is_within_limits(member, depth_left, size_left))
        }
        Value::Object(fields) => fields.iter().all(|(name, field)| {
            take(size_left, name) && is_within_limits(field, depth_left, size_left)
        }),
        _ => true,
    }
}

/// False where no more is left.
fn take(size_left: &mut usize, text: &str) -> bool {
    let rest = size_left.checked_sub(VALUE_SIZE + text.len());
    *size_left = rest.unwrap_or_default();
    rest.is_some()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use serde_json::json;

    use super::*;

    fn patched(operations: &Value) -> Result<Value, String> {
        let patient = json!({"resourceType": "Patient", "id": "1", "name": [{"family": "A"}]});
        patch(&patient, operations.to_string().as_bytes())
    }

    #[test]
    fn operations_are_applied_in_order() {
        let after = patched(&json!([
            {"op": "test", "path": "/name/0/family", "value": "A"},
            {"op": "replace", "path": "/name/0/family", "value": "B"},
            {"op": "add", "path": "/name/-", "value": {"family": "C"}},
            {"op": "add", "path": "/active", "value": true},
            {"op": "copy", "from": "/name/1", "path": "/name/0"},
            {"op": "remove", "path": "/active"},
        ]))
        .unwrap();
        assert_eq!(after["name"], json!([{"family": "C"}, {"family": "B"}, {"family": "C"}]));
        assert!(after.get("active").is_none());
    }

    #[test]
    fn what_cannot_be_applied_is_an_error() {
        for operations in [
            json!([{"op": "test", "path": "/name/0/family", "value": "Z"}]),
            json!([{"op": "remove", "path": "/none"}]),
            json!([{"op": "remove", "path": "/name/-"}]),
            json!([{"op": "remove", "path": ""}]),
            json!([{"op": "add", "path": "/name/9", "value": 1}]),
            json!([{"op": "add", "path": "/name/99999999999999999999", "value": 1}]),
            json!([{"op": "replace", "path": "", "value": []}]),
            json!([{"op": "replace", "path": "/id", "value": "2"}]),
            json!([{"op": "remove", "path": "/resourceType"}]),
            json!([{"op": "move", "from": "/name", "path": "/name/0/x"}]),
            json!([{"op": "add", "path": "name", "value": 1}]),
            json!([{"op": "add", "path": "/x"}]),
            json!([{"op": "invent", "path": "/x"}]),
            json!([7]),
            json!({"op": "remove", "path": "/name"}),
            json!(null),
        ] {
            assert!(patched(&operations).is_err(), "{operations}");
        }
        for text in ["", "[", "\u{0}", "[[[["] {
            assert!(patch(&json!({}), text.as_bytes()).is_err());
        }
        assert!(patch(&json!({}), &[0xff, 0xfe]).is_err());
    }

    #[test]
    fn a_move_that_fails_half_way_does_not_panic() {
        let operations = json!([
            {"op": "add", "path": "/x", "value": 1},
            {"op": "move", "from": "/x", "path": "/none/y"},
        ]);
        assert!(patched(&operations).is_err());
    }

    #[test]
    fn copies_of_copies_end() {
        let deeper = json!({"op": "copy", "from": "", "path": "/deeper"});
        assert!(patched(&vec![deeper; 100].into()).is_err());
        let mut wider = vec![json!({"op": "add", "path": "/x", "value": "x".repeat(1 << 20)})];
        for number in 0..100 {
            wider.push(json!({"op": "copy", "from": "/x", "path": format!("/x{number}")}));
        }
        assert!(patched(&wider.into()).is_err());
        assert!(
            patched(&vec![json!({"op": "test", "path": "/id", "value": "1"}); 201].into()).is_err()
        );
    }
    #[test]
    fn an_operation_does_not_cost_a_walk_through_the_resource() {
        let members: Vec<Value> = (0..20_000).map(|number| json!({"value": number})).collect();
        let resource = json!({"resourceType": "Basic", "id": "1", "extension": members});
        let took = |count: usize| {
            let operation = json!({"op": "add", "path": "/language", "value": "en"});
            let operations = Value::from(vec![operation; count]).to_string();
            let begun = Instant::now();
            patch(&resource, operations.as_bytes()).unwrap();
            begun.elapsed()
        };
        // The best of three: others use the processor, too.
        let best = |count| (0..3).map(|_| took(count)).min().unwrap();
        let (one, many) = (best(1), best(MAX_OPERATIONS));
        assert!(many < 10 * one, "{many:?} for {MAX_OPERATIONS} operations, {one:?} for one");
    }

    #[test]
    fn what_moves_and_copies_carry_counts() {
        let members: Vec<Value> = (0..20_000).map(|number| json!({"value": number})).collect();
        let resource = json!({"resourceType": "Basic", "id": "1", "a": members});
        let there = json!({"op": "move", "from": "/a", "path": "/b"});
        let back = json!({"op": "move", "from": "/b", "path": "/a"});
        let to_and_fro = |times: usize| {
            let operations: Vec<Value> = vec![[there.clone(), back.clone()]; times].concat();
            patch(&resource, Value::from(operations).to_string().as_bytes())
        };
        assert_eq!(to_and_fro(1).unwrap(), resource);
        assert!(to_and_fro(100).is_err());
        // A deep value does not come deeper by a move either.
        let mut deep = json!(1);
        for _ in 0..60 {
            deep = json!({ "x": deep });
        }
        let resource = json!({"resourceType": "Basic", "deep": deep, "y": {"y": {"y": {"y": {}}}}});
        let moved = |to: &str| {
            let operations = json!([{"op": "move", "from": "/deep", "path": to}]);
            patch(&resource, operations.to_string().as_bytes())
        };
        assert!(moved("/other").is_ok() && moved("/y/y/y/y/y").is_err());
    }
}
