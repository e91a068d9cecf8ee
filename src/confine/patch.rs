//! JSON Patch (RFC 6902), applied before it is judged what comes of it.

use std::slice::from_ref;

use json_patch::{PatchOperation, patch_unsafe};
use serde_json::Value;

use super::tree::{Tree, are_equal, unmarked};

/// The most operations of a patch.
const MAX_OPERATIONS: usize = 200;

/// The most levels of a patched resource. `copy` could double them with every operation.
const MAX_DEPTH: usize = 32;

/// The bytes that a value takes beside its text, roughly.
const VALUE_SIZE: usize = 16;

/// Applies a patch to a resource, which may become so many bytes large, roughly, with all that the operations
/// carry; or says why it cannot be applied.
pub(super) fn patched(resource: &Tree, patch: &str, max_size: usize) -> Result<Tree, String> {
    let operations = read(patch)?;
    let mut patched = resource.marked().clone();
    let mut size_left = max_size;
    if !is_within_limits(&patched, MAX_DEPTH, &mut size_left) {
        // What is too large already may shrink.
        size_left = 0;
    }
    for operation in &operations {
        if !is_carried(operation, &patched, &mut size_left) {
            return Err("the patch makes the resource too large".to_owned());
        }
        if let PatchOperation::Test(test) = operation {
            let found = patched.pointer(test.path.as_str());
            if !found.is_some_and(|found| are_equal(found, &test.value)) {
                return Err(
                    "the patch cannot be applied: a value is not the one of its test".to_owned()
                );
            }
            continue;
        }
        // The `unsafe` one does not undo a failed patch. It need not, on a copy, and undoing a failed `move`
        // panics.
        patch_unsafe(&mut patched, from_ref(operation))
            .map_err(|error| format!("the patch cannot be applied: {}", error.kind))?;
    }
    for name in ["resourceType", "id"] {
        if patched.get(name) != resource.marked().get(name) {
            return Err(format!("the patch would change `{name}`"));
        }
    }
    Ok(Tree::of_marked(patched))
}

/// Reports whether it shows by the outcome of a patch, or in another place, what the resource has been.
pub(super) fn asks(patch: &str) -> bool {
    let asks = |operation: &PatchOperation| match operation {
        PatchOperation::Test(_) | PatchOperation::Copy(_) | PatchOperation::Move(_) => true,
        PatchOperation::Add(_) | PatchOperation::Replace(_) | PatchOperation::Remove(_) => false,
    };
    read(patch).is_ok_and(|operations| operations.iter().any(asks))
}

/// Reads the operations, whose values keep their marks.
fn read(patch: &str) -> Result<Vec<PatchOperation>, String> {
    const NO_PATCH: &str = "the body is no JSON Patch";
    let no_patch = || NO_PATCH.to_owned();
    let tree = Tree::parse(patch).map_err(|_| no_patch())?;
    let Value::Array(operations) = tree.marked() else { return Err(no_patch()) };
    if operations.len() > MAX_OPERATIONS {
        return Err(format!("a patch has at most {MAX_OPERATIONS} operations"));
    }
    let read = |operation: &Value| {
        let mut members = operation.as_object().ok_or_else(no_patch)?.clone();
        for name in ["op", "path", "from"] {
            if let Some(member) = members.get_mut(name) {
                *member = unmarked(member).ok_or_else(no_patch)?.into();
            }
        }
        serde_json::from_value(Value::Object(members)).map_err(|_| no_patch())
    };
    operations.iter().map(read).collect()
}

/// Reports whether what an operation puts into the resource is within the limits. No more than that is walked
/// through, and all of it counts, so that the cost of a patch does not grow with operations times size.
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
    if !take(size_left, value.as_str().unwrap_or_default()) {
        return false;
    }
    match value {
        Value::Array(items) => {
            items.iter().all(|item| is_within_limits(item, depth_left, size_left))
        }
        Value::Object(members) => members.iter().all(|(name, member)| {
            take(size_left, name) && is_within_limits(member, depth_left, size_left)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// Takes room for a text; false where there is no more.
fn take(size_left: &mut usize, text: &str) -> bool {
    let rest = size_left.checked_sub(VALUE_SIZE + text.len());
    *size_left = rest.unwrap_or_default();
    rest.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT: &str = r#"{"resourceType":"Patient","id":"1","name":[{"family":"A"}],"extension":[{"valueDecimal":5.40}]}"#;

    fn after(patch: &str) -> Result<String, String> {
        patched(&Tree::parse(PATIENT).unwrap(), patch, 1 << 20).map(|tree| tree.write())
    }

    #[test]
    fn operations_are_applied_in_order_and_digits_stay() {
        let written = after(
            r##"[{"op":"test","path":"/name/0/family","value":"A"},
                {"op":"test","path":"/extension/0/valueDecimal","value":5.4},
                {"op":"replace","path":"/name/0/family","value":"#B"},
                {"op":"add","path":"/name/-","value":{"family":"=C","period":1.500}},
                {"op":"copy","from":"/extension/0","path":"/extension/-"},
                {"op":"move","from":"/name/1","path":"/name/0"}]"##,
        )
        .unwrap();
        let expected = r##"{"extension":[{"valueDecimal":5.40},{"valueDecimal":5.40}],"id":"1","name":[{"family":"=C","period":1.500},{"family":"#B"}],"resourceType":"Patient"}"##;
        assert_eq!(written, expected);
    }

    #[test]
    fn what_cannot_be_applied_is_an_error() {
        for patch in [
            r#"[{"op":"test","path":"/name/0/family","value":"Z"}]"#,
            r#"[{"op":"test","path":"/none","value":null}]"#,
            r#"[{"op":"remove","path":"/none"}]"#,
            r#"[{"op":"remove","path":""}]"#,
            r#"[{"op":"add","path":"/name/9","value":1}]"#,
            r#"[{"op":"replace","path":"","value":[]}]"#,
            r#"[{"op":"replace","path":"/id","value":"2"}]"#,
            r#"[{"op":"remove","path":"/resourceType"}]"#,
            r#"[{"op":"move","from":"/name","path":"/name/0/x"}]"#,
            r#"[{"op":"add","path":"/x","value":1},{"op":"move","from":"/x","path":"/none/y"}]"#,
            r#"[{"op":"add","path":"name","value":1}]"#,
            r#"[{"op":"add","path":"/x"}]"#,
            r#"[{"op":"add","path":5,"value":1}]"#,
            r#"[{"op":"add","path":"/x","value":1,"value":2}]"#,
            r#"[{"op":"invent","path":"/x"}]"#,
            "[7]",
            "{}",
            "",
        ] {
            assert!(after(patch).is_err(), "{patch}");
        }
    }

    #[test]
    fn copies_of_copies_end() {
        let deeper = r#"{"op":"copy","from":"","path":"/deeper"}"#;
        assert!(after(&format!("[{}]", vec![deeper; 100].join(","))).is_err());
        let large = format!(r#"{{"op":"add","path":"/x","value":"{}"}}"#, "x".repeat(1 << 18));
        let copy = |number| format!(r#"{{"op":"copy","from":"/x","path":"/x{number}"}}"#);
        let wider: Vec<String> = std::iter::once(large).chain((0..9).map(copy)).collect();
        assert!(after(&format!("[{}]", wider.join(","))).is_err());
        let test = r#"{"op":"test","path":"/id","value":"1"}"#;
        assert!(after(&format!("[{}]", vec![test; 200].join(","))).is_ok());
        assert!(after(&format!("[{}]", vec![test; 201].join(","))).is_err());
    }
}
