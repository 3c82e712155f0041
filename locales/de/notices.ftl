# Was geschehen ist, in E-Mails und auf Seiten: eine Überschrift ohne Punkt und Einzelheiten in ganzen Sätzen, je Zeile einer.

reconnect-headline = { $provider }-Kalender von { $person } muss neu verbunden werden
reconnect-detail =
    { $provider } gibt Concord keinen Zugriff mehr auf { $account }.
    Es geht nichts verloren: Neue und geänderte Buchungen werden eingetragen, sobald er wieder verbunden ist.
    Öffnen Sie den Kalender in Concord und wählen Sie „Reconnect“.

failed-sync-headline = Buchungen erreichen den { $provider }-Kalender von { $person } nicht
failed-sync-detail =
    Grund: { $reason }.
    Es geht nichts verloren: Ihre Buchungen sind gespeichert, und Concord versucht es weiter.
    Wenn das so bleibt, öffnen Sie den Kalender in Concord, um mehr zu erfahren.

remote-change-open = Es ändert sich nichts, bis jemand entscheidet.
remote-change-followed = Sie können dies auf der Seite der Buchung rückgängig machen, bis sich die Buchung wieder ändert.

channel-name = { $resource } bei { $platform }
conflict-headline = { $channel } ist doppelt gebucht
conflict-detail =
    Die Buchung der Plattform für { $time } überschneidet sich mit { $others }. Es ging nichts verloren: Beide Buchungen bleiben bestehen.
    { $preference ->
        [keep] Nach Ihren Einstellungen bleibt die Buchung von { $platform }: Verschieben oder stornieren Sie die andere.
        [yield] Nach Ihren Einstellungen bleibt die andere Buchung: Stornieren Sie diese bei { $platform }.
       *[ask] Entscheiden Sie, welche Buchung bleibt: Stornieren Sie diese bei { $platform }, oder verschieben oder stornieren Sie die andere.
    }

feed-unread-headline = { $channel } konnte nicht synchronisiert werden
feed-unread-detail =
    Neue Reservierungen werden nicht importiert: { $reason }.
    Es wurde nichts geändert. Concord versucht es von selbst wieder.

export-unread-headline = { $platform } ruft Ihren Kalenderlink für { $channel } nicht mehr ab
export-unread-detail =
    Zuletzt abgerufen wurde er am { $at }. Bis dahin kann { $platform } { $nights ->
        [one] { $nights } Nacht verkaufen, die
       *[other] { $nights } Nächte verkaufen, die
    } schon belegt { $nights ->
        [one] ist
       *[other] sind
    }.
    Prüfen Sie in Ihrem Konto bei { $platform }, ob der Kalenderlink noch da ist, und lassen Sie ihn aktualisieren, oder sperren Sie die Nächte dort.

mailbox-unread-headline = Antworten von Kunden per E-Mail können nicht gelesen werden
mailbox-unread-detail =
    { $reason }.
    Sie warten im Postfach und werden gelesen, sobald es wieder geht. Auf ihrer Seite können Kunden weiterhin antworten.

feed-quarantined-headline = Bei { $channel } { $count ->
    [one] fehlt { $count } Buchung
   *[other] fehlen { $count } Buchungen
}
feed-quarantined-detail =
    Sie bleiben vorerst bestehen, falls der Kalender unvollständig ist. Fehlen sie am { $until } noch immer, werden sie storniert.
    Wenn sie wirklich storniert sind, können Sie die Stornierungen sofort übernehmen.

not-in-feed-headline = Bei { $channel } { $count ->
    [one] fehlt { $count } Buchung, die von Hand importiert wurde
   *[other] fehlen { $count } Buchungen, die von Hand importiert wurden
}
not-in-feed-detail = Sie bleiben bestehen, weil der Kalender sie nie enthielt. Stornieren Sie sie, wenn es sie dort nicht gibt, oder machen Sie den Import rückgängig.

customer-accepted-headline = Ein Kunde hat die Einladung zur Buchung { $reference } angenommen
customer-accepted-named = { $name } hat die Einladung zur Buchung { $reference } angenommen
customer-tentative-headline = Ein Kunde kommt vielleicht zur Buchung { $reference }
customer-tentative-named = { $name } kommt vielleicht zur Buchung { $reference }
customer-declined-headline = Ein Kunde hat die Einladung zur Buchung { $reference } abgelehnt
customer-declined-named = { $name } hat die Einladung zur Buchung { $reference } abgelehnt
customer-declined-detail = Die Buchung besteht weiter. Stornieren Sie sie, wenn der Kunde nicht kommt.
customer-moved-detail =
    Von { $from } auf { $to }.
    Es ist nichts zu tun.
customer-moved-headline = Ein Kunde hat die Buchung { $reference } verschoben
customer-moved-named = { $name } hat die Buchung { $reference } verschoben
customer-cancelled-headline = Ein Kunde hat die Buchung { $reference } storniert
customer-cancelled-named = { $name } hat die Buchung { $reference } storniert
customer-asked-headline = Ein Kunde möchte die Buchung { $reference } ändern
customer-asked-named = { $name } möchte die Buchung { $reference } ändern
customer-asked-detail = Die Nachricht steht in der Historie der Buchung. Der Kunde erwartet eine Antwort.
customer-deed-detail = Es ist nichts zu tun.
webhook-disabled-headline = Webhooks an { $host } wurden deaktiviert
webhook-failing-detail =
    Fünf Tage lang schlug jede Zustellung fehl, deshalb werden dorthin keine Ereignisse mehr gesendet.
    Sobald der Endpunkt wieder funktioniert, aktivieren Sie ihn und senden Sie nach, was er verpasst hat.
webhook-gone-detail =
    Der Endpunkt antwortete, dass es ihn nicht mehr gibt (410), deshalb werden dorthin keine Ereignisse mehr gesendet.
    Falls das ein Irrtum war, aktivieren Sie ihn wieder und senden Sie nach, was er verpasst hat.
