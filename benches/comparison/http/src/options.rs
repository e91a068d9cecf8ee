//! The command line.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lexopt::prelude::*;

use crate::servers::Server;
use crate::servers::axum::Task;

/// What this program is asked to be.
pub(crate) enum Command {
    /// The comparison.
    Compare(Options),
    /// One of the servers that are compared: the comparison starts itself anew for each.
    Serve(Box<Task>),
}

/// How to compare.
pub(crate) struct Options {
    pub(crate) rounds: usize,
    /// How long each server is loaded in each round.
    pub(crate) slice: Duration,
    /// How many ask at once. Each keeps its connection.
    pub(crate) connections: usize,
    pub(crate) write: bool,
    /// Whether it is about proxies that ask for decisions.
    pub(crate) decisions: bool,
    /// Part of the names of the servers that are wanted.
    pub(crate) only: String,
}

impl Options {
    pub(crate) fn servers(&self) -> Vec<Server> {
        let all: &[Server] = if self.decisions { &Server::DECISIONS } else { &Server::ALL };
        all.iter().copied().filter(|server| server.name().contains(&self.only)).collect()
    }
}

pub(crate) fn command() -> Result<Command> {
    let mut options = Options {
        rounds: 40,
        slice: Duration::from_millis(250),
        // As many as common load generators open unless told otherwise (hey, oha).
        connections: 50,
        write: false,
        decisions: false,
        only: String::new(),
    };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("serve") => {
                let task = arguments.value()?.string()?;
                return serde_json::from_str(&task).context("--serve").map(Command::Serve);
            }
            Long("rounds") => options.rounds = arguments.value()?.parse()?,
            Long("slice") => options.slice = Duration::from_millis(arguments.value()?.parse()?),
            Long("connections") => options.connections = arguments.value()?.parse()?,
            Long("write") => options.write = true,
            Long("decisions") => options.decisions = true,
            Long("only") => options.only = arguments.value()?.string()?,
            _ => return Err(argument.unexpected().into()),
        }
    }
    ensure!((1..=100).contains(&options.rounds), "--rounds is 1 to 100");
    ensure!((100..=60_000).contains(&options.slice.as_millis()), "--slice is 100 to 60000");
    ensure!((1..=400).contains(&options.connections), "--connections is 1 to 400");
    ensure!(!options.write || options.only.is_empty(), "--write is for all servers");
    Ok(Command::Compare(options))
}
