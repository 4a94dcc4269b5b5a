//! `hooks.toml`.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::{Event, Hook};
use crate::error::{Code, Error};

/// The longest file, in bytes.
const MAX_LEN: u64 = 1 << 20;
/// The most hooks of a file.
const MAX_HOOKS: usize = 100;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_TIMEOUT_SECS: u64 = 3600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    hook: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    run: Vec<String>,
    on: Vec<String>,
    timeout_secs: Option<u64>,
}

/// The hooks of a file; none if it is not there.
pub(super) fn read(path: &Path) -> Result<Vec<Hook>, Error> {
    let wrong = |why: String| {
        let message = format!("failed to read {}: {why}", path.display());
        Error::new(Code::InvalidConfiguration, message)
    };
    let (text, found) = match crate::file::read_text(path, MAX_LEN) {
        Ok(read) => read,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(wrong(error.to_string())),
    };
    // Who may write it makes this user run programs.
    let is_mine = found.uid() == 0 || found.uid() == rustix::process::geteuid().as_raw();
    if !is_mine || found.mode() & 0o022 != 0 {
        return Err(wrong(
            "it names programs to run, and others than you and root may write it: give it to you, \
             and chmod go-w"
                .to_owned(),
        ));
    }
    parse(&text).map_err(wrong)
}

fn parse(text: &str) -> Result<Vec<Hook>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    if file.hook.len() > MAX_HOOKS {
        return Err(format!("{} hooks are too many: {MAX_HOOKS} are run", file.hook.len()));
    }
    file.hook.into_iter().map(hook).collect()
}

fn hook(written: Written) -> Result<Hook, String> {
    let Written { name, run, on, timeout_secs } = written;
    let wrong = |why: String| format!("hook {name}: {why}");
    if name.is_empty() || name == "all" || name.contains([',', ' ']) {
        return Err(format!(
            "{name:?} cannot be a hook's name: it must not be empty or \"all\", nor have commas \
             or blanks"
        ));
    }
    if run.first().is_none_or(String::is_empty) {
        return Err(wrong("run names no program".to_owned()));
    }
    let timeout = timeout_secs.map_or(DEFAULT_TIMEOUT, Duration::from_secs);
    if timeout.is_zero() || timeout.as_secs() > MAX_TIMEOUT_SECS {
        return Err(wrong(format!("timeout_secs is from 1 to {MAX_TIMEOUT_SECS}")));
    }
    let on = on.iter().map(|event| event.parse::<Event>()).collect::<Result<Vec<_>, _>>();
    let on = on.map_err(wrong)?;
    Ok(Hook { on, run, timeout, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_has_a_program_and_events() {
        let hooks = parse(
            "[[hook]]\nname = 'freeze'\nrun = ['/bin/freeze', '-x']\non = ['pre-call create_job']\n",
        )
        .unwrap();
        let expected = Hook {
            name: "freeze".to_owned(),
            run: vec!["/bin/freeze".to_owned(), "-x".to_owned()],
            on: vec!["pre-call create_job".parse().unwrap()],
            timeout: Duration::from_secs(30),
        };
        assert_eq!(hooks, [expected]);
        assert_eq!(parse("").unwrap(), []);
    }

    #[test]
    fn what_is_wrong_names_the_hook() {
        let with = |name: &str, rest: &str| format!("[[hook]]\nname = '{name}'\n{rest}\n");
        for (text, wanted) in [
            (with("all", "run = ['x']\non = []"), "cannot be a hook's name"),
            (with("a", "run = []\non = []"), "hook a: run names no program"),
            (with("a", "run = ['x']\non = ['later']"), "hook a: \"later\" is no event"),
            (with("a", "run = ['x']\non = []\ntimeout_secs = 0"), "hook a: timeout_secs is from 1"),
            (with("a", "run = ['x']\non = []\nretry = 1"), "unknown field `retry`"),
        ] {
            let wrong = parse(&text).unwrap_err();
            assert!(wrong.contains(wanted), "{wrong}");
        }
    }
}
