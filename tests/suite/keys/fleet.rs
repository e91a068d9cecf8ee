//! A thousand servers and one provider: how many ask at once after a rotation and after an
//! outage, and how long it takes until all of them have the new key. On simulated time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower_fhir_auth::keys::KeySettings;

use super::refresher::{Guarded, Mood, Provider, secs};

const SERVERS: usize = 1000;

/// The most loads that began within one second, of those since `since`.
fn peak(provider: &Provider, since: Instant) -> usize {
    let mut seconds: HashMap<u64, usize> = HashMap::new();
    for asked in provider.asked_at().into_iter().filter(|asked| *asked >= since) {
        *seconds.entry((asked - since).as_secs()).or_default() += 1;
    }
    seconds.into_values().max().unwrap_or(0)
}

async fn fleet(provider: &Arc<Provider>, refresh: Duration) -> Vec<Arc<Guarded>> {
    let settings = KeySettings::default().refresh(refresh);
    let start = || Arc::new(Guarded::with(Arc::clone(provider), settings.clone()));
    let servers: Vec<_> = (0..SERVERS).map(|_| start()).collect();
    for server in &servers {
        server.authenticator.ready().await;
    }
    servers
}

/// Each server gets its first token under the new key at some moment of `span`, and one every
/// second after it. Returns how long the last of them took to accept one, and how many tokens
/// were refused.
async fn traffic(servers: &[Arc<Guarded>], span: Duration) -> (Duration, usize) {
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for server in servers {
        let server = Arc::clone(server);
        let arrival = span.mul_f64(fastrand::f64());
        tasks.spawn(async move {
            sleep(arrival).await;
            let mut refused = 0;
            while server.good().await.is_err() {
                refused += 1;
                sleep(secs(1)).await;
            }
            (start.elapsed(), refused)
        });
    }
    let ends = tasks.join_all().await;
    let last = ends.iter().map(|(end, _)| *end).max().unwrap();
    (last, ends.iter().map(|(_, refused)| refused).sum())
}

#[tokio::test(start_paused = true)]
async fn a_thousand_servers_and_one_provider() {
    let provider = Provider::new(None);
    let servers = fleet(&provider, secs(3600)).await;
    // They were started together; after a day jitter has spread them.
    sleep(secs(24 * 3600)).await;
    let day = Instant::now();
    sleep(secs(3600)).await;
    let quiet = peak(&provider, day);
    println!("an ordinary hour: at most {quiet} loads in a second");
    assert!(quiet <= 10, "{quiet}");

    // A rotation, and traffic that brings the new key to each server within a minute.
    provider.rotate();
    let rotation = Instant::now();
    let (last, refused) = traffic(&servers, secs(60)).await;
    let after_rotation = peak(&provider, rotation);
    println!(
        "a rotation: at most {after_rotation} loads in a second, the last server after {last:?}, {refused} good tokens refused"
    );
    assert!(after_rotation <= 60 && last <= secs(61) && refused == 0);

    // An outage of ten minutes over which every server wants to refresh; then it is over.
    sleep(secs(60)).await;
    provider.mood(Mood::Fails);
    provider.rotate();
    sleep(secs(4200)).await;
    let outage = peak(&provider, Instant::now() - secs(600));
    provider.mood(Mood::Good);
    let recovery = Instant::now();
    sleep(secs(21)).await;
    let after_outage = peak(&provider, recovery);
    let (last, refused) = traffic(&servers, secs(1)).await;
    println!(
        "an outage: at most {outage} loads in a second; after it {after_outage}, all servers within 21 s"
    );
    assert!(outage <= 200 && after_outage <= 200, "{outage} {after_outage}");
    assert!(last <= secs(1) && refused == 0, "{last:?} {refused}");
}
