//! An issuer is a profile with invariants: what is said beside a preset overrides that one value,
//! and nothing else of it.

use std::sync::Arc;

use tower_fhir_auth::authentication::EntraCloud;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::{AudiencePolicy, Entra, FhirAuthLayer, TrustedIssuer, authenticated};

use crate::entra::{APPLICATION, Cloud, OTHER, TENANT, URI, ask};
use crate::support::BASE;

fn file(cloud: &Cloud, lines: &str) -> Result<Config, String> {
    let text = format!(
        "base_url = \"{BASE}\"\n[[issuers]]\nentra.tenant = \"{TENANT}\"\n\
         entra.client_id = \"{APPLICATION}\"\nentra.authority = \"{}\"\n{lines}\n",
        cloud.server.url()
    );
    Config::from_toml(&text).map_err(|error| error.to_string())
}

async fn layer(cloud: &Cloud, lines: &str) -> FhirAuthLayer {
    let config = file(cloud, lines).unwrap();
    let layer = config.layer(authenticated()).unwrap().build().unwrap();
    layer.ready().await;
    layer
}

/// Checks that hold whatever else is said: the kind of token, the tenant, and whose a key is.
async fn invariants_hold(cloud: &Cloud, layer: &FhirAuthLayer, case: &str) {
    let token = || cloud.token(2, TENANT, APPLICATION);
    assert_eq!(ask(layer, token()).await.status, 200, "{case}");
    for (key, check) in [(&cloud.fixed, Check::Key), (&cloud.elsewhere, Check::Key)] {
        let foreign = token().header("kid", key.kid()).signed_by(Arc::clone(key));
        ask(layer, foreign).await.is_refused_by(check, "belongs to another issuer");
    }
    ask(layer, token().claim("tid", OTHER)).await.is_refused_by(Check::Tenant, "`tid`");
    ask(layer, token().without("tid")).await.is_refused_by(Check::Tenant, "`tid`");
    ask(layer, token().without("azp")).await.is_refused_by(Check::TokenKind, "ID token");
    let foreign = token().claim("iss", cloud.issuer(2, OTHER));
    ask(layer, foreign).await.is_refused_by(Check::Issuer, "`iss`");
    ask(layer, token().claim("aud", "another")).await.is_refused_by(Check::Audience, "`aud`");
}

#[tokio::test]
async fn an_override_overrides_that_one_value_and_nothing_else() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let own = format!("issuer = \"{}\"", cloud.issuer(2, TENANT));
    let discovery = format!(
        "discovery = \"{}/{TENANT}/v2.0/.well-known/openid-configuration\"",
        cloud.server.url()
    );
    let jwks_uri = format!("jwks_uri = \"{}/common/discovery/keys\"", cloud.server.url());
    for lines in [
        own.clone(),
        format!("{own}\n{discovery}"),
        format!("{own}\n{jwks_uri}"),
        discovery,
        jwks_uri,
        format!("audiences = [\"{URI}\"]"),
        format!("audience_match = \"url\"\naudiences = [\"{URI}\"]"),
        "algorithms = [\"ES256\"]".to_owned(),
        "token_types = [\"JWT\"]".to_owned(),
        "required_claims = [\"oid\"]".to_owned(),
        "clients = [\"44444444-0000-0000-0000-000000000001\"]".to_owned(),
        "roles_claim = \"wids\"\nscope_claims = [\"scp\"]\npatient_claims = [\"p\"]".to_owned(),
        "leeway = \"30s\"\nmax_token_age = \"1h\"\nadvertise = false".to_owned(),
    ] {
        let layer = layer(&cloud, &lines).await;
        invariants_hold(&cloud, &layer, &lines).await;
    }
}

#[tokio::test]
async fn setters_on_the_issuers_of_the_preset_override_their_value_alone_too() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let setters: [fn(TrustedIssuer) -> TrustedIssuer; 5] = [
        |issuer| issuer.audience(AudiencePolicy::exact([URI])),
        |issuer| issuer.required_claims(["oid"]),
        |issuer| issuer.scopes_in_roles(false),
        |issuer| issuer.clients(["44444444-0000-0000-0000-000000000001"]),
        |issuer| issuer.advertise(false).token_types(["JWT"]),
    ];
    for (number, setter) in setters.into_iter().enumerate() {
        let entra = Entra::tenant(TENANT, APPLICATION).authority(cloud.server.url());
        let issuers = entra.issuers().unwrap().into_iter().map(setter);
        let builder = FhirAuthLayer::builder(BASE).issuers(issuers).authorizer(authenticated());
        let layer = builder.build().unwrap();
        layer.ready().await;
        invariants_hold(&cloud, &layer, &format!("setter {number}")).await;
    }
}

#[tokio::test]
async fn audiences_add_to_those_of_the_preset() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let layer = layer(&cloud, "audiences = [\"https://further.example.org\"]").await;
    for (version, audience, admitted) in [
        (2, APPLICATION, true),
        (2, "https://further.example.org", true),
        (1, "https://further.example.org", true),
        (1, "api://66666666-7777-8888-9999-000000000000", true),
        (2, "api://66666666-7777-8888-9999-000000000000", false),
        (1, BASE, false),
    ] {
        let reply = ask(&layer, cloud.token(version, TENANT, audience)).await;
        assert_eq!(reply.status == 200, admitted, "v{version} {audience}: {}", reply.body);
    }
}

#[tokio::test]
async fn with_an_issuer_beside_the_preset_only_that_version_is_accepted() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    for version in [1, 2] {
        let lines = format!("issuer = \"{}\"", cloud.issuer(version, TENANT));
        let layer = layer(&cloud, &lines).await;
        for sent in [1, 2] {
            let reply = ask(&layer, cloud.token(sent, TENANT, APPLICATION)).await;
            assert_eq!(reply.status == 200, sent == version, "v{sent} for v{version}");
        }
        let theirs = cloud.token(version, OTHER, APPLICATION);
        ask(&layer, theirs).await.is_refused_by(Check::Issuer, "`iss`");
    }
}

#[tokio::test]
async fn any_other_issuer_beside_the_preset_is_an_error_that_says_what_was_expected() {
    let cloud = Cloud::start(EntraCloud::Global).await;
    let (v1, v2) = (cloud.issuer(1, TENANT), cloud.issuer(2, TENANT));
    for foreign in [
        cloud.issuer(2, OTHER),
        cloud.issuer(1, OTHER),
        format!("{v2}/"),
        v1.trim_end_matches('/').to_owned(),
        v2.to_uppercase(),
        format!("https://login.microsoftonline.us/{TENANT}/v2.0"),
        "https://login.microsoftonline.com/{tenantid}/v2.0".to_owned(),
        "https://idp.example.org".to_owned(),
    ] {
        let error = file(&cloud, &format!("issuer = \"{foreign}\"")).unwrap_err();
        for words in ["issuers[0].issuer: expected one of the tenant's own issuers", &v1, &v2] {
            assert!(error.contains(words), "no `{words}` in {error}");
        }
    }
}
