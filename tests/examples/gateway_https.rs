//! The gateway before a server that speaks TLS.

use base64::Engine as _;

use crate::careless_server::Careless;
use crate::gateway::Gateway;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_behind_that_speaks_tls_is_believed_by_its_certificate_alone() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(made.cert.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let authorities = folder.path().join("authorities.pem");
    std::fs::write(&authorities, pem).unwrap();
    let trusting = [("SSL_CERT_FILE", authorities.to_str().unwrap())];
    for (protocols, version) in
        [(&["h2", "http/1.1"][..], http::Version::HTTP_2), (&["http/1.1"], http::Version::HTTP_11)]
    {
        let (certificate, key) = (made.cert.der().to_vec(), made.signing_key.serialize_der());
        let careless = Careless::start_with_tls(certificate, key, protocols).await;
        assert!(careless.base.starts_with("https://localhost:"), "{}", careless.base);
        let gateway = Gateway::before_with(&careless.base, "", &trusting).await;
        for scope in ["system/*.rs", "patient/*.rs"] {
            let answer = gateway.get(scope, "/Observation/o10").await;
            assert_eq!(answer.status(), 200, "{scope}");
            let text = answer.text().await.unwrap();
            assert!(text.contains("https://fhir.example.org/r4/Patient/1"), "{text}");
            assert_eq!(careless.last().version, version);
            assert!(careless.last().line.ends_with("/fhir/Observation/o10"));
        }
        let created = gateway.request("POST", "system/*.cruds", "/Observation").body("{}");
        assert_eq!(created.send().await.unwrap().status(), 201);
        assert_eq!(careless.last().body, "{}");
        let asked = careless.asked().len();
        let other = careless.base.replace("localhost", "127.0.0.1");
        for gateway in [
            Gateway::before(&careless.base, "").await,
            Gateway::before_with(&other, "", &trusting).await,
        ] {
            let answer = gateway.get("system/*.rs", "/Observation/o10").await;
            assert_eq!(answer.status(), 502, "a certificate of nobody, or of another");
        }
        assert_eq!(careless.asked().len(), asked);
    }
}
