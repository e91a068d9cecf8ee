//! Answers of a provider about an opaque token (RFC 7662).

use std::time::Duration;

use http::Request;
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tower_fhir_auth::authentication::{Clock, Introspection, IntrospectionClient, SystemClock};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{Answer, TestIssuer};
use tower_layer::Layer;
use tower_service::Service;

use super::{Keeping, Named, Reading, decision, get, listed};
use crate::world::{self, CLIENT, Key};

pub(super) const SHAPES: &[Named] = &[
    ("introspected: members", |n| {
        answered(|answer| {
            for m in 0..n / 24 {
                answer[format!("a{m:06}")] = json!(0);
            }
        })
    }),
    ("introspected: scopes", |n| {
        answered(|answer| {
            answer["scope"] = listed(n, |m| format!("user/Flag.{m}")).join(" ").into()
        })
    }),
    ("introspected: scopes in a list", |n| {
        answered(|answer| answer["scp"] = listed(n, |m| format!("user/Flag.{m}")).into())
    }),
    ("introspected: roles", |n| {
        answered(|answer| answer["roles"] = listed(n, |m| format!("role-{m}")).into())
    }),
    ("introspected: audiences", |n| {
        answered(|answer| {
            let mut audiences = listed(n, |m| format!("https://{m}.example.org"));
            audiences.push(CLIENT.to_owned());
            answer["aud"] = audiences.into();
        })
    }),
    ("introspected: a long subject", |n| answered(|answer| answer["sub"] = "s".repeat(n).into())),
    ("introspected: nested", |n| {
        // As deep as it may be, and again and again.
        let deep = (0..28).fold(json!(0), |inner, _| json!([inner]));
        answered(|answer| answer["more"] = vec![deep.clone(); n / 60].into())
    }),
    ("introspected: purposes of use", |n| {
        let purposes = listed(n, |m| format!("P{m}"));
        answered(|answer| answer["extensions"] = json!({"ihe_iua": {"purpose_of_use": purposes}}))
    }),
];

/// The decision on a token about which the provider has answered before; the token itself is not remembered.
fn answered(change: impl FnOnce(&mut Value)) -> Reading {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let provider = runtime.block_on(TestIssuer::start()).expect("a provider");
    let mut answer = json!({
        "active": true, "aud": CLIENT, "exp": SystemClock.now().as_secs() + 100_000, "sub": "amara",
        "roles": ["globalReader"],
    });
    change(&mut answer);
    provider.answer("/introspect", Answer::json(&answer));
    let client = IntrospectionClient::with_secret("fhir", "secret");
    let asked = Introspection::at(format!("{}/introspect", provider.url()), client);
    let issuer = world::issuer(Key::new(Algorithm::EdDsa).set())
        .introspection(asked.max_age(Duration::from_secs(3600)));
    let layer = {
        let _entered = runtime.enter();
        world::layer_of(issuer).token_cache_capacity(0).build().expect("a layer")
    };
    let request = || -> Request<()> { get("/Patient/1", "opaque") };
    let first = layer.layer(Keeping::default()).call(request());
    let statuses: &'static [u16] = &[200, 403];
    let status = runtime.block_on(first).expect("an answer").status().as_u16();
    assert!(statuses.contains(&status), "{status}");
    let Reading { mut read, apart } = decision(&layer, request, statuses);
    // The questions are asked on it.
    let kept = (runtime, provider);
    let read = Box::new(move || {
        let _ = &kept;
        read();
    });
    Reading { read, apart }
}
