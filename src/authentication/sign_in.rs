//! The sign-in of the user of a token, and the purpose it is used for, as requirements ask for them.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::purpose_of_use::PurposeOfUse;
use crate::time::UnixTime;

/// The sign-in of a token's user, and the purposes of the caller, as requirements ask for them. It is read once for a token, for a
/// bundle may ask a thousand times.
#[derive(Debug, Default)]
pub(crate) struct SignIn {
    /// `acr`.
    pub(crate) context: Vec<String>,
    /// `acrs` of Microsoft Entra ID.
    pub(crate) entra_contexts: Vec<String>,
    pub(crate) time: AuthTime,
    /// `true` where the client declares by `xms_cc` that it can answer a claims challenge.
    pub(crate) handles_claims_challenge: bool,
    /// The purposes of use.
    pub(crate) purposes: Vec<PurposeOfUse>,
}

/// The time when the user was authenticated.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum AuthTime {
    #[default]
    Absent,
    At(UnixTime),
    /// `auth_time` is not a number.
    Unreadable,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SignInClaims {
    #[serde(deserialize_with = "present")]
    acr: Option<Value>,
    #[serde(deserialize_with = "present")]
    acrs: Option<Value>,
    #[serde(deserialize_with = "present")]
    auth_time: Option<Value>,
    #[serde(deserialize_with = "present")]
    xms_cc: Option<Value>,
    #[serde(deserialize_with = "present")]
    extensions: Option<Value>,
}

/// Reads a claim that is present, which `null` is, too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    // Else `auth_time: null` would be absent, and a new sign-in asked for, which mends nothing.
    Value::deserialize(deserializer).map(Some)
}

impl SignIn {
    /// Reads the payload of a verified token.
    pub(super) fn read(payload: &str) -> Self {
        let claims: SignInClaims = serde_json::from_str(payload).unwrap_or_default();
        let time = claims.auth_time.map_or(AuthTime::Absent, |value| {
            let time = value.as_f64().and_then(UnixTime::from_numeric_date);
            time.map_or(AuthTime::Unreadable, AuthTime::At)
        });
        Self {
            context: claims
                .acr
                .and_then(|acr| acr.as_str().map(str::to_owned))
                .into_iter()
                .collect(),
            entra_contexts: claims.acrs.map(strings).unwrap_or_default(),
            time,
            handles_claims_challenge: claims
                .xms_cc
                .map(strings)
                .unwrap_or_default()
                .iter()
                .any(|one| one == "cp1"),
            purposes: claims
                .extensions
                .map(|extensions| PurposeOfUse::read_all(&extensions))
                .unwrap_or_default(),
        }
    }
}

/// Returns the strings of a claim: one, or a list.
pub(super) fn strings(claim: Value) -> Vec<String> {
    match claim {
        Value::String(one) => vec![one],
        Value::Array(items) => {
            items.into_iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}
