//! Shows what an import would do, and does it.

use askama::Template;
use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use concord_domain::{ids::ResourceId, platform::Platform};
use concord_jobs::channels::{
    import::{self, From as Source, ImportError},
    preview::{self, Foreseen, Preview},
};
use concord_storage::{
    channels::runs,
    resources::{self, Resource},
};

use super::{
    PATH, PREVIEW, Where, describe,
    upload::{Wish, packed, read},
};
use crate::{
    app::App,
    http::pages::{
        PageError,
        channels::{
            against::OTHER_PLATFORM,
            path_of,
            words::{hue_class, item_label},
        },
        flash::Flash,
        frame::{Frame, Place, page},
        pieces::{Choice, Pill, Tone, capital, count},
        reveal::{self, Reveal, Shown},
        session::CurrentUser,
        when::stretch,
    },
};

#[derive(Template)]
#[template(path = "calendar_preview.html")]
struct PreviewPage {
    frame: Frame,
    wish: Wish,
    platform: String,
    hue: String,
    resource: String,
    /// What the counts of the preview come to.
    figures: Vec<(i64, &'static str)>,
    events: Vec<Event>,
    more_events: usize,
    /// The platform that the calendar seems to be of, if it is another one.
    told: Option<Choice>,
    /// What another platform than the right one means.
    other_platform: &'static str,
    warnings: Vec<String>,
    more_warnings: usize,
    /// How many cancellations wait, since so much is missing.
    held: Option<String>,
    /// The button: "Import 3 bookings"; `None`: there is nothing to do.
    deed: Option<String>,
    /// The file, for the import.
    kept: Option<String>,
    /// Whether it has to be chosen once more.
    is_file_lost: bool,
}

struct Event {
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
struct Asked<'a> {
    platform: &'a Platform,
    resource: Resource,
}

type Faults = Vec<(&'static str, String)>;

async fn checked<'a>(
    app: &'a App,
    user: &CurrentUser,
    wish: &Wish,
) -> Result<Result<Asked<'a>, Faults>, PageError> {
    let mut faults = Faults::new();
    let platform = app.context.platforms.find(&wish.platform);
    if platform.is_none() {
        faults.push(("platform", "Choose where the calendar comes from.".to_owned()));
    }
    let id = match wish.resource.parse::<ResourceId>() {
        Ok(id) => Some(id),
        Err(_) => import::only_resource(&app.context, user.business.id).await?,
    };
    let resource = match id {
        Some(id) => resources::find(&app.context.db, user.business.id, id).await?,
        None => None,
    };
    let resource = resource.filter(|resource| resource.archived_at.is_none());
    if resource.is_none() {
        faults.push(("resource", "Choose what is booked by it.".to_owned()));
    }
    match (wish.address.is_empty(), &wish.file) {
        (true, None) => {
            faults.push(("address", "Paste the calendar's address, or choose a file.".to_owned()));
        }
        (false, Some(_)) => faults.push(("address", "Give an address or a file, not both.".to_owned())),
        _ => {}
    }
    Ok(match (platform, resource) {
        (Some(platform), Some(resource)) if faults.is_empty() => Ok(Asked { platform, resource }),
        _ => Err(faults),
    })
}

/// What the jobs are told.
fn job(user: &CurrentUser, asked: &Asked<'_>, wish: &Wish) -> import::Wish {
    import::Wish {
        business: user.business.id,
        resource: asked.resource.id,
        platform: asked.platform.clone(),
        from: match &wish.file {
            Some(file) => Source::File(file.clone()),
            None => Source::Address(wish.address.clone().into()),
        },
        actor: user.actor(),
        confirmed: wish.confirmed,
    }
}

pub(super) async fn preview(
    State(app): State<App>,
    user: CurrentUser,
    request: Request,
) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let wish = read(&app, request).await?;
    let asked = match checked(&app, &user, &wish).await? {
        Ok(asked) => asked,
        Err(faults) => return refuse(&app, &user, &wish, faults).await,
    };
    let job = job(&user, &asked, &wish);
    let _place = app.admission.heavy().await?;
    match preview::preview(&app.context, &job).await {
        Ok(preview) => {
            let shown = foreseen(&app, &user, wish, &asked, preview).await?;
            // The address is on the page, and opens the platform's calendar.
            let mut tx = app.context.db.begin().await?;
            let id = reveal::keep(&mut tx, &app, &user, PREVIEW, &shown.render()?).await?;
            tx.commit().await?;
            Ok(reveal::go(PREVIEW, id))
        }
        Err(error) => {
            let fault = in_words(error, &wish)?;
            refuse(&app, &user, &wish, vec![fault]).await
        }
    }
}

/// What was shown, as it was: to load it again asks the platform for nothing.
pub(super) async fn show_again(
    State(app): State<App>,
    user: CurrentUser,
    shown: Shown,
) -> Result<Response, PageError> {
    user.must_be_manager()?;
    Ok(match reveal::look::<String>(&app, &user, PREVIEW, &shown).await? {
        Reveal::Nothing => Redirect::to(PATH).into_response(),
        Reveal::Now(page) => ([(header::CACHE_CONTROL, "no-store")], Html(page)).into_response(),
        Reveal::Before => {
            let text = "What an import would do is shown for some minutes only. Look at it again.";
            user.go(&app, PATH, &Flash::information(text))
        }
    })
}

async fn foreseen(
    app: &App,
    user: &CurrentUser,
    wish: Wish,
    asked: &Asked<'_>,
    preview: Preview,
) -> Result<PreviewPage, PageError> {
    let zone = asked.resource.zone.unwrap_or(user.business.zone);
    let today = app.now().with_timezone(&zone).date_naive();
    let event = |one: &Foreseen| Event {
        what: deed_of(one.what),
        kind: item_label(one.kind),
        when: stretch(one.interval, zone, today),
        summary: one.summary.clone(),
        takes: one.kind.takes(),
        conflict: one.conflict,
    };
    let counts = preview.counts;
    let changes = counts.imported + counts.updated + counts.cancelled;
    let kept = wish.file.as_ref().and_then(|file| packed(file));
    let frame = Frame::around(app, user, Place::Settings, "What an import would do").await?;
    Ok(PreviewPage {
        // It may be shown again.
        frame: Frame { flash: None, ..frame },
        platform: asked.platform.name.clone(),
        hue: hue_class(Some(asked.platform)),
        resource: asked.resource.name.clone(),
        figures: vec![
            (counts.imported, "new"),
            (counts.updated, "changed"),
            (counts.cancelled, "cancelled"),
            (counts.skipped - preview.over, "as before, or not ours to take"),
            (preview.over, "over already"),
            (counts.conflicts, "without room"),
        ],
        events: preview.events.iter().take(SHOWN_EVENTS).map(event).collect(),
        more_events: preview.events.len().saturating_sub(SHOWN_EVENTS),
        more_warnings: preview.warnings.len().saturating_sub(SHOWN_WARNINGS),
        told: preview
            .told
            .and_then(|told| app.context.platforms.get(&told))
            .map(|told| Choice::new(told.id.as_str(), &told.name, "")),
        warnings: preview.warnings.iter().take(SHOWN_WARNINGS).map(|text| capital(text)).collect(),
        other_platform: OTHER_PLATFORM,
        held: preview.held.map(|held| {
            count(i64::try_from(held.items).unwrap_or(i64::MAX), "cancellation", "cancellations")
        }),
        deed: (changes > 0).then(|| {
            let bookings = count(changes, "booking", "bookings");
            match counts.conflicts {
                0 => format!("Import {bookings}"),
                conflicts => format!("Import {bookings}, {conflicts} without room"),
            }
        }),
        is_file_lost: wish.file.is_some() && kept.is_none(),
        kept,
        wish,
    })
}

fn deed_of(what: &str) -> Pill {
    match what {
        "new" => Pill::new(Tone::Good, "New"),
        "changed" => Pill::new(Tone::Information, "Changed"),
        "cancelled" => Pill::new(Tone::Wrong, "Cancelled"),
        "held" => Pill::new(Tone::Waiting, "Held back"),
        "echo" => Pill::new(Tone::Neutral, "Ours already"),
        _ => Pill::new(Tone::Neutral, "Not taken over"),
    }
}

pub(super) async fn import(
    State(app): State<App>,
    user: CurrentUser,
    request: Request,
) -> Result<Response, PageError> {
    user.must_be_manager()?;
    let wish = read(&app, request).await?;
    let asked = match checked(&app, &user, &wish).await? {
        Ok(asked) => asked,
        Err(faults) => return refuse(&app, &user, &wish, faults).await,
    };
    let job = job(&user, &asked, &wish);
    let _place = app.admission.heavy().await?;
    let context = app.context.clone();
    let again = job.clone();
    let taken = match app.to_the_end(async move { import::import(&context, &job).await }).await? {
        Ok(taken) => taken,
        Err(ImportError::Doubtful(_)) => return ask(&app, &user, wish, &asked, &again).await,
        Err(error) => {
            let fault = in_words(error, &wish)?;
            return refuse(&app, &user, &wish, vec![fault]).await;
        }
    };
    let text =
        format!("Imported from {} to {}: {}.", asked.platform.name, asked.resource.name, taken.message);
    let flash = if taken.counts.conflicts > 0 || taken.held.is_some() {
        Flash::information(text)
    } else {
        Flash::good(text)
    };
    let run = match taken.run {
        Some(run) => runs::find(&app.context.db, user.business.id, run).await?,
        None => None,
    };
    let flash = match run.filter(|run| run.can_be_undone(app.now())) {
        Some(run) => flash.with_undo(format!("{}/runs/{}/undo", path_of(taken.channel), run.id), &[]),
        None => flash,
    };
    Ok(user.go(&app, PATH, &flash))
}

/// Shows the preview again, with the tick: that the calendar is another platform's may be so only since it was looked at.
async fn ask(
    app: &App,
    user: &CurrentUser,
    wish: Wish,
    asked: &Asked<'_>,
    job: &import::Wish,
) -> Result<Response, PageError> {
    let preview = match preview::preview(&app.context, job).await {
        Ok(preview) => preview,
        Err(error) => {
            let fault = in_words(error, &wish)?;
            return refuse(app, user, &wish, vec![fault]).await;
        }
    };
    refusal(app, user, &foreseen(app, user, wish, asked, preview).await?)
}

/// A page with something to mend.
fn refusal(app: &App, user: &CurrentUser, shown: &impl Template) -> Result<Response, PageError> {
    let mut response = page(app, user, shown)?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

/// At which field an import failed, and why; other errors are pages of their own.
fn in_words(error: ImportError, wish: &Wish) -> Result<(&'static str, String), PageError> {
    let field = if wish.file.is_some() { "file" } else { "address" };
    match error {
        ImportError::Unread(failure) => {
            Ok((field, format!("{}. Nothing was changed.", capital(&failure.to_string()))))
        }
        ImportError::Doubtful(doubt) => Ok((
            "platform",
            format!(
                "{}. Nothing was changed: choose the right one, or tick that it is meant.",
                capital(&doubt.to_string())
            ),
        )),
        ImportError::NoResource => Ok(("resource", "Choose what is booked by it.".to_owned())),
        ImportError::Stopped(words) => Ok((
            field,
            format!("The import stopped on its way: {words}. What is done stands, and it can be repeated."),
        )),
        ImportError::Storage(error) => Err(error.into()),
    }
}

async fn refuse(app: &App, user: &CurrentUser, wish: &Wish, faults: Faults) -> Result<Response, PageError> {
    refusal(app, user, &describe(app, user, Where::default(), wish, faults).await?)
}
