//! Introspection: the requirements of RFC 7662 and RFC 9701 on a resource server, and what the crate
//! promises beyond them. The name of a test begins with the number of its requirement; tests without a
//! number have no clause of a standard behind them.
//!
//! | number | clause | what it requires |
//! |---|---|---|
//! | N1 | RFC 7662 section 2.1 | a `POST` of a form with `token` |
//! | N2 | RFC 7662 section 2.1, RFC 6749 section 2.3.1, RFC 7523 | who asks authenticates |
//! | N3 | RFC 7662 section 2.2 | `active` decides |
//! | N4 | RFC 7662 section 2.2 | `exp`, `nbf` and `iat` are judged |
//! | N5 | RFC 7662 sections 2.2, 4 | `aud` and `iss` are judged |
//! | N6 | RFC 7662 section 2.2 | `scope`, `client_id` and `sub`; members of SMART |
//! | N7 | RFC 7662 section 2.3 | an answer that is none is no answer |
//! | N8 | RFC 7662 section 4 | answers are kept for a while, and not past `exp` |
//! | N9 | RFC 7662 section 4, RFC 8414 section 3.3 | TLS, no redirects, metadata of the issuer itself |
//! | N10 | RFC 7662 section 4 | tokens are not logged, and not kept as they are |
//! | S1 | RFC 9701 section 4 | signed answers are asked for by `Accept` |
//! | S2 | RFC 9701 section 5 | `typ` is `token-introspection+jwt` |
//! | S3 | RFC 9701 section 5 | the signature is the issuer's |
//! | S4 | RFC 9701 section 5 | `iss`, `aud`, `iat` and `token_introspection` |
//! | S5 | RFC 9701 section 8.1 | a signed answer is no access token, and no other JWT an answer |

mod answers;
mod bound;
mod clients;
mod configuration;
mod every_token;
mod faults;
mod flood;
mod keeping;
pub(crate) mod kit;
mod questions;
mod replaced;
mod signed;
mod told;
