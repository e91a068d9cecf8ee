//! Resource → `may_show`, `may_store`.
//!
//! Two lines of JSON: a resource as it is, and as it would be; an empty line is none. A text is a
//! resource if it is strict JSON, and gets the same answers as its tree. The answers must be the
//! model's for the types whose place in the compartment it knows; for any other, nothing is shown
//! to a patient whom no reference names, and nothing is stored that names another patient where
//! the type has its owner.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_fhir_auth::authorization::{BorrowedResource, StoreError};
use tower_fhir_auth::{Access, Visibility};
use tower_fhir_auth_fuzz::access::granted;
use tower_fhir_auth_fuzz::model::compartment::{MEMBERS, SHARED, is_about, is_seen, references};
use tower_fhir_auth_fuzz::model::json;

/// Reads: the scope, and whether it confines to the patient and to a status.
static READS: LazyLock<Vec<(Access, Read)>> = LazyLock::new(|| {
    let read = |scope, confined, final_only, types| {
        (granted("GET", "/Observation", scope), Read { confined, final_only, types })
    };
    vec![
        read("patient/*.cruds", true, false, &[][..]),
        read("patient/Observation.rs?status=final", true, true, &["Observation"]),
        read(
            "patient/Observation.rs patient/Condition.s",
            true,
            false,
            &["Observation", "Condition"],
        ),
        read("system/*.cruds", false, false, &[]),
        read("system/Observation.rs?status=final", false, true, &["Observation"]),
    ]
});

#[derive(Clone, Copy)]
struct Read {
    confined: bool,
    final_only: bool,
    /// Empty for every type.
    types: &'static [&'static str],
}

/// Changes of each type that the model knows, by patient 1.
static WRITES: LazyLock<Vec<(&str, &str, Access)>> = LazyLock::new(|| {
    let types = MEMBERS.iter().map(|(name, _)| *name);
    let write = |method, below: String| granted(method, &below, "patient/*.cruds");
    let created = types.clone().map(|on| ("POST", on, write("POST", format!("/{on}"))));
    let others = types.chain(["Patient", "Group", "Provenance"]).chain(SHARED.iter().copied());
    let changed = others.flat_map(|on| {
        ["PUT", "PATCH", "DELETE"].map(|method| (method, on, write(method, format!("/{on}/1"))))
    });
    created.chain(changed).collect()
});

fuzz_target!(|data: &str| {
    let mut lines = data.split('\n');
    let (before, after) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let (before, after) = (Resource::read(before), Resource::read(after));
    for resource in [&before, &after].into_iter().flatten() {
        READS.iter().for_each(|(access, read)| show(resource, access, *read));
    }
    let Some(resource) = before.as_ref().or(after.as_ref()) else { return };
    for (method, on, access) in WRITES.iter().filter(|(_, on, _)| *on == resource.resource_type()) {
        store(method, on, access, before.as_ref(), after.as_ref());
    }
});

struct Resource<'a> {
    text: BorrowedResource<'a>,
    tree: Value,
}

impl<'a> Resource<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let parsed = BorrowedResource::parse(text);
        let tree = json::object(text.as_bytes());
        assert_eq!(parsed.is_ok(), tree.is_some(), "{parsed:?} {text}");
        Some(Self { text: parsed.ok()?, tree: Value::Object(tree?) })
    }

    fn resource_type(&self) -> &str {
        self.tree.get("resourceType").and_then(Value::as_str).unwrap_or_default()
    }

    fn names(&self, patient: &str) -> bool {
        let mut all = Vec::new();
        references(&self.tree, &mut all);
        // In whatever form: the model of references decides for the types it knows.
        all.iter().any(|text| text.contains("Patient/") && text.contains(patient))
    }
}

fn show(resource: &Resource<'_>, access: &Access, read: Read) {
    let shown = access.may_show(&resource.tree);
    assert_eq!(shown, access.may_show(&resource.text), "{:?}", resource.tree);
    assert_eq!(access.may_include(&resource.tree), access.may_include(&resource.text));
    let on = resource.resource_type();
    let is_granted = match read.types {
        [] => access.interaction().resource_types().contains(on),
        types => types.contains(&on),
    };
    let is_met =
        !read.final_only || resource.tree.get("status").is_some_and(|status| status == "final");
    let is_own = if read.confined { is_seen(&resource.tree, "1") } else { Some(true) };
    match (&shown, is_own) {
        (Visibility::Depends(targets), _) => {
            assert!(on == "Provenance" && read.confined && is_granted, "{:?}", resource.tree);
            let all = resource.tree["target"].to_string();
            assert!(targets.iter().all(|target| all.contains(&target.id)));
        }
        (shown, Some(is_own)) => {
            let expected = is_granted && is_met && is_own;
            assert_eq!(*shown == Visibility::Shown, expected, "{:?}", resource.tree);
        }
        (Visibility::Shown, None) => {
            assert!(is_granted && is_met && resource.names("1"), "{:?}", resource.tree);
        }
        (Visibility::Hidden, None) => {}
    }
}

fn store(
    method: &str,
    on: &str,
    access: &Access,
    before: Option<&Resource<'_>>,
    after: Option<&Resource<'_>>,
) {
    let tree = |resource: Option<&Resource<'_>>| resource.map(|resource| resource.tree.clone());
    let (old, new) = (tree(before), tree(after));
    let verdict = access.may_store(old.as_ref(), new.as_ref());
    let by_text = access.may_store(before.map(|one| &one.text), after.map(|one| &one.text));
    assert_eq!(verdict, by_text);
    let states: Vec<&Value> = [&old, &new].into_iter().flatten().collect();
    let about: Vec<Option<bool>> = states.iter().map(|state| is_about(state, "1")).collect();
    let identity = |state: &Value| {
        (
            state.get("resourceType").cloned(),
            state.get("id").and_then(Value::as_str).map(str::to_owned),
        )
    };
    let is_one = states.iter().all(|state| identity(state) == identity(states[0]));
    let is_there = method == "POST" || old.is_some();
    match verdict {
        Ok(()) => {
            assert!(
                is_one && is_there && !about.contains(&Some(false)),
                "{method} {on}: {states:?}"
            );
            let own_type = states.iter().all(|state| state["resourceType"] == on);
            assert!(own_type, "{method} {on}: {states:?}");
        }
        Err(error) => {
            let all_about = about.iter().all(|about| *about == Some(true));
            assert!(!(is_one && is_there && all_about), "{method} {on}: {states:?}: {error:?}");
            // Nobody learns of a resource that is hidden.
            if let (Some(old), StoreError::Hidden) = (&old, &error) {
                assert_ne!(is_seen(old, "1"), Some(true), "{old}");
            }
            if old.as_ref().is_some_and(|old| is_one && is_seen(old, "1") == Some(false)) {
                assert_eq!(error, StoreError::Hidden, "{method} {on}: {states:?}");
            }
        }
    }
}
