//! What the crate promises, tested through its public interface against a loopback issuer.
//!
//! `requirements/` has one test for each numbered requirement of the standards, its number in
//! its name; the other modules have one subject each.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod authorization;
mod configuration;
mod key_life;
mod middleware;
mod principal;
mod refusals;
mod requirements;
mod support;
