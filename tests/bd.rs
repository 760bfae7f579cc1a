//! The adapter for the real bd.
//!
//! Each test runs against both lines of bd from recordings of their real answers (`tests/bd/recordings/bd-VERSION/`), with
//! the calls compared word by word; and against a real bd when `GT_TEST_BD_BIN` names it (a program, or a folder with
//! it). With `GT_TEST_BD_RECORD=1` as well, the recordings of its version are made anew.

mod answers;
mod shop;
mod stores;
mod writes;
