//! The token endpoint: `client_credentials` (RFC 6749 section 4.4) for programs, `authorization_code` and
//! `refresh_token` for the page.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::{Form, Json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::{Clock, SystemClock, UnixTime};
use tower_fhir_auth::test_util::TokenBuilder;

use super::Issuer;
use super::clients::{BACKEND, CLIENTS, Client, OFFLINE, PAGE, SECRET};
use super::grants::{Grant, Refreshed};

/// The lifetime of a token, in seconds, unless another time is asked for.
const LIFETIME: i64 = 300;

/// The longest that a token is of use: its lifetime, and the leeway of whoever accepts it.
pub(super) const LONGEST_LIFETIME: Duration = Duration::from_secs(LIFETIME.unsigned_abs() + 60);

#[derive(Deserialize)]
pub(super) struct TokenRequest {
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<String>,
    client_assertion_type: Option<String>,
    client_assertion: Option<String>,
    scope: Option<String>,
    /// RFC 8707
    resource: Option<String>,
    code: Option<String>,
    code_verifier: Option<String>,
    redirect_uri: Option<String>,
    refresh_token: Option<String>,
    /// The demo's own: seconds for which the token serves, to see one expire, or one that has expired.
    demo_lifetime: Option<i64>,
}

/// The content of a token.
struct Issued<'a> {
    client_id: &'a str,
    who: &'static Client,
    scope: String,
    audience: String,
    refresh_token: Option<String>,
}

type Answer = ([(HeaderName, &'static str); 1], Json<Value>);

pub(super) async fn token(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    Form(request): Form<TokenRequest>,
) -> Result<Answer, OAuthError> {
    let issued = match &*request.grant_type {
        "client_credentials" => by_credentials(&issuer, &headers, &request).await?,
        "authorization_code" => by_code(&issuer, &headers, &request)?,
        "refresh_token" => by_refresh_token(&issuer, &headers, &request)?,
        _ => return Err(OAuthError("unsupported_grant_type")),
    };
    let lifetime = request.demo_lifetime.unwrap_or(LIFETIME).clamp(-3600, LIFETIME);
    let token = sign(&issuer, &issued, lifetime).map_err(|_| OAuthError("server_error"))?;
    let mut answer = json!({
        "access_token": token, "token_type": "Bearer", "expires_in": lifetime, "scope": issued.scope,
    });
    // RFC 6749 section 5.1; the launch context of SMART App Launch 2.2.
    for (name, value) in
        [("refresh_token", issued.refresh_token.as_deref()), ("patient", issued.who.patient)]
    {
        if let (Some(value), Some(members)) = (value, answer.as_object_mut()) {
            members.insert(name.to_owned(), value.into());
        }
    }
    Ok(([(CACHE_CONTROL, "no-store")], Json(answer)))
}

fn sign(
    issuer: &Issuer,
    issued: &Issued<'_>,
    lifetime: i64,
) -> Result<String, tower_fhir_auth::test_util::TestUtilError> {
    let now = SystemClock.now().as_secs();
    let key = Arc::clone(&issuer.keys.read().unwrap_or_else(PoisonError::into_inner).current);
    // One that has expired was issued a lifetime before.
    let at = if lifetime < 0 { now + lifetime - LIFETIME } else { now };
    let scope = issued.scope.split(' ').filter(|scope| *scope != OFFLINE).collect::<Vec<_>>();
    TokenBuilder::new(&issuer.url, key, UnixTime::from_secs(at))
        .claim("sub", issued.who.id)
        .claim("client_id", issued.client_id)
        .claim("aud", &*issued.audience)
        .claim("exp", now + lifetime)
        .claim("scope", scope.join(" "))
        .claim("roles", issued.who.roles)
        .claim("patient", issued.who.patient)
        .claim("fhirUser", issued.who.fhir_user)
        .sign()
}

/// With `resource` of RFC 8707 for the audience.
async fn by_credentials(
    issuer: &Issuer,
    headers: &HeaderMap,
    request: &TokenRequest,
) -> Result<Issued<'static>, OAuthError> {
    let client = match &request.client_assertion {
        Some(_) => by_assertion(issuer, request).await,
        None => authenticate(headers, request),
    };
    let client = client.ok_or(OAuthError("invalid_client"))?;
    let scope = match &request.scope {
        // The first of a client's scopes is what it gets without asking for more.
        None => client.scopes.first().copied().unwrap_or_default().to_owned(),
        Some(scope) if scope.split(' ').all(|one| client.scopes.contains(&one)) => scope.clone(),
        Some(_) => return Err(OAuthError("invalid_scope")),
    };
    let audience = request.resource.clone().unwrap_or_else(|| issuer.audience.clone());
    Ok(Issued { client_id: client.id, who: client, scope, audience, refresh_token: None })
}

fn by_code(
    issuer: &Issuer,
    headers: &HeaderMap,
    request: &TokenRequest,
) -> Result<Issued<'static>, OAuthError> {
    is_the_page(headers, request)?;
    let (Some(code), Some(redirect_uri), Some(verifier)) =
        (&request.code, &request.redirect_uri, &request.code_verifier)
    else {
        return Err(OAuthError("invalid_request"));
    };
    let mut grants = issuer.grants.lock().unwrap_or_else(PoisonError::into_inner);
    let found = grants.exchange(code, (redirect_uri, verifier), Instant::now());
    let (grant, refresh_token) = found.ok_or(OAuthError("invalid_grant"))?;
    let scope = grant.scopes.join(" ");
    Ok(issued(issuer, &grant, scope, refresh_token))
}

/// A token with the scopes that were granted, or with fewer (RFC 6749 section 6).
fn by_refresh_token(
    issuer: &Issuer,
    headers: &HeaderMap,
    request: &TokenRequest,
) -> Result<Issued<'static>, OAuthError> {
    is_the_page(headers, request)?;
    let token = request.refresh_token.as_deref().ok_or(OAuthError("invalid_request"))?;
    let mut grants = issuer.grants.lock().unwrap_or_else(PoisonError::into_inner);
    let Refreshed { grant, scope, token } =
        grants.refresh(token, request.scope.as_deref(), Instant::now())?;
    Ok(issued(issuer, &grant, scope, Some(token)))
}

fn issued(
    issuer: &Issuer,
    grant: &Grant,
    scope: String,
    refresh_token: Option<String>,
) -> Issued<'static> {
    let audience = issuer.audience.clone();
    Issued { client_id: PAGE, who: grant.person, scope, audience, refresh_token }
}

/// A public client has nothing to authenticate by; one that tries is another (RFC 6749 section 3.2.1).
fn is_the_page(headers: &HeaderMap, request: &TokenRequest) -> Result<(), OAuthError> {
    let authenticates = headers.contains_key(AUTHORIZATION)
        || request.client_secret.is_some()
        || request.client_assertion.is_some();
    if authenticates || request.client_id.as_deref() != Some(PAGE) {
        return Err(OAuthError("invalid_client"));
    }
    Ok(())
}

/// `private_key_jwt` (RFC 7523, SMART Backend Services): an assertion is a token that the client
/// issues about itself, so that it is verified like one.
async fn by_assertion(issuer: &Issuer, request: &TokenRequest) -> Option<&'static Client> {
    let of_jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    request.client_assertion_type.as_deref().filter(|kind| *kind == of_jwt)?;
    let mut headers = HeaderMap::new();
    let bearer = format!("Bearer {}", request.client_assertion.as_deref()?);
    headers.insert(AUTHORIZATION, bearer.parse().ok()?);
    let caller = issuer.assertions.authenticate(&headers, &Uri::default()).await.ok()?;
    let subject = caller.subject().filter(|subject| *subject == caller.issuer())?;
    CLIENTS.iter().find(|client| client.id == subject)
}

/// By HTTP Basic, or by the fields of the form (RFC 6749 section 2.3.1).
fn authenticate(headers: &HeaderMap, request: &TokenRequest) -> Option<&'static Client> {
    let basic = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let basic = basic.and_then(|value| value.strip_prefix("Basic "));
    let (id, secret) = match basic {
        Some(encoded) => {
            let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
            let (id, secret) = decoded.split_once(':')?;
            (id.to_owned(), secret.to_owned())
        }
        None => (request.client_id.clone()?, request.client_secret.clone()?),
    };
    // The backend has a key in place of a secret.
    CLIENTS.iter().find(|client| client.id == id && id != BACKEND && secret == SECRET)
}

/// An error of RFC 6749 section 5.2.
#[derive(Debug)]
pub(super) struct OAuthError(pub(super) &'static str);

impl axum::response::IntoResponse for OAuthError {
    fn into_response(self) -> axum::response::Response {
        let status = match self.0 {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, Json(json!({ "error": self.0 }))).into_response()
    }
}
