//! Two servers with the same data give equal answers: the example whose handlers enforce what was granted,
//! and the gateway before the same example without any enforcement.

use std::collections::BTreeSet;

use crate::data::marks_in;
use crate::requests::Request;
use crate::wire::Reply;

/// A class of differences that are meant.
struct Exception {
    name: &'static str,
    reason: &'static str,
    applies: fn(&Request, &Reply, &Reply) -> bool,
}

/// Each with the sentence that allows it.
const EXCEPTIONS: [Exception; 9] = [
    Exception {
        name: "a count",
        reason: "`_summary=count` is answered only where the narrowed search is exact, else it is 400",
        applies: |request, _, theirs| theirs.status == 400 && request.asks_for("_summary=count"),
    },
    Exception {
        name: "the form of the answer",
        reason: "the example has none of these parameters; the gateway, which needs whole resources, leaves them out",
        applies: |request, ours, theirs| {
            let forms = ["_summary", "_elements", "_total"];
            (ours.status, theirs.status) == (400, 200)
                && forms.iter().any(|one| request.asks_for(one))
        },
    },
    Exception {
        name: "what cannot be evaluated",
        reason: "what looks into other resources, and what R4 does not define, is 403 to confined tokens; the example \
                 has no such parameters, and answers 400",
        applies: |_, ours, theirs| (ours.status, theirs.status) == (400, 403),
    },
    Exception {
        name: "somebody else",
        reason: "how many pages a server has of another patient would tell how much there is of that patient",
        applies: |request, ours, theirs| {
            let says_so = request.method == "HEAD" || theirs.reason().contains("somebody else");
            (ours.status, theirs.status) == (200, 403) && says_so
        },
    },
    Exception {
        name: "XML",
        reason: "an answer that is judged is JSON",
        applies: |request, _, theirs| theirs.status == 406 && request.asks_for("_format=xml"),
    },
    Exception {
        name: "pages of the example",
        reason: "`_offset` is what the example's own links have; R4 does not define it",
        applies: |request, _, theirs| theirs.status == 403 && request.asks_for("_offset"),
    },
    Exception {
        name: "a compartment of nothing",
        reason: "of an Encounter that is hidden or absent nothing is found: 404 as for itself, where the example \
                 finds nothing in it, too",
        applies: |request, ours, theirs| {
            let is_of_encounter = request.path.starts_with("/Encounter/");
            theirs.status == 404
                && matches!(ours.status, 200 | 400)
                && is_of_encounter
                && ours.resources().is_empty()
        },
    },
    Exception {
        name: "a history as of a time",
        reason: "the example has no `_at`, and says so before or after it looks for the instance",
        applies: |request, ours, theirs| {
            request.asks_for("_at") && theirs.status == 400 && matches!(ours.status, 404 | 403)
        },
    },
    Exception {
        name: "sealed pages",
        reason: "the example has none, and says so by its code; both are 404",
        applies: |request, ours, theirs| {
            (ours.status, theirs.status) == (404, 404) && request.path.starts_with("/_pages/")
        },
    },
];

/// How the answers of the enforcing server and of the gateway differ.
pub(crate) fn difference(ours: &[Reply], theirs: &[Reply]) -> Option<String> {
    let (Some(first), Some(other)) = (ours.first(), theirs.first()) else { return None };
    if first.status != other.status {
        return Some(format!("{} / {}", first.reason(), other.reason()));
    }
    if first.status >= 400 && first.code() != other.code() {
        return Some(format!("{} / {}", first.reason(), other.reason()));
    }
    let (ours, theirs) = (shown(ours), shown(theirs));
    if ours == theirs {
        return None;
    }
    let more: Vec<_> = ours.difference(&theirs).take(3).collect();
    let less: Vec<_> = theirs.difference(&ours).take(3).collect();
    Some(format!(
        "{} and {} resources: the handlers alone show {more:?}, the gateway alone {less:?}",
        ours.len(),
        theirs.len()
    ))
}

/// The class of a difference and the reason for it, if it is meant.
pub(crate) fn excepted(request: &Request, ours: &Reply, theirs: &Reply) -> Option<String> {
    let found = EXCEPTIONS.iter().find(|one| (one.applies)(request, ours, theirs));
    found.map(|one| format!("{}: {}", one.name, one.reason))
}

/// The resources that are shown: by name, and by the marks in them.
fn shown(replies: &[Reply]) -> BTreeSet<(String, Vec<String>)> {
    let resources = replies
        .iter()
        .flat_map(Reply::resources)
        .filter(|(one, _)| one["resourceType"] != "OperationOutcome");
    resources
        .map(|(one, _)| {
            let text = one.to_string();
            let name = format!(
                "{}/{}",
                one["resourceType"].as_str().unwrap_or("?"),
                one["id"].as_str().unwrap_or("?")
            );
            (name, marks_in(&text).map(str::to_owned).collect())
        })
        .collect()
}
