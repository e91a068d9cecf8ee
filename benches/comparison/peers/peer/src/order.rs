//! The contender that a process is, and the issuer that it trusts.

use std::env;

use crate::Error;

/// The arguments of a contender's process.
#[derive(Debug)]
pub struct Order {
    /// The crate under test, or a variant of it.
    pub contender: String,
    /// The crypto library, where the application chooses it.
    pub backend: String,
    /// Whom to trust.
    pub provider: Provider,
}

/// The provider of the runner, and the one audience that is ours.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The issuer; its discovery document stands below it.
    pub issuer: String,
    /// The key set, for contenders without discovery.
    pub jwks_uri: String,
    /// What `aud` must name.
    pub audience: String,
}

impl Order {
    /// Reads the command line: contender, backend, issuer, key set, audience.
    ///
    /// # Errors
    ///
    /// When there are fewer arguments or more.
    pub fn from_args() -> Result<Self, Error> {
        let args = env::args().skip(1).collect::<Vec<_>>();
        let [contender, backend, issuer, jwks_uri, audience] = args
            .try_into()
            .map_err(|_| "arguments: contender, backend, issuer, key set, audience")?;
        Ok(Self { contender, backend, provider: Provider { issuer, jwks_uri, audience } })
    }
}
