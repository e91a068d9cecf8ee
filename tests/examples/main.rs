//! Every example, started as a user would, and talked to over the network.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]
#![expect(clippy::indexing_slicing, reason = "serde_json answers null where nothing is")]

mod bound;
mod careless_server;
#[cfg(all(unix, not(target_vendor = "apple")))]
#[path = "../suite/keys/certified.rs"]
mod certified;
mod check;
mod cors;
mod decide;
mod default_log;
mod demo_page;
mod entra;
mod explain_token;
mod fhir_server;
mod gateway;
mod gateway_cors;
mod gateway_demo;
mod gateway_framing;
mod gateway_https;
mod gateway_metadata;
mod gateway_metrics;
mod gateway_page;
mod gateway_rewriting;
mod gateway_stalled;
mod gateway_writes;
mod inferno;
mod interactions;
mod leaks;
mod own_authority;
mod programs;
mod quickstart;
mod reload;
mod searches;
mod slow_clients;
mod small;
mod support;
#[cfg(all(unix, not(target_vendor = "apple")))]
#[path = "../suite/keys/tls_listener.rs"]
mod tls_listener;
#[cfg(all(unix, not(target_vendor = "apple")))]
#[path = "../suite/keys/tls_provider.rs"]
mod tls_provider;
mod transactions;
mod unprotected;
mod writes;
