//! Grants by people: codes that serve once, and refresh tokens that are replaced at each use.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::clients::Client;
use super::token::OAuthError;

/// The lifetime of a code (RFC 6749 section 4.1.2 recommends ten minutes at most).
const CODE_LIFETIME: Duration = Duration::from_secs(60);

/// The time for which a grant can be refreshed.
const GRANT_LIFETIME: Duration = Duration::from_secs(3600);

/// The most grants that are remembered; the oldest makes room.
const MOST: usize = 256;

/// A grant by a person to the page.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) person: &'static Client,
    pub(super) scopes: Vec<String>,
    pub(super) redirect_uri: String,
    /// The S256 challenge of RFC 7636.
    pub(super) challenge: String,
}

/// A grant that is used once more.
pub(super) struct Refreshed {
    pub(super) grant: Grant,
    pub(super) scope: String,
    /// The refresh token that serves next.
    pub(super) token: String,
}

/// A grant, found by the first part of its code and of its refresh tokens.
struct Remembered {
    id: String,
    grant: Grant,
    since: Instant,
    stage: Stage,
}

enum Stage {
    /// The code, which nobody has brought yet.
    Code(String),
    /// The refresh token that serves next, where there is one.
    Exchanged(Option<String>),
}

#[derive(Default)]
pub(super) struct Grants(VecDeque<Remembered>);

impl Grants {
    /// Remembers a grant, and returns its code.
    pub(super) fn add(&mut self, grant: Grant, now: Instant) -> String {
        let (id, secret) = (random(), random());
        let code = format!("{id}.{secret}");
        let stage = Stage::Code(secret);
        self.0.truncate(MOST - 1);
        self.0.push_front(Remembered { id, grant, since: now, stage });
        code
    }

    /// Exchanges a code, and returns what was granted with the first refresh token. A code that comes again
    /// ends the grant, whoever brings it (RFC 6749 section 4.1.2).
    pub(super) fn exchange(
        &mut self,
        code: &str,
        (redirect_uri, verifier): (&str, &str),
        now: Instant,
    ) -> Option<(Grant, Option<String>)> {
        let mut found = self.take(code)?;
        let (id, secret) = code.split_once('.')?;
        let Stage::Code(expected) = &found.stage else { return None };
        let is_sound = same(expected, secret)
            && now.duration_since(found.since) < CODE_LIFETIME
            && found.grant.redirect_uri == redirect_uri
            && is_verifier(verifier)
            && same(&found.grant.challenge, &challenge(verifier));
        if !is_sound {
            return None;
        }
        let refreshed = found.grant.scopes.iter().any(|one| one == super::clients::OFFLINE);
        let next = refreshed.then(random);
        let token = next.as_ref().map(|secret| format!("{id}.{secret}"));
        found.stage = Stage::Exchanged(next);
        let grant = found.grant.clone();
        self.0.push_front(found);
        Some((grant, token))
    }

    /// Replaces a refresh token, for the scopes that are asked for or all that were granted. One that was replaced
    /// before ends the grant: one of the two who have it is somebody else (RFC 9700 section 4.14.2). One that is
    /// refused for the scopes alone serves on.
    pub(super) fn refresh(
        &mut self,
        token: &str,
        scope: Option<&str>,
        now: Instant,
    ) -> Result<Refreshed, OAuthError> {
        const INVALID: OAuthError = OAuthError("invalid_grant");
        let mut found = self.take(token).ok_or(INVALID)?;
        let (id, secret) = token.split_once('.').ok_or(INVALID)?;
        let Stage::Exchanged(Some(expected)) = &found.stage else { return Err(INVALID) };
        if !same(expected, secret) || now.duration_since(found.since) >= GRANT_LIFETIME {
            return Err(INVALID);
        }
        let granted = &found.grant.scopes;
        let is_granted = |one: &str| granted.iter().any(|granted| granted == one);
        if scope.is_some_and(|scope| !scope.split(' ').all(is_granted)) {
            self.0.push_front(found);
            return Err(OAuthError("invalid_scope"));
        }
        let scope = scope.map_or_else(|| granted.join(" "), str::to_owned);
        let next = random();
        let token = format!("{id}.{next}");
        found.stage = Stage::Exchanged(Some(next));
        let grant = found.grant.clone();
        self.0.push_front(found);
        Ok(Refreshed { grant, scope, token })
    }

    fn take(&mut self, secret: &str) -> Option<Remembered> {
        let (id, _) = secret.split_once('.')?;
        let place = self.0.iter().position(|one| one.id == id)?;
        self.0.remove(place)
    }
}

/// The challenge of a verifier by the method S256.
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// RFC 7636 section 4.1
fn is_verifier(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(allowed)
}

fn same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

fn random() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use super::super::clients::OFFLINE;
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const REDIRECT: &str = "http://127.0.0.1:8080/";

    fn grant() -> Grant {
        Grant {
            person: Client::person("amara").unwrap(),
            scopes: vec![OFFLINE.to_owned()],
            redirect_uri: REDIRECT.to_owned(),
            challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned(),
        }
    }

    fn exchanged(grants: &mut Grants, now: Instant) -> (String, String) {
        let code = grants.add(grant(), now);
        let (_, token) = grants.exchange(&code, (REDIRECT, VERIFIER), now).unwrap();
        (code, token.unwrap())
    }

    #[test]
    fn a_code_serves_once_and_its_second_use_ends_what_the_first_one_gave() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let (code, token) = exchanged(&mut grants, now);
        assert!(grants.exchange(&code, (REDIRECT, VERIFIER), now).is_none());
        assert!(grants.refresh(&token, None, now).is_err());
    }

    #[test]
    fn a_code_needs_its_verifier_its_address_and_to_be_young() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let other = VERIFIER.replace('d', "e");
        let late = now + CODE_LIFETIME;
        for (redirect, verifier, when) in [
            (REDIRECT, &*other, now),
            (REDIRECT, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", now),
            ("http://127.0.0.1:8080", VERIFIER, now),
            (REDIRECT, VERIFIER, late),
        ] {
            let code = grants.add(grant(), now);
            assert!(grants.exchange(&code, (redirect, verifier), when).is_none(), "{redirect}");
            // Whoever has guessed once does not guess again.
            assert!(grants.exchange(&code, (REDIRECT, VERIFIER), now).is_none());
        }
    }

    #[test]
    fn a_refresh_token_is_replaced_and_the_one_before_ends_the_grant() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let (_, first) = exchanged(&mut grants, now);
        let second = grants.refresh(&first, None, now).unwrap().token;
        assert_ne!(first, second);
        let third = grants.refresh(&second, None, now).unwrap().token;
        assert!(grants.refresh(&second, None, now).is_err());
        assert!(grants.refresh(&third, None, now).is_err());

        let (_, token) = exchanged(&mut grants, now);
        assert!(grants.refresh(&token, None, now + GRANT_LIFETIME).is_err());
    }

    #[test]
    fn a_refresh_token_that_is_refused_for_its_scopes_serves_on() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let (_, token) = exchanged(&mut grants, now);
        let refused = grants.refresh(&token, Some("system/*.rs"), now);
        assert_eq!(refused.err().map(|error| error.0), Some("invalid_scope"));
        let next = grants.refresh(&token, Some(OFFLINE), now).unwrap();
        assert_eq!((&*next.scope, next.token == token), (OFFLINE, false));
    }

    #[test]
    fn grants_are_bounded_and_the_oldest_makes_room() {
        let (mut grants, now) = (Grants::default(), Instant::now());
        let first = grants.add(grant(), now);
        for _ in 1..MOST {
            grants.add(grant(), now);
        }
        assert_eq!(grants.0.len(), MOST);
        let last = grants.add(grant(), now);
        assert_eq!(grants.0.len(), MOST);
        assert!(grants.exchange(&first, (REDIRECT, VERIFIER), now).is_none());
        assert!(grants.exchange(&last, (REDIRECT, VERIFIER), now).is_some());
    }
}
