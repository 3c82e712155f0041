//! `concord user`: the first business and its people, and links to sign in with.

use chrono::Duration;
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use concord_domain::{
    clock::Clock,
    customer::CustomerRules,
    ids::{BusinessId, StaffId},
    invitation::InvitationSettings,
    people::{Actor, Role},
    settings::FieldErrors,
};
use concord_jobs::language::Language;
use concord_services::users;
use concord_storage::{
    ChangeContext, Db, Page,
    businesses::{self, BusinessSettings},
    people::{self, NewUser, User},
    reminder_rules,
};
use secrecy::{ExposeSecret, SecretString};

use super::{
    CommandError, print_line,
    serve::{keyring, mail, open_database, open_existing},
};
use crate::config::{CancelledEntries, Config};

/// Options of `concord user`.
#[derive(Debug, Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Creates a business and its first manager, and prints a link to sign in.
    Business {
        /// Its name.
        name: String,
        /// Its short name in addresses: small letters, digits and hyphens.
        #[arg(long)]
        slug: String,
        /// Its time zone, such as Europe/Lisbon.
        #[arg(long)]
        zone: Tz,
        /// The manager's mail address.
        #[arg(long)]
        email: String,
        /// The manager's name.
        #[arg(long)]
        manager: String,
    },
    /// Creates a person who signs in, prints their first link, and mails it to them if there is a mail server.
    Add {
        /// The business's slug.
        #[arg(long)]
        business: String,
        /// Mail address.
        email: String,
        /// Name.
        name: String,
        /// manager or staff.
        #[arg(long, default_value = "staff")]
        role: Role,
        /// The staff member that they are: the name, or the id. Their calendars are then theirs to see and connect.
        #[arg(long, value_name = "NAME|ID")]
        staff: Option<String>,
    },
    /// Prints a link with which a person signs in, once.
    Link {
        /// Mail address.
        email: String,
    },
    /// Lists everybody.
    List,
}

impl UserCommand {
    /// The same as it is stored, or all that is wrong with it: before anything is written.
    fn checked(self) -> Result<Self, CommandError> {
        let mut faults = FieldErrors::default();
        let checked = match self {
            Self::Business { name, slug, zone, email, manager } => Self::Business {
                name: faults.name("NAME", &name),
                slug: faults.slug("--slug", &slug),
                zone,
                email: faults.mail_address("--email", &email),
                manager: faults.name("--manager", &manager),
            },
            Self::Add { business, email, name, role, staff } => Self::Add {
                business,
                email: faults.mail_address("EMAIL", &email),
                name: faults.name("NAME", &name),
                role,
                staff,
            },
            other => other,
        };
        faults.into_result().map_err(|faults| {
            let faults = faults.iter().map(|fault| format!("{} {}", fault.field, fault.message));
            faults.collect::<Vec<_>>().join("; ")
        })?;
        Ok(checked)
    }
}

pub(super) async fn run(options: UserArgs, config: &Config) -> Result<(), CommandError> {
    let command = options.command.checked()?;
    let db = match command {
        UserCommand::Business { .. } => open_or_create(config).await?,
        _ => open_existing(config).await?,
    };
    let clock = Clock::system();
    match command {
        UserCommand::Business { name, slug, zone, email, manager } => {
            let settings = BusinessSettings {
                name,
                zone,
                entry_privacy: config.sync.entry_privacy,
                mark_cancelled: config.sync.cancelled_entries == CancelledEntries::Mark,
                outside: concord_domain::sync::remote_change::RemoteChangeRules::default(),
                invitations: InvitationSettings::default(),
                customers: CustomerRules::default(),
            };
            let now = clock.now();
            let mut tx = db.begin().await?;
            let business = businesses::create(&mut tx, &slug, &settings, now)
                .await
                .map_err(|error| format!("the business {slug} was not created: {error}"))?;
            reminder_rules::create_defaults(&mut tx, business.id, now).await?;
            let new =
                NewUser { business: business.id, staff: None, name: manager, email, role: Role::Manager };
            let user = users::create(&mut tx, &change(business.id, &clock), &new).await?;
            tx.commit().await?;
            print_sign_in_link(&db, config, &clock, &user).await
        }
        UserCommand::Add { business, email, name, role, staff } => {
            let found = businesses::find_by_slug(&db, &business).await?;
            let found = found.ok_or_else(|| format!("there is no business {business}"))?;
            let staff = match staff {
                Some(staff) => Some(staff_member(&db, found.id, &staff).await?),
                None => None,
            };
            let mut tx = db.begin().await?;
            let new = NewUser { business: found.id, staff, name, email, role };
            let by = change(found.id, &clock);
            let user = users::create(&mut tx, &by, &new)
                .await
                .map_err(|error| format!("{} was not created: {error}", new.email))?;
            let mail = mail(config)?;
            let expires_at = by.now + config.security.invitation;
            let (token, is_mailed) = if mail.mailer.is_some() {
                let (ring, language) = (keyring(config)?, Language::default());
                let invited = (&found, &user);
                let made = users::invite(&mut tx, &by, (&mail, &ring), invited, language, expires_at).await?;
                (made.token, made.mail.is_some())
            } else {
                // Nothing has to be sealed, so that no key is needed.
                (users::create_sign_in_link(&mut tx, &by, &user, expires_at).await?, false)
            };
            tx.commit().await?;
            print_url(config, &user, &token, Duration::from_std(config.security.invitation)?)?;
            if is_mailed { print_line(&format!("It is mailed to {} too.", user.email)) } else { Ok(()) }
        }
        UserCommand::Link { email } => {
            let users = people::find_users_by_email(&db, &email).await?;
            if users.is_empty() {
                return Err(
                    format!("no user has the email {email}; `concord user list` lists all users").into()
                );
            }
            for user in users {
                print_sign_in_link(&db, config, &clock, &user).await?;
            }
            Ok(())
        }
        UserCommand::List => list(&db).await,
    }
}

/// The first business may come before the first start; that the database is a new one is said.
async fn open_or_create(config: &Config) -> Result<Db, CommandError> {
    let db = open_database(config).await?;
    let is_new = db.is_empty().await?;
    db.migrate().await?;
    if is_new {
        print_line(&format!("Created a new database: {}", db.place()))?;
    }
    Ok(db)
}

/// Who is meant by a name, in any case of letters, or by an id.
async fn staff_member(db: &Db, business: BusinessId, wanted: &str) -> Result<StaffId, CommandError> {
    let list = |page| async move { people::list_staff(db, business, &page).await };
    let mut found = Page::collect_all(list).await?;
    found.retain(|staff| {
        staff.id.to_string() == wanted || staff.name.to_lowercase() == wanted.trim().to_lowercase()
    });
    match found.as_slice() {
        [only] => Ok(only.id),
        [] => Err(format!(
            "no staff member of the business is called {wanted}: a manager adds them first under Settings, People"
        )
        .into()),
        several => {
            let ids: Vec<_> = several.iter().map(|staff| staff.id.to_string()).collect();
            Err(format!("several are called {wanted}; give an id: {}", ids.join(", ")).into())
        }
    }
}

/// Whoever may run the command is nobody whom the business knows.
fn change(business: BusinessId, clock: &Clock) -> ChangeContext {
    ChangeContext { business, actor: Actor::System, now: clock.now() }
}

async fn print_sign_in_link(
    db: &Db,
    config: &Config,
    clock: &Clock,
    user: &User,
) -> Result<(), CommandError> {
    let by = change(user.business_id, clock);
    let holds = Duration::from_std(config.security.sign_in_link)?;
    let mut tx = db.begin().await?;
    let token = users::create_sign_in_link(&mut tx, &by, user, by.now + holds).await?;
    tx.commit().await?;
    print_url(config, user, &token, holds)
}

fn print_url(
    config: &Config,
    user: &User,
    token: &SecretString,
    holds: Duration,
) -> Result<(), CommandError> {
    let url = config.public_url().join(&format!("/sign-in/{}", token.expose_secret()))?;
    let within = match holds.num_days() {
        0 => format!("{} minutes", holds.num_minutes()),
        1 => "a day".to_owned(),
        days => format!("{days} days"),
    };
    print_line(&format!("{} ({}) signs in once within {within} at\n{url}", user.name, user.role))
}

async fn list(db: &Db) -> Result<(), CommandError> {
    for business in businesses::list(db).await? {
        print_line(&format!("{} ({}, {})", business.name, business.slug, business.zone))?;
        for user in people::list_users(db, business.id).await? {
            print_line(&format!("  {} <{}> {}", user.name, user.email, user.role))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use concord_storage::testing;

    use super::*;

    #[tokio::test]
    async fn a_staff_member_is_meant_by_name_or_by_id() {
        let db = testing::sqlite().await;
        let business = testing::business(&db).await;
        let ana = testing::staff(&db, &business, "Ana Costa").await.id;
        let [rui, other] =
            [testing::staff(&db, &business, "Rui").await.id, testing::staff(&db, &business, "rui").await.id];
        let find = async |wanted: &str| {
            staff_member(&db, business.id, wanted).await.map_err(|error| error.to_string())
        };
        assert_eq!(find("ana costa").await, Ok(ana));
        assert_eq!(find(&rui.to_string()).await, Ok(rui));
        let several = find("Rui").await.unwrap_err();
        assert!(several.contains(&rui.to_string()) && several.contains(&other.to_string()), "{several}");
        let nobody = find("Nobody").await.unwrap_err();
        assert!(
            nobody.contains("called Nobody: a manager adds them first under Settings, People"),
            "{nobody}"
        );
    }
}
