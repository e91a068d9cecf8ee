//! Says why a token is let in or refused, check by check, and what to change on which side:
//!
//! ```text
//! cargo run --example explain_token -- --config auth.toml < token
//! cargo run --example explain_token -- --config auth.toml --method GET --path /Patient/1 < token
//! ```
//!
//! `--at 2026-01-01T00:00:00Z` judges at another time, `--json` writes for machines (as an
//! `Explanation` serializes). It ends with status 0 when the request would be let in, 1 when it would
//! be refused, and 2 when it could not be judged. The verdict comes from the code that guards
//! requests. The token is never printed.

#![expect(clippy::wildcard_enum_match_arm, reason = "lexopt's arguments are as many as users type")]

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use http::{HeaderValue, Method, Request};
use tower_fhir_auth::authentication::{Clock, SystemClock, UnixTime};
use tower_fhir_auth::config::Config;
use tower_fhir_auth::explanation::{Explanation, Verdict};
use tower_fhir_auth::{Enforcement, FhirAuthLayer};

const USAGE: &str = "usage: explain_token --config auth.toml [--method GET --path /Patient/1] \
                     [--at 2026-01-01T00:00:00Z] [--json] < token";

type Error = Box<dyn std::error::Error>;

#[derive(Default)]
struct Options {
    config: PathBuf,
    method: Option<Method>,
    path: Option<String>,
    at: Option<UnixTime>,
    json: bool,
}

/// The time of the machine, or another one.
#[derive(Debug)]
struct At(Option<UnixTime>);

impl Clock for At {
    fn now(&self) -> UnixTime {
        self.0.unwrap_or_else(|| SystemClock.now())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(Some(explanation)) if explanation.is_accepted() => ExitCode::SUCCESS,
        Ok(Some(explanation)) if explanation.failure().is_some() => ExitCode::from(1),
        Ok(Some(_)) => ExitCode::from(2),
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// `None` when only help was asked for.
async fn run() -> Result<Option<Explanation>, Error> {
    let Some(options) = options().map_err(|error| format!("{error}\n{USAGE}"))? else {
        println!("{USAGE}");
        return Ok(None);
    };
    let config = Config::from_file(&options.config)?;
    let base = config.base_url().clone();
    let mut token = Vec::new();
    std::io::stdin().read_to_end(&mut token)?;
    let token = String::from_utf8_lossy(&token).trim().to_owned();

    // Of a request: whether it is let in. Without one: whether the token is.
    let path = options.path.as_deref().unwrap_or_default();
    let uri = match base.path() {
        // At the root of a host the base itself is a slash.
        "" if !path.starts_with('/') => format!("/{path}"),
        base => format!("{base}{path}"),
    };
    let mut request =
        Request::builder().method(options.method.clone().unwrap_or(Method::GET)).uri(&uri);
    if !token.is_empty() {
        request = request.header("authorization", credentials(&token)?);
    }
    let (request, ()) =
        request.body(()).map_err(|error| format!("--path {path}: {error}"))?.into_parts();

    // As `fhir_server` does, whose handlers enforce all that a grant may leave to them.
    let policy = config.policy()?;
    let builder = config.layer(policy)?.handlers_enforce(Enforcement::ALL);
    let layer = builder.load_keys_only_for(&token).clock(At(options.at)).build()?;
    let explanation = match options.path {
        Some(_) => layer.explain(&request).await,
        None => layer.authenticator().explain(&request.headers, &request.uri).await,
    };
    print(&explanation, options.json);
    if explanation.verdict() == Verdict::Undecided {
        complain_of_keys(&layer);
    }
    Ok(Some(explanation))
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options::default();
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("config") => options.config = arguments.value()?.into(),
            Long("method") => options.method = Some(arguments.value()?.parse_with(str::parse)?),
            Long("path") => options.path = Some(arguments.value()?.string()?),
            Long("at") => options.at = Some(arguments.value()?.parse_with(time)?),
            Long("json") => options.json = true,
            Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    if options.config.as_os_str().is_empty() {
        return Err("--config is required".into());
    }
    if options.method.is_some() != options.path.is_some() {
        return Err("--method and --path go together".into());
    }
    if options.path.as_ref().is_some_and(|path| !path.is_empty() && !path.starts_with(['/', '?'])) {
        return Err("--path is below the base URL, and begins with `/`".into());
    }
    Ok(Some(options))
}

fn time(text: &str) -> Result<UnixTime, String> {
    let time = humantime::parse_rfc3339(text).map_err(|error| error.to_string())?;
    let since = time.duration_since(std::time::UNIX_EPOCH).map_err(|error| error.to_string())?;
    Ok(UnixTime::from_secs(i64::try_from(since.as_secs()).map_err(|error| error.to_string())?))
}

/// What no header can carry is as malformed as what no token has.
fn credentials(token: &str) -> Result<HeaderValue, Error> {
    let token: String =
        token.chars().map(|one| if one.is_ascii_graphic() { one } else { '"' }).collect();
    Ok(HeaderValue::try_from(format!("Bearer {token}"))?)
}

fn print(explanation: &Explanation, json: bool) {
    if json {
        println!("{}", serde_json::json!(explanation));
        return;
    }
    let text = explanation.to_string();
    if !std::io::stdout().is_terminal() {
        print!("{text}");
        return;
    }
    for line in text.lines() {
        let colour = match line.split(' ').next() {
            Some("passed" | "accepted") => "32",
            Some("failed" | "refused") => "31",
            Some("unavailable" | "undecided") => "33",
            _ => "0",
        };
        println!("\u{1b}[{colour}m{line}\u{1b}[0m");
    }
}

/// Why there are no keys. Only those of the token's issuer were asked for.
fn complain_of_keys(layer: &FhirAuthLayer) {
    for health in layer.health() {
        if let Some(error) = health.last_error {
            eprintln!("keys of {}: {error}", health.issuer);
        }
    }
}
