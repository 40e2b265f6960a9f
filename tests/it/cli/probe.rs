//! The command `probe`, and the address that only probes are served on.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::cli::demo::demo;
use crate::cli::{FAILED, OK, run};
use crate::http::{get, request};
use crate::program::{Ended, Program, exporter, until};

/// Runs a probe of this address. Proxies of the environment lead nowhere.
async fn probe(address: &str, flags: &[&str]) -> Ended {
    let url = format!("--url=http://{address}");
    let mut command = exporter(["probe", &url].iter().chain(flags));
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    Program::start(&mut command).end().await
}

/// Where a program serves probes, by its log.
async fn probes_of(program: &Program) -> String {
    until("the address of the probes", async || {
        let log = program.stderr();
        let line = log
            .lines()
            .find(|line| line.contains("listening for probes"))?;
        let (_, address) = line.split_once(" address=")?;
        Some(address.to_owned())
    })
    .await
}

#[tokio::test]
async fn the_address_for_probes_has_health_and_readiness_and_no_other_page() {
    let (program, address) = demo(&["--web.probe-listen-address=127.0.0.1:0"]).await;
    let probes = probes_of(&program).await;
    assert_eq!(get(&probes, "/-/healthy").await.status, 200);
    until("the first round", async || {
        (get(&probes, "/-/ready").await.status == 200).then_some(())
    })
    .await;
    for path in [
        "/",
        "/metrics",
        "/api/v1/status",
        "/rules/",
        "/-/reload",
        "/nothing",
    ] {
        for method in ["GET", "POST"] {
            let answer = request(method, &probes, path, "").await;
            let expected = "not found; this address has only /-/healthy and /-/ready\n";
            assert_eq!(
                (answer.status, &*answer.text()),
                (404, expected),
                "{method} {path}"
            );
        }
    }
    assert_eq!(get(&address, "/metrics").await.status, 200);
    for address in [&probes, &address] {
        for flags in [&[][..], &["--ready"]] {
            let ended = probe(address, flags).await;
            assert_eq!(
                (ended.code, ended.stdout, ended.stderr),
                (OK, String::new(), String::new())
            );
        }
    }
}

#[tokio::test]
async fn a_probe_of_an_exporter_that_is_not_ready_says_so() {
    let hangs = demo(&["--faults=hang:1"]);
    let (_program, address) = hangs.await;
    assert_eq!(probe(&address, &[]).await.code, OK);
    let ended = probe(&address, &["--ready"]).await;
    assert_eq!((ended.code, ended.stdout), (FAILED, String::new()));
    assert_eq!(
        ended.stderr,
        format!(
            "avepoint-exporter: http://{address}/-/ready answered 503 Service Unavailable: the first round of polls is \
             still running\n"
        )
    );
}

/// Runs a probe of a server that gives this answer. The request must be what a probe sends.
async fn answered(answer: &str) -> Ended {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 1024];
        let length = stream.read(&mut request).await.unwrap();
        assert!(request[..length].starts_with(b"GET /-/healthy HTTP/1.1\r\n"));
        stream.write_all(answer.as_bytes()).await.unwrap();
    };
    let (mut ended, ()) = tokio::join!(probe(&address, &["--timeout=20s"]), serving);
    ended.stderr = ended.stderr.replace(&address, "ADDRESS");
    ended
}

#[tokio::test]
async fn any_answer_but_200_fails_with_what_to_do_and_a_redirect_is_not_followed() {
    let page = "avepoint-exporter: http://ADDRESS/-/healthy";
    for (status, headers, expected) in [
        (
            "401 Unauthorized",
            "WWW-Authenticate: Basic\r\n",
            "answered 401 Unauthorized, it wants a password; start the exporter with --web.probe-listen-address and pass \
             this address to --url",
        ),
        (
            "302 Found",
            "Location: http://127.0.0.1:9/\r\n",
            "answered 302 Found, not 200; is it an exporter's address? see --url",
        ),
        (
            "404 Not Found",
            "",
            "answered 404 Not Found, not 200; is it an exporter's address? see --url",
        ),
    ] {
        let ended = answered(&format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\n\r\n"
        ))
        .await;
        assert_eq!(ended.code, FAILED);
        assert_eq!(ended.stderr, format!("{page} {expected}\n"));
    }
}

#[tokio::test]
async fn a_probe_that_gets_no_answer_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let ended = probe(&address, &["--timeout=100ms"]).await;
    assert_eq!(ended.code, FAILED);
    let silent = format!("http://{address}/-/healthy: no answer within 100ms; is it running, ");
    assert!(ended.stderr.contains(&silent), "{}", ended.stderr);
    drop(listener);
    let ended = probe(&address, &[]).await;
    assert_eq!(ended.code, FAILED);
    let refused =
        format!("http://{address}/-/healthy: Connection refused (os error 111); is it running, ");
    assert!(ended.stderr.contains(&refused), "{}", ended.stderr);
    // Plain HTTP behind an address for TLS.
    let (_program, address) = demo(&[]).await;
    let ended = run(&["probe", &format!("--url=https://{address}")]).await;
    assert_eq!(ended.code, FAILED);
    assert!(
        ended.stderr.contains("--web.probe-listen-address"),
        "{}",
        ended.stderr
    );
}
