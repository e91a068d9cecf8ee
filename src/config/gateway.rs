//! The sections of the gateway: `[listen]`, `[admin]`, `[cors]` and `[upstream]`.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;

use super::address::loggable;
use super::caller_headers::{self, CallerHeader};
use super::cors::{self, CorsOrigins};
use super::reader::SectionReader;
use super::seal_keys;
use crate::danger::PlainHttp;
use crate::fhir::BaseUrl;

/// The sections of the file that are for the gateway alone. Every program reads them, so that a mistake is
/// found by each.
///
/// ```
/// use tower_fhir_auth::config::{ConfinedBy, GatewayConfig};
///
/// fn describe(gateway: &GatewayConfig) -> String {
///     let confined = gateway.upstream.confine == ConfinedBy::Gateway;
///     format!("{}, answers confined here: {confined}", gateway.listen)
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GatewayConfig {
    /// `[listen] address`, a host and a port.
    pub listen: String,
    /// `[listen] tls`
    pub tls: Option<TlsFiles>,
    /// `[admin] address`, a host and a port.
    pub admin: Option<String>,
    /// `[cors] origins`
    pub cors: CorsOrigins,
    /// `[upstream]`
    pub upstream: UpstreamConfig,
}

/// The files of `[listen] tls`.
///
/// ```
/// use tower_fhir_auth::config::TlsFiles;
///
/// fn asks_for_certificates(tls: Option<&TlsFiles>) -> bool {
///     tls.is_some_and(|tls| tls.client_ca.is_some())
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The certificate with its chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities whose certificates clients may show.
    pub client_ca: Option<PathBuf>,
}

/// `[upstream]`: the upstream server.
///
/// ```
/// use std::time::Duration;
/// use tower_fhir_auth::config::UpstreamConfig;
///
/// let upstream = UpstreamConfig::default();
/// assert_eq!(upstream.url, None);
/// assert_eq!(upstream.timeout, Duration::from_secs(30));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UpstreamConfig {
    /// Its FHIR base.
    pub url: Option<BaseUrl>,
    /// The side that holds answers to what was granted.
    pub confine: ConfinedBy,
    /// The credentials that are sent to it.
    pub authorization: UpstreamAuthorization,
    /// The updates that it is trusted to make conditional.
    pub versions: UpstreamVersions,
    /// The longest wait until its answer begins, and between two parts of it; and for a client that gets on neither
    /// with its request nor with its answer.
    pub timeout: Duration,
    /// The largest body that is inspected, in bytes.
    pub max_body: usize,
    /// The most bytes of all bodies that are looked into at a time.
    pub max_buffered: usize,
    /// The time for which a page link serves.
    pub pages: Duration,
    /// The headers that tell it who the caller is.
    pub headers: Vec<CallerHeader>,
    seal_keys: Vec<SecretBytes>,
}

/// The side that holds answers to what was granted.
///
/// ```
/// use tower_fhir_auth::config::{ConfinedBy, UpstreamConfig};
///
/// fn is_held_to_patients(upstream: &UpstreamConfig) -> bool {
///     upstream.confine != ConfinedBy::Nobody
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfinedBy {
    /// The gateway, answer by answer.
    #[default]
    Gateway,
    /// The upstream server.
    Upstream,
    /// Nobody: what the layer alone cannot decide is refused.
    Nobody,
}

/// The credentials that are sent to the upstream server in `Authorization`.
///
/// ```
/// use http::HeaderValue;
/// use tower_fhir_auth::config::UpstreamAuthorization;
///
/// fn header(setting: &UpstreamAuthorization, received: &HeaderValue) -> Option<HeaderValue> {
///     match setting {
///         UpstreamAuthorization::Relay => Some(received.clone()),
///         UpstreamAuthorization::Literal(value) => Some(value.clone()),
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpstreamAuthorization {
    /// Nothing.
    #[default]
    Drop,
    /// The caller's token, where it was judged.
    Relay,
    /// Credentials of the gateway itself.
    Literal(HeaderValue),
}

/// The types whose resources the upstream server updates only in the version that was judged.
///
/// ```
/// use tower_fhir_auth::config::{UpstreamConfig, UpstreamVersions};
/// use tower_fhir_auth::confine::ConfineSettings;
///
/// fn settings(upstream: &UpstreamConfig) -> ConfineSettings {
///     let settings = ConfineSettings::default().max_body(upstream.max_body);
///     match upstream.versions {
///         UpstreamVersions::Checked => settings.versions_checked(),
///         _ => settings,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpstreamVersions {
    /// The types of which its CapabilityStatement says `versioned-update`.
    #[default]
    Metadata,
    /// All: the operator has checked it.
    Checked,
}

/// Bytes that are not printed.
#[derive(Clone)]
struct SecretBytes(Vec<u8>);

impl UpstreamConfig {
    /// Returns the bytes of the keys that seal page links, each at least 32: the first one seals, and all of
    /// them open. Empty without `seal_key_file`.
    pub fn seal_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.seal_keys.iter().map(|key| key.0.as_slice())
    }
}

impl Default for UpstreamConfig {
    fn default() -> Self {
        Self {
            url: None,
            confine: ConfinedBy::default(),
            authorization: UpstreamAuthorization::default(),
            versions: UpstreamVersions::default(),
            timeout: Duration::from_secs(30),
            max_body: 16 << 20,
            max_buffered: 256 << 20,
            pages: Duration::from_secs(60 * 60),
            headers: Vec::new(),
            seal_keys: Vec::new(),
        }
    }
}

impl std::fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}

/// Reads the sections. `several_issuers` is true where a subject alone may be that of different users.
pub(super) fn read(
    root: &mut SectionReader<'_>,
    plain_http: &PlainHttp,
    several_issuers: bool,
) -> GatewayConfig {
    let (listen, tls) = listen(root);
    let admin = root.table("admin").and_then(|mut admin| {
        let address = socket(&mut admin, "address");
        admin.finish();
        address
    });
    let cors = cors::read(root);
    let upstream = match root.table("upstream") {
        Some(section) => upstream(section, plain_http, several_issuers),
        None => UpstreamConfig::default(),
    };
    let listen = listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    GatewayConfig { listen, tls, admin, cors, upstream }
}

fn listen(root: &mut SectionReader<'_>) -> (Option<String>, Option<TlsFiles>) {
    let Some(mut listen) = root.table("listen") else { return (None, None) };
    let address = socket(&mut listen, "address");
    let tls = listen.table("tls").and_then(|mut tls| {
        for (key, expected) in [("certificate", "a PEM file"), ("key", "a PEM file")] {
            if !tls.has(key) {
                tls.reject(key, format!("is required: expected {expected}"));
            }
        }
        let files = (tls.path("certificate"), tls.path("key"), tls.path("client_ca"));
        tls.finish();
        let (certificate, key, client_ca) = files;
        Some(TlsFiles { certificate: certificate?, key: key?, client_ca })
    });
    listen.finish();
    (address, tls)
}

/// Reads a host and a port to listen at.
fn socket(reader: &mut SectionReader<'_>, key: &'static str) -> Option<String> {
    let text = reader.string(key)?;
    let parts = text.rsplit_once(':');
    if parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
        return Some(text);
    }
    reader.fail(
        key,
        format!("expected a host and a port such as \"127.0.0.1:8080\", found \"{text}\""),
    )
}

fn upstream(
    mut section: SectionReader<'_>,
    plain_http: &PlainHttp,
    several_issuers: bool,
) -> UpstreamConfig {
    let defaults = UpstreamConfig::default();
    let url = section.string("url").and_then(|text| match BaseUrl::parse_with(&text, plain_http) {
        Ok(url) => Some(url),
        Err(expected) => section.fail("url", format!("{expected}, found \"{}\"", loggable(&text))),
    });
    let choices = [
        ("gateway", ConfinedBy::Gateway),
        ("upstream", ConfinedBy::Upstream),
        ("nobody", ConfinedBy::Nobody),
    ];
    let versions =
        [("metadata", UpstreamVersions::Metadata), ("checked", UpstreamVersions::Checked)];
    let read = UpstreamConfig {
        url,
        confine: section.choice("confine", &choices).unwrap_or_default(),
        authorization: authorization(&mut section).unwrap_or_default(),
        versions: section.choice("versions", &versions).unwrap_or_default(),
        timeout: some_time(&mut section, "timeout").unwrap_or(defaults.timeout),
        max_body: some_bytes(&mut section, "max_body").unwrap_or(defaults.max_body),
        max_buffered: some_bytes(&mut section, "max_buffered").unwrap_or(defaults.max_buffered),
        pages: some_time(&mut section, "pages").unwrap_or(defaults.pages),
        headers: caller_headers::read(&mut section, several_issuers),
        seal_keys: seal_keys::read(&mut section).into_iter().map(SecretBytes).collect(),
    };
    check(&section, &read);
    section.finish();
    read
}

/// Checks what depends on more than one key.
fn check(section: &SectionReader<'_>, read: &UpstreamConfig) {
    if read.max_body > read.max_buffered {
        section.reject("max_buffered", "expected no less than `max_body`");
    }
    let is_told = read.authorization == UpstreamAuthorization::Relay
        || caller_headers::name_what_was_granted(&read.headers);
    if read.confine == ConfinedBy::Upstream && !is_told {
        let expected = "expected the upstream server to be told what was granted: `authorization = \"relay\"`, \
                        or `headers` with issuer, patient and scopes";
        section.reject("confine", expected);
    }
}

/// Reads what is sent as `Authorization`. It may be a secret, and is never told.
fn authorization(section: &mut SectionReader<'_>) -> Option<UpstreamAuthorization> {
    let text = section.string("authorization")?;
    let is_credentials = text
        .split_once(' ')
        .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.trim().is_empty());
    match (text.as_str(), HeaderValue::from_str(&text)) {
        ("drop", _) => Some(UpstreamAuthorization::Drop),
        ("relay", _) => Some(UpstreamAuthorization::Relay),
        (_, Ok(mut value)) if is_credentials => {
            value.set_sensitive(true);
            Some(UpstreamAuthorization::Literal(value))
        }
        _ => {
            let expected = "expected drop, relay, or credentials with their scheme, such as \
                            \"Basic ${CREDENTIALS}\"";
            section.fail("authorization", expected)
        }
    }
}

fn some_time(section: &mut SectionReader<'_>, key: &'static str) -> Option<Duration> {
    let time = section.duration(key)?;
    if time.is_zero() { section.fail(key, "expected more than 0s") } else { Some(time) }
}

fn some_bytes(section: &mut SectionReader<'_>, key: &'static str) -> Option<usize> {
    let bytes = section.size(key)?;
    if bytes == 0 { section.fail(key, "expected more than 0") } else { Some(bytes) }
}
