//! The configuration file: TOML, or the same structure in any format that `serde` reads.
//!
//! All errors are reported at once, each with file, key and what was expected. Every key, with its
//! type, its default and an example: [`manual::configuration`](crate::manual::configuration).
//!
//! # Roles
//!
//! `[roles] definitions` is a file in the format of [`RoleDefinitions`], or one of two sets that come
//! with the crate: `builtin:microsoft`, the roles of Microsoft's FHIR server
//! ([`RoleDefinitions::microsoft`]), and `builtin:azure`, those of Azure's service
//! ([`RoleDefinitions::azure`]). Without definitions no role grants anything, and the layer warns at
//! start unless `access` is `scopes`.
//!
//! `roles_claim` of an issuer is the claim that holds roles: one with this whole name, else a dotted
//! path; or a list of the path's names, for names that contain dots. Its value is a string, a list of
//! strings, or an object whose members are roles: those with `true`, or an object or list that is not
//! empty.
//!
//! ```
//! # let config = tower_fhir_auth::config::Config::from_toml(r#"
//! base_url = "https://fhir.example.org/r4"
//! access   = "roles"
//!
//! [[issuers]]
//! issuer      = "https://idp.example.org/realms/fhir"
//! roles_claim = ["resource_access", "fhir.example.org", "roles"]
//!
//! [roles]
//! definitions = "builtin:azure"
//! # "#)?;
//! # Ok::<(), tower_fhir_auth::config::ConfigError>(())
//! ```
//!
//! # Without TLS
//!
//! What is fetched comes over https, or over http from loopback. In a network that nobody else can
//! reach, `[danger] plain_http` names further origins: exactly `http://host[:port]`, which hold for
//! `base_url`, `issuer`, `discovery`, `jwks_uri`, `introspection.endpoint`, `entra.authority`, and what a
//! discovery document names. Each is warned of at start.
//!
//! ```
//! # let config = tower_fhir_auth::config::Config::from_toml(r#"
//! base_url = "https://fhir.example.org/r4"
//!
//! [[issuers]]
//! issuer = "http://keycloak:8080/realms/fhir"
//!
//! [danger]
//! plain_http = ["http://keycloak:8080"]
//! # "#)?;
//! # Ok::<(), tower_fhir_auth::config::ConfigError>(())
//! ```

mod address;
mod assigned;
mod caller_headers;
mod cors;
mod entra;
mod error;
mod file;
mod gateway;
#[cfg(feature = "client")]
mod introspection;
mod issuers;
mod patient;
mod policy;
mod proof_of_possession;
mod reader;
#[cfg(test)]
mod reference;
mod require;
mod seal_keys;

use std::path::Path;

use serde::{Deserialize, Deserializer};
use toml::Table;

pub use caller_headers::{CallerHeader, CallerMember};
pub use cors::CorsOrigins;
pub use error::{ConfigError, Problem};
pub use file::ConfigFile;
pub use gateway::{
    ConfinedBy, GatewayConfig, TlsFiles, UpstreamAuthorization, UpstreamConfig, UpstreamVersions,
};

use self::assigned::AssignedKey;
use self::issuers::IssuerConfig;
use self::policy::{Definitions, OpenPaths, Roles};
use self::reader::{Environment, Problems, SectionReader};
use crate::authentication::{Dpop, MutualTls, SealKey};
use crate::authorization::{
    AccessMode, AccessPolicy, Assignments, Authorizer, IssuerLimits, RoleDefinitions, RolePolicy,
    ScopePolicy, StepUp,
};
use crate::danger::PlainHttp;
use crate::error::BuildError;
use crate::fhir::{BaseUrl, BaseUrlError, PatientCompartment};
use crate::keys::KeySettings;
use crate::metadata::SmartConfiguration;
use crate::middleware::{FhirAuthLayer, FhirAuthLayerBuilder};
use crate::rejection::Disclosure;
use crate::telemetry::log;
use crate::watched_file;

/// A configuration that was read and checked.
///
/// ```
/// use tower_fhir_auth::config::Config;
///
/// let config = Config::from_toml(r#"
///     base_url = "https://fhir.example.org/r4"
///     access = "scopes"
///
///     [[issuers]]
///     issuer = "https://idp.example.org/realms/fhir"
/// "#)?;
/// assert_eq!(config.base_url().path(), "/r4");
///
/// let mistaken = Config::from_toml("base_url = 'https://h/'\nisuers = []").unwrap_err();
/// assert!(mistaken.to_string().contains("unknown key: did you mean `issuers`?"));
/// # Ok::<(), tower_fhir_auth::config::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Config {
    base_url: BaseUrl,
    access: AccessMode,
    disclosure: Disclosure,
    paths: OpenPaths,
    compartment: PatientCompartment,
    issuers: Vec<IssuerConfig>,
    keys: KeySettings,
    roles: Roles,
    smart: SmartConfiguration,
    token_cache_capacity: Option<usize>,
    plain_http: PlainHttp,
    step_up: Vec<StepUp>,
    dpop: Dpop,
    mutual_tls: Option<MutualTls>,
    gateway: GatewayConfig,
}

impl Config {
    /// Reads a file. Relative paths in it are relative to it.
    ///
    /// # Errors
    ///
    /// All errors of the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let text = watched_file::read_string(path)
            .map_err(|error| ConfigError::unreadable(path, &error))?;
        let directory = path.parent().unwrap_or_else(|| Path::new(""));
        let table = parse(&text).map_err(|problem| ConfigError::in_file(path, vec![problem]))?;
        Self::from_table(table, directory, &environment)
            .map_err(|problems| ConfigError::in_file(path, problems))
    }

    /// Reads a TOML string. Relative paths in it are relative to the working directory.
    ///
    /// # Errors
    ///
    /// All errors of the string.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let table = parse(text).map_err(|problem| ConfigError::in_text(vec![problem]))?;
        Self::from_table(table, Path::new(""), &environment).map_err(ConfigError::in_text)
    }

    fn from_table(
        table: Table,
        directory: &Path,
        environment: Environment<'_>,
    ) -> Result<Self, Vec<Problem>> {
        let problems = Problems::default();
        let read = Self::read(table, directory, environment, &problems);
        match (read, problems.into_vec()) {
            (Some(config), problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(problems),
        }
    }

    fn read(
        table: Table,
        directory: &Path,
        environment: Environment<'_>,
        problems: &Problems,
    ) -> Option<Self> {
        let mut root = SectionReader::root(table, directory, environment, problems);
        let plain_http = address::plain_http(&mut root);
        let base_url =
            root.required("base_url", "an https URL such as \"https://fhir.example.org/r4\"");
        let base_url = base_url.and_then(|text| match BaseUrl::parse_with(&text, &plain_http) {
            Ok(base_url) => Some(base_url),
            Err(expected) => {
                let found = address::loggable(&text);
                root.fail("base_url", format!("{expected}, found \"{found}\""))
            }
        });
        let access = policy::access(&mut root);
        let disclosure = policy::disclosure(&mut root);
        let paths = policy::open_paths(&mut root, base_url.as_ref());
        let compartment = patient::read(&mut root);
        let keys = policy::keys(&mut root);
        let token_cache_capacity = policy::cache(&mut root);
        let smart = policy::smart(&mut root, access);
        let issuers = issuers::read_all(&mut root, &plain_http);
        let roles = policy::roles(&mut root, &issuers);
        let several = issuers.len() > 1 || issuers.iter().any(IssuerConfig::has_several_tenants);
        let gateway = gateway::read(&mut root, &plain_http, several);
        let step_up = require::read_all(&mut root);
        let dpop = proof_of_possession::dpop(&mut root);
        let mutual_tls = proof_of_possession::mtls(&mut root);
        root.finish();
        Some(Self {
            base_url: base_url?,
            access,
            disclosure,
            paths,
            compartment,
            issuers,
            keys,
            roles,
            smart,
            token_cache_capacity,
            plain_http,
            step_up,
            dpop,
            mutual_tls,
            gateway,
        })
    }

    /// Returns the base URL, by which clients address the API.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        &self.base_url
    }

    /// Returns the origins that may be reached without TLS, beside loopback.
    #[must_use]
    pub fn plain_http(&self) -> &PlainHttp {
        &self.plain_http
    }

    /// Returns the sections that are for the gateway alone.
    #[must_use]
    pub fn gateway(&self) -> &GatewayConfig {
        &self.gateway
    }

    /// Puts another FHIR base of the upstream server in the place of `[upstream] url`.
    ///
    /// ```
    /// use tower_fhir_auth::config::Config;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = Config::from_toml(r#"
    ///     base_url = "https://fhir.example.org/r4"
    ///     access   = "scopes"
    ///
    ///     [[issuers]]
    ///     issuer = "https://idp.example.org"
    /// "#)?;
    /// // Of a command line.
    /// let config = config.with_upstream_url("http://127.0.0.1:8081/fhir")?;
    /// assert!(config.gateway().upstream.url.is_some());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it is none that the file may name.
    pub fn with_upstream_url(mut self, url: &str) -> Result<Self, BaseUrlError> {
        self.gateway.upstream.url = Some(BaseUrl::parse_with(url, &self.plain_http)?);
        Ok(self)
    }

    /// Returns the access mode: the grants that a request needs.
    #[must_use]
    pub fn access(&self) -> AccessMode {
        self.access
    }

    /// Makes the policy of the file's role definitions and assignments. Without definitions no role
    /// grants anything.
    ///
    /// # Errors
    ///
    /// When their file has become unreadable since, or there is no tokio runtime.
    pub fn roles(&self) -> Result<RolePolicy, BuildError> {
        let policy = match &self.roles.definitions {
            Some(Definitions::File(path)) => RolePolicy::from_file(path)?,
            Some(Definitions::BuiltIn(roles)) => RolePolicy::new(roles.clone()),
            None => RolePolicy::new(RoleDefinitions::default()),
        };
        let mut assignments = Assignments::new();
        // With several issuers the only assignments are those of each issuer.
        let shared = self.issuers.iter().flat_map(|issuer| {
            self.roles.assign.iter().filter_map(|assigned| issuer.assignment(assigned).ok())
        });
        let own = self.issuers.iter().flat_map(IssuerConfig::assigned).filter_map(Result::ok);
        for (issuers, caller, roles) in shared.chain(own) {
            for issuer in issuers {
                assignments = assignments.assign(issuer, caller.clone(), roles.iter().cloned());
            }
        }
        let mut conditions = self.roles.when.iter().cloned();
        conditions.try_fold(policy.assignments(assignments), |policy, (role, condition)| {
            policy.role_counts_when(role, condition)
        })
    }

    /// Makes the policy of the file's access mode.
    ///
    /// # Errors
    ///
    /// As [`roles`](Self::roles).
    pub fn policy(&self) -> Result<AccessPolicy, BuildError> {
        Ok(AccessPolicy::new(self.access, self.roles()?, ScopePolicy::new()))
    }

    /// Returns the limits of issuers, where one has `limits`.
    fn limits(&self) -> Option<IssuerLimits> {
        let limited = self.issuers.iter().filter_map(|issuer| Some((issuer, issuer.limits()?)));
        let names = limited.flat_map(|(issuer, actions)| {
            issuer.names().into_iter().map(move |name| (name, actions.iter().copied()))
        });
        names.fold(None, |limits, (name, actions)| {
            Some(limits.unwrap_or_default().allow(name, actions))
        })
    }

    fn assigned_keys(&self) -> impl Iterator<Item = &AssignedKey> {
        let own = self.issuers.iter().flat_map(IssuerConfig::assigned_keys);
        self.roles.assign.iter().map(|(key, _)| key).chain(own)
    }

    /// Makes a builder of the layer with all settings of the file. `authorizer` is mostly
    /// [`policy`](Self::policy). The `limits` of issuers hold whatever it grants.
    ///
    /// # Errors
    ///
    /// When a preset of the file has values that it cannot use.
    ///
    /// ```no_run
    /// use tower_fhir_auth::Enforcement;
    /// use tower_fhir_auth::config::Config;
    ///
    /// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = Config::from_file("auth.toml")?;
    /// let policy = config.policy()?;
    /// let layer = config.layer(policy)?.handlers_enforce(Enforcement::BUNDLE_ENTRIES).build()?;
    /// # Ok(()) }
    /// ```
    pub fn layer(self, authorizer: impl Authorizer) -> Result<FhirAuthLayerBuilder, BuildError> {
        self.assigned_keys().for_each(AssignedKey::warn_if_ambiguous);
        if self.access == AccessMode::Microsoft {
            log::warn!(
                "access mode `microsoft`: a Practitioner is not confined to a compartment, unlike in \
                 Microsoft's server"
            );
        }
        let seal_keys = self.gateway.upstream.seal_keys().filter_map(|key| SealKey::new(key).ok());
        let seal_keys = Vec::from_iter(seal_keys);
        // Where clients are asked for certificates, tokens may be bound to them.
        let asks_for_certificates =
            self.gateway.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
        let mutual_tls = self
            .mutual_tls
            .clone()
            .or_else(|| asks_for_certificates.then(MutualTls::of_connections));
        let builder = FhirAuthLayer::builder(self.base_url.as_str());
        let builder = match self.limits() {
            None => builder.authorizer(authorizer),
            Some(limits) => builder.authorizer(authorizer.and(limits)),
        };
        let mut builder = builder
            .disclosure(self.disclosure)
            .patient_compartment(self.compartment)
            .smart_configuration(self.smart)
            .plain_http(self.plain_http)
            .dpop(self.dpop.seal_keys(seal_keys));
        builder = self.step_up.into_iter().fold(builder, FhirAuthLayerBuilder::step_up);
        if let Some(mutual_tls) = mutual_tls {
            builder = builder.mutual_tls(mutual_tls);
        }
        if let Some(tokens) = self.token_cache_capacity {
            builder = builder.token_cache_capacity(tokens);
        }
        builder = builder.optional(self.paths.optional).public_outside(self.paths.public_outside);
        if let Some(public) = self.paths.public {
            builder = builder.public(public);
        }
        for issuer in self.issuers {
            for trusted in issuer.trusted(&self.base_url)? {
                builder = builder.issuer(trusted.key_settings(self.keys.clone()));
            }
        }
        Ok(builder)
    }
}

impl<'de> Deserialize<'de> for Config {
    /// Reads from any format. Relative paths are relative to the working directory.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let table = Table::deserialize(deserializer)?;
        Self::from_table(table, Path::new(""), &environment)
            .map_err(|problems| serde::de::Error::custom(ConfigError::in_text(problems)))
    }
}

fn parse(text: &str) -> Result<Table, Problem> {
    text.parse::<Table>().map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Problem::new(format!("line {line}"), format!("expected TOML: {}", error.message()))
    })
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
