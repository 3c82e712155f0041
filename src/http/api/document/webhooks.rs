//! The webhooks in the OpenAPI document: each type of event with the schema of its message.

use concord_domain::webhook::{
    AlertPayload, BookingPayload, BookingReminderPayload, ChannelPayload, ConflictPayload, ConnectionPayload,
    CustomerPayload, EventType, InvitationAnswerPayload, ReminderPayload, TestPayload,
    WebhookEndpointPayload,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, Content, HttpMethod, KnownFormat, Object, ObjectBuilder, PathItem, Paths, PathsBuilder,
        Ref, RefOr, Required, ResponseBuilder, Schema, SchemaFormat,
        path::{OperationBuilder, ParameterBuilder, ParameterIn, PathItemBuilder},
        request_body::RequestBodyBuilder,
        schema::Type,
    },
};

/// The name of the payload's schema of each type.
fn payload(kind: EventType) -> std::borrow::Cow<'static, str> {
    match kind {
        EventType::BookingCreated | EventType::BookingChanged | EventType::BookingCancelled => {
            BookingPayload::name()
        }
        EventType::BookingReminder => BookingReminderPayload::name(),
        EventType::InvitationAnswered => InvitationAnswerPayload::name(),
        EventType::ConflictDetected | EventType::ConflictResolved => ConflictPayload::name(),
        EventType::SyncFailed
        | EventType::SyncRecovered
        | EventType::ConnectionConnected
        | EventType::ConnectionNeedsReconnect
        | EventType::ConnectionDisconnected => ConnectionPayload::name(),
        EventType::ChannelFailing | EventType::ChannelQuarantined | EventType::ChannelRecovered => {
            ChannelPayload::name()
        }
        EventType::WebhookEndpointDisabled => WebhookEndpointPayload::name(),
        EventType::AlertOpened | EventType::AlertClosed => AlertPayload::name(),
        EventType::WebhookTest => TestPayload::name(),
    }
}

macro_rules! add_schemas {
    ($components:ident: $($schema:ty),+ $(,)?) => {
        $($components.schemas.insert(<$schema>::name().into_owned(), <$schema>::schema());)+
    };
}

/// The schemas that the messages refer to.
pub(super) fn add_schemas(components: &mut Components) {
    add_schemas!(
        components: AlertPayload, BookingPayload, BookingReminderPayload, ChannelPayload, ConflictPayload,
        ConnectionPayload, CustomerPayload, InvitationAnswerPayload, ReminderPayload, TestPayload,
        WebhookEndpointPayload,
    );
}

/// One webhook for each type of event.
pub(super) fn webhooks() -> Paths {
    let all =
        EventType::ALL.iter().fold(PathsBuilder::new(), |all, kind| all.path(kind.as_str(), item(*kind)));
    all.build()
}

fn item(kind: EventType) -> PathItem {
    let body = RequestBodyBuilder::new()
        .description(Some("The message; the signature is over its bytes"))
        .content("application/json", Content::new(Some(message(kind))))
        .required(Some(Required::True))
        .build();
    let answer = ResponseBuilder::new()
        .description("Taken. Any other status but 410 has it sent again later; 410 disables the endpoint");
    let header = |name: &str, words: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(words))
            .schema(Some(String::schema()))
    };
    let operation = OperationBuilder::new()
        .summary(Some(kind.summary()))
        .operation_id(Some(format!("webhook_{}", kind.as_str().replace('.', "_"))))
        .tag("Webhooks")
        .parameter(header(
            "webhook-id",
            "The event's id, the same at each attempt: what came twice has the same",
        ))
        .parameter(header("webhook-timestamp", "When this attempt was made, in seconds since 1970"))
        .parameter(header(
            "webhook-signature",
            "`v1,` and the signature; two during a rotation of the secret",
        ))
        .request_body(Some(body))
        .response("2XX", answer.build())
        .build();
    PathItemBuilder::new().operation(HttpMethod::Post, operation).build()
}

/// What stands around the payload.
fn message(kind: EventType) -> RefOr<Schema> {
    let text = |words: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(words));
    let object: Object = ObjectBuilder::new()
        .property("id", text("The event's id").format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid))))
        .property("type", text("The event type").enum_values(Some([kind.as_str()])))
        .property(
            "schema_version",
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .description(Some("The version of the schema of `data`"))
                .enum_values(Some([kind.schema_version()])),
        )
        .property(
            "timestamp",
            text("When it happened").format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))),
        )
        .property("data", Ref::from_schema_name(payload(kind)))
        .required("id")
        .required("type")
        .required("schema_version")
        .required("timestamp")
        .required("data")
        .build();
    RefOr::T(Schema::Object(object))
}
