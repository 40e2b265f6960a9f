//! Web config files mean to the exporter what they mean to Prometheus' exporter-toolkit, which is the reference: a small
//! server of ours on it gets the same files and the same requests. `differences` is the list of what is agreed to
//! differ. Needs `curl`, `openssl`, and the toolkit's server that `tests/run e2e` builds.

mod certificates;
mod changes;
mod client;
mod differences;
mod pair;
mod random;
mod scrapes;
mod table;

use fastrand::Rng;

use self::client::{Client, Outcome};
use self::differences::{FAULTS, FILES, REQUESTS, agreed};
use self::pair::{FILE, Folder, verdicts};
use self::random::Config;

/// Of this many random files about half are refused by the toolkit at once.
const CONFIGS: usize = 60;
const REQUESTS_PER_CONFIG: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn the_exporter_answers_as_the_toolkit_does_with_any_file_and_to_any_client() {
    let seed = std::env::var("WEB_CONFIG_SEED").map_or(1, |seed| seed.parse().unwrap());
    let mut rng = Rng::with_seed(seed);
    let folder = Folder::new();
    let read = |name: &str| folder.read(name);
    let (mut answered, mut refused, mut wrong) = (0, 0, Vec::new());
    for _ in 0..CONFIGS {
        let config = Config::random(&mut rng);
        let mut clients: Vec<_> = (0..REQUESTS_PER_CONFIG)
            .map(|_| config.client(&mut rng))
            .collect();
        let may_be_less = |client: &Client| agreed(REQUESTS, &config, client).is_some();
        let may_be_more = |client: &Client| agreed(FAULTS, &config, client).is_some();
        if config.burst.is_some() {
            // One that only the toolkit counts would shift the limit for all that follow.
            clients.retain(|client| !may_be_less(client) && !may_be_more(client));
        }
        folder.configure(&config.text(&read));
        let verdict = verdicts(folder.path(), &[FILE.to_owned()]).remove(0);
        let is_unusable = |tls: &_| agreed(FILES, &config, tls).is_some();
        let may_be_refused = config.tls.as_ref().is_some_and(is_unusable);
        // What a person who has to reproduce it needs.
        let told = config.text(&|name| format!("<{name}>"));
        let told = format!("seed {seed}: {told}\n    toolkit: {:?}", verdict.start);
        match (folder.start_exporter().await, verdict.start.is_empty()) {
            (Err(ended), is_accepted) => {
                refused += 1;
                if ended.code != Some(64) || (is_accepted && !may_be_refused) {
                    wrong.push(format!("{told}\n    exporter: {ended:?}"));
                }
            }
            (Ok(_), false) => wrong.push(format!("{told}\n    exporter: starts")),
            (Ok((exporter, scheme)), true) => {
                let pair = folder.pair(exporter, scheme).await;
                for (client, outcomes) in clients.iter().zip(pair.ask(&clients)) {
                    answered += usize::from(outcomes.toolkit != Outcome::NoAnswer);
                    let is_agreed = match (&outcomes.toolkit, &outcomes.exporter) {
                        (Outcome::Answer { .. }, Outcome::NoAnswer) => may_be_less(client),
                        (Outcome::NoAnswer, Outcome::Answer { .. }) => may_be_more(client),
                        _ => false,
                    };
                    if outcomes.exporter != outcomes.toolkit && !is_agreed {
                        wrong.push(format!("{told}\n    {client:?}\n    {outcomes:?}"));
                    }
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // There is something to compare.
    assert!(
        answered > 60 && refused > 5,
        "{answered} answered, {refused} refused"
    );
}
