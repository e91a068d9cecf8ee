//! What a decision waits for: nobody waits twice for the same.

use crate::keys::KeyWait;

/// The wait of one request, after which it is decided again.
#[derive(Debug)]
pub(crate) enum Wait {
    /// For a key that may be on its way.
    Key(KeyWait),
}

/// What a request has waited for already.
#[derive(Debug, Default)]
pub(crate) struct Waited {
    for_key: bool,
}

impl Wait {
    /// Resolves when the wait is over, whatever came of it. Each is bounded in time.
    pub(crate) async fn over(self, mut waited: Waited) -> Waited {
        match self {
            Self::Key(wait) => {
                wait.over().await;
                waited.for_key = true;
            }
        }
        waited
    }
}

impl Waited {
    /// Asks for a wait for a key, unless the request had one.
    pub(crate) fn or_for_key(&self, ask: impl FnOnce() -> Option<KeyWait>) -> Option<Wait> {
        (!self.for_key).then(ask).flatten().map(Wait::Key)
    }
}
