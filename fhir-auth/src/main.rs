//! `fhir-auth`: see the library's documentation.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    fhir_auth::run(lexopt::Parser::from_env()).await
}
