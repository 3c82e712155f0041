//! What a person is told of by mail, and what holds for whoever has chosen nothing.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::{
    Router,
    routing::{get, post},
};
use chrono_tz::Tz;
use concord_domain::{
    notice::NoticeKind,
    notification::{
        DigestDay, DigestSchedule, NoticeDelivery, NotificationChoices, NotificationPreferences,
        WaitingDigest,
    },
    people::Role,
};
use concord_jobs::notify::waiting_digest;
use concord_services::notifications;
use concord_storage::notifications as store;
use serde::Deserialize;

use super::{
    CurrentUser, Faults, Flash, Form, Layout, Manager, NavItem, PageForm, PageResult, SelectOption,
    business::zones, render_page, render_refused,
};
use crate::app::App;

const PATH: &str = "/settings/notifications";

pub(super) fn router() -> Router<App> {
    Router::new()
        .route(PATH, get(show).post(save))
        .route("/settings/notifications/business", post(save_defaults))
}

#[derive(Template)]
#[template(path = "notifications.html")]
struct NotificationsPage {
    layout: Layout,
    own: ChoicesForm,
    /// Those of the business, which managers choose.
    defaults: Option<ChoicesForm>,
    zones: Vec<&'static str>,
    business_zone: &'static str,
    address: String,
    /// What waits for the next digest; empty: nothing.
    waiting: String,
    has_server: bool,
}

/// What one of the forms shows.
struct ChoicesForm {
    kinds: Vec<KindRow>,
    hours: Vec<SelectOption>,
    days: Vec<SelectOption>,
    zone: String,
    is_off: bool,
    /// What the first choice of the hour is called.
    no_hour: String,
    form: Form<TypedChoices>,
}

impl ChoicesForm {
    fn fault(&self, field: &str) -> Option<&str> {
        self.form.fault(field)
    }
}

struct KindRow {
    name: String,
    label: &'static str,
    choices: Vec<SelectOption>,
}

/// The fields as they are sent: `kind_conflict`, `hour`, `day_monday`, `zone`, `digest_off`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
struct TypedChoices(BTreeMap<String, String>);

impl TypedChoices {
    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |text| text.trim())
    }

    fn has(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }
}

impl From<&NotificationChoices> for TypedChoices {
    fn from(choices: &NotificationChoices) -> Self {
        let kinds = choices.deliveries.iter();
        let mut fields: BTreeMap<String, String> =
            kinds.map(|(kind, delivery)| (kind_field(*kind), delivery.to_string())).collect();
        if let Some(digest) = &choices.digest {
            fields.insert("hour".to_owned(), digest.hour.to_string());
            fields.extend(digest.days.iter().map(|day| (day_field(*day), "on".to_owned())));
            fields.extend(digest.zone.map(|zone| ("zone".to_owned(), zone.name().to_owned())));
        }
        if choices.digest_off {
            fields.insert("digest_off".to_owned(), "on".to_owned());
        }
        Self(fields)
    }
}

fn kind_field(kind: NoticeKind) -> String {
    format!("kind_{kind}")
}

fn day_field(day: DigestDay) -> String {
    format!("day_{day}")
}

fn delivery_label(delivery: NoticeDelivery) -> &'static str {
    match delivery {
        NoticeDelivery::AtOnce => "Immediately",
        NoticeDelivery::Digest => "In the digest",
        NoticeDelivery::Off => "No email",
    }
}

/// What is typed, if it can be. A word that there is not was typed by nobody. `usual`: the digest of whoever chooses none, whose
/// hour holds where only days or a zone are chosen.
fn parse(typed: &TypedChoices, usual: &DigestSchedule) -> Result<NotificationChoices, Faults> {
    let mut faults = Faults::default();
    let deliveries = NoticeKind::ALL
        .iter()
        .filter_map(|kind| Some((*kind, typed.text(&kind_field(*kind)).parse().ok()?)))
        .collect();
    let zone = match typed.text("zone") {
        "" => None,
        name => {
            let zone = name.parse().ok();
            if zone.is_none() {
                faults.add("zone", "Choose a time zone from the list, or leave it empty.");
            }
            zone
        }
    };
    let days: BTreeSet<DigestDay> =
        DigestDay::ALL.iter().copied().filter(|day| typed.has(&day_field(*day))).collect();
    let hour: Option<u32> = typed.text("hour").parse().ok().filter(|hour| *hour < 24);
    if hour.is_none() && typed.has("hour") {
        faults.add("hour", "Choose an hour.");
    }
    let is_chosen = zone.is_some() || (!days.is_empty() && days != usual.days);
    let hour = hour.or_else(|| is_chosen.then_some(usual.hour));
    let digest = hour.map(|hour| DigestSchedule { hour, days, zone });
    if digest.as_ref().is_some_and(|digest| digest.days.is_empty()) {
        faults.add("days", "Choose at least one day.");
    }
    let digest_off = typed.has("digest_off");
    faults.or(NotificationChoices { deliveries, digest, digest_off })
}

/// A form over what holds where nothing is chosen; `is_default`: it is that of the business.
fn choices_form(
    form: Form<TypedChoices>,
    below: &NotificationPreferences,
    is_default: bool,
    kinds: impl Iterator<Item = NoticeKind>,
) -> ChoicesForm {
    let row = |kind: NoticeKind| {
        let name = kind_field(kind);
        let chosen = form.text(&name);
        let mut choices: Vec<SelectOption> = NoticeDelivery::ALL
            .iter()
            .map(|delivery| SelectOption::new(delivery.as_str(), delivery_label(*delivery), chosen))
            .collect();
        if !is_default {
            let label = format!("Default ({})", delivery_label(below.chosen(kind)).to_lowercase());
            choices.insert(0, SelectOption::new("", label, chosen));
        } else if chosen.is_empty() {
            let usual = below.chosen(kind);
            for choice in &mut choices {
                choice.chosen = choice.value == usual.as_str();
            }
        }
        KindRow { name, label: kind.label(), choices }
    };
    let hour = form.text("hour").to_owned();
    let is_untouched = hour.is_empty() && form.faults().is_empty();
    let clock = |hour: u32| format!("{hour:02}:00");
    let day = |day: &DigestDay| SelectOption {
        value: day_field(*day),
        label: day.label().to_owned(),
        chosen: if is_untouched { below.digest.days.contains(day) } else { form.has(&day_field(*day)) },
    };
    ChoicesForm {
        kinds: kinds.map(row).collect(),
        hours: (0..24).map(|at| SelectOption::new(at.to_string(), clock(at), &hour)).collect(),
        days: DigestDay::ALL.iter().map(day).collect(),
        zone: form.text("zone").to_owned(),
        is_off: form.has("digest_off"),
        no_hour: format!("Default ({})", clock(below.digest.hour)),
        form,
    }
}

/// What was typed and refused, if anything was.
#[derive(Default)]
struct RefusedForms {
    own: Option<Form<TypedChoices>>,
    defaults: Option<Form<TypedChoices>>,
}

async fn build_page(user: &CurrentUser, refused: RefusedForms) -> PageResult<NotificationsPage> {
    let business = &user.business;
    let mut chosen = store::choices(&user.app.context.db, business.id).await?;
    let own = chosen.remove(&user.user.id.0).unwrap_or_default();
    let defaults = chosen.remove(&business.id.0).unwrap_or_default();
    let nothing = NotificationChoices::default();
    let below_own = NotificationPreferences::resolve(&nothing, &defaults, business.zone);
    let below = NotificationPreferences::resolve(&nothing, &nothing, business.zone);
    let has_server = user.app.context.mail.mailer.is_some();
    // Without a mail server no digest comes.
    let waiting = match waiting_digest(&user.app.context, business, user.user.id).await? {
        Some(waiting) if has_server => {
            let zone = NotificationPreferences::resolve(&own, &defaults, business.zone).zone;
            waiting_text(waiting, zone, business.zone)
        }
        _ => String::new(),
    };
    let is_manager = user.user.role == Role::Manager;
    let theirs = NoticeKind::ALL.iter().copied().filter(|kind| is_manager || kind.concerns_staff());
    let own_form = refused.own.unwrap_or_else(|| TypedChoices::from(&own).into());
    let default_form = refused.defaults.unwrap_or_else(|| TypedChoices::from(&defaults).into());
    Ok(NotificationsPage {
        layout: Layout::load(user, NavItem::Settings, "Notifications").await?,
        own: choices_form(own_form, &below_own, false, theirs),
        defaults: is_manager
            .then(|| choices_form(default_form, &below, true, NoticeKind::ALL.iter().copied())),
        zones: zones(),
        business_zone: business.zone.name(),
        address: user.user.email.clone(),
        waiting,
        has_server,
    })
}

/// By the clocks of the digest, which are named where they are not those of the business.
fn waiting_text(waiting: WaitingDigest, zone: Tz, business_zone: Tz) -> String {
    let due = waiting.due_at.with_timezone(&zone).format("%-d %b at %H:%M");
    let of_zone = if zone == business_zone { String::new() } else { format!(" ({})", zone.name()) };
    let what = match waiting.count {
        1 => "1 notification waits".to_owned(),
        count => format!("{count} notifications wait"),
    };
    format!("{what} for your next digest, on {due}{of_zone}.")
}

async fn show(user: CurrentUser) -> PageResult {
    render_page(&user, &build_page(&user, RefusedForms::default()).await?)
}

async fn save(user: CurrentUser, PageForm(typed): PageForm<TypedChoices>) -> PageResult {
    let business = store::choices(&user.app.context.db, user.business.id).await?;
    let usual = business.get(&user.business.id.0).and_then(|choices| choices.digest.clone());
    let choices = match parse(&typed, &usual.unwrap_or_default()) {
        Ok(choices) => choices,
        Err(faults) => {
            let own = Some(Form::refused(typed, faults));
            let page = build_page(&user, RefusedForms { own, ..RefusedForms::default() }).await?;
            return render_refused(&user, &page);
        }
    };
    notifications::set_of_user(&user.app.context, &user.change(), user.user.id, &choices).await?;
    Ok(user.redirect_with_flash(PATH, &Flash::success("Your notifications are saved.")))
}

async fn save_defaults(user: Manager, PageForm(typed): PageForm<TypedChoices>) -> PageResult {
    let choices = match parse(&typed, &DigestSchedule::default()) {
        Ok(choices) => NotificationChoices { digest_off: false, ..choices },
        Err(faults) => {
            let defaults = Some(Form::refused(typed, faults));
            let page = build_page(&user, RefusedForms { defaults, ..RefusedForms::default() }).await?;
            return render_refused(&user, &page);
        }
    };
    notifications::set_defaults(&user.app.context, &user.change(), &choices).await?;
    Ok(user.redirect_with_flash(PATH, &Flash::success("Default notifications are saved.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(fields: &[(&str, &str)]) -> TypedChoices {
        TypedChoices(fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    #[test]
    fn what_is_saved_is_shown_again() {
        let form = typed(&[
            ("kind_conflict", "digest"),
            ("kind_answer", ""),
            ("hour", "7"),
            ("day_monday", "on"),
            ("day_friday", "on"),
            ("zone", "Europe/Berlin"),
            ("digest_off", "on"),
        ]);
        let usual = DigestSchedule::default();
        let choices = parse(&form, &usual).unwrap();
        assert_eq!(choices.deliveries, [(NoticeKind::Conflict, NoticeDelivery::Digest)].into());
        let digest = choices.digest.as_ref().unwrap();
        assert_eq!((digest.hour, digest.days.len(), digest.zone), (7, 2, Some(chrono_tz::Europe::Berlin)));
        assert!(choices.digest_off);
        assert_eq!(parse(&TypedChoices::from(&choices), &usual).unwrap(), choices);
        // Only the days are chosen: at the usual hour.
        let days = parse(&typed(&[("day_monday", "on")]), &usual).unwrap().digest.unwrap();
        assert_eq!((days.hour, days.days), (usual.hour, [DigestDay::Monday].into()));
        assert_eq!(parse(&typed(&[]), &usual).unwrap(), NotificationChoices::default());
    }

    #[test]
    fn what_waits_is_told_by_the_clocks_of_the_digest() {
        use chrono_tz::{America::Sao_Paulo, Europe::Lisbon};
        let due_at = "2026-11-27T08:00:00Z".parse().unwrap();
        let text = |count, zone| waiting_text(WaitingDigest { count, due_at }, zone, Lisbon);
        assert_eq!(text(3, Lisbon), "3 notifications wait for your next digest, on 27 Nov at 08:00.");
        let there = "1 notification waits for your next digest, on 27 Nov at 05:00 (America/Sao_Paulo).";
        assert_eq!(text(1, Sao_Paulo), there);
    }

    #[test]
    fn wrong_digest_is_refused_at_its_field() {
        for (fields, field) in [
            (vec![("hour", "24"), ("day_monday", "on")], "hour"),
            (vec![("hour", "8")], "days"),
            (vec![("zone", "Mars/Base")], "zone"),
        ] {
            let faults = parse(&typed(&fields), &DigestSchedule::default()).unwrap_err();
            assert!(faults.into_iter().any(|(name, _)| name == field), "{field}");
        }
    }
}
