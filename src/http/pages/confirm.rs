//! What is asked before something is done: in a dialog, or on a page of its own for whoever has no script.

use askama::Template;

use super::{CurrentUser, Layout, NavItem, PageResult, render_page};

/// A question, and the form that answers it with yes.
pub(super) struct Confirmation {
    pub id: String,
    /// Where the form is sent.
    pub action: String,
    /// What is sent with it.
    pub fields: Vec<(&'static str, String)>,
    pub title: String,
    /// A paragraph a line.
    pub text: String,
    /// The button that leaves things as they are.
    pub cancel_label: &'static str,
    /// The button that does it.
    pub confirm_label: String,
    /// Whether something is lost by it.
    pub is_danger: bool,
}

impl Confirmation {
    /// Asks before something is lost.
    pub(super) fn danger(
        (id, action): (impl Into<String>, impl Into<String>),
        title: impl Into<String>,
        text: impl Into<String>,
        confirm_label: impl Into<String>,
    ) -> Self {
        Self {
            id: id.into(),
            action: action.into(),
            fields: Vec::new(),
            title: title.into(),
            text: text.into(),
            cancel_label: "Cancel",
            confirm_label: confirm_label.into(),
            is_danger: true,
        }
    }
}

/// A name in the text of a question, whatever the direction in which it is read: what `<bdi>` is in HTML.
pub(super) fn isolated(name: &str) -> String {
    format!("\u{2068}{name}\u{2069}")
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    layout: Layout,
    back: String,
    question: Confirmation,
}

/// Asks on a page of its own; `back` is the page of whoever does not want it.
pub(super) async fn confirm_page(
    user: &CurrentUser,
    (nav_item, back): (NavItem, impl Into<String>),
    question: Confirmation,
) -> PageResult {
    let layout = Layout::load(user, nav_item, question.title.clone()).await?;
    render_page(user, &ConfirmPage { layout, back: back.into(), question })
}
