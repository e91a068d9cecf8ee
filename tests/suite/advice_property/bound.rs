//! Faults of tokens that are bound to their sender, and of how users have signed in.

use serde_json::json;

use super::authentication::{BOUND, COGNITO, Fault, ISSUER, Sent, header, of, word};
use super::bearer;
use crate::support::b64;

pub(super) const FAULTS: &[(&str, Fault)] = &[
    ("Claim.ConfirmationMalformed", |world, rng| {
        of(world, ISSUER, |token| token.claim("cnf", json!({"jkt": word(rng)})))
    }),
    ("Claim.ConfirmationUnknown", |world, rng| {
        of(world, ISSUER, |token| token.claim("cnf", json!({"kid": word(rng)})))
    }),
    ("Claim.SenderConstrained", |world, rng| {
        of(world, ISSUER, |token| token.claim("cnf", json!({"jkt": b64([rng.u8(..); 32])})))
    }),
    ("Claim.BoundTokenRefused", |world, rng| {
        of(world, COGNITO, |token| token.claim("cnf", json!({"jkt": b64([rng.u8(..); 32])})))
    }),
    ("Claim.NotBound", |world, rng| of(world, BOUND, |token| token.claim("x", word(rng)))),
    ("Claim.NotBoundToKey", |world, rng| {
        let token = world.token(ISSUER).claim("x", word(rng)).sign().unwrap();
        header(format!("DPoP {token}"))
    }),
    ("Certificate", |world, rng| {
        of(world, ISSUER, |token| token.claim("cnf", json!({"x5t#S256": b64([rng.u8(..); 32])})))
    }),
    ("Proof", |world, rng| {
        let cnf = json!({"jkt": b64([rng.u8(..); 32])});
        let token = world.token(ISSUER).claim("cnf", cnf).sign().unwrap();
        header(format!("DPoP {token}"))
    }),
    ("StepUp", |world, rng| {
        let token = world.token(ISSUER).claim("acr", word(rng)).sign().unwrap();
        Sent::Request(bearer("DELETE", "/Basic/1", &token))
    }),
];
