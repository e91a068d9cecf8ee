//! References to patients in the official definitions: which search parameters can name a
//! Patient, which of them make up the Patient compartment, and which elements they read. All of it
//! comes from the official documents, nothing from the crate.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The parameters of each type, by name.
pub(crate) type PatientReferences = BTreeMap<String, BTreeMap<String, Parameter>>;

/// A reference parameter of a type.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) in_compartment: bool,
    /// The elements that it reads, dotted, without the name of the type. There are none if its
    /// expression is more than a choice of elements: then nobody here can say what it reads.
    pub(crate) paths: Vec<String>,
}

pub(crate) fn folder() -> PathBuf {
    let package = "official_examples/node_modules/hl7.fhir.r4.examples";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(package);
    assert!(folder.is_dir(), "run `npm ci --prefix tests/official_examples` first");
    folder
}

fn document(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap()
}

/// The reference parameters that can name a Patient or are part of its compartment.
pub(crate) fn patient_references() -> PatientReferences {
    let compartment = compartment();
    let mut elements = Elements::default();
    let mut references = PatientReferences::new();
    for parameter in search_parameters() {
        let name = parameter["code"].as_str().unwrap();
        for base in texts(&parameter["base"]) {
            let in_compartment = compartment.get(base).is_some_and(|names| names.contains(name));
            let can_name_a_patient = texts(&parameter["target"]).any(|target| target == "Patient");
            if !in_compartment && !can_name_a_patient {
                continue;
            }
            assert!(!matches!(base, "Resource" | "DomainResource"), "{name}: is one of all types");
            let paths = elements.paths(base, parameter["expression"].as_str().unwrap());
            let found = Parameter { in_compartment, paths: paths.unwrap_or_default() };
            let of_type = references.entry(base.to_owned()).or_default();
            let before = of_type.insert(name.to_owned(), found);
            assert!(before.is_none(), "{base}.{name} is defined twice");
        }
    }
    for (name, parameters) in &compartment {
        for parameter in parameters {
            let of_type = references.get(name);
            assert!(of_type.is_some_and(|all| all.contains_key(parameter)), "{name}.{parameter}");
        }
    }
    references
}

/// The reference parameters of R4 itself.
fn search_parameters() -> Vec<Value> {
    let mut parameters = core_search_parameters();
    parameters.retain(|parameter| parameter["type"] == "reference");
    parameters
}

/// The parameters of R4 itself; the package has some of extensions and examples as well.
pub(crate) fn core_search_parameters() -> Vec<Value> {
    let mut parameters = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with("SearchParameter-") {
            continue;
        }
        let parameter = document(&name);
        let url = parameter["url"].as_str().unwrap_or_default();
        let is_core = url.starts_with("http://hl7.org/fhir/SearchParameter/");
        let is_whole = parameter["type"].is_string() && parameter["base"].is_array();
        if is_core && is_whole && !name.contains("-example") {
            parameters.push(parameter);
        }
    }
    parameters
}

/// The parameters that put a resource of a type into the Patient compartment.
fn compartment() -> BTreeMap<String, BTreeSet<String>> {
    let definition = document("CompartmentDefinition-patient.json");
    let types = definition["resource"].as_array().unwrap().iter().map(|resource| {
        let parameters: BTreeSet<_> = texts(&resource["param"]).map(str::to_owned).collect();
        (resource["code"].as_str().unwrap().to_owned(), parameters)
    });
    let types: BTreeMap<_, _> = types.filter(|(_, parameters)| !parameters.is_empty()).collect();
    assert_eq!(types.len(), 66);
    types
}

pub(crate) fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The elements of types, from their structure definitions, which are read when asked for.
#[derive(Default)]
pub(crate) struct Elements(BTreeMap<String, Value>);

impl Elements {
    /// The elements that an expression reads in resources of a type. Of one that many types share,
    /// only the parts for this type count. `None` if any of them is not just an element.
    fn paths(&mut self, resource_type: &str, expression: &str) -> Option<Vec<String>> {
        let mut paths = Vec::new();
        for part in expression.split('|').map(str::trim) {
            let name = part.trim_start_matches('(').split('.').next()?;
            if name == resource_type {
                paths.push(self.path(part)?);
            }
        }
        assert!(!paths.is_empty(), "{resource_type}: nothing in {expression}");
        paths.sort();
        Some(paths)
    }

    /// The element that a part such as `Account.subject.where(resolve() is Patient)` reads. That it
    /// keeps only patients is left out: whoever reads the element looks for patients alone.
    fn path(&mut self, part: &str) -> Option<String> {
        let part = part.strip_suffix(".where(resolve() is Patient)").unwrap_or(part);
        let cast = part.strip_prefix('(').and_then(|part| part.strip_suffix(" as Reference)"));
        let cast = cast.or_else(|| part.strip_suffix(" as Reference"));
        let element = cast.or_else(|| part.strip_suffix(".as(Reference)")).unwrap_or(part);
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let mut names = element.split('.');
        if !names.clone().all(is_name) {
            return None;
        }
        let resource_type = names.next()?;
        self.json_names(resource_type, &names.collect::<Vec<_>>())
    }

    /// The names by which JSON has a reference. One of many types carries its type in its name.
    fn json_names(&mut self, resource_type: &str, names: &[&str]) -> Option<String> {
        let found = self.names(resource_type, names, Some("Reference"))?;
        found.into_iter().next()
    }

    /// The names by which JSON has an element, of the type of a cast or of each that it can have: a choice of
    /// types carries its type in its name. `None` if there is no such element.
    pub(crate) fn names(
        &mut self,
        resource_type: &str,
        names: &[&str],
        cast: Option<&str>,
    ) -> Option<Vec<String>> {
        let (last, parents) = names.split_last()?;
        // Where the definition of the next element is: `Claim.payee`, or a type such as `Timing`.
        let mut parent = resource_type.to_owned();
        for name in parents {
            let path = format!("{parent}.{name}");
            let element = self.element(&path)?;
            let of = element["type"][0]["code"].as_str();
            parent = match (of, element["contentReference"].as_str()) {
                (_, Some(elsewhere)) => elsewhere.trim_start_matches('#').to_owned(),
                (Some("BackboneElement" | "Element"), None) => path,
                (other, None) => other?.to_owned(),
            };
        }
        let whole = names.join(".");
        let types = |element: &Value| -> Vec<String> {
            let types = element["type"].as_array().into_iter().flatten();
            let types = types.filter_map(|of| of["code"].as_str());
            types.filter(|of| cast.is_none_or(|cast| cast == *of)).map(str::to_owned).collect()
        };
        let found = match self.element(&format!("{parent}.{last}")) {
            Some(plain) => types(&plain).first().map(|_| vec![whole]).unwrap_or_default(),
            None => {
                let choice = self.element(&format!("{parent}.{last}[x]"))?;
                let of = types(&choice);
                of.iter().map(|of| format!("{whole}{}", capitalized(of))).collect()
            }
        };
        (!found.is_empty()).then_some(found)
    }

    /// The definition of the element at a path such as `Claim.payee.party`.
    fn element(&mut self, path: &str) -> Option<Value> {
        let of = path.split('.').next()?;
        let file = format!("StructureDefinition-{of}.json");
        let structure = self.0.entry(of.to_owned()).or_insert_with(|| document(&file));
        let mut elements = structure["snapshot"]["element"].as_array()?.iter();
        elements.find(|element| element["path"] == path).cloned()
    }
}

fn capitalized(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_ascii_uppercase() + rest
}

#[test]
fn expressions_become_paths() {
    let mut elements = Elements::default();
    for (part, path) in [
        ("Account.subject.where(resolve() is Patient)", Some("subject")),
        ("Consent.provision.actor.reference", Some("provision.actor.reference")),
        // Choices, in each of the forms that there are.
        ("MedicationRequest.medication", Some("medicationReference")),
        ("(MedicationRequest.medication as Reference)", Some("medicationReference")),
        ("MedicationRequest.medication as Reference", Some("medicationReference")),
        ("MedicationRequest.medication.as(Reference)", Some("medicationReference")),
        // Inside a data type, and where an element is defined elsewhere.
        ("Bundle.signature.who", Some("signature.who")),
        ("Consent.provision.provision.data.reference", Some("provision.provision.data.reference")),
        // Neither references nor elements.
        ("Account.status", None),
        ("Account.nothing", None),
        ("Account.subject.where(type = 'Patient')", None),
        ("Bundle.entry[0].resource", None),
        ("(Observation.value as Quantity)", None),
        ("Account.extension('http://example.org').value", None),
        ("Measure.library", None),
    ] {
        assert_eq!(elements.path(part).as_deref(), path, "{part}");
    }
    let shared = "Account.subject.where(resolve() is Patient) | Flag.author | Flag.subject";
    assert_eq!(elements.paths("Flag", shared).unwrap(), ["author", "subject"]);
    assert_eq!(elements.paths("Flag", &format!("{shared}.first() | Flag.author")), None);
}
