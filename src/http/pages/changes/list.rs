//! All that people did to entries of ours in their own calendars.

use askama::Template;
use axum::{extract::State, response::Response};
use concord_domain::{ids::StaffId, sync::remote_change::RemoteChangeState};
use concord_storage::{PageAsk, remote_changes};
use serde::Deserialize;

use super::{
    super::{
        PageError,
        asked::Asked,
        filters::Unread,
        frame::{Frame, Place, page},
        names::Names,
        pieces::{Choice, Pill},
        session::CurrentUser,
    },
    ChangeLine, Where, lines,
};
use crate::app::App;

#[derive(Template)]
#[template(path = "changes.html")]
struct ChangesPage {
    frame: Frame,
    lines: Vec<ChangeLine>,
    states: Vec<Choice>,
    /// For managers: everybody else sees their own alone.
    staff: Vec<Choice>,
    is_manager: bool,
    /// The filters that cannot be read.
    unread: Unread,
    next: Option<String>,
    is_further: bool,
    is_narrowed: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    state: String,
    staff: String,
    after: Option<String>,
}

const LINES: u32 = 50;

pub(super) async fn show(
    State(app): State<App>,
    user: CurrentUser,
    Asked(wish): Asked<Wish>,
) -> Result<Response, PageError> {
    let (db, business) = (&app.context.db, user.business.id);
    let mut names = Names::load(db, business, user.business.zone).await?;
    let state: Option<RemoteChangeState> = wish.state.parse().ok();
    let wanted: Option<StaffId> = wish.staff.parse().ok();
    let ask = PageAsk { limit: LINES, after: wish.after.clone() };
    let whose = if user.is_manager() { wanted } else { user.user.staff_id };
    let (found, next) = if user.is_manager() || whose.is_some() {
        let found = remote_changes::list(db, business, (whose, state), &ask).await?;
        (found.items, found.next)
    } else {
        (Vec::new(), None)
    };
    let mut staff: Vec<Choice> = names
        .staff
        .iter()
        .map(|person| Choice::new(person.id.to_string(), person.name.as_str(), &wish.staff))
        .collect();
    let mut states: Vec<Choice> = RemoteChangeState::ALL
        .iter()
        .map(|state| Choice::new(state.as_str(), Pill::from(*state).word, &wish.state))
        .collect();
    let mut unread = Unread::default();
    if state.is_none() && !wish.state.is_empty() {
        unread.add_choice(("state", "State"), "There is no such state.", &wish.state, &mut states);
    }
    if wanted.is_none() && !wish.staff.is_empty() {
        unread.add_choice(("staff", "Person"), "There is no such person.", &wish.staff, &mut staff);
    }
    let back = address(&wish, wish.after.as_deref());
    let shown = ChangesPage {
        frame: Frame::around(&app, &user, Place::Calendars, "Changes from calendars").await?,
        lines: lines(&app, &user, &mut names, &found, (Where::List, &back)).await?,
        states,
        staff,
        is_manager: user.is_manager(),
        unread,
        next: next.map(|after| address(&wish, Some(&after))),
        is_further: wish.after.is_some(),
        is_narrowed: !wish.state.is_empty() || !wish.staff.is_empty(),
    };
    page(&app, &user, &shown)
}

fn address(wish: &Wish, after: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("state", &wish.state), ("staff", &wish.staff)] {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    if let Some(after) = after {
        query.append_pair("after", after);
    }
    let query = query.finish();
    if query.is_empty() { "/changes".to_owned() } else { format!("/changes?{query}") }
}
