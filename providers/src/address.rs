//! Addresses that are built from a configured base.

use url::Url;

use crate::error::SetupError;

/// `path` below the path of `base`, whether that ends in a slash or not.
pub(crate) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

/// The address of a provider's own host.
#[expect(
    clippy::expect_used,
    reason = "hosts and paths are the literals of the providers, which their tests parse"
)]
pub(crate) fn https(host: &str, path: &str) -> Url {
    Url::parse(&format!("https://{host}/{path}")).expect("a literal address")
}

/// Whether addresses of the configuration, each with what it is, are ones that can be called.
pub(crate) fn check_callable(addresses: &[(&'static str, &Url)]) -> Result<(), SetupError> {
    let is_callable = |url: &Url| matches!(url.scheme(), "https" | "http") && url.host().is_some();
    match addresses.iter().find(|(_, url)| !is_callable(url)) {
        Some((what, url)) => Err(SetupError::Address { what, url: (*url).clone() }),
        None => Ok(()),
    }
}
