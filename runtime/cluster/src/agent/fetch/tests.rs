use std::os::unix::fs::PermissionsExt as _;

use axum::Router;
use axum::body::Body;
use axum::response::Redirect;
use axum::routing::get;
use tokio::net::TcpListener;

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

fn uri(value: &str) -> Uri {
    Uri { value: value.to_owned(), executable: Some(true), ..Uri::default() }
}

/// A server of a program, of pages that lead to it or nowhere, and of one that never comes.
async fn server() -> String {
    let never = || async { Body::from_stream(futures::stream::pending::<io::Result<Bytes>>()) };
    let router = Router::new()
        .route("/executor", get(|| async { "program" }))
        .route("/moved", get(|| async { Redirect::temporary("/executor") }))
        .route("/away", get(|| async { Redirect::temporary("https://example.com/executor") }))
        .route("/round", get(|| async { Redirect::temporary("/round") }))
        .route("/never", get(never));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}

/// A server that announces more than is taken, whatever it is asked.
fn large() -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/large", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _asked = stream.read(&mut [0; 1024]).unwrap();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MAX_DOWNLOAD + 1);
        stream.write_all(head.as_bytes()).unwrap();
        // Nothing comes; the other end need not wait for it.
        let _closed = stream.read(&mut [0; 1]);
    });
    address
}

#[tokio::test]
async fn a_program_of_a_web_server_is_there_when_it_is_whole() {
    let (server, sandbox) = (server().await, tempfile::tempdir().unwrap());
    let moved = Uri { output_file: Some("e".to_owned()), ..uri(&format!("{server}/moved")) };
    let uris = [uri(&format!("{server}/executor")), moved];
    assert!(waits(&uris));
    download(&uris, sandbox.path(), PATIENCE).await.unwrap();
    copy(&uris, sandbox.path()).unwrap();
    for name in ["executor", "e"] {
        let path = sandbox.path().join(name);
        assert_eq!(fs::read_to_string(&path).unwrap(), "program");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
    }
    assert_eq!(fs::read_dir(sandbox.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn what_cannot_be_had_is_named_with_the_reason_and_leaves_nothing() {
    let (server, sandbox) = (server().await, tempfile::tempdir().unwrap());
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let cases = [
        (format!("{server}/missing"), "the answer is 404 Not Found"),
        (format!("{server}/away"), "leads to \"https://example.com/executor\", and only paths"),
        (large(), "it is larger than 1073741824 bytes"),
        ("hdfs://h/executor".to_owned(), "and what http:// addresses have"),
        (format!("{server}/round"), "it leads on more than 10 times"),
        (format!("http://{closed}/executor"), "Connection refused"),
        ("http://".to_owned(), "it names no file"),
    ];
    for (address, reason) in cases {
        let found = download(&[uri(&address)], sandbox.path(), PATIENCE).await;
        let error = found.unwrap_err().to_string();
        assert!(error.starts_with(&format!("failed to fetch {address:?}: ")), "{error}");
        assert!(error.contains(reason), "{error}");
    }
    let address = format!("{server}/never");
    let error = download(&[uri(&address)], sandbox.path(), Duration::from_millis(50)).await;
    let error = error.unwrap_err().to_string();
    assert_eq!(error, format!("failed to fetch {address:?}: it did not come within 50ms"));
    assert_eq!(fs::read_dir(sandbox.path()).unwrap().count(), 0);
}

#[test]
fn a_path_is_one_of_the_server_that_names_it() {
    assert_eq!(follow("http://h?x=1/2", "/y").unwrap(), "http://h/y");
    assert_eq!(follow("http://h:80/a/b?c", "/y?z").unwrap(), "http://h:80/y?z");
    assert_eq!(follow("http://h/a", "http://other/b").unwrap(), "http://other/b");
    for elsewhere in ["//other/b", "https://h/b", "b"] {
        assert!(follow("http://h/a", elsewhere).is_err(), "{elsewhere}");
    }
}

#[test]
fn files_of_the_machine_are_copied_and_others_refused() {
    let (from, sandbox) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = from.path().join("executor");
    fs::write(&program, "program").unwrap();
    let uris = [uri(&format!("file://{}", program.display()))];
    assert!(!waits(&uris));
    copy(&uris, sandbox.path()).unwrap();
    assert_eq!(fs::read_to_string(sandbox.path().join("executor")).unwrap(), "program");
    let error = copy(&[uri("hdfs://h/executor")], sandbox.path()).unwrap_err().to_string();
    assert_eq!(
        error,
        "failed to fetch \"hdfs://h/executor\": this agent fetches files of its machine, and what http:// addresses have"
    );
}
