//! Request of a token that confines → what the upstream server is asked.
//!
//! The first line is the number of a token, a method and an address, the further ones are headers up to an empty line,
//! and the rest is the body. Whatever is asked, the upstream server gets addresses below the base in one spelling, none
//! of a page or an export, plain parameters alone, no header that would make another request of it, searches narrowed
//! where one parameter says who belongs to the patient; and no change of what is another's, or without the version that
//! was judged.

#![no_main]

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tower_fhir_auth_fuzz::access::is_type;
use tower_fhir_auth_fuzz::confined::{Asked, Confined, Reply, TOKENS, send};
use tower_fhir_auth_fuzz::model::asking::fault_of_address;
use tower_fhir_auth_fuzz::model::compartment::is_about;
use tower_fhir_auth_fuzz::model::route::is_public;

fuzz_target!(|data: &str| {
    let (head, body) = data.split_once("\n\n").unwrap_or((data, ""));
    let mut lines = head.split('\n');
    let mut first = lines.next().unwrap_or_default().splitn(3, ' ');
    let (Some(number), Some(method), Some(below)) = (first.next(), first.next(), first.next())
    else {
        return;
    };
    let Some(token) = number.parse().ok().and_then(|number: usize| TOKENS.get(number)) else {
        return;
    };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let request = Request::builder().method(method).uri(format!("/r4{below}"));
    let Ok(mut request) = request.body(Full::from(Bytes::copy_from_slice(body.as_bytes()))) else {
        return;
    };
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>())
        else {
            return;
        };
        request.headers_mut().append(name, value);
    }
    let bearer = format!("Bearer {}", &*token.token).parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let got = send(request, |_, asked| answer(asked));
    got.asked.iter().for_each(|asked| check(token, asked));
});

/// A server with an Observation and an Encounter of each of two patients.
fn answer(asked: &Asked) -> Reply {
    let resource = |name: &str, id: &str| {
        let patient = if id == "2" { "2" } else { "1" };
        json!({"resourceType": name, "id": id, "status": "final",
            "subject": {"reference": format!("Patient/{patient}")}})
    };
    let below: Vec<&str> = asked.path.trim_start_matches("/r4").split('/').skip(1).collect();
    let told = match (asked.method.as_str(), below.as_slice()) {
        ("GET", ["metadata"]) => {
            let types = ["Observation", "Encounter", "Patient"];
            let types = types.map(|name| json!({"type": name, "versioning": "versioned-update"}));
            json!({"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "resource": types}]})
        }
        ("GET", [name, id]) if !id.starts_with(['$', '_']) => resource(name, id),
        ("GET", _) | ("POST", [.., "_search"]) => {
            let name = below.first().copied().filter(|name| is_type(name)).unwrap_or("Observation");
            let entries = ["1", "2"].map(|id| json!({"resource": resource(name, id)}));
            json!({"resourceType": "Bundle", "type": "searchset", "entry": entries})
        }
        ("POST", [] | [""]) => json!({"resourceType": "Bundle", "type": "transaction-response"}),
        ("POST", [name]) => return (201, resource(name, "new").to_string()),
        (_, [name, id]) => resource(name, id),
        _ => Value::Null,
    };
    (200, told.to_string())
}

fn check(token: &Confined, asked: &Asked) {
    // A public path is for everybody, whatever is done to it.
    if is_public(&asked.path) {
        return;
    }
    let has_form = asked.path.ends_with("/_search");
    let search = if has_form { &asked.body } else { &asked.query };
    let fault_of_form = || fault_of_address("GET", "/r4/Patient", search, is_type);
    if let Some(fault) = fault_of_address(&asked.method, &asked.path, &asked.query, is_type)
        .or_else(|| has_form.then(fault_of_form).flatten())
    {
        panic!("{fault}: {asked:?}");
    }
    for name in asked.headers.keys() {
        let plain = name.as_str().replace('_', "-");
        let is_override = ["x-original-", "x-rewrite-", "x-http-method", "x-method-override"]
            .iter()
            .any(|start| plain.starts_with(start));
        let of_answer = ["range", "if-range", "if-modified-since", "if-unmodified-since"];
        assert!(!is_override && !of_answer.contains(&&*plain), "{name}: {asked:?}");
        assert_ne!(plain, "x-provenance", "{asked:?}");
    }
    let is_plain = asked.headers.get("accept-encoding").is_none_or(|value| value == "identity");
    assert!(is_plain, "{asked:?}");
    if asked.method == "GET" || asked.path.ends_with("/_search") {
        check_search(token, asked, search);
    } else {
        check_change(token, asked);
    }
}

/// A search of Encounters is of those of patient 1, and one under a constraint of what is final.
fn check_search(token: &Confined, asked: &Asked, search: &str) {
    let searched = asked.path.strip_suffix("/_search").unwrap_or(&asked.path);
    let pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(search.as_bytes()).into_owned().collect();
    let has =
        |name: &str, value: &str| pairs.iter().any(|(one, held)| one == name && held == value);
    if searched == "/r4/Encounter" && token.to_patient {
        assert!(has("patient", "Patient/1"), "{asked:?}");
    }
    if searched == "/r4/Observation" && token.to_final {
        assert!(has("status", "final"), "{asked:?}");
    }
}

fn check_change(token: &Confined, asked: &Asked) {
    assert!(token.scope.contains('c'), "{asked:?}");
    let is_bundle = asked.path == "/r4" || asked.path == "/r4/";
    if is_bundle {
        let sent: Value = serde_json::from_str(&asked.body).expect("a bundle is JSON");
        for entry in sent["entry"].as_array().into_iter().flatten() {
            let request = &entry["request"];
            let method = request["method"].as_str().unwrap_or_default();
            check_one(method, request["ifMatch"].as_str(), entry.get("resource"), asked);
        }
        return;
    }
    let if_match = asked.headers.get("if-match").and_then(|value| value.to_str().ok());
    let resource: Option<Value> = serde_json::from_str(&asked.body).ok();
    check_one(&asked.method, if_match, resource.as_ref(), asked);
}

fn check_one(method: &str, if_match: Option<&str>, resource: Option<&Value>, asked: &Asked) {
    assert!(["POST", "PUT", "DELETE"].contains(&method), "a patch is applied here: {asked:?}");
    assert_eq!(resource.is_some(), method != "DELETE", "{asked:?}");
    if let Some(resource) = resource {
        assert_ne!(is_about(resource, "1"), Some(false), "{asked:?}");
    }
    // Of what was read: the upstream server says 1.
    assert!(method == "POST" || if_match == Some("W/\"1\""), "{asked:?}");
}
