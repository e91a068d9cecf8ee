//! Requests whose right answer is beyond doubt.

use serde_json::json;

use crate::Failure;
use crate::child::{Answer, Child};
use crate::contenders::Contender;
use crate::provider::Provider;
use crate::token::{hs256, now};

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
    /// When the provider cannot show its public key.
    pub(crate) fn all(provider: &Provider) -> Result<Vec<Self>, Failure> {
        let good = || provider.good_token();
        let key = provider.signing_key();
        let hour = 3600;
        let lower_case = good().bearer().replacen("Bearer", "bearer", 1);
        let both = vec![good().bearer(), good().claim("sub", "mallory").bearer()];
        let unsigned = good().header("alg", "none").signed_with(|_| Vec::new());
        let public = key.public_der()?;
        let confused = good().header("alg", "HS256").signed_with(|message| hs256(&public, message));
        let flipped = good().signed_with(|message| {
            let mut signature = key.rs256(message);
            signature.iter_mut().skip(100).take(1).for_each(|byte| *byte ^= 1);
            signature
        });
        let rs384 = good().header("alg", "RS384").signed_with(|message| key.rs384(message));
        let critical = good().header("crit", json!(["example"])).header("example", true).bearer();
        let expired = good().claim("exp", now() - hour).bearer();
        let array = json!([provider.issuer(), "https://issuer.example.com"]);
        let audiences = json!(["https://other.example.com", provider.audience()]);
        let ours_first = good().claim("aud", "https://other.example.com");
        Ok(vec![
            Self::accept("good token", good().bearer()),
            Self::accept("`typ` is at+jwt", good().header("typ", "at+jwt").bearer()),
            Self::accept("`aud` is an array with ours", good().claim("aud", audiences).bearer()),
            Self::accept("scheme in lower case", lower_case),
            Self { of_the_layer: true, ..Self::refuse("two Authorization headers", both) },
            Self::refuse("`alg` is none", [unsigned]),
            Self::refuse("HS256 keyed with the public key", [confused]),
            Self::refuse("signature changed", [flipped]),
            Self::refuse("RS384 by a key listed for RS256", [rs384]),
            Self::refuse("unknown `crit`", [critical]),
            Self::refuse(
                "key listed for encryption",
                [provider.token_of_encryption_key().bearer()],
            ),
            Self::refuse(
                "`iss` is another",
                [good().claim("iss", "https://issuer.example.com").bearer()],
            ),
            Self::refuse("`iss` missing", [good().without("iss").bearer()]),
            Self::refuse("`iss` is an array with ours", [good().claim("iss", array).bearer()]),
            Self::refuse("`aud` is another", [ours_first.bearer()]),
            Self::refuse("`aud` missing", [good().without("aud").bearer()]),
            Self::refuse(
                "`aud` twice, ours first",
                [ours_first.with_duplicate("aud", provider.audience())],
            ),
            Self::refuse("`nbf` in an hour", [good().claim("nbf", now() + hour).bearer()]),
            Self::refuse("expired an hour ago", [expired.clone()]),
            Self::challenge("challenge without a token", []),
            Self::challenge("challenge to an expired token", [expired]),
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
pub(crate) fn ask(
    probes: &[Probe],
    contender: &Contender,
    child: &mut Child,
) -> Result<Answers, Failure> {
    let mut answers = Answers { asked: 0, wrong: Vec::new() };
    for probe in probes.iter().filter(|probe| contender.is_layer || !probe.of_the_layer) {
        let answer = child.probe(&probe.authorizations)?;
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
