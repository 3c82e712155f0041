//! Shows what an import would do, and does it.

use askama::Template;
use axum::{
    extract::Request,
    http::header,
    response::{Html, IntoResponse, Redirect, Response},
};
use concord_domain::{ids::ResourceId, platform::Platform};
use concord_services::channels::{
    import::{self, ImportError, ImportSource as Source},
    preview::{self, ImportPreview, PreviewItem},
};
use concord_storage::{
    channels::runs,
    resources::{self, Resource},
};

use super::upload::{CalendarImportForm, encode_file, read_form};
use super::{CalendarSyncPageQuery, PATH, PREVIEW, build_page};
use crate::http::pages::channels::labels::{hue_class, item_label};
use crate::http::pages::{
    CurrentUser, Faults, Flash, Form, Layout, Manager, NavItem, PageResult, Pill, Reveal, RevealQuery,
    SelectOption, Tone, capitalize, channels::address_warnings::OTHER_PLATFORM, channels::channel_path,
    pluralize, render_refused, reveal, stretch,
};

#[derive(Template)]
#[template(path = "calendar_preview.html")]
struct ImportPreviewPage {
    layout: Layout,
    form: CalendarImportForm,
    platform: String,
    hue: String,
    resource: String,
    /// What the counts of the preview come to.
    figures: Vec<(i64, &'static str)>,
    events: Vec<ImportPreviewRow>,
    more_events: usize,
    /// The platform that the calendar seems to be of, if it is another one.
    told: Option<SelectOption>,
    /// What another platform than the right one means.
    other_platform: &'static str,
    warnings: Vec<String>,
    more_warnings: usize,
    /// How many cancellations wait, since so much is missing.
    held: Option<String>,
    /// The button: "Import 3 bookings"; `None`: there is nothing to do.
    confirm_label: Option<String>,
    /// The file, for the import.
    kept: Option<String>,
    /// Whether it has to be chosen once more.
    is_file_lost: bool,
}

struct ImportPreviewRow {
    what: Pill,
    kind: &'static str,
    when: String,
    summary: String,
    /// Whether it takes any room at all, and whether there is none.
    takes: bool,
    conflict: bool,
}

const SHOWN_EVENTS: usize = 100;
const SHOWN_WARNINGS: usize = 10;

/// What was asked for, once it is known to be there.
struct ImportTarget<'a> {
    platform: &'a Platform,
    resource: Resource,
    form: CalendarImportForm,
}

/// Reads what is asked for. A form with faults is answered at once.
async fn read_target(user: &CurrentUser, request: Request) -> PageResult<Result<ImportTarget<'_>, Response>> {
    let form = read_form(&user.app, request).await?;
    let mut faults = Faults::default();
    let platform = user.app.context.platforms.find(&form.platform);
    if platform.is_none() {
        faults.add("platform", "Choose a platform.");
    }
    let id = match form.resource.parse::<ResourceId>() {
        Ok(id) => Some(id),
        Err(_) => import::only_resource(&user.app.context, user.business.id).await?,
    };
    let resource = match id {
        Some(id) => resources::find(&user.app.context.db, user.business.id, id).await?,
        None => None,
    };
    let resource = resource.filter(|resource| resource.archived_at.is_none());
    if resource.is_none() {
        faults.add("resource", "Choose a listing.");
    }
    match (form.address.is_empty(), &form.file) {
        (true, None) => {
            faults.add("address", "Paste the calendar link or choose a file.");
        }
        (false, Some(_)) => faults.add("address", "Enter a link or choose a file, not both."),
        _ => {}
    }
    Ok(match (platform, resource) {
        (Some(platform), Some(resource)) if faults.is_empty() => {
            Ok(ImportTarget { platform, resource, form })
        }
        _ => Err(refuse(user, form, faults).await?),
    })
}

/// What the jobs are told.
fn import_command(user: &CurrentUser, asked: &ImportTarget<'_>) -> import::ChannelImportRequest {
    let form = &asked.form;
    import::ChannelImportRequest {
        business: user.business.id,
        resource: asked.resource.id,
        platform: asked.platform.clone(),
        from: match &form.file {
            Some(file) => Source::File(file.clone()),
            None => Source::Address(form.address.clone().into()),
        },
        actor: user.actor(),
        confirmed: form.confirmed,
    }
}

pub(super) async fn preview(user: Manager, request: Request) -> PageResult {
    let asked = match read_target(&user, request).await? {
        Ok(asked) => asked,
        Err(refused) => return Ok(refused),
    };
    let _place = user.app.admission.acquire_heavy().await?;
    let preview = match preview::preview(&user.app.context, &import_command(&user, &asked)).await {
        Ok(preview) => preview,
        Err(error) => return refuse_import(&user, asked.form, error).await,
    };
    let shown = build_preview(&user, asked, preview).await?;
    // The address is on the page, and opens the platform's calendar.
    let tx = user.app.context.db.begin().await?;
    reveal::commit_and_redirect(tx, &user, PREVIEW, &shown.render()?).await
}

/// What was shown, as it was: to load it again asks the platform for nothing.
pub(super) async fn show_preview(user: Manager, shown: RevealQuery) -> PageResult {
    Ok(match reveal::peek::<String>(&user, PREVIEW, &shown).await? {
        Reveal::NotRequested => Redirect::to(PATH).into_response(),
        Reveal::Value(page) => ([(header::CACHE_CONTROL, "no-store")], Html(page)).into_response(),
        Reveal::Expired => {
            let text = "The preview has expired. Preview the import again.";
            user.redirect_with_flash(PATH, &Flash::information(text))
        }
    })
}

async fn build_preview(
    user: &CurrentUser,
    asked: ImportTarget<'_>,
    preview: ImportPreview,
) -> PageResult<ImportPreviewPage> {
    let ImportTarget { platform, resource, form } = asked;
    let zone = resource.zone.unwrap_or(user.business.zone);
    let today = user.app.now().with_timezone(&zone).date_naive();
    let event = |one: &PreviewItem| ImportPreviewRow {
        what: action_pill(one.what),
        kind: item_label(one.kind),
        when: stretch(one.interval, zone, today),
        summary: one.summary.clone(),
        takes: one.kind.takes(),
        conflict: one.conflict,
    };
    let counts = preview.counts;
    let changes = counts.imported + counts.updated + counts.cancelled;
    let kept = form.file.as_ref().and_then(|file| encode_file(file));
    let layout = Layout::load(user, NavItem::Settings, "Import preview").await?;
    Ok(ImportPreviewPage {
        // It may be shown again.
        layout: Layout { flash: None, ..layout },
        platform: platform.name.clone(),
        hue: hue_class(Some(platform)),
        resource: resource.name,
        figures: vec![
            (counts.imported, "new"),
            (counts.updated, "changed"),
            (counts.cancelled, "cancelled"),
            (counts.skipped - preview.over, "unchanged or not imported"),
            (preview.over, "in the past"),
            (counts.conflicts, "in conflict"),
        ],
        events: preview.events.iter().take(SHOWN_EVENTS).map(event).collect(),
        more_events: preview.events.len().saturating_sub(SHOWN_EVENTS),
        more_warnings: preview.warnings.len().saturating_sub(SHOWN_WARNINGS),
        told: preview
            .told
            .and_then(|told| user.app.context.platforms.get(&told))
            .map(|told| SelectOption::new(told.id.as_str(), &told.name, "")),
        warnings: preview.warnings.iter().take(SHOWN_WARNINGS).map(|text| capitalize(text)).collect(),
        other_platform: OTHER_PLATFORM,
        held: preview.held.map(|held| {
            pluralize(i64::try_from(held.items).unwrap_or(i64::MAX), "cancellation", "cancellations")
        }),
        confirm_label: (changes > 0).then(|| {
            let bookings = pluralize(changes, "booking", "bookings");
            match counts.conflicts {
                0 => format!("Import {bookings}"),
                conflicts => format!("Import {bookings}, {conflicts} in conflict"),
            }
        }),
        is_file_lost: form.file.is_some() && kept.is_none(),
        kept,
        form,
    })
}

fn action_pill(what: &str) -> Pill {
    match what {
        "new" => Pill::new(Tone::Good, "New"),
        "changed" => Pill::new(Tone::Information, "Changed"),
        "cancelled" => Pill::new(Tone::Wrong, "Cancelled"),
        "held" => Pill::new(Tone::Waiting, "Held for review"),
        "echo" => Pill::new(Tone::Neutral, "Our own booking"),
        _ => Pill::new(Tone::Neutral, "Not imported"),
    }
}

pub(super) async fn import(user: Manager, request: Request) -> PageResult {
    let asked = match read_target(&user, request).await? {
        Ok(asked) => asked,
        Err(refused) => return Ok(refused),
    };
    let (context, job) = (user.app.context.clone(), import_command(&user, &asked));
    let _place = user.app.admission.acquire_heavy().await?;
    let taken = match user.app.run_to_completion(async move { import::import(&context, &job).await }).await? {
        Ok(taken) => taken,
        Err(ImportError::NeedsConfirmation(_)) => return confirm_import(&user, asked).await,
        Err(error) => return refuse_import(&user, asked.form, error).await,
    };
    let text =
        format!("Imported from {} to {}: {}.", asked.platform.name, asked.resource.name, taken.message);
    let flash = if taken.counts.conflicts > 0 || taken.held.is_some() {
        Flash::information(text)
    } else {
        Flash::success(text)
    };
    let run = match taken.run {
        Some(run) => runs::find(&user.app.context.db, user.business.id, run).await?,
        None => None,
    };
    let flash = match run.filter(|run| run.can_be_undone(user.app.now())) {
        Some(run) => flash.with_undo(format!("{}/runs/{}/undo", channel_path(taken.channel), run.id), &[]),
        None => flash,
    };
    Ok(user.redirect_with_flash(PATH, &flash))
}

/// Shows the preview again, with the tick: that the calendar is another platform's may be so only since it was looked at.
async fn confirm_import(user: &CurrentUser, asked: ImportTarget<'_>) -> PageResult {
    let preview = match preview::preview(&user.app.context, &import_command(user, &asked)).await {
        Ok(preview) => preview,
        Err(error) => return refuse_import(user, asked.form, error).await,
    };
    render_refused(user, &build_preview(user, asked, preview).await?)
}

/// At which field an import failed, and why; other errors are pages of their own.
fn import_error_message(error: ImportError, form: &CalendarImportForm) -> PageResult<(&'static str, String)> {
    let field = if form.file.is_some() { "file" } else { "address" };
    match error {
        ImportError::Unread(failure) => {
            Ok((field, format!("{}. Nothing was changed.", capitalize(&failure.to_string()))))
        }
        ImportError::NeedsConfirmation(warning) => Ok((
            "platform",
            format!(
                "{}. Nothing was changed. Choose the right platform, or confirm below.",
                capitalize(&warning.to_string())
            ),
        )),
        ImportError::NoResource => Ok(("resource", "Choose a listing.".to_owned())),
        ImportError::Stopped(words) => Ok((
            field,
            format!(
                "The import stopped: {words}. Bookings imported so far are kept. You can run it again: no duplicates."
            ),
        )),
        ImportError::Storage(error) => Err(error.into()),
    }
}

async fn refuse_import(user: &CurrentUser, form: CalendarImportForm, error: ImportError) -> PageResult {
    let fault = import_error_message(error, &form)?;
    refuse(user, form, fault).await
}

async fn refuse(user: &CurrentUser, form: CalendarImportForm, faults: impl Into<Faults>) -> PageResult {
    let form = Form::refused(form, faults);
    render_refused(user, &build_page(user, CalendarSyncPageQuery::default(), form).await?)
}
