//! The names of iCalendar, each with the kind of value that it takes.
//!
//! A name can only be written with a value of its kind: `Writer::text` takes a `Property<Text>` and nothing else.

use std::marker::PhantomData;

/// The name of a component (RFC 5545, 3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComponentName {
    Calendar,
    Event,
    /// What reminds of an event.
    Alarm,
    /// The rules of a zone.
    Timezone,
    /// A stretch of a zone's time.
    Standard,
    /// A stretch of a zone's summer time.
    Daylight,
}

impl ComponentName {
    /// As it stands after `BEGIN:` and `END:`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Calendar => "VCALENDAR",
            Self::Event => "VEVENT",
            Self::Alarm => "VALARM",
            Self::Timezone => "VTIMEZONE",
            Self::Standard => "STANDARD",
            Self::Daylight => "DAYLIGHT",
        }
    }
}

/// A property's name, whose value is of the kind `Kind`.
#[derive(Clone, Copy, Debug)]
pub struct Property<Kind> {
    /// The name, with any parameter that every value of it needs.
    pub(super) name: &'static str,
    kind: PhantomData<Kind>,
}

impl<Kind> Property<Kind> {
    const fn new(name: &'static str) -> Self {
        Self { name, kind: PhantomData }
    }

    /// The name as it is written.
    pub const fn as_str(self) -> &'static str
    where
        Kind: Copy,
    {
        self.name
    }
}

/// Kinds of values: marks for `Property`, never made.
pub mod kind {
    /// Free text, which is escaped (RFC 5545, 3.3.11).
    #[derive(Clone, Copy, Debug)]
    pub enum Text {}
    /// A word of the standard or of ours, written as it is.
    #[derive(Clone, Copy, Debug)]
    pub enum Keyword {}
    /// An instant in UTC.
    #[derive(Clone, Copy, Debug)]
    pub enum Instant {}
    /// An instant in UTC or a date.
    #[derive(Clone, Copy, Debug)]
    pub enum DateOrInstant {}
    /// A date and hour on the clock of a zone that is said elsewhere.
    #[derive(Clone, Copy, Debug)]
    pub enum Clock {}
    /// What a zone's clock is ahead of UTC.
    #[derive(Clone, Copy, Debug)]
    pub enum Offset {}
    /// A length of time in minutes, before something.
    #[derive(Clone, Copy, Debug)]
    pub enum MinutesBefore {}
    /// A whole number (RFC 5545, 3.3.8).
    #[derive(Clone, Copy, Debug)]
    pub enum Integer {}
    /// A length of time in minutes.
    #[derive(Clone, Copy, Debug)]
    pub enum Minutes {}
    /// A URI, which is not escaped (RFC 5545, 3.3.13).
    #[derive(Clone, Copy, Debug)]
    pub enum Uri {}
    /// A mail address, written as a `mailto:` URI.
    #[derive(Clone, Copy, Debug)]
    pub enum Address {}
}

macro_rules! properties {
    ($($(#[$doc:meta])* $constant:ident: $kind:ident = $name:literal;)*) => {
        $($(#[$doc])* pub const $constant: Property<kind::$kind> = Property::new($name);)*
    };
}

properties! {
    VERSION: Keyword = "VERSION";
    /// Who made the calendar (3.7.3).
    PRODID: Text = "PRODID";
    CALSCALE: Keyword = "CALSCALE";
    /// What the reader should do with it (3.7.2, RFC 5546).
    METHOD: Keyword = "METHOD";
    /// The calendar's name (RFC 7986, 5.1).
    RECORDER_NAME: Text = "NAME";
    /// The same, for readers older than RFC 7986.
    X_WR_CALNAME: Text = "X-WR-CALNAME";
    /// What the calendar is about, for readers older than RFC 7986.
    X_WR_CALDESC: Text = "X-WR-CALDESC";
    /// The zone in which to show it.
    X_WR_TIMEZONE: Text = "X-WR-TIMEZONE";
    /// How often to come back (RFC 7986, 5.7, which demands the parameter).
    REFRESH_INTERVAL: Minutes = "REFRESH-INTERVAL;VALUE=DURATION";
    /// The same, for Outlook.
    X_PUBLISHED_TTL: Minutes = "X-PUBLISHED-TTL";
    UID: Text = "UID";
    DTSTAMP: Instant = "DTSTAMP";
    CREATED: Instant = "CREATED";
    LAST_MODIFIED: Instant = "LAST-MODIFIED";
    SEQUENCE: Integer = "SEQUENCE";
    DTSTART: DateOrInstant = "DTSTART";
    DTEND: DateOrInstant = "DTEND";
    SUMMARY: Text = "SUMMARY";
    DESCRIPTION: Text = "DESCRIPTION";
    LOCATION: Text = "LOCATION";
    STATUS: Keyword = "STATUS";
    CLASS: Keyword = "CLASS";
    /// Whether it takes up time (3.8.2.7).
    TRANSP: Keyword = "TRANSP";
    /// What Outlook shows an event as, which it does not take from TRANSP alone ([MS-OXCICAL], 2.1.3.1.1.20.31).
    X_MICROSOFT_CDO_BUSYSTATUS: Keyword = "X-MICROSOFT-CDO-BUSYSTATUS";
    URL: Uri = "URL";
    /// How to join from afar (RFC 7986, 5.11, which demands the parameter).
    CONFERENCE: Uri = "CONFERENCE;VALUE=URI";
    /// Labels that people sort by (3.8.1.2).
    CATEGORIES: Text = "CATEGORIES";
    /// What an alarm does (3.8.6.1).
    ACTION: Keyword = "ACTION";
    /// When it does it (3.8.6.3).
    TRIGGER: MinutesBefore = "TRIGGER";
    /// A zone's name (3.8.3.1).
    TZID: Keyword = "TZID";
    /// When a stretch of a zone's time begins, on the clock before it (3.6.5).
    ONSET: Clock = "DTSTART";
    TZOFFSETFROM: Offset = "TZOFFSETFROM";
    /// From then on (3.8.3.4).
    TZOFFSETTO: Offset = "TZOFFSETTO";
    /// What people call it (3.8.3.2).
    TZNAME: Text = "TZNAME";
    /// The mapping that an entry in a connected calendar belongs to.
    X_CONCORD_ENTRY: Text = "X-CONCORD-ENTRY";
    /// The booking that it stands for.
    X_CONCORD_BOOKING: Text = "X-CONCORD-BOOKING";
    /// The zone of an entry whose hours only UTC can tell.
    X_CONCORD_ZONE: Text = "X-CONCORD-ZONE";
    /// Of an entry: the mark of the words that we wrote last.
    X_CONCORD_WORDS: Text = "X-CONCORD-WORDS";
    /// Of an entry: the category that we wrote last, among others that people have chosen.
    X_CONCORD_COLOUR: Text = "X-CONCORD-COLOUR";
    /// Of an entry: how many minutes before it our alarms are.
    X_CONCORD_REMINDERS: Text = "X-CONCORD-REMINDERS";
    ORGANIZER: Address = "ORGANIZER";
    ATTENDEE: Address = "ATTENDEE";
}

/// A parameter of a property, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PropertyParameter<'v> {
    pub(super) name: &'static str,
    pub(super) value: &'v str,
    /// Words need no quotes, and some readers do not know them with quotes.
    pub(super) quoted: bool,
}

impl<'v> PropertyParameter<'v> {
    /// The name of the person or business that an address belongs to (3.2.2).
    pub fn common_name(value: &'v str) -> Self {
        Self { name: "CN", value, quoted: true }
    }

    /// A word of the standard.
    pub fn keyword(name: &'static str, value: &'static str) -> Self {
        Self { name, value, quoted: false }
    }
}
