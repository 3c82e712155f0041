//! What is stored of a provider, and how each line of the journal changes it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::entry::{EntryHistoryItem, StoredEntry};
use super::watch::{EntryChangeKind, EntryChanged, WatchChannel};

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredAccount {
    pub(crate) email: String,
    pub(crate) name: String,
    /// The account's id that never changes.
    pub(crate) sub: String,
    pub(crate) zone: Tz,
}

/// A calendar without its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CalendarRecord {
    pub(crate) id: String,
    pub(crate) summary: String,
    pub(crate) zone: Tz,
    /// The account it belongs to; the provider's own host for those that nobody owns.
    pub(crate) owner: String,
    pub(crate) seq: u64,
}

/// What an account may do in a calendar of its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CalendarAccessRole {
    FreeBusyReader,
    Reader,
    Writer,
    Owner,
}

/// That a calendar stands in an account's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CalendarListItem {
    pub(crate) account: String,
    pub(crate) calendar: String,
    pub(crate) role: CalendarAccessRole,
    pub(crate) primary: bool,
    /// Whether the person has taken it out of the list that they see.
    #[serde(default)]
    pub(crate) hidden: bool,
    pub(crate) seq: u64,
}

/// An authorisation code on its way from the consent page to the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AuthorizationCodeRecord {
    pub(crate) text: String,
    pub(crate) account: String,
    pub(crate) client: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    pub(crate) challenge: Option<PkceChallenge>,
    pub(crate) offline: bool,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) used: bool,
}

/// What PKCE binds a code to, by SHA-256 (RFC 7636).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PkceChallenge {
    pub(crate) value: String,
}

impl PkceChallenge {
    /// Whether `verifier` is what was challenged.
    pub(crate) fn is_met_by(&self, verifier: &str) -> bool {
        URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == self.value
    }
}

/// A person's consent to an application, from one pass through the consent page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GrantRecord {
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) client: String,
    pub(crate) scope: String,
    pub(crate) refresh_token: Option<String>,
    /// Refresh tokens that were replaced and still work for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) replaced: Vec<RotatedToken>,
    pub(crate) created: DateTime<Utc>,
    /// When the refresh token was given or last used.
    pub(crate) used: Option<DateTime<Utc>>,
    pub(crate) ended: bool,
}

/// A refresh token that another one has taken the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RotatedToken {
    pub(crate) token: String,
    pub(crate) until: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessTokenRecord {
    pub(crate) token: String,
    pub(crate) grant: String,
    pub(crate) expires_at: DateTime<Utc>,
}

/// One line of the journal: something as it is from now on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum StoreRecord {
    Account {
        account: StoredAccount,
    },
    Calendar {
        calendar: CalendarRecord,
    },
    Subscription {
        subscription: CalendarListItem,
    },
    Code {
        code: AuthorizationCodeRecord,
    },
    Grant {
        grant: GrantRecord,
    },
    AccessToken {
        token: AccessTokenRecord,
    },
    /// A watch was opened or changed.
    Channel {
        channel: WatchChannel,
    },
    /// A watch was ended.
    ChannelClosed {
        id: String,
    },
    /// Its owner has deleted it, with all that stood in it.
    CalendarDeleted {
        id: String,
    },
    /// It has another id from now on.
    CalendarRenumbered {
        from: String,
        to: String,
    },
    /// An entry was written: its new state and the line of history that this adds.
    Written {
        calendar: String,
        entry: Box<StoredEntry>,
        change: EntryHistoryItem,
    },
    /// An entry with all its history, from a rewriting of the journal.
    Kept {
        calendar: String,
        entry: Box<StoredEntry>,
        history: Vec<EntryHistoryItem>,
    },
    /// How far the numbers of writes had come.
    Sequence {
        seq: u64,
    },
}

/// A calendar with its entries and the ways to find them.
#[derive(Debug)]
pub(crate) struct StoredCalendar {
    pub(crate) info: CalendarRecord,
    pub(crate) entries: HashMap<String, StoredEntry>,
    /// Entries by the number of their last write: the order of lists and of incremental reads.
    pub(crate) by_seq: BTreeMap<u64, String>,
    /// Ids of the entries that stand in place of an occurrence, by the recurring entry.
    pub(crate) exceptions: HashMap<String, BTreeSet<String>>,
}

impl StoredCalendar {
    fn put(&mut self, mut entry: StoredEntry) -> Result<(), String> {
        entry.series = match entry.recurrence.as_slice() {
            [] => None,
            lines => Some(crate::recurrence::RecurrenceSet::parse(
                lines,
                entry.start.zone.unwrap_or(self.info.zone),
            )?),
        };
        if let Some(old) = self.entries.get(&entry.id) {
            self.by_seq.remove(&old.seq);
        }
        if let Some(occurrence) = &entry.occurrence_of {
            self.exceptions.entry(occurrence.master.clone()).or_default().insert(entry.id.clone());
        }
        self.by_seq.insert(entry.seq, entry.id.clone());
        self.entries.insert(entry.id.clone(), entry);
        Ok(())
    }

    /// The number of the last write to any entry.
    pub(crate) fn last_seq(&self) -> u64 {
        self.by_seq.last_key_value().map_or(self.info.seq, |(seq, _)| *seq)
    }
}

/// Everything that is stored of a provider.
#[derive(Debug, Default)]
pub(crate) struct StoreState {
    pub(crate) accounts: BTreeMap<String, StoredAccount>,
    pub(crate) calendars: BTreeMap<String, StoredCalendar>,
    /// By account and calendar.
    pub(crate) subscriptions: BTreeMap<(String, String), CalendarListItem>,
    pub(crate) codes: HashMap<String, AuthorizationCodeRecord>,
    pub(crate) grants: BTreeMap<String, GrantRecord>,
    pub(crate) access_tokens: HashMap<String, AccessTokenRecord>,
    pub(crate) grant_of_refresh_token: HashMap<String, String>,
    pub(crate) channels: BTreeMap<String, WatchChannel>,
    /// The number of the last write.
    pub(crate) seq: u64,
}

impl StoreState {
    /// What `record` will change of the entries.
    pub(super) fn change_of(&self, record: &StoreRecord) -> Option<EntryChanged> {
        let StoreRecord::Written { calendar, entry, .. } = record else { return None };
        let before = self.calendars.get(calendar)?.entries.get(&entry.id);
        let kind = match before {
            // Out of the deleted ones: nobody saw it there.
            Some(before) if before.cancelled() && entry.cancelled() => return None,
            _ if entry.cancelled() => EntryChangeKind::Deleted,
            Some(before) if !before.cancelled() => EntryChangeKind::Updated,
            // A changed occurrence was there before as a part of its series.
            None if entry.occurrence_of.is_some() => EntryChangeKind::Updated,
            _ => EntryChangeKind::Created,
        };
        Some(EntryChanged { calendar: calendar.clone(), entry: entry.id.clone(), kind, seq: entry.seq })
    }

    /// Makes `record` so. The reason if it does not fit what is there.
    pub(crate) fn apply(&mut self, record: StoreRecord) -> Result<(), String> {
        match record {
            StoreRecord::Account { account } => {
                self.accounts.insert(account.email.clone(), account);
            }
            StoreRecord::Calendar { calendar: info } => {
                self.seq = self.seq.max(info.seq);
                let (entries, by_seq, exceptions) = Default::default();
                self.calendars
                    .entry(info.id.clone())
                    .and_modify(|calendar| calendar.info = info.clone())
                    .or_insert(StoredCalendar { info, entries, by_seq, exceptions });
            }
            StoreRecord::CalendarDeleted { id } => {
                self.calendars.remove(&id);
                self.subscriptions.retain(|(_, calendar), _| *calendar != id);
                self.channels.retain(|_, channel| channel.calendar != id);
            }
            StoreRecord::CalendarRenumbered { from, to } => {
                let mut calendar =
                    self.calendars.remove(&from).ok_or_else(|| format!("there is no calendar {from}"))?;
                calendar.info.id.clone_from(&to);
                self.calendars.insert(to.clone(), calendar);
                let subscriptions = std::mem::take(&mut self.subscriptions).into_values();
                self.subscriptions = subscriptions
                    .map(|mut one| {
                        if one.calendar == from {
                            one.calendar.clone_from(&to);
                        }
                        ((one.account.clone(), one.calendar.clone()), one)
                    })
                    .collect();
                self.channels.retain(|_, channel| channel.calendar != from);
            }
            StoreRecord::Channel { channel } => {
                self.channels.insert(channel.id.clone(), channel);
            }
            StoreRecord::ChannelClosed { id } => {
                self.channels.remove(&id);
            }
            StoreRecord::Subscription { subscription } => {
                self.seq = self.seq.max(subscription.seq);
                let key = (subscription.account.clone(), subscription.calendar.clone());
                self.subscriptions.insert(key, subscription);
            }
            StoreRecord::Code { code } => {
                self.codes.insert(code.text.clone(), code);
            }
            StoreRecord::Grant { grant } => {
                let replaced = grant.replaced.iter().map(|one| &one.token);
                for token in grant.refresh_token.iter().chain(replaced) {
                    self.grant_of_refresh_token.insert(token.clone(), grant.id.clone());
                }
                self.grants.insert(grant.id.clone(), grant);
            }
            StoreRecord::AccessToken { token } => {
                self.access_tokens.insert(token.token.clone(), token);
            }
            StoreRecord::Written { calendar, mut entry, change } => {
                if let Some(old) = self.calendar_mut(&calendar)?.entries.get_mut(&entry.id) {
                    entry.history = std::mem::take(&mut old.history);
                }
                entry.history.push(change);
                self.put(*entry, &calendar)?;
            }
            StoreRecord::Kept { calendar, mut entry, history } => {
                entry.history = history;
                self.put(*entry, &calendar)?;
            }
            StoreRecord::Sequence { seq } => self.seq = self.seq.max(seq),
        }
        Ok(())
    }

    fn put(&mut self, entry: StoredEntry, calendar: &str) -> Result<(), String> {
        self.seq = self.seq.max(entry.seq);
        self.calendar_mut(calendar)?.put(entry)
    }

    fn calendar_mut(&mut self, id: &str) -> Result<&mut StoredCalendar, String> {
        self.calendars.get_mut(id).ok_or_else(|| format!("there is no calendar {id}"))
    }

    /// Everything that still matters at `now`, as few records as possible.
    pub(crate) fn records(&self, now: DateTime<Utc>) -> Vec<StoreRecord> {
        let mut records = vec![StoreRecord::Sequence { seq: self.seq }];
        records.extend(self.accounts.values().cloned().map(|account| StoreRecord::Account { account }));
        records
            .extend(self.calendars.values().map(|one| StoreRecord::Calendar { calendar: one.info.clone() }));
        records.extend(
            self.subscriptions
                .values()
                .cloned()
                .map(|subscription| StoreRecord::Subscription { subscription }),
        );
        let codes = self.codes.values().filter(|code| code.expires_at > now);
        records.extend(codes.cloned().map(|code| StoreRecord::Code { code }));
        records.extend(self.grants.values().cloned().map(|grant| StoreRecord::Grant { grant }));
        let tokens = self.access_tokens.values().filter(|token| token.expires_at > now);
        records.extend(tokens.cloned().map(|token| StoreRecord::AccessToken { token }));
        let channels = self.channels.values().filter(|channel| channel.expires_at > now);
        records.extend(channels.cloned().map(|channel| StoreRecord::Channel { channel }));
        for calendar in self.calendars.values() {
            let entries = calendar.by_seq.values().filter_map(|id| calendar.entries.get(id));
            records.extend(entries.map(|entry| StoreRecord::Kept {
                calendar: calendar.info.id.clone(),
                entry: Box::new(entry.clone()),
                history: entry.history.clone(),
            }));
        }
        records
    }
}
