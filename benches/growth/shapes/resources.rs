//! Resources that handlers hand over: what somebody stored, and what somebody would store.

use std::hint::black_box;

use serde_json::{Value, json};
use tower_fhir_auth::Access;
use tower_fhir_auth::authorization::{BorrowedResource, ConstraintMatcher};
use tower_fhir_auth::fhir::ResourceReference;
use tower_fhir_auth::jose::Algorithm;

use super::{Named, Reading, access, filled, listed, request};
use crate::world::{self, Key};

pub(super) const SHAPES: &[Named] = &[
    ("shown: references of one element", |n| {
        shown("CareTeam", json!({"participant": references(n, "member")}))
    }),
    ("shown: contained resources", |n| {
        shown("Observation", json!({"subject": {"reference": "#a"}, "contained": contained(n)}))
    }),
    ("shown: extensions", |n| {
        let extensions = listed(n, |m| format!("https://x/{m}")).into_iter();
        let extensions: Vec<Value> = extensions.map(|url| json!({"url": url})).collect();
        shown("Observation", json!({"extension": extensions}))
    }),
    ("shown: a deep resource", |n| {
        let nested = (0..(n / 8).min(100)).fold(json!("x"), |inner, _| json!({"a": [inner]}));
        shown("Observation", json!({"subject": nested, "note": "x".repeat(n)}))
    }),
    ("shown: lists in lists of references", |n| {
        let lists: Vec<Value> = listed(n, |m| format!("Patient/{m}"))
            .into_iter()
            .map(|reference| json!([[{"reference": reference}]]))
            .collect();
        shown("Appointment", json!({"participant": lists}))
    }),
    ("shown: a long reference", |n| {
        let reference = format!("https://elsewhere.example.org/{}", "a/".repeat(n / 2));
        shown("Observation", json!({"subject": {"reference": reference}}))
    }),
    ("shown: the targets of a Provenance", |n| {
        shown("Provenance", json!({"target": references(n, "reference")}))
    }),
    ("shown: a resource as text, and scopes", |n| {
        let text = text(n / 2);
        let access = granted("GET", "/Flag/1", n / 2);
        Reading::of(move || {
            let resource = BorrowedResource::parse(&text).expect("a resource");
            let _ = black_box(access.may_show(&resource));
        })
    }),
    ("shown: a resource, and scopes", |n| {
        let resource: Value = text(n / 2).parse().expect("JSON");
        let access = granted("GET", "/Flag/1", n / 2);
        Reading::of(move || {
            let _ = black_box(access.may_show(&resource));
        })
    }),
    ("shown: resource by resource, and scopes", |n| {
        let access = granted("GET", "/Flag", n);
        let resources: Vec<Value> = (0..n / 50).map(|_| text(50).parse().expect("JSON")).collect();
        Reading::of(move || {
            for resource in &resources {
                let _ = black_box(access.may_show(resource));
            }
        })
    }),
    ("shown: Provenances of Provenances", |n| {
        let access = granted("GET", "/Provenance/0", 500);
        let many = n / 100;
        let of = |first: usize| {
            let targets =
                (0..many).map(|m| json!({"reference": format!("Provenance/{}", first + m)}));
            json!({"resourceType": "Provenance", "id": "x", "target": targets.collect::<Vec<_>>()})
        };
        let all: Vec<Value> = (0..66).map(|id| of(id * many)).collect();
        Reading::of(move || {
            let filter = access.shown("Provenance");
            let look_up = |target: &ResourceReference| all.get(target.id.parse::<usize>().ok()?);
            black_box(filter.shows_with(&all[0], look_up));
        })
    }),
    ("stored: links of a Patient", |n| {
        let links = references(n, "other");
        let (before, after) = (patient(&links, "a"), patient(&links, "b"));
        stored("/Patient/1", &before, &after)
    }),
    ("stored: a resource as text, and scopes", |n| {
        let (before, after) = (text(n / 3), text(n / 3));
        let access = granted("PUT", "/Flag/1", n / 3);
        Reading::of(move || {
            let before = BorrowedResource::parse(&before).expect("a resource");
            let after = BorrowedResource::parse(&after).expect("a resource");
            let _ = black_box(access.may_store(Some(&before), Some(&after)));
        })
    }),
    ("stored: references of one element", |n| {
        let team = json!({
            "resourceType": "CareTeam", "id": "1", "subject": {"reference": "Patient/1"},
            "participant": references(n, "member"),
        });
        stored("/CareTeam/1", &team, &team)
    }),
];

fn references(room: usize, member: &str) -> Vec<Value> {
    let one = |reference| json!({member: {"reference": reference}, "reference": reference});
    listed(room, |n| format!("Device/{n:06}")).into_iter().map(one).collect()
}

fn contained(room: usize) -> Vec<Value> {
    let one = |id| json!({"resourceType": "Patient", "id": id});
    listed(room, |n| format!("p{n}")).into_iter().map(one).collect()
}

fn patient(links: &[Value], name: &str) -> Value {
    json!({"resourceType": "Patient", "id": "1", "link": links, "name": [{"text": name}]})
}

/// A Flag of which a part has this size.
fn text(room: usize) -> String {
    let codes: Vec<Value> =
        listed(room, |n| format!("c{n}")).into_iter().map(Value::from).collect();
    let subject = json!({"reference": "Patient/2"});
    json!({"resourceType": "Flag", "id": "1", "subject": subject, "x": codes}).to_string()
}

/// Whether a resource with these members may be shown to a patient.
fn shown(resource_type: &str, mut resource: Value) -> Reading {
    resource["resourceType"] = resource_type.into();
    resource["id"] = "1".into();
    let access = granted("GET", &format!("/{resource_type}/1"), 0);
    Reading::of(move || {
        let _ = black_box(access.may_show(&resource));
    })
}

fn stored(path: &str, before: &Value, after: &Value) -> Reading {
    let access = granted("PUT", path, 0);
    let (before, after) = (before.clone(), after.clone());
    Reading::of(move || {
        let _ = black_box(access.may_store(Some(&before), Some(&after)));
    })
}

/// What a token of a patient is granted, with so many bytes of scopes under constraints.
fn granted(method: &str, path: &str, scopes: usize) -> Access {
    let key = Key::new(Algorithm::EdDsa);
    let scopes = match scopes {
        0 => "patient/*.cruds".to_owned(),
        room => {
            filled(room, " ", |n| format!("user/Flag.cruds?_id={n}")) + " patient/Provenance.rs"
        }
    };
    let token = key.token().without("roles").claim("patient", "1").claim("scp", scopes);
    let layer = world::layer(key.set()).constraint_matcher(Never).build().expect("a layer");
    access(&layer, request(method, path, &token.sign().expect("a token")))
}

/// Knows every parameter, and finds nothing.
#[derive(Debug)]
struct Never;

impl ConstraintMatcher for Never {
    fn supports(&self, _: &str, _: &str) -> bool {
        true
    }

    fn matches(&self, resource: &Value, _: &str, value: &str) -> bool {
        resource["identifier"] == value
    }
}
