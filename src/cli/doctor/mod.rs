//! `concord doctor`: looks at everything that an installation needs, one after the other, and says what to do where
//! something is wrong. It changes nothing, sends no mail, and prints no secret.
//!
//! `installation` looks at what is this installation's own: configuration, key, database, queue. `external_services` looks at what others
//! run: mail server, calendar providers, the way from the public address; `sender` at the DNS records of the mails' sender.

mod external_services;
mod installation;
mod sender;

use std::{fmt::Write, process::ExitCode};

use clap::Args;
use concord_domain::{clock::Clock, mail::one_line};
use serde::Serialize;

use super::{CommandError, print_line};
use crate::config::ConfigSources;

/// Options of `concord doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// For programs.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
enum FindingStatus {
    /// As it should be.
    Ok,
    /// It works, but somebody should know.
    Warning,
    /// It does not work.
    Wrong,
}

/// What was found of one part.
#[derive(Clone, Debug, Serialize)]
struct DoctorFinding {
    part: &'static str,
    verdict: FindingStatus,
    text: String,
    /// What to do, where something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl DoctorFinding {
    fn ok(part: &'static str, text: impl Into<String>) -> Self {
        Self { part, verdict: FindingStatus::Ok, text: text.into(), advice: None }
    }

    fn warning(part: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { part, verdict: FindingStatus::Warning, text: text.into(), advice: Some(advice.into()) }
    }

    fn wrong(part: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { part, verdict: FindingStatus::Wrong, text: text.into(), advice: Some(advice.into()) }
    }
}

/// All that was found.
#[derive(Serialize)]
struct DoctorReport {
    /// The worst of all.
    verdict: FindingStatus,
    findings: Vec<DoctorFinding>,
}

impl DoctorReport {
    fn of(findings: Vec<DoctorFinding>) -> Self {
        let worst = findings.iter().map(|finding| finding.verdict).max();
        Self { verdict: worst.unwrap_or(FindingStatus::Ok), findings }
    }

    fn user_message(&self) -> String {
        let mut text = String::new();
        for DoctorFinding { part, verdict, text: what, advice } in &self.findings {
            let advice = advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default();
            let _ = writeln!(text, "{verdict:<8} {part:<14} {}{advice}", one_line(what));
        }
        let _ = write!(
            text,
            "{}",
            match self.verdict {
                FindingStatus::Ok => "All checks passed.",
                FindingStatus::Warning => "Checks passed with warnings.",
                FindingStatus::Wrong => "Some checks failed.",
            }
        );
        text
    }
}

/// Exit codes: 0 it works, 1 something is wrong.
pub(super) async fn run(options: &DoctorArgs, sources: &ConfigSources) -> Result<ExitCode, CommandError> {
    // Eight parts are looked at together, which makes a large future.
    let report = DoctorReport::of(Box::pin(run_checks(sources, &Clock::system())).await);
    print_line(&if options.json { serde_json::to_string_pretty(&report)? } else { report.user_message() })?;
    Ok(if report.verdict == FindingStatus::Wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn run_checks(sources: &ConfigSources, clock: &Clock) -> Vec<DoctorFinding> {
    let (mut findings, config) = installation::configuration(sources);
    // Without a configuration nobody knows what else to look at.
    let Some(config) = config else { return findings };
    let (key, ring) = installation::master_key(&config);
    findings.push(key);
    let database_and_senders = async {
        let (findings, businesses) = installation::database(&config, ring.as_ref()).await;
        (findings, sender::check(&config, &businesses).await)
    };
    let ((database, sender), queue, mail, mailbox, providers, issuer, address) = futures::join!(
        database_and_senders,
        installation::queue(&config),
        external_services::mail(&config),
        external_services::mailbox(&config),
        external_services::providers(&config, clock),
        external_services::issuer(&config, clock),
        external_services::public_url(&config),
    );
    findings.extend(database);
    findings.push(queue);
    findings.push(mail);
    findings.extend(mailbox);
    findings.extend(sender);
    findings.extend(providers);
    findings.extend(issuer);
    findings.push(address);
    findings
}
