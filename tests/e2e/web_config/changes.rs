//! The file changes while both serve. What the exporter answers is in force at its next request, as with the toolkit.

use std::fs;
use std::process::{Command, Stdio};

use super::client::{Client, Outcome};
use super::pair::{FILE, Folder, Pair};

const ALICE: &str = "alice: $2y$04$Xau5Y0sK2ob/V5BxA0KYM.CobGXG2hFasVxyQr2/m1gVDAx3.11Vy";
const BOB: &str = "bob: $2y$04$Xau5Y0sK2ob/V5BxA0KYM.CobGXG2hFasVxyQr2/m1gVDAx3.11Vy";
const SERVER: &str = "cert_file: server.crt, key_file: server.key";

/// A file of two sections.
fn text(tls: &str, users: &str) -> String {
    format!("tls_server_config: {{ {SERVER}, {tls} }}\nbasic_auth_users: {{ {users} }}\n")
}

fn tls(authority: &str, more: &str) -> String {
    format!("client_auth_type: RequireAndVerifyClientCert, client_ca_file: {authority}.crt, {more}")
}

/// One that has all that the first file asks for.
fn client(user: &'static str) -> Client {
    Client {
        user: Some(user),
        certificate: Some("dns"),
        trusts: Some("server"),
        ..Client::new("/metrics")
    }
}

/// Both answer alike, with this status; 0 for no answer.
#[track_caller]
fn check(pair: &Pair<'_>, client: &Client, expected: u16) {
    let outcomes = pair.ask_one(client);
    assert_eq!(outcomes.exporter, outcomes.toolkit, "{client:?}");
    check_exporter(&outcomes.exporter, expected);
}

/// The toolkit closes the connection, where the exporter says 500 to everybody who gets through to it.
#[track_caller]
fn check_fails_closed(pair: &Pair<'_>, client: &Client) {
    let outcomes = pair.ask_one(client);
    assert_eq!(outcomes.toolkit, Outcome::NoAnswer, "{client:?}");
    check_exporter(&outcomes.exporter, 500);
}

#[track_caller]
fn check_exporter(outcome: &Outcome, expected: u16) {
    match outcome {
        Outcome::NoAnswer => assert_eq!(expected, 0),
        Outcome::Answer { status, .. } => assert_eq!(*status, expected),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_come_and_go_while_both_serve() {
    let folder = Folder::new();
    let users = |users: &str| folder.configure(&text(&tls("authority", ""), users));
    users(ALICE);
    let pair = folder.start().await;
    let [alice, bob] = ["alice:secret", "bob:secret"].map(client);
    check(&pair, &alice, 200);
    check(&pair, &bob, 401);
    users(&format!("{ALICE}, {BOB}"));
    check(&pair, &bob, 200);
    users(BOB);
    check(&pair, &alice, 401);
    check(&pair, &bob, 200);
    // The same name with the hash of another password.
    users(&ALICE.replace("alice", "bob").replace("Xau5Y", "Xau5Z"));
    check(&pair, &bob, 401);
    users("");
    check(&pair, &client(":"), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_what_is_asked_of_clients_change_while_both_serve() {
    let folder = Folder::new();
    folder.configure(&text(&tls("authority", ""), ALICE));
    let pair = folder.start().await;
    let alice = client("alice:secret");
    let of = |certificate| Client {
        certificate: Some(certificate),
        ..alice.clone()
    };
    let of_new_server = Client {
        trusts: Some("ec-server"),
        ..alice.clone()
    };
    let without = Client {
        certificate: None,
        ..alice.clone()
    };
    check(&pair, &alice, 200);
    check(&pair, &of("stranger"), 0);

    folder.configure(&text(&tls("other-authority", ""), ALICE));
    check(&pair, &alice, 0);
    check(&pair, &of("stranger"), 200);
    // The file of the authority, by the same name.
    folder.replace("other-authority", "authority");
    check(&pair, &alice, 200);
    check(&pair, &of("stranger"), 0);

    let sans = tls("authority", "client_allowed_sans: [client@client.example]");
    folder.configure(&text(&sans, ALICE));
    check(&pair, &alice, 0);
    check(&pair, &of("email"), 200);
    folder.configure(&text("", ALICE));
    check(&pair, &without, 200);
    folder.configure(&text("client_auth_type: RequireAnyClientCert", ALICE));
    check(&pair, &without, 0);
    check(&pair, &of("self-expired"), 200);

    check(&pair, &of_new_server, 0);
    folder.replace("server", "ec-server");
    // Whom the client trusts is the file's content, too.
    check(&pair, &alice, 200);
    check(&pair, &of_new_server, 200);

    folder.configure(
        &(text("min_version: TLS13", ALICE)
            + "http_server_config: { headers: { X-Frame-Options: deny } }\n"),
    );
    check(&pair, &without, 200);
    let old = Client {
        version: Some("1.2"),
        ..without
    };
    check(&pair, &old, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_turns_bad_fails_closed_until_it_is_right_again() {
    let folder = Folder::new();
    let right = text(&tls("authority", ""), ALICE);
    folder.configure(&right);
    let pair = folder.start().await;
    let alice = client("alice:secret");
    check(&pair, &alice, 200);
    let certificate = folder.read("server.crt");
    for bad in [
        "nonsense: 1\n".to_owned(),
        "tls_server_config: {".to_owned(),
        right.replace("server.crt", "missing.crt"),
        right.replace("server.key", "ec-server.key"),
        right.replace("RequireAndVerifyClientCert", "Require"),
        // TLS is taken away.
        String::new(),
        format!("basic_auth_users: {{ {ALICE} }}\n"),
    ] {
        folder.configure(&bad);
        check_fails_closed(&pair, &alice);
        folder.configure(&right);
        check(&pair, &alice, 200);
    }
    // Half of a certificate, as it is found while it is replaced.
    folder.write("server.crt", &certificate[..certificate.len() / 2]);
    let outcomes = pair.ask_one(&Client {
        trusts: None,
        ..alice.clone()
    });
    assert_eq!(outcomes.toolkit, Outcome::NoAnswer);
    check_exporter(&outcomes.exporter, 500);
    folder.write("server.crt", &certificate);
    check(&pair, &alice, 200);
    fs::remove_file(folder.path().join(FILE)).unwrap();
    check_fails_closed(&pair, &alice);
    folder.configure(&right);
    check(&pair, &alice, 200);
    // The toolkit does not look at the hashes of a file that changes, and refuses who comes with a bad one.
    folder.configure(&text(&tls("authority", ""), "alice: secret"));
    let outcomes = pair.ask_one(&alice);
    check_exporter(&outcomes.toolkit, 401);
    check_exporter(&outcomes.exporter, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_listener_fails_closed_when_its_file_asks_for_tls() {
    let folder = Folder::new();
    let plain = format!("basic_auth_users: {{ {ALICE} }}\n");
    folder.configure(&plain);
    let pair = folder.start().await;
    let alice = Client {
        user: Some("alice:secret"),
        ..Client::new("/metrics")
    };
    check(&pair, &alice, 200);
    for (bad, by_toolkit) in [("nonsense: 1\n", 500), (&*text("", ALICE), 200)] {
        folder.configure(bad);
        let outcomes = pair.ask_one(&alice);
        check_exporter(&outcomes.toolkit, by_toolkit);
        check_exporter(&outcomes.exporter, 500);
        folder.configure(&plain);
        check(&pair, &alice, 200);
    }
    let headers = "http_server_config: { headers: { X-Frame-Options: deny } }\n";
    folder.configure(&(plain + headers));
    check(&pair, &alice, 200);
}

/// Asks by `openssl s_client`, in one TLS session that is kept, or kept from before. What it received.
fn with_session(address: &str, folder: &Folder, flags: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-tls1_3", "-connect", address]);
    let request = folder.path().join("request");
    fs::write(&request, "GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let output = command
        .args(flags)
        .current_dir(folder.path())
        .stdin(fs::File::open(request).unwrap())
        .stderr(Stdio::null())
        .output();
    String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_from_before_another_authority_lets_nobody_in() {
    let folder = Folder::new();
    folder.configure(&text(&tls("authority", ""), ""));
    let pair = folder.start().await;
    let own = ["-cert", "dns.crt", "-key", "dns.key"];
    let kept = ["-sess_in", "session"];
    for server in [&pair.toolkit, &pair.exporter] {
        folder.configure(&text(&tls("authority", ""), ""));
        let first = [own.as_slice(), &["-sess_out", "session"]].concat();
        let answer = with_session(&server.address, &folder, &first);
        assert!(answer.contains(" 200 OK\r\n"), "{answer}");
        // It is resumed as long as nothing changes, so the client needs no certificate.
        let answer = with_session(&server.address, &folder, &kept);
        assert!(answer.contains(" 200 OK\r\n"), "{answer}");
        folder.configure(&text(&tls("other-authority", ""), ""));
        assert_eq!(with_session(&server.address, &folder, &kept), "");
    }
}
