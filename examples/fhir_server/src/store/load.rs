//! Resources from a folder of files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tower_fhir_auth::fhir::{BaseUrl, ResourceReference};

use super::bundle::unbundled;
use super::reference::{is_id, is_type};
use super::state::State;
use crate::json;

#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) state: State,
    pub(crate) refused: Vec<Refused>,
}

/// A file, or an entry of a bundle in it, that is not in the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) file: String,
    pub(crate) reason: String,
}

/// The `*.json` files of a folder, each a resource or a bundle of them, by name. What cannot be
/// loaded does not keep the rest from it. The error is that the folder cannot be read.
pub(crate) fn from_folder(base: BaseUrl, folder: &Path) -> Result<Loaded, String> {
    let mut loader = Loader::default();
    for path in json_files(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let document = std::fs::read(&path).map_err(|error| error.to_string());
        let document = document
            .and_then(|text| json::read(&text).map_err(|error| format!("not JSON: {error}")));
        match document {
            Ok(document) => loader.document(&file, document),
            Err(reason) => loader.refused.push(Refused { file, reason }),
        }
    }
    let mut state = State::new(base);
    state.fill(loader.resources);
    Ok(Loaded { state, refused: loader.refused })
}

fn json_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") && !path.is_dir() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[derive(Default)]
struct Loader {
    resources: Vec<(ResourceReference, Value)>,
    known: BTreeSet<ResourceReference>,
    refused: Vec<Refused>,
}

impl Loader {
    fn document(&mut self, file: &str, document: Value) {
        match unbundled(document) {
            Ok(entries) => {
                for (number, resource) in entries {
                    self.resource(&format!("{file} entry[{number}]"), resource);
                }
            }
            Err(resource) => self.resource(file, resource),
        }
    }

    fn resource(&mut self, file: &str, resource: Value) {
        match identified(&resource) {
            Ok(name) if self.known.contains(&name) => {
                let reason = format!("{}/{} appears more than once", name.resource_type, name.id);
                self.refused.push(Refused { file: file.to_owned(), reason });
            }
            Ok(name) => {
                self.known.insert(name.clone());
                self.resources.push((name, resource));
            }
            Err(reason) => self.refused.push(Refused { file: file.to_owned(), reason }),
        }
    }
}

pub(super) fn identified(resource: &Value) -> Result<ResourceReference, String> {
    if !resource.is_object() {
        return Err("not an object".to_owned());
    }
    let Some(resource_type) = resource["resourceType"].as_str() else {
        return Err("no `resourceType`".to_owned());
    };
    if !is_type(resource_type) {
        return Err(format!("`{resource_type}` is no type of R4"));
    }
    match &resource["id"] {
        Value::Null => Err("no `id`".to_owned()),
        Value::String(id) if is_id(id) => Ok(ResourceReference::new(resource_type, id)),
        id => Err(format!("the id {id} is not valid")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tests::base;
    use super::*;

    /// A folder that goes when the test is over.
    struct Folder(PathBuf);

    impl Folder {
        fn with(files: &[(&str, Value)]) -> Self {
            let path = std::env::temp_dir().join(uuid::Uuid::new_v4().to_string());
            std::fs::create_dir(&path).unwrap();
            for (name, content) in files {
                std::fs::write(path.join(name), content.to_string()).unwrap();
            }
            Self(path)
        }

        fn load(&self) -> Loaded {
            from_folder(base(), &self.0).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn refused(loaded: &Loaded) -> Vec<String> {
        loaded.refused.iter().map(|one| format!("{}: {}", one.file, one.reason)).collect()
    }

    #[test]
    fn files_are_loaded_by_name_and_the_first_counts() {
        let patient = |id: &str, n: u64| json!({"resourceType": "Patient", "id": id, "n": n});
        let folder = Folder::with(&[
            ("b.json", patient("1", 2)),
            ("c.json", patient("2", 3)),
            ("a.json", patient("1", 1)),
            ("d.txt", patient("4", 4)),
        ]);
        std::fs::create_dir(folder.0.join("e.json")).unwrap();
        let loaded = folder.load();
        let numbers: Vec<Value> = loaded.state.live("Patient").map(|p| p["n"].clone()).collect();
        assert_eq!(numbers, [1, 3]);
        assert_eq!(refused(&loaded), ["b.json: Patient/1 appears more than once"]);
        assert_eq!(loaded.state.current("Patient", "1").unwrap().version, 1);
    }

    #[test]
    fn what_is_refused_does_not_stop_the_rest() {
        let folder = Folder::with(&[
            ("a.json", json!([])),
            ("b.json", json!({"name": "package"})),
            ("c.json", json!({"resourceType": "Nothing", "id": "1"})),
            ("d.json", json!({"resourceType": "Patient"})),
            ("e.json", json!({"resourceType": "Patient", "id": "a/b"})),
            ("f.json", json!({"resourceType": "Patient", "id": 7})),
            ("h.json", json!({"resourceType": "Patient", "id": "1"})),
        ]);
        std::fs::write(folder.0.join("g.json"), "{").unwrap();
        let loaded = folder.load();
        let refused = refused(&loaded);
        assert_eq!(
            refused[..6],
            [
                "a.json: not an object",
                "b.json: no `resourceType`",
                "c.json: `Nothing` is no type of R4",
                "d.json: no `id`",
                "e.json: the id \"a/b\" is not valid",
                "f.json: the id 7 is not valid",
            ]
        );
        assert!(refused[6].starts_with("g.json: not JSON: ") && refused.len() == 7);
        assert_eq!(loaded.state.live("Patient").count(), 1);
    }

    #[test]
    fn no_folder_is_an_error() {
        let error = from_folder(base(), Path::new("/no/such/folder")).unwrap_err();
        assert!(error.starts_with("/no/such/folder: "));
    }

    #[test]
    fn bundles_of_resources_are_taken_apart() {
        let patient = json!({"resource": {"resourceType": "Patient", "id": "1"}});
        let nameless = json!({"resource": {"resourceType": "Patient"}});
        let bundle = |kind: &str, entries: &[&Value]| json!({"resourceType": "Bundle", "id": kind, "type": kind, "entry": entries});
        let folder = Folder::with(&[
            ("a.json", bundle("collection", &[&patient, &nameless, &json!({}), &json!(1)])),
            ("b.json", bundle("document", &[&patient])),
            ("c.json", bundle("searchset", &[])),
            (
                "d.json",
                bundle("batch", &[&json!({"request": {"method": "GET", "url": "Patient"}})]),
            ),
            ("e.json", json!({"resourceType": "Bundle", "type": "collection", "entry": 7})),
        ]);
        let loaded = folder.load();
        let refused = refused(&loaded);
        assert_eq!(refused, ["a.json entry[1]: no `id`", "e.json: no `id`"]);
        assert_eq!(loaded.state.live("Patient").count(), 1);
        let bundles: Vec<Value> = loaded.state.live("Bundle").map(|b| b["id"].clone()).collect();
        assert_eq!(bundles, ["document", "searchset", "batch"]);
    }
}
