//! The discovery document of an OpenID provider (OpenID Connect Discovery 1.0 section 3).

use std::sync::Arc;

use serde_json::{Map, Value};
use url::Url;

use super::error::KeyError;
use crate::display_safe::sanitize;
use crate::jose::json::{self, Document, JsonError, without_mark};
use crate::secure_url::{self, PlainHttp};

/// A discovery document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProviderMetadata {
    /// The address of the key set.
    pub(crate) jwks_uri: Url,
    /// All members of the document, for those who publish them on.
    pub(crate) members: Map<String, Value>,
}

impl ProviderMetadata {
    /// Reads a document, whose `issuer` must be identical to one of `issuers` (section 4.3). The
    /// algorithms it lists are those of ID tokens and change nothing here.
    pub(crate) fn parse(
        json: &[u8],
        issuers: &[Arc<str>],
        plain_http: &PlainHttp,
    ) -> Result<Self, KeyError> {
        let json = without_mark(json);
        let document = read(json, issuers)?;
        let jwks_uri = address_in(&document, "jwks_uri", plain_http)?
            .ok_or(KeyError::Discovery("expected a string `jwks_uri`"))?;
        let members = serde_json::from_slice(json).unwrap_or_default();
        Ok(Self { jwks_uri, members })
    }
}

/// Reads the address of the introspection endpoint from a document of either kind, if it has one
/// (RFC 8414 section 2).
#[cfg(feature = "client")]
pub(crate) fn endpoint(
    json: &[u8],
    issuers: &[Arc<str>],
    plain_http: &PlainHttp,
) -> Result<Option<Url>, KeyError> {
    address_in(&read(without_mark(json), issuers)?, "introspection_endpoint", plain_http)
}

/// Reads a document, whose `issuer` must be identical to one of `issuers`.
fn read<'a>(json: &'a [u8], issuers: &[Arc<str>]) -> Result<Document<'a>, KeyError> {
    let document = json::string(json).and_then(Document::parse).map_err(|error| match error {
        JsonError::Duplicate => KeyError::Discovery("expected no duplicate member in an object"),
        JsonError::Syntax(_) | JsonError::NotAnObject => {
            KeyError::Discovery("expected a JSON object")
        }
        JsonError::TooMany | JsonError::Depth => {
            KeyError::Discovery("expected a JSON object with fewer members and less nesting")
        }
    })?;
    let found = document.string("issuer").ok().flatten();
    let found = found.ok_or(KeyError::Discovery("expected a string `issuer`"))?;
    if !issuers.iter().any(|issuer| **issuer == *found) {
        let expected = issuers.join(" or ");
        return Err(KeyError::Issuer { expected, found: sanitize(found) });
    }
    Ok(document)
}

/// Returns an address that a document names.
fn address_in(
    document: &Document<'_>,
    name: &str,
    plain_http: &PlainHttp,
) -> Result<Option<Url>, KeyError> {
    let Some(text) = document.string(name).ok().flatten() else {
        return Ok(None);
    };
    let address = secure_url::parse_with(text, plain_http).ok_or_else(|| KeyError::Address {
        address: sanitize(&secure_url::without_user(text)),
        reason: "expected an absolute https URL (http for loopback and `[danger] plain_http` only)",
    })?;
    Ok(Some(address))
}

/// Returns the address of an issuer's document: the issuer without a trailing slash, followed by
/// the well-known path (section 4).
#[cfg(feature = "client")]
pub(crate) fn address(issuer: &str) -> String {
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    format!("{issuer}/.well-known/openid-configuration")
}

/// Returns the address of the metadata of an authorization server: the well-known path between host
/// and path of its name (RFC 8414 section 3).
#[cfg(feature = "client")]
pub(crate) fn address_of_metadata(issuer: &str) -> String {
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    let start = issuer.find("://").map_or(0, |scheme| scheme + 3);
    let path = issuer.get(start..).and_then(|rest| rest.find('/')).map(|at| start + at);
    let (host, path) =
        issuer.split_at_checked(path.unwrap_or(issuer.len())).unwrap_or((issuer, ""));
    format!("{host}/.well-known/oauth-authorization-server{path}")
}

/// Reads a document as a load of keys does, and returns the address of the key set with all members.
/// Fuzz targets have no provider to load it from, and no public function takes one.
///
/// # Errors
///
/// Why the document is refused.
#[cfg(fuzzing)]
pub fn read_discovery(json: &[u8], issuer: &str) -> Result<(Url, Map<String, Value>), KeyError> {
    let found = ProviderMetadata::parse(json, &[issuer.into()], &PlainHttp::default())?;
    Ok((found.jwks_uri, found.members))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://idp.example.org/realms/fhir";

    fn parse(issuer: &str, jwks_uri: &str) -> Result<Url, KeyError> {
        let document = format!(r#"{{"issuer": "{issuer}", "jwks_uri": "{jwks_uri}"}}"#);
        let none = PlainHttp::default();
        ProviderMetadata::parse(document.as_bytes(), &[ISSUER.into()], &none)
            .map(|found| found.jwks_uri)
    }

    #[test]
    fn v1_the_issuer_is_identical_without_any_normalisation() {
        assert!(parse(ISSUER, "https://idp.example.org/keys").is_ok());
        for other in ["https://idp.example.org/realms/fhir/", "https://IDP.example.org/realms/fhir"]
        {
            let error = parse(other, "https://idp.example.org/keys").unwrap_err();
            assert!(matches!(error, KeyError::Issuer { .. }), "{other}");
        }
    }

    #[test]
    fn v2_the_address_is_the_issuer_without_trailing_slash_and_the_well_known_path() {
        let expected = "https://h/a/.well-known/openid-configuration";
        assert_eq!(address("https://h/a"), expected);
        assert_eq!(address("https://h/a/"), expected);
    }

    #[test]
    fn v4_the_jwks_uri_is_absolute_and_https() {
        for bad in ["http://idp.example.org/keys", "/keys", "", "ftp://h/k", "https://h/k#f"] {
            let error = parse(ISSUER, bad).unwrap_err();
            assert!(matches!(error, KeyError::Address { .. }), "{bad}: {error}");
        }
    }

    #[test]
    fn documents_that_are_none_are_refused() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(40), "]".repeat(40));
        for (text, expected) in [
            ("[]", "expected a JSON object"),
            ("", "expected a JSON object"),
            ("<html>", "expected a JSON object"),
            (r#"{"issuer": 5}"#, "expected a string `issuer`"),
            (r#"{"issuer":"a","issuer":"b"}"#, "expected no duplicate member in an object"),
            (&deep, "expected a JSON object with fewer members and less nesting"),
        ] {
            let issuers = [ISSUER.into()];
            let error = ProviderMetadata::parse(text.as_bytes(), &issuers, &PlainHttp::default())
                .unwrap_err();
            assert_eq!(error.to_string(), format!("discovery document: {expected}"), "{text}");
        }
    }

    /// Reads documents of real identity providers; see `.ci/run`.
    #[test]
    fn identity_model_documents_parse_as_their_names_say() {
        let Some(folder) = std::env::var_os("CONFORMANCE_VECTORS") else {
            eprintln!("not run: CONFORMANCE_VECTORS is not set");
            return;
        };
        let folder = std::path::PathBuf::from(folder).join("identitymodel-oidc");
        let entra = "https://sts.windows.net/d062b2b0-9aca-4ff7-b32a-ba47231a4002/";
        let mut seen = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let issuer = match name.as_str() {
                "OpenIdConnectMetadata2" => entra.replace(".net", ".net2"),
                "PingLabs-openid-configuration" => {
                    "https://connect-interop.pinglabs.org:9031".into()
                }
                "google-openid-configuration" => "accounts.google.com".to_owned(),
                name if name.starts_with("OpenIdConnectMetadata") => entra.to_owned(),
                _ => continue,
            };
            seen += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            let parse = |text: &str, issuer: &str| {
                ProviderMetadata::parse(text.as_bytes(), &[issuer.into()], &PlainHttp::default())
            };
            // Their key sets are files beside them, which no server could fetch.
            if name.starts_with("OpenIdConnect") {
                let error = parse(&text, &issuer).unwrap_err();
                assert!(matches!(error, KeyError::Address { .. }), "{name}: {error}");
            }
            let text = ["JsonWebKeySet", "OidcKeySet"].into_iter().fold(text, |text, file| {
                text.replace(&format!("\"{file}"), &format!("\"https://keys.example.org/{file}"))
            });
            let found = parse(&text, &issuer).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(found.members.get("issuer").unwrap(), issuer.as_str());
            let other = parse(&text, "https://other.example.org").unwrap_err();
            assert!(matches!(other, KeyError::Issuer { .. }), "{name}: {other}");
        }
        assert_eq!(seen, 12);
    }
}
