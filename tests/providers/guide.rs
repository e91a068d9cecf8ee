//! The guides of the manual: a block as it is pasted, at the address of the provider that runs, and the token
//! beside it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use tower_fhir_auth::config::Config;
use tower_fhir_auth::{Enforcement, FhirAuthLayer};

const PAGE: &str = include_str!("../../src/manual/providers.md");

pub(crate) struct Guide {
    title: &'static str,
    section: &'static str,
}

impl Guide {
    pub(crate) fn of(title: &'static str) -> Self {
        let mut sections = PAGE.split("\n# ");
        let section = sections.find(|section| section.lines().next() == Some(title));
        Self { title, section: section.unwrap_or_else(|| panic!("no guide to {title}")) }
    }

    fn block(&self, language: &str) -> &'static str {
        let start = format!("```{language}\n");
        let (_, rest) = self.section.split_once(&start).unwrap();
        rest.split_once("```").unwrap().0
    }

    /// The token of the guide.
    fn token(&self) -> Value {
        serde_json::from_str(self.block("json")).unwrap()
    }

    /// The layer of the block, with nothing changed but where the issuer is.
    pub(crate) fn layer(&self, issuer: &str) -> FhirAuthLayer {
        let token = self.token();
        let written = token["claims"]["iss"].as_str().unwrap();
        let block = self.block("toml");
        assert!(block.contains(written), "{}: the token is of another issuer", self.title);
        let config = Config::from_toml(&block.replace(written, issuer)).unwrap();
        let policy = config.policy().unwrap();
        config.layer(policy).unwrap().handlers_enforce(Enforcement::ALL).build().unwrap()
    }

    /// Real tokens have the members of the guide's, each of the same type, and no other.
    pub(crate) fn shows(&self, tokens: &[&str]) {
        let guide = self.token();
        for (part, name) in ["header", "claims"].into_iter().enumerate() {
            let real: BTreeSet<(String, &str)> =
                tokens.iter().flat_map(|token| members(&decoded(token, part))).collect();
            let shown = members(guide[name].as_object().unwrap());
            assert_eq!(real, shown, "{}: {name}", self.title);
        }
    }
}

fn members(object: &Map<String, Value>) -> BTreeSet<(String, &'static str)> {
    let kind = |value: &Value| match value {
        Value::Null => "null",
        Value::Bool(_) => "a Boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    object.iter().map(|(name, value)| (name.clone(), kind(value))).collect()
}

/// A part of a token, unverified.
fn decoded(token: &str, part: usize) -> Map<String, Value> {
    let text = token.split('.').nth(part).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}
