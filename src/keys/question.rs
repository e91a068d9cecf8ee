//! A question that is put to a provider as a form, by a client that it knows.

use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};
use url::Url;

use super::error::KeyError;
use super::https::{HttpsClient, NamedBy, broken, content_type, essence, without_secrets};

/// A form, and what may come back.
#[derive(Clone, Copy)]
pub(crate) struct Question<'q> {
    pub(crate) fields: &'q [(&'q str, &'q str)],
    /// Name and secret of the client, where it authenticates so (RFC 6749 section 2.3.1).
    pub(crate) basic: Option<(&'q str, &'q str)>,
    pub(crate) accept: &'static str,
}

/// An answer with status 200, and its media type without parameters.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) media_type: String,
    pub(crate) body: Vec<u8>,
    /// The address that was asked, as it may be told.
    pub(crate) address: String,
}

impl HttpsClient {
    /// Puts a question. Redirects are not followed: they would hand token and secret to an address
    /// that neither the operator nor the issuer named.
    pub(crate) async fn ask(
        &self,
        url: &Url,
        named_by: NamedBy,
        question: Question<'_>,
    ) -> Result<Reply, KeyError> {
        let mut request = self.client(url, named_by)?.post(url.clone());
        if let Some((name, secret)) = question.basic {
            request = request.basic_auth(encoded(name), Some(encoded(secret)));
        }
        let form =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(question.fields).finish();
        request = request
            .header(ACCEPT, question.accept)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let response = request.send().await.map_err(|error| broken(url, error))?;
        let address = without_secrets(url);
        let (declared, content_type) = content_type(&response);
        let media_type = declared.map(essence).unwrap_or_default();
        if response.status() != StatusCode::OK {
            let status = response.status().as_u16();
            return Err(KeyError::Status { address, status, content_type });
        }
        let body = self.body(url, response).await?;
        Ok(Reply { media_type, body, address })
    }
}

/// Encodes a name or a secret for the header, in which a colon parts them.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
