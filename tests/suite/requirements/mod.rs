//! One test for each requirement on a resource server. The name of a test begins with the number of
//! its requirement; tests without a number have no clause of a standard behind them.
//!
//! | number | clause | what it requires |
//! |---|---|---|
//! | R1 | RFC 6750 section 2.1, RFC 9110 section 11.1 | the scheme in any case, spaces, and a `b64token` |
//! | R2 | RFC 6750 sections 2, 3.1 | one token, in the header alone |
//! | R3 | RFC 6750 section 3.1 | no error code for a request without credentials |
//! | R4 | RFC 6750 section 3.1 | each error code with its status |
//! | R5 | RFC 6750 section 3 | each attribute of a challenge once, in its characters |
//! | R6 | RFC 9110 section 15.5.2, RFC 9111 section 5.2.2.5 | a challenge with every 401; nothing to be stored |
//! | J1 | RFC 7515 section 7.1 | three segments |
//! | J2 | RFC 7515 section 2, RFC 4648 section 3.5 | base64url without padding, white space or trailing bits |
//! | J3 | RFC 7515 section 4 | a header that is one JSON object without duplicate members |
//! | J4 | RFC 7515 section 4.1.1 | `alg` is a string |
//! | J5 | RFC 7515 section 4.1.11 | no `crit` that is not understood |
//! | J6 | RFC 7797 sections 6, 7; RFC 7519 section 5.2 | no `b64`, no compression, no nesting |
//! | J7 | RFC 7515 section 4 | other parameters are ignored |
//! | J8 | RFC 7515 sections 4.1.2 to 4.1.8, RFC 8725 section 3.10 | no key from the token itself |
//! | K1 | RFC 7517 section 5 | a bad entry costs itself alone |
//! | K2 | RFC 7517 section 4.2 | `use` |
//! | K3 | RFC 7517 section 4.3 | `key_ops` |
//! | K4 | RFC 7517 section 4.4 | `alg` of a key |
//! | K5 | RFC 7517 section 4.5 | `kid`, compared exactly |
//! | K6 | RFC 7518 section 6.2.1, RFC 8725 section 3.4 | points that are whole and on their curve |
//! | K7 | RFC 7518 sections 3.3, 6.3.1 | the size and the exponent of RSA keys |
//! | K8 | RFC 7518 section 6.4, RFC 8725 section 3.1 | symmetric keys verify nothing |
//! | K9 | RFC 7517 section 9.2 | a private key that is published is not used |
//! | K10 | RFC 7515 sections 4.1.4, 6 | tokens without `kid` |
//! | T1 | RFC 7519 section 7.2 | a payload that is a JSON object |
//! | T2 | RFC 7519 section 4 | no duplicate claims |
//! | T3 | RFC 7519 sections 2, 4.1.4 to 4.1.6 | `exp`, `nbf` and `iat` as NumericDate |
//! | T4 | RFC 7519 section 4.1.3 | `aud` |
//! | T5 | RFC 7519 sections 4.1.1, 4.1.2, 4.1.7 | `iss`, `sub` and `jti` |
//! | T6 | RFC 7519 sections 4.1.4, 4.1.5 | the leeway for dates |
//! | A1 | RFC 9068 sections 2.1, 4 | `typ` |
//! | A2 | RFC 9068 sections 2.1, 4 | a signature, by an accepted algorithm |
//! | A3 | RFC 9068 section 4 | `iss` |
//! | A4 | RFC 9068 section 4 | `aud` |
//! | A5 | RFC 9068 section 4 | `exp` |
//! | A6 | RFC 9068 section 2.2 | the claims that are required |
//! | A7 | RFC 9068 section 4 | no encrypted token where none was negotiated |
//! | A8 | RFC 9068 section 4 | every fault is `invalid_token` |
//! | A9 | RFC 9068 sections 2.2.3, 2.2.3.1 | `scope`, `roles` and `groups` |
//! | A10 | RFC 9068 section 2.2.1 | `auth_time`, `acr` and `amr` |
//! | V1 | OpenID Connect Discovery 1.0 section 4.3 | the issuer of a document is the one that was asked for |
//! | V2 | Discovery section 4.1 | the address of the document |
//! | V3 | Discovery section 4.2 | 200 and JSON |
//! | V4 | Discovery section 3 | `jwks_uri` |
//! | V5 | Discovery section 3 | `issuer` |
//! | V6 | Discovery section 3 | algorithms of ID tokens say nothing of access tokens |
//! | V7 | Discovery section 3, OpenID Connect Core 1.0 section 10.1.1 | another `jwks_uri` is followed |

mod access_token;
mod bearer;
mod claims;
mod discovery;
mod jws;
mod keys;
