//! The promises of the crate, tested through its public interface against a loopback issuer.
//!
//! `requirements/` has one test for each requirement of the standards, and a table of them; `keys/`
//! is about their rotation, outages, floods and time; the other modules have one subject each.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]
#![expect(clippy::indexing_slicing, reason = "serde_json answers null where nothing is")]

mod addresses;
mod advertise;
mod advice;
mod advice_followed;
mod advice_property;
mod audit;
mod authorization;
mod bases;
mod clients;
mod config_file;
mod configuration;
mod confine;
mod connections;
mod dpop;
mod entra;
mod entra_advice;
mod explanation;
mod extractors;
mod gateway_configuration;
mod inferno;
mod introspection;
mod keys;
mod launch_context;
mod manual;
mod manual_tables;
mod middleware;
mod mtls;
mod open_paths;
mod operator_log;
mod places;
mod presets;
mod principal;
mod properties;
mod provider_guides;
mod refusals;
mod reload_under_load;
mod replacement;
mod requirements;
mod role_claims;
mod secrecy;
mod sender_configuration;
mod shared_keys;
mod snapshots;
mod state_model;
mod step_up;
mod support;
mod token_cache;
mod token_kinds;
mod unreached;
mod well_known;
