//! Lines of a log as operators read them, written by `tracing_subscriber::fmt`.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::Level;

/// The lines that were written in the meantime.
pub(crate) struct LogLines {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    pub(crate) text: String,
}

impl LogLines {
    pub(crate) fn of(level: Level, work: impl FnOnce()) -> Self {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        let bytes = std::mem::take(&mut *written.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        Self { lines: text.lines().count() as u64, bytes: text.len() as u64, text }
    }
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
