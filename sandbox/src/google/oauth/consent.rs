//! The consent page: which account, and whether the application may. It works without script, and a test can do what a
//! person does: GET it, then POST `account` and `decision` with the hidden fields to the same path.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::super::GoogleSandbox;
use super::super::scopes;
use crate::consent_form::{ConsentRequest, challenge, choices, hidden, redirect_uri, wants};
use crate::html::{document, escape};
use crate::store::StoredAccount;

/// The parameters that come back with the decision.
const FORWARDED_PARAMETERS: [&str; 11] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "access_type",
    "prompt",
    "code_challenge",
    "code_challenge_method",
    "include_granted_scopes",
    "login_hint",
];

struct GoogleConsentRequest<'a>(ConsentRequest<'a>);

pub(super) async fn ask(
    State(google): State<Arc<GoogleSandbox>>,
    Query(parameters): Query<HashMap<String, String>>,
) -> Response {
    let asked = match GoogleConsentRequest::read(&google, &parameters) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into_response(),
    };
    let accounts: Vec<StoredAccount> = google.store().accounts.values().cloned().collect();
    Html(document("Sign in to the sandbox", "narrow", &asked.page(&accounts))).into_response()
}

/// Takes the decision and sends the browser back to the application.
pub(super) async fn decide(
    State(google): State<Arc<GoogleSandbox>>,
    Form(parameters): Form<HashMap<String, String>>,
) -> Response {
    let asked = match GoogleConsentRequest::read(&google, &parameters) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into_response(),
    };
    match parameters.get("decision").map(String::as_str) {
        Some("deny") => asked.back(&[("error", "access_denied")]),
        Some("allow") => {
            let account = parameters.get("account").map(String::as_str).unwrap_or_default();
            match asked.store_code(&google, account) {
                Ok(code) => asked.back(&[("code", &code), ("scope", &asked.0.scopes.join(" "))]),
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
    fn read(
        google: &GoogleSandbox,
        parameters: &'a HashMap<String, String>,
    ) -> Result<Self, GoogleConsentError> {
        let get = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let required = |name: &str| {
            get(name).ok_or_else(|| {
                GoogleConsentError::new("invalid_request", format!("Missing required parameter: {name}"))
            })
        };
        let client = required("client_id")?;
        if google.client(client).is_none() {
            return Err(GoogleConsentError::new("invalid_client", "The OAuth client was not found."));
        }
        let redirect_uri = redirect_uri(required("redirect_uri")?);
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
        let invalid = |message| GoogleConsentError::new("invalid_request", message);
        let challenge = match (get("code_challenge"), get("code_challenge_method")) {
            (None, None) => None,
            (None, Some(_)) => return Err(invalid("code_challenge_method without code_challenge.")),
            (Some(value), method) => {
                Some(challenge(value, method).ok_or_else(|| invalid("Invalid code_challenge_method."))?)
            }
        };
        Ok(Self(ConsentRequest { client, redirect_uri, scopes, challenge, parameters }))
    }

    fn page(&self, accounts: &[StoredAccount]) -> String {
        let hint = self.0.get("login_hint").unwrap_or_default();
        format!(
            "<main><p class=\"mark\">Sandbox sign-in: simulates Google’s consent page</p>\
             <h1>Choose an account</h1>\
             <p><b>{client}</b> at <b>{host}</b> asks for access. This is a simulation: no real account is affected.</p>\
             <form method=\"post\" action=\"/google/o/oauth2/v2/auth\">{hidden}\
             <fieldset><legend>Account</legend>{choices}</fieldset>\
             <h2>It will be able to</h2><ul class=\"scopes\">{wants}</ul>\
             <div class=\"actions\"><button class=\"primary\" name=\"decision\" value=\"allow\">Allow</button>\
             <button name=\"decision\" value=\"deny\" formnovalidate>Deny</button></div></form></main>",
            client = escape(self.0.client),
            host = escape(self.0.redirect_uri.host_str().unwrap_or_default()),
            hidden = hidden(&FORWARDED_PARAMETERS, self.0.parameters),
            choices = choices(accounts, hint),
            wants = wants(self.0.scopes.iter().filter_map(|scope| scopes::describe(scope))),
        )
    }

    /// Writes the consent down as a code that the application can redeem.
    fn store_code(&self, google: &GoogleSandbox, account: &str) -> Result<String, GoogleConsentError> {
        let mut store = google.store();
        if !store.accounts.contains_key(account) {
            return Err(GoogleConsentError::new("invalid_request", "There is no such account."));
        }
        // A refresh token comes with the first consent, and later only if consent is asked for anew.
        let offline = self.0.get("access_type") == Some("offline");
        let anew = self.0.get("prompt").is_some_and(|prompt| prompt.split(' ').any(|one| one == "consent"));
        let offline = offline && (anew || !store.has_consented(account, self.0.client));
        let stored = self.0.store_code(&mut store, account, ("4/0sandbox-", offline));
        stored.map_err(|error| GoogleConsentError::new("server_error", error.to_string()))
    }

    fn back(&self, pairs: &[(&str, &str)]) -> Response {
        self.0.redirect(pairs).unwrap_or_else(|| {
            GoogleConsentError::new("invalid_request", "The redirect address cannot be used.").into_response()
        })
    }
}
