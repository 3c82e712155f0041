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
