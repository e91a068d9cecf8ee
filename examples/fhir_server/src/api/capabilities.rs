//! `metadata`: what this server can do.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use tower_fhir_auth::fhir::search::SearchParameter;
use tower_fhir_auth::fhir::{Format, ResourceTypes};

use super::App;
use crate::store::is_followed;

/// The address of the definitions of Bulk Data Access.
const BULK_DATA: &str = "http://hl7.org/fhir/uv/bulkdata";

const INTERACTIONS: [&str; 9] = [
    "read",
    "vread",
    "create",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "search-type",
];

pub(crate) async fn statement(State(app): State<Arc<App>>) -> impl IntoResponse {
    let base = app.base.as_str().trim_end_matches('/');
    let mut statement = json!({
        "resourceType": "CapabilityStatement", "status": "active", "date": "2026-11-21",
        "kind": "instance", "fhirVersion": "4.0.1", "format": ["json"],
        "instantiates": [format!("{BULK_DATA}/CapabilityStatement/bulk-data")],
        "patchFormat": ["application/json-patch+json"],
        "implementation": {"description": "example of tower-fhir-auth", "url": base},
        "rest": [{
            "mode": "server",
            "interaction": codes(&["transaction", "batch", "history-system", "search-system"]),
            "operation": [export("export")],
            "resource": app.resources,
        }],
    });
    if let Some(auth) = &app.auth {
        // Services and endpoints are known to the layer.
        let mut security = auth.capability_security();
        security["description"] = format!(
            "OAuth 2.0 bearer tokens (SMART App Launch). See \
             {base}/.well-known/smart-configuration and {}",
            app.base.resource_metadata()
        )
        .into();
        statement["rest"][0]["security"] = security;
    }
    let headers = [(CONTENT_TYPE, Format::Json.media_type()), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, statement.to_string())
}

/// The capabilities of this server for each type. They stay the same, and take longer to write than the rest.
pub(crate) fn resources(is_protected: bool) -> Value {
    ResourceTypes::r4().names().map(|name| resource(name, is_protected)).collect()
}

fn codes(codes: &[&str]) -> Vec<Value> {
    codes.iter().map(|code| json!({ "code": code })).collect()
}

fn resource(name: &str, is_protected: bool) -> Value {
    // `If-Match` is honoured in any case, and never required. A gateway before the store looks for the word.
    let versioning = if is_protected { "versioned" } else { "versioned-update" };
    // All that can be evaluated is supported.
    let parameters = SearchParameter::of_type(name).filter(SearchParameter::is_evaluable);
    let parameters = parameters.map(|one| json!({"name": one.name(), "type": one.type_code()}));
    let references = SearchParameter::of_type(name).filter(is_followed);
    let references: Vec<String> = references.map(|one| format!("{name}:{}", one.name())).collect();
    let mut resource = json!({
        "type": name, "interaction": codes(&INTERACTIONS), "versioning": versioning,
        "readHistory": true, "updateCreate": true, "conditionalCreate": true,
        "conditionalRead": "full-support", "conditionalUpdate": true, "conditionalDelete": "single",
        "searchInclude": references, "searchRevInclude": referring(name),
        "searchParam": parameters.collect::<Vec<_>>(),
    });
    let everything = "http://hl7.org/fhir/OperationDefinition/Patient-everything";
    match name {
        "Patient" => {
            let operations = [operation("everything", everything), export("patient-export")];
            resource["operation"] = operations.to_vec().into();
        }
        "Group" => resource["operation"] = vec![export("group-export")].into(),
        _ => {}
    }
    resource
}

/// `$export`, which has a definition for each level.
fn export(definition: &str) -> Value {
    operation("export", &format!("{BULK_DATA}/OperationDefinition/{definition}"))
}

/// The resources that can be asked to come along with a result that they refer to: by the parameters that clients
/// ask for. The store follows any other as well.
fn referring(name: &str) -> Vec<String> {
    let by: &[&str] = match name {
        "Patient" => &["patient", "subject", "performer"],
        "Practitioner" | "Organization" => &["performer", "requester"],
        "Encounter" => &["encounter"],
        "Medication" => &["medication"],
        _ => &[],
    };
    let types = ResourceTypes::r4();
    let sources = types.names().flat_map(|of| by.iter().map(move |parameter| (of, *parameter)));
    let known = sources.filter(|(of, parameter)| {
        SearchParameter::find(of, parameter).as_ref().is_some_and(is_followed)
    });
    let known = known.map(|(of, parameter)| format!("{of}:{parameter}"));
    std::iter::once("Provenance:target".to_owned()).chain(known).collect()
}

fn operation(name: &str, definition: &str) -> Value {
    json!({"name": name, "definition": definition})
}
