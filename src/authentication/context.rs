//! The authentication of the user of a token, who acts for whom, and for which purpose: claims that
//! few requests are decided by, read when somebody asks.

use serde::Deserialize;
use serde_json::Value;

use super::principal::Principal;
use super::purpose_of_use::PurposeOfUse;
use super::sign_in::strings;
use crate::time::UnixTime;

/// The most actors that are told, each for the next one (RFC 8693 section 4.1).
const MOST_ACTORS: usize = 4;

/// A party that acts for the subject of a token (`act`, RFC 8693 section 4.1).
///
/// ```
/// use tower_fhir_auth::Principal;
///
/// /// Names who acts for the caller, for a line of an audit.
/// fn actors(caller: &Principal) -> Vec<String> {
///     caller.actors().into_iter().filter_map(|actor| actor.subject.or(actor.client_id)).collect()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Actor {
    /// `sub` of the actor.
    pub subject: Option<String>,
    /// `iss` of the actor.
    pub issuer: Option<String>,
    /// `client_id` of the actor.
    pub client_id: Option<String>,
}

#[derive(Deserialize)]
struct Act {
    sub: Option<String>,
    iss: Option<String>,
    client_id: Option<String>,
    act: Option<Value>,
}

impl Principal {
    /// Returns the authentication context class (`acr`, RFC 9068 section 2.2.1).
    #[must_use]
    pub fn acr(&self) -> Option<String> {
        self.claim("acr").ok().flatten()
    }

    /// Returns the time when the user was authenticated (`auth_time`, RFC 9068 section 2.2.1).
    #[must_use]
    pub fn auth_time(&self) -> Option<UnixTime> {
        let seconds: Option<f64> = self.claim("auth_time").ok().flatten();
        seconds.and_then(UnixTime::from_numeric_date)
    }

    /// Returns the methods by which the user was authenticated (`amr`, RFC 8176).
    #[must_use]
    pub fn amr(&self) -> Vec<String> {
        self.strings_of("amr")
    }

    /// Returns those who act for the subject (`act`, RFC 8693 section 4.1): the present actor first,
    /// then whom that one acts for, up to four.
    #[must_use]
    pub fn actors(&self) -> Vec<Actor> {
        let mut next: Option<Value> = self.claim("act").ok().flatten();
        let mut actors = Vec::new();
        while actors.len() < MOST_ACTORS
            && let Some(Ok(act)) = next.take().map(serde_json::from_value::<Act>)
        {
            let Act { sub, iss, client_id, act } = act;
            actors.push(Actor { subject: sub, issuer: iss, client_id });
            next = act;
        }
        actors
    }

    /// Returns the purposes for which the caller uses what it asks for, from where IHE IUA
    /// (`extensions.ihe_iua.purpose_of_use`) and UDAP (`extensions.hl7-b2b.purpose_of_use`) put them.
    #[must_use]
    pub fn purpose_of_use(&self) -> Vec<PurposeOfUse> {
        self.sign_in().purposes.clone()
    }

    /// Returns the strings of a claim: one, or a list.
    fn strings_of(&self, name: &str) -> Vec<String> {
        self.claim(name).ok().flatten().map(strings).unwrap_or_default()
    }
}
