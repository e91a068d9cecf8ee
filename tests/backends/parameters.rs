//! The search parameters that requests are made of, and where their values come from.

use fastrand::Rng;
use serde_json::Value;

use crate::callers::BASE;
use crate::data::{Data, PATIENTS, Version};

/// Where the value of a parameter is found in a resource.
#[derive(Clone, Copy)]
pub(crate) enum Values {
    /// A patient.
    Patient,
    /// A reference.
    Reference(&'static str),
    /// A code, with or without its system.
    Coding(&'static str),
    /// A code, or the start of a text.
    Text(&'static str),
    /// A date, with a prefix or without.
    Date(&'static str),
}

use Values::{Coding, Date, Patient, Reference, Text};

type Parameters = &'static [(&'static str, Values)];

const OF_TYPES: [(&str, Parameters); 20] = [
    (
        "Observation",
        &[
            ("patient", Patient),
            ("subject", Patient),
            ("category", Coding("/category/0/coding/0")),
            ("code", Coding("/code/coding/0")),
            ("status", Text("/status")),
            ("date", Date("/effectiveDateTime")),
            ("performer", Reference("/performer/0/reference")),
            ("encounter", Reference("/encounter/reference")),
            ("identifier", Text("/identifier/0/value")),
            ("value-string", Text("/valueString")),
            ("focus", Patient),
        ],
    ),
    (
        "Encounter",
        &[
            ("patient", Patient),
            ("subject", Patient),
            ("status", Text("/status")),
            ("class", Coding("/class")),
            ("date", Date("/period/start")),
            ("location", Reference("/location/0/location/reference")),
        ],
    ),
    (
        "Condition",
        &[
            ("patient", Patient),
            ("subject", Patient),
            ("clinical-status", Coding("/clinicalStatus/coding/0")),
            ("code", Coding("/code/coding/0")),
            ("category", Coding("/category/0/coding/0")),
            ("asserter", Patient),
            ("encounter", Reference("/encounter/reference")),
            ("recorded-date", Date("/recordedDate")),
        ],
    ),
    (
        "MedicationRequest",
        &[
            ("patient", Patient),
            ("subject", Patient),
            ("status", Text("/status")),
            ("intent", Text("/intent")),
            ("medication", Reference("/medicationReference/reference")),
            ("authoredon", Date("/authoredOn")),
            ("requester", Reference("/requester/reference")),
            ("encounter", Reference("/encounter/reference")),
        ],
    ),
    (
        "Patient",
        &[
            ("name", Text("/name/0/family")),
            ("family", Text("/name/0/family")),
            ("given", Text("/name/0/given/0")),
            ("birthdate", Date("/birthDate")),
            ("gender", Text("/gender")),
            ("identifier", Text("/identifier/0/value")),
            ("address-city", Text("/address/0/city")),
            ("organization", Reference("/managingOrganization/reference")),
            ("general-practitioner", Reference("/generalPractitioner/0/reference")),
            ("link", Patient),
        ],
    ),
    (
        "Procedure",
        &[("patient", Patient), ("status", Text("/status")), ("date", Date("/performedDateTime"))],
    ),
    (
        "AllergyIntolerance",
        &[("patient", Patient), ("clinical-status", Coding("/clinicalStatus/coding/0"))],
    ),
    (
        "DiagnosticReport",
        &[
            ("patient", Patient),
            ("subject", Patient),
            ("code", Coding("/code/coding/0")),
            ("result", Reference("/result/0/reference")),
            ("issued", Date("/issued")),
        ],
    ),
    (
        "DocumentReference",
        &[("patient", Patient), ("status", Text("/status")), ("description", Text("/description"))],
    ),
    ("CarePlan", &[("patient", Patient), ("encounter", Reference("/encounter/reference"))]),
    (
        "CareTeam",
        &[
            ("patient", Patient),
            ("participant", Patient),
            ("participant", Reference("/participant/1/member/reference")),
        ],
    ),
    (
        "Appointment",
        &[
            ("patient", Patient),
            ("actor", Patient),
            ("date", Date("/start")),
            ("status", Text("/status")),
        ],
    ),
    (
        "Provenance",
        &[
            ("target", Reference("/target/0/reference")),
            ("patient", Patient),
            ("recorded", Date("/recorded")),
        ],
    ),
    (
        "AuditEvent",
        &[("patient", Patient), ("agent", Patient), ("agent-name", Text("/agent/0/name"))],
    ),
    ("Coverage", &[("patient", Patient), ("beneficiary", Patient), ("payor", Patient)]),
    ("Communication", &[("patient", Patient), ("sender", Patient), ("status", Text("/status"))]),
    ("Device", &[("patient", Patient), ("status", Text("/status"))]),
    ("RelatedPerson", &[("patient", Patient), ("name", Text("/name/0/family"))]),
    ("Organization", &[("name", Text("/name")), ("active", Text("/active"))]),
    ("Practitioner", &[("name", Text("/name/0/family")), ("family", Text("/name/0/family"))]),
];

/// What may come along with results.
pub(crate) const INCLUDES: [&str; 14] = [
    "_include=Observation:subject",
    "_include=Observation:patient",
    "_include=Observation:performer",
    "_include=Observation:encounter",
    "_include=Encounter:subject",
    "_include=Encounter:patient",
    "_include=Condition:encounter",
    "_include=MedicationRequest:medication",
    "_include=MedicationRequest:requester",
    "_revinclude=Observation:subject",
    "_revinclude=Condition:patient",
    "_revinclude=Provenance:target",
    "_revinclude=MedicationRequest:encounter",
    "_revinclude=Encounter:subject",
];

/// One of them.
pub(crate) struct Include<'a> {
    is_reverse: bool,
    of: &'a str,
    parameter: &'a str,
}

impl<'a> Include<'a> {
    pub(crate) fn parse(pair: &'a str) -> Option<Self> {
        let (name, value) = pair.split_once('=')?;
        let (of, parameter) = value.split_once(':')?;
        let is_reverse = name == "_revinclude";
        (is_reverse || name == "_include").then_some(Self { is_reverse, of, parameter })
    }

    /// Reports whether it makes a resource come along with a result.
    pub(crate) fn joins(&self, result: &Version, other: &Version) -> bool {
        let (from, to) = if self.is_reverse { (other, result) } else { (result, other) };
        let element = match self.parameter {
            "patient" => "subject",
            "medication" => "medicationReference",
            same => same,
        };
        let element = &from.resource[element];
        let elements = element.as_array().into_iter().flatten().chain([element]);
        let name = format!("{}/{}", to.resource_type, to.id);
        let is_patients = self.parameter != "patient" || to.resource_type == "Patient";
        let mut references = elements.filter_map(|element| element["reference"].as_str());
        from.resource_type == self.of
            && is_patients
            && references.any(|reference| reference == name)
    }
}

/// What looks through resources into others, or cannot be told what it does.
pub(crate) const PEEPING: [&str; 12] = [
    "subject:Patient.name=mark1",
    "subject.name=mark1",
    "_has:Observation:subject:code=718-7",
    "encounter.status=finished",
    "_filter=status eq final",
    "_text=mark",
    "_content=mark",
    "_query=all",
    "_contained=true",
    "_sort=subject:Patient.name",
    "performer:Patient._id=p1",
    "unheard-of=1",
];

/// A type that is searched often.
pub(crate) fn searched_type(rng: &mut Rng) -> &'static str {
    let weights = [0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4];
    let place = match rng.bool() {
        true => weights[rng.usize(..weights.len())],
        false => rng.usize(..OF_TYPES.len()),
    };
    OF_TYPES[place].0
}

/// A parameter of a type, with a value that finds something: of anybody's, or more often of the caller's own.
pub(crate) fn parameter(
    rng: &mut Rng,
    data: &Data,
    of: &str,
    own: Option<usize>,
) -> Option<(String, String)> {
    let common: Parameters = &[("_id", Text("/id"))];
    let known = OF_TYPES.iter().find(|(name, _)| *name == of).map_or(common, |(_, known)| known);
    let (name, from) = match rng.u8(..8) {
        0 => common[0],
        1 => return Some(("_lastUpdated".to_owned(), "ge2020-01-01".to_owned())),
        _ => known[rng.usize(..known.len())],
    };
    let value = value(rng, data, of, from, own)?;
    let more = if rng.u8(..6) == 0 { self::value(rng, data, of, from, own) } else { None };
    let value = more.map_or_else(|| value.clone(), |more| format!("{value},{more}"));
    let modifier = match (from, rng.u8(..20)) {
        (Text(_), 0) => ":exact",
        (Text(_), 1) => ":contains",
        (Coding(_), 0) => ":not",
        (Reference(_) | Patient, 0) => ":Patient",
        (_, 1) => return Some((format!("{name}:missing"), rng.bool().to_string())),
        _ => "",
    };
    Some((format!("{name}{modifier}"), value))
}

fn value(rng: &mut Rng, data: &Data, of: &str, from: Values, own: Option<usize>) -> Option<String> {
    let reference = |rng: &mut Rng, reference: String| match rng.u8(..8) {
        0 => format!("{BASE}/{reference}"),
        1 | 2 => reference.rsplit('/').next().unwrap().to_owned(),
        _ => reference,
    };
    if let Patient = from {
        let patient = own.filter(|_| rng.u8(..4) > 0).unwrap_or_else(|| rng.usize(..PATIENTS));
        return Some(reference(rng, format!("Patient/p{patient}")));
    }
    let mut known: Vec<&Value> = data
        .current()
        .filter(|one| one.resource_type == of)
        .filter(|one| {
            own.is_none_or(|own| one.is_shared || one.members.contains(&own)) || rng.u8(..4) == 0
        })
        .map(|one| &one.resource)
        .collect();
    rng.shuffle(&mut known);
    let at = |place: &str| known.iter().find_map(|resource| resource.pointer(place));
    let text = |found: &Value| found.as_str().map_or_else(|| found.to_string(), str::to_owned);
    Some(match from {
        Patient => return None,
        Reference(place) => {
            let found = text(at(place)?);
            reference(rng, found)
        }
        Text(place) => {
            let found = text(at(place)?);
            if found.starts_with("mark") && rng.u8(..6) == 0 { "mark".to_owned() } else { found }
        }
        Coding(place) => {
            let coding = at(place)?;
            let (system, code) = (text(&coding["system"]), text(&coding["code"]));
            match rng.u8(..5) {
                0 => code,
                1 => format!("{system}|"),
                _ => format!("{system}|{code}"),
            }
        }
        Date(place) => {
            let date = text(at(place)?);
            let prefix = ["", "", "ge", "le", "gt", "lt", "sa", "eb"][rng.usize(..8)];
            let length = [4, 7, 10, 30][rng.usize(..4)].min(date.len());
            format!("{prefix}{}", date.get(..length)?)
        }
    })
}
