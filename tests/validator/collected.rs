//! The files that are validated.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::{RequestBuilder, Response};
use serde_json::Value;

/// What was sent, a file each.
pub(crate) struct Collected {
    folder: PathBuf,
    /// How many of each type.
    types: BTreeMap<String, usize>,
}

impl Collected {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), types: BTreeMap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.types.values().sum()
    }

    /// Keeps what a request is answered with, which is a resource of this status.
    pub(crate) async fn ask(&mut self, name: &str, request: RequestBuilder, status: u16) -> Value {
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{name}");
        self.keep(name, response).await
    }

    pub(crate) async fn keep(&mut self, name: &str, response: Response) -> Value {
        let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        let text = response.text().await.unwrap();
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let is_xml = media_type.starts_with("application/fhir+xml");
        assert!(is_xml || body["resourceType"].is_string(), "{name}: {media_type}: {text}");
        let kind = if is_xml { "OperationOutcome" } else { body["resourceType"].as_str().unwrap() };
        *self.types.entry(kind.to_owned()).or_default() += 1;
        let extension = if is_xml { "xml" } else { "json" };
        let file = format!("{:04} {}.{extension}", self.len(), name.replace('/', "_"));
        std::fs::write(self.folder.join(file), text).unwrap();
        body
    }
}

impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files, {:?}", self.len(), self.types)
    }
}
