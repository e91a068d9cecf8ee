//! Requests that wait for keys: how many, how long, and what each holds. Time is the runtime's own,
//! which goes on as soon as nobody has anything else to do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use allocation_counter::measure;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use tokio::time::Instant;
use tower::{Layer, Service, service_fn};
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::keys::{KeySource, KeyTag, LoadFuture, LoadedKeys};
use tower_fhir_auth::test_util::{SigningKey, TokenBuilder};
use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};

use crate::page::Page;

const BASE: &str = "https://fhir.example.org/r4";
const ISSUER: &str = "https://idp.example.org";

/// More than may wait at once.
const SENT: usize = 1_500;

/// Fewer than may wait.
const FEW: usize = 1_000;

pub(crate) fn hold(page: &mut Page) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        first_load(page).await;
        unknown_kids(page).await;
    });
}

/// A source whose first load never ends, or that has keys and is asked again and again.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) set: Option<JwkSet>,
    pub(crate) loads: Arc<AtomicU64>,
}

impl KeySource for Source {
    fn load(&self, _: Option<KeyTag>) -> LoadFuture<'_> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {
            match &self.set {
                Some(set) => Ok(LoadedKeys::new(set.clone())),
                None => std::future::pending().await,
            }
        })
    }
}

pub(crate) fn layer(source: Source) -> FhirAuthLayer {
    FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_key_source(ISSUER, source))
        .authorizer(authenticated())
        .build()
        .unwrap()
}

/// A request with a token that anybody could write, whose key nobody knows.
pub(crate) fn request(kid: &str) -> Request<Empty<Bytes>> {
    static KEY: LazyLock<Arc<SigningKey>> =
        LazyLock::new(|| Arc::new(SigningKey::generate("other", Algorithm::EdDsa).unwrap()));
    let token = TokenBuilder::new(ISSUER, Arc::clone(&KEY), SystemClock.now());
    let token = token.header("kid", kid).claim("aud", BASE).sign().unwrap();
    let request = Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
    request.body(Empty::new()).unwrap()
}

async fn first_load(page: &mut Page) {
    let layer = layer(Source { set: None, loads: Arc::default() });
    // The load begins.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let inner = service_fn(|_: Request<Empty<Bytes>>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    let mut service = layer.layer(inner);
    let requests: Vec<_> = (0..SENT).map(|_| request("one")).collect();
    let start = Instant::now();
    let mut futures = Vec::with_capacity(SENT);
    let mut waiting = 0;
    let mut send = |requests: Vec<Request<Empty<Bytes>>>| {
        for request in requests {
            let mut future = Box::pin(service.call(request));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            if future.as_mut().poll(&mut context).is_pending() {
                waiting += 1;
                futures.push(future);
            }
        }
    };
    let mut requests = requests.into_iter();
    let few: Vec<_> = requests.by_ref().take(FEW).collect();
    // What they hold beside the request, which the server has read: the state of the wait.
    let held = measure(|| send(few)).bytes_current;
    send(requests.collect());
    let held = u64::try_from(held.max(0)).unwrap() / u64::try_from(FEW).unwrap();
    page.hold("a token whose issuer has no keys yet", "waiting at once", waiting);
    page.hold("a token whose issuer has no keys yet", "bytes of each", held);
    let mut longest = Duration::ZERO;
    for future in futures {
        let response = future.await.unwrap();
        assert_eq!(response.status(), 503);
        longest = longest.max(start.elapsed());
    }
    let longest = u64::try_from(longest.as_millis()).unwrap();
    page.hold("a token whose issuer has no keys yet", "milliseconds", longest);
}

async fn unknown_kids(page: &mut Page) {
    let known = SigningKey::generate("known", Algorithm::EdDsa).unwrap();
    let set = serde_json::json!({"keys": [known.jwk()]}).to_string();
    let loads: Arc<AtomicU64> = Arc::default();
    let set = JwkSet::parse(set.as_bytes()).unwrap();
    let layer = layer(Source { set: Some(set), loads: Arc::clone(&loads) });
    layer.ready().await;
    let start = Instant::now();
    let mut longest = Duration::ZERO;
    let template = request("unknown");
    let mut sent = 0;
    // One each second for an hour.
    while start.elapsed() < Duration::from_secs(3_600) {
        let before = Instant::now();
        let headers = template.headers();
        let refused = layer.authenticator().authenticate(headers, template.uri()).await;
        assert!(refused.is_err());
        longest = longest.max(before.elapsed());
        tokio::time::sleep(Duration::from_secs(1)).await;
        sent += 1;
    }
    assert!(sent > 3_000, "{sent}");
    let longest = u64::try_from(longest.as_millis()).unwrap();
    page.hold("a token whose kid is unknown", "milliseconds", longest);
    let loads = loads.load(Ordering::Relaxed);
    page.hold("a token whose kid is unknown", "loads in an hour", loads);
}
