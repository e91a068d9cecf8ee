//! The ways in which this server accepts tokens, as challenges and metadata tell them.

use super::issuer::TrustedIssuer;
use super::sender_constraint::SenderConstraint;
use crate::jose::Algorithm;

/// The ways in which tokens are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AcceptedSchemes {
    /// Some tokens may come by the scheme `Bearer`.
    pub(crate) bearer: bool,
    /// Some tokens may be bound to a key, and come by the scheme `DPoP`.
    pub(crate) dpop: bool,
    /// Some tokens may be bound to a certificate.
    pub(crate) certificates: bool,
}

impl AcceptedSchemes {
    /// Sums up what issuers may do. A bound token of mutual TLS comes as `Bearer`.
    pub(super) fn by(issuers: &[TrustedIssuer], has_mutual_tls: bool) -> Self {
        let any = |wanted: &dyn Fn(SenderConstraint) -> bool| {
            issuers.iter().any(|issuer| wanted(issuer.settings.sender_constraint))
        };
        let certificates = has_mutual_tls && any(&|one| one != SenderConstraint::Refuse);
        Self {
            bearer: certificates || any(&|one| one != SenderConstraint::Require),
            dpop: any(&|one| one != SenderConstraint::Refuse),
            certificates,
        }
    }

    /// Returns the algorithms of proofs.
    pub(crate) fn proof_algorithms() -> &'static [Algorithm] {
        Algorithm::ALL
    }
}
