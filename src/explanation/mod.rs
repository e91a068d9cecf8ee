//! The checks of a token as data: which one, what was found, what was expected, what to change.
//!
//! [`FhirAuthLayer::explain`](crate::FhirAuthLayer::explain) and
//! [`Authenticator::explain`](crate::Authenticator::explain) return an [`Explanation`]: a [`Step`]
//! for each [`Check`], passed, failed or not reached, and a [`Verdict`]. `Display` writes it for a
//! terminal, `Serialize` for machines. A request is decided by the same code with a recorder that
//! keeps nothing; there is no second implementation of any check, so an explanation cannot drift
//! from the verdict.
//!
//! A check that failed is a [`Finding`]: a [`Reason`], an enum to match on, with both sides as far
//! as they may be told. [`Finding::advice`] says what to change, and on which [`Side`]; where a
//! rule denied the request, it is made of the [`Requirement`]s that were not met.

mod address;
mod advice;
mod check;
mod checked;
mod conjunction;
mod evidence;
mod finding;
mod grounds;
mod held_role;
mod invalid_request;
mod reason;
pub(crate) mod recorder;
mod render;
mod report;
mod requirement;
mod serialize;
mod side;
mod unreached;

pub use check::Check;
pub(crate) use checked::Checked;
pub(crate) use conjunction::joined;
pub(crate) use evidence::Evidence;
pub use finding::Finding;
pub(crate) use grounds::Grounds;
pub use held_role::{HeldRole, RoleStanding};
pub use invalid_request::{InvalidRequest, OtherCredentials};
pub use reason::{
    AudienceReason, CertificateReason, ClaimReason, HeaderReason, IntrospectionReason,
    IssuerReason, KeyReason, ProofReason, Reason, StepUpReason, TimeReason,
};
pub use report::{Explanation, Step, StepOutcome, TokenContents, Verdict};
pub use requirement::Requirement;
pub use side::{Advice, Side};
pub(crate) use unreached::Unreached;
