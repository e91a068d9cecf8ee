//! What a client is told that has to come again with another token: RFC 9470, or for clients of
//! Microsoft Entra ID that can read it a claims challenge.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::jose::base64url;

/// The challenge of a requirement that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StepUpChallenge {
    /// `acr_values` and `max_age` (RFC 9470 section 3).
    Values { acr: Vec<String>, max_age: Option<Duration> },
    /// `claims` and `authorization_uri` of Microsoft Entra ID.
    Claims { claims: String, authorization_uri: String },
}

/// The way in which a requirement is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Insufficient {
    Challenged(StepUpChallenge),
    /// `auth_time` is no time, or one in the future: no other token of this provider will do.
    AuthTime,
}

impl StepUpChallenge {
    /// Writes the claims that a token of Microsoft Entra ID has to have (OpenID Connect Core section
    /// 5.5), in base64.
    pub(super) fn of_entra(acr: &[String], has_age: bool, authorization_uri: &str) -> Self {
        let mut claims = Map::new();
        match acr {
            [] => {}
            [one] => {
                claims.insert("acrs".to_owned(), json!({"essential": true, "value": one}));
            }
            several => {
                claims.insert("acrs".to_owned(), json!({"essential": true, "values": several}));
            }
        }
        if has_age {
            claims.insert("auth_time".to_owned(), json!({"essential": true}));
        }
        let claims = json!({"access_token": Value::Object(claims)}).to_string();
        let claims = base64url::to_padded(claims.as_bytes());
        Self::Claims { claims, authorization_uri: authorization_uri.to_owned() }
    }
}
