//! A limit for each caller, by tower_governor.

use std::time::Duration;

use http::Request;
use tower_fhir_auth::Principal;
use tower_governor::GovernorError;
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;
use tower_governor::key_extractor::KeyExtractor;

use crate::kit::{application, ask, bearer_of, by_scopes};

/// Who is verified, not whoever says so: issuer and subject. On public paths everybody is nobody.
#[derive(Clone, Debug)]
struct ByCaller;

impl KeyExtractor for ByCaller {
    type Key = Option<(String, String)>;

    fn extract<B>(&self, request: &Request<B>) -> Result<Self::Key, GovernorError> {
        let caller = request.extensions().get::<Principal>();
        Ok(caller.map(|caller| {
            let subject = caller.subject().or_else(|| caller.client_id()).unwrap_or_default();
            (caller.issuer().to_owned(), subject.to_owned())
        }))
    }
}

#[tokio::test]
async fn a_limit_within_counts_each_caller_and_no_stranger_uses_it_up() {
    let server = by_scopes().await;
    let mut settings = GovernorConfigBuilder::default().key_extractor(ByCaller);
    let settings = settings.period(Duration::from_secs(3600)).burst_size(2).finish().unwrap();
    let app = application().layer(GovernorLayer::new(settings)).layer(server.layer.clone());
    let alice = bearer_of(&server, "alice", "user/*.rs");
    for _ in 0..10 {
        let forged = format!("{alice}x");
        assert_eq!(ask(&app, "/r4/Patient/1", Some(&forged)).await.status, 401);
    }
    for status in [200, 200, 429] {
        // Each time another token: the caller is the same.
        let token = bearer_of(&server, "alice", "user/*.rs");
        let answer = ask(&app, "/r4/Patient/1", Some(&token)).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("retry-after").is_empty(), status == 200);
    }
    let other = bearer_of(&server, "bob", "user/*.rs");
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&other)).await.brief(), (200, "bob".to_owned()));
    assert_eq!(ask(&app, "/r4/metadata", None).await.status, 200);
}
