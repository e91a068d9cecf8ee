//! Resources in memory, with their history.

mod bundle;
mod include;
mod load;
mod patch;
mod reference;
mod search;
mod state;
mod synthetic;

use std::sync::{Arc, Mutex, PoisonError, RwLock};

pub(crate) use bundle::rename_references;
pub(crate) use include::{include, is_followed, revinclude};
pub(crate) use load::from_folder;
pub(crate) use patch::patch;
pub(crate) use reference::{is_id, is_type, name_of};
pub(crate) use search::{MAX_COUNT, Search, count, number, since};
pub(crate) use state::{Change, State, Version};
pub(crate) use synthetic::synthetic;

/// A state that many requests read and one at a time changes.
#[derive(Debug)]
pub(crate) struct Store {
    state: RwLock<Arc<State>>,
    /// Held by a writer as long as it works; readers go on meanwhile.
    writer: Mutex<()>,
}

impl Store {
    pub(crate) fn new(state: State) -> Self {
        Self { state: RwLock::new(Arc::new(state)), writer: Mutex::new(()) }
    }

    /// Returns the present content of the store. A request that reads more than once reads from one snapshot.
    pub(crate) fn snapshot(&self) -> Arc<State> {
        // A state is replaced as a whole, so that a poisoned lock holds a good one.
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a change on a copy, which becomes the state if the change succeeds. `change` must not
    /// itself change the store; it would wait for itself.
    pub(crate) fn change<T, E>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, E>,
    ) -> Result<T, E> {
        let _only_writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut copy = State::clone(&self.snapshot());
        let answer = change(&mut copy)?;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(copy);
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tower_fhir_auth::fhir::BaseUrl;

    use super::*;

    pub(super) fn base() -> BaseUrl {
        "https://own.test/fhir".parse().unwrap()
    }

    fn store() -> Store {
        Store::new(State::new(base()))
    }

    #[test]
    fn a_failed_change_leaves_nothing() {
        let store = store();
        let failed: Result<(), &str> = store.change(|state| {
            state.put("Patient", "1", json!({}));
            Err("no")
        });
        assert_eq!(failed, Err("no"));
        assert!(store.snapshot().current("Patient", "1").is_none());
        let done: Result<(), ()> = store.change(|state| {
            state.put("Patient", "1", json!({}));
            state.put("Patient", "2", json!({}));
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(store.snapshot().live("Patient").count(), 2);
    }

    #[test]
    fn a_snapshot_does_not_change() {
        let store = store();
        let before = store.snapshot();
        let put = |state: &mut State| Ok::<_, ()>(state.put("Patient", "1", json!({})));
        store.change(put).unwrap();
        let between = store.snapshot();
        store.change(put).unwrap();
        assert!(before.current("Patient", "1").is_none());
        assert_eq!(between.current("Patient", "1").unwrap().version, 1);
        assert_eq!(store.snapshot().current("Patient", "1").unwrap().version, 2);
    }

    #[test]
    fn a_panic_in_a_change_harms_nobody() {
        let store = Arc::new(store());
        let its = store.clone();
        let thread = std::thread::spawn(move || {
            let _ = its.change(|state| {
                state.put("Patient", "1", json!({}));
                if true {
                    panic!("on purpose");
                }
                Ok::<(), ()>(())
            });
        });
        assert!(thread.join().is_err());
        assert!(store.snapshot().current("Patient", "1").is_none());
        assert_eq!(store.change(|_| Ok::<_, ()>(1)), Ok(1));
    }

    #[test]
    fn writers_wait_for_each_other() {
        let store = Arc::new(store());
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let store = store.clone();
                std::thread::spawn(move || {
                    for _ in 0..50 {
                        store
                            .change(|state| Ok::<_, ()>(state.put("Basic", "b", json!({}))))
                            .unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(store.snapshot().current("Basic", "b").unwrap().version, 200);
    }
}
