//! Questions and answers.

use std::fmt::{Arguments, Debug};
use std::io::{Write, stdin, stdout};
use std::marker::PhantomData;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode, Uri};
use tokio::runtime;
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt};

use crate::Error;
use crate::clock::cpu_time;

/// How long keys may take to arrive.
const WARM_UP: Duration = Duration::from_secs(10);

/// Sets a contender up and answers the runner until it has no more questions.
///
/// Everything runs on this thread, the contender's own tasks too, and only while a question is
/// being answered.
///
/// # Errors
///
/// When the runner cannot be reached, asks what cannot be understood, or the good token of a batch
/// is refused.
pub fn answer_the_runner<S, B, R>(
    contender: impl Future<Output = Result<S, Error>>,
) -> Result<(), Error>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Debug,
    B: Default,
{
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let mut exchange = match runtime.block_on(contender) {
        Ok(contender) => Exchange { contender, body: PhantomData },
        Err(error) => return say(format_args!("failed\t{}", one_line(&error.to_string()))),
    };
    say(format_args!("ready"))?;
    for question in stdin().lines() {
        let answer = runtime.block_on(exchange.answer(&question?))?;
        say(format_args!("{answer}"))?;
    }
    Ok(())
}

fn say(line: Arguments<'_>) -> Result<(), Error> {
    let mut out = stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

struct Exchange<S, B> {
    contender: S,
    body: PhantomData<fn() -> B>,
}

impl<S, B, R> Exchange<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Debug,
    B: Default,
{
    async fn answer(&mut self, question: &str) -> Result<String, Error> {
        let mut fields = question.split('\t');
        match (fields.next(), fields.collect::<Vec<_>>().as_slice()) {
            (Some("warm"), [authorization]) => self.warm(authorization).await,
            (Some("batch"), [requests, authorization]) => {
                self.batch(requests.parse()?, authorization).await
            }
            (Some("probe"), authorizations) => self.probe(authorizations).await,
            _ => Err(format!("no such question: {question}").into()),
        }
    }

    async fn warm(&mut self, authorization: &str) -> Result<String, Error> {
        let header = HeaderValue::try_from(authorization)?;
        let end = Instant::now() + WARM_UP;
        loop {
            let status = self.call([&header]).await.status();
            if status == StatusCode::OK || Instant::now() > end {
                return Ok(status.as_str().to_owned());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn batch(&mut self, requests: u32, authorization: &str) -> Result<String, Error> {
        let header = HeaderValue::try_from(authorization)?;
        let before = cpu_time();
        for _ in 0..requests {
            let status = self.call([&header]).await.status();
            if status != StatusCode::OK {
                return Err(format!("the good token was answered with {status}").into());
            }
        }
        Ok((cpu_time() - before).as_nanos().to_string())
    }

    async fn probe(&mut self, authorizations: &[&str]) -> Result<String, Error> {
        let headers = authorizations
            .iter()
            .map(|authorization| HeaderValue::try_from(*authorization))
            .collect::<Result<Vec<_>, _>>()?;
        let response = self.call(&headers).await;
        let challenge = response.headers().get(WWW_AUTHENTICATE).map(HeaderValue::as_bytes);
        let challenge = String::from_utf8_lossy(challenge.unwrap_or_default());
        Ok(format!("{}\t{}", response.status().as_str(), one_line(&challenge)))
    }

    /// Sends a request made as a server makes it: address and header point into what was read.
    async fn call<'a>(
        &mut self,
        authorizations: impl IntoIterator<Item = &'a HeaderValue>,
    ) -> Response<R> {
        let mut request = Request::new(B::default());
        *request.uri_mut() = Uri::from_static("/r4/Patient/1");
        for authorization in authorizations {
            request.headers_mut().append(AUTHORIZATION, authorization.clone());
        }
        let ready = self.contender.ready().await.expect("the inner service is always ready");
        ready.call(request).await.expect("the inner service never fails")
    }
}
