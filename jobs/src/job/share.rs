//! How much of a limit batches leave to what people wait for.

use concord_domain::job::QueueClass;
use concord_storage::limits::BucketRate;

/// More than this nobody does at once by hand; after a pause that the other side asked for, batches begin later by as long as it
/// takes to do it.
const MAX_RESERVED: u32 = 50;

/// How many of a burst are kept back.
pub(crate) fn kept_back(burst: u32) -> u32 {
    (burst / 4).min(MAX_RESERVED)
}

/// How much of a bucket a class may use up; at least one call.
pub(crate) fn share_of(rate: BucketRate, class: QueueClass) -> BucketRate {
    match class {
        QueueClass::Interactive => rate,
        QueueClass::Bulk | QueueClass::Poll => {
            BucketRate { burst: rate.burst - kept_back(rate.burst), ..rate }
        }
    }
}
