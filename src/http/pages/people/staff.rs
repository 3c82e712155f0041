//! Staff: added, changed, archived.

use askama::Template;
use concord_domain::{booking::FieldError, ids::StaffId, people::Trade, settings::FieldErrors};
use concord_services::staff;
use concord_storage::people::{self, Staff, StaffSettings};
use serde::Deserialize;

use super::{PATH, trade_label};
use crate::http::pages::{
    Confirmation, CurrentUser, Faults, Flash, Form, Layout, Manager, NAME_RULE, NavItem, PageError, PageForm,
    PagePath, PageResult, SelectOption, confirm_page, isolated, render_page, render_refused,
};

#[derive(Template)]
#[template(path = "staff_form.html")]
struct StaffFormPage {
    layout: Layout,
    id: Option<StaffId>,
    form: Form<StaffForm>,
    trades: Vec<SelectOption>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct StaffForm {
    name: String,
    email: String,
    trade: String,
}

impl StaffFormPage {
    async fn of(user: &CurrentUser, id: Option<StaffId>, form: Form<StaffForm>) -> PageResult<Self> {
        let title = if id.is_some() { format!("Edit {}", form.name) } else { "New staff member".to_owned() };
        let layout = Layout::load(user, NavItem::Settings, title).await?;
        let trades = Trade::ALL
            .iter()
            .map(|trade| SelectOption::new(trade.as_str(), trade_label(*trade), &form.trade))
            .collect();
        Ok(Self { layout, id, form, trades })
    }
}

pub(super) async fn new_form(user: Manager) -> PageResult {
    let shown = StaffFormPage::of(&user, None, StaffForm::default().into()).await?;
    render_page(&user, &shown)
}

pub(super) async fn edit(user: Manager, PagePath(id): PagePath<StaffId>) -> PageResult {
    let staff = find_staff(&user, id).await?;
    let form = StaffForm { name: staff.name, email: staff.email, trade: staff.trade.as_str().to_owned() };
    let shown = StaffFormPage::of(&user, Some(id), form.into()).await?;
    render_page(&user, &shown)
}

async fn find_staff(user: &Manager, id: StaffId) -> PageResult<Staff> {
    people::find_staff(&user.app.context.db, user.business.id, id)
        .await?
        .filter(|staff| staff.archived_at.is_none())
        .ok_or(PageError::NotFound("staff member"))
}

fn parse_form(form: &StaffForm) -> Result<StaffSettings, Faults> {
    let mut faults = FieldErrors::default();
    let trade = form.trade.parse();
    let mut settings = StaffSettings {
        name: form.name.clone(),
        email: form.email.clone(),
        trade: trade.unwrap_or(Trade::General),
    };
    settings.check(&mut faults);
    if trade.is_err() {
        faults.add("trade", "is none of them");
    }
    let message = |fault: FieldError| match fault.field {
        "name" => ("name", NAME_RULE),
        "trade" => ("trade", "Choose a position."),
        field => (field, "Enter a valid email address."),
    };
    faults.into_result().map_err(|faults| faults.into_iter().map(message).collect::<Faults>())?;
    Ok(settings)
}

async fn refuse(user: &CurrentUser, id: Option<StaffId>, form: StaffForm, faults: Faults) -> PageResult {
    render_refused(user, &StaffFormPage::of(user, id, Form::refused(form, faults)).await?)
}

pub(super) async fn create(user: Manager, PageForm(form): PageForm<StaffForm>) -> PageResult {
    let settings = match parse_form(&form) {
        Ok(settings) => settings,
        Err(faults) => return refuse(&user, None, form, faults).await,
    };
    let made = staff::create(&user.app.context, &user.change(), &settings).await?;
    let flash = Flash::success(format!("{} was added. Connect their calendar under Calendars.", made.name));
    Ok(user.redirect_with_flash(PATH, &flash))
}

pub(super) async fn update(
    user: Manager,
    PagePath(id): PagePath<StaffId>,
    PageForm(form): PageForm<StaffForm>,
) -> PageResult {
    find_staff(&user, id).await?;
    let settings = match parse_form(&form) {
        Ok(settings) => settings,
        Err(faults) => return refuse(&user, Some(id), form, faults).await,
    };
    let change = user.change();
    let changed = staff::change::<PageError>(&user.app.context, &change, id, |_| Ok(settings)).await?;
    let flash = Flash::success(format!("{} was changed.", changed.name));
    Ok(user.redirect_with_flash(PATH, &flash))
}

pub(super) async fn archive(user: Manager, PagePath(id): PagePath<StaffId>) -> PageResult {
    let staff = staff::archive(&user.app.context, &user.change(), id).await?;
    let flash = Flash::success(format!("{} was archived. Existing bookings are kept.", staff.name))
        .with_undo(format!("/settings/people/staff/{id}/restore"), &[]);
    Ok(user.redirect_with_flash(PATH, &flash))
}

pub(super) async fn restore(user: Manager, PagePath(id): PagePath<StaffId>) -> PageResult {
    let staff = staff::restore(&user.app.context, &user.change(), id).await?;
    let flash = Flash::success(format!("{} was restored.", staff.name));
    Ok(user.redirect_with_flash(PATH, &flash))
}

pub(super) async fn confirm_archive(user: Manager, PagePath(id): PagePath<StaffId>) -> PageResult {
    let staff = find_staff(&user, id).await?;
    let question = Confirmation::danger(
        ("archive", format!("{PATH}/staff/{id}/archive")),
        format!("Archive {}?", isolated(&staff.name)),
        "They can no longer be booked. Existing bookings and connected calendars are kept. You can restore them \
         under People.",
        "Archive",
    );
    confirm_page(&user, (NavItem::Settings, PATH), question).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staff_member_needs_a_name_and_no_mail_address() {
        let form = |name: &str, email: &str| StaffForm {
            name: name.to_owned(),
            email: email.to_owned(),
            trade: "technician".to_owned(),
        };
        assert_eq!(parse_form(&form(" Rui ", "")).unwrap().name, "Rui");
        let fields: Vec<_> =
            parse_form(&form("", "nobody")).unwrap_err().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["name", "email"]);
    }
}
