//! Advice as something to do: the words are read by the letter, and words that nobody knows fail.

use tower_fhir_auth::explanation::{Advice, Side};

/// What somebody does who follows a piece of advice.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Asks for a token with these scopes beside its own; each list is one way.
    Scopes(Vec<Vec<String>>),
    /// Gives the caller a role with these data actions and no others.
    DataActions(Vec<String>),
    /// Declares that the handlers enforce what they do not yet.
    Declare,
    /// Mends the token, and nothing of this server.
    Token(Mend),
    /// Changes a setting of this server: `advice_followed` does, on a file.
    Setting(&'static str),
    /// Sends another request, sets a clock, writes code: no token and no setting grants more by it.
    Elsewhere,
}

/// What is put into the token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mend {
    Claim(&'static str, Vec<String>),
    Fresh,
    /// A claim of the right shape, which is there in every good token.
    Shape,
}

/// Pieces that change a setting, by their first words and the setting that they name.
const SETTINGS: &[(&str, &str)] = &[
    ("add ", "audiences"),
    ("add ", "entra.identifier_uris"),
    ("add the type to ", "token_types"),
    ("add the algorithm to ", "algorithms"),
    ("add an issuer ", "issuer"),
    ("add the application to ", "clients"),
    ("set `issuer` to ", "issuer"),
    ("allow for older tokens", "max_token_age"),
    ("leave ", "required_claims"),
    ("leave ", "max_token_age"),
    ("say `audience = ", "introspection"),
];

/// Pieces by which nobody is granted more.
const ELSEWHERE: &[&str] = &[
    "ask the provider for an access token",
    "sign with ",
    "let ",
    "look at the time zone",
    "take ",
    "address the ",
    "ask the tenant",
    "ask for a token that is bound",
    "ask for another token with `acr_values`",
    "bind tokens by ",
    "connect with the certificate",
    "have clients asked for certificates",
    "define a resource server",
    "for client credentials",
    "if a proxy",
    "in Entra",
    "leave claims out",
    "look at ",
    "look up ",
    "mend ",
    "name a resource type",
    "no single data action",
    "publish ",
    "resolve ",
    "say in the answer to an introspection",
    "say with a query",
    "send ",
    "set the clock",
    "spell ",
    "support the search parameter",
    "trust both versions",
    "use another method",
    "write ",
    "allow for more skew",
    "declare ",
    "give each key",
];

pub(super) fn read(advice: &Advice) -> Step {
    let text = advice.text.as_str();
    let names = || names(text);
    if let Some(rest) = text.strip_prefix("ask for the scope") {
        let one_of = rest.contains("` or `");
        return Step::Scopes(match one_of {
            true => names().into_iter().map(|name| vec![name]).collect(),
            false => vec![names()],
        });
    }
    if text.starts_with("declare that the handlers enforce") {
        return Step::Declare;
    }
    for start in
        ["give the caller a role with the data action", "set `[roles] definitions`, with a role"]
    {
        if text.starts_with(start) {
            return Step::DataActions(
                names().into_iter().filter(|name| !name.contains('[')).collect(),
            );
        }
    }
    if text.starts_with("define the role `")
        || text.starts_with("set `[roles] definitions`, with the")
    {
        let after = text.split_once("the data action").unwrap().1;
        let actions =
            after.split(", or give").next().unwrap().split(" for the role").next().unwrap();
        return Step::DataActions(self::names(actions));
    }
    if advice.side == Side::Server
        && let Some((_, setting)) = SETTINGS
            .iter()
            .find(|(start, setting)| text.starts_with(start) && text.contains(setting))
    {
        return Step::Setting(setting);
    }
    if let Some(mend) = of_token(text, &names()) {
        return Step::Token(mend);
    }
    let known = ELSEWHERE.iter().any(|start| text.starts_with(start));
    assert!(known, "nobody knows how to follow {advice:?}");
    Step::Elsewhere
}

fn of_token(text: &str, names: &[String]) -> Option<Mend> {
    // The name of the claim is between backticks, too.
    let claim = |name| {
        let values = names.iter().filter(|value| *value != name).cloned().collect();
        Some(Mend::Claim(name, values))
    };
    match text {
        _ if text.starts_with("ask for a token for this API") => Some(Mend::Shape),
        _ if text.starts_with("ask for a token for `") => claim("aud"),
        _ if text.starts_with("put `") && text.contains(" into `aud` of access tokens") => {
            claim("aud")
        }
        _ if text.starts_with("put `iss` into access tokens") => claim("iss"),
        _ if text.starts_with("ask `") && text.ends_with("for the token") => claim("iss"),
        _ if text.starts_with("ask for a new token") => Some(Mend::Fresh),
        _ if text.starts_with("put ")
            || text.starts_with("sign access tokens")
            || text.starts_with("send `")
            || text.starts_with("name the client")
            || text.starts_with("name ")
            || text.starts_with("ask for fewer scopes")
            || text.starts_with("ask for a bearer token") =>
        {
            Some(Mend::Shape)
        }
        _ => None,
    }
}

/// The names between backticks.
fn names(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
