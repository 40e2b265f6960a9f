//! The exporter under a service manager: the sockets it takes, and what it tells.

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use tokio::net::TcpStream;

use crate::api::Api;
use crate::cli::{FAILED, Folder, OK};
use crate::http::get;
use crate::program::{PATIENCE, Program, exporter, until};

const TENANTS: &str = "tenants: [{ customer_id: 00000000-0000-0000-0000-000000000001, tenant_id: 00000000-0000-0000-0000-000000000002 }]\n";

fn folder(api: &Api) -> Folder {
    let folder = Folder::with(&api.config(TENANTS));
    std::fs::write(folder.folder.path().join("secret"), "right").unwrap();
    folder
}

/// What a service manager listens on.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn of(folder: &Folder) -> Self {
        let socket = UnixDatagram::bind(folder.folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    /// The next message.
    fn told(&self) -> String {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    /// The next message that is no sign of life.
    fn told_else(&self) -> String {
        std::iter::repeat_with(|| self.told())
            .find(|message| message != "WATCHDOG=1\n")
            .unwrap()
    }
}

/// An exporter in this folder, with the socket of its manager and more of what that one sets.
fn managed(folder: &Folder, set: &[(&str, &str)]) -> Program {
    let mut command = exporter(["--web.listen-address=127.0.0.1:0"]);
    command.current_dir(folder.folder.path());
    command.env("NOTIFY_SOCKET", folder.folder.path().join("notify"));
    command.envs(set.iter().copied());
    Program::start(&mut command)
}

const SERVES: &str = "READY=1\nSTATUS=polling and serving\n";

#[tokio::test]
async fn the_manager_is_told_of_the_start_of_each_reload_and_of_the_end() {
    let api = Api::start().await;
    let folder = folder(&api);
    let manager = Manager::of(&folder);
    let program = managed(&folder, &[]);
    assert_eq!(manager.told(), SERVES);
    let config = std::fs::read_to_string(folder.config()).unwrap();
    for (text, expected) in [
        (
            "elements: nonsense\n",
            "READY=1\nSTATUS=the last reload failed, see the log; the previous configuration stays in force\n",
        ),
        (&*config, SERVES),
    ] {
        std::fs::write(folder.config(), text).unwrap();
        program.signal("HUP");
        let reloading = manager.told();
        let since = reloading
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .and_then(|since| since.trim_end().parse::<u64>().ok());
        assert!(since.is_some(), "{reloading}");
        assert_eq!(manager.told(), expected);
    }
    program.signal("TERM");
    assert_eq!(manager.told(), "STOPPING=1\n");
    let ended = program.end().await;
    assert_eq!(ended.code, OK);
    // Without a watchdog there are no signs of life.
    manager.socket.set_nonblocking(true).unwrap();
    assert!(manager.socket.recv(&mut [0]).is_err());
}

#[tokio::test]
async fn a_watchdog_is_fed_while_polls_run_and_one_of_another_process_is_not() {
    let api = Api::start().await;
    let folder = folder(&api);
    let manager = Manager::of(&folder);
    let program = managed(&folder, &[("WATCHDOG_USEC", "200000")]);
    let mut signs = 0;
    let mut told = Vec::new();
    while signs < 5 {
        match &*manager.told() {
            "WATCHDOG=1\n" => signs += 1,
            other => told.push(other.to_owned()),
        }
    }
    assert_eq!(told, [SERVES]);
    program.signal("TERM");
    assert_eq!(manager.told_else(), "STOPPING=1\n");
    assert_eq!(program.end().await.code, OK);

    while manager.socket.set_nonblocking(true).is_ok() && manager.socket.recv(&mut [0]).is_ok() {}
    manager.socket.set_nonblocking(false).unwrap();
    let other = [("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")];
    let program = managed(&folder, &other);
    assert_eq!(manager.told(), SERVES);
    until("requests", async || (api.asked_of(2) > 0).then_some(())).await;
    program.signal("TERM");
    assert_eq!(manager.told(), "STOPPING=1\n");
    assert_eq!(program.end().await.code, OK);
}

#[tokio::test]
async fn a_manager_that_is_gone_is_no_reason_to_fail() {
    let api = Api::start().await;
    let folder = folder(&api);
    let program = managed(&folder, &[]);
    until("a warning", async || {
        let warns = program.stderr().contains("failed to notify systemd");
        warns.then_some(())
    })
    .await;
    program.signal("TERM");
    assert_eq!(program.end().await.code, OK);
}

#[tokio::test]
async fn the_sockets_of_systemd_are_served_on_in_place_of_the_listen_address() {
    let api = Api::start().await;
    let folder = folder(&api);
    let free = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let [first, second] = free.map(|listener| listener.local_addr().unwrap().to_string());
    let flags = ["--web.systemd-socket", "--web.listen-address=192.0.2.1:1"];
    let exporter = exporter(flags);
    let mut command = Command::new("systemd-socket-activate");
    command
        .args([format!("--listen={first}"), format!("--listen={second}")])
        .arg(exporter.get_program())
        .args(exporter.get_args())
        .current_dir(folder.folder.path());
    let program = Program::start(&mut command);
    // The first connection starts it.
    let _starts = until("the socket", async || TcpStream::connect(&first).await.ok()).await;
    for address in [&first, &second] {
        assert_eq!(get(address, "/-/healthy").await.status, 200);
    }
    for expected in [
        format!("message=listening address={first}"),
        format!("message=listening address={second}"),
        format!("metrics=http://{first}/metrics"),
    ] {
        until(&expected, async || {
            program.stderr().contains(&expected).then_some(())
        })
        .await;
    }
    program.signal("TERM");
    assert_eq!(program.end().await.code, OK);
}

#[tokio::test]
async fn what_is_no_socket_for_tcp_is_refused() {
    let api = Api::start().await;
    let folder = folder(&api);
    let ended = folder.start(&["--web.systemd-socket"]).end().await;
    assert_eq!(ended.code, FAILED);
    let expected = "avepoint-exporter: systemd handed over no socket; start the exporter by a .socket unit, or without \
                    --web.systemd-socket\n";
    assert!(ended.stderr.ends_with(expected), "{}", ended.stderr);

    let path = folder.folder.path().join("socket");
    let exporter = exporter(["--web.systemd-socket"]);
    let mut command = Command::new("systemd-socket-activate");
    command
        .arg(format!("--listen={}", path.display()))
        .arg(exporter.get_program())
        .args(exporter.get_args())
        .current_dir(folder.folder.path());
    let program = Program::start(&mut command);
    let _starts = until("the socket", async || {
        std::os::unix::net::UnixStream::connect(&path).ok()
    })
    .await;
    let ended = program.end().await;
    assert_eq!(ended.code, FAILED);
    let expected = "socket 1 of systemd is not for TCP; see ListenStream= of the .socket unit";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
}
