//! When customers, staff and other systems are reminded of bookings, and which reminders went out or will.

use askama::Template;
use axum::{
    Router,
    routing::{get, post},
};
use concord_domain::{
    booking::{BookingKind, BookingStatus},
    ids::ReminderRuleId,
    reminder::{QuietHours, ReminderChannel, ReminderRuleSettings, ReminderState},
    settings::FieldErrors,
};
use concord_services::{ServiceError, reminders};
use concord_storage::{
    reminder_rules,
    reminders::{self as store, ListedReminder},
};
use serde::Deserialize;

use super::{
    Confirmation, CurrentUser, Faults, Flash, Form, Layout, Manager, NavItem, PageError, PageForm, PagePath,
    PageResult, Pill, RelativeTime, SelectOption, Tone, confirm_page, kind_label, render_page,
    render_refused,
};
use crate::app::App;

const PATH: &str = "/settings/reminders";
/// So many of each list are shown.
const SHOWN: u32 = 25;
const TIME_RULE: &str = "Enter a whole number, at least 5 minutes and at most 28 days.";

pub(super) fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(show).post(create))
        .route("/settings/reminders/quiet", post(set_quiet_hours))
        .route("/settings/reminders/{id}/delete", get(confirm_delete).post(delete))
}

#[derive(Template)]
#[template(path = "reminders.html")]
struct RemindersPage {
    layout: Layout,
    rules: Vec<RuleRow>,
    questions: Vec<Confirmation>,
    form: Form<RuleForm>,
    quiet: Form<QuietForm>,
    channels: Vec<SelectOption>,
    kinds: Vec<SelectOption>,
    units: Vec<SelectOption>,
    planned: Vec<ReminderRow>,
    settled: Vec<ReminderRow>,
    has_server: bool,
}

struct RuleRow {
    id: ReminderRuleId,
    text: String,
    who: &'static str,
    kind: &'static str,
}

struct ReminderRow {
    booking: String,
    reference: String,
    text: String,
    who: &'static str,
    when: RelativeTime,
    /// Hour and minute, on the clocks of the business.
    clock: String,
    pill: Pill,
    reason: String,
}

/// One more rule, as it is typed.
#[derive(Clone, Deserialize)]
#[serde(default)]
struct RuleForm {
    channel: String,
    /// A word of [`BookingKind`]; empty: all kinds.
    kind: String,
    amount: String,
    unit: String,
}

impl Default for RuleForm {
    fn default() -> Self {
        Self {
            channel: ReminderChannel::CustomerMail.to_string(),
            kind: String::new(),
            amount: String::new(),
            unit: "hours".to_owned(),
        }
    }
}

/// Clock times; both empty: there are none.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct QuietForm {
    from: String,
    until: String,
}

impl From<Option<QuietHours>> for QuietForm {
    fn from(hours: Option<QuietHours>) -> Self {
        let text = |text: Option<String>| text.unwrap_or_default();
        Self { from: text(hours.map(QuietHours::from_text)), until: text(hours.map(QuietHours::until_text)) }
    }
}

/// Many and one of a unit, and its minutes.
const UNITS: [(&str, &str, u32); 3] =
    [("minutes", "minute", 1), ("hours", "hour", 60), ("days", "day", 24 * 60)];

fn who(channel: ReminderChannel) -> &'static str {
    match channel {
        ReminderChannel::CustomerMail => "Customer, by email",
        ReminderChannel::StaffMail => "Assigned staff, by email",
        ReminderChannel::Webhook => "Other systems, by webhook",
    }
}

/// `1 day before`, in the largest unit that fits.
fn before(minutes: u32) -> String {
    let fits = |(_, _, unit): &(&str, &str, u32)| minutes.is_multiple_of(*unit);
    let (many, one, unit) = UNITS.into_iter().rfind(fits).unwrap_or(UNITS[0]);
    let count = minutes / unit;
    format!("{count} {} before", if count == 1 { one } else { many })
}

async fn load_quiet_form(user: &CurrentUser) -> PageResult<Form<QuietForm>> {
    let hours = reminder_rules::quiet_hours(&user.app.context.db, user.business.id).await?;
    Ok(QuietForm::from(hours).into())
}

async fn show(user: Manager) -> PageResult {
    let quiet = load_quiet_form(&user).await?;
    render_page(&user, &build_page(&user, RuleForm::default().into(), quiet).await?)
}

async fn build_page(
    user: &CurrentUser,
    form: Form<RuleForm>,
    quiet: Form<QuietForm>,
) -> PageResult<RemindersPage> {
    let (db, business) = (&user.app.context.db, user.business.id);
    let rules = reminder_rules::list(db, business).await?;
    let row = |listed: ListedReminder| reminder_row(user, listed);
    Ok(RemindersPage {
        layout: Layout::load(user, NavItem::Settings, "Reminders").await?,
        questions: rules.iter().map(|rule| confirmation(rule.id, rule.settings)).collect(),
        rules: rules
            .iter()
            .map(|rule| RuleRow {
                id: rule.id,
                text: before(rule.settings.minutes_before),
                who: who(rule.settings.channel),
                kind: rule.settings.kind.map_or("All bookings", kind_label),
            })
            .collect(),
        channels: ReminderChannel::ALL
            .iter()
            .map(|channel| SelectOption::new(channel.as_str(), who(*channel), &form.channel))
            .collect(),
        kinds: BookingKind::ALL
            .iter()
            .map(|kind| SelectOption::new(kind.as_str(), kind_label(*kind), &form.kind))
            .collect(),
        units: UNITS.iter().map(|(unit, _, _)| SelectOption::new(*unit, *unit, &form.unit)).collect(),
        planned: store::planned(db, business, SHOWN).await?.into_iter().map(row).collect(),
        settled: store::settled(db, business, SHOWN).await?.into_iter().map(row).collect(),
        has_server: user.app.context.mail.mailer.is_some(),
        form,
        quiet,
    })
}

fn reminder_row(user: &CurrentUser, listed: ListedReminder) -> ReminderRow {
    let ListedReminder { reminder, reference, status, has_address, rule } = listed;
    let (tone, label) = match reminder.state {
        ReminderState::Planned => (Tone::Neutral, "Planned"),
        ReminderState::Queued => (Tone::Waiting, "Sending"),
        ReminderState::Sent => (Tone::Good, "Sent"),
        ReminderState::Skipped => (Tone::Neutral, "Not sent"),
        ReminderState::Failed => (Tone::Wrong, "Failed"),
    };
    let at = if reminder.state == ReminderState::Planned { reminder.due_at } else { reminder.changed_at };
    ReminderRow {
        booking: format!("/bookings/{}", reminder.booking_id),
        reference,
        text: before(rule.minutes_before),
        who: who(rule.channel),
        when: RelativeTime::new(at, user.app.now(), user.business.zone),
        pill: Pill::new(tone, label),
        clock: at.with_timezone(&user.business.zone).format("%H:%M").to_string(),
        reason: match (reminder.skip_reason, reminder.error) {
            _ if reminder.state == ReminderState::Planned => {
                let is_for_customer = rule.channel == ReminderChannel::CustomerMail;
                expectation(status, is_for_customer && !has_address).to_owned()
            }
            (Some(reason), _) => reason.label().to_owned(),
            (None, error) => error.unwrap_or_default(),
        },
    }
}

/// What is known already of one that is planned.
fn expectation(status: BookingStatus, lacks_address: bool) -> &'static str {
    if lacks_address {
        "Not sent without an email address"
    } else if status == BookingStatus::Pending {
        "Sent if the booking is confirmed by then"
    } else {
        ""
    }
}

async fn create(user: Manager, PageForm(form): PageForm<RuleForm>) -> PageResult {
    let refused = async |form: RuleForm, faults: Faults| {
        let quiet = load_quiet_form(&user).await?;
        render_refused(&user, &build_page(&user, Form::refused(form, faults), quiet).await?)
    };
    let settings = match parse_rule(&form) {
        Ok(settings) => settings,
        Err(faults) => return refused(form, faults).await,
    };
    match reminders::create(&user.app.context, &user.change(), &settings).await {
        Ok(_) => Ok(user.redirect_with_flash(PATH, &Flash::success("Reminder added."))),
        Err(ServiceError::NotPossible(why)) => {
            let mut faults = Faults::default();
            faults.add("amount", super::sentence(&why));
            refused(form, faults).await
        }
        Err(error) => Err(error.into()),
    }
}

fn parse_rule(form: &RuleForm) -> Result<ReminderRuleSettings, Faults> {
    let mut faults = Faults::default();
    let channel: Option<ReminderChannel> = form.channel.parse().ok();
    if channel.is_none() {
        faults.add("channel", "Choose an option.");
    }
    let kind: Option<BookingKind> = form.kind.parse().ok();
    if kind.is_none() && !form.kind.is_empty() {
        faults.add("kind", "Choose an option.");
    }
    let unit = UNITS.iter().find(|(unit, _, _)| *unit == form.unit).map(|(_, _, minutes)| *minutes);
    let amount: Option<u32> = form.amount.trim().parse().ok();
    let settings = ReminderRuleSettings {
        channel: channel.unwrap_or(ReminderChannel::CustomerMail),
        kind,
        // What is no number is none that is allowed.
        minutes_before: amount.zip(unit).and_then(|(amount, unit)| amount.checked_mul(unit)).unwrap_or(0),
    };
    let mut wrong = FieldErrors::default();
    settings.check(&mut wrong);
    for error in wrong.into_result().err().unwrap_or_default() {
        match error.field {
            "kind" => faults.add("kind", "Bookings of this type have no customers to remind."),
            _ => faults.add("amount", TIME_RULE),
        }
    }
    faults.or(settings)
}

async fn set_quiet_hours(user: Manager, PageForm(form): PageForm<QuietForm>) -> PageResult {
    let is_none = form.from.trim().is_empty() && form.until.trim().is_empty();
    let hours = if is_none { None } else { QuietHours::parse(&form.from, &form.until).ok() };
    if !is_none && hours.is_none() {
        let fault = ("from", "Enter two different times such as 22:00 and 07:00, or leave both empty.");
        let page = build_page(&user, RuleForm::default().into(), Form::refused(form, fault)).await?;
        return render_refused(&user, &page);
    }
    reminders::set_quiet_hours(&user.app.context, &user.change(), hours).await?;
    Ok(user.redirect_with_flash(PATH, &Flash::success("Quiet hours saved.")))
}

fn confirmation(id: ReminderRuleId, settings: ReminderRuleSettings) -> Confirmation {
    Confirmation::danger(
        (format!("delete-{id}"), format!("{PATH}/{id}/delete")),
        format!("Delete the reminder {}?", before(settings.minutes_before)),
        "It is not sent for upcoming bookings any more.",
        "Delete reminder",
    )
}

async fn confirm_delete(user: Manager, PagePath(id): PagePath<ReminderRuleId>) -> PageResult {
    let rules = reminder_rules::list(&user.app.context.db, user.business.id).await?;
    let rule = rules.iter().find(|rule| rule.id == id).ok_or(PageError::NotFound("reminder"))?;
    confirm_page(&user, (NavItem::Settings, PATH), confirmation(id, rule.settings)).await
}

async fn delete(user: Manager, PagePath(id): PagePath<ReminderRuleId>) -> PageResult {
    reminders::remove(&user.app.context, &user.change(), id).await?;
    Ok(user.redirect_with_flash(PATH, &Flash::success("Reminder deleted.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_before_is_told_in_the_largest_unit() {
        for (minutes, text) in [
            (5, "5 minutes before"),
            (60, "1 hour before"),
            (90, "90 minutes before"),
            (1440, "1 day before"),
            (2880, "2 days before"),
            (1500, "25 hours before"),
        ] {
            assert_eq!(before(minutes), text);
        }
    }

    #[test]
    fn rule_is_read_from_amount_and_unit() {
        let form = |amount: &str, unit: &str, kind: &str| RuleForm {
            amount: amount.into(),
            unit: unit.into(),
            kind: kind.into(),
            ..RuleForm::default()
        };
        assert_eq!(parse_rule(&form(" 2 ", "days", "")).unwrap().minutes_before, 2880);
        for wrong in [
            form("", "hours", ""),
            form("4", "minutes", ""),
            form("29", "days", ""),
            form("4294967295", "days", ""),
            form("1", "weeks", ""),
            form("1", "hours", "party"),
            form("1", "hours", "block"),
        ] {
            assert!(parse_rule(&wrong).is_err());
        }
    }
}
