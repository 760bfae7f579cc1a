//! Arguments about mail.

use clap::{Args, Subcommand};

use super::DryRun;

#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// The agent's address, or a bare polecat's name
    pub address: String,
    /// The number of an answer, yes or no; without one the question is shown
    pub answer: Option<String>,
    /// Only when this is still what it asks
    #[arg(long, value_name = "ID", requires = "answer")]
    pub question: Option<String>,
    /// Let agents of its rig run the command without asking from their next start
    #[arg(long, requires = "answer")]
    pub always: bool,
}

#[derive(Debug, Args)]
pub struct Mail {
    #[command(subcommand)]
    pub command: MailCommand,
}

#[derive(Debug, Subcommand)]
pub enum MailCommand {
    /// List mail
    Inbox {
        /// Whose; mine when not given
        address: Option<String>,
        /// Only what was not read
        #[arg(long)]
        unread: bool,
    },
    /// Show a mail and mark it as read
    Read {
        /// Its id
        id: String,
    },
    /// Send a mail
    Send {
        /// To whom
        address: String,
        /// Its subject
        #[arg(short, long)]
        subject: String,
        /// Its text
        #[arg(short, long, required_unless_present = "stdin")]
        message: Option<String>,
        /// Take the text from standard input
        #[arg(long, conflicts_with = "message")]
        stdin: bool,
        #[command(flatten)]
        dry: DryRun,
    },
}
