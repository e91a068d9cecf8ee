//! Long prose: how things work and why.

#[doc = include_str!("keys.md")]
pub mod keys {}

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

#[doc = include_str!("threats.md")]
pub mod threats {}

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
