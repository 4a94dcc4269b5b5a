//! The pages in a real browser: Chromium, told what to do over its pipe. Screenshots are kept below
//! `target/tmp/observer`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use aurora_thermos::checkpoint::record::{JobInstance, ProcessChange};
use aurora_thermos::state::TaskState;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::machine::{Living, Machine, PATIENCE, wait_for};

/// A browser with one page.
struct Browser {
    process: Living,
    _folder: tempfile::TempDir,
    commands: std::fs::File,
    messages: mpsc::Receiver<Value>,
    session: Option<String>,
    last: u64,
    /// How many pages were loaded.
    loads: u64,
    /// What the browser complained about.
    complaints: Vec<String>,
}

impl Browser {
    /// None if there is no browser on this machine, unless `AURORA_TEST_BROWSER=required` says that
    /// there must be.
    fn start() -> Option<Self> {
        let found = Command::new("chromium").arg("--version").stderr(Stdio::null()).output();
        if !found.is_ok_and(|found| found.status.success()) {
            let is_required = std::env::var("AURORA_TEST_BROWSER").is_ok_and(|it| it == "required");
            assert!(!is_required, "there is no chromium: install Debian's package of that name");
            // Without a standard error nobody listens.
            let _ = writeln!(std::io::stderr(), "skipped: there is no chromium");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        for name in ["in", "out"] {
            let path = folder.path().join(name);
            let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
            rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
        }
        let both = |name: &str| {
            let path = folder.path().join(name);
            std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap()
        };
        let (commands, answers) = (both("in"), both("out"));
        let script = "exec chromium --headless --no-sandbox --disable-gpu --no-first-run \
                      --disable-dev-shm-usage --user-data-dir=profile --remote-debugging-pipe \
                      3<in 4>out";
        let process = Command::new("sh")
            .args(["-c", script])
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (send, messages) = mpsc::channel();
        std::thread::spawn(move || {
            for message in BufReader::new(answers).split(0) {
                let Ok(message) = message else { return };
                if send.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            process: Living(process),
            _folder: folder,
            commands,
            messages,
            session: None,
            last: 0,
            loads: 0,
            complaints: Vec::new(),
        };
        let target = browser.tell("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.tell("Target.attachToTarget", &attach);
        browser.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log"] {
            browser.tell(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    fn tell(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let id = self.last;
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = self.hear(deadline, &command);
            if message["id"] == id {
                assert_eq!(message.get("error"), None, "{command}");
                return message["result"].clone();
            }
        }
    }

    /// The next message of the browser, while waiting for `what`.
    fn hear(&mut self, deadline: Instant, what: &Value) -> Value {
        let left = deadline.saturating_duration_since(Instant::now());
        let heard = self.messages.recv_timeout(left);
        let message = heard.unwrap_or_else(|_| panic!("waited in vain for {what}"));
        match message["method"].as_str() {
            Some("Page.loadEventFired") => self.loads += 1,
            Some("Log.entryAdded") => self.complaints.push(message["params"]["entry"].to_string()),
            Some("Runtime.exceptionThrown") => {
                self.complaints.push(message["params"].to_string());
            }
            _ => {}
        }
        message
    }

    /// Does something that leads to another page, and waits until that is loaded.
    fn load(&mut self, act: impl FnOnce(&mut Self)) {
        let before = self.loads;
        act(self);
        let deadline = Instant::now() + PATIENCE;
        while self.loads == before {
            self.hear(deadline, &json!("a page"));
        }
    }

    /// What an expression comes to, in the page.
    fn eval(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.tell("Runtime.evaluate", &params);
        assert_eq!(answer.get("exceptionDetails"), None, "{expression}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page, which looks at it each time that it is drawn.
    fn wait_until(&mut self, expression: &str) {
        let waiting = format!(
            "new Promise((done) => {{ const look = () => {{ if ({expression}) done(true); \
             else requestAnimationFrame(look); }}; look(); }})"
        );
        assert_eq!(self.eval(&waiting), json!(true));
    }

    fn open(&mut self, address: &str) {
        self.load(|browser| {
            let gone = browser.tell("Page.navigate", &json!({ "url": address }));
            assert_eq!(gone.get("errorText"), None, "{address}");
        });
        assert_eq!(self.eval("location.href"), json!(address));
    }

    fn press(&mut self, key: &str, text: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.tell("Input.dispatchKeyEvent", &event);
        }
    }

    fn look(&mut self, width: u32, is_phone: bool, scheme: &str) {
        let size =
            json!({ "width": width, "height": 844, "deviceScaleFactor": 1, "mobile": is_phone });
        self.tell("Emulation.setDeviceMetricsOverride", &size);
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.tell("Emulation.setEmulatedMedia", &features);
    }

    fn screenshot(&mut self, name: &str) {
        let shot = self.tell("Page.captureScreenshot", &json!({ "format": "png" }));
        let image = STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("observer");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), image).unwrap();
    }
}

impl Drop for Browser {
    /// Lets the browser end its own processes; it is killed if it does not.
    fn drop(&mut self) {
        let _ = self.commands.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        self.process.wait(Duration::from_secs(10));
    }
}

/// What is wrong with a page for those who do not see it, or not well, or use keys: a list.
const CHECKS: &str = r"(() => {
  const wrong = [];
  const one = (selector) => {
    const count = document.querySelectorAll(selector).length;
    if (count !== 1) wrong.push(`${count} of ${selector}`);
  };
  ['h1', 'main', 'header', 'nav[aria-label=Breadcrumb]', 'head > title'].forEach(one);
  if (!document.documentElement.lang) wrong.push('no language');
  if (document.documentElement.scrollWidth > innerWidth) wrong.push('wider than the window');
  const ids = [...document.querySelectorAll('[id]')].map((found) => found.id);
  if (new Set(ids).size !== ids.length) wrong.push('an id twice');
  for (const found of document.querySelectorAll('a, button')) {
    if (!(found.getAttribute('aria-label') || found.textContent).trim()) wrong.push(found.outerHTML);
  }
  for (const found of document.querySelectorAll('input')) {
    if (!found.labels.length) wrong.push(found.outerHTML);
  }
  for (const found of document.querySelectorAll('th:not([scope])')) wrong.push(found.outerHTML);
  for (const found of document.querySelectorAll('[aria-labelledby]')) {
    if (!document.getElementById(found.getAttribute('aria-labelledby'))) wrong.push(found.outerHTML);
  }
  for (const found of document.querySelectorAll('svg')) {
    if (found.getAttribute('role') !== 'img' || !found.getAttribute('aria-label')) wrong.push('svg');
  }
  const rgb = (text) => text.match(/[\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour.slice(0, 3);
    }
    return [255, 255, 255];
  };
  for (const found of document.body.querySelectorAll('*')) {
    const hasText = [...found.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!hasText || !found.checkVisibility() || found.closest('svg, script, noscript')) continue;
    const [a, b] = [light(rgb(getComputedStyle(found).color).slice(0, 3)), light(behind(found))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) wrong.push(`contrast ${contrast.toFixed(2)}: ${found.outerHTML.slice(0, 80)}`);
  }
  return [...new Set(wrong)];
})()";

#[tokio::test(flavor = "multi_thread")]
async fn pages_work_in_a_browser() {
    let Some(mut browser) = Browser::start() else { return };
    let machine = Machine::with(|config| {
        config.scheduler_url = Some("http://127.0.0.1:8081".to_owned());
        config.process_interval = Duration::from_secs(1);
    })
    .await;
    let process = Living::sh("echo; while :; do :; done");
    let mut told = machine.task_of("www-prod-hello-0-1", &["hello", "later"], |header| {
        header.job = Some(JobInstance {
            role: "www".to_owned(),
            environment: "prod".to_owned(),
            name: "hello".to_owned(),
            instance: 0,
        });
    });
    told.failed("hello", 0, 3).running("hello", 1, process.identity());
    let path = told.logs("hello", 1).join("stdout");
    let lines: String = (0..300).map(|number| format!("line {number}\n")).collect();
    std::fs::write(&path, lines).unwrap();
    let _over: Vec<_> = ["over", "again"].map(|id| machine.over(id)).into();
    let at = |path: &str| format!("http://{}{path}", machine.address());
    let id = "www-prod-hello-0-1";

    wait_for("pictures", async || {
        let page = machine.page(&format!("/task/{id}")).await;
        (page.matches("<svg").count() == 3).then_some(())
    })
    .await;
    for (name, path) in [
        ("index", "/".to_owned()),
        ("list", "/main/finished".to_owned()),
        ("task", format!("/task/{id}")),
        ("configuration", format!("/rawtask/{id}")),
        ("process", format!("/process/{id}/hello")),
        ("log", format!("/logs/{id}/hello/1/stdout")),
        ("search", format!("/search/{id}/hello/1/stdout?q=line+1")),
        ("sandbox", format!("/browse/{id}")),
        ("folder", format!("/browse/{id}/.logs")),
        ("missing", "/task/none".to_owned()),
    ] {
        for (form, width, is_phone, scheme) in
            [("light", 1280, false, "light"), ("phone-dark", 390, true, "dark")]
        {
            browser.look(width, is_phone, scheme);
            browser.open(&at(&path));
            browser.screenshot(&format!("{name}-{form}"));
            assert_eq!(browser.eval(CHECKS), json!([]), "{name} {form}");
        }
        browser.press("Tab", "", 9);
        let focused = "document.activeElement.matches('a.skip') && document.activeElement.getBoundingClientRect().left >= 0";
        assert_eq!(browser.eval(focused), true, "{name}: the first key leads to the content");
    }
    // The page that is missing is one, and the browser says so.
    browser.complaints.retain(|complaint| !complaint.contains("404 (Not Found)"));
    assert_eq!(browser.complaints, [] as [&str; 0]);

    // What comes to a log is shown as it comes, at the end of the page.
    browser.look(1280, false, "light");
    browser.open(&at(&format!("/logs/{id}/hello/1/stdout")));
    browser.wait_until("document.getElementById('said').textContent === 'Connected'");
    let append = |text: &str| {
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let text = "document.getElementById('text')";
    let is_at_end = format!("{text}.scrollHeight - {text}.scrollTop - {text}.clientHeight < 8");
    append("<b>fresh</b>\n");
    browser.wait_until(&format!("{text}.textContent.endsWith('<b>fresh</b>\\n')"));
    browser.wait_until(&is_at_end);
    // Whoever has scrolled up stays there, until told otherwise.
    browser.eval(&format!("{text}.scrollTop = 0"));
    browser
        .wait_until("document.getElementById('follow').getAttribute('aria-pressed') === 'false'");
    append("unseen\n");
    browser.wait_until(&format!("{text}.textContent.endsWith('unseen\\n')"));
    assert_eq!(browser.eval(&format!("{text}.scrollTop")), 0);
    browser.eval("document.getElementById('end').focus()");
    browser.press("Enter", "\r", 13);
    browser.wait_until(&is_at_end);
    std::fs::rename(&path, path.with_extension("1")).unwrap();
    std::fs::write(&path, "the new file\n").unwrap();
    browser.wait_until(&format!("{text}.textContent.endsWith('the new file\\n')"));
    browser.screenshot("log-rotated");

    // A search by keys alone.
    browser.eval("document.getElementById('q').focus()");
    browser.tell("Input.insertText", &json!({ "text": "NEW" }));
    browser.load(|browser| browser.press("Enter", "\r", 13));
    assert_eq!(browser.eval("location.pathname.startsWith('/search/')"), true);
    browser.wait_until("document.querySelector('.found code')?.textContent === 'the new file'");

    // What changes is shown by itself.
    browser.open(&at(&format!("/task/{id}")));
    told.process("hello", 1, ProcessChange::Killed { signal: 9 }).end(TaskState::Killed);
    browser
        .wait_until("document.getElementById('live')?.textContent.includes('signal 9') === true");
    assert_eq!(browser.complaints, [] as [&str; 0]);
}
