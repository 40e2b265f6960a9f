//! Tells the program where it comes from: revision, compiler, target.

use std::process::Command;

fn main() {
    // Asked for, since in a worktree `.git` is no folder, and a path that is not there means: build each time.
    for path in ["HEAD", "refs/heads"] {
        if let Some(path) = output("git", &["rev-parse", "--git-path", path]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    println!("cargo::rerun-if-env-changed=REVISION");
    // A build without a repository, such as one in a container, is told its revision.
    let revision = std::env::var("REVISION")
        .ok()
        .filter(|revision| !revision.is_empty());
    let revision = revision.or_else(|| output("git", &["rev-parse", "--short=12", "HEAD"]));
    println!(
        "cargo::rustc-env=BUILD_REVISION={}",
        revision.as_deref().unwrap_or("unknown")
    );
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let rustc_version =
        output(&rustc, &["--version"]).and_then(|text| text.split(' ').nth(1).map(str::to_owned));
    println!(
        "cargo::rustc-env=BUILD_RUSTC_VERSION={}",
        rustc_version.as_deref().unwrap_or("unknown")
    );
    println!(
        "cargo::rustc-env=BUILD_TARGET={}",
        std::env::var("TARGET").unwrap_or_default()
    );
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
