//! One proof: what RFC 9449 section 4.3 has checked of it, in order.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName};

use super::known_keys::KnownKeys;
use super::nonce::Nonces;
use crate::authentication::request::RequestHead;
use crate::explanation::{Check, Checked, Evidence, ProofReason, Reason};
use crate::jose::compact::{Buffer, CompactJws, Segments};
use crate::jose::header::{HeaderError, JoseHeader, media_type};
use crate::jose::json::{Document, Json};
use crate::jose::proof_key::ProofKey;
use crate::jose::{Algorithm, JwkError, Thumbprint};
use crate::time::UnixTime;

/// The header of proofs.
const DPOP: HeaderName = HeaderName::from_static("dpop");

/// The largest proof that is read, in bytes.
const LARGEST: usize = 8 * 1024;

/// The longest `jti`, in bytes.
const LONGEST_ID: usize = 256;

/// The circumstances that a proof is judged by.
pub(crate) struct ProofContext<'a> {
    pub(crate) request: RequestHead<'a>,
    /// The scheme and host by which clients address this server; `None` where that is not known.
    pub(crate) origin: Option<&'a str>,
    pub(crate) token: &'a [u8],
    /// The key that the token is bound to.
    pub(crate) key: Thumbprint,
    /// The maker of nonces, where proofs must have one.
    pub(crate) nonces: Option<&'a Nonces>,
    /// The keys of proofs that were accepted before.
    pub(crate) known: &'a KnownKeys,
    pub(crate) max_age: Duration,
    pub(crate) leeway: Duration,
    /// The earliest `iat` that is accepted: a replay of an older proof could not be recognised.
    pub(crate) not_before: UnixTime,
    pub(crate) now: UnixTime,
}

/// A proof that passed every check but that for a replay.
#[derive(Debug)]
pub(crate) struct VerifiedProof {
    pub(crate) key: Arc<ProofKey>,
    /// The header that the key came in, if that was not known before.
    pub(crate) new_header: Option<Box<[u8]>>,
    pub(crate) jti: String,
    /// The time that the proof was made at.
    pub(crate) issued: UnixTime,
}

/// Checks the proof that came with a request.
pub(crate) fn check(
    situation: &ProofContext<'_>,
) -> Checked<VerifiedProof, impl FnOnce() -> Evidence + use<>> {
    let result = the_proof(situation.request.headers).and_then(|proof| situation.validate(proof));
    let evidence = match &result {
        Err(ProofReason::IssuedAt { found, .. }) => {
            let ProofContext { now, max_age, leeway, .. } = situation;
            let of = |time| humantime::format_duration(time);
            let expected = format!(
                "within {} (this server's clock: {now}, leeway: {})",
                of(*max_age),
                of(*leeway)
            );
            Evidence::found(found.to_string()).expected(expected)
        }
        Ok(_) | Err(_) => Evidence::none(),
    };
    Checked::new(Check::Proof, result.map_err(Reason::Proof), move || evidence)
}

/// Returns the one proof of a request.
fn the_proof(headers: &HeaderMap) -> Result<&[u8], ProofReason> {
    let mut values = headers.get_all(DPOP).iter();
    let proof = values.next().ok_or(ProofReason::Missing)?;
    if values.next().is_some() {
        return Err(ProofReason::Repeated);
    }
    let proof = proof.as_bytes();
    if proof.len() > LARGEST { Err(ProofReason::TooLarge) } else { Ok(proof) }
}

impl ProofContext<'_> {
    fn validate(&self, proof: &[u8]) -> Result<VerifiedProof, ProofReason> {
        let mut buffer = Buffer::new();
        let segments = Segments::decode(proof, &mut buffer).map_err(ProofReason::Malformed)?;
        // The same header bytes always yield the same key.
        let (key, new_header, claims) = match self.known.find(segments.header) {
            Some(key) => (key, None, segments.read_payload().map_err(ProofReason::Malformed)?),
            None => {
                let jws = CompactJws::parse(segments).map_err(ProofReason::Malformed)?;
                (Arc::new(key_of(&jws.header)?), Some(segments.header.into()), jws.payload)
            }
        };
        let verified = key.key.verify(segments.signing_input, segments.signature);
        verified.map_err(|_| ProofReason::Signature)?;

        let claims = &claims;
        let jti = string(claims, "jti")?;
        if jti.is_empty() || jti.len() > LONGEST_ID {
            return Err(ProofReason::Identifier);
        }
        self.check_target(claims)?;
        let issued = self.check_time(claims)?;
        self.check_nonce(claims)?;
        // Section 4.3: the proof is for this token.
        if string(claims, "ath")? != Thumbprint::of(self.token).to_text() {
            return Err(ProofReason::OtherToken);
        }
        if !key.thumbprint.is(&self.key) {
            return Err(ProofReason::OtherKey);
        }
        Ok(VerifiedProof { key, new_header, jti: jti.to_owned(), issued })
    }

    fn check_target(&self, claims: &Document<'_>) -> Result<(), ProofReason> {
        let (htm, htu) = (string(claims, "htm")?, string(claims, "htu")?);
        let method = self.request.method.map(http::Method::as_str);
        // Methods are case-sensitive (RFC 9110 section 9.1).
        if method != Some(htm) {
            return Err(ProofReason::Method);
        }
        let path = self.request.uri.path();
        let is_for = |origin| super::target::is_for(htu, origin, path);
        if self.origin.is_some_and(is_for) { Ok(()) } else { Err(ProofReason::Target) }
    }

    fn check_time(&self, claims: &Document<'_>) -> Result<UnixTime, ProofReason> {
        let Self { now, max_age, leeway, .. } = *self;
        let issued = date(claims, "iat")?.ok_or(ProofReason::Lacks("iat"))?;
        let until = issued.saturating_add(max_age).saturating_add(leeway);
        if issued > now.saturating_add(leeway) {
            return Err(ProofReason::IssuedAt { found: issued, is_ahead: true });
        }
        if until < now || issued < self.not_before {
            return Err(ProofReason::IssuedAt { found: issued, is_ahead: false });
        }
        // A proof has no need of either, and is a JWT (RFC 7519 sections 4.1.4 and 4.1.5).
        if date(claims, "exp")?.is_some_and(|exp| now >= exp.saturating_add(leeway)) {
            return Err(ProofReason::OutOfTime("exp"));
        }
        if date(claims, "nbf")?.is_some_and(|nbf| nbf > now.saturating_add(leeway)) {
            return Err(ProofReason::OutOfTime("nbf"));
        }
        Ok(issued)
    }

    fn check_nonce(&self, claims: &Document<'_>) -> Result<(), ProofReason> {
        let Some(nonces) = self.nonces else { return Ok(()) };
        match claims.get("nonce") {
            None => Err(ProofReason::NonceMissing),
            Some(Json::String(nonce)) if nonces.is_good(nonce, self.now) => Ok(()),
            Some(_) => Err(ProofReason::NonceNotAccepted),
        }
    }
}

/// Reads the header of a proof, and the key in it (RFC 9449 sections 4.2 and 4.3).
fn key_of(members: &Document<'_>) -> Result<ProofKey, ProofReason> {
    let header = JoseHeader::read(members).map_err(|error| match error {
        HeaderError::Unsigned(_) | HeaderError::NoAlgorithm => ProofReason::Algorithm,
        HeaderError::Unsupported(name) | HeaderError::NotAString(name) => ProofReason::Header(name),
        HeaderError::Nested => ProofReason::Header("cty"),
    })?;
    let is_proof = |typ: &str| media_type(typ).eq_ignore_ascii_case("dpop+jwt");
    if !header.typ.is_some_and(is_proof) {
        return Err(ProofReason::Type);
    }
    let algorithm: Algorithm = header.alg.parse().map_err(|_| ProofReason::Algorithm)?;
    let jwk = members.get("jwk").ok_or_else(|| ProofReason::Key("is missing".to_owned()))?;
    let jwk = jwk.as_object().ok_or_else(|| ProofReason::Key("is not a JSON object".to_owned()))?;
    ProofKey::read(jwk, algorithm).map_err(|error| {
        // What stands in the key is not repeated: somebody may have put a private one there.
        let fault = if matches!(error, JwkError::Unsupported(_)) {
            "its type or curve is not supported".to_owned()
        } else if matches!(error, JwkError::Algorithm(_)) {
            "it does not fit the algorithm of the proof".to_owned()
        } else {
            error.to_string()
        };
        ProofReason::Key(format!("cannot be used: {fault}"))
    })
}

fn date(claims: &Document<'_>, name: &'static str) -> Result<Option<UnixTime>, ProofReason> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let date = value.as_number().and_then(UnixTime::from_numeric_date);
    date.map(Some).ok_or(ProofReason::NotADate(name))
}

fn string<'c>(claims: &'c Document<'_>, name: &'static str) -> Result<&'c str, ProofReason> {
    match claims.string(name) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(ProofReason::Lacks(name)),
        Err(_) => Err(ProofReason::NotAString(name)),
    }
}
