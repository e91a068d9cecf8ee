//! The `[[issuers]]` of the file.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use super::policy::{Assigned, LATER, assignments};
use super::reader::Reader;
use crate::authentication::{AudiencePolicy, TrustedIssuer};
use crate::fhir::BaseUrl;
use crate::jose::{Algorithm, KeyPolicy};
use crate::keys::FileKeySource;
use crate::secure_url;

/// How `aud` is compared with the accepted audiences.
#[derive(Clone, Copy, Debug, Default)]
enum AudienceMatch {
    #[default]
    Exact,
    Url,
}

/// One issuer, with only what the file says of it.
#[derive(Debug, Default)]
pub(crate) struct IssuerConfig {
    issuer: String,
    audiences: Option<Vec<String>>,
    audience_match: AudienceMatch,
    discovery: Option<String>,
    jwks_uri: Option<String>,
    jwks_file: Option<PathBuf>,
    algorithms: Option<Vec<Algorithm>>,
    token_types: Option<Vec<String>>,
    required_claims: Option<Vec<String>>,
    clients: Option<Vec<String>>,
    roles_claim: Option<String>,
    scope_claims: Option<Vec<String>>,
    patient_claims: Option<Vec<String>>,
    leeway: Option<Duration>,
    max_token_age: Option<Duration>,
    assign: Assigned,
}

const MATCHES: [(&str, AudienceMatch); 2] =
    [("exact", AudienceMatch::Exact), ("url", AudienceMatch::Url)];

pub(crate) fn read_all(root: &mut Reader<'_>) -> Vec<IssuerConfig> {
    let present = root.has("issuers");
    let readers = root.tables("issuers").unwrap_or_default();
    if readers.is_empty() && !present {
        root.reject("issuers", "is required: expected at least one [[issuers]]");
    } else if readers.is_empty() {
        root.reject("issuers", "expected at least one [[issuers]]");
    }
    let mut names = HashSet::new();
    let mut issuers = Vec::with_capacity(readers.len());
    for mut reader in readers {
        let issuer = read(&mut reader);
        if !issuer.issuer.is_empty() && !names.insert(issuer.issuer.clone()) {
            let message = format!("expected each issuer once, found `{}` twice", issuer.issuer);
            reader.reject("issuer", message);
        }
        issuers.push(issuer);
        reader.finish();
    }
    issuers
}

fn read(reader: &mut Reader<'_>) -> IssuerConfig {
    let is_preset = entra(reader);
    let issuer = if is_preset {
        reader.text("issuer")
    } else {
        reader.required("issuer", "the exact value of `iss`")
    };
    if issuer.as_deref() == Some("") {
        reader.reject("issuer", "expected the exact value of `iss`, found \"\"");
    }
    let jwks_file = reader.path("jwks_file");
    let config = IssuerConfig {
        issuer: issuer.unwrap_or_default(),
        audiences: reader.some_texts("audiences"),
        audience_match: reader.choice("audience_match", &MATCHES).unwrap_or_default(),
        discovery: address(reader, "discovery"),
        jwks_uri: address(reader, "jwks_uri"),
        algorithms: algorithms(reader),
        token_types: token_types(reader),
        required_claims: reader.texts("required_claims"),
        clients: reader.some_texts("clients"),
        roles_claim: reader.text("roles_claim"),
        scope_claims: reader.some_texts("scope_claims"),
        patient_claims: reader.some_texts("patient_claims"),
        leeway: reader.duration("leeway"),
        max_token_age: reader.duration("max_token_age"),
        assign: reader.table("assign").map(assignments).unwrap_or_default(),
        jwks_file,
    };
    if config.leeway.is_some_and(|leeway| leeway > Duration::from_secs(600)) {
        reader.reject("leeway", "expected at most 10m");
    }
    keys_come_from_one_place(reader, &config);
    config
}

/// The network or a file, and an issuer whose name fits.
fn keys_come_from_one_place(reader: &Reader<'_>, config: &IssuerConfig) {
    let reject = |key: &str, message: String| {
        reader.reject(key, message);
    };
    if let Some(path) = &config.jwks_file {
        if config.jwks_uri.is_some() || config.discovery.is_some() {
            reject("jwks_file", "expected either a file or addresses, found both".to_owned());
        }
        if let Err(error) = FileKeySource::open(path.clone(), KeyPolicy::default()) {
            let expected = "expected a readable key set with at least one usable key";
            reject("jwks_file", format!("{expected}: {error}"));
        }
    } else if !cfg!(feature = "client") {
        reject("jwks_file", "is required: this build has no HTTP client".to_owned());
    }
    let discovered = config.jwks_file.is_none() && config.jwks_uri.is_none();
    let is_url = config.issuer.contains("://");
    if (is_url || discovered) && !config.issuer.is_empty() && !is_issuer_url(&config.issuer) {
        let expected = "expected an https URL (http for loopback only) without query or fragment";
        reject("issuer", format!("{expected}, found \"{}\"", config.issuer));
    }
}

fn is_issuer_url(text: &str) -> bool {
    secure_url::parse(text).is_some_and(|url| url.query().is_none())
}

fn address(reader: &mut Reader<'_>, key: &'static str) -> Option<String> {
    let text = reader.text(key)?;
    if secure_url::parse(&text).is_none() {
        let expected = "expected an absolute https URL (http for loopback only)";
        return reader.fail(key, format!("{expected}, found \"{text}\""));
    }
    Some(text)
}

fn algorithms(reader: &mut Reader<'_>) -> Option<Vec<Algorithm>> {
    let names = reader.some_texts("algorithms")?;
    let mut algorithms = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        match name.parse() {
            Ok(algorithm) => algorithms.push(algorithm),
            Err(expected) => {
                let message = format!("{expected}; found \"{name}\"");
                reader.reject(&format!("algorithms[{index}]"), message);
            }
        }
    }
    Some(algorithms)
}

fn token_types(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let types = reader.texts("token_types")?;
    if types.is_empty() {
        return reader.fail("token_types", "expected at least one, \"\" for none in the token");
    }
    Some(types)
}

/// The Microsoft Entra ID preset: checked, and refused until it is there. Whether one was asked
/// for.
fn entra(reader: &mut Reader<'_>) -> bool {
    let Some(mut entra) = reader.table("entra") else {
        return false;
    };
    let tenant = entra.required("tenant", "a tenant id (GUID), or \"organizations\"");
    let _ = entra.required("client_id", "the API's application id");
    let _ = entra.some_texts("identifier_uris");
    let allowed = entra.some_texts("allowed_tenants");
    let clouds = [("global", ()), ("us-government", ()), ("china", ())];
    let _ = entra.choice("cloud", &clouds);
    let _ = address(&mut entra, "authority");
    let many = matches!(tenant.as_deref(), Some("organizations" | "common"));
    if many && allowed.is_none() {
        let message = "is required where the tenant is a template: expected the tenants to trust";
        entra.reject("allowed_tenants", message);
    }
    entra.finish();
    reader.reject("entra", LATER);
    true
}

impl IssuerConfig {
    /// The local RBAC of the issuer.
    pub(crate) fn assigned(&self) -> (&str, &Assigned) {
        (&self.issuer, &self.assign)
    }

    /// The issuer with the settings of the file. Without audiences the base URL is the only one.
    pub(crate) fn trusted(self, base_url: &BaseUrl) -> TrustedIssuer {
        let mut issuer = keys(&self);
        let audiences = self.audiences.unwrap_or_else(|| vec![base_url.to_string()]);
        issuer = issuer.audience(match self.audience_match {
            AudienceMatch::Exact => AudiencePolicy::exact(audiences),
            AudienceMatch::Url => AudiencePolicy::url(audiences),
        });
        macro_rules! set {
            ($($setting:ident),*) => {$(
                if let Some(value) = self.$setting {
                    issuer = issuer.$setting(value);
                }
            )*};
        }
        set!(
            algorithms,
            token_types,
            required_claims,
            clients,
            roles_claim,
            scope_claims,
            patient_claims,
            leeway,
            max_token_age
        );
        issuer
    }
}

#[cfg(feature = "client")]
fn keys(config: &IssuerConfig) -> TrustedIssuer {
    let name = config.issuer.as_str();
    match (&config.jwks_file, &config.jwks_uri, &config.discovery) {
        (Some(file), _, _) => TrustedIssuer::with_jwks_file(name, file),
        (None, Some(jwks_uri), _) => TrustedIssuer::with_jwks_uri(name, jwks_uri),
        (None, None, Some(discovery)) => TrustedIssuer::discover_at(name, discovery),
        (None, None, None) => TrustedIssuer::discover(name),
    }
}

#[cfg(not(feature = "client"))]
fn keys(config: &IssuerConfig) -> TrustedIssuer {
    // Without a client the reader has insisted on a file.
    let file = config.jwks_file.clone().unwrap_or_default();
    TrustedIssuer::with_jwks_file(config.issuer.as_str(), file)
}
