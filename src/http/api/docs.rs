//! `/api/openapi.json`, and `/api/docs`: the same for people, rendered here from the document. It needs no script and
//! nothing from elsewhere. Both are the same until the program is another one, so that each is made once, with its
//! compressed form, and served from memory.

use std::{collections::BTreeMap, fmt::Write, sync::Arc};

use askama::Template;
use axum::{
    Router,
    extract::{Extension, Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use concord_storage::secret::digest_bytes;
use serde_json::{Map, Value};
use tokio::sync::OnceCell;
use utoipa::openapi::OpenApi;

use super::problem::{ApiError, Kind};
use crate::{
    app::App,
    http::{
        feeds::{
            caching::{FeedEncoding, is_fresh, wants_gzip},
            render::RenderedBody,
        },
        pages::assets::Assets,
    },
};

const STYLE: &str = include_str!("../../../assets/api_docs.css");

pub(super) fn router(document: Arc<OpenApi>) -> Router<App> {
    Router::new()
        .route("/api/openapi.json", get(json))
        .route("/api/docs", get(page))
        .route("/api/docs.css", get(style))
        .route("/problems/{slug}", get(problem))
        .layer(Extension(OpenApiDocuments { document, json: Arc::default(), page: Arc::default() }))
}

/// The document, and what was made of it when it was first asked for.
#[derive(Clone)]
struct OpenApiDocuments {
    document: Arc<OpenApi>,
    json: Arc<OnceCell<RenderedBody>>,
    page: Arc<OnceCell<RenderedBody>>,
}

async fn json(
    State(app): State<App>,
    Extension(documents): Extension<OpenApiDocuments>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let make = async || {
        let text = documents.document.to_pretty_json().map_err(ApiError::internal)?;
        Ok::<_, ApiError>(RenderedBody::new(text.into_bytes(), app.now()))
    };
    let made = documents.json.get_or_try_init(make).await?;
    Ok(cached_response(made, "application/json", &headers))
}

fn cached_response(made: &RenderedBody, kind: &'static str, headers: &HeaderMap) -> Response {
    let variant = made.available(if wants_gzip(headers) { FeedEncoding::Gzip } else { FeedEncoding::Plain });
    let common = [
        (header::ETAG, made.entity_tag(variant)),
        (header::CACHE_CONTROL, "public, no-cache".to_owned()),
        (header::VARY, "Accept-Encoding".to_owned()),
    ];
    if is_fresh(headers, &made.entity_tags(), made.made_at) {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let mut response = ([(header::CONTENT_TYPE, kind)], common, made.body(variant)).into_response();
    if variant == FeedEncoding::Gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// The page asks for it by a digest, so that no browser shows a new page with an old style.
async fn style() -> impl IntoResponse {
    let cached = (header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8"), cached], STYLE)
}

/// The `type` of a problem document is an address that explains it.
async fn problem(Path(slug): Path<String>) -> Response {
    match Kind::ALL.iter().find(|kind| kind.slug() == slug) {
        Some(kind) => Redirect::to(&format!("/api/docs#problem-{}", kind.slug())).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn page(
    State(app): State<App>,
    Extension(documents): Extension<OpenApiDocuments>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let make = async || {
        let value = serde_json::to_value(&*documents.document).map_err(ApiError::internal)?;
        let html = ApiDocsPage::of(&app, &value).render().map_err(ApiError::internal)?;
        Ok::<_, ApiError>(RenderedBody::new(html.into_bytes(), app.now()))
    };
    let made = documents.page.get_or_try_init(make).await?;
    Ok(cached_response(made, "text/html; charset=utf-8", &headers))
}

#[derive(Template)]
#[template(path = "api_docs.html", whitespace = "minimize")]
struct ApiDocsPage {
    style: &'static str,
    /// Of the page's own style.
    digest: String,
    version: String,
    server: String,
    introduction: Vec<String>,
    groups: Vec<OperationGroupDocs>,
    schemas: Vec<SchemaDocs>,
    problems: &'static [Kind],
}

struct OperationGroupDocs {
    name: String,
    anchor: String,
    words: String,
    operations: Vec<OperationDocs>,
}

struct OperationDocs {
    id: String,
    method: String,
    path: String,
    title: String,
    words: String,
    parameters: Vec<FieldDocs>,
    body: Option<SchemaTypeDocs>,
    answers: Vec<ResponseDocs>,
    curl: String,
}

struct ResponseDocs {
    status: String,
    words: String,
    shape: Option<SchemaTypeDocs>,
}

struct SchemaDocs {
    name: String,
    words: String,
    /// Of a closed set of words.
    values: String,
    fields: Vec<FieldDocs>,
    example: Option<String>,
}

struct FieldDocs {
    name: String,
    /// Path, query or header; empty for fields of a body.
    place: String,
    shape: SchemaTypeDocs,
    required: bool,
    words: String,
}

/// A type in words, and the schema that it leads to.
struct SchemaTypeDocs {
    words: String,
    schema: Option<String>,
}

/// In the order in which people look for them.
const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

impl ApiDocsPage {
    fn of(app: &App, document: &Value) -> Self {
        let schemas = object(&document["components"]["schemas"]);
        let mut groups: Vec<OperationGroupDocs> = list(&document["tags"]).iter().map(group).collect();
        for (path, item) in object(&document["paths"]) {
            for (method, operation) in METHODS.iter().filter_map(|method| Some((*method, item.get(method)?)))
            {
                let tag = text(&operation["tags"][0]);
                if let Some(group) = groups.iter_mut().find(|group| group.name == tag) {
                    group.operations.push(operation_docs(app, path, method, operation, schemas));
                }
            }
        }
        Self {
            style: Assets::current().style,
            digest: digest_bytes(STYLE.as_bytes())[..12].to_owned(),
            version: text(&document["info"]["version"]),
            server: app.absolute_url(""),
            introduction: text(&document["info"]["description"]).split("\n\n").map(marked_up).collect(),
            groups,
            schemas: schemas
                .iter()
                .filter(|(name, _)| !name.starts_with(LISTING_PREFIX))
                .map(|(name, schema)| schema_docs(name, schema))
                .collect(),
            problems: Kind::ALL,
        }
    }
}

fn group(tag: &Value) -> OperationGroupDocs {
    let name = text(&tag["name"]);
    let anchor = name.to_lowercase().replace(' ', "-");
    OperationGroupDocs { anchor, words: text(&tag["description"]), name, operations: Vec::new() }
}

fn operation_docs(
    app: &App,
    path: &str,
    method: &str,
    operation: &Value,
    schemas: &Map<String, Value>,
) -> OperationDocs {
    let body = object(&operation["requestBody"]["content"]).iter().next();
    let example = body.map(|(_, content)| find_example(content, schemas));
    OperationDocs {
        id: text(&operation["operationId"]),
        method: method.to_uppercase(),
        path: path.to_owned(),
        title: text(&operation["summary"]),
        words: marked_up(&text(&operation["description"])),
        parameters: list(&operation["parameters"]).iter().map(parameter_docs).collect(),
        body: body.map(|(_, content)| shape(&content["schema"])),
        answers: object(&operation["responses"])
            .iter()
            // Problems are the same everywhere, and the introduction tells of them.
            .filter(|(status, _)| *status != "default")
            .map(|(status, answer)| answer_docs(status, answer))
            .collect(),
        curl: curl(app, path, method, operation, body.map(|(kind, _)| kind.as_str()).zip(example)),
    }
}

/// The example at the body, or at its schema.
fn find_example(content: &Value, schemas: &Map<String, Value>) -> Value {
    if !content["example"].is_null() {
        return content["example"].clone();
    }
    let name = text(&content["schema"]["$ref"]);
    let schema = name.rsplit('/').next().and_then(|name| schemas.get(name));
    schema.map_or(Value::Null, |schema| schema["example"].clone())
}

fn parameter_docs(parameter: &Value) -> FieldDocs {
    FieldDocs {
        name: text(&parameter["name"]),
        place: text(&parameter["in"]),
        shape: shape(&parameter["schema"]),
        required: parameter["required"] == true,
        words: marked_up(&text(&parameter["description"])),
    }
}

fn answer_docs(status: &str, answer: &Value) -> ResponseDocs {
    let content = object(&answer["content"]).values().next();
    ResponseDocs {
        status: status.to_owned(),
        words: text(&answer["description"]),
        shape: content.map(|content| shape(&content["schema"])),
    }
}

fn schema_docs(name: &str, schema: &Value) -> SchemaDocs {
    let required = list(&schema["required"]);
    let fields = object(&schema["properties"]).iter().map(|(field, property)| FieldDocs {
        name: field.clone(),
        place: String::new(),
        shape: shape(property),
        required: required.iter().any(|name| name == field),
        words: marked_up(&description(property)),
    });
    let one_of = shape(schema);
    SchemaDocs {
        values: if list(&schema["enum"]).is_empty() { String::new() } else { one_of.words },
        name: name.to_owned(),
        words: marked_up(&text(&schema["description"])),
        fields: fields.collect(),
        example: (!schema["example"].is_null()).then(|| pretty(&schema["example"])),
    }
}

/// A field that may be null says what it is inside of a choice.
fn description(property: &Value) -> String {
    let choices = list(&property["oneOf"]).iter();
    [property]
        .into_iter()
        .chain(choices)
        .map(|one| text(&one["description"]))
        .find(|words| !words.is_empty())
        .unwrap_or_default()
}

/// What the schemas of lists begin with; all are the same but for their items.
const LISTING_PREFIX: &str = "Listing_";

/// A schema in a few words.
fn shape(schema: &Value) -> SchemaTypeDocs {
    let plain = |words: String| SchemaTypeDocs { words, schema: None };
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default().to_owned();
        return match name.strip_prefix(LISTING_PREFIX) {
            Some(item) => SchemaTypeDocs {
                words: format!("items, each a {item}; next_cursor"),
                schema: Some(item.to_owned()),
            },
            None => SchemaTypeDocs { words: name.clone(), schema: Some(name) },
        };
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        let choices = list(&schema[several]);
        let mut inner = choices.iter().filter(|choice| choice["type"] != "null");
        if let Some(choice) = inner.next() {
            return shape(choice);
        }
    }
    let words = list(&schema["enum"]).iter().map(text).collect::<Vec<_>>();
    if !words.is_empty() {
        return plain(words.join(" | "));
    }
    let kinds: Vec<String> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).filter(|kind| kind != "null").collect(),
        kind => vec![text(kind)],
    };
    let kind = kinds.join(" or ");
    if kind == "array" {
        let item = shape(&schema["items"]);
        return SchemaTypeDocs { words: format!("list of {}", item.words), schema: item.schema };
    }
    match schema["format"].as_str() {
        Some(format) if !format.starts_with("int") && format != "double" => {
            plain(format!("{kind} ({format})"))
        }
        _ => plain(kind),
    }
}

fn curl(app: &App, path: &str, method: &str, operation: &Value, body: Option<(&str, Value)>) -> String {
    let mut line = "curl".to_owned();
    if method != "get" {
        // Writing to a string cannot fail.
        let _ = write!(line, " -X {}", method.to_uppercase());
    }
    let _ = write!(line, " '{}'", app.absolute_url(path));
    if !list(&operation["security"]).is_empty() && operation["security"][0] != Value::Object(Map::new()) {
        line.push_str(" \\\n  -H \"Authorization: Bearer $CONCORD_KEY\"");
    }
    if let Some((kind, example)) = body {
        let _ = write!(line, " \\\n  -H 'Content-Type: {kind}'");
        if !example.is_null() {
            let _ = write!(line, " \\\n  -d '{}'", pretty(&example));
        }
    }
    line
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn object(value: &Value) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    value.as_object().unwrap_or(&NONE)
}

/// The two marks of Markdown that the descriptions use, as HTML; everything else is escaped.
fn marked_up(words: &str) -> String {
    let escaped = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let marks: BTreeMap<&str, &str> = BTreeMap::from([("**", "strong"), ("`", "code")]);
    marks.iter().fold(escaped, |text, (mark, tag)| {
        let mut out = String::with_capacity(text.len());
        for (index, part) in text.split(mark).enumerate() {
            match index {
                0 => {}
                odd if odd % 2 == 1 => _ = write!(out, "<{tag}>"),
                _ => _ = write!(out, "</{tag}>"),
            }
            out.push_str(part);
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn marks_become_tags_and_nothing_else_does() {
        assert_eq!(marked_up("**Keys.** Send `a<b>`"), "<strong>Keys.</strong> Send <code>a&lt;b&gt;</code>");
    }

    #[test]
    fn schemas_are_described() {
        for (schema, words) in [
            (json!({"type": "string"}), "string"),
            (json!({"type": ["string", "null"], "format": "date-time"}), "string (date-time)"),
            (json!({"type": "integer", "format": "int32"}), "integer"),
            (json!({"type": "string", "enum": ["a", "b"]}), "a | b"),
            (json!({"type": "array", "items": {"$ref": "#/components/schemas/Booking"}}), "list of Booking"),
            (json!({"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Customer"}]}), "Customer"),
        ] {
            assert_eq!(shape(&schema).words, words);
        }
    }
}
