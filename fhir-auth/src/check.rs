//! `fhir-auth check`: reads a configuration, and tells all of its mistakes at once.
//!
//! Status 0 where a server would start with the file, 2 where it would not, or where `--online` does
//! not get the keys of an issuer. Without `--online` no provider is asked.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::Parser;
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::keys::KeyHealth;

use crate::command;
use crate::failure::Failure;
use crate::print;

const USAGE: &str = "usage: fhir-auth check auth.toml [--online]";

/// The longest wait for keys. Each load has a time-out of its own, five seconds unless the file says
/// otherwise.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Options {
    file: PathBuf,
    online: bool,
}

/// Runs the command with the arguments after its name.
pub async fn run(arguments: Parser) -> ExitCode {
    let options = match command::begin(options(arguments), USAGE) {
        Ok(options) => options,
        Err(status) => return status,
    };
    match check(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn options(mut arguments: Parser) -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(file) if options.file.as_os_str().is_empty() => options.file = file.into(),
            Long("online") => options.online = true,
            Long("help") | Short('h') => return Ok(None),
            Value(_) | Long(_) | Short(_) => return Err(argument.unexpected()),
        }
    }
    if options.file.as_os_str().is_empty() {
        return Err("the name of a file is required".into());
    }
    Ok(Some(options))
}

async fn check(options: &Options) -> Result<(), Failure> {
    let config = Config::from_file(&options.file)?;
    let policy = config.policy()?;
    let builder = config.layer(policy)?;
    let builder = if options.online { builder } else { builder.offline() };
    let layer = builder.build()?;
    println!("{}: no mistakes", options.file.display());
    if options.online { keys(&layer).await } else { Ok(()) }
}

/// Waits for the first load of every issuer's keys, and says what came.
async fn keys(layer: &FhirAuthLayer) -> Result<(), Failure> {
    let is_over = |health: &KeyHealth| health.usable || health.last_error.is_some();
    let all_over = async {
        while !layer.health().iter().all(is_over) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // What is not over by then is told as it is.
    let _ = tokio::time::timeout(PATIENCE, all_over).await;
    let health = layer.health();
    for one in &health {
        println!("{}", line(one));
    }
    match health.iter().all(|one| one.usable) {
        true => Ok(()),
        false => Err(Failure::new("not every issuer has keys")),
    }
}

/// Says how an issuer's keys are, and of each entry of its set that is not used why.
fn line(health: &KeyHealth) -> String {
    let KeyHealth { issuer, keys, left_out, last_error, .. } = health;
    let mut line = match (keys, last_error) {
        (0, Some(error)) => {
            format!("{issuer}: no keys: {}", print::one_line(&error.to_string()))
        }
        (1, _) => format!("{issuer}: one key"),
        (keys, _) => format!("{issuer}: {keys} keys"),
    };
    for entry in left_out {
        let kid = entry.kid.as_ref().map(|kid| format!(" (kid `{kid}`)")).unwrap_or_default();
        line.push_str(&format!("\n  entry {}{kid} is not used: {}", entry.index, entry.reason));
    }
    line
}
