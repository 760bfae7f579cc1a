//! Text for an agent, delivered so that it arrives: only to a screen that takes it, and checked afterwards.
