//! That a server lets in whom it should, and refuses whom it should: before it is measured.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::http::{Connection, request};
use crate::issuer::Issuer;
use crate::load;
use crate::servers::Running;

const START: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// The tokens of a proof: a good one, and four that are bad in one way each.
pub(crate) struct Tokens {
    pub(crate) good: String,
    bad: [(&'static str, String); 4],
}

/// What a server answered to them.
pub(crate) struct Proof {
    good: u16,
    bad: [(&'static str, u16); 4],
}

impl Tokens {
    pub(crate) fn of(issuer: &Issuer) -> Result<Self> {
        let good = issuer.token()?;
        let bad = [
            ("signature", forged(&good)?),
            ("iss", issuer.token_with("iss", json!("http://127.0.0.1/other"))?),
            ("aud", issuer.token_with("aud", json!("00000000-0000-0000-0000-000000000000"))?),
            ("exp", issuer.token_with("exp", json!(1_700_000_000))?),
        ];
        Ok(Self { good, bad })
    }
}

/// The token with another signature.
fn forged(token: &str) -> Result<String> {
    let (input, signature) = token.rsplit_once('.').context("not a JWS")?;
    let rest = signature.get(1..).context("no signature")?;
    let other = if signature.starts_with('A') { "B" } else { "A" };
    Ok(format!("{input}.{other}{rest}"))
}

/// Waits until the server lets the good token in, and shows it the others.
pub(crate) fn prove(running: &mut Running, tokens: &Tokens, checks: bool) -> Result<Proof> {
    let patience = Instant::now() + START;
    let good = loop {
        running.process.still_runs()?;
        match status(running.port, &tokens.good) {
            Ok(200) => break 200,
            other if Instant::now() > patience => {
                let status = other.context("no answer")?;
                bail!("not measured: the good token gets {status}");
            }
            _ => thread::sleep(PAUSE),
        }
    };
    let mut proof = Proof { good, bad: [("", 0); 4] };
    for (answer, (flaw, token)) in proof.bad.iter_mut().zip(&tokens.bad) {
        *answer = (flaw, status(running.port, token)?);
        let refused = matches!(answer.1, 401 | 403);
        ensure!(refused == checks, "not measured: a token with a bad `{flaw}` gets {}", answer.1);
    }
    Ok(proof)
}

fn status(port: u16, token: &str) -> Result<u16> {
    load::on_this_thread(ANSWER, async {
        Connection::open(port).await?.ask(&request(port, token)).await
    })
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.good)?;
        for (_, status) in self.bad {
            write!(f, " {status}")?;
        }
        Ok(())
    }
}
