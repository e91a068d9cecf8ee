//! A server, its issuers, and the requests it gets.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header::AUTHORIZATION};
use serde_json::{Value, json};
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::test_util::{SigningKey, TokenBuilder};
use tower_fhir_auth::{
    AccessMode, AccessPolicy, AudiencePolicy, Enforcement, FhirAuthLayer, FhirAuthLayerBuilder,
    RoleDefinitions, RolePolicy, ScopePolicy, TrustedIssuer,
};
use tower_layer::Layer;
use tower_service::Service;

pub(crate) const BASE: &str = "https://fhir.example.org/r4";
pub(crate) const ISSUER: &str =
    "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0";
pub(crate) const ID: &str = "8f2b6c1d";
pub(crate) const CLIENT: &str = "6731de76-14a6-49ae-97bc-6eba6914391e";

/// A key of the issuer, which signs.
pub(crate) struct Key(pub(crate) Arc<SigningKey>);

impl Key {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self::named("nbCwW11w3XkB-xUaXwKRSLjMHGQ", algorithm)
    }

    pub(crate) fn named(kid: &str, algorithm: Algorithm) -> Self {
        Self(Arc::new(SigningKey::generate(kid, algorithm).expect("a key")))
    }

    /// A token as Entra sends it to an API: some 2.2 kB with RS256.
    pub(crate) fn token(&self) -> TokenBuilder {
        let groups: Vec<String> =
            (0..6).map(|n| format!("3f1f2a6{n}-0c7d-4e3a-9b7e-5d0c7b1f4a2{n}")).collect();
        TokenBuilder::new(ISSUER, Arc::clone(&self.0), SystemClock.now())
            .header("typ", "JWT")
            .header("x5t", "nbCwW11w3XkB-xUaXwKRSLjMHGQ")
            .claim("aud", CLIENT)
            .claim("nbf", SystemClock.now().as_secs())
            .claim("exp", SystemClock.now().as_secs() + 3600)
            .claim("aio", "AZQAa/8UAAAAu3xO0zS0T6jWzJq1Vb1yDhYl9m2h0s4g7o5cX2TnKqLpRrEeWwUuIi")
            .claim("azp", "c2cdac2e-4f3f-4e0e-8f3e-6f0b7a1de0d1")
            .claim("azpacr", "1")
            .claim("email", "amal.haddad@contoso.example")
            .claim("family_name", "Haddad")
            .claim("given_name", "Amal")
            .claim("groups", groups)
            .claim("ipaddr", "203.0.113.17")
            .claim("name", "Amal Haddad")
            .claim("oid", "690222be-ff1a-4d56-abd1-7e4f7d38e474")
            .claim("preferred_username", "amal.haddad@contoso.example")
            .claim("rh", "I")
            .claim("roles", vec!["globalReader"])
            .claim("scp", "user_impersonation user.Patient.read")
            .claim("sid", "5f1f2a60-0c7d-4e3a-9b7e-5d0c7b1f4a20")
            .claim("sub", "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ")
            .claim("tid", "72f988bf-86f1-41af-91ab-2d7cd011db47")
            .claim("uti", "fqiBqXLPj0eQa82S-IYFAA")
            .claim("ver", "2.0")
            .claim("wids", vec!["b79fbf4d-3ef9-4689-8143-76b194e85509"])
    }

    pub(crate) fn set(&self) -> JwkSet {
        key_set([self])
    }

    /// The key as the crypto library wants it: what a bare check is made with.
    pub(crate) fn bare(&self) -> ParsedPublicKey {
        let jwk = self.0.jwk();
        let part = |name: &str| {
            let text = jwk[name].as_str().expect("a member of the JWK");
            URL_SAFE_NO_PAD.decode(text).expect("base64url")
        };
        match self.0.algorithm() {
            Algorithm::Rs256 => RsaPublicKeyComponents { n: part("n"), e: part("e") }
                .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
                .expect("an RSA key"),
            Algorithm::Es256 => {
                let point = [vec![4], part("x"), part("y")].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).expect("a point")
            }
            Algorithm::EdDsa => ParsedPublicKey::new(&ED25519, part("x")).expect("a point"),
            other => panic!("no bare check is written for {other:?}"),
        }
    }
}

pub(crate) fn key_set<'a>(keys: impl IntoIterator<Item = &'a Key>) -> JwkSet {
    let keys: Vec<Value> = keys.into_iter().map(|key| key.0.jwk()).collect();
    JwkSet::parse(json!({"keys": keys}).to_string().as_bytes()).expect("a key set")
}

/// A key under a number of names, its own the last of them: as much to search as that many keys.
pub(crate) fn many_names(key: &Key, names: usize) -> JwkSet {
    let own = key.0.jwk();
    let mut keys: Vec<Value> = Vec::with_capacity(names);
    for n in 1..names {
        let mut other = own.clone();
        other["kid"] = format!("{n}").into();
        keys.push(other);
    }
    keys.push(own);
    JwkSet::parse(json!({"keys": keys}).to_string().as_bytes()).expect("a key set")
}

/// What a bare check takes: the bytes that are signed, and the signature, decoded.
pub(crate) fn signed_parts(token: &str) -> (Vec<u8>, Vec<u8>) {
    let (input, signature) = token.rsplit_once('.').expect("a compact JWS");
    (input.as_bytes().to_vec(), URL_SAFE_NO_PAD.decode(signature).expect("base64url"))
}

/// A number of scopes, each for one type but the last, which is for patients.
pub(crate) fn scopes(number: usize) -> String {
    let types = ["Observation", "Condition", "Encounter", "Procedure", "Immunization"];
    let scopes = (1..number).map(|n| {
        let name = types[n % types.len()];
        format!("user/{name}.rs?_tag=urn:n|{n} ")
    });
    scopes.chain(["user/Patient.rs".to_owned()]).collect()
}

/// The usual rule: roles or scopes.
pub(crate) fn policy(roles: RoleDefinitions) -> AccessPolicy {
    AccessPolicy::new(AccessMode::RolesOrScopes, RolePolicy::new(roles), ScopePolicy::new())
}

pub(crate) fn issuer(set: JwkSet) -> TrustedIssuer {
    TrustedIssuer::with_keys(ISSUER, set).audience(AudiencePolicy::exact([CLIENT]))
}

/// A layer that trusts the issuer with these keys.
pub(crate) fn layer(set: JwkSet) -> FhirAuthLayerBuilder {
    layer_of(issuer(set))
}

pub(crate) fn layer_of(issuer: TrustedIssuer) -> FhirAuthLayerBuilder {
    let policy = policy(RoleDefinitions::microsoft());
    let builder = FhirAuthLayer::builder(BASE).issuer(issuer).authorizer(policy);
    builder.handlers_enforce(Enforcement::ALL)
}

/// A handler that does nothing.
#[derive(Clone)]
pub(crate) struct Bare;

impl<B> Service<Request<B>> for Bare {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        drop(request);
        ready(Ok(Response::new(String::new())))
    }
}

/// A layer around a handler that does nothing.
pub(crate) fn guarded(layer: &FhirAuthLayer) -> tower_fhir_auth::FhirAuth<Bare> {
    layer.layer(Bare)
}

/// What a router leaves in the extensions of every request.
#[derive(Clone)]
struct Matched;

/// Makes requests as a server hands them over: address and headers are parts of what was read from
/// the connection, and the extensions are in use.
#[derive(Clone)]
pub(crate) struct Requests {
    uri: Uri,
    authorization: Option<HeaderValue>,
    pub(crate) has_extensions: bool,
}

impl Requests {
    pub(crate) fn without_token() -> Self {
        let uri = Bytes::from(format!("/r4/Patient/{ID}"));
        let uri = Uri::from_maybe_shared(uri).expect("an address");
        Self { uri, authorization: None, has_extensions: true }
    }

    pub(crate) fn with(token: &str) -> Self {
        let value = Bytes::from_owner(format!("Bearer {token}").into_bytes());
        let value = HeaderValue::from_maybe_shared(value).expect("a header");
        Self { authorization: Some(value), ..Self::without_token() }
    }

    /// To another address below the base.
    pub(crate) fn at(self, path: &str) -> Self {
        Self { uri: format!("/r4{path}").parse().expect("an address"), ..self }
    }

    pub(crate) fn next(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.uri_mut() = self.uri.clone();
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        if self.has_extensions {
            request.extensions_mut().insert(Matched);
        }
        request
    }
}

/// Requests with several tokens in turn, each with bytes of its own as it comes from a connection.
pub(crate) fn in_turn(tokens: &[String]) -> impl FnMut() -> Request<()> {
    let mut tokens = tokens.iter().cycle();
    move || Requests::with(tokens.next().expect("there is always a next")).next()
}

/// Calls a service whose answer is ready at once, and holds it to a status.
pub(crate) fn call<S, A, B>(service: &mut S, request: Request<A>, expected: u16)
where
    S: Service<Request<A>, Response = Response<B>>,
{
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready());
    match at_once(service.call(request)) {
        Ok(response) => assert_eq!(response.status().as_u16(), expected),
        Err(_) => panic!("the handler cannot fail"),
    }
}

/// What a future comes to that has nothing to wait for.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("there is something to wait for"),
    }
}
