//! The files that come with the program: a page that lists those of a folder, and each of them by its name.

use std::fmt::Write as _;

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Response, StatusCode};

use crate::bundle::{FOLDERS, File, Folder};

use super::answers::{JSON, TEXT, encoded, html, moved, respond};
use super::parts::Parts;

/// Not `application/yaml`, which browsers save where they show this.
pub(super) const YAML: HeaderValue = HeaderValue::from_static("text/yaml; charset=utf-8");

/// The folder that a path is in or names, and the rest of the path: nothing, or a slash and the rest.
pub(super) fn folder(path: &str) -> Option<(&'static Folder, &str)> {
    let path = path.strip_prefix('/')?;
    FOLDERS.iter().find_map(|folder| {
        let rest = path.strip_prefix(folder.name)?;
        (rest.is_empty() || rest.starts_with('/')).then_some((*folder, rest))
    })
}

/// The list of a folder's files, or the one that `rest` names. A name is looked up among those of the folder and
/// leads to no path.
pub(super) fn answer(folder: &Folder, rest: &str, gzip: bool) -> Response<Parts> {
    let Some(name) = rest.strip_prefix('/') else {
        // Relative, since there may be a proxy before the exporter that knows it by another path.
        return HeaderValue::try_from(format!("{}/", folder.name))
            .map_or_else(|_| list(folder), moved);
    };
    match folder.file(name) {
        _ if name.is_empty() => list(folder),
        Some(file) => content(file, gzip),
        None => {
            let names: Vec<_> = folder.files.iter().map(|file| file.name).collect();
            let why = format!("not found; /{}/ has {}\n", folder.name, names.join(", "));
            respond(StatusCode::NOT_FOUND, TEXT, why)
        }
    }
}

fn list(folder: &Folder) -> Response<Parts> {
    let mut content = format!("<p>{}.</p>\n<ul>\n", folder.purpose);
    for File { name, .. } in folder.files {
        let _ = writeln!(content, "<li><a href=\"{name}\">{name}</a></li>");
    }
    content.push_str("</ul>\n");
    html(folder.name, &content)
}

fn content(file: &File, gzip: bool) -> Response<Parts> {
    let content_type = match file.name.rsplit_once('.') {
        Some((_, "json")) => JSON,
        // Browsers would save Markdown if it were called so.
        Some((_, "md")) => TEXT,
        _ => YAML,
    };
    let text = Bytes::from_static(file.text.as_bytes());
    encoded(Parts::of_text(text, gzip), content_type, gzip)
}
