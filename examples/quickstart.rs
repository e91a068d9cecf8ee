//! The layer on an axum router: `ISSUER=https://your.issuer cargo run --example quickstart`.

use axum::{Router, routing::get};
use tower_fhir_auth::{FhirAuthLayer, Principal, TrustedIssuer, authenticated, require_scope};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let issuer = std::env::var("ISSUER").map_err(|_| "set ISSUER to your OpenID provider")?;
    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    let base_url = format!("http://{}", listener.local_addr()?);

    let auth = FhirAuthLayer::builder(&base_url) // also the audience that tokens must have
        .issuer(TrustedIssuer::discover(issuer))
        .authorizer(authenticated())
        .build()?;

    let app = Router::new()
        .route("/whoami", get(whoami))
        .route("/orders", get(|| async { "[]" }).layer(auth.require(require_scope("orders.read"))))
        .route("/health", get(|| async { "up" })) // public unless the builder says otherwise
        .layer(auth);

    println!("listening on {base_url}");
    Ok(axum::serve(listener, app).await?)
}

async fn whoami(caller: Principal) -> String {
    format!("{} of {}\n", caller.subject().unwrap_or("?"), caller.issuer())
}
