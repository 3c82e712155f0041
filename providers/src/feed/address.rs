//! What people type, or paste, when they are asked for the address of a feed.

use url::Url;

use super::error::FeedError;

/// Longer ones are none: the longest known, of Google, is below 200 characters.
const LONGEST: usize = 4_000;

/// How an address may begin; the second two are how applications for calendars are told to subscribe, over https where
/// the server has it.
const SCHEMES: [&str; 4] = ["https", "http", "webcals", "webcal"];

/// The address that a person means.
///
/// Spaces, quotes and brackets around it are taken away, `webcal://` becomes `https://`, and so does nothing at all. User
/// and password stay in it. The error is [`FeedError::BadAddress`].
pub fn feed_address(text: &str) -> Result<Url, FeedError> {
    let text = trimmed(text);
    if text.is_empty() {
        return bad("it is empty");
    }
    if text.len() > LONGEST {
        return bad("it is too long");
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return bad("it holds a space or a line's end; perhaps it was copied with something else");
    }
    let (scheme, rest) = split_scheme(text)?;
    let Ok(mut url) = format!("{scheme}://{rest}").parse::<Url>() else {
        return bad("it cannot be understood; copy it again");
    };
    url.set_fragment(None);
    match url.host_str() {
        None | Some("") => bad("it names no server"),
        Some(_) if url.port() == Some(0) => bad("nothing can be reached at port 0"),
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

fn bad<T>(why: &'static str) -> Result<T, FeedError> {
    Err(FeedError::BadAddress(why))
}

/// Without what mails, documents and hurried hands put around an address.
fn trimmed(text: &str) -> &str {
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
        SCHEMES.iter().find_map(|known| Some((*known, after_scheme(rest, known)?)))
    {
        scheme = Some(if known == "http" { "http" } else { "https" });
        rest = after;
    }
    match scheme {
        Some(scheme) => Ok((scheme, rest)),
        None => without_scheme(rest),
    }
}

fn after_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let start = text.get(..scheme.len())?;
    let after = text.get(scheme.len()..)?.strip_prefix(':')?;
    // One slash too few or too many, or the wrong ones: browsers take these too.
    let slashes = after.trim_start_matches(['/', '\\']);
    (start.eq_ignore_ascii_case(scheme) && slashes.len() < after.len()).then_some(slashes)
}

fn without_scheme(text: &str) -> Result<(&'static str, &str), FeedError> {
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    if text.contains("://") || host.is_empty() {
        return bad("it must begin with https://");
    }
    if host.contains('@') {
        return bad("it looks like an address for mail; the one of a calendar begins with https://");
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    if !name.contains('.') || !port.chars().all(|c| c.is_ascii_digit()) || name.contains('\\') {
        return bad("it must begin with https://");
    }
    Ok(("https", text))
}
