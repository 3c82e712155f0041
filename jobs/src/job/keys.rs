//! Which keys this process is at work for.
//!
//! Only an accelerator: that one job of a key is done at a time is the database's doing. But whoever is woken for a key that
//! is at work here leaves without asking it, and whoever is at work looks once more before they go.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Duration, Utc};
use concord_domain::ids::{ConnectionId, JobId, JobKey};
use concord_providers::ProviderCredentials;
use concord_storage::connections::CalendarServer;
use uuid::Uuid;

use super::ConnectionAccount;

/// Credentials that were read so long ago are read again. An access token holds for longer when it is read
/// (`accounts::access::EXPIRY_MARGIN`).
const CREDENTIALS_TTL: Duration = Duration::seconds(60);
/// For so long a wait is believed without being looked up.
const WAIT_TTL: Duration = Duration::seconds(1);
/// Failures further apart are not in a row.
const FAILURE_WINDOW: Duration = Duration::minutes(2);
/// How often the waits of all keys of a server end with one answer at most; each time within `FAILURE_WINDOW` the pause doubles
/// up to the longest, for a server that answers every other call is not back.
const MIN_PAUSE: Duration = Duration::seconds(1);
const MAX_PAUSE: Duration = Duration::seconds(60);
/// How often it is written down when a connection was last synced.
const SYNC_RECORD_INTERVAL: Duration = Duration::seconds(5);

/// The keys of one process; clones share them.
#[derive(Clone, Debug)]
pub struct KeyRegistry {
    state: Arc<Mutex<KeyState>>,
    process: Arc<str>,
}

#[derive(Debug, Default)]
struct KeyState {
    at_work: HashMap<JobKey, ActiveKey>,
    credentials: HashMap<ConnectionId, CachedCredentials>,
    failures: HashMap<JobKey, KeyFailures>,
    /// Keys of which nothing can be done before that.
    waits: HashMap<JobKey, CachedWait>,
    /// When the last sync of a connection was written down by this process.
    recorded_syncs: HashMap<JobKey, DateTime<Utc>>,
    /// Servers of which this process has ended the waits of all keys.
    recoveries: HashMap<CalendarServer, ServerRecovery>,
    /// Those whose provider refuses, and of which a call of this process tries whether it still does.
    trials: HashSet<ConnectionId>,
}

#[derive(Debug, Default)]
struct ActiveKey {
    /// Whether somebody came for the key since whoever is at work last looked for more.
    is_woken: bool,
    /// Whose calendars were written, if that is not noted yet.
    synced: Option<ConnectionAccount>,
}

/// That a key waits, as it was last read.
#[derive(Debug)]
struct CachedWait {
    until: DateTime<Utc>,
    /// Whether somebody came for the key meanwhile.
    has_turned_away: bool,
}

/// What failed since the provider last answered, in a way that may pass.
#[derive(Debug)]
struct KeyFailures {
    last: DateTime<Utc>,
    in_a_row: i64,
    /// The first two jobs.
    jobs: Vec<JobId>,
}

/// When a server was found to answer again and the waits of all of its keys ended, and for how long they are not again.
#[derive(Clone, Copy, Debug)]
struct ServerRecovery {
    at: DateTime<Utc>,
    pause: Duration,
}

impl KeyFailures {
    /// Those of one job may be its own fault.
    fn is_outage(&self) -> bool {
        self.jobs.len() > 1
    }
}

/// Credentials that were read a moment ago.
struct CachedCredentials {
    grant_number: i64,
    until: DateTime<Utc>,
    credentials: ProviderCredentials,
}

impl fmt::Debug for CachedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedCredentials").field("until", &self.until).finish_non_exhaustive()
    }
}

impl Default for KeyRegistry {
    fn default() -> Self {
        let process = format!("process-{}", Uuid::new_v4().simple()).into();
        Self { state: Arc::default(), process }
    }
}

/// This process is at work for a key until this is dropped.
#[derive(Debug)]
pub(crate) struct ActiveKeyGuard {
    keys: KeyRegistry,
    key: JobKey,
    is_over: bool,
}

impl KeyRegistry {
    /// Nothing here can be left half done by a panic.
    fn state(&self) -> MutexGuard<'_, KeyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to work for a key. `None`: this process is at work for it, and whoever is will look again.
    pub(crate) fn begin(&self, key: JobKey) -> Option<ActiveKeyGuard> {
        let mut state = self.state();
        if let Some(work) = state.at_work.get_mut(&key) {
            work.is_woken = true;
            return None;
        }
        state.at_work.insert(key, ActiveKey::default());
        Some(ActiveKeyGuard { keys: self.clone(), key, is_over: false })
    }

    /// Notes that a job has synced something, which whoever is at work for its key makes known when they end.
    /// `false`: nobody is.
    pub(crate) fn note_synced(&self, account: ConnectionAccount) -> bool {
        let mut state = self.state();
        let work = state.at_work.get_mut(&account.connection.into());
        work.map(|work| work.synced = Some(account)).is_some()
    }

    /// The credentials of that grant, if they were read a moment ago.
    pub(crate) fn credentials(
        &self,
        connection: ConnectionId,
        grant_number: i64,
        now: DateTime<Utc>,
    ) -> Option<ProviderCredentials> {
        let state = self.state();
        let cached = state.credentials.get(&connection)?;
        (cached.grant_number == grant_number && cached.until > now).then(|| cached.credentials.clone())
    }

    /// Keeps credentials of a grant for a moment.
    pub(crate) fn cache_credentials(
        &self,
        connection: ConnectionId,
        (grant_number, credentials): (i64, ProviderCredentials),
        now: DateTime<Utc>,
    ) {
        let until = now + CREDENTIALS_TTL;
        let mut state = self.state();
        state.credentials.retain(|_, cached| cached.until > now);
        state.credentials.insert(connection, CachedCredentials { grant_number, until, credentials });
    }

    pub(crate) fn evict_credentials(&self, connection: ConnectionId) {
        self.state().credentials.remove(&connection);
    }

    /// All jobs of the key wait until then: whoever is woken for one of them meanwhile need not ask.
    pub(crate) fn cache_wait(&self, key: JobKey, until: DateTime<Utc>, now: DateTime<Utc>) {
        let mut state = self.state();
        state.waits.retain(|_, wait| wait.until > now);
        // Another process may find out sooner that it is over.
        let until = until.min(now + WAIT_TTL);
        state.waits.insert(key, CachedWait { until, has_turned_away: false });
    }

    /// Until when the key is believed to wait, and whether nobody has asked before; `None`: it is not.
    pub(crate) fn cached_wait(&self, key: JobKey, now: DateTime<Utc>) -> Option<(DateTime<Utc>, bool)> {
        let mut state = self.state();
        // One that is further off was noted by a clock that has been put right since.
        let is_believed = |wait: &&mut CachedWait| wait.until > now && wait.until - now <= WAIT_TTL;
        let wait = state.waits.get_mut(&key).filter(is_believed)?;
        Some((wait.until, !std::mem::replace(&mut wait.has_turned_away, true)))
    }

    /// The key does not wait any longer.
    pub(crate) fn end_wait(&self, key: JobKey) {
        self.state().waits.remove(&key);
    }

    /// Whether the last sync of a connection is to be written down now: nobody reads it to the second.
    pub(crate) fn should_record_sync(&self, key: JobKey, now: DateTime<Utc>) -> bool {
        let recorded = &mut self.state().recorded_syncs;
        if recorded.get(&key).is_some_and(|at| *at <= now && now - *at < SYNC_RECORD_INTERVAL) {
            return false;
        }
        recorded.retain(|_, at| now - *at < SYNC_RECORD_INTERVAL);
        recorded.insert(key, now);
        true
    }

    /// A call for a job of the key brought no answer, or one that may pass. One whose tries are used up (`is_worn`) fails
    /// whether its provider is there or not: it says that an outage goes on, not that one begins.
    pub(crate) fn note_failure(&self, key: JobKey, (job, is_worn): (JobId, bool), now: DateTime<Utc>) {
        let failures = &mut self.state().failures;
        // What is so long ago may have been followed by answers that another process was given.
        failures.retain(|_, failures| now - failures.last < FAILURE_WINDOW);
        if is_worn && !failures.get(&key).is_some_and(KeyFailures::is_outage) {
            return;
        }
        let none = || KeyFailures { last: now, in_a_row: 0, jobs: Vec::new() };
        let failures = failures.entry(key).or_insert_with(none);
        failures.in_a_row += 1;
        failures.last = now;
        if failures.jobs.len() < 2 && !failures.jobs.contains(&job) {
            failures.jobs.push(job);
        }
    }

    /// The provider answers calls for the connection. Whether it was taken to be away.
    pub(crate) fn note_answer(&self, connection: ConnectionId) -> bool {
        let failures = self.state().failures.remove(&connection.into());
        failures.is_some_and(|failures| failures.is_outage())
    }

    /// How many calls for the key failed in a row, if they were of more than one job: then it is not the job's own fault.
    pub(crate) fn failures(&self, key: JobKey, now: DateTime<Utc>) -> Option<i64> {
        let state = self.state();
        let failures = state.failures.get(&key)?;
        let is_recent = now - failures.last < FAILURE_WINDOW;
        (is_recent && failures.is_outage()).then(|| failures.in_a_row - 1)
    }

    /// Whether the waits of all keys of a server end now, as it answers: where it answers every other call, they would all be
    /// tried without a pause.
    pub(crate) fn may_end_outages(&self, server: &CalendarServer, now: DateTime<Utc>) -> bool {
        let ended = &mut self.state().recoveries;
        // One that is further off was noted by a clock that has been put right since.
        ended.retain(|_, ended| ended.at <= now && now - ended.at < FAILURE_WINDOW);
        let pause = match ended.get(server) {
            Some(ServerRecovery { at, pause }) if now - *at < *pause => return false,
            Some(ServerRecovery { pause, .. }) => (*pause * 2).min(MAX_PAUSE),
            None => MIN_PAUSE,
        };
        ended.insert(server.clone(), ServerRecovery { at: now, pause });
        true
    }

    /// What the leases begin with that this process takes for itself and not for a job.
    pub(crate) fn process(&self) -> &str {
        &self.process
    }

    /// The next answer to a call for the connection tells whether its provider still refuses.
    pub(crate) fn begin_trial(&self, connection: ConnectionId) {
        self.state().trials.insert(connection);
    }

    /// `true` for the first answer after a trial has begun.
    pub(crate) fn end_trial(&self, connection: ConnectionId) -> bool {
        self.state().trials.remove(&connection)
    }
}

impl ActiveKeyGuard {
    /// Whether somebody came for the key since this was last asked.
    pub(crate) fn was_woken(&self) -> bool {
        self.keys.state().at_work.get_mut(&self.key).is_some_and(|work| std::mem::take(&mut work.is_woken))
    }

    /// Whose calendars a job of the key has written since this was last asked.
    pub(crate) fn synced(&self) -> Option<ConnectionAccount> {
        self.keys.state().at_work.get_mut(&self.key)?.synced.take()
    }

    /// Ends the work, unless somebody has come for the key since it was last looked for more.
    pub(crate) fn end(mut self) -> Result<(), Self> {
        let keys = self.keys.clone();
        let mut state = keys.state();
        if state.at_work.get(&self.key).is_some_and(|work| work.is_woken) {
            drop(state);
            return Err(self);
        }
        state.at_work.remove(&self.key);
        drop(state);
        self.is_over = true;
        Ok(())
    }
}

impl Drop for ActiveKeyGuard {
    fn drop(&mut self) {
        // When it is over, somebody else may have begun.
        if !self.is_over {
            self.keys.state().at_work.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use concord_domain::connection::ProviderKind;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::seconds(seconds)
    }

    #[test]
    fn permanent_failure_prolongs_outage_but_begins_none() {
        let (keys, key) = (KeyRegistry::default(), JobKey(Uuid::new_v4()));
        let [one, other] = [JobId(Uuid::new_v4()), JobId(Uuid::new_v4())];
        keys.note_failure(key, (one, true), at(0));
        keys.note_failure(key, (other, true), at(1));
        assert_eq!(keys.failures(key, at(1)), None);
        keys.note_failure(key, (one, false), at(2));
        assert_eq!(keys.failures(key, at(2)), None, "it may be its own fault");
        keys.note_failure(key, (other, true), at(3));
        assert_eq!(keys.failures(key, at(3)), None);
        keys.note_failure(key, (other, false), at(4));
        assert_eq!(keys.failures(key, at(4)), Some(1));
        for minute in 1..60 {
            keys.note_failure(key, (one, true), at(minute * 60));
            assert_eq!(keys.failures(key, at(minute * 60)), Some(1 + minute));
        }
        assert_eq!(keys.failures(key, at(70 * 60)), None, "that is long ago");
        assert!(keys.note_answer(ConnectionId(key.0)));
        assert_eq!(keys.failures(key, at(4)), None);
    }

    #[test]
    fn flapping_server_ends_waits_with_growing_pauses() {
        let keys = KeyRegistry::default();
        let caldav = |origin: &str| CalendarServer { provider: ProviderKind::Caldav, origin: origin.into() };
        let ends = |seconds| keys.may_end_outages(&caldav("https://one.example/"), at(seconds));
        let ended: Vec<_> = (0..240).filter(|seconds| ends(*seconds)).collect();
        assert_eq!(ended, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
        assert!(keys.may_end_outages(&caldav("https://other.example/"), at(240)), "another server");
        assert!(ends(400) && !ends(400), "it was well for a while");
        assert!(ends(10), "the clock was put right");
    }
}
