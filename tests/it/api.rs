//! An upstream whose customers, tenants and credentials change while an exporter runs: each answer is what the test
//! says it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};

use avepoint_exporter::domain::{CustomerId, TenantId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Customers with their names, and their tenants with theirs.
pub(crate) type Customer = (u128, &'static str, Vec<(u128, &'static str)>);

/// What the upstream answers, and what it was asked.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// `None` where they are refused.
    pub(crate) customers: Option<Vec<Customer>>,
    /// The client secret that it takes.
    pub(crate) secret: &'static str,
    /// Requests that were answered, by the end of their path: `token`, `customers`, or a tenant's id.
    pub(crate) asked: BTreeMap<String, usize>,
}

/// The upstream. It ends when it is dropped.
pub(crate) struct Api {
    url: String,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

impl Api {
    /// One that takes the secret `right` and knows of no customers.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            customers: Some(Vec::new()),
            secret: "right",
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        Self {
            url,
            state,
            _tasks: tasks,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How often a tenant's listings were asked for.
    pub(crate) fn asked_of(&self, tenant: u128) -> usize {
        let id = TenantId::from_bits(tenant).to_string();
        self.state().asked.get(&id).copied().unwrap_or_default()
    }

    /// How often the customers were asked for.
    pub(crate) fn discoveries(&self) -> usize {
        self.state()
            .asked
            .get("customers")
            .copied()
            .unwrap_or_default()
    }

    /// A configuration for it, with the secret in the file `secret` and these sections.
    pub(crate) fn config(&self, sections: &str) -> String {
        let url = &self.url;
        format!(
            "elements:\n  api_url: {url}\n  token_url: {url}/token\n  client_id: test\n  client_secret_file: ./secret\n  \
             rate_limit: {{ requests_per_second: 10000, burst: 1000 }}\n{sections}"
        )
    }
}

/// Answers one request, whose body comes with its head or soon after.
async fn answer(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut request = String::new();
    let mut buffer = vec![0; 16 * 1024];
    while !is_whole(&request) {
        let Ok(n @ 1..) = stream.read(&mut buffer).await else {
            return;
        };
        request.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
    }
    let (status, body) = respond(&request, &mut state.lock().unwrap());
    let text = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(text.as_bytes()).await;
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.to_lowercase().lines().find_map(|line| {
        let length = line.strip_prefix("content-length:")?;
        length.trim().parse().ok()
    });
    body.len() >= length.unwrap_or(0)
}

fn respond(request: &str, state: &mut State) -> (u16, String) {
    let path = request.split(' ').nth(1).unwrap();
    let (asked, answer) = if path == "/token" {
        let is_right = request.contains(&format!("client_secret={}", state.secret));
        let answer = if is_right {
            (
                200,
                r#"{"access_token":"t","expires_in":86400,"token_type":"Bearer"}"#.to_owned(),
            )
        } else {
            (401, r#"{"error":"invalid_client"}"#.to_owned())
        };
        ("token", answer)
    } else if path.contains("/general/customers/batch") {
        let answer = match &state.customers {
            Some(customers) => (200, listing(customers)),
            None => (403, String::new()),
        };
        ("customers", answer)
    } else {
        let (_, rest) = path.split_once("/tenants/").unwrap();
        let rows = if rest.contains("/security/") {
            r#"{"data":[{"id":"a","status":[3]}],"metadata":{"totalCount":1}}"#
        } else {
            r#"{"data":[],"metadata":{"totalCount":0}}"#
        };
        (rest.split('/').next().unwrap(), (200, rows.to_owned()))
    };
    *state.asked.entry(asked.to_owned()).or_default() += 1;
    answer
}

fn listing(customers: &[Customer]) -> String {
    let mut rows = Vec::new();
    for (id, name, tenants) in customers {
        let tenants: Vec<_> = tenants
            .iter()
            .map(|(id, name)| {
                let id = TenantId::from_bits(*id);
                format!(r#"{{"id":"{id}","name":"{name}"}}"#)
            })
            .collect();
        let mut row = String::new();
        write!(
            row,
            r#"{{"id":"{}","organization":"{name}","ownerEmail":"planted@contoso.example","jobStatus":1,"tenants":[{}]}}"#,
            CustomerId::from_bits(*id),
            tenants.join(",")
        )
        .unwrap();
        rows.push(row);
    }
    format!(
        r#"{{"data":[{}],"metadata":{{"totalCount":{}}}}}"#,
        rows.join(","),
        rows.len()
    )
}
