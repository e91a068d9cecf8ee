//! All requests of a run, a few at a time, and its figures.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tower_fhir_auth::test_util::TestIssuer;

use crate::callers::Caller;
use crate::changes::Written;
use crate::data::Data;
use crate::equality::{ANOTHER_ENTRY, are_refused_alike, difference, excepted};
use crate::figures::Figures;
use crate::leaks::{Known, missing};
use crate::requests::Request;
use crate::servers::{Behind, Server};
use crate::wire::{Reply, Wire};

/// How many requests are under way at a time.
const AT_A_TIME: usize = 4;

pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// The numbers of the requests that are made: each one depends on the seed and its number alone, so that a run
    /// can be made in parts.
    pub(crate) numbers: Range<u64>,
    /// One request alone, which is told in full.
    pub(crate) only: Option<u64>,
    /// True if some requests change something, and all come one after the other.
    pub(crate) changes: bool,
}

struct World {
    data: Data,
    callers: Vec<Caller>,
    everybody: Caller,
    gateway: Wire,
    /// The example that enforces by its handlers.
    enforcing: Option<Wire>,
    behind: String,
    figures: Mutex<Figures>,
    tells: bool,
    changes: bool,
    /// The patients who may see what changes have written, by its marks.
    written: Mutex<Written>,
}

/// Runs requests by confined tokens through the gateway before a server: nothing leaks, and nothing is missing.
pub(crate) async fn behind(behind: &Behind, name: &str, plan: &Plan) -> bool {
    let issuer = TestIssuer::start().await.unwrap();
    let server = match Server::unprotected(behind) {
        Ok(server) => server,
        Err(why) => {
            println!("{name}: NOT RUN, {why}");
            return true;
        }
    };
    let (data, everybody) = (Data::new(), Caller::of_everything(&issuer));
    server.load(&data, "nobody").await;
    let gateway = Server::gateway(&issuer, &server).await;
    let world = World {
        data,
        callers: Caller::confined(&issuer),
        everybody,
        gateway: gateway.wire.clone(),
        enforcing: None,
        behind: server.wire.base.clone(),
        figures: Mutex::default(),
        tells: plan.only.is_some(),
        changes: plan.changes,
        written: Mutex::default(),
    };
    all(world, plan, name).await
}

/// Runs requests at the example that enforces by its handlers, and through the gateway before the bare one.
pub(crate) async fn equality(plan: &Plan) -> bool {
    let issuer = TestIssuer::start().await.unwrap();
    let server = Server::unprotected(&Behind::Example).unwrap();
    let (data, everybody) = (Data::new(), Caller::of_everything(&issuer));
    server.load(&data, "nobody").await;
    let enforcing = Server::enforcing(&issuer).await;
    enforcing.load(&data, &everybody.token).await;
    let gateway = Server::gateway(&issuer, &server).await;
    let world = World {
        data,
        callers: Caller::confined(&issuer),
        everybody,
        gateway: gateway.wire.clone(),
        enforcing: Some(enforcing.wire.clone()),
        behind: server.wire.base.clone(),
        figures: Mutex::default(),
        tells: plan.only.is_some(),
        changes: plan.changes,
        written: Mutex::default(),
    };
    all(world, plan, if plan.changes { "equality, with changes" } else { "equality" }).await
}

async fn all(world: World, plan: &Plan, name: &str) -> bool {
    let start = Instant::now();
    let numbers = plan.only.map_or(plan.numbers.clone(), |only| only..only + 1);
    let (world, next) = (Arc::new(world), Arc::new(AtomicU64::new(numbers.start)));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..if plan.changes { 1 } else { AT_A_TIME } {
        let (world, next, seed) = (Arc::clone(&world), Arc::clone(&next), plan.seed);
        let numbers = numbers.clone();
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::SeqCst);
                if number >= numbers.end {
                    break;
                }
                world.one(seed, number).await;
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
    world.figures.lock().unwrap().report(name, plan, start.elapsed())
}

impl World {
    async fn one(&self, seed: u64, number: u64) {
        let request = Request::new((seed, number), &self.data, &self.callers, self.changes);
        self.written.lock().unwrap().note(&self.data, &request);
        let caller = &self.callers[request.caller];
        let replies = self.gateway.pages(&caller.token, &request).await;
        let mut wrong = Vec::new();
        for reply in &replies {
            let written = self.written.lock().unwrap();
            let known = Known {
                data: &self.data,
                written: self.changes.then_some(&*written),
                behind: &self.behind,
            };
            wrong.extend(known.leaks(caller, &request, reply));
        }
        wrong.extend(self.pages_serve_nobody_else(&request, &replies).await);
        let ours = match &self.enforcing {
            Some(enforcing) => Some(enforcing.pages(&caller.token, &request).await),
            None => None,
        };
        let mut granted = false;
        let mut class = None;
        if let Some(ours) = &ours {
            if let Some(difference) = difference(ours, &replies) {
                class = excepted(&request, &ours[0], &replies[0]);
                if class.is_none() && self.names_another_entry(&request, ours, &replies).await {
                    class = Some(ANOTHER_ENTRY.to_owned());
                }
                if class.is_none() {
                    wrong.push(format!("answers differ: {difference}"));
                }
            }
            granted = ours[0].status < 300;
        }
        let compared = !self.changes
            && request.method != "HEAD"
            && replies[0].status == 200
            && request.is_of_several()
            // It has a number alone, whatever a server that ignores the parameter shows to everybody.
            && !request.asks_for("_summary=count");
        if compared {
            let all = self.gateway.pages(&self.everybody.token, &request).await;
            wrong.extend(
                missing(&self.data, caller, &request, &replies, &all)
                    .into_iter()
                    .map(|name| format!("missing: {name}")),
            );
        }
        if self.tells {
            println!("{} {:?}\n{}", caller.scope, caller.patient, request.text());
            for reply in ours.iter().flatten().chain(&replies) {
                println!("--\n{} {}", reply.status, reply.all());
            }
        }
        self.count(number, &request, &replies, (wrong, granted, class, compared));
    }

    /// Reports whether a transaction is refused for the sake of another entry: in a batch its entries are answered
    /// alike.
    async fn names_another_entry(
        &self,
        request: &Request,
        ours: &[Reply],
        theirs: &[Reply],
    ) -> bool {
        let Some(enforcing) = self.enforcing.as_ref().filter(|_| request.kind == "transaction")
        else {
            return false;
        };
        let mut batch = request.clone();
        batch.body = request.body.as_ref().map(|body| body.replace("\"transaction\"", "\"batch\""));
        let token = &self.callers[request.caller].token;
        ours[0].status >= 400
            && theirs[0].status >= 400
            && are_refused_alike(
                &enforcing.pages(token, &batch).await[0],
                &self.gateway.pages(token, &batch).await[0],
            )
    }

    /// A page link is its caller's alone, as it is.
    async fn pages_serve_nobody_else(&self, request: &Request, replies: &[Reply]) -> Vec<String> {
        let Some(link) = replies.iter().flat_map(Reply::nexts).next() else { return Vec::new() };
        let link = link.as_str();
        let other = &self.callers[(request.caller + 1) % self.callers.len()];
        let forged = match link.strip_suffix('A') {
            Some(link) => format!("{link}B"),
            None => format!("{}A", link.split_at(link.len() - 1).0),
        };
        let (before, after) = link.split_at(link.len() / 2);
        let swapped = if after.starts_with('a') { "b" } else { "a" };
        let broken = format!("{before}{swapped}{}", after.split_at(1).1);
        let own = &self.callers[request.caller].token;
        let mut wrong = Vec::new();
        for (what, token, link) in
            [("other", &other.token, link), ("forged", own, &forged), ("broken", own, &broken)]
        {
            let status = self.gateway.get(token, link).await.status;
            if status != 404 && link.contains("/_pages/") && !(what == "forged" && status == 200) {
                wrong.push(format!("a page link serves, {what}: {status}"));
            }
        }
        wrong
    }

    fn count(
        &self,
        number: u64,
        request: &Request,
        replies: &[Reply],
        (wrong, granted, class, compared): (Vec<String>, bool, Option<String>, bool),
    ) {
        let mut figures = self.figures.lock().unwrap();
        figures.note(request, replies, granted);
        figures.compared += u64::from(compared);
        if let Some(class) = class {
            figures.note_meant(class);
        }
        if !wrong.is_empty() {
            let caller = &self.callers[request.caller];
            let who = format!("{} of {:?}", caller.scope, caller.patient);
            figures.note_failure(number, wrong, &who, request);
        }
        if figures.requests % 500 == 0 {
            eprintln!("{} requests", figures.requests);
        }
    }
}
