//! A signed answer (RFC 9701), verified by the keys of the issuer.

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::answer::IntrospectionAnswer;
use super::error::AnswerFault;
use crate::authentication::audience::AudiencePolicy;
use crate::authentication::claims::Claims;
use crate::authentication::issuer::IssuerSettings;
use crate::jose::compact::{Buffer, CompactJws, Segments};
use crate::jose::header::{JoseHeader, media_type};
use crate::keys::{IssuerKeys, KeySetId};
use crate::time::{Clock, UnixTime};

/// The rules for signed answers of one issuer.
#[derive(Debug)]
pub(super) struct SignedAnswers {
    pub(super) keys: IssuerKeys,
    pub(super) settings: IssuerSettings,
    /// The id of this server at the provider, by which an answer may name it.
    pub(super) client_id: String,
    /// The base URL, by which an answer may name this server as well.
    pub(super) base_url: AudiencePolicy,
}

/// The member with the answer, as it came.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    token_introspection: &'a RawValue,
}

/// A signed answer with what verifies it.
enum Judged {
    By(KeySetId),
    /// A key may be on its way.
    UnknownKey,
}

impl SignedAnswers {
    /// Verifies a signed answer, which was made after the question. A key that is unknown is waited for, as with a
    /// token.
    pub(super) async fn read(
        &self,
        body: &[u8],
        asked_at: Instant,
        clock: &dyn Clock,
    ) -> Result<IntrospectionAnswer, AnswerFault> {
        let mut waited = false;
        loop {
            match self.verify(body, asked_at, clock.now())? {
                Ok(answer) => return Ok(answer),
                Err(()) if waited => return Err(AnswerFault::Key),
                Err(()) => {
                    waited = true;
                    let first = self.keys.wait_for_first_load();
                    let wait = first.or_else(|| self.keys.request_refresh());
                    let Some(wait) = wait else { return Err(AnswerFault::Key) };
                    wait.finished().await;
                }
            }
        }
    }

    fn verify(
        &self,
        body: &[u8],
        asked_at: Instant,
        now: UnixTime,
    ) -> Result<Result<IntrospectionAnswer, ()>, AnswerFault> {
        let mut buffer = Buffer::new();
        let jws = Segments::decode_any(body.trim_ascii(), &mut buffer).and_then(CompactJws::parse);
        let jws = jws.map_err(|_| AnswerFault::NotAJws)?;
        let key_set = match self.signature(&jws)? {
            Judged::By(key_set) => key_set,
            Judged::UnknownKey => return Ok(Err(())),
        };
        let claims = Claims::new(jws.payload);
        self.envelope(&claims, now)?;
        let (payload, _) = claims.sources();
        let envelope: Envelope<'_> = serde_json::from_str(payload)
            .map_err(|_| AnswerFault::Member("token_introspection"))?;
        let object = envelope.token_introspection.get().as_bytes();
        IntrospectionAnswer::read(object, asked_at, Some(key_set)).map(Ok)
    }

    /// Verifies the signature. The type of the header keeps any other JWT of the provider from being
    /// taken for an answer (RFC 9701 sections 5 and 8.1).
    fn signature(&self, jws: &CompactJws<'_>) -> Result<Judged, AnswerFault> {
        let header = JoseHeader::read(&jws.header).map_err(|_| AnswerFault::Member("header"))?;
        let typ = header.typ.map(media_type).unwrap_or_default();
        if !typ.eq_ignore_ascii_case("token-introspection+jwt") {
            return Err(AnswerFault::Member("typ"));
        }
        let algorithm = header.alg.parse().map_err(|_| AnswerFault::Member("alg"))?;
        if !self.settings.algorithms.contains(&algorithm) {
            return Err(AnswerFault::Member("alg"));
        }
        let snapshot = self.keys.snapshot();
        let selected = snapshot.select(header.kid, algorithm, self.settings.key_issuer());
        let Some(selected) = selected.filter(|selected| !selected.has_no_match()) else {
            return Ok(Judged::UnknownKey);
        };
        let candidates = selected.candidates.map_err(|_| AnswerFault::Key)?;
        let verified = candidates.verify(jws.signing_input, jws.signature);
        verified.map(|_| Judged::By(selected.set_id)).map_err(|_| AnswerFault::Signature)
    }

    /// Checks the members around the answer (RFC 9701 section 5).
    fn envelope(&self, claims: &Claims<'_>, now: UnixTime) -> Result<(), AnswerFault> {
        let faulty = |name| Err(AnswerFault::Member(name));
        if claims.string("iss") != Ok(Some(&*self.settings.issuer)) {
            return faulty("iss");
        }
        let audiences = claims.audiences().map_err(|_| AnswerFault::Member("aud"))?;
        let is_ours = |aud: &&str| **aud == *self.client_id || self.base_url.accepts(aud);
        if !audiences.iter().any(is_ours) {
            return faulty("aud");
        }
        let leeway = self.settings.leeway;
        let date = |name| claims.date(name).map_err(|_| AnswerFault::Member(name));
        // An answer is made when it is asked for: an old one may have been replayed.
        let is_recent = |iat: UnixTime| {
            iat <= now.saturating_add(leeway)
                && now <= iat.saturating_add(leeway).saturating_add(MAX_TRANSIT)
        };
        if !date("iat")?.is_some_and(is_recent) {
            return faulty("iat");
        }
        if date("exp")?.is_some_and(|exp| now >= exp.saturating_add(leeway)) {
            return faulty("exp");
        }
        if date("nbf")?.is_some_and(|nbf| nbf > now.saturating_add(leeway)) {
            return faulty("nbf");
        }
        Ok(())
    }
}

/// The time that an answer may have been under way.
const MAX_TRANSIT: std::time::Duration = std::time::Duration::from_secs(60);
