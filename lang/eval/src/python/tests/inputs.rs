//! What is read of the outside, and how an evaluation is ended from there.

use starlark::environment::Module;
use starlark::eval::Evaluator;
use starlark::syntax::{AstModule, Dialect};

use super::{Files, Outcome, message, refused, run, run_at};
use crate::context::{Cancel, Context, Inputs, Reads};
use crate::engine::Engine;
use crate::globals::GLOBALS;

#[test]
fn inputs_are_declared_and_recorded() {
    let Outcome { result, reads, .. } =
        run("[env('SET'), env('UNSET', 'd'), user(), file_digest('app.tar', 'md5'), \
         __au_import('os').path.exists('nothing')]");
    assert_eq!(
        result.as_deref(),
        Ok("['here', 'd', 'ann', 'b1946ac92492d2347c6235b4d2611184', False]")
    );
    let sha256 = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    assert_eq!(
        reads,
        Reads {
            user: true,
            env: [("SET".to_owned(), true), ("UNSET".to_owned(), false)].into(),
            files: [("app.tar".to_owned(), Some(sha256.to_owned())), ("nothing".to_owned(), None)]
                .into(),
            ..Reads::default()
        }
    );
    assert_eq!(run("1").reads, Reads::default());
    refused(&[
        ("env('OTHER')", "is not a declared input of this file | allow it with --env OTHER"),
        ("env('OTHER', 'd')", "aurora.toml"),
        ("__au_import('os').getenv('OTHER', 'd')", "--env OTHER"),
        ("__au_import('os').environ['UNSET']", "is not set"),
        ("env('UNSET')", "is not set"),
        ("file_digest('../secret', 'md5')", "outside of the project"),
        ("file_digest('/etc/passwd', 'md5')", "outside of the project"),
        ("file_digest('a/../../secret')", "outside of the project"),
        ("file_digest('../workers/x', 'md5')", "outside of the project"),
        ("file_digest('gone', 'md5')", "cannot read gone"),
        ("file_digest('app.tar', 'md6')", "did you mean \"md5\"?"),
    ]);
}

#[test]
fn files_outside_of_the_root_are_not_read_whatever_leads_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("project/inner")).expect("a folder");
    std::fs::write(at("secret"), "secret").expect("a file");
    std::fs::write(at("project/app"), "hello\n").expect("a file");
    std::os::unix::fs::symlink(at("secret"), at("project/link")).expect("a link");
    std::os::unix::fs::symlink(folder.path(), at("project/up")).expect("a link");
    let file = at("project/inner/job.aurora").display().to_string();
    let root = at("project").display().to_string();
    let digest = |path: &str, root: &str| {
        let outcome =
            run_at(&file, &format!("file_digest('{path}', 'md5')"), root, &crate::load::Disk);
        (outcome.result.unwrap_or_else(|error| error), outcome.reads)
    };
    let (found, reads) = digest("../app", &root);
    assert_eq!(found, "'b1946ac92492d2347c6235b4d2611184'");
    assert_eq!(reads.files.keys().collect::<Vec<_>>(), ["app"]);
    for path in ["../link", "../up/secret", "../up/gone", "../../secret", "/etc/passwd"] {
        let (refusal, reads) = digest(path, &root);
        assert!(refusal.contains("outside of the project"), "{path}: {refusal}");
        assert_eq!(reads, Reads::default());
    }
    let (missing, reads) = digest("../gone", &root);
    assert!(missing.contains("cannot read ../gone"), "{missing}");
    assert_eq!(reads.files, [("gone".to_owned(), None)].into());
    // Without a root it is the folder of the file.
    let (refusal, _) = digest("../app", "");
    assert!(refusal.contains("outside of the project"), "{refusal}");
}

#[test]
fn what_is_cancelled_ends() {
    let engine = Engine::default();
    let cancel = Cancel::default();
    let context = Context::new(&engine, &Files, Inputs::default(), cancel.clone());
    cancel.cancel();
    Module::with_temp_heap(|module| {
        let mut eval = Evaluator::new(&module);
        eval.extra = Some(&context);
        let text = "__au_tick()".to_owned();
        let ast = AstModule::parse("test.aurora", text, &Dialect::Standard).expect("a program");
        let error = eval.eval_module(ast, &GLOBALS).expect_err("it is cancelled");
        assert_eq!(message(&error), "the evaluation was cancelled | ");
    });
}
