//! The quotas: requests a minute, a person and a project, in sliding windows.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};

use super::errors::GoogleApiError;

/// How many requests a minute are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GoogleQuotaLimits {
    pub(crate) per_user_per_minute: usize,
    pub(crate) per_project_per_minute: usize,
}

impl Default for GoogleQuotaLimits {
    fn default() -> Self {
        Self { per_user_per_minute: 600, per_project_per_minute: 10_000 }
    }
}

/// The requests of the last minute.
#[derive(Debug, Default)]
pub(crate) struct GoogleQuota {
    limits: GoogleQuotaLimits,
    of_users: HashMap<(String, String), Vec<DateTime<Utc>>>,
    of_projects: HashMap<String, Vec<DateTime<Utc>>>,
}

impl GoogleQuota {
    /// Counts a request of `project` (the OAuth client) for `user`.
    ///
    /// # Errors
    /// 403 with the reason of the quota that is used up. A refused request does not count.
    pub(crate) fn spend(
        &mut self,
        project: &str,
        user: &str,
        now: DateTime<Utc>,
    ) -> Result<(), GoogleApiError> {
        let of_user = self.of_users.entry((project.into(), user.into())).or_default();
        let of_project = self.of_projects.entry(project.into()).or_default();
        for window in [&mut *of_user, &mut *of_project] {
            window.retain(|at| now - *at < Duration::minutes(1));
        }
        if of_user.len() >= self.limits.per_user_per_minute {
            return Err(GoogleApiError::user_rate_limit());
        }
        if of_project.len() >= self.limits.per_project_per_minute {
            return Err(GoogleApiError::project_rate_limit());
        }
        of_user.push(now);
        of_project.push(now);
        Ok(())
    }

    pub(crate) fn limits(&self) -> GoogleQuotaLimits {
        self.limits
    }

    /// Sets the limits and forgets what was spent.
    pub(crate) fn set(&mut self, limits: GoogleQuotaLimits) {
        *self = Self { limits, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides() {
        let mut quota = GoogleQuota::default();
        quota.set(GoogleQuotaLimits { per_user_per_minute: 2, per_project_per_minute: 3 });
        let start: DateTime<Utc> = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut spend = |user: &str, second: i64| {
            quota.spend("app", user, start + Duration::seconds(second)).map_err(|error| error.reason)
        };
        assert_eq!(spend("ana", 0), Ok(()));
        assert_eq!(spend("ana", 30), Ok(()));
        assert_eq!(spend("ana", 59), Err("userRateLimitExceeded"));
        assert_eq!(spend("ana", 60), Ok(()));
        assert_eq!(spend("ben", 60), Ok(()));
        assert_eq!(spend("ben", 61), Err("rateLimitExceeded"));
    }
}
