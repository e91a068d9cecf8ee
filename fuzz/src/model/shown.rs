//! What a token that confines may be shown.

use serde_json::Value;

use super::compartment::{Named, is_seen, reference, references};

/// Reports whether a resource may be shown to a token of patient 1, or of what is final, or both. Of types that
/// the model of the compartment does not know this is what must hold at least.
pub fn may_be_shown(resource: &Value, to_patient: bool, to_final: bool, types: &[&str]) -> bool {
    let name = resource["resourceType"].as_str().unwrap_or_default();
    let is_granted = !name.is_empty() && (types.is_empty() || types.contains(&name));
    let is_final = !to_final || resource["status"] == "final";
    let is_own = || match is_seen(resource, "1") {
        Some(is_seen) => is_seen,
        None => {
            let mut named = Vec::new();
            references(resource, &mut named);
            // A Provenance is seen by its targets, which are not here.
            name == "Provenance" || named.iter().any(|text| text.contains("Patient/1"))
        }
    };
    is_granted && is_final && (!to_patient || is_own())
}

/// Reports whether a Binary is seen through its security context: one of the resources that the upstream server sent,
/// which may be shown itself.
pub fn is_binary_of_what_is_shown(
    resource: &Value,
    answers: &[String],
    may_show: &dyn Fn(&Value) -> bool,
) -> bool {
    let context = &resource["securityContext"];
    let Some(Named::Here(name, id)) = reference(context) else { return false };
    let is_it = |sent: &Value| sent["resourceType"] == name.as_str() && sent["id"] == id.as_str();
    resource["resourceType"] == "Binary"
        && answers
            .iter()
            .filter_map(|answer| serde_json::from_str(answer.get(answer.find('{')?..)?).ok())
            .any(|answer: Value| any_within(&answer, &|sent| is_it(sent) && may_show(sent)))
}

fn any_within(value: &Value, is_it: &dyn Fn(&Value) -> bool) -> bool {
    is_it(value)
        || match value {
            Value::Array(items) => items.iter().any(|item| any_within(item, is_it)),
            Value::Object(members) => members.values().any(|item| any_within(item, is_it)),
            _ => false,
        }
}

/// Says what in a bundle is none of this layer: members that it does not write, and links to elsewhere.
pub fn fault_of_bundle(bundle: &Value, base: &str) -> Option<String> {
    let members = |value: &Value, known: &[&str]| {
        let all = value.as_object().into_iter().flat_map(|members| members.keys());
        all.clone().find(|name| !known.contains(&name.as_str())).cloned()
    };
    if let Some(name) = members(bundle, &["resourceType", "type", "total", "link", "entry"]) {
        return Some(format!("a member `{name}` of the bundle"));
    }
    for link in bundle["link"].as_array().into_iter().flatten() {
        let (relation, url) = (&link["relation"], link["url"].as_str().unwrap_or_default());
        let below = url.strip_prefix(base).unwrap_or("elsewhere");
        let is_known = match relation.as_str() {
            Some("self") => below.is_empty() || below.starts_with(['/', '?']),
            Some("next") => below.strip_prefix("/_pages/").is_some_and(|sealed| {
                sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            }),
            _ => false,
        };
        if !is_known {
            return Some(format!("the link {link}"));
        }
    }
    for entry in bundle["entry"].as_array().into_iter().flatten() {
        let known = ["fullUrl", "resource", "search", "request", "response"];
        let unknown = members(entry, &known)
            .or_else(|| members(&entry["search"], &["mode"]))
            .or_else(|| members(&entry["request"], &["method", "url"]))
            .or_else(|| members(&entry["response"], &["status", "etag", "lastModified"]));
        if let Some(name) = unknown {
            return Some(format!("a member `{name}` of an entry"));
        }
    }
    None
}
