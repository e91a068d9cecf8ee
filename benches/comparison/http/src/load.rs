//! The load: connections that ask again as soon as they are answered, on a thread of their own.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::http::{Connection, request};
use crate::servers::Running;

/// Before each slice: connections are new.
const LEAD: Duration = Duration::from_millis(100);
/// Before the first slice: compilers at run time have their say.
const WARM_UP: Duration = Duration::from_secs(1);
/// What a server may take beyond its time before it counts as hanging.
const GRACE: Duration = Duration::from_secs(5);

/// What one load of a server has found.
pub(crate) struct Slice {
    elapsed: Duration,
    /// Of the server.
    cpu: Duration,
    /// Of what it asks, which is within it.
    of_helper: Duration,
    /// In nanoseconds.
    pub(crate) latencies: Histogram<u32>,
    requests: f64,
}

impl Slice {
    /// Requests in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.requests / self.elapsed.as_secs_f64()
    }

    /// CPU time for a request, in microseconds.
    pub(crate) fn cpu(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests
    }

    /// That of it which is what the server asks.
    pub(crate) fn cpu_of_helper(&self) -> f64 {
        self.of_helper.as_secs_f64() * 1e6 / self.requests
    }
}

pub(crate) fn warm_up(running: &Running, token: &str, connections: usize) -> Result<()> {
    run(running, token, connections, WARM_UP).map(drop)
}

/// Loads a server for a while.
pub(crate) fn run(
    running: &Running,
    token: &str,
    connections: usize,
    length: Duration,
) -> Result<Slice> {
    let work = load(running, token, connections, length);
    thread::scope(|scope| {
        let load = scope.spawn(|| on_this_thread(LEAD + length + GRACE, work));
        load.join().map_err(|_| anyhow!("the load has panicked"))?
    })
}

async fn load(
    running: &Running,
    token: &str,
    connections: usize,
    length: Duration,
) -> Result<Slice> {
    let bytes: Arc<[u8]> = request(running.port, token).into();
    let mut opened = Vec::new();
    for _ in 0..connections {
        opened.push(Connection::open(running.port).await?);
    }
    let start = Instant::now() + LEAD;
    let end = start + length;
    let mut asking = JoinSet::new();
    for connection in opened {
        asking.spawn(ask_until(end, start, connection, Arc::clone(&bytes)));
    }
    sleep_until(start).await;
    let (started, before) = (Instant::now(), cpu(running)?);
    sleep_until(end).await;
    let (elapsed, after) = (started.elapsed(), cpu(running)?);

    let mut latencies = latencies()?;
    while let Some(of_one) = asking.join_next().await {
        latencies.add(of_one??)?;
    }
    let requests = f64::from(u32::try_from(latencies.len())?);
    ensure!(requests > 0.0, "not one answer in {length:?}");
    let of_server = after.0.saturating_sub(before.0);
    let of_helper = after.1.saturating_sub(before.1);
    Ok(Slice { elapsed, cpu: of_server + of_helper, of_helper, latencies, requests })
}

/// The CPU times of a server and of what it asks.
fn cpu(running: &Running) -> Result<(Duration, Duration)> {
    let of_helper = running.helper.as_ref().map_or(Ok(Duration::ZERO), kit::Server::cpu);
    Ok((running.server.cpu()?, of_helper?))
}

/// Asks without a pause, and tells the latencies of answers from `start` on.
async fn ask_until(
    end: Instant,
    start: Instant,
    mut connection: Connection,
    request: Arc<[u8]>,
) -> Result<Histogram<u32>> {
    let mut latencies = latencies()?;
    let mut asked = Instant::now();
    while asked < end {
        let status = connection.ask(&request).await?;
        ensure!(status == 200, "the good token gets {status}");
        let answered = Instant::now();
        if answered >= start && answered < end {
            let latency = answered.duration_since(asked).as_nanos();
            latencies.saturating_record(u64::try_from(latency)?);
        }
        asked = answered;
    }
    Ok(latencies)
}

/// None yet.
pub(crate) fn latencies() -> Result<Histogram<u32>> {
    let longest = u64::try_from(GRACE.as_nanos())?;
    Ok(Histogram::new_with_bounds(1_000, longest, 3)?)
}

pub(crate) fn milliseconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64() * 1e3
}

/// Does something that waits for others, for so long at most.
pub(crate) fn on_this_thread<T>(
    longest: Duration,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async { timeout(longest, work).await });
    done.with_context(|| format!("nothing for {longest:?}"))?
}
