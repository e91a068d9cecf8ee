//! Tasks that end with their owner.

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// A task of the runtime that is aborted when this is dropped.
#[derive(Debug)]
pub(crate) struct BackgroundTask(AbortHandle);

impl BackgroundTask {
    pub(crate) fn spawn(runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(runtime.spawn(task).abort_handle())
    }

    /// Reports whether the task has ended. For one that never returns, this means that its runtime has shut down.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for BackgroundTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
