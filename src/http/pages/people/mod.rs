//! The people of a business: staff, who do the work and may connect calendars, and those who sign in.

mod staff;
mod users;

use askama::Template;
use axum::{
    Router,
    routing::{get, post},
};
use concord_domain::{
    ids::{StaffId, UserId},
    people::{Role, Trade},
};
use concord_storage::people::{self, Staff};
use serde::{Deserialize, Serialize};

use super::{
    CurrentUser, Form, Layout, Manager, NavItem, PageResult, RevealQuery, SelectOption, all_staff,
    render_page, reveal,
};
use crate::app::App;

const PATH: &str = "/settings/people";

pub(super) fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(list))
        .route("/settings/people/staff", post(staff::create))
        .route("/settings/people/staff/new", get(staff::new_form))
        .route("/settings/people/staff/{id}", get(staff::edit).post(staff::update))
        .route("/settings/people/staff/{id}/archive", get(staff::confirm_archive).post(staff::archive))
        .route("/settings/people/staff/{id}/restore", post(staff::restore))
        .route("/settings/people/users", post(users::invite))
        .route("/settings/people/users/{id}", get(users::edit).post(users::update))
        .route("/settings/people/users/{id}/link", post(users::create_sign_in_link))
        .route("/settings/people/users/{id}/sign-out", get(users::confirm_sign_out).post(users::sign_out))
        .route("/settings/people/users/{id}/archive", get(users::confirm_archive).post(users::archive))
}

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    layout: Layout,
    staff: Vec<Staff>,
    archived: Vec<Staff>,
    users: Vec<UserRow>,
    form: Form<users::UserForm>,
    /// Whom a new user may stand for.
    linked_staff: Vec<SelectOption>,
    roles: Vec<SelectOption>,
    /// A link that was just made.
    shown_once: Option<SignInLinkReveal>,
    /// One was made, and shown before.
    was_shown: bool,
}

struct UserRow {
    id: UserId,
    name: String,
    email: String,
    role: &'static str,
    linked_to: String,
    is_you: bool,
}

#[derive(Serialize, Deserialize)]
struct SignInLinkReveal {
    name: String,
    url: String,
    until: String,
    /// Where it was mailed too.
    mailed_to: Option<String>,
}

/// What a staff member does, for people.
pub(super) fn trade_label(trade: Trade) -> &'static str {
    match trade {
        Trade::General => "General",
        Trade::Technician => "Technician",
        Trade::Driver => "Driver",
    }
}

fn role_options(chosen: &str) -> Vec<SelectOption> {
    let roles = [Role::Staff, Role::Manager].iter();
    roles.map(|role| SelectOption::new(role.as_str(), role_label(*role), chosen)).collect()
}

fn role_label(role: Role) -> &'static str {
    match role {
        Role::Manager => "Manager",
        Role::Staff => "Staff",
    }
}

async fn list(user: Manager, shown: RevealQuery) -> PageResult {
    let people = build_page(&user, users::UserForm::default().into()).await?;
    let reveal = reveal::take(&user, PATH, &shown).await?;
    render_page(
        &user,
        &PeoplePage { was_shown: reveal.is_expired(), shown_once: reveal.into_value(), ..people },
    )
}

async fn build_page(user: &CurrentUser, form: Form<users::UserForm>) -> PageResult<PeoplePage> {
    let (db, business) = (&user.app.context.db, user.business.id);
    let staff = all_staff(db, business).await?;
    let users = people::list_users(db, business).await?;
    let name_of = |id: Option<StaffId>| {
        id.and_then(|id| staff.iter().find(|staff| staff.id == id))
            .map(|staff| staff.name.clone())
            .unwrap_or_default()
    };
    Ok(PeoplePage {
        layout: Layout::load(user, NavItem::Settings, "People").await?,
        users: users
            .iter()
            .map(|other| UserRow {
                id: other.id,
                name: other.name.clone(),
                email: other.email.clone(),
                role: role_label(other.role),
                linked_to: name_of(other.staff_id),
                is_you: other.id == user.user.id,
            })
            .collect(),
        roles: role_options(&form.role),
        linked_staff: staff
            .iter()
            .map(|staff| SelectOption::new(staff.id.to_string(), &staff.name, &form.staff))
            .collect(),
        staff,
        archived: people::list_archived_staff(db, business).await?,
        form,
        shown_once: None,
        was_shown: false,
    })
}
