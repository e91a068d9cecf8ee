//! The answer to an introspection (RFC 7662 section 2.2), read strictly.

use std::fmt;
use std::sync::Arc;

use tokio::time::Instant;

use super::error::AnswerFault;
use crate::jose::json::{self, Document, Json, without_mark};
use crate::keys::KeySetId;
use crate::time::UnixTime;

/// An answer about one token.
#[derive(Clone, Debug)]
pub(crate) enum IntrospectionAnswer<A = ActiveAnswer> {
    /// The token is active.
    Active(A),
    /// `active` is not `true`: the token is unknown, withdrawn, expired, or not for this client.
    Inactive,
}

/// An answer that says that the token is active. Only [`IntrospectionAnswer::read`] makes one.
#[derive(Clone)]
pub(crate) struct ActiveAnswer {
    text: Box<str>,
    /// The moment at which it was asked for: what is known is not newer.
    pub(super) asked_at: Instant,
    pub(super) expires_at: Option<UnixTime>,
    /// The keys that verified it, where it was signed.
    key_set: Option<KeySetId>,
}

impl fmt::Debug for ActiveAnswer {
    /// Shows nothing of the answer, which holds the claims of a user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActiveAnswer(..)")
    }
}

/// Proof that the provider has said that a token is active.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SaidToBeActive(());

impl IntrospectionAnswer {
    /// Reads the object of an answer. `active` counts where it is the Boolean `true`, and nothing else
    /// that might mean it.
    pub(crate) fn read(
        body: &[u8],
        asked_at: Instant,
        key_set: Option<KeySetId>,
    ) -> Result<Self, AnswerFault> {
        let text = json::string(without_mark(body)).map_err(|_| AnswerFault::NotAnObject)?;
        let document = Document::parse(text).map_err(|_| AnswerFault::NotAnObject)?;
        if !matches!(document.get("active"), Some(Json::Bool(true))) {
            return Ok(Self::Inactive);
        }
        // Only bounds how long the answer is kept: what is no date is rejected with the claims.
        let expires_at = document.get("exp").and_then(|exp| exp.as_number());
        let expires_at = expires_at.and_then(UnixTime::from_numeric_date);
        Ok(Self::Active(ActiveAnswer { text: text.into(), asked_at, expires_at, key_set }))
    }

    /// Lets several requests share the answer.
    pub(in crate::authentication) fn shared(self) -> IntrospectionAnswer<Arc<ActiveAnswer>> {
        match self {
            Self::Active(answer) => IntrospectionAnswer::Active(Arc::new(answer)),
            Self::Inactive => IntrospectionAnswer::Inactive,
        }
    }
}

impl ActiveAnswer {
    /// Returns the object. It was read before, so that it can be read again.
    pub(crate) fn document(&self) -> Option<(Document<'_>, SaidToBeActive)> {
        Document::parse(&self.text).ok().map(|document| (document, SaidToBeActive(())))
    }

    /// Returns the number of the key set that verified it, where it was signed.
    pub(crate) fn key_set(&self) -> Option<KeySetId> {
        self.key_set
    }

    /// Returns `exp`, where it is there and can be read.
    pub(crate) fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    pub(super) fn size(&self) -> usize {
        self.text.len()
    }
}
