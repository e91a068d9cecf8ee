//! Role definitions: their names, their files, and those that come with the crate.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::config::Config;
use tower_fhir_auth::test_util::TestIssuer;
use tower_fhir_auth::{Enforcement, FhirAuthLayer, RoleDefinitions, RolePolicy};

use crate::operator_log::OperatorLog;
use crate::support::{BASE, send};

fn role(name: &str, actions: &[&str]) -> Value {
    json!({"name": name, "dataActions": actions, "notDataActions": [], "scopes": ["/"]})
}

fn config(definitions: &str, issuer: &str) -> Result<Config, String> {
    let file = json!({
        "base_url": BASE, "access": "roles", "issuers": [{"issuer": issuer}],
        "roles": {"definitions": definitions},
    });
    serde_json::from_value(file).map_err(|error| error.to_string())
}

fn layer(definitions: &str, issuer: &str) -> FhirAuthLayer {
    let config = config(definitions, issuer).unwrap();
    let policy = config.policy().unwrap();
    config.layer(policy).unwrap().handlers_enforce(Enforcement::ALL).build().unwrap()
}

async fn is_granted(
    layer: &FhirAuthLayer,
    issuer: &TestIssuer,
    role: &str,
    method: &str,
    path: &str,
) -> bool {
    let token = issuer.token().claim("aud", BASE).claim("roles", json!([role])).sign().unwrap();
    let request = Request::builder().method(method).uri(format!("/r4{path}"));
    let status =
        send(layer, request.header("authorization", format!("Bearer {token}"))).await.status;
    assert!([200, 403].contains(&status.as_u16()), "{status}");
    status == 200
}

#[tokio::test]
async fn role_names_may_hold_digits_dots_and_blanks_within() {
    let names =
        ["Patient.Read.All", "FHIR Data Reader", "reader-2", "a/b:c", "r\u{f4}le", "\u{1F600}"];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roles.json");
    let roles: Vec<Value> = names.iter().map(|name| role(name, &["read"])).collect();
    std::fs::write(&path, json!({"roles": roles}).to_string()).unwrap();
    let issuer = TestIssuer::start().await.unwrap();
    let layer = layer(path.to_str().unwrap(), issuer.url());
    layer.ready().await;
    for name in names {
        assert!(is_granted(&layer, &issuer, name, "GET", "/Patient/1").await, "{name}");
        assert!(!is_granted(&layer, &issuer, name, "POST", "/Patient").await, "{name}");
        assert!(!is_granted(&layer, &issuer, &format!(" {name}"), "GET", "/Patient/1").await);
    }
    assert!(is_granted(&layer, &issuer, "patient.read.ALL", "GET", "/Patient/1").await);
}

#[tokio::test]
async fn loading_says_whether_names_are_beyond_the_schema_of_microsoft() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("roles.json");
    for (names, beyond) in [
        (&["globalReader", "a-b_C"][..], &[][..]),
        (&["globalReader", "Patient.Read.All", "r2", "x y"], &["Patient.Read.All", "r2", "x y"]),
    ] {
        let roles: Vec<Value> = names.iter().map(|name| role(name, &["read"])).collect();
        let text = json!({"roles": roles}).to_string();
        let definitions = RoleDefinitions::parse(text.as_bytes()).unwrap();
        assert_eq!(definitions.beyond_schema().collect::<Vec<_>>(), beyond);
        let mut sorted = names.to_vec();
        sorted.sort_unstable();
        assert_eq!(definitions.names().collect::<Vec<_>>(), sorted);
        std::fs::write(&path, text).unwrap();
        let log = OperatorLog::start();
        let _policy = RolePolicy::from_file(&path).unwrap();
        let told = format!("roles={} beyond_schema={}", names.len(), beyond.len());
        assert_eq!(log.lines("INFO", &told), 1, "{told}: {}", log.text());
    }
}

/// Says "expected" once, and names file and key.
#[test]
fn a_broken_file_is_told_with_one_expectation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dotted.json");
    for (content, words) in [
        (
            json!({"roles": [role(" x", &[])]}).to_string(),
            "expected a role name without white space at its ends, found ` x`",
        ),
        (json!({"roles": [role("", &[])]}).to_string(), "expected a role name"),
        (json!({"roles": [role("x", &["fly"])]}).to_string(), "expected a data action"),
        (json!({"roles": [role("x", &[]), role("X", &[])]}).to_string(), "expected each role once"),
        (json!({"roles": {}}).to_string(), "expected a sequence"),
        (json!([]).to_string(), "expected"),
        ("{".to_owned(), "expected JSON"),
    ] {
        std::fs::write(&path, &content).unwrap();
        let error = config(path.to_str().unwrap(), "https://idp.example.org").unwrap_err();
        assert!(error.contains("roles.definitions: ") && error.contains("dotted.json"), "{error}");
        assert!(error.contains(words), "{content}: {error}");
        assert_eq!(error.matches("expected").count(), 1, "{content}: {error}");
    }
}

#[test]
fn an_unknown_built_in_name_is_an_error_that_lists_the_two() {
    for name in ["builtin:", "builtin:aws", "builtin:Microsoft", "builtin:azure "] {
        let error = config(name, "https://idp.example.org").unwrap_err();
        let words = "expected `builtin:microsoft` or `builtin:azure`, found";
        assert!(error.contains(words) && error.contains(name), "{error}");
    }
    // A name without the prefix is a file; whoever meant the built-in ones is told their names.
    let error = config("microsoft", "https://idp.example.org").unwrap_err();
    assert!(error.contains("`builtin:microsoft` or `builtin:azure`"), "{error}");
    assert_eq!(error.matches("expected").count(), 1, "{error}");
}

#[tokio::test]
async fn a_file_named_like_a_built_in_set_is_written_with_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("builtin:mine");
    std::fs::write(&file, json!({"roles": [role("x", &["read"])]}).to_string()).unwrap();
    let path = folder.path().join("auth.toml");
    for (definitions, is_good) in [("builtin:mine", false), ("./builtin:mine", true)] {
        let text = format!(
            "base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"https://idp.example.org\"\n\
             [roles]\ndefinitions = \"{definitions}\"\n"
        );
        std::fs::write(&path, text).unwrap();
        assert_eq!(Config::from_file(&path).is_ok(), is_good, "{definitions}");
    }
}

/// A request for each data action that one action alone grants, and the action.
const REQUESTS: [(&str, &str, &str); 11] = [
    ("read", "GET", "/Patient/1/$everything"),
    ("write", "PUT", "/Patient/1"),
    ("delete", "DELETE", "/Patient/1"),
    ("delete hardDelete", "DELETE", "/Patient/1?_hardDelete=true"),
    ("export", "GET", "/$export"),
    ("resourceValidate", "POST", "/Patient/$validate"),
    ("reindex", "POST", "/$reindex"),
    ("convertData", "POST", "/$convert-data"),
    ("write editProfileDefinitions", "PUT", "/ValueSet/1"),
    ("import", "POST", "/$import"),
    ("bulkOperator", "PATCH", "/$bulk-update"),
];

/// Asks about each request with each role of a built-in set.
async fn grants(definitions: &str, roles: &[(&str, &str)]) {
    let issuer = TestIssuer::start().await.unwrap();
    let layer = layer(definitions, issuer.url());
    layer.ready().await;
    for (role, actions) in roles {
        let held: Vec<&str> = actions.split(' ').collect();
        for (needed, method, path) in REQUESTS {
            let expected = needed.split(' ').all(|action| held.contains(&action));
            let granted = is_granted(&layer, &issuer, role, method, path).await;
            assert_eq!(granted, expected, "{role}: {method} {path}");
        }
    }
    for other in ["nobody", "global Reader", "FHIR Data Readers"] {
        assert!(!is_granted(&layer, &issuer, other, "GET", "/Patient/1").await, "{other}");
    }
}

const ALL: &str = "read write delete hardDelete export resourceValidate reindex convertData \
                   editProfileDefinitions import searchParameter bulkOperator";

/// The roles of the `roles.json` that Microsoft's FHIR server ships.
#[tokio::test]
async fn builtin_microsoft_grants_what_its_roles_grant() {
    let writer =
        "read write delete export resourceValidate reindex convertData import bulkOperator";
    let roles = [
        ("globalReader", "read resourceValidate"),
        ("globalExporter", "read export"),
        ("globalConverter", "read convertData"),
        ("globalImporter", "read import"),
        ("globalWriter", writer),
        ("globalAdmin", ALL),
        ("smartUser", ALL),
    ];
    grants("builtin:microsoft", &roles).await;
}

/// Azure's own roles, as its documentation has them.
#[tokio::test]
async fn builtin_azure_grants_what_its_roles_grant() {
    let writer = "read write delete export resourceValidate reindex convertData \
                  editProfileDefinitions import";
    let roles = [
        ("FHIR Data Reader", "read"),
        ("FHIR Data Writer", writer),
        ("FHIR Data Contributor", ALL),
        ("FHIR Data Exporter", "read export"),
        ("FHIR Data Importer", "read import"),
        ("FHIR Data Converter", "convertData"),
        (
            "FHIR Data Bulk Operator",
            "read write delete export reindex import hardDelete bulkOperator",
        ),
        ("FHIR SMART User", "read"),
    ];
    grants("builtin:azure", &roles).await;
}

/// Names of another set are none of this one, also where an assignment gives them.
#[tokio::test]
async fn a_built_in_set_can_be_assigned_in_the_file() {
    let issuer = TestIssuer::start().await.unwrap();
    let id = "00000000-aaaa-bbbb-cccc-000000000001";
    for (definitions, granted) in [("builtin:azure", true), ("builtin:microsoft", false)] {
        let text = format!(
            "base_url = \"{BASE}\"\naccess = \"roles\"\n[[issuers]]\nissuer = \"{}\"\n\
             [roles]\ndefinitions = \"{definitions}\"\n\
             [roles.assign]\n{id} = [\"FHIR Data Reader\"]\n",
            issuer.url()
        );
        let config = Config::from_toml(&text).unwrap();
        let policy = config.policy().unwrap();
        let layer = config.layer(policy).unwrap().build().unwrap();
        layer.ready().await;
        let token = issuer.token().claim("aud", BASE).claim("oid", id).sign().unwrap();
        let request = Request::get("/r4/Patient/1");
        let reply = send(&layer, request.header("authorization", format!("Bearer {token}"))).await;
        assert_eq!(reply.status == 200, granted, "{definitions}: {}", reply.body);
    }
}
