//! Two issuers, each with rules of its own: `STAFF=https://… PARTNERS=https://… cargo run --example
//! multi_issuer`. What one may do says nothing of the other.

use std::time::Duration;

use axum::{Router, routing::get};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::{AudiencePolicy, FhirAuthLayer, Principal, TrustedIssuer, authenticated};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let staff = std::env::var("STAFF").map_err(|_| "set STAFF to the issuer of your own people")?;
    let partners = std::env::var("PARTNERS").map_err(|_| "set PARTNERS to that of others")?;
    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    let base_url = format!("http://{}", listener.local_addr()?);

    let auth = FhirAuthLayer::builder(&base_url)
        // Its tokens are for the base URL, and its roles stand where Keycloak puts them.
        .issuer(TrustedIssuer::discover(staff).roles_claim("realm_access.roles"))
        // Its tokens name us by another name, are short-lived, and come from one client alone.
        .issuer(
            TrustedIssuer::discover(partners)
                .audience(AudiencePolicy::exact(["urn:example:partners"]))
                .algorithms([Algorithm::Es256])
                .clients(["partner-gateway"])
                .max_token_age(Duration::from_secs(600)),
        )
        .authorizer(authenticated())
        .build()?;

    let app = Router::new().route("/whoami", get(whoami)).layer(auth);
    println!("listening on {base_url}");
    Ok(axum::serve(listener, app).await?)
}

async fn whoami(caller: Principal) -> String {
    // A subject is unique within its issuer, and nowhere else.
    let roles: Vec<&str> = caller.roles().collect();
    let subject = caller.subject().unwrap_or("?");
    format!("{subject} of {}, roles: {}\n", caller.issuer(), roles.join(" "))
}
