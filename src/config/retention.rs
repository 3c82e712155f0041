//! `[retention]`: how long records are kept.

use std::time::Duration;

use serde::Deserialize;

use super::{check::SectionFaults, units};

/// How long records are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionConfig {
    /// The log of what was synced.
    #[serde(rename = "sync_log_days", deserialize_with = "units::days")]
    pub sync_log: Duration,
    /// Mails that were sent or have failed, and notices that are over.
    #[serde(rename = "mails_days", deserialize_with = "units::days")]
    pub mails: Duration,
    /// Who changed what, and what people did in their calendars.
    #[serde(rename = "history_days", deserialize_with = "units::days")]
    pub history: Duration,
    /// Customers' data, from the end of a person's last booking on; `None`: for ever.
    #[serde(rename = "customers_days", deserialize_with = "units::days_or_never")]
    pub customers: Option<Duration>,
}

impl RetentionConfig {
    pub(super) fn validate(&self, check: &mut SectionFaults) {
        check.check_range("sync_log_days", self.sync_log.as_secs() / 86_400, 1..=3_660);
        check.check_range("mails_days", self.mails.as_secs() / 86_400, 1..=3_660);
        check.check_range("history_days", self.history.as_secs() / 86_400, 30..=36_600);
        if let Some(customers) = self.customers {
            check.check_range("customers_days", customers.as_secs() / 86_400, 30..=36_600);
            // When customers are erased, records that name them beside their bookings, such as mails to staff and lines of the
            // history, are gone.
            let records = [
                ("mails_days", self.mails),
                ("sync_log_days", self.sync_log),
                ("history_days", self.history),
            ];
            for (key, kept) in records {
                if customers < kept {
                    let days = kept.as_secs() / 86_400;
                    check.add("customers_days", format!("must be at least {key}, which is {days}, or 0"));
                }
            }
        }
    }
}
