//! Style, script and icon, inside the binary. Their addresses hold a digest of their bytes, so that browsers may keep
//! them for ever and yet never show a new page with an old style.

use std::sync::LazyLock;

use axum::{
    Router,
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use concord_storage::secret::digest_bytes;

use super::PageError;
use crate::app::App;

struct Asset {
    name: String,
    path: String,
    kind: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    fn new(stem: &str, ending: &str, kind: &'static str, bytes: &'static [u8]) -> Self {
        let name = format!("{stem}-{}.{ending}", &digest_bytes(bytes)[..12]);
        Self { path: format!("/assets/{name}"), name, kind, bytes }
    }
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("concord", "css", "text/css; charset=utf-8", include_bytes!("../../../assets/concord.css"))
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "concord",
        "js",
        "text/javascript; charset=utf-8",
        include_bytes!("../../../assets/concord.js"),
    )
});
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_bytes!("../../../assets/icon.svg")));

/// The address of the style, for pages that stand by themselves.
pub(crate) fn style_url() -> &'static str {
    &STYLE.path
}

/// The addresses that pages name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assets {
    pub style: &'static str,
    pub script: &'static str,
    pub icon: &'static str,
}

impl Assets {
    /// Those of this build.
    pub(crate) fn current() -> Self {
        Self { style: style_url(), script: &SCRIPT.path, icon: &ICON.path }
    }
}

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/assets/{name}", get(serve))
        .route("/favicon.ico", get(async || asset_response(&ICON)))
}

async fn serve(Path(name): Path<String>) -> Response {
    match [&STYLE, &SCRIPT, &ICON].into_iter().find(|asset| asset.name == name) {
        Some(asset) => asset_response(asset),
        None => PageError::NotFound("file").into_response(),
    }
}

fn asset_response(asset: &Asset) -> Response {
    let headers =
        [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, asset.bytes).into_response()
}
