//! The trusted issuers, with the rules for their tokens.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::audience::AudiencePolicy;
#[cfg(feature = "client")]
use super::introspection::{IntrospectedTokens, Introspection};
use super::roles_claim::RolesClaim;
use super::sender_constraint::SenderConstraint;
use crate::fhir::ResourceTypes;
use crate::jose::{Algorithm, ExpectedKeyIssuer, JwkSet};
use crate::keys::{KeyOrigin, KeyPlan, KeySettings, KeySource};
use crate::secure_url::PlainHttp;

/// An issuer whose tokens are accepted, with the rules they are validated by.
///
/// The constructor determines the source of its keys; every setter replaces a default.
///
/// ```
/// use std::time::Duration;
/// use tower_fhir_auth::jose::Algorithm;
/// use tower_fhir_auth::{AudiencePolicy, TrustedIssuer};
///
/// # #[cfg(feature = "client")]
/// let issuer = TrustedIssuer::discover("https://idp.example.org/realms/fhir")
///     .audience(AudiencePolicy::exact(["https://fhir.example.org/r4"]))
///     .algorithms([Algorithm::Rs256])
///     .roles_claim("realm_access.roles")
///     .leeway(Duration::from_secs(30));
///
/// // By RFC 9068 alone, with claims of its own names, and not told to clients.
/// # #[cfg(feature = "client")]
/// let issuer = TrustedIssuer::discover("https://backend.example.org")
///     .token_types(["at+jwt"])
///     .required_claims(["sub", "jti"])
///     .scope_claims(["scope", "permissions"])
///     .patient_claims(["launch_patient"])
///     .advertise(false);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TrustedIssuer {
    pub(crate) settings: IssuerSettings,
    /// Shared by the issuers that have the same keys.
    pub(super) keys: Arc<KeyPlan>,
    pub(super) key_settings: KeySettings,
    #[cfg(feature = "client")]
    pub(super) introspection: Option<Introspection>,
    /// `true` where no provider is to be asked about tokens.
    #[cfg(feature = "client")]
    pub(super) is_silent: bool,
}

/// The rules of one issuer.
#[derive(Clone, Debug)]
pub(crate) struct IssuerSettings {
    pub(crate) issuer: Arc<str>,
    /// `None` until built: then the base URL.
    pub(crate) audience: Option<AudiencePolicy>,
    /// The audiences of a preset, to which `audience` adds.
    pub(crate) preset_audience: Option<AudiencePolicy>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) token_types: Vec<String>,
    pub(crate) required_claims: Vec<String>,
    pub(crate) clients: Option<Vec<String>>,
    pub(crate) roles_claim: RolesClaim,
    pub(crate) scope_claims: Vec<String>,
    pub(crate) patient_claims: Arc<[String]>,
    /// The types that scopes may name, beside those of FHIR.
    pub(crate) resource_types: ResourceTypes,
    pub(crate) leeway: Duration,
    pub(crate) max_token_age: Option<Duration>,
    pub(crate) sender_constraint: SenderConstraint,
    /// `true` when a role that is a SMART scope counts as one.
    pub(crate) scopes_in_roles: bool,
    pub(crate) advertised: Advertised,
    /// The tenant, for the requirements of Microsoft Entra ID beyond the standards.
    pub(crate) tenant: Option<Tenant>,
    /// `true` where access tokens always name their client in `azp` or `appid`.
    pub(crate) names_client: bool,
}

/// The part of an issuer in the well-known documents.
#[derive(Clone, Debug)]
pub(crate) struct Advertised {
    /// The explicit setting; `None` without one.
    pub(crate) said: Option<bool>,
    /// Shared by issuers that count as one: those of a preset.
    pub(crate) block: Arc<str>,
    /// The name by which apps know it.
    pub(crate) name: Arc<str>,
}

/// A tenant of Microsoft Entra ID.
#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    /// The issuer that keys must be for in a set that tenants share.
    pub(crate) keys: ExpectedKeyIssuer,
    /// The address at which its users sign in.
    pub(crate) authorization_uri: String,
}

/// The place of an issuer among those of an authenticator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IssuerIndex(pub(crate) usize);

impl IssuerSettings {
    /// Returns whom the keys must be said to be of, where the issuer asks for that.
    pub(crate) fn key_issuer(&self) -> Option<&ExpectedKeyIssuer> {
        self.tenant.as_ref().map(|tenant| &tenant.keys)
    }

    /// Returns the setting that lists further audiences: tokens of version 1.0 of Microsoft Entra ID
    /// name the API by one of its identifier URIs, those of version 2.0 never do.
    pub(crate) fn audience_setting(&self) -> &'static str {
        let is_of_tenant = self.preset_audience.is_some() && self.tenant.is_some();
        match is_of_tenant && !self.issuer.ends_with("/v2.0") {
            true => "entra.identifier_uris",
            false => "audiences",
        }
    }
}

impl TrustedIssuer {
    /// Trusts an OpenID provider. Its keys are found by discovery, at `issuer` without a trailing
    /// slash followed by `/.well-known/openid-configuration` (OpenID Connect Discovery 1.0
    /// section 4). `issuer` is compared with `iss`, byte by byte.
    #[cfg(feature = "client")]
    pub fn discover(issuer: impl Into<String>) -> Self {
        Self::new(issuer, KeyOrigin::OpenId { discovery: None, jwks_uri: None })
    }

    /// Trusts an OpenID provider whose discovery document has another address. Its `issuer` must
    /// still be this one, and an https URL as for [`discover`](Self::discover).
    ///
    /// ```
    /// use tower_fhir_auth::TrustedIssuer;
    ///
    /// // Its tokens have one name, and this network reaches it by another.
    /// let issuer = TrustedIssuer::discover_at(
    ///     "https://idp.example.org/realms/fhir",
    ///     "https://idp.internal/realms/fhir/.well-known/openid-configuration",
    /// );
    /// ```
    #[cfg(feature = "client")]
    pub fn discover_at(issuer: impl Into<String>, discovery: impl Into<String>) -> Self {
        let discovery = Some(discovery.into());
        Self::new(issuer, KeyOrigin::OpenId { discovery, jwks_uri: None })
    }

    /// Trusts an issuer whose key set is fetched from `jwks_uri`, without discovery. `issuer` is only
    /// compared with `iss`, and may be any string of 1 to 512 characters without control characters,
    /// such as `http://adfs.example.org/adfs/services/trust`; so it is with the constructors below.
    ///
    /// ```
    /// use tower_fhir_auth::TrustedIssuer;
    ///
    /// let issuer =
    ///     TrustedIssuer::with_jwks_uri("https://idp.example.org", "https://idp.example.org/jwks");
    /// ```
    #[cfg(feature = "client")]
    pub fn with_jwks_uri(issuer: impl Into<String>, jwks_uri: impl Into<String>) -> Self {
        let jwks_uri = Some(jwks_uri.into());
        Self::new(issuer, KeyOrigin::OpenId { discovery: None, jwks_uri })
    }

    /// Trusts an issuer whose key set is in a file, without any network. The file is read again
    /// when it changes; if it is broken or gone by then, the last good keys stay.
    ///
    /// ```
    /// use tower_fhir_auth::TrustedIssuer;
    ///
    /// let issuer = TrustedIssuer::with_jwks_file("https://idp.example.org", "/etc/fhir/jwks.json");
    /// ```
    pub fn with_jwks_file(issuer: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self::new(issuer, KeyOrigin::File(path.into()))
    }

    /// Trusts an issuer with keys that never change.
    pub fn with_keys(issuer: impl Into<String>, keys: JwkSet) -> Self {
        Self::new(issuer, KeyOrigin::Fixed(Arc::new(keys)))
    }

    /// Trusts an issuer whose keys come from a source of your own.
    pub fn with_key_source(issuer: impl Into<String>, source: impl KeySource) -> Self {
        Self::new(issuer, KeyOrigin::Source(Arc::new(source)))
    }

    pub(crate) fn new(issuer: impl Into<String>, keys: KeyOrigin) -> Self {
        let issuer: Arc<str> = issuer.into().into();
        let plan = KeyPlan::new(Arc::clone(&issuer), vec![Arc::clone(&issuer)], keys);
        Self::sharing(issuer, plan)
    }

    /// Trusts an issuer that has its keys in common with all others of the same plan.
    pub(crate) fn sharing(issuer: Arc<str>, keys: Arc<KeyPlan>) -> Self {
        let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (block, name) = (Arc::clone(&issuer), Arc::clone(&issuer));
        Self {
            settings: IssuerSettings {
                issuer,
                audience: None,
                preset_audience: None,
                algorithms: Algorithm::ALL.to_vec(),
                // RFC 9068 section 4 takes `at+jwt` alone; many send `JWT` or none, and claims tell the kind.
                token_types: strings(&["at+jwt", "JWT", ""]),
                required_claims: strings(&["sub"]),
                clients: None,
                roles_claim: RolesClaim::named("roles".to_owned()),
                scope_claims: strings(&["scope", "scp"]),
                patient_claims: Arc::from(strings(&["patient"])),
                resource_types: ResourceTypes::r4(),
                leeway: Duration::from_secs(60),
                max_token_age: None,
                sender_constraint: SenderConstraint::Accept,
                scopes_in_roles: false,
                advertised: Advertised { said: None, block, name },
                tenant: None,
                names_client: false,
            },
            keys,
            key_settings: KeySettings::default(),
            #[cfg(feature = "client")]
            introspection: None,
            #[cfg(feature = "client")]
            is_silent: false,
        }
    }

    /// Sets the audiences accepted from this issuer. Default: the base URL of the layer, exactly.
    /// For an issuer of a preset ([`Entra`](crate::Entra)) they add to the preset's.
    pub fn audience(mut self, audience: AudiencePolicy) -> Self {
        self.settings.audience = Some(audience);
        self
    }

    /// Sets the algorithms this issuer may use. Default: RS256, RS384, RS512, PS256, PS384, PS512,
    /// ES256, ES384, ES512, EdDSA and Ed25519, each only with the keys it fits.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.settings.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Sets the `typ` values accepted, `""` for none, compared without regard to case and with
    /// `application/` implied. Default: `at+jwt`, `JWT` and none. `["at+jwt"]` is RFC 9068.
    pub fn token_types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        self.settings.token_types = types.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the claims a token must have, besides `iss`, `aud` and `exp`. `null` and an empty
    /// string count as absent. Default: `sub`.
    pub fn required_claims<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.settings.required_claims = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the clients accepted, by `client_id`, `azp`, `appid` and `cid`: all of these that a
    /// token has must be the same. Default: any.
    ///
    /// ```
    /// use tower_fhir_auth::TrustedIssuer;
    ///
    /// let issuer =
    ///     TrustedIssuer::discover("https://idp.example.org").clients(["portal", "nightly-export"]);
    /// ```
    pub fn clients<T: Into<String>>(mut self, clients: impl IntoIterator<Item = T>) -> Self {
        self.settings.clients = Some(clients.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the claim that holds roles: one with this whole name, else a dotted path. Default:
    /// `roles`.
    ///
    /// Its value is a string, an array of strings, or an object whose members are roles: those with
    /// `true`, or an object or array that is not empty. `realm_access.roles` is Keycloak's,
    /// `urn:zitadel:iam:org:project:roles` Zitadel's.
    pub fn roles_claim(mut self, path: impl Into<String>) -> Self {
        self.settings.roles_claim = RolesClaim::named(path.into());
        self
    }

    /// Sets the claim that holds roles as a path of names, in place of
    /// [`roles_claim`](Self::roles_claim), for names that contain dots. They are steps, not a
    /// choice: operators are warned once when they lead nowhere in a token that has a claim of
    /// one of these names.
    ///
    /// ```
    /// use tower_fhir_auth::TrustedIssuer;
    ///
    /// # #[cfg(feature = "client")]
    /// let keycloak = TrustedIssuer::discover("https://idp.example.org/realms/fhir")
    ///     .roles_claim_path(["resource_access", "fhir.example.org", "roles"]);
    /// ```
    pub fn roles_claim_path<N: Into<String>>(mut self, path: impl IntoIterator<Item = N>) -> Self {
        self.settings.roles_claim = RolesClaim::path(path.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the claims that hold scopes, each a string or an array; their union counts. Default:
    /// `scope` and `scp`.
    pub fn scope_claims<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.settings.scope_claims = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the claims that hold the patient in context: an id, `Patient/<id>`, or the absolute form
    /// of that below the base URL. All that are present must name one patient. Default: `patient`.
    pub fn patient_claims<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.settings.patient_claims = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets whether a value of the roles claim that is a SMART scope counts as one: in Microsoft
    /// Entra ID only app roles can contain `/` and `*`. Default: no.
    pub fn scopes_in_roles(mut self, counted: bool) -> Self {
        self.settings.scopes_in_roles = counted;
        self
    }

    /// Sets the clock skew allowed on `exp`, `nbf` and `iat`. Default: 60 s. At most 10 min.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.settings.leeway = leeway;
        self
    }

    /// Makes the well-known documents send apps to this issuer, or not. Default: to the first issuer
    /// of the layer, if none is advertised expressly; those of [`Entra`](crate::Entra) count as one.
    pub fn advertise(mut self, advertise: bool) -> Self {
        self.settings.advertised.said = Some(advertise);
        self
    }

    /// Sets the largest age of a token by `iat`, which is then required. Default: none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_fhir_auth::TrustedIssuer;
    ///
    /// let issuer = TrustedIssuer::discover("https://idp.example.org")
    ///     .required_claims(["sub", "iat"])
    ///     .max_token_age(Duration::from_secs(3600));
    /// ```
    pub fn max_token_age(mut self, age: Duration) -> Self {
        self.settings.max_token_age = Some(age);
        self
    }

    /// Sets how tokens that are bound to their sender are treated, and those that are not. Default:
    /// [`SenderConstraint::Accept`].
    pub fn sender_constraint(mut self, constraint: SenderConstraint) -> Self {
        self.settings.sender_constraint = constraint;
        self
    }

    /// Sets how keys are fetched and how long they stay in use.
    pub fn key_settings(mut self, settings: KeySettings) -> Self {
        self.key_settings = settings;
        self
    }

    /// Asks the provider about tokens, see [`Introspection`]. Only one issuer of a layer may be asked
    /// about opaque tokens, which do not say whose they are. Default: no token is asked about.
    ///
    /// ```
    /// use tower_fhir_auth::TrustedIssuer;
    /// use tower_fhir_auth::authentication::{Introspection, IntrospectionClient};
    ///
    /// let client = IntrospectionClient::with_key_file("fhir", "/etc/fhir/introspection.jwk");
    /// let endpoint = "https://idp.example.org/introspect";
    /// let issuer = TrustedIssuer::discover("https://idp.example.org")
    ///     .introspection(Introspection::at(endpoint, client).of_every_token());
    /// ```
    #[cfg(feature = "client")]
    pub fn introspection(mut self, introspection: Introspection) -> Self {
        self.introspection = Some(introspection);
        self
    }

    /// Reports whether the provider is asked about opaque tokens.
    #[cfg(feature = "client")]
    pub(crate) fn takes_opaque_tokens(&self) -> bool {
        let introspection = self.introspection.as_ref();
        introspection.is_some_and(|one| one.asks_about == IntrospectedTokens::Opaque)
    }

    /// Keeps the provider from being asked about tokens.
    #[cfg(feature = "client")]
    pub(crate) fn asking_nobody(mut self) -> Self {
        self.is_silent = true;
        self
    }

    /// Turns the issuer into one of Microsoft Entra ID, of whichever kind of tenant.
    pub(crate) fn of_entra(mut self, audience: AudiencePolicy) -> Self {
        self.settings.preset_audience = Some(audience);
        self.settings.scopes_in_roles = true;
        self.settings.names_client = true;
        self
    }

    /// Reports whether its keys come from elsewhere than this machine.
    pub(crate) fn asks_a_provider(&self) -> bool {
        self.keys.asks_a_provider()
    }

    /// Allows origins of plain http for its keys.
    pub(crate) fn allow(&mut self, plain_http: &PlainHttp) {
        self.key_settings.plain_http = plain_http.clone();
    }

    /// Turns the issuer into one whose keys are never loaded.
    pub(crate) fn without_keys(mut self) -> Self {
        let name = Arc::clone(&self.settings.issuer);
        self.keys = KeyPlan::new(name, Vec::new(), KeyOrigin::Nowhere);
        self
    }

    /// Returns the issuer's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.settings.issuer
    }
}

/// Reports whether a string can be the name of an issuer.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=512).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}
