# What people read by mail. A message keeps its name and its variables in every language.

mail-footer = Concord keeps the bookings and calendars of { $business } in sync.
mail-open = Open in Concord

digest-heading = { $count } items at { $business } need attention
digest-counted = { $kind ->
    [remote_change] { $count ->
        [one] { $count } change in a calendar
       *[other] { $count } changes in calendars
    }
    [conflict] { $count ->
        [one] { $count } conflict
       *[other] { $count } conflicts
    }
    [failed_sync] { $count ->
        [one] { $count } calendar with sync errors
       *[other] { $count } calendars with sync errors
    }
    [reconnect] { $count ->
        [one] { $count } calendar to reconnect
       *[other] { $count } calendars to reconnect
    }
    [feed_unread] { $count ->
        [one] { $count } platform calendar with sync errors
       *[other] { $count } platform calendars with sync errors
    }
    [not_in_feed] { $count ->
        [one] { $count } platform calendar without manually imported bookings
       *[other] { $count } platform calendars without manually imported bookings
    }
    [customer] { $count ->
        [one] { $count } change by a customer
       *[other] { $count } changes by customers
    }
    [webhook_disabled] { $count ->
        [one] { $count } disabled webhook
       *[other] { $count } disabled webhooks
    }
    [answer] { $count ->
        [one] { $count } answer to an invitation
       *[other] { $count } answers to invitations
    }
    [change_request] { $count ->
        [one] { $count } change request
       *[other] { $count } change requests
    }
    [pending_booking] { $count ->
        [one] { $count } booking to approve
       *[other] { $count } bookings to approve
    }
    [reminder_failed] { $count ->
        [one] { $count } reminder that was not sent
       *[other] { $count } reminders that were not sent
    }
    [webhook_failing] { $count ->
        [one] { $count } failing webhook
       *[other] { $count } failing webhooks
    }
    [recovered] { $count ->
        [one] { $count } resolved problem
       *[other] { $count } resolved problems
    }
   *[feed_quarantined] { $count ->
        [one] { $count } platform calendar held for review
       *[other] { $count } platform calendars held for review
    }
}
digest-more = And { $count } more.
digest-all = View all items

test-subject = Test email from { $business }
test-heading = Email works
test-body = This is a test email from Concord. Email delivery works.
test-no-action = No action is needed.
test-sent = Sent emails are listed here:
test-view-sent = View sent emails

sign-in-heading = Sign in to Concord
sign-in-body = You can sign in as { $name } at { $business }.
sign-in-several = Your address belongs to several businesses. Choose where to sign in:
sign-in-at = Sign in at { $business }
sign-in-expires = { $links ->
    [one] The link works once, within { $minutes } minutes.
   *[other] Each link works once, within { $minutes } minutes.
}
sign-in-ignore = If you did not ask for this email, ignore it. Nobody can sign in without it.

user-invitation-heading = { $business } invites you to Concord
user-invitation-body = { $name }, you can now sign in to see the bookings and calendars of { $business }.
user-invitation-button = Sign in for the first time
user-invitation-expires = The link works once, until { $until }. After that, ask for a new one on the sign-in page: { $page }
