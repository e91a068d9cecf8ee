//! The provider that all contenders trust: discovery document and key set on loopback.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::Failure;
use crate::signing::SigningKey;
use crate::token::Token;

/// A tenant of version 2.0.
const TENANT: &str = "11111111-2222-3333-4444-555555555555";

/// The application that the tokens are for.
const AUDIENCE: &str = "66666666-7777-8888-9999-000000000000";

/// It serves for as long as the process runs.
#[derive(Debug)]
pub(crate) struct Provider {
    issuer: String,
    jwks_uri: String,
    signing: SigningKey,
    encryption: SigningKey,
}

impl Provider {
    /// Starts it on a free port.
    ///
    /// # Errors
    ///
    /// When there is no port or no key to be had.
    pub(crate) fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let tenant = format!("http://{}/{TENANT}", listener.local_addr()?);
        let provider = Self {
            issuer: format!("{tenant}/v2.0"),
            jwks_uri: format!("{tenant}/discovery/v2.0/keys"),
            signing: SigningKey::generate("Jx3kQm7TnV0cR5yW2bLp8dF6hZs", "sig")?,
            encryption: SigningKey::generate("Pq9wEr1TyU4iOaS7dFgHj2kLzXc", "enc")?,
        };
        let documents = [
            (format!("/{TENANT}/v2.0/.well-known/openid-configuration"), provider.metadata()),
            (format!("/{TENANT}/discovery/v2.0/keys"), provider.jwks()),
        ];
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // A client that goes away is its own affair.
                let _ = answer(connection, &documents);
            }
        });
        Ok(provider)
    }

    /// The issuer; the discovery document stands below it.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The address of the key set.
    pub(crate) fn jwks_uri(&self) -> &str {
        &self.jwks_uri
    }

    /// The audience that the contenders are told to ask for.
    pub(crate) fn audience(&self) -> &str {
        AUDIENCE
    }

    /// The key that signs.
    pub(crate) fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// A token that is to be let in.
    pub(crate) fn good_token(&self) -> Token<'_> {
        Token::good(&self.signing, &self.issuer, AUDIENCE)
    }

    /// A token signed with the key that is listed for encryption.
    pub(crate) fn token_of_encryption_key(&self) -> Token<'_> {
        Token::good(&self.encryption, &self.issuer, AUDIENCE)
    }

    fn metadata(&self) -> String {
        json!({
            "issuer": self.issuer,
            "jwks_uri": self.jwks_uri,
            "authorization_endpoint": format!("{}/authorize", self.issuer),
            "token_endpoint": format!("{}/token", self.issuer),
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
        .to_string()
    }

    fn jwks(&self) -> String {
        json!({"keys": [self.signing.jwk(), self.encryption.jwk()]}).to_string()
    }
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
