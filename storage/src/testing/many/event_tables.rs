//! What other systems are told, and what they asked for: it stands behind all else.

use super::tables::FixtureTable;

pub(super) const EVENT_TABLES: &[FixtureTable] = &[
    (
        "webhook_endpoints",
        0,
        &[
            ("id", "{id 21 i}"),
            ("url", "'https://shop.example/hook' || i"),
            ("description", "''"),
            ("event_types", "''"),
            ("state", "'active'"),
            ("secret", "''"),
            ("created_at", "{at 0}"),
        ],
    ),
    (
        "events",
        1000,
        &[
            ("id", "{recent 22 i}"),
            ("sequence", "i + 1"),
            ("kind", "'booking.created'"),
            ("schema_version", "1"),
            ("subject_kind", "'booking'"),
            ("subject_id", "{id 5 i}"),
            ("subject_version", "1"),
            ("data", "'{}'"),
            ("created_at", "{at START - 48}"),
        ],
    ),
    (
        "webhook_deliveries",
        1000,
        &[
            ("endpoint_id", "{id 21 i % 10}"),
            ("event_id", "{recent 22 i}"),
            ("subject_id", "{id 5 i}"),
            ("position", "i + 1"),
            ("state", "'delivered'"),
            ("attempts", "1"),
            ("delivered_at", "{at START - 48}"),
            ("created_at", "{at START - 48}"),
        ],
    ),
    (
        "idempotency_keys",
        100,
        &[
            ("key", "'many' || i"),
            ("request_hash", "''"),
            ("status", "200"),
            ("response", "''"),
            ("created_at", "{at 0 - i % 24}"),
        ],
    ),
];
