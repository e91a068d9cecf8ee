//! The start of every command.

use std::process::ExitCode;

use crate::failure::Failure;
use crate::logs;

/// Returns the options to run with, or the status to end with: after help that was asked for, or a
/// command line that is not understood.
pub(crate) fn begin<O>(
    options: Result<Option<O>, lexopt::Error>,
    usage: &str,
) -> Result<O, ExitCode> {
    logs::to_standard_error();
    match options {
        Ok(Some(options)) => Ok(options),
        Ok(None) => {
            println!("{usage}");
            Err(ExitCode::SUCCESS)
        }
        Err(error) => Err(Failure::usage(&error, usage).report()),
    }
}
