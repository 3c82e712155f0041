# Was Kunden von ihren Buchungen lesen, in E-Mails und in den Einträgen ihrer eigenen Kalender.

invitation-confirmed-heading = Ihre Buchung ist bestätigt
invitation-requested-heading = Wir haben Ihre Anfrage erhalten
invitation-updated-heading = Ihre Buchung wurde geändert
invitation-cancelled-heading = Ihre Buchung wurde storniert
invitation-request-cancelled-heading = Ihre Anfrage wurde abgesagt
invitation-removed-heading = Sie sind nicht mehr eingeladen
invitation-cancelled-subject = Storniert: { $title }
invitation-requested-note = Sie ist noch nicht bestätigt. Wir melden uns bei Ihnen.
invitation-calendar-note = Mit der angehängten Einladung können Sie sie in Ihren Kalender eintragen.
invitation-update-note = Mit der angehängten Aktualisierung können Sie den Eintrag in Ihrem Kalender ändern.
invitation-cancel-note = Mit der angehängten Absage können Sie sie aus Ihrem Kalender entfernen.
invitation-footer = { $business } schickt Ihnen diese E-Mail wegen Ihrer Buchung.
invitation-was = vorher: { $value }

booking-what = Was
booking-when = Wann
booking-where = Wo
booking-meeting = Link zum Treffen
booking-staff = Mit
booking-party = Gäste
booking-reference = Buchungsnummer
booking-labelled = { $label }: { $value }
booking-stay = { $arrival } – { $departure } ({ $nights })
booking-hours = { $date }, { $from }–{ $until }
booking-long = { $from } – { $until }

# Of the booking in a preview, which nobody made.
sample-name = Alex Meier
sample-resource = Besprechungsraum
sample-title = Beratung
