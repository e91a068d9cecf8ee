//! Requests whose right answer is beyond doubt.

use anyhow::Result;
use kit::{Issuer, Token, hs256, now};
use serde_json::json;

use crate::contenders::{Answer, Running};

/// One request.
#[derive(Debug)]
pub(crate) struct Probe {
    name: &'static str,
    authorizations: Vec<String>,
    right: Right,
    /// Whether the answer is up to whoever reads the request and writes the refusal, not to
    /// whoever checks the token.
    of_the_layer: bool,
}

/// The right answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Right {
    /// The service answers.
    Accept,
    /// A status that puts it down to the client.
    Refuse,
    /// 401 with `WWW-Authenticate` (RFC 6750, section 3).
    Challenge,
}

impl Probe {
    /// All of them.
    ///
    /// # Errors
    ///
    /// When the crypto library does not sign.
    pub(crate) fn all(issuer: &Issuer) -> Result<Vec<Self>> {
        const HOUR: u64 = 3600;
        const OTHER: &str = "https://other.example.com";
        let good = || issuer.token();
        let accept = |name, token: Token<'_>| anyhow::Ok(Self::accept(name, bearer(token.sign()?)));
        let refuse =
            |name, token: Token<'_>| anyhow::Ok(Self::refuse(name, [bearer(token.sign()?)]));
        let public = issuer.public_der()?;
        let lower_case = good().sign().map(|token| format!("bearer {token}"))?;
        let both = [good(), good().claim("sub", "mallory")].map(|token| token.sign());
        let both = both.into_iter().map(|token| token.map(bearer)).collect::<Result<Vec<_>>>()?;
        let unsigned = good().header("alg", "none").signed_with(|_| Ok(Vec::new()))?;
        let confused = good().header("alg", "HS256");
        let confused = confused.signed_with(|message| Ok(hs256(&public, message)))?;
        let ours_first = good().claim("aud", OTHER);
        let ours_first = ours_first.with_duplicate("aud", &issuer.trust.audience)?;
        let critical = good().header("crit", json!(["example"])).header("example", true);
        let expired = good().claim("exp", now() - HOUR);
        let issuers = json!([issuer.trust.issuer, OTHER]);
        let audiences = json!([OTHER, issuer.trust.audience]);
        Ok(vec![
            accept("good token", good())?,
            accept("`typ` is at+jwt", good().header("typ", "at+jwt"))?,
            accept("`aud` is an array with ours", good().claim("aud", audiences))?,
            Self::accept("scheme in lower case", lower_case),
            Self { of_the_layer: true, ..Self::refuse("two Authorization headers", both) },
            Self::refuse("`alg` is none", [bearer(unsigned)]),
            Self::refuse("HS256 keyed with the public key", [bearer(confused)]),
            Self::refuse("signature changed", [bearer(good().forge()?)]),
            Self::refuse("RS384 by a key listed for RS256", [bearer(good().sign_rs384()?)]),
            refuse("unknown `crit`", critical)?,
            refuse("key listed for encryption", issuer.token_of_encryption_key())?,
            refuse("`iss` is another", good().claim("iss", OTHER))?,
            refuse("`iss` missing", good().without("iss"))?,
            refuse("`iss` is an array with ours", good().claim("iss", issuers))?,
            refuse("`aud` is another", good().claim("aud", OTHER))?,
            refuse("`aud` missing", good().without("aud"))?,
            Self::refuse("`aud` twice, ours first", [bearer(ours_first)]),
            refuse("`nbf` in an hour", good().claim("nbf", now() + HOUR))?,
            refuse("expired an hour ago", expired.clone())?,
            Self::challenge("challenge without a token", []),
            Self::challenge("challenge to an expired token", [bearer(expired.sign()?)]),
        ])
    }

    fn accept(name: &'static str, authorization: String) -> Self {
        Self {
            name,
            authorizations: vec![authorization],
            right: Right::Accept,
            of_the_layer: false,
        }
    }

    fn refuse(name: &'static str, authorizations: impl IntoIterator<Item = String>) -> Self {
        let authorizations = authorizations.into_iter().collect();
        Self { name, authorizations, right: Right::Refuse, of_the_layer: false }
    }

    fn challenge(name: &'static str, authorizations: impl IntoIterator<Item = String>) -> Self {
        let authorizations = authorizations.into_iter().collect();
        Self { name, authorizations, right: Right::Challenge, of_the_layer: true }
    }
}

/// The value of `Authorization`.
fn bearer(token: String) -> String {
    format!("Bearer {token}")
}

impl Right {
    fn name(self) -> &'static str {
        match self {
            Self::Accept => "to be let in",
            Self::Refuse => "to be refused with 400, 401 or 403",
            Self::Challenge => "to be refused with 401 and `WWW-Authenticate`",
        }
    }

    fn is(self, answer: &Answer) -> bool {
        match self {
            Self::Accept => answer.status == 200,
            Self::Refuse => matches!(answer.status, 400 | 401 | 403),
            Self::Challenge => answer.status == 401 && answer.has_challenge,
        }
    }
}

/// What is asked, in words.
pub(crate) fn describe(probes: &[Probe]) -> String {
    let line = |right: Right| {
        let names = probes.iter().filter(|probe| probe.right == right).map(|probe| probe.name);
        format!("- {}: {}\n", right.name(), names.collect::<Vec<_>>().join(", "))
    };
    [Right::Accept, Right::Refuse, Right::Challenge].map(line).concat()
}

/// How a contender fared.
#[derive(Debug)]
pub(crate) struct Answers {
    /// How many probes it was asked.
    pub(crate) asked: usize,
    /// Those that it answered wrongly, each with its status.
    pub(crate) wrong: Vec<String>,
}

/// Asks a contender all that is up to it.
///
/// # Errors
///
/// When the contender ends.
pub(crate) fn ask(probes: &[Probe], running: &mut Running) -> Result<Answers> {
    let is_layer = running.contender.is_layer;
    let mut answers = Answers { asked: 0, wrong: Vec::new() };
    for probe in probes.iter().filter(|probe| is_layer || !probe.of_the_layer) {
        let answer = running.probe(&probe.authorizations)?;
        answers.asked += 1;
        if !probe.right.is(&answer) {
            answers.wrong.push(format!("{} ({})", probe.name, answer.status));
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_error_refuses_nobody() {
        let answer = Answer { status: 500, has_challenge: false };
        assert!(!Right::Refuse.is(&answer));
        assert!(!Right::Challenge.is(&answer));
    }

    #[test]
    fn a_challenge_is_more_than_a_refusal() {
        let bare = Answer { status: 401, has_challenge: false };
        assert!(Right::Refuse.is(&bare));
        assert!(!Right::Challenge.is(&bare));
    }
}
