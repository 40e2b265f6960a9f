//! The program: parse arguments, run, map the outcome to an exit status.

use std::io::Write as _;
use std::process::ExitCode;

use avepoint_exporter::cli::{self, Arguments, Failed};
use avepoint_exporter::process::{logging, signals};

/// Wrong arguments or a wrong configuration (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

/// The configuration is right, but its rate limit is too low for its intervals.
const DOES_NOT_FIT: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let format = logging::Format::of(&arguments);
    let arguments = match Arguments::read(arguments) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && format == logging::Format::Json => {
            return fail(ExitCode::from(USAGE), format, &error.to_string());
        }
        Err(error) => {
            // Help and version are asked for and go to stdout; a closed pipe is no one's fault.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match signals::run(|polling, shutdown| cli::run(arguments, polling, shutdown)) {
        Ok(Some(Ok(()))) => ExitCode::SUCCESS,
        Ok(Some(Err(Failed::Usage(error)))) => {
            fail(ExitCode::from(USAGE), format, &format!("{error:#}"))
        }
        // What to change is on stdout.
        Ok(Some(Err(Failed::DoesNotFit))) => ExitCode::from(DOES_NOT_FIT),
        Ok(Some(Err(Failed::Other(error)))) | Err(error) => {
            fail(ExitCode::FAILURE, format, &format!("{error:#}"))
        }
        // It did not end when it was told to, so nobody may be listening to why.
        Ok(None) => ExitCode::FAILURE,
    }
}

/// Says why: to people as text, and to what collects a log of JSON as a line of it.
fn fail(status: ExitCode, format: logging::Format, why: &str) -> ExitCode {
    match format {
        // If there is still someone to hear it: `eprintln!` would panic on a closed pipe.
        logging::Format::Logfmt => {
            let _ = writeln!(std::io::stderr(), "avepoint-exporter: {why}");
        }
        logging::Format::Json => logging::last_words(why.trim_end()),
    }
    status
}
