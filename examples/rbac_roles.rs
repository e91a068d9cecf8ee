//! Local RBAC: `ISSUER=https://… ADMIN=<subject> cargo run --example rbac_roles`. The provider says
//! who somebody is; this server says what they may do.

use axum::{Router, extract::State, http::StatusCode, routing::get, routing::post};
use tower_fhir_auth::authorization::Assignments;
use tower_fhir_auth::{Access, FhirAuthLayer, RoleDefinitions, RolePolicy, TrustedIssuer};

/// The state of the handler that gives roles.
#[derive(Clone)]
struct Admin {
    issuer: String,
    administrator: String,
    roles: RolePolicy,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let issuer = std::env::var("ISSUER").map_err(|_| "set ISSUER to your OpenID provider")?;
    let administrator = std::env::var("ADMIN").map_err(|_| "set ADMIN to a subject")?;
    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    let base_url = format!("http://{}/fhir", listener.local_addr()?);

    let assigned = Assignments::new().assign(&issuer, &administrator, ["globalAdmin"]);
    let roles = RolePolicy::new(RoleDefinitions::microsoft()).assignments(assigned);
    let auth = FhirAuthLayer::builder(&base_url)
        .issuer(TrustedIssuer::discover(&issuer))
        .authorizer(roles.clone())
        .build()?;

    let app = Router::new()
        .route("/fhir/Patient/{id}", get(patient))
        // No interaction of FHIR, so that it takes every action there is: an administrator's.
        .route("/fhir/readers/{subject}", post(make_reader))
        .with_state(Admin { issuer, administrator, roles })
        .layer(auth);
    println!("listening on {base_url}");
    Ok(axum::serve(listener, app).await?)
}

async fn patient(access: Access) -> String {
    format!("granted by {}\n", access.granted_by())
}

/// Gives a subject the role of a reader, in force with the next request.
async fn make_reader(
    State(admin): State<Admin>,
    axum::extract::Path(subject): axum::extract::Path<String>,
) -> StatusCode {
    let Admin { issuer, administrator, roles } = admin;
    let assignments = Assignments::new().assign(&issuer, administrator, ["globalAdmin"]).assign(
        &issuer,
        subject,
        ["globalReader"],
    );
    roles.replace_assignments(assignments);
    StatusCode::NO_CONTENT
}
