//! An OpenID Connect issuer: discovery, a sign-in page, tokens with a signed ID token, userinfo.
//!
//! Whoever types an address on its page is the person with that address. It is as strict as its specifications: codes work
//! once and for a minute, PKCE and an exact callback are asked for, the client proves itself by HTTP Basic, an ID token holds
//! no claims that the userinfo has (OpenID Connect Core 1.0, 5.4), the callback names the issuer (RFC 9207). What it holds is
//! in memory alone.

mod id_token;
mod page;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use self::id_token::SigningKey;
use crate::OAuthClient;
use crate::faults::{FaultHit, FaultKind, FaultRequest, FaultTarget};
use crate::server::SandboxServer;
use crate::store::PkceChallenge;

#[derive(Debug)]
pub(crate) struct Issuer {
    client: OAuthClient,
    key: SigningKey,
    state: Mutex<IssuerState>,
    server: Arc<SandboxServer>,
}

#[derive(Debug, Default)]
struct IssuerState {
    codes: HashMap<String, Code>,
    /// Whose an access token is.
    tokens: HashMap<String, Person>,
}

/// A consent on its way to tokens.
#[derive(Debug, Clone)]
struct Code {
    person: Person,
    redirect_uri: String,
    nonce: Option<String>,
    challenge: PkceChallenge,
    expires_at: DateTime<Utc>,
    /// The access token that was given for it.
    used: Option<String>,
}

#[derive(Debug, Clone)]
struct Person {
    email: String,
}

impl Person {
    /// As long as the address.
    fn subject(&self) -> String {
        crate::opaque::fingerprint(&self.email)
    }
}

impl Issuer {
    pub(crate) fn new(server: Arc<SandboxServer>) -> Self {
        let key = SigningKey::generate();
        Self { client: OAuthClient::issuer(), key, state: Mutex::default(), server }
    }

    fn state(&self) -> MutexGuard<'_, IssuerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// By which discovery document and ID tokens name it.
    fn url(&self) -> String {
        format!("{}/issuer", self.server.url)
    }

    /// What goes wrong with this request, if anything does.
    fn fault(&self, account: Option<&str>) -> Option<FaultHit> {
        self.server.faults.strike(FaultRequest::of(FaultTarget::Issuer, account)).fault
    }

    fn hits(&self, account: &str, kind: FaultKind) -> bool {
        self.server.faults.list_of(FaultTarget::Issuer, account).iter().any(|fault| fault.kind == kind)
    }
}

/// The routes below `/issuer`.
pub(crate) fn router<S>(issuer: &Arc<Issuer>) -> Router<S> {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(jwks))
        .route("/authorize", get(page::ask).post(page::decide))
        .route("/token", post(token::exchange))
        .route("/userinfo", get(token::userinfo))
        .with_state(Arc::clone(issuer))
}

async fn discovery(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let base = issuer.url();
    Json(json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "userinfo_endpoint": format!("{base}/userinfo"),
        "jwks_uri": format!("{base}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn jwks(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    Json(issuer.key.jwks())
}
