//! The issuer that everybody trusts: discovery document and key set on loopback.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::key::SigningKey;
use crate::token::Token;

/// A tenant of version 2.0.
const TENANT: &str = "11111111-2222-3333-4444-555555555555";

/// The application that the tokens are for.
const AUDIENCE: &str = "66666666-7777-8888-9999-000000000000";

/// What everybody is told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Trust {
    /// The issuer; the discovery document is below it.
    pub issuer: String,
    /// What `aud` must name.
    pub audience: String,
    /// The address of the key set.
    pub jwks_uri: String,
    /// The port of both documents, on 127.0.0.1.
    pub port: u16,
    /// The key set.
    pub jwks: Value,
    /// The key that signs, as PEM.
    pub public_key: String,
}

/// An issuer that serves its documents for as long as the program runs.
#[derive(Debug)]
pub struct Issuer {
    /// What everybody is told of it.
    pub trust: Trust,
    signing: SigningKey,
    encryption: SigningKey,
}

impl Issuer {
    /// Starts it on a free port.
    ///
    /// # Errors
    ///
    /// When there is no port or no key to be had.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let signing = SigningKey::generate("Jx3kQm7TnV0cR5yW2bLp8dF6hZs", "sig")?;
        let encryption = SigningKey::generate("Pq9wEr1TyU4iOaS7dFgHj2kLzXc", "enc")?;
        let tenant = format!("http://127.0.0.1:{port}/{TENANT}");
        let trust = Trust {
            issuer: format!("{tenant}/v2.0"),
            audience: AUDIENCE.to_owned(),
            jwks_uri: format!("{tenant}/discovery/v2.0/keys"),
            port,
            jwks: json!({"keys": [signing.jwk(), encryption.jwk()]}),
            public_key: signing.public_pem()?,
        };
        let documents = [
            (format!("/{TENANT}/v2.0/.well-known/openid-configuration"), metadata(&trust)),
            (format!("/{TENANT}/discovery/v2.0/keys"), trust.jwks.to_string()),
        ];
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A client that goes away is its own affair.
                let _ = answer(connection, &documents);
            }
        });
        Ok(Self { trust, signing, encryption })
    }

    /// A token that is to be let in.
    pub fn token(&self) -> Token<'_> {
        Token::good(&self.signing, &self.trust)
    }

    /// The same, signed with the key that is listed for encryption.
    pub fn token_of_encryption_key(&self) -> Token<'_> {
        Token::good(&self.encryption, &self.trust)
    }

    /// The public half of the key that signs, as DER.
    ///
    /// # Errors
    ///
    /// When the crypto library cannot write it.
    pub fn public_der(&self) -> Result<Vec<u8>> {
        self.signing.public_der()
    }
}

fn metadata(trust: &Trust) -> String {
    json!({
        "issuer": trust.issuer,
        "jwks_uri": trust.jwks_uri,
        "authorization_endpoint": format!("{}/authorize", trust.issuer),
        "token_endpoint": format!("{}/token", trust.issuer),
        "response_types_supported": ["code"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
    .to_string()
}

fn answer(mut connection: TcpStream, documents: &[(String, String)]) -> io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(1)))?;
    let target = requested_path(&connection)?;
    let document = documents.iter().find(|(path, _)| *path == target);
    let (status, body) = match document {
        Some((_, body)) => ("200 OK", body.as_str()),
        None => ("404 Not Found", "{}"),
    };
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len(),
    )
}

/// Reads the head of a request; some contenders add a query to the address that they were given.
fn requested_path(connection: &TcpStream) -> io::Result<String> {
    let mut lines = BufReader::new(connection).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let target = first.split(' ').nth(1).unwrap_or_default();
    Ok(target.split('?').next().unwrap_or_default().to_owned())
}
