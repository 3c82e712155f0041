//! Stores what opens an account, with its calendars, and enqueues what brings them up to date.

use concord_domain::{connection::Direction, people::Actor};
use concord_jobs::{Context, accounts::calendar_list, enqueue, job::ConnectionAccount, notify};
use concord_providers::{DiscoveryError, ProviderCredentials, ProviderError};
use concord_storage::{
    ChangeContext,
    calendars::{self, ListedCalendar},
    connections::{self, ConnectionTokens, NewConnection},
    oauth_states::{self, OAuthState},
    push_subscriptions,
};
use serde_json::json;

use super::{
    CallbackBrowser, ConnectError, ConnectTarget, ConnectedAccount, error::refusal, oauth_state::check_rights,
};
use crate::history;

/// What opens an account.
pub(super) struct OpenedAccount {
    pub(super) credentials: ProviderCredentials,
    pub(super) tokens: ConnectionTokens,
    /// The calendar that the person has named, where they have named one.
    pub(super) calendar: Option<String>,
}

/// Whether the calendar that a person has named is one that can be written.
fn check_named_calendar(
    named: Option<&str>,
    (listed, user): (&[ListedCalendar], &str),
) -> Result<(), DiscoveryError> {
    let Some(named) = named else { return Ok(()) };
    let (user, place) = (user.to_owned(), named.to_owned());
    match listed.iter().find(|one| one.external_id == named) {
        Some(one) if one.writable => Ok(()),
        Some(_) => Err(DiscoveryError::NotWritable { user, place }),
        None => Err(DiscoveryError::NotListed { user, place }),
    }
}

/// `asked`: what was asked for and the browser that came back, where there was a consent page. The provider was called
/// meanwhile, so what they may do is looked at anew with what is written.
pub(super) async fn store(
    context: &Context,
    (wanted, actor): (ConnectTarget, Actor),
    OpenedAccount { credentials, tokens, calendar }: OpenedAccount,
    return_to: String,
    asked: Option<(&OAuthState, CallbackBrowser<'_>)>,
) -> Result<ConnectedAccount, ConnectError> {
    let ConnectTarget { business, staff, provider } = wanted;
    let calendars_of = context.providers.get(provider).ok_or(ConnectError::NotSetUp(provider))?;
    let refused = |error: ProviderError| refusal(provider, &error, &return_to);
    let account = calendars_of.account(&credentials).await.map_err(refused)?;
    let listed = calendars_of.calendars(&credentials).await.map_err(refused)?;
    let listed: Vec<ListedCalendar> = listed.into_iter().map(calendar_list::as_listed).collect();
    check_named_calendar(calendar.as_deref(), (&listed, &account.email))?;
    let new = NewConnection {
        business,
        staff,
        provider,
        account_subject: account.subject,
        account_email: account.email,
        tokens,
    };
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    if let Some((state, browser)) = asked {
        let rights = oauth_states::rights(&mut tx, state, browser.session, now).await?;
        check_rights(state, browser, rights)?;
    }
    let connection = connections::adopt(&mut tx, &context.ring, &new, now).await?;
    if let ProviderCredentials::Password { user, home, .. } = &credentials {
        connections::set_server(&mut tx, connection, home.as_str(), user).await?;
    }
    calendars::take_over(&mut tx, business, connection, &listed, now).await?;
    if let Some(calendar) = &calendar {
        calendars::choose(&mut tx, business, connection, calendar).await?;
    }
    push_subscriptions::renew_all(&mut tx, business, connection, now).await?;
    let detail = json!({ "provider": provider, "account": new.account_email, "staff": staff });
    let by = ChangeContext { business, actor, now };
    history::record(&mut tx, &by, "connected", connection, &detail).await?;
    // With the grant or not at all: nobody comes back to enqueue what a crash in between would have left out.
    let mut enqueued =
        enqueue::initial_sync(&mut tx, context, (business, connection), Direction::Both).await?;
    let account = ConnectionAccount { business, connection, provider };
    enqueued.extend(notify::connected(&mut tx, context, account).await?);
    context.commit(tx, &enqueued).await?;
    let calendars = listed.len();
    Ok(ConnectedAccount {
        connection,
        business,
        staff,
        account_email: new.account_email,
        calendars,
        return_to,
    })
}
