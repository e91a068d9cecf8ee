//! `aliri_tower`: claims are the application's own type.

use aliri::jwa::Algorithm;
use aliri::jwt::{
    Audience, Audiences, CoreClaims, CoreValidator, Issuer, IssuerRef, Subject, SubjectRef,
};
use aliri_clock::UnixTime;
use aliri_oauth2::Authority;
use aliri_oauth2::scope::{HasScope, Scope};
use aliri_tower::Oauth2Authorizer;
use http::{Request, Response};
use peer::{Error, Provider, inner};
use serde::Deserialize;
use tower::{Layer, Service};

#[derive(Clone, Deserialize)]
struct Claims {
    iss: Issuer,
    aud: Audiences,
    sub: Subject,
    nbf: Option<UnixTime>,
    exp: Option<UnixTime>,
    scp: Scope,
}

impl CoreClaims for Claims {
    fn nbf(&self) -> Option<UnixTime> {
        self.nbf
    }

    fn exp(&self) -> Option<UnixTime> {
        self.exp
    }

    fn aud(&self) -> &Audiences {
        &self.aud
    }

    fn iss(&self) -> Option<&IssuerRef> {
        Some(&self.iss)
    }

    fn sub(&self) -> Option<&SubjectRef> {
        Some(&self.sub)
    }
}

impl HasScope for Claims {
    fn scope(&self) -> &Scope {
        &self.scp
    }
}

pub(crate) async fn service(
    provider: Provider,
) -> Result<impl Service<Request<String>, Response = Response<String>, Error: std::fmt::Debug>, Error>
{
    let validator = CoreValidator::default()
        .check_expiration()
        .check_not_before()
        .add_approved_algorithm(Algorithm::RS256)
        .add_allowed_audience(Audience::from(provider.audience))
        .require_issuer(Issuer::from(provider.issuer));
    let authority = Authority::new_from_url(provider.jwks_uri, validator).await?;
    let authorizer =
        Oauth2Authorizer::new().with_claims::<Claims>().with_terse_error_handler::<String>();
    Ok(authorizer.jwt_layer(authority).layer(inner::<String, String>()))
}
