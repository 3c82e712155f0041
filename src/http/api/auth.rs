//! Who calls: a program that shows an API key of a business.
//!
//! `require_key` stands before every path of the API, so that none can be forgotten; handlers are given an `Api`, whose
//! business is in every call of `storage` that they make.

use std::ops::Deref;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use concord_domain::{
    ids::{ApiKeyId, BusinessId},
    people::Actor,
};
use concord_storage::{
    ChangeContext, WriteCaller,
    api_keys::{self, ApiKey},
    on_behalf_of, secret,
};
use secrecy::SecretString;

use super::problem::{ApiError, Kind};
use crate::{
    app::{App, admission::CredentialKind},
    http::request_origin::RequestOrigin,
};

/// What a handler works with: the installation, for the program that calls.
#[derive(Clone, Debug)]
pub struct Api {
    app: App,
    /// Whose key it is: all that the request may see.
    pub business: BusinessId,
    /// For the history.
    pub actor: Actor,
    /// The key.
    pub key: ApiKeyId,
}

impl Api {
    /// A change that the caller makes now.
    pub fn change(&self) -> ChangeContext {
        ChangeContext { business: self.business, actor: self.actor.clone(), now: self.app.now() }
    }
}

impl Deref for Api {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

/// Lets only those pass who show a key that opens something, and says who they are.
pub async fn require_key(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let visit = request.extensions().get::<RequestOrigin>().cloned().unwrap_or_default();
    match identify(&app, request.headers(), &visit).await {
        Ok(api) => {
            request.extensions_mut().insert(api);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

const AUTHORIZATION_HINT: &str = "Send `Authorization: Bearer ck_...` with the complete key.";

/// The API for the program that sent these headers.
pub(in crate::http) async fn identify(
    app: &App,
    headers: &HeaderMap,
    visit: &RequestOrigin,
) -> Result<Api, ApiError> {
    let Some(header) = headers.get(header::AUTHORIZATION) else {
        let words = format!("The Authorization header is missing. {AUTHORIZATION_HINT}");
        return Err(unauthorized(&words, "Bearer realm=\"concord\""));
    };
    let Some(token) = bearer(header) else {
        let words = format!("The Authorization header does not contain a key. {AUTHORIZATION_HINT}");
        return Err(unauthorized(&words, "Bearer realm=\"concord\""));
    };
    let unknown = || {
        unauthorized(
            "The API key is not valid or was revoked.",
            "Bearer realm=\"concord\", error=\"invalid_token\"",
        )
    };
    let digest = secret::digest(&token);
    let lookup = api_keys::find_by_digest(&app.context.db, &digest);
    let key = app.admission.look_up(CredentialKind::Key, visit.network(), &digest, lookup).await?;
    let key = key.ok_or_else(unknown)?;
    app.admission.admit_key(key.id)?;
    let actor = Actor::ApiKey { id: key.id, name: key.name.clone() };
    let api = Api { app: app.clone(), business: key.business_id, actor, key: key.id };
    record_key_use(app.clone(), key);
    Ok(api)
}

/// The key in the header. The scheme's name is case-insensitive (RFC 9110, section 11.1).
pub(in crate::http) fn bearer(header: &HeaderValue) -> Option<SecretString> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    let token = Some(token.trim()).filter(|token| !token.is_empty())?;
    scheme.eq_ignore_ascii_case("bearer").then(|| SecretString::from(token))
}

/// Beside the request, not before it: nobody should wait for the database's one writer to be allowed to read.
fn record_key_use(app: App, key: ApiKey) {
    tokio::spawn(on_behalf_of(WriteCaller::BulkJob, async move {
        if let Err(error) = api_keys::touch(&app.context.db, &key, app.now()).await {
            tracing::debug!(%error, "the use of an API key was not noted");
        }
    }));
}

fn unauthorized(detail: &str, challenge: &'static str) -> ApiError {
    ApiError::new(Kind::Unauthorized, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

impl FromRequestParts<App> for Api {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| ApiError::internal("a handler of the API stands outside of require_key"))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_scheme_may_be_written_in_any_case() {
        let bearer = |text: &'static str| {
            super::bearer(&HeaderValue::from_static(text)).map(|token| token.expose_secret().to_owned())
        };
        assert_eq!(bearer("Bearer ck_1").as_deref(), Some("ck_1"));
        assert_eq!(bearer("bearer  ck_1 ").as_deref(), Some("ck_1"));
        for bad in ["ck_1", "Basic ck_1", "Bearer ", "Bearer", ""] {
            assert_eq!(bearer(bad), None, "{bad:?}");
        }
    }
}
