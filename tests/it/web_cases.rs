//! The table of web config files in `tests/web_config/cases.yaml`, and its files in a folder. It knows nothing about who
//! reads them.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// A file and what becomes of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) text: String,
    /// The toolkit's; empty where it accepts the file.
    #[serde(default)]
    pub(crate) error: String,
    /// `start` for an error that the toolkit's check does not find.
    #[serde(default)]
    pub(crate) at: String,
    /// Why the exporter's verdict is another one.
    #[serde(default)]
    pub(crate) exporter: String,
}

/// The rows of the table with the names of their files, which are in this new folder beside those that they name.
pub(crate) fn written_to(folder: &Path) -> Vec<(Case, String)> {
    fs::create_dir(folder).unwrap();
    for entry in fs::read_dir("tests/certificates").unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    fs::write(folder.join("empty"), "").unwrap();
    let table = fs::read_to_string("tests/web_config/cases.yaml").unwrap();
    let cases: Vec<Case> = serde_yaml::from_str(&table).unwrap();
    let quoted = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        serde_json::to_string(&text).unwrap()
    };
    let written = |(index, case): (usize, Case)| {
        let text = case
            .text
            .replace("%tls%", "cert_file: app.crt, key_file: app.key")
            .replace(
                "%hash%",
                "$2y$04$Xau5Y0sK2ob/V5BxA0KYM.CobGXG2hFasVxyQr2/m1gVDAx3.11Vy",
            )
            .replace("%app.crt%", &quoted("app.crt"))
            .replace("%app.key%", &quoted("app.key"));
        let file = format!("{index}.yaml");
        fs::write(folder.join(&file), text).unwrap();
        (case, file)
    };
    cases.into_iter().enumerate().map(written).collect()
}
