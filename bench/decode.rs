//! Measures decoding on one core: rows per second from the bodies of a security listing to its figures, beside a
//! loop that only runs `serde_json` over the same bytes into the same fields.
//!
//!     bench/decode
//!
//! The bodies are those of the simulated upstream. Both take turns, and the medians of their turns are compared.
//! Time is what this process has spent on the processor, so that others on the machine do little harm.

use std::borrow::Cow;
use std::hint::black_box;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::net::TcpListener;

use avepoint_exporter::collectors::security_users::{Fold, read_page};
use avepoint_exporter::config::StatusEncoding;
use avepoint_exporter::simulator::{
    CLIENT_ID, CLIENT_SECRET, Options, Simulator, Statuses, Tenant, World,
};
use avepoint_exporter::upstream::Pseudonyms;

/// Users of the tenant. Two in five of them have a finding.
const USERS: usize = 20_000;

/// Turns of each.
const ROUNDS: usize = 11;

/// Rows that are read in a turn, at least.
const ROWS_PER_ROUND: usize = 300_000;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let bodies = runtime.block_on(bodies())?;
    drop(runtime);

    let rows = serde_json_only(&bodies)?;
    let (read, users) = ours(&bodies)?;
    ensure!(
        rows == read && users > 0,
        "{rows} rows are not {read}, or nobody was counted"
    );
    let (mut ours_took, mut theirs_took) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours_took.push(seconds_per_row(rows, || Ok(ours(&bodies)?.0))?);
        theirs_took.push(seconds_per_row(rows, || serde_json_only(&bodies))?);
    }
    let (ours_took, theirs_took) = (median(ours_took)?, median(theirs_took)?);
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    println!(
        "{rows} rows in {} bodies of {} bytes on average; medians of {ROUNDS} turns",
        bodies.len(),
        bytes / bodies.len()
    );
    println!("| | rows per second on one core |\n|---|---|");
    println!("| body to figures | {:.0} |", 1.0 / ours_took);
    println!("| serde_json only | {:.0} |", 1.0 / theirs_took);
    println!("| ratio | {:.2} |", theirs_took / ours_took);
    Ok(())
}

/// What the exporter does with the bodies of a listing; returns how many rows and how many users there are.
fn ours(bodies: &[Vec<u8>]) -> anyhow::Result<(usize, u64)> {
    let pseudonyms = Pseudonyms::default();
    let mut fold = Fold::new(false);
    let mut rows = 0;
    for body in bodies {
        let page = read_page(body, StatusEncoding::Codes, &pseudonyms)
            .map_err(|cause| anyhow::anyhow!("{cause}"))?;
        rows += page.rows.len();
        fold.page(&page)
            .map_err(|cause| anyhow::anyhow!("{cause}"))?;
    }
    let found = black_box(fold.finish());
    Ok((rows, found.figures.users))
}

/// The same fields, as a careful user of serde reads them: text is borrowed from the body where it can be.
fn serde_json_only(bodies: &[Vec<u8>]) -> anyhow::Result<usize> {
    let mut rows = 0;
    for body in bodies {
        let page: PlainPage<'_> = serde_json::from_slice(body)?;
        rows += black_box(&page).data.len();
    }
    Ok(rows)
}

#[derive(Deserialize)]
struct PlainPage<'a> {
    #[serde(borrow)]
    data: Vec<PlainUser<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "they are only read from the body")]
struct PlainUser<'a> {
    #[serde(borrow)]
    id: Option<PlainText<'a>>,
    #[serde(borrow)]
    mail: Option<PlainText<'a>>,
    #[serde(borrow)]
    user_principal_name: Option<PlainText<'a>>,
    is_test_user: Option<bool>,
    status: Option<Vec<i64>>,
}

/// In a struct of its own, since serde does not see through an `Option` that a text can be borrowed.
#[derive(Deserialize)]
#[serde(transparent)]
#[expect(dead_code, reason = "it is only read from the body")]
struct PlainText<'a>(#[serde(borrow)] Cow<'a, str>);

fn seconds_per_row(
    rows: usize,
    mut pass: impl FnMut() -> anyhow::Result<usize>,
) -> anyhow::Result<f64> {
    let start = processor_seconds()?;
    let mut read = 0;
    while read < ROWS_PER_ROUND.max(rows) {
        read += pass()?;
    }
    Ok((processor_seconds()? - start) / read as f64)
}

/// What this thread has spent on the processor, which is the only one by then.
fn processor_seconds() -> anyhow::Result<f64> {
    let spent = procfs::process::Process::myself()?.schedstat()?;
    Ok(spent.sum_exec_runtime as f64 / 1e9)
}

fn median(mut figures: Vec<f64>) -> anyhow::Result<f64> {
    figures.sort_by(f64::total_cmp);
    figures
        .get(figures.len() / 2)
        .copied()
        .context("nothing was measured")
}

/// A world of one tenant, whose findings are all written as lists: the plain loop reads nothing else.
fn world() -> anyhow::Result<World> {
    let world = World::seeded(1, 1, USERS);
    let tenant = world.tenants().first().context("no tenant")?;
    let in_lists = tenant.security_users(0).map(|user| {
        let mut user = user.into_owned();
        let codes = user.statuses.iter().flat_map(Statuses::codes).copied();
        user.statuses = Some(Statuses::Codes(codes.collect()));
        user
    });
    let rows = in_lists.collect();
    let tenant = Tenant::given(tenant.customer_id, tenant.tenant_id, rows, Vec::new());
    Ok(World::given(vec![tenant]))
}

/// The bodies of the tenant's security listing.
async fn bodies() -> anyhow::Result<Vec<Vec<u8>>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let simulator = Simulator::start(listener, Options::new(world()?))?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let form = format!(
        "grant_type=client_credentials&client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}\
         &scope=elements.um.user.read.all"
    );
    let request = client
        .post(simulator.token_url())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let answer: serde_json::Value = serde_json::from_slice(&body(request).await?)?;
    let token = answer
        .get("access_token")
        .and_then(|token| token.as_str())
        .context("no token")?;
    let tenant = simulator.world().tenants().first().context("no tenant")?;
    let listing = format!(
        "{}/partner/external/v3/um/customers/{}/tenants/{}/overview/security/users",
        simulator.url(),
        tenant.customer_id,
        tenant.tenant_id
    );
    let mut bodies = Vec::new();
    loop {
        let url = format!("{listing}?pageIndex={}&pageSize=100", bodies.len() + 1);
        let body = body(client.get(url).bearer_auth(token)).await?;
        if serde_json::from_slice::<PlainPage<'_>>(&body)?
            .data
            .is_empty()
        {
            return Ok(bodies);
        }
        bodies.push(body);
    }
}

async fn body(request: reqwest::RequestBuilder) -> anyhow::Result<Vec<u8>> {
    let mut response = request.send().await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
