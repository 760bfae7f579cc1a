//! `gt bd …`: bd's own words, taken raw, because they are bd's to define (the real bd gets them as they are).

use std::ffi::OsString;

use clap::Args;

#[derive(Debug, Args)]
pub struct Raw {
    /// bd's own words: init, create, ready, list, show, update, close, reopen, dep, comments, export, import …
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<OsString>,
}
