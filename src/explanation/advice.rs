//! Advice: the change that helps, and the side that makes it.

use super::finding::Finding;
use super::invalid_request::{InvalidRequest, OtherCredentials};
use super::reason::Reason;
use super::requirement::Requirement;
use super::side::Advice;

impl Finding {
    /// Lists changes after which the check would pass, most likely first. Some are alternatives:
    /// who is in the wrong, the check cannot know.
    #[must_use]
    pub fn advice(&self) -> Vec<Advice> {
        match self.reason() {
            Reason::MissingCredentials => vec![Advice::client(SEND_TOKEN)],
            Reason::OtherCredentials(other) => vec![of_other_credentials(*other)],
            Reason::MalformedRequest(fault) => vec![of_malformed_request(*fault)],
            Reason::TokenTooLarge => vec![
                Advice::client("ask for fewer scopes"),
                Advice::provider("leave claims out of the token, groups first"),
            ],
            Reason::MalformedToken(_) => vec![Advice::client(
                "send the access token as the provider issued it: a signed JWT of three parts",
            )],
            Reason::Header(reason) => reason.advice(),
            Reason::Issuer(reason) => reason.advice(),
            Reason::Key(reason) => reason.advice(),
            Reason::SignatureInvalid => {
                vec![Advice::client("send the token unchanged, as the provider issued it")]
            }
            Reason::TokenForAnotherApi => vec![Advice::client(
                "ask for a token for this API, for example with the scope `<client id>/.default`",
            )],
            Reason::NotAnAccessToken { .. } => vec![Advice::of_another_token()],
            Reason::Audience(reason) => reason.advice(),
            Reason::Time(reason) => reason.advice(),
            Reason::Claim(reason) => reason.advice(),
            Reason::Introspection(reason) => reason.advice(),
            Reason::Certificate(reason) => reason.advice(),
            Reason::Proof(reason) => reason.advice(),
            Reason::StepUp(reason) => reason.advice(),
            Reason::AddressTooLong => vec![Advice::client("send a shorter address")],
            Reason::Denied { requirements, .. } => of_denial(requirements),
        }
    }
}

const SEND_TOKEN: &str = "send the access token once, as `Authorization: Bearer <token>`";

fn of_other_credentials(other: OtherCredentials) -> Advice {
    Advice::client(match other {
        OtherCredentials::Scheme(_) | OtherCredentials::Unknown => {
            "ask the provider for an access token, and send it as `Authorization: Bearer <token>`"
        }
        OtherCredentials::NoScheme => "put `Bearer` and a space before the token",
    })
}

fn of_malformed_request(fault: InvalidRequest) -> Advice {
    Advice::client(match fault {
        InvalidRequest::RepeatedHeader
        | InvalidRequest::JoinedCredentials
        | InvalidRequest::TokenInQuery
        | InvalidRequest::EmptyToken => SEND_TOKEN,
        InvalidRequest::SchemeTwice => {
            "write `Bearer` once: what was put behind it begins with the scheme already"
        }
        InvalidRequest::Quoted => "take the quotes away from the token",
        InvalidRequest::Padding(_) | InvalidRequest::Character { .. } => {
            "send the access token as the provider issued it, with nothing before, within or behind it"
        }
    })
}

/// Puts what handlers must declare first: without it no token helps.
fn of_denial(requirements: &[Requirement]) -> Vec<Advice> {
    let is_declaration = |one: &&Requirement| matches!(one, Requirement::Declaration(_));
    let (declarations, others): (Vec<_>, Vec<_>) = requirements.iter().partition(is_declaration);
    let mut found: Vec<Advice> = Vec::new();
    for advice in declarations.into_iter().chain(others).flat_map(Requirement::advice) {
        if !found.contains(&advice) {
            found.push(advice);
        }
    }
    if found.is_empty() {
        let unnamed = "look at the rule that denied this: it names nothing that would be enough";
        found.push(Advice::server(unnamed));
    }
    found
}
