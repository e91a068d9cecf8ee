//! The data: several patients, many types, and in each string a mark that says of which version it is.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::marks::{MARK, check_the_look, unmarked};

/// How many patients there are.
pub(crate) const PATIENTS: usize = 6;

/// A version of a resource, and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) resource_type: String,
    pub(crate) id: String,
    /// From 1 on.
    pub(crate) number: usize,
    pub(crate) resource: Value,
    /// The patients who may read it, as one that is of a patient's compartment.
    pub(crate) members: Vec<usize>,
    /// True if it is of a type that is of no patient, and readable.
    pub(crate) is_shared: bool,
    /// True if there is no later one.
    pub(crate) is_current: bool,
}

/// All versions, in the order in which they are made.
#[derive(Debug, Default)]
pub(crate) struct Data {
    pub(crate) versions: Vec<Version>,
    /// The resources that are deleted in the end.
    pub(crate) deleted: Vec<(String, String)>,
    /// Which version a mark is of.
    marks: HashMap<String, usize>,
    by_name: HashMap<(String, String), Vec<usize>>,
}

impl Data {
    /// Makes the data, which are the same each time. Each string in them has a mark.
    pub(crate) fn new() -> Self {
        let mut made = Self::default();
        let mut maker = Maker { next_id: 0, names: HashMap::new() };
        for template in templates(include_str!("shared.json")) {
            let is_shared = template["hidden"] != true;
            made.make(&mut maker, &template, None, is_shared);
        }
        for patient in 0..PATIENTS {
            maker.names.insert(format!("patient-{patient}"), format!("Patient/p{patient}"));
        }
        let templates = templates(include_str!("data.json"));
        // What is named is there before what refers to it, also where it is another patient's.
        for named in [true, false] {
            for patient in 0..PATIENTS {
                for template in templates.iter().filter(|one| one["name"].is_string() == named) {
                    for _ in 0..template["times"].as_u64().unwrap_or(1) {
                        made.make(&mut maker, template, Some(patient), false);
                    }
                }
            }
        }
        check_the_look();
        for version in &made.versions {
            let bare = unmarked(&version.resource);
            assert!(bare.is_empty(), "no mark in {} of {}", bare.join(", "), version.resource_type);
        }
        made
    }

    fn make(
        &mut self,
        maker: &mut Maker,
        template: &Value,
        patient: Option<usize>,
        is_shared: bool,
    ) {
        let resource_type = template["resource"]["resourceType"].as_str().unwrap().to_owned();
        maker.next_id += 1;
        let id = match patient {
            Some(patient) if resource_type == "Patient" => format!("p{patient}"),
            _ => format!("r{}", maker.next_id),
        };
        let name = template["name"].as_str().unwrap_or("").to_owned();
        let name = patient.map_or_else(|| name.clone(), |patient| format!("{name}-{patient}"));
        maker.names.entry(name).or_insert_with(|| format!("{resource_type}/{id}"));
        let mut earlier = template["resource"].clone();
        let before = template["before"].as_object().cloned();
        let numbers = if before.is_some() { vec![1, 2] } else { vec![1] };
        for number in numbers {
            let is_last = number == 2 || before.is_none();
            let of = if is_last {
                &template["of"]
            } else {
                template.get("before_of").unwrap_or_else(|| &template["of"])
            };
            let mut resource = match is_last {
                true => template["resource"].clone(),
                false => {
                    earlier.as_object_mut().unwrap().extend(before.clone().unwrap());
                    earlier.clone()
                }
            };
            resource["id"] = json!(id);
            let place = self.versions.len();
            self.marked(&mut resource, maker, patient, place);
            let members = of.as_array().into_iter().flatten();
            let members =
                members.map(|of| member(of.as_str().unwrap(), patient.unwrap())).collect();
            self.by_name.entry((resource_type.clone(), id.clone())).or_default().push(place);
            self.versions.push(Version {
                resource_type: resource_type.clone(),
                id: id.clone(),
                number,
                resource,
                members,
                is_shared,
                is_current: is_last && template["deleted"] != true,
            });
        }
        if template["deleted"] == true {
            self.deleted.push((resource_type, id));
        }
    }

    /// Fills in what a template leaves open, and puts marks wherever a string may stand.
    fn marked(
        &mut self,
        resource: &mut Value,
        maker: &Maker,
        patient: Option<usize>,
        place: usize,
    ) {
        let object = resource.as_object_mut().unwrap();
        object.insert(
            "text".to_owned(),
            json!({
                "status": "generated",
                "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">~</div>",
            }),
        );
        object.insert(
            "extension".to_owned(),
            json!([{"url": "urn:example:note", "valueString": "~"}]),
        );
        self.fill(resource, maker, patient, place);
    }

    fn fill(&mut self, value: &mut Value, maker: &Maker, patient: Option<usize>, place: usize) {
        match value {
            Value::String(text) => *text = self.filled(text, maker, patient, place),
            Value::Array(values) => {
                values.iter_mut().for_each(|value| self.fill(value, maker, patient, place));
            }
            Value::Object(object) => {
                if let Some(name) = display_of(object) {
                    object.entry(name).or_insert_with(|| json!("~"));
                }
                object.values_mut().for_each(|value| self.fill(value, maker, patient, place));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn filled(
        &mut self,
        text: &str,
        maker: &Maker,
        patient: Option<usize>,
        place: usize,
    ) -> String {
        let mut text = text.to_owned();
        while text.contains('~') {
            let mark = format!("{MARK}{}.", self.marks.len());
            text = text.replacen('~', &mark, 1);
            self.marks.insert(mark, place);
        }
        let number = patient.unwrap_or(0);
        text = text.replace("{n}", &(50 + number).to_string());
        text = text.replace("{d}", &format!("{:02}", 1 + (place * 7 + number) % 28));
        match text.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) => maker.reference(name, patient),
            None => text,
        }
    }

    /// The version that a mark is of.
    pub(crate) fn of_mark(&self, mark: &str) -> Option<&Version> {
        self.versions.get(*self.marks.get(mark)?)
    }

    /// The versions of a resource.
    pub(crate) fn named(&self, resource_type: &str, id: &str) -> impl Iterator<Item = &Version> {
        let places = self.by_name.get(&(resource_type.to_owned(), id.to_owned()));
        places.into_iter().flatten().filter_map(|place| self.versions.get(*place))
    }

    /// The resources as they are now.
    pub(crate) fn current(&self) -> impl Iterator<Item = &Version> {
        self.versions.iter().filter(|version| version.is_current)
    }
}

/// What templates name.
struct Maker {
    next_id: usize,
    names: HashMap<String, String>,
}

impl Maker {
    fn reference(&self, name: &str, patient: Option<usize>) -> String {
        let own = patient.map(|patient| match name {
            "p" => format!("patient-{patient}"),
            "q" => format!("patient-{}", next(patient)),
            name => match name.strip_prefix("q-") {
                Some(name) => format!("{name}-{}", next(patient)),
                None => format!("{name}-{patient}"),
            },
        });
        let found = own.and_then(|own| self.names.get(&own)).or_else(|| self.names.get(name));
        found.unwrap_or_else(|| panic!("nothing is named {name}")).clone()
    }
}

fn next(patient: usize) -> usize {
    (patient + 1) % PATIENTS
}

fn member(of: &str, patient: usize) -> usize {
    if of == "q" { next(patient) } else { patient }
}

/// The member of an object that is for people to read, where there is one.
fn display_of(object: &Map<String, Value>) -> Option<&'static str> {
    match (
        object.contains_key("reference"),
        object.contains_key("coding"),
        object.contains_key("code"),
    ) {
        (true, ..) => Some("display"),
        (_, true, _) => Some("text"),
        (.., true) if object.contains_key("system") && !object.contains_key("value") => {
            Some("display")
        }
        _ => None,
    }
}

fn templates(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}
