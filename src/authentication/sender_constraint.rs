//! The setting of an issuer for tokens that are bound to their sender.

/// The treatment of tokens that are bound to their sender.
///
/// ```
/// use tower_fhir_auth::TrustedIssuer;
/// use tower_fhir_auth::authentication::SenderConstraint;
///
/// // A token that was stolen is of no use without its key.
/// let issuer =
///     TrustedIssuer::discover("https://idp.example.org")
///         .sender_constraint(SenderConstraint::Require);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SenderConstraint {
    /// A token with `cnf` is good with its proof, and one without needs none.
    #[default]
    Accept,
    /// Every token has to be bound, and to come with its proof.
    Require,
    /// No token may be bound.
    Refuse,
}
