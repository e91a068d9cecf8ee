//! `cnf` (RFC 7800): what a token is bound to, and what its sender therefore has to prove.

use super::bearer::Scheme;
use super::claims::Claims;
use super::issuer::IssuerSettings;
use super::sender_constraint::SenderConstraint;
use crate::explanation::{Check, Checked, ClaimReason, Evidence, Reason};
use crate::jose::Thumbprint;
use crate::jose::json::Json;

/// The confirmation of a token: at least one of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Confirmation {
    /// The thumbprint of a key that a proof of DPoP has to be signed with (RFC 9449 section 6.1).
    pub(crate) key: Option<Thumbprint>,
    /// The thumbprint of the certificate of the connection (RFC 8705 section 3.1).
    pub(crate) certificate: Option<Thumbprint>,
}

/// The member that Keycloak 26.7 writes beside `jkt`.
const KEYCLOAK_PROOF: &str = "kc-jkt-type";

impl Confirmation {
    /// Reads `cnf`. RFC 7800 section 3.1 makes it an object, so that `null` would bind the token to an unknown party;
    /// a member that is not known is an error, since nothing here can verify it. The one that Keycloak puts beside
    /// `jkt` says how its key is proved, and is known as far as it says what `jkt` means.
    fn read(claims: &Claims<'_>) -> Result<Option<Self>, ClaimReason> {
        let members = match claims.member("cnf") {
            None => return Ok(None),
            Some(Json::Null) => return Err(ClaimReason::ConfirmationNull),
            Some(value) => value.as_object().ok_or(ClaimReason::ConfirmationMalformed)?,
        };
        let mut read = Self { key: None, certificate: None };
        let mut says_how = false;
        let mut members = members.into_iter();
        while let (Some(name), Some(value)) = (members.next(), members.next()) {
            let member = match name.as_str() {
                Some("jkt") => &mut read.key,
                Some("x5t#S256") => &mut read.certificate,
                Some(KEYCLOAK_PROOF) if value.as_str() == Some("DPoP") => {
                    says_how = true;
                    continue;
                }
                Some(_) | None => return Err(ClaimReason::ConfirmationUnknown),
            };
            let thumbprint = value.as_str().and_then(Thumbprint::parse);
            *member = Some(thumbprint.ok_or(ClaimReason::ConfirmationMalformed)?);
        }
        match read {
            Self { key: None, .. } if says_how => Err(ClaimReason::ConfirmationUnknown),
            Self { key: None, certificate: None } => Err(ClaimReason::ConfirmationMalformed),
            bound => Ok(Some(bound)),
        }
    }
}

/// Reports whether a token with this confirmation may come by a scheme: one that is bound to a key
/// only as `DPoP` (RFC 9449 section 7.1), any other only as `Bearer`.
pub(super) fn scheme_matches(scheme: Scheme, confirmation: Option<&Confirmation>) -> bool {
    let is_bound_to_key = confirmation.is_some_and(|bound| bound.key.is_some());
    is_bound_to_key == (scheme == Scheme::Dpop)
}

/// Reads `cnf`, where whether the token may come by its scheme is judged later.
pub(super) fn read(
    claims: &Claims<'_>,
) -> Checked<Option<Confirmation>, impl FnOnce() -> Evidence> {
    let result = Confirmation::read(claims).map_err(Reason::Claim);
    Checked::new(Check::Confirmation, result, Evidence::none)
}

/// Checks what a token is bound to by its own `cnf` or by that of the answer about it, which are the
/// same where both are there.
#[cfg(feature = "client")]
pub(super) fn check_either(
    own: Option<Confirmation>,
    answer: &Claims<'_>,
    settings: &IssuerSettings,
    scheme: Scheme,
) -> Checked<Option<Confirmation>, impl FnOnce() -> Evidence> {
    let result = match own {
        Some(own) => Ok(Some(own)),
        None => Confirmation::read(answer),
    };
    let result = result.and_then(|confirmation| binding_accepted(confirmation, settings, scheme));
    Checked::new(Check::Confirmation, result.map_err(Reason::Claim), Evidence::none)
}

/// Checks `cnf`: a token that is bound to its sender must not be taken from anybody else. Whether it
/// is, and by which scheme it may come, is judged here; the proof itself after all claims.
pub(super) fn check(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
    scheme: Scheme,
) -> Checked<Option<Confirmation>, impl FnOnce() -> Evidence> {
    let result = Confirmation::read(claims)
        .and_then(|confirmation| binding_accepted(confirmation, settings, scheme))
        .map_err(Reason::Claim);
    Checked::new(Check::Confirmation, result, Evidence::none)
}

/// Checks whether a token may be bound, or has to be, and whether it comes by the scheme for it.
fn binding_accepted(
    confirmation: Option<Confirmation>,
    settings: &IssuerSettings,
    scheme: Scheme,
) -> Result<Option<Confirmation>, ClaimReason> {
    let is_bound = confirmation.is_some();
    let constraint = settings.sender_constraint;
    if constraint == SenderConstraint::Refuse && is_bound {
        return Err(ClaimReason::BoundTokenRefused);
    }
    if constraint == SenderConstraint::Require && !is_bound {
        return Err(ClaimReason::NotBound);
    }
    match (scheme_matches(scheme, confirmation.as_ref()), scheme) {
        (true, _) => Ok(confirmation),
        (false, Scheme::Dpop) => Err(ClaimReason::NotBoundToKey),
        (false, Scheme::Bearer) => Err(ClaimReason::SenderConstrained),
    }
}
