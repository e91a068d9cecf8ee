//! Claims of tokens that are verified: all of a first sight but the check of the signature itself.

use std::hint::black_box;

use serde_json::{Value, json};
use tower_fhir_auth::authorization::Assignments;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::TokenBuilder;
use tower_fhir_auth::{
    AccessMode, AccessPolicy, AudiencePolicy, Entra, FhirAuthLayer, FhirAuthLayerBuilder,
    Principal, RoleDefinitions, RolePolicy, ScopePolicy, TrustedIssuer,
};

use super::{Named, Reading, decision, filled, get, listed};
use crate::widest;
use crate::world::{self, ISSUER, Key};

const GUID: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

pub(super) const SHAPES: &[Named] = &[
    ("audiences", |n| {
        plain(&[401], |token| token.claim("aud", listed(n, |m| format!("urn:x:{m}"))))
    }),
    ("audiences that are URLs", |n| {
        let urls = listed(n, |m| format!("HTTPS://Fhir.Example.org:443/{m}/"));
        let trusts = |issuer: TrustedIssuer| {
            issuer.audience(AudiencePolicy::url([world::BASE, "https://other.example.org/r4"]))
        };
        first_sight(&[401], trusts, |token| token.claim("aud", urls))
    }),
    ("audiences, and as many accepted", |n| {
        let trusts = |issuer: TrustedIssuer| {
            issuer.audience(AudiencePolicy::exact(listed(n, |m| format!("urn:y:{m}"))))
        };
        first_sight(&[401], trusts, |token| token.claim("aud", listed(n, |m| format!("urn:x:{m}"))))
    }),
    ("audiences, and as many accepted as URLs", |n| {
        let trusts = |issuer: TrustedIssuer| {
            issuer.audience(AudiencePolicy::url(listed(n, |m| format!("https://h/y/{m}"))))
        };
        first_sight(&[401], trusts, |token| {
            token.claim("aud", listed(n, |m| format!("https://h/x/{m}")))
        })
    }),
    ("roles", |n| plain(&[403], |token| token.claim("roles", listed(n, |m| format!("role-{m}"))))),
    ("roles, one again and again", |n| {
        plain(&[200], |token| token.claim("roles", listed(n, |_| "globalReader".to_owned())))
    }),
    ("roles as members of an object", |n| {
        plain(&[403], |token| {
            let members = listed(n, |m| format!("role-{m}"));
            let members = members.into_iter().map(|name| (name, json!([0])));
            token.claim("roles", Value::Object(members.collect()))
        })
    }),
    ("roles at the end of a path", |n| {
        let steps: Vec<String> = (0..12).map(|m| format!("step{m}")).collect();
        let trusts = {
            let steps = steps.clone();
            move |issuer: TrustedIssuer| issuer.roles_claim_path(steps)
        };
        let roles = json!(listed(n / 2, |m| format!("role-{m}")));
        let beside = filled(n / 24, "", |_| "x".to_owned());
        let nested = steps
            .iter()
            .skip(1)
            .rev()
            .fold(roles, |value, step| json!({"beside": beside.clone(), step.as_str(): value}));
        first_sight(&[403], trusts, |token| token.claim("step0", nested))
    }),
    ("roles, and as many definitions", |n| {
        let names = listed(n, |m| format!("role-{m}"));
        let defined: Vec<Value> = names
            .iter()
            .map(|name| {
                json!({"name": name, "dataActions": ["export"], "notDataActions": [], "scopes": ["/"]})
            })
            .collect();
        let text = json!({"roles": defined}).to_string();
        let roles = RoleDefinitions::parse(text.as_bytes()).expect("definitions");
        by_policy(&[403], world::policy(roles), |token| token.claim("roles", names))
    }),
    ("groups", |n| plain(&[200], |token| token.claim("groups", groups(n)))),
    ("groups, and as many assignments", |n| {
        let assign = |all: Assignments, group: String| {
            all.assign(ISSUER, format!("group:{group}").as_str(), ["globalExporter"])
        };
        let assignments = groups(n).into_iter().fold(Assignments::new(), assign);
        by_policy(&[200], assigned(assignments), |token| {
            token.claim("groups", groups(n)).without("roles")
        })
    }),
    ("roles of one group", |n| {
        let roles = listed(n, |m| format!("role-{m}"));
        let assignments = Assignments::new().assign(ISSUER, "group:g", roles);
        by_policy(&[403], assigned(assignments), |token| {
            token.claim("groups", listed(n, |_| "g".to_owned())).without("roles")
        })
    }),
    ("scopes: one constraint in many spellings", |n| {
        scopes(n, |m| format!("user/Flag.rs?_id=%{:02x}%{:02X}", 0x61 + m % 26, 0x61 + m / 26 % 26))
    }),
    ("scopes: parameters in any order", |n| {
        scopes(n, |m| format!("user/Flag.rs?a{}=1&b{}=2&a{}=1", m % 7, m % 5, m % 3))
    }),
    ("scopes: alternatives", |n| scopes(n, |m| format!("user/Flag.rs?_id={m}"))),
    ("scopes: wildcards under constraints", |n| scopes(n, |m| format!("patient/*.s?x{m}=1"))),
    ("scopes: many parameters in one", |n| {
        plain(&[200, 403], |token| {
            let parameters = filled(n, "&", |m| format!("a{m}=x"));
            token.claim("scp", format!("user/Flag.rs?{parameters}"))
        })
    }),
    ("scopes: one value full of escapes", |n| {
        plain(&[200, 403], |token| {
            token.claim("scp", format!("user/Flag.rs?_id={}", "%61".repeat(n / 3)))
        })
    }),
    ("scopes: malformed", |n| scopes(n, |m| format!("user/Flag.sr?{m}"))),
    ("scopes: with a URI before each", |n| {
        scopes(n, |m| format!("http://smarthealthit.org/fhir/scopes/user/Flag.rs?_id={m}"))
    }),
    ("scopes: of other standards", |n| scopes(n, |m| format!("api://x/{m}"))),
    ("scopes: spaces", |n| plain(&[200], |token| token.claim("scp", " ".repeat(n)))),
    ("scopes: a list", |n| {
        plain(&[200], |token| token.claim("scp", listed(n, |m| format!("user/Flag.rs?_id={m}"))))
    }),
    ("scopes: in two claims at once", |n| {
        plain(&[200], |token| {
            let scopes = widest::scopes(2, n / 2);
            token.claim("scp", scopes.as_str()).claim("scope", scopes)
        })
    }),
    ("Entra: scopes as roles", |n| {
        let entra = |issuer: TrustedIssuer| issuer.scopes_in_roles(true);
        first_sight(&[200, 403], entra, |token| {
            token.claim("roles", listed(n, |m| format!("system.Flag.read{}", m % 3)))
        })
    }),
    ("Entra: tid in every case", |n| {
        entra(|token| {
            (0..n / 14).fold(token, |token, m| {
                let spelled = if m % 2 == 0 { "TID" } else { "tiD" };
                token.claim(&format!("{spelled}{m:06}"), 0)
            })
        })
    }),
    ("Entra: where the groups are", |n| {
        entra(|token| {
            let names = listed(n / 2, |m| format!("claim{m}")).into_iter();
            let names: Value =
                names.map(|name| (name, json!("src1"))).collect::<serde_json::Map<_, _>>().into();
            token.claim("_claim_names", names)
        })
    }),
    ("launch: a long patient", |n| launch(json!("Patient/".to_owned() + &"1".repeat(n)))),
    ("launch: a patient of many steps", |n| launch(json!("1/".repeat(n / 2)))),
    ("launch: a patient with escapes", |n| {
        launch(json!("https://fhir.example.org/r4/Patient/".to_owned() + &"%31".repeat(n / 3)))
    }),
    ("launch: fhirUser is long", |n| {
        plain(&[403], |token| {
            let user = "https://fhir.example.org/r4/Practitioner/".to_owned() + &"1".repeat(n);
            patients(token).without("patient").claim("fhirUser", user)
        })
    }),
    ("launch: several claims that are looked at", |n| {
        let names: Vec<String> = (0..8).map(|m| format!("patient_{m:04}")).collect();
        let trusts = {
            let names = names.clone();
            move |issuer: TrustedIssuer| issuer.patient_claims(names)
        };
        first_sight(&[200], trusts, |token| {
            // Names that stand in one bucket with those.
            let others = listed(n / 2, |m| format!("patiens_{m:04}"));
            let token = others.iter().fold(patients(token), |token, name| token.claim(name, 1));
            names.iter().fold(token, |token, name| token.claim(name, "1"))
        })
    }),
    ("required claims, and members", |n| {
        let names: Vec<String> = (0..8).map(|m| format!("claim_{m:04}")).collect();
        let trusts = {
            let names = names.clone();
            move |issuer: TrustedIssuer| issuer.required_claims(names)
        };
        first_sight(&[200], trusts, |token| {
            let others = listed(n / 2, |m| format!("claip_{m:04}"));
            let token = others.iter().fold(token, |token, name| token.claim(name, 1));
            names.iter().fold(token, |token, name| token.claim(name, 1))
        })
    }),
    ("clients, and a long one", |n| {
        let trusts = |issuer: TrustedIssuer| issuer.clients(listed(n, |m| format!("client-{m}")));
        first_sight(&[401], trusts, |token| token.claim("azp", "c".repeat(n)))
    }),
    ("a confirmation of many members", |n| {
        plain(&[401], |token| {
            let members = listed(n, |m| format!("m{m}")).into_iter().map(|name| (name, json!(0)));
            token.claim("cnf", Value::Object(members.collect()))
        })
    }),
    ("a claim that a handler reads", |n| {
        let key = Key::new(Algorithm::EdDsa);
        let layer = world::layer(key.set()).build().expect("a layer");
        let members = listed(n, |m| format!("member_{m}"));
        let token = members.iter().fold(key.token(), |token, name| token.claim(name, "x"));
        let principal = principal(&layer, &token.sign().expect("a token"));
        Reading::of(move || {
            black_box(principal.claim::<String>("member_1").expect("text"));
        })
    }),
];

fn groups(room: usize) -> Vec<String> {
    listed(room, |n| format!("3f1f2a60-0c7d-4e3a-9b7e-{n:012}"))
}

fn assigned(assignments: Assignments) -> AccessPolicy {
    let roles = RolePolicy::new(RoleDefinitions::microsoft()).assignments(assignments);
    AccessPolicy::new(AccessMode::RolesOrScopes, roles, ScopePolicy::new())
}

fn patients(token: TokenBuilder) -> TokenBuilder {
    token.without("roles").claim("scp", "patient/*.rs")
}

fn launch(patient: Value) -> Reading {
    plain(&[403], |token| patients(token).claim("patient", patient))
}

fn scopes(room: usize, one: fn(usize) -> String) -> Reading {
    plain(&[200], |token| token.claim("scp", filled(room, " ", one)))
}

/// The first sight of a token by the usual rules.
fn plain(statuses: &'static [u16], made: impl FnOnce(TokenBuilder) -> TokenBuilder) -> Reading {
    first_sight(statuses, |issuer| issuer, made)
}

/// The first sight of a token by an issuer's own rules.
fn first_sight(
    statuses: &'static [u16],
    trusts: impl FnOnce(TrustedIssuer) -> TrustedIssuer,
    made: impl FnOnce(TokenBuilder) -> TokenBuilder,
) -> Reading {
    let key = Key::new(Algorithm::EdDsa);
    let layer = world::layer_of(trusts(world::issuer(key.set())));
    seen_first(&key, layer, statuses, made(key.token().without("scp")))
}

fn by_policy(
    statuses: &'static [u16],
    policy: AccessPolicy,
    made: impl FnOnce(TokenBuilder) -> TokenBuilder,
) -> Reading {
    let key = Key::new(Algorithm::EdDsa);
    let layer = world::layer(key.set()).authorizer(policy);
    seen_first(&key, layer, statuses, made(key.token().without("scp")))
}

/// The first sight of a token of Entra. Its keys are those of a file, as the presets' are.
fn entra(made: impl FnOnce(TokenBuilder) -> TokenBuilder) -> Reading {
    let key = Key::new(Algorithm::EdDsa);
    let file = std::env::temp_dir().join(format!("growth-keys-{}", std::process::id()));
    std::fs::write(&file, json!({"keys": [key.0.jwk()]}).to_string()).expect("a file");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let reading = {
        let _entered = runtime.enter();
        let issuers = Entra::tenant(GUID, world::CLIENT).issuers_with_jwks_file(&file);
        let issuers = issuers.expect("issuers").into_iter();
        let issuers = issuers.map(|issuer| issuer.algorithms([Algorithm::EdDsa]));
        let policy = world::policy(RoleDefinitions::microsoft());
        let layer = FhirAuthLayer::builder(world::BASE).issuers(issuers).authorizer(policy);
        seen_first(&key, layer, &[200], made(key.token()))
    };
    std::fs::remove_file(&file).expect("the file is there");
    // The file is looked at by a task, which ends with the runtime.
    let Reading { mut read, apart } = reading;
    let read = move || {
        let _kept = &runtime;
        read();
    };
    Reading { read: Box::new(read), apart }
}

fn seen_first(
    key: &Key,
    layer: FhirAuthLayerBuilder,
    statuses: &'static [u16],
    token: TokenBuilder,
) -> Reading {
    let layer = layer.token_cache_capacity(0).build().expect("a layer");
    let token = token.sign().expect("a token");
    let (bare, (input, signature)) = (key.bare(), world::signed_parts(&token));
    let check = move || assert!(black_box(bare.verify_sig(&input, &signature)).is_ok());
    let reading = decision(&layer, || get("/Patient/1", &token), statuses);
    Reading { apart: Box::new(check), ..reading }
}

fn principal(layer: &FhirAuthLayer, token: &str) -> Principal {
    let request = get("/Patient/1", token);
    let authenticator = layer.authenticator();
    let authenticated = authenticator.authenticate(request.headers(), request.uri());
    world::at_once(authenticated).expect("a good token")
}
