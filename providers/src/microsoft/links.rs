//! Links to further pages and changes: opaque, but never followed to somebody else.

use url::Url;

/// The link if it stays below `base` (scheme, host, port and path): whoever is asked gets the token.
pub(super) fn ours(base: &Url, link: &str) -> Option<Url> {
    // Parsing resolves dots in the path, so that nothing climbs out of it later.
    let url = Url::parse(link).ok()?;
    let is_ours = url.origin() == base.origin()
        && url.username().is_empty()
        && url.password().is_none()
        && url.path().starts_with(base.path());
    is_ours.then_some(url)
}

/// Where a link leads, for the log: its query holds a token of Microsoft's.
pub(super) fn place(link: &str) -> String {
    Url::parse(link).map_or_else(
        |_| "no address".to_owned(),
        |url| crate::quote::quote(&format!("{}{}", url.origin().ascii_serialization(), url.path()), &[]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_below_the_base_is_ours() {
        let base: Url = "https://graph.microsoft.com/v1.0/".parse().unwrap();
        for link in [
            "https://graph.microsoft.com/v1.0/me/calendarView/delta?$deltatoken=x",
            "https://GRAPH.microsoft.com:443/v1.0/me",
        ] {
            assert!(ours(&base, link).is_some(), "{link}");
        }
        for link in [
            "http://graph.microsoft.com/v1.0/me",
            "https://graph.microsoft.com:444/v1.0/me",
            "https://graph.microsoft.com.evil.example/v1.0/me",
            "https://evil.example/v1.0/me",
            "https://graph.microsoft.com@evil.example/v1.0/me",
            "https://ana:x@graph.microsoft.com/v1.0/me",
            "https://graph.microsoft.com/v1.0/../beta/me",
            "https://graph.microsoft.com/v1.0/%2e%2e/beta/me",
            "https://graph.microsoft.com/v1.0beta/me",
            "//graph.microsoft.com/v1.0/me",
            "this-was-never-a-link",
            "",
        ] {
            assert!(ours(&base, link).is_none(), "{link}");
        }
    }

    #[test]
    fn a_place_shows_no_token() {
        assert_eq!(place("https://evil.example/a?$skiptoken=secret"), "https://evil.example/a");
        assert_eq!(place("nonsense"), "no address");
    }
}
