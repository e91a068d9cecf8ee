//! The checks of a request, in the order in which they are made.

use std::fmt;

/// Makes the enum, its lists and its names of one list, so that none of them can lack a check.
macro_rules! checks {
    (
        of_tokens { $($(#[$token_doc:meta])* $token:ident => $token_name:literal,)* }
        of_requests { $($(#[$request_doc:meta])* $request:ident => $request_name:literal,)* }
    ) => {
        /// One check that a token passes on its way to a [`Principal`](crate::Principal), in the order
        /// in which they are made. With several faults the first one is reported.
        ///
        /// ```
        /// use tower_fhir_auth::explanation::{Check, Explanation};
        ///
        /// fn is_a_matter_of_clocks(explanation: &Explanation) -> bool {
        ///     let failed = explanation.failure().map(|finding| finding.check());
        ///     matches!(failed, Some(Check::Expiry | Check::NotBefore | Check::IssuedAt))
        /// }
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Check {
            $($(#[$token_doc])* $token,)*
            $($(#[$request_doc])* $request,)*
        }

        impl Check {
            /// All checks of a request, in order.
            pub const ALL: &'static [Self] = &[$(Self::$token,)* $(Self::$request,)*];

            /// The checks of a token by itself, in order: all but those of the interaction.
            pub const OF_TOKENS: &'static [Self] = &[$(Self::$token,)*];

            /// Returns a stable name in kebab case, for logs and metrics: `audience`,
            /// `not-before`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$token => $token_name,)*
                    $(Self::$request => $request_name,)*
                }
            }
        }
    };
}

checks! {
    of_tokens {
        /// There is one bearer token, in the `Authorization` header (RFC 6750 section 2.1).
        Credentials => "credentials",
        /// The token is not too large.
        Size => "size",
        /// Three segments of base64url; header and payload are JSON objects (RFC 7515 section 7.1).
        Shape => "shape",
        /// No `crit`, `b64`, `zip`, no nested token, and an `alg` that is a signature.
        Header => "header",
        /// `iss` is one of the trusted issuers, exactly.
        Issuer => "issuer",
        /// `alg` is one that the issuer may use.
        Algorithm => "algorithm",
        /// `typ` is one that the issuer may use (RFC 8725 section 3.11).
        Type => "type",
        /// One key of the issuer is meant by `kid` and `alg`.
        Key => "key",
        /// The signature verifies.
        Signature => "signature",
        /// The token is an access token: neither an ID token, nor a refresh or logout token.
        TokenKind => "token-kind",
        /// `tid` is the tenant that `iss` names, for issuers of Microsoft Entra ID.
        Tenant => "tenant",
        /// `aud` names this server (RFC 7519 section 4.1.3).
        Audience => "audience",
        /// `nbf` is not in the future.
        NotBefore => "not-before",
        /// `iat` is not in the future, and not too long ago.
        IssuedAt => "issued-at",
        /// Every required claim is there, and every registered one has its type.
        RequiredClaims => "required-claims",
        /// The client is on the issuer's allow-list, where there is one.
        Client => "client",
        /// The token is bound to its sender (RFC 7800) or not, as its issuer's have to be, and came by
        /// the scheme for that.
        Confirmation => "confirmation",
        /// `exp` is in the future.
        Expiry => "expiry",
        /// The provider says that the token is active, where it is asked (RFC 7662).
        Introspection => "introspection",
        /// The client has shown the certificate that the token is bound to (RFC 8705 section 3).
        Certificate => "certificate",
        /// A proof shows that the sender has the key that the token is bound to (RFC 9449 section 4.3).
        Proof => "proof",
    }
    of_requests {
        /// The FHIR interaction of the request. Made for requests alone, as the next one.
        Interaction => "interaction",
        /// The roles or scopes of the caller grant the interaction.
        Authorization => "authorization",
        /// The user was authenticated as the interaction requires (RFC 9470).
        StepUp => "step-up",
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
