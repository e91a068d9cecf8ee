//! Nothing of another patient leaves, and all that may be seen is there.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::callers::Caller;
use crate::changes::Written;
use crate::data::{Data, Version};
use crate::marks::marks_in;
use crate::requests::Request;
use crate::wire::Reply;

/// Types that are about the server, not about anybody.
const OF_NOBODY: [&str; 3] = ["OperationOutcome", "CapabilityStatement", "Bundle"];

/// What is known of the data, and of what changes have made of them.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    pub(crate) data: &'a Data,
    /// What changes have written, where there were any.
    pub(crate) written: Option<&'a Written>,
    /// The base of the upstream server.
    pub(crate) behind: &'a str,
}

impl Known<'_> {
    /// What an answer shows that its caller may not see.
    pub(crate) fn leaks(&self, caller: &Caller, request: &Request, reply: &Reply) -> Vec<String> {
        let (asked, said) = (decoded(&request.text()), reply.all());
        let mut leaks = Vec::new();
        for mark in marks_in(&said).filter(|mark| !asked.contains(mark)) {
            match (self.data.of_mark(mark), self.written) {
                (Some(version), _) if caller.may_see(version, "rs") => {}
                (Some(version), _) => {
                    leaks.push(format!("{mark} of {}/{}", version.resource_type, version.id));
                }
                (None, Some(written)) if written.may_be_seen(mark, caller) => {}
                (None, _) => leaks.push(format!("{mark}, which is of nobody's")),
            }
        }
        if self.written.is_none() {
            leaks.extend(self.names(caller, reply));
        }
        let host = self.behind.trim_start_matches("http://").trim_end_matches("/fhir");
        if said.contains(host) {
            leaks.push("the address of the upstream server".to_owned());
        }
        // It would prove nothing that nobody is shown anything.
        if reply.status == 401 {
            leaks.push("a caller whose token is good is not known".to_owned());
        }
        let is_kept = reply.headers.get("cache-control").is_none_or(|value| value != "no-store");
        if is_kept && !is_public(request) {
            leaks.push("an answer that may be kept".to_owned());
        }
        if request.method == "HEAD" && !reply.text.is_empty() {
            leaks.push("a body to HEAD".to_owned());
        }
        leaks
    }

    /// The resources in an answer, and those that it names, which its caller may not see.
    fn names(&self, caller: &Caller, reply: &Reply) -> Vec<String> {
        let mut hidden = Vec::new();
        for (resource, _) in reply.resources() {
            let (of, id) = name(resource);
            let version = version_of(self.data, resource);
            if !OF_NOBODY.contains(&of) && version.is_none_or(|one| !caller.may_see(one, "rs")) {
                hidden.push(format!("the resource {of}/{id}"));
            }
        }
        for entry in reply.body["entry"].as_array().into_iter().flatten() {
            let names =
                [&entry["fullUrl"], &entry["request"]["url"], &entry["response"]["location"]];
            let names = names.into_iter().filter_map(Value::as_str);
            let unseen = names.filter(|named| !is_named_visibly(self.data, caller, named));
            hidden.extend(unseen.map(|named| format!("the name {named}")));
        }
        hidden
    }
}

fn is_public(request: &Request) -> bool {
    request.path.starts_with("/metadata") || request.path.starts_with("/.well-known")
}

fn is_named_visibly(data: &Data, caller: &Caller, named: &str) -> bool {
    let segments: Vec<&str> = named.split('/').collect();
    let names = segments.windows(2).filter_map(|pair| match pair {
        [of, id] => Some((of, id)),
        _ => None,
    });
    names
        .flat_map(|(of, id)| data.named(of, id).next().map(|_| (of, id)))
        .all(|(of, id)| data.named(of, id).any(|version| caller.may_see(version, "rs")))
}

/// What the caller may see of an answer to somebody who may do everything, and was not shown.
pub(crate) fn missing(
    data: &Data,
    caller: &Caller,
    request: &Request,
    shown: &[Reply],
    all: &[Reply],
) -> Vec<String> {
    let found = |replies: &[Reply], mode: Option<&str>| -> Vec<(String, String, usize)> {
        let resources = replies
            .iter()
            .flat_map(Reply::resources)
            .map(|(one, as_what)| (one.clone(), as_what.to_owned()));
        let wanted = resources.filter(|(_, as_what)| mode.is_none_or(|mode| mode == as_what));
        let known = wanted.filter_map(|(one, _)| version_of(data, &one).cloned());
        known.map(|one| (one.resource_type, one.id, one.number)).collect()
    };
    let there: BTreeSet<_> = found(shown, None).into_iter().collect();
    // What a server shows in the compartment of a patient whose it is not is no answer, and scopes of the caller's own
    // patient do not count in that of another.
    let compartment = compartment_of(request);
    let mut caller = caller.clone();
    caller.patient = caller.patient.filter(|own| compartment.is_none_or(|other| other == *own));
    let visible = |name: &(String, String, usize)| {
        let version = data.named(&name.0, &name.1).find(|version| version.number == name.2);
        let is_of = |patient| version.is_some_and(|one| one.members.contains(&patient));
        version
            .filter(|version| caller.may_see(version, "r") && caller.may_see(version, "s"))
            .filter(|version| version.is_shared || compartment.is_none_or(is_of))
    };
    let matches = found(all, Some("match"));
    // With includes, shared resources of other types come along, whatever the server says of them.
    let searched = request.only_type().filter(|_| request.includes().next().is_some());
    let is_result =
        |one: &&Version| !one.is_shared || searched.is_none_or(|of| of == one.resource_type);
    let (matches, others): (Vec<&Version>, Vec<&Version>) =
        matches.iter().filter_map(visible).partition(|one| is_result(one));
    // What comes along comes with a match that may be seen, too.
    let along = found(all, Some("include"));
    let along = along.iter().filter_map(visible).chain(others).filter(|one| {
        matches.iter().any(|of| request.includes().any(|include| include.joins(of, one)))
    });
    let wanted: Vec<&Version> = matches.iter().copied().chain(along).collect();
    let name = |one: &&Version| (one.resource_type.clone(), one.id.clone(), one.number);
    wanted
        .iter()
        .map(name)
        .filter(|name| !there.contains(name))
        .map(|name| format!("{name:?}"))
        .collect()
}

/// The patient in whose compartment is searched.
fn compartment_of(request: &Request) -> Option<usize> {
    let rest = request.path.strip_prefix("/Patient/p").filter(|_| request.kind == "compartment")?;
    rest.split(['/', '?']).next()?.parse().ok()
}

/// The version that a resource is: by its marks, or the one that there is now.
pub(crate) fn version_of<'a>(data: &'a Data, resource: &Value) -> Option<&'a Version> {
    let (of, id) = name(resource);
    let text = resource.to_string();
    let marked = marks_in(&text).find_map(|mark| data.of_mark(mark));
    match marked {
        Some(version) => (version.resource_type == of && version.id == id).then_some(version),
        None => data.named(of, id).last(),
    }
}

fn name(resource: &Value) -> (&str, &str) {
    let text = |name: &str| resource[name].as_str().unwrap_or_default();
    (text("resourceType"), text("id"))
}

fn decoded(text: &str) -> String {
    let pairs = format!("{text} {}", text.replace("%7C", "|").replace("%3A", ":"));
    pairs.replace("%2C", ",")
}
