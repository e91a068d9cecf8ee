//! The events that operators get, caught on the thread of a test.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, NoSubscriber};

/// Catches all events of this thread, down to debug, until it is dropped.
pub(crate) struct OperatorLog {
    written: Written,
    _subscriber: DefaultGuard,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

/// Makes the subscriber of one thread hear of events that another thread is the first to reach.
/// With only one subscriber in the process, `tracing` asks the thread that comes first, which mostly
/// has none, and never asks again.
pub(crate) fn hear_of_every_event() {
    static ANOTHER: OnceLock<Dispatch> = OnceLock::new();
    ANOTHER.get_or_init(|| Dispatch::new(NoSubscriber::new()));
}

impl OperatorLog {
    pub(crate) fn start() -> Self {
        hear_of_every_event();
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        Self { written, _subscriber: tracing::subscriber::set_default(subscriber) }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.written.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines of a level that have these words.
    pub(crate) fn lines(&self, level: &str, words: &str) -> usize {
        let text = self.text();
        text.lines().filter(|line| line.contains(level) && line.contains(words)).count()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
