//! An upstream server that has much to say, and takes much.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::net::TcpListener;

/// The bytes that stream.
pub(crate) const STREAMED: u64 = 1 << 30;

/// The bytes of a bundle, a little less than `max_body`.
pub(crate) const BIG: usize = (16 << 20) - (64 << 10);

/// Starts it, and returns its FHIR base.
pub(crate) async fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/fhir", listener.local_addr().unwrap());
    let bundle = Bytes::from(bundle(&base));
    let app = Router::new()
        .route(
            "/fhir/metadata",
            get(|| async { fhir("{\"resourceType\":\"CapabilityStatement\"}".into()) }),
        )
        .route("/fhir/Observation/o1", get(|| async { fhir(Body::from(observation(1))) }))
        .route("/fhir/Observation/public", get(|| async { fhir(Body::from(observation(1))) }))
        .route("/fhir/Observation/stream", get(|| async { fhir(Body::new(Parts(STREAMED))) }))
        .route("/fhir/Observation", get(move || async move { fhir(Body::from(bundle)) }))
        .route("/fhir/Observation", post(taken));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    base
}

async fn taken(mut body: Body) -> Response {
    while let Some(frame) = body.frame().await {
        frame.unwrap();
    }
    let mut response = fhir(Body::from("{}"));
    *response.status_mut() = http::StatusCode::CREATED;
    response
}

fn fhir(body: Body) -> Response {
    Response::builder().header("content-type", "application/fhir+json").body(body).unwrap()
}

/// A part of a document without an end, in which nothing is an address.
pub(crate) fn part() -> Bytes {
    Bytes::from(format!("{{\"div\":\"{}\"}}\n", "x".repeat(1000)).repeat(64))
}

/// So many bytes, part by part.
struct Parts(u64);

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        let part = part();
        let length = u64::try_from(part.len()).unwrap().min(self.0);
        self.0 -= length;
        Poll::Ready(Some(Ok(Frame::data(part.slice(..usize::try_from(length).unwrap())))))
    }
}

fn observation(number: usize) -> String {
    format!(
        "{{\"resourceType\":\"Observation\",\"id\":\"o{number}\",\"status\":\"final\",\
         \"subject\":{{\"reference\":\"Patient/1\"}},\"note\":[{{\"text\":\"{}\"}}],\"valueDecimal\":1.50}}",
        "x".repeat(800)
    )
}

/// A searchset with as many observations of patient 1 as it may have.
fn bundle(base: &str) -> String {
    let mut text = String::from("{\"resourceType\":\"Bundle\",\"type\":\"searchset\",\"entry\":[");
    for number in 1.. {
        if text.len() > BIG {
            break;
        }
        let separator = if number == 1 { "" } else { "," };
        let resource = observation(number);
        text += &format!(
            "{separator}{{\"fullUrl\":\"{base}/Observation/o{number}\",\"resource\":{resource}}}"
        );
    }
    text + "]}"
}
