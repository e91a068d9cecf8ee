//! The HTTPS clients of keys that are loaded, each made once: one takes more memory than the keys of many
//! issuers.

#[cfg(feature = "client")]
use std::sync::{Arc, Weak};
#[cfg(feature = "client")]
use std::time::Duration;

#[cfg(feature = "client")]
use super::https::HttpsClient;
#[cfg(feature = "client")]
use super::settings::KeySettings;
#[cfg(feature = "client")]
use crate::error::BuildError;

/// The clients that are in use.
#[derive(Default)]
pub(super) struct Clients {
    #[cfg(feature = "client")]
    known: Vec<(ClientSettings, Weak<HttpsClient>)>,
}

/// The settings that make a client.
#[cfg(feature = "client")]
#[derive(PartialEq)]
struct ClientSettings {
    timeout: Duration,
    max_bytes: usize,
    environment_proxy: bool,
    authorities: Vec<Option<Vec<u8>>>,
}

#[cfg(feature = "client")]
impl Clients {
    /// Returns a client with these settings, where `authorities` are what the files of certificate authorities
    /// hold.
    pub(super) fn with(
        &mut self,
        settings: &KeySettings,
        authorities: &[Option<Vec<u8>>],
    ) -> Result<Arc<HttpsClient>, BuildError> {
        let KeySettings { timeout, max_bytes, environment_proxy, .. } = *settings;
        let authorities = authorities.to_vec();
        let wanted = ClientSettings { timeout, max_bytes, environment_proxy, authorities };
        self.known.retain(|(_, client)| client.strong_count() > 0);
        let known = self.known.iter().filter(|(settings, _)| *settings == wanted);
        if let Some(client) = known.filter_map(|(_, client)| client.upgrade()).next() {
            return Ok(client);
        }
        let client = Arc::new(HttpsClient::new(settings)?);
        self.known.push((wanted, Arc::downgrade(&client)));
        Ok(client)
    }
}
