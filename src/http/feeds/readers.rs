//! What reads feeds, by what it calls itself.

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, header};
use concord_domain::platform::Platform;
use concord_storage::feed_reads::FeedRead;

/// The platform of no name: what it says holds for any.
pub(in crate::http) const ANY_PLATFORM: &str = "generic";

/// Of what a reader calls itself, in characters.
const MAX_NAME_LENGTH: usize = 120;

/// What a reader calls itself: one line, cut.
pub(super) fn reader_name(headers: &HeaderMap) -> Cow<'_, str> {
    let sent = headers
        .get(header::USER_AGENT)
        .map_or(Cow::Borrowed(""), |name| String::from_utf8_lossy(name.as_bytes()));
    let is_plain = sent.len() <= MAX_NAME_LENGTH && sent.bytes().all(|byte| (0x20..0x7F).contains(&byte));
    let name = if is_plain {
        sent
    } else {
        let kept = sent.chars().filter(|character| !character.is_control()).take(MAX_NAME_LENGTH);
        Cow::Owned(kept.collect())
    };
    if name.trim().is_empty() { Cow::Borrowed("unknown") } else { name }
}

/// How programs that read calendars begin to name themselves, in lower case. Some of them say that they take pages.
const PROGRAMS: [&str; 13] = [
    "java/",
    "apache-httpclient",
    "okhttp",
    "jakarta",
    "airbnb",
    "booking",
    "vrbo",
    "homeaway",
    "expedia",
    "agoda",
    "python",
    "go-http-client",
    "microsoft",
];

/// What calendar programs have in their names, in lower case: Google Calendar, Outlook and Exchange, iOS and macOS (the two
/// daemons), Thunderbird, GNOME, KDE, Android's.
const CALENDARS: [&str; 14] = [
    "google-calendar",
    "outlook",
    "microsoft office",
    "microsoft exchange",
    "dataaccessd",
    "calendaragent",
    "thunderbird",
    "evolution/",
    "gnome-calendar",
    "korganizer",
    "icsx5",
    "davx5",
    "fantastical",
    "busycal",
];

/// What has a look at each address that is written in a chat, in lower case. iMessage, Signal and Teams go by these names, too.
const PREVIEWS: [&str; 13] = [
    "slackbot",
    "slack-imgproxy",
    "whatsapp",
    "facebookexternalhit",
    "facebot",
    "telegrambot",
    "twitterbot",
    "linkedinbot",
    "discordbot",
    "skypeuripreview",
    "bingpreview",
    "mattermost",
    "redditbot",
];

/// How programs begin to name themselves by which people fetch an address to look what is there, in lower case.
const TOOLS: [&str; 6] = ["curl/", "wget/", "httpie/", "postmanruntime/", "insomnia/", "bruno"];

/// The platforms that say who they are when they read, in lower case, and their ids.
const PLATFORMS: [(&str, &str); 5] = [
    ("airbnb", "airbnb"),
    ("booking.com", "booking_com"),
    ("vrbo", "vrbo"),
    ("homeaway", "vrbo"),
    ("agoda", "agoda"),
];

/// What reads, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FeedReaderKind {
    /// A browser, and so a person who looks.
    Person,
    /// A chat that shows what is behind an address.
    Preview,
    Calendar,
    /// A program by which somebody looks.
    Tool,
    /// The platform with that id.
    Platform(&'static str),
    /// Any other, such as a platform.
    Program,
}

impl FeedReaderKind {
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        match Self::from_name(&reader_name(headers)) {
            Some(kind) => kind,
            None if is_person(headers) => Self::Person,
            None => Self::Program,
        }
    }

    /// Of those that say it by their names alone.
    fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let has = |part: &&str| name.contains(*part);
        if PREVIEWS.iter().any(&has) {
            return Some(Self::Preview);
        }
        if CALENDARS.iter().any(&has) {
            return Some(Self::Calendar);
        }
        if TOOLS.iter().any(|tool| name.starts_with(tool)) {
            return Some(Self::Tool);
        }
        PLATFORMS.iter().find(|(part, _)| has(part)).map(|(_, id)| Self::Platform(id))
    }

    /// Whether by this reading the platform knows what the feed of its channel says. A channel's address is pasted into calendars
    /// and chats, too, and tried by those who have it: what says that it is something else closes no nights anywhere. Of a
    /// channel for any platform, and of one that sells nothing, calendars are readers, too.
    pub(super) fn is_platform(self, platform: Option<&Platform>) -> bool {
        let is_any = |platform: &Platform| platform.id.as_str() == ANY_PLATFORM;
        match self {
            Self::Person | Self::Preview | Self::Tool => false,
            Self::Calendar => platform.is_none_or(|platform| !platform.sells() || is_any(platform)),
            Self::Platform(id) => platform.is_none_or(|one| one.id.as_str() == id || is_any(one)),
            Self::Program => true,
        }
    }
}

/// Whether a reader is shown as a person. `person` says only that it is not the platform: of a channel's feed that holds for
/// calendars, link previews, tools and other platforms, too.
pub(in crate::http) fn is_shown_as_person(read: &FeedRead) -> bool {
    read.person && FeedReaderKind::from_name(&read.reader).is_none()
}

/// Browsers ask for pages first: their `Accept` begins with HTML and names XHTML beside it. Java's own client, by which
/// platforms read (`text/html, image/gif, image/jpeg, */*; q=0.2`), names HTML first too, so what comes second decides, and
/// what the reader calls itself.
fn is_person(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = text(header::USER_AGENT).trim().to_ascii_lowercase();
    if PROGRAMS.iter().any(|program| name.starts_with(program)) {
        return false;
    }
    // The media ranges in their order, without their parameters (RFC 9110, section 12.5.1).
    let accepted = text(header::ACCEPT).to_ascii_lowercase();
    let mut ranges = accepted.split(',').map(|range| range.split(';').next().unwrap_or_default().trim());
    ranges.next() == Some("text/html") && ranges.any(|range| range == "application/xhtml+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: HeaderName, value: &[u8]) -> HeaderMap {
        HeaderMap::from_iter([(name, header::HeaderValue::from_bytes(value).unwrap())])
    }

    #[test]
    fn readers_are_called_what_they_call_themselves() {
        let long = "x".repeat(300);
        for (sent_name, name) in [
            (&b"Airbnb/1.0"[..], "Airbnb/1.0"),
            (b"Kalender\tf\xC3\xBCr alle", "Kalenderf\u{fc}r alle"),
            (b"", "unknown"),
            (b"   ", "unknown"),
            (b"\xFF\xFE", "\u{fffd}\u{fffd}"),
            (long.as_bytes(), &long[..MAX_NAME_LENGTH]),
        ] {
            assert_eq!(reader_name(&sent(header::USER_AGENT, sent_name)), name);
        }
        assert_eq!(reader_name(&HeaderMap::new()), "unknown");
    }

    #[test]
    fn a_person_asks_for_pages_first() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        let java = "text/html, image/gif, image/jpeg, */*; q=0.2";
        for (name, accepted, person) in [
            ("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", browser, true),
            ("Mozilla/5.0 (iPhone) Safari/604.1", "text/html, application/xhtml+xml;q=0.9, */*;q=0.1", true),
            ("Java/1.8.0_292", java, false),
            ("Java/17.0.2", browser, false),
            ("", java, false),
            ("Mozilla/5.0 (compatible; SomePlatform)", java, false),
            ("Airbnb/1.0", browser, false),
            ("Vrbo", "*/*", false),
            ("Calendar", "text/calendar", false),
            ("Calendar", "text/calendar, text/html, application/xhtml+xml", false),
        ] {
            let mut headers = sent(header::ACCEPT, accepted.as_bytes());
            headers.insert(header::USER_AGENT, name.parse().unwrap());
            assert_eq!(is_person(&headers), person, "{name}: {accepted}");
        }
        assert!(!is_person(&HeaderMap::new()));
    }

    #[test]
    fn calendars_and_previews_say_what_they_are() {
        for (name, kind) in [
            ("Google-Calendar-Importer", FeedReaderKind::Calendar),
            ("Mozilla/5.0 (compatible; Google-Calendar-Importer)", FeedReaderKind::Calendar),
            (
                "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17029; Pro)",
                FeedReaderKind::Calendar,
            ),
            ("iOS/17.5.1 (21F90) dataaccessd/1.0", FeedReaderKind::Calendar),
            ("macOS/14.5 (23F79) CalendarAgent/1017.4", FeedReaderKind::Calendar),
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.0",
                FeedReaderKind::Calendar,
            ),
            ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", FeedReaderKind::Preview),
            ("WhatsApp/2.23.20.0", FeedReaderKind::Preview),
            ("curl/8.14.1", FeedReaderKind::Tool),
            ("PostmanRuntime/7.43.0", FeedReaderKind::Tool),
            ("Airbnb Calendar Importer/1.0", FeedReaderKind::Platform("airbnb")),
            ("HomeAway iCal fetcher", FeedReaderKind::Platform("vrbo")),
            ("facebookexternalhit/1.1 Facebot Twitterbot/1.0", FeedReaderKind::Preview),
            ("TelegramBot (like TwitterBot)", FeedReaderKind::Preview),
            ("LinkedInBot/1.0 (compatible; Mozilla/5.0)", FeedReaderKind::Preview),
            ("Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)", FeedReaderKind::Preview),
            ("Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5", FeedReaderKind::Preview),
            ("Airbnb/1.0", FeedReaderKind::Platform("airbnb")),
            ("Java/17.0.2", FeedReaderKind::Program),
            ("Booking.com", FeedReaderKind::Platform("booking_com")),
            ("", FeedReaderKind::Program),
        ] {
            assert_eq!(
                FeedReaderKind::from_headers(&sent(header::USER_AGENT, name.as_bytes())),
                kind,
                "{name}"
            );
        }
    }
}
