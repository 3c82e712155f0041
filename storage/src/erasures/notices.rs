//! Taking the names out of what people are told of a booking. A notice keeps the headline that names nobody; of a mail that has
//! left stays when, and one that has not is written anew.

use chrono::{DateTime, Utc};
use concord_domain::ids::{BookingId, BusinessId, MailId, NoticeId};

use super::{scrub::SCRUB_MAIL, sweep::WITHDRAW};
use crate::{Result, Tx, notifications};

const NAMED: &str = "
    SELECT id FROM notices WHERE subject_id = $1 AND named_headline IS NOT NULL ORDER BY created_at, id";
const LOCK_NAMED: &str = "
    SELECT id FROM notices WHERE subject_id = $1 AND named_headline IS NOT NULL ORDER BY created_at, id
    FOR NO KEY UPDATE";
const FORGET_NAME: &str = "UPDATE notices SET named_headline = NULL WHERE id = $1";
const MAILS: &str = "
    SELECT m.id, m.business_id, m.dedupe_key FROM notice_deliveries d
    JOIN mails m ON m.business_id = d.business_id AND m.dedupe_key = d.mail_key
    WHERE d.notice_id = $1 ORDER BY m.id";

/// Whoever writes a mail with such a name holds the notice: either the mail is found here, or the name is not found there.
pub async fn scrub_notices(tx: &mut Tx, booking: BookingId, now: DateTime<Utc>) -> Result<()> {
    let named: Vec<NoticeId> = scalars!(tx, either(NAMED, LOCK_NAMED), booking.0)?;
    for notice in named {
        let mails: Vec<(MailId, BusinessId, String)> = all!(tx, MAILS, notice)?;
        for (id, business, key) in mails {
            if changed!(tx, WITHDRAW, id)? == 1 {
                notifications::tell_again(tx, business, &key, now).await?;
            } else {
                exec!(tx, SCRUB_MAIL, id)?;
            }
        }
        exec!(tx, FORGET_NAME, notice)?;
    }
    Ok(())
}
