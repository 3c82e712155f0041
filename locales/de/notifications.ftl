# Störungen, Zusammenfassungen und was Leute sonst per E-Mail erfahren.

alert-closed-detail = Der Fehler bestand von { $since } bis { $until }.
alert-closed-headline = Behoben: { $headline }
alert-since = Seit { $since }.
alert-worse-headline = Weiterhin gestört: { $headline }
digest-off = Zusammenfassungen abbestellen
digest-off-done = Sie erhalten keine Zusammenfassungen von { $business } mehr.
digest-off-done-heading = Zusammenfassungen sind abbestellt
digest-off-heading = Zusammenfassungen abbestellen?
digest-off-text = Sie erhalten keine Zusammenfassungen von { $business } mehr. Sofortige Benachrichtigungen erhalten Sie weiterhin.
digest-on = Zusammenfassungen wieder erhalten
failed-import-detail =
    Grund: { $reason }.
    Buchungen können sich mit dem überschneiden, was seither im Kalender eingetragen wurde. Concord versucht es weiter.
    Wenn das so bleibt, öffnen Sie den Kalender in Concord.
failed-import-headline = Belegte Zeiten werden nicht aus dem { $provider }-Kalender von { $person } gelesen
reminder-failed-detail =
    Grund: { $reason }.
    Die Buchung ist unverändert. Melden Sie sich bei den Betroffenen, wenn es wichtig ist.
reminder-failed-headline = Die Erinnerung an die Buchung { $reference } konnte nicht gesendet werden
webhook-fails-detail =
    Grund: { $reason }.
    Es geht nichts verloren: Concord versucht es weiter, und Ereignisse können erneut gesendet werden.
webhook-fails-headline = Webhooks an { $host } schlagen fehl
