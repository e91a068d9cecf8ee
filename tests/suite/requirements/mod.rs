//! One test for each requirement on a resource server, named after it:
//! R RFC 6750, J RFC 7515 and 7797, K RFC 7517 and 7518, T RFC 7519, A RFC 9068, V OpenID Connect
//! Discovery.

mod access_token;
mod bearer;
mod claims;
mod discovery;
mod jws;
mod keys;
