//! The checks of a token beyond its first failure, by the functions that guard requests.
//!
//! Of a token whose signature has not verified only what every explanation may show is looked at:
//! `alg`, `typ`, `kid`, `iss`, `aud` and the times.

use http::{HeaderMap, Uri};

use super::authenticator::Authenticator;
use super::bearer::{self, Scheme};
use super::claims::Claims;
use super::client;
use super::confirmation;
use super::entra;
use super::issuer_in_use::Issuer;
use super::key_selection;
use super::token_kind;
use super::validation;
use crate::explanation::Unreached;
use crate::jose::Algorithm;
use crate::jose::compact::{Buffer, CompactJws};
use crate::jose::header::JoseHeader;
use crate::keys::Selected;

impl Authenticator {
    /// Goes on with the checks that a request did not reach, for an explanation alone.
    pub(crate) fn record_unreached(&self, headers: &HeaderMap, uri: &Uri, mut to: Unreached<'_>) {
        let mut buffer = Buffer::new();
        let found = bearer::find(headers, uri);
        let scheme = found.as_ref().map_or(Scheme::Bearer, |presented| presented.scheme);
        let decoded = found.and_then(|found| bearer::decode(found.token, &mut buffer));
        let Ok((_token, jws)) =
            decoded.map(|(token, segments)| (token, segments.and_then(CompactJws::parse)))
        else {
            return;
        };
        // Of an opaque token only the provider can tell more.
        #[cfg(feature = "client")]
        if self.introspection_target(_token, &jws).is_some() {
            return;
        }
        let Ok(jws) = jws else { return };
        let claims = Claims::new(jws.payload);
        let header = to.check(validation::header(&jws.header, self.issuers.all_algorithms()));
        let trusted = to.check(self.issuers.trusted(&claims));
        // Where none is named, by the rules of all of them.
        let issuers = match trusted {
            Some(issuer) => vec![issuer],
            None => self.issuers.iter().collect(),
        };
        if let Some(header) = header {
            let algorithms =
                issuers.iter().map(|issuer| validation::algorithm(header.alg, &issuer.settings));
            let algorithm = to.check_any(algorithms);
            to.check_any(
                issuers.iter().map(|one| validation::token_type(header.typ, &one.settings)),
            );
            if let (Some(issuer), Some(algorithm)) = (trusted, algorithm) {
                key(issuer, algorithm, header, &mut to);
            }
        }
        self.unreached_claims(&claims, scheme, &issuers, &mut to);
    }

    fn unreached_claims(
        &self,
        claims: &Claims<'_>,
        scheme: Scheme,
        issuers: &[&Issuer],
        to: &mut Unreached<'_>,
    ) {
        let (now, is_verified) = (self.clock.now(), to.is_verified());
        let settings = || issuers.iter().map(|issuer| &issuer.settings);
        let kinds = settings().map(|one| token_kind::access_token(claims, one));
        let is_access_token = match is_verified {
            true => to.check_any(kinds).is_some(),
            false => to.passes_any(kinds),
        };
        if !is_access_token {
            // Of a token of another kind nothing else is wrong.
            to.other_kind();
            return;
        }
        if is_verified {
            to.check_any(settings().map(|one| entra::checks::tenant(claims, one)));
        }
        to.check_any(
            issuers
                .iter()
                .map(|issuer| issuer.audience.check(claims, issuer.settings.audience_setting())),
        );
        to.check_any(settings().map(|one| validation::not_before(claims, one, now)));
        to.check_any(settings().map(|one| validation::issued_at(claims, one, now)));
        if is_verified {
            to.check_any(settings().map(|one| validation::required_claims(claims, one)));
            to.check_any(settings().map(|one| client::allowed(claims, one)));
            to.check_any(settings().map(|one| confirmation::check(claims, one, scheme)));
        }
        to.check_any(settings().map(|one| validation::expiry(claims, one, now)));
    }
}

/// Looks for the key among those that are there.
fn key(issuer: &Issuer, algorithm: Algorithm, header: JoseHeader<'_>, to: &mut Unreached<'_>) {
    let snapshot = issuer.keys.snapshot();
    let selected = snapshot.select(header.kid, algorithm, issuer.settings.key_issuer());
    if let Some(Selected { candidates, set, .. }) = selected {
        to.check(key_selection::key(candidates, header, set));
    }
}
