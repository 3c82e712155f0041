//! The address of a platform's feed: checked, and in one spelling.

use concord_domain::platform::Platform;
use concord_jobs::{Context, channels::own_feed::is_our_feed};
use concord_providers::feed_address;
use secrecy::{ExposeSecret, SecretString};

use super::ChannelError;

pub(super) async fn validate_optional_address(
    context: &Context,
    url: Option<&SecretString>,
    platform: Option<&Platform>,
) -> Result<Option<SecretString>, ChannelError> {
    match url {
        Some(url) => checked(context, url, platform).await.map(Some),
        None => Ok(None),
    }
}

/// An address that can be read, in its one spelling.
pub(super) async fn checked(
    context: &Context,
    url: &SecretString,
    platform: Option<&Platform>,
) -> Result<SecretString, ChannelError> {
    if let Some(platform) = platform.filter(|platform| !platform.exports) {
        return Err(ChannelError::NothingToRead(platform.name.clone()));
    }
    let address = feed_address(url.expose_secret())?;
    context.feeds.judge(&address)?;
    let is_ours = is_our_feed(context, &address).await?;
    if is_ours { Err(ChannelError::OwnFeed) } else { Ok(String::from(address).into()) }
}

/// The host of an address; all that may be shown of it.
pub(super) fn host_of(url: &SecretString) -> String {
    let parsed = feed_address(url.expose_secret()).ok();
    parsed.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}
