//! What is shown is the text format as others write it, and the metrics are those of the contract.

mod blocks;
pub(crate) mod contract;
mod families;
pub(crate) mod full;
mod reference;
pub(crate) mod snapshots;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use avepoint_exporter::domain::{Clock, Timestamp};
use avepoint_exporter::exposition::{Body, Format, Kind, Packed, catalogue, gzip, render};
use avepoint_exporter::server::{Pages, Sources};
use avepoint_exporter::snapshot::Snapshot;
use avepoint_exporter::upstream::Stats;
use bytes::Buf as _;
use flate2::bufread::GzDecoder;
use http::Request;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use prometheus::{IntCounter, Registry, TextEncoder};
use proptest::prelude::*;
use tokio::sync::watch;

use self::contract::{FORBIDDEN_LABELS, OWN, Row, TENANTS};
use self::full::{full, names_in_the_sources};
use self::snapshots::{NOW, any_snapshot, any_text, at, golden};
use crate::support::cases;

#[test]
fn the_exposition_of_a_fleet_is_the_golden_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/golden/tenants.txt");
    let text = render(&golden(), at(NOW));
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let right = std::fs::read_to_string(path).unwrap();
    let differing = text
        .lines()
        .zip(right.lines())
        .find(|(shown, right)| shown != right);
    assert!(
        text == right,
        "the exposition differs from tests/it/golden/tenants.txt, first in {differing:#?}; \
         if that is meant: BLESS=1 cargo test --test it golden"
    );
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn the_exposition_is_what_the_prometheus_crate_would_write(snapshot in any_snapshot()) {
        check_against_the_crate(&render(&snapshot, Timestamp::default()));
    }

    #[test]
    fn a_compressed_exposition_is_the_plain_one_piece_after_piece(tenants in any_text(), own in any_text()) {
        let pieces = [&tenants, &own].map(|text| Packed::new(text.as_bytes()));
        prop_assert_eq!(&pieces[0].text(), tenants.as_bytes());
        prop_assert_eq!(pieces[0].text_len(), tenants.len() as u64);
        prop_assert_eq!(unzip(&gzip(&pieces).concat()), tenants + &own);
    }
}

#[test]
fn the_golden_exposition_is_what_the_prometheus_crate_would_write() {
    check_against_the_crate(&render(&golden(), at(NOW)));
}

fn check_against_the_crate(text: &str) {
    let encoded = TextEncoder::new()
        .encode_to_string(&families::read(text))
        .unwrap();
    assert_eq!(text, encoded);
}

#[test]
fn the_catalogue_keeps_the_rules_of_prometheus() {
    let names: BTreeSet<_> = catalogue().map(|metric| metric.name).collect();
    assert_eq!(names.len(), catalogue().count(), "a name stands twice");
    for metric in catalogue() {
        assert_eq!(
            metric.kind == Kind::Counter,
            metric.name.ends_with("_total"),
            "{}",
            metric.name
        );
        let labels: BTreeSet<_> = metric.labels.iter().collect();
        assert_eq!(labels.len(), metric.labels.len(), "{}", metric.name);
    }
    check_rules(&render(&golden(), at(NOW)));
}

#[test]
fn the_tenants_metrics_are_those_of_the_contract() {
    let names: Vec<_> = catalogue().map(|metric| metric.name).collect();
    let wanted: Vec<_> = TENANTS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, wanted);
    let text = render(&golden(), at(NOW));
    // The golden fleet has operators' labels beside those of the contract.
    let mut shown = families_of(&text);
    let info = shown.get_mut("avepoint_tenant_info").unwrap();
    assert!(info.1.remove("sla") && info.1.remove("zone"));
    assert_eq!(shown, table(TENANTS));
}

#[tokio::test]
async fn the_exporters_own_metrics_are_those_of_the_contract() {
    let text = full().await;
    check_rules(&text);
    let (process, own): (BTreeMap<_, _>, _) = families_of(&text)
        .into_iter()
        .filter(|(name, _)| TENANTS.iter().all(|(tenants, ..)| name != tenants))
        .partition(|(name, _)| name.starts_with("process_"));
    assert_eq!(own, table(OWN));
    for name in [
        "process_cpu_seconds_total",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
    ] {
        assert!(process.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn no_metric_is_forgotten_by_these_tests() {
    let shown = families_of(&full().await).into_keys();
    let tenants = TENANTS.iter().map(|(name, ..)| (*name).to_owned());
    let known: BTreeSet<_> = shown.chain(tenants).collect();
    assert_eq!(names_in_the_sources(), known);
}

/// A type and the names of labels, by the name of their metric.
pub(crate) type Families = BTreeMap<String, (String, BTreeSet<String>)>;

fn table(rows: &[Row]) -> Families {
    let rows = rows.iter().map(|(name, kind, labels)| {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        ((*name).to_owned(), ((*kind).to_owned(), labels))
    });
    rows.collect()
}

/// The metrics of a text: their types, and the labels that any of their samples has.
pub(crate) fn families_of(text: &str) -> Families {
    let mut families = Families::new();
    let mut histogram = None;
    for line in text.lines() {
        if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|line| line.split_once(' '))
        {
            let before = families.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
            assert_eq!(before, None, "{name} has two heads");
            histogram = (kind == "histogram").then(|| name.to_owned());
        } else if !line.starts_with('#') {
            let (name, labels) = crate::support::read_series(line);
            let name = histogram.clone().unwrap_or(name);
            let (_, names) = families
                .get_mut(&name)
                .unwrap_or_else(|| panic!("{name} has no head"));
            let is_bound = |label: &String| histogram.is_some() && label == "le";
            names.extend(labels.into_keys().filter(|label| !is_bound(label)));
        }
    }
    families
}

/// The rules that hold for each metric, whosever it is.
fn check_rules(text: &str) {
    for (name, (kind, labels)) in families_of(text) {
        assert!(
            name.starts_with("avepoint_") || name.starts_with("process_"),
            "{name}"
        );
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
        for label in labels {
            assert!(
                !FORBIDDEN_LABELS.contains(&label.as_str()),
                "{name} has the label {label}"
            );
        }
        let head = format!("# HELP {name} ");
        let help = text
            .lines()
            .find_map(|line| line.strip_prefix(&head))
            .unwrap_or_else(|| panic!("{name} has no help"));
        assert!(
            !help.trim().is_empty() && !help.contains('\\') && help.trim() == help,
            "{name}: {help:?}"
        );
    }
}

#[tokio::test]
async fn a_scrape_with_gzip_brings_the_same_text_as_one_without() {
    let pages = pages(Body::new(&many(), at(NOW)));
    for format in Format::ALL {
        let plain = scrape(&pages, format, "identity").await;
        assert!(plain.len() > 4 * 1024 * 1024, "large enough for blocks");
        assert!(
            plain == scrape(&pages, format, "gzip").await,
            "{format:?} differs"
        );
        assert_eq!(plain.ends_with("\n# EOF\n"), format == Format::OpenMetrics);
    }
}

#[tokio::test(start_paused = true)]
async fn the_exporters_own_series_are_rendered_once_a_second_in_each_format() {
    let pages = pages(Body::default());
    let requests = |text: String| {
        let counts = text
            .lines()
            .find_map(|line| line.strip_prefix("avepoint_exporter_http_requests_total{"));
        counts.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u32>().unwrap())
    };
    for (format, scrapes) in Format::ALL.into_iter().zip([0, 3]) {
        let first = Some(scrapes).filter(|scrapes| *scrapes > 0);
        assert_eq!(requests(scrape(&pages, format, "").await), first);
        tokio::time::advance(Duration::from_millis(999)).await;
        assert_eq!(requests(scrape(&pages, format, "gzip").await), first);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(
            requests(scrape(&pages, format, "").await),
            Some(scrapes + 2)
        );
    }
}

/// The golden snapshot's tenants, many times over.
fn many() -> Snapshot {
    let mut many = golden();
    many.targets = many.targets.iter().cloned().cycle().take(2000).collect();
    many
}

/// The exposition in each format, as it is sent.
fn forms(body: &Body) -> [String; 2] {
    Format::ALL.map(|format| String::from_utf8(body.form(format).text().into()).unwrap())
}

#[test]
fn what_is_kept_in_blocks_is_the_whole_exposition() {
    for snapshot in [Snapshot::default(), golden(), many()] {
        let [text, open_metrics] = forms(&Body::new(&snapshot, at(NOW)));
        assert!(text == render(&snapshot, at(NOW)));
        let samples = |text: &str| -> Vec<_> {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect()
        };
        assert!(samples(&text) == samples(&open_metrics));
    }
}

/// Pages over this body and a registry with one counter in it.
fn pages(tenants: Body) -> Pages {
    let registry = Registry::new();
    if !tenants.form(Format::Text).is_empty() {
        let own = IntCounter::new("avepoint_own_total", "A series of the exporter.").unwrap();
        registry.register(Box::new(own)).unwrap();
    }
    let sources = Sources {
        tenants: watch::channel(tenants).1,
        snapshots: watch::channel(Arc::default()).1,
        storage: watch::channel(None).1,
        upstream: Stats::register(&Registry::new()).unwrap(),
        config: watch::channel(Arc::default()).1,
        read_at: watch::channel(Timestamp::default()).1,
        registry,
        clock: Clock::system(),
        reload: None,
        demand: None,
    };
    Pages::new(sources, "/metrics".to_owned(), 40).unwrap()
}

/// Asks for the exposition in this format; decodes it if it is compressed.
async fn scrape(pages: &Pages, format: Format, encodings: &str) -> String {
    let request = Request::get("/metrics")
        .header(ACCEPT_ENCODING, encodings)
        .header(ACCEPT, format.content_type());
    let response = pages.answer(request.body(()).unwrap()).await;
    assert!(response.status().is_success());
    let headers = response.headers();
    assert_eq!(headers[CONTENT_TYPE], format.content_type());
    assert_eq!(headers[VARY], "Accept, Accept-Encoding");
    let zipped = headers.contains_key(CONTENT_ENCODING);
    assert_eq!(zipped, encodings == "gzip");
    let len = response.body().size_hint().exact();
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let mut data = frame.unwrap().into_data().unwrap();
        let len = data.remaining();
        assert!(len <= 64 * 1024, "a frame of {len} bytes");
        bytes.extend_from_slice(&data.copy_to_bytes(len));
    }
    assert_eq!(Some(bytes.len() as u64), len);
    assert!(body.is_end_stream());
    if zipped {
        unzip(&bytes)
    } else {
        String::from_utf8(bytes).unwrap()
    }
}

/// Reads one gzip body, as those do that know of no second one behind it.
fn unzip(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(&mut bytes)
        .read_to_string(&mut text)
        .unwrap();
    assert!(bytes.is_empty(), "something follows");
    text
}
