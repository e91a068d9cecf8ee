//! `Access::may_show` beside HAPI FHIR, for every official example: `.ci/world members`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]
#![expect(clippy::indexing_slicing, reason = "serde_json answers null where nothing is")]
#![expect(dead_code, reason = "the other tests of the examples use all of it")]

mod definitions;
mod membership;

#[tokio::main]
async fn main() {
    println!("members: {}", membership::beside_hapi().await);
}
