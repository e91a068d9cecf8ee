//! Proofs of possession (RFC 9449): the requirements on a resource server, one test each, by the
//! section that makes them.

mod challenges;
mod kit;
mod nonces;
mod proofs;
mod replaced;
mod replays;
mod tokens;
