//! The pages of a running exporter, asked over raw sockets.

mod apart;
mod attacks;
mod hostile;
mod locks;
mod pages;
mod slow;
mod status;

use std::time::Duration;

use avepoint_exporter::app::{Exporter, Web};
use avepoint_exporter::domain::Clock;
use avepoint_exporter::server::Limits;
use avepoint_exporter::simulator::{Fault, Options, Rule, Simulator, When, World};
use tokio::net::TcpSocket;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::http::get;
use crate::program::until;
use crate::support::{config, simulator};

/// A running exporter and its upstream. Both end with it.
struct Server {
    address: String,
    simulator: Simulator,
    shutdown: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Server {
    async fn start(options: Options, web: Web) -> Self {
        let simulator = simulator(options).await;
        let config = config(&simulator, "", "");
        let socket = TcpSocket::new_v4().unwrap();
        // Taken over by its connections: the kernel takes little for a client that does not read.
        socket.set_send_buffer_size(16 * 1024).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1024).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shutdown = CancellationToken::new();
        let exporter = Exporter::new(&config, Clock::system()).unwrap();
        let running =
            tokio::spawn(exporter.run(vec![listener], web, Handle::current(), shutdown.clone()));
        Self {
            address,
            simulator,
            shutdown,
            running,
        }
    }

    /// One whose first round has ended and is shown.
    async fn settled(world: World) -> Self {
        let tenants = world.tenants().len();
        let server = Self::start(Options::new(world), web()).await;
        until("the first round", async || {
            let text = get(&server.address, "/metrics").await.text();
            (text.matches("\navepoint_backup_users{").count() == tenants).then_some(())
        })
        .await;
        server
    }

    /// One whose upstream never answers.
    async fn starved(tenants: usize, web: Web) -> Self {
        let mut options = Options::new(World::seeded(1, tenants, 10));
        options.rules = vec![Rule::new(Fault::Hang, When::always())];
        Self::start(options, web).await
    }

    /// Fails the test unless the exporter still answers at once.
    async fn is_well(&self) {
        let healthy = get(&self.address, "/-/healthy");
        let answer = tokio::time::timeout(Duration::from_secs(2), healthy).await;
        assert_eq!(answer.unwrap().status, 200);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn web() -> Web {
    Web {
        telemetry_path: "/metrics".to_owned(),
        max_requests: 40,
        reload: None,
        limits: Limits::default(),
        lock: None,
    }
}

/// Limits for which a test can wait.
fn short() -> Web {
    Web {
        limits: Limits {
            head: Duration::from_secs(1),
            lifetime: Duration::from_secs(1),
            stall: Duration::from_secs(1),
            last_answer: Duration::from_millis(100),
            ..Limits::default()
        },
        ..web()
    }
}
