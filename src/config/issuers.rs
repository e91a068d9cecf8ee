//! The `[[issuers]]` of the file.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use super::assigned::{Assigned, assignments};
use super::reader::Reader;
use crate::authentication::entra::is_guid;
use crate::authentication::key_origin::KeyOrigin;
use crate::authentication::{AudiencePolicy, Entra, EntraCloud, TrustedIssuer};
use crate::error::BuildError;
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
    /// Empty where the preset says it.
    issuer: String,
    entra: Option<EntraConfig>,
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

/// The Microsoft Entra ID preset.
#[derive(Debug)]
struct EntraConfig {
    preset: Entra,
    tenants: Vec<String>,
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
        for name in issuer.names() {
            if !names.insert(name.clone()) {
                let message = format!("expected each issuer once, found `{name}` twice");
                reader.reject("issuer", message);
            }
        }
        issuers.push(issuer);
        reader.finish();
    }
    issuers
}

fn read(reader: &mut Reader<'_>) -> IssuerConfig {
    let asks_for_preset = reader.has("entra");
    let entra = entra(reader);
    let issuer = if asks_for_preset {
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
        entra,
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
    if let Some(fault) = config.assigned().find_map(Result::err) {
        reader.reject("assign", fault);
    }
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

/// The Microsoft Entra ID preset, where one is asked for.
fn entra(reader: &mut Reader<'_>) -> Option<EntraConfig> {
    let mut entra = reader.table("entra")?;
    let expected = "a tenant id (GUID), or \"organizations\" with allowed_tenants";
    let tenant = entra.required("tenant", expected);
    let application = entra.required("client_id", "the API's application id (GUID)");
    let uris = entra.some_texts("identifier_uris").unwrap_or_default();
    let allowed = entra.some_texts("allowed_tenants");
    let clouds = [
        ("global", EntraCloud::Global),
        ("us-government", EntraCloud::UsGovernment),
        ("china", EntraCloud::China),
    ];
    let cloud = entra.choice("cloud", &clouds).unwrap_or_default();
    let authority = address(&mut entra, "authority");
    let many = matches!(tenant.as_deref(), Some("organizations" | "common"));
    if many && allowed.is_none() {
        let message = "is required where the tenant is a template: expected the tenants to trust";
        entra.reject("allowed_tenants", message);
    }
    if let Some(tenant) = tenant.as_deref().filter(|tenant| !many && !is_guid(tenant)) {
        entra.reject("tenant", format!("expected {expected}, found \"{tenant}\""));
    }
    if let Some(application) = application.as_deref().filter(|id| !is_guid(id)) {
        let message = format!("expected the API's application id (GUID), found \"{application}\"");
        entra.reject("client_id", message);
    }
    let allowed = allowed.unwrap_or_default();
    let mut known = HashSet::new();
    for (index, id) in allowed.iter().enumerate() {
        let place = format!("allowed_tenants[{index}]");
        if !is_guid(id) {
            entra.reject(&place, format!("expected a tenant id (GUID), found \"{id}\""));
        } else if !known.insert(id.to_ascii_lowercase()) {
            entra.reject(&place, "expected each tenant once");
        }
    }
    entra.finish();
    let (tenant, application) = (tenant?, application?);
    let tenants = match many {
        true => allowed,
        // A list beside a single tenant can only narrow it down to nothing.
        false
            if allowed.is_empty() || allowed.iter().any(|id| id.eq_ignore_ascii_case(&tenant)) =>
        {
            vec![tenant]
        }
        false => {
            let message = "expected the tenant among the allowed ones";
            return reader.fail("entra.allowed_tenants", message);
        }
    };
    let mut preset = match (many, tenants.as_slice()) {
        (false, [tenant]) => Entra::tenant(tenant, application),
        _ => Entra::tenants(tenants.iter().cloned(), application),
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
    Some(EntraConfig { preset: preset.cloud(cloud), tenants })
}

impl EntraConfig {
    /// The names of all issuers.
    fn names(&self) -> Vec<String> {
        self.tenants.iter().flat_map(|tenant| self.preset.names_of(tenant)).collect()
    }
}

impl IssuerConfig {
    /// The names of its issuers: one, or those of the preset.
    fn names(&self) -> Vec<String> {
        match &self.entra {
            Some(entra) if self.issuer.is_empty() => entra.names(),
            _ if self.issuer.is_empty() => Vec::new(),
            _ => vec![self.issuer.clone()],
        }
    }

    /// The local RBAC of the issuer.
    pub(crate) fn assigned(&self) -> impl Iterator<Item = Result<Assignment<'_>, String>> {
        self.assign.iter().map(|assigned| self.assignment(assigned))
    }

    /// One assignment: in which issuers, to which id, which roles. Where several tenants are
    /// allowed, its key begins with the tenant; of one tenant it may.
    pub(crate) fn assignment<'a>(
        &self,
        (key, roles): &'a (String, Vec<String>),
    ) -> Result<Assignment<'a>, String> {
        let Some(entra) = self.entra.as_ref().filter(|_| self.issuer.is_empty()) else {
            return Ok((self.names(), key, roles));
        };
        let expected = "expected `<tid>/<id>` with an allowed tenant";
        let split = key.split_once('/');
        let known = split.filter(|(tenant, _)| {
            entra.tenants.iter().any(|allowed| allowed.eq_ignore_ascii_case(tenant))
        });
        match known {
            Some((tenant, id)) => Ok((entra.preset.names_of(tenant).to_vec(), id, roles)),
            // Of one tenant an id says all.
            None if entra.tenants.len() == 1 && split.is_none() => Ok((self.names(), key, roles)),
            None => Err(format!("{expected}, found \"{key}\"")),
        }
    }

    /// The issuers with the settings of the file. Without audiences the base URL is the only one,
    /// but for those of a preset.
    pub(crate) fn trusted(self, base_url: &BaseUrl) -> Result<Vec<TrustedIssuer>, BuildError> {
        let mut issuers = match &self.entra {
            None => vec![TrustedIssuer::new(self.issuer.as_str(), self.keys())],
            Some(entra) if !self.issuer.is_empty() => {
                vec![entra.preset.issuer_named(&self.issuer, self.keys())]
            }
            Some(entra) if self.has_keys() => entra.preset.issuers_with_keys(self.keys())?,
            Some(entra) => preset(&entra.preset)?,
        };
        let audience = match (self.audiences, &self.entra) {
            (None, Some(_)) => None,
            (audiences, _) => {
                let audiences = audiences.unwrap_or_else(|| vec![base_url.to_string()]);
                Some(match self.audience_match {
                    AudienceMatch::Exact => AudiencePolicy::exact(audiences),
                    AudienceMatch::Url => AudiencePolicy::url(audiences),
                })
            }
        };
        for issuer in &mut issuers {
            let settings = &mut issuer.settings;
            if let Some(audience) = &audience {
                settings.audience = Some(audience.clone());
            } else if matches!(self.audience_match, AudienceMatch::Url) {
                settings.audience = settings.audience.take().map(AudiencePolicy::into_urls);
            }
            macro_rules! set {
                ($($setting:ident),*) => {$(
                    if let Some(value) = &self.$setting {
                        settings.$setting = value.clone();
                    }
                )*};
            }
            set!(
                algorithms,
                token_types,
                required_claims,
                roles_claim,
                scope_claims,
                patient_claims,
                leeway
            );
            settings.clients = self.clients.clone().or_else(|| settings.clients.take());
            settings.max_token_age = self.max_token_age.or(settings.max_token_age);
        }
        Ok(issuers)
    }

    /// Whether the file says where the keys are.
    fn has_keys(&self) -> bool {
        self.jwks_file.is_some() || self.jwks_uri.is_some() || self.discovery.is_some()
    }

    #[cfg(feature = "client")]
    fn keys(&self) -> KeyOrigin {
        match &self.jwks_file {
            Some(file) => KeyOrigin::File(file.clone()),
            None => KeyOrigin::Http {
                discovery: self.discovery.clone(),
                jwks_uri: self.jwks_uri.clone(),
            },
        }
    }

    #[cfg(not(feature = "client"))]
    fn keys(&self) -> KeyOrigin {
        // Without a client the reader has insisted on a file.
        KeyOrigin::File(self.jwks_file.clone().unwrap_or_default())
    }
}

/// In which issuers, to which id, which roles.
type Assignment<'a> = (Vec<String>, &'a str, &'a [String]);

#[cfg(feature = "client")]
fn preset(entra: &Entra) -> Result<Vec<TrustedIssuer>, BuildError> {
    entra.issuers()
}

#[cfg(not(feature = "client"))]
fn preset(entra: &Entra) -> Result<Vec<TrustedIssuer>, BuildError> {
    // Without a client the reader has insisted on a file.
    entra.issuers_with_jwks_file(PathBuf::new())
}
