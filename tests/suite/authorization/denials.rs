//! Denials: what they name as missing, and how two of them become one.

use tower_fhir_auth::explanation::Requirement;
use tower_fhir_auth::{Authorizer, Denial, Enforcement, authorize_fn};

use crate::support::Server;

fn roles(names: &[&str]) -> Requirement {
    Requirement::Roles(names.iter().map(|&name| name.to_owned()).collect())
}

fn scopes(names: &[&str]) -> Requirement {
    Requirement::Scopes(names.iter().map(|&name| name.to_owned()).collect())
}

fn words(text: &str) -> Requirement {
    Requirement::Other(text.to_owned())
}

#[test]
fn words_are_a_requirement_only_where_nothing_else_is() {
    let denial = || Denial::new("closed");
    for (denial, expected) in [
        (denial().with_expected("06:00 to 22:00"), vec![words("06:00 to 22:00")]),
        (denial().with_expected("once").with_expected("again"), vec![words("again")]),
        (denial().with_expected(""), vec![]),
        (denial().with_expected("a").required_scopes(["s"]), vec![scopes(&["s"])]),
        (denial().required_scopes(["s"]).with_expected("a"), vec![scopes(&["s"])]),
        (
            denial().required_scopes(["s"]).required_roles(["r"]),
            vec![scopes(&["s"]), roles(&["r"])],
        ),
        // An empty list names nothing, and takes nothing away.
        (denial().with_expected("a").required_scopes([""; 0]), vec![words("a")]),
        (denial().with_expected("a").required_roles([""; 0]), vec![words("a")]),
        (denial().required_roles([""; 0]), vec![]),
    ] {
        assert_eq!(denial.requirements(), expected, "{denial:?}");
    }
}

#[test]
fn a_denial_reads_as_its_summary_alone() {
    let denial = Denial::new("closed").with_found("night").with_expected("day");
    assert_eq!(denial.required_scopes(["s"]).to_string(), "closed");
}

#[test]
fn of_two_denials_scopes_are_named_that_are_enough() {
    let (one, other) = (Denial::new("one").required_scopes(["a"]), Denial::new("other"));
    let named = |denial: Denial| denial.scopes().map(str::to_owned).collect::<Vec<_>>();
    assert!(named(one.clone().and(other.clone())).is_empty());
    assert!(named(other.clone().and(one.clone())).is_empty());
    assert_eq!(named(one.clone().or(other.clone())), ["a"]);
    assert_eq!(named(other.or(one.clone())), ["a"]);
    let more = Denial::new("more").required_scopes(["a", "b"]);
    assert_eq!(named(one.clone().and(more.clone())), ["a", "b"]);
    assert_eq!(named(one.or(more)), ["a"]);
}

#[test]
fn requirements_of_both_are_named_only_where_both_have_some() {
    let (one, other) = (Denial::new("one").required_roles(["a"]), Denial::new("other"));
    assert!(one.clone().and(other.clone()).requirements().is_empty());
    assert!(other.clone().and(one.clone()).requirements().is_empty());
    assert_eq!(one.clone().or(other).requirements(), [roles(&["a"])]);
    let more = Denial::new("more").required_roles(["b"]);
    assert_eq!(one.and(more).requirements(), [roles(&["a"]), roles(&["b"])]);
}

#[tokio::test]
async fn what_two_denials_have_in_common_is_told_once() {
    let rule = |summary: &'static str| {
        authorize_fn(move |_| Err(Denial::new(summary).with_found("night").with_expected("day")))
    };
    for rule in [rule("one").or(rule("two")).boxed(), rule("one").and(rule("two")).boxed()] {
        let server = Server::authorizing(std::sync::Arc::<dyn Authorizer>::from(rule)).await;
        let reply = server.get(server.token()).await;
        assert!(reply.body.contains("one; and two"), "{}", reply.body);
        assert_eq!(reply.body.matches("night").count(), 1, "{}", reply.body);
        assert_eq!(reply.body.matches("day").count(), 1, "{}", reply.body);
    }
}

#[test]
fn what_handlers_enforce_is_told_by_name() {
    assert_eq!(Enforcement::empty().to_string(), "nothing");
    assert_eq!((Enforcement::JOBS | Enforcement::PAGES).to_string(), "job ownership, pages");
    assert_eq!(format!("{:?}", Enforcement::PAGES), "Enforcement(pages)");
}
