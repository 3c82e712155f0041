//! All that people did to entries of ours in their own calendars.

use askama::Template;
use concord_domain::{ids::StaffId, sync::remote_change::RemoteChangeState};
use concord_storage::{PageRequest, remote_changes};
use serde::Deserialize;

use super::{ChangeViewPlacement, RemoteChangeView, change_views};
use crate::http::pages::{
    CurrentUser, InvalidFilters, Layout, NameDirectory, NavItem, PageQuery, PageResult, Pill, SelectOption,
    render_page,
};

#[derive(Template)]
#[template(path = "changes.html")]
struct RemoteChangesPage {
    layout: Layout,
    lines: Vec<RemoteChangeView>,
    states: Vec<SelectOption>,
    /// For managers: everybody else sees their own alone.
    staff: Vec<SelectOption>,
    is_manager: bool,
    /// The filters that cannot be read.
    unread: InvalidFilters,
    next: Option<String>,
    is_further: bool,
    is_narrowed: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct RemoteChangesPageQuery {
    state: String,
    staff: String,
    after: Option<String>,
}

const PAGE_SIZE: u32 = 50;

pub(super) async fn show(
    user: CurrentUser,
    PageQuery(query): PageQuery<RemoteChangesPageQuery>,
) -> PageResult {
    let (db, business) = (&user.app.context.db, user.business.id);
    let mut names = NameDirectory::load(db, business, user.business.zone).await?;
    let state: Option<RemoteChangeState> = query.state.parse().ok();
    let wanted: Option<StaffId> = query.staff.parse().ok();
    let ask = PageRequest { limit: PAGE_SIZE, after: query.after.clone() };
    let staff_filter = if user.is_manager() { wanted } else { user.user.staff_id };
    let (found, next) = if user.is_manager() || staff_filter.is_some() {
        let found = remote_changes::list(db, business, (staff_filter, state), &ask).await?;
        (found.items, found.next)
    } else {
        (Vec::new(), None)
    };
    let mut staff: Vec<SelectOption> = names
        .staff
        .iter()
        .map(|person| SelectOption::new(person.id.to_string(), person.name.as_str(), &query.staff))
        .collect();
    let mut states: Vec<SelectOption> = RemoteChangeState::ALL
        .iter()
        .map(|state| SelectOption::new(state.as_str(), Pill::from(*state).word, &query.state))
        .collect();
    let mut unread = InvalidFilters::default();
    if state.is_none() && !query.state.is_empty() {
        unread.add_choice(("state", "Status"), "Unknown status.", &query.state, &mut states);
    }
    if wanted.is_none() && !query.staff.is_empty() {
        unread.add_choice(("staff", "Staff"), "Unknown staff member.", &query.staff, &mut staff);
    }
    let back = page_url(&query, query.after.as_deref());
    let shown = RemoteChangesPage {
        layout: Layout::load(&user, NavItem::Calendars, "Changes from calendars").await?,
        lines: change_views(&user, &mut names, &found, (ChangeViewPlacement::List, &back)).await?,
        states,
        staff,
        is_manager: user.is_manager(),
        unread,
        next: next.map(|after| page_url(&query, Some(&after))),
        is_further: query.after.is_some(),
        is_narrowed: !query.state.is_empty() || !query.staff.is_empty(),
    };
    render_page(&user, &shown)
}

fn page_url(query: &RemoteChangesPageQuery, after: Option<&str>) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("state", &query.state), ("staff", &query.staff)] {
        if !value.is_empty() {
            pairs.append_pair(name, value);
        }
    }
    if let Some(after) = after {
        pairs.append_pair("after", after);
    }
    let query = pairs.finish();
    if query.is_empty() { "/changes".to_owned() } else { format!("/changes?{query}") }
}
