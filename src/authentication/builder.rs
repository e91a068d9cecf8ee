//! The settings of an [`Authenticator`].

use std::sync::Arc;

use hashbrown::HashSet;

use super::accepted_schemes::AcceptedSchemes;
use super::advertisement::Advertisement;
use super::audience::AudiencePolicy;
use super::authenticator::Authenticator;
use super::cache::{DEFAULT_TOKENS, TokenCache};
use super::certificate::MutualTls;
use super::claims::Claims;
use super::dpop::Dpop;
#[cfg(feature = "client")]
use super::entra::Entra;
use super::issuer::{IssuerIndex, TrustedIssuer};
use super::issuers::Issuers;
use super::possession::Possession;
use crate::error::BuildError;
use crate::fhir::{BaseUrl, ResourceTypes};
use crate::jose::compact::{Buffer, CompactJws, Segments};
use crate::keys::{KeyStarter, SharedKeys};
use crate::secure_url::{self, PlainHttp};
use crate::telemetry::log;
use crate::time::{Clock, SystemClock};

/// Collects the settings of an [`Authenticator`].
///
/// ```
/// use tower_fhir_auth::{AudiencePolicy, Authenticator, TrustedIssuer};
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let authenticator = Authenticator::builder()
///     .issuer(TrustedIssuer::discover("https://idp.example.org"))
///     .audience(AudiencePolicy::exact(["https://api.example.org"]))
///     .build()?;
/// authenticator.ready().await;
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct AuthenticatorBuilder {
    issuers: Vec<TrustedIssuer>,
    /// The first error of a preset, which `build` reports.
    fault: Option<BuildError>,
    /// The only issuer whose keys are loaded; `None` for all.
    only_keys_of: Option<Option<String>>,
    offline: bool,
    audience: AudiencePolicy,
    /// `None` for that of the predecessor, or the system's.
    clock: Option<Arc<dyn Clock>>,
    /// `None` for those of the predecessor, or for keys of its own.
    shared_keys: Option<SharedKeys>,
    token_cache_capacity: usize,
    resource_types: ResourceTypes,
    plain_http: PlainHttp,
    dpop: Dpop,
    mutual_tls: Option<MutualTls>,
    base_url: Option<BaseUrl>,
}

impl Authenticator {
    /// Starts the configuration of an authenticator.
    pub fn builder() -> AuthenticatorBuilder {
        AuthenticatorBuilder {
            issuers: Vec::new(),
            fault: None,
            only_keys_of: None,
            offline: false,
            audience: AudiencePolicy::default(),
            clock: None,
            shared_keys: None,
            token_cache_capacity: DEFAULT_TOKENS,
            resource_types: ResourceTypes::r4(),
            plain_http: PlainHttp::default(),
            dpop: Dpop::new(),
            mutual_tls: None,
            base_url: None,
        }
    }
}

impl AuthenticatorBuilder {
    /// Trusts an issuer. At least one is needed.
    pub fn issuer(mut self, issuer: TrustedIssuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Trusts several issuers.
    pub fn issuers(mut self, issuers: impl IntoIterator<Item = TrustedIssuer>) -> Self {
        self.issuers.extend(issuers);
        self
    }

    /// Trusts the tenants of a preset for Microsoft Entra ID. An error of it is one of
    /// [`build`](Self::build).
    #[cfg(feature = "client")]
    #[expect(clippy::needless_pass_by_value, reason = "a builder takes over what it is given")]
    pub fn entra(mut self, entra: Entra) -> Self {
        match entra.issuers() {
            Ok(issuers) => self.issuers.extend(issuers),
            Err(fault) => self.fault = self.fault.or(Some(fault)),
        }
        self
    }

    /// Loads only the keys of the issuer that a token names: for tools that look at one token. The
    /// name is not verified, and only selects keys. Tokens of the other issuers are answered with
    /// [`KeysUnavailable`](crate::authentication::AuthenticationError::KeysUnavailable).
    pub fn load_keys_only_for(mut self, token: &str) -> Self {
        self.only_keys_of = Some(named_issuer(token));
        self
    }

    /// Asks no provider for keys, for tools that look at one token or at a configuration: only keys
    /// from files and key sets that the application gave are there. Tokens of the other issuers are
    /// answered with
    /// [`KeysUnavailable`](crate::authentication::AuthenticationError::KeysUnavailable).
    pub fn offline(mut self) -> Self {
        self.offline = true;
        self
    }

    /// Loads the keys of issuers together with others, unless it was said with which.
    pub(crate) fn sharing(mut self, shared: &SharedKeys) -> Self {
        self.shared_keys.get_or_insert_with(|| shared.clone());
        self
    }

    /// Sets the audiences of the issuers that set none of their own.
    pub fn audience(mut self, audience: AudiencePolicy) -> Self {
        self.audience = audience;
        self
    }

    /// Reads "now" from another clock. Default: [`SystemClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Loads the keys of issuers together with others, see [`SharedKeys`]. Default: keys of its own.
    pub fn shared_keys(mut self, shared: &SharedKeys) -> Self {
        self.shared_keys = Some(shared.clone());
        self
    }

    /// Sets how many verified tokens are cached, so that a token that is sent again costs next to
    /// nothing; with 0 every request is verified. Together they take at most 8 KiB for each. A token is evicted
    /// at its `exp`, and when the keys of its issuer change. Default: 10,000.
    pub fn token_cache_capacity(mut self, tokens: usize) -> Self {
        self.token_cache_capacity = tokens;
        self
    }

    /// Sets the resource types that scopes may name, beside those of R4, R4B and R5.
    pub fn resource_types(mut self, types: ResourceTypes) -> Self {
        self.resource_types = types;
        self
    }

    /// Allows origins from which keys are fetched without TLS, see
    /// [`PlainHttp`](crate::danger::PlainHttp). Default: none but loopback.
    pub fn plain_http(mut self, origins: PlainHttp) -> Self {
        self.plain_http = origins;
        self
    }

    /// Sets how proofs of DPoP are judged. Default: [`Dpop::new`].
    pub fn dpop(mut self, dpop: Dpop) -> Self {
        self.dpop = dpop;
        self
    }

    /// Sets where certificates of clients come from, beside the extensions of requests.
    pub fn mutual_tls(mut self, mutual_tls: MutualTls) -> Self {
        self.mutual_tls = Some(mutual_tls);
        self
    }

    /// Sets the URL by which clients address the API: `htu` of a proof of DPoP is compared with it,
    /// never with `Host`. Without it no such proof is accepted.
    pub fn base_url(mut self, base_url: BaseUrl) -> Self {
        self.base_url = Some(base_url);
        self
    }

    /// Checks the settings and starts to load keys, in the background.
    ///
    /// # Errors
    ///
    /// The first setting that cannot work. A provider that is down is not an error: its tokens are
    /// answered with [`KeysUnavailable`](crate::authentication::AuthenticationError::KeysUnavailable) until its keys come.
    pub fn build(self) -> Result<Authenticator, BuildError> {
        self.build_after(None)
    }

    /// Builds the successor of an authenticator, which takes over what the settings leave as it is: keys that
    /// are loaded, the memory of proofs, answers of providers. Verified tokens are never taken over, for
    /// other settings may refuse them.
    pub(crate) fn build_after(
        self,
        before: Option<&Authenticator>,
    ) -> Result<Authenticator, BuildError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.issuers.is_empty() {
            return Err(BuildError::NoIssuer);
        }
        warn_of(&self.plain_http);
        let offered = AcceptedSchemes::by(&self.issuers, self.mutual_tls.is_some());
        let clock = self.clock.or_else(|| before.map(Authenticator::clock));
        let clock = clock.unwrap_or_else(SystemClock::shared);
        let shared = self.shared_keys.or_else(|| before.map(|before| before.shared_keys.clone()));
        let shared = shared.unwrap_or_default();
        let leeways = self.issuers.iter().map(|issuer| issuer.settings.leeway);
        let possession = Possession::new(
            self.dpop,
            self.mutual_tls,
            self.base_url.as_ref(),
            leeways.max().unwrap_or_default(),
        )?;
        let is_advertised = advertised(&self.issuers);
        let mut advertised = Advertisement::default();
        let mut names = HashSet::with_capacity(self.issuers.len());
        let mut issuers = Vec::with_capacity(self.issuers.len());
        #[cfg(feature = "client")]
        one_takes_opaque_tokens(&self.issuers)?;
        let mut starter = KeyStarter::new(Arc::clone(&clock), shared.clone());
        for (trusted, is_advertised) in self.issuers.into_iter().zip(is_advertised) {
            let mut trusted = asking_as_wanted(trusted, self.only_keys_of.as_ref(), self.offline);
            trusted.settings.resource_types = self.resource_types.clone();
            trusted.allow(&self.plain_http);
            if !names.insert(Arc::clone(&trusted.settings.issuer)) {
                let name = secure_url::without_user(trusted.name());
                return Err(BuildError::DuplicateIssuer(name));
            }
            let before = before.and_then(|before| before.issuers.named(trusted.name()));
            let index = IssuerIndex(issuers.len());
            let issuer = trusted.start(&self.audience, index, &mut starter, before)?;
            if is_advertised {
                advertised.add(&issuer);
            }
            issuers.push(issuer);
        }
        let possession = match before {
            None => possession,
            Some(before) => possession.after(&before.possession, clock.now()),
        };
        Ok(Authenticator {
            issuers: Issuers::new(issuers),
            advertised: Arc::new(advertised),
            clock,
            shared_keys: shared,
            cache: TokenCache::new(self.token_cache_capacity),
            possession,
            offered,
        })
    }
}

/// Stops an issuer from contacting its provider when offline, or when only another issuer's may be asked.
fn asking_as_wanted(
    mut trusted: TrustedIssuer,
    only_keys_of: Option<&Option<String>>,
    offline: bool,
) -> TrustedIssuer {
    let is_wanted = |only: &Option<String>| only.as_deref() == Some(trusted.name());
    #[cfg_attr(not(feature = "client"), expect(unused_mut, reason = "no token is opaque"))]
    let mut is_wanted = only_keys_of.is_none_or(is_wanted);
    #[cfg(feature = "client")]
    {
        is_wanted |= only_keys_of == Some(&None) && trusted.takes_opaque_tokens();
        if !is_wanted || offline {
            trusted = trusted.asking_nobody();
        }
    }
    if !is_wanted || (offline && trusted.asks_a_provider()) {
        trusted = trusted.without_keys();
    }
    trusted
}

/// Checks that at most one issuer is asked about opaque tokens: to any other one the token of a user
/// would be shown that is none of its business.
#[cfg(feature = "client")]
fn one_takes_opaque_tokens(issuers: &[TrustedIssuer]) -> Result<(), BuildError> {
    let mut taking = issuers.iter().filter(|issuer| issuer.takes_opaque_tokens());
    match (taking.next(), taking.next()) {
        (Some(first), Some(second)) => Err(BuildError::OpaqueTokensOfTwo(
            secure_url::without_user(first.name()),
            secure_url::without_user(second.name()),
        )),
        (_, None) | (None, Some(_)) => Ok(()),
    }
}

fn warn_of(plain_http: &PlainHttp) {
    for origin in plain_http.origins() {
        log::warn!(
            origin,
            "plain http is allowed (`[danger] plain_http`): whoever is on the network between can \
             forge the keys that come from there, and read what is sent there"
        );
        let _ = origin;
    }
}

/// Chooses the issuers that apps are sent to: those that are advertised expressly, else the first
/// one, with those that count as one with it.
fn advertised(issuers: &[TrustedIssuer]) -> Vec<bool> {
    let all = || issuers.iter().map(|issuer| &issuer.settings.advertised);
    let some_say_so = all().any(|one| one.said == Some(true));
    let first = issuers.first().map(|first| &first.settings.advertised.block);
    let by_default = |block| !some_say_so && first == Some(block);
    all().map(|one| one.said.unwrap_or_else(|| by_default(&one.block))).collect()
}

/// Returns the `iss` of a token, unverified.
fn named_issuer(token: &str) -> Option<String> {
    let mut buffer = Buffer::new();
    let segments = Segments::decode(token.as_bytes(), &mut buffer).ok()?;
    let jws = CompactJws::parse(segments).ok()?;
    Claims::new(jws.payload).string_or_none("iss").map(str::to_owned)
}
