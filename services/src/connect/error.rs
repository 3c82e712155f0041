//! Why an account was not connected, and what the provider's refusals mean.

use concord_domain::{
    connection::ProviderKind,
    ids::{BusinessId, StaffId},
};
use concord_jobs::Context;
use concord_providers::{DiscoveryError, OAuthErrorExplanation, OAuthErrorKind, ProviderError};
use concord_storage::StorageError;

use super::OAuthCallback;

/// Why nothing was connected. Nothing was written but that the state is used up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The installation has no credentials for it.
    #[error("{} is not set up on this installation yet", .0.name())]
    NotSetUp(ProviderKind),
    /// The staff member is not of the business, or archived.
    #[error("this staff member doesn't exist")]
    UnknownStaff,
    /// Nobody here sent the person there.
    #[error("this connection was not started here; start again")]
    UnknownState,
    /// More than 15 minutes passed.
    #[error("the connection was started more than 15 minutes ago; start again")]
    ExpiredState,
    /// The page was loaded a second time.
    #[error("this connection was already completed; start again if the calendar is not connected")]
    UsedState,
    /// It was begun in another browser, or the person has signed out.
    #[error("the connection was started in another browser session; sign in and start again")]
    OtherSession,
    /// They were removed, or may no longer connect this person's calendars.
    #[error("you are not allowed to connect this person's calendars")]
    NoRight,
    /// It was begun by an API key that has been revoked.
    #[error("the app that started the connection no longer has access")]
    KeyRevoked,
    /// It was begun by an API key for somebody who can sign in, and nobody is signed in. Nothing is used up.
    #[error("this staff member has a Concord account and must sign in to confirm")]
    SignInFirst,
    /// It was begun by an API key, and the person has not confirmed it yet. Nothing is used up.
    #[error("the staff member has not confirmed the connection")]
    Unconfirmed {
        /// The tenant that the person works for.
        business: BusinessId,
        /// The person who is to confirm.
        staff: StaffId,
    },
    /// The person said no.
    #[error("access was not granted, so nothing was connected")]
    Denied {
        /// Where they wanted to go.
        return_to: String,
    },
    /// The person left out what is needed.
    #[error("some permissions were not granted; connect again and leave all boxes ticked")]
    MissingScope {
        /// Where they wanted to go.
        return_to: String,
    },
    /// The provider refused: the answer that the browser brought back holds nothing, or nothing that is any good.
    #[error("{message}")]
    Refused {
        /// What the person is shown.
        message: String,
        /// Where they wanted to go.
        return_to: String,
    },
    /// There are no calendars to be found with what the person gave.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The provider could not be reached, or is in trouble.
    #[error("{message}")]
    Provider {
        /// What the person is shown.
        message: String,
        /// Where they wanted to go.
        return_to: String,
    },
    /// The database refused or is away.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What it means that the browser brought no code.
pub(super) fn callback_error(
    context: &Context,
    provider: ProviderKind,
    callback: &OAuthCallback,
    return_to: String,
) -> ConnectError {
    let error = callback.error.as_deref().unwrap_or_default();
    let description = callback.error_description.as_deref().unwrap_or_default();
    let explained = context.providers.oauth(provider).and_then(|oauth| oauth.explain(error, description));
    match explained {
        Some(OAuthErrorExplanation { verdict: OAuthErrorKind::Declined, .. }) => {
            return ConnectError::Denied { return_to };
        }
        None if error == "access_denied" => return ConnectError::Denied { return_to },
        _ => {}
    }
    let words = if description.is_empty() { error } else { description };
    tracing::info!(%provider, words = sanitize_message(words), "a consent page sent somebody back without a code");
    let message = explained
        .map_or_else(|| format!("{} did not grant access", provider.name()), |explained| explained.words);
    ConnectError::Refused { message, return_to }
}

/// What a provider's error while connecting means.
pub(super) fn refusal(provider: ProviderKind, error: &ProviderError, return_to: &str) -> ConnectError {
    let (name, return_to) = (provider.name(), return_to.to_owned());
    tracing::warn!(%provider, %error, "a provider did not let a calendar be connected");
    match error {
        ProviderError::GrantDead(_) => ConnectError::Refused {
            message: format!("{name} rejected this authorisation: it expired or was already used"),
            return_to,
        },
        ProviderError::Transient(_) | ProviderError::RateLimited { .. } => {
            ConnectError::Provider { message: format!("{name} cannot be reached right now"), return_to }
        }
        ProviderError::AccountUnusable(why) => ConnectError::Refused { message: why.clone(), return_to },
        // Its refusals are told in our words, and say who has to do what.
        ProviderError::Rejected(why) if provider.oauth().is_some_and(|oauth| oauth.explains_refusals) => {
            ConnectError::Refused { message: why.clone(), return_to }
        }
        _ => ConnectError::Refused {
            message: format!("{name} refused to connect the calendar; the reason is in the log"),
            return_to,
        },
    }
}

/// The provider's words come through the browser: keep them short and on one line.
fn sanitize_message(words: &str) -> String {
    words.chars().filter(|c| !c.is_control()).take(200).collect()
}
