//! The web configuration as commands read it.

use std::fs;

use crate::api::Api;
use crate::cli::{Folder, OK, USAGE, serve};
use crate::http::get;
use crate::program::until;

const TENANTS: &str = "tenants: [{ customer_id: 00000000-0000-0000-0000-000000000001, tenant_id: 00000000-0000-0000-0000-000000000002 }]\n";

const FLAG: &str = "--web.config.file=web/web.yml";

fn folder(api: &Api, web: &str) -> Folder {
    let folder = Folder::with(&api.config(TENANTS));
    fs::write(folder.folder.path().join("secret"), "right").unwrap();
    fs::create_dir(folder.folder.path().join("web")).unwrap();
    write(&folder, web);
    folder
}

fn write(folder: &Folder, web: &str) {
    fs::write(folder.folder.path().join("web/web.yml"), web).unwrap();
}

#[tokio::test]
async fn a_wrong_web_configuration_is_refused_with_file_line_and_word_and_nothing_is_served() {
    let api = Api::start().await;
    let folder = folder(&api, "\nrate_limits: {}\n");
    for command in ["serve", "check", "demo"] {
        let ended = folder.start(&[command, FLAG]).end().await;
        assert_eq!(ended.code, USAGE, "{command}: {}", ended.stderr);
        let expected =
            "web/web.yml:2:1: rate_limits: unknown key; expected one of tls_server_config";
        assert!(
            ended.stderr.contains(expected),
            "{command}: {}",
            ended.stderr
        );
        assert!(
            !ended.stderr.contains("listening"),
            "{command}: {}",
            ended.stderr
        );
    }
    // Paths start at the folder of the file.
    write(
        &folder,
        "tls_server_config:\n  cert_file: web.pem\n  key_file: web.key\n",
    );
    let ended = folder.start(&["check", FLAG]).end().await;
    assert_eq!(ended.code, USAGE);
    let expected =
        "web/web.yml:2:14: tls_server_config.cert_file: the file web/web.pem cannot be read";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
}

#[tokio::test]
async fn check_says_what_the_web_configuration_asks_for() {
    let api = Api::start().await;
    let folder = folder(&api, "rate_limit: {interval: 100ms, burst: 20}\n");
    let ended = folder.start(&["check", FLAG]).end().await;
    assert_eq!(ended.code, OK, "{}", ended.stderr);
    let expected = "web configuration    web/web.yml: plain HTTP; no password; a request every 100ms, up to 20 at once\n";
    assert!(ended.stdout.ends_with(expected), "{}", ended.stdout);
}

#[tokio::test]
async fn a_web_configuration_that_turns_wrong_is_said_once_and_polls_continue() {
    let api = Api::start().await;
    let folder = folder(&api, "");
    let (program, address) = serve(&folder, &[FLAG]).await;
    assert_eq!(get(&address, "/-/healthy").await.status, 200);
    write(&folder, "basic_auth_users: {amy: secret}\n");
    for _ in 0..3 {
        assert_eq!(get(&address, "/metrics").await.status, 500);
    }
    program.signal("HUP");
    until("the reload", async || {
        program
            .stderr()
            .contains("configuration reloaded")
            .then_some(())
    })
    .await;
    write(&folder, "");
    assert_eq!(get(&address, "/-/healthy").await.status, 200);
    program.signal("TERM");
    let ended = program.end().await;
    let told = ended
        .stderr
        .matches("refused the changed web configuration")
        .count();
    assert_eq!((ended.code, told), (OK, 1), "{}", ended.stderr);
    let place = "web/web.yml:1:25: basic_auth_users.amy: is not a bcrypt hash";
    assert!(ended.stderr.contains(place), "{}", ended.stderr);
    assert!(!ended.stderr.contains("amy: secret"), "{}", ended.stderr);
}
