//! `metadata` through the gateway: asked for once for everybody, and by whoever was judged with their token.

use crate::careless_server::Careless;
use crate::gateway::{Gateway, json_of, text};

fn of_metadata(careless: &Careless) -> Vec<bool> {
    let asked = careless.asked().into_iter().filter(|one| one.line.contains("/metadata"));
    asked.map(|one| one.headers.contains_key("authorization")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_ask_for_metadata_at_once_are_one_question_to_the_server_behind() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "").await;
    let ask = || async {
        json_of(gateway.client.get(gateway.server.url("/metadata")).send().await.unwrap()).await
    };
    let (one, two, three, four) = tokio::join!(ask(), ask(), ask(), ask());
    assert!(one == two && three == four && one == three, "{one}");
    assert_eq!(of_metadata(&careless), [false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_judged_goes_on_with_metadata_and_no_other() {
    let careless = Careless::start().await;
    let relayed = "confine = \"upstream\"\nauthorization = \"relay\"";
    for (public, sections, is_relayed) in [
        ("public = []", relayed, true),
        (
            "public = []",
            "confine = \"upstream\"\nheaders = { issuer = \"x-issuer\", patient = \"x-patient\", scopes = \"x-scopes\" }",
            false,
        ),
        ("", relayed, false),
    ] {
        let file = |issuer: &_| format!("{public}\n{}", text(issuer, &careless.base, sections));
        let gateway = Gateway::by_file(file, &[]).await;
        let before = of_metadata(&careless).len();
        for _ in 0..2 {
            let answer = gateway.get("system/*.cruds", "/metadata").await;
            assert_eq!(
                answer.status(),
                200,
                "{public} {sections}: {}",
                answer.text().await.unwrap()
            );
        }
        let asked = of_metadata(&careless).split_off(before);
        // What somebody is told by name is nobody else's.
        let expected = if public.is_empty() { 1 } else { 2 };
        assert_eq!(asked, vec![is_relayed; expected], "{public} {sections}");
    }
}
