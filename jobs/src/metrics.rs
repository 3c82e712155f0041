//! What the jobs of this process have done since it began, as counters for `/metrics`.

use concord_domain::{connection::ProviderKind, job::JobKind, mail::MailKind};
use concord_providers::ProviderError;
use concord_storage::jobs::JobOutcome;
use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use crate::mail::incoming::ReplyOutcome;

/// The counters; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    runs: Family<Labels, Counter>,
    calls: Family<Labels, Counter>,
    mails: Family<Labels, Counter>,
    replies: Family<[(&'static str, &'static str); 1], Counter>,
}

/// Two labels; every value is the word of an enum, so there is an end of them.
type Labels = [(&'static str, &'static str); 2];

impl Metrics {
    /// Adds them to what a scrape answers with.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Jobs that this process has run, by kind and outcome";
        registry.register("job_runs", help, self.runs.clone());
        let help = "Calls of providers by this process's jobs, by provider and outcome";
        registry.register("provider_calls", help, self.calls.clone());
        let help = "Mails that this process has handed to the mail server, by kind and outcome";
        registry.register("mails", help, self.mails.clone());
        let help = "Mails that this process has read from the mailbox for answers, by outcome";
        registry.register("replies", help, self.replies.clone());
    }

    pub(crate) fn count_run(&self, kind: JobKind, outcome: &JobOutcome) {
        self.runs.get_or_create(&[("kind", kind.into()), ("outcome", outcome.into())]).inc();
    }

    pub(crate) fn count_call<T>(&self, provider: ProviderKind, result: &Result<T, ProviderError>) {
        let outcome = result.as_ref().err().map_or("done", Into::into);
        self.calls.get_or_create(&[("provider", provider.into()), ("outcome", outcome)]).inc();
    }

    pub(crate) fn count_mail(&self, kind: MailKind, is_sent: bool) {
        let outcome = if is_sent { "sent" } else { "failed" };
        self.mails.get_or_create(&[("kind", kind.into()), ("outcome", outcome)]).inc();
    }

    pub(crate) fn count_reply(&self, outcome: ReplyOutcome) {
        self.replies.get_or_create(&[("outcome", outcome.into())]).inc();
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn counters_are_labelled_with_words() {
        let metrics = Metrics::default();
        metrics.count_run(JobKind::SendMail, &JobOutcome::Done);
        metrics.count_run(JobKind::SendMail, &JobOutcome::Done);
        metrics.count_call::<()>(ProviderKind::Google, &Ok(()));
        metrics
            .count_call::<()>(ProviderKind::Caldav, &Err(ProviderError::RateLimited { retry_after: None }));
        metrics.count_mail(MailKind::Digest, false);
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "job_runs_total{kind=\"send_mail\",outcome=\"done\"} 2\n",
            "provider_calls_total{provider=\"google\",outcome=\"done\"} 1\n",
            "provider_calls_total{provider=\"caldav\",outcome=\"rate_limited\"} 1\n",
            "mails_total{kind=\"digest\",outcome=\"failed\"} 1\n",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
