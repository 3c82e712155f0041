# What happened, in mails and on pages: a headline without a full stop, and a detail of whole sentences, one a line.

reconnect-headline = { $person }'s { $provider } calendar needs to be reconnected
reconnect-detail =
    { $provider } no longer gives Concord access to { $account }.
    Nothing is lost: new and changed bookings are written as soon as it is reconnected.
    Open the calendar in Concord and select Reconnect.

failed-sync-headline = Bookings are not reaching { $person }'s { $provider } calendar
failed-sync-detail =
    Reason: { $reason }.
    Nothing is lost: your bookings are saved, and Concord keeps retrying.
    If this continues, open the calendar in Concord for details.

remote-change-open = Nothing changes until someone decides.
remote-change-followed = You can undo this on the booking's page until the booking changes again.

channel-name = { $resource } on { $platform }
conflict-headline = { $channel } is double-booked
conflict-detail =
    The platform's booking for { $time } overlaps { $others }. Nothing was lost: both bookings are kept.
    { $preference ->
        [keep] Your settings keep { $platform }'s booking: move or cancel the other.
        [yield] Your settings keep the other booking: cancel this one at { $platform }.
       *[ask] Decide which booking to keep: cancel this one at { $platform }, or move or cancel the other.
    }

feed-unread-headline = { $channel } failed to sync
feed-unread-detail =
    New reservations are not being imported: { $reason }.
    Nothing was changed. Concord retries automatically.

export-unread-headline = { $platform } no longer reads your calendar link for { $channel }
export-unread-detail =
    It last read it on { $at }. Until it does, it may sell { $nights ->
        [one] { $nights } night that is
       *[other] { $nights } nights that are
    } already taken.
    Check in your { $platform } account that the calendar link is still there, and have it refreshed; or block the nights there.

mailbox-unread-headline = Answers that customers send by email cannot be read
mailbox-unread-detail =
    { $reason }.
    They wait in the mailbox, and are read when it works again. Customers can answer on their page meanwhile.

feed-quarantined-headline = { $channel } is missing { $count ->
    [one] { $count } booking
   *[other] { $count } bookings
}
feed-quarantined-detail =
    They are kept for now, in case the calendar is incomplete. If they are still missing at { $until }, they will be cancelled.
    If they really are cancelled, you can apply the cancellations now.

not-in-feed-headline = { $channel } is missing { $count ->
    [one] { $count } booking that was
   *[other] { $count } bookings that were
} imported manually
not-in-feed-detail = They are kept, because the calendar never contained them. Cancel them if they do not exist there, or undo the import.

customer-accepted-headline = A customer accepted the invitation to booking { $reference }
customer-accepted-named = { $name } accepted the invitation to booking { $reference }
customer-tentative-headline = A customer may come to booking { $reference }
customer-tentative-named = { $name } may come to booking { $reference }
customer-declined-headline = A customer declined the invitation to booking { $reference }
customer-declined-named = { $name } declined the invitation to booking { $reference }
customer-declined-detail = The booking still stands. Cancel it if the customer is not coming.
customer-moved-detail =
    From { $from } to { $to }.
    No action is needed.
customer-moved-headline = A customer moved booking { $reference }
customer-moved-named = { $name } moved booking { $reference }
customer-cancelled-headline = A customer cancelled booking { $reference }
customer-cancelled-named = { $name } cancelled booking { $reference }
customer-asked-headline = A customer would like to change booking { $reference }
customer-asked-named = { $name } would like to change booking { $reference }
customer-asked-detail = Their message is in the booking's history. They expect an answer.
customer-deed-detail = No action is needed.
webhook-disabled-headline = Webhooks to { $host } were disabled
webhook-failing-detail =
    Every delivery failed for 5 days, so no more events are sent there.
    Once the endpoint works again, enable it and resend what it missed.
webhook-gone-detail =
    The endpoint answered that it is gone (410), so no more events are sent there.
    If this was a mistake, enable it again and resend what it missed.
