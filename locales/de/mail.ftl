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
    [webhook_disabled] { $count ->
        [one] { $count } deaktivierter Webhook
       *[other] { $count } deaktivierte Webhooks
    }
    [answer] { $count ->
        [one] { $count } Antwort auf eine Einladung
       *[other] { $count } Antworten auf Einladungen
    }
    [change_request] { $count ->
        [one] { $count } Änderungswunsch
       *[other] { $count } Änderungswünsche
    }
    [pending_booking] { $count ->
        [one] { $count } Buchung zu bestätigen
       *[other] { $count } Buchungen zu bestätigen
    }
    [reminder_failed] { $count ->
        [one] { $count } nicht gesendete Erinnerung
       *[other] { $count } nicht gesendete Erinnerungen
    }
    [webhook_failing] { $count ->
        [one] { $count } gestörter Webhook
       *[other] { $count } gestörte Webhooks
    }
    [recovered] { $count ->
        [one] { $count } behobene Störung
       *[other] { $count } behobene Störungen
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

sign-in-heading = Bei Concord anmelden
sign-in-body = Sie können sich als { $name } bei { $business } anmelden.
sign-in-several = Ihre Adresse gehört zu mehreren Betrieben. Wählen Sie, wo Sie sich anmelden:
sign-in-at = Bei { $business } anmelden
sign-in-expires = { $links ->
    [one] Der Link gilt einmal und { $minutes } Minuten lang.
   *[other] Jeder Link gilt einmal und { $minutes } Minuten lang.
}
sign-in-ignore = Wenn Sie diese E-Mail nicht angefordert haben, ignorieren Sie sie. Ohne sie kann sich niemand anmelden.

user-invitation-heading = { $business } lädt Sie zu Concord ein
user-invitation-body = { $name }, Sie können sich jetzt anmelden und sehen dann die Buchungen und Kalender von { $business }.
user-invitation-button = Zum ersten Mal anmelden
user-invitation-expires = Der Link gilt einmal, bis { $until }. Danach bekommen Sie auf der Anmeldeseite einen neuen: { $page }
