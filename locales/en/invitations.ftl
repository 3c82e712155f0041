# What customers read of their bookings, in mails and in the entries of their own calendars.

invitation-confirmed-heading = Your booking is confirmed
invitation-requested-heading = We have received your request
invitation-updated-heading = Your booking was changed
invitation-cancelled-heading = Your booking was cancelled
invitation-request-cancelled-heading = Your request was cancelled
invitation-removed-heading = You are no longer invited
invitation-cancelled-subject = Cancelled: { $title }
invitation-requested-note = It is not confirmed yet. You will hear from us.
invitation-calendar-note = With the attached invitation you can add it to your calendar.
invitation-update-note = With the attached update you can change the entry in your calendar.
invitation-cancel-note = With the attached cancellation you can remove it from your calendar.
invitation-footer = { $business } sent you this email because of your booking.
invitation-was = before: { $value }

booking-what = What
booking-when = When
booking-where = Where
booking-meeting = Meeting link
booking-staff = With
booking-party = Guests
booking-reference = Reference
booking-labelled = { $label }: { $value }
booking-stay = { $arrival } – { $departure } ({ $nights })
booking-hours = { $date }, { $from }–{ $until }
booking-long = { $from } – { $until }

# Of the booking in a preview, which nobody made.
sample-name = Alex Taylor
sample-resource = Meeting room
sample-title = Consultation
