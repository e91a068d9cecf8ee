//! A FHIR API for the users and applications of one Entra tenant:
//! `TENANT_ID=… CLIENT_ID=… cargo run --example entra`. The way from an app registration to a 200 is
//! told in the crate's manual, `manual::entra`.

use axum::{Router, extract::Path, routing::get};
use tower_fhir_auth::{
    AccessMode, AccessPolicy, Entra, FhirAuthLayer, Principal, RoleDefinitions, RolePolicy,
    ScopePolicy,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let tenant = std::env::var("TENANT_ID").map_err(|_| "set TENANT_ID to your directory's id")?;
    let client =
        std::env::var("CLIENT_ID").map_err(|_| "set CLIENT_ID to your application's id")?;
    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    let base_url = format!("http://{}/fhir", listener.local_addr()?);

    let mut entra = Entra::tenant(tenant, client);
    if let Ok(authority) = std::env::var("AUTHORITY") {
        entra = entra.authority(authority); // a proxy to the login host
    }
    // App roles such as `globalReader`, or delegated scopes such as `user.Patient.read`.
    let roles = RolePolicy::new(RoleDefinitions::microsoft());
    let auth = FhirAuthLayer::builder(&base_url)
        .entra(entra)
        .authorizer(AccessPolicy::new(AccessMode::RolesOrScopes, roles, ScopePolicy::new()))
        .build()?;

    let app = Router::new().route("/fhir/Patient/{id}", get(patient)).layer(auth);
    println!("listening on {base_url}");
    Ok(axum::serve(listener, app).await?)
}

async fn patient(caller: Principal, Path(id): Path<String>) -> String {
    let who = caller.object_id().or_else(|| caller.subject()).unwrap_or("?");
    format!("Patient/{id}, read by {:?} {who}\n", caller.kind())
}
