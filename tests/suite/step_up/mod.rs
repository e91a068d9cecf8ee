//! Step-up (RFC 9470): how, and how long ago, a user has to have been authenticated.

mod bundles;
mod challenges;
mod principals;
mod targets;

use std::time::Duration;

use tower_fhir_auth::authorization::StepUp;
use tower_fhir_auth::test_util::TokenBuilder;
use tower_fhir_auth::{BuildError, Enforcement, FhirAuthLayer, ScopePolicy, authenticated};

use crate::support::{BASE, NOW, Reply, Server};

const MFA: &str = "urn:example:mfa";

/// A server that grants scopes, with these requirements.
async fn server(requirements: impl IntoIterator<Item = StepUp>) -> Server {
    let requirements = Vec::from_iter(requirements);
    Server::build(
        tower_fhir_auth::jose::Algorithm::Es256,
        |issuer| issuer,
        |layer| {
            let layer = layer.authorizer(ScopePolicy::new()).handlers_enforce(Enforcement::ALL);
            requirements.into_iter().fold(layer, tower_fhir_auth::FhirAuthLayerBuilder::step_up)
        },
    )
    .await
}

fn on<const N: usize>(targets: [&str; N]) -> StepUp {
    StepUp::on(targets).unwrap()
}

/// A token of a user who has just signed in, in the way that is asked for.
fn strong(server: &Server) -> TokenBuilder {
    weak(server).claim("acr", MFA).claim("auth_time", NOW - 10)
}

/// A token that grants everything, and says nothing of a sign-in.
fn weak(server: &Server) -> TokenBuilder {
    server.token().claim("scope", "system/*.cruds")
}

async fn ask(server: &Server, method: &str, path: &str, token: TokenBuilder) -> Reply {
    let request = http::Request::builder().method(method).uri(format!("/r4{path}"));
    let bearer = format!("Bearer {}", token.sign().unwrap());
    server.send(request.header("authorization", bearer)).await
}

#[test]
fn a_requirement_that_asks_for_nothing_or_on_no_type_is_an_error_at_start() {
    for (requirement, named) in [
        (on(["Patient.r"]), "require"),
        (on(["Foo.r"]).acr([MFA]), "require.on"),
        (on(["Patient.r"]).acr(["two words"]), "require.acr"),
        (on(["Patient.r"]).max_auth_age(Duration::ZERO), "require.max_auth_age"),
    ] {
        let builder = FhirAuthLayer::builder(BASE).authorizer(authenticated());
        let error = builder.step_up(requirement).build().unwrap_err();
        let is_named = matches!(error, BuildError::Setting { setting, .. } if setting == named);
        assert!(is_named, "{named}: {error}");
    }
}
