//! Where the calendars of a connection are: what is away for one account there is away for all of them.

use concord_domain::{connection::ProviderKind, ids::ConnectionId};

use crate::{Result, Tx};

/// A provider, and of CalDAV which server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CalendarServer {
    pub provider: ProviderKind,
    /// What the addresses of a CalDAV server's calendars begin with: scheme, host and port, and a slash. Empty for others.
    pub origin: String,
}

const SET_SERVER: &str = "
    UPDATE connections SET server_url = $2, username = $3, access_expires_at = NULL WHERE id = $1";

/// Notes that what was stored for calls is a password: whose, and at which server. A password does not expire.
pub async fn set_server(tx: &mut Tx, id: ConnectionId, server_url: &str, username: &str) -> Result<()> {
    exec!(tx, SET_SERVER, id, server_url, username)
}

const SERVER_OF: &str = "SELECT provider, server_url FROM connections WHERE id = $1";

/// Where the calendars of a connection are; `None`: there is no such connection.
pub async fn find_server(tx: &mut Tx, id: ConnectionId) -> Result<Option<CalendarServer>> {
    let row: Option<(ProviderKind, Option<String>)> = optional!(tx, SERVER_OF, id)?;
    Ok(row.map(|(provider, url)| {
        let origin = url.as_deref().map(origin_of).unwrap_or_default().to_owned();
        CalendarServer { provider, origin }
    }))
}

/// An address as it is kept, up to its path: each account's calendars have a path of their own.
fn origin_of(url: &str) -> &str {
    url.match_indices('/').nth(2).map_or(url, |(slash, _)| &url[..=slash])
}

#[cfg(test)]
mod tests {
    use super::origin_of;

    #[test]
    fn a_server_is_known_by_what_comes_before_the_path() {
        for (url, origin) in [
            ("https://dav.example/ana/", "https://dav.example/"),
            ("https://dav.example:8443/ana/private/", "https://dav.example:8443/"),
            ("https://dav.example/", "https://dav.example/"),
            ("https://dav.example", "https://dav.example"),
            ("", ""),
        ] {
            assert_eq!(origin_of(url), origin);
        }
    }
}
