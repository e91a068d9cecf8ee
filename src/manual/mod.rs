#![cfg_attr(
    all(
        feature = "client",
        feature = "config",
        feature = "confine",
        feature = "metrics",
        feature = "test-util",
        feature = "tracing"
    ),
    doc = include_str!("index.md")
)]
#![cfg_attr(
    not(all(
        feature = "client",
        feature = "config",
        feature = "confine",
        feature = "metrics",
        feature = "test-util",
        feature = "tracing"
    )),
    doc = "How things work and why. Documented with all features, this page lists its pages in the order in which \
           most people need them; without a feature the pages on it are missing."
)]

#[doc = include_str!("getting_started.md")]
pub mod getting_started {}

#[doc = include_str!("request_flow.md")]
pub mod request_flow {}

#[doc = include_str!("audiences.md")]
pub mod audiences {}

#[doc = include_str!("keys.md")]
pub mod keys {}

#[doc = include_str!("roles.md")]
pub mod roles {}

#[doc = include_str!("smart_scopes.md")]
pub mod smart_scopes {}

#[doc = include_str!("patients.md")]
pub mod patients {}

#[doc = include_str!("authorizers.md")]
pub mod authorizers {}

#[doc = include_str!("defaults.md")]
pub mod defaults {}

#[doc = include_str!("migrating.md")]
#[cfg(feature = "client")]
pub mod migrating {}
#[doc = include_str!("demo.md")]
pub mod demo {}

#[doc = include_str!("configuration.md")]
#[cfg(feature = "config")]
pub mod configuration {}

#[doc = include_str!("entra.md")]
#[cfg(feature = "client")]
pub mod entra {}

#[doc = include_str!("providers.md")]
#[cfg(feature = "client")]
pub mod providers {}

#[doc = include_str!("introspection.md")]
#[cfg(feature = "client")]
pub mod introspection {}

#[doc = include_str!("dpop.md")]
pub mod dpop {}

#[doc = include_str!("mutual_tls.md")]
pub mod mutual_tls {}

#[doc = include_str!("step_up.md")]
pub mod step_up {}

#[doc = include_str!("strangers.md")]
pub mod strangers {}

#[doc = include_str!("confinement.md")]
#[cfg(feature = "confine")]
pub mod confinement {}

// Its blocks run among the tests, for they name crates that no example is built with.
#[cfg(not(doctest))]
#[doc = include_str!("composition.md")]
#[doc = include_str!("tonic.md")]
pub mod composition {}

#[doc = include_str!("observability.md")]
#[cfg(all(feature = "metrics", feature = "tracing"))]
pub mod observability {}

#[doc = include_str!("testing.md")]
#[cfg(feature = "test-util")]
pub mod testing {}

#[doc = include_str!("threats.md")]
pub mod threats {}

#[doc = include_str!("dependencies.md")]
pub mod dependencies {}
#[doc = include_str!("operations.md")]
pub mod operations {}

#[doc = include_str!("mistakes.md")]
pub mod mistakes {}

#[doc = include_str!("proxies.md")]
pub mod proxies {}

#[doc = include_str!("inferno.md")]
pub mod inferno {}

#[doc = include_str!("costs.md")]
#[doc = include_str!("costs/keys.svg")]
#[doc = include_str!("costs/issuers.svg")]
#[doc = include_str!("costs/role-definitions.svg")]
#[doc = include_str!("costs/scopes.svg")]
#[doc = include_str!("costs/token-size.svg")]
#[doc = include_str!("costs/hit-rate.svg")]
#[doc = include_str!("costs/cores.svg")]
pub mod costs {}
