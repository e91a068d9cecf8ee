//! Rights of an issuer's callers by the file, beside their tokens: roles by who they are, and limits.

use std::io::Write;
use std::sync::{Arc, Mutex};

use http::Request;
use serde_json::json;
use tower_fhir_auth::authorization::{Assignments, CallerId};
use tower_fhir_auth::config::Config;
use tower_fhir_auth::test_util::{TestIssuer, TokenBuilder};
use tower_fhir_auth::{Enforcement, FhirAuthLayer};

use crate::entra::{APPLICATION, OTHER, TENANT};
use crate::support::{BASE, Reply, send};

const ID: &str = "00000000-aaaa-bbbb-cccc-000000000001";

fn file(access: &str, issuers: &str) -> Result<Config, String> {
    let text = format!(
        "base_url = \"{BASE}\"\naccess = \"{access}\"\n{issuers}\n\
         [roles]\ndefinitions = \"../examples/fhir_server/roles.json\"\n"
    );
    Config::from_toml(&text).map_err(|error| error.to_string())
}

async fn layer(access: &str, issuers: &str) -> FhirAuthLayer {
    let config = file(access, issuers).unwrap();
    let policy = config.policy().unwrap();
    let builder = config.layer(policy).unwrap().handlers_enforce(Enforcement::ALL);
    let layer = builder.build().unwrap();
    layer.ready().await;
    layer
}

async fn ask(layer: &FhirAuthLayer, method: &str, path: &str, token: TokenBuilder) -> Reply {
    let bearer = format!("Bearer {}", token.claim("aud", BASE).sign().unwrap());
    let request = Request::builder().method(method).uri(format!("/r4{path}"));
    send(layer, request.header("authorization", bearer)).await
}

#[tokio::test]
async fn a_key_with_a_prefix_is_that_claim_and_a_bare_one_any_of_the_three() {
    let issuer = TestIssuer::start().await.unwrap();
    for (key, object_id, subject, group) in [
        ("x", true, true, true),
        ("oid:x", true, false, false),
        ("sub:x", false, true, false),
        ("group:x", false, false, true),
        // After the first colon everything is value; no other word is a prefix.
        ("sub:sub:x", false, false, false),
        ("OID:x", false, false, false),
        ("role:x", false, false, false),
    ] {
        let lines = format!(
            "[[issuers]]\nissuer = \"{}\"\nassign = {{ \"{key}\" = [\"globalReader\"] }}",
            issuer.url()
        );
        let layer = layer("roles", &lines).await;
        let token = || issuer.token().claim("sub", "bob");
        for (token, granted) in [
            (token().claim("oid", "x"), object_id),
            (token().claim("sub", "x"), subject),
            (token().claim("groups", json!(["x"])), group),
            (token().claim("sub", "sub:x"), key == "sub:sub:x"),
            (token().claim("sub", "role:x"), key == "role:x"),
        ] {
            let reply = ask(&layer, "GET", "/Patient/1", token).await;
            assert_eq!(reply.status == 200, granted, "{key}: {}", reply.body);
        }
    }
    let own = Assignments::new().assign("i", "group:g", ["r"]);
    assert_eq!(own, Assignments::new().assign("i", CallerId::Group("g".to_owned()), ["r"]));
}

#[test]
fn a_tenant_is_read_only_where_it_is_a_guid() {
    let plain = |key: &str| {
        let issuer = "[[issuers]]\nissuer = \"https://idp.example.org\"";
        file("roles", &format!("{issuer}\nassign = {{ \"{key}\" = [\"globalReader\"] }}"))
    };
    let entra = |key: &str, tenants: &str| {
        file(
            "roles",
            &format!(
                "[[issuers]]\nentra.tenant = \"organizations\"\nentra.client_id = \
                 \"{APPLICATION}\"\nentra.allowed_tenants = [{tenants}]\n\
                 assign = {{ \"{key}\" = [\"globalReader\"] }}"
            ),
        )
    };
    let (one, two) = (format!("\"{TENANT}\""), format!("\"{TENANT}\", \"{OTHER}\""));
    plain("a/b").unwrap();
    plain(&format!("sub:{TENANT}/b")).unwrap();
    for key in ["a/b", ID, "oid:x", "group:a/b"] {
        entra(key, &one).unwrap();
        entra(&format!("{TENANT}/{key}"), &one).unwrap();
        entra(&format!("{OTHER}/{key}"), &two).unwrap();
        let error = entra(&format!("{OTHER}/{key}"), &one).unwrap_err();
        assert!(error.contains("assign: expected `<tid>/<id>` with an allowed tenant"), "{error}");
        let error = entra(key, &two).unwrap_err();
        assert!(error.contains("assign: expected `<tid>/<id>` with an allowed tenant"), "{error}");
    }
    let error = plain(&format!("{TENANT}/b")).unwrap_err();
    assert!(error.contains("expected no tenant in the key"), "{error}");
    for key in ["", "oid:", "sub:", "group:"] {
        let error = plain(key).unwrap_err();
        assert!(error.contains("expected an object id, a subject or a group"), "{error}");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_bare_key_that_is_no_guid_warns_and_names_the_prefixes() {
    for (key, warns) in [
        ("administrators", true),
        (ID, false),
        ("group:administrators", false),
        ("sub:alice", false),
        ("oid:x", false),
    ] {
        let lines = format!(
            "[[issuers]]\nissuer = \"https://idp.example.org\"\n\
             assign = {{ \"{key}\" = [\"globalReader\"] }}"
        );
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        crate::operator_log::hear_of_every_event();
        tracing::subscriber::with_default(subscriber, || {
            let config = file("roles", &lines).unwrap();
            let policy = config.policy().unwrap();
            let _ = config.layer(policy).unwrap();
        });
        let written = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        for words in ["WARN", key, "`oid:`", "`sub:`", "`group:`"] {
            assert_eq!(written.contains(words), warns, "{key}: {words}: {written}");
        }
    }
}

#[tokio::test]
async fn limits_of_an_issuer_hold_whatever_its_scopes_and_roles_say() {
    let (limited, free) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    let layer = layer(
        "roles-or-scopes",
        &format!(
            "[[issuers]]\nissuer = \"{}\"\nlimits = [\"read\", \"search\"]\n\
             [[issuers]]\nissuer = \"{}\"",
            limited.url(),
            free.url()
        ),
    )
    .await;
    for (method, path, within) in [
        ("GET", "/Patient/1", true),
        ("GET", "/Patient?name=x", true),
        ("GET", "/Patient/1/_history", true),
        ("PUT", "/Patient/1", false),
        ("POST", "/Patient", false),
        ("DELETE", "/Patient/1", false),
        ("GET", "/Patient/$export", false),
    ] {
        for rights in [json!({"scope": "system/*.cruds"}), json!({"roles": ["globalAdmin"]})] {
            let with = |token: TokenBuilder| {
                let rights = rights.as_object().unwrap().clone();
                rights.into_iter().fold(token, |token, (name, value)| token.claim(&name, value))
            };
            let unlimited = ask(&layer, method, path, with(free.token())).await;
            assert_eq!(unlimited.status, 200, "{method} {path} {rights}: {}", unlimited.body);
            let reply = ask(&layer, method, path, with(limited.token())).await;
            assert_eq!(reply.status == 200, within, "{method} {path} {rights}: {}", reply.body);
            if !within {
                assert_eq!(reply.status, 403);
                // No scope would help.
                assert!(!reply.challenge().contains("scope=\""), "{}", reply.challenge());
            }
        }
        // A ceiling grants nothing by itself.
        assert_eq!(ask(&layer, method, path, limited.token()).await.status, 403);
    }
}

#[test]
fn mistakes_in_limits_and_advertise_name_what_was_expected() {
    let issuer = "[[issuers]]\nissuer = \"https://idp.example.org\"";
    for (line, words) in [
        ("limits = []", "issuers[0].limits: expected at least one"),
        ("limits = [\"read\", \"rd\"]", "issuers[0].limits[1]: expected one of read, write"),
        ("limits = [\"smart\"]", "issuers[0].limits[0]: expected one of read, write"),
        ("limits = [\"*\"]", "issuers[0].limits[0]: expected one of read, write"),
        ("advertise = \"yes\"", "issuers[0].advertise: expected true or false"),
    ] {
        let error = file("roles", &format!("{issuer}\n{line}")).unwrap_err();
        assert!(error.contains(words), "no `{words}` in {error}");
    }
}
