//! Validates the access token of a request, step by step, from the credentials to a [`Principal`].
//!
//! ```text
//! credentials ─► compact JWS ─► JOSE header ─► issuer ─► alg, typ ─► key ─► signature ─► kind, tenant
//!  400/401        401            401            401       401        401/503 401          401
//!
//!      ─► audience ─► other claims ─► introspection ─► proof of possession
//!          401         401             401/503          401
//! ```
//!
//! A token that was accepted before is found in the [`cache`](super::cache) by its bytes, right after the credentials,
//! while the keys of its issuer are the same; possession is proven at each request. [`validation::validate`] runs the
//! checks between signature and introspection. An opaque token leaves for introspection after the credentials. For
//! explanations [`unreached`](super::unreached) runs the checks that a failure skipped.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Uri};

use super::accepted_schemes::AcceptedSchemes;
use super::advertisement::Advertisement;
use super::bearer::{self, Presented, Scheme};
use super::cache::TokenCache;
use super::certificate::MutualTls;
use super::claims::Claims;
use super::confirmation;
use super::entra;
use super::error::AuthenticationError;
use super::issuer::IssuerSettings;
use super::issuer_in_use::Issuer;
use super::issuers::Issuers;
use super::key_selection;
use super::possession::{BoundToken, Possession};
use super::principal::Principal;
use super::request::RequestHead;
use super::validation;
use super::validity::Validity;
use super::wait::{Wait, Waited};
use crate::explanation::recorder::{NoRecorder, Recorder};
use crate::explanation::{Check, Checked, Evidence, Explanation, Finding, Reason, Unreached};
use crate::jose::Algorithm;
#[cfg(feature = "test-util")]
use crate::jose::JwkSet;
use crate::jose::compact::{Buffer, CompactJws};
use crate::jose::header::JoseHeader;
use crate::jose::signature::SignatureValid;
use crate::keys::{KeyHealth, KeySetId, Selected, SharedKeys};
use crate::time::Clock;

/// Validates access tokens against the trusted issuers and their current keys.
///
/// The layer contains one; it can also be used alone, where there is no Tower service.
/// Dropping it stops the background refresh of its keys.
///
/// ```
/// use tower_fhir_auth::authentication::AuthenticationError;
/// use tower_fhir_auth::jose::JwkSet;
/// use tower_fhir_auth::{AudiencePolicy, Authenticator, TrustedIssuer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = JwkSet::parse(br#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one",
///     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
/// let authenticator = Authenticator::builder()
///     .audience(AudiencePolicy::exact(["https://fhir.example.org/r4"]))
///     .issuer(TrustedIssuer::with_keys("https://idp.example.org", keys))
///     .build()?;
///
/// let headers = http::HeaderMap::new();
/// let refusal = authenticator.authenticate(&headers, &"/Patient/1".parse()?).await;
/// assert_eq!(refusal.unwrap_err(), AuthenticationError::MissingCredentials);
/// # Ok(())
/// # }
/// ```
pub struct Authenticator {
    pub(super) issuers: Issuers,
    pub(super) advertised: Arc<Advertisement>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shared_keys: SharedKeys,
    pub(super) cache: TokenCache,
    pub(super) possession: Possession,
    pub(super) offered: AcceptedSchemes,
}

/// The reason why the pipeline stopped early.
pub(crate) enum Interruption {
    Refused(AuthenticationError),
    /// Something that the decision depends on may be on its way: wait, then authenticate again.
    Wait(Wait),
}

impl From<Finding> for Interruption {
    fn from(finding: Finding) -> Self {
        Self::Refused(finding.into())
    }
}

impl Authenticator {
    /// Authenticates a request by its headers and URI. These are not enough for a token that is bound to its sender,
    /// which [`authenticate_request`](Self::authenticate_request) takes.
    ///
    /// Waits for the first keys of an issuer, and for a key that the token names and that may have been published
    /// since they were loaded, for no longer than [`KeySettings::timeout`](crate::keys::KeySettings::timeout); and for
    /// the provider's answer, where tokens are introspected.
    ///
    /// # Errors
    ///
    /// Returns the error of the first check that fails, in the order of [`Check`].
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> Result<Principal, AuthenticationError> {
        self.authenticate_head(RequestHead::of_headers(headers, uri)).await
    }

    /// Authenticates a request as [`authenticate`](Self::authenticate) does, and takes tokens that are bound to their
    /// sender as well: a DPoP proof is for one method and URI, and the client certificate is in the extensions.
    ///
    /// # Errors
    ///
    /// Returns the error of the first check that fails, in the order of [`Check`].
    pub async fn authenticate_request(
        &self,
        request: &Parts,
    ) -> Result<Principal, AuthenticationError> {
        self.authenticate_head(RequestHead::of_parts(request)).await
    }

    /// Runs attempts until one decides: after a wait the request is looked at anew.
    async fn authenticate_head(
        &self,
        request: RequestHead<'_>,
    ) -> Result<Principal, AuthenticationError> {
        let mut waited = Waited::default();
        loop {
            let credentials = bearer::find(request.headers, request.uri);
            match self.decide(&credentials, request, &waited, &mut NoRecorder) {
                Ok(principal) => return Ok(principal),
                Err(Interruption::Refused(error)) => return Err(error),
                Err(Interruption::Wait(wait)) => waited = wait.finished(waited).await,
            }
        }
    }

    /// Authenticates a request as [`authenticate`](Self::authenticate) does, by the same code, and records every check.
    /// After a failure the checks that it skipped are run, too, as far as their results may be disclosed of a token
    /// that was not accepted.
    pub async fn explain(&self, headers: &HeaderMap, uri: &Uri) -> Explanation {
        self.explained(RequestHead::of_headers(headers, uri)).await
    }

    /// Explains as [`explain`](Self::explain) does, with the proofs that a bound token needs. A DPoP proof is not used
    /// up by it.
    pub async fn explain_request(&self, request: &Parts) -> Explanation {
        self.explained(RequestHead::of_parts(request)).await
    }

    async fn explained(&self, request: RequestHead<'_>) -> Explanation {
        let mut waited = Waited::default();
        let mut explanation = Explanation::new();
        let credentials = || bearer::find(request.headers, request.uri);
        // The outcome is recorded in the explanation.
        while let Err(Interruption::Wait(wait)) =
            self.decide(&credentials(), request, &waited, &mut explanation)
        {
            waited = wait.finished(waited).await;
            explanation = Explanation::new();
        }
        self.record_unreached(request.headers, request.uri, Unreached::new(&mut explanation));
        explanation.add_unreached(Check::OF_TOKENS);
        explanation
    }

    /// Returns a nonce for DPoP proofs as of now (RFC 9449 section 9), as `use_dpop_nonce` errors carry it; `None` where
    /// none is asked for.
    #[must_use]
    pub fn dpop_nonce(&self) -> Option<String> {
        self.possession.nonce(self.clock.now())
    }

    /// The clock of all checks of time.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The issuers, each with its leeway and, for Microsoft Entra ID, with its authorization endpoint: what step-up
    /// requirements need.
    pub(crate) fn issuer_facts(
        &self,
    ) -> impl Iterator<Item = (Arc<str>, Duration, Option<String>)> {
        self.issuers.iter().map(|issuer| {
            let IssuerSettings { issuer, leeway, tenant, .. } = &issuer.settings;
            let entra = tenant.as_ref().map(|tenant| tenant.authorization_uri.clone());
            (Arc::clone(issuer), *leeway, entra)
        })
    }

    /// The schemes that tokens are accepted by.
    pub(crate) fn offered(&self) -> AcceptedSchemes {
        self.offered
    }

    /// The settings for client certificates.
    pub(crate) fn mutual_tls(&self) -> &MutualTls {
        self.possession.mutual_tls()
    }

    /// Resolves when every issuer has keys. While a provider is down it does not resolve: wrap it in a timeout if the
    /// application should start anyway.
    pub async fn ready(&self) {
        for issuer in self.issuers.iter() {
            issuer.keys.ready().await;
        }
    }

    /// Replaces the keys of an issuer, and reports whether there is one of this name.
    #[cfg(feature = "test-util")]
    pub(crate) fn replace_keys(&self, issuer: &str, keys: JwkSet) -> bool {
        let issuer = self.issuers.named(issuer);
        issuer.map(|issuer| issuer.keys.replace(keys)).is_some()
    }

    /// The issuers that the well-known documents send clients to.
    pub(crate) fn advertised(&self) -> &Arc<Advertisement> {
        &self.advertised
    }

    /// The state of each issuer's keys, in the order of the issuers' names.
    #[must_use]
    pub fn health(&self) -> Vec<KeyHealth> {
        let mut health: Vec<_> = self.issuers.iter().map(Issuer::health).collect();
        health.sort_by(|a, b| a.issuer.cmp(&b.issuer));
        // Several issuers may share their keys.
        health.dedup_by(|a, b| a.issuer == b.issuer);
        health
    }

    /// Runs every check in order, and returns the caller. Those of the token come first, or from the cache; then the
    /// proof of possession, which is checked at each request.
    pub(crate) fn decide<R: Recorder>(
        &self,
        credentials: &Result<Presented<'_>, Reason>,
        request: RequestHead<'_>,
        waited: &Waited,
        recorder: &mut R,
    ) -> Result<Principal, Interruption> {
        // Nothing is proven over an empty one: without credentials `validate_token` refuses.
        let token = credentials.as_ref().map_or(&[][..], |presented| presented.token);
        let cacheable = credentials.as_ref().ok().filter(|_| R::USES_CACHE);
        let principal = match cacheable.and_then(|presented| self.cached(presented)) {
            Some(principal) => principal,
            None => self.validate_token(credentials.clone(), waited, recorder)?,
        };
        let Some(confirmation) = principal.confirmation() else {
            Possession::not_required(recorder);
            return Ok(principal);
        };
        let issuer = self.issuers.named(principal.issuer());
        let leeway = issuer.map(|issuer| issuer.settings.leeway).unwrap_or_default();
        let bound = BoundToken { token, confirmation, leeway };
        let proven = self.possession.prove(bound, request, self.clock.now(), recorder);
        proven.map_err(Interruption::Refused)?;
        Ok(principal)
    }

    /// Returns the caller of a token that was accepted before, if nothing that this depends on has changed. Such a token
    /// is counted.
    fn cached(&self, Presented { scheme, token }: &Presented<'_>) -> Option<Principal> {
        let mut issuer = None;
        let principal = self.cache.get(token, |validity| {
            issuer = self.still_accepting(validity);
            issuer.is_some()
        })?;
        // No refusal yet: the checks tell the first fault in their order, whether a token is cached or not.
        if !confirmation::scheme_matches(*scheme, principal.confirmation()) {
            return None;
        }
        if let Some(issuer) = issuer {
            issuer.accepted.count_cached();
        }
        Some(principal)
    }

    /// Runs the checks of the token. What is read before the signature is verified (`iss`, and the
    /// header) selects rules and keys and nothing else.
    fn validate_token<R: Recorder>(
        &self,
        credentials: Result<Presented<'_>, Reason>,
        waited: &Waited,
        recorder: &mut R,
    ) -> Result<Principal, Interruption> {
        // Without credentials the first check refuses, whatever the scheme.
        let scheme = credentials.as_ref().map_or_else(|_| Scheme::default(), |one| one.scheme);
        let mut buffer = Buffer::new();
        // RFC 6750 section 2.1, RFC 9449 section 7.1.
        let decoded = credentials.and_then(|one| bearer::decode(one.token, &mut buffer));
        let (token, segments) =
            recorder.check(Checked::new(Check::Credentials, decoded, Evidence::none))?;
        recorder.check(bearer::check_size(token))?;
        // RFC 7515 section 7.1. What is no JWS, or has no `alg`, may be an opaque token: it is no error yet.
        let jws = segments.and_then(CompactJws::parse);
        #[cfg(feature = "client")]
        if let Some(target) = self.introspection_target(token, &jws) {
            let presented = Presented { scheme, token };
            return self.authenticate_by_introspection(target, presented, waited, recorder);
        }
        let jws = jws.map_err(Reason::MalformedToken);
        let CompactJws { signing_input, header, payload, signature } =
            recorder.check(Checked::new(Check::Shape, jws, Evidence::none))?;
        let claims = Claims::new(payload);

        // RFC 7515 section 4.1: `crit` with it, whose extensions nobody here understands.
        let header = recorder.check(validation::header(&header, self.issuers.all_algorithms()))?;
        // RFC 7519 section 4.1.1, RFC 8725 section 3.8: keys are those of the issuer that it names.
        let issuer = recorder.check(self.issuers.trusted(&claims))?;
        let settings = &issuer.settings;
        // RFC 8725 section 3.1: the issuer's list decides, never the token.
        let algorithm = recorder.check(validation::algorithm(header.alg, settings))?;
        // RFC 8725 section 3.11, RFC 9068 section 4.
        recorder.check(validation::token_type(header.typ, settings))?;

        let jws = UnverifiedJws { header, algorithm, signing_input, signature };
        // RFC 7515 section 5.2, RFC 8725 section 3.3.
        let (verified, set_id) = jws.verify(issuer, waited, recorder)?;

        let (verified, now) = (verified.into(), self.clock.now());
        let validated = validation::validate(&claims, verified, scheme, issuer, now, recorder)?;
        // RFC 7662 section 2.
        #[cfg(feature = "client")]
        if let Some(introspector) = issuer.introspects_every_token() {
            let (target, validated) = ((issuer, introspector), (validated, set_id));
            let presented = Presented { scheme, token };
            return self.introspect_validated(target, presented, validated, waited, recorder);
        }
        recorder.passed(Check::Introspection, Evidence::none);
        let every_scope = |_: &str| true;
        let principal = Principal::new(&validated, settings, every_scope);
        recorder.record_contents(|| principal.contents());
        if R::USES_CACHE {
            issuer.accepted.count_verified();
            let validity = Validity::new(issuer.index, Some(set_id), validated.dates(), settings);
            self.cache.insert(token, &principal, validity);
        }
        Ok(principal)
    }

    /// Returns the issuer of a cached token, while the token is in time and would be verified by the same keys. One that
    /// was accepted by an answer to an introspection alone names no keys.
    fn still_accepting(&self, validity: Validity) -> Option<&Issuer> {
        let issuer = self.issuers.get(validity.issuer)?;
        let has_same_keys =
            validity.key_set.is_none_or(|set| issuer.keys.usable_set_id() == Some(set));
        (has_same_keys && validity.covers(self.clock.now())).then_some(issuer)
    }
}

/// A signature that is not verified yet, with the header that selects its key.
struct UnverifiedJws<'t> {
    header: JoseHeader<'t>,
    algorithm: Algorithm,
    signing_input: &'t [u8],
    signature: &'t [u8],
}

impl UnverifiedJws<'_> {
    /// Selects the key, and verifies the signature. Returns the id of the key set as well.
    fn verify(
        self,
        issuer: &Issuer,
        waited: &Waited,
        recorder: &mut impl Recorder,
    ) -> Result<(SignatureValid, KeySetId), Interruption> {
        let Self { header, algorithm, signing_input, signature } = self;
        let Issuer { settings, keys, .. } = issuer;
        let mut snapshot = keys.snapshot();
        let mut selected = snapshot.select(header.kid, algorithm, settings.key_issuer());
        // Without any keys nothing is selected; of those that are there, none may match.
        if selected.as_ref().is_some_and(Selected::has_no_match) {
            // Nobody waits twice: the second time it returns nothing, and asks for no refresh.
            if let Some(wait) = waited.key_wait(|| keys.request_refresh()) {
                return Err(Interruption::Wait(wait));
            }
            // A load may have ended between the snapshot and the call for a refresh.
            snapshot = keys.snapshot();
            selected = snapshot.select(header.kid, algorithm, settings.key_issuer());
        }
        let Some(Selected { candidates, set, set_id }) = selected else {
            return Err(without_keys(issuer, waited, recorder));
        };
        let candidates = recorder.check(key_selection::key(candidates, header, set))?;

        let invalid = |_| Reason::SignatureInvalid;
        // A token that only Microsoft Graph can verify is told to be one.
        let verification = entra::checks::verifiable(header, settings)
            .and_then(|()| candidates.verify(signing_input, signature).map_err(invalid));
        let verified =
            recorder.check(Checked::new(Check::Signature, verification, Evidence::none))?;
        Ok((verified, set_id))
    }
}

/// Returns a wait for the first keys of an issuer that has no usable ones, or the refusal of its token.
fn without_keys(issuer: &Issuer, waited: &Waited, recorder: &mut impl Recorder) -> Interruption {
    let keys = &issuer.keys;
    if let Some(wait) = waited.key_wait(|| keys.wait_for_first_load()) {
        return Interruption::Wait(wait);
    }
    let name = keys.issuer().to_owned();
    recorder.unavailable(Check::Key, || format!("the keys of `{name}` are not available"));
    let retry_after = keys.retry_after();
    Interruption::Refused(AuthenticationError::KeysUnavailable { issuer: name, retry_after })
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("issuers", &self.issuers).finish_non_exhaustive()
    }
}
