//! The consent page: which account, and whether the application may. It works without script, and a test can do what a
//! person does: GET it, then POST `account` and `decision` with the hidden fields to the same path.
//!
//! Decisions: `allow`, `deny`, and what may happen to a person besides: `admin` (an administrator must approve),
//! `unconsented` (a silent request without a consent), `foreign` (an account of another tenant).

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::super::MicrosoftSandbox;
use super::super::{scopes, tenants};
use crate::consent_form::{ConsentRequest, challenge, choices, hidden, redirect_uri, wants};
use crate::html::{document, escape, path_part};
use crate::store::{StoredAccount, secret};

/// The parameters that come back with the decision.
const FORWARDED_PARAMETERS: [&str; 11] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "prompt",
    "code_challenge",
    "code_challenge_method",
    "login_hint",
    "domain_hint",
];

struct EntraConsentRequest<'a> {
    tenant: &'a str,
    asked: ConsentRequest<'a>,
}

/// Shows the page, unless the application asked for no page.
pub(super) async fn ask(
    State(microsoft): State<Arc<MicrosoftSandbox>>,
    Path(tenant): Path<String>,
    Query(parameters): Query<HashMap<String, String>>,
) -> Response {
    let asked = match EntraConsentRequest::read(&microsoft, &tenant, &parameters) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into_response(),
    };
    if let Some(error) = asked.mistake() {
        return asked.back(&error);
    }
    if asked.asked.get("prompt") == Some("none") {
        return asked.back(&CONSENT_REQUIRED);
    }
    let accounts: Vec<StoredAccount> = microsoft.store().accounts.values().cloned().collect();
    Html(document("Sign in to the sandbox", "narrow", &asked.page(&accounts))).into_response()
}

const DENIED: [(&str, &str); 2] = [
    ("error", "access_denied"),
    ("error_description", "AADSTS65004: User declined to consent to access the app."),
];

const NEEDS_ADMIN: [(&str, &str); 2] = [
    ("error", "access_denied"),
    (
        "error_description",
        "AADSTS90094: The grant requires admin permission. Ask an admin to grant permission to this app.",
    ),
];

const CONSENT_REQUIRED: [(&str, &str); 2] = [
    ("error", "interaction_required"),
    ("error_description", "AADSTS65001: The user or administrator has not consented to use the application."),
];

const WRONG_TENANT: [(&str, &str); 2] = [
    ("error", "access_denied"),
    (
        "error_description",
        "AADSTS50020: User account from another identity provider does not exist in this tenant and cannot access the \
         application.",
    ),
];

/// Takes the decision and sends the browser back to the application.
pub(super) async fn decide(
    State(microsoft): State<Arc<MicrosoftSandbox>>,
    Path(tenant): Path<String>,
    Form(parameters): Form<HashMap<String, String>>,
) -> Response {
    let asked = match EntraConsentRequest::read(&microsoft, &tenant, &parameters) {
        Ok(asked) => asked,
        Err(refusal) => return refusal.into_response(),
    };
    if let Some(error) = asked.mistake() {
        return asked.back(&error);
    }
    match parameters.get("decision").map(String::as_str) {
        Some("deny") => asked.back(&DENIED),
        Some("admin") => asked.back(&NEEDS_ADMIN),
        Some("unconsented") => asked.back(&CONSENT_REQUIRED),
        Some("foreign") => asked.back(&WRONG_TENANT),
        Some("allow") => {
            let account = parameters.get("account").map(String::as_str).unwrap_or_default();
            match asked.store_code(&microsoft, account) {
                Ok(code) => asked.back(&[("code", &code), ("session_state", &secret())]),
                Err(refusal) => refusal.into_response(),
            }
        }
        _ => EntraConsentError::new(900_144, "Choose to allow or to deny.").into_response(),
    }
}

/// Why no consent can be asked for. It is shown to the person: a redirect address that is not trusted gets nothing.
struct EntraConsentError {
    code: u32,
    message: String,
}

impl EntraConsentError {
    fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl IntoResponse for EntraConsentError {
    fn into_response(self) -> Response {
        let body = format!(
            "<main><h1>Sign in</h1><p>Sorry, but we’re having trouble signing you in.</p>\
             <p class=\"quiet\">AADSTS{}: {}</p></main>",
            self.code,
            escape(&self.message)
        );
        (StatusCode::BAD_REQUEST, Html(document("Trouble signing in", "narrow", &body))).into_response()
    }
}

impl<'a> EntraConsentRequest<'a> {
    fn read(
        microsoft: &MicrosoftSandbox,
        tenant: &'a str,
        parameters: &'a HashMap<String, String>,
    ) -> Result<Self, EntraConsentError> {
        if !tenants::is_known(tenant, microsoft.store().accounts.keys()) {
            return Err(EntraConsentError::new(90_002, format!("Tenant '{tenant}' not found.")));
        }
        let get = |name: &str| parameters.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let required = |name: &str| {
            get(name).ok_or_else(|| {
                EntraConsentError::new(
                    900_144,
                    format!("The request must contain the following parameter: '{name}'."),
                )
            })
        };
        let client = required("client_id")?;
        if microsoft.client(client).is_none() {
            let message = format!("Application with identifier '{client}' was not found in the directory.");
            return Err(EntraConsentError::new(700_016, message));
        }
        let redirect_uri = redirect_uri(required("redirect_uri")?);
        let redirect_uri = redirect_uri.ok_or_else(|| {
            EntraConsentError::new(50_011, "The redirect URI specified in the request is not a web address.")
        })?;
        let scopes = required("scope")?.split_whitespace().collect();
        let invalid = || EntraConsentError::new(501_491, "Invalid code_challenge_method.");
        let challenge = get("code_challenge")
            .map(|value| challenge(value, get("code_challenge_method")).ok_or_else(invalid))
            .transpose()?;
        let asked = ConsentRequest { client, redirect_uri, scopes, challenge, parameters };
        Ok(Self { tenant, asked })
    }

    /// What is wrong with the request and is told to the application, not to the person.
    fn mistake(&self) -> Option<[(&'static str, &'static str); 2]> {
        if self.asked.get("response_type") != Some("code") {
            let message =
                "AADSTS70011: The provided value for the input parameter 'response_type' is not allowed.";
            return Some([("error", "unsupported_response_type"), ("error_description", message)]);
        }
        if self.asked.get("response_mode").is_some_and(|mode| mode != "query") {
            let message = "AADSTS90013: The sandbox knows response_mode=query only.";
            return Some([("error", "invalid_request"), ("error_description", message)]);
        }
        if self.asked.scopes.iter().any(|scope| scopes::describe(scope).is_none()) {
            let message = "AADSTS650053: The application asked for a scope that doesn't exist on the resource. Contact the app vendor.";
            return Some([("error", "invalid_client"), ("error_description", message)]);
        }
        None
    }

    fn page(&self, accounts: &[StoredAccount]) -> String {
        let hint = self.asked.get("login_hint").unwrap_or_default();
        format!(
            "<main><p class=\"mark\">Sandbox sign-in: simulates Microsoft’s consent page</p>\
             <h1>Pick an account</h1>\
             <p><b>{client}</b> at <b>{host}</b> asks for access. This is a simulation: no real account is affected.</p>\
             <form method=\"post\" action=\"/microsoft/{tenant}/oauth2/v2.0/authorize\">{hidden}\
             <fieldset><legend>Account</legend>{choices}</fieldset>\
             <h2>This app would like to</h2><ul class=\"scopes\">{wants}</ul>\
             <div class=\"actions\"><button class=\"primary\" name=\"decision\" value=\"allow\">Accept</button>\
             <button name=\"decision\" value=\"deny\" formnovalidate>Cancel</button></div>\
             <details><summary>What else can happen to a person here</summary><div class=\"actions\">\
             <button name=\"decision\" value=\"admin\" formnovalidate>An administrator must approve</button>\
             <button name=\"decision\" value=\"foreign\" formnovalidate>The account is of another tenant</button>\
             <button name=\"decision\" value=\"unconsented\" formnovalidate>Nobody has consented yet</button>\
             </div></details></form></main>",
            client = escape(self.asked.client),
            host = escape(self.asked.redirect_uri.host_str().unwrap_or_default()),
            tenant = path_part(self.tenant),
            hidden = hidden(&FORWARDED_PARAMETERS, self.asked.parameters),
            choices = choices(accounts, hint),
            wants = wants(self.asked.scopes.iter().filter_map(|scope| scopes::describe(scope))),
        )
    }

    /// Writes the consent down as a code that the application can redeem.
    fn store_code(&self, microsoft: &MicrosoftSandbox, account: &str) -> Result<String, EntraConsentError> {
        let mut store = microsoft.store();
        if !store.accounts.contains_key(account) {
            let message = "The user account does not exist in the directory.";
            return Err(EntraConsentError::new(50_034, message));
        }
        if !tenants::admits(self.tenant, account) {
            let message = format!(
                "User account '{account}' does not exist in tenant '{}' and cannot access the application '{}' in that \
                 tenant. Sign out and sign in again with a different account.",
                self.tenant, self.asked.client
            );
            return Err(EntraConsentError::new(50_020, message));
        }
        let offline = scopes::asks_for(&self.asked.scopes.join(" "), "offline_access");
        let stored = self.asked.store_code(&mut store, account, ("1.sandbox-", offline));
        stored.map_err(|error| EntraConsentError::new(90_036, error.to_string()))
    }

    fn back(&self, pairs: &[(&str, &str)]) -> Response {
        self.asked.redirect(pairs).unwrap_or_else(|| {
            EntraConsentError::new(50_011, "The redirect URI cannot be used.").into_response()
        })
    }
}
