//! SMART apps and backend services that nobody here has written, at oidc-provider and Keycloak, before the example
//! server and before the gateway.
//!
//! Not part of a plain `cargo test`, because it needs Node 20 or later, Chromium, and for HAPI a JDK:
//!
//! ```text
//! apt-get install chromium && npm ci --prefix tests/apps && cargo test --test apps
//! mvn -q -f tests/apps/java compile && cargo test --test apps -- --ignored java
//! mvn -q -f tests/backends/hapi compile && cargo test --test apps -- --ignored hapi
//! .ci/world apps                    all of it, and Keycloak
//! ```

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]
#![expect(clippy::indexing_slicing, reason = "serde_json answers null where nothing is")]

mod keycloak;
#[path = "../providers/program.rs"]
mod program;
#[expect(dead_code, reason = "the tests of the examples use all of it")]
#[path = "../examples/programs.rs"]
mod programs;
mod world;

use std::process::Command;

use keycloak::Keycloak;
use serde_json::{Value, json};
use world::{Place, World, folder};

/// What a program of ours says in its last line.
fn said(mut command: Command) -> Value {
    let run = command.output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{out}\n{error}");
    serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap()
}

/// fhirclient launches standalone in Chromium, Amara signs in, and the app reads what is hers.
async fn launches_and_reads(place: Place) {
    let world = World::start(place).await;
    reads_what_is_hers(&said(launch(&world)));
}

fn launch(world: &World) -> Command {
    let mut node = Command::new("node");
    node.arg(folder("launch.mjs")).args([&world.app, &world.base]);
    node
}

fn reads_what_is_hers(read: &Value) {
    assert_eq!(read["id"], "1", "{read}");
    assert_eq!(read["patient"]["name"][0]["family"], "Peeters");
    assert_eq!(read["user"], "Patient/1");
    for list in ["observations", "everybody"] {
        let list = read[list].as_array().unwrap();
        assert!(list.len() >= 2, "{read}");
        let names = |one: &Value| {
            let about = [&one["subject"]["reference"], &one["performer"][0]["reference"]];
            about.iter().any(|name| name.as_str().is_some_and(|name| name.ends_with("Patient/1")))
        };
        assert!(list.iter().all(names), "{read}");
    }
    let refused = |name: &str, status: &str| {
        let text = read[name].as_str().unwrap();
        assert!(text.contains(status), "{name}: {text}");
    };
    refused("another", "403");
    refused("hidden", "404");
}

/// A backend service authenticates by `private_key_jwt`, reads, writes, and is held to its scopes.
fn reads_and_writes(world: &World, mut program: Command) {
    let key = world.folder.path().join("key.pem");
    program.args([&world.base, key.to_str().unwrap(), &world.kid]);
    let mut did = said(program);
    // What deleted means to a server: gone, or nothing there.
    let deleted = did["deleted"].take();
    assert!([404, 410].contains(&deleted.as_u64().unwrap()), "{deleted}");
    let expected = json!({
        "nobody": 401, "family": "Haddad", "born": "1990-01-01", "patched": "1991-01-01", "found": true,
        "batch": "200", "deleted": null, "another": 403,
    });
    if let Some(batch) = did["batch"].as_str() {
        did["batch"] = batch.get(..3).into();
    }
    assert_eq!(did, expected);
}

fn fhir_kit_client() -> Command {
    let mut node = Command::new("node");
    node.arg(folder("backend.mjs"));
    node
}

/// HAPI's client, built by `mvn -q -f tests/apps/java compile`.
fn hapi_client() -> Command {
    let target = folder("java/target");
    let classpath = std::fs::read_to_string(target.join("classpath"));
    let classpath =
        classpath.unwrap_or_else(|_| panic!("not built: `mvn -q -f tests/apps/java compile`"));
    let mut java = Command::new("java");
    java.args(["-cp", &format!("{}:{classpath}", target.join("classes").display()), "Backend"]);
    java
}

#[tokio::test]
async fn fhirclient_reads_its_patients_record_through_the_example_server() {
    launches_and_reads(Place::Server).await;
}

#[tokio::test]
async fn fhirclient_reads_its_patients_record_through_the_gateway() {
    launches_and_reads(Place::Gateway).await;
}

#[tokio::test]
async fn the_gateways_page_signs_somebody_in_at_its_provider_and_says_why() {
    let world = World::start(Place::Gateway).await;
    let mut node = Command::new("node");
    node.arg(folder("gateway_page.mjs")).arg(&world.base);
    let expected = json!({
        "nobody": "401 refused", "own": "200 let in", "open": "200 let in", "address": "400 refused",
        "another": "403", "complaints": [],
    });
    assert_eq!(said(node), expected);
}

#[tokio::test]
async fn fhir_kit_client_reads_and_writes_through_the_example_server() {
    reads_and_writes(&World::start(Place::Server).await, fhir_kit_client());
}

#[tokio::test]
async fn fhir_kit_client_reads_and_writes_through_the_gateway() {
    reads_and_writes(&World::start(Place::Gateway).await, fhir_kit_client());
}

#[tokio::test]
#[ignore = "needs a JDK and Maven: .ci/world apps"]
async fn java_client_reads_and_writes_through_the_example_server() {
    reads_and_writes(&World::start(Place::Server).await, hapi_client());
}

#[tokio::test]
#[ignore = "needs a JDK and Maven: .ci/world apps"]
async fn java_client_reads_and_writes_through_the_gateway() {
    reads_and_writes(&World::start(Place::Gateway).await, hapi_client());
}

#[tokio::test]
#[ignore = "needs a JDK and Maven: .ci/world apps"]
async fn hapi_behind_the_gateway_is_read_by_fhirclient() {
    launches_and_reads(Place::Hapi).await;
}

#[tokio::test]
#[ignore = "needs a JDK and Maven: .ci/world apps"]
async fn hapi_behind_the_gateway_is_read_and_written_by_fhir_kit_client_and_its_own_client() {
    let world = World::start(Place::Hapi).await;
    reads_and_writes(&world, fhir_kit_client());
    reads_and_writes(&world, hapi_client());
}

#[tokio::test]
#[ignore = "needs Keycloak, a JDK and Maven: .ci/world apps"]
async fn fhirclient_launches_at_keycloak_before_server_gateway_and_hapi() {
    let keycloak = Keycloak::start().await;
    for place in [Place::Server, Place::Gateway, Place::Hapi] {
        let world = World::start_at(place, Some(&keycloak.issuer)).await;
        let mut node = launch(&world);
        node.arg("keycloak").env("SMART_USER", "ada").env("SMART_PASSWORD", "ada-secret");
        reads_what_is_hers(&said(node));
    }
}
