//! The layer among others: those of tower-http and tower, routers of axum, and servers, each in the order that
//! the manual's page `composition` has; and what operators see of it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]
#![expect(clippy::indexing_slicing, reason = "serde_json answers null where nothing is")]

mod axum_routers;
mod figures;
mod governed;
mod hyper_servers;
mod kit;
mod manual;
#[path = "../suite/operator_log.rs"]
mod operator_log;
mod services;
mod spans;
#[path = "../suite/support.rs"]
#[expect(dead_code, reason = "the suite uses all of it")]
mod support;
mod tower_http_layers;
