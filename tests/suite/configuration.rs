//! The configuration file: what it means, and what it says when it is wrong.

use serde_json::json;
use tower_fhir_auth::AccessMode;
use tower_fhir_auth::authenticated;
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::config::Config;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::test_util::TestIssuer;

use crate::support::send;

const BASE: &str = "https://fhir.example.org/r4";

fn errors(text: &str) -> String {
    match Config::from_toml(text) {
        Ok(config) => panic!("accepted: {config:#?}"),
        Err(error) => error.to_string(),
    }
}

/// A file with one good issuer and these lines at the top, and these in the issuer.
fn file(top: &str, issuer: &str) -> String {
    format!(
        "base_url = \"{BASE}\"\n{top}\n[[issuers]]\nissuer = \"https://idp.example.org\"\n{issuer}\n"
    )
}

#[test]
fn every_key_with_its_documented_example_is_understood() {
    let text = r#"
        base_url = "https://fhir.example.org/r4"
        access   = "roles-or-scopes"
        disclose = "reason"
        public   = ["/metadata", "/.well-known/smart-configuration", "/health"]
        [[issuers]]
        issuer          = "https://idp.example.org/realms/fhir"
        audiences       = ["https://fhir.example.org/r4"]
        audience_match  = "exact"
        discovery       = "https://idp.example.org/discovery"
        jwks_uri        = "https://idp.example.org/jwks"
        algorithms      = ["RS256", "ES256"]
        token_types     = ["at+jwt", "JWT", ""]
        required_claims = ["sub"]
        clients         = ["app"]
        roles_claim     = "roles"
        scope_claims    = ["scope", "scp"]
        patient_claims  = ["patient"]
        leeway          = "60s"
        max_token_age   = "24h"
        advertise       = true
        limits          = ["read", "search"]
        [patient]
        also   = ["Device:patient", "Provenance:target"]
        less   = ["Group:member"]
        shared = ["Organization", "Practitioner", "PractitionerRole", "Location", "Medication", "HealthcareService"]
        [keys]
        refresh   = "1h"
        cooldown  = "30s"
        max_stale = "24h"
        timeout   = "5s"
        max_bytes = 262144
        [cache]
        tokens = 0
        [danger]
        plain_http = ["http://keycloak:8080"]
    "#;
    let config = Config::from_toml(text).unwrap();
    assert_eq!((config.base_url().as_str(), config.access()), (BASE, AccessMode::RolesOrScopes));
    for (word, mode) in [
        ("roles", AccessMode::Roles),
        ("scopes", AccessMode::Scopes),
        ("roles-or-scopes", AccessMode::RolesOrScopes),
        ("roles-and-scopes", AccessMode::RolesAndScopes),
        ("microsoft", AccessMode::Microsoft),
    ] {
        let config = Config::from_toml(&file(&format!("access = \"{word}\""), "")).unwrap();
        assert_eq!((config.access(), mode.name()), (mode, word));
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_key() {
    let text = r#"
        base_url = "fhir.example.org"
        acess = "roles"
        disclose = "everything"
        public = ["metadata"]
        [[issuers]]
        issuer = "http://idp.example.org"
        audiences = []
        algorithms = ["none", "RS256", "HS256"]
        roles_claim = "${NOT_SET_HERE} ${NOR_THIS}"
        leeway = 60
        jwks_url = "https://idp.example.org/jwks"
        [[issuers]]
        audience_match = "fuzzy"
        jwks_uri = "http://idp.example.org/jwks"
        [keys]
        refresh = "500ms"
        timeout = "soon"
    "#;
    let found = errors(text);
    for line in [
        "base_url: expected an https URL",
        "acess: unknown key: did you mean `access`?",
        "disclose: expected one of minimal, reason, full; found \"everything\"",
        "public[0]: expected an exact path that begins with /",
        "issuers[0].issuer: expected an https URL",
        "issuers[0].audiences: expected at least one",
        "issuers[0].algorithms[0]: expected one of RS256",
        "issuers[0].algorithms[2]: expected one of RS256",
        "`NOT_SET_HERE` to be set",
        "`NOR_THIS` to be set",
        "issuers[0].leeway: expected a duration such as \"30s\"",
        "issuers[0].jwks_url: unknown key: did you mean `jwks_uri`?",
        "issuers[1].issuer: is required",
        "issuers[1].audience_match: expected one of exact, url; found \"fuzzy\"",
        "issuers[1].jwks_uri: expected an absolute https URL",
        "keys.refresh: expected 1s to 30days",
        "keys.timeout: expected a duration",
    ] {
        assert!(found.contains(line), "no `{line}` in\n{found}");
    }
    assert_eq!(found.lines().count(), 17, "{found}");
}

#[test]
fn mistakes_of_one_key_each() {
    for (text, words) in [
        (String::new(), "base_url: is required"),
        (format!("base_url = \"{BASE}\""), "issuers: is required"),
        (format!("base_url = \"{BASE}\"\nissuers = []"), "issuers: expected at least one"),
        (file("base_url = 5", ""), "line 2: expected TOML"),
        (file("", "issuer = 5"), "line 5: expected TOML"),
        ("base_url =".to_owned(), "line 1: expected TOML"),
        (file("public = \"/x\"", ""), "public: expected an array of strings"),
        (
            file("", "").replace("https://idp.example.org", ""),
            "issuers[0].issuer: expected the exact value of `iss`",
        ),
        (file("", "algorithms = []"), "algorithms: expected at least one"),
        (file("", "algorithms = [\"none\"]"), "algorithms[0]: expected one of"),
        (
            file("", "audiences = [\"\"]"),
            "audiences: expected at least one string, and no empty one",
        ),
        (file("", "token_types = []"), "token_types: expected at least one"),
        (file("", "leeway = \"11m\""), "leeway: expected at most 10m"),
        (file("", "jwks_file = \"no-such-file.json\""), "jwks_file: expected a readable key set"),
        (
            file("", "jwks_file = \"x\"\njwks_uri = \"https://h/x\""),
            "jwks_file: expected either a file or URLs",
        ),
        (
            file("", "[[issuers]]\nissuer = \"https://idp.example.org\""),
            "issuers[1].issuer: expected each issuer once",
        ),
        (file("", "[keys]\nmax_bytes = -1"), "keys.max_bytes: expected 0 or more"),
        (
            file("", "[keys]\nmax_bytes = \"x\""),
            "keys.max_bytes: expected a whole number, found a string",
        ),
        (file("", "[keys]\nmax_bytes = 1.5"), "expected a whole number, found a number"),
        (file("", "[keys]\nmax_bytes = 2026-01-01"), "expected a whole number, found a date"),
        (file("", "[keys.max_bytes]"), "expected a whole number, found a table"),
        (
            file("", "roles_claim = \"${NO_SUCH_VARIABLE_HERE}\""),
            "expected the environment variable `NO_SUCH_VARIABLE_HERE`",
        ),
        (file("", "roles_claim = \"${OPEN\""), "roles_claim: expected `}`"),
        (
            file("", "required_claims = [5]"),
            "required_claims[0]: expected a string, found a whole number",
        ),
        (file("keys = 5", ""), "keys: expected a table"),
        (
            file("", "[roles]\ndefinitions = \"no-such.json\""),
            "or `builtin:microsoft` or `builtin:azure`: no-such.json",
        ),
    ] {
        let found = errors(&text);
        assert!(found.contains(words), "no `{words}` in\n{found}\nfor\n{text}");
    }
}

#[test]
fn presets_and_tables_are_checked_like_the_rest() {
    for (text, words) in [
        (file("", "entra.tenant = \"t\""), "issuers[0].entra.client_id: is required"),
        (
            file("", "entra.tenant = \"organizations\"\nentra.client_id = \"c\""),
            "entra.allowed_tenants: is required",
        ),
        (
            file("", "entra.tenant = \"t\"\nentra.client_id = \"c\"\nentra.cloud = \"moon\""),
            "entra.cloud: expected one of global",
        ),
        (file("", "[roles.assign]\na = \"reader\""), "roles.assign.a: expected an array of roles"),
        (
            file("", "[[issuers]]\nissuer = \"https://b\"\n[roles.assign]\na = [\"r\"]"),
            "roles.assign: with several issuers",
        ),
        (
            file("", "[smart]\nsince = 2026-01-01"),
            "smart.since: expected a value that JSON can express",
        ),
        (
            file("", "[smart]\nx = { d = [2026-01-01] }"),
            "smart.x: expected a value that JSON can express",
        ),
        (
            file("", "[smart]\ntoken_endpoint = \"${NO_SUCH_NAME}\""),
            "smart.token_endpoint: expected the env",
        ),
        (file("", "[smart]\nx = [nan]"), "smart.x: expected a value that JSON can express"),
        (file("", "[cache]\ntokens = -1"), "cache.tokens: expected"),
        (file("", "[roles]\nwhen = [5]"), "roles.when[0]: expected a table, found a whole number"),
        (
            file("", "[roles.assign]\n\"11111111-2222-3333-4444-555555555555/a\" = [\"r\"]"),
            "roles.assign: expected no tenant in the key",
        ),
    ] {
        let found = errors(&text);
        assert!(found.contains(words), "no `{words}` in\n{found}");
    }
}

#[test]
fn each_mistake_has_its_key_and_its_message() {
    let error = Config::from_toml(&file("acess = \"roles\"", "leeway = 60")).unwrap_err();
    assert_eq!(error.problems().len(), 2, "{error}");
    for (key, words) in
        [("acess", "did you mean `access`?"), ("issuers[0].leeway", "expected a duration")]
    {
        let found = error.problems().iter().find(|problem| problem.key() == key);
        let message = found.unwrap_or_else(|| panic!("no `{key}` in {error}")).message();
        assert!(message.contains(words), "{message}");
        assert!(error.to_string().contains(&format!("{key}: {message}")), "{error}");
    }
}

#[test]
fn a_file_is_named_and_its_paths_are_relative_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auth.toml");
    let missing = Config::from_file(&path).unwrap_err().to_string();
    assert!(missing.contains("auth.toml: (file): expected a readable TOML file"), "{missing}");
    std::fs::write(&path, file("", "jwks_file = \"keys.json\"")).unwrap();
    let error = Config::from_file(&path).unwrap_err().to_string();
    assert!(
        error.starts_with(&path.display().to_string()) && error.contains("jwks_file"),
        "{error}"
    );
    let keys = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    std::fs::write(folder.path().join("keys.json"), keys).unwrap();
    Config::from_file(&path).unwrap();
}

#[test]
fn the_same_structure_is_read_from_other_formats() {
    let value = json!({"base_url": BASE, "issuers": [{"issuer": "https://idp.example.org"}]});
    let config: Config = serde_json::from_value(value).unwrap();
    assert_eq!(config.base_url().path(), "/r4");
    let error = serde_json::from_value::<Config>(json!({"base_url": 5})).unwrap_err().to_string();
    assert!(
        error.contains("base_url: expected a string") && error.contains("issuers: is required")
    );
}

#[tokio::test]
async fn the_settings_of_a_file_are_in_force() {
    let issuer = TestIssuer::start().await.unwrap();
    let text = format!(
        "base_url = \"{BASE}\"\npublic = [\"/open\"]\ndisclose = \"minimal\"\n\
         [[issuers]]\nissuer = \"{}\"\naudience_match = \"url\"\nalgorithms = [\"ES256\"]\n\
         required_claims = [\"sub\", \"jti\"]\nroles_claim = \"a.b\"\nscope_claims = [\"perms\"]\n\
         patient_claims = [\"pat\"]\nclients = [\"app\"]\ntoken_types = [\"at+jwt\"]\n",
        issuer.url()
    );
    let config = Config::from_toml(&text).unwrap();
    let layer = config.layer(authenticated()).unwrap().build().unwrap();
    let get = |token: tower_fhir_auth::test_util::TokenBuilder| {
        let bearer = format!("Bearer {}", token.sign().unwrap());
        send(&layer, http::Request::get("/r4/x").header("authorization", bearer))
    };
    let good = || {
        let token = issuer.token().claim("aud", "HTTPS://FHIR.example.org:443/r4/");
        token.claim("a", json!({"b": ["r"]})).claim("perms", "s").claim("pat", "7")
    };
    let reply = get(good()).await;
    let caller = reply.is_let_in();
    assert!(caller.has_role("r") && caller.has_scope("s"));
    assert_eq!(caller.patient(), Some("7"));
    for (token, check) in [
        (good().claim("aud", "https://fhir.example.org"), Check::Audience),
        (good().without("jti"), Check::RequiredClaims),
        (good().claim("client_id", "x"), Check::Client),
        (good().header("typ", "JWT"), Check::Type),
        (good().header("alg", "RS256"), Check::Algorithm),
    ] {
        get(token).await.is_refused_by(check, "the access token is refused");
    }
    assert_eq!(send(&layer, http::Request::get("/r4/open")).await.status, 200);
    assert_eq!(send(&layer, http::Request::get("/r4/metadata")).await.status, 401);
}

#[tokio::test]
async fn a_block_of_step_up_asks_for_a_level_and_a_time_together() {
    let issuer = TestIssuer::start().await.unwrap();
    let text = format!(
        "base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{}\"\n\
         [[require]]\non = [\"Patient.r\"]\nacr = [\"mfa\"]\nmax_auth_age = \"5m\"\n",
        issuer.url()
    );
    let config = Config::from_toml(&text).unwrap();
    let layer = config.layer(authenticated()).unwrap().build().unwrap();
    let now = SystemClock.now().as_secs();
    for (acr, time, expected) in
        [("mfa", now - 10, 200), ("mfa", now - 600, 401), ("password", now - 10, 401)]
    {
        let token = issuer.token().claim("aud", BASE).claim("acr", acr).claim("auth_time", time);
        let bearer = format!("Bearer {}", token.sign().unwrap());
        let request = http::Request::get("/r4/Patient/1").header("authorization", bearer);
        let reply = send(&layer, request).await;
        assert_eq!(reply.status, expected, "{acr} {time}: {}", reply.body);
        let challenge = reply.challenge();
        let names_both =
            challenge.contains("acr_values=\"mfa\"") && challenge.contains("max_age=\"300\"");
        assert_eq!(names_both, expected == 401, "{acr} {time}: {challenge}");
    }
}

#[tokio::test]
async fn assigned_roles_belong_to_their_issuer() {
    let (one, two) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    let folder = tempfile::tempdir().unwrap();
    let role =
        json!({"name": "reader", "dataActions": ["read"], "notDataActions": [], "scopes": ["/"]});
    std::fs::write(folder.path().join("roles.json"), json!({"roles": [role]}).to_string()).unwrap();
    let path = folder.path().join("auth.toml");
    let shared = format!(
        "base_url = \"{BASE}\"\naccess = \"roles\"\n[[issuers]]\nissuer = \"{}\"\n\
         [roles]\ndefinitions = \"roles.json\"\n[roles.assign]\no-1 = [\"reader\"]\n",
        one.url()
    );
    let own = format!(
        "base_url = \"{BASE}\"\naccess = \"roles\"\n\
         [[issuers]]\nissuer = \"{}\"\nassign = {{ o-1 = [\"reader\"], alice = [\"Reader\"], g = [\"reader\"] }}\n\
         [[issuers]]\nissuer = \"{}\"\n\
         [roles]\ndefinitions = \"roles.json\"\n",
        one.url(),
        two.url()
    );
    for (text, subject_counts) in [(shared, false), (own, true)] {
        std::fs::write(&path, text).unwrap();
        let config = Config::from_file(&path).unwrap();
        let roles = config.roles().unwrap();
        let layer = config.layer(roles).unwrap().build().unwrap();
        let get = async |token: tower_fhir_auth::test_util::TokenBuilder| {
            let bearer = format!("Bearer {}", token.claim("aud", BASE).sign().unwrap());
            let request = http::Request::get("/r4/Patient/1").header("authorization", bearer);
            send(&layer, request).await.status.as_u16()
        };
        let expected = if subject_counts { 200 } else { 403 };
        assert_eq!(get(one.token().claim("sub", "bob").claim("oid", "o-1")).await, 200);
        assert_eq!(get(one.token().claim("sub", "bob").claim("oid", "O-1")).await, 403);
        assert_eq!(get(one.token()).await, expected, "by subject");
        assert_eq!(
            get(one.token().claim("sub", "bob").claim("groups", json!(["g"]))).await,
            expected
        );
        let others = get(two.token().claim("oid", "o-1").claim("groups", json!(["g"]))).await;
        assert_ne!(others, 200, "an id of one issuer never stands for another's");
    }
}

#[test]
fn the_name_of_an_issuer_is_1_to_512_characters_without_control_characters() {
    let named = |name: &str| {
        let issuer = json!({"issuer": name, "jwks_uri": "https://idp.example.org/jwks"});
        serde_json::from_value::<Config>(json!({"base_url": BASE, "issuers": [issuer]}))
    };
    let long = "\u{e9}".repeat(512);
    // A name that is only compared may be any text.
    for good in ["x", "an issuer", "http://keycloak:8080/realms/fhir", "urn:x", &long] {
        named(good).unwrap();
    }
    for bad in ["", "a\nb", "a\u{7f}", "\u{85}", &format!("{long}x")] {
        let error = named(bad).unwrap_err().to_string();
        let words = "issuers[0].issuer: expected the exact value of `iss`, 1 to 512 characters";
        assert!(error.contains(words), "{error}");
        assert!(error.len() < 1000 && !error.contains(['\n', '\u{7f}']), "{error}");
    }
    let keys = tower_fhir_auth::jose::JwkSet::parse(
        br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    );
    let issuer = tower_fhir_auth::TrustedIssuer::with_keys("a\nb", keys.unwrap());
    let builder = tower_fhir_auth::FhirAuthLayer::builder(BASE).issuer(issuer);
    let error = builder.authorizer(authenticated()).build().unwrap_err().to_string();
    assert!(error.contains("1 to 512 characters"), "{error}");
}

#[test]
fn a_public_path_that_can_match_nothing_or_more_than_it_says_is_an_error() {
    for bad in [
        "/docs/*",
        "/Patient/{id}",
        "/*",
        "metadata",
        "/a?b",
        "/a#b",
        "//a",
        "/a//b",
        "/./a",
        "/a/..",
        "/a%2fb",
        "/a%2E%2e",
        "/a%5Cb",
        "/a;b",
        "/a b",
        "/\u{e9}",
    ] {
        let error = errors(&file(&format!("public = [\"{bad}\"]"), ""));
        assert!(error.contains("public[0]: expected an exact path"), "{bad}: {error}");
        let layer = tower_fhir_auth::FhirAuthLayer::builder(BASE).public([bad]);
        let error = layer.authorizer(authenticated()).build().unwrap_err().to_string();
        assert!(error.contains("expected an exact path"), "{bad}: {error}");
    }
    for good in ["/", "/docs/", "/a.b", "/a/b-c_d~e", "/:a", "/%24x"] {
        Config::from_toml(&file(&format!("public = [\"{good}\"]"), "")).unwrap();
    }
}

#[test]
fn each_mistake_in_the_patient_table_is_told_with_its_list() {
    let text = file(
        "",
        "[patient]\nalso = [\"Observation:focus\", \"Device:patient\", \"Device:status\"]\n\
         less = [\"Observation\"]\nshared = [\"Observation\", \"Device\", \"Thing\"]\n\
         shard = []",
    );
    let errors = errors(&text);
    for (key, words) in [
        ("patient.also", "found \"Observation:focus\""),
        ("patient.also", "found \"Device:status\""),
        ("patient.less", "found \"Observation\""),
        ("patient.shared", "no place in the Patient compartment, found \"Observation\""),
        ("patient.shared", "that `also` does not name, found \"Device\""),
        ("patient.shared", "expected a resource type, found \"Thing\""),
        ("patient.shard", "did you mean `shared`"),
    ] {
        let told = errors.lines().any(|line| line.contains(key) && line.contains(words));
        assert!(told, "{key}: {words}\n{errors}");
    }
}

#[tokio::test]
async fn the_patient_table_of_a_file_is_in_force() {
    use tower_fhir_auth::{Access, Enforcement, Visibility};
    let issuer = TestIssuer::start().await.unwrap();
    for (patient, expected) in
        [("", Visibility::Hidden), ("[patient]\nless = []", Visibility::Shown)]
    {
        let text = format!(
            "base_url = \"{BASE}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n{patient}",
            issuer.url()
        );
        let config = Config::from_toml(&text).unwrap();
        let policy = config.policy().unwrap();
        let builder = config.layer(policy).unwrap().handlers_enforce(Enforcement::ALL);
        let layer = builder.build().unwrap();
        layer.ready().await;
        let token = issuer.token().claim("aud", BASE).claim("scope", "patient/*.rs");
        let token = token.claim("patient", "1").sign().unwrap();
        let request = http::Request::get("/r4/Group/1");
        let reply = send(&layer, request.header("authorization", format!("Bearer {token}"))).await;
        let access: Access = reply.access.unwrap();
        let group = json!({"resourceType": "Group",
            "member": [{"entity": {"reference": "Patient/1"}}]});
        assert_eq!(access.may_show(&group), expected, "{patient}");
    }
}

#[tokio::test]
async fn no_error_of_an_address_tells_its_user_part() {
    use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer};
    let plain = "http://user:hunter2@idp.example.org";
    let long = format!("https://user:hunter2@h/{}", "x".repeat(512));
    let issuer = |name: &str, more: &str| {
        format!("base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{name}\"\n{more}\n")
    };
    for (text, key) in [
        (issuer(plain, ""), "issuers[0].issuer"),
        (issuer(&long, ""), "issuers[0].issuer"),
        (file("", &format!("discovery = \"{plain}\"")), "issuers[0].discovery"),
        (file("", &format!("jwks_uri = \"{plain}\"")), "issuers[0].jwks_uri"),
        (file("", "").replace(BASE, plain), "base_url"),
        (
            issuer("https://hunter2@h", "[[issuers]]\nissuer = \"https://hunter2@h\""),
            "issuers[1].issuer",
        ),
    ] {
        let error = errors(&text);
        assert!(error.contains(key) && !error.contains("hunter2"), "{key}: {error}");
    }
    let https = "https://user:hunter2@idp.example.org";
    let jwks_uri = |name: &str| TrustedIssuer::with_jwks_uri(name, "https://h/jwks");
    for (base, trusted) in [
        (plain, vec![]),
        (BASE, vec![TrustedIssuer::discover(plain)]),
        (BASE, vec![TrustedIssuer::discover(format!("{https}?query"))]),
        (BASE, vec![TrustedIssuer::discover_at("https://h", plain)]),
        (BASE, vec![TrustedIssuer::with_jwks_uri("https://h", plain)]),
        (BASE, vec![jwks_uri(&long)]),
        (BASE, vec![jwks_uri(https), jwks_uri(https)]),
        (BASE, vec![jwks_uri(https).algorithms([])]),
        (BASE, vec![TrustedIssuer::with_keys(https, tower_fhir_auth::jose::JwkSet::default())]),
        (BASE, vec![jwks_uri(https).token_types::<String>([])]),
    ] {
        let count = trusted.len();
        let builder = FhirAuthLayer::builder(base).issuers(trusted);
        let error = builder.authorizer(authenticated()).build().unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(!told.contains("hunter2"), "{base}, {count} issuers: {told}");
    }
}

/// What a new user copies first.
#[test]
fn the_files_of_the_readmes_and_the_manual_are_read() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = 0;
    for page in ["README.md", "fhir-auth/README.md", "src/manual/entra.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        let blocks = text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        for block in blocks.filter(|block| block.contains("base_url")) {
            files += 1;
            // The manual's is within a list.
            let read = Config::from_toml(block);
            assert!(read.is_ok(), "{page}: {}", read.unwrap_err());
        }
    }
    assert_eq!(files, 4);
}
