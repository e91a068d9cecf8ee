//! A whole request through the layer, against models that share no code with it.
//!
//! Bytes choose everything: the access mode, method, address and query, the `Authorization` header, the
//! scopes, roles and patient of the token, and up to two faults of it. Status, error code and issue
//! code must be those that the models expect. Of three further questions one is asked: the token cache
//! changes nothing, nor does a second request; what was granted without duties of the handlers is confined to nobody; one scope more
//! never grants less; and another patient's path is let in by nobody who is confined.

#![no_main]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use tower_fhir_auth_fuzz::asked::Asked;
use tower_fhir_auth_fuzz::judged::check;

fuzz_target!(|data: &[u8]| {
    let asked: Result<Asked> = Asked::read(&mut Unstructured::new(data));
    if let Ok(asked) = asked {
        check(&asked);
    }
});
