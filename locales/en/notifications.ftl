# Alerts, digests and what else people are told of by mail.

alert-closed-detail = It failed from { $since } until { $until }.
alert-closed-headline = Resolved: { $headline }
alert-since = Since { $since }.
alert-worse-headline = Still failing: { $headline }
digest-off = Turn off digests
digest-off-done = You will get no more digests from { $business }.
digest-off-done-heading = Digests are off
digest-off-heading = Turn off digests?
digest-off-text = You will get no more digests from { $business }. Immediate notifications still come.
digest-on = Get digests again
failed-import-detail =
    Reason: { $reason }.
    Bookings may overlap what was added to the calendar since. Concord keeps retrying.
    If this continues, open the calendar in Concord for details.
failed-import-headline = Busy times cannot be read from { $person }'s { $provider } calendar
reminder-failed-detail =
    Reason: { $reason }.
    The booking is not changed. Contact whoever should be reminded, if it matters.
reminder-failed-headline = A reminder of booking { $reference } could not be sent
webhook-fails-detail =
    Reason: { $reason }.
    Nothing is lost: Concord keeps retrying, and events can be sent again.
webhook-fails-headline = Webhooks to { $host } are failing
