//! The sign-in page. It works without script, and a test can do what a person does: POST `email` and `decision` with the
//! parameters of the request to the same path.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, Query, State};
use axum::response::{Html, IntoResponse, Response};
use chrono::Duration;
use url::Url;

use super::{Code, Issuer, Person};
use crate::clock;
use crate::consent_form::{ConsentRefusal, challenge, hidden, parameter, redirect, redirect_uri};
use crate::html::document;
use crate::store::{PkceChallenge, secret};

const CODE_LIFETIME: Duration = Duration::minutes(1);

const FORWARDED: &[&str] = &[
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
];

/// A request that is in order.
struct SignInRequest {
    redirect_uri: Url,
    challenge: PkceChallenge,
}

pub(super) async fn ask(
    State(issuer): State<Arc<Issuer>>,
    Query(parameters): Query<HashMap<String, String>>,
) -> Result<Response, ConsentRefusal> {
    read(&issuer, &parameters)?;
    let hidden = hidden(FORWARDED, &parameters);
    let body = format!(
        "<main><p class=\"mark\">Sandbox sign-in: simulates an OpenID Connect provider</p>\
         <h1>Sign in</h1><p>You are whoever you say. This is a simulation: no real account is affected.</p>\
         <form method=\"post\" action=\"/issuer/authorize\">{hidden}\
         <p><label>Email <input name=\"email\" type=\"email\" required></label></p>\
         <div class=\"actions\"><button class=\"primary\" name=\"decision\" value=\"allow\">Continue</button>\
         <button name=\"decision\" value=\"deny\" formnovalidate>Cancel</button></div></form></main>"
    );
    Ok(Html(document("Sign in to the sandbox", "narrow", &body)).into_response())
}

/// Takes the decision and sends the browser back to the application.
pub(super) async fn decide(
    State(issuer): State<Arc<Issuer>>,
    Form(parameters): Form<HashMap<String, String>>,
) -> Result<Response, ConsentRefusal> {
    let request = read(&issuer, &parameters)?;
    let (name, value) = match parameter(&parameters, "decision") {
        Some("deny") => ("error", "access_denied".to_owned()),
        Some("allow") => {
            let email = parameter(&parameters, "email").ok_or_else(|| refusal("Who are you?"))?.to_owned();
            let code = Code {
                person: Person { email },
                redirect_uri: parameters.get("redirect_uri").cloned().unwrap_or_default(),
                nonce: parameters.get("nonce").cloned(),
                challenge: request.challenge,
                expires_at: clock::now() + CODE_LIFETIME,
                used: None,
            };
            let text = secret();
            issuer.state().codes.insert(text.clone(), code);
            ("code", text)
        }
        _ => return Err(refusal("Choose to continue or to cancel.")),
    };
    let (iss, state) = (issuer.url(), parameters.get("state").map(String::as_str));
    redirect(&request.redirect_uri, &[(name, value.as_str()), ("iss", iss.as_str())], state)
        .ok_or_else(|| refusal("The callback cannot be used."))
}

fn refusal(sentence: impl Into<String>) -> ConsentRefusal {
    let (title, heading) = ("Sign-in refused", "Sign-in refused");
    ConsentRefusal { title, heading, sentence: sentence.into(), code: "invalid_request".to_owned() }
}

fn read(issuer: &Issuer, parameters: &HashMap<String, String>) -> Result<SignInRequest, ConsentRefusal> {
    let required = |name| {
        parameter(parameters, name).ok_or_else(|| refusal(format!("Missing required parameter: {name}")))
    };
    if required("client_id")? != issuer.client.client_id {
        return Err(refusal("The client is not registered."));
    }
    let redirect_uri =
        redirect_uri(required("redirect_uri")?).ok_or_else(|| refusal("The callback is no web address."))?;
    if required("response_type")? != "code" {
        return Err(refusal("Only response_type=code is supported."));
    }
    if !required("scope")?.split_whitespace().any(|scope| scope == "openid") {
        return Err(refusal("The scope openid is missing."));
    }
    let challenge = challenge(required("code_challenge")?, parameter(parameters, "code_challenge_method"))
        .ok_or_else(|| refusal("code_challenge_method must be S256."))?;
    Ok(SignInRequest { redirect_uri, challenge })
}
