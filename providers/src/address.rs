//! Addresses that are built from a configured base.

use url::Url;

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
