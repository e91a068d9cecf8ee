//! Says why a token is let in or refused, check by check, and what to change on which side:
//!
//! ```text
//! cargo run -p fhir-auth --example explain_token -- --config auth.toml < token
//! cargo run -p fhir-auth --example explain_token -- --config auth.toml --method GET --path /Patient/1 < token
//! ```
//!
//! It is `fhir-auth explain`, for those who have a checkout: the code is in `src/explain.rs`.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    fhir_auth::explain::run(lexopt::Parser::from_env()).await
}
