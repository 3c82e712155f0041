//! What the OpenAPI document says beside what stands at the handlers.

mod webhooks;

use utoipa::{
    OpenApi as _, PartialSchema, ToSchema,
    openapi::{
        ContactBuilder, Content, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response,
        ResponseBuilder, ServerBuilder,
        path::{Operation, ParameterBuilder, ParameterIn, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
        tag::TagBuilder,
    },
};

use super::{
    ical_import, ical_info,
    occupancy::{ConflictResponse, FreeTime},
    problem::{FieldProblem, PROBLEM_JSON, ProblemDocument},
};
use crate::{
    app::App,
    http::{channel_webhooks, feeds, health},
};

const INTRODUCTION: &str = "\
Concord keeps a booking system and everyone's calendars in sync.\n\
\n\
**Keys.** Every request under `/api/v1` carries `Authorization: Bearer ck_...`: a key of one business, which a manager \
creates in the settings. A request only sees that business.\n\
\n\
**Times** are RFC 3339 with any offset and answered in UTC; stays by night are dates. A time that ends when another \
begins does not overlap it.\n\
\n\
**Lists** are paginated: send `next_cursor` as `cursor` for the next page.\n\
\n\
**Sending twice.** PUT, PATCH and DELETE can be repeated as they are. A POST that carries `Idempotency-Key` is done \
once: for 24 hours the same key with the same body is answered as the first time, with `Idempotency-Replayed: true`. \
Requests that were never processed (invalid JSON, an unknown path or method, a server error) are not stored.\n\
\n\
**Concurrent changes.** The `ETag` of a booking, or of the business, is its version. Send it as `If-Match` to \
change it only if it is still at that version.\n\
\n\
**Webhooks** are signed by Standard Webhooks 1.0.0: verify `webhook-signature` with one of its libraries. An event may \
come more than once, always with the same `webhook-id`, and a later one before an earlier one: compare `version`.\n\
\n\
**Errors** are problem documents (RFC 9457, `application/problem+json`). `type` identifies the problem, `errors` lists \
the fields; see the list at the end of the page.";

const TAGS: &[(&str, &str)] = &[
    ("Bookings", "Bookings, identified by your own reference."),
    ("Resources", "What can be booked, and its availability."),
    ("Reminders", "When customers, staff and other systems are reminded of bookings."),
    ("Emails", "A business's own words in emails to its customers."),
    ("Customer data", "What is kept of a customer: exporting and erasing it."),
    ("Notifications", "What people are told of by email, and what keeps failing."),
    ("Staff", "The people who are assigned to bookings and can connect calendars."),
    ("Business", "The business and its settings."),
    ("Availability", "Manually blocked times."),
    ("Calendar integrations", "Staff members' connected calendar accounts."),
    ("Feeds", "iCalendar feeds to subscribe to."),
    ("Channels", "Listings on booking platforms, synced by calendar feeds."),
    ("Webhooks", "Events sent to other systems as they happen, and read later by those who missed them."),
    ("Sync", "Sync log, failed jobs, conflicts, remote changes and notifications."),
    ("Health", "For health checks."),
];

/// The endpoints that stand outside of `/api/v1`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    health::health,
    feeds::read,
    feeds::read_bookings,
    ical_info::info,
    ical_import::import,
    channel_webhooks::channel_webhook
))]
struct UnversionedEndpoints;

/// The document of this installation, from what stands at the handlers of version 1.
pub(super) fn build_document(app: &App, version_1: OpenApi) -> OpenApi {
    let mut document = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Concord")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(INTRODUCTION))
                .contact(Some(ContactBuilder::new().name(Some("Concord")).build()))
                .license(Some(
                    LicenseBuilder::new()
                        .name("AGPL-3.0-or-later")
                        .identifier(Some("AGPL-3.0-or-later"))
                        .build(),
                ))
                .build(),
        )
        .servers(Some([ServerBuilder::new().url(app.absolute_url("")).build()]))
        .tags(Some(
            TAGS.iter().map(|(name, words)| TagBuilder::new().name(*name).description(Some(*words)).build()),
        ))
        .build()
        .nest("/api/v1", version_1);
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        add_security(operation);
    }
    for item in document.paths.paths.values_mut() {
        if let Some(operation) = item.post.as_mut() {
            add_idempotency_key(operation);
        }
    }
    document.merge(UnversionedEndpoints::openapi());
    if let Some(operation) =
        document.paths.paths.get_mut("/api/ical/import").and_then(|item| item.post.as_mut())
    {
        add_idempotency_key(operation);
    }
    let components = document.components.get_or_insert_default();
    components.schemas.insert(ProblemDocument::name().into_owned(), ProblemDocument::schema());
    components.schemas.insert(FieldProblem::name().into_owned(), FieldProblem::schema());
    components.schemas.insert(FreeTime::name().into_owned(), FreeTime::schema());
    components.schemas.insert(ConflictResponse::name().into_owned(), ConflictResponse::schema());
    webhooks::add_schemas(components);
    document.webhooks = Some(webhooks::webhooks());
    let components = document.components.get_or_insert_default();
    components.security_schemes.insert(
        "key".to_owned(),
        RefOr::T(SecurityScheme::Http(
            HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .bearer_format("ck_...")
                .description(Some("An API key of a business"))
                .build(),
        )),
    );
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// A key is needed, and anything else than what was written at the handler is a problem document.
fn add_security(operation: &mut Operation) {
    operation.security = Some(vec![SecurityRequirement::new("key", Vec::<String>::new())]);
    operation.responses.responses.insert("default".to_owned(), RefOr::T(problem()));
}

fn problem() -> Response {
    let content = Content::new(Some(Ref::from_schema_name(ProblemDocument::name())));
    ResponseBuilder::new().description("A problem").content(PROBLEM_JSON, content).build()
}

fn add_idempotency_key(operation: &mut Operation) {
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some("The request is processed once per key; a repeat gets the first response"))
        .schema(Some(String::schema()))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(key));
}
