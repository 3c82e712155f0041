//! How soon what a person does in a calendar is known here, and why not sooner.

use std::time::Duration;

use concord_domain::{connection::ConnectionState, push::PushState};
use concord_storage::{
    StorageError,
    calendars::Calendar,
    connections::Connection,
    push_subscriptions::{self, PushSubscription},
};

use crate::http::pages::{capitalize, pluralize};
use crate::{app::App, config::PushMode};

/// A sentence about a connection that is read; empty for others.
pub(super) async fn push_status(
    app: &App,
    connection: &Connection,
    all: &[Calendar],
) -> Result<String, StorageError> {
    if connection.state != ConnectionState::Active || !connection.direction.reads() {
        return Ok(String::new());
    }
    let channels =
        push_subscriptions::of_connection(&app.context.db, connection.business_id, connection.id).await?;
    let read: Vec<&Calendar> =
        all.iter().filter(|calendar| calendar.reads && calendar.missing_since.is_none()).collect();
    if read.is_empty() {
        return Ok(String::new());
    }
    let provider = connection.provider.name();
    let obstacle = if app.context.providers.push(connection.provider).is_none() {
        Some(format!("{provider} does not send change notifications"))
    } else if app.context.settings.push.is_none() {
        Some(push_disabled_reason(app.config.sync.push).to_owned())
    } else {
        read.iter().find_map(|calendar| push_obstacle(calendar, &channels, provider))
    };
    Ok(sentence(obstacle.as_deref(), app.config.sync.poll))
}

fn push_disabled_reason(mode: PushMode) -> &'static str {
    match mode {
        PushMode::Auto | PushMode::Always => "this installation has no https address",
        PushMode::Off => "instant updates are turned off on this installation",
    }
}

/// Why changes in this calendar do not arrive at once; `None`: they do.
fn push_obstacle(calendar: &Calendar, channels: &[PushSubscription], provider: &str) -> Option<String> {
    let of_it = || channels.iter().filter(|channel| channel.calendar_id == calendar.id);
    if of_it().any(|channel| channel.state == PushState::Open) {
        return None;
    }
    let refused = of_it().find(|channel| channel.state == PushState::Refused);
    let reason = refused.and_then(|channel| channel.last_error.as_deref());
    Some(match reason {
        Some(reason) => {
            format!("for “{}”, {provider} reports: {}", calendar.name, reason.trim_end_matches('.'))
        }
        None => format!("{provider} has not confirmed notifications yet"),
    })
}

fn sentence(obstacle: Option<&str>, poll: Duration) -> String {
    let minutes = i64::try_from(poll.as_secs() / 60).unwrap_or(i64::MAX);
    let every = pluralize(minutes, "minute", "minutes");
    match obstacle {
        None => "Changes in the calendar arrive instantly.".to_owned(),
        Some(why) => capitalize(&format!("the calendar is checked for changes every {every}: {why}.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_how_soon_and_why_not_sooner() {
        let quarter = Duration::from_mins(15);
        assert_eq!(sentence(None, quarter), "Changes in the calendar arrive instantly.");
        assert_eq!(
            sentence(Some(push_disabled_reason(PushMode::Auto)), quarter),
            "The calendar is checked for changes every 15 minutes: this installation has no https address."
        );
    }
}
