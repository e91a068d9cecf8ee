//! The waits of a decision. No request waits twice for the same thing.

#[cfg(feature = "client")]
use super::introspection::{AnswerWait, Outcome};
use crate::keys::KeyWait;

/// The wait of one request, after which it is decided again.
#[derive(Debug)]
pub(crate) enum Wait {
    /// For a key that may be on its way.
    Key(KeyWait),
    /// For what the provider says of the token.
    #[cfg(feature = "client")]
    Answer(AnswerWait),
}

/// The waits that a request had already.
#[derive(Debug, Default)]
pub(crate) struct Waited {
    for_key: bool,
    /// The outcome of the wait for an answer.
    #[cfg(feature = "client")]
    answer: Option<Outcome>,
}

impl Wait {
    /// Resolves when the wait is over, whatever came of it. Each is bounded in time.
    pub(crate) async fn finished(self, mut waited: Waited) -> Waited {
        match self {
            Self::Key(wait) => {
                wait.finished().await;
                waited.for_key = true;
            }
            #[cfg(feature = "client")]
            Self::Answer(wait) => waited.answer = Some(wait.finished().await),
        }
        waited
    }
}

impl Waited {
    /// Returns the waits of a request that has just come: none.
    pub(crate) fn not_yet() -> &'static Self {
        static NOTHING: Waited = Waited {
            for_key: false,
            #[cfg(feature = "client")]
            answer: None,
        };
        &NOTHING
    }

    /// Returns those of a request that an introspection was answered for.
    #[cfg(fuzzing)]
    #[cfg(feature = "client")]
    pub(crate) fn for_answer(outcome: Outcome) -> Self {
        Self { for_key: false, answer: Some(outcome) }
    }

    /// Asks for a wait for a key, unless the request had one already.
    pub(crate) fn key_wait(&self, ask: impl FnOnce() -> Option<KeyWait>) -> Option<Wait> {
        (!self.for_key).then(ask).flatten().map(Wait::Key)
    }

    /// Returns what came of the wait for an answer, if the request had one.
    #[cfg(feature = "client")]
    pub(crate) fn answer(&self) -> Option<&Outcome> {
        self.answer.as_ref()
    }
}
