//! The rounds: every server that has proved itself, one shortly after the other, many times over
//! and in turning order, so that what else the machine does falls on all of them.

use anyhow::{Context, Result, ensure};
use kit::{Trust, median};

use crate::load::{self, Slice};
use crate::options::Options;
use crate::proof::{Proof, Tokens, prove};
use crate::servers::{Running, Server};

/// A server with what was found, or why nothing was.
pub(crate) struct Row {
    pub(crate) server: Server,
    pub(crate) outcome: Result<Contender>,
}

/// A server that has proved itself. It runs until this is dropped.
pub(crate) struct Contender {
    pub(crate) version: String,
    pub(crate) proof: Proof,
    running: Running,
    slices: Vec<Slice>,
}

pub(crate) fn all(options: &Options, trust: &Trust, tokens: &Tokens) -> Result<Vec<Row>> {
    let wanted: Vec<Server> = options.servers();
    ensure!(!wanted.is_empty(), "no server has `{}` in its name", options.only);
    let mut rows = Vec::new();
    for server in wanted {
        eprintln!("starting {}", server.name());
        let outcome = excuse(server, Contender::start(server, trust, tokens, options))?;
        rows.push(Row { server, outcome });
    }
    for round in 0..options.rounds {
        let turn = round % rows.len();
        let (late, early) = rows.split_at_mut(turn);
        for row in early.iter_mut().chain(late) {
            if let Ok(contender) = &mut row.outcome {
                let loaded = contender.load(tokens, options).context("under load");
                if let Err(error) = excuse(row.server, loaded)? {
                    row.outcome = Err(error);
                }
            }
        }
        eprintln!("round {} of {} is over", round + 1, options.rounds);
    }
    Ok(rows)
}

/// Others may fail, which is reported. What this program is itself has no excuse.
fn excuse<T>(server: Server, result: Result<T>) -> Result<Result<T>> {
    match result {
        Err(error) if matches!(server, Server::Axum(_)) => Err(error.context(server.name())),
        other => Ok(other),
    }
}

impl Contender {
    fn start(server: Server, trust: &Trust, tokens: &Tokens, options: &Options) -> Result<Self> {
        let version = server.version()?;
        let mut running = server.start(trust)?;
        let proof = prove(&mut running, tokens, server.checks())?;
        load::warm_up(&running, &tokens.good, options.connections).context("under load")?;
        Ok(Self { version, proof, running, slices: Vec::new() })
    }

    fn load(&mut self, tokens: &Tokens, options: &Options) -> Result<()> {
        let Options { connections, slice, .. } = *options;
        self.slices.push(load::run(&self.running, &tokens.good, connections, slice)?);
        Ok(())
    }

    /// Requests in a second.
    pub(crate) fn rate(&self) -> f64 {
        median(self.slices.iter().map(Slice::rate).collect())
    }

    /// CPU time of the server for a request, in microseconds.
    pub(crate) fn cpu(&self) -> f64 {
        median(self.slices.iter().map(Slice::cpu).collect())
    }

    /// That of it which is what the server asks.
    pub(crate) fn cpu_of_helper(&self) -> f64 {
        median(self.slices.iter().map(Slice::cpu_of_helper).collect())
    }

    /// How many times the CPU time of another server, round by round.
    pub(crate) fn cpu_over(&self, other: &Self) -> f64 {
        self.beside(other, |own, others| own / others)
    }

    /// How much more CPU time than another server, round by round, in microseconds.
    pub(crate) fn cpu_beyond(&self, other: &Self) -> f64 {
        self.beside(other, |own, others| own - others)
    }

    fn beside(&self, other: &Self, compare: fn(f64, f64) -> f64) -> f64 {
        let rounds = self.slices.iter().zip(&other.slices);
        median(rounds.map(|(own, others)| compare(own.cpu(), others.cpu())).collect())
    }

    /// A quantile of the latencies of all rounds, in milliseconds.
    pub(crate) fn latency(&self, quantile: f64) -> Result<f64> {
        let mut all = load::latencies()?;
        for slice in &self.slices {
            all.add(&slice.latencies)?;
        }
        Ok(load::milliseconds(all.value_at_quantile(quantile)))
    }
}
