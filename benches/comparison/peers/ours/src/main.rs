//! `tower-fhir-auth` as a contender, with the policy of a FHIR server, and the service without
//! any layer.

use peer::{Error, Inner, Order, Provider, answer_the_runner, inner};
use tower::Layer;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::{
    AccessMode, AccessPolicy, AudiencePolicy, FhirAuth, FhirAuthLayer, RoleDefinitions, RolePolicy,
    ScopePolicy, TrustedIssuer,
};

/// How many verified tokens are remembered unless the application says otherwise.
const DEFAULT_MEMORY: usize = 10_000;

fn main() -> Result<(), Error> {
    let Order { contender, provider, .. } = Order::from_args()?;
    match contender.as_str() {
        "bare" => answer_the_runner(async { Ok(inner::<String, String>()) }),
        "first-sight" => answer_the_runner(async { guarded(provider, 0) }),
        "seen-before" => answer_the_runner(async { guarded(provider, DEFAULT_MEMORY) }),
        _ => Err(format!("no such contender: {contender}").into()),
    }
}

fn guarded(
    provider: Provider,
    remembered_tokens: usize,
) -> Result<FhirAuth<Inner<String, String>>, Error> {
    let issuer = TrustedIssuer::discover(provider.issuer)
        .audience(AudiencePolicy::exact([provider.audience]))
        .algorithms([Algorithm::Rs256]);
    let roles = RolePolicy::new(RoleDefinitions::microsoft());
    let policy = AccessPolicy::new(AccessMode::RolesOrScopes, roles, ScopePolicy::new());
    let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
        .issuer(issuer)
        .authorizer(policy)
        .token_cache_capacity(remembered_tokens)
        .build()?;
    Ok(layer.layer(inner()))
}
