# Reminders of bookings, and the page on which customers turn them off.

reminder-subject = Reminder: { $title }
reminder-heading = Your booking is coming up
reminder-staff-heading = A booking of yours is coming up
reminder-off = Turn off reminders
reminder-off-heading = Turn off reminders?
reminder-off-text = You get no more reminders of this booking. You are still told of changes.
reminder-off-done = You get no more reminders of this booking.
