//! What all jobs have in common: what they are given, the lease under which they work, and what follows from how they end.
//!
//! It must never know a handler: `dispatch` does, and hands in how other jobs are run while a long one gives way.

mod account;
mod backoff;
mod context;
mod end;
mod error;
mod finish;
mod keys;
mod lease;
mod outcome;
mod share;
mod subject;

pub use self::{
    account::ConnectionAccount,
    context::{CallLimits, Context, Handlers, MailReceiver, ProviderLimits, SyncSettings},
    error::JobError,
    keys::KeyRegistry,
};
pub(crate) use self::{
    backoff::{jitter, jitter_of, jittered_part, refusal_backoff},
    end::{AfterJob, EndedRun, RunEnd, RunFuture},
    finish::finish_in,
    lease::{JobLease, commit_held, commit_slice, keep, new_lease, renew_lease_for},
    outcome::{is_repeat, outcome_of, require_business, retry_or_fail},
    share::{kept_back, share_of},
    subject::{find_calendar, find_connection},
};
