//! Real editors with the set-ups of `docs/editors.md`, and the built language server.
//!
//! What they do is in `tests/editors`. VS Code's own client code is tested by `lsp/editors/vscode`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Home, skip};

/// The text of the first block of a language below a heading of the page.
fn set_up(heading: &str, language: &str) -> String {
    let page = include_str!("../../docs/editors.md");
    let (_, below) = page.split_once(&format!("\n{heading}\n")).expect("the heading is there");
    let (_, block) = below.split_once(&format!("```{language}\n")).expect("a block is there");
    let (text, _) = block.split_once("```").expect("the block ends");
    text.to_owned()
}

/// A program that starts, with what it says of its version.
fn version_of(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The editor in a home of its own, in which `aurora` is the built program.
fn editor(home: &Home, program: &Path, init: (&str, &str)) -> Command {
    let folder = home.path().join("work");
    std::fs::create_dir(&folder).unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_aurora")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::iter::once(built.to_owned()).chain(std::env::split_paths(&path));
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("HOME", home.path())
        .env("LANG", "C.UTF-8")
        .env("AURORA_CONFIG_ROOT", home.path())
        .env("INIT", home.file(init.0, init.1))
        .env("FOLDER", folder)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/editors"))
        .stdin(Stdio::null());
    command
}

fn expect_success(mut command: Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn neovim_edits_a_file() {
    let program = std::env::var_os("AURORA_TEST_NVIM").unwrap_or_else(|| "nvim".into());
    let program = PathBuf::from(program);
    let Some(version) = version_of(&program) else {
        skip("no nvim here; AURORA_TEST_NVIM names one");
        return;
    };
    let minor = version
        .strip_prefix("NVIM v0.")
        .and_then(|rest| rest.split('.').next()?.parse::<u32>().ok())
        .expect("nvim says its version");
    let heading = if minor >= 11 { "### 0.11 and newer" } else { "### 0.7 to 0.10" };
    let home = Home::new();
    let mut command = editor(&home, &program, ("init.lua", &set_up(heading, "lua")));
    command.args(["--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", "luafile neovim.lua"]);
    expect_success(command);
}

fn emacs_edits_a_file(package: &str, client: &str, heading: &str) {
    let program = Path::new("emacs");
    if version_of(program).is_none() {
        skip("no emacs here");
        return;
    }
    let home = Home::new();
    let init = format!("{}\n{}", set_up("## Emacs", "elisp"), set_up(heading, "elisp"));
    let find =
        format!("(progn (package-activate-all) (kill-emacs (if (locate-library {client:?}) 0 1)))");
    let mut is_there = editor(&home, program, ("init.el", &init));
    if !is_there.args(["--batch", "-q", "--eval", &find]).output().unwrap().status.success() {
        skip(&format!("no {package} here"));
        return;
    }
    let home = Home::new();
    let mut command = editor(&home, program, ("init.el", &init));
    command.args(["--batch", "-q", "-l", "emacs.el"]).env("CLIENT", client);
    expect_success(command);
}

#[test]
fn emacs_with_eglot_edits_a_file() {
    emacs_edits_a_file("elpa-eglot", "eglot", "### Eglot");
}

#[test]
fn emacs_with_lsp_mode_edits_a_file() {
    emacs_edits_a_file("elpa-lsp-mode", "lsp-mode", "### lsp-mode");
}
