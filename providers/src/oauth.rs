//! OAuth 2.0 with any provider: the consent page's address, code against tokens, refresh, revocation.

mod refusal;

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use concord_domain::{clock::Clock, provider::OAuthDescription};
use http::{Request, StatusCode, header::CONTENT_TYPE};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret,
    CsrfToken, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RefreshToken, Scope, TokenResponse, TokenUrl,
    basic::{BasicClient, BasicTokenResponse},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use self::refusal::operator_advice;
use crate::{
    error::ProviderError,
    http::{BufferedResponse, HttpClient, retry_after},
};

/// Where a provider's OAuth stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthEndpoints {
    /// The consent page, for the person's browser.
    pub auth_url: Url,
    /// Where codes and refresh tokens become access tokens.
    pub token_url: Url,
    /// Where a token is ended; `None` where the provider has no such place.
    pub revoke_url: Option<Url>,
}

/// What is known of this installation at a provider.
#[derive(Clone, Debug)]
pub struct OAuthConfig {
    /// As registered with the provider.
    pub client_id: String,
    /// As registered with the provider.
    pub client_secret: SecretString,
    /// Our callback, exactly as registered with the provider.
    pub redirect_url: Url,
    /// What is asked of the person.
    pub description: &'static OAuthDescription,
    /// Where the provider stands.
    pub endpoints: OAuthEndpoints,
    /// What the provider's own codes mean.
    pub explain: ExplainOAuthError,
}

/// Reads what a provider said beyond RFC 6749: its `error`, then its `error_description`. `None`: it says no more than
/// the `error`.
pub type ExplainOAuthError = fn(&OAuthConfig, &str, &str) -> Option<OAuthErrorExplanation>;

/// For a provider whose `error` says it all.
pub(crate) fn explain_nothing(_: &OAuthConfig, _: &str, _: &str) -> Option<OAuthErrorExplanation> {
    None
}

/// A refusal in our words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthErrorExplanation {
    /// What it comes to.
    pub verdict: OAuthErrorKind,
    /// What happened and who has to do what, for the person who wants to connect.
    pub words: String,
}

/// What a refusal comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OAuthErrorKind {
    /// The person said no.
    Declined,
    /// A grant has ended: the person has to connect again.
    Dead,
    /// The person has to sign in again, perhaps with a second factor: a grant is of no use until they have.
    SignInAgain,
    /// Somebody has to change something first.
    Refused,
}

/// Where to send the person, and what to keep until they return.
#[derive(Debug)]
pub struct AuthorizationRequest {
    /// The consent page with all its parameters.
    pub url: Url,
    /// To be kept with the state and given to [`OAuthApp::exchange`] (RFC 7636).
    pub pkce_verifier: SecretString,
}

/// What a provider gave us.
#[derive(Clone, Debug)]
pub struct OAuthTokens {
    pub access_token: SecretString,
    /// For the next access token. After a refresh: the one that replaces the old one, `None` if the old one stays.
    pub refresh_token: Option<SecretString>,
    /// How long the access token is good for, if the provider says so.
    pub expires_in: Option<Duration>,
    /// What the person allowed; empty if the provider does not say.
    pub scopes: Vec<String>,
}

/// This installation as a client of a provider's OAuth.
#[derive(Clone, Debug)]
pub struct OAuthApp {
    config: OAuthConfig,
    http: HttpClient,
    clock: Clock,
}

type TokenClient = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// Carries a request of oauth2's to the token endpoint over the shared client. That crate keeps neither status nor headers of a
/// refusal, so what they decide is decided here. Named types, since with closures no future that awaits these calls would be
/// `Send` (rust-lang/rust#102211).
pub(crate) struct TokenEndpointClient<'a>(pub(crate) &'a HttpClient, pub(crate) &'a Clock);
type OAuthCallFuture<'c> = Pin<Box<dyn Future<Output = Result<HttpResponse, ProviderError>> + Send + 'c>>;

impl<'c> AsyncHttpClient<'c> for TokenEndpointClient<'_> {
    type Error = ProviderError;
    type Future = OAuthCallFuture<'c>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let response = self.0.send(request.map(Bytes::from)).await?;
            read_token_response(response, self.1)
        })
    }
}

impl OAuthApp {
    /// A client that calls through `http`.
    pub fn new(config: OAuthConfig, http: HttpClient, clock: Clock) -> Self {
        Self { config, http, clock }
    }

    /// The consent page for a person. `state` comes back with them; `login_hint` is the account that they had before.
    pub fn authorize(&self, state: &str, login_hint: Option<&str>) -> AuthorizationRequest {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = self.client();
        let state = state.to_owned();
        let mut request = client
            .authorize_url(move || CsrfToken::new(state))
            .add_scopes(self.config.description.scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
            .set_pkce_challenge(challenge);
        for &(name, value) in self.config.description.authorize_params {
            request = request.add_extra_param(name, value);
        }
        if let Some(hint) = login_hint {
            request = request.add_extra_param("login_hint", hint);
        }
        AuthorizationRequest { url: request.url().0, pkce_verifier: verifier.into_secret().into() }
    }

    /// Trades the code that came to our callback for tokens. `GrantDead`: the code is used up, too old, or was meant
    /// for somebody else.
    pub async fn exchange(
        &self,
        code: &SecretString,
        pkce_verifier: &SecretString,
    ) -> Result<OAuthTokens, ProviderError> {
        let call = TokenEndpointClient(&self.http, &self.clock);
        self.client()
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(pkce_verifier.expose_secret().to_owned()))
            .request_async(&call)
            .await
            .map(OAuthTokens::from)
            .map_err(|error| self.failure(error, TokenRequestKind::ForCode, &[code, pkce_verifier]))
    }

    /// A new access token. `GrantDead`: the person or the provider has ended the connection.
    pub async fn refresh(&self, refresh_token: &SecretString) -> Result<OAuthTokens, ProviderError> {
        let call = TokenEndpointClient(&self.http, &self.clock);
        self.client()
            .exchange_refresh_token(&RefreshToken::new(refresh_token.expose_secret().to_owned()))
            .request_async(&call)
            .await
            .map(OAuthTokens::from)
            .map_err(|error| self.failure(error, TokenRequestKind::ForRefresh, &[refresh_token]))
    }

    /// Ends a token at the provider, and with a refresh token the whole grant. One that is dead already is a success,
    /// and so is a provider that has no revocation.
    pub async fn revoke(&self, token: &SecretString) -> Result<(), ProviderError> {
        let Some(revoke_url) = &self.config.endpoints.revoke_url else { return Ok(()) };
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token.expose_secret())
            .append_pair("token_type_hint", "refresh_token")
            .append_pair("client_id", &self.config.client_id)
            .append_pair("client_secret", self.config.client_secret.expose_secret())
            .finish();
        let request = Request::post(revoke_url.as_str())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(form))
            .map_err(|_| ProviderError::Rejected("the revocation address cannot be called".to_owned()))?;
        let response = self.http.send(request).await?;
        match response.status {
            // With any body (RFC 7009, 2.2).
            status if status.is_success() || says_token_is_dead(&response.body) => Ok(()),
            StatusCode::TOO_MANY_REQUESTS => Err(ProviderError::RateLimited {
                retry_after: retry_after(&response.headers, self.clock.now()),
            }),
            status if status.is_server_error() => {
                Err(ProviderError::Transient(format!("the revocation endpoint answered {status}")))
            }
            status => Err(ProviderError::Rejected(format!("the revocation endpoint answered {status}"))),
        }
    }

    /// What a refusal means, of the consent page or of the token endpoint, if anything is known of its code.
    pub fn explain(&self, error: &str, description: &str) -> Option<OAuthErrorExplanation> {
        (self.config.explain)(&self.config, error, description).or_else(|| {
            let words = operator_advice(error, &self.config.redirect_url)?.into_owned();
            Some(OAuthErrorExplanation { verdict: OAuthErrorKind::Refused, words })
        })
    }

    /// Which of the scopes that we need a person has not allowed: on Google's consent page each can be unticked. Empty
    /// if the provider does not say what was allowed.
    pub fn missing_scopes(&self, grant: &OAuthTokens) -> Vec<String> {
        if grant.scopes.is_empty() {
            return Vec::new();
        }
        let optional =
            self.config.description.scopes.iter().filter(|scope| !UNREPORTED_SCOPES.contains(scope));
        let allowed = |scope: &str| grant.scopes.iter().any(|given| is_same_scope(given, scope));
        optional.filter(|scope| !allowed(scope)).map(|scope| (*scope).to_owned()).collect()
    }

    fn client(&self) -> TokenClient {
        let config = &self.config;
        Client::new(ClientId::new(config.client_id.clone()))
            .set_client_secret(ClientSecret::new(config.client_secret.expose_secret().to_owned()))
            .set_auth_type(AuthType::RequestBody)
            .set_redirect_uri(RedirectUrl::from_url(config.redirect_url.clone()))
            .set_auth_uri(AuthUrl::from_url(config.endpoints.auth_url.clone()))
            .set_token_uri(TokenUrl::from_url(config.endpoints.token_url.clone()))
    }
}

/// What a token endpoint has answered, if that is for oauth2 to read.
fn read_token_response(response: BufferedResponse, clock: &Clock) -> Result<HttpResponse, ProviderError> {
    let json = response.is_of_type("application/json");
    match response.status {
        StatusCode::TOO_MANY_REQUESTS => {
            Err(ProviderError::RateLimited { retry_after: retry_after(&response.headers, clock.now()) })
        }
        status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
            Err(ProviderError::Transient(format!("the token endpoint answered {status}")))
        }
        status if !json || response.body.is_empty() => Err(ProviderError::Transient(format!(
            "the token endpoint answered {status} with something that is no token; if this lasts, check its address"
        ))),
        status => {
            let mut read = HttpResponse::new(response.body.to_vec());
            *read.status_mut() = status;
            *read.headers_mut() = response.headers;
            Ok(read)
        }
    }
}

/// Scopes that come back under other names or not at all, and that nobody can untick.
const UNREPORTED_SCOPES: &[&str] = &["openid", "email", "profile", "offline_access"];

/// Microsoft gives a scope back in any case, with or without the address of the API in front.
fn is_same_scope(one: &str, other: &str) -> bool {
    let name = |scope: &str| scope.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    name(one) == name(other)
}

/// What the token endpoint was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenRequestKind {
    /// The first tokens, for the code of a consent.
    ForCode,
    ForRefresh,
}

fn says_token_is_dead(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct RevocationErrorBody {
        error: String,
    }
    // Google's word for a token that is unknown, expired or revoked.
    serde_json::from_slice::<RevocationErrorBody>(body).is_ok_and(|refusal| refusal.error == "invalid_token")
}

impl From<BasicTokenResponse> for OAuthTokens {
    fn from(token: BasicTokenResponse) -> Self {
        Self {
            access_token: AccessToken::into_secret(token.access_token().clone()).into(),
            refresh_token: token.refresh_token().map(|token| token.secret().clone().into()),
            expires_in: token.expires_in(),
            scopes: token.scopes().into_iter().flatten().map(|scope| scope.to_string()).collect(),
        }
    }
}
