//! `WWW-Authenticate` (RFC 6750 section 3, RFC 9449 section 7.1, RFC 9728 section 5.1), to the letter.

use http::{HeaderValue, StatusCode};

use super::Rejection;
use super::attributes::Attributes;
use crate::authentication::bearer::Scheme;
use crate::authorization::StepUpChallenge;

impl Rejection {
    /// The values of `WWW-Authenticate`, one a challenge: empty where the refusal has none. The error
    /// stands on the scheme that was used, which comes first; with 401 the other one is offered where
    /// it is accepted, too.
    ///
    /// ```
    /// use http::{Response, header::WWW_AUTHENTICATE};
    /// use tower_fhir_auth::Rejection;
    ///
    /// fn answer(rejection: &Rejection) -> Response<String> {
    ///     let mut response = Response::new(rejection.description().to_owned());
    ///     *response.status_mut() = rejection.status();
    ///     for challenge in rejection.www_authenticate() {
    ///         response.headers_mut().append(WWW_AUTHENTICATE, challenge);
    ///     }
    ///     response
    /// }
    /// ```
    #[must_use]
    pub fn www_authenticate(&self) -> Vec<HeaderValue> {
        self.challenges().into_iter().flatten().collect()
    }

    /// The values of `WWW-Authenticate`, in their order.
    pub(super) fn challenges(&self) -> [Option<HeaderValue>; 2] {
        let row = self.kind().row();
        if !row.challenge {
            return [None, None];
        }
        let challenges = &self.0.server.challenges;
        if row.error.is_none() {
            return [Scheme::Bearer, Scheme::Dpop].map(|scheme| challenges.plain(scheme).cloned());
        }
        let used = self.1;
        let other = match used {
            Scheme::Bearer => Scheme::Dpop,
            Scheme::Dpop => Scheme::Bearer,
        };
        let other = challenges.plain(other).filter(|_| row.status == StatusCode::UNAUTHORIZED);
        [challenges.with(used, |challenge| self.add_error(challenge)), other.cloned()]
    }

    fn add_error(&self, challenge: &mut Attributes) {
        let step_up = self.0.step_up.as_ref();
        let error = match step_up {
            // Microsoft's claims challenge is in the place of RFC 9470's.
            Some(StepUpChallenge::Claims { .. }) => Some("insufficient_claims"),
            Some(StepUpChallenge::Values { .. }) | None => self.kind().row().error,
        };
        if let Some(error) = error {
            challenge.add("error", error);
            challenge.add("error_description", self.description());
        }
        match step_up {
            Some(StepUpChallenge::Claims { claims, authorization_uri }) => {
                challenge.add("claims", claims);
                challenge.add("authorization_uri", authorization_uri);
            }
            Some(StepUpChallenge::Values { acr, max_age }) => {
                if !acr.is_empty() {
                    challenge.add("acr_values", &acr.join(" "));
                }
                if let Some(age) = max_age {
                    challenge.add("max_age", &age.as_secs().to_string());
                }
            }
            None => {}
        }
        if let Some(scope) = self.required_scope() {
            challenge.add("scope", &scope);
        }
    }
}
