//! The part of a configuration that is about answers.

use std::sync::Arc;

use super::capability::Capabilities;
use super::settings::ConfineSettings;
use super::statement_cache::StatementCache;
use crate::error::BuildError;
use crate::middleware::LayerParts;
use crate::seal::SealKey;

/// The part of a configuration that is about answers.
#[derive(Clone, Debug)]
pub(super) struct Confined {
    pub(super) settings: Arc<ConfineSettings>,
    pub(super) capabilities: Arc<Capabilities>,
    pub(super) statements: Arc<StatementCache>,
    /// `true` where no key was given, so that one was made.
    is_key_made: bool,
}

impl Confined {
    /// Returns those of a configuration.
    pub(super) fn of(layer_parts: &LayerParts) -> Option<&Self> {
        layer_parts.inner_settings.as_ref()?.0.downcast_ref()
    }

    /// Takes over the key of the configuration that is replaced, where neither was given one: links that it has
    /// sealed serve on.
    pub(super) fn new(
        mut settings: ConfineSettings,
        before: Option<&Self>,
    ) -> Result<Self, BuildError> {
        let is_key_made = settings.keys.is_empty();
        if is_key_made {
            let known = before.filter(|before| before.is_key_made);
            let known = known.and_then(|before| before.settings.keys.first().cloned());
            let made = known.map_or_else(SealKey::random, Ok);
            settings.keys.push(made.map_err(|_| BuildError::NoRandomNumbers)?);
        }
        let (capabilities, statements) = Default::default();
        Ok(Self { settings: Arc::new(settings), capabilities, statements, is_key_made })
    }
}
