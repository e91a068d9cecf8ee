//! What to change, and on which side.

use super::{Check, Finding, Requirement};

/// Who can mend something.
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
    /// Who can take it.
    pub side: Side,
    /// What to do, in one sentence.
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
    /// What could be changed so that the check passes, most likely first. Some are alternatives:
    /// who is in the wrong, the check cannot know.
    #[must_use]
    pub fn advice(&self) -> Vec<Advice> {
        let (found, expected) =
            (self.found().unwrap_or_default(), self.expected().unwrap_or_default());
        let first = expected.split(' ').next().unwrap_or_default();
        let client = |text: &str| advice(Side::Client, text);
        let provider = |text: &str| advice(Side::Provider, text);
        let server = |text: &str| advice(Side::Server, text);
        match self.check() {
            Check::Credentials => {
                vec![client("send the access token once, as `Authorization: Bearer <token>`")]
            }
            Check::Size => vec![
                client("ask for fewer scopes"),
                provider("leave claims out of the token, groups first"),
            ],
            Check::Shape => vec![client(
                "send the access token as the provider issued it: a signed JWT of three parts",
            )],
            Check::Header => vec![provider(
                "sign access tokens with an asymmetric algorithm, without `crit`, `b64`, `zip` and a \
                 nested token (`cty`)",
            )],
            Check::Issuer => self.issuer_advice(found, first),
            Check::Algorithm => vec![
                server("add the algorithm to `algorithms`, if the provider is to use it"),
                provider("sign access tokens with an accepted algorithm"),
            ],
            Check::Type if is_other_kind(found) => vec![client(ACCESS_TOKEN)],
            Check::Type => vec![
                client(ACCESS_TOKEN),
                server("add the type to `token_types`, if the provider's access tokens have it"),
            ],
            Check::Key => vec![
                provider("publish the key that signs in the key set, before it signs"),
                server(
                    "look at `jwks_uri` or `discovery`: is it the provider that issued the token?",
                ),
                client("ask for a new token, if the key has been withdrawn"),
            ],
            Check::Signature if self.summary().contains("nonce") => vec![client(
                "ask for a token for this API, for example with the scope `<client id>/.default`",
            )],
            Check::Signature => {
                vec![client("send the token unchanged, as the provider issued it")]
            }
            Check::TokenKind => vec![client(ACCESS_TOKEN)],
            Check::Tenant => {
                vec![client("ask the tenant that issued the token for another one")]
            }
            Check::Audience if found.is_empty() => {
                vec![provider(&format!("put `{first}` into `aud` of access tokens for this API"))]
            }
            Check::Audience => vec![
                client(&format!("ask for a token for `{first}`")),
                server(&format!(
                    "add `{found}` to `audiences`, if it names this API and not an application \
                     that calls it"
                )),
            ],
            Check::IssuedAt if self.summary().contains("too long ago") => vec![
                client("ask for a new token"),
                server("allow for older tokens with `max_token_age`"),
            ],
            Check::NotBefore | Check::IssuedAt => vec![
                provider("set the clock; it seems to be ahead"),
                server("set the clock, or allow for more skew with `leeway`"),
            ],
            Check::RequiredClaims if self.summary().contains("`exp`") => {
                vec![provider("put `exp` into access tokens: without it none is accepted")]
            }
            Check::RequiredClaims => vec![
                provider("put the claim into access tokens for this API"),
                server("leave the claim out of `required_claims`, if nothing depends on it"),
            ],
            Check::Client => {
                vec![server("add the application to `clients`, if it may call this API")]
            }
            Check::Confirmation => vec![client(
                "ask for a bearer token: this server takes none that is bound to its sender",
            )],
            Check::Expiry => vec![
                client("ask for a new token"),
                server("set the clock, if the token should still be good"),
            ],
            Check::Interaction => vec![client("address the FHIR API by its base URL")],
            Check::Authorization => self.authorization_advice(),
        }
    }

    fn issuer_advice(&self, found: &str, first: &str) -> Vec<Advice> {
        if found.is_empty() {
            let text = format!("put `iss` into access tokens, for example `{first}`");
            return vec![advice(Side::Provider, &text)];
        }
        let slash = found.trim_end_matches('/') == first.trim_end_matches('/');
        if slash {
            let text = format!("set `issuer` to `{found}`: it is compared letter by letter");
            return vec![advice(Side::Server, &text)];
        }
        let is_entra = ["https://sts.windows.net/", "https://login.microsoftonline."]
            .iter()
            .any(|start| found.starts_with(start));
        let mut advices = Vec::new();
        if is_entra {
            let text = "trust both versions of the tenant's tokens with `entra.tenant` and \
                        `entra.client_id`";
            advices.push(advice(Side::Server, text));
            let text = "in Entra, set accessTokenAcceptedVersion to 2 in the manifest of the API, if \
                        the server trusts version 2.0 alone";
            advices.push(advice(Side::Provider, text));
        }
        let text = format!("add an issuer `{found}`, if its tokens are to be accepted");
        advices.push(advice(Side::Server, &text));
        advices.push(advice(Side::Client, &format!("ask `{first}` for the token")));
        advices
    }

    /// What the handlers must declare comes first: without it no token helps.
    fn authorization_advice(&self) -> Vec<Advice> {
        let is_declaration = |one: &&Requirement| matches!(one, Requirement::Declaration(_));
        let (declarations, others): (Vec<_>, Vec<_>) =
            self.requirements.iter().partition(is_declaration);
        let mut advices: Vec<Advice> = Vec::new();
        for advice in declarations.into_iter().chain(others).map(Requirement::advice) {
            if !advices.contains(&advice) {
                advices.push(advice);
            }
        }
        if advices.is_empty() {
            let unnamed =
                "look at the rule that denied this: it names nothing that would be enough";
            let told = self.expected().filter(|words| !words.is_empty());
            let told = told.map(|words| Requirement::Other(words.to_owned()).advice());
            advices.push(told.unwrap_or_else(|| advice(Side::Server, unnamed)));
        }
        advices
    }
}

/// The advice for every token of another kind: no setting makes it an access token.
const ACCESS_TOKEN: &str =
    "send the access token for this API, not the ID token, the refresh token or another one";

/// Tells whether a `typ` is one of the explicit types that other JWTs than access tokens have (RFC 8725
/// section 3.11), such as `logout+jwt` and `dpop+jwt`.
fn is_other_kind(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    typ.ends_with("+jwt") && typ != "at+jwt" && typ != "application/at+jwt"
}

fn advice(side: Side, text: &str) -> Advice {
    Advice { side, text: text.to_owned() }
}
