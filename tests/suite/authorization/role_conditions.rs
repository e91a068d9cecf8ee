//! Roles that count only with a purpose of use and a sign-in that is not long ago: emergency access.

use std::time::Duration;

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::authorization::RoleCondition;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::explanation::RoleStanding;
use tower_fhir_auth::test_util::{TestClock, TestIssuer, TokenBuilder};
use tower_fhir_auth::{BuildError, Enforcement, FhirAuthLayer, RoleDefinitions, RolePolicy};

use super::oracle::InOneVoice;
use crate::support::{BASE, Reply, send};

/// A role of the file that may read; `PatientReader` may read by id alone, and under no condition.
const EMERGENCY: &str = "[[roles.when]]\nrole = \"GLOBALREADER\"\npurpose_of_use = [\"ETREAT\", \"https://a.example|b\"]\n\
     max_auth_age = \"5m\"\n";

struct World {
    issuer: TestIssuer,
    layer: FhirAuthLayer,
    now: i64,
}

impl World {
    async fn start(access: &str, conditions: &str) -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let now = SystemClock.now().as_secs();
        let text = format!(
            "base_url = \"{BASE}\"\naccess = \"{access}\"\n[[issuers]]\nissuer = \"{}\"\n\
             assign = {{ \"sub:assigned\" = [\"globalReader\"] }}\n\
             [roles]\ndefinitions = \"../examples/fhir_server/roles.json\"\n{conditions}",
            issuer.url()
        );
        let config = Config::from_toml(&text).unwrap();
        let policy = InOneVoice(config.policy().unwrap());
        let builder = config.layer(policy).unwrap().handlers_enforce(Enforcement::ALL);
        let layer = builder.clock(TestClock::at(now)).build().unwrap();
        layer.ready().await;
        Self { issuer, layer, now }
    }

    fn token(&self) -> TokenBuilder {
        self.issuer.token().claim("aud", BASE).claim("roles", json!(["globalReader"]))
    }

    async fn read(&self, token: TokenBuilder) -> Reply {
        let bearer = format!("Bearer {}", token.sign().unwrap());
        send(&self.layer, Request::get("/r4/Patient/1").header("authorization", bearer)).await
    }
}

/// `extensions` with these purposes, as IHE IUA has them.
fn purposes(purposes: impl Into<Value>) -> Value {
    json!({"ihe_iua": {"purpose_of_use": purposes.into()}})
}

#[tokio::test]
async fn a_role_under_a_condition_counts_for_a_purpose_and_a_recent_sign_in_alone() {
    let world = World::start("roles", EMERGENCY).await;
    let act_reason = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    let good = || purposes(json!([{"system": act_reason, "code": "ETREAT"}]));
    let (recent, now) = (json!(world.now - 300), world.now);
    for (extensions, auth_time, is_let_in) in [
        (good(), recent.clone(), true),
        (purposes(json!([{"code": "TREAT"}, {"code": "ETREAT"}])), recent.clone(), true),
        (purposes(json!("urn:oid:2.16.840.1.113883.5.8#ETREAT")), recent.clone(), true),
        (json!({"hl7-b2b": {"purpose_of_use": ["https://a.example#b"]}}), recent.clone(), true),
        (good(), json!(now + 60), true),
        // Another code, another system, another case, another place, none.
        (purposes(json!([{"code": "TREAT"}])), recent.clone(), false),
        (
            purposes(json!([{"system": "https://a.example", "code": "ETREAT"}])),
            recent.clone(),
            false,
        ),
        (purposes(json!([{"code": "b"}])), recent.clone(), false),
        // A system that is no text is not HL7's.
        (
            purposes(json!([{"system": ["https://a.example"], "code": "ETREAT"}])),
            recent.clone(),
            false,
        ),
        (purposes(json!([{"system": 5, "code": "ETREAT"}])), recent.clone(), false),
        (purposes(json!([{"code": "etreat"}])), recent.clone(), false),
        (json!({"purpose_of_use": [{"code": "ETREAT"}]}), recent.clone(), false),
        (Value::Null, recent, false),
        // Too long ago, in the future, no time.
        (good(), json!(now - 301), false),
        (good(), json!(now + 61), false),
        (good(), json!("now"), false),
        (good(), Value::Null, false),
    ] {
        let token = world
            .token()
            .claim("extensions", extensions.clone())
            .claim("auth_time", auth_time.clone());
        let reply = world.read(token).await;
        assert_eq!(reply.status == 200, is_let_in, "{extensions} {auth_time}: {}", reply.body);
        assert!(is_let_in || reply.status == 403);
    }
}

#[tokio::test]
async fn it_is_so_for_roles_that_are_assigned_and_leaves_other_roles_and_scopes_as_they_are() {
    let world = World::start("roles-or-scopes", EMERGENCY).await;
    let assigned = || world.token().without("roles").claim("sub", "assigned");
    assert_eq!(world.read(assigned()).await.status, 403);
    let purpose = purposes(json!([{"code": "ETREAT"}]));
    let token = assigned().claim("extensions", purpose).claim("auth_time", world.now);
    world.read(token).await.is_let_in();
    let two = world.token().claim("roles", json!(["globalReader", "globalAdmin"]));
    world.read(two).await.is_let_in();
    world.read(world.token().claim("scope", "user/Patient.r")).await.is_let_in();
    // Without a condition it is a role as any other.
    let plain = World::start("roles", "").await;
    plain.read(plain.token()).await.is_let_in();
}

#[tokio::test]
async fn operators_are_told_which_condition_is_not_met_and_clients_are_not() {
    let world = World::start("roles", EMERGENCY).await;
    let reply = world.read(world.token()).await;
    assert_eq!(reply.status, 403);
    let rejection = reply.rejection.as_ref().unwrap();
    let detail = rejection.detail().to_string();
    let told = "roles that count only with a purpose of use among `ETREAT` `https://a.example|b` and a sign-in \
                within 5m: 'globalReader'";
    assert!(detail.contains(told), "{detail}");
    assert!(
        !reply.body.contains("ETREAT") && !reply.body.contains("globalReader"),
        "{}",
        reply.body
    );
    let token = world.token().sign().unwrap();
    let request = Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let explanation = world.layer.explain(&parts).await;
    let advice = explanation.to_string();
    assert!(advice.contains("counts under a condition that the token does not meet"), "{advice}");
    assert_ne!(RoleStanding::Conditional, RoleStanding::Insufficient);
}

#[tokio::test]
async fn a_condition_of_a_sign_in_alone_asks_for_no_purpose() {
    let world =
        World::start("roles", "[[roles.when]]\nrole = \"globalReader\"\nmax_auth_age = \"5m\"\n")
            .await;
    world.read(world.token().claim("auth_time", world.now - 300)).await.is_let_in();
    assert_eq!(world.read(world.token().claim("auth_time", world.now - 301)).await.status, 403);
}

#[test]
fn a_condition_says_what_a_token_needs() {
    let minutes = Duration::from_secs(300);
    for (condition, expected) in [
        (RoleCondition::new().max_auth_age(minutes), "a sign-in within 5m"),
        (RoleCondition::new().purpose_of_use(["BTG"]), "a purpose of use among `BTG`"),
        (
            RoleCondition::new().purpose_of_use(["BTG", "s|c"]).max_auth_age(minutes),
            "a purpose of use among `BTG` `s|c` and a sign-in within 5m",
        ),
    ] {
        assert_eq!(condition.to_string(), expected);
    }
}

/// A second one could take away what the first asks for.
#[test]
fn a_role_has_one_condition_and_one_that_is_not_defined_has_none() {
    let condition = || RoleCondition::new().max_auth_age(Duration::from_secs(300));
    let policy = RolePolicy::new(RoleDefinitions::microsoft());
    let policy = policy.role_counts_when("globalReader", condition()).unwrap();
    for (role, words) in [("GLOBALREADER", "each role once"), ("globalReeder", "a defined role")] {
        match policy.clone().role_counts_when(role, condition()).err() {
            Some(BuildError::Setting { setting: "roles.when", expected, .. }) => {
                assert_eq!(expected, words, "{role}");
            }
            other => panic!("{role}: {other:?}"),
        }
    }
}

#[test]
fn a_condition_that_asks_for_nothing_is_an_error() {
    let minutes = Duration::from_secs(300);
    for (condition, is_one) in [
        (RoleCondition::new(), false),
        (RoleCondition::new().max_auth_age(Duration::ZERO), false),
        (RoleCondition::new().purpose_of_use(["s|"]), false),
        (RoleCondition::new().purpose_of_use(["|c"]), false),
        (RoleCondition::new().purpose_of_use([""]).max_auth_age(minutes), false),
        (RoleCondition::new().purpose_of_use(["BTG"]), true),
        (RoleCondition::new().max_auth_age(minutes), true),
    ] {
        let policy = RolePolicy::new(RoleDefinitions::microsoft());
        let told = format!("{condition:?}");
        assert_eq!(policy.role_counts_when("globalReader", condition).is_ok(), is_one, "{told}");
    }
}

#[test]
fn a_condition_is_about_a_role_that_is_defined() {
    let recent = || RoleCondition::new().max_auth_age(Duration::from_secs(300));
    for (role, is_defined) in
        [("globalReader", true), ("GLOBALREADER", true), ("globalReadr", false)]
    {
        let policy = RolePolicy::new(RoleDefinitions::microsoft());
        assert_eq!(policy.role_counts_when(role, recent()).is_ok(), is_defined, "{role}");
    }
}

#[test]
fn a_condition_that_asks_for_nothing_is_an_error_of_the_file() {
    for (lines, expected) in [
        ("role = \"a\"", "purpose_of_use"),
        ("purpose_of_use = [\"BTG\"]", "role: is required"),
        (
            "role = \"a\"\nmax_auth_age = \"5m\"\n[[roles.when]]\nrole = \"A\"\nmax_auth_age = \"9h\"",
            "when: expected each role once, found `A` again",
        ),
        ("role = \"a\"\nmax_auth_age = \"0s\"", "max_auth_age: expected more than 0s"),
        ("role = \"a\"\npurpose_of_use = [\"|\"]", "purpose_of_use: expected codes such as"),
        ("role = \"a\"\nmax_auth_age = \"5m\"\nacr = [\"x\"]", "acr: unknown key"),
        (
            "role = \"a\"\nmax_auth_age = \"5m\"",
            "when: expected a role that `definitions` defines, found `a`",
        ),
        (
            "role = \"globalReadr\"\nmax_auth_age = \"5m\"\n[roles]\ndefinitions = \"builtin:microsoft\"",
            "found `globalReadr`: did you mean `globalReader`?",
        ),
    ] {
        let text = format!(
            "base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"https://idp.example.org\"\n[[roles.when]]\n{lines}\n"
        );
        let error = Config::from_toml(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{lines}: {error}");
    }
}
