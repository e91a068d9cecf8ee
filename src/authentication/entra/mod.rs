//! Microsoft Entra ID: both versions of its tokens, of one tenant or of several.
//!
//! [`checks`] holds what is checked of its tokens beyond the standards, [`claims`] and [`caller_kind`] what only its
//! tokens say, [`cloud`] the names of its hosts.
//!
//! Facts: Microsoft identity platform, "Access tokens", "Access token claims reference" and
//! "National clouds".

mod caller_kind;
pub(crate) mod checks;
pub(super) mod claims;
mod cloud;
#[cfg(feature = "client")]
mod customers;

use std::path::PathBuf;
use std::sync::Arc;

pub use self::caller_kind::CallerKind;
pub use self::cloud::EntraCloud;
#[cfg(feature = "client")]
pub use self::customers::EntraCustomers;

use self::cloud::Version;
use crate::authentication::audience::AudiencePolicy;
use crate::authentication::issuer::{Tenant, TrustedIssuer};
use crate::error::BuildError;
use crate::jose::ExpectedKeyIssuer;
use crate::keys::{KeyOrigin, KeyPlan};

/// Trusts Microsoft Entra ID: makes the [`TrustedIssuer`]s of a tenant, or of several.
///
/// The version of a token is chosen by the manifest of the API it is for
/// (`accessTokenAcceptedVersion`), not by the address it was asked for at, so that both are
/// accepted, each from its own issuer and with its own audience:
///
/// | | v1.0 | v2.0 |
/// |---|---|---|
/// | `iss` | `https://sts.windows.net/{tid}/` | `https://login.microsoftonline.com/{tid}/v2.0` |
/// | `aud` | the application id, `api://` and it, an identifier URI | the application id |
///
/// ```
/// use tower_fhir_auth::{Entra, FhirAuthLayer, authenticated};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tenant = "11111111-2222-3333-4444-555555555555";
/// let application = "66666666-7777-8888-9999-000000000000";
/// let entra = Entra::tenant(tenant, application).identifier_uri("https://fhir.example.org/r4");
/// let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
///     .entra(entra)
///     .authorizer(authenticated())
///     .build()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Entra {
    tenants: Vec<String>,
    /// The path segment that stands for all tenants: a tenant's own, or `organizations`.
    endpoint: String,
    application: String,
    identifier_uris: Vec<String>,
    cloud: EntraCloud,
    #[cfg(feature = "client")]
    authority: Option<String>,
    #[cfg(feature = "client")]
    custom_signing_keys: bool,
}

/// The placeholder for a tenant in templates of issuers.
const TEMPLATE: &str = "{tenantid}";

impl Entra {
    /// Trusts one tenant, by its id, for the API with this application id (client id).
    pub fn tenant(tenant: impl Into<String>, application: impl Into<String>) -> Self {
        let tenant = tenant.into();
        Self {
            endpoint: tenant.clone(),
            tenants: vec![tenant],
            application: application.into(),
            identifier_uris: Vec::new(),
            cloud: EntraCloud::Global,
            #[cfg(feature = "client")]
            authority: None,
            #[cfg(feature = "client")]
            custom_signing_keys: false,
        }
    }

    /// Trusts several tenants, each by its id, for an API that is registered for the accounts of
    /// any organization. No other tenant is trusted.
    ///
    /// ```
    /// use tower_fhir_auth::Entra;
    ///
    /// let entra = Entra::tenants(
    ///     ["11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"],
    ///     "66666666-7777-8888-9999-000000000000",
    /// );
    /// assert_eq!(entra.issuers()?.len(), 4); // both versions of each
    /// # Ok::<(), tower_fhir_auth::BuildError>(())
    /// ```
    pub fn tenants<T: Into<String>>(
        tenants: impl IntoIterator<Item = T>,
        application: impl Into<String>,
    ) -> Self {
        let tenants = tenants.into_iter().map(Into::into).collect();
        Self { tenants, ..Self::tenant("organizations", application) }
    }

    /// Accepts a further audience in tokens of version 1.0: an identifier URI (application ID URI)
    /// of the API. Those of version 2.0 always name the application id.
    pub fn identifier_uri(mut self, uri: impl Into<String>) -> Self {
        self.identifier_uris.push(uri.into());
        self
    }

    /// Sets the cloud that the tenants are in. Default: the worldwide one.
    pub fn cloud(mut self, cloud: EntraCloud) -> Self {
        self.cloud = cloud;
        self
    }

    /// Fetches discovery documents from another address than the cloud's login host, for example
    /// through a proxy. The issuers that are accepted stay the cloud's.
    ///
    /// ```
    /// use tower_fhir_auth::Entra;
    ///
    /// let entra = Entra::tenant(
    ///     "11111111-2222-3333-4444-555555555555",
    ///     "66666666-7777-8888-9999-000000000000",
    /// )
    /// .authority("https://login.internal.example.org"); // a mirror of its documents
    /// ```
    #[cfg(feature = "client")]
    pub fn authority(mut self, authority: impl Into<String>) -> Self {
        self.authority = Some(authority.into());
        self
    }

    /// Sets whether the application has signing keys of its own (claims mapping): then its metadata
    /// are requested with `?appid=`. Default: no.
    #[cfg(feature = "client")]
    pub fn custom_signing_keys(mut self, custom: bool) -> Self {
        self.custom_signing_keys = custom;
        self
    }

    /// Makes the issuers: two of each tenant. Settings that are to differ from the preset are made
    /// on each of them, and replace that one value: the requirements on tenant, cloud and keys
    /// stay, and [`audience`](TrustedIssuer::audience) adds to the preset's. Without such settings
    /// [`FhirAuthLayerBuilder::entra`](crate::FhirAuthLayerBuilder::entra) is shorter.
    ///
    /// # Errors
    ///
    /// [`BuildError::Entra`] for ids that are not GUIDs, or no tenant.
    #[cfg(feature = "client")]
    pub fn issuers(&self) -> Result<Vec<TrustedIssuer>, BuildError> {
        let origins = [Version::One, Version::Two].map(|version| {
            let discovery = Some(self.discovery(version));
            (version, KeyOrigin::OpenId { discovery, jwks_uri: None })
        });
        let shared = origins.map(|(version, origin)| (version, self.shared(version, origin)));
        self.issuers_with(|version| match (version, &shared) {
            (Version::One, [(_, one), _]) => Arc::clone(one),
            (Version::Two, [_, (_, two)]) => Arc::clone(two),
        })
    }

    /// Makes the issuers with the keys of a file, without any network.
    ///
    /// # Errors
    ///
    /// [`BuildError::Entra`] for ids that are not GUIDs, or no tenant.
    pub fn issuers_with_jwks_file(
        &self,
        path: impl Into<PathBuf>,
    ) -> Result<Vec<TrustedIssuer>, BuildError> {
        self.issuers_with_keys(KeyOrigin::File(path.into()))
    }

    /// Makes the issuers with keys that come from one place for both versions.
    pub(crate) fn issuers_with_keys(
        &self,
        origin: KeyOrigin,
    ) -> Result<Vec<TrustedIssuer>, BuildError> {
        let both = [Version::One, Version::Two].map(|version| self.documented(version));
        let shared = KeyPlan::new(self.name(Version::Two), both.to_vec(), origin);
        self.issuers_with(|_| Arc::clone(&shared))
    }

    /// Returns the names of the issuers of a tenant.
    #[cfg(feature = "config")]
    pub(crate) fn names_of(&self, tenant: &str) -> [String; 2] {
        let tenant = tenant.to_ascii_lowercase();
        [Version::One, Version::Two].map(|version| self.cloud.issuer(version, &tenant))
    }

    fn issuers_with(
        &self,
        keys: impl Fn(Version) -> Arc<KeyPlan>,
    ) -> Result<Vec<TrustedIssuer>, BuildError> {
        self.check()?;
        let mut issuers = Vec::with_capacity(self.tenants.len() * 2);
        let block: Arc<str> = self.name(Version::Two).into();
        for tenant in &self.tenants {
            let id = tenant.to_ascii_lowercase();
            let names = [Version::One, Version::Two].map(|version| self.cloud.issuer(version, &id));
            let expected = ExpectedKeyIssuer {
                tenant: id.clone(),
                issuers: names.to_vec(),
                cloud: self.cloud.instance(),
            };
            // Whichever version a token is, apps are sent to the same place.
            let [_, advertised] = names.clone().map(Arc::from);
            // Version 2.0 first: apps are given its metadata.
            for (version, name) in [Version::One, Version::Two].into_iter().zip(names).rev() {
                let mut issuer = TrustedIssuer::sharing(name.into(), keys(version))
                    .of_entra(self.audience(version));
                let settings = &mut issuer.settings;
                settings.tenant = Some(Tenant {
                    id: id.clone(),
                    keys: expected.clone(),
                    authorization_uri: self.cloud.authorization_uri(&id),
                });
                settings.advertised.block = Arc::clone(&block);
                settings.advertised.name = Arc::clone(&advertised);
                issuers.push(issuer);
            }
        }
        Ok(issuers)
    }

    fn check(&self) -> Result<(), BuildError> {
        let fault = |setting, found: &str, expected| {
            Err(BuildError::Entra { setting, found: found.to_owned(), expected })
        };
        if !is_guid(&self.application) {
            return fault("application id", &self.application, "a GUID");
        }
        match self.tenants.iter().find(|tenant| !is_guid(tenant)) {
            Some(tenant) => return fault("tenant", tenant, "a tenant id (GUID)"),
            None if self.tenants.is_empty() => {
                return fault("tenants", "", "at least one tenant to trust");
            }
            None => {}
        }
        Ok(())
    }

    fn audience(&self, version: Version) -> AudiencePolicy {
        let id = AudiencePolicy::exact([self.application.as_str()]);
        match version {
            Version::One => id
                .or(AudiencePolicy::exact([format!("api://{}", self.application)]))
                .or(AudiencePolicy::exact(self.identifier_uris.clone())),
            Version::Two => id,
        }
    }

    #[cfg(feature = "client")]
    fn shared(&self, version: Version, origin: KeyOrigin) -> Arc<KeyPlan> {
        KeyPlan::new(self.name(version), vec![self.documented(version)], origin)
    }

    /// Returns the `issuer` of the discovery document: that of a tenant, or the template. For
    /// version 1.0 it is not the address of the document.
    fn documented(&self, version: Version) -> Arc<str> {
        self.cloud.issuer(version, &self.documented_tenant()).into()
    }

    fn documented_tenant(&self) -> String {
        let is_tenant = is_guid(&self.endpoint);
        if is_tenant { self.endpoint.to_ascii_lowercase() } else { TEMPLATE.to_owned() }
    }

    /// Returns the name of the keys in logs and health.
    fn name(&self, version: Version) -> String {
        self.cloud.issuer(version, &self.documented_tenant())
    }

    #[cfg(feature = "client")]
    fn discovery(&self, version: Version) -> String {
        let cloud = || format!("https://{}", self.cloud.login_host());
        let authority = self.authority.clone().unwrap_or_else(cloud);
        let authority = authority.trim_end_matches('/');
        let path = match version {
            Version::One => "",
            Version::Two => "/v2.0",
        };
        let application = format!("?appid={}", self.application);
        let query = if self.custom_signing_keys { application.as_str() } else { "" };
        let well_known = ".well-known/openid-configuration";
        format!("{authority}/{}{path}/{well_known}{query}", self.endpoint)
    }
}

/// Reports whether a string is a GUID, as ids of Entra are written.
pub(crate) fn is_guid(text: &str) -> bool {
    let groups = [8, 4, 4, 4, 12];
    let mut parts = text.split('-');
    let whole = groups.iter().all(|length| {
        parts.next().is_some_and(|part| {
            part.len() == *length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    });
    whole && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "11111111-2222-3333-4444-55555555555A";
    const APPLICATION: &str = "66666666-7777-8888-9999-000000000000";

    #[test]
    #[cfg(feature = "client")]
    fn each_version_has_its_metadata_and_audiences() {
        let entra = Entra::tenant(TENANT, APPLICATION).identifier_uri("https://fhir.example.org");
        let host = "https://login.microsoftonline.com";
        assert_eq!(
            entra.discovery(Version::One),
            format!("{host}/{TENANT}/.well-known/openid-configuration")
        );
        assert_eq!(
            entra.discovery(Version::Two),
            format!("{host}/{TENANT}/v2.0/.well-known/openid-configuration")
        );
        let several = Entra::tenants([TENANT], APPLICATION)
            .authority("http://127.0.0.1:9/x/")
            .custom_signing_keys(true);
        assert_eq!(
            several.discovery(Version::Two),
            format!(
                "http://127.0.0.1:9/x/organizations/v2.0/.well-known/openid-configuration?appid={APPLICATION}"
            )
        );
        assert_eq!(&*several.documented(Version::One), "https://sts.windows.net/{tenantid}/");
        for (audience, one, two) in [
            (APPLICATION.to_owned(), true, true),
            (format!("api://{APPLICATION}"), true, false),
            ("https://fhir.example.org".to_owned(), true, false),
            ("https://other.example.org".to_owned(), false, false),
        ] {
            assert_eq!(entra.audience(Version::One).accepts(&audience), one, "{audience}");
            assert_eq!(entra.audience(Version::Two).accepts(&audience), two, "{audience}");
        }
    }

    #[test]
    #[cfg(feature = "client")]
    fn ids_are_guids() {
        for (tenant, application) in
            [("contoso.onmicrosoft.com", APPLICATION), ("", APPLICATION), (TENANT, "api://x")]
        {
            assert!(Entra::tenant(tenant, application).issuers().is_err(), "{tenant}");
        }
        let nobody: [&str; 0] = [];
        assert!(Entra::tenants(nobody, APPLICATION).issuers().is_err());
        assert!(Entra::tenants(["organizations"], APPLICATION).issuers().is_err());
        let names: Vec<String> = Entra::tenant(TENANT, APPLICATION)
            .issuers()
            .unwrap()
            .iter()
            .map(|issuer| issuer.name().to_owned())
            .collect();
        assert!(names.iter().all(|name| name.contains("55555555555a")), "{names:?}");
        assert!(is_guid(TENANT));
        for text in [
            "",
            "1-2-3-4-5",
            "11111111-2222-3333-4444-55555555555g",
            "11111111-2222-3333-4444-555555555555-",
        ] {
            assert!(!is_guid(text), "{text}");
        }
    }
}
