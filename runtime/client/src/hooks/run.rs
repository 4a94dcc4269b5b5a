//! Running a hook: JSON on its standard input, its words from both outputs, for so long and no longer.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// The most that is kept of each output, in bytes; what comes after it is let go.
const MAX_OUTPUT: usize = 256 << 10;
/// How long what a hook has left behind may hold its outputs open, once it has ended itself.
const LEFT_OPEN: Duration = Duration::from_secs(1);
/// How deep hooks may run commands that have hooks.
const MAX_DEPTH: u32 = 4;
/// By this name a hook's process knows how deep it is.
const DEPTH: &str = "AURORA_HOOK_DEPTH";

/// A hook that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Its exit status; 128 and the signal's number if one has ended it.
    pub status: i32,
    /// What it wrote on its standard output.
    pub out: String,
    /// What it wrote on its standard error.
    pub err: String,
}

impl Done {
    /// Whether it has nothing against it.
    pub fn agrees(&self) -> bool {
        self.status == 0
    }

    /// Why it has something against it: its own words, if it has any.
    pub fn why(&self) -> String {
        let words = [&self.err, &self.out].into_iter().map(|text| text.trim());
        let words = words.into_iter().find(|words| !words.is_empty());
        words.map_or_else(|| format!("it ended with status {}", self.status), str::to_owned)
    }
}

/// Why it is not known what a hook says.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It did not start, or could not be talked to.
    #[error("failed to run {program}: {source}")]
    Run {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It took too long, and was ended.
    #[error("{program} did not end within {} s, and was killed", timeout.as_secs())]
    Late {
        /// The program.
        program: String,
        /// How long it had.
        timeout: Duration,
    },
}

/// Runs a program to its end, unless that takes longer.
pub(super) async fn run(
    words: &[String],
    timeout: Duration,
    what: &impl Serialize,
) -> Result<Done, Trouble> {
    let program = words.first().cloned().unwrap_or_default();
    match tokio::time::timeout(timeout, talk(words, what)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(source)) => Err(Trouble::Run { program, source }),
        Err(_late) => Err(Trouble::Late { program, timeout }),
    }
}

async fn talk(words: &[String], what: &impl Serialize) -> io::Result<Done> {
    let depth = std::env::var(DEPTH).ok().and_then(|depth| depth.parse().ok()).unwrap_or(0);
    if depth >= MAX_DEPTH {
        return Err(io::Error::other("hooks run commands that run hooks, without an end"));
    }
    let mut asked = serde_json::to_vec(what).map_err(io::Error::other)?;
    asked.push(b'\n');
    let (program, arguments) = words.split_first().ok_or_else(|| io::Error::other("no program"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .env(DEPTH, (depth + 1).to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (input, out, err) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async move {
        if let Some(mut input) = input {
            // It need not read it.
            let _ = input.write_all(&asked).await;
        }
    };
    let (mut said, mut moaned) = (Vec::new(), Vec::new());
    let status = {
        let talking = async { tokio::join!(write, read(out, &mut said), read(err, &mut moaned)) };
        tokio::pin!(talking);
        let heard = |((), out, err): ((), io::Result<()>, io::Result<()>)| out.and(err);
        tokio::select! {
            all = &mut talking => {
                heard(all)?;
                child.wait().await?
            }
            status = child.wait() => {
                let status = status?;
                if let Ok(all) = tokio::time::timeout(LEFT_OPEN, &mut talking).await {
                    heard(all)?;
                }
                status
            }
        }
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Done { status: code(status), out: text(&said), err: text(&moaned) })
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, text: &mut Vec<u8>) -> io::Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let mut part = [0; 8192];
    loop {
        let count = pipe.read(&mut part).await?;
        if count == 0 {
            return Ok(());
        }
        let room = MAX_OUTPUT.saturating_sub(text.len());
        text.extend_from_slice(&part[..count.min(room)]);
    }
}

fn code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn a_hook_gets_json_and_its_words_are_kept() {
        let done = run(&sh("cat; echo no >&2; exit 3"), Duration::from_secs(20), &[1, 2]).await;
        let done = done.unwrap();
        let expected = Done { status: 3, out: "[1,2]\n".to_owned(), err: "no\n".to_owned() };
        assert_eq!((&done, done.why().as_str()), (&expected, "no"));
        // It need not read, and may write more than is kept.
        let script = format!("exec <&-; head -c {} /dev/zero; kill -9 $$", MAX_OUTPUT * 2);
        let done = run(&sh(&script), Duration::from_secs(20), &vec![0; 100_000]).await.unwrap();
        assert_eq!((done.status, done.out.len()), (137, MAX_OUTPUT));
    }

    #[tokio::test]
    async fn what_a_hook_leaves_behind_is_not_waited_for() {
        let left = run(&sh("sleep 1000 & echo $!"), Duration::from_secs(20), &()).await.unwrap();
        let pid: i32 = left.out.trim().parse().unwrap();
        kill(pid);
        assert_eq!(left.status, 0);
    }

    fn kill(pid: i32) {
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }

    #[tokio::test]
    async fn a_hook_that_hangs_or_is_not_there_is_named() {
        let late = run(&sh("exec sleep 1000"), Duration::from_millis(50), &()).await.unwrap_err();
        assert!(late.to_string().starts_with("sh did not end within"), "{late}");
        let words = ["/nowhere/hook".to_owned()];
        let missing = run(&words, Duration::from_secs(20), &()).await.unwrap_err().to_string();
        assert!(missing.starts_with("failed to run /nowhere/hook: No such file"), "{missing}");
    }
}
