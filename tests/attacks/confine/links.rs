//! Sealed addresses: pages, Binaries and exports, in other hands, at another time, or made up.

use http::Response;
use http_body_util::Full;
use serde_json::json;

use super::world::{Got, OWN, Reply, Shot, World, bundle, fhir, keyed, observation, paged, start};
use crate::kit::{Attack, Pair, Refused};
use crate::support::BASE;

const NO_PAGE: Refused = Refused::Judged(404, "not-found", "there is no such page");
const NO_EXPORT: Refused = Refused::Judged(404, "not-found", "there is no such export");
const PAGES: &str = "contract 6: pages";
const EXPORTS: &str = "contract 6: exports";

pub(crate) fn attacks() -> Vec<Attack> {
    pages().into_iter().chain(exports()).collect()
}

/// A server with two pages of one's own, and an export of two files.
fn behind(asked: &super::world::Asked) -> Option<Reply> {
    let plain = |status: u16, text: String| {
        Response::builder().status(status).body(Full::from(text)).unwrap()
    };
    let file = |name: &str| json!({"type": name, "url": format!("{BASE}/Binary/{name}")});
    match asked.line.as_str() {
        "GET /r4?_page=2" => Some(fhir(&bundle(&[observation("1")]))),
        line if line.contains("/$export") && !line.contains("status") => {
            let mut begun = plain(202, String::new());
            let at = format!("{BASE}/$export-poll-status?_jobId=7").parse().unwrap();
            begun.headers_mut().insert("content-location", at);
            Some(begun)
        }
        line if line.starts_with("GET") && line.contains("$export-poll-status") => {
            let manifest = json!({"transactionTime": "2026-01-01T00:00:00Z", "error": [],
                "output": [file("Observation"), file("Condition")], "extension": {"x": "mark-of-1"}});
            Some(plain(200, manifest.to_string()))
        }
        line if line.contains("$export-poll-status") => Some(plain(202, String::new())),
        "GET /r4/Binary/Observation" => Some(plain(200, format!("{}\n", observation("1")))),
        line if line.starts_with("GET /r4/Observation") => {
            Some(fhir(&paged(&[observation("1")], &format!("{BASE}?_page=2"))))
        }
        _ => None,
    }
}

fn shot(below: impl Into<String>) -> Shot {
    Shot::get(below).before(behind)
}

/// The second page of a search.
async fn second(world: &World) -> String {
    world.got(&shot("/Observation")).await.next()
}

/// An attack on a page link: the twin follows it as it is.
fn on_page(
    name: &'static str,
    refused: Refused,
    attack: impl Fn(&World, String) -> Shot + Send + 'static,
) -> Attack {
    Attack::new(name, PAGES, move || async move {
        let world = start().await;
        let next = second(&world).await;
        let twin = world.got(&shot(next.clone())).await.answer();
        let attack = attack(&world, next);
        Pair::new(twin, world.got(&attack).await.answer(), refused)
    })
}

/// Changes the last character of a sealed address.
fn forged(address: &str) -> String {
    let (rest, last) = address.split_at(address.len() - 1);
    format!("{rest}{}", if last == "A" { "B" } else { "A" })
}

fn pages() -> Vec<Attack> {
    let mut attacks = vec![
        on_page("a page of another subject", NO_PAGE, |_, next| Shot {
            subject: "bela",
            ..shot(next)
        }),
        on_page("a page of the same subject for another patient", NO_PAGE, |_, next| Shot {
            patient: "2",
            ..shot(next)
        }),
        on_page("a page of another, by who may see everything", NO_PAGE, |_, next| Shot {
            subject: "bela",
            ..shot(next).holding("system/*.cruds")
        }),
        on_page("a page that was forged", NO_PAGE, |_, next| shot(forged(&next))),
        on_page("a page that is cut", NO_PAGE, |_, next| shot(next.split_at(next.len() - 4).0)),
        on_page("a page that is made up", NO_PAGE, |_, _| shot("/_pages/AAAA")),
        on_page("a page that has expired", NO_PAGE, |world, next| {
            world.clock.advance(3600);
            shot(next)
        }),
        on_page("a page as an export", NO_EXPORT, |_, next| {
            shot(next.replace("_pages", "_operations/export")).holding("system/*.rs")
        }),
        on_page("a page under a token for less", Refused::Access("Observation"), |_, next| {
            shot(next).holding("patient/Condition.rs")
        }),
        on_page("a page by POST", Refused::Address("but with GET"), |_, next| Shot {
            method: "POST",
            ..shot(next)
        }),
        on_page(
            "something below a page",
            Refused::Address("none has an address of this shape"),
            |_, next| shot(format!("{next}/Patient")),
        ),
    ];
    attacks.push(Attack::new("a page that another server has sealed", PAGES, || async {
        let (world, other) = (start().await, keyed(8).await);
        let next = second(&world).await;
        let theirs = second(&other).await;
        let twin = world.got(&shot(next)).await.answer();
        Pair::new(twin, world.got(&shot(theirs)).await.answer(), NO_PAGE)
    }));
    attacks.push(Attack::new("a page that has become another's", PAGES, || async {
        let world = start().await;
        let next = second(&world).await;
        let twin = world.got(&shot(next.clone())).await.answer();
        let moved = Shot::get(next).before(|_| Some(fhir(&bundle(&[observation("2")]))));
        Pair::new(twin, world.got(&moved).await.answer(), Refused::LeftOut)
    }));
    attacks
}

const ALL: &str = "system/Observation.rs";

fn export(below: impl Into<String>) -> Shot {
    Shot { subject: "app", ..shot(below).holding(ALL) }
}

/// The address of the status of an export, and that of its one file.
async fn exported(world: &World) -> (String, String) {
    let begun = world.got(&export("/$export")).await;
    let status = begun.headers["content-location"].to_str().unwrap();
    let status = status.strip_prefix(BASE).unwrap().to_owned();
    let manifest: Got = world.got(&export(status.clone())).await;
    assert!(!manifest.text.contains("mark"), "{manifest:?}");
    let manifest = manifest.json();
    let output = manifest["output"].as_array().unwrap();
    assert_eq!(output.len(), 1, "a file of a type that was not granted: {manifest}");
    let file = output[0]["url"].as_str().unwrap().strip_prefix(BASE).unwrap();
    (status, file.to_owned())
}

/// An attack on the file of an export, which its owner reads as the twin.
fn on_file(
    name: &'static str,
    refused: Refused,
    attack: impl Fn(&World, &str, &str) -> Shot + Send + 'static,
) -> Attack {
    Attack::new(name, EXPORTS, move || async move {
        let world = start().await;
        let (status, file) = exported(&world).await;
        let twin = world.got(&export(file.clone())).await.answer();
        let attack = attack(&world, &status, &file);
        Pair::new(twin, world.got(&attack).await.answer(), refused)
    })
}

fn exports() -> Vec<Attack> {
    let ended = |asked: &super::world::Asked| {
        let is_status = asked.line.contains("$export-poll-status");
        let gone = || Response::builder().status(404).body(Full::default()).unwrap();
        if is_status { Some(gone()) } else { behind(asked) }
    };
    let foreign = |asked: &super::world::Asked| {
        let lines = "{\"resourceType\":\"Condition\",\"id\":\"mark-of-2\"}\n";
        let is_file = asked.line.starts_with("GET /r4/Binary");
        if is_file { Some(Response::new(Full::from(lines))) } else { behind(asked) }
    };
    vec![
        on_file("a file of another owner", NO_EXPORT, |_, _, file| Shot {
            subject: "other",
            ..export(file)
        }),
        on_file("a file of another owner, by who may everything", NO_EXPORT, |_, _, file| Shot {
            subject: "other",
            ..export(file).holding("system/*.cruds")
        }),
        on_file("the status of another's export", NO_EXPORT, |_, status, _| Shot {
            subject: "other",
            ..export(status)
        }),
        on_file("the end of another's export", NO_EXPORT, |_, status, _| Shot {
            subject: "other",
            method: "DELETE",
            ..export(status)
        }),
        on_file("the end of an export by its file", NO_EXPORT, |_, _, file| Shot {
            method: "DELETE",
            ..export(file)
        }),
        on_file("a file that was forged", NO_EXPORT, |_, _, file| export(forged(file))),
        on_file("an export of the upstream server's own name", NO_EXPORT, |_, _, _| {
            export("/_operations/export/7")
        }),
        on_file("a file as a page", NO_PAGE, |_, _, file| {
            export(file.replace("_operations/export", "_pages"))
        }),
        on_file("a file after seven days", NO_EXPORT, |world, _, file| {
            world.clock.advance(7 * 24 * 60 * 60);
            export(file)
        }),
        on_file("a file of an export that was ended", NO_EXPORT, move |_, _, file| {
            export(file).before(ended)
        }),
        on_file("a file under a token for less", Refused::Access("Observation"), |_, _, file| {
            export(file).holding("system/Observation.r")
        }),
        on_file("lines of another type in a file", Refused::LeftOut, move |_, _, file| {
            export(file).before(foreign)
        }),
        on_file(
            "an export of more than was granted",
            Refused::Access("no scope of the token grants this"),
            |_, _, _| export("/$export?_type=Observation,Condition"),
        ),
        on_file(
            "an export by a filter of another type",
            Refused::Access("might reach types that are not exported"),
            |_, _, _| export("/$export?_typeFilter=Condition%3Fcode%3Dx"),
        ),
        on_file(
            "an export by a patient",
            Refused::Access("only unconstrained `system/` scopes export"),
            |_, _, _| export("/$export").holding(OWN),
        ),
        on_file(
            "an export of another patient",
            Refused::Access("the address names another"),
            |_, _, _| export("/Patient/2/$export").holding(OWN),
        ),
    ]
}
