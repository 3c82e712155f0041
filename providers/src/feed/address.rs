//! What people type, or paste, when they are asked for the address of a feed.

use url::Url;

use super::error::FeedError;

/// Longer ones are none: the longest known, of Google, is below 200 characters.
const MAX_ADDRESS_LEN: usize = 4_000;

/// How an address may begin; the second two are how applications for calendars are told to subscribe, over https where
/// the server has it.
const SCHEMES: [&str; 4] = ["https", "http", "webcals", "webcal"];

/// The address that a person means.
///
/// Spaces, quotes and brackets around it are taken away, `webcal://` becomes `https://`, and so does nothing at all. User
/// and password stay in it. The error is [`FeedError::BadAddress`].
pub fn feed_address(text: &str) -> Result<Url, FeedError> {
    let text = trim_address(text);
    if text.is_empty() {
        return bad_address("it is empty");
    }
    if text.len() > MAX_ADDRESS_LEN {
        return bad_address("it is too long");
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return bad_address("it contains a space or line break: copy it again");
    }
    let (scheme, rest) = split_scheme(text)?;
    let Ok(mut url) = format!("{scheme}://{rest}").parse::<Url>() else {
        return bad_address("it is not a valid link: copy it again");
    };
    url.set_fragment(None);
    match url.host_str() {
        None | Some("") => bad_address("it has no host name"),
        Some(_) if url.port() == Some(0) => bad_address("nothing can be reached at port 0"),
        Some(_) => Ok(url),
    }
}

/// The same address with the scheme that is called.
pub(super) fn with_web_scheme(url: Url) -> Url {
    match url.as_str().split_once(':') {
        Some(("webcal" | "webcals", rest)) => format!("https:{rest}").parse().unwrap_or(url),
        _ => url,
    }
}

fn bad_address<T>(why: &'static str) -> Result<T, FeedError> {
    Err(FeedError::BadAddress(why))
}

/// Without what mails, documents and hurried hands put around an address.
fn trim_address(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '"' | '\'' | '<' | '>' | '`' | '“' | '”' | '„' | '‘' | '’' | '«' | '»' | ',' | ';')
            // What cannot be seen: zero-width characters, direction marks, the byte order mark.
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}' | '\u{FEFF}')
    })
}

/// The scheme to call it with, and what follows the slashes.
fn split_scheme(text: &str) -> Result<(&'static str, &str), FeedError> {
    let mut scheme = None;
    let mut rest = text;
    // `webcal://https://…` comes of an address that was put where only its end belongs.
    while let Some((known, after)) =
        SCHEMES.iter().find_map(|known| Some((*known, strip_scheme(rest, known)?)))
    {
        scheme = Some(if known == "http" { "http" } else { "https" });
        rest = after;
    }
    match scheme {
        Some(scheme) => Ok((scheme, rest)),
        None => guess_scheme(rest),
    }
}

fn strip_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let start = text.get(..scheme.len())?;
    let after = text.get(scheme.len()..)?.strip_prefix(':')?;
    // One slash too few or too many, or the wrong ones: browsers take these too.
    let slashes = after.trim_start_matches(['/', '\\']);
    (start.eq_ignore_ascii_case(scheme) && slashes.len() < after.len()).then_some(slashes)
}

fn guess_scheme(text: &str) -> Result<(&'static str, &str), FeedError> {
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    if text.contains("://") || host.is_empty() {
        return bad_address("it must start with https://");
    }
    if host.contains('@') {
        return bad_address("this is an email address; a calendar link starts with https://");
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    if !name.contains('.') || !port.chars().all(|c| c.is_ascii_digit()) || name.contains('\\') {
        return bad_address("it must start with https://");
    }
    Ok(("https", text))
}
