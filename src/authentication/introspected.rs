//! The decision on a token about which the provider is asked: an opaque one, or a JWT that passed all
//! checks here.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::authenticator::{Authenticator, Interruption};
use super::bearer::{Presented, Scheme};
use super::claims::Claims;
use super::confirmation;
use super::error::AuthenticationError;
use super::introspection::{
    ActiveAnswer, Confirmed, IntrospectedTokens, IntrospectionAnswer, IntrospectionLookup,
    Introspector, Outcome,
};
use super::issuer::IssuerSettings;
use super::issuer_in_use::Issuer;
use super::principal::Principal;
#[cfg(fuzzing)]
use super::request::RequestHead;
use super::token_kind;
use super::validation::{self, ValidatedClaims, Verified};
use super::validity::Validity;
use super::wait::{Wait, Waited};
use crate::explanation::recorder::{NoRecorder, Recorder};
use crate::explanation::{Check, Checked, Evidence, Finding, IntrospectionReason, Reason};
use crate::jose::base64url;
use crate::jose::compact::{CompactJws, CompactJwsError};
use crate::keys::KeySetId;

/// The checks that nothing but a JWS can fail.
const OF_JWS: [Check; 5] =
    [Check::Header, Check::Algorithm, Check::Type, Check::Key, Check::Signature];

impl Issuer {
    /// Returns how every JWT of the issuer is introspected, where it is.
    pub(super) fn introspects_every_token(&self) -> Option<&Introspector> {
        let introspector = self.introspector.as_ref();
        introspector.filter(|one| one.settings.asks_about == IntrospectedTokens::EveryJwt)
    }
}

impl Authenticator {
    /// Returns the issuer whose provider is asked about a token, where that is opaque: no JWS.
    pub(super) fn introspection_target(
        &self,
        token: &[u8],
        jws: &Result<CompactJws<'_>, CompactJwsError>,
    ) -> Option<(&Issuer, &Introspector)> {
        let issuer = self.issuers.of_opaque_tokens()?;
        let introspector = issuer.introspector.as_ref()?;
        let is_jws = match jws {
            Ok(jws) => jws.header.has("alg"),
            Err(_) => begins_as_jws(token),
        };
        (!is_jws).then_some((issuer, introspector))
    }

    /// Judges an opaque token by what its provider says of it.
    pub(super) fn authenticate_by_introspection<R: Recorder>(
        &self,
        (issuer, introspector): (&Issuer, &Introspector),
        Presented { scheme, token }: Presented<'_>,
        waited: &Waited,
        recorder: &mut R,
    ) -> Result<Principal, Interruption> {
        recorder.passed(Check::Shape, || Evidence::found("no JWS: an opaque token"));
        let answer = active(issuer, introspector, token, waited, recorder)?;
        let Some((document, said)) = answer.document() else { return Err(inactive(recorder)) };
        let claims = Claims::new(document);
        recorder.check(own_issuer(&claims, &issuer.settings))?;
        recorder.passed(Check::Issuer, || Evidence::found(&issuer.settings.issuer));
        for check in OF_JWS {
            recorder.passed(check, || Evidence::found("none: an opaque token"));
        }
        let is_audience_known = introspector.settings.is_audience_known;
        let verified = Verified::by_answer(said, is_audience_known);
        let validated =
            validation::validate(&claims, verified, scheme, issuer, self.clock.now(), recorder)?;
        let is_bound = validated.confirmation().is_some_and(|cnf| cnf.key.is_some());
        // The check has been recorded as passed already; only a failure takes the place of that.
        let said = NoRecorder.check(token_kind::bound_as_said(&claims, is_bound));
        said.inspect_err(|finding| recorder.failed(|| finding.clone()))?;
        let principal = Principal::new(&validated, &issuer.settings, |_| true);
        let kept = AnswerContext { introspector, answer: &answer, key_set: answer.key_set() };
        self.keep(issuer, token, (&principal, &validated), &kept, recorder);
        Ok(principal)
    }

    /// Asks about a JWT that passed all checks. What the answer says has to agree with it.
    pub(super) fn introspect_validated<R: Recorder>(
        &self,
        (issuer, introspector): (&Issuer, &Introspector),
        Presented { scheme, token }: Presented<'_>,
        (validated, key_set): (ValidatedClaims<'_, '_>, KeySetId),
        waited: &Waited,
        recorder: &mut R,
    ) -> Result<Principal, Interruption> {
        let answer = active(issuer, introspector, token, waited, recorder)?;
        let Some((document, said)) = answer.document() else { return Err(inactive(recorder)) };
        let claims = Claims::new(document);
        let validated = self.check_beside((validated, &claims), issuer, scheme, recorder)?;
        let Issuer { settings, audience, .. } = issuer;
        let confirmed = Confirmed::compare(validated.claims(), (&claims, said), settings, audience);
        let confirmed = recorder.check(confirmed)?;
        let principal = Principal::new(&validated, settings, |scope| confirmed.has_scope(scope));
        let kept = AnswerContext { introspector, answer: &answer, key_set: Some(key_set) };
        self.keep(issuer, token, (&principal, &validated), &kept, recorder);
        Ok(principal)
    }

    /// Checks what an answer beside a JWT says by itself: another kind of token, the end of the token,
    /// a sender that it is bound to.
    fn check_beside<'c, 'a>(
        &self,
        (jwt, answer): (ValidatedClaims<'c, 'a>, &Claims<'_>),
        issuer: &Issuer,
        scheme: Scheme,
        recorder: &mut impl Recorder,
    ) -> Result<ValidatedClaims<'c, 'a>, Finding> {
        let (settings, now, own) =
            (&issuer.settings, self.clock.now(), jwt.confirmation().copied());
        let check = || {
            NoRecorder.check(token_kind::of_answer(answer, settings))?;
            let either = confirmation::check_either(own, answer, settings, scheme);
            let bound_by = NoRecorder.check(either)?;
            let is_bound = bound_by.as_ref().is_some_and(|cnf| cnf.key.is_some());
            NoRecorder.check(token_kind::bound_as_said(answer, is_bound))?;
            if answer.has("exp") {
                NoRecorder.check(validation::expiry(answer, settings, now))?;
            }
            Ok(bound_by)
        };
        let checked = check().inspect_err(|finding: &Finding| recorder.failed(|| finding.clone()));
        checked.map(|confirmation| jwt.bound_by(confirmation))
    }

    /// Takes note of what an introspected token holds, and keeps it as long as its answer counts.
    fn keep<R: Recorder>(
        &self,
        issuer: &Issuer,
        token: &[u8],
        (principal, validated): (&Principal, &ValidatedClaims<'_, '_>),
        kept: &AnswerContext<'_>,
        recorder: &mut R,
    ) {
        recorder.record_contents(|| principal.contents());
        if !R::USES_CACHE {
            return;
        }
        issuer.accepted.count_verified();
        let AnswerContext { introspector, answer, key_set } = kept;
        let Some(questions) = &introspector.questions else { return };
        let until = questions.counts_until(answer);
        if Instant::now() < until {
            let dates = validated.dates();
            let validity = Validity::new(issuer.index, *key_set, dates, &issuer.settings);
            let validity = validity.while_answered(until, dates.expires_at, answer.expires_at());
            self.cache.insert(token, principal, validity);
        }
    }
}

/// An answer, and what it depends on.
struct AnswerContext<'k> {
    introspector: &'k Introspector,
    answer: &'k ActiveAnswer,
    /// The keys that verified the token, or its answer.
    key_set: Option<KeySetId>,
}

/// Returns the answer that a token is active.
fn active(
    issuer: &Issuer,
    introspector: &Introspector,
    token: &[u8],
    waited: &Waited,
    recorder: &mut impl Recorder,
) -> Result<Arc<ActiveAnswer>, Interruption> {
    let outcome = match (waited.answer(), &introspector.questions) {
        (Some(outcome), _) => outcome.clone(),
        // Where nobody may be asked (`offline`), the token is undecided: neither let in nor rejected.
        (None, None) => Outcome::Unavailable { retry_after: Duration::from_secs(1) },
        (None, Some(questions)) => match questions.look_up(token) {
            IntrospectionLookup::Known(outcome) => outcome,
            IntrospectionLookup::Open(wait) => return Err(Interruption::Wait(Wait::Answer(wait))),
        },
    };
    match outcome {
        Outcome::Answered(IntrospectionAnswer::Active(answer)) => Ok(answer),
        Outcome::Answered(IntrospectionAnswer::Inactive) => Err(inactive(recorder)),
        Outcome::Unavailable { retry_after } => {
            let issuer = issuer.settings.issuer.to_string();
            recorder.unavailable(Check::Introspection, || {
                format!("`{issuer}` cannot be asked about the token now")
            });
            let error = AuthenticationError::IntrospectionUnavailable { issuer, retry_after };
            Err(Interruption::Refused(error))
        }
    }
}

/// An entry point for fuzz targets: otherwise answers come only over the network.
#[cfg(fuzzing)]
impl Authenticator {
    /// Judges an opaque token by the body of an answer; `None` if that is no answer.
    pub fn authenticate_by_answer(
        &self,
        token: &str,
        body: &[u8],
    ) -> Option<Result<Principal, AuthenticationError>> {
        let answer = IntrospectionAnswer::read(body, Instant::now(), None).ok()?;
        let waited = Waited::for_answer(Outcome::Answered(answer.shared()));
        let (parts, ()) = http::Request::new(()).into_parts();
        let presented = Presented { scheme: Scheme::Bearer, token: token.as_bytes() };
        let head = RequestHead::of_parts(&parts);
        Some(match self.decide(&Ok(presented), head, &waited, &mut NoRecorder) {
            Ok(principal) => Ok(principal),
            Err(Interruption::Refused(error)) => Err(error),
            Err(Interruption::Wait(_)) => return None,
        })
    }
}

/// Refuses a token that is not active.
fn inactive(recorder: &mut impl Recorder) -> Interruption {
    let reason = Reason::Introspection(IntrospectionReason::Inactive);
    let finding = Finding::new(Check::Introspection, reason, Evidence::none());
    recorder.failed(|| finding.clone());
    finding.into()
}

/// Checks that an answer is about a token of the issuer that was asked (RFC 7662 section 2.2).
fn own_issuer(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
) -> Checked<(), impl FnOnce() -> Evidence> {
    let result = match claims.string("iss") {
        Ok(None) => Ok(()),
        Ok(Some(issuer)) if *issuer == *settings.issuer => Ok(()),
        Ok(Some(_)) | Err(_) => Err(Reason::Introspection(IntrospectionReason::OtherIssuer)),
    };
    let passed = result.is_ok();
    Checked::new(Check::Introspection, result, move || match passed {
        true => Evidence::found("active"),
        false => Evidence::none()
            .with_found(claims.string("iss").unwrap_or_default())
            .expected(&settings.issuer),
    })
}

/// Reports whether a token has three parts of which the first is a JSON object with `alg`, whatever
/// else keeps it from being a JWS.
#[cold]
fn begins_as_jws(token: &[u8]) -> bool {
    let parts: Vec<&[u8]> = token.split(|byte| *byte == b'.').take(4).collect();
    let [header, _, _] = parts.as_slice() else { return false };
    let header = std::str::from_utf8(header).ok().and_then(base64url::decode_either_alphabet);
    let members = header.and_then(|header| serde_json::from_slice(&header).ok());
    members.is_some_and(|members: serde_json::Map<String, serde_json::Value>| {
        members.contains_key("alg")
    })
}
