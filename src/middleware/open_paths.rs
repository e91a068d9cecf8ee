//! The settings of a layer about paths that need no token.

use super::builder::FhirAuthLayerBuilder;
use super::paths::OutsideBase;

impl FhirAuthLayerBuilder {
    /// Sets the exact public paths below the base URL, which need no token, whatever the method.
    /// Default: `/metadata`, `/.well-known/smart-configuration` and `/health`.
    pub fn public<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.paths.public = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Sets paths below the base URL where a token may be missing: exact ones, or with a slash at
    /// the end everything below (`/docs/`). Without a token the request passes as nobody's; one that
    /// comes is authenticated, or refused as anywhere, and not authorized: the handler finds a
    /// [`Principal`](crate::Principal), and no [`Access`](crate::Access). Default: none.
    ///
    /// ```
    /// # use tower_fhir_auth::jose::JwkSet;
    /// # use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};
    /// # use tower::{Layer, ServiceExt};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let keys = JwkSet::parse(br#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
    /// #     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
    /// let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
    ///     .issuer(TrustedIssuer::with_keys("https://idp.example.org", keys))
    ///     .authorizer(authenticated())
    ///     .optional(["/docs/"])
    ///     .build()?;
    /// # let inner = tower::service_fn(|_: http::Request<String>| async {
    /// #     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    /// # });
    /// let request = http::Request::get("/r4/docs/a").body(String::new())?;
    /// assert_eq!(layer.layer(inner).oneshot(request).await?.status(), 200);
    /// # Ok(()) }
    /// ```
    pub fn optional<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.paths.optional = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the exact public paths of the host outside the base URL, such as `/healthz`. Default:
    /// none.
    ///
    /// ```
    /// use tower_fhir_auth::FhirAuthLayer;
    ///
    /// let builder = FhirAuthLayer::builder("https://example.org/fhir").public_outside(["/healthz"]);
    /// ```
    pub fn public_outside<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.paths.public_outside = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what becomes of requests outside the base URL. Default: [`OutsideBase::Refuse`]. The
    /// document of RFC 9728, which lies outside, is served either way.
    pub fn outside_base(mut self, outside_base: OutsideBase) -> Self {
        self.paths.outside_base = outside_base;
        self
    }
}
