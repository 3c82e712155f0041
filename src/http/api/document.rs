//! What the OpenAPI document says beside what stands at the handlers.

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
    answers::{ConflictAnswer, FreeTime},
    problem::{Document, FieldProblem, PROBLEM_JSON},
};
use crate::{
    app::App,
    http::{api::ical_import, channel_hooks, feeds, health},
};

const INTRODUCTION: &str = "\
Concord keeps a booking system and everybody's calendars in agreement.\n\
\n\
**Keys.** Every request under `/api/v1` carries `Authorization: Bearer ck_...`: a key of one business, which a manager \
makes in the settings. A request sees that business alone.\n\
\n\
**Times** are RFC 3339 with any offset and answered in UTC; stays by night are dates. A time that ends when another \
begins does not overlap it.\n\
\n\
**Lists** are given a page at a time: send `next_cursor` as `cursor` for the next one.\n\
\n\
**Sending twice.** PUT, PATCH and DELETE can be repeated as they are. A POST that carries `Idempotency-Key` is done \
once: for 24 hours the same key with the same body is answered as the first time, with `Idempotency-Replayed: true`. \
What nobody decided (no JSON, an unknown path or method, a fault of the server) is not kept.\n\
\n\
**Changing what others change too.** The `ETag` of a booking, or of the business, is its version; sent as `If-Match`, \
the change is made only if it is still at it.\n\
\n\
**Errors** are problem documents (RFC 9457, `application/problem+json`). `type` says which sort, `errors` names the \
fields; see the list at the end of the page.";

const TAGS: &[(&str, &str)] = &[
    ("Bookings", "What is booked, found by the caller's own reference."),
    ("Resources", "What can be booked, and how much of it is free."),
    ("Staff", "The people who do the work and may connect calendars."),
    ("Business", "The business itself, and its rules."),
    ("Availability", "Times that are blocked by hand."),
    ("Calendar integrations", "Staff members' accounts at calendar providers."),
    ("Feeds", "iCalendar files that others subscribe to."),
    ("Channels", "Resources on booking platforms, kept in step by the feeds of both sides."),
    ("Synchronisation", "What was tried, what failed, what is in conflict, what people were told."),
    ("Health", "For health checks."),
];

/// The endpoints that stand outside of `/api/v1`.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    health::health,
    feeds::read,
    feeds::read_bookings,
    feeds::info::info,
    ical_import::import,
    channel_hooks::from_channel_manager
))]
struct Outside;

/// The document of this installation, from what stands at the handlers of version 1.
pub(super) fn complete(app: &App, version_1: OpenApi) -> OpenApi {
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
        .servers(Some([ServerBuilder::new().url(app.address("")).build()]))
        .tags(Some(
            TAGS.iter().map(|(name, words)| TagBuilder::new().name(*name).description(Some(*words)).build()),
        ))
        .build()
        .nest("/api/v1", version_1);
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        protect(operation);
    }
    for item in document.paths.paths.values_mut() {
        if let Some(operation) = item.post.as_mut() {
            offer_idempotency(operation);
        }
    }
    document.merge(Outside::openapi());
    if let Some(operation) =
        document.paths.paths.get_mut("/api/ical/import").and_then(|item| item.post.as_mut())
    {
        offer_idempotency(operation);
    }
    let components = document.components.get_or_insert_default();
    components.schemas.insert(Document::name().into_owned(), Document::schema());
    components.schemas.insert(FieldProblem::name().into_owned(), FieldProblem::schema());
    components.schemas.insert(FreeTime::name().into_owned(), FreeTime::schema());
    components.schemas.insert(ConflictAnswer::name().into_owned(), ConflictAnswer::schema());
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
fn protect(operation: &mut Operation) {
    operation.security = Some(vec![SecurityRequirement::new("key", Vec::<String>::new())]);
    operation.responses.responses.insert("default".to_owned(), RefOr::T(problem()));
}

fn problem() -> Response {
    let content = Content::new(Some(Ref::from_schema_name(Document::name())));
    ResponseBuilder::new().description("A problem").content(PROBLEM_JSON, content).build()
}

fn offer_idempotency(operation: &mut Operation) {
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "The request is done once for each key; a repetition is answered as the first time",
        ))
        .schema(Some(String::schema()))
        .build();
    operation.parameters.get_or_insert_default().push(RefOr::T(key));
}
