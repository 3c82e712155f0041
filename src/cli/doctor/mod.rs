//! `concord doctor`: looks at everything that an installation needs, one after the other, and says what to do where
//! something is wrong. It changes nothing, sends no mail, and prints no secret.
//!
//! `here` looks at what is this installation's own: configuration, key, database, queue. `external_services` looks at what others
//! run: mail server, calendar providers, the way from the public address.

mod external_services;
mod here;

use std::{fmt::Write, process::ExitCode};

use clap::Args;
use concord_domain::{clock::Clock, mail::one_line};
use serde::Serialize;

use super::{CommandError, say};
use crate::config::Sources;

/// Options of `concord doctor`.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but somebody should know.
    Warning,
    /// It does not work.
    Wrong,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// What was found of one part.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    part: &'static str,
    verdict: Verdict,
    text: String,
    /// What to do, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    fn ok(part: &'static str, text: impl Into<String>) -> Self {
        Self { part, verdict: Verdict::Ok, text: text.into(), advice: None }
    }

    fn warning(part: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { part, verdict: Verdict::Warning, text: text.into(), advice: Some(advice.into()) }
    }

    fn wrong(part: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { part, verdict: Verdict::Wrong, text: text.into(), advice: Some(advice.into()) }
    }
}

/// All that was found.
#[derive(Serialize)]
struct Report {
    /// The worst of all.
    verdict: Verdict,
    findings: Vec<Finding>,
}

impl Report {
    fn of(findings: Vec<Finding>) -> Self {
        let worst = findings.iter().map(|finding| finding.verdict).max();
        Self { verdict: worst.unwrap_or(Verdict::Ok), findings }
    }

    fn in_words(&self) -> String {
        let mut text = String::new();
        for Finding { part, verdict, text: what, advice } in &self.findings {
            let advice = advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
            let _ = writeln!(text, "{:<8} {part:<14} {}{advice}", verdict.word(), one_line(what));
        }
        let _ = write!(
            text,
            "{}",
            match self.verdict {
                Verdict::Ok => "All is well.",
                Verdict::Warning => "It works; see the warnings.",
                Verdict::Wrong => "Something does not work.",
            }
        );
        text
    }
}

/// Exit codes: 0 it works, 1 something is wrong.
pub(super) async fn run(options: &Options, sources: &Sources) -> Result<ExitCode, CommandError> {
    // Five parts are looked at together, which makes a large future.
    let report = Report::of(Box::pin(examine(sources, &Clock::system())).await);
    say(&if options.json { serde_json::to_string_pretty(&report)? } else { report.in_words() })?;
    Ok(if report.verdict == Verdict::Wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn examine(sources: &Sources, clock: &Clock) -> Vec<Finding> {
    let (mut findings, config) = here::configuration(sources);
    // Without a configuration nobody knows what else to look at.
    let Some(config) = config else { return findings };
    let (key, ring) = here::master_key(&config);
    findings.push(key);
    let (database, queue, mail, providers, address) = futures::join!(
        here::database(&config, ring.as_ref()),
        here::queue(&config),
        external_services::mail(&config),
        external_services::providers(&config, clock),
        external_services::public_url(&config),
    );
    findings.extend(database);
    findings.push(queue);
    findings.push(mail);
    findings.extend(providers);
    findings.push(address);
    findings
}
