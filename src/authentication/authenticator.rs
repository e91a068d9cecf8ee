//! The checks of a token on a request, in order, from the header to a [`Principal`].
//!
//! ```text
//! bearer ─► compact JWS ─► header ─► issuer ─► alg, typ ─► key ─► signature ─► kind, tenant ─► audience ─► claims
//! 400/401     401           401       401       401        401/503   401         401             401         401
//! ```
//!
//! A token that passed before, byte for byte the same and under the same keys, is recognised after the
//! first stage ([`cache`](super::cache)). [`validation::validate`] makes the checks that follow the
//! signature. For explanations [`unreached`](super::unreached) makes those that a failure left out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Uri};

use super::advertisement::Advertisement;
use super::bearer::{self, Presented};
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
use super::offered::Offered;
use super::possession::{Bound, Possession};
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

/// Judges access tokens against the trusted issuers and their present keys.
///
/// The layer has one inside; it can also be used alone, where there is no Tower service.
/// Dropping it stops the refresh of its keys.
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
    pub(super) offered: Offered,
}

/// The reason for which the pipeline stopped before its end.
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
    /// Authenticates a request by its headers and address, from which no proof of DPoP can be judged:
    /// [`authenticate_request`](Self::authenticate_request) takes all of it. Waits only for a key that the token
    /// names and that may have been published since keys were last loaded, and never longer
    /// than [`KeySettings::timeout`](crate::keys::KeySettings::timeout).
    ///
    /// # Errors
    ///
    /// The first check that fails, in the order of [`Check`].
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> Result<Principal, AuthenticationError> {
        self.judge(RequestHead::of_headers(headers, uri)).await
    }

    /// Authenticates a request as [`authenticate`](Self::authenticate) does, and tokens that are bound
    /// to their sender as well: a proof of DPoP is for one method and address, and the certificate of
    /// the client is in the extensions.
    ///
    /// # Errors
    ///
    /// The first check that fails, in the order of [`Check`].
    pub async fn authenticate_request(
        &self,
        request: &Parts,
    ) -> Result<Principal, AuthenticationError> {
        self.judge(RequestHead::of_parts(request)).await
    }

    async fn judge(&self, request: RequestHead<'_>) -> Result<Principal, AuthenticationError> {
        let mut waited = Waited::default();
        loop {
            let found = bearer::find(request.headers, request.uri);
            match self.decide(&found, request, &waited, &mut NoRecorder) {
                Ok(principal) => return Ok(principal),
                Err(Interruption::Refused(error)) => return Err(error),
                Err(Interruption::Wait(wait)) => waited = wait.over(waited).await,
            }
        }
    }

    /// Authenticates a request as [`authenticate`](Self::authenticate) does, by the same code, and
    /// keeps every check. After a failure the checks that were not reached are made, too, as far as
    /// they may be told of a token that is not accepted.
    pub async fn explain(&self, headers: &HeaderMap, uri: &Uri) -> Explanation {
        self.explained(RequestHead::of_headers(headers, uri)).await
    }

    /// Explains as [`explain`](Self::explain) does, with the proofs that a bound token needs. A proof
    /// of DPoP is as good afterwards as it was.
    pub async fn explain_request(&self, request: &Parts) -> Explanation {
        self.explained(RequestHead::of_parts(request)).await
    }

    async fn explained(&self, request: RequestHead<'_>) -> Explanation {
        let mut waited = Waited::default();
        let mut explanation = Explanation::new();
        let found = || bearer::find(request.headers, request.uri);
        // The explanation is the result.
        while let Err(Interruption::Wait(wait)) =
            self.decide(&found(), request, &waited, &mut explanation)
        {
            waited = wait.over(waited).await;
            explanation = Explanation::new();
        }
        self.record_unreached(request.headers, request.uri, Unreached::new(&mut explanation));
        explanation.add_unreached(Check::OF_TOKENS);
        explanation
    }

    /// Makes a nonce for proofs of DPoP (RFC 9449 section 9), as refusals that ask for one name it.
    #[must_use]
    pub fn dpop_nonce(&self) -> Option<String> {
        self.possession.nonce(self.clock.now())
    }

    /// The clock of the layer.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// The issuers with what requirements on their tokens have to know of them: the leeway, and where
    /// clients of Microsoft Entra ID send their users.
    pub(crate) fn issuer_facts(
        &self,
    ) -> impl Iterator<Item = (Arc<str>, Duration, Option<String>)> {
        self.issuers.iter().map(|issuer| {
            let IssuerSettings { issuer, leeway, tenant, .. } = &issuer.settings;
            let entra = tenant.as_ref().map(|tenant| tenant.authorization_uri.clone());
            (Arc::clone(issuer), *leeway, entra)
        })
    }

    /// The ways in which tokens are accepted.
    pub(crate) fn offered(&self) -> Offered {
        self.offered
    }

    /// The settings for certificates of clients.
    pub(crate) fn mutual_tls(&self) -> &MutualTls {
        self.possession.mutual_tls()
    }

    /// Resolves when every issuer has keys. While a provider is down it does not resolve; give
    /// it a time-out if the application should start all the same.
    pub async fn ready(&self) {
        for issuer in self.issuers.iter() {
            issuer.keys.ready().await;
        }
    }

    /// Replaces the keys of an issuer, if there is one of this name.
    #[cfg(feature = "test-util")]
    pub(crate) fn replace_keys(&self, issuer: &str, keys: JwkSet) -> bool {
        let issuer = self.issuers.named(issuer);
        issuer.map(|issuer| issuer.keys.replace(keys)).is_some()
    }

    /// The issuers that apps are sent to.
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

    /// Makes every check in order, and returns the caller: those of the token, then those of what its
    /// sender has to prove, which are made at each request.
    pub(crate) fn decide<R: Recorder>(
        &self,
        found: &Result<Presented<'_>, Reason>,
        request: RequestHead<'_>,
        waited: &Waited,
        recorder: &mut R,
    ) -> Result<Principal, Interruption> {
        let token = found.as_ref().map_or(&[][..], |presented| presented.token);
        let presented = found.as_ref().ok().filter(|_| R::USES_CACHE);
        let principal = match presented.and_then(|presented| self.remembered(presented)) {
            Some(principal) => principal,
            None => self.identify(found.clone(), waited, recorder)?,
        };
        let Some(confirmation) = principal.confirmation() else {
            Possession::none(recorder);
            return Ok(principal);
        };
        let issuer = self.issuers.named(principal.issuer());
        let leeway = issuer.map(|issuer| issuer.settings.leeway).unwrap_or_default();
        let bound = Bound { token, confirmation, leeway };
        let proven = self.possession.prove(bound, request, self.clock.now(), recorder);
        proven.map_err(Interruption::Refused)?;
        Ok(principal)
    }

    /// Returns the caller of a token that passed before, if all that it depends on is as it was.
    #[inline]
    fn remembered(&self, Presented { scheme, token }: &Presented<'_>) -> Option<Principal> {
        let principal = self.cache.get(token, |validity| self.recognises(validity))?;
        confirmation::comes_by(*scheme, principal.confirmation()).then_some(principal)
    }

    /// Makes the checks of the token. What is read before the signature is verified (`iss`, and the
    /// header) selects rules and keys and nothing else.
    fn identify<R: Recorder>(
        &self,
        found: Result<Presented<'_>, Reason>,
        waited: &Waited,
        recorder: &mut R,
    ) -> Result<Principal, Interruption> {
        let scheme = found.as_ref().map_or_else(|_| Default::default(), |found| found.scheme);
        let mut buffer = Buffer::new();
        let decoded = found.and_then(|found| bearer::decode(found.token, &mut buffer));
        let (token, segments) =
            recorder.check(Checked::new(Check::Credentials, decoded, Evidence::none))?;
        recorder.check(bearer::check_size(token))?;
        let jws = segments.and_then(CompactJws::parse);
        #[cfg(feature = "client")]
        if let Some(asked) = self.asked_about(token, &jws) {
            return self.decide_by_answer(asked, Presented { scheme, token }, waited, recorder);
        }
        let jws = jws.map_err(|error| Reason::MalformedToken(format!("the token {error}")));
        let CompactJws { signing_input, header, payload, signature } =
            recorder.check(Checked::new(Check::Shape, jws, Evidence::none))?;
        let claims = Claims::new(payload);

        let header = recorder.check(validation::header(&header, self.issuers.all_algorithms()))?;
        let issuer = recorder.check(self.issuers.trusted(&claims))?;
        let settings = &issuer.settings;
        let algorithm = recorder.check(validation::algorithm(header.alg, settings))?;
        recorder.check(validation::token_type(header.typ, settings))?;

        let signed = Signed { header, algorithm, signing_input, signature };
        let (verified, set_id) = signed.verify(issuer, waited, recorder)?;

        let (verified, now) = (verified.into(), self.clock.now());
        let validated = validation::validate(&claims, verified, scheme, issuer, now, recorder)?;
        #[cfg(feature = "client")]
        if let Some(introspector) = issuer.asks_about_every_token() {
            let (asked, validated) = ((issuer, introspector), (validated, set_id));
            let presented = Presented { scheme, token };
            return self.decide_confirmed(asked, presented, validated, waited, recorder);
        }
        recorder.passed(Check::Introspection, Evidence::none);
        let principal = Principal::new(&validated, settings, |_| true);
        recorder.record_contents(|| principal.contents());
        if R::USES_CACHE {
            issuer.accepted.verified();
            let validity = Validity::new(issuer.index, Some(set_id), validated.dates(), settings);
            self.cache.insert(token, &principal, validity);
        }
        Ok(principal)
    }

    /// Reports whether a token would be verified by the same keys now, and in time. One that is
    /// recognised so is counted.
    fn recognises(&self, validity: Validity) -> bool {
        validity.covers(self.clock.now())
            && self.issuers.get(validity.issuer).is_some_and(|issuer| {
                let has_same_keys =
                    validity.key_set.is_none_or(|set| issuer.keys.usable_set_id() == Some(set));
                if has_same_keys {
                    issuer.accepted.recognised();
                }
                has_same_keys
            })
    }
}

/// The signature of a token, with what it says of its key.
struct Signed<'t> {
    header: JoseHeader<'t>,
    algorithm: Algorithm,
    signing_input: &'t [u8],
    signature: &'t [u8],
}

impl Signed<'_> {
    /// Looks for the key that is meant, and verifies the signature. Returns the number of the key set
    /// as well.
    #[inline]
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
        if selected.as_ref().is_some_and(Selected::lacks_the_key) {
            if let Some(wait) = waited.or_for_key(|| keys.request_refresh()) {
                return Err(Interruption::Wait(wait));
            }
            // A load may have ended between the snapshot and the request for another.
            snapshot = keys.snapshot();
            selected = snapshot.select(header.kid, algorithm, settings.key_issuer());
        }
        let Some(Selected { candidates, set, set_id }) = selected else {
            return Err(without_keys(issuer, waited, recorder));
        };
        let candidates = recorder.check(key_selection::key(candidates, header, set))?;

        let invalid = |_| Reason::SignatureInvalid;
        let signed = entra::checks::verifiable(header, settings)
            .and_then(|()| candidates.verify(signing_input, signature).map_err(invalid));
        let verified = recorder.check(Checked::new(Check::Signature, signed, Evidence::none))?;
        Ok((verified, set_id))
    }
}

/// Returns the refusal of a token whose issuer has no usable keys, or a wait for the first ones.
fn without_keys(issuer: &Issuer, waited: &Waited, recorder: &mut impl Recorder) -> Interruption {
    let keys = &issuer.keys;
    if let Some(wait) = waited.or_for_key(|| keys.wait_for_first_load()) {
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
