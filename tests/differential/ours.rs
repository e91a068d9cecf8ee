//! The verdict of this crate on the same tokens.

use http::{HeaderMap, HeaderValue, Uri, header};
use tower_fhir_auth::jose::JwkSet;
use tower_fhir_auth::{AudiencePolicy, FhirAuthLayer, TrustedIssuer, authenticated};

use super::draft::{AUDIENCE, Case, ISSUER};
use super::judges::Verdict;

pub(crate) async fn verdicts(cases: &[Case]) -> Vec<Verdict> {
    let mut verdicts = Vec::with_capacity(cases.len());
    for case in cases {
        verdicts.push(match verdict(case).await {
            Ok(()) => Verdict { accepted: true, reason: "accepted".to_owned() },
            Err(reason) => Verdict { accepted: false, reason },
        });
    }
    verdicts
}

async fn verdict(case: &Case) -> Result<(), String> {
    let keys =
        JwkSet::parse(case.jwks.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let issuer = TrustedIssuer::with_keys(ISSUER, keys).audience(AudiencePolicy::exact([AUDIENCE]));
    let layer = FhirAuthLayer::builder(AUDIENCE)
        .issuer(issuer)
        .authorizer(authenticated())
        .build()
        .map_err(|error| error.to_string())?;
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&format!("Bearer {}", case.token))
        .map_err(|error| error.to_string())?;
    headers.insert(header::AUTHORIZATION, value);
    let uri = Uri::from_static("/r4/Patient/1");
    let principal = layer.authenticator().authenticate(&headers, &uri).await;
    principal.map(drop).map_err(|error| error.to_string())
}
