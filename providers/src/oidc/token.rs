//! From a code to tokens, and what stands in an ID token.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use concord_domain::{clock::Clock, oidc::IdTokenClaims};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, EndpointNotSet, EndpointSet,
    ExtraTokenFields, PkceCodeVerifier, RedirectUrl, RequestTokenError, StandardRevocableToken,
    StandardTokenResponse, TokenResponse, TokenUrl,
    basic::{
        BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
    },
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Discovery, OidcAttempt, OidcError, OidcSettings};
use crate::{error::ProviderError, http::HttpClient, oauth::TokenEndpointClient, quote::quote};

/// What a token endpoint gives besides the tokens of OAuth.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct IdTokenField {
    id_token: Option<String>,
}

impl fmt::Debug for IdTokenField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdTokenField").finish_non_exhaustive()
    }
}

impl ExtraTokenFields for IdTokenField {}

type OidcTokenClient = Client<
    BasicErrorResponse,
    StandardTokenResponse<IdTokenField, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

pub(super) fn client(settings: &OidcSettings, discovery: &Discovery) -> OidcTokenClient {
    let auth_type = if discovery.takes_basic() { AuthType::BasicAuth } else { AuthType::RequestBody };
    Client::new(ClientId::new(settings.client_id.clone()))
        .set_client_secret(ClientSecret::new(settings.client_secret.expose_secret().to_owned()))
        .set_auth_type(auth_type)
        .set_redirect_uri(RedirectUrl::from_url(settings.redirect_url.clone()))
        .set_auth_uri(AuthUrl::from_url(discovery.authorization_endpoint.clone()))
        .set_token_uri(TokenUrl::from_url(discovery.token_endpoint.clone()))
}

/// What a code was changed for.
pub(super) struct OidcTokens {
    pub(super) id_token: SecretString,
    pub(super) access_token: SecretString,
}

pub(super) async fn exchange(
    settings: &OidcSettings,
    discovery: &Discovery,
    (http, clock): (&HttpClient, &Clock),
    attempt: &OidcAttempt,
    code: &SecretString,
) -> Result<OidcTokens, OidcError> {
    let call = TokenEndpointClient(http, clock);
    let given = client(settings, discovery)
        .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.expose_secret().to_owned()))
        .request_async(&call)
        .await
        .map_err(|error| failure(error, &[code, &attempt.verifier, &settings.client_secret]))?;
    let id_token = given.extra_fields().id_token.clone();
    let id_token = id_token.ok_or_else(|| OidcError::Unavailable("it gave no ID token".to_owned()))?;
    let access_token = given.access_token().secret().clone().into();
    Ok(OidcTokens { id_token: id_token.into(), access_token })
}

fn failure(
    error: RequestTokenError<ProviderError, BasicErrorResponse>,
    secrets: &[&SecretString],
) -> OidcError {
    match error {
        RequestTokenError::Request(error) => error.into(),
        RequestTokenError::ServerResponse(refusal) => {
            let said = refusal.error_description().map_or("", String::as_str);
            let words = format!("{} {said}", refusal.error().as_ref());
            OidcError::Refused(quote(&words, secrets))
        }
        // Neither its text nor the body, which may hold a token.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            OidcError::Unavailable("its token response cannot be read".to_owned())
        }
    }
}

/// What an ID token says: a JWS in its compact form (RFC 7515, section 3.1).
pub(super) fn claims(token: &SecretString) -> Result<IdTokenClaims, OidcError> {
    #[derive(Deserialize)]
    struct JoseHeader {
        alg: String,
    }
    let unreadable = || OidcError::Unavailable("its ID token cannot be read".to_owned());
    let parts: Vec<&str> = token.expose_secret().split('.').collect();
    let [header, payload, signature] = parts.as_slice() else { return Err(unreadable()) };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| unreadable());
    let header: JoseHeader = serde_json::from_slice(&decode(header)?).map_err(|_| unreadable())?;
    // One that is not signed is no ID token that we have asked for (3.1.3.7, point 7).
    if header.alg == "none" || signature.is_empty() {
        return Err(OidcError::Unavailable("its ID token is not signed".to_owned()));
    }
    serde_json::from_slice(&decode(payload)?).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_token_has_three_parts_and_is_signed() {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let payload =
            encode(r#"{"iss":"i","sub":"7","aud":"a","exp":1800000000,"iat":1800000000,"nonce":"n"}"#);
        let token = |header: &str, signature: &str| {
            claims(&format!("{}.{payload}.{signature}", encode(header)).into()).map(|claims| claims.sub)
        };
        assert_eq!(token(r#"{"alg":"RS256"}"#, "c2ln").unwrap(), "7");
        for (header, signature) in [
            (r#"{"alg":"none"}"#, ""),
            (r#"{"alg":"none"}"#, "c2ln"),
            (r#"{"alg":"RS256"}"#, ""),
            ("{}", "c2ln"),
        ] {
            assert!(token(header, signature).is_err(), "{header}");
        }
        for bad in ["", "a.b", "a.b.c.d.e", "!.!.!", "e30.e30.e30"] {
            let refused = claims(&bad.into()).unwrap_err().to_string();
            assert!(!refused.contains("e30"), "{refused}");
        }
    }
}
