//! Private files of the crate, included as they ship, under every schedule of threads that loom finds.

#![cfg(test)]

#[path = "../../../src/keys/refresh_gate.rs"]
mod refresh_gate;
mod refreshes;
