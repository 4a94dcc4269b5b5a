//! What can be folded away.

use aurora_ide::folding::{FoldKind, folds};

use crate::fixture::Fixture;

#[test]
fn lines_fold_together() {
    let mut wrong = Vec::new();
    for (case, wanted) in [
        ("x = 1\n", ""),
        ("def f():\n  x = 1\n  return x\ny = 1\n", "1-3"),
        ("def f(a,\n      b):\n  return a\n", "1-2 2-3"),
        ("if a:\n  b\nelif c:\n  d\nelse:\n  e\n", "1-2 3-4 5-6"),
        ("x = Job(\n  name = 'a',\n)\n", "1-2"),
        ("x = Job(\n  name = 'a')\n", "1-2"),
        ("x = [Job(\n  task = Task(\n    name = 'a',\n  ),\n)]\n", "1-4 2-3"),
        ("x = '''a\nb\n'''\n", "1-2"),
        ("x = '''a\nb'''\n", "1-2"),
        ("# a\n# b\nx = 1\n", "1-2C"),
        ("x = 1  # a\n# b\n# c\n\n# d\n", "2-3C"),
        ("# region A\nx = 1\n# endregion\n", "1-3R"),
        ("# a\n# region\n# b\n# endregion\n", "2-4R"),
        ("import a\nimport b\nload('c', 'd')\nx = 1\ninclude('e')\n", "1-3I"),
        ("x = Job(\n  name = 'a',\n  task = Task(\n", ""),
        ("x = [\n  (1,\n  2),\n  3\n]\n", "1-4 2-3"),
        ("x = [\r\n  1,\r\n]\r\n", "1-2"),
    ] {
        let fixture = Fixture::new(case);
        let lines = &fixture.source().lines;
        let shown = folds(&fixture.world, &fixture.file).into_iter().map(|fold| {
            let kind = match fold.kind {
                FoldKind::Code => "",
                FoldKind::Comment => "C",
                FoldKind::Imports => "I",
                FoldKind::Region => "R",
            };
            format!("{}-{}{kind}", lines.line(fold.span.start) + 1, lines.line(fold.span.end) + 1)
        });
        let found = shown.collect::<Vec<_>>().join(" ");
        if found != wanted {
            wrong.push(format!("{case}  {found}\n  {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
