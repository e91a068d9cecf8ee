//! Entries of bundles are judged as if each had come by itself.

use std::time::Duration;

use http::Method;
use tower_fhir_auth::Access;

use super::{MFA, ask, on, server, strong, weak};

#[tokio::test]
async fn an_entry_takes_the_step_of_its_own_interaction() {
    let requirement = on(["Patient.d"]).acr([MFA]).max_auth_age(Duration::from_secs(60));
    let server = server([requirement]).await;
    let access = async |token| -> Access {
        let reply = ask(&server, "POST", "", token).await;
        reply.is_let_in();
        reply.access.unwrap()
    };
    let weak = access(weak(&server)).await;
    assert!(weak.authorize_entry(&Method::GET, "Patient/1", None).is_ok());
    let denial = weak.authorize_entry(&Method::DELETE, "Patient/1", None).unwrap_err();
    assert!(denial.asks_for_step_up());
    let rejection = server.layer.rejection(&denial);
    assert_eq!(rejection.status(), 401);
    let challenge = &rejection.www_authenticate()[0];
    assert!(challenge.to_str().unwrap().contains("max_age=\"60\""), "{challenge:?}");
    let strong = access(strong(&server)).await;
    assert!(strong.authorize_entry(&Method::DELETE, "Patient/1", None).is_ok());
    // A bundle that nobody looks into would hide the step.
    assert!(!weak.is_unconfined() && strong.is_unconfined());
}
