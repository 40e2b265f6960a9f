//! The files that a configuration is in or names, as people and machines hand them over: from Windows, through pipes,
//! open to others.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::api::Api;
use crate::cli::{Folder, OK, USAGE, serve};
use crate::program::{Program, exporter, until};

const TENANTS: &str = "tenants: [{ customer_id: 00000000-0000-0000-0000-000000000001, tenant_id: 00000000-0000-0000-0000-000000000002 }]\n";

/// A part of the warning about a file that others can read.
const EXPOSED: &str = "other users can read or write this secret file";

fn folder(api: &Api) -> Folder {
    let folder = Folder::with(&api.config(TENANTS));
    write(&folder, "secret", b"right");
    folder
}

/// Writes a file that only its owner can read.
fn write(folder: &Folder, name: &str, bytes: &[u8]) {
    let path = folder.folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    chmod(&path, 0o600);
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn fifo(folder: &Folder, name: &str) -> PathBuf {
    let path = folder.folder.path().join(name);
    let _ = fs::remove_file(&path);
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    path
}

#[tokio::test]
async fn a_secret_that_windows_wrote_signs_in() {
    let api = Api::start().await;
    let folder = folder(&api);
    write(&folder, "secret", b"\xef\xbb\xbfright\r\n");
    let polled = folder.start(&["poll"]).end().await;
    assert_eq!(polled.code, OK, "{}", polled.stderr);

    let in_environment = api
        .config(TENANTS)
        .replace("client_secret_file: ./secret", "client_secret_env: SECRET");
    fs::write(folder.config(), in_environment).unwrap();
    let mut command = exporter(["poll"]);
    command.env("SECRET", "\u{feff}right\r\n");
    let polled = Program::start(command.current_dir(folder.folder.path()))
        .end()
        .await;
    assert_eq!(polled.code, OK, "{}", polled.stderr);
}

#[tokio::test]
async fn a_pipe_that_nobody_writes_to_is_named_wherever_it_is() {
    let api = Api::start().await;
    let files = [
        ("config.yaml", "config.yaml: cannot be read: "),
        (
            "secret",
            "client_secret_file: the file \"./secret\" cannot be read: ",
        ),
        ("ca.pem", "ca_file: the file \"ca.pem\" cannot be read: "),
        (
            "app.pem",
            "certificate.file: the file \"./app.pem\" cannot be read: ",
        ),
        (
            "password",
            "certificate.password_file: the file \"./password\" cannot be read: ",
        ),
    ];
    // All at once, since each takes its time.
    let running = files.map(|(name, named)| {
        let folder = folder(&api);
        let text = api.config(TENANTS);
        let secret = "client_secret_file: ./secret";
        let text = match name {
            "ca.pem" => text.replace(secret, "client_secret: x\n  ca_file: ca.pem"),
            "app.pem" => text.replace(secret, "certificate: { file: ./app.pem }"),
            "password" => text.replace(
                secret,
                "certificate: { file: ./app.pem, password_file: ./password }",
            ),
            _ => text,
        };
        fs::write(folder.config(), text).unwrap();
        fifo(&folder, name);
        (folder.start(&["check"]), folder, named)
    });
    for (program, _folder, named) in running {
        let ended = program.end().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (USAGE, ""));
        assert!(ended.stderr.contains(named), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("it took longer than 10s (a pipe "),
            "{}",
            ended.stderr
        );
    }
}

#[tokio::test]
async fn a_pipe_in_place_of_a_secret_fails_that_reload_and_no_later_one() {
    let api = Api::start().await;
    let folder = folder(&api);
    let (program, _) = serve(&folder, &[]).await;
    let said = |times: usize, what: &'static str| {
        let program = &program;
        until(what, async move || {
            (program.stderr().matches(what).count() == times).then_some(())
        })
    };
    for times in 1..=2 {
        fifo(&folder, "secret");
        program.signal("HUP");
        said(times, "failed to reload the configuration").await;
        fs::remove_file(folder.folder.path().join("secret")).unwrap();
        write(&folder, "secret", b"right");
        program.signal("HUP");
        said(times, "configuration reloaded").await;
    }
    program.signal("TERM");
    let ended = program.end().await;
    assert_eq!(ended.code, OK, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("it took longer than 10s"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn a_configuration_and_a_secret_come_through_pipes_that_somebody_writes_to() {
    let api = Api::start().await;
    let folder = folder(&api);
    let pipe = fifo(&folder, "secret");
    let mut command = exporter(["poll", "--config.file=/dev/stdin"]);
    let text = api
        .config(TENANTS)
        .replace("./secret", pipe.to_str().unwrap());
    let bash = |script: &str| {
        let mut bash = Command::new("bash");
        bash.args(["-c", script, "bash"]).arg(command.get_program());
        bash.current_dir(folder.folder.path()).env("CONFIG", &text);
        bash
    };
    // In parts, with pauses of no certain length, as a program behind a pipe writes.
    let substitution = "(printf ri; printf ght) > secret & \
        \"$1\" poll --config.file=<(head -c 20 <<<\"$CONFIG\"; tail -c +21 <<<\"$CONFIG\")";
    let ended = Program::start(&mut bash(substitution)).end().await;
    assert_eq!(ended.code, OK, "{}", ended.stderr);
    let standard_input =
        "printf right > secret & printf %s \"$CONFIG\" | \"$1\" poll --config.file=/dev/stdin";
    let ended = Program::start(&mut bash(standard_input)).end().await;
    assert_eq!(ended.code, OK, "{}", ended.stderr);

    // From a file, too.
    let mut writer = Command::new("sh");
    writer
        .args(["-c", "printf right > secret"])
        .current_dir(folder.folder.path());
    let mut writer = writer.spawn().unwrap();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait()).await;
    assert!(ended.unwrap().unwrap().success());
    writer.wait().unwrap();
}

#[tokio::test]
async fn a_secret_file_that_others_can_read_is_named_with_its_mode_at_start_and_by_a_check_and_on_reload()
 {
    let api = Api::start().await;
    let folder = folder(&api);
    let secret = folder.folder.path().join("secret");
    for (mode, warns) in [(0o600, false), (0o640, true), (0o604, true), (0o620, true)] {
        chmod(&secret, mode);
        let checked = folder.start(&["check"]).end().await;
        assert_eq!(checked.code, OK, "{}", checked.stderr);
        assert_eq!(
            checked.stderr.contains(EXPOSED),
            warns,
            "{mode:o}: {}",
            checked.stderr
        );
        if warns {
            let named = format!("mode={mode:04o}");
            assert!(checked.stderr.contains(&named), "{}", checked.stderr);
            assert!(
                checked.stderr.contains("file=./secret "),
                "{}",
                checked.stderr
            );
            assert!(checked.stderr.contains("chmod 600"), "{}", checked.stderr);
        }
    }
    let (program, _) = serve(&folder, &[]).await;
    assert_eq!(program.stderr().matches(EXPOSED).count(), 1);
    program.signal("HUP");
    until("the reload", async || {
        program
            .stderr()
            .contains("configuration reloaded")
            .then_some(())
    })
    .await;
    assert_eq!(program.stderr().matches(EXPOSED).count(), 2);
}

#[tokio::test]
async fn a_secret_as_kubernetes_or_docker_mounts_it_is_not_warned_about() {
    let api = Api::start().await;
    let folder = folder(&api);
    let secret = folder.folder.path().join("secret");
    let mounted = folder.folder.path().join("mounted");
    fs::rename(&secret, &mounted).unwrap();
    // As root, whose file it is there; a file of another user is warned about.
    let is_root = rustix::process::getuid().is_root();
    symlink("mounted", &secret).unwrap();
    for mode in [0o400, 0o440, 0o444] {
        chmod(&mounted, mode);
        let checked = folder.start(&["check"]).end().await;
        assert_eq!(checked.code, OK, "{}", checked.stderr);
        let warns = checked.stderr.contains(EXPOSED);
        assert_eq!(warns, !is_root && mode != 0o400, "{mode:o}");
    }
}

#[tokio::test]
async fn of_a_certificate_the_key_is_a_secret_and_the_rest_is_not() {
    let api = Api::start().await;
    let folder = folder(&api);
    let certificates = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates");
    for (name, copy) in [("app.crt", "app.crt"), ("app.key", "app.key")] {
        let bytes = fs::read(certificates.join(name)).unwrap();
        write(&folder, copy, &bytes);
    }
    let text = api.config(TENANTS).replace(
        "client_secret_file: ./secret",
        "certificate: { file: ./app.crt, key_file: ./app.key }",
    );
    fs::write(folder.config(), text).unwrap();
    let [certificate, key] = ["app.crt", "app.key"].map(|name| folder.folder.path().join(name));
    chmod(&certificate, 0o644);
    let checked = folder.start(&["check"]).end().await;
    assert_eq!((checked.code, checked.stderr.as_str()), (OK, ""));
    chmod(&key, 0o644);
    let checked = folder.start(&["check"]).end().await;
    assert!(checked.stderr.contains(EXPOSED), "{}", checked.stderr);
    assert!(checked.stderr.contains("app.key"), "{}", checked.stderr);
}

#[tokio::test]
async fn nobody_can_read_the_memory_of_the_process_and_it_leaves_no_core() {
    // As root everything can be read, so the program runs as another user, who must be able to start it.
    let place = tempfile::tempdir().unwrap();
    chmod(place.path(), 0o755);
    let binary = place.path().join("exporter");
    let original = exporter(["simulate"]).get_program().to_owned();
    fs::copy(original, &binary).unwrap();
    let mut command = Command::new(&binary);
    command
        .args(["simulate", "--listen=127.0.0.1:0"])
        .current_dir("/");
    if rustix::process::getuid().is_root() {
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
    }
    let program = Program::start(&mut command);
    until("the simulator to begin", async || {
        program.stdout().contains("elements:").then_some(())
    })
    .await;
    let process = format!("/proc/{}", program.id());
    // The kernel gives what is below to root as soon as a process is not dumpable: proc(5).
    let owner =
        std::os::unix::fs::MetadataExt::uid(&fs::metadata(format!("{process}/environ")).unwrap());
    assert_eq!(owner, 0);
    let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core: Vec<_> = core.unwrap().split_whitespace().skip(4).take(2).collect();
    assert_eq!(core, ["0", "0"]);
}

#[tokio::test]
async fn as_many_files_may_be_open_as_the_machine_allows() {
    let (_, hard) = open_files("self");
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -S -n 100 && exec \"$@\"", "sh"]);
    let simulate = exporter(["simulate", "--listen=127.0.0.1:0"]);
    limited
        .arg(simulate.get_program())
        .args(simulate.get_args());
    let program = Program::start(&mut limited);
    until("the simulator to begin", async || {
        program.stdout().contains("elements:").then_some(())
    })
    .await;
    let raised = open_files(&program.id().to_string());
    assert_eq!(raised, (hard.clone(), hard));
}

/// The soft and the hard limit of open files of a process.
fn open_files(process: &str) -> (String, String) {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let mut limits = line.unwrap().split_whitespace().map(str::to_owned);
    (limits.next().unwrap(), limits.next().unwrap())
}
