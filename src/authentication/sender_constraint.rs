//! The setting of an issuer for tokens that are bound to their sender.

/// The treatment of tokens that are bound to their sender.
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
