//! The public key in the header of a proof of possession (RFC 9449 section 4.2).

use super::algorithm::Algorithm;
use super::json::Row;
use super::jwk::{self, JwkError, KeyPolicy};
use super::signature::PreparedKey;
use super::thumbprint::Thumbprint;

/// A public key that a sender proves to have, for the one algorithm of its proof.
#[derive(Debug)]
pub(crate) struct ProofKey {
    pub(crate) key: PreparedKey,
    pub(crate) thumbprint: Thumbprint,
}

impl ProofKey {
    /// Reads a `jwk`: by the rules for keys of issuers, prepared for one algorithm alone.
    pub(crate) fn read(jwk: Row<'_>, algorithm: Algorithm) -> Result<Self, JwkError> {
        let (kind, material) = jwk::public_key(&jwk, KeyPolicy::default())?;
        if !jwk::algorithms(&jwk, kind)?.contains(&algorithm) {
            return Err(JwkError::Algorithm(algorithm.name().to_owned()));
        }
        let thumbprint = Thumbprint::of_key(kind, &material);
        let key = PreparedKey::prepare(&material, algorithm).map_err(|_| JwkError::Point)?;
        Ok(Self { key, thumbprint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::json::Document;

    fn thumbprint(jwk: &str, algorithm: Algorithm) -> Result<String, JwkError> {
        let header = format!(r#"{{"jwk":{jwk}}}"#);
        let header = Document::parse(&header).unwrap();
        let jwk = header.get("jwk").and_then(|jwk| jwk.as_object()).unwrap();
        ProofKey::read(jwk, algorithm).map(|key| key.thumbprint.to_text())
    }

    const RSA: &str = concat!(
        r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuh"#,
        "DR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2Q",
        "vzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2Nc",
        r#"Rwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","kid":"2011-04-29"}"#,
    );

    /// RFC 7638 section 3.1, RFC 8037 appendix A.3, and the key of the examples of RFC 9449.
    #[test]
    fn thumbprints_are_those_of_the_standards() {
        let rsa = thumbprint(RSA, Algorithm::Rs256).unwrap();
        assert_eq!(rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        let okp =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let okp = thumbprint(okp, Algorithm::EdDsa).unwrap();
        assert_eq!(okp, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let ec = r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#;
        let ec = thumbprint(ec, Algorithm::Es256).unwrap();
        assert_eq!(ec, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    #[test]
    fn a_key_fits_its_algorithm_and_is_public() {
        assert!(thumbprint(RSA, Algorithm::Es256).is_err());
        let private = RSA.replacen('{', r#"{"d":"AQAB","#, 1);
        assert_eq!(thumbprint(&private, Algorithm::Rs256), Err(JwkError::Private("d")));
        let symmetric = thumbprint(r#"{"kty":"oct","k":"AQAB"}"#, Algorithm::Rs256);
        assert_eq!(symmetric, Err(JwkError::Private("k")));
        let other = RSA.replacen('{', r#"{"alg":"PS256","#, 1);
        assert!(thumbprint(&other, Algorithm::Rs256).is_err());
        assert!(thumbprint(&other, Algorithm::Ps256).is_ok());
    }
}
