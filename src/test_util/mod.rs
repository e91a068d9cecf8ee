//! Helpers for tests of applications that use the layer (feature `test-util`): an issuer on
//! loopback whose tokens are really signed and whose keys really rotate, a clock that only moves when
//! it is told to, and for unit tests of handlers a [`TestCaller`], which needs neither.
//!
//! ```
//! use tower_fhir_auth::test_util::TestIssuer;
//! use tower_fhir_auth::{FhirAuthLayer, require_scope};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let issuer = TestIssuer::start().await?;
//! let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
//!     .issuer(issuer.trusted())
//!     .authorizer(require_scope("system/Patient.rs"))
//!     .build()?;
//! let app = ServiceBuilder::new().layer(layer).service_fn(|_: http::Request<String>| async {
//!     Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
//! });
//!
//! let token = issuer
//!     .token()
//!     .claim("aud", "https://fhir.example.org/r4")
//!     .claim("scope", "system/Patient.rs")
//!     .sign()?;
//! let request = http::Request::get("/r4/Patient/1")
//!     .header("authorization", format!("Bearer {token}"))
//!     .body(String::new())?;
//! assert_eq!(app.oneshot(request).await?.status(), 200);
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod caller;
mod clock;
mod issuer;
mod keys;
mod proof;
mod signing;
mod token;

pub use caller::TestCaller;
pub use clock::TestClock;
pub use issuer::{Answer, TestIssuer};
pub use keys::replace_keys;
pub use proof::ProofBuilder;
pub use signing::SigningKey;
pub use token::TokenBuilder;

/// An error of a test's own issuer.
///
/// ```
/// use http::Method;
/// use tower_fhir_auth::ScopePolicy;
/// use tower_fhir_auth::test_util::{TestCaller, TestUtilError};
///
/// let caller = TestCaller::new().claim("scope", "user/Patient.r").authorizer(ScopePolicy::new());
/// let refused = caller.access(Method::DELETE, "/Patient/1");
/// assert!(matches!(refused, Err(TestUtilError::Refused(_))));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestUtilError {
    /// A key could not be made, or could not sign.
    #[error("signing: {0}")]
    Signing(&'static str),
    /// The loopback server could not be started.
    #[error("loopback issuer: {0}")]
    Io(#[from] std::io::Error),
    /// A request would be refused, for this reason.
    #[error("refused: {0}")]
    Refused(String),
    /// The address is one of a public path, where nobody is known.
    #[error("the address needs no token, so there is no caller")]
    Public,
}
