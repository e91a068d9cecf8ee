//! Two servers with the same data give equal answers: the example whose handlers enforce what was granted,
//! and the gateway before the same example without any enforcement.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::marks::marks_in;
use crate::requests::Request;
use crate::wire::Reply;

/// A class of differences that are meant.
struct Exception {
    name: &'static str,
    reason: &'static str,
    applies: fn(&Request, &Reply, &Reply) -> bool,
}

/// Each with the sentence that allows it.
const EXCEPTIONS: [Exception; 11] = [
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
            let says_so =
                request.method == "HEAD" || theirs.reason().contains("not limited to the patient");
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
        reason: "of an instance that is hidden or absent nothing is found: 404 as for itself, where the example \
                 finds nothing in it, too",
        applies: |request, ours, theirs| {
            let finds_nothing = matches!(ours.status, 200 | 400) && ours.resources().is_empty();
            request.kind == "compartment" && theirs.status == 404 && finds_nothing
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
    Exception {
        name: "a version that was deleted",
        reason: "it would have to be judged by the one before it; the gateway says 404 of it, and 410 of the instance",
        applies: |request, ours, theirs| {
            request.kind == "version" && (ours.status, theirs.status) == (410, 404)
        },
    },
    Exception {
        name: "what comes back of a change",
        reason: "the example knows `return=minimal` of single changes alone; R4 section 3.1.0.1.7.2 has it of \
                 transactions, too, and OperationOutcome",
        applies: |request, ours, theirs| {
            let prefers = |what| request.headers.contains(&("prefer", format!("return={what}")));
            let is_unknown =
                prefers("OperationOutcome") || (prefers("minimal") && request.path.is_empty());
            let of = |reply| shown(std::slice::from_ref(reply));
            let is_made = |reply: &Reply| reply.status < 300;
            is_unknown
                && is_made(ours)
                && is_made(theirs)
                && statuses(ours) == statuses(theirs)
                && of(theirs).is_subset(&of(ours))
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
    if statuses(first) != statuses(other) {
        return Some(format!("entries: {:?} / {:?}", statuses(first), statuses(other)));
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

/// A transaction that is refused for the sake of several entries, of which each server names the first that it
/// comes to.
pub(crate) const ANOTHER_ENTRY: &str =
    "another entry: of a transaction with several entries that are refused, one is named";

/// Reports whether the entries of a transaction that was refused are refused alike, and more than one of them,
/// as they are in a batch.
pub(crate) fn are_refused_alike(ours: &Reply, theirs: &Reply) -> bool {
    let (ours, theirs) = (statuses(ours), statuses(theirs));
    ours == theirs && ours.iter().filter(|status| status.starts_with('4')).count() > 1
}

/// The statuses of the entries of a batch or a transaction.
fn statuses(reply: &Reply) -> Vec<String> {
    let is_answer = reply.body["type"].as_str().is_some_and(|kind| kind.ends_with("-response"));
    let entries = reply.body["entry"].as_array().filter(|_| is_answer).into_iter().flatten();
    let status = |entry: &Value| {
        entry["response"]["status"].as_str().unwrap_or("?").get(..3).map(str::to_owned)
    };
    entries.filter_map(status).collect()
}

/// The resources that are shown: by name, and by the marks in them. What a server has named itself has no name
/// that could be compared.
fn shown(replies: &[Reply]) -> BTreeSet<(String, Vec<String>)> {
    let resources = replies.iter().flat_map(Reply::resources).map(|(one, _)| one);
    let resources = resources.filter(|one| one["resourceType"] != "OperationOutcome");
    let of = |one: &Value| {
        let text = |name: &str| one[name].as_str().unwrap_or("?").to_owned();
        let id = text("id");
        let id = if id.len() > 30 { "made by the server".to_owned() } else { id };
        let marks = marks_in(&one.to_string()).map(str::to_owned).collect();
        (format!("{}/{id}", text("resourceType")), marks)
    };
    resources.map(of).collect()
}
