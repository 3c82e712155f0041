//! `concord personal-data`: what is kept of a customer, handed out and erased; and the list of what was erased, which a
//! database that was restored goes through again.

use std::{fs, io::Read, path::PathBuf};

use clap::{Args, Subcommand};
use concord_domain::{clock::Clock, ids::BusinessId, people::Actor};
use concord_services::personal_data::{self, PersonQuery};
use concord_storage::{
    ChangeContext, Db, DbOptions, businesses,
    erasures::{self, ListedErasure},
};

use super::{
    CommandError, print_line,
    serve::{keyring, open_existing},
};
use crate::config::Config;

/// Options of `concord personal-data`.
#[derive(Debug, Args)]
pub(super) struct PersonalDataArgs {
    #[command(subcommand)]
    command: PersonalDataCommand,
}

#[derive(Debug, Subcommand)]
enum PersonalDataCommand {
    /// Prints what is kept of a customer, as JSON.
    Export(PersonArgs),
    /// Erases a customer. The work is done by the Concord that runs, or when it starts. It cannot be undone.
    Erase {
        #[command(flatten)]
        person: PersonArgs,
        /// Upcoming bookings stay in force, without the customer.
        #[arg(long)]
        keep_upcoming: bool,
    },
    /// Prints the list of all that was erased: ids and times, a line each. Keep it apart from the backups.
    Erasures,
    /// Erases again what a list names, after a restore. What is erased already is passed over.
    Replay {
        /// A file with such a list; `-`: standard input.
        #[arg(required_unless_present = "from_database")]
        list: Option<PathBuf>,
        /// Takes the list of the database that was replaced, such as sqlite:concord-replaced.db.
        #[arg(long, value_name = "URL", conflicts_with = "list")]
        from_database: Option<String>,
    },
}

#[derive(Debug, Args)]
struct PersonArgs {
    /// The business's slug.
    #[arg(long)]
    business: String,
    /// Everything that names this address.
    #[arg(long, required_unless_present = "booking", conflicts_with = "booking")]
    email: Option<String>,
    /// The customer of this booking, by its reference.
    #[arg(long, value_name = "REFERENCE")]
    booking: Option<String>,
}

impl PersonArgs {
    fn query(&self) -> PersonQuery {
        match (&self.email, &self.booking) {
            (Some(email), _) => PersonQuery::Email(email.clone()),
            (None, reference) => PersonQuery::Reference(reference.clone().unwrap_or_default()),
        }
    }

    /// Whoever may run the command is nobody whom the business knows.
    async fn change(&self, db: &Db) -> Result<ChangeContext, CommandError> {
        let found = businesses::find_by_slug(db, &self.business).await?;
        let business: BusinessId = found.ok_or_else(|| format!("there is no business {}", self.business))?.id;
        Ok(ChangeContext { business, actor: Actor::System, now: Clock::system().now() })
    }
}

pub(super) async fn run(options: PersonalDataArgs, config: &Config) -> Result<(), CommandError> {
    let db = open_existing(config).await?;
    let done = match options.command {
        PersonalDataCommand::Export(person) => export(&db, &person).await,
        PersonalDataCommand::Erase { person, keep_upcoming } => {
            erase(&db, config, &person, keep_upcoming).await
        }
        PersonalDataCommand::Erasures => list(&db).await,
        PersonalDataCommand::Replay { list, from_database } => {
            let source = from_database
                .map_or_else(|| ListSource::File(list.unwrap_or_default()), ListSource::Database);
            replay(&db, config, source).await
        }
    };
    db.close().await;
    done
}

async fn export(db: &Db, person: &PersonArgs) -> Result<(), CommandError> {
    let by = person.change(db).await?;
    let exported = personal_data::export(db, &by, &person.query()).await?;
    print_line(&serde_json::to_string_pretty(&exported.to_json())?)
}

async fn erase(db: &Db, config: &Config, person: &PersonArgs, keep: bool) -> Result<(), CommandError> {
    let by = person.change(db).await?;
    let ring = keyring(config)?;
    let (erasure, _) = personal_data::request((db, &ring), &by, &person.query(), keep).await?;
    print_line(&format!(
        "Erasure {} was requested; bookings: {}. A running Concord does it, or the next one that starts.",
        erasure.id, erasure.bookings
    ))
}

async fn list(db: &Db) -> Result<(), CommandError> {
    for listed in erasures::list_all(db).await? {
        print_line(&serde_json::to_string(&listed)?)?;
    }
    Ok(())
}

enum ListSource {
    File(PathBuf),
    Database(String),
}

impl ListSource {
    async fn read(self) -> Result<Vec<ListedErasure>, CommandError> {
        match self {
            Self::Database(url) => {
                let replaced = Db::open_url(&DbOptions { create: false, ..DbOptions::new(url) }).await?;
                let listed = erasures::list_all(&replaced).await;
                replaced.close().await;
                Ok(listed?)
            }
            Self::File(file) if file.as_os_str() == "-" => {
                let mut text = String::new();
                std::io::stdin().lock().read_to_string(&mut text)?;
                parse(&text)
            }
            Self::File(file) => {
                let text = fs::read_to_string(&file);
                parse(&text.map_err(|error| format!("cannot read {}: {error}", file.display()))?)
            }
        }
    }
}

async fn replay(db: &Db, config: &Config, source: ListSource) -> Result<(), CommandError> {
    let listed = source.read().await?;
    let ring = keyring(config)?;
    let added = personal_data::replay((db, &ring), &listed, Clock::system().now()).await?;
    print_line(&format!(
        "Erasures requested again: {added} of {}. A running Concord does them, or the next one that starts.",
        listed.len()
    ))
}

fn parse(text: &str) -> Result<Vec<ListedErasure>, CommandError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line)
                .map_err(|error| format!("line {} is not of a list of erasures: {error}", number + 1).into())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_is_read_as_it_is_printed() {
        let line = r#"{"erasure":"00000000-0000-0000-0000-000000000001","business":"00000000-0000-0000-0000-000000000002",
            "booking":"00000000-0000-0000-0000-000000000003","scope":"booking","attendee":null,
            "asked_at":"2027-03-01T08:00:00Z"}"#
            .replace('\n', "");
        let listed = parse(&format!("{line}\n\n{line}\n")).unwrap();
        assert_eq!(listed.len(), 2);
        let written = serde_json::to_string(&listed[0]).unwrap();
        assert_eq!(parse(&written).unwrap(), listed[..1]);
        let error = parse("{}").unwrap_err().to_string();
        assert!(error.starts_with("line 1 is not of a list of erasures"), "{error}");
    }
}
