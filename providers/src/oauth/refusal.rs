//! What it means that the token endpoint refuses (RFC 6749, section 5.2).

use std::borrow::Cow;

use oauth2::{
    RequestTokenError,
    basic::{BasicErrorResponse, BasicErrorResponseType},
};
use secrecy::SecretString;
use url::Url;

use super::{OAuthApp, OAuthErrorKind, TokenRequestKind};
use crate::{error::ProviderError, quote::quote};

/// Beyond RFC 6749, section 5.2: said by servers that are in trouble themselves.
const TRANSIENT_ERRORS: &[&str] =
    &["temporarily_unavailable", "server_error", "internal_failure", "backend_error"];
const RATE_LIMIT_ERRORS: &[&str] = &["slow_down", "rate_limit_exceeded"];

impl OAuthApp {
    pub(super) fn failure(
        &self,
        error: RequestTokenError<ProviderError, BasicErrorResponse>,
        asked: TokenRequestKind,
        sent: &[&SecretString],
    ) -> ProviderError {
        match error {
            RequestTokenError::Request(error) => error,
            RequestTokenError::ServerResponse(refusal) => self.refusal(&refusal, asked, sent),
            // Neither its text nor the body, which may hold a token.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                ProviderError::Transient("the token endpoint's response cannot be read".to_owned())
            }
        }
    }

    fn refusal(
        &self,
        refusal: &BasicErrorResponse,
        asked: TokenRequestKind,
        sent: &[&SecretString],
    ) -> ProviderError {
        let secrets: Vec<&SecretString> = sent.iter().copied().chain([&self.config.client_secret]).collect();
        let said = quote(refusal.error_description().map_or("", String::as_str), &secrets);
        let code = quote(refusal.error().as_ref(), &secrets);
        let explained = self.explain(&code, &said);
        let verdict = explained.as_ref().map(|explained| explained.verdict);
        let is_over = matches!(verdict, Some(OAuthErrorKind::Dead | OAuthErrorKind::SignInAgain));
        // Of a code nothing has begun that could end: whoever has to do what is more than that it is of no use.
        let stands_before = asked == TokenRequestKind::ForCode
            && matches!(
                verdict,
                Some(OAuthErrorKind::SignInAgain | OAuthErrorKind::Refused | OAuthErrorKind::Declined)
            );
        let text = match &explained {
            Some(explained) => explained.words.clone(),
            None if said.is_empty() => code.clone(),
            None => format!("{code}: {said}"),
        };
        match refusal.error() {
            _ if stands_before => {
                tracing::info!(code, said, "the token endpoint refused a code");
                ProviderError::AccountUnusable(text)
            }
            // The only thing that marks a grant dead.
            BasicErrorResponseType::InvalidGrant => ProviderError::GrantDead(text),
            BasicErrorResponseType::Extension(code) if TRANSIENT_ERRORS.contains(&code.as_str()) => {
                ProviderError::Transient(text)
            }
            BasicErrorResponseType::Extension(code) if RATE_LIMIT_ERRORS.contains(&code.as_str()) => {
                ProviderError::RateLimited { retry_after: None }
            }
            // The same in the words of a provider that has more of them.
            _ if is_over => ProviderError::GrantDead(text),
            _ => {
                tracing::warn!(code, said, "the token endpoint refused");
                if explained.is_some() {
                    ProviderError::AccountUnusable(text)
                } else {
                    ProviderError::Rejected(text)
                }
            }
        }
    }
}

/// What the person who set it up can do, for whoever meets it.
pub(super) fn operator_advice(code: &str, redirect_url: &Url) -> Option<Cow<'static, str>> {
    Some(match code {
        "invalid_client" => "the provider does not know this installation's client id and client secret. \
            An administrator must check both in the configuration"
            .into(),
        "unauthorized_client" => "this installation's client is not allowed to do this. An administrator must check \
            its type and settings at the provider"
            .into(),
        "redirect_uri_mismatch" => {
            format!(
                "this installation's client has a different redirect URI there. An administrator must \
                 register {redirect_url} at the provider, exactly as written"
            )
            .into()
        }
        "invalid_scope" => {
            "this installation's client does not have all the requested scopes. An administrator must add \
             them at the provider"
                .into()
        }
        "deleted_client" | "disabled_client" => {
            "this installation's client was removed or disabled at the provider. An administrator must create a new one".into()
        }
        "org_internal" => "this installation's client is limited to its own organisation. Choose an account of that \
            organisation, or ask an administrator to allow others"
            .into(),
        "admin_policy_enforced" => "a rule of your organisation does not let this installation in; ask your administrator to allow \
            its client"
            .into(),
        _ => return None,
    })
}
