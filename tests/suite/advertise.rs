//! The issuers that the well-known documents send apps to.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::config::Config;
use tower_fhir_auth::test_util::{Answer, TestIssuer};
use tower_fhir_auth::{Entra, FhirAuthLayer, authenticated};

use crate::entra::{APPLICATION, OTHER, TENANT};
use crate::support::{BASE, send};

const SERVERS: &str = "/.well-known/oauth-protected-resource/r4";
const SMART: &str = "/r4/.well-known/smart-configuration";

async fn document(layer: &FhirAuthLayer, path: &str) -> Value {
    serde_json::from_str(&send(layer, Request::get(path)).await.body).unwrap()
}

/// An issuer whose token endpoint is told by its name.
async fn issuer(name: &str) -> TestIssuer {
    let issuer = TestIssuer::start().await.unwrap();
    let document = json!({
        "issuer": issuer.url(), "jwks_uri": issuer.jwks_uri(),
        "token_endpoint": format!("https://{name}/token"),
        "authorization_endpoint": format!("https://{name}/authorize"),
    });
    issuer.answer("/.well-known/openid-configuration", Answer::json(&document));
    issuer
}

#[tokio::test]
async fn while_the_first_issuer_is_down_nobody_elses_endpoints_are_named() {
    let (first, second) = (issuer("first").await, issuer("second").await);
    first.fail();
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(first.trusted())
        .issuer(second.trusted())
        .authorizer(authenticated())
        .build()
        .unwrap();
    let known = async || layer.health().iter().any(|one| one.issuer == second.url() && one.usable);
    while !known().await {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let smart = document(&layer, SMART).await;
    for member in ["token_endpoint", "authorization_endpoint", "issuer", "jwks_uri"] {
        assert!(smart.get(member).is_none(), "{smart}");
    }
    assert!(layer.capability_security().get("extension").is_none());
    assert_eq!(document(&layer, SERVERS).await["authorization_servers"], json!([first.url()]));
}

#[tokio::test]
async fn apps_are_sent_to_the_issuers_that_say_so_else_to_the_first() {
    let (one, two, three) = (issuer("one").await, issuer("two").await, issuer("three").await);
    let all = [one.url(), two.url(), three.url()];
    for (said, servers, smart) in [
        ([None, None, None], vec![0], Some("one")),
        ([None, Some(true), None], vec![1], Some("two")),
        ([None, Some(true), Some(true)], vec![1, 2], Some("two")),
        ([Some(true), None, Some(true)], vec![0, 2], Some("one")),
        ([None, Some(false), None], vec![0], Some("one")),
        ([Some(false), None, None], vec![], None),
    ] {
        let mut builder = FhirAuthLayer::builder(BASE).authorizer(authenticated());
        let mut text = format!("base_url = \"{BASE}\"\n");
        for (issuer, said) in [&one, &two, &three].into_iter().zip(said) {
            let trusted = issuer.trusted();
            builder = builder.issuer(match said {
                Some(said) => trusted.advertise(said),
                None => trusted,
            });
            text += &format!("[[issuers]]\nissuer = \"{}\"\n", issuer.url());
            text += &said.map(|said| format!("advertise = {said}\n")).unwrap_or_default();
        }
        let by_file = Config::from_toml(&text).unwrap().layer(authenticated()).unwrap();
        for layer in [builder.build().unwrap(), by_file.build().unwrap()] {
            layer.ready().await;
            let expected: Vec<&str> = servers.iter().map(|place| all[*place]).collect();
            let listed = document(&layer, SERVERS).await;
            match expected.as_slice() {
                [] => assert!(listed.get("authorization_servers").is_none(), "{listed}"),
                expected => assert_eq!(listed["authorization_servers"], json!(expected)),
            }
            let token = document(&layer, SMART).await["token_endpoint"].clone();
            let expected = smart.map(|name| format!("https://{name}/token"));
            assert_eq!(token, json!(expected), "{said:?}");
            let security = layer.capability_security();
            let named = security["extension"][0]["extension"][0]["valueUri"].clone();
            assert_eq!(named, json!(expected), "{said:?}");
        }
    }
}

#[tokio::test]
async fn an_entra_block_counts_as_one_issuer_by_its_name_of_version_2() {
    let (v1, v2) = (
        format!("https://sts.windows.net/{TENANT}/"),
        format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
    );
    let block = format!(
        "[[issuers]]\nentra.tenant = \"{TENANT}\"\nentra.client_id = \"{APPLICATION}\"\n\
         entra.authority = \"http://127.0.0.1:9\"\n"
    );
    let second = "[[issuers]]\nissuer = \"https://idp.example.org\"\n";
    for (issuers, servers) in [
        (format!("{block}{second}"), vec![v2.as_str()]),
        (format!("{block}issuer = \"{v1}\"\n{second}"), vec![v2.as_str()]),
        (
            format!("{block}advertise = true\n{second}advertise = true\n"),
            vec![v2.as_str(), "https://idp.example.org"],
        ),
        (
            format!("{block}advertise = false\n{second}advertise = true\n"),
            vec!["https://idp.example.org"],
        ),
        (format!("{second}{block}"), vec!["https://idp.example.org"]),
    ] {
        let config = Config::from_toml(&format!("base_url = \"{BASE}\"\n{issuers}")).unwrap();
        let layer = config.layer(authenticated()).unwrap().build().unwrap();
        assert_eq!(
            document(&layer, SERVERS).await["authorization_servers"],
            json!(servers),
            "{issuers}"
        );
    }
    // Several tenants are one block, too, and each is an issuer that apps can go to.
    let several = Entra::tenants([TENANT, OTHER], APPLICATION).authority("http://127.0.0.1:9");
    let layer =
        FhirAuthLayer::builder(BASE).entra(several).authorizer(authenticated()).build().unwrap();
    let theirs = v2.replace(TENANT, OTHER);
    assert_eq!(document(&layer, SERVERS).await["authorization_servers"], json!([v2, theirs]));
}

#[tokio::test]
async fn names_that_are_no_addresses_of_authorization_servers_are_not_listed() {
    let keys = tower_fhir_auth::jose::JwkSet::parse(
        br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    )
    .unwrap();
    for (name, is_listed) in [
        ("https://idp.example.org/realms/fhir", true),
        ("http://127.0.0.1:8080", true),
        ("http://idp.example.org", false),
        ("https://idp.example.org/?tenant=1", false),
        ("https://idp.example.org/#x", false),
        ("urn:example:idp", false),
        ("an issuer", false),
    ] {
        let issuer = tower_fhir_auth::TrustedIssuer::with_keys(name, keys.clone());
        let builder = FhirAuthLayer::builder(BASE).issuer(issuer).authorizer(authenticated());
        let listed = document(&builder.build().unwrap(), SERVERS).await;
        let expected = if is_listed { json!([name]) } else { json!(null) };
        assert_eq!(listed["authorization_servers"], expected, "{name}");
    }
}

/// The application answers preflights, so only it can say so.
#[tokio::test]
async fn cors_is_declared_in_the_statement_where_the_application_says_so() {
    let issuer = TestIssuer::start().await.unwrap();
    let settings =
        || FhirAuthLayer::builder(BASE).issuer(issuer.trusted()).authorizer(authenticated());
    for (settings, expected) in [
        (settings(), json!(null)),
        (settings().cors(true), json!(true)),
        (settings().cors(true).cors(false), json!(null)),
    ] {
        let layer = settings.build().unwrap();
        assert_eq!(layer.capability_security()["cors"], expected);
    }
}
