//! The pictures of the documentation, and with a folder in `CONCORD_SCREENSHOTS` one of every page: `make screenshots`.

use std::path::{Path, PathBuf};

use crate::{
    accessibility::choose_theme,
    browser::{Browser, BrowserKind},
    demo_app::DemoApp,
    phone::all_pages,
};

/// Wide, a tablet, a phone.
const WIDTHS: [u32; 3] = [1440, 768, 375];

#[tokio::test]
#[ignore = "it writes files: make screenshots"]
async fn pictures_of_the_pages() {
    let demo_app = DemoApp::open().await;
    let browser = Browser::signed_in(BrowserKind::Desk, &demo_app).await;
    browser.widen(1280).await;
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
    browser.save_picture(&docs.join("overview.png")).await;
    let Some(folder) = std::env::var_os("CONCORD_SCREENSHOTS").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    let pages = all_pages(&demo_app, &browser).await;
    for theme in ["Light", "Dark"] {
        choose_theme(&demo_app, &browser, theme).await;
        for width in WIDTHS {
            browser.widen(width).await;
            for path in &pages {
                browser.go(&demo_app.url(path)).await;
                let page = path.trim_matches('/').replace(['/', '?', '&', '='], "-");
                browser.save_picture(&folder.join(format!("{page}-{width}-{theme}.png"))).await;
            }
        }
    }
}
