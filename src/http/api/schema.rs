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
                string_enum_schema($doc, concord_domain::$($module)::+::$words::ALL.iter().map(|word| word.as_str()))
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
    DayRoom of availability, "Availability of a day.";
    BookingKind of booking, "Booking type.";
    BookingStatus of booking, "Booking status.";
    ConnectionState of connection, "Calendar integration status.";
    Coverage of connection, "Which bookings are written.";
    Direction of connection, "Sync direction.";
    EntryState of connection, "Sync status of a booking's entry.";
    ProviderKind of connection, "Calendar provider.";
    JobKind of job, "Job type.";
    JobState of job, "Job status.";
    QueueClass of job, "Job priority.";
    ChannelState of channel, "Channel status.";
    Preference of channel, "Which booking to keep in a conflict.";
    BlockRule of channel, "How blocked dates are handled.";
    ImportGuard of channel, "Why cancellations are held for review.";
    ItemKind of channel, "Event type in a platform's feed.";
    Settled of channel, "Decision about an unconfirmed event.";
    RunOrigin of channel, "What started a sync.";
    RunOutcome of channel, "Sync result.";
    PlatformKind of platform, "How a platform is updated.";
    FeedScope of feed, "Which bookings a feed contains.";
    MailKind of mail, "Email type.";
    MailState of mail, "Email status.";
    EntryPrivacy of privacy, "Privacy of entries in connected calendars.";
    FeedPrivacy of privacy, "Feed privacy.";
    OccupancySource of occupancy, "Source.";
    SubjectKind of occupancy, "What is occupied.";
    RemoteChangePolicy of sync::remote_change, "Policy for remote changes.";
    RemoteChangeKind of sync::remote_change, "Remote change type.";
    RemoteChangeState of sync::remote_change, "Remote change status.";
    Refusal of sync::remote_change, "Why a remote change was not followed.";
    Trade of people, "Trade of a staff member.";
    SyncOutcome of audit, "Result of an attempt.";
}

fn string_enum_schema(words: &str, values: impl Iterator<Item = &'static str>) -> RefOr<Schema> {
    let object = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(words))
        .enum_values(Some(values))
        .build();
    RefOr::T(Schema::Object(object))
}
