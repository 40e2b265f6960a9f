//! The program: parse arguments, run, map the outcome to an exit status.

use std::io::Write as _;
use std::process::ExitCode;

use avepoint_exporter::cli::{self, Arguments, Failed};
use avepoint_exporter::process::signals;

/// Wrong arguments or a wrong configuration (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments,
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
        Ok(Some(Err(Failed::Usage(error)))) => fail(ExitCode::from(USAGE), &format!("{error:#}")),
        Ok(Some(Err(Failed::Other(error)))) | Err(error) => {
            fail(ExitCode::FAILURE, &format!("{error:#}"))
        }
        // It did not end when it was told to, so nobody may be listening to why.
        Ok(None) => ExitCode::FAILURE,
    }
}

/// Says why, if there is still someone to hear it: `eprintln!` would panic on a closed pipe.
fn fail(status: ExitCode, why: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "avepoint-exporter: {why}");
    status
}
