//! What a configuration was read from, and reading its text again.

use super::*;

const SECRETS: &str = "elements: { client_id: app, client_secret_file: app.secret }\n\
    partner_center: { tenant: a.example, client_id: pc, client_secret_file: pc.secret, refresh_token_file: pc.token }\n";

#[test]
fn a_config_notices_new_secrets_and_no_other_changes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let file = folder.path().join("config.yaml");
    write("config.yaml", &(SECRETS.to_owned() + TENANT));
    for name in ["app.secret", "pc.secret", "pc.token"] {
        write(name, "one");
    }
    let config = load(&file).unwrap();
    let names: Vec<_> = config
        .files
        .iter()
        .map(|file| file.path.file_name().unwrap())
        .collect();
    assert_eq!(names, ["app.secret", "pc.secret"]);
    assert!(config.changed_files().next().is_none());
    write("config.yaml", "");
    write("pc.token", "two");
    write("app.secret", "one");
    assert!(config.changed_files().next().is_none());
    fs::remove_file(folder.path().join("app.secret")).unwrap();
    assert!(config.changed_files().next().is_none());
    write("app.secret", "two");
    assert!(config.changed_files().next().is_some());
    write("app.secret", "one");
    assert!(config.changed_files().next().is_none());
    write("pc.secret", "two");
    assert!(config.changed_files().next().is_some());
}

#[test]
fn the_text_in_force_can_be_read_again_with_the_secrets_of_now() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let secret = folder.path().join("app.secret");
    let text = format!("elements: {{ client_id: app, client_secret_file: app.secret }}\n{TENANT}");
    fs::write(&path, text + "# hunter2\n").unwrap();
    fs::write(&secret, "one").unwrap();
    let file = ConfigFile::read(&path).unwrap();
    fs::write(&path, "not valid").unwrap();
    let secret_in_force = || client_secret(&file.parse().unwrap().elements.credential).to_owned();
    assert_eq!(secret_in_force(), "one");
    fs::write(&secret, "two").unwrap();
    assert_eq!(secret_in_force(), "two");
    fs::write(&secret, "").unwrap();
    let message = file.parse().unwrap_err().to_string();
    assert!(
        message.starts_with(&format!("{}:1:", path.display())),
        "{message}"
    );
    assert!(!format!("{file:?}").contains("hunter2"), "{file:?}");
}

#[test]
fn a_certificate_is_watched_with_its_password() {
    let source = Source {
        name: "config.yaml",
        base_dir: Path::new("tests/certificates"),
        env: &|_| None,
        // 2027-01-01, when the certificate is valid.
        now: Timestamp::from_unix(Duration::from_secs(1_798_761_600)),
    };
    let text = format!(
        "elements: {{ client_id: app, certificate: {{ file: app.pfx, password_file: password }} }}\n{TENANT}"
    );
    let config = Config::parse(&text, &source).unwrap();
    let mut names: Vec<_> = config.files.iter().map(|file| &file.path).collect();
    names.sort();
    assert_eq!(
        names,
        ["app.pfx", "password"]
            .map(|name| source.base_dir.join(name))
            .each_ref()
    );
    assert!(config.changed_files().next().is_none());
}
