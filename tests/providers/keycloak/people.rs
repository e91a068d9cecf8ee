//! People who sign in at Keycloak: by its form, or by the password grant.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;

use super::realm::{Keycloak, answer};

const CALLBACK: &str = "http://127.0.0.1/callback";
const VERIFIER: &str = "a-verifier-of-some-forty-three-characters-or-more";

/// What somebody has after signing in.
pub(crate) struct Session {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Keycloak {
    pub(crate) async fn by_password(&self, user: &str, scope: &str) -> Session {
        let secret = format!("{user}-secret");
        let form = [
            ("grant_type", "password"),
            ("client_id", "portal"),
            ("username", user),
            ("password", &*secret),
            ("scope", scope),
        ];
        self.session(&form).await
    }

    /// The authorization code grant with PKCE, through the form of Keycloak.
    pub(crate) async fn by_code(&self, user: &str, scope: &str) -> Session {
        let browser = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(digest);
        let asked = reqwest::Url::parse_with_params(
            &self.endpoint("auth"),
            [
                ("client_id", "portal"),
                ("response_type", "code"),
                ("redirect_uri", CALLBACK),
                ("scope", scope),
                ("state", "s"),
                ("code_challenge", &*challenge),
                ("code_challenge_method", "S256"),
            ],
        );
        let page = browser.get(asked.unwrap()).send().await.unwrap();
        let cookies: Vec<String> = page
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned())
            .collect();
        let page = page.text().await.unwrap();
        let (_, action) = page.split_once("action=\"").unwrap_or_else(|| panic!("no form: {page}"));
        let action = action.split('"').next().unwrap().replace("&amp;", "&");
        let secret = format!("{user}-secret");
        let signed_in = browser
            .post(action)
            .header(COOKIE, cookies.join("; "))
            .form(&[("username", user), ("password", &secret)])
            .send()
            .await
            .unwrap();
        let back = signed_in.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let back = back.unwrap_or_else(|| panic!("not signed in: {signed_in:?}"));
        let back = reqwest::Url::parse(back).unwrap();
        let (_, code) = back.query_pairs().find(|(name, _)| name == "code").unwrap();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "portal"),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
            ("code", &*code),
        ];
        self.session(&form).await
    }

    async fn session(&self, form: &[(&str, &str)]) -> Session {
        let request = reqwest::Client::new().post(self.endpoint("token")).form(form);
        let answer = answer(request).await;
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Session { access: text("access_token"), refresh: text("refresh_token") }
    }

    pub(crate) async fn log_out(&self, session: &Session) {
        let form = [("client_id", "portal"), ("refresh_token", &*session.refresh)];
        let request = reqwest::Client::new().post(self.endpoint("logout")).form(&form);
        assert_eq!(request.send().await.unwrap().status().as_u16(), 204);
    }
}
