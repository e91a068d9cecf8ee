//! The costs of the gateway, in memory and in time, over loopback. Linux alone; bounded, and started by
//!
//! ```text
//! cargo build --release -p fhir-auth && cargo test --release --test gateway_costs
//! ```
//!
//! Each line is a figure with its bound. It fails when one is not kept:
//!
//! - memory that grows by no more than 32 MiB while 1 GiB streams each way,
//! - 100 answers of 16 MiB at once that are judged, within `max_buffered` and 128 MiB,
//! - instructions of a request that passes through, beside those of the same gateway that does not confine
//!   (`confine = "nobody"`, where only `metadata` is looked at within the layer that judges tokens): a twentieth more at
//!   most,
//! - instructions that a token adds to the proxying of the gateway, with both layers: no more than the layer that judges
//!   tokens adds to a bare proxy. From both is taken what a public path takes, where there is the proxying alone.
//!
//! Instructions are counted by valgrind, for a difference of two times would be that of two moments of the machine.
//!
//! What the gateway takes beside the least that a proxy can be, hyper's client and server and nothing else, is told, too,
//! in instructions and in processor time: time limits on both sides, the headers of a connection, accounts of what is
//! held, and addresses that are rewritten.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step of a measurement is a failed one"
)]

mod backend;
mod counted;
mod gateway;
mod proxy;

use std::fmt::{self, Display, Formatter};
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use self::backend::{BIG, STREAMED};
use self::gateway::{ConfinedBy, Gateway, MAX_BUFFERED, PUBLIC, Process, READ, plainly};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, upstream, issuer @ ..] = arguments.as_slice()
        && mode == "proxy"
    {
        proxy::serve(upstream, issuer.first().map(String::as_str)).await;
        return ExitCode::SUCCESS;
    }
    let backend = backend::start().await;
    let mut is_kept = true;
    let mut figure = |name: &str, found: f64, bound: f64, unit: &str| {
        println!("{name}: {found:.2} {unit}, bound {bound:.2}");
        is_kept &= found <= bound;
    };
    let streaming = Gateway::before(&backend).await;
    let (down, up) = streamed(&streaming).await;
    figure("growth while 1 GiB streams to a client", down, 32.0, "MiB");
    figure("growth while 1 GiB streams from a client", up, 32.0, "MiB");
    let judging = Gateway::before(&backend).await;
    let peak = judged(&judging).await;
    let bound = f64::from(u32::try_from(MAX_BUFFERED).unwrap() + 128);
    figure("peak while 100 answers of 16 MiB are judged", peak, bound, "MiB");
    if cfg!(debug_assertions) {
        println!("a request that passes through: not measured without optimisation");
    } else {
        println!("processor time of a request that passes through, in µs:");
        println!("{:.1}", passed_through(&backend).await);
        let counted = counted::instructions(&backend).await;
        println!("its instructions outside of the kernel:");
        println!("{counted:.0}");
        let Each { gateway, unconfined, public, guarded, guarded_public, .. } = counted;
        figure("what passes both layers, beside one", gateway / unconfined, 1.05, "times");
        let layer = guarded - guarded_public;
        figure("what a token adds to proxying", gateway - public, layer, "instructions");
    }
    if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn mib(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes >> 10).unwrap()) / 1024.0
}

/// What the gateway grows by while much streams to a client, and from one.
async fn streamed(gateway: &Gateway) -> (f64, f64) {
    let token = gateway.token("system/*.cruds");
    gateway.ask(&token, READ).await;
    let before = gateway.process.memory();
    let mut stream = TcpStream::connect(&gateway.host).await.unwrap();
    let head = gateway.head("GET", "/Observation/stream", &token, "");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut room = vec![0; 1 << 16];
    let mut received = 0;
    loop {
        let read = stream.read(&mut room).await.unwrap();
        if read == 0 {
            break;
        }
        received += u64::try_from(read).unwrap();
    }
    assert!(received > STREAMED, "{received}");
    let down = gateway.process.peak().saturating_sub(before);
    let before = gateway.process.peak();
    let mut stream = TcpStream::connect(&gateway.host).await.unwrap();
    let fields = format!("content-type: application/fhir+json\r\ncontent-length: {STREAMED}\r\n");
    let head = gateway.head("POST", "/Observation", &token, &fields);
    stream.write_all(head.as_bytes()).await.unwrap();
    let part = backend::part();
    let mut left = usize::try_from(STREAMED).unwrap();
    while left > 0 {
        let now = part.get(..left.min(part.len())).unwrap();
        stream.write_all(now).await.unwrap();
        left -= now.len();
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    (mib(down), mib(gateway.process.peak().saturating_sub(before)))
}

/// The peak while many large answers are judged at once, with clients that are slow to read.
async fn judged(gateway: &Gateway) -> f64 {
    let token = gateway.token("patient/*.rs");
    gateway.ask(&token, READ).await;
    let mut clients = JoinSet::new();
    for _ in 0..100 {
        let head = gateway.head("GET", "/Observation", &token, "");
        let host = gateway.host.clone();
        clients.spawn(async move {
            let mut stream = TcpStream::connect(&host).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut begun = [0; 12];
            stream.read_exact(&mut begun).await.unwrap();
            tokio::time::sleep(Duration::from_secs(3)).await;
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
            (begun, rest.len())
        });
    }
    let (mut whole, mut busy) = (0, 0);
    for (begun, length) in clients.join_all().await {
        match &begun {
            b"HTTP/1.1 200" => {
                assert!(length > BIG / 2, "{length}");
                whole += 1;
            }
            b"HTTP/1.1 503" => busy += 1,
            other => panic!("{}", String::from_utf8_lossy(other)),
        }
    }
    println!("of 100 answers {whole} were judged, {busy} were too many");
    assert!(whole > 0);
    mib(gateway.process.peak())
}

/// Figures of a request, by the program that proxies it.
struct Each {
    /// The gateway, by a token that passes through.
    gateway: f64,
    /// The gateway that does not confine, by that token.
    unconfined: f64,
    /// The gateway, on a path where nobody is judged.
    public: f64,
    /// A bare proxy with the layer around it that judges tokens.
    guarded: f64,
    /// That, on a path where nobody is judged.
    guarded_public: f64,
    /// That proxy alone.
    bare: f64,
}

impl Display for Each {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { gateway, unconfined, public, guarded, guarded_public, bare } = *self;
        let digits = formatter.precision().unwrap_or_default();
        write!(
            formatter,
            "{gateway:.digits$}, without what confines {unconfined:.digits$}, on a public path {public:.digits$}; \
             bare proxy {bare:.digits$}, with the layer {guarded:.digits$}, on a public path {guarded_public:.digits$}"
        )
    }
}

/// The processor time of a request in µs: medians of rounds in which all take turns.
async fn passed_through(backend: &str) -> Each {
    const ROUNDS: usize = 9;
    const REQUESTS: u32 = 4000;
    let gateway = Gateway::before(backend).await;
    let unconfined = Gateway::run_by(plainly, backend, ConfinedBy::Nobody).await;
    let (head, public) = (gateway.lasting_head(READ), gateway.lasting_head(PUBLIC));
    let head_of_unconfined = unconfined.lasting_head(READ);
    let (bare, bare_host) = Process::proxy(plainly, backend, None);
    let (guarded, guarded_host) = Process::proxy(plainly, backend, Some(gateway.issuer_url()));
    gateway::ready(&guarded_host, &head).await;
    let all = [
        (&gateway.process, &gateway.host, &head),
        (&unconfined.process, &unconfined.host, &head_of_unconfined),
        (&gateway.process, &gateway.host, &public),
        (&guarded, &guarded_host, &head),
        (&guarded, &guarded_host, &public),
        (&bare, &bare_host, &head),
    ];
    let mut took = [const { Vec::new() }; 6];
    for round in 0..=ROUNDS {
        for turn in 0..all.len() {
            let place = (round + turn) % all.len();
            let (process, host, head) = all[place];
            let one = cost(process, host, head, REQUESTS).await;
            // The first round warms up.
            if round > 0 {
                took[place].push(one);
            }
        }
    }
    let [gateway, unconfined, public, guarded, guarded_public, bare] = took.map(|mut took| {
        took.sort_by(f64::total_cmp);
        took[ROUNDS / 2]
    });
    Each { gateway, unconfined, public, guarded, guarded_public, bare }
}

/// The processor time of a request, in µs.
async fn cost(process: &Process, host: &str, head: &str, requests: u32) -> f64 {
    let before = process.processor_time();
    ask(host, head, requests).await;
    let took = process.processor_time() - before;
    took.as_secs_f64() * 1e6 / f64::from(requests)
}

/// Sends a request again and again on one connection.
async fn ask(host: &str, head: &str, requests: u32) {
    let mut stream = TcpStream::connect(host).await.unwrap();
    let mut room = vec![0; 1 << 16];
    for _ in 0..requests {
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") && !answer.ends_with(b"0\r\n\r\n") {
            let read = stream.read(&mut room).await.unwrap();
            assert!(read > 0);
            answer.extend_from_slice(room.get(..read).unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    }
}
