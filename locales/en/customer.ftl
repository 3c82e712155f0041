# The customer's own pages of their bookings, and the mail that leads there.

customer-title = Your booking
customer-when-here = In your time zone: { $time }
customer-zone = Times in { $zone }
customer-state-confirmed = Confirmed
customer-state-pending = Waiting for confirmation
customer-state-cancelled = Cancelled
customer-state-over = This booking is over
customer-add = Add to calendar
customer-file = Calendar file (.ics)
customer-answer = Are you coming?
customer-accept = Yes
customer-maybe = Maybe
customer-decline = No
customer-answered = Your answer: { $answer ->
    [accepted] Yes
    [tentative] Maybe
   *[declined] No
}
customer-answer-thanks = Thank you. Your answer was saved.
customer-decline-cancels = “No” cancels your booking.
customer-decline-note = Your booking stays as it is. To give up your place, cancel it below.
customer-change = Change or cancel
customer-move = Choose another time
customer-move-until = You can choose another time until { $time }.
customer-move-heading = Choose another time
customer-move-none = No other times are free nearby. Ask for a change instead.
customer-moved = Your booking was moved.
customer-taken = This time was just taken. Choose another one.
customer-cancel = Cancel booking
customer-cancel-until = You can cancel until { $time }.
customer-cancel-heading = Cancel this booking?
customer-cancel-warning = The time becomes available to others immediately.
customer-cancelled = Your booking was cancelled.
customer-keep = Keep booking
customer-ask = Ask for a change
customer-ask-label = What would you like to change?
customer-ask-send = Send
customer-asked = Your message was sent to { $business }.
customer-ask-note = { $business } reads your message and writes back to you.
customer-ask-empty = Write what you would like to change.
customer-ask-long = Your message is too long: at most { $limit } characters.
customer-closed = This cannot be changed here. Contact { $business }.
customer-changed-meanwhile = The booking was changed in the meantime. This is how it is now.
customer-back = Back to the booking
customer-all = All your bookings
customer-all-send = Email me a link to all my bookings
customer-all-sent = If you have bookings, a link to them is on its way to your email address.
customer-portal-title = Your bookings at { $business }
customer-portal-coming = Upcoming
customer-portal-past = Past
customer-portal-none = No bookings.
customer-portal-subject = Your bookings at { $business }
customer-portal-body = With this link you see all your bookings at { $business }. It works for { $days } days.
customer-portal-open = Open your bookings
customer-manage = Change, cancel or answer
customer-manage-guest = See the booking or answer
customer-gone-title = This link no longer works
customer-gone-text = The booking was changed, or the link was replaced. Use the link in the newest email.
customer-busy-title = Too many requests
customer-busy-text = Wait a moment, then try again.
customer-failed-title = Something went wrong
customer-failed-text = Nothing was changed. Try again in a moment.
customer-malformed-text = The form could not be read. Go back, reload the page and try again.
