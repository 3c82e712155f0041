# Was Leute per E-Mail lesen. Eine Nachricht behält in jeder Sprache ihren Namen und ihre Variablen.

mail-footer = Concord hält die Buchungen und Kalender von { $business } auf demselben Stand.
mail-open = In Concord öffnen

digest-heading = { $count } Vorgänge bei { $business } brauchen Aufmerksamkeit
digest-counted = { $kind ->
    [remote_change] { $count ->
        [one] { $count } Änderung in einem Kalender
       *[other] { $count } Änderungen in Kalendern
    }
    [conflict] { $count ->
        [one] { $count } Konflikt
       *[other] { $count } Konflikte
    }
    [failed_sync] { $count ->
        [one] { $count } Kalender mit Synchronisierungsfehlern
       *[other] { $count } Kalender mit Synchronisierungsfehlern
    }
    [reconnect] { $count ->
        [one] { $count } Kalender, der neu zu verbinden ist
       *[other] { $count } Kalender, die neu zu verbinden sind
    }
    [feed_unread] { $count ->
        [one] { $count } Plattformkalender mit Synchronisierungsfehlern
       *[other] { $count } Plattformkalender mit Synchronisierungsfehlern
    }
    [not_in_feed] { $count ->
        [one] { $count } Plattformkalender ohne von Hand importierte Buchungen
       *[other] { $count } Plattformkalender ohne von Hand importierte Buchungen
    }
    [customer] { $count ->
        [one] { $count } Änderung durch einen Kunden
       *[other] { $count } Änderungen durch Kunden
    }
   *[feed_quarantined] { $count ->
        [one] { $count } zur Prüfung zurückgehaltener Plattformkalender
       *[other] { $count } zur Prüfung zurückgehaltene Plattformkalender
    }
}
digest-more = Und { $count } weitere.
digest-all = Alle Vorgänge ansehen

test-subject = Test-E-Mail von { $business }
test-heading = E-Mail funktioniert
test-body = Dies ist eine Test-E-Mail von Concord. Der E-Mail-Versand funktioniert.
test-no-action = Es ist nichts weiter zu tun.
test-sent = Gesendete E-Mails stehen hier:
test-view-sent = Gesendete E-Mails ansehen
