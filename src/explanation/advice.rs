//! What to change, and on which side.

use super::{Finding, Reason, Requirement};
use crate::display_safe::sanitize;

/// The side that can mend something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Side {
    /// The application that sends the request.
    Client,
    /// The provider that issues the token, and whoever administers it.
    Provider,
    /// This server, and its configuration.
    Server,
}

/// One way out of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Advice {
    /// The side that can take it.
    pub side: Side,
    /// The step to take, in one sentence.
    pub text: String,
}

impl Side {
    /// A stable name: `client`, `provider`, `server`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Provider => "provider",
            Self::Server => "server",
        }
    }
}

impl Finding {
    /// Lists changes after which the check would pass, most likely first. Some are alternatives:
    /// who is in the wrong, the check cannot know.
    #[must_use]
    pub fn advice(&self) -> Vec<Advice> {
        let one = |side, text: &str| vec![advice(side, text)];
        let client = |text: &str| advice(Side::Client, text);
        let provider = |text: &str| advice(Side::Provider, text);
        let server = |text: &str| advice(Side::Server, text);
        match self.reason() {
            Reason::MissingCredentials | Reason::MalformedRequest(_) => {
                one(Side::Client, "send the access token once, as `Authorization: Bearer <token>`")
            }
            Reason::TokenTooLarge => vec![
                client("ask for fewer scopes"),
                provider("leave claims out of the token, groups first"),
            ],
            Reason::MalformedToken(_) => one(
                Side::Client,
                "send the access token as the provider issued it: a signed JWT of three parts",
            ),
            Reason::HeaderUnsupported(_)
            | Reason::HeaderNotAString(_)
            | Reason::NestedToken
            | Reason::AlgorithmMissing
            | Reason::AlgorithmNotASignature => one(
                Side::Provider,
                "sign access tokens with an asymmetric algorithm, without `crit`, `b64`, `zip` and a \
                 nested token (`cty`)",
            ),
            Reason::IssuerMissing { trusted } | Reason::IssuerNotAString { trusted } => {
                let trusted = sanitize(trusted);
                let text = format!("put `iss` into access tokens, for example `{trusted}`");
                one(Side::Provider, &text)
            }
            Reason::IssuerNotTrusted { issuer, trusted } => {
                issuer_advice(&sanitize(issuer), &sanitize(trusted))
            }
            Reason::AlgorithmNotAccepted => vec![
                server("add the algorithm to `algorithms`, if the provider is to use it"),
                provider("sign access tokens with an accepted algorithm"),
            ],
            Reason::TypeNotAccepted => vec![
                client(ACCESS_TOKEN),
                server("add the type to `token_types`, if the provider's access tokens have it"),
            ],
            Reason::TypeOfAnotherToken | Reason::NotAnAccessToken { .. } => {
                one(Side::Client, ACCESS_TOKEN)
            }
            Reason::KeyUnknown
            | Reason::KeyUnfit
            | Reason::KeyForAnotherAlgorithm
            | Reason::KeyOfAnotherIssuer
            | Reason::KeysWithTheSameId
            | Reason::KeysWithoutId => vec![
                provider("publish the key that signs in the key set, before it signs"),
                server(
                    "look at `jwks_uri` or `discovery`: is it the provider that issued the token?",
                ),
                client("ask for a new token, if the key has been withdrawn"),
            ],
            Reason::TokenForAnotherApi => one(
                Side::Client,
                "ask for a token for this API, for example with the scope `<client id>/.default`",
            ),
            Reason::SignatureInvalid => {
                one(Side::Client, "send the token unchanged, as the provider issued it")
            }
            Reason::TenantRepeated | Reason::TenantMismatch | Reason::TenantMissing => {
                one(Side::Client, "ask the tenant that issued the token for another one")
            }
            Reason::AudienceMalformed => {
                one(Side::Provider, "put one string, or an array of strings, into `aud`")
            }
            Reason::AudienceMissing { accepted } => {
                let accepted = either(accepted);
                let text = format!("put {accepted} into `aud` of access tokens for this API");
                one(Side::Provider, &text)
            }
            Reason::AudienceMismatch { audiences, accepted } => vec![
                client(&format!("ask for a token for {}", either(accepted))),
                server(&format!(
                    "add {} to `audiences`, if it names this API and not an application that \
                     calls it",
                    either(audiences)
                )),
            ],
            Reason::NotANumericDate(name) => {
                let text = format!("put a number of seconds since 1970 into `{name}`");
                one(Side::Provider, &text)
            }
            Reason::IssuedTooLongAgo => vec![
                client("ask for a new token"),
                server("allow for older tokens with `max_token_age`"),
            ],
            Reason::NotYetValid | Reason::IssuedInTheFuture => vec![
                provider("set the clock; it seems to be ahead"),
                server("set the clock, or allow for more skew with `leeway`"),
            ],
            Reason::IssuedAtMissing => vec![
                provider("put `iat` into access tokens for this API"),
                server("leave `max_token_age` out, if the age of tokens does not matter"),
            ],
            Reason::ClaimNotAString(name) => {
                one(Side::Provider, &format!("send `{name}` as a string in access tokens"))
            }
            Reason::ClaimMissing(_) => vec![
                provider("put the claim into access tokens for this API"),
                server("leave the claim out of `required_claims`, if nothing depends on it"),
            ],
            Reason::ExpiryMissing => {
                one(Side::Provider, "put `exp` into access tokens: without it none is accepted")
            }
            Reason::ClientConflict(_) => {
                one(Side::Provider, "name one client in all claims of a token that name any")
            }
            Reason::ClientMissing => one(Side::Provider, "name the client in access tokens"),
            Reason::ClientNotAllowed => {
                one(Side::Server, "add the application to `clients`, if it may call this API")
            }
            Reason::ConfirmationNull | Reason::SenderConstrained => one(
                Side::Client,
                "ask for a bearer token: this server takes none that is bound to its sender",
            ),
            Reason::Expired => vec![
                client("ask for a new token"),
                server("set the clock, if the token should still be good"),
            ],
            Reason::AddressTooLong => one(Side::Client, "send a shorter address"),
            Reason::Denied { requirements, .. } => self.denial_advice(requirements),
        }
    }

    /// Puts what handlers must declare first: without it no token helps.
    fn denial_advice(&self, requirements: &[Requirement]) -> Vec<Advice> {
        let is_declaration = |one: &&Requirement| matches!(one, Requirement::Declaration(_));
        let (declarations, others): (Vec<_>, Vec<_>) =
            requirements.iter().partition(is_declaration);
        let mut advices: Vec<Advice> = Vec::new();
        for advice in declarations.into_iter().chain(others).flat_map(Requirement::advices) {
            if !advices.contains(&advice) {
                advices.push(advice);
            }
        }
        if advices.is_empty() {
            let unnamed =
                "look at the rule that denied this: it names nothing that would be enough";
            let told = self.expected().filter(|words| !words.is_empty());
            let told = told.map(|words| Requirement::Other(words.to_owned()).advices());
            advices.extend(told.unwrap_or_else(|| vec![advice(Side::Server, unnamed)]));
        }
        advices
    }
}

fn issuer_advice(issuer: &str, trusted: &str) -> Vec<Advice> {
    if issuer.trim_end_matches('/') == trusted.trim_end_matches('/') {
        let text = format!("set `issuer` to `{issuer}`: it is compared letter by letter");
        return vec![advice(Side::Server, &text)];
    }
    let is_entra = ["https://sts.windows.net/", "https://login.microsoftonline."]
        .iter()
        .any(|start| issuer.starts_with(start));
    let mut advices = Vec::new();
    if is_entra {
        let text = "trust both versions of the tenant's tokens with `entra.tenant` and \
                    `entra.client_id`";
        advices.push(advice(Side::Server, text));
        let text = "in Entra, set accessTokenAcceptedVersion to 2 in the manifest of the API, if \
                    the server trusts version 2.0 alone";
        advices.push(advice(Side::Provider, text));
    }
    let text = format!("add an issuer `{issuer}`, if its tokens are to be accepted");
    advices.push(advice(Side::Server, &text));
    advices.push(advice(Side::Client, &format!("ask `{trusted}` for the token")));
    advices
}

/// Lists alternatives: `` `a`, `b` or `c` ``.
fn either(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("`{}`", sanitize(value))).collect();
    match values.as_slice() {
        [earlier @ .., last] if !earlier.is_empty() => {
            format!("{} or {last}", earlier.join(", "))
        }
        values => values.concat(),
    }
}

/// The advice for every token of another kind: no setting makes it an access token.
const ACCESS_TOKEN: &str =
    "send the access token for this API, not the ID token, the refresh token or another one";

fn advice(side: Side, text: &str) -> Advice {
    Advice { side, text: text.to_owned() }
}
