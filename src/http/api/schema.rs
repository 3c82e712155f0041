//! How the domain's closed sets of words look in the OpenAPI document.
//!
//! The domain knows nothing of OpenAPI, so each set has a stand-in here, of the same name, for `value_type`.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr,
        schema::{Schema, Type},
    },
};

macro_rules! stand_ins {
    ($($words:ident of $($module:ident)::+, $doc:literal;)+) => {$(
        #[doc = $doc]
        #[derive(Debug)]
        pub(crate) enum $words {}

        impl PartialSchema for $words {
            fn schema() -> RefOr<Schema> {
                one_of($doc, concord_domain::$($module)::+::$words::ALL.iter().map(|word| word.as_str()))
            }
        }

        impl ToSchema for $words {
            fn name() -> Cow<'static, str> {
                stringify!($words).into()
            }
        }
    )+};
}

stand_ins! {
    DayRoom of availability, "How much of a day is free.";
    BookingKind of booking, "What sort of booking it is.";
    BookingStatus of booking, "Where a booking stands.";
    ConnectionState of connection, "Whether a calendar integration is served.";
    Coverage of connection, "Which bookings a calendar integration gets.";
    Direction of connection, "Which way facts flow.";
    EntryState of connection, "Where a booking's entry in a calendar stands.";
    ProviderKind of connection, "Who keeps the calendar.";
    JobKind of job, "What is done.";
    JobState of job, "Where a piece of work stands.";
    QueueClass of job, "How urgent a piece of work is.";
    ChannelState of channel, "Whether a channel is kept in step.";
    Preference of channel, "Whose booking gives way where a channel's meets another one.";
    BlockRule of channel, "What becomes of nights that a platform only closes.";
    ImportGuard of channel, "Why cancellations are held back.";
    ItemKind of channel, "What an event of a platform's feed is.";
    Settled of channel, "What somebody says of an event that is in doubt.";
    RunOrigin of channel, "What made Concord read a feed.";
    RunOutcome of channel, "How a reading of a feed ended.";
    PlatformKind of platform, "How a platform learns of what is taken.";
    FeedScope of feed, "Whose bookings a feed shows.";
    MailKind of mail, "What a mail is about.";
    MailState of mail, "Where a mail stands.";
    EntryPrivacy of privacy, "What entries in connected calendars tell.";
    FeedPrivacy of privacy, "How much a feed tells.";
    OccupancySource of occupancy, "Where a fact came from.";
    SubjectKind of occupancy, "What is occupied.";
    RemoteChangePolicy of sync::remote_change, "What becomes of what people do to bookings' entries in their calendars.";
    RemoteChangeKind of sync::remote_change, "What somebody did to a booking's entry in their calendar.";
    RemoteChangeState of sync::remote_change, "What became of what somebody did in their calendar.";
    Refusal of sync::remote_change, "Why a booking does not follow what was done in a calendar.";
    Trade of people, "Which bookings suit a staff member.";
    SyncOutcome of record, "How an attempt ended.";
}

fn one_of(words: &str, values: impl Iterator<Item = &'static str>) -> RefOr<Schema> {
    let object = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(words))
        .enum_values(Some(values))
        .build();
    RefOr::T(Schema::Object(object))
}
