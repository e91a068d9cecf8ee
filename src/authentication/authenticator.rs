//! The pipeline from a request's header to a [`Principal`]: the one place where it is written.
//!
//! ```text
//! bearer ─► compact JWS ─► header ─► issuer ─► alg, typ ─► key ─► signature ─► kind ─► audience ─► claims
//! 400/401     401           401       401       401        401/503   401         401     401         401
//! ```
//!
//! A token that has gone this way before, byte by byte the same and under the same keys, is
//! recognised after the first stage ([`cache`](super::cache)).

use std::fmt;
use std::sync::Arc;

use hashbrown::HashMap;
use http::{HeaderMap, Uri};

use super::advertisement::Advertisement;
use super::bearer::{self, BearerToken};
use super::cache::{TokenCache, Validity};
use super::claims::Claims;
use super::client;
use super::error::AuthenticationError;
use super::issuer::Issuer;
use super::principal::Principal;
use super::tenant;
use super::token_kind;
use super::validation::{self, Dates, ValidatedClaims};
use crate::explanation::recorder::{Off, Recorder};
use crate::explanation::{Check, Explanation, Finding, Reason, Seen};
use crate::jose::JwkSet;
use crate::jose::compact::{CompactJws, Parts};
use crate::jose::header::{HeaderError, JoseHeader};
use crate::jose::jwk_set::NoKey;
use crate::keys::{KeyHealth, KeyRing, KeyWait, Selected};
use crate::text::shown;
use crate::time::Clock;

/// Judges access tokens against the trusted issuers and their present keys.
///
/// The layer has one inside; it can also be used alone, where there is no Tower service.
/// Dropping it stops the refresh of its keys.
///
/// ```
/// use tower_fhir_auth::{AudiencePolicy, AuthenticationError, Authenticator, JwkSet, TrustedIssuer};
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
    pub(super) issuers: HashMap<Arc<str>, Issuer>,
    pub(super) advertised: Advertisement,
    /// The keys of each issuer, at its place.
    pub(super) keys: Vec<Arc<KeyRing>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) verified: TokenCache,
    /// The names of all issuers, and the algorithms of any, as refusals list them.
    pub(super) all_issuers: String,
    pub(super) first_issuer: Arc<str>,
    pub(super) all_algorithms: String,
}

/// The reason for which the pipeline stopped before its end.
pub(crate) enum Stop {
    Refused(AuthenticationError),
    /// A key that the token names may be on its way: wait, then judge again.
    Wait(KeyWait),
}

/// The choice to stop and wait for keys, or not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    MayWait,
    Waited,
}

impl From<AuthenticationError> for Stop {
    fn from(error: AuthenticationError) -> Self {
        Self::Refused(error)
    }
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Self::Refused(finding.into())
    }
}

impl Authenticator {
    /// Authenticates a request by its headers and address. Waits only for a key that the token
    /// names and that may have been published since keys were last loaded, and never longer
    /// than [`KeySettings::timeout`](crate::KeySettings::timeout).
    ///
    /// # Errors
    ///
    /// The first check that fails, in the order of [`Check`].
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> Result<Principal, AuthenticationError> {
        match self.decide(headers, uri) {
            Ok(principal) => Ok(principal),
            Err(Stop::Refused(error)) => Err(error),
            Err(Stop::Wait(wait)) => {
                wait.over().await;
                self.decide_after_wait(headers, uri)
            }
        }
    }

    /// Judges a request as [`authenticate`](Self::authenticate) does, by the same code, and
    /// keeps every check that was made.
    pub async fn explain(&self, headers: &HeaderMap, uri: &Uri) -> Explanation {
        self.explain_to_principal(headers, uri).await.0
    }

    /// Explains a request, and returns the caller where there is one.
    pub(crate) async fn explain_to_principal(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> (Explanation, Option<Principal>) {
        let mut explanation = Explanation::new();
        let mut verdict = self.judge(headers, uri, Patience::MayWait, &mut explanation);
        if let Err(Stop::Wait(wait)) = verdict {
            wait.over().await;
            explanation = Explanation::new();
            verdict = self.judge(headers, uri, Patience::Waited, &mut explanation);
        }
        explanation.close();
        let principal = verdict.ok();
        if let Some(principal) = &principal {
            explanation.hold("scopes", principal.scopes().map(str::to_owned));
            explanation.hold("roles", principal.roles().map(str::to_owned));
            explanation.hold("other claims", principal.other_claims().into_iter());
        }
        (explanation, principal)
    }

    /// Resolves when every issuer has keys. While a provider is down it does not resolve; give
    /// it a time-out if the application should start all the same.
    pub async fn ready(&self) {
        for issuer in self.issuers.values() {
            issuer.keys.ready().await;
        }
    }

    /// Puts other keys of an issuer in force, if there is one of this name.
    #[cfg(feature = "test-util")]
    pub(crate) fn replace_keys(&self, issuer: &str, keys: JwkSet) -> bool {
        let issuer = self.issuers.get(issuer);
        issuer.map(|issuer| issuer.keys.replace(keys)).is_some()
    }

    /// The issuers that apps are sent to.
    pub(crate) fn advertised(&self) -> &Advertisement {
        &self.advertised
    }

    /// The state of each issuer's keys, in the order of the issuers' names.
    #[must_use]
    pub fn health(&self) -> Vec<KeyHealth> {
        let mut health: Vec<_> = self.issuers.values().map(|issuer| issuer.keys.health()).collect();
        health.sort_by(|a, b| a.issuer.cmp(&b.issuer));
        // Several issuers may share their keys.
        health.dedup_by(|a, b| a.issuer == b.issuer);
        health
    }

    /// The verdict, or the wait that has to come before it.
    pub(crate) fn decide(&self, headers: &HeaderMap, uri: &Uri) -> Result<Principal, Stop> {
        self.judge(headers, uri, Patience::MayWait, &mut Off)
    }

    /// The verdict after the wait.
    pub(crate) fn decide_after_wait(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> Result<Principal, AuthenticationError> {
        self.judge(headers, uri, Patience::Waited, &mut Off).map_err(|stop| match stop {
            Stop::Refused(error) => error,
            // Nobody waits twice; were it asked for, the key would still be unknown.
            Stop::Wait(_) => no_key(NoKey::Unknown, None).into(),
        })
    }

    /// Every check in order. What is read before the signature is verified (`iss`, and the
    /// header) selects the key and nothing else.
    fn judge<R: Recorder>(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        patience: Patience,
        to: &mut R,
    ) -> Result<Principal, Stop> {
        let found = bearer::find(headers, uri);
        if let (true, Ok(token)) = (R::MAY_REMEMBER, &found)
            && let Some(principal) = self.verified.get(token, || self.clock.now(), &self.keys)
        {
            return Ok(principal);
        }
        let read = found.and_then(BearerToken::read);
        let read = to.check(Check::Credentials, Seen::nothing, read)?;
        let (token, decoded) = to.check(Check::Size, Seen::nothing, read.within_limit())?;

        let parts = decoded.as_ref().map_err(Clone::clone).and_then(CompactJws::parts);
        let parts = parts.map_err(|error| {
            Finding::new(Check::Shape, Reason::MalformedToken(format!("the token {error}")))
        });
        let Parts { jws, header: members, payload } =
            to.check(Check::Shape, Seen::nothing, parts)?;
        let claims = Claims::new(payload);

        let header = JoseHeader::read(&members).map_err(|error| self.header_fault(&error));
        let header = to.check(Check::Header, Seen::nothing, header)?;

        let issuer = self.issuer(&claims);
        let iss = || {
            let found = claims.shown_issuer().map(Into::into);
            Seen::found(found).expected(self.all_issuers.as_str())
        };
        let Issuer { settings, audience, keys, place, verified, .. } =
            to.check(Check::Issuer, iss, issuer)?;

        let alg = || {
            let accepted = validation::listed(&settings.algorithms);
            Seen::found(header.alg.to_owned()).expected(accepted)
        };
        let algorithm =
            to.check(Check::Algorithm, alg, validation::algorithm(header.alg, settings))?;
        let typ = || {
            let found = header.typ.unwrap_or("(absent)").to_owned();
            Seen::found(found).expected(validation::listed_types(settings))
        };
        to.check(Check::Type, typ, validation::token_type(header.typ, settings))?;

        let holder = settings.tenant.as_ref().map(|tenant| &tenant.keys);
        let mut snapshot = keys.snapshot();
        let mut selected = snapshot.select(header.kid, algorithm, holder);
        if patience == Patience::MayWait && selected.as_ref().is_some_and(Selected::lacks_the_key) {
            if let Some(wait) = keys.demand() {
                return Err(Stop::Wait(wait));
            }
            // A load may have ended between the look and the question.
            snapshot = keys.snapshot();
            selected = snapshot.select(header.kid, algorithm, holder);
        }
        let Some(Selected { candidates, set, number }) = selected else {
            return Err(self.without_keys(keys, patience, to));
        };
        let candidates = candidates.map_err(|why| match why {
            NoKey::Unfit => unfit_key(header, set),
            NoKey::Foreign => Finding::new(Check::Key, Reason::KeyOfAnotherIssuer),
            NoKey::Unknown | NoKey::Ambiguous => no_key(why, header.kid),
        });
        let kid = || Seen::found(header.kid.map(str::to_owned));
        let candidates = to.check(Check::Key, kid, candidates)?;

        let invalid = |_| Finding::new(Check::Signature, Reason::SignatureInvalid);
        let signature = validation::verifiable(header, settings)
            .and_then(|()| candidates.verify(jws.signing_input, jws.signature()).map_err(invalid));
        let signature = to.check(Check::Signature, Seen::nothing, signature)?;

        let kind = token_kind::access_token(&claims, settings);
        to.check(Check::TokenKind, Seen::nothing, kind)?;
        to.check(Check::Tenant, Seen::nothing, tenant::tenant(&claims, settings))?;

        let now = self.clock.now();
        let date = |name, accepted: String| Seen::found(claims.shown_date(name)).expected(accepted);
        let latest = || format!("at most {}", now.plus(settings.leeway));
        let aud = || Seen::found(claims.shown_audiences()).expected(audience.listed());
        to.check(Check::Audience, aud, audience.check(&claims))?;
        let not_before = validation::not_before(&claims, settings, now);
        let not_before = to.check(Check::NotBefore, || date("nbf", latest()), not_before)?;
        let issued_at = validation::issued_at(&claims, settings, now);
        let issued_at = to.check(Check::IssuedAt, || date("iat", latest()), issued_at)?;
        let required = validation::required_claims(&claims, settings);
        let names = || Seen::nothing().expected(settings.required_claims.join(" "));
        to.check(Check::RequiredClaims, names, required)?;
        to.check(Check::Client, Seen::nothing, client::allowed(&claims, settings))?;
        to.check(Check::Confirmation, Seen::nothing, validation::confirmation(&claims))?;
        let expiry = validation::expiry(&claims, settings, now);
        let expires_at = to.check(
            Check::Expiry,
            || date("exp", format!("later than {}", now.minus(settings.leeway))),
            expiry,
        )?;

        let (from, until) = Dates { not_before, issued_at, expires_at }.window(settings);
        let validity = Validity { keys: *place, verified_by: number, from, until };
        let validated = ValidatedClaims::assert(&claims, signature, expires_at);
        let principal = Principal::new(&validated, settings, validity);
        if R::MAY_REMEMBER {
            verified.count();
            self.verified.remember(token, &principal);
        }
        Ok(principal)
    }

    fn issuer(&self, claims: &Claims<'_>) -> Result<&Issuer, Finding> {
        let fault = |reason| Finding::new(Check::Issuer, reason).with_expected(&self.all_issuers);
        let trusted = || Arc::clone(&self.first_issuer);
        match claims.text("iss") {
            Err(_) => Err(fault(Reason::IssuerNotAString { trusted: trusted() })),
            Ok(None) => Err(fault(Reason::IssuerMissing { trusted: trusted() })),
            Ok(Some(iss)) => self.issuers.get(iss).ok_or_else(|| {
                let reason = Reason::IssuerNotTrusted { issuer: shown(iss), trusted: trusted() };
                fault(reason).with_found(iss)
            }),
        }
    }

    /// A header that no issuer may send. For `alg` both sides are told, as for any other `alg`.
    fn header_fault(&self, error: &HeaderError) -> Finding {
        let finding = |reason| Finding::new(Check::Header, reason);
        match error {
            HeaderError::Unsigned(alg) => finding(Reason::AlgorithmNotASignature)
                .with_found(alg)
                .with_expected(&self.all_algorithms),
            HeaderError::Unsupported(name) => finding(Reason::HeaderUnsupported(name)),
            HeaderError::Nested => finding(Reason::NestedToken),
            HeaderError::NotText(name) => finding(Reason::HeaderNotAString(name)),
            HeaderError::NoAlgorithm => finding(Reason::AlgorithmMissing),
        }
    }

    fn without_keys<R: Recorder>(&self, keys: &KeyRing, patience: Patience, to: &mut R) -> Stop {
        if patience == Patience::MayWait
            && let Some(wait) = keys.first_load()
        {
            return Stop::Wait(wait);
        }
        let issuer = keys.issuer().to_owned();
        to.unavailable(Check::Key, || format!("the keys of `{issuer}` are not available"));
        Stop::Refused(AuthenticationError::KeysUnavailable {
            issuer,
            retry_after: keys.retry_after(),
        })
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("issuers", &self.issuers).finish_non_exhaustive()
    }
}

/// As for any algorithm that is not accepted, both sides are told.
fn unfit_key(header: JoseHeader<'_>, keys: &JwkSet) -> Finding {
    let finding = Finding::new(Check::Key, Reason::KeyForAnotherAlgorithm).with_found(header.alg);
    match header.kid {
        Some(kid) => finding.with_expected(validation::listed(&keys.algorithms_of(kid))),
        None => finding,
    }
}

fn no_key(why: NoKey, kid: Option<&str>) -> Finding {
    let reason = match (why, kid) {
        (NoKey::Unknown, Some(_)) => Reason::KeyUnknown,
        (NoKey::Unknown | NoKey::Unfit | NoKey::Foreign, _) => Reason::KeyUnfit,
        (NoKey::Ambiguous, Some(_)) => Reason::KeysWithTheSameId,
        (NoKey::Ambiguous, None) => Reason::KeysWithoutId,
    };
    let finding = Finding::new(Check::Key, reason);
    match kid {
        Some(kid) => finding.with_found(kid),
        None => finding,
    }
}
