//! `fhir-auth explain`: says why a token is let in or refused, check by check, and what to change on
//! which side.
//!
//! Status 0 where the request would be let in, 1 where it would be refused, 2 where it could not be
//! judged. The verdict comes from the code that guards requests, and the token is never printed.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use http::request::Parts;
use http::{HeaderValue, Method, Request};
use lexopt::Parser;
use tower_fhir_auth::authentication::{Clock, SystemClock, UnixTime};
use tower_fhir_auth::config::Config;
use tower_fhir_auth::explanation::Verdict;
use tower_fhir_auth::fhir::BaseUrl;
use tower_fhir_auth::{Enforcement, FhirAuthLayer};

use crate::command;
use crate::failure::Failure;
use crate::pasted::{self, Pasted};
use crate::print::{self, Answer};
use crate::proofs::{self, Proof};

const USAGE: &str = "usage: explain --config auth.toml [--method GET --path /Patient/1] \
                     [--at 2026-01-01T00:00:00Z] [--dpop proof.jwt] [--certificate client.pem] \
                     [--offline] [--json] < token";

#[derive(Default)]
struct Options {
    config: PathBuf,
    method: Option<Method>,
    path: Option<String>,
    at: Option<UnixTime>,
    dpop: Option<PathBuf>,
    certificate: Option<PathBuf>,
    offline: bool,
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

/// Runs the command with the arguments after its name, and what is on standard input.
pub async fn run(arguments: Parser) -> ExitCode {
    let options = match command::begin(options(arguments), USAGE) {
        Ok(options) => options,
        Err(status) => return status,
    };
    match explain(&options).await {
        Ok(Verdict::Accepted) => ExitCode::SUCCESS,
        Ok(Verdict::Refused) => ExitCode::from(1),
        Ok(_) => ExitCode::from(2),
        Err(failure) => failure.report(),
    }
}

async fn explain(options: &Options) -> Result<Verdict, Failure> {
    let config = Config::from_file(&options.config)?;
    let mut input = Vec::new();
    let read = std::io::stdin().read_to_end(&mut input);
    read.map_err(|error| Failure::new(format!("standard input: {error}")))?;
    let pasted = Pasted::read(&pasted::text(&input));
    if let Some(hint) = pasted.hint() {
        eprintln!("{hint}");
    }
    let proof = options.dpop.as_deref().map(proofs::dpop).transpose()?;
    let mut request = request(options, config.base_url(), &pasted, proof.as_ref())?;
    if let Some(file) = &options.certificate {
        request.extensions.insert(proofs::certificate(file)?);
    }

    // As `fhir_server` does, whose handlers enforce all that a grant may leave to them.
    let policy = config.policy()?;
    let builder = config.layer(policy)?.handlers_enforce(Enforcement::ALL);
    let builder = builder.load_keys_only_for(pasted.token()).clock(At(options.at));
    let builder = if options.offline { builder.offline() } else { builder };
    let layer = builder.build()?;
    // Of a request: whether it is let in. Without one: whether the token is.
    let explanation = match options.path {
        Some(_) => layer.explain(&request).await,
        None => layer.authenticator().explain_request(&request).await,
    };
    let answer = Answer { explanation: &explanation, taken_away: pasted.taken_away() };
    print::answer(&answer, options.json);
    if explanation.verdict() == Verdict::Undecided {
        complain_of_keys(&layer, options.offline);
    }
    Ok(explanation.verdict())
}

/// Makes the request that is asked about, with the credentials that were pasted.
fn request(
    options: &Options,
    base: &BaseUrl,
    pasted: &Pasted,
    proof: Option<&Proof>,
) -> Result<Parts, Failure> {
    let path = options.path.as_deref().unwrap_or_default();
    let below = below_base(path, base);
    let uri = match base.path() {
        // At the root of a host the base itself is a slash.
        "" if !below.starts_with('/') => format!("/{below}"),
        base => format!("{base}{below}"),
    };
    // Where no request is asked about, it is the one that the proof is for.
    let meant = proof.filter(|_| options.path.is_none());
    let method = meant.and_then(Proof::method).or_else(|| options.method.clone());
    let method = method.unwrap_or(Method::GET);
    let uri = meant.and_then(Proof::path).unwrap_or(uri);
    let mut request = Request::builder().method(method).uri(&uri);
    if let Some(proof) = proof {
        request = request.header("dpop", header_value(proof.text())?);
    }
    // A token that was pasted without its scheme came with a proof.
    let scheme = if proof.is_some() { "DPoP" } else { "Bearer" };
    if let Some(credentials) = pasted.credentials_by(scheme) {
        request = request.header("authorization", header_value(&credentials)?);
    }
    let request = request.body(());
    let (request, ()) =
        request.map_err(|error| Failure::new(format!("--path: {error}")))?.into_parts();
    Ok(request)
}

/// Takes the base URL away from a whole address.
fn below_base<'p>(path: &'p str, base: &BaseUrl) -> &'p str {
    let below = path.strip_prefix(base.as_str().trim_end_matches('/'));
    below.filter(|below| below.is_empty() || below.starts_with(['/', '?'])).unwrap_or(path)
}

/// Characters that no header can carry are as malformed as those that no token has.
fn header_value(credentials: &str) -> Result<HeaderValue, Failure> {
    if let Ok(value) = HeaderValue::from_bytes(credentials.as_bytes()) {
        return Ok(value);
    }
    let visible = |one: char| if one.is_ascii_graphic() || one == ' ' { one } else { '"' };
    let credentials: String = credentials.chars().map(visible).collect();
    HeaderValue::try_from(credentials).map_err(|error| Failure::new(error.to_string()))
}

fn options(mut arguments: Parser) -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("config") => options.config = arguments.value()?.into(),
            Long("method") => options.method = Some(arguments.value()?.parse_with(str::parse)?),
            Long("path") => options.path = Some(arguments.value()?.string()?),
            Long("at") => options.at = Some(arguments.value()?.parse_with(time)?),
            Long("dpop") => options.dpop = Some(arguments.value()?.into()),
            Long("certificate") => options.certificate = Some(arguments.value()?.into()),
            Long("offline") => options.offline = true,
            Long("json") => options.json = true,
            Long("help") | Short('h') => return Ok(None),
            Value(_) | Long(_) | Short(_) => return Err(argument.unexpected()),
        }
    }
    if options.config.as_os_str().is_empty() {
        return Err("--config is required".into());
    }
    if options.method.is_some() != options.path.is_some() {
        return Err("--method and --path go together".into());
    }
    let is_address =
        |path: &String| path.is_empty() || path.starts_with(['/', '?']) || path.starts_with("http");
    if !options.path.as_ref().is_none_or(is_address) {
        return Err("--path is below the base URL, and begins with `/`".into());
    }
    Ok(Some(options))
}

fn time(text: &str) -> Result<UnixTime, String> {
    let time = humantime::parse_rfc3339(text).map_err(|error| error.to_string())?;
    let since = time.duration_since(std::time::UNIX_EPOCH).map_err(|error| error.to_string())?;
    Ok(UnixTime::from_secs(i64::try_from(since.as_secs()).map_err(|error| error.to_string())?))
}

/// Says why there are no keys, or no answer about the token. Only its issuer was asked.
fn complain_of_keys(layer: &FhirAuthLayer, offline: bool) {
    if offline {
        eprintln!("no provider was asked for keys, or about the token (--offline)");
    }
    for health in layer.health() {
        if let Some(error) = health.last_error {
            eprintln!("keys of {}: {}", health.issuer, print::one_line(&error.to_string()));
        }
        if let Some(error) = health.introspection.and_then(|state| state.last_error) {
            eprintln!(
                "introspection at {}: {}",
                health.issuer,
                print::one_line(&error.to_string())
            );
        }
    }
}
