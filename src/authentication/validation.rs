//! Header and claims against the settings of the issuer, one function a check (RFC 7519 section
//! 4.1, RFC 8725, RFC 9068).
//!
//! Each takes the settings of the token's issuer, so an issuer is judged by its own rules alone,
//! and states both sides of its check.

use super::bearer::Scheme;
use super::claims::Claims;
use super::client;
use super::confirmation::{self, Confirmation};
use super::entra;
#[cfg(feature = "client")]
use super::introspection::SaidToBeActive;
use super::issuer::IssuerSettings;
use super::issuer_in_use::Issuer;
use super::token_kind;
use super::validity::Dates;
use crate::display_safe::sanitize;
#[cfg(feature = "client")]
use crate::explanation::IntrospectionReason;
use crate::explanation::recorder::Recorder;
use crate::explanation::{
    Check, Checked, ClaimReason, Evidence, Finding, HeaderReason, Reason, TimeReason,
};
use crate::jose::Algorithm;
use crate::jose::header::{HeaderError, JoseHeader, media_type};
use crate::jose::json::Document;
use crate::jose::signature::SignatureValid;
use crate::time::UnixTime;

/// Claims that passed every check. Only [`validate`] makes one, from the proof that the signature
/// verified, and [`Principal`](super::principal::Principal) is made of it.
pub(crate) struct ValidatedClaims<'c, 'a> {
    claims: &'c Claims<'a>,
    dates: Dates,
    confirmation: Option<Confirmation>,
}

impl<'c, 'a> ValidatedClaims<'c, 'a> {
    pub(crate) fn claims(&self) -> &'c Claims<'a> {
        self.claims
    }

    pub(crate) fn dates(&self) -> Dates {
        self.dates
    }

    /// Returns the claims, bound as the answer of the provider says.
    #[cfg(feature = "client")]
    pub(super) fn bound_by(self, confirmation: Option<Confirmation>) -> Self {
        Self { confirmation, ..self }
    }

    /// Returns the confirmation that the sender has to prove.
    pub(super) fn confirmation(&self) -> Option<&Confirmation> {
        self.confirmation.as_ref()
    }
}

/// The reason for which claims are believed.
#[derive(Clone, Copy)]
pub(crate) enum Verified {
    /// The signature of the token has verified.
    Signature(SignatureValid),
    /// The provider has said that the token is active, and what it holds.
    #[cfg(feature = "client")]
    Answer {
        #[expect(dead_code, reason = "it is the proof")]
        said: SaidToBeActive,
        /// `true` where the provider answers only about tokens for this API.
        is_audience_known: bool,
    },
}

impl From<SignatureValid> for Verified {
    fn from(valid: SignatureValid) -> Self {
        Self::Signature(valid)
    }
}

impl Verified {
    #[cfg(feature = "client")]
    pub(crate) fn by_answer(said: SaidToBeActive, is_audience_known: bool) -> Self {
        Self::Answer { said, is_audience_known }
    }
}

/// Makes the checks of claims that are believed, in order.
pub(crate) fn validate<'c, 'a>(
    claims: &'c Claims<'a>,
    verified: Verified,
    scheme: Scheme,
    issuer: &Issuer,
    now: UnixTime,
    recorder: &mut impl Recorder,
) -> Result<ValidatedClaims<'c, 'a>, Finding> {
    let settings = &issuer.settings;
    // RFC 8725 section 3.12: rules of different kinds of JWT exclude each other.
    match verified {
        Verified::Signature(_) => recorder.check(token_kind::access_token(claims, settings))?,
        #[cfg(feature = "client")]
        Verified::Answer { .. } => recorder.check(token_kind::of_answer(claims, settings))?,
    }
    // Microsoft identity platform, "Access tokens": `tid` is the tenant that `iss` names, and is said once.
    recorder.check(entra::checks::tenant(claims, settings))?;
    // RFC 7519 section 4.1.3, RFC 8725 section 3.9; of an answer, RFC 7662 section 2.2.
    match verified {
        #[cfg(feature = "client")]
        Verified::Answer { is_audience_known, .. } if claims.names_no_audience() => {
            recorder.check(unnamed_audience(is_audience_known))?;
        }
        _ => recorder.check(issuer.audience.check(claims, settings.audience_setting()))?,
    }
    // RFC 7519 section 4.1.5.
    let not_before = recorder.check(not_before(claims, settings, now))?;
    // RFC 7519 section 4.1.6 defines `iat`; that it is neither ahead nor too old is a rule of this crate.
    let issued_at = recorder.check(issued_at(claims, settings, now))?;
    // `exp` always, others of RFC 9068 section 2.2 as the operator asks; types by RFC 7519 sections 4.1.2 and 4.1.7.
    recorder.check(required_claims(claims, settings))?;
    // RFC 8693 section 4.3: `client_id`, and what providers write in its place.
    recorder.check(client::allowed(claims, settings))?;
    // RFC 7800 section 3.1. Where the provider is asked, too, its answer may be what says that the token is bound.
    let confirmation = match issuer.is_always_introspected() {
        true => recorder.check(confirmation::read(claims))?,
        false => recorder.check(confirmation::check(claims, settings, scheme))?,
    };
    // RFC 7519 section 4.1.4. Last: a token that is past its time has no other fault.
    let expires_at = recorder.check(expiry(claims, settings, now))?;
    let dates = Dates { not_before, issued_at, expires_at };
    Ok(ValidatedClaims { claims, dates, confirmation })
}

/// Checks that an answer may leave the audience out (RFC 7662 section 2.2).
#[cfg(feature = "client")]
fn unnamed_audience(is_known: bool) -> Checked<(), impl FnOnce() -> Evidence> {
    let missing = Reason::Introspection(IntrospectionReason::AudienceMissing);
    let result = if is_known { Ok(()) } else { Err(missing) };
    Checked::new(Check::Audience, result, move || match is_known {
        true => Evidence::found("none: the provider answers only about tokens for this API"),
        false => Evidence::none(),
    })
}

/// Reads the header, and fails for one that no issuer may send (RFC 7515 section 4.1). For an
/// `alg` that is no signature both sides are told, as for any other `alg`.
pub(crate) fn header<'a>(
    members: &'a Document<'_>,
    all_algorithms: &str,
) -> Checked<JoseHeader<'a>, impl FnOnce() -> Evidence> {
    let read = JoseHeader::read(members);
    let unsigned = match &read {
        Err(HeaderError::Unsigned(alg)) => Some(alg.clone()),
        Ok(_) | Err(_) => None,
    };
    let header = read.map_err(|error| match error {
        HeaderError::Unsigned(_) => Reason::Header(HeaderReason::AlgorithmNotASignature),
        HeaderError::Unsupported(name) => Reason::Header(HeaderReason::Unsupported(name)),
        HeaderError::Nested => Reason::Header(HeaderReason::NestedToken),
        HeaderError::NotAString(name) => Reason::Header(HeaderReason::NotAString(name)),
        HeaderError::NoAlgorithm => Reason::Header(HeaderReason::AlgorithmMissing),
    });
    Checked::new(Check::Header, header, move || match unsigned {
        Some(alg) => Evidence::found(alg).expected(all_algorithms),
        None => Evidence::none(),
    })
}

/// Checks `alg`, which must be among those of the issuer (RFC 8725 section 3.1).
pub(crate) fn algorithm(
    alg: &str,
    settings: &IssuerSettings,
) -> Checked<Algorithm, impl FnOnce() -> Evidence> {
    let accepted = &settings.algorithms;
    let result = match alg.parse() {
        Ok(known) if accepted.contains(&known) => Ok(known),
        Ok(_) => Err(Reason::Header(HeaderReason::AlgorithmNotAccepted)),
        Err(_) => Err(Reason::Header(HeaderReason::AlgorithmUnknown)),
    };
    Checked::new(Check::Algorithm, result, move || Evidence::found(alg).expected(listed(accepted)))
}

/// Returns algorithms as a refusal names them.
pub(crate) fn listed(algorithms: &[Algorithm]) -> String {
    let names: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
    names.join(" ")
}

/// Checks `typ` (RFC 8725 section 3.11, RFC 9068 section 4).
pub(crate) fn token_type(
    typ: Option<&str>,
    settings: &IssuerSettings,
) -> Checked<(), impl FnOnce() -> Evidence> {
    let typ = typ.unwrap_or("");
    let accepted = |name: &String| match (typ, name.as_str()) {
        ("", "") => true,
        // `application/` alone is cut to nothing, and would pass where `typ` may be absent.
        ("", _) | (_, "") => false,
        (typ, name) => media_type(typ).eq_ignore_ascii_case(media_type(name)),
    };
    let result = match settings.token_types.iter().any(accepted) {
        true => Ok(()),
        false if is_other_kind(typ) => Err(Reason::Header(HeaderReason::TypeOfAnotherToken)),
        false => Err(Reason::Header(HeaderReason::TypeNotAccepted)),
    };
    Checked::new(Check::Type, result, move || {
        let types = settings.token_types.iter().map(|name| or_absent(name));
        Evidence::found(or_absent(typ)).expected(Vec::from_iter(types).join(" "))
    })
}

/// Reports whether a `typ` is one of the explicit types that other JWTs than access tokens have
/// (RFC 8725 section 3.11), such as `logout+jwt` and `dpop+jwt`.
fn is_other_kind(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.ends_with("+jwt") && typ != "at+jwt" && typ != "application/at+jwt"
}

fn or_absent(typ: &str) -> &str {
    if typ.is_empty() { "(absent)" } else { typ }
}

/// Checks `nbf`, where there is one (RFC 7519 section 4.1.5).
pub(super) fn not_before(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
    now: UnixTime,
) -> Checked<Option<UnixTime>, impl FnOnce() -> Evidence> {
    let latest = now.saturating_add(settings.leeway);
    let result = date(claims, "nbf").and_then(|not_before| match not_before {
        Some(moment) if moment > latest => {
            Err(Reason::Time(TimeReason::NotYetValid { ahead: moment.since(now) }))
        }
        date => Ok(date),
    });
    Checked::new(Check::NotBefore, result, move || {
        date_against(claims, "nbf", Some(("at most", latest)), &clock(now, settings))
    })
}

/// Checks `iat`, where there is one or a largest age is set.
pub(super) fn issued_at(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
    now: UnixTime,
) -> Checked<Option<UnixTime>, impl FnOnce() -> Evidence> {
    let latest = now.saturating_add(settings.leeway);
    let oldest =
        settings.max_token_age.map(|age| now.saturating_sub(age).saturating_sub(settings.leeway));
    let result = date(claims, "iat").and_then(|issued_at| match (issued_at, oldest) {
        (None, Some(_)) => Err(Reason::Time(TimeReason::IssuedAtMissing)),
        (Some(moment), _) if moment > latest => {
            Err(Reason::Time(TimeReason::IssuedInTheFuture { ahead: moment.since(now) }))
        }
        (Some(moment), Some(oldest)) if moment < oldest => {
            Err(Reason::Time(TimeReason::IssuedTooLongAgo))
        }
        (date, _) => Ok(date),
    });
    let accepted = match result {
        Err(Reason::Time(TimeReason::IssuedAtMissing)) => None,
        Err(Reason::Time(TimeReason::IssuedTooLongAgo)) => {
            oldest.map(|oldest| ("at least", oldest))
        }
        Ok(_) | Err(_) => Some(("at most", latest)),
    };
    let age = match result {
        Err(Reason::Time(TimeReason::IssuedTooLongAgo)) => settings.max_token_age,
        Ok(_) | Err(_) => None,
    };
    Checked::new(Check::IssuedAt, result, move || {
        let mut clock = clock(now, settings);
        if let Some(age) = age {
            clock = format!("{clock}, max_token_age: {}", humantime::format_duration(age));
        }
        date_against(claims, "iat", accepted, &clock)
    })
}

/// Checks that the claims the issuer must send are there, and that the registered ones have their
/// types.
pub(super) fn required_claims(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
) -> Checked<(), impl FnOnce() -> Evidence> {
    let result = lacking(claims, settings).map_or(Ok(()), Err);
    let passed = result.is_ok();
    Checked::new(Check::RequiredClaims, result, move || match passed {
        true => Evidence::none().expected(settings.required_claims.join(" ")),
        false => Evidence::none(),
    })
}

fn lacking(claims: &Claims<'_>, settings: &IssuerSettings) -> Option<Reason> {
    // RFC 7519 makes `sub` a StringOrURI and `jti` a string; so are clients by RFC 8693 and OpenID Connect.
    let registered = ["sub", "jti", "client_id", "azp", "appid"];
    if let Some(name) = registered.into_iter().find(|name| claims.string(name).is_err()) {
        return Some(Reason::Claim(ClaimReason::NotAString(name)));
    }
    // `fhirUser` of SMART App Launch, or the name that Azure AD B2C can send.
    let is_present = |name: &str| {
        claims.is_present(name)
            || (name == "fhirUser" && claims.is_present(entra::claims::FHIR_USER))
    };
    let required = settings.required_claims.iter().map(String::as_str);
    // `exp` itself is judged last; here it only has to be there.
    match required.chain(["exp"]).find(|name| !is_present(name))? {
        "exp" => Some(Reason::Time(TimeReason::ExpiryMissing)),
        name => Some(Reason::Claim(ClaimReason::Missing(sanitize(name)))),
    }
}

/// Checks `exp`: now must be before it (RFC 7519 section 4.1.4).
pub(super) fn expiry(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
    now: UnixTime,
) -> Checked<UnixTime, impl FnOnce() -> Evidence> {
    let result = date(claims, "exp").and_then(|expires_at| match expires_at {
        None => Err(Reason::Time(TimeReason::ExpiryMissing)),
        Some(moment) if now < moment.saturating_add(settings.leeway) => Ok(moment),
        Some(moment) => Err(Reason::Time(TimeReason::Expired { ago: now.since(moment) })),
    });
    let earliest = now.saturating_sub(settings.leeway);
    Checked::new(Check::Expiry, result, move || {
        date_against(claims, "exp", Some(("later than", earliest)), &clock(now, settings))
    })
}

fn date(claims: &Claims<'_>, name: &'static str) -> Result<Option<UnixTime>, Reason> {
    claims.date(name).map_err(|_| Reason::Time(TimeReason::NotANumericDate(name)))
}

/// Tells what a date is compared with: who reads it has to know which clock is wrong.
fn clock(now: UnixTime, settings: &IssuerSettings) -> String {
    format!("this server's clock: {now}, leeway: {}", humantime::format_duration(settings.leeway))
}

/// Tells both sides of a date, where the token has one that can be read.
fn date_against(
    claims: &Claims<'_>,
    name: &str,
    accepted: Option<(&'static str, UnixTime)>,
    clock: &str,
) -> Evidence {
    match (claims.date(name), accepted) {
        (Ok(date), Some((relation, moment))) => Evidence::none()
            .with_found(date.map(|date| date.to_string()))
            .expected(format!("{relation} {moment} ({clock})")),
        (Ok(_), None) | (Err(_), _) => Evidence::none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_other_kinds_end_as_those_of_jwts_do_and_are_not_that_of_access_tokens() {
        for other in ["logout+jwt", "dpop+jwt", "application/secevent+JWT"] {
            assert!(is_other_kind(other), "{other}");
        }
        for own in ["at+jwt", "AT+JWT", "application/at+jwt", "JWT", ""] {
            assert!(!is_other_kind(own), "{own}");
        }
        assert_eq!((or_absent(""), or_absent("JWT")), ("(absent)", "JWT"));
    }
}
