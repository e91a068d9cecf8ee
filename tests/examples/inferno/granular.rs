//! Scopes with constraints: `us_core_v700_…_granular_scope_…`, by `granular_searches.txt`, and the same in (g)(10).

use std::collections::BTreeSet;

use super::{CATEGORY, Stand, asked, encoded};

const LIST: &str = include_str!("granular_searches.txt");

const DIAGNOSES: &str =
    "category=http://terminology.hl7.org/CodeSystem/condition-category|encounter-diagnosis";

/// What the kit asks the authorization server for.
fn granular() -> String {
    format!(
        "patient/Patient.rs patient/Condition.rs?{DIAGNOSES} patient/Observation.rs?category={CATEGORY}|vital-signs"
    )
}

/// `us_core_v700_Condition_*_granular_scope_search_test`, `us_core_v700_Observation_*_granular_scope_search_test`:
/// what whole types show, as far as it is in the category, and nothing else.
#[tokio::test]
async fn searches_find_what_whole_scopes_find_within_the_category() {
    let stand = Stand::start().await;
    let (whole, narrow) = (stand.patient("patient/*.rs"), stand.patient(&granular()));
    let mut compared = 0;
    for row in asked(LIST) {
        // A query for each resource of the type: the kit makes one for each value that it has found.
        let is_condition = row.resource_type == "Condition";
        let categories: &[&str] = if is_condition {
            &["encounter-diagnosis", "problem-list-item"]
        } else {
            &["vital-signs", "survey"]
        };
        let code = if is_condition { "25064002" } else { "8867-4" };
        for category in categories {
            let query: Option<Vec<(String, String)>> = row
                .parameters
                .iter()
                .map(|name| {
                    let value = match *name {
                        "category" => (*category).to_owned(),
                        "code" => code.to_owned(),
                        name => row.value(name)?,
                    };
                    Some(((*name).to_owned(), value))
                })
                .collect();
            // `asserted-date` is US Core's own: see the searches.
            let Some(query) = query else { continue };
            let path = format!("/{}?{}&_count=1000", row.resource_type, encoded(&query));
            let (all, some) = (stand.get(&whole, &path).await, stand.get(&narrow, &path).await);
            assert_eq!((all.status, some.status), (200, 200), "{path}: {}", some.text);
            let within = |resource: &&serde_json::Value| {
                let code = &resource["category"][0]["coding"][0]["code"];
                code == "encounter-diagnosis" || code == "vital-signs"
            };
            let entries = all.body["entry"].as_array().cloned().unwrap_or_default();
            let expected: BTreeSet<String> = entries
                .iter()
                .map(|entry| &entry["resource"])
                .filter(within)
                .map(|one| format!("{}/{}", row.resource_type, one["id"].as_str().unwrap()))
                .collect();
            let found: BTreeSet<String> = some.names().into_iter().collect();
            assert_eq!(found, expected, "{}: {path}", row.id);
            compared += found.len();
        }
    }
    assert!(compared > 50, "{compared}");
}

/// `us_core_v700_Condition_granular_scope_read_test`, `us_core_v700_Observation_granular_scope_read_test`: what is
/// in the category is read, what is not is not there.
#[tokio::test]
async fn reads_show_what_is_within_the_category_alone() {
    let stand = Stand::start().await;
    let token = stand.patient(&granular());
    for (path, status) in [
        ("/Condition/own", 200),
        ("/Condition/own-problem", 404),
        ("/Observation/own-heart-rate", 200),
        ("/Observation/own-observation-lab", 404),
        ("/Observation/other-heart-rate", 404),
        ("/Patient/own", 200),
        ("/Goal/own", 403),
    ] {
        let reply = stand.get(&token, path).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.text);
        let kind = if status == 200 { path.split('/').nth(1).unwrap() } else { "OperationOutcome" };
        assert_eq!(reply.body["resourceType"], kind, "{path}");
    }
}
