//! Properties of all that a stranger can send: nothing panics, nothing unverified is let in.

use std::sync::LazyLock;

use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use proptest::prelude::*;
use serde_json::json;
use tokio::runtime::Runtime;
use tower_fhir_auth::fhir::BaseUrl;
use tower_fhir_auth::fhir::search::Criterion;
use tower_fhir_auth::jose::JwkSet;
use tower_fhir_auth::smart::{Permissions, SmartScope};
use tower_fhir_auth::{Interaction, InteractionKind, RoleDefinitions};

use crate::support::Server;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static SERVER: LazyLock<Server> = LazyLock::new(|| RUNTIME.block_on(Server::start()));

/// Text near to a token, so that later stages are reached too.
fn token_like() -> impl Strategy<Value = String> {
    let segment = "[A-Za-z0-9_=-]{0,40}";
    prop_oneof![
        proptest::collection::vec(segment, 0..6).prop_map(|segments| segments.join(".")),
        (any::<Vec<u8>>(), any::<Vec<u8>>(), any::<Vec<u8>>())
            .prop_map(|(a, b, c)| { [a, b, c].map(crate::support::b64).join(".") }),
        ("\\PC{0,60}", "\\PC{0,60}").prop_map(|(header, payload)| {
            let header = format!("{{\"alg\":\"ES256\",\"kid\":\"key-1\",\"x\":{header:?}}}");
            let payload = format!("{{\"iss\":{payload:?}}}");
            format!("{}.{}.AA", crate::support::b64(header), crate::support::b64(payload))
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_authorization_header_is_let_in_without_a_signature(value in any::<Vec<u8>>()) {
        let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
        let request = Request::get("/r4/Patient/1").header("authorization", value);
        let reply = RUNTIME.block_on(SERVER.send(request));
        prop_assert!(matches!(reply.status.as_u16(), 400 | 401), "{}", reply.status);
    }

    #[test]
    fn no_token_is_let_in_without_a_signature(token in token_like()) {
        let reply = RUNTIME.block_on(SERVER.bearer(&token));
        prop_assert!(matches!(reply.status.as_u16(), 400 | 401), "{}", reply.status);
        prop_assert!(!reply.challenge().is_empty());
    }

    #[test]
    fn one_changed_character_spoils_a_token(place in any::<prop::sample::Index>(), with in "[A-Za-z0-9_.-]") {
        let good = SERVER.token().sign().unwrap();
        let mut changed: Vec<char> = good.chars().collect();
        let place = place.index(changed.len());
        changed[place] = with.chars().next().unwrap();
        let changed: String = changed.into_iter().collect();
        let status = RUNTIME.block_on(SERVER.bearer(&changed)).status;
        prop_assert_eq!(status == 200, changed == good);
    }

    #[test]
    fn every_address_is_an_interaction_or_none(path in "/r4[!-~]{0,60}", method in "[A-Z]{1,8}") {
        let Ok(uri) = path.parse::<Uri>() else { return Ok(()) };
        let base: BaseUrl = "https://h/r4".parse().unwrap();
        let method: Method = method.parse().unwrap();
        let interaction = Interaction::parse(&base, &method, &uri, &HeaderMap::new());
        // An operation's `$` may be encoded.
        let path = uri.path().replace("/%24", "/$");
        let odd = path.contains(['%', ';', '\\', '~']) || path.contains("//");
        prop_assert!(!odd || interaction.kind() == InteractionKind::Unknown, "{}", uri);
        let fault = interaction.address_fault();
        prop_assert_eq!(fault.is_some(), interaction.kind() == InteractionKind::Unknown, "{}", uri);
        // The mended address is one indeed.
        if let Some(intended) = fault.as_ref().and_then(|fault| fault.intended()) {
            let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            let mended = format!("{intended}{query}").parse().unwrap();
            let mended = Interaction::parse(&base, &method, &mended, &HeaderMap::new());
            prop_assert!(mended.kind() != InteractionKind::Unknown, "{} {}", uri, intended);
        }
    }

    #[test]
    fn scopes_survive_a_round_trip(text in "(patient|user|system)(/|\\.|\\$|%2f)(\\*|all|Patient|Observation|Foo)\\.(c?r?u?d?s?|read|write|\\*|all)(\\?[a-z=&|]{1,10})?") {
        let Ok(scope) = text.parse::<SmartScope>() else { return Ok(()) };
        let again: SmartScope = scope.to_string().parse().unwrap();
        prop_assert_eq!(&again, &scope);
        prop_assert!(scope.permissions() != Permissions::default());
    }

    #[test]
    fn documents_are_read_or_refused(bytes in any::<Vec<u8>>(), text in "\\PC{0,200}") {
        for document in [&bytes[..], text.as_bytes()] {
            let _ = JwkSet::parse(document);
            let _ = RoleDefinitions::parse(document);
            let _ = std::str::from_utf8(document).map(str::parse::<SmartScope>);
        }
        let wrapped = format!("{{\"keys\":[{text}]}}");
        let _ = JwkSet::parse(wrapped.as_bytes());
    }
}

#[test]
fn a_string_begins_with_a_value_in_any_case_and_wherever_a_word_ends() {
    let base: BaseUrl = crate::support::BASE.parse().unwrap();
    for (value, family, matches) in [
        ("\u{39f}\u{394}\u{39f}\u{3a3}", "\u{3bf}\u{3b4}\u{3cc}\u{3c2}", false),
        ("\u{39f}\u{394}\u{39f}\u{3a3}", "\u{3bf}\u{3b4}\u{3bf}\u{3c2}", true),
        ("\u{3bf}\u{3b4}\u{3bf}\u{3c3}", "\u{39f}\u{394}\u{39f}\u{3a3} 1", true),
        ("MUE", "mueller", true),
        ("mueller", "MUE", false),
        ("mueller", "mueller", true),
    ] {
        let criterion = Criterion::parse(&base, "Patient", "family", value).unwrap();
        let patient = json!({"resourceType": "Patient", "name": [{"family": family}]});
        assert_eq!(criterion.matches(&patient), matches, "{value} {family}");
    }
}
