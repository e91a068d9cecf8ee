//! The challenge to a client that has to come again with another token: RFC 9470, or for clients of
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

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenID Connect Core section 5.5.1: `value` for one, `values` for several.
    #[test]
    fn the_claims_challenge_names_what_a_token_has_to_have() {
        const AT: &str = "https://login.test/authorize";
        for (acr, has_age, expected) in [
            (&["c1"][..], false, json!({"acrs": {"essential": true, "value": "c1"}})),
            (&["c1", "c2"], false, json!({"acrs": {"essential": true, "values": ["c1", "c2"]}})),
            (&[], true, json!({"auth_time": {"essential": true}})),
            (
                &["c1"],
                true,
                json!({"acrs": {"essential": true, "value": "c1"},
                    "auth_time": {"essential": true}}),
            ),
        ] {
            let acr: Vec<String> = acr.iter().map(|&one| one.to_owned()).collect();
            let claims = json!({"access_token": expected}).to_string();
            let claims = base64url::to_padded(claims.as_bytes());
            let expected = StepUpChallenge::Claims { claims, authorization_uri: AT.to_owned() };
            assert_eq!(StepUpChallenge::of_entra(&acr, has_age, AT), expected, "{acr:?} {has_age}");
        }
    }
}
