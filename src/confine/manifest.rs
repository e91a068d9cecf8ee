//! Manifests of exports (Bulk Data Access 2.0, "Response - Complete Status"), written anew with addresses of
//! this server.

use std::borrow::Cow;
use std::cell::Cell;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::job::Part;

/// A manifest of the upstream server. Members that are not here do not go on.
#[derive(Deserialize)]
struct Manifest<'a> {
    #[serde(borrow, rename = "transactionTime")]
    transaction_time: Option<&'a RawValue>,
    #[serde(borrow, default)]
    output: Vec<File<'a>>,
    #[serde(borrow, default)]
    deleted: Vec<File<'a>>,
    #[serde(borrow, default)]
    error: Vec<File<'a>>,
    #[serde(borrow, default)]
    link: Vec<Link<'a>>,
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow)]
    count: Option<&'a RawValue>,
}

#[derive(Serialize, Deserialize)]
struct Link<'a> {
    #[serde(borrow)]
    relation: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(rename = "transactionTime", skip_serializing_if = "Option::is_none")]
    transaction_time: Option<&'a RawValue>,
    request: &'a str,
    #[serde(rename = "requiresAccessToken")]
    requires_access_token: bool,
    output: Vec<WrittenFile<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deleted: Vec<WrittenFile<'a>>,
    error: Vec<WrittenFile<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    link: Vec<Link<'a>>,
}

#[derive(Serialize)]
struct WrittenFile<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<&'a RawValue>,
}

/// Writes a manifest for clients: what was asked for, and an address here for each file. `address` tells that of
/// a part, or `None` for one that leads elsewhere; files of types that are not exported are left out. `None` for
/// what is no manifest, and for one whose addresses take more than `limit` bytes: each has its owner in it.
pub(super) fn rewritten(
    text: &str,
    request: &str,
    is_exported: impl Fn(&str) -> bool,
    address: impl Fn(&str, Part) -> Option<String>,
    limit: usize,
) -> Option<Vec<u8>> {
    let manifest: Manifest<'_> = serde_json::from_str(text).ok()?;
    let room = Cell::new(Some(limit));
    let address = |url: &str, part: Part| {
        let left = room.get()?;
        let address = address(url, part)?;
        room.set(left.checked_sub(address.len()));
        room.get().map(|_| address)
    };
    let resources = |url: &str| address(url, Part::Resources);
    let deletions = |url: &str| address(url, Part::Deletions);
    let errors = |url: &str| address(url, Part::Errors);
    // Bulk Data lists deletions of any type as Bundles; what they name is judged entry by entry.
    let is_deletion = |kind: &str| kind == "Bundle" || is_exported(kind);
    let next = manifest.link.iter().filter(|link| link.relation == "next");
    let status = |url: &str| address(url, Part::Status { request: request.to_owned() });
    let next = next.filter_map(|link| {
        Some(Link { relation: Cow::Borrowed("next"), url: status(&link.url)?.into() })
    });
    let written = Written {
        transaction_time: manifest.transaction_time,
        request,
        requires_access_token: true,
        output: files(&manifest.output, &is_exported, resources),
        deleted: uncounted(files(&manifest.deleted, is_deletion, deletions)),
        error: files(&manifest.error, |kind| kind == "OperationOutcome", errors),
        link: next.take(1).collect(),
    };
    room.get()?;
    serde_json::to_vec(&written).ok()
}

/// Removes `count` from files of Bundles: it would include deletions of types that were not granted.
fn uncounted(mut files: Vec<WrittenFile<'_>>) -> Vec<WrittenFile<'_>> {
    for file in files.iter_mut().filter(|file| *file.kind == *"Bundle") {
        file.count = None;
    }
    files
}

fn files<'f>(
    files: &'f [File<'_>],
    is_one: impl Fn(&str) -> bool,
    address: impl Fn(&str) -> Option<String>,
) -> Vec<WrittenFile<'f>> {
    let shown = files.iter().filter(|file| is_one(&file.kind));
    let written = shown.filter_map(|file| {
        Some(WrittenFile { kind: &file.kind, url: address(&file.url)?, count: file.count })
    });
    written.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(files: usize, pages: usize, limit: usize) -> Option<serde_json::Value> {
        let text = serde_json::json!({
            "output": vec![serde_json::json!({"type": "Patient", "url": "f"}); files],
            "link": vec![serde_json::json!({"relation": "next", "url": "p"}); pages],
        });
        let address = |url: &str, _| Some(format!("https://fhir.example.org/{url}"));
        let written = rewritten(&text.to_string(), "r", |_| true, address, limit)?;
        serde_json::from_slice(&written).ok()
    }

    #[test]
    fn the_addresses_of_a_manifest_take_no_more_than_an_answer_may() {
        let length = "https://fhir.example.org/f".len();
        assert_eq!(manifest(3, 0, 3 * length).unwrap()["output"].as_array().unwrap().len(), 3);
        assert_eq!(manifest(3, 0, 3 * length - 1), None);
        assert_eq!(manifest(1_000, 1_000, 4096), None);
    }

    #[test]
    fn one_page_follows() {
        let link = &manifest(0, 3, 4096).unwrap()["link"];
        assert_eq!(link.as_array().unwrap().len(), 1, "{link}");
    }

    #[test]
    fn files_of_deletions_are_bundles_or_of_types_that_are_exported() {
        let file = |kind: &str| serde_json::json!({"type": kind, "url": kind, "count": 7});
        let all = [file("Bundle"), file("Patient"), file("Condition")];
        let text = serde_json::json!({"output": all, "deleted": all}).to_string();
        let address = |url: &str, _| Some(url.to_owned());
        let written = rewritten(&text, "r", |kind| kind == "Patient", address, 100).unwrap();
        let written: serde_json::Value = serde_json::from_slice(&written).unwrap();
        for (member, expected) in
            [("output", &["Patient"][..]), ("deleted", &["Bundle", "Patient"])]
        {
            let files = written[member].as_array().unwrap();
            let kinds: Vec<&str> =
                files.iter().map(|file| file["type"].as_str().unwrap()).collect();
            assert_eq!(kinds, expected, "{member}");
            // How many deletions there are would tell of those that are left out.
            assert!(files.iter().all(|file| (file["type"] == "Bundle") == file["count"].is_null()));
        }
    }
}
