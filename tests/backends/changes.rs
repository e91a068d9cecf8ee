//! Changes by confined tokens: of one's own, of others', and from one to the other.

use std::collections::HashMap;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::callers::Caller;
use crate::data::{Data, PATIENTS, Version};
use crate::marks::marks_in;
use crate::requests::Request;

/// The first number of marks that changes write.
const FIRST_MARK: u64 = 1_000_000;

/// Makes changes, one at a time.
pub(crate) struct Changes<'a> {
    pub(crate) rng: &'a mut Rng,
    pub(crate) data: &'a Data,
    pub(crate) caller: &'a Caller,
    /// The number of the request, of which its marks are made.
    pub(crate) number: u64,
}

impl Changes<'_> {
    pub(crate) fn request(&mut self) -> Request {
        let mut request = match self.rng.u8(..20) {
            0..5 => self.update(),
            5..9 => self.create(),
            9..13 => self.patch(),
            13..15 => self.delete(),
            15..17 => self.conditional(),
            _ => self.bundle(),
        };
        let more = [
            ("prefer", "return=representation"),
            ("prefer", "return=minimal"),
            ("if-match", "W/\"1\""),
            ("if-match", "W/\"77\""),
            ("if-none-match", "*"),
            ("prefer", "return=OperationOutcome"),
        ];
        if self.rng.u8(..4) == 0 {
            let (name, value) = more[self.rng.usize(..more.len())];
            request.headers.push((name, value.to_owned()));
        }
        request
    }

    fn made(
        kind: &'static str,
        method: &'static str,
        path: String,
        body: Option<&Value>,
    ) -> Request {
        let media_type =
            if method == "PATCH" { "application/json-patch+json" } else { "application/fhir+json" };
        let headers = vec![("content-type", media_type.to_owned())];
        Request { kind, caller: 0, method, path, headers, body: body.map(Value::to_string) }
    }

    /// A resource as it is, of the caller's own more often than not.
    fn one(&mut self) -> &Version {
        let own = self.caller.patient.filter(|_| self.rng.u8(..5) > 0);
        let is_own = |one: &&Version| own.is_none_or(|own| one.members.contains(&own));
        let wanted: Vec<&Version> = self.data.current().filter(is_own).collect();
        wanted[self.rng.usize(..wanted.len())]
    }

    /// Another version of a resource, with marks of its own; at times about somebody else.
    fn changed(&mut self) -> (String, String, Value) {
        let one = self.one();
        let (of, id, before) =
            (one.resource_type.clone(), one.id.clone(), one.resource.to_string());
        let mut text = before.clone();
        for (place, mark) in marks_in(&before).enumerate().take(100) {
            let place = u64::try_from(place).unwrap();
            text = text.replace(mark, &format!("mark{}.", FIRST_MARK + self.number * 100 + place));
        }
        if self.rng.u8(..5) == 0 {
            let (from, to) = (self.rng.usize(..PATIENTS), self.rng.usize(..PATIENTS));
            text = text.replace(&format!("\"Patient/p{from}\""), &format!("\"Patient/p{to}\""));
        }
        (of, id, serde_json::from_str(&text).unwrap())
    }

    fn update(&mut self) -> Request {
        let (of, id, resource) = self.changed();
        let path = match self.rng.u8(..8) {
            0 => format!("/{of}/x{}", self.number),
            _ => format!("/{of}/{id}"),
        };
        let mut resource = resource;
        if self.rng.u8(..10) > 0 {
            resource["id"] = json!(path.rsplit('/').next());
        }
        Self::made("update", "PUT", path, Some(&resource))
    }

    fn create(&mut self) -> Request {
        let (of, _, mut resource) = self.changed();
        resource.as_object_mut().unwrap().remove("id");
        let mut request = Self::made("create", "POST", format!("/{of}"), Some(&resource));
        if self.rng.u8(..5) == 0 {
            let condition = self.condition(&of);
            request.headers.push(("if-none-exist", condition));
        }
        request
    }

    fn patch(&mut self) -> Request {
        let one = self.one();
        let (of, id) = (one.resource_type.clone(), one.id.clone());
        let mark = format!("mark{}.", FIRST_MARK + self.number * 100);
        let other = format!("Patient/p{}", self.rng.usize(..PATIENTS));
        let patches = [
            json!([{"op": "add", "path": "/extension/0/valueString", "value": mark}]),
            json!([{"op": "replace", "path": "/text/div", "value": format!("<div>{mark}</div>")}]),
            json!([{"op": "replace", "path": "/subject/reference", "value": other}]),
            json!([{"op": "test", "path": "/id", "value": id}, {"op": "add", "path": "/language", "value": "en"}]),
            json!([{"op": "remove", "path": "/subject"}]),
            json!([{"op": "remove", "path": "/nothing"}]),
            json!([{"op": "replace", "path": "/id", "value": "other"}]),
        ];
        let patch = &patches[self.rng.usize(..patches.len())];
        Self::made("patch", "PATCH", format!("/{of}/{id}"), Some(patch))
    }

    /// Of a patient who is gone the example takes nothing more, which is its own rule: they stay.
    fn delete(&mut self) -> Request {
        loop {
            let one = self.one();
            if one.resource_type != "Patient" {
                let path = format!("/{}/{}", one.resource_type, one.id);
                return Self::made("delete", "DELETE", path, None);
            }
        }
    }

    fn condition(&mut self, of: &str) -> String {
        let ids: Vec<&Version> =
            self.data.current().filter(|one| one.resource_type == of).collect();
        let id = &ids[self.rng.usize(..ids.len())].id;
        ["_id=none".to_owned(), format!("_id={id}"), format!("_id={id},none")][self.rng.usize(..3)]
            .clone()
    }

    fn conditional(&mut self) -> Request {
        let (of, id, mut resource) = self.changed();
        let condition = if self.rng.bool() { format!("_id={id}") } else { self.condition(&of) };
        if self.rng.bool() {
            resource.as_object_mut().unwrap().remove("id");
        }
        match self.rng.u8(..3) {
            0 if of != "Patient" => {
                Self::made("conditional delete", "DELETE", format!("/{of}?{condition}"), None)
            }
            _ => Self::made(
                "conditional update",
                "PUT",
                format!("/{of}?{condition}"),
                Some(&resource),
            ),
        }
    }

    fn bundle(&mut self) -> Request {
        let mut entries = Vec::new();
        for place in 0..self.rng.u64(1..5) {
            let entry = self.entry(place);
            entries.push(entry);
        }
        let (kind, is_transaction) =
            if self.rng.bool() { ("batch", false) } else { ("transaction", true) };
        let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": entries});
        Self::made(
            if is_transaction { "transaction" } else { "batch" },
            "POST",
            String::new(),
            Some(&bundle),
        )
    }

    fn entry(&mut self, place: u64) -> Value {
        let one = self.one();
        let (of, name) = (one.resource_type.clone(), format!("{}/{}", one.resource_type, one.id));
        let request = |method: &str, url: String| json!({"method": method, "url": url});
        match self.rng.u8(..6) {
            0 => {
                let (of, id, resource) = self.changed();
                json!({"resource": resource, "request": request("PUT", format!("{of}/{id}"))})
            }
            1 => {
                let (of, _, mut resource) = self.changed();
                resource.as_object_mut().unwrap().remove("id");
                let full_url =
                    format!("urn:uuid:00000000-0000-4000-8000-{:012}", self.number * 10 + place);
                json!({"fullUrl": full_url, "resource": resource, "request": request("POST", of)})
            }
            2 if of != "Patient" => json!({"request": request("DELETE", name)}),
            // Whole: a page may be short where something is hidden, and nobody follows its links here.
            3 => json!({"request": request("GET", format!("{of}?_count=1000"))}),
            4 => json!({"request": request("GET", format!("{name}/_history"))}),
            _ => json!({"request": request("GET", name)}),
        }
    }
}

/// What changes have written: the patients whose it may be, by marks.
#[derive(Debug, Default)]
pub(crate) struct Written(HashMap<String, Vec<usize>>);

impl Written {
    /// Notes what a request may write.
    pub(crate) fn note(&mut self, data: &Data, request: &Request) {
        let body = request.body.as_deref().unwrap_or_default();
        let segments: Vec<&str> = request.path.split('/').collect();
        let changed = match segments.as_slice() {
            ["", of, id] => data.named(of, id).last(),
            _ => None,
        };
        let mut patients = changed.map(|one| one.members.clone()).unwrap_or_default();
        patients.extend((0..PATIENTS).filter(|patient| {
            body.contains(&format!("Patient/p{patient}\""))
                || body.contains(&format!("\"id\":\"p{patient}\""))
                || request.path.contains(&format!("_id=p{patient}"))
        }));
        for mark in marks_in(body) {
            self.0.insert(mark.to_owned(), patients.clone());
        }
    }

    /// Reports whether somebody may see what a mark was written in: anybody who is not confined to a patient may.
    pub(crate) fn may_be_seen(&self, mark: &str, caller: &Caller) -> bool {
        let patients = self.0.get(mark);
        patients
            .is_some_and(|patients| caller.only_patient().is_none_or(|one| patients.contains(&one)))
    }
}
