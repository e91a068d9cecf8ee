//! Refusals of requests and tokens, each reason with its own fault and other details at random. Advice
//! on the token is followed here, advice on settings in `advice_followed`.

use std::sync::Arc;

use fastrand::Rng;
use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::{SenderConstraint, UnixTime};
use tower_fhir_auth::authorization::StepUp;
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::test_util::{SigningKey, TestClock, TokenBuilder};
use tower_fhir_auth::{Entra, FhirAuthLayer, TrustedIssuer, authenticated};

use super::steps::{Mend, Step, read};
use super::{Counts, ask, bearer, bound, reasons};
use crate::support::{BASE, NOW, b64};

pub(super) const ISSUER: &str = "https://idp.example.org";
const STRICT: &str = "https://strict.example.org";
pub(super) const COGNITO: &str = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a";
/// Whose tokens must be bound to their sender.
pub(super) const BOUND: &str = "https://z-bound.example.org";
const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const CLIENT: &str = "66666666-7777-8888-9999-000000000000";
const V2: &str = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0";

/// How often each fault is tried.
const TIMES: usize = 9;

/// Faults after which only the token or the request can be mended: whoever sent it gets no more by any
/// setting.
const NEVER_WIDENED: [&str; 8] = [
    "MissingCredentials",
    "OtherCredentials",
    "MalformedRequest",
    "MalformedToken",
    "SignatureInvalid",
    "NotAnAccessToken",
    "TokenForAnotherApi",
    "Header.TypeOfAnotherToken",
];

pub(super) struct World {
    keys: [Arc<SigningKey>; 3],
    layer: FhirAuthLayer,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let key = |kid, algorithm| Arc::new(SigningKey::generate(kid, algorithm).unwrap());
        let keys = [
            key("good", Algorithm::Es256),
            key("foreign", Algorithm::Es256),
            key("other", Algorithm::Es384),
        ];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.json");
        std::fs::write(&file, Self::set(&keys).to_string()).unwrap();
        let entra = Entra::tenant(TENANT, CLIENT).issuers_with_jwks_file(&file).unwrap();
        let plain = |name: &str| {
            let set = Self::set(&keys).to_string();
            TrustedIssuer::with_keys(name, JwkSet::parse(set.as_bytes()).unwrap())
        };
        let strict = plain(STRICT)
            .clients(["app"])
            .max_token_age(std::time::Duration::from_secs(3600))
            .required_claims(["sub", "organization"])
            .algorithms([Algorithm::Es256])
            .token_types(["at+jwt"]);
        let layer = FhirAuthLayer::builder(BASE)
            .issuers([plain(ISSUER), strict])
            .issuer(plain(COGNITO).sender_constraint(SenderConstraint::Refuse))
            .issuer(plain(BOUND).sender_constraint(SenderConstraint::Require))
            .step_up(StepUp::on(["Basic.d"]).unwrap().acr(["urn:example:mfa"]))
            .issuers(entra)
            .authorizer(authenticated())
            .clock(TestClock::at(NOW))
            .build()
            .unwrap();
        Self { keys, layer, _folder: folder }
    }

    /// Beside good keys one `kid` of five keys, a key of another tenant, and one that is left out.
    fn set(keys: &[Arc<SigningKey>; 3]) -> Value {
        let [good, foreign, other] = keys;
        let with = |key: &SigningKey, name: &str, value: &str| {
            let mut jwk = key.jwk();
            jwk[name] = value.into();
            jwk
        };
        let generated = |kid| SigningKey::generate(kid, Algorithm::Es256).unwrap();
        let mut all: Vec<Value> = (0..5).map(|_| generated("same").jwk()).collect();
        all.extend([good.jwk(), other.jwk()]);
        all.push(with(foreign, "issuer", "https://login.microsoftonline.com/other/v2.0"));
        all.push(with(&generated("short"), "x", &b64([7; 31])));
        json!({ "keys": all })
    }

    /// A token with nothing wrong.
    pub(super) fn token(&self, issuer: &str) -> TokenBuilder {
        let [good, ..] = &self.keys;
        let audience = if issuer == V2 { CLIENT } else { BASE };
        TokenBuilder::new(issuer, Arc::clone(good), UnixTime::from_secs(NOW))
            .claim("aud", audience)
            .claim("azp", "app")
            .claim("tid", TENANT)
            .claim("organization", "x")
    }
}

/// What was sent: a token, which can be mended, or a request as it is.
pub(super) enum Sent {
    Token(TokenBuilder),
    Request(Request<()>),
}

/// Makes a fault, with other details at random.
pub(super) type Fault = fn(&World, &mut Rng) -> Sent;

pub(super) fn word(rng: &mut Rng) -> String {
    (0..rng.usize(1..9)).map(|_| rng.lowercase()).collect()
}

pub(super) fn header(value: String) -> Sent {
    Sent::Request(Request::get("/r4/Patient/1").header("authorization", value).body(()).unwrap())
}

fn good(world: &World) -> String {
    world.token(ISSUER).sign().unwrap()
}

/// Faults of the request, and of what stands in place of a token.
const OF_REQUESTS: &[(&str, Fault)] = &[
    ("MissingCredentials", |_, rng| {
        let path = format!("/r4/Patient/{}", word(rng));
        Sent::Request(Request::get(path).body(()).unwrap())
    }),
    ("OtherCredentials.Scheme", |_, rng| header(format!("Basic {}", b64(word(rng))))),
    ("OtherCredentials.Unknown", |_, rng| header(format!("X{} {}", word(rng), word(rng)))),
    ("OtherCredentials.NoScheme", |world, _| header(good(world))),
    ("MalformedRequest.RepeatedHeader", |world, rng| {
        let request = Request::get("/r4/Patient/1")
            .header("authorization", format!("Bearer {}", good(world)));
        Sent::Request(
            request.header("authorization", format!("Basic {}", word(rng))).body(()).unwrap(),
        )
    }),
    ("MalformedRequest.JoinedCredentials", |world, rng| {
        header(format!("Basic {}, Bearer {}", word(rng), good(world)))
    }),
    ("MalformedRequest.TokenInQuery", |world, rng| {
        let path = format!("/r4/Patient?{}=1&access_token={}", word(rng), good(world));
        Sent::Request(Request::get(path).body(()).unwrap())
    }),
    ("MalformedRequest.EmptyToken", |_, rng| {
        header(format!("Bearer{}", " ".repeat(rng.usize(1..4))))
    }),
    ("MalformedRequest.SchemeTwice", |world, rng| {
        header(format!("Bearer{}Bearer {}", " ".repeat(rng.usize(1..4)), good(world)))
    }),
    ("MalformedRequest.Quoted", |world, _| header(format!("Bearer \"{}\"", good(world)))),
    ("MalformedRequest.Padding", |world, rng| {
        header(format!("Bearer {}={}", word(rng), good(world)))
    }),
    ("MalformedRequest.Character", |world, rng| {
        let marks = ["!", "#", "(", "[", "{"];
        header(format!("Bearer {}{}", good(world), marks[rng.usize(..marks.len())]))
    }),
    ("AddressTooLong", |_, rng| {
        let path = format!("/r4/Patient?name={}", "x".repeat(65_600 + rng.usize(..200)));
        // An address of more than 65,534 bytes is none of the `http` crate.
        let path = path.get(..65_534).unwrap().to_owned();
        Sent::Request(Request::get(path).body(()).unwrap())
    }),
    ("TokenTooLarge", |world, rng| {
        let pad = "x".repeat(70_000 + rng.usize(..1000));
        header(format!("Bearer {}", world.token(ISSUER).claim("pad", pad).sign().unwrap()))
    }),
    ("MalformedToken", |_, rng| header(format!("Bearer {}.{}", b64(word(rng)), b64(word(rng))))),
    ("SignatureInvalid", |world, rng| {
        let (one, other) = (good(world), world.token(ISSUER).claim("x", word(rng)).sign().unwrap());
        let (signed, _) = one.rsplit_once('.').unwrap();
        header(format!("Bearer {signed}.{}", other.rsplit_once('.').unwrap().1))
    }),
];

pub(super) fn of(
    world: &World,
    issuer: &str,
    change: impl FnOnce(TokenBuilder) -> TokenBuilder,
) -> Sent {
    Sent::Token(change(world.token(issuer)))
}

const OF_HEADERS: &[(&str, Fault)] = &[
    ("TokenForAnotherApi", |world, rng| of(world, V2, |token| token.header("nonce", word(rng)))),
    ("Header.Unsupported", |world, rng| {
        of(world, ISSUER, |token| token.header("crit", json!([word(rng)])))
    }),
    ("Header.NotAString", |world, rng| of(world, ISSUER, |token| token.header("kid", rng.u8(..)))),
    ("Header.NestedToken", |world, _| of(world, ISSUER, |token| token.header("cty", "JWT"))),
    ("Header.AlgorithmMissing", |world, _| of(world, ISSUER, |token| token.without_header("alg"))),
    ("Header.AlgorithmNotASignature", |world, rng| {
        let names = ["none", "HS256", "HS512"];
        of(world, ISSUER, |token| token.header("alg", names[rng.usize(..3)]))
    }),
    ("Header.AlgorithmUnknown", |world, rng| {
        of(world, ISSUER, |token| token.header("alg", format!("X{}", word(rng))))
    }),
    ("Header.AlgorithmNotAccepted", |world, _| {
        of(world, STRICT, |token| token.header("alg", "ES384"))
    }),
    ("Header.TypeNotAccepted", |world, rng| {
        of(world, STRICT, |token| token.header("typ", word(rng)))
    }),
    ("Header.TypeOfAnotherToken", |world, rng| {
        of(world, ISSUER, |token| token.header("typ", format!("{}+jwt", word(rng))))
    }),
    ("Key.Unknown", |world, rng| of(world, ISSUER, |token| token.header("kid", word(rng)))),
    ("Key.LeftOut", |world, _| of(world, ISSUER, |token| token.header("kid", "short"))),
    ("Key.Unfit", |world, _| {
        of(world, ISSUER, |token| token.without_header("kid").header("alg", "EdDSA"))
    }),
    ("Key.ForAnotherAlgorithm", |world, _| of(world, ISSUER, |token| token.header("kid", "other"))),
    ("Key.OfAnotherIssuer", |world, _| of(world, V2, |token| token.header("kid", "foreign"))),
    ("Key.SameId", |world, _| of(world, ISSUER, |token| token.header("kid", "same"))),
    ("Key.NoId", |world, _| of(world, ISSUER, |token| token.without_header("kid"))),
];

const OF_CLAIMS: &[(&str, Fault)] = &[
    ("NotAnAccessToken", |world, rng| {
        let marks = ["at_hash", "c_hash", "s_hash", "events"];
        of(world, ISSUER, |token| token.claim(marks[rng.usize(..4)], word(rng)))
    }),
    ("Issuer.Missing", |world, _| of(world, ISSUER, |token| token.without("iss"))),
    ("Issuer.NotAString", |world, rng| of(world, ISSUER, |token| token.claim("iss", rng.u8(..)))),
    ("Issuer.NotTrusted", |world, rng| {
        of(world, ISSUER, |token| token.claim("iss", format!("https://{}.example.org", word(rng))))
    }),
    ("Audience.Malformed", |world, rng| of(world, ISSUER, |token| token.claim("aud", rng.u8(..)))),
    ("Audience.Missing", |world, _| of(world, ISSUER, |token| token.without("aud"))),
    ("Audience.MissingFromCognito", |world, _| of(world, COGNITO, |token| token.without("aud"))),
    ("Audience.Mismatch", |world, rng| {
        let issuer = [ISSUER, STRICT, V2, COGNITO][rng.usize(..4)];
        of(world, issuer, |token| token.claim("aud", json!([word(rng), word(rng)])))
    }),
    ("Time.NotANumericDate", |world, rng| {
        let name = ["exp", "nbf", "iat"][rng.usize(..3)];
        of(world, ISSUER, |token| token.claim(name, word(rng)))
    }),
    ("Time.NotYetValid", |world, rng| {
        of(world, ISSUER, |token| token.claim("nbf", NOW + rng.i64(100..99_999)))
    }),
    ("Time.IssuedInTheFuture", |world, rng| {
        of(world, ISSUER, |token| token.claim("iat", NOW + rng.i64(100..99_999)))
    }),
    ("Time.IssuedTooLongAgo", |world, rng| {
        of(world, STRICT, |token| token.claim("iat", NOW - rng.i64(4000..99_999)))
    }),
    ("Time.IssuedAtMissing", |world, _| of(world, STRICT, |token| token.without("iat"))),
    ("Time.ExpiryMissing", |world, _| of(world, ISSUER, |token| token.without("exp"))),
    ("Time.Expired", |world, rng| {
        of(world, ISSUER, |token| token.claim("exp", NOW - rng.i64(100..99_999)))
    }),
    ("Claim.NotAString", |world, rng| of(world, ISSUER, |token| token.claim("sub", rng.u8(..)))),
    ("Claim.Missing", |world, _| of(world, STRICT, |token| token.without("organization"))),
    ("Claim.ClientConflict", |world, rng| {
        of(world, STRICT, |token| token.claim("client_id", format!("x{}", word(rng))))
    }),
    ("Claim.ClientMissing", |world, _| {
        of(world, STRICT, |token| token.without("azp").without("client_id"))
    }),
    ("Claim.ClientNotAllowed", |world, rng| {
        of(world, STRICT, |token| {
            token.without("client_id").claim("azp", format!("x{}", word(rng)))
        })
    }),
    ("Claim.TenantRepeated", |world, _| of(world, V2, |token| token.claim("TID", TENANT))),
    ("Claim.TenantMismatch", |world, rng| of(world, V2, |token| token.claim("tid", word(rng)))),
    ("Claim.TenantMissing", |world, _| of(world, V2, |token| token.without("tid"))),
    ("Claim.ConfirmationNull", |world, _| {
        of(world, ISSUER, |token| token.claim("cnf", Value::Null))
    }),
];

pub(super) async fn follow(counts: &mut Counts) {
    let world = World::new();
    for issuer in [ISSUER, STRICT, COGNITO, V2] {
        world.is_let_in(world.token(issuer), issuer).await;
    }
    let mut rng = Rng::with_seed(8);
    for (name, fault) in OF_REQUESTS.iter().chain(OF_HEADERS).chain(OF_CLAIMS).chain(bound::FAULTS)
    {
        for _ in 0..TIMES {
            let sent = fault(&world, &mut rng);
            let (request, token) = match sent {
                Sent::Request(request) => (request, None),
                Sent::Token(token) => {
                    (bearer("GET", "/Patient/1", &token.clone().sign().unwrap()), Some(token))
                }
            };
            let (status, refusal) = ask(&world.layer, &request).await;
            let Some((reason, advice)) = refusal else { panic!("{name}: {status}") };
            assert_eq!(reasons::name(&reason), *name, "{reason:?}");
            *counts.entry((*name).to_owned()).or_default() += 1;
            assert!(!advice.is_empty(), "{name}");
            let steps: Vec<Step> = advice.iter().map(read).collect();
            if NEVER_WIDENED.iter().any(|one| name.starts_with(one)) {
                let harmless =
                    |step: &Step| matches!(step, Step::Elsewhere | Step::Token(Mend::Shape));
                assert!(steps.iter().all(harmless), "{name}: {advice:?}");
            }
            if let Some(token) = token {
                for step in &steps {
                    world.mend(token.clone(), step, name).await;
                }
            }
        }
    }
}

impl World {
    async fn is_let_in(&self, token: TokenBuilder, case: &str) {
        let request = bearer("GET", "/Patient/1", &token.sign().unwrap());
        let (status, refusal) = ask(&self.layer, &request).await;
        assert_eq!(status, 200, "{case}: {refusal:?}");
    }

    /// Follows advice on the token, after which it is let in.
    async fn mend(&self, token: TokenBuilder, step: &Step, case: &str) {
        match step {
            Step::Token(Mend::Claim(name, values)) => {
                for value in values {
                    let case = format!("{case}: {name} {value}");
                    self.is_let_in(token.clone().claim(name, value.as_str()), &case).await;
                }
            }
            Step::Token(Mend::Fresh) => {
                let fresh = token
                    .header("kid", "good")
                    .header("alg", "ES256")
                    .claim("iat", NOW)
                    .claim("exp", NOW + 300);
                self.is_let_in(fresh, case).await;
            }
            Step::Token(Mend::Shape) | Step::Setting(_) | Step::Elsewhere => {}
            Step::Scopes(_) | Step::DataActions(_) | Step::Declare => {
                panic!("{case}: rights are no matter of a token that is refused: {step:?}")
            }
        }
    }
}
