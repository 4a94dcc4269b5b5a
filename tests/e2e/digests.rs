//! Images that a job names by their tags, looked up in a registry (`client.md` 11.6 and 15).

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use aurora_api::v1;

use crate::support::cluster::Cluster;
use crate::support::proxy::Proxy;
use crate::support::{Home, Ran, role, service};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What is asked of a registry: method, path, and what is said about who asks.
type Asked = (String, String, String);
/// What it answers: status, headers, body.
type Answer = (u16, String, String);

/// A registry that answers as it is told, for as long as the test runs.
struct Registry {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Registry {
    fn start(answer: impl Fn(&str, &Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (own, kept) = (address.clone(), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                serve(stream, |asked| {
                    kept.lock().unwrap().push(asked.clone());
                    answer(&own, asked)
                });
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.into_iter().map(|(method, path, _)| format!("{method} {path}")).collect()
    }
}

/// Answers one request.
fn serve(mut stream: TcpStream, answer: impl FnOnce(&Asked) -> Answer) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let mut authorization = String::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        if let Some(value) = line.strip_prefix("authorization: ") {
            authorization = value.to_owned();
        }
    }
    let (status, headers, body) = answer(&(method, path, authorization));
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n"
    );
    // Whoever has hung up wants no answer.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

/// What finds the image `lib/app:7`, and no other.
fn found(asked: &Asked) -> Answer {
    match asked.1.as_str() {
        "/v2/" => (200, String::new(), String::new()),
        "/v2/lib/app/manifests/7" => {
            (200, format!("Docker-Content-Digest: {DIGEST}\r\n"), String::new())
        }
        _ => (404, String::new(), String::new()),
    }
}

/// Asks for a token, and for nothing else with one.
fn guarded(own: &str, asked: &Asked, is_guarded: impl Fn(&str) -> bool) -> Answer {
    if asked.1.starts_with("/token?") {
        return (200, String::new(), "{\"token\": \"open sesame\"}".to_owned());
    }
    if is_guarded(&asked.1) && asked.2 != "Bearer open sesame" {
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"http://{own}/token\",service=\"reg\",scope=\"repository:lib/app:pull\"\r\n"
        );
        return (401, challenge, String::new());
    }
    found(asked)
}

/// Inspects a job with an image of a cluster that has this registry.
fn inspect(registry: &str, image: &str, more: &[&str]) -> Ran {
    let home = Home::new();
    let text = format!(
        "task = Task(processes = [Process(name = 'main', cmdline = 'true')], resources = Resources(cpu = 1, \
         ram = 1 * GB, disk = 1 * GB))\n\
         jobs = [Job(cluster = 'c', role = 'r', environment = 'prod', name = 'n', task = task, \
         container = Docker(image = '{image}'))]\n"
    );
    let file = home.file("job.aurora", &text);
    let clusters = format!(
        "[{{\"name\": \"c\", \"scheduler_uri\": \"http://127.0.0.1:1\", \"docker_registry\": \"{registry}\"}}]"
    );
    let clusters = home.file("clusters.json", &clusters);
    let mut command = home
        .aurora(&[&["inspect", "c/r/prod/n", file.to_str().unwrap(), "-o", "json"], more].concat());
    Ran(command.env("AURORA_CLUSTERS", clusters).output().unwrap())
}

/// What is sent has the digest, whichever command sends it; the scheduler runs no such containers.
#[test]
fn c129_images_are_sent_by_their_digests() {
    let cluster = Cluster::start();
    let proxy = Proxy::before(&cluster.scheduler_address());
    let registry = Registry::start(|_, asked| found(asked));
    let entry = format!(
        "[{{\"name\": \"test\", \"scheduler_uri\": \"{}\", \"docker_registry\": \"http://{}\"}}]",
        proxy.address(),
        registry.address
    );
    let clusters = cluster.home.file("registry.json", &entry);
    let key = format!("test/{}/prod/boxed", role());
    let boxed = format!("environment = 'prod', container = Docker(image = '{IMAGE}')");
    let text = service(&role(), "boxed", 1, "true").replace("environment = 'prod'", &boxed);
    let file = cluster.home.file("boxed.aurora", &text);
    let words = ["job", "create", &key, file.to_str().unwrap(), "--clusters"];
    let words = [&words[..], &[clusters.to_str().unwrap()]].concat();
    let refused = cluster.home.run(&words).expect(4).err();
    assert!(refused.contains("container type DOCKER is not allowed here"), "{refused}");
    let sent: Vec<v1::CreateJobRequest> = proxy.sent("CreateJob");
    let wanted = format!("{}/lib/app@{DIGEST}", registry.address);
    assert!(format!("{:?}", sent[0]).contains(&wanted), "{sent:?}");

    // Whoever only looks at the file needs no registry.
    registry.asked();
    cluster.home.run(&["config", "check", file.to_str().unwrap()]).expect(0);
    assert!(registry.asked().is_empty());
}

const IMAGE: &str = "{{docker.image[lib/app][7]}}";

#[test]
fn c129_images_are_looked_up_by_their_tags() {
    let registry = Registry::start(|_, asked| found(asked));
    let url = format!("http://{}", registry.address);
    let wanted = format!("{}/lib/app@{DIGEST}", registry.address);
    let ran = inspect(&url, IMAGE, &[]).expect(0);
    assert_eq!(ran.json()["container"]["image"], wanted.as_str());
    assert!(ran.err().contains(&format!("The image lib/app:7 is {wanted}")), "{}", ran.err());
    assert_eq!(registry.asked(), ["HEAD /v2/", "HEAD /v2/lib/app/manifests/7"]);
    // The name and the tag may be bound.
    let bound = ["--bind", "version=7"];
    let ran = inspect(&url, "{{docker.image[lib/app][{{version}}]}}", &bound).expect(0);
    assert_eq!(ran.json()["container"]["image"], wanted.as_str());
    registry.asked();
    // What is bound is not looked up.
    let bound = ["--bind", "docker.image[lib/app][7]=mine"];
    assert_eq!(inspect(&url, IMAGE, &bound).expect(0).json()["container"]["image"], "mine");
    assert!(registry.asked().is_empty());

    // Whoever asks has to fetch a token, at once or for the manifest.
    for prefix in ["/v2/", "/v2/lib/"] {
        let registry =
            Registry::start(move |own, asked| guarded(own, asked, |path| path.starts_with(prefix)));
        let ran = inspect(&format!("http://{}", registry.address), IMAGE, &[]).expect(0);
        assert_eq!(
            ran.json()["container"]["image"],
            format!("{}/lib/app@{DIGEST}", registry.address).as_str()
        );
        let asked = registry.asked();
        let tokens: Vec<_> = asked.iter().filter(|line| line.starts_with("GET /token?")).collect();
        assert_eq!(
            tokens,
            ["GET /token?service=reg&scope=repository%3Alib%2Fapp%3Apull"],
            "{asked:?}"
        );
    }
}

#[test]
fn c129_images_that_are_not_found_are_errors_of_the_configuration() {
    let refused = |answer: fn(&str, &Asked) -> Answer, image: &str| {
        let registry = Registry::start(answer);
        inspect(&format!("http://{}", registry.address), image, &[]).expect(3).err()
    };
    for (answer, image, wanted) in [
        (
            (|_, asked| found(asked)) as fn(&str, &Asked) -> Answer,
            "{{docker.image[lib/app][8]}}",
            "no image of this name and tag",
        ),
        (|_, asked| found(asked), "{{docker.image[lib/../app][7]}}", "a name is of letters"),
        (|_, _| (404, String::new(), String::new()), IMAGE, "does not speak version 2"),
        (|_, _| (401, String::new(), String::new()), IMAGE, "does not say which"),
        (
            |_, _| (401, "WWW-Authenticate: Basic realm=\"x\"\r\n".to_owned(), String::new()),
            IMAGE,
            "a login that is not known here: Basic",
        ),
        // A token that opens nothing.
        (
            |own, asked| guarded(own, &(asked.0.clone(), asked.1.clone(), String::new()), |_| true),
            IMAGE,
            "the image is private",
        ),
        // An answer without a token.
        (
            |own, asked| match asked.1.starts_with("/token?") {
                true => (200, String::new(), "{}".to_owned()),
                false => guarded(own, asked, |_| true),
            },
            IMAGE,
            "gives no token",
        ),
        (
            |_, asked| match asked.1.as_str() {
                "/v2/" => (200, String::new(), String::new()),
                _ => (200, "Docker-Content-Digest: x; rm\r\n".to_owned(), String::new()),
            },
            IMAGE,
            "no digest",
        ),
    ] {
        let told = refused(answer, image);
        assert!(
            told.contains("failed to look up the image lib/") && told.contains(wanted),
            "{wanted}: {told}"
        );
    }
    let nobody = inspect("http://127.0.0.1:1", IMAGE, &[]).expect(3).err();
    assert!(nobody.contains("cannot be asked"), "{nobody}");
    for wrong in
        ["127.0.0.1:1", "https://me:secret@127.0.0.1:1", "http://127.0.0.1:1/v2", "ftp://h"]
    {
        let told = inspect(wrong, IMAGE, &[]).expect(3).err();
        assert!(told.contains("write docker_registry as https://"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}
