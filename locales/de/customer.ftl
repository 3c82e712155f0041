# Die eigenen Seiten der Kunden zu ihren Buchungen, und die E-Mail, die dorthin führt.

customer-title = Ihre Buchung
customer-when-here = In Ihrer Zeitzone: { $time }
customer-zone = Zeiten in { $zone }
customer-state-confirmed = Bestätigt
customer-state-pending = Noch nicht bestätigt
customer-state-cancelled = Storniert
customer-state-over = Diese Buchung ist vorbei
customer-add = In den Kalender eintragen
customer-file = Kalenderdatei (.ics)
customer-answer = Kommen Sie?
customer-accept = Ja
customer-maybe = Vielleicht
customer-decline = Nein
customer-answered = Ihre Antwort: { $answer ->
    [accepted] Ja
    [tentative] Vielleicht
   *[declined] Nein
}
customer-answer-thanks = Danke. Ihre Antwort wurde gespeichert.
customer-decline-cancels = „Nein“ storniert Ihre Buchung.
customer-decline-note = Ihre Buchung bleibt bestehen. Um Ihren Platz freizugeben, stornieren Sie sie unten.
customer-change = Ändern oder stornieren
customer-move = Andere Zeit wählen
customer-move-until = Sie können bis { $time } eine andere Zeit wählen.
customer-move-heading = Andere Zeit wählen
customer-move-none = In der Nähe ist keine andere Zeit frei. Bitten Sie stattdessen um eine Änderung.
customer-moved = Ihre Buchung wurde verschoben.
customer-taken = Diese Zeit wurde gerade vergeben. Wählen Sie eine andere.
customer-cancel = Buchung stornieren
customer-cancel-until = Sie können bis { $time } stornieren.
customer-cancel-heading = Diese Buchung stornieren?
customer-cancel-warning = Die Zeit wird sofort für andere frei.
customer-cancelled = Ihre Buchung wurde storniert.
customer-keep = Buchung behalten
customer-ask = Um eine Änderung bitten
customer-ask-label = Was möchten Sie ändern?
customer-ask-send = Senden
customer-asked = Ihre Nachricht wurde an { $business } geschickt.
customer-ask-note = { $business } liest Ihre Nachricht und schreibt Ihnen zurück.
customer-ask-empty = Schreiben Sie, was Sie ändern möchten.
customer-ask-long = Ihre Nachricht ist zu lang: höchstens { $limit } Zeichen.
customer-closed = Das lässt sich hier nicht ändern. Wenden Sie sich an { $business }.
customer-changed-meanwhile = Die Buchung wurde inzwischen geändert. So steht sie jetzt.
customer-back = Zurück zur Buchung
customer-all = Alle Ihre Buchungen
customer-all-send = Schicken Sie mir einen Link zu allen meinen Buchungen
customer-all-sent = Falls Sie Buchungen haben, ist ein Link zu ihnen an Ihre E-Mail-Adresse unterwegs.
customer-portal-title = Ihre Buchungen bei { $business }
customer-portal-coming = Demnächst
customer-portal-past = Vergangen
customer-portal-none = Keine Buchungen.
customer-portal-subject = Ihre Buchungen bei { $business }
customer-portal-body = Mit diesem Link sehen Sie alle Ihre Buchungen bei { $business }. Er gilt { $days } Tage.
customer-portal-open = Ihre Buchungen ansehen
customer-manage = Ändern, stornieren oder antworten
customer-manage-guest = Buchung ansehen oder antworten
customer-gone-title = Dieser Link gilt nicht mehr
customer-gone-text = Die Buchung wurde geändert, oder der Link wurde ersetzt. Nutzen Sie den Link in der neuesten E-Mail.
customer-busy-title = Zu viele Anfragen
customer-busy-text = Warten Sie einen Moment, und versuchen Sie es dann noch einmal.
customer-failed-title = Das hat nicht geklappt
customer-failed-text = Es wurde nichts geändert. Versuchen Sie es gleich noch einmal.
customer-malformed-text = Das Formular konnte nicht gelesen werden. Gehen Sie zurück, laden Sie die Seite neu, und versuchen Sie es noch einmal.
