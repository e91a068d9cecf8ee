//! JSON Patch (RFC 6902), applied before it is judged what comes of it.

use std::slice::from_ref;

use json_patch::{PatchOperation, patch_unsafe};
use serde_json::Value;

use super::tree::{MAX_VALUES, Tree, are_equal, unmarked};
use super::unambiguous;

/// The most operations of a patch.
const MAX_OPERATIONS: usize = 200;

/// The most levels of a patched resource. `copy` could double them with every operation.
const MAX_DEPTH: usize = 32;

/// The bytes that a value takes beside its text, roughly.
const VALUE_SIZE: usize = 16;

/// The most items of lists that the operations push along, all together: one that puts an item at the front of a
/// list moves all the others.
const MAX_PUSHED: usize = 1 << 20;

/// The reason for which a patch is not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatchError {
    /// It is no patch, or none of this resource.
    Invalid(String),
    /// It would take too much.
    TooLarge(String),
}

/// The room that the operations of a patch share.
struct Room {
    /// The bytes of what they put into the resource, roughly.
    size: usize,
    values: usize,
    pushed: usize,
}

/// Applies a patch to a resource, which may become so many bytes large, roughly, with all that the operations
/// carry; or says why it cannot be applied.
pub(super) fn patched(resource: &Tree, patch: &str, max_size: usize) -> Result<Tree, PatchError> {
    let operations = parse(patch)?;
    let mut patched = resource.marked().clone();
    let mut room = Room { size: max_size, values: MAX_VALUES, pushed: MAX_PUSHED };
    if !room.has_room_for(&patched, MAX_DEPTH) {
        // What is too large already may shrink.
        (room.size, room.values) = (0, 0);
    }
    for operation in &operations {
        room.take(operation, &patched)?;
        // The library would compare the marked texts, where 5.40 is not 5.4 (RFC 6902 section 4.6).
        if let PatchOperation::Test(test) = operation {
            let found = patched.pointer(test.path.as_str());
            if !found.is_some_and(|found| are_equal(found, &test.value)) {
                let text = "the patch cannot be applied: a `test` operation failed";
                return Err(PatchError::Invalid(text.to_owned()));
            }
            continue;
        }
        // The `unsafe` one does not undo a failed patch. It need not, on a copy, and undoing a failed `move`
        // panics.
        patch_unsafe(&mut patched, from_ref(operation)).map_err(|error| {
            PatchError::Invalid(format!("the patch cannot be applied: {}", error.kind))
        })?;
    }
    for name in ["resourceType", "id"] {
        if patched.get(name) != resource.marked().get(name) {
            return Err(PatchError::Invalid(format!("the patch would change `{name}`")));
        }
    }
    Ok(Tree::of_marked(patched))
}

/// Reports whether a patch can reveal the present content of a resource, by its outcome or by copying a value
/// elsewhere.
pub(super) fn reveals_content(patch: &str) -> bool {
    let reveals = |operation: &PatchOperation| match operation {
        PatchOperation::Test(_) | PatchOperation::Copy(_) | PatchOperation::Move(_) => true,
        PatchOperation::Add(_) | PatchOperation::Replace(_) | PatchOperation::Remove(_) => false,
    };
    parse(patch).is_ok_and(|operations| operations.iter().any(reveals))
}

/// Reads the text of a patch as a tree, which has a bounded number of values.
pub(super) fn tree(patch: &str) -> Result<Tree, PatchError> {
    Tree::parse(patch).map_err(|unread| match unread {
        unambiguous::JsonError::TooMany => {
            PatchError::TooLarge(format!("a patch has at most {MAX_VALUES} values"))
        }
        unambiguous::JsonError::NotJson | unambiguous::JsonError::DuplicateMember => no_patch(),
    })
}

pub(super) fn no_patch() -> PatchError {
    PatchError::Invalid("the body is not a JSON Patch".to_owned())
}

/// Reads the operations, whose values keep their marks.
fn parse(patch: &str) -> Result<Vec<PatchOperation>, PatchError> {
    let tree = tree(patch)?;
    let Value::Array(operations) = tree.marked() else { return Err(no_patch()) };
    if operations.len() > MAX_OPERATIONS {
        let text = format!("a patch has at most {MAX_OPERATIONS} operations: send several");
        return Err(PatchError::TooLarge(text));
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

impl Room {
    /// Takes what an operation carries and what it moves, so that the cost of a patch does not grow with operations
    /// times size.
    fn take(&mut self, operation: &PatchOperation, resource: &Value) -> Result<(), PatchError> {
        let pushed: usize =
            pointers(operation).map(|pointer| length_around(pointer, resource)).sum();
        let Some(pushed) = self.pushed.checked_sub(pushed) else {
            let text = "the patch moves too many items of lists: send fewer operations in one";
            return Err(PatchError::TooLarge(text.to_owned()));
        };
        self.pushed = pushed;
        match self.carries(operation, resource) {
            true => Ok(()),
            false => Err(PatchError::TooLarge("the patch makes the resource too large".to_owned())),
        }
    }

    /// Reports whether what an operation puts into the resource is within the limits. No more than that is walked
    /// through, and all of it counts.
    fn carries(&mut self, operation: &PatchOperation, resource: &Value) -> bool {
        let (path, value) = match operation {
            PatchOperation::Add(add) => (&add.path, Some(&add.value)),
            PatchOperation::Replace(replace) => (&replace.path, Some(&replace.value)),
            PatchOperation::Move(moved) => (&moved.path, resource.pointer(moved.from.as_str())),
            PatchOperation::Copy(copied) => (&copied.path, resource.pointer(copied.from.as_str())),
            PatchOperation::Test(_) | PatchOperation::Remove(_) => return true,
        };
        // What cannot be found is told when the operation is applied.
        let Some(value) = value else { return true };
        let depth_left = MAX_DEPTH.saturating_sub(path.as_str().matches('/').count());
        self.has_room_for(value, depth_left)
    }

    fn has_room_for(&mut self, value: &Value, depth_left: usize) -> bool {
        let Some(depth_left) = depth_left.checked_sub(1) else { return false };
        let values_left = self.values.checked_sub(1);
        self.values = values_left.unwrap_or_default();
        if values_left.is_none() || !self.has_bytes_for(value.as_str().unwrap_or_default()) {
            return false;
        }
        match value {
            Value::Array(items) => items.iter().all(|item| self.has_room_for(item, depth_left)),
            Value::Object(members) => members.iter().all(|(name, member)| {
                self.has_bytes_for(name) && self.has_room_for(member, depth_left)
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        }
    }

    /// Takes room for a string; false where there is no more.
    fn has_bytes_for(&mut self, text: &str) -> bool {
        let rest = self.size.checked_sub(VALUE_SIZE + text.len());
        self.size = rest.unwrap_or_default();
        rest.is_some()
    }
}

/// Returns the pointers where an operation puts something in or takes it out.
fn pointers(operation: &PatchOperation) -> impl Iterator<Item = &str> {
    let (one, other) = match operation {
        PatchOperation::Add(add) => (Some(add.path.as_str()), None),
        PatchOperation::Remove(remove) => (Some(remove.path.as_str()), None),
        PatchOperation::Move(moved) => (Some(moved.path.as_str()), Some(moved.from.as_str())),
        PatchOperation::Copy(copied) => (Some(copied.path.as_str()), None),
        PatchOperation::Test(_) | PatchOperation::Replace(_) => (None, None),
    };
    one.into_iter().chain(other)
}

/// Returns the number of items that are moved where one is put into a list, or taken out of it: all behind it.
fn length_around(pointer: &str, resource: &Value) -> usize {
    let Some((list, index)) = pointer.rsplit_once('/') else { return 0 };
    let items = resource.pointer(list).and_then(Value::as_array);
    // `-` is the place behind the last one.
    let index = index.parse().unwrap_or(usize::MAX);
    items.map_or(0, |items| items.len().saturating_sub(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT: &str = r#"{"resourceType":"Patient","id":"1","name":[{"family":"A"}],"extension":[{"valueDecimal":5.40}]}"#;

    fn after(patch: &str) -> Result<String, PatchError> {
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

    #[test]
    fn a_patch_that_would_take_too_much_says_so() {
        let of = |operation: &str, number: usize| {
            format!("[{}]", vec![operation.to_owned(); number].join(","))
        };
        let list = |length: usize| {
            let items = vec!["1"; length].join(",");
            Tree::parse(&format!(r#"{{"resourceType":"Basic","id":"1","x":[{items}]}}"#)).unwrap()
        };
        let is_too_large = |resource: &Tree, patch: &str| {
            let fault = patched(resource, patch, 1 << 24).err();
            matches!(fault, Some(PatchError::TooLarge(_)))
        };
        let test = r#"{"op":"test","path":"/id","value":"1"}"#;
        assert!(is_too_large(&list(1), &of(test, MAX_OPERATIONS + 1)), "operations");
        assert!(is_too_large(&list(1), &of("1", MAX_VALUES)), "values");
        // Each at the front pushes all the others along; one at the end pushes none.
        let (front, end) = ("/x/0", "/x/-");
        let add = |pointer: &str| format!(r#"{{"op":"add","path":"{pointer}","value":1}}"#);
        let long = list(50_000);
        assert!(!is_too_large(&long, &of(&add(front), 20)));
        assert!(is_too_large(&long, &of(&add(front), 21)), "inserts");
        assert!(!is_too_large(&long, &of(&add(end), 200)));
        let remove = r#"{"op":"remove","path":"/x/0"}"#;
        assert!(is_too_large(&long, &of(remove, 22)), "removals");
        let copy = r#"{"op":"copy","from":"/x","path":"/y"}"#;
        assert!(is_too_large(&list(40_000), &of(copy, 1)), "values that are copied");
    }

    #[test]
    fn what_is_too_deep_already_may_shrink_and_not_grow() {
        let (open, close) = ("[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        let deep = format!(r#"{{"resourceType":"Basic","id":"1","x":{open}1{close}}}"#);
        let deep = Tree::parse(&deep).unwrap();
        let grown = patched(&deep, r#"[{"op":"add","path":"/y","value":1}]"#, 1 << 20);
        assert!(matches!(grown, Err(PatchError::TooLarge(_))), "{grown:?}");
        let shrunk = patched(&deep, r#"[{"op":"remove","path":"/x"}]"#, 1 << 20);
        assert_eq!(shrunk.unwrap().write(), r#"{"id":"1","resourceType":"Basic"}"#);
    }
}
