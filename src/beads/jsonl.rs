//! bd's JSONL: export and import, both ways, losing nothing.
