//! The issuer: one key, its documents on loopback, and tokens as Entra ID issues them.

use std::net::TcpListener;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const AUDIENCE: &str = "66666666-7777-8888-9999-000000000000";
const KID: &str = "nOo3ZDrODXEK1jKWhXslHR_KXEg";
const GROUPS: u32 = 14;
const LIFETIME: u64 = 4 * 3600;

/// What every server is told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Trust {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) jwks_uri: String,
    /// Where the documents are, on 127.0.0.1.
    pub(crate) port: u16,
    pub(crate) jwks: JwkSet,
    /// The one key again, as PEM.
    pub(crate) public_key: String,
}

/// An issuer that serves its documents until the program ends.
pub(crate) struct Issuer {
    pub(crate) trust: Trust,
    key: EncodingKey,
}

impl Issuer {
    pub(crate) fn start() -> Result<Self> {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes())?;
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::RS256)?;
        jwk.common.key_id = Some(KID.to_owned());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);

        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let url = format!("http://127.0.0.1:{port}/{TENANT}");
        let trust = Trust {
            issuer: format!("{url}/v2.0"),
            audience: AUDIENCE.to_owned(),
            jwks_uri: format!("{url}/discovery/v2.0/keys"),
            port,
            jwks: JwkSet { keys: vec![jwk] },
            public_key: pair.public_key_pem(),
        };
        publish(listener, &trust)?;
        Ok(Self { trust, key })
    }

    /// A token that every server is to let in.
    pub(crate) fn token(&self) -> Result<String> {
        self.token_with("ver", json!("2.0"))
    }

    /// The same with one claim changed.
    pub(crate) fn token_with(&self, name: &str, value: Value) -> Result<String> {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(KID.to_owned());
        let mut claims = claims(&self.trust)?;
        let changed = claims.get_mut(name).context("a token has no such claim")?;
        *changed = value;
        Ok(jsonwebtoken::encode(&header, &claims, &self.key)?)
    }
}

fn claims(trust: &Trust) -> Result<Value> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let groups = (0..GROUPS).map(|n| format!("{n:08x}-aaaa-bbbb-cccc-0123456789ab"));
    Ok(json!({
        "aud": trust.audience,
        "iss": trust.issuer,
        "iat": now,
        "nbf": now,
        "exp": now + LIFETIME,
        "aio": "ATQAy/8TAAAAJ2jqXk0Zt6m4y1hQm3vGd5s0o9r7b8CwEe2nUuVfKpLxTzHiYaRcDgWk",
        "azp": "99999999-8888-7777-6666-555555555555",
        "azpacr": "1",
        "groups": groups.collect::<Vec<_>>(),
        "name": "Alice Example",
        "oid": "00000000-aaaa-bbbb-cccc-000000000001",
        "preferred_username": "alice@example.org",
        "rh": "0.AXoAERERESIiMzNERFVVVVVVVWZmZmZ3d4iImZkAAAAAAAB6AAA.",
        "roles": ["globalReader"],
        "scp": "user_impersonation",
        "sid": "00000000-1111-2222-3333-444444444444",
        "sub": "Zk3vQ0l2bXNnYXJ0aHVyX2V4YW1wbGVfc3ViamVjdF8",
        "tid": TENANT,
        "uti": "uGm5iQ2rTk2o1m6s0f8XAA",
        "ver": "2.0",
    }))
}

fn publish(listener: TcpListener, trust: &Trust) -> Result<()> {
    let discovery = json!({
        "issuer": trust.issuer,
        "jwks_uri": trust.jwks_uri,
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    let document = |text: String| get(async || ([(CONTENT_TYPE, "application/json")], text));
    let app = Router::new()
        .route(
            &format!("/{TENANT}/v2.0/.well-known/openid-configuration"),
            document(discovery.to_string()),
        )
        .route(
            &format!("/{TENANT}/discovery/v2.0/keys"),
            document(serde_json::to_string(&trust.jwks)?),
        );
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        runtime.block_on(async {
            axum::serve(tokio::net::TcpListener::from_std(listener)?, app).await
        })
    });
    Ok(())
}
