//! Many FHIR bases in one process, each with a layer of its own.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use smallvec::SmallVec;
use tower_layer::Layer;
use tower_service::Service;

use super::body::ResponseBody;
use super::builder::FhirAuthLayerBuilder;
use super::future::ResponseFuture;
use super::inner::InnerService;
use super::layer::FhirAuthLayer;
use super::layer_parts::{log_refusal, strip_untrusted};
use super::paths::OutsideBase;
use super::service::{dispatch, release_readiness};
use super::unread_body::announce_close;
use crate::error::BuildError;
use crate::fhir::path_reading::{has_step_up, may_lead_out, plainest};
use crate::fhir::{BaseUrl, Format, IssueType, OperationOutcome};
use crate::hot_swap::Replaceable;
use crate::keys::SharedKeys;

/// Guards many FHIR bases of one process, such as `/t/{tenant}/fhir`, before one service: the path of a request
/// chooses the base, and the [`FhirAuthLayer`] of that base alone decides. A request to no base is answered with
/// 404.
///
/// Each base is a whole configuration: issuers, rules, verified tokens, proofs that were seen and sealed links
/// are its own, and its well-known documents are served. Keys of issuers that several bases trust are loaded
/// once ([`SharedKeys`]). The base that has the longest path is meant where one lies within another. Bases come
/// and go while requests are served, and clones share them. `public_outside` of a base means nothing here.
///
/// The service within finds a [`Principal`](crate::Principal) that was verified for the base of the address, and
/// has to keep apart by that address what it stores, jobs included.
///
/// ```
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt};
/// use tower_fhir_auth::jose::JwkSet;
/// use tower_fhir_auth::middleware::FhirBasesLayer;
/// use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = JwkSet::parse(br#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
/// #     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
/// let bases = FhirBasesLayer::new();
/// for tenant in ["amber", "beech"] {
///     let issuer = format!("https://idp.example.org/{tenant}");
///     let issuer = TrustedIssuer::with_keys(issuer, keys.clone());
///     let base = format!("https://fhir.example.org/t/{tenant}/fhir");
///     bases.add(FhirAuthLayer::builder(base).issuer(issuer).authorizer(authenticated()))?;
/// }
/// let app = ServiceBuilder::new().layer(bases.clone()).service_fn(|_: Request<String>| async {
///     Ok::<_, std::convert::Infallible>(Response::new(String::new()))
/// });
///
/// let status = async |path: &str| {
///     let request = Request::get(path).body(String::new())?;
///     Ok::<_, Box<dyn std::error::Error>>(app.clone().oneshot(request).await?.status())
/// };
/// assert_eq!(status("/t/amber/fhir/Patient/1").await?, 401);
/// assert_eq!(status("/t/cedar/fhir/Patient/1").await?, 404);
/// bases.remove("/t/amber/fhir");
/// assert_eq!(status("/t/amber/fhir/Patient/1").await?, 404);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct FhirBasesLayer {
    bases: Arc<Bases>,
    outside: OutsideBase,
}

/// The service of a [`FhirBasesLayer`].
///
/// ```
/// use axum::Router;
/// use tower::Layer;
/// use tower_fhir_auth::middleware::{FhirBases, FhirBasesLayer};
///
/// let guarded: FhirBases<Router> = FhirBasesLayer::new().layer(Router::new());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct FhirBases<S> {
    inner: S,
    bases: Arc<Bases>,
    outside: OutsideBase,
}

struct Bases {
    table: Replaceable<Table>,
    shared_keys: SharedKeys,
    /// Held while the table is changed.
    change: Mutex<()>,
}

/// The base of a path, and its layer.
type Found<'t> = (&'t str, &'t FhirAuthLayer);

/// A path that servers may assign to different bases, or to none.
struct Ambiguous;

/// The layers by the paths of their bases.
#[derive(Clone, Default)]
struct Table {
    by_path: HashMap<Arc<str>, FhirAuthLayer>,
    /// The paths by their plainest reading.
    by_plainest: HashMap<Box<str>, Arc<str>>,
    /// The paths that a base lies below, or has lain, in their plainest reading.
    ancestors: HashSet<Box<str>>,
    /// The length of the longest path, and the most slashes that one has: no longer beginning of a request's
    /// path is looked up.
    longest: usize,
    deepest: usize,
}

impl FhirBasesLayer {
    /// Makes a layer without a base.
    pub fn new() -> Self {
        let table = Replaceable::new(Arc::new(Table::default()));
        let (shared_keys, change) = (SharedKeys::new(), Mutex::default());
        let bases = Arc::new(Bases { table, shared_keys, change });
        Self { bases, outside: OutsideBase::Refuse }
    }

    /// Sets what becomes of requests to no base: those that are passed on have no
    /// [`Principal`](crate::Principal), and are for the application to guard. Default: they are answered with
    /// 404.
    pub fn outside_base(mut self, outside: OutsideBase) -> Self {
        self.outside = outside;
        self
    }

    /// Adds a base. [`get`](Self::get) returns its layer, to [replace](FhirAuthLayer::replace) it, to ask for
    /// health, and to make requirements for routes.
    ///
    /// # Errors
    ///
    /// As [`FhirAuthLayerBuilder::build`], and when there is a base with the same path.
    pub fn add(&self, settings: FhirAuthLayerBuilder) -> Result<(), BuildError> {
        self.add_all([settings])
    }

    /// Adds bases, all of them or none: faster than one by one where they are many.
    ///
    /// # Errors
    ///
    /// That of the first that cannot be added, as [`add`](Self::add).
    pub fn add_all(
        &self,
        settings: impl IntoIterator<Item = FhirAuthLayerBuilder>,
    ) -> Result<(), BuildError> {
        let _changing = self.bases.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = Table::clone(&self.bases.table.load());
        for settings in settings {
            let layer = settings.sharing(&self.bases.shared_keys).build()?;
            let path = base_path(&layer);
            // Two spellings of one path are one for who decodes it.
            if table.by_plainest.contains_key(&*plainest(&path)) {
                return Err(BuildError::DuplicateBase(path.to_string()));
            }
            table.insert(path, layer);
        }
        self.bases.table.replace(Arc::new(table));
        Ok(())
    }

    /// Removes the base with a path, such as `/t/amber/fhir`. Requests that were let in go on. Returns its layer,
    /// if there was one.
    pub fn remove(&self, path: &str) -> Option<FhirAuthLayer> {
        let _changing = self.bases.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = Table::clone(&self.bases.table.load());
        let removed = table.by_path.remove(path)?;
        table.by_plainest.remove(&*plainest(path));
        self.bases.table.replace(Arc::new(table));
        Some(removed)
    }

    /// Returns the layer of the base with a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<FhirAuthLayer> {
        self.bases.table.load().by_path.get(path).cloned()
    }

    /// Returns the paths of all bases with their layers, for readiness checks.
    #[must_use]
    pub fn all(&self) -> Vec<(String, FhirAuthLayer)> {
        let table = self.bases.table.load();
        table.by_path.iter().map(|(path, layer)| (path.to_string(), layer.clone())).collect()
    }
}

impl Default for FhirBasesLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    fn insert(&mut self, path: Arc<str>, layer: FhirAuthLayer) {
        let plainest: Box<str> = plainest(&path).into();
        for spelling in [&*path, &*plainest] {
            self.longest = self.longest.max(spelling.len());
            self.deepest = self.deepest.max(spelling.matches('/').count());
        }
        let slashes = plainest.match_indices('/').filter_map(|(at, _)| plainest.get(..at));
        self.ancestors.extend(slashes.map(Box::from));
        self.by_plainest.insert(plainest, Arc::clone(&path));
        self.by_path.insert(path, layer);
    }

    /// Returns the base that a path is meant for: the one whose document of RFC 9728 it names, else the longest
    /// that it lies in. What it takes grows with the path, up to that of the longest base.
    fn find(&self, path: &str) -> Option<Found<'_>> {
        let (base, layer) = self.longest_of(path, |base| self.by_path.get_key_value(base))?;
        Some((base, layer))
    }

    /// Returns the base in which a path lies in its plainest reading.
    fn find_plainest(&self, plainest: &str) -> Option<&str> {
        self.longest_of(plainest, |base| self.by_plainest.get(base)).map(|base| &**base)
    }

    fn longest_of<T>(&self, path: &str, base: impl Fn(&str) -> Option<T>) -> Option<T> {
        let document = path.strip_prefix(BaseUrl::RESOURCE_METADATA);
        if let Some(found) = document.and_then(&base) {
            return Some(found);
        }
        let slashes = path.match_indices('/').map(|(at, _)| at);
        let ends = slashes.chain([path.len()]).take(self.deepest + 1);
        let ends: SmallVec<[usize; 16]> = ends.take_while(|end| *end <= self.longest).collect();
        ends.iter().rev().find_map(|end| base(path.get(..*end)?))
    }

    /// Returns the base of a path, if it is the same however often the inner service decodes the path and whether or
    /// not it resolves dot segments.
    fn meant(&self, path: &str) -> Result<Option<Found<'_>>, Ambiguous> {
        let found = self.find(path);
        let plain = plainest(path);
        // A base that is written with escapes may be what the path reads as: it is of two bases then.
        let is_same = self.find_plainest(&plain) == found.map(|(base, _)| base);
        if matches!(plain, Cow::Borrowed(_)) {
            return if is_same { Ok(found) } else { Err(Ambiguous) };
        }
        // Steps that some do not see may lead into a base below as well.
        let stays = !has_step_up(path)
            || found.is_some_and(|(base, _)| {
                let rest = path.get(base.len()..).unwrap_or_default();
                !self.ancestors.contains(&*plainest(base)) && !may_lead_out(rest)
            });
        if is_same && stays { Ok(found) } else { Err(Ambiguous) }
    }
}

fn base_path(layer: &FhirAuthLayer) -> Arc<str> {
    layer.active_gate.current().layer_parts.server.base_url.path().into()
}

impl<S: InnerService> Layer<S> for FhirBasesLayer {
    type Service = FhirBases<S>;

    fn layer(&self, inner: S) -> FhirBases<S> {
        FhirBases { inner, bases: Arc::clone(&self.bases), outside: self.outside }
    }
}

impl<S, B, ResBody> Service<Request<B>> for FhirBases<S>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let table = self.bases.table.load();
        let path = request.uri().path();
        let Ok(found) = table.meant(path) else {
            drop(table);
            release_readiness(&mut self.inner);
            return ResponseFuture::answered(unknown(&request.into_parts().0));
        };
        let gate = found.map(|(path, layer)| (path, layer.active_gate.current()));
        // A layer that was given another base since serves none: the path of the request is not its own.
        let gate = gate.filter(|(path, gate)| gate.layer_parts.server.base_url.path() == *path);
        if let Some((_, gate)) = gate {
            return dispatch(gate, &mut self.inner, request);
        }
        if self.outside == OutsideBase::PassOn {
            strip_untrusted(request.extensions_mut());
            return ResponseFuture::forwarded(self.inner.call(request));
        }
        release_readiness(&mut self.inner);
        ResponseFuture::answered(unknown(&request.into_parts().0))
    }
}

/// Answers a request to no base.
fn unknown(request: &Parts) -> Response<Bytes> {
    let text = "there is no FHIR API at this address";
    log_refusal("unknown-base", None, text, (None, request));
    let format = Format::wanted_by(request);
    let outcome = OperationOutcome::new(IssueType::NotFound, text).to_format(format);
    let body = if request.method == Method::HEAD { Bytes::new() } else { outcome.into() };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::NOT_FOUND;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    announce_close(request, headers);
    response
}

impl fmt::Debug for Bases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bases").field("bases", &self.table.load().by_path.len()).finish()
    }
}
