//! `concord check`: what is wrong with somebody's calendar, and what would be imported from it.

mod feed;
mod import;
mod source;

use std::process::ExitCode;

use chrono_tz::Tz;
use clap::{Args, Subcommand};
use concord_domain::ical::{self, ParsedCalendar, ReadLimits};
use serde::Serialize;

use self::source::{CalendarSource, SourceError};
use super::{CommandError, print_line};
use crate::config::Config;

/// Options of `concord check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(subcommand)]
    command: CheckCommand,
}

#[derive(Debug, Subcommand)]
enum CheckCommand {
    /// Says what is wrong with a calendar, line by line.
    Feed(CheckTargetArgs),
    /// Says what would be imported from a calendar. Nothing is stored.
    Import {
        #[command(flatten)]
        target: CheckTargetArgs,
        /// The platform whose calendar it is, such as airbnb; otherwise the one that the address tells.
        #[arg(long, value_name = "NAME")]
        platform: Option<String>,
    },
}

#[derive(Debug, Args)]
struct CheckTargetArgs {
    /// The address of the feed, or a file (`-` is the standard input).
    #[arg(value_name = "URL|FILE")]
    place: String,
    /// The zone of times that name none.
    #[arg(long, value_name = "ZONE", default_value_t = Tz::UTC)]
    zone: Tz,
    /// Fetches from private addresses too, whatever the configuration says.
    #[arg(long)]
    allow_private: bool,
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// What a command found, in both forms.
trait CheckReport: Serialize {
    /// For people; no character of the calendar can do anything to their terminal.
    fn user_message(&self) -> String;

    fn is_fine(&self) -> bool;
}

/// What could not be read, for programs.
#[derive(Serialize)]
struct UnreadableReport<'a> {
    error: &'a str,
    message: String,
}

/// Exit codes: 0 fine, 1 there are findings that matter, 2 it could not be read.
pub(super) async fn run(options: CheckArgs, config: &Config) -> Result<ExitCode, CommandError> {
    match options.command {
        CheckCommand::Feed(target) => {
            let read = read(&target, config).await;
            print_report(&target, read.map(|(source, calendar)| feed::check(&source, &calendar)))
        }
        CheckCommand::Import { target, platform } => {
            let platforms = config.platforms.load()?;
            let read = read(&target, config).await;
            let foreseen = read.and_then(|(source, calendar)| {
                let platform = import::platform_of(&platforms, platform.as_deref(), &source)?;
                import::preview_import(&source, &calendar, target.zone, platform).map_err(SourceError::from)
            });
            print_report(&target, foreseen)
        }
    }
}

async fn read(
    target: &CheckTargetArgs,
    config: &Config,
) -> Result<(CalendarSource, ParsedCalendar), SourceError> {
    let source = source::open(&target.place, target.allow_private, config).await?;
    let calendar = ical::read(&source.bytes, target.zone, &ReadLimits::default())?;
    Ok((source, calendar))
}

fn print_report(
    target: &CheckTargetArgs,
    checked: Result<impl CheckReport, SourceError>,
) -> Result<ExitCode, CommandError> {
    match checked {
        Ok(report) => {
            print_line(&if target.json {
                serde_json::to_string_pretty(&report)?
            } else {
                report.user_message()
            })?;
            Ok(if report.is_fine() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Err(unread) => {
            let message = unread.to_string();
            if target.json {
                print_line(&serde_json::to_string_pretty(&UnreadableReport {
                    error: unread.code(),
                    message,
                })?)?;
            } else {
                super::print_error(&message);
            }
            Ok(ExitCode::from(2))
        }
    }
}

/// "1 event", "3 events".
fn count(number: usize, one: &str, more: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {more}") }
}
