//! Bulk Data 2 and the multi-patient part of (g)(10): exports of a group, of all patients, and of everything.

use serde_json::Value;

use super::Stand;
use crate::support::Reply;

/// The three levels, as ids name them.
const LEVELS: [(&str, &str); 3] =
    [("group", "/Group/both/$export"), ("patient", "/Patient/$export"), ("system", "/$export")];

const SCOPES: &str = "system/*.rs";

impl Stand {
    async fn kick_off(&self, token: &str, path: &str) -> Reply {
        let headers = [("accept", "application/fhir+json"), ("prefer", "respond-async")];
        self.fhir.send(token, "GET", path, &headers, Value::Null).await
    }

    /// An address that the server has named, below its base.
    fn below(&self, url: &str) -> String {
        let path = url.strip_prefix("https://fhir.example.org/r4");
        path.unwrap_or_else(|| panic!("not absolute, or not of this server: {url}")).to_owned()
    }

    async fn manifest(&self, token: &str, path: &str) -> Value {
        let begun = self.kick_off(token, path).await;
        assert_eq!(begun.status, 202, "{path}: {}", begun.text);
        let status = self.get(token, &self.below(begun.header("content-location"))).await;
        assert_eq!(status.status, 200, "{path}: {}", status.text);
        status.body
    }
}

/// `bulk_data_{group,patient,system}_export_operation_support`, `bulk_data_group_export_stu2-Test02`.
#[tokio::test]
async fn metadata_name_the_export_of_each_level_and_the_guide() {
    let stand = Stand::start().await;
    let statement = reqwest::get(stand.fhir.server.url("/metadata")).await.unwrap();
    let statement: Value = serde_json::from_str(&statement.text().await.unwrap()).unwrap();
    let guide = "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data";
    assert_eq!(statement["instantiates"][0], guide);
    let rest = &statement["rest"][0];
    let of = |name: &str| {
        let resources = rest["resource"].as_array().unwrap();
        resources.iter().find(|one| one["type"] == name).unwrap()["operation"].clone()
    };
    for (operations, name) in [
        (rest["operation"].clone(), "export"),
        (of("Patient"), "patient-export"),
        (of("Group"), "group-export"),
    ] {
        let operations = operations.as_array().unwrap();
        let export = operations.iter().find(|one| one["name"] == "export").unwrap();
        let definition = format!("http://hl7.org/fhir/uv/bulkdata/OperationDefinition/{name}");
        assert_eq!(export["definition"], definition);
    }
}

/// `bulk_data_{group,patient,system}_no_auth_reject`, `bulk_data_group_export_stu2-Test03`.
#[tokio::test]
async fn an_export_without_a_token_or_without_its_scopes_does_not_begin() {
    let stand = Stand::start().await;
    for (level, path) in LEVELS {
        let url = stand.fhir.server.url(path);
        let refused =
            reqwest::Client::new().get(url).header("prefer", "respond-async").send().await.unwrap();
        assert_eq!(refused.status().as_u16(), 401, "{level}");
        for token in
            [stand.patient("patient/*.rs"), stand.service("system/*.r"), stand.service("user/*.rs")]
        {
            let refused = stand.kick_off(&token, path).await;
            assert_eq!(
                (refused.status, refused.code()),
                (403, "forbidden"),
                "{level}: {}",
                refused.text
            );
        }
    }
}

/// `bulk_data_{group,patient,system}_{kick_off,status_check,output_check}`, `bulk_data_group_export_stu2-Test0{4,5,6}`: 202 with the address of the status, the members of the manifest, and absolute addresses.
#[tokio::test]
async fn an_export_has_a_status_and_a_manifest_with_its_files() {
    let stand = Stand::start().await;
    let token = stand.service(SCOPES);
    for (level, path) in LEVELS {
        let begun = stand.kick_off(&token, path).await;
        assert_eq!(begun.status, 202, "{level}: {}", begun.text);
        let status = stand.get(&token, &stand.below(begun.header("content-location"))).await;
        assert_eq!((status.status, status.header("content-type")), (200, "application/json"));
        for name in ["transactionTime", "request", "requiresAccessToken", "output", "error"] {
            assert!(status.body.get(name).is_some(), "{level}: no `{name}`");
        }
        assert_eq!(status.body["requiresAccessToken"], true);
        let files = status.body["output"].as_array().unwrap();
        assert!(files.len() > 10, "{level}: {files:?}");
        for file in files {
            assert!(
                file["type"].is_string() && file["url"].as_str().unwrap().starts_with("https://")
            );
        }
    }
}

/// `bulk_data_{group,patient,system}_{ndjson_download,valid_resources,multiple_patients}`,
/// `bulk_data_group_export_validation-Test0{2,3,4,5}`: a file needs a token, is NDJSON of one type, and more
/// than one patient is in it.
#[tokio::test]
async fn files_need_a_token_and_have_a_resource_of_their_type_on_each_line() {
    let stand = Stand::start().await;
    let token = stand.service(SCOPES);
    for (level, path) in LEVELS {
        let manifest = stand.manifest(&token, path).await;
        for file in manifest["output"].as_array().unwrap() {
            let path = stand.below(file["url"].as_str().unwrap());
            let refused = reqwest::get(stand.fhir.server.url(&path)).await.unwrap();
            assert_eq!(refused.status().as_u16(), 401, "{path}");
            // A token of somebody else is told that there is no such job.
            let other = stand.get(&stand.patient(SCOPES), &path).await;
            assert_eq!(other.status, 404, "{path}");
            let reply = stand.get(&token, &path).await;
            assert_eq!(reply.status, 200, "{path}");
            assert!(reply.header("content-type").starts_with("application/fhir+ndjson"), "{path}");
            let lines: Vec<Value> =
                reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert!(lines.iter().all(|one| one["resourceType"] == file["type"]), "{path}");
            if file["type"] == "Patient" {
                let mut ids: Vec<&str> =
                    lines.iter().map(|one| one["id"].as_str().unwrap()).collect();
                ids.sort_unstable();
                assert_eq!(ids, ["other", "own"], "{level}");
            }
        }
    }
}

/// `bulk_data_{group,patient,system}_export_cancel_stu2`, `g10_bulk_export_cancel`,
/// `bulk_data_poll_cancelled_export`: 202, and from then on 404 with an OperationOutcome.
#[tokio::test]
async fn a_cancelled_export_is_404() {
    let stand = Stand::start().await;
    let token = stand.service(SCOPES);
    for (level, path) in LEVELS {
        let begun = stand.kick_off(&token, path).await;
        let job = stand.below(begun.header("content-location"));
        let cancelled = stand.fhir.send(&token, "DELETE", &job, &[], Value::Null).await;
        assert_eq!(cancelled.status, 202, "{level}: {}", cancelled.text);
        let gone = stand.get(&token, &job).await;
        assert_eq!((gone.status, gone.code()), (404, "not-found"), "{level}: {}", gone.text);
    }
}

/// `output_format_in_{group_,patient_,system_,}export_response`: three names of one format.
#[tokio::test]
async fn the_format_has_three_names() {
    let stand = Stand::start().await;
    let token = stand.service(SCOPES);
    for (level, path) in LEVELS {
        for format in ["application%2Ffhir%2Bndjson", "application%2Fndjson", "ndjson"] {
            let begun = stand.kick_off(&token, &format!("{path}?_outputFormat={format}")).await;
            assert_eq!(begun.status, 202, "{level}: {format}: {}", begun.text);
        }
        let begun = stand.kick_off(&token, &format!("{path}?_outputFormat=csv")).await;
        assert_eq!(begun.status, 400, "{level}: {}", begun.text);
    }
}

/// `since_in_{group,patient,system}_export_response`, `g10_since_in_export_response`: an instant with any offset.
#[tokio::test]
async fn since_is_an_instant_with_any_offset() {
    let stand = Stand::start().await;
    let token = stand.service(SCOPES);
    for (level, path) in LEVELS {
        for (since, has_files) in [
            ("2020-01-01T00:00:00Z", true),
            ("2020-01-01T00:00:00.5%2B05:30", true),
            ("2100-01-01T00:00:00Z", false),
        ] {
            let manifest = stand.manifest(&token, &format!("{path}?_since={since}")).await;
            let files = manifest["output"].as_array().unwrap();
            assert_eq!(!files.is_empty(), has_files, "{level}: {since}: {manifest}");
        }
    }
}
