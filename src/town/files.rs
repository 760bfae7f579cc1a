//! Files written whole or not at all, read strictly, and locked while they change.
