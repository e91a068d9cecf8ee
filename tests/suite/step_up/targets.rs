//! Targets of requirements: permissions on types, however granted, and operations.

use tower_fhir_auth::authorization::StepUp;

use super::{MFA, ask, on, server, strong, weak};

#[tokio::test]
async fn each_letter_of_an_interaction_counts() {
    for (target, challenged, passing) in [
        (
            "Patient.d",
            &[
                ("DELETE", "/Patient/1"),
                ("DELETE", "/Patient?_id=1"),
                ("DELETE", "/Patient/1/_history"),
            ][..],
            &[("GET", "/Patient/1"), ("DELETE", "/Observation/1"), ("PUT", "/Patient/1")][..],
        ),
        (
            "*.u",
            &[("PUT", "/Patient/1"), ("PATCH", "/Observation/1"), ("PUT", "/Patient?_id=1")],
            &[("GET", "/Patient/1"), ("POST", "/Patient"), ("DELETE", "/Patient/1")],
        ),
        (
            "Patient.s",
            &[
                ("GET", "/Patient?name=x"),
                ("POST", "/Patient/_search"),
                ("PUT", "/Patient?_id=1"),
                ("DELETE", "/Patient?_id=1"),
                ("GET", "?_type=Observation,Patient"),
                ("GET", "/_history"),
                ("GET", "/Patient/_history"),
                ("GET", "/Observation?subject:Patient.name=x"),
                ("GET", "/Patient/1/$everything"),
                ("GET", "/$export"),
                ("GET", "/$export?_type=Patient"),
            ],
            &[
                ("GET", "/Patient/1"),
                ("GET", "/Observation?code=x"),
                ("GET", "?_type=Observation"),
                ("GET", "/$export?_type=Observation"),
                // What comes along is read.
                ("GET", "/Observation?_include=Observation:subject:Patient"),
            ],
        ),
        (
            "Patient.r",
            &[
                ("GET", "/Patient/1"),
                ("HEAD", "/Patient/1"),
                ("GET", "/Patient/1/_history"),
                ("GET", "/Patient/1/_history/1"),
                ("GET", "/Observation?_include=Observation:patient"),
                ("GET", "/Patient/1/$everything"),
            ],
            &[("GET", "/Patient"), ("GET", "/Observation"), ("GET", "/Observation/1")],
        ),
        (
            "$everything",
            &[("GET", "/Patient/1/$everything"), ("GET", "/Patient/1/%24everything")],
            &[("GET", "/Patient/1"), ("GET", "/$export")],
        ),
        ("Patient.c", &[("POST", "/Patient")], &[("PUT", "/Patient/1"), ("GET", "/metadata")]),
        // What refers to a resource that is deleted may be of any type.
        (
            "Observation.d",
            &[("DELETE", "/Patient/1?_cascade=delete"), ("DELETE", "/Observation/1")],
            &[("DELETE", "/Patient/1")],
        ),
    ] {
        let server = server([on([target]).acr([MFA])]).await;
        for (method, path) in challenged {
            let reply = ask(&server, method, path, weak(&server)).await;
            let is_challenged = reply.challenge().contains("insufficient_user_authentication");
            assert!(reply.status == 401 && is_challenged, "{target}: {method} {path}: {reply:#?}");
            let reply = ask(&server, method, path, strong(&server)).await;
            assert_eq!(reply.status, 200, "{target}: {method} {path}: {reply:#?}");
        }
        for (method, path) in passing {
            let reply = ask(&server, method, path, weak(&server)).await;
            assert_eq!(reply.status, 200, "{target}: {method} {path}: {reply:#?}");
        }
    }
}

#[tokio::test]
async fn a_cascading_deletion_by_a_header_counts_as_one_of_every_type() {
    let server = server([on(["Observation.d"]).acr([MFA])]).await;
    for (header, status) in [("x-cascade", 401), ("x-other", 200)] {
        let request = http::Request::delete("/r4/Patient/1").header(header, "delete");
        let token = weak(&server).sign().unwrap();
        let reply = server.send(request.header("authorization", format!("Bearer {token}"))).await;
        assert_eq!(reply.status, status, "{header}: {reply:#?}");
    }
}

#[test]
fn targets_are_written_in_one_way() {
    for good in ["Patient.d", "*.c", "$export", "$member-match"] {
        let _ = StepUp::on([good]).unwrap();
    }
    for bad in [
        "",
        "Patient",
        "Patient.",
        ".d",
        "Patient.x",
        "Patient.D",
        "Patient.cruds",
        "Patient.ud",
        "Patient.read",
        "Patient.write",
        "Patient.*",
        "*.read",
        "*",
        "$",
        "$a b",
        "Patient/1",
        "patient/Patient.r",
    ] {
        assert!(StepUp::on([bad]).is_err(), "{bad}");
    }
    let none: [&str; 0] = [];
    assert!(StepUp::on(none).is_err());
}
