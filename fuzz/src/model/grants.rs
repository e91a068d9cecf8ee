//! What scopes grant (SMART App Launch 2.2, and what the crate promises where that is silent), for
//! handlers that enforce everything.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::compartment::{SHARED, below_base};
use super::route::{Route, is_id};
use super::scope::{Scope, constraint};

/// Whom the scopes of a context confine to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confined {
    Nobody,
    To(String),
    /// They grant nothing.
    Useless,
}

/// A parameter of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Param {
    /// Filters the searched type by its own elements, formats, or includes what is judged later.
    Plain(&'static str),
    Types(Vec<&'static str>),
    /// Names a patient.
    Patient(&'static str),
    /// Searches another type, which the result reveals.
    Reaches(&'static str, &'static str),
    /// May look anywhere.
    Anywhere(&'static str),
}

impl Param {
    /// The parameter as a client writes it.
    pub fn text(&self) -> String {
        match self {
            Self::Plain(text) | Self::Reaches(text, _) | Self::Anywhere(text) => (*text).to_owned(),
            Self::Types(types) => format!("_type={}", types.join(",")),
            Self::Patient(id) => format!("patient={id}"),
        }
    }
}

/// The caller and the scopes of a token.
#[derive(Clone, Debug)]
pub struct Held {
    pub scopes: Vec<Scope>,
    pub patient: Confined,
    pub user: Confined,
}

impl Held {
    /// Reads the claims that say who the user is, and which patient is in context.
    pub fn of(scopes: Vec<Scope>, claims: &Map<String, Value>) -> Self {
        let present = |name: &str| claims.get(name).filter(|value| !value.is_null());
        let launch = present("patient").map(|value| value.as_str().and_then(patient_id));
        let user = present("fhirUser").map(|value| value.as_str().and_then(instance));
        let to = |patient: Option<String>| patient.map_or(Confined::Useless, Confined::To);
        let of_user = match &user {
            Some(Some((name, id))) if name == "Patient" => Some(id.clone()),
            _ => None,
        };
        let patient = to(launch.clone().unwrap_or_else(|| of_user.clone()));
        let user = match user.map(|user| user.map(|(name, _)| name)) {
            None => Confined::Nobody,
            Some(None) => Confined::Useless,
            Some(Some(name)) => match name.as_str() {
                "Practitioner" | "PractitionerRole" => Confined::Nobody,
                "Patient" => patient.clone(),
                "RelatedPerson" | "Person" => to(launch.flatten()),
                _ => Confined::Useless,
            },
        };
        // A constraint that cannot be read grants nothing, and counts for nothing.
        let readable = |scope: &Scope| {
            scope.constraint.as_deref().is_none_or(|text| constraint(text).is_some())
        };
        Self { scopes: scopes.into_iter().filter(readable).collect(), patient, user }
    }

    fn confined(&self, scope: &Scope) -> &Confined {
        match scope.context {
            "patient" => &self.patient,
            "user" => &self.user,
            _ => &Confined::Nobody,
        }
    }

    /// Reports whether one of the scopes holds a letter on a type, `*` for every type.
    fn has(&self, letter: char, on: &str, named: &BTreeSet<String>, way: Way) -> bool {
        self.scopes.iter().any(|scope| {
            let is_about = scope.on == "*" || scope.on == on;
            let confined = self.confined(scope);
            let is_own = match confined {
                Confined::Nobody => true,
                Confined::Useless => false,
                Confined::To(patient) => {
                    let may_create = letter != 'c' || on == "*" || is_created_by_patients(on);
                    named.iter().all(|other| other == patient) && may_create
                }
            };
            let is_met = match (&scope.constraint, way) {
                (None, _) => true,
                (Some(_), Way::Linked | Way::Exported) => false,
                (Some(text), Way::Direct) => {
                    let pairs = constraint(text).unwrap_or_default();
                    on != "*" && pairs.iter().all(|(name, _)| is_search_parameter(on, name))
                }
            };
            let is_of_system = scope.context == "system" || way != Way::Exported;
            scope.letters.contains(letter) && is_about && is_own && is_met && is_of_system
        })
    }
}

/// How a request comes to a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Direct,
    Linked,
    Exported,
}

/// Reports whether scopes grant a request.
pub fn grant(
    held: &Held,
    method: &str,
    route: Option<&Route>,
    params: &[Param],
    types: &[&str],
) -> bool {
    let Some(route) = route else { return false };
    let named = named(route, params);
    // Those of later releases, too, which nothing but a scope names here.
    let types: Vec<&str> =
        types.iter().copied().chain(held.scopes.iter().map(|scope| scope.on.as_str())).collect();
    let types = types.as_slice();
    let on = route.resource_type.as_deref().unwrap_or("*");
    let has = |letters: &str, on: &str, way| {
        letters.chars().all(|letter| held.has(letter, on, &named, way))
    };
    let listed: Vec<&str> = params
        .iter()
        .flat_map(|param| if let Param::Types(types) = param { types.clone() } else { Vec::new() })
        .collect();
    let is_read = matches!(method, "GET" | "HEAD");
    let (letters, granted) = match (route.kind, route.operation.as_deref()) {
        ("capabilities" | "job-cancel", _) => return true,
        ("batch" | "job-status", _) => return !held.scopes.is_empty(),
        ("operation", Some("export")) => {
            let listed = if is_read { listed } else { Vec::new() };
            return export(route, &listed, params, types, &|on| has("rs", on, Way::Exported));
        }
        ("operation", Some("everything")) => {
            let listed = if is_read { listed } else { Vec::new() };
            let each = if listed.is_empty() { vec!["*"] } else { listed };
            ("rs", each.iter().all(|on| has("rs", on, Way::Direct)))
        }
        ("operation", _) => return false,
        ("search-system", _) if method == "POST" => {
            // The body is judged when it has been read: until then one type is enough.
            let candidates = if listed.is_empty() { [&["*"], types].concat() } else { listed };
            ("s", candidates.iter().any(|on| has("s", on, Way::Direct)))
        }
        ("search-system" | "history-system", _) => {
            let each = if listed.is_empty() { vec!["*"] } else { listed };
            ("s", each.iter().all(|on| has("s", on, Way::Direct)))
        }
        ("search-compartment", _) if route.searched.is_none() && method == "POST" => {
            let mut candidates = [&["*"], types].concat().into_iter();
            ("s", candidates.any(|on| has("s", on, Way::Direct)))
        }
        ("search-compartment", _) => {
            ("s", has("s", route.searched.as_deref().unwrap_or("*"), Way::Direct))
        }
        (kind, _) => {
            let letters = letters(kind);
            (letters, has(letters, on, Way::Direct))
        }
    };
    let filters = matches!(
        route.kind,
        "search-type" | "search-system" | "history-type" | "history-system" | "operation"
    ) || (route.kind == "search-compartment" && route.searched.is_some());
    let reached = params.iter().all(|param| match param {
        Param::Reaches(_, other) => has("s", other, Way::Linked),
        // Where it is no filter of what is searched, it searches.
        Param::Types(types) => filters || types.iter().all(|on| has("s", on, Way::Direct)),
        Param::Anywhere(_) => {
            ["r", "s", letters].iter().all(|letters| has(letters, "*", Way::Linked))
        }
        Param::Plain(_) | Param::Patient(_) => true,
    });
    granted && reached
}

fn letters(kind: &str) -> &'static str {
    match kind {
        "read" | "vread" | "history-instance" => "r",
        "create" => "c",
        "create-conditional" => "cs",
        "update" | "patch" => "u",
        "update-conditional" | "patch-conditional" => "us",
        "delete" | "delete-history" => "d",
        "delete-conditional" => "ds",
        "search-type" | "history-type" => "s",
        other => panic!("the model has no letters for {other}"),
    }
}

fn export(
    route: &Route,
    listed: &[&str],
    params: &[Param],
    types: &[&str],
    holds: &dyn Fn(&str) -> bool,
) -> bool {
    let mut candidates = [&["*"], types].concat().into_iter();
    let has_one = !listed.is_empty() || candidates.any(holds);
    // Nobody looks at what comes along in a file.
    let reached = params.iter().flat_map(|param| match param {
        Param::Reaches(_, other) => vec![*other],
        Param::Anywhere(_) => vec!["*"],
        Param::Plain("_include=Observation:subject") => {
            vec!["Device", "Group", "Location", "Patient"]
        }
        Param::Plain("_revinclude=Provenance:target") => vec!["Provenance"],
        // A chain that names no type.
        Param::Plain("subject.name=x") => vec!["*"],
        Param::Plain(_) | Param::Types(_) | Param::Patient(_) => Vec::new(),
    });
    let of_start: &[&str] = match route.resource_type.as_deref() {
        Some("Patient") => &["Patient"],
        Some("Group") => &["Group", "Patient"],
        _ => &[],
    };
    has_one && listed.iter().chain(of_start).copied().chain(reached).all(holds)
}

/// The patients that an address names.
fn named(route: &Route, params: &[Param]) -> BTreeSet<String> {
    let own =
        (route.resource_type.as_deref() == Some("Patient")).then(|| route.id.clone()).flatten();
    let others = params.iter().filter_map(|param| match param {
        Param::Patient(id) => Some(id.trim_start_matches("Patient/").to_owned()),
        _ => None,
    });
    own.into_iter().chain(others).collect()
}

/// What a patient may create at all, of the types that are asked about here.
fn is_created_by_patients(on: &str) -> bool {
    let never = [
        "Patient",
        "Provenance",
        "AuditEvent",
        "Group",
        "Person",
        "ValueSet",
        "SearchParameter",
        "Foo",
    ];
    !never.contains(&on) && !SHARED.contains(&on)
}

/// `category` of R4, for the types that are asked about here, and what every type has.
fn is_search_parameter(on: &str, name: &str) -> bool {
    match name {
        "_id" | "_tag" | "_lastUpdated" | "_profile" | "_security" | "_source" => true,
        "category" => matches!(
            on,
            "Observation" | "Condition" | "MedicationRequest" | "CarePlan" | "HealthcareService"
        ),
        _ => false,
    }
}

fn patient_id(text: &str) -> Option<String> {
    if is_id(text) {
        return Some(text.to_owned());
    }
    instance(text).filter(|(name, _)| name == "Patient").map(|(_, id)| id)
}

/// `Type/id`, relative or below the base.
fn instance(text: &str) -> Option<(String, String)> {
    let split = |text: &str| {
        let (name, id) = text.split_once('/')?;
        let is_name = !name.is_empty() && name.chars().all(|one| one.is_ascii_alphabetic());
        (is_name && is_id(id)).then(|| (name.to_owned(), id.to_owned()))
    };
    split(text).or_else(|| split(below_base(text)?.strip_prefix('/')?))
}
