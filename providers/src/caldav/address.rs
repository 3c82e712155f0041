//! Where things are: hrefs of the server and ids of ours, and which hosts belong together.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::{Host, Url};

use crate::error::ProviderError;

/// RFC 3986's unreserved characters, and `@`, which names of objects often hold.
const NAME_ESCAPES: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// The collection that a calendar's id names: a path at the account's server, or an address at a kindred one.
/// `NotFound`: it names none, whatever it does name.
pub(super) fn collection(home: &Url, calendar: &str) -> Result<Url, ProviderError> {
    let plain = !calendar.contains(['?', '#', '\\']) && !calendar.contains(char::is_control);
    let mut url = match calendar.strip_prefix('/') {
        Some(rest) if plain && !rest.starts_with('/') => {
            let mut url = home.clone();
            url.set_path(calendar);
            url
        }
        None if plain => Url::parse(calendar).map_err(|_| ProviderError::NotFound)?,
        _ => return Err(ProviderError::NotFound),
    };
    // What the URL parser has taken out or put in was not there.
    let same = url.path() == calendar || url.as_str() == calendar;
    if !same || !is_kindred(home, &url) {
        return Err(ProviderError::NotFound);
    }
    close(&mut url);
    Ok(url)
}

/// The id of the calendar that stands at `url`, the same in whichever way the server writes the address.
pub(super) fn calendar_id(home: &Url, url: &Url) -> String {
    let mut url = url.clone();
    let part = |part: &str| match percent_decode_str(part).decode_utf8() {
        Ok(plain) if !plain.contains('/') => utf8_percent_encode(&plain, NAME_ESCAPES).to_string(),
        _ => part.to_owned(),
    };
    let path: Vec<String> = url.path().split('/').map(part).collect();
    url.set_path(&path.join("/"));
    if home.origin() == url.origin() { url.path().to_owned() } else { url.to_string() }
}

/// The object of that name in a collection. `NotFound`: it is the name of none. A slash in a name is none even encoded:
/// Radicale takes `a%2F..%2Fb` for `b`.
pub(super) fn object(collection: &Url, name: &str) -> Result<Url, ProviderError> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\\']) {
        return Err(ProviderError::NotFound);
    }
    let mut url = collection.clone();
    url.set_path(&format!("{}{}", collection.path(), utf8_percent_encode(name, NAME_ESCAPES)));
    Ok(url)
}

/// The name of the object that an href names. `None`: it is no object of the collection, but perhaps the collection.
///
/// Servers write one and the same href in several ways (with and without host, `@` as `%40`), so a name is decoded.
pub(super) fn name_of(collection: &Url, href: &str) -> Option<String> {
    let url = collection.join(href).ok()?;
    let (parent, name) = url.path().rsplit_once('/')?;
    let name = percent_decode_str(name).decode_utf8().ok()?;
    let same = || percent_decode_str(parent).eq(percent_decode_str(collection.path().trim_end_matches('/')));
    (!name.is_empty() && !name.contains(['/', '\\']) && same()).then(|| name.into_owned())
}

/// A collection's address ends in a slash, or what is joined to it would take the place of its last part.
pub(super) fn close(url: &mut Url) {
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
}

/// Whether a server that has the password may send us on to `other` with it.
///
/// To itself; and over https to its kin, as iCloud does from `caldav.icloud.com` to `p42-caldav.icloud.com`. Kin is who
/// shares the domain that somebody has registered. We carry no list of public suffixes; a shared end of two labels is
/// taken for registered, unless it looks like the second level of a country (`co.uk`, `com.au`), where it takes three.
/// That errs where people may register below others' domains. But only a server that has the password already can name
/// such a neighbour.
pub(super) fn is_kindred(known: &Url, other: &Url) -> bool {
    if known.origin() == other.origin() {
        return true;
    }
    let (Some(Host::Domain(known_host)), Some(Host::Domain(other_host))) = (known.host(), other.host())
    else {
        return false;
    };
    let both_safe = known.scheme() == "https" && other.scheme() == "https";
    both_safe && registered(known_host).is_some_and(|domain| registered(other_host) == Some(domain))
}

fn registered(host: &str) -> Option<Vec<&str>> {
    let labels: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    let [.., second, top] = labels[..] else { return None };
    let needed = if top.len() == 2 && second.len() <= 3 { 3 } else { 2 };
    labels.len().checked_sub(needed).map(|from| labels[from..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn a_calendars_id_names_a_collection_or_nothing() {
        let home = url("https://dav.example.com:8443/ana/?x");
        for (id, there) in [
            ("/ana/cal/", "https://dav.example.com:8443/ana/cal/"),
            ("/ana/cal", "https://dav.example.com:8443/ana/cal/"),
            ("/ana%40b/%C3%BC/", "https://dav.example.com:8443/ana%40b/%C3%BC/"),
            ("https://other.example.com/cal/", "https://other.example.com/cal/"),
        ] {
            assert_eq!(collection(&home, id).unwrap().as_str(), there, "{id}");
        }
        for id in [
            "",
            "cal",
            "//evil.example/cal/",
            "/ana/../bob/",
            "/ana/%2e%2e/bob/",
            "/ana/cal/?x",
            "/ana/cal/#x",
            "/ana\\bob/",
            "/ana/\ncal/",
            "/ana b/",
            "https://evil.example/cal/",
            "http://dav.example.com/cal/",
            "file:///etc/passwd",
        ] {
            assert!(collection(&home, id).is_err(), "{id}");
        }
    }

    #[test]
    fn a_name_is_one_step_below_its_collection_and_comes_back() {
        let cal = url("https://dav.example.com/ana/cal/");
        for name in ["a.ics", "a@b.ics", "a?x", "a#x", "a%20", "ümläut-予約", "a b"] {
            let object = object(&cal, name).unwrap();
            assert!(object.path().starts_with("/ana/cal/") && object.query().is_none(), "{object}");
            assert_eq!(name_of(&cal, object.path()).as_deref(), Some(name));
            assert_eq!(name_of(&cal, object.as_str()).as_deref(), Some(name));
        }
        for name in ["", ".", "..", "a/b", "a/../b", "a\\b"] {
            assert!(object(&cal, name).is_err());
        }
        assert_eq!(name_of(&cal, "/an%61/cal/a%40b.ics").as_deref(), Some("a@b.ics"));
        for href in ["/ana/cal/", "/ana/cal", "/ana/other/a.ics", "/ana/cal/sub/a.ics"] {
            assert_eq!(name_of(&cal, href), None, "{href}");
        }
    }

    #[test]
    fn a_calendar_has_one_id_however_its_address_is_written() {
        let home = url("https://dav.example.com/");
        for path in ["/ana@example.com/b%C3%BC/", "/ana%40example.com/bü/", "/%61na%40example.com/b%c3%bc/"]
        {
            let id = calendar_id(&home, &home.join(path).unwrap());
            assert_eq!(id, "/ana@example.com/b%C3%BC/");
            assert_eq!(collection(&home, &id).unwrap().path(), id);
        }
        let elsewhere = url("https://p1.example.com/1/");
        assert_eq!(calendar_id(&home, &elsewhere), "https://p1.example.com/1/");
    }

    #[test]
    fn a_password_goes_to_kin_only() {
        for (known, other, kin) in [
            ("https://caldav.icloud.com/", "https://p42-caldav.icloud.com:443/1/", true),
            ("https://dav.example.com/", "https://example.com/", true),
            ("https://dav.example.com/", "https://dav.example.com:8443/", true),
            ("https://dav.example.com/", "http://dav.example.com/", false),
            ("http://dav.example.com/", "https://dav.example.com/", false),
            ("http://dav.example.com/", "http://other.example.com/", false),
            ("https://dav.example.com/", "https://example.org/", false),
            ("https://ana.co.uk/", "https://evil.co.uk/", false),
            ("https://dav.ana.co.uk/", "https://cal.ana.co.uk/", true),
            ("https://ana.com.au/", "https://evil.com.au/", false),
            ("https://com/", "https://evil.com/", false),
            ("https://10.0.0.1/", "https://10.0.0.2/", false),
            ("http://localhost:1/", "http://localhost:1/x", true),
            ("http://localhost:1/", "http://localhost:2/x", false),
        ] {
            assert_eq!(is_kindred(&url(known), &url(other)), kin, "{known} {other}");
        }
    }
}
