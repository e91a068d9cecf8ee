//! The Microsoft Entra ID preset of an issuer in the file.

use std::collections::HashSet;
#[cfg(not(feature = "client"))]
use std::path::PathBuf;

use super::address::address;
use super::reader::SectionReader;
use crate::authentication::entra::is_guid;
use crate::authentication::{Entra, EntraCloud, TrustedIssuer};
use crate::danger::PlainHttp;
use crate::error::BuildError;
use crate::keys::KeyOrigin;

/// The preset with the tenants that it trusts.
#[derive(Debug)]
pub(super) struct EntraConfig {
    preset: Entra,
    tenants: Vec<String>,
}

impl EntraConfig {
    /// Returns the names of all issuers.
    pub(super) fn names(&self) -> Vec<String> {
        self.tenants.iter().flat_map(|tenant| self.names_of(tenant)).collect()
    }

    /// Returns the names of a tenant's issuers.
    pub(super) fn names_of(&self, tenant: &str) -> [String; 2] {
        self.preset.names_of(tenant)
    }

    /// Returns the tenants that are trusted.
    pub(super) fn tenants(&self) -> &[String] {
        &self.tenants
    }

    /// Makes the issuers, with their keys from the cloud or from elsewhere.
    pub(super) fn issuers(
        &self,
        keys: Option<KeyOrigin>,
    ) -> Result<Vec<TrustedIssuer>, BuildError> {
        match keys {
            Some(keys) => self.preset.issuers_with_keys(keys),
            None => self.cloud_issuers(),
        }
    }

    #[cfg(feature = "client")]
    fn cloud_issuers(&self) -> Result<Vec<TrustedIssuer>, BuildError> {
        self.preset.issuers()
    }

    #[cfg(not(feature = "client"))]
    fn cloud_issuers(&self) -> Result<Vec<TrustedIssuer>, BuildError> {
        // Without the `client` feature the reader requires a file.
        self.preset.issuers_with_jwks_file(PathBuf::new())
    }
}

const TENANT: &str = "a tenant id (GUID), or \"organizations\" with allowed_tenants";
const APPLICATION: &str = "the API's application id (GUID)";

const CLOUDS: [(&str, EntraCloud); 3] = [
    ("global", EntraCloud::Global),
    ("us-government", EntraCloud::UsGovernment),
    ("china", EntraCloud::China),
];

/// Reads the Microsoft Entra ID preset, if there is one.
pub(super) fn read(reader: &mut SectionReader<'_>, plain_http: &PlainHttp) -> Option<EntraConfig> {
    let mut entra = reader.table("entra")?;
    let tenant = entra.required("tenant", TENANT);
    let application = entra.required("client_id", APPLICATION);
    let uris = entra.non_empty_strings("identifier_uris").unwrap_or_default();
    let allowed = entra.non_empty_strings("allowed_tenants");
    let cloud = entra.choice("cloud", &CLOUDS).unwrap_or_default();
    let authority = address(&mut entra, "authority", plain_http);
    let is_template = matches!(tenant.as_deref(), Some("organizations" | "common"));
    if is_template && allowed.is_none() {
        let message = "is required because `tenant` is a template: expected the tenants to trust";
        entra.reject("allowed_tenants", message);
    }
    let single = tenant.as_deref().filter(|_| !is_template);
    check_ids(&entra, single, application.as_deref());
    let allowed = allowed.unwrap_or_default();
    check_allowed(&entra, &allowed);
    entra.finish();
    let (tenant, application) = (tenant?, application?);
    let mut preset = if is_template {
        Entra::tenants(allowed.iter().cloned(), application)
    } else {
        Entra::tenant(&tenant, application)
    };
    for uri in uris {
        preset = preset.identifier_uri(uri);
    }
    #[cfg(feature = "client")]
    if let Some(authority) = authority {
        preset = preset.authority(authority);
    }
    #[cfg(not(feature = "client"))]
    let _ = authority;
    let tenants = if is_template { allowed } else { only(reader, tenant, &allowed)? };
    Some(EntraConfig { preset: preset.cloud(cloud), tenants })
}

fn check_ids(entra: &SectionReader<'_>, tenant: Option<&str>, application: Option<&str>) {
    for (key, id, expected) in [("tenant", tenant, TENANT), ("client_id", application, APPLICATION)]
    {
        if let Some(id) = id.filter(|id| !is_guid(id)) {
            entra.reject(key, format!("expected {expected}, found \"{id}\""));
        }
    }
}

fn check_allowed(entra: &SectionReader<'_>, allowed: &[String]) {
    let mut known = HashSet::new();
    for (index, id) in allowed.iter().enumerate() {
        let path = format!("allowed_tenants[{index}]");
        if !is_guid(id) {
            entra.reject(&path, format!("expected a tenant id (GUID), found \"{id}\""));
        } else if !known.insert(id.to_ascii_lowercase()) {
            entra.reject(&path, "expected each tenant once");
        }
    }
}

/// Returns a single tenant. A list beside it can only exclude it.
fn only(reader: &SectionReader<'_>, tenant: String, allowed: &[String]) -> Option<Vec<String>> {
    if allowed.is_empty() || allowed.iter().any(|id| id.eq_ignore_ascii_case(&tenant)) {
        return Some(vec![tenant]);
    }
    let message = "expected `tenant` to be one of `allowed_tenants`";
    reader.fail("entra.allowed_tenants", message)
}
