//! The consent page: which account, and whether the application may. It works without script, and a test can do what a
//! person does: GET it, then POST `account` and `decision` with the hidden fields to the same path.
//!
//! Decisions: `allow`, `deny`, and what may happen to a person besides: `admin` (an administrator must approve),
//! `unconsented` (a silent request without a consent), `foreign` (an account of another tenant).

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, Path, Query, State};
use axum::response::Response;

use super::super::MicrosoftSandbox;
use super::super::{scopes, tenants};
use crate::consent_form::{
    ConsentRefusal, ConsentRequest, ConsentWording, challenge, parameter, redirect_uri,
};
use crate::html::path_part;
use crate::store::secret;

const WORDING: ConsentWording<'_> = ConsentWording {
    provider: "Microsoft",
    heading: "Pick an account",
    action: "",
    forwarded: &[
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
    ],
    wants: "This app would like to",
    describe: scopes::describe,
    allow: "Accept",
    deny: "Cancel",
    more: "<details><summary>What else can happen to a person here</summary><div class=\"actions\">\
           <button name=\"decision\" value=\"admin\" formnovalidate>An administrator must approve</button>\
           <button name=\"decision\" value=\"foreign\" formnovalidate>The account is of another tenant</button>\
           <button name=\"decision\" value=\"unconsented\" formnovalidate>Nobody has consented yet</button>\
           </div></details>",
};

/// Shows the page, unless the application asked for no page.
pub(super) async fn ask(
    State(microsoft): State<Arc<MicrosoftSandbox>>,
    Path(tenant): Path<String>,
    Query(parameters): Query<HashMap<String, String>>,
) -> Result<Response, ConsentRefusal> {
    let asked = read(&microsoft, &tenant, &parameters)?;
    if let Some(error) = mistake(&asked) {
        return back(&asked, &error);
    }
    if asked.get("prompt") == Some("none") {
        return back(&asked, &CONSENT_REQUIRED);
    }
    let action = format!("/microsoft/{}/oauth2/v2.0/authorize", path_part(&tenant));
    Ok(asked.page(&microsoft.store(), &ConsentWording { action: &action, ..WORDING }))
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
) -> Result<Response, ConsentRefusal> {
    let asked = read(&microsoft, &tenant, &parameters)?;
    if let Some(error) = mistake(&asked) {
        return back(&asked, &error);
    }
    match asked.get("decision") {
        Some("deny") => back(&asked, &DENIED),
        Some("admin") => back(&asked, &NEEDS_ADMIN),
        Some("unconsented") => back(&asked, &CONSENT_REQUIRED),
        Some("foreign") => back(&asked, &WRONG_TENANT),
        Some("allow") => {
            let code = store_code(&microsoft, &tenant, &asked)?;
            back(&asked, &[("code", &code), ("session_state", &secret())])
        }
        _ => Err(refusal(900_144, "Choose to allow or to deny.")),
    }
}

fn refusal(code: u32, message: impl std::fmt::Display) -> ConsentRefusal {
    ConsentRefusal {
        title: "Trouble signing in",
        heading: "Sign in",
        sentence: "Sorry, but we’re having trouble signing you in.".into(),
        code: format!("AADSTS{code}: {message}"),
    }
}

fn read<'a>(
    microsoft: &MicrosoftSandbox,
    tenant: &str,
    parameters: &'a HashMap<String, String>,
) -> Result<ConsentRequest<'a>, ConsentRefusal> {
    if !tenants::is_known(tenant, microsoft.store().accounts.keys()) {
        return Err(refusal(90_002, format!("Tenant '{tenant}' not found.")));
    }
    let required = |name| {
        parameter(parameters, name).ok_or_else(|| {
            refusal(900_144, format!("The request must contain the following parameter: '{name}'."))
        })
    };
    let client = required("client_id")?;
    if microsoft.client(client).is_none() {
        let message = format!("Application with identifier '{client}' was not found in the directory.");
        return Err(refusal(700_016, message));
    }
    let redirect_uri = redirect_uri(required("redirect_uri")?)
        .ok_or_else(|| refusal(50_011, "The redirect URI specified in the request is not a web address."))?;
    let scopes = required("scope")?.split_whitespace().collect();
    let method = parameter(parameters, "code_challenge_method");
    let challenge = parameter(parameters, "code_challenge")
        .map(|value| {
            challenge(value, method).ok_or_else(|| refusal(501_491, "Invalid code_challenge_method."))
        })
        .transpose()?;
    Ok(ConsentRequest { client, redirect_uri, scopes, challenge, parameters })
}

/// What is wrong with the request and is told to the application, not to the person.
fn mistake(asked: &ConsentRequest<'_>) -> Option<[(&'static str, &'static str); 2]> {
    let (error, message) = if asked.get("response_type") != Some("code") {
        let message =
            "AADSTS70011: The provided value for the input parameter 'response_type' is not allowed.";
        ("unsupported_response_type", message)
    } else if asked.get("response_mode").is_some_and(|mode| mode != "query") {
        ("invalid_request", "AADSTS90013: The sandbox knows response_mode=query only.")
    } else if asked.scopes.iter().any(|scope| scopes::describe(scope).is_none()) {
        let message = "AADSTS650053: The application asked for a scope that doesn't exist on the resource. Contact the app vendor.";
        ("invalid_client", message)
    } else {
        return None;
    };
    Some([("error", error), ("error_description", message)])
}

/// Writes the consent down as a code that the application can redeem.
fn store_code(
    microsoft: &MicrosoftSandbox,
    tenant: &str,
    asked: &ConsentRequest<'_>,
) -> Result<String, ConsentRefusal> {
    let mut store = microsoft.store();
    let account = asked.account(&store);
    let account =
        account.ok_or_else(|| refusal(50_034, "The user account does not exist in the directory."))?;
    if !tenants::admits(tenant, account) {
        let message = format!(
            "User account '{account}' does not exist in tenant '{tenant}' and cannot access the application '{}' in that \
             tenant. Sign out and sign in again with a different account.",
            asked.client
        );
        return Err(refusal(50_020, message));
    }
    let offline = scopes::asks_for(&asked.scopes.join(" "), "offline_access");
    let stored = asked.store_code(&mut store, account, ("1.sandbox-", offline));
    stored.map_err(|error| refusal(90_036, error))
}

fn back(asked: &ConsentRequest<'_>, pairs: &[(&str, &str)]) -> Result<Response, ConsentRefusal> {
    asked.redirect(pairs).ok_or_else(|| refusal(50_011, "The redirect URI cannot be used."))
}
