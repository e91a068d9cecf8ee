//! Everyone who is compared: how each is called, asked for its version, and started.

pub(crate) mod axum;
mod envoy;
mod express;
mod gateway;
mod haproxy;
mod proxied;

use anyhow::Result;
use kit::Trust;
use tempfile::TempDir;

use self::axum::Guard;
use self::envoy::Filter;
use self::proxied::Proxy;

/// How many verified tokens a cache has room for.
const REMEMBERED: usize = 10_000;

/// A server and what it checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    Axum(Guard),
    Envoy(Filter),
    Express {
        checks: bool,
    },
    /// `fhir-auth gateway`, a proxy that checks by itself.
    Gateway,
    Haproxy {
        checks: bool,
    },
    /// A proxy before a server, which asks `fhir-auth decide`, or does not.
    Proxied {
        proxy: Proxy,
        asks: bool,
    },
}

/// A server that answers on a port of 127.0.0.1.
pub(crate) struct Running {
    pub(crate) server: kit::Server,
    /// What it asks, whose time counts too.
    pub(crate) helper: Option<kit::Server>,
    pub(crate) port: u16,
    /// The files that it reads.
    pub(crate) _files: Option<TempDir>,
    /// The server behind a proxy, whose time does not.
    pub(crate) _upstream: Option<kit::Server>,
}

impl Running {
    fn of(server: kit::Server, port: u16, files: Option<TempDir>) -> Self {
        Self { server, helper: None, port, _files: files, _upstream: None }
    }
}

impl Server {
    pub(crate) const AXUM: Self = Self::Axum(Guard::None);
    pub(crate) const LAYER: Self = Self::Axum(Guard::Layer { remember: REMEMBERED });
    pub(crate) const ENVOY_CACHED: Self = Self::Envoy(Filter::JwtAuthnCached);
    pub(crate) const HAPROXY_VERIFY: Self = Self::Haproxy { checks: true };

    /// Those without a check stand before those with one.
    pub(crate) const ALL: [Self; 12] = [
        Self::AXUM,
        Self::LAYER,
        Self::Axum(Guard::RouterLayer { remember: REMEMBERED }),
        Self::Axum(Guard::Layer { remember: 0 }),
        Self::Axum(Guard::ByHand),
        Self::Envoy(Filter::None),
        Self::Envoy(Filter::JwtAuthn),
        Self::ENVOY_CACHED,
        Self::Haproxy { checks: false },
        Self::HAPROXY_VERIFY,
        Self::Express { checks: false },
        Self::Express { checks: true },
    ];

    /// A decision for each proxy, beside one in process.
    pub(crate) const DECISIONS: [Self; 11] = [
        Self::AXUM,
        Self::LAYER,
        Self::Gateway,
        Self::Proxied { proxy: Proxy::Nginx, asks: false },
        Self::Proxied { proxy: Proxy::Nginx, asks: true },
        Self::Proxied { proxy: Proxy::Envoy, asks: false },
        Self::Proxied { proxy: Proxy::Envoy, asks: true },
        Self::Proxied { proxy: Proxy::Caddy, asks: false },
        Self::Proxied { proxy: Proxy::Caddy, asks: true },
        Self::Proxied { proxy: Proxy::Haproxy, asks: false },
        Self::Proxied { proxy: Proxy::Haproxy, asks: true },
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Axum(Guard::None) => "axum",
            Self::Axum(Guard::Layer { remember: 0 }) => "axum, this layer without its cache",
            Self::Axum(Guard::Layer { .. }) => "axum, this layer",
            Self::Axum(Guard::RouterLayer { .. }) => "axum, this layer by `Router::layer`",
            Self::Axum(Guard::ByHand) => "axum, jsonwebtoken by hand",
            Self::Envoy(Filter::None) => "Envoy",
            Self::Envoy(Filter::JwtAuthn) => "Envoy, jwt_authn",
            Self::Envoy(Filter::JwtAuthnCached) => "Envoy, jwt_authn with its cache",
            Self::Express { checks: false } => "Express",
            Self::Express { checks: true } => "Express, express-oauth2-jwt-bearer",
            Self::Gateway => "`fhir-auth gateway` before axum",
            Self::Haproxy { checks: false } => "HAProxy",
            Self::Haproxy { checks: true } => "HAProxy, jwt_verify",
            Self::Proxied { proxy, asks } => proxy.name(asks),
        }
    }

    /// The same server without its check.
    pub(crate) fn bare(self) -> Self {
        match self {
            Self::Axum(_) => Self::AXUM,
            Self::Envoy(_) => Self::Envoy(Filter::None),
            Self::Express { .. } => Self::Express { checks: false },
            // There is none: it stands for itself.
            Self::Gateway => Self::Gateway,
            Self::Haproxy { .. } => Self::Haproxy { checks: false },
            Self::Proxied { proxy, .. } => Self::Proxied { proxy, asks: false },
        }
    }

    pub(crate) fn checks(self) -> bool {
        self == Self::Gateway || self != self.bare()
    }

    pub(crate) fn version(self) -> Result<String> {
        match self {
            Self::Axum(guard) => axum::version(guard),
            Self::Envoy(_) => envoy::version(),
            Self::Express { checks } => express::version(checks),
            Self::Gateway => gateway::version(),
            Self::Haproxy { .. } => haproxy::version(),
            Self::Proxied { proxy, .. } => proxy.version(),
        }
    }

    pub(crate) fn start(self, trust: &Trust) -> Result<Running> {
        match self {
            Self::Axum(guard) => axum::start(guard, trust),
            Self::Envoy(filter) => envoy::start(filter, trust),
            Self::Express { checks } => express::start(checks, trust),
            Self::Gateway => gateway::start(trust),
            Self::Haproxy { checks } => haproxy::start(checks, trust),
            Self::Proxied { proxy, asks } => proxied::start(proxy, asks, trust),
        }
    }
}
