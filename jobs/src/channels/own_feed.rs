//! Our own feeds' addresses: what is read there is what is here already, and would come back as bookings.

use concord_storage::{StorageError, feeds, secret};
use secrecy::SecretString;
use url::Url;

use crate::Context;

/// Whether an address is that of one of this installation's feeds: by the public address, or, under whatever name it is
/// reached, by the token.
pub async fn is_our_feed(context: &Context, address: &Url) -> Result<bool, StorageError> {
    if is_public_address(&context.mail.public_url, address) {
        return Ok(true);
    }
    for token in tokens_in(address) {
        let digest = secret::digest(&SecretString::from(token));
        if feeds::find_published(&context.db, &digest).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_public_address(own: &Url, address: &Url) -> bool {
    let host = |url: &Url| {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        host.strip_prefix("www.").map(str::to_owned).unwrap_or(host)
    };
    // Where a proxy answers to both schemes, their usual ports are one.
    let port = |url: &Url| url.port();
    let path = address.path();
    host(own) == host(address)
        && port(own) == port(address)
        && ["/feeds/", "/api/ical/"].iter().any(|start| path.starts_with(start))
}

/// What could be the token of a feed, in a path or a query.
fn tokens_in(address: &Url) -> impl Iterator<Item = String> + '_ {
    let queried = address.query_pairs().map(|(_, value)| value.into_owned());
    let named = address.path_segments().into_iter().flatten().map(str::to_owned);
    queried.chain(named).filter_map(|text| {
        let token = &text[text.find(feeds::TOKEN_PREFIX)?..];
        let end = token.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-'));
        Some(token[..end.unwrap_or(token.len())].to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_address_is_known_in_every_spelling() {
        let own = Url::parse("https://book.example/").unwrap();
        for (address, is_ours) in [
            ("https://book.example/feeds/cf_x.ics", true),
            ("http://BOOK.example./feeds/cf_x.ics", true),
            ("https://www.book.example:443/api/ical/bookings.ics?token=cf_x", true),
            ("https://book.example/calendar.ics", false),
            ("https://book.example:8443/feeds/cf_x.ics", false),
            ("https://other.example/feeds/cf_x.ics", false),
        ] {
            assert_eq!(is_public_address(&own, &Url::parse(address).unwrap()), is_ours, "{address}");
        }
    }

    #[test]
    fn tokens_are_found_in_path_and_query() {
        let tokens = |address| tokens_in(&Url::parse(address).unwrap()).collect::<Vec<_>>();
        assert_eq!(tokens("https://a.example/feeds/cf_a-B_1.ics"), ["cf_a-B_1"]);
        assert_eq!(tokens("https://a.example/x?u=1&token=%63f_b"), ["cf_b"]);
        assert_eq!(tokens("https://a.example/x.ics?s=abc"), Vec::<String>::new());
    }
}
