//! The trusted issuers, by name.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;

use super::claims::Claims;
use super::issuer::IssuerIndex;
use super::issuer_in_use::Issuer;
use super::validation;
use crate::display_safe::sanitize;
use crate::explanation::{Check, Checked, Evidence, IssuerReason, Reason};
use crate::jose::Algorithm;

/// All issuers of an authenticator.
#[derive(Debug)]
pub(super) struct Issuers {
    list: Vec<Issuer>,
    by_name: HashMap<Arc<str>, IssuerIndex>,
    /// The names of all issuers, and the algorithms of any, as refusals list them.
    all_names: String,
    all_algorithms: String,
    first_name: Arc<str>,
    /// The issuer whose provider is asked about opaque tokens.
    #[cfg(feature = "client")]
    of_opaque_tokens: Option<IssuerIndex>,
}

impl Issuers {
    /// Collects the issuers, each at the place that it was started for.
    pub(super) fn new(list: Vec<Issuer>) -> Self {
        let by_name: HashMap<_, _> =
            list.iter().map(|issuer| (Arc::clone(&issuer.settings.issuer), issuer.index)).collect();
        let names: BTreeSet<&str> = by_name.keys().map(|name| &**name).collect();
        let first_name = names.first().copied().map(sanitize).unwrap_or_default().into();
        let all_names = sanitize(&Vec::from_iter(names).join(" "));
        let algorithms = list.iter().flat_map(|issuer| &issuer.settings.algorithms);
        let algorithms: BTreeSet<Algorithm> = algorithms.copied().collect();
        let all_algorithms = validation::listed(&Vec::from_iter(algorithms));
        Self {
            #[cfg(feature = "client")]
            of_opaque_tokens: list
                .iter()
                .find(|one| one.takes_opaque_tokens())
                .map(|one| one.index),
            list,
            by_name,
            all_names,
            all_algorithms,
            first_name,
        }
    }

    /// Returns the issuer whose provider is asked about opaque tokens.
    #[cfg(feature = "client")]
    pub(super) fn of_opaque_tokens(&self) -> Option<&Issuer> {
        self.of_opaque_tokens.and_then(|index| self.get(index))
    }

    pub(super) fn get(&self, index: IssuerIndex) -> Option<&Issuer> {
        self.list.get(index.0)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Issuer> {
        self.by_name.get(name).and_then(|index| self.get(*index))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Issuer> {
        self.list.iter()
    }

    pub(super) fn all_algorithms(&self) -> &str {
        &self.all_algorithms
    }

    /// Checks `iss`, which is compared byte by byte (RFC 7519 section 4.1.1). It is not verified
    /// yet, and selects rules and keys.
    pub(super) fn trusted<'c>(
        &'c self,
        claims: &'c Claims<'_>,
    ) -> Checked<&'c Issuer, impl FnOnce() -> Evidence> {
        let trusted = || Arc::clone(&self.first_name);
        // Of several issuers that one which is meant, where it can be told.
        let nearest = |iss: &str| {
            let other = iss.strip_suffix('/').map_or_else(|| format!("{iss}/"), str::to_owned);
            let named = self.named(&other).map(|issuer| Arc::clone(&issuer.settings.issuer));
            named.unwrap_or_else(trusted)
        };
        let issuer = match claims.string("iss") {
            Err(_) => Err(Reason::Issuer(IssuerReason::NotAString { trusted: trusted() })),
            Ok(None) => Err(Reason::Issuer(IssuerReason::Missing { trusted: trusted() })),
            Ok(Some(iss)) => self.named(iss).ok_or_else(|| {
                Reason::Issuer(IssuerReason::NotTrusted {
                    issuer: sanitize(iss),
                    trusted: nearest(iss),
                })
            }),
        };
        Checked::new(Check::Issuer, issuer, || {
            let found = claims.string("iss").unwrap_or_default();
            Evidence::none().with_found(found).expected(&self.all_names)
        })
    }
}
