//! `/api/openapi.json`, and `/api/docs`: the same for people, rendered here from the document. It needs no script and
//! nothing from elsewhere. Both are the same until the program is another one, so that each is made once, with its
//! compressed form, and served from memory.

use std::{collections::BTreeMap, fmt::Write, sync::Arc};

use askama::Template;
use axum::{
    Router,
    extract::{Extension, Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use concord_storage::secret::digest_bytes;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::OnceCell;
use utoipa::openapi::OpenApi;

use super::problem::{ApiError, Kind};
use crate::{
    app::App,
    http::{feeds::render::RenderedBody, pages::assets::Assets},
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
    let make = || documents.document.to_pretty_json().map_err(ApiError::internal);
    answer(&documents.json, make, &app, "application/json", &headers).await
}

async fn page(
    State(app): State<App>,
    Extension(documents): Extension<OpenApiDocuments>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let make = || {
        let value = serde_json::to_value(&*documents.document).map_err(ApiError::internal)?;
        let document = serde_json::from_value(value).map_err(ApiError::internal)?;
        ApiDocsPage::of(&app, &document).render().map_err(ApiError::internal)
    };
    answer(&documents.page, make, &app, "text/html; charset=utf-8", &headers).await
}

async fn answer(
    made: &OnceCell<RenderedBody>,
    make: impl FnOnce() -> Result<String, ApiError>,
    app: &App,
    kind: &'static str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let render = async || Ok::<_, ApiError>(RenderedBody::new(make()?.into_bytes(), app.now()));
    let made = made.get_or_try_init(render).await?;
    let cached = [(header::CACHE_CONTROL, "public, no-cache")];
    Ok(made.answer(headers, cached, [(header::CONTENT_TYPE, kind)]))
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

#[derive(Template)]
#[template(path = "api_docs.html", whitespace = "minimize")]
struct ApiDocsPage<'a> {
    style: &'static str,
    /// Of the page's own style.
    digest: String,
    server: String,
    document: &'a Document,
    groups: Vec<OperationGroupDocs<'a>>,
    problems: &'static [Kind],
}

struct OperationGroupDocs<'a> {
    tag: &'a Tag,
    anchor: String,
    operations: Vec<OperationDocs<'a>>,
}

struct OperationDocs<'a> {
    method: &'static str,
    path: &'a str,
    said: &'a Operation,
    curl: String,
}

/// A type in words, and the schema that it leads to.
struct SchemaTypeDocs {
    words: String,
    schema: Option<String>,
}

/// What the page shows of the OpenAPI document.
#[derive(Deserialize)]
struct Document {
    info: Info,
    tags: Vec<Tag>,
    paths: BTreeMap<String, BTreeMap<String, Operation>>,
    components: Components,
}

#[derive(Deserialize)]
struct Info {
    version: String,
    description: String,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    description: String,
}

#[derive(Deserialize)]
struct Components {
    schemas: BTreeMap<String, Schema>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Operation {
    #[serde(rename = "operationId")]
    id: String,
    tags: Vec<String>,
    summary: String,
    description: String,
    parameters: Vec<Parameter>,
    request_body: Option<Body>,
    responses: BTreeMap<String, Body>,
    security: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Parameter {
    name: String,
    /// Path, query or header.
    #[serde(rename = "in")]
    place: String,
    required: bool,
    description: String,
    schema: Schema,
}

/// What is sent, or answered.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    description: String,
    content: BTreeMap<String, Content>,
}

#[derive(Deserialize)]
struct Content {
    schema: Schema,
    example: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Schema {
    #[serde(rename = "$ref")]
    reference: Option<String>,
    description: String,
    /// One, or a list of them.
    #[serde(rename = "type")]
    kind: Value,
    format: String,
    #[serde(rename = "enum")]
    values: Vec<String>,
    #[serde(rename = "oneOf", alias = "anyOf", alias = "allOf")]
    choices: Vec<Self>,
    items: Option<Box<Self>>,
    properties: BTreeMap<String, Self>,
    required: Vec<String>,
    example: Option<Value>,
}

/// In the order in which people look for them.
const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// What the schemas of lists begin with; all are the same but for their items.
const LISTING_PREFIX: &str = "Listing_";

impl<'a> ApiDocsPage<'a> {
    fn of(app: &App, document: &'a Document) -> Self {
        let group = |tag: &'a Tag| OperationGroupDocs {
            tag,
            anchor: tag.name.to_lowercase().replace(' ', "-"),
            operations: document.operations(app, &tag.name),
        };
        Self {
            style: Assets::current().style,
            digest: digest_bytes(STYLE.as_bytes())[..12].to_owned(),
            server: app.absolute_url(""),
            groups: document.tags.iter().map(group).collect(),
            document,
            problems: Kind::ALL,
        }
    }
}

impl Document {
    fn operations(&self, app: &App, tag: &str) -> Vec<OperationDocs<'_>> {
        let all = self.paths.iter().flat_map(|(path, item)| {
            METHODS.iter().filter_map(move |method| Some((path, *method, item.get(*method)?)))
        });
        all.filter(|(.., said)| said.tags.first().is_some_and(|first| first == tag))
            .map(|(path, method, said)| {
                let curl = self.curl(&app.absolute_url(path), method, said);
                OperationDocs { method, path, said, curl }
            })
            .collect()
    }

    fn curl(&self, url: &str, method: &str, operation: &Operation) -> String {
        let mut line = "curl".to_owned();
        if method != "get" {
            // Writing to a string cannot fail.
            let _ = write!(line, " -X {}", method.to_uppercase());
        }
        let _ = write!(line, " '{url}'");
        if operation.security.first().is_some_and(|needed| !needed.is_empty()) {
            line.push_str(" \\\n  -H \"Authorization: Bearer $CONCORD_KEY\"");
        }
        if let Some((kind, content)) =
            operation.request_body.as_ref().and_then(|body| body.content.iter().next())
        {
            let _ = write!(line, " \\\n  -H 'Content-Type: {kind}'");
            // The example at the body, or at its schema.
            let schema = || self.components.schemas.get(content.schema.name()?)?.example.as_ref();
            if let Some(example) = content.example.as_ref().or_else(schema) {
                let _ = write!(line, " \\\n  -d '{}'", pretty(example));
            }
        }
        line
    }
}

impl Body {
    /// In a few words, where it has a content.
    fn shape(&self) -> Option<SchemaTypeDocs> {
        self.content.values().next().map(|content| content.schema.shape())
    }
}

impl Schema {
    /// Of the schema that it refers to.
    fn name(&self) -> Option<&str> {
        self.reference.as_deref()?.rsplit('/').next()
    }

    /// What it is; a field that may be null says it inside of a choice.
    fn words(&self) -> &str {
        let choices = self.choices.iter().map(|choice| choice.description.as_str());
        [self.description.as_str()]
            .into_iter()
            .chain(choices)
            .find(|words| !words.is_empty())
            .unwrap_or_default()
    }

    /// In a few words.
    fn shape(&self) -> SchemaTypeDocs {
        if let Some(name) = self.name() {
            let (words, schema) = match name.strip_prefix(LISTING_PREFIX) {
                Some(item) => (format!("items, each a {item}; next_cursor"), item),
                None => (name.to_owned(), name),
            };
            return SchemaTypeDocs { words, schema: Some(schema.to_owned()) };
        }
        if let Some(choice) = self.choices.iter().find(|choice| choice.kind != "null") {
            return choice.shape();
        }
        if let Some(items) = &self.items {
            let item = items.shape();
            return SchemaTypeDocs { words: format!("list of {}", item.words), ..item };
        }
        let kind = match &self.kind {
            Value::Array(kinds) => {
                let kinds = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null");
                kinds.collect::<Vec<_>>().join(" or ")
            }
            kind => kind.as_str().unwrap_or_default().to_owned(),
        };
        let words = match self.format.as_str() {
            _ if !self.values.is_empty() => self.values.join(" | "),
            "" | "double" => kind,
            format if format.starts_with("int") => kind,
            format => format!("{kind} ({format})"),
        };
        SchemaTypeDocs { words, schema: None }
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The two marks of Markdown that the descriptions use, as HTML; everything else is escaped.
fn marked_up(words: &str) -> String {
    let escaped = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    [("**", "strong"), ("`", "code")].into_iter().fold(escaped, |text, (mark, tag)| {
        let mut parts = text.split(mark);
        let mut out = parts.next().unwrap_or_default().to_owned();
        for (part, end) in parts.zip(["", "/"].into_iter().cycle()) {
            let _ = write!(out, "<{end}{tag}>{part}");
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
            let schema: Schema = serde_json::from_value(schema).unwrap();
            assert_eq!(schema.shape().words, words);
        }
    }
}
