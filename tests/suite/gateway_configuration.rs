//! The sections of the configuration file that are for the gateway.

use std::time::Duration;

use tower_fhir_auth::config::{
    CallerMember, Config, ConfinedBy, CorsOrigins, UpstreamAuthorization, UpstreamVersions,
};

use crate::support::BASE;

fn file(sections: &str) -> String {
    format!(
        "base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"https://idp.example.org\"\n{sections}\n"
    )
}

fn errors(sections: &str) -> String {
    match Config::from_toml(&file(sections)) {
        Ok(config) => panic!("accepted: {config:#?}"),
        Err(error) => error.to_string(),
    }
}

/// 32 bytes, and 48.
const KEYS: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n  \
                    ////////////////////////////////////////////////////////////////\n";

#[test]
fn every_key_of_the_gateway_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("seal.key"), KEYS).unwrap();
    let path = folder.path().join("gateway.toml");
    let text = file(
        r#"
        [listen]
        address = "127.0.0.1:0"
        tls     = { certificate = "tls.pem", key = "tls.key", client_ca = "ca.pem" }
        [admin]
        address = "[::1]:9090"
        [cors]
        origins = ["https://app.example.org", "http://localhost:3000"]
        [upstream]
        url           = "http://hapi:8080/fhir"
        confine       = "gateway"
        authorization = "Basic YTpi"
        versions      = "checked"
        timeout       = "3s"
        max_body      = "1MiB"
        max_buffered  = "2 GiB"
        pages         = "10m"
        seal_key_file = "seal.key"
        headers       = { issuer = "X-Fhir-Issuer", subject = "x-sub", client = "x-c", scopes = "x-s",
                          roles = "x-r", patient = "x-patient", fhir_user = "x-user" }
        [danger]
        plain_http = ["http://hapi:8080"]
        "#,
    );
    // Tables in one line are of TOML 1.1; a line here is one of the test.
    std::fs::write(&path, text.replace(",\n                          ", ", ")).unwrap();
    let config = Config::from_file(&path).unwrap();
    let gateway = config.gateway();
    assert_eq!(
        (gateway.listen.as_str(), gateway.admin.as_deref()),
        ("127.0.0.1:0", Some("[::1]:9090"))
    );
    let tls = gateway.tls.clone().unwrap();
    assert_eq!(tls.certificate, folder.path().join("tls.pem"));
    assert_eq!(tls.client_ca, Some(folder.path().join("ca.pem")));
    let origins =
        ["https://app.example.org", "http://localhost:3000"].map(|one| one.parse().unwrap());
    assert_eq!(gateway.cors, CorsOrigins::Only(origins.to_vec()));
    let upstream = &gateway.upstream;
    assert_eq!(upstream.url.as_ref().unwrap().as_str(), "http://hapi:8080/fhir");
    assert_eq!(
        (upstream.confine, upstream.versions),
        (ConfinedBy::Gateway, UpstreamVersions::Checked)
    );
    assert_eq!(
        (upstream.timeout, upstream.pages),
        (Duration::from_secs(3), Duration::from_secs(600))
    );
    assert_eq!((upstream.max_body, upstream.max_buffered), (1 << 20, 2 << 30));
    assert!(
        matches!(&upstream.authorization, UpstreamAuthorization::Literal(value) if value == "Basic YTpi")
    );
    let lengths: Vec<usize> = upstream.seal_keys().map(<[u8]>::len).collect();
    assert_eq!(lengths, [32, 48]);
    assert_eq!(upstream.headers.len(), 7);
    assert_eq!(upstream.headers[0].member, CallerMember::Issuer);
    assert_eq!(upstream.headers[0].name, "x-fhir-issuer");
    let printed = format!("{config:?}");
    assert!(!printed.contains("YTpi") && !printed.contains("255, 255"), "{printed}");
}

#[test]
fn without_the_sections_there_are_defaults() {
    let config = Config::from_toml(&file("")).unwrap();
    let gateway = config.gateway();
    assert_eq!((gateway.listen.as_str(), gateway.admin.as_deref()), ("127.0.0.1:8080", None));
    assert_eq!(gateway.cors, CorsOrigins::None);
    let upstream = &gateway.upstream;
    assert_eq!(
        (upstream.confine, upstream.versions),
        (ConfinedBy::Gateway, UpstreamVersions::Metadata)
    );
    assert_eq!((upstream.max_body, upstream.max_buffered), (16 << 20, 256 << 20));
    assert_eq!(upstream.authorization, UpstreamAuthorization::Drop);
    assert!(gateway.tls.is_none() && upstream.url.is_none() && upstream.headers.is_empty());
    let config = config.with_upstream_url("http://127.0.0.1:8081/fhir").unwrap();
    assert_eq!(config.gateway().upstream.url.as_ref().unwrap().path(), "/fhir");
    assert!(config.with_upstream_url("http://hapi:8080/fhir").is_err(), "not without TLS");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let found = errors(
        r#"
        [listen]
        adress = "127.0.0.1:8080"
        tls = { certificate = "tls.pem" }
        [admin]
        address = "9090"
        [upstream]
        url = "http://user:hunter2@hapi:8080/fhir?x"
        confine = "everybody"
        authorization = "hunter2"
        versions = "all"
        timeout = "0s"
        max_body = "16MB"
        max_buffered = 0
        pages = 5
        seal_key_file = "none.key"
        timeouts = "3s"
        "#,
    );
    for line in [
        "listen.adress: unknown key: did you mean `address`?",
        "listen.tls.key: is required: expected a PEM file",
        "admin.address: expected a host and a port such as \"127.0.0.1:8080\", found \"9090\"",
        "upstream.url: expected an https URL",
        "upstream.confine: expected one of gateway, upstream, nobody; found \"everybody\"",
        "upstream.authorization: expected drop, relay, or credentials with their scheme",
        "upstream.versions: expected one of metadata, checked; found \"all\"",
        "upstream.timeout: expected more than 0s",
        "upstream.max_body: expected a number of bytes such as \"64KiB\" or \"16MiB\", found \"16MB\"",
        "upstream.max_buffered: expected more than 0",
        "upstream.pages: expected a duration",
        "upstream.seal_key_file: expected a readable file: none.key",
        "upstream.timeouts: unknown key: did you mean `timeout`?",
    ] {
        assert!(found.contains(line), "no `{line}` in\n{found}");
    }
    assert_eq!(found.lines().count(), 13, "{found}");
    assert!(!found.contains("hunter2"), "{found}");
}

#[test]
fn mistakes_of_one_key_each() {
    let several = "\n[[issuers]]\nissuer = \"https://other.example.org\"";
    for (section, words) in [
        (
            "max_body = \"2MiB\"\nmax_buffered = \"1MiB\"".to_owned(),
            "upstream.max_buffered: expected no less",
        ),
        (
            "confine = \"upstream\"".to_owned(),
            "upstream.confine: expected the upstream server to be told",
        ),
        (
            "confine = \"upstream\"\nheaders = { issuer = \"x-i\", scopes = \"x-s\" }".to_owned(),
            "upstream.confine: expected the upstream server to be told",
        ),
        (
            format!("headers = {{ subject = \"x-s\" }}{several}"),
            "upstream.headers.subject: expected `issuer`",
        ),
        (
            "headers = { issuer = \"x-a\", subject = \"X_A\" }".to_owned(),
            "upstream.headers.subject: expected each header once, found `x_a` twice",
        ),
        (
            "headers = { isuer = \"x-a\" }".to_owned(),
            "upstream.headers.isuer: unknown key: did you mean `issuer`?",
        ),
    ] {
        let found = errors(&format!("[upstream]\n{section}"));
        assert!(found.contains(words), "no `{words}` in\n{found}");
        assert_eq!(found.lines().count(), 1, "{found}");
    }
    for name in [
        "",
        "a b",
        "Host",
        "authorization",
        "Connection",
        "keep-alive",
        "te",
        "X-Forwarded-For",
        "x_forwarded_for",
        "forwarded",
        "x-original-url",
        "x-rewrite-url",
        "content-type",
        "accept",
        "prefer",
        "x-http-method-override",
        "proxy-authorization",
        "cookie",
        "via",
        "if-none-exist",
        "dpop",
        "WWW-Authenticate",
        "traceparent",
        "client_cert",
    ] {
        let found = errors(&format!("[upstream]\nheaders = {{ patient = \"{name}\" }}"));
        assert!(
            found.contains("upstream.headers.patient: expected the name of a header"),
            "{name}: {found}"
        );
    }
}

#[test]
fn a_file_of_keys_is_checked_line_by_line_and_never_told() {
    let folder = tempfile::tempdir().unwrap();
    for (text, words) in [
        ("", "expected a key a line, found none"),
        ("AAECAwQ=\n", "line 1: expected the base64 of 32 bytes or more"),
        (&*format!("{KEYS}hunter2!\n"), "line 4: expected the base64 of 32 bytes or more"),
    ] {
        let path = folder.path().join("seal.key");
        std::fs::write(&path, text).unwrap();
        let found = errors(&format!("[upstream]\nseal_key_file = \"{}\"", path.display()));
        assert!(found.contains(words), "{found}");
        assert!(!found.contains("hunter2") && !found.contains("AAEC"), "{found}");
    }
}

#[test]
fn who_confines_at_the_server_behind_tells_it_what_was_granted() {
    for section in [
        "authorization = \"relay\"",
        "headers = { issuer = \"x-i\", patient = \"x-p\", scopes = \"x-s\" }",
    ] {
        let text = file(&format!("[upstream]\nconfine = \"upstream\"\n{section}"));
        let config = Config::from_toml(&text).unwrap();
        assert_eq!(config.gateway().upstream.confine, ConfinedBy::Upstream);
    }
}

#[test]
fn an_origin_is_what_a_browser_says_of_itself_and_nothing_else() {
    let read = |text: &str| Config::from_toml(&file(&format!("[cors]\norigins = {text}")));
    let cors = |text: &str| read(text).unwrap().gateway().cors.clone();
    assert_eq!(cors("[\"*\"]"), CorsOrigins::Any);
    assert_eq!(cors("[]"), CorsOrigins::None);
    for good in ["http://[::1]:8080", "capacitor://localhost", "https://xn--bcher-kva.example"] {
        assert_eq!(cors(&format!("[\"{good}\"]")), CorsOrigins::Only(vec![good.parse().unwrap()]));
    }
    for bad in [
        "",
        "null",
        "app.example.org",
        "https://app.example.org/",
        "https://app.example.org/app",
        "https://APP.example.org",
        "https://app.example.org:443",
        "https://*.example.org",
        "https://user@app.example.org",
        "https://b\u{fc}cher.example",
        "file:///x",
    ] {
        let found = errors(&format!("[cors]\norigins = [\"{bad}\"]"));
        assert!(found.contains("cors.origins[0]: expected \"*\" or an origin"), "{bad}: {found}");
    }
    let found = errors("[cors]\norigins = [\"*\", \"https://app.example.org\"]\norigin = []");
    assert!(found.contains("cors.origins: expected \"*\" by itself"), "{found}");
    assert!(found.contains("cors.origin: unknown key: did you mean `origins`?"), "{found}");
}
