# Erinnerungen an Buchungen, und die Seite, auf der Kunden sie abschalten.

reminder-subject = Erinnerung: { $title }
reminder-heading = Ihre Buchung steht bevor
reminder-staff-heading = Eine Ihrer Buchungen steht bevor
reminder-off = Erinnerungen abschalten
reminder-off-heading = Erinnerungen abschalten?
reminder-off-text = Sie erhalten keine Erinnerungen an diese Buchung mehr. Über Änderungen werden Sie weiter informiert.
reminder-off-done = Sie erhalten keine Erinnerungen an diese Buchung mehr.
