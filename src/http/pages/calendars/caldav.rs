//! Connecting a CalDAV account: a form instead of a consent page.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use concord_domain::ids::StaffId;
use concord_jobs::connect::{self, ConnectError};
use concord_providers::{
    DiscoveryError,
    caldav::{Asked as Account, PRESETS, Preset},
};
use concord_storage::people::{self, Staff};
use serde::Deserialize;

use super::super::{
    PageError,
    asked::{Asked, Sent},
    flash::Flash,
    frame::{Frame, Place, page},
    session::CurrentUser,
};
use crate::app::App;

#[derive(Template)]
#[template(path = "calendar_caldav.html")]
struct CaldavPage {
    frame: Frame,
    staff: StaffId,
    address: String,
    user: String,
    presets: &'static [Preset],
    refused: Option<Refused>,
}

/// Why nothing was connected, in the words of `DiscoveryError` or of our own.
struct Refused {
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

impl Refused {
    fn new(error: &ConnectError) -> Self {
        let field = match error {
            ConnectError::Discovery(DiscoveryError::WrongPassword { .. }) => Some("password"),
            // Nobody can tell whether it is the address that is wrong, or the server that is away.
            ConnectError::Discovery(_) => Some("address"),
            _ => None,
        };
        Self { field, text: super::super::pieces::capital(&format!("{error}.")) }
    }
}

#[derive(Deserialize)]
pub(super) struct Whose {
    staff: StaffId,
}

/// What a person fills in. It is never shown again with its password.
#[derive(Deserialize)]
pub(super) struct Form {
    staff: StaffId,
    #[serde(default)]
    address: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    password: String,
}

pub(super) async fn ask(
    State(app): State<App>,
    user: CurrentUser,
    Asked(whose): Asked<Whose>,
) -> Result<Response, PageError> {
    let staff = found(&app, &user, whose.staff).await?;
    let frame = Frame::around(&app, &user, Place::Calendars, title(&staff)).await?;
    let shown = CaldavPage {
        frame,
        staff: staff.id,
        address: staff.email.clone(),
        user: staff.email,
        presets: PRESETS,
        refused: None,
    };
    page(&app, &user, &shown)
}

pub(super) async fn connect(
    State(app): State<App>,
    user: CurrentUser,
    Sent(form): Sent<Form>,
) -> Result<Response, PageError> {
    let staff = found(&app, &user, form.staff).await?;
    let refused = if form.user.trim().is_empty() {
        Refused { field: Some("user"), text: "The user name is needed.".to_owned() }
    } else if form.password.is_empty() {
        Refused { field: Some("password"), text: "The password is needed.".to_owned() }
    } else {
        let address = if form.address.trim().is_empty() { &form.user } else { &form.address };
        let account = Account {
            address: address.clone(),
            user: form.user.trim().to_owned(),
            password: form.password.as_str().into(),
        };
        let whose = (user.business.id, staff.id);
        match connect::connect_with_password(&app.context, whose, &account, "/calendars".to_owned()).await {
            Ok(finished) => {
                let words = if finished.calendars == 0 {
                    format!(
                        "{} is connected, but the account has no calendar yet. Make one there, then test the connection \
                         here.",
                        finished.account_email
                    )
                } else {
                    format!("{} is connected.", finished.account_email)
                };
                return Ok(user.go(&app, "/calendars", &Flash::good(words)).into_response());
            }
            Err(ConnectError::Storage(error)) => return Err(error.into()),
            Err(error) => Refused::new(&error),
        }
    };
    let frame = Frame::around(&app, &user, Place::Calendars, title(&staff)).await?;
    let shown = CaldavPage {
        frame,
        staff: staff.id,
        address: form.address,
        user: form.user,
        presets: PRESETS,
        refused: Some(refused),
    };
    let mut response = page(&app, &user, &shown)?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

fn title(staff: &Staff) -> String {
    format!("Connect CalDAV for {}", staff.name)
}

async fn found(app: &App, user: &CurrentUser, id: StaffId) -> Result<Staff, PageError> {
    if !user.may_see(id) {
        return Err(PageError::NotFound("staff member"));
    }
    people::find_staff(&app.context.db, user.business.id, id)
        .await?
        .filter(|staff| staff.archived_at.is_none())
        .ok_or(PageError::NotFound("staff member"))
}
