//! Many FHIR bases in one process: nothing of one is reachable by another.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::middleware::{FhirBasesLayer, OutsideBase};
use tower_fhir_auth::test_util::{ProofBuilder, SigningKey, TestIssuer, TokenBuilder};
use tower_fhir_auth::{
    BuildError, FhirAuthLayer, FhirAuthLayerBuilder, Principal, TrustedIssuer, authenticated,
};

const ORIGIN: &str = "https://fhir.example.org";

/// A tenant with an issuer, keys and a base of its own.
struct Tenant {
    name: String,
    key: Arc<SigningKey>,
}

impl Tenant {
    fn named(name: &str) -> Self {
        // Every tenant calls its key the same.
        let key = Arc::new(SigningKey::generate("key-1", Algorithm::Ed25519).unwrap());
        Self { name: name.to_owned(), key }
    }

    fn issuer(&self) -> String {
        format!("https://idp.example.org/{}", self.name)
    }

    fn path(&self) -> String {
        format!("/t/{}/fhir", self.name)
    }

    fn base(&self) -> String {
        format!("{ORIGIN}{}", self.path())
    }

    fn settings(&self) -> FhirAuthLayerBuilder {
        let keys = format!("{{\"keys\": [{}]}}", self.key.jwk());
        let keys = JwkSet::parse(keys.as_bytes()).unwrap();
        FhirAuthLayer::builder(self.base())
            .issuer(TrustedIssuer::with_keys(self.issuer(), keys))
            .authorizer(authenticated())
    }

    fn token(&self) -> TokenBuilder {
        let token = TokenBuilder::new(&self.issuer(), Arc::clone(&self.key), SystemClock.now());
        token.claim("aud", self.base()).claim("sub", "alice")
    }
}

struct Answer {
    status: u16,
    /// The issuer of the caller that the service found.
    caller: Option<String>,
    challenge: String,
    body: String,
}

async fn ask(bases: &FhirBasesLayer, request: http::request::Builder) -> Answer {
    let service = bases.layer(service_fn(|request: Request<Full<Bytes>>| async move {
        let mut response = Response::new(Full::new(Bytes::from_static(b"inner")));
        if let Some(caller) = request.extensions().get::<Principal>() {
            response.headers_mut().insert("x-caller", caller.issuer().parse().unwrap());
        }
        Ok::<_, Infallible>(response)
    }));
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let header = |name| parts.headers.get(name).map(|text| text.to_str().unwrap().to_owned());
    let (caller, challenge) = (header("x-caller"), header("www-authenticate").unwrap_or_default());
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answer { status: parts.status.as_u16(), caller, challenge, body }
}

async fn get(bases: &FhirBasesLayer, path: &str, token: &str) -> Answer {
    ask(bases, Request::get(path).header("authorization", format!("Bearer {token}"))).await
}

fn with(tenants: &[Tenant]) -> FhirBasesLayer {
    let bases = FhirBasesLayer::new();
    bases.add_all(tenants.iter().map(Tenant::settings)).unwrap();
    bases
}

#[tokio::test]
async fn each_token_is_good_at_its_own_base_and_at_no_other_whatever_was_seen_before() {
    let tenants: Vec<Tenant> = (0..12).map(|n| Tenant::named(&format!("n{n}"))).collect();
    let bases = with(&tenants);
    // Twice: by then each token is remembered where it was accepted.
    for _ in 0..2 {
        for tenant in &tenants {
            let token = tenant.token().sign().unwrap();
            for other in &tenants {
                let path = format!("{}/Patient/1", other.path());
                let answer = get(&bases, &path, &token).await;
                if other.name == tenant.name {
                    assert_eq!((answer.status, answer.caller), (200, Some(tenant.issuer())));
                } else {
                    assert_eq!(answer.status, 401, "{} at {}", tenant.name, other.name);
                    assert!(answer.challenge.contains(&other.base()), "{}", answer.challenge);
                    // Nothing of the base that knows the token.
                    let told = format!("{}{}", answer.challenge, answer.body);
                    assert!(!told.contains(&tenant.base()), "{told}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_token_that_names_the_issuer_of_another_base_is_refused_also_with_its_audience() {
    let tenants = ["amber", "beech"].map(Tenant::named);
    let bases = with(&tenants);
    let [amber, beech] = &tenants;
    let path = format!("{}/Patient/1", beech.path());
    for token in [
        amber.token().claim("aud", beech.base()),
        amber.token().claim("aud", beech.base()).claim("iss", beech.issuer()),
        beech.token().signed_by(Arc::clone(&amber.key)),
    ] {
        assert_eq!(get(&bases, &path, &token.sign().unwrap()).await.status, 401);
    }
    let good = beech.token().sign().unwrap();
    assert_eq!(get(&bases, &path, &good).await.status, 200);
}

#[tokio::test]
async fn a_proof_and_a_nonce_of_one_base_are_none_of_another() {
    let shared = Tenant::named("shared");
    let bases = FhirBasesLayer::new();
    let at = |name: &str| {
        let base = format!("{ORIGIN}/t/{name}/fhir");
        let keys = format!("{{\"keys\": [{}]}}", shared.key.jwk());
        let keys = JwkSet::parse(keys.as_bytes()).unwrap();
        let issuer = TrustedIssuer::with_keys(shared.issuer(), keys);
        let both = tower_fhir_auth::AudiencePolicy::exact([shared.base()]);
        let dpop = tower_fhir_auth::authentication::Dpop::new().nonce(true);
        FhirAuthLayer::builder(base)
            .issuer(issuer.audience(both))
            .authorizer(authenticated())
            .dpop(dpop)
    };
    let [a, b] = ["a", "b"].map(|name| {
        bases.add(at(name)).unwrap();
        bases.get(&format!("/t/{name}/fhir")).unwrap()
    });
    let client = Arc::new(SigningKey::generate("client", Algorithm::Es256).unwrap());
    let token = shared.token().bound_to(&client).sign().unwrap();
    let send = async |name: &str, nonce: String, jti: &str| {
        let url = format!("{ORIGIN}/t/{name}/fhir/Patient/1");
        let proof = ProofBuilder::new(Arc::clone(&client), &Method::GET, &url, SystemClock.now());
        let proof = proof.of_token(&token).claim("nonce", nonce).claim("jti", jti).sign().unwrap();
        let request = Request::get(format!("/t/{name}/fhir/Patient/1"))
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", proof);
        ask(&bases, request).await
    };
    let nonce_of = |layer: &FhirAuthLayer| layer.authenticator().dpop_nonce().unwrap();
    assert_eq!(send("a", nonce_of(&a), "one").await.status, 200);
    assert_eq!(send("a", nonce_of(&a), "one").await.status, 401, "seen before");
    assert_eq!(send("b", nonce_of(&a), "two").await.status, 401, "a nonce of another base");
    assert_eq!(send("b", nonce_of(&b), "one").await.status, 200, "not seen here");
}

#[tokio::test]
async fn a_request_to_no_base_is_404_and_no_spelling_leads_from_one_base_to_another() {
    let tenants = ["amber", "beech", "am"].map(Tenant::named);
    let bases = with(&tenants);
    let token = tenants[0].token().sign().unwrap();
    for path in [
        "/",
        "/t",
        "/t/",
        "/t/amber",
        "/t/amber/",
        "/t/amber/fhirx/Patient/1",
        "/t/amber/fhi",
        "/T/amber/fhir/Patient/1",
        "//t/amber/fhir/Patient/1",
        "/t//amber/fhir/Patient/1",
        "/t/amber%2ffhir/Patient/1",
        "/t/%61mber/fhir/Patient/1",
        "/t/cedar/fhir/Patient/1",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/t/cedar/fhir",
        "/.well-known/oauth-protected-resource/t/amber/fhir/x",
        "/healthz",
    ] {
        let answer = get(&bases, path, &token).await;
        assert_eq!((answer.status, answer.caller), (404, None), "{path}");
        let outcome: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(outcome["issue"][0]["code"], "not-found", "{path}");
    }
    let head = ask(&bases, Request::head("/t/cedar/fhir/Patient/1")).await;
    assert_eq!((head.status, head.body.as_str()), (404, ""));
    // It stays in the base of the first, which decides.
    let path = "/t/amber/fhir/x/%2e%2e/Patient/1";
    let answer = get(&bases, path, &token).await;
    assert_eq!((answer.status, answer.caller), (200, Some(tenants[0].issuer())));
    let other = tenants[1].token().sign().unwrap();
    assert_eq!(get(&bases, path, &other).await.status, 401);
    assert_eq!(get(&bases, "/t/amber/fhir/Patient/1", &token).await.status, 200);
    assert_eq!(get(&bases, "/t/am/fhir/Patient/1", &token).await.status, 401);
}

#[tokio::test]
async fn the_documents_of_each_base_are_served_by_it() {
    let tenants = ["amber", "beech"].map(Tenant::named);
    let bases = with(&tenants);
    for tenant in &tenants {
        let path = format!("/.well-known/oauth-protected-resource{}", tenant.path());
        let document = ask(&bases, Request::get(path)).await;
        let document: Value = serde_json::from_str(&document.body).unwrap();
        assert_eq!(document["resource"], tenant.base());
        assert_eq!(document["authorization_servers"], serde_json::json!([tenant.issuer()]));
        let path = format!("{}/.well-known/smart-configuration", tenant.path());
        assert_eq!(ask(&bases, Request::get(path)).await.status, 200);
    }
}

#[tokio::test]
async fn the_longest_base_is_meant_and_what_is_outside_of_all_can_be_passed_on() {
    let tenant = Tenant::named("amber");
    let outer = FhirAuthLayer::builder(format!("{ORIGIN}/t"))
        .issuer(TrustedIssuer::with_keys("https://outer.example.org", {
            let keys = format!("{{\"keys\": [{}]}}", tenant.key.jwk());
            JwkSet::parse(keys.as_bytes()).unwrap()
        }))
        .authorizer(authenticated());
    let bases = FhirBasesLayer::new().outside_base(OutsideBase::PassOn);
    bases.add_all([outer, tenant.settings()]).unwrap();
    let token = tenant.token().sign().unwrap();
    assert_eq!(get(&bases, "/t/amber/fhir/Patient/1", &token).await.status, 200);
    assert_eq!(get(&bases, "/t/Patient/1", &token).await.status, 401);
    let passed = get(&bases, "/other", &token).await;
    assert_eq!((passed.status, passed.caller), (200, None));
    // Escapes that everybody reads as the same base, or as none.
    assert_eq!(get(&bases, "/t/Patient/%31", &token).await.status, 401);
    assert_eq!(get(&bases, "/%6fther", &token).await.status, 200);
}

/// A router within decodes what it routes by, and some servers follow dots.
#[tokio::test]
async fn a_path_that_reads_as_that_of_another_base_belongs_to_none() {
    let tenants = ["amber", "beech"].map(Tenant::named);
    let keys = format!("{{\"keys\": [{}]}}", tenants[0].key.jwk());
    let outer = || {
        let keys = JwkSet::parse(keys.as_bytes()).unwrap();
        FhirAuthLayer::builder(format!("{ORIGIN}/t"))
            .issuer(TrustedIssuer::with_keys("https://outer.example.org", keys))
            .authorizer(authenticated())
    };
    let own = tenants[1].token().sign().unwrap();
    let outer_token = tenants[0].token().claim("iss", "https://outer.example.org");
    let outer_token = outer_token.claim("aud", format!("{ORIGIN}/t")).sign().unwrap();
    for outside in [OutsideBase::Refuse, OutsideBase::PassOn] {
        let bases = FhirBasesLayer::new().outside_base(outside);
        let settings = tenants.iter().map(Tenant::settings);
        bases.add_all(settings.chain([outer()])).unwrap();
        assert_eq!(get(&bases, "/t/any", &outer_token).await.status, 200);
        for path in [
            "/t/%61mber/fhir/Patient/1",
            "/t/%2561mber/fhir/Patient/1",
            "//t/amber/fhir/Patient/1",
            "/t/x/../amber/fhir/Patient/1",
            "/t/x/%2e%2e/amber/fhir/Patient/1",
            "/t;v=1/amber/fhir/Patient/1",
            "/t/amber%2Ffhir/Patient/1",
            "/t/beech/fhir/../../amber/fhir/Patient/1",
            // For who decodes more often than most.
            "/t/%2525252561mber/fhir/Patient/1",
            // For who decodes once, and is inside where others are out of it again.
            "/t/x/%2e%2e/amber/fhir/%252e%252e/%252e%252e/y",
            "/x/%2e%2e/t/amber/fhir/%252e%252e/%252e%252e/%252e%252e/y",
            // For who follows dots before they decode, and steps out of one name where others do out of two.
            "/t/beech/fhir/a%252fb/%2e%2e/%252e%252e/x",
        ] {
            for token in [&outer_token, &own] {
                assert_eq!(get(&bases, path, token).await.status, 404, "{outside:?} {path}");
            }
        }
    }
}

/// A server that decodes reads each spelling as the base.
#[tokio::test]
async fn a_base_with_an_escape_is_found_as_it_is_written_and_in_no_other_spelling() {
    let base = format!("{ORIGIN}/r%C3%A9");
    let settings = || {
        let keys =
            JwkSet::parse(format!("{{\"keys\": [{}]}}", Tenant::named("a").key.jwk()).as_bytes());
        let issuer = TrustedIssuer::with_keys("https://idp.example.org/a", keys.unwrap());
        FhirAuthLayer::builder(&base).issuer(issuer).authorizer(authenticated())
    };
    for outside in [OutsideBase::Refuse, OutsideBase::PassOn] {
        let bases = FhirBasesLayer::new().outside_base(outside);
        bases.add(settings()).unwrap();
        for (path, status) in [
            ("/r%C3%A9/Patient/1", 401),
            ("/r%C3%A9/metadata", 200),
            ("/.well-known/oauth-protected-resource/r%C3%A9", 200),
            ("/r%c3%a9/Patient/1", 404),
            ("/%72%C3%A9/Patient/1", 404),
            ("/x/../r%C3%A9/Patient/1", 404),
            ("/r\u{e9}/Patient/1", 404),
            ("/other", if outside == OutsideBase::PassOn { 200 } else { 404 }),
        ] {
            let answer = ask(&bases, Request::get(path)).await;
            assert_eq!(answer.status, status, "{outside:?} {path}");
        }
        let layer = FhirAuthLayer::builder(format!("{ORIGIN}/r%c3%a9"));
        let twice = layer.issuer(TrustedIssuer::discover("https://idp.example.org"));
        let twice = bases.add(twice.authorizer(authenticated()));
        assert!(matches!(twice, Err(BuildError::DuplicateBase(_))), "{twice:?}");
        // Steps that some do not see lead into a base below, however that is written.
        let below = FhirAuthLayer::builder(format!("{ORIGIN}/r%c3%a9/x"));
        let below = below.issuer(TrustedIssuer::discover("https://idp.example.org"));
        bases.add(below.authorizer(authenticated())).unwrap();
        let answer = ask(&bases, Request::get("/r%C3%A9/x/../q")).await;
        assert_eq!(answer.status, 404, "{outside:?}");
        assert!(bases.remove("/r%c3%a9/x").is_some());
        // With an escaped slash it is as deep as it is read.
        let deep = FhirAuthLayer::builder(format!("{ORIGIN}/t%2Fr/x%2Fdeep"));
        let deep = deep.issuer(TrustedIssuer::discover("https://idp.example.org"));
        bases.add(deep.authorizer(authenticated())).unwrap();
        let answer = ask(&bases, Request::get("/t/r/x/deep/Patient/1")).await;
        assert_eq!(answer.status, 404, "{outside:?}");
        assert!(bases.remove("/t%2Fr/x%2Fdeep").is_some());
        assert!(bases.remove("/r%C3%A9").is_some());
        bases.add(settings()).unwrap();
    }
}

#[tokio::test]
async fn bases_come_and_go_and_one_path_is_taken_once() {
    let tenants = ["amber", "beech"].map(Tenant::named);
    let bases = with(&tenants);
    let twice = bases.add_all([Tenant::named("cedar").settings(), tenants[0].settings()]);
    assert_eq!(twice.unwrap_err(), BuildError::DuplicateBase("/t/amber/fhir".to_owned()));
    assert!(bases.get("/t/cedar/fhir").is_none(), "all or none");
    assert_eq!(bases.all().len(), 2);
    let token = tenants[0].token().sign().unwrap();
    assert!(bases.remove("/t/amber/fhir").is_some() && bases.remove("/t/amber/fhir").is_none());
    assert_eq!(get(&bases, "/t/amber/fhir/Patient/1", &token).await.status, 404);
    bases.add(tenants[0].settings()).unwrap();
    assert_eq!(get(&bases, "/t/amber/fhir/Patient/1", &token).await.status, 200);
}

/// Its requests would be judged as those of no base, and might be passed on.
#[tokio::test]
async fn a_layer_that_was_given_another_base_serves_none() {
    let tenants = ["amber", "beech"].map(Tenant::named);
    let bases = with(&tenants[..1]);
    let moved = tenants[1].settings().outside_base(OutsideBase::PassOn);
    bases.get("/t/amber/fhir").unwrap().replace(moved).unwrap();
    for tenant in &tenants {
        let token = tenant.token().sign().unwrap();
        for path in ["/t/amber/fhir/Patient/1", "/t/beech/fhir/Patient/1"] {
            assert_eq!(get(&bases, path, &token).await.status, 404, "{path}");
        }
    }
}

#[tokio::test]
async fn bases_of_one_issuer_load_its_keys_once() {
    let issuer = TestIssuer::start().await.unwrap();
    let bases = FhirBasesLayer::new();
    let settings = (0..20).map(|n| {
        FhirAuthLayer::builder(format!("{ORIGIN}/t/n{n}/fhir"))
            .issuer(issuer.trusted())
            .authorizer(authenticated())
    });
    bases.add_all(settings).unwrap();
    for (_, layer) in bases.all() {
        layer.ready().await;
    }
    assert_eq!(issuer.jwks_requests(), 1);
    let base = format!("{ORIGIN}/t/n3/fhir");
    let token = issuer.token().claim("aud", base).sign().unwrap();
    assert_eq!(get(&bases, "/t/n3/fhir/Patient/1", &token).await.status, 200);
    assert_eq!(get(&bases, "/t/n4/fhir/Patient/1", &token).await.status, 401);
}

/// The memory of this process, in kilobytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// The time of one decision on a token that was seen before, the best of several rounds.
async fn decision(bases: &FhirBasesLayer, tenants: &[Tenant]) -> Duration {
    let inner = service_fn(|_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
    });
    let mut service = bases.layer(inner);
    let heads: Vec<_> = tenants
        .iter()
        .map(|tenant| (format!("{}/Patient/1", tenant.path()), tenant.token().sign().unwrap()))
        .collect();
    let mut best = Duration::MAX;
    for _ in 0..12 {
        let mut requests = Vec::new();
        for (path, token) in heads.iter().cycle().take(1000.max(heads.len())) {
            let request = Request::get(path).header("authorization", format!("Bearer {token}"));
            requests.push(request.body(()).unwrap());
        }
        let (number, start) = (requests.len(), Instant::now());
        for request in requests {
            let response = tower::Service::call(&mut service, request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
        }
        best = best.min(start.elapsed() / u32::try_from(number).unwrap());
    }
    best
}

/// Its figures count when it runs alone: `.ci/world bases`.
#[tokio::test]
async fn a_thousand_bases_take_as_long_for_a_decision_as_one() {
    let tenants: Vec<Tenant> = (0..1000).map(|n| Tenant::named(&format!("n{n}"))).collect();
    let one = decision(&with(&tenants[..1]), &tenants[..1]).await;
    let (before, start) = (resident(), Instant::now());
    let bases = with(&tenants);
    let (took, after) = (start.elapsed(), resident());
    // One tenant among a thousand: the tokens of a thousand do not fit into the caches of a processor.
    let among = decision(&bases, &tenants[500..501]).await;
    let all = decision(&bases, &tenants).await;
    let with_tokens = resident();
    let discovered = (0..1000).map(|n| {
        FhirAuthLayer::builder(format!("{ORIGIN}/d/n{n}/fhir"))
            .issuer(TrustedIssuer::discover(format!("http://127.0.0.1:9/{n}")))
            .authorizer(authenticated())
    });
    let (before_discovered, start) = (resident(), Instant::now());
    let others = FhirBasesLayer::new();
    others.add_all(discovered).unwrap();
    let took_discovered = start.elapsed();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let discovered = resident().saturating_sub(before_discovered);
    let each = |kilobytes: u64| f64::from(u32::try_from(kilobytes).unwrap_or(u32::MAX)) / 1000.0;
    println!(
        "bases: 1,000 with keys of their own added in {took:.0?}, {:.1} KB each, {:.1} KB with a token; 1,000 \
         with a provider each in {took_discovered:.0?}, {:.1} KB each; a decision {one:.2?} with one, \
         {among:.2?} among 1,000, {all:.2?} in turn at 1,000",
        each(after.saturating_sub(before)),
        each(with_tokens.saturating_sub(before)),
        each(discovered),
    );
    assert!(among < one * 3, "{among:?} against {one:?}");
    assert!(after.saturating_sub(before) < 200_000, "{} KB", after - before);
    assert!(discovered < 200_000, "{discovered} KB");
}
