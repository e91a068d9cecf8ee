//! The key that a token may mean (RFC 7515 section 4.1.4, RFC 7517 section 4).

use super::validation::listed;
use crate::explanation::{Check, Checked, Evidence, KeyReason, Reason};
use crate::jose::JwkSet;
use crate::jose::header::JoseHeader;
use crate::jose::jwk_set::{Candidates, NoKey};

/// Checks that there are keys for `kid` and `alg`.
pub(super) fn key<'k>(
    candidates: Result<Candidates<'k>, NoKey>,
    header: JoseHeader<'k>,
    set: &'k JwkSet,
) -> Checked<Candidates<'k>, impl FnOnce() -> Evidence> {
    let failure = candidates.as_ref().err().copied();
    let candidates = candidates.map_err(|why| Reason::Key(reason(why, header.kid, set)));
    Checked::new(Check::Key, candidates, move || match (failure, header.kid) {
        // As for any algorithm that is not accepted, both sides are told.
        (Some(NoKey::WrongAlgorithm), Some(kid)) => {
            Evidence::found(header.alg).expected(listed(&set.algorithms_of(kid)))
        }
        (Some(NoKey::WrongAlgorithm), None) => Evidence::found(header.alg),
        (Some(NoKey::Foreign), _) => Evidence::none(),
        (Some(NoKey::Unknown | NoKey::Ambiguous) | None, kid) => Evidence::none().with_found(kid),
    })
}

fn reason(why: NoKey, kid: Option<&str>, set: &JwkSet) -> KeyReason {
    match (why, kid) {
        (NoKey::Unknown, Some(kid)) => match set.reason_left_out(kid) {
            Some(fault) => KeyReason::LeftOut(fault.clone()),
            None => KeyReason::Unknown,
        },
        (NoKey::Unknown, None) => KeyReason::Unfit,
        (NoKey::WrongAlgorithm, _) => KeyReason::ForAnotherAlgorithm,
        (NoKey::Foreign, _) => KeyReason::OfAnotherIssuer,
        (NoKey::Ambiguous, Some(_)) => KeyReason::SameId,
        (NoKey::Ambiguous, None) => KeyReason::NoId,
    }
}
