//! The authorization endpoint: somebody chooses who to be, and the page gets a code (RFC 6749 section 4.1,
//! RFC 7636, RFC 9207). There is one public client with one address, and PKCE by S256 alone.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use axum::http::{HeaderName, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Issuer;
use super::clients::{CLIENTS, Client, PAGE};
use super::grants::Grant;

const SIGN_IN: &str = include_str!("sign_in.html");

/// Parameters of an authorization request. One that comes twice is refused before it gets here.
#[derive(Deserialize)]
pub(super) struct Request {
    client_id: Option<String>,
    redirect_uri: Option<String>,
    response_type: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    /// RFC 8707, or what SMART App Launch calls it.
    #[serde(alias = "aud")]
    resource: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Choice {
    person: String,
}

/// A refusal: told to the person, or to the page by its address.
enum Refusal {
    Told(&'static str),
    Sent(&'static str),
}

/// Shows who can sign in.
pub(super) async fn ask(
    State(issuer): State<Arc<Issuer>>,
    Query(request): Query<Request>,
) -> Response {
    match checked(&issuer, &request) {
        Ok(_) => {
            let page = SIGN_IN.replace("{{people}}", &people());
            with_headers(&issuer, Html(page)).into_response()
        }
        Err(refusal) => refused(&issuer, &request, &refusal),
    }
}

/// Sends whoever has chosen back to the page, with a code.
pub(super) async fn answer(
    State(issuer): State<Arc<Issuer>>,
    Query(request): Query<Request>,
    Form(choice): Form<Choice>,
) -> Response {
    let granted = checked(&issuer, &request).and_then(|challenge| {
        let person = Client::person(&choice.person).ok_or(Refusal::Sent("access_denied"))?;
        let scopes = granted(&request, person).ok_or(Refusal::Sent("invalid_scope"))?;
        let redirect_uri = issuer.page.clone();
        Ok(Grant { person, scopes, redirect_uri, challenge: challenge.to_owned() })
    });
    match granted {
        Ok(grant) => {
            let mut grants = issuer.grants.lock().unwrap_or_else(PoisonError::into_inner);
            let code = grants.add(grant, Instant::now());
            redirect(&issuer, &request, ("code", &code))
        }
        Err(refusal) => refused(&issuer, &request, &refusal),
    }
}

/// Returns the challenge of a request that can be granted.
fn checked<'r>(issuer: &Issuer, request: &'r Request) -> Result<&'r str, Refusal> {
    // Nobody is sent to an address that is not the client's (RFC 9700 section 4.1.3).
    if request.client_id.as_deref() != Some(PAGE) {
        return Err(Refusal::Told("There is no such application: `client_id`."));
    }
    if request.redirect_uri.as_deref() != Some(&issuer.page) {
        return Err(Refusal::Told("That is not the application's address: `redirect_uri`."));
    }
    if request.response_type.as_deref() != Some("code") {
        return Err(Refusal::Sent("unsupported_response_type"));
    }
    if request.code_challenge_method.as_deref() != Some("S256") {
        return Err(Refusal::Sent("invalid_request"));
    }
    if request.resource.as_ref().is_some_and(|resource| *resource != issuer.audience) {
        return Err(Refusal::Sent("invalid_target"));
    }
    // A SHA-256 in base64url.
    let is_challenge = |text: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        text.len() == 43 && text.bytes().all(allowed)
    };
    let challenge = request.code_challenge.as_deref().filter(is_challenge);
    challenge.ok_or(Refusal::Sent("invalid_request"))
}

/// The scopes that were asked for, as far as the person may have them; `None` if there are none.
fn granted(request: &Request, person: &Client) -> Option<Vec<String>> {
    let asked = request.scope.as_deref().unwrap_or_default();
    let may = |scope: &&str| *scope == super::clients::OFFLINE || person.scopes.contains(scope);
    let scopes: Vec<String> = asked.split(' ').filter(may).map(str::to_owned).collect();
    let grants = scopes.iter().any(|scope| scope != super::clients::OFFLINE);
    (grants || !person.roles.is_empty()).then_some(scopes)
}

fn refused(issuer: &Issuer, request: &Request, refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Told(text) => (StatusCode::BAD_REQUEST, *text).into_response(),
        Refusal::Sent(error) => redirect(issuer, request, ("error", error)),
    }
}

fn redirect(issuer: &Issuer, request: &Request, (name, value): (&str, &str)) -> Response {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(name, value);
    if let Some(state) = &request.state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", &issuer.url);
    let to = Redirect::to(&format!("{}?{}", issuer.page, query.finish()));
    with_headers(issuer, to).into_response()
}

/// No script, nothing of elsewhere, in no frame; and a form that leads back to the page.
fn with_headers<R>(issuer: &Issuer, response: R) -> ([(HeaderName, String); 3], R) {
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self' {}; base-uri 'none'; \
         frame-ancestors 'none'",
        issuer.page
    );
    let headers = [
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, "no-store".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (headers, response)
}

/// A button for each. What they are called has no character that HTML would read.
fn people() -> String {
    let button = |client: &Client| {
        let (name, what) = client.person?;
        Some(format!(
            "<li><button name=\"person\" value=\"{}\"><b>{name}</b> <span>{}</span></button></li>\n",
            client.id,
            what.replace('`', "")
        ))
    };
    CLIENTS.iter().filter_map(button).collect()
}
