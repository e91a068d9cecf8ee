//! That a server lets in whom it should, and refuses whom it should: before it is measured.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use kit::{Issuer, Token};

use crate::http::{Connection, request};
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
        let with = |claim, value: &str| issuer.token().claim(claim, value);
        let signed = |token: Token<'_>| token.sign();
        let good = signed(issuer.token())?;
        let bad = [
            ("signature", issuer.token().forge()?),
            ("iss", signed(with("iss", "http://127.0.0.1/other"))?),
            ("aud", signed(with("aud", "00000000-0000-0000-0000-000000000000"))?),
            ("exp", signed(issuer.token().claim("exp", 1_700_000_000))?),
        ];
        Ok(Self { good, bad })
    }
}

/// Waits until the server lets the good token in, and shows it the others.
pub(crate) fn prove(running: &mut Running, tokens: &Tokens, checks: bool) -> Result<Proof> {
    let patience = Instant::now() + START;
    let good = loop {
        running.server.still_runs()?;
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
