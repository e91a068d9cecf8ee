//! Advice for tokens of Microsoft Entra ID that are refused: nothing that Entra cannot do, and
//! nothing wider than what was asked for.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{SigningKey, TestClock, TokenBuilder};

use crate::support::{BASE, NOW};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const OTHER: &str = "99999999-2222-3333-4444-555555555555";
const CLIENT: &str = "66666666-7777-8888-9999-000000000000";
const V2: &str = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0";

/// The explanation of a read, by the preset or an issuer of the file.
async fn explain(issuers: &str, change: impl FnOnce(TokenBuilder) -> TokenBuilder) -> Value {
    let key = std::sync::Arc::new(SigningKey::generate("key", Algorithm::Es256).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let keys = json!({"keys": [key.jwk()]}).to_string();
    std::fs::write(folder.path().join("keys.json"), keys).unwrap();
    let file = folder.path().join("auth.toml");
    let text = format!(
        "base_url = \"{BASE}\"\naccess = \"scopes\"\n[[issuers]]\njwks_file = \"keys.json\"\n{issuers}\n"
    );
    std::fs::write(&file, text).unwrap();
    let config = Config::from_file(&file).unwrap();
    let policy = config.policy().unwrap();
    let builder = config.layer(policy).unwrap();
    let layer = builder
        .handlers_enforce(tower_fhir_auth::Enforcement::ALL)
        .clock(TestClock::at(NOW))
        .build()
        .unwrap();
    let token = TokenBuilder::new(V2, key, UnixTime::from_secs(NOW));
    let token = token.claim("aud", CLIENT).claim("tid", TENANT).claim("azp", "app");
    let bearer = format!("Bearer {}", change(token).sign().unwrap());
    let request = Request::get("/r4/Patient/1").header("authorization", bearer);
    let (parts, ()) = request.body(()).unwrap().into_parts();
    serde_json::to_value(layer.explain(&parts).await).unwrap()
}

fn preset() -> String {
    format!("entra.tenant = \"{TENANT}\"\nentra.client_id = \"{CLIENT}\"")
}

fn advice(explained: &Value) -> Vec<&str> {
    let checks = explained["checks"].as_array().unwrap();
    let failed = checks.iter().find(|check| check["outcome"] == "failed").unwrap();
    failed["advice"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_scope_with_other_separators_is_named_as_what_it_should_be_and_never_widened() {
    for (held, meant, advised) in [
        (
            "patient-Patient-read",
            "patient.Patient.read",
            "`launch/patient` and `patient/Patient.r`",
        ),
        (
            "user-Observation-rs?code=http://loinc.org|1-2",
            "user.Observation.rs?code=http://loinc.org|1-2",
            "`user/Patient.r`",
        ),
        ("user-Patient-read", "user.Patient.read", "`user/Patient.r`"),
        ("system:Observation:read", "system.Observation.read", "`system/Patient.r`"),
    ] {
        let explained = explain(&preset(), |token| token.claim("scp", held)).await;
        let conclusion = explained["conclusion"].as_str().unwrap();
        let told = format!("`{held}` is not a SMART scope; `{meant}` is");
        assert!(conclusion.contains(&told), "no `{told}` in {conclusion}");
        assert!(advice(&explained)[0].ends_with(advised), "{held}: {explained}");
    }
    // Scopes that are spelled as they should be, or mean something else, are left alone.
    for held in ["patient.Patient.write", "user_impersonation", "patient-portal"] {
        let explained = explain(&preset(), |token| token.claim("scp", held)).await;
        assert!(!explained.to_string().contains("is not a SMART scope"), "{held}: {explained}");
    }
}

/// There is no `launch/patient` in Entra: the provider puts the patient into tokens, or nobody does.
#[tokio::test]
async fn a_patient_is_put_into_tokens_by_the_provider() {
    let explained = explain(&preset(), |token| token.claim("scp", "patient.Patient.read")).await;
    let text = "put the patient into access tokens, as the claim `patient` or `fhirUser`: Microsoft \
                Entra ID has no launch context";
    assert!(advice(&explained).contains(&text), "{explained}");
    // Another provider is asked.
    let plain = format!("issuer = \"{V2}\"\naudiences = [\"{CLIENT}\"]");
    let explained = explain(&plain, |token| token.claim("scp", "patient.Patient.read")).await;
    assert!(!advice(&explained).contains(&text), "{explained}");
}

#[tokio::test]
async fn an_application_is_never_advised_to_ask_for_a_scope_of_users() {
    let explained = explain(&preset(), |token| token.claim("idtyp", "app")).await;
    assert_eq!(advice(&explained), ["ask for the scope `system/Patient.r`"]);
}

#[tokio::test]
async fn a_token_of_another_tenant_is_told_so() {
    let other = V2.replace(TENANT, OTHER);
    let explained =
        explain(&preset(), |token| token.claim("iss", other.as_str()).claim("tid", OTHER)).await;
    let advice = advice(&explained);
    assert!(advice[0].contains(&format!("of the tenant `{OTHER}`")), "{advice:?}");
    assert!(advice[0].contains(&format!("trusts `{TENANT}`")), "{advice:?}");
    for words in ["requestedAccessTokenVersion", "entra.client_id"] {
        assert!(!advice.iter().any(|text| text.contains(words)), "{advice:?}");
    }
}

#[tokio::test]
async fn the_version_of_tokens_is_that_of_the_manifest_and_not_of_whom_one_asks() {
    let plain = format!("issuer = \"{V2}\"");
    let v1 = format!("https://sts.windows.net/{TENANT}/");
    let explained = explain(&plain, |token| token.claim("iss", v1.as_str())).await;
    let advice = advice(&explained);
    assert!(advice.iter().any(|text| text.contains("`requestedAccessTokenVersion`")), "{advice:?}");
    assert!(!advice.iter().any(|text| text.starts_with("ask `")), "{advice:?}");
}

#[tokio::test]
async fn a_name_that_entra_never_writes_is_no_reason_to_change_the_server() {
    let slash = format!("{V2}/");
    let explained = explain(&preset(), |token| token.claim("iss", slash.as_str())).await;
    let text = "look where the token comes from: Microsoft Entra ID writes no such `iss`";
    assert_eq!(advice(&explained), [text]);
    // It is the file that has the slash too many.
    let plain = format!("issuer = \"{slash}\"");
    let explained = explain(&plain, |token| token).await;
    assert_eq!(
        advice(&explained),
        [format!("set `issuer` to `{V2}`: it is compared letter by letter")]
    );
}

#[test]
fn the_name_of_all_tenants_is_no_issuer() {
    for name in ["common", "organizations", "consumers"] {
        for issuer in [
            format!("https://login.microsoftonline.com/{name}/v2.0"),
            format!("https://sts.windows.net/{name}/"),
        ] {
            let text = format!("base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{issuer}\"\n");
            let error = Config::from_toml(&text).unwrap_err().to_string();
            let told = "expected the issuer of one tenant, by its id";
            assert!(error.contains(told), "{issuer}: {error}");
        }
    }
}
