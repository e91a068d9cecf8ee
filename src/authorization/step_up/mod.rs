//! Step-up (RFC 9470): how, and how long ago, a user has to have been authenticated for what.

mod challenge;
mod requirement;
mod rules;
mod target;

pub(crate) use self::challenge::{Insufficient, StepUpChallenge};
pub use self::requirement::{StepUp, StepUpCallers};
pub(crate) use self::rules::StepUpRules;
