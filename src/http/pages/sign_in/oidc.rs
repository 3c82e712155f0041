//! Signing in at an OpenID Connect issuer: the way there, the way back, and the choice for whom the address belongs to
//! users of several businesses.
//!
//! A cookie holds one random word; `state`, `nonce` and the PKCE verifier follow from it. So whoever comes back is the
//! browser that went, and nothing is written here for visitors who never come back.

use askama::Template;
use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{Html, IntoResponse, Redirect},
};
use concord_providers::oidc::{OidcAttempt, OidcClient, OidcError};
use concord_services::users::{self, SignInChoice};
use concord_storage::secret;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::{Assets, PageError, PageQuery, PageResult, Theme, begin_session};
use crate::{
    app::{App, admission::CredentialKind},
    http::{
        pages::{
            cookies::{cookie, read_cookie, with_cookie},
            sentence,
        },
        request_origin::RequestOrigin,
    },
};

/// The cookie that holds the word.
const COOKIE: &str = "concord_oidc";
/// How long a person may take at the issuer, in seconds.
const LASTS: u64 = 15 * 60;

#[derive(Template)]
#[template(path = "sign_in_choice.html")]
struct SignInChoicePage<'a> {
    theme: Theme,
    assets: Assets,
    email: &'a str,
    /// The path of each, and what it signs in to.
    choices: Vec<(String, SignInChoice)>,
}

#[derive(Deserialize)]
pub(super) struct OidcCallbackQuery {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

fn client(app: &App) -> PageResult<&OidcClient> {
    app.oidc.as_deref().ok_or(PageError::NotFound("page"))
}

/// To the issuer's sign-in page. It may have to wait for the issuer, so that it holds none of the places of those who are not
/// known (`http::admission`), and is counted here.
pub(super) async fn start(State(app): State<App>, Extension(visit): Extension<RequestOrigin>) -> PageResult {
    let oidc = client(&app)?;
    app.admission.check_failures(CredentialKind::Anonymous, visit.network())?;
    app.admission.record_failure(CredentialKind::Anonymous, visit.network());
    let word = secret::new_token("");
    let url = oidc.authorize(&OidcAttempt::from_word(&word)).await.map_err(|error| failed(&app, &error))?;
    let response = Redirect::to(url.as_str()).into_response();
    Ok(with_cookie(response, cookie(&app, COOKIE, word.expose_secret(), LASTS)))
}

fn removal_cookie(app: &App) -> HeaderValue {
    cookie(app, COOKIE, "", 0)
}

/// Back from the issuer.
pub(super) async fn callback(
    State(app): State<App>,
    PageQuery(query): PageQuery<OidcCallbackQuery>,
    Extension(visit): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> PageResult {
    client(&app)?;
    app.admission.check_failures(CredentialKind::OAuthState, visit.network())?;
    let email = match finish(&app, &query, &headers).await {
        Ok(email) => email,
        Err(error) => {
            app.admission.record_failure(CredentialKind::OAuthState, visit.network());
            return Err(error);
        }
    };
    let response = match users::choices_of(&app.context, &email).await?.as_slice() {
        [] => return Err(unknown(&app, &email)),
        [only] => begin_session(&app, &headers, &only.user).await?,
        several => choice_page(&app, &headers, &email, several).await?,
    };
    Ok(with_cookie(response, removal_cookie(&app)))
}

/// The verified address of whoever has come back.
async fn finish(app: &App, query: &OidcCallbackQuery, headers: &HeaderMap) -> PageResult<String> {
    let word = read_cookie(headers, COOKIE).filter(|word| !word.is_empty()).map(SecretString::from);
    let attempt = word.as_ref().map(OidcAttempt::from_word);
    let sent = query.state.as_deref().unwrap_or_default();
    let attempt = attempt.filter(|attempt| attempt.state.as_bytes().ct_eq(sent.as_bytes()).into());
    let Some(attempt) = attempt else {
        return Err(PageError::SignIn {
            message: "This sign-in was started in another browser, or took too long.".to_owned(),
            advice: "Nobody was signed in. Start again.",
            is_issuers: false,
        });
    };
    if let Some(error) = &query.error {
        tracing::info!(error = %error.chars().take(50).collect::<String>(), "an issuer did not sign somebody in");
        let message = match error.as_str() {
            "access_denied" => {
                format!("{} did not sign you in: access was denied.", app.config.sign_in.oidc.name)
            }
            _ => format!("{} did not sign you in.", app.config.sign_in.oidc.name),
        };
        let advice = "Nobody was signed in. Try again, or use a link by email.";
        return Err(PageError::SignIn { message: sentence(&message), advice, is_issuers: false });
    }
    let code = SecretString::from(query.code.clone().unwrap_or_default());
    let finished = client(app)?.finish(&attempt, &code, query.iss.as_deref()).await;
    finished.map_err(|error| failed(app, &error))
}

/// What went wrong, in words, and who can mend it.
fn failed(app: &App, error: &OidcError) -> PageError {
    let name = &app.config.sign_in.oidc.name;
    tracing::warn!(issuer = %app.config.sign_in.oidc.issuer, %error, "nobody was signed in by the issuer");
    let (message, advice) = match error {
        OidcError::Unverified => (
            format!("{name} does not confirm that your email address is yours."),
            "Nobody was signed in. Confirm the address there, or use a link by email.",
        ),
        OidcError::Unavailable(_) => (
            format!("{name} could not be reached, or gave no usable response."),
            "Nobody was signed in. Try again in a moment, or use a link by email.",
        ),
        OidcError::Refused(_) | OidcError::MixedUp | OidcError::IdToken(_) | OidcError::OtherSubject => (
            format!("The response of {name} could not be accepted."),
            "Nobody was signed in. Start again. If it happens again, tell an administrator: the log says why.",
        ),
    };
    let is_issuers = !matches!(error, OidcError::Unverified);
    PageError::SignIn { message: sentence(&message), advice, is_issuers }
}

fn unknown(app: &App, email: &str) -> PageError {
    tracing::info!("somebody whom nobody has let in was signed in by the issuer");
    PageError::SignIn {
        message: format!("No user has the address {email}, which {} gave.", app.config.sign_in.oidc.name),
        advice: "Ask a manager of your business to add you under Settings, People, with exactly this address.",
        is_issuers: false,
    }
}

async fn choice_page(app: &App, headers: &HeaderMap, email: &str, choices: &[SignInChoice]) -> PageResult {
    let tokens = users::offer_sign_in(&app.context, choices).await?;
    let path = |token: &SecretString| format!("/sign-in/{}", token.expose_secret());
    let page = SignInChoicePage {
        theme: Theme::from_headers(headers),
        assets: Assets::current(),
        email,
        choices: tokens.iter().map(path).zip(choices.iter().cloned()).collect(),
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Html(page.render()?)).into_response())
}
