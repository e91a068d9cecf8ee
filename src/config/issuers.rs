//! The `[[issuers]]` of the file.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use super::address::{address, loggable};
use super::assigned::{Assigned, AssignedKey, assignments};
use super::entra::{self, EntraConfig};
#[cfg(feature = "client")]
use super::introspection;
use super::proof_of_possession;
use super::reader::SectionReader;
#[cfg(feature = "client")]
use crate::authentication::Introspection;
use crate::authentication::roles_claim::RolesClaim;
use crate::authentication::{AudiencePolicy, SenderConstraint, TrustedIssuer, issuer};
use crate::authorization::{CallerId, DataAction};
use crate::danger::PlainHttp;
use crate::error::BuildError;
use crate::fhir::BaseUrl;
use crate::jose::{Algorithm, KeyPolicy};
use crate::keys::{FileKeySource, KeyOrigin};
use crate::secure_url;

/// The comparison of `aud` with the accepted audiences.
#[derive(Clone, Copy, Debug, Default)]
enum AudienceMatch {
    #[default]
    Exact,
    Url,
}

/// One issuer, with only the settings that the file has for it.
#[derive(Debug, Default)]
pub(crate) struct IssuerConfig {
    /// The name; empty where the preset provides it.
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
    roles_claim: Option<RolesClaim>,
    scope_claims: Option<Vec<String>>,
    patient_claims: Option<Vec<String>>,
    leeway: Option<Duration>,
    max_token_age: Option<Duration>,
    sender_constraint: Option<SenderConstraint>,
    advertise: Option<bool>,
    limits: Option<Vec<DataAction>>,
    assign: Assigned,
    #[cfg(feature = "client")]
    introspection: Option<Introspection>,
}

const MATCHES: [(&str, AudienceMatch); 2] =
    [("exact", AudienceMatch::Exact), ("url", AudienceMatch::Url)];

pub(crate) fn read_all(root: &mut SectionReader<'_>, plain_http: &PlainHttp) -> Vec<IssuerConfig> {
    let present = root.has("issuers");
    let readers = root.tables("issuers").unwrap_or_default();
    if readers.is_empty() && !present {
        root.reject("issuers", "is required: expected at least one [[issuers]]");
    } else if readers.is_empty() {
        root.reject("issuers", "expected at least one [[issuers]]");
    }
    let mut names = HashSet::new();
    let mut issuers = Vec::with_capacity(readers.len());
    #[cfg(feature = "client")]
    let mut of_opaque_tokens = None;
    for mut reader in readers {
        let issuer = read(&mut reader, plain_http);
        #[cfg(feature = "client")]
        issuer.is_alone_with_opaque_tokens(&reader, &mut of_opaque_tokens);
        for name in issuer.names() {
            if !names.insert(name.clone()) {
                let message =
                    format!("expected each issuer once, found `{}` twice", loggable(&name));
                reader.reject("issuer", message);
            }
        }
        issuers.push(issuer);
        reader.finish();
    }
    issuers
}

fn read(reader: &mut SectionReader<'_>, plain_http: &PlainHttp) -> IssuerConfig {
    let issuer = name(reader);
    let entra = entra::read(reader, plain_http);
    let jwks_file = reader.path("jwks_file");
    let config = IssuerConfig {
        issuer: issuer.unwrap_or_default(),
        entra,
        audiences: reader.non_empty_strings("audiences"),
        audience_match: reader.choice("audience_match", &MATCHES).unwrap_or_default(),
        discovery: address(reader, "discovery", plain_http),
        jwks_uri: address(reader, "jwks_uri", plain_http),
        algorithms: algorithms(reader),
        token_types: token_types(reader),
        required_claims: reader.strings("required_claims"),
        clients: reader.non_empty_strings("clients"),
        roles_claim: roles_claim(reader),
        scope_claims: reader.non_empty_strings("scope_claims"),
        patient_claims: reader.non_empty_strings("patient_claims"),
        leeway: reader.duration("leeway"),
        max_token_age: reader.duration("max_token_age"),
        sender_constraint: proof_of_possession::sender_constraint(reader),
        advertise: reader.flag("advertise"),
        limits: limits(reader),
        assign: reader.table("assign").map(assignments).unwrap_or_default(),
        jwks_file,
        #[cfg(feature = "client")]
        introspection: None,
    };
    #[cfg(feature = "client")]
    let config = config.introspected(reader, plain_http);
    #[cfg(not(feature = "client"))]
    if reader.table("introspection").is_some() {
        reader.reject("introspection", "expected nothing: this build has no HTTP client");
    }
    if config.leeway.is_some_and(|leeway| leeway > Duration::from_secs(600)) {
        reader.reject("leeway", "expected at most 10m");
    }
    keys_come_from_one_place(reader, &config, plain_http);
    if let Some(fault) = config.fault_beside_the_preset() {
        reader.reject("issuer", fault);
    }
    if let Some(fault) = config.assigned().find_map(Result::err) {
        reader.reject("assign", fault);
    }
    config
}

/// Reads the name of the issuer, which a preset may provide.
fn name(reader: &mut SectionReader<'_>) -> Option<String> {
    let issuer = if reader.has("entra") {
        reader.string("issuer")
    } else {
        reader.required("issuer", "the exact value of `iss`")
    };
    if let Some(name) = issuer.as_deref().filter(|name| !issuer::is_name(name)) {
        let expected = "expected the exact value of `iss`, 1 to 512 characters without control \
                        characters";
        reader.reject("issuer", format!("{expected}, found \"{}\"", loggable(name)));
    }
    if issuer.as_deref().is_some_and(is_of_all_tenants) {
        let expected = "expected the issuer of one tenant, by its id: no token names all tenants; \
                        see `entra.tenant` and `entra.allowed_tenants`";
        reader.reject("issuer", expected);
    }
    issuer
}

/// Checks that keys come from the network or from a file, and that the issuer's name fits.
fn keys_come_from_one_place(
    reader: &SectionReader<'_>,
    config: &IssuerConfig,
    plain_http: &PlainHttp,
) {
    let reject = |key: &str, message: String| {
        reader.reject(key, message);
    };
    if let Some(path) = &config.jwks_file {
        if config.jwks_uri.is_some() || config.discovery.is_some() {
            reject("jwks_file", "expected either a file or URLs, found both".to_owned());
        }
        if let Err(error) = FileKeySource::open(path.clone(), KeyPolicy::default()) {
            let expected = "expected a readable key set with at least one usable key";
            reject("jwks_file", format!("{expected}: {error}"));
        }
    } else if !cfg!(feature = "client") {
        reject("jwks_file", "is required: this build has no HTTP client".to_owned());
    }
    // A name that is only compared with `iss` may be any string.
    let discovered = config.jwks_file.is_none() && config.jwks_uri.is_none();
    if discovered && issuer::is_name(&config.issuer) && !is_issuer_url(&config.issuer, plain_http) {
        let expected = "expected an https URL (http for loopback and `[danger] plain_http` only) \
                        without query or fragment";
        reject("issuer", format!("{expected}, found \"{}\"", loggable(&config.issuer)));
    }
}

/// Reports whether a name is one of Microsoft Entra ID that stands for tenants together: discovery has
/// it, and no token.
fn is_of_all_tenants(issuer: &str) -> bool {
    let hosts = ["https://login.microsoftonline.", "https://sts.windows.net/"];
    let is_entra = hosts.iter().any(|host| issuer.starts_with(host));
    is_entra
        && issuer.split('/').any(|part| matches!(part, "common" | "organizations" | "consumers"))
}

fn is_issuer_url(text: &str, plain_http: &PlainHttp) -> bool {
    secure_url::parse_with(text, plain_http).is_some_and(|url| url.query().is_none())
}

fn algorithms(reader: &mut SectionReader<'_>) -> Option<Vec<Algorithm>> {
    let names = reader.non_empty_strings("algorithms")?;
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

/// Reads `limits`, the most that callers of an issuer may do. `smart` is a mark and grants nothing.
fn limits(reader: &mut SectionReader<'_>) -> Option<Vec<DataAction>> {
    let rights = DataAction::ALL.iter().filter(|action| **action != DataAction::Smart);
    let names = reader.non_empty_strings("limits")?;
    let mut limits = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        match rights.clone().find(|action| action.name() == name) {
            Some(action) => limits.push(*action),
            None => {
                let known: Vec<&str> = rights.clone().map(|action| action.name()).collect();
                let message = format!("expected one of {}; found \"{name}\"", known.join(", "));
                reader.reject(&format!("limits[{index}]"), message);
            }
        }
    }
    Some(limits)
}

/// Reads the claim that holds roles: its name or dotted path, or the names of a path one by one.
fn roles_claim(reader: &mut SectionReader<'_>) -> Option<RolesClaim> {
    if reader.is_array("roles_claim") {
        return reader.non_empty_strings("roles_claim").map(RolesClaim::path);
    }
    match reader.string("roles_claim")? {
        empty if empty.is_empty() => reader.fail("roles_claim", "expected the name of a claim"),
        name => Some(RolesClaim::named(name)),
    }
}

fn token_types(reader: &mut SectionReader<'_>) -> Option<Vec<String>> {
    let types = reader.strings("token_types")?;
    if types.is_empty() {
        return reader.fail("token_types", "expected at least one, \"\" for none in the token");
    }
    Some(types)
}

impl IssuerConfig {
    /// Returns the names of its issuers: one, or those of the preset.
    pub(crate) fn names(&self) -> Vec<String> {
        match &self.entra {
            Some(entra) if self.issuer.is_empty() => entra.names(),
            _ if self.issuer.is_empty() => Vec::new(),
            _ => vec![self.issuer.clone()],
        }
    }

    /// Adds how the provider is asked about tokens.
    #[cfg(feature = "client")]
    fn introspected(mut self, reader: &mut SectionReader<'_>, plain_http: &PlainHttp) -> Self {
        let names = self.names();
        let name = names.first().map(String::as_str).unwrap_or_default();
        let discovery = self.discovery.as_deref();
        let is_discoverable = introspection::is_discoverable(name, discovery, plain_http);
        self.introspection = introspection::read(reader, is_discoverable, plain_http);
        self
    }

    /// Rejects a second issuer that is to be asked about opaque tokens, which do not say whose they
    /// are.
    #[cfg(feature = "client")]
    fn is_alone_with_opaque_tokens(&self, reader: &SectionReader<'_>, taken: &mut Option<String>) {
        if !self.introspection.as_ref().is_some_and(Introspection::is_of_opaque_tokens) {
            return;
        }
        for name in self.names() {
            match taken.as_deref() {
                None => *taken = Some(name),
                Some(first) => {
                    let (first, second) = (loggable(first), loggable(&name));
                    let message = format!(
                        "expected one issuer with `when = \"opaque\"`, found `{first}` and `{second}`: a \
                         token that is no JWS does not say whose it is"
                    );
                    return reader.reject("introspection", message);
                }
            }
        }
    }

    /// Diagnoses a name beside the preset: it can choose one of the preset's own issuers and no
    /// other, whose keys and tenant would not be checked.
    fn fault_beside_the_preset(&self) -> Option<String> {
        let own = self.entra.as_ref()?.names();
        let is_own = self.issuer.is_empty() || own.contains(&self.issuer);
        let expected = "expected one of the tenant's own issuers";
        (!is_own).then(|| {
            format!("{expected}, {}, found \"{}\"", own.join(" or "), loggable(&self.issuer))
        })
    }

    /// Reports whether it is a preset that trusts more than one tenant.
    pub(crate) fn has_several_tenants(&self) -> bool {
        self.entra.as_ref().is_some_and(|entra| entra.tenants().len() > 1)
    }

    /// Returns the most that its callers may do, where there is a limit.
    pub(crate) fn limits(&self) -> Option<&[DataAction]> {
        self.limits.as_deref()
    }

    /// Returns the role assignments of the issuer.
    pub(crate) fn assigned(&self) -> impl Iterator<Item = Result<Assignment<'_>, String>> {
        self.assign.iter().map(|assigned| self.assignment(assigned))
    }

    /// Returns the keys of its assignments.
    pub(crate) fn assigned_keys(&self) -> impl Iterator<Item = &AssignedKey> {
        self.assign.iter().map(|(key, _)| key)
    }

    /// Returns one assignment: issuers, caller and roles. Where several tenants are allowed, its
    /// key begins with the tenant; where there is one, it may.
    pub(crate) fn assignment<'a>(
        &self,
        (key, roles): &'a (AssignedKey, Vec<String>),
    ) -> Result<Assignment<'a>, String> {
        let AssignedKey { text, tenant, caller } = key;
        let Some(entra) = &self.entra else {
            return match tenant {
                None => Ok((self.names(), caller, roles)),
                Some(_) => Err(format!(
                    "expected no tenant in the key, since this issuer has none; a subject that \
                     looks like one is written as `sub:{text}`"
                )),
            };
        };
        let issuers = match tenant {
            Some(tenant) => {
                let is_tenant = |allowed: &&String| allowed.eq_ignore_ascii_case(tenant);
                entra.tenants().iter().find(is_tenant).map(|tenant| entra.names_of(tenant).to_vec())
            }
            // With one tenant, the id alone is unambiguous.
            None => (entra.tenants().len() == 1).then(|| self.names()),
        };
        match issuers {
            Some(issuers) => Ok((issuers, caller, roles)),
            None => Err(format!("expected `<tid>/<id>` with an allowed tenant, found \"{text}\"")),
        }
    }

    /// Makes the issuers with the settings of the file, each of which replaces only that one value
    /// of a preset. Without audiences the base URL is the only one, in addition to those of a
    /// preset.
    pub(crate) fn trusted(self, base_url: &BaseUrl) -> Result<Vec<TrustedIssuer>, BuildError> {
        let mut issuers = match &self.entra {
            None => vec![TrustedIssuer::new(self.issuer.as_str(), self.keys())],
            Some(entra) => {
                let mut issuers = entra.issuers(self.has_keys().then(|| self.keys()))?;
                issuers.retain(|one| self.issuer.is_empty() || one.name() == self.issuer);
                issuers
            }
        };
        let is_url = matches!(self.audience_match, AudienceMatch::Url);
        let audiences = match (self.audiences, &self.entra) {
            (None, Some(_)) => None,
            (None, None) => Some(vec![base_url.to_string()]),
            (audiences, _) => audiences,
        };
        for issuer in &mut issuers {
            let settings = &mut issuer.settings;
            settings.audience = audiences.clone().map(AudiencePolicy::exact);
            if is_url {
                for policy in [&mut settings.audience, &mut settings.preset_audience] {
                    *policy = policy.take().map(AudiencePolicy::into_urls);
                }
            }
            macro_rules! set {
                ($($setting:ident),*) => {$(
                    if let Some(value) = &self.$setting {
                        settings.$setting = value.clone();
                    }
                )*};
            }
            set!(algorithms, token_types, required_claims, roles_claim, scope_claims, leeway);
            set!(sender_constraint);
            if let Some(names) = &self.patient_claims {
                settings.patient_claims = names.clone().into();
            }
            settings.clients = self.clients.clone().or_else(|| settings.clients.take());
            settings.max_token_age = self.max_token_age.or(settings.max_token_age);
            settings.advertised.said = self.advertise;
        }
        #[cfg(feature = "client")]
        if let Some(introspection) = self.introspection {
            let add = |one: TrustedIssuer| one.introspection(introspection.clone());
            issuers = issuers.into_iter().map(add).collect();
        }
        Ok(issuers)
    }

    /// Reports whether the file names a source of the keys.
    fn has_keys(&self) -> bool {
        self.jwks_file.is_some() || self.jwks_uri.is_some() || self.discovery.is_some()
    }

    #[cfg(feature = "client")]
    fn keys(&self) -> KeyOrigin {
        match &self.jwks_file {
            Some(file) => KeyOrigin::File(file.clone()),
            None => KeyOrigin::OpenId {
                discovery: self.discovery.clone(),
                jwks_uri: self.jwks_uri.clone(),
            },
        }
    }

    #[cfg(not(feature = "client"))]
    fn keys(&self) -> KeyOrigin {
        // Without the `client` feature the reader requires a file.
        KeyOrigin::File(self.jwks_file.clone().unwrap_or_default())
    }
}

/// An assignment: issuers, caller, roles.
type Assignment<'a> = (Vec<String>, &'a CallerId, &'a [String]);
