//! The proof of possession of a bound token: its key, its certificate, or both.

use std::time::Duration;

use super::certificate::MutualTls;
use super::confirmation::Confirmation;
use super::dpop::{self, Dpop, KnownKeys, Nonces, ProofContext, ReplayCache, Unremembered};
use super::error::AuthenticationError;
use super::request::RequestHead;
use crate::error::BuildError;
use crate::explanation::recorder::Recorder;
use crate::explanation::{Check, Checked, Evidence, ProofReason, Reason};
use crate::fhir::BaseUrl;
use crate::telemetry::log;
use crate::time::UnixTime;

/// The judge of proofs.
#[derive(Debug)]
pub(super) struct Possession {
    dpop: Dpop,
    nonces: Nonces,
    /// Its memory is shared with the configurations that this one replaces, and that replace it.
    replays: ReplayCache,
    known: KnownKeys,
    mutual_tls: MutualTls,
    /// The scheme and host by which clients address the API; `None` where it is not known.
    origin: Option<Box<str>>,
}

/// A bound token that passed its own checks.
#[derive(Clone, Copy)]
pub(super) struct BoundToken<'t> {
    pub(super) token: &'t [u8],
    pub(super) confirmation: &'t Confirmation,
    /// The leeway of the token's issuer.
    pub(super) leeway: Duration,
}

impl Possession {
    pub(super) fn new(
        dpop: Dpop,
        mutual_tls: Option<MutualTls>,
        base_url: Option<&BaseUrl>,
        leeway: Duration,
    ) -> Result<Self, BuildError> {
        dpop.check()?;
        if dpop.nonce && dpop.keys.is_empty() {
            log::warn!(
                "proofs must carry a nonce, and no key seals it: one is made at start, and a nonce \
                 serves at this process alone, until it ends"
            );
        }
        let nonces = Nonces::new(dpop.keys.clone(), base_url.map_or("", BaseUrl::as_str))?;
        let origin = base_url.map(|base| base.origin().into());
        let mutual_tls = mutual_tls.unwrap_or_default();
        // All issuers share the memory of proofs: it lasts as long as any of them accepts one.
        let replays = ReplayCache::new(dpop.max_age.saturating_add(leeway));
        Ok(Self { dpop, nonces, replays, known: KnownKeys::new(), mutual_tls, origin })
    }

    /// Takes over the memory of the configuration that is replaced: a proof that it accepted serves no more,
    /// and its nonces go on to serve where their key was made at start.
    pub(super) fn after(mut self, before: &Self, now: UnixTime) -> Self {
        self.replays = self.replays.after(&before.replays, now);
        self.nonces = self.nonces.after(&before.nonces);
        self
    }

    pub(super) fn mutual_tls(&self) -> &MutualTls {
        &self.mutual_tls
    }

    /// Makes a nonce for proofs.
    pub(super) fn nonce(&self, now: UnixTime) -> Option<String> {
        self.nonces.make(now)
    }

    /// Takes note that a token is bound to nobody.
    pub(super) fn not_required(recorder: &mut impl Recorder) {
        recorder.passed(Check::Certificate, || Evidence::found("none is asked for"));
        recorder.passed(Check::Proof, || Evidence::found("none is asked for"));
    }

    /// Checks all that a token is bound to. A proof is remembered last, when nothing else is wrong.
    pub(super) fn prove<R: Recorder>(
        &self,
        bound: BoundToken<'_>,
        request: RequestHead<'_>,
        now: UnixTime,
        recorder: &mut R,
    ) -> Result<(), AuthenticationError> {
        let Confirmation { key, certificate } = bound.confirmation;
        match certificate {
            Some(certificate) => {
                let (headers, extensions) = (request.headers, request.extensions);
                recorder.check(self.mutual_tls.check(certificate, headers, extensions))?;
            }
            None => {
                recorder.passed(Check::Certificate, || Evidence::found("none is asked for"));
            }
        }
        let Some(key) = *key else {
            recorder.passed(Check::Proof, || Evidence::found("none is asked for"));
            return Ok(());
        };
        let proven = recorder.check(dpop::check(&ProofContext {
            request,
            origin: self.origin.as_deref(),
            token: bound.token,
            key,
            nonces: self.dpop.nonce.then_some(&self.nonces),
            known: &self.known,
            max_age: self.dpop.max_age,
            leeway: bound.leeway,
            not_before: self.replays.not_before(),
            now,
        }))?;
        // An explanation does not use up the proof.
        let remembered = match R::USES_CACHE {
            true => self.replays.remember(&key, &proven.jti, proven.issued, now),
            false => self.replays.look(&key, &proven.jti, now),
        };
        match remembered {
            Ok(()) => {
                if let Some(header) = proven.new_header.filter(|_| R::USES_CACHE) {
                    self.known.keep(header, proven.key);
                }
                Ok(())
            }
            Err(Unremembered::Replayed) => {
                let replayed: Result<(), _> = Err(Reason::Proof(ProofReason::Replayed));
                let checked = Checked::new(Check::Proof, replayed, Evidence::none);
                Ok(recorder.check(checked)?)
            }
            Err(Unremembered::NoRoom(retry_after)) => {
                recorder.unavailable(Check::Proof, || "too many proofs are remembered".to_owned());
                Err(AuthenticationError::TooManyProofs { retry_after })
            }
        }
    }
}
