//! The consent page: which account, and whether the application may. It works without script, and a test can do what a
//! person does: GET it, then POST `account` and `decision` with the hidden fields to the same path.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use chrono::Duration;
use url::Url;

use super::super::scopes;
use crate::app::SandboxApp;
use crate::clock;
use crate::page::consent::{choices, hidden, wants};
use crate::page::html::{document, escape};
use crate::store::{
    AuthorizationCodeRecord, CODE_LIFETIME_SECONDS, PkceChallenge, PkceMethod, StoreRecord, StoredAccount,
    secret,
};

/// The parameters that come back with the decision.
const FORWARDED_PARAMETERS: [&str; 12] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "access_type",
    "prompt",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "include_granted_scopes",
    "login_hint",
];

/// A request for consent that is in order.
struct GoogleConsentRequest<'a> {
    client: &'a str,
    redirect_uri: Url,
    scopes: Vec<&'a str>,
    challenge: Option<PkceChallenge>,
    parameters: &'a HashMap<String, String>,
}

/// Shows the page.
pub(super) async fn ask(
    State(app): State<Arc<SandboxApp>>,
    Query(parameters): Query<HashMap<String, String>>,
) -> Response {
    let asked = match GoogleConsentRequest::read(&app, &parameters) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into_response(),
    };
    let accounts: Vec<StoredAccount> = app.google.store().accounts.values().cloned().collect();
    Html(document("Sign in to the sandbox", "narrow", &asked.page(&accounts))).into_response()
}

/// Takes the decision and sends the browser back to the application.
pub(super) async fn decide(
    State(app): State<Arc<SandboxApp>>,
    Form(parameters): Form<HashMap<String, String>>,
) -> Response {
    let asked = match GoogleConsentRequest::read(&app, &parameters) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into_response(),
    };
    match parameters.get("decision").map(String::as_str) {
        Some("deny") => asked.back(&[("error", "access_denied")]),
        Some("allow") => {
            let account = parameters.get("account").map(String::as_str).unwrap_or_default();
            match asked.store_code(&app, account) {
                Ok(code) => asked.back(&[("code", &code), ("scope", &asked.scopes.join(" "))]),
                Err(refusal) => refusal.into_response(),
            }
        }
        _ => GoogleConsentError::new("invalid_request", "Choose to allow or to deny.").into_response(),
    }
}

/// Why no consent can be asked for. It is shown to the person: a redirect address that is not trusted gets nothing.
struct GoogleConsentError {
    error: &'static str,
    message: String,
}

impl GoogleConsentError {
    fn new(error: &'static str, message: impl Into<String>) -> Self {
        Self { error, message: message.into() }
    }
}

impl IntoResponse for GoogleConsentError {
    fn into_response(self) -> Response {
        let body = format!(
            "<main><h1>Access blocked</h1><p>{}</p><p class=\"quiet\">Error 400: {}</p></main>",
            escape(&self.message),
            escape(self.error)
        );
        (StatusCode::BAD_REQUEST, Html(document("Access blocked", "narrow", &body))).into_response()
    }
}

impl<'a> GoogleConsentRequest<'a> {
    fn read(app: &SandboxApp, parameters: &'a HashMap<String, String>) -> Result<Self, GoogleConsentError> {
        let get = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let required = |name: &str| {
            get(name).ok_or_else(|| {
                GoogleConsentError::new("invalid_request", format!("Missing required parameter: {name}"))
            })
        };
        let client = required("client_id")?;
        if app.google.client(client).is_none() {
            return Err(GoogleConsentError::new("invalid_client", "The OAuth client was not found."));
        }
        let redirect_uri = Url::parse(required("redirect_uri")?).ok();
        let redirect_uri = redirect_uri.filter(|url| matches!(url.scheme(), "http" | "https"));
        let redirect_uri = redirect_uri.ok_or_else(|| {
            GoogleConsentError::new("redirect_uri_mismatch", "The redirect address is not a web address.")
        })?;
        if required("response_type")? != "code" {
            return Err(GoogleConsentError::new(
                "unsupported_response_type",
                "Only response_type=code is supported.",
            ));
        }
        let scopes: Vec<_> = required("scope")?.split_whitespace().collect();
        if let Some(unknown) = scopes.iter().find(|scope| scopes::describe(scope).is_none()) {
            return Err(GoogleConsentError::new(
                "invalid_scope",
                format!("There is no such scope: {unknown}"),
            ));
        }
        let challenge = challenge(get("code_challenge"), get("code_challenge_method"))?;
        Ok(Self { client, redirect_uri, scopes, challenge, parameters })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    fn page(&self, accounts: &[StoredAccount]) -> String {
        let hint = self.get("login_hint").unwrap_or_default();
        format!(
            "<main><p class=\"mark\">Sandbox sign-in – stands for Google’s consent page</p>\
             <h1>Choose an account</h1>\
             <p><b>{client}</b> at <b>{host}</b> asks for access. You can try everything here: no real account is concerned.</p>\
             <form method=\"post\" action=\"/google/o/oauth2/v2/auth\">{hidden}\
             <fieldset><legend>Account</legend>{choices}</fieldset>\
             <h2>It will be able to</h2><ul class=\"scopes\">{wants}</ul>\
             <div class=\"actions\"><button class=\"primary\" name=\"decision\" value=\"allow\">Allow</button>\
             <button name=\"decision\" value=\"deny\" formnovalidate>Deny</button></div></form></main>",
            client = escape(self.client),
            host = escape(self.redirect_uri.host_str().unwrap_or_default()),
            hidden = hidden(&FORWARDED_PARAMETERS, self.parameters),
            choices = choices(accounts, hint),
            wants = wants(self.scopes.iter().filter_map(|scope| scopes::describe(scope))),
        )
    }

    /// Writes the consent down as a code that the application can redeem.
    fn store_code(&self, app: &SandboxApp, account: &str) -> Result<String, GoogleConsentError> {
        let mut store = app.google.store();
        if !store.accounts.contains_key(account) {
            return Err(GoogleConsentError::new("invalid_request", "There is no such account."));
        }
        // A refresh token comes with the first consent, and later only if consent is asked for anew.
        let offline = self.get("access_type") == Some("offline");
        let anew = self.get("prompt").is_some_and(|prompt| prompt.split(' ').any(|one| one == "consent"));
        let code = AuthorizationCodeRecord {
            text: format!("4/0sandbox-{}", secret()),
            account: account.into(),
            client: self.client.into(),
            redirect_uri: self.get("redirect_uri").unwrap_or_default().into(),
            scope: self.scopes.join(" "),
            challenge: self.challenge.clone(),
            offline: offline && (anew || !store.has_consented(account, self.client)),
            nonce: self.get("nonce").map(String::from),
            expires_at: clock::now() + Duration::seconds(CODE_LIFETIME_SECONDS),
            used: false,
        };
        let text = code.text.clone();
        store
            .commit(vec![StoreRecord::Code { code }])
            .map_err(|error| GoogleConsentError::new("server_error", error.to_string()))?;
        Ok(text)
    }

    fn back(&self, pairs: &[(&str, &str)]) -> Response {
        let mut url = self.redirect_uri.clone();
        {
            let mut query = url.query_pairs_mut();
            if let Some(state) = self.get("state") {
                query.append_pair("state", state);
            }
            query.extend_pairs(pairs);
        }
        match HeaderValue::from_str(url.as_str()) {
            Ok(location) => (StatusCode::FOUND, [(header::LOCATION, location)]).into_response(),
            Err(_) => GoogleConsentError::new("invalid_request", "The redirect address cannot be used.")
                .into_response(),
        }
    }
}

fn challenge(value: Option<&str>, method: Option<&str>) -> Result<Option<PkceChallenge>, GoogleConsentError> {
    let Some(value) = value else {
        return match method {
            None => Ok(None),
            Some(_) => Err(GoogleConsentError::new(
                "invalid_request",
                "code_challenge_method without code_challenge.",
            )),
        };
    };
    let method = match method {
        Some("S256") => PkceMethod::S256,
        None | Some("plain") => PkceMethod::Plain,
        Some(_) => return Err(GoogleConsentError::new("invalid_request", "Invalid code_challenge_method.")),
    };
    Ok(Some(PkceChallenge { method, value: value.into() }))
}
