//! Connecting a CalDAV account: a form instead of a consent page.

use askama::Template;
use axum::response::IntoResponse;
use concord_domain::ids::StaffId;
use concord_providers::{
    DiscoveryError,
    caldav::{CaldavLogin as Account, CaldavPreset, PRESETS},
};
use concord_services::connect::{self, ConnectError};
use concord_storage::people::{self, Staff};
use serde::Deserialize;

use crate::http::pages::{
    CurrentUser, Flash, Layout, NavItem, PageError, PageForm, PageQuery, PageResult, render_page,
    render_refused, sentence,
};

#[derive(Template)]
#[template(path = "calendar_caldav.html")]
struct CaldavPage {
    layout: Layout,
    staff: StaffId,
    address: String,
    user: String,
    presets: &'static [CaldavPreset],
    refused: Option<CaldavFormError>,
}

/// Why nothing was connected, in the words of `DiscoveryError` or of our own.
struct CaldavFormError {
    /// The field that it is about, where it is about one.
    field: Option<&'static str>,
    text: String,
}

impl CaldavPage {
    fn fault(&self, field: &str) -> Option<&str> {
        self.refused
            .as_ref()
            .filter(|refused| refused.field == Some(field))
            .map(|refused| refused.text.as_str())
    }
}

impl CaldavFormError {
    fn new(error: &ConnectError) -> Self {
        let field = match error {
            ConnectError::Discovery(DiscoveryError::WrongPassword { .. }) => Some("password"),
            // Nobody can tell whether it is the address that is wrong, or the server that is away.
            ConnectError::Discovery(_) => Some("address"),
            _ => None,
        };
        Self { field, text: sentence(error) }
    }
}

#[derive(Deserialize)]
pub(super) struct CaldavPageQuery {
    staff: StaffId,
}

/// What a person fills in. It is never shown again with its password.
#[derive(Deserialize)]
pub(super) struct CaldavForm {
    staff: StaffId,
    #[serde(default)]
    address: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
}

pub(super) async fn show_form(user: CurrentUser, PageQuery(query): PageQuery<CaldavPageQuery>) -> PageResult {
    let staff = find_staff(&user, query.staff).await?;
    let layout = Layout::load(&user, NavItem::Calendars, title(&staff)).await?;
    let shown = CaldavPage {
        layout,
        staff: staff.id,
        address: staff.email.clone(),
        user: staff.email,
        presets: PRESETS,
        refused: None,
    };
    render_page(&user, &shown)
}

pub(super) async fn connect(user: CurrentUser, PageForm(form): PageForm<CaldavForm>) -> PageResult {
    let staff = find_staff(&user, form.staff).await?;
    let refused = if form.user.trim().is_empty() {
        CaldavFormError { field: Some("user"), text: "Enter the user name.".to_owned() }
    } else if form.password.is_empty() {
        CaldavFormError { field: Some("password"), text: "Enter the password.".to_owned() }
    } else {
        let address = if form.address.trim().is_empty() { &form.user } else { &form.address };
        let account = Account {
            address: address.clone(),
            user: form.user.trim().to_owned(),
            password: form.password.as_str().into(),
        };
        let whose = (&user.change(), staff.id);
        match connect::connect_with_password(&user.app.context, whose, &account, "/calendars".to_owned())
            .await
        {
            Ok(finished) => {
                let words = if finished.calendars == 0 {
                    format!(
                        "{} is connected, but the account has no calendar yet. Create one there, then \
                         test the connection here.",
                        finished.account_email
                    )
                } else {
                    format!("{} is connected.", finished.account_email)
                };
                return Ok(user.redirect_with_flash("/calendars", &Flash::success(words)).into_response());
            }
            Err(ConnectError::Storage(error)) => return Err(error.into()),
            Err(error) => CaldavFormError::new(&error),
        }
    };
    let layout = Layout::load(&user, NavItem::Calendars, title(&staff)).await?;
    let shown = CaldavPage {
        layout,
        staff: staff.id,
        address: form.address,
        user: form.user,
        presets: PRESETS,
        refused: Some(refused),
    };
    render_refused(&user, &shown)
}

fn title(staff: &Staff) -> String {
    format!("Connect CalDAV for {}", staff.name)
}

async fn find_staff(user: &CurrentUser, id: StaffId) -> PageResult<Staff> {
    if !user.may_see(id) {
        return Err(PageError::NotFound("staff member"));
    }
    people::find_staff(&user.app.context.db, user.business.id, id)
        .await?
        .filter(|staff| staff.archived_at.is_none())
        .ok_or(PageError::NotFound("staff member"))
}
