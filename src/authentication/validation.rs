//! Header and claims against the settings of the issuer, one function a check (RFC 7519 section
//! 4.1, RFC 8725, RFC 9068).
//!
//! Each takes the settings of the token's issuer, so an issuer is judged by its own rules alone.

use super::claims::Claims;
use super::issuer::IssuerSettings;
use crate::explanation::{Check, Finding, Reason};
use crate::jose::Algorithm;
use crate::jose::header::{JoseHeader, media_type};
use crate::jose::json::Json;
use crate::jose::signature::SignatureValid;
use crate::text::shown;
use crate::time::UnixTime;

/// Claims that passed every check. Only [`ValidatedClaims::assert`] makes one, from the proof
/// that the signature verified, and [`Principal`](super::principal::Principal) is made of it.
pub(crate) struct ValidatedClaims<'c, 'a> {
    pub(crate) claims: &'c Claims<'a>,
    pub(crate) expires_at: UnixTime,
}

impl<'c, 'a> ValidatedClaims<'c, 'a> {
    pub(crate) fn assert(
        claims: &'c Claims<'a>,
        _signature: SignatureValid,
        expires_at: UnixTime,
    ) -> Self {
        Self { claims, expires_at }
    }
}

/// `alg`, which must be among those of the issuer (RFC 8725 section 3.1).
pub(crate) fn algorithm(alg: &str, settings: &IssuerSettings) -> Result<Algorithm, Finding> {
    let accepted = &settings.algorithms;
    let known = alg.parse().ok().filter(|algorithm| accepted.contains(algorithm));
    known.ok_or_else(|| {
        Finding::new(Check::Algorithm, Reason::AlgorithmNotAccepted)
            .with_found(alg)
            .with_expected(listed(accepted))
    })
}

/// Algorithms as a refusal names them.
pub(crate) fn listed(algorithms: &[Algorithm]) -> String {
    let names: Vec<&str> = algorithms.iter().map(|algorithm| algorithm.name()).collect();
    names.join(" ")
}

/// `typ` (RFC 8725 section 3.11, RFC 9068 section 4).
pub(crate) fn token_type(typ: Option<&str>, settings: &IssuerSettings) -> Result<(), Finding> {
    let typ = typ.unwrap_or("");
    let accepted = |name: &String| match (typ, name.as_str()) {
        ("", "") => true,
        ("", _) | (_, "") => false,
        (typ, name) => media_type(typ).eq_ignore_ascii_case(media_type(name)),
    };
    if settings.token_types.iter().any(accepted) {
        return Ok(());
    }
    let reason = match is_other_kind(typ) {
        true => Reason::TypeOfAnotherToken,
        false => Reason::TypeNotAccepted,
    };
    Err(Finding::new(Check::Type, reason)
        .with_found(if typ.is_empty() { "(absent)" } else { typ })
        .with_expected(listed_types(settings)))
}

/// Tells whether a `typ` is one of the explicit types that other JWTs than access tokens have (RFC 8725
/// section 3.11), such as `logout+jwt` and `dpop+jwt`.
fn is_other_kind(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.ends_with("+jwt") && typ != "at+jwt" && typ != "application/at+jwt"
}

/// The accepted `typ` values as a refusal names them.
pub(crate) fn listed_types(settings: &IssuerSettings) -> String {
    let types = settings.token_types.iter();
    let names: Vec<&str> =
        types.map(|name| if name.is_empty() { "(absent)" } else { name }).collect();
    names.join(" ")
}

/// `nbf`, where there is one.
pub(crate) fn not_before(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
    now: UnixTime,
) -> Result<Option<UnixTime>, Finding> {
    let Some(not_before) = date(claims, Check::NotBefore, "nbf")? else {
        return Ok(None);
    };
    if not_before <= now.plus(settings.leeway) {
        return Ok(Some(not_before));
    }
    Err(Finding::new(Check::NotBefore, Reason::NotYetValid)
        .with_found(not_before.to_string())
        .with_expected(format!("at most {}", now.plus(settings.leeway))))
}

/// `iat`, where there is one or a largest age is set.
pub(crate) fn issued_at(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
    now: UnixTime,
) -> Result<Option<UnixTime>, Finding> {
    let Some(issued_at) = date(claims, Check::IssuedAt, "iat")? else {
        return match settings.max_token_age {
            None => Ok(None),
            Some(_) => Err(Finding::new(Check::IssuedAt, Reason::IssuedAtMissing)),
        };
    };
    if issued_at > now.plus(settings.leeway) {
        return Err(Finding::new(Check::IssuedAt, Reason::IssuedInTheFuture)
            .with_found(issued_at.to_string())
            .with_expected(format!("at most {}", now.plus(settings.leeway))));
    }
    let Some(age) = settings.max_token_age else {
        return Ok(Some(issued_at));
    };
    let oldest = now.minus(age).minus(settings.leeway);
    if issued_at >= oldest {
        return Ok(Some(issued_at));
    }
    Err(Finding::new(Check::IssuedAt, Reason::IssuedTooLongAgo)
        .with_found(issued_at.to_string())
        .with_expected(format!("at least {oldest}")))
}

/// The claims that the issuer must send, and the types of the registered ones.
pub(crate) fn required_claims(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
) -> Result<(), Finding> {
    let fault = |reason| Err(Finding::new(Check::RequiredClaims, reason));
    // RFC 7519 makes these StringOrURI; the clients are text by RFC 8693 and OpenID Connect.
    for name in ["sub", "jti", "client_id", "azp", "appid"] {
        if claims.text(name).is_err() {
            return fault(Reason::ClaimNotAString(name));
        }
    }
    let required = settings.required_claims.iter().map(String::as_str);
    // `exp` itself is judged last; here it only has to be there.
    // Azure AD B2C can only send the second name (`fhirUser` of SMART App Launch).
    let is_present = |name: &str| {
        claims.is_present(name) || (name == "fhirUser" && claims.is_present("extension_fhirUser"))
    };
    match required.chain(["exp"]).find(|name| !is_present(name)) {
        Some("exp") => fault(Reason::ExpiryMissing),
        Some(name) => fault(Reason::ClaimMissing(shown(name))),
        None => Ok(()),
    }
}

/// Tokens of Microsoft Entra ID that only the API they are for can verify: for Microsoft Graph the
/// header has a `nonce`, which is hashed before the header is signed.
pub(crate) fn verifiable(header: JoseHeader<'_>, settings: &IssuerSettings) -> Result<(), Finding> {
    if settings.tenant.is_none() || !header.has_nonce {
        return Ok(());
    }
    Err(Finding::new(Check::Signature, Reason::TokenForAnotherApi))
}

/// `cnf` (RFC 7800): a token bound to its sender must not be taken from anybody else. Section 3.1
/// makes it an object, so that `null` binds to somebody who is not said.
pub(crate) fn confirmation(claims: &Claims<'_>) -> Result<(), Finding> {
    let reason = match claims.member("cnf") {
        None => return Ok(()),
        Some(Json::Null) => Reason::ConfirmationNull,
        Some(_) => Reason::SenderConstrained,
    };
    Err(Finding::new(Check::Confirmation, reason))
}

/// `exp`: now must be before it (RFC 7519 section 4.1.4).
pub(crate) fn expiry(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
    now: UnixTime,
) -> Result<UnixTime, Finding> {
    let expires_at = date(claims, Check::Expiry, "exp")?
        .ok_or_else(|| Finding::new(Check::Expiry, Reason::ExpiryMissing))?;
    if now < expires_at.plus(settings.leeway) {
        return Ok(expires_at);
    }
    Err(Finding::new(Check::Expiry, Reason::Expired)
        .with_found(expires_at.to_string())
        .with_expected(format!("later than {}", now.minus(settings.leeway))))
}

/// The three dates of a token that passed their checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dates {
    pub(crate) not_before: Option<UnixTime>,
    pub(crate) issued_at: Option<UnixTime>,
    pub(crate) expires_at: UnixTime,
}

impl Dates {
    /// Between which moments they pass: from the first, until before the second.
    pub(crate) fn window(self, settings: &IssuerSettings) -> (UnixTime, UnixTime) {
        let leeway = settings.leeway;
        let start = self.not_before.max(self.issued_at).map(|start| start.minus(leeway));
        let from = start.unwrap_or_else(|| UnixTime::from_secs(i64::MIN));
        let until = self.expires_at.plus(leeway);
        let oldest = settings.max_token_age.zip(self.issued_at);
        let too_old = oldest.map(|(age, issued_at)| issued_at.plus(age).plus(leeway).next());
        (from, too_old.map_or(until, |too_old| until.min(too_old)))
    }
}

fn date(
    claims: &Claims<'_>,
    check: Check,
    name: &'static str,
) -> Result<Option<UnixTime>, Finding> {
    claims.date(name).map_err(|_| Finding::new(check, Reason::NotANumericDate(name)))
}
