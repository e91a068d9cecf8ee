//! The claims of the caller's token, as a type of the application.

use std::any::type_name;

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::NotGuarded;
use crate::authentication::Principal;
use crate::fhir::{Format, IssueType, OperationOutcome};

/// All claims of the caller's token, as a type of your own. They are read once for a request, however
/// many handlers and extractors ask for the same type.
///
/// A token whose claims do not fit is refused with 403: it is good, and is not for this handler. Make
/// optional what may be absent.
///
/// ```
/// use serde::Deserialize;
/// use tower_fhir_auth::axum_support::Claims;
///
/// #[derive(Clone, Deserialize)]
/// struct Staff {
///     department: String,
///     #[serde(default)]
///     clearance: Vec<u8>,
/// }
///
/// async fn ward(Claims(staff): Claims<Staff>) -> String {
///     format!("{} ({} clearances)", staff.department, staff.clearance.len())
/// }
/// # let _: axum::Router = axum::Router::new().route("/ward", axum::routing::get(ward));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "handlers take it apart")]
pub struct Claims<T>(pub T);

/// The claims of a caller, to be found again by the next extractor.
#[derive(Clone)]
struct Read<T> {
    of: Principal,
    claims: T,
}

/// The reason for which there are no [`Claims`].
///
/// ```
/// use serde::Deserialize;
/// use tower_fhir_auth::axum_support::{Claims, ClaimsRejection};
///
/// #[derive(Clone, Deserialize)]
/// struct Staff {
///     ward: String,
/// }
///
/// async fn ward(staff: Result<Claims<Staff>, ClaimsRejection>) -> String {
///     match staff {
///         Ok(Claims(staff)) => staff.ward,
///         Err(ClaimsRejection::Mismatch) => "no ward".to_owned(),
///         Err(error) => error.to_string(),
///     }
/// }
/// # let _: axum::Router = axum::Router::new().route("/ward", axum::routing::get(ward));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsRejection {
    /// The handler has no verified caller: 500.
    #[error(transparent)]
    NotGuarded(#[from] NotGuarded),
    /// The claims are not what the type has: 403. Their values are not told.
    #[error("the claims of the token are not what this handler needs")]
    Mismatch,
}

impl IntoResponse for ClaimsRejection {
    fn into_response(self) -> Response {
        match self {
            Self::NotGuarded(error) => error.into_response(),
            Self::Mismatch => {
                let outcome = OperationOutcome::new(IssueType::Forbidden, self.to_string());
                let json = Format::Json.media_type();
                let headers = [(CONTENT_TYPE, json), (CACHE_CONTROL, "no-store")];
                (StatusCode::FORBIDDEN, headers, outcome.to_json()).into_response()
            }
        }
    }
}

impl<S, T> FromRequestParts<S> for Claims<T>
where
    S: Sync,
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    type Rejection = ClaimsRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ClaimsRejection> {
        let caller = parts.extensions.get::<Principal>().ok_or(NotGuarded)?;
        if let Some(read) = parts.extensions.get::<Read<T>>()
            && read.of.is(caller)
        {
            return Ok(Self(read.claims.clone()));
        }
        let of = caller.clone();
        let claims: T = of.claims().map_err(|error| {
            crate::telemetry::log::warn!(
                target: "tower_fhir_auth::rejection",
                expected = type_name::<T>(),
                "request refused: {error}"
            );
            let _ = (error, type_name::<T>());
            ClaimsRejection::Mismatch
        })?;
        parts.extensions.insert(Read { of, claims: claims.clone() });
        Ok(Self(claims))
    }
}
