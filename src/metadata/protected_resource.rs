//! OAuth 2.0 Protected Resource Metadata (RFC 9728), which every challenge points to.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::authentication::accepted_schemes::AcceptedSchemes;
use crate::fhir::BaseUrl;
use crate::secure_url;

/// The metadata document, with its address.
#[derive(Debug)]
pub(crate) struct ProtectedResource {
    path: String,
    document: Bytes,
}

impl ProtectedResource {
    /// Makes the document of an API that sends apps to these issuers. Names that are not URLs of
    /// authorization servers (RFC 8414 section 2: https, without query and fragment) are not
    /// listed: no client could go there.
    pub(crate) fn new<'a>(
        base: &BaseUrl,
        issuers: impl Iterator<Item = &'a str>,
        offered: AcceptedSchemes,
    ) -> Self {
        let mut document = Map::new();
        document.insert("resource".to_owned(), base.as_str().into());
        let servers: Vec<&str> = issuers.filter(|name| is_server(name)).collect();
        // RFC 9728 section 3.2: no empty arrays.
        if !servers.is_empty() {
            document.insert("authorization_servers".to_owned(), json!(servers));
        }
        document.insert("bearer_methods_supported".to_owned(), json!(["header"]));
        // RFC 9728 section 2: what tokens may be bound to, and whether they must be.
        let AcceptedSchemes { bearer, dpop, certificates } = offered;
        if dpop {
            let names =
                AcceptedSchemes::proof_algorithms().iter().map(|algorithm| algorithm.name());
            let names = Vec::from_iter(names);
            document.insert("dpop_signing_alg_values_supported".to_owned(), json!(names));
        }
        let is_required = (dpop && !bearer).into();
        document.insert("dpop_bound_access_tokens_required".to_owned(), is_required);
        let certificates = certificates.into();
        document.insert("tls_client_certificate_bound_access_tokens".to_owned(), certificates);
        let path = format!("{}{}", BaseUrl::RESOURCE_METADATA, base.path());
        Self { path, document: Value::Object(document).to_string().into() }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn document(&self) -> Bytes {
        self.document.clone()
    }
}

fn is_server(issuer: &str) -> bool {
    secure_url::parse(issuer).is_some_and(|url| url.query().is_none())
}
