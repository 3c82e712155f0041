//! The consent page: which account, and whether the application may. It works without script, and a test can do what a
//! person does: GET it, then POST `account` and `decision` with the hidden fields to the same path.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::response::Response;

use super::super::GoogleSandbox;
use super::super::scopes;
use crate::consent_form::{
    ConsentRefusal, ConsentRequest, ConsentWording, challenge, parameter, redirect_uri,
};

const WORDING: ConsentWording<'_> = ConsentWording {
    provider: "Google",
    heading: "Choose an account",
    action: "/google/o/oauth2/v2/auth",
    forwarded: &[
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
    ],
    wants: "It will be able to",
    describe: scopes::describe,
    allow: "Allow",
    deny: "Deny",
    more: "",
};

pub(super) async fn ask(
    State(google): State<Arc<GoogleSandbox>>,
    Query(parameters): Query<HashMap<String, String>>,
) -> Result<Response, ConsentRefusal> {
    Ok(read(&google, &parameters)?.page(&google.store(), &WORDING))
}

/// Takes the decision and sends the browser back to the application.
pub(super) async fn decide(
    State(google): State<Arc<GoogleSandbox>>,
    Form(parameters): Form<HashMap<String, String>>,
) -> Result<Response, ConsentRefusal> {
    let asked = read(&google, &parameters)?;
    match asked.get("decision") {
        Some("deny") => back(&asked, &[("error", "access_denied")]),
        Some("allow") => {
            let code = store_code(&google, &asked)?;
            back(&asked, &[("code", &code), ("scope", &asked.scopes.join(" "))])
        }
        _ => Err(refusal("invalid_request", "Choose to allow or to deny.")),
    }
}

fn refusal(error: &str, message: impl Into<String>) -> ConsentRefusal {
    let (title, heading) = ("Access blocked", "Access blocked");
    ConsentRefusal { title, heading, sentence: message.into(), code: format!("Error 400: {error}") }
}

fn read<'a>(
    google: &GoogleSandbox,
    parameters: &'a HashMap<String, String>,
) -> Result<ConsentRequest<'a>, ConsentRefusal> {
    let get = |name| parameter(parameters, name);
    let invalid = |message| refusal("invalid_request", message);
    let required = |name| get(name).ok_or_else(|| invalid(format!("Missing required parameter: {name}")));
    let client = required("client_id")?;
    if google.client(client).is_none() {
        return Err(refusal("invalid_client", "The OAuth client was not found."));
    }
    let redirect_uri = redirect_uri(required("redirect_uri")?)
        .ok_or_else(|| refusal("redirect_uri_mismatch", "The redirect address is not a web address."))?;
    if required("response_type")? != "code" {
        return Err(refusal("unsupported_response_type", "Only response_type=code is supported."));
    }
    let scopes: Vec<_> = required("scope")?.split_whitespace().collect();
    if let Some(unknown) = scopes.iter().find(|scope| scopes::describe(scope).is_none()) {
        return Err(refusal("invalid_scope", format!("There is no such scope: {unknown}")));
    }
    let challenge = match (get("code_challenge"), get("code_challenge_method")) {
        (None, None) => None,
        (None, Some(_)) => return Err(invalid("code_challenge_method without code_challenge.".into())),
        (Some(value), method) => {
            Some(challenge(value, method).ok_or_else(|| invalid("Invalid code_challenge_method.".into()))?)
        }
    };
    Ok(ConsentRequest { client, redirect_uri, scopes, challenge, parameters })
}

/// Writes the consent down as a code that the application can redeem.
fn store_code(google: &GoogleSandbox, asked: &ConsentRequest<'_>) -> Result<String, ConsentRefusal> {
    let mut store = google.store();
    let account = asked.account(&store);
    let account = account.ok_or_else(|| refusal("invalid_request", "There is no such account."))?;
    // A refresh token comes with the first consent, and later only if consent is asked for anew.
    let offline = asked.get("access_type") == Some("offline");
    let anew = asked.get("prompt").is_some_and(|prompt| prompt.split(' ').any(|one| one == "consent"));
    let offline = offline && (anew || !store.has_consented(account, asked.client));
    let stored = asked.store_code(&mut store, account, ("4/0sandbox-", offline));
    stored.map_err(|error| refusal("server_error", error.to_string()))
}

fn back(asked: &ConsentRequest<'_>, pairs: &[(&str, &str)]) -> Result<Response, ConsentRefusal> {
    let response = asked.redirect(pairs);
    response.ok_or_else(|| refusal("invalid_request", "The redirect address cannot be used."))
}
