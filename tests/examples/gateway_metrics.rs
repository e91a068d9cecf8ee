//! `[admin]` of the gateway: figures for operators alone.

use std::collections::HashMap;

use crate::careless_server::Careless;
use crate::gateway::Gateway;

/// An address that nobody listens at.
pub(crate) fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// The figures by their names with labels.
pub(crate) async fn figures(gateway: &Gateway, admin: &str) -> HashMap<String, f64> {
    let answer = gateway.client.get(format!("http://{admin}/metrics")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    let text = answer.text().await.unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| line.rsplit_once(' ').unwrap());
    pairs.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_alone_read_figures_that_no_client_makes_more_of() {
    let careless = Careless::start().await;
    let admin = free_port();
    let sections = format!("timeout = \"700ms\"\n[admin]\naddress = \"{admin}\"");
    let gateway = Gateway::before(&careless.base, &sections).await;
    let requests = |class: &str| format!("fhir_auth_gateway_requests_total{{status=\"{class}\"}}");
    let faults = |kind: &str| format!("fhir_auth_gateway_upstream_faults_total{{kind=\"{kind}\"}}");
    let before = figures(&gateway, &admin).await;
    assert_eq!(before[&requests("2xx")], 0.0, "{before:?}");
    assert_eq!(before[&faults("out_of_reach")], 0.0, "{before:?}");
    for scope in ["system/*.rs", "patient/*.rs"] {
        for path in ["/Observation/o10", "/Observation/moved", "/Observation/slow", "/Patient/2"] {
            gateway.get(scope, path).await.bytes().await.unwrap();
        }
    }
    let after = figures(&gateway, &admin).await;
    let grown = |name: &str| after[name] - before[name];
    // The own Patient/2 is read by one of them, and refused to the other.
    assert_eq!((grown(&requests("2xx")), grown(&requests("4xx"))), (3.0, 1.0), "{after:?}");
    assert_eq!(grown(&requests("5xx")), 4.0);
    assert_eq!((grown(&faults("not_for_clients")), grown(&faults("too_late"))), (2.0, 2.0));
    assert_eq!(after["fhir_auth_gateway_buffered_bytes"], 0.0);
    assert!(after.keys().any(|name| name.starts_with("fhir_auth_refusals_total")), "the layer's");
    assert!(after.keys().any(|name| name.starts_with("fhir_auth_keys")), "{after:?}");
    for number in 0..50 {
        let path = format!("/Observation/{number}?x{number}=1");
        let request = gateway.request("GET", &format!("system/*.rs x{number}"), &path);
        request.header(format!("x-{number}"), "1").send().await.unwrap();
    }
    let names = |figures: &HashMap<String, f64>| figures.len();
    assert_eq!(names(&figures(&gateway, &admin).await), names(&after));
    for path in ["/metrics", "/live", "/ready", "/r4/metrics"] {
        let public = gateway.server.base.replace("/r4", path);
        let answer = gateway.client.get(&public).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
        let token = gateway.token("system/*.cruds");
        let answer = gateway.client.get(&public).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{path}");
    }
}

/// What has been judged is held until the client has it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_client_has_not_read_yet_is_held_and_told() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let careless = Careless::start().await;
    let admin = free_port();
    let sections =
        format!("max_body = \"10MiB\"\nmax_buffered = \"12MiB\"\n[admin]\naddress = \"{admin}\"");
    let gateway = Gateway::before(&careless.base, &sections).await;
    let token = gateway.token("patient/*.rs");
    let host = gateway.server.base.strip_prefix("http://").unwrap().replace("/r4", "");
    let mut slow = tokio::net::TcpStream::connect(&host).await.unwrap();
    let head = format!(
        "GET /r4/Observation/large8 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\n\r\n"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut begun = [0; 12];
    slow.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    let held = figures(&gateway, &admin).await["fhir_auth_gateway_buffered_bytes"];
    assert!(held >= f64::from(8 << 20), "{held}");
    let other = gateway.get("patient/*.rs", "/Observation/large8").await;
    assert_eq!((other.status().as_u16(), other.headers().contains_key("retry-after")), (503, true));
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() > 8 << 20);
    drop(slow);
    let held = figures(&gateway, &admin).await["fhir_auth_gateway_buffered_bytes"];
    assert_eq!(held, 0.0);
    assert_eq!(gateway.get("patient/*.rs", "/Observation/large8").await.status(), 200);
}
