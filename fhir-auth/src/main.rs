//! `fhir-auth`: see the library's documentation.

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let status = runtime.block_on(fhir_auth::run(lexopt::Parser::from_env()));
    // What is under way in the background, such as the look-up of a name, has had its time.
    runtime.shutdown_background();
    status
}
