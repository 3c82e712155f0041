//! Valid credentials for a connection: a token, refreshed before it expires by one refresher at a time, or a password.

use std::time::Duration as StdDuration;

use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use concord_domain::{
    audit::{HistorySubject, SyncOutcome},
    connection::ConnectionState,
    people::Actor,
};
use concord_providers::{OAuthTokens, ProviderCredentials, ProviderError};
use concord_storage::{
    connections::{self, ConnectionTokens, StoredTokens},
    history, sync_log,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::limits::{note_answer, with_wait};
use crate::{
    Context,
    job::{ConnectionAccount, JobError},
    notify,
};

/// Tokens are refreshed this long before they expire, so that no call begins with one that ends on its way.
const EXPIRY_MARGIN: Duration = Duration::seconds(90);
/// How long a refresh may take at least before another process tries.
const SHORTEST_REFRESH: Duration = Duration::seconds(30);
/// How often we look whether somebody else's refresh is done.
const POLL_INTERVAL: StdDuration = StdDuration::from_millis(50);
/// How many times; longer than that nobody holds a worker's place only to wait.
const MAX_POLLS: u32 = 8;
/// How soon those come back for whom it was too long.
const RETRY_DELAY: Duration = Duration::milliseconds(150);

/// Credentials for one call, and for the same call again if they were refused.
pub(crate) struct Access<'a> {
    context: &'a Context,
    account: ConnectionAccount,
    credentials: ProviderCredentials,
    renewed: bool,
    /// When the call could begin.
    began: DateTime<Utc>,
}

impl<'a> Access<'a> {
    /// Finds a token that should hold, or the password.
    pub(crate) async fn open(context: &'a Context, account: ConnectionAccount) -> Result<Self, JobError> {
        let credentials = match account.provider.oauth() {
            None => stored_password(context, account).await?.1,
            Some(_) => ProviderCredentials::Bearer(current_token(context, account, None).await?),
        };
        Ok(Self { context, account, credentials, renewed: false, began: context.clock.now() })
    }

    /// The same; credentials of this grant that were read a moment ago are not read again.
    pub(crate) async fn open_grant(
        context: &'a Context,
        account: ConnectionAccount,
        grant_number: i64,
    ) -> Result<Self, JobError> {
        let (id, now) = (account.connection, context.clock.now());
        if let Some(credentials) = context.keys.credentials(id, grant_number, now) {
            return Ok(Self { context, account, credentials, renewed: false, began: now });
        }
        let opened = Self::open(context, account).await?;
        let credentials = opened.credentials.clone();
        context.keys.cache_credentials(id, (grant_number, credentials), now);
        Ok(opened)
    }

    /// Notes what came of the call, for those who wait for the provider's rate limit.
    pub(crate) async fn answered<T>(&self, result: Result<T, ProviderError>) -> Result<T, ProviderError> {
        note_answer(self.context, self.account, self.began, result).await
    }

    /// In which a call is made.
    pub(crate) fn span(&self) -> tracing::Span {
        let ConnectionAccount { connection, provider, .. } = self.account;
        tracing::info_span!("provider_call", %provider, %connection)
    }

    pub(crate) fn credentials(&self) -> ProviderCredentials {
        self.credentials.clone()
    }

    /// Whether a refused call may be made once more with another token.
    pub(crate) fn may_renew<T>(&self, result: &Result<T, ProviderError>) -> bool {
        !self.renewed && matches!(result, Err(ProviderError::Unauthorized))
    }

    /// Finds another token than the one that was refused; of a password, whether it is refused indeed.
    pub(crate) async fn renew(&mut self) -> Result<(), JobError> {
        self.context.keys.evict_credentials(self.account.connection);
        self.credentials = match &self.credentials {
            ProviderCredentials::Bearer(token) => {
                ProviderCredentials::Bearer(current_token(self.context, self.account, Some(token)).await?)
            }
            ProviderCredentials::Password { .. } => {
                recheck_password(self.context, self.account, &self.credentials).await?
            }
        };
        self.renewed = true;
        Ok(())
    }
}

/// What is stored, and the name and password in it.
async fn stored_password(
    context: &Context,
    account: ConnectionAccount,
) -> Result<(StoredTokens, ProviderCredentials), JobError> {
    let stored = stored_tokens(context, account).await?;
    let zone = connections::home_zone(&context.db, account.business, account.connection).await?;
    let credentials = password(&stored, zone)?;
    Ok((stored, credentials))
}

/// The stored name and password. `GrantDead`: it is known that they are of no use.
fn password(stored: &StoredTokens, zone: Tz) -> Result<ProviderCredentials, ProviderError> {
    if stored.state == ConnectionState::NeedsReconnect {
        return Err(ProviderError::GrantDead("it needs to be reconnected".into()));
    }
    let home = stored.server_url.as_deref().and_then(|url| url.parse().ok());
    match (&stored.username, &stored.access, home) {
        (Some(user), Some(password), Some(home)) => {
            Ok(ProviderCredentials::Password { user: user.clone(), password: password.clone(), home, zone })
        }
        _ => Err(ProviderError::GrantDead("there is no password".into())),
    }
}

/// What to try once more after a refusal. A single 401 can pass, at iCloud above all: the password is dead when the
/// account itself is closed to it too.
async fn recheck_password(
    context: &Context,
    account: ConnectionAccount,
    refused: &ProviderCredentials,
) -> Result<ProviderCredentials, JobError> {
    let (stored, current) = stored_password(context, account).await?;
    let secret = |credentials: &ProviderCredentials| match credentials {
        ProviderCredentials::Bearer(secret) | ProviderCredentials::Password { password: secret, .. } => {
            secret.expose_secret().to_owned()
        }
    };
    if secret(&current) != secret(refused) {
        return Ok(current);
    }
    match context.provider(account.provider)?.account(&current).await {
        Err(ProviderError::Unauthorized) => {
            let reason = "the user name and password are no longer accepted";
            if !mark_grant_invalid(context, account, &stored, reason).await?
                && stored_tokens(context, account).await?.state == ConnectionState::Active
            {
                return Err(ProviderError::Transient("the account was just reconnected".into()).into());
            }
            Err(ProviderError::GrantDead(reason.into()).into())
        }
        Ok(_) => Ok(current),
        Err(error) => Err(error.into()),
    }
}

/// Why a call that was made brought nothing.
#[derive(Debug)]
pub(crate) struct CallError {
    pub(crate) error: JobError,
    /// Whether the call may have been carried out all the same. A refusal says that it was not, also where what follows
    /// from the refusal fails, such as the refresh of a token.
    pub(crate) is_unknown: bool,
}

impl From<CallError> for JobError {
    fn from(failed: CallError) -> Self {
        failed.error
    }
}

/// Makes a call with what is held open: `with_open!(held, access => provider.remove(&access, ..))`. A token that is refused
/// all the same is refreshed once, a password asked once more. A dead grant marks the connection, once, and comes back as
/// `GrantDead`.
///
/// A macro, since the future of an async closure cannot be required to be `Send` yet.
macro_rules! with_open {
    ($held:expr, $access:ident => $call:expr) => {
        async {
            let mut is_unknown = false;
            loop {
                let $access = $held.credentials();
                let result = tracing::Instrument::instrument($call, $held.span()).await;
                is_unknown |= result.as_ref().err().is_none_or(|error| !error.is_definite());
                let result = result.map_err(concord_providers::ProviderError::cause);
                let failed = |error| $crate::accounts::access::CallError { error, is_unknown };
                if !$held.may_renew(&result) {
                    let answered = $held.answered(result).await;
                    break answered.map_err($crate::job::JobError::from).map_err(failed);
                }
                if let Err(error) = $held.renew().await {
                    break Err(failed(error));
                }
            }
        }
        .await
    };
}
pub(crate) use with_open;

/// The same with credentials that are opened for this call: `with_access!(context, account, access => ..)`.
macro_rules! with_access {
    ($context:expr, $account:expr, $access:ident => $call:expr) => {
        async {
            let mut held = $crate::accounts::access::Access::open($context, $account).await?;
            $crate::accounts::access::with_open!(held, $access => $call).map_err($crate::job::JobError::from)
        }
        .await
    };
}
pub(crate) use with_access;

/// The stored access token if it holds, or a new one. `refused`: a token that the provider did not accept.
async fn current_token(
    context: &Context,
    account: ConnectionAccount,
    refused: Option<&SecretString>,
) -> Result<SecretString, JobError> {
    // Longer than a call may take, as the worker's lease is: else two of them might use one refresh token.
    let lease = (context.settings.lease * 2).max(SHORTEST_REFRESH);
    let holder = format!("{}#{}", context.keys.process(), Uuid::new_v4().simple());
    for _ in 0..MAX_POLLS {
        let stored = stored_tokens(context, account).await?;
        let now = context.clock.now();
        if let Some(token) = usable(&stored, refused, now)? {
            return Ok(token);
        }
        let is_free = stored.refresh_lease_until.is_none_or(|until| until <= now);
        if is_free
            && connections::acquire_refresh_lease(&context.db, account.connection, &holder, now + lease, now)
                .await?
        {
            match refresh_under_lease(context, (account, &holder), refused).await? {
                Some(token) => return Ok(token),
                None => continue,
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Err(JobError::snooze(&context.clock, RETRY_DELAY, "another worker is refreshing the token"))
}

/// As the one refresher. `None`: there is another grant by now.
async fn refresh_under_lease(
    context: &Context,
    (account, holder): (ConnectionAccount, &str),
    refused: Option<&SecretString>,
) -> Result<Option<SecretString>, JobError> {
    // Somebody may have finished between our look and our lease.
    let stored = stored_tokens(context, account).await?;
    let usable = usable(&stored, refused, context.clock.now());
    if let Ok(None) = usable {
        return refresh(context, (account, holder), stored).await;
    }
    connections::release_refresh_lease(&context.db, account.connection, holder).await?;
    Ok(usable?)
}

async fn stored_tokens(context: &Context, account: ConnectionAccount) -> Result<StoredTokens, JobError> {
    Ok(connections::tokens(&context.db, &context.ring, account.business, account.connection).await?)
}

/// `None`: it must be refreshed. `GrantDead`: somebody has found out already that this is of no use.
fn usable(
    stored: &StoredTokens,
    refused: Option<&SecretString>,
    now: DateTime<Utc>,
) -> Result<Option<SecretString>, ProviderError> {
    if stored.state == ConnectionState::NeedsReconnect {
        return Err(ProviderError::GrantDead("it needs to be reconnected".into()));
    }
    let Some(token) = &stored.access else { return Ok(None) };
    let was_refused = refused.is_some_and(|refused| refused.expose_secret() == token.expose_secret());
    let holds = stored.access_expires_at.is_none_or(|end| end - EXPIRY_MARGIN > now);
    Ok((holds && !was_refused).then(|| token.clone()))
}

/// `None`: what was refreshed is no longer the connection's grant.
async fn refresh(
    context: &Context,
    (account, holder): (ConnectionAccount, &str),
    stored: StoredTokens,
) -> Result<Option<SecretString>, JobError> {
    let began = context.clock.now();
    let result = match (context.providers.oauth(account.provider), &stored.refresh) {
        (Some(oauth), Some(token)) => oauth.refresh(token).await,
        (None, _) => Err(ProviderError::Rejected(format!(
            "{} is not set up on this installation",
            account.provider.name()
        ))),
        (_, None) => Err(ProviderError::GrantDead("there is no refresh token".into())),
    };
    match result {
        Ok(grant) => {
            let tokens = tokens_from_response(grant, context.clock.now());
            let mut tx = context.db.begin().await?;
            let id = account.connection;
            let is_kept =
                connections::store_tokens(&mut tx, &context.ring, (id, holder), &stored, &tokens).await?;
            tx.commit().await?;
            Ok(is_kept.then_some(tokens.access))
        }
        Err(error) => {
            connections::release_refresh_lease(&context.db, account.connection, holder).await?;
            // Where tokens are given out, the limits are the account's too.
            let error = with_wait(context, account, began, error).await;
            if let ProviderError::GrantDead(reason) = &error
                && !mark_grant_invalid(context, account, &stored, reason).await?
                && stored_tokens(context, account).await?.state == ConnectionState::Active
            {
                let words = "the account was just reconnected";
                return Err(ProviderError::Transient(words.into()).into());
            }
            Err(error.into())
        }
    }
}

/// What is stored of a grant. Providers that do not say how long a token holds mean an hour or more.
pub fn tokens_from_response(grant: OAuthTokens, now: DateTime<Utc>) -> ConnectionTokens {
    let holds = grant.expires_in.and_then(|holds| Duration::from_std(holds).ok());
    ConnectionTokens {
        access: grant.access_token,
        access_expires_at: now + holds.unwrap_or_else(|| Duration::minutes(55)),
        refresh: grant.refresh_token,
    }
}

/// Nothing more is tried until the person connects again. Written down once, however many jobs find out, and not at all
/// if what was `refused` is no longer what is stored.
async fn mark_grant_invalid(
    context: &Context,
    account: ConnectionAccount,
    refused: &StoredTokens,
    reason: &str,
) -> Result<bool, JobError> {
    let now = context.clock.now();
    let mut tx = context.db.begin().await?;
    let words = format!("{} ended the connection; it needs to be reconnected", account.provider.name());
    let whose = (account.business, account.connection);
    let changed = connections::grant_died(&mut tx, whose, refused, &words, now).await?;
    if changed {
        tracing::warn!(connection = %account.connection, reason, "a grant is dead");
        let line = account.log_entry(("refresh", SyncOutcome::Failed), &words, now);
        sync_log::append(&mut tx, &line).await?;
        let line = history::NewHistoryEntry {
            business: account.business,
            actor: &Actor::System,
            action: "needs_reconnect",
            subject_kind: HistorySubject::Connection,
            subject: account.connection.0,
            detail: &json!({}),
        };
        history::append(&mut tx, &line, now).await?;
    }
    let enqueued =
        if changed { notify::needs_reconnect(&mut tx, context, account).await? } else { Vec::new() };
    context.commit(tx, &enqueued).await?;
    Ok(changed)
}
