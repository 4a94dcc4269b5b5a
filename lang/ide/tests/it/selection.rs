//! What selections grow to.

use aurora_ide::selection::ranges;

use crate::fixture::Fixture;

#[test]
fn a_selection_grows_by_meaning() {
    let mut wrong = Vec::new();
    for (case, wanted) in [
        ("x = a$0bc\n", &["abc", "x = abc", "x = abc\n"][..]),
        (
            "x = f(a = b$0 + 1, c = 2)",
            &[
                "b",
                "b + 1",
                "a = b + 1",
                "a = b + 1, c = 2",
                "(a = b + 1, c = 2)",
                "f(a = b + 1, c = 2)",
            ],
        ),
        ("a.b$0(1).c(2)", &["b", "a.b", "a.b(1)", "a.b(1).c", "a.b(1).c(2)"]),
        (
            "x = 'go {{pro$0file.cpu}} on'",
            &[
                "profile",
                "profile.cpu",
                "{{profile.cpu}}",
                "go {{profile.cpu}} on",
                "'go {{profile.cpu}} on'",
            ],
        ),
        (
            "x = 'go {{profile.cp$0u}} on'",
            &["cpu", "profile.cpu", "{{profile.cpu}}", "go {{profile.cpu}} on"],
        ),
        ("x = 'go on$0 now'", &["on", "go on now", "'go on now'", "x = 'go on now'"]),
        ("x = '''a b\n  c d$0\n'''", &["d", "c d", "a b\n  c d\n", "'''a b\n  c d\n'''"]),
        ("x = f'a {b$0 + 1} c'", &["b", "b + 1", "{b + 1}", "a {b + 1} c"]),
        ("x = 'a' 'b$0'", &["b", "'b'", "'a' 'b'"]),
        ("x = {'a': b$0, 'c': d}", &["b", "'a': b", "'a': b, 'c': d", "{'a': b, 'c': d}"]),
        ("x = a + b$0 + c", &["b", "a + b", "a + b + c"]),
        (
            "def f(a, b):\n  x = 1\n  return x$0\ny = 2\n",
            &["x", "return x", "x = 1\n  return x", "def f(a, b):\n  x = 1\n  return x"],
        ),
        ("def f(a$0 = 1, b = 2):\n  pass\n", &["a", "a = 1", "a = 1, b = 2", "(a = 1, b = 2)"]),
        ("# one two$0\n# three\nx = 1\n", &["two", "# one two", "# one two\n# three"]),
        ("x = Job(name = (a$0\ny = 1\n", &["a"]),
        ("x = [1, $02]", &["2", "1, 2", "[1, 2]", "x = [1, 2]"]),
        ("$0", &[]),
    ] {
        let fixture = Fixture::new(case);
        let found = ranges(&fixture.world, &fixture.file, fixture.at);
        let shown: Vec<&str> = found.iter().map(|span| fixture.slice(*span)).collect();
        if !shown.starts_with(wanted) {
            wrong.push(format!("{case}\n  {shown:?}\n  {wanted:?}"));
        }
        for pair in found.windows(2) {
            assert!(pair[1].start <= pair[0].start && pair[0].end <= pair[1].end, "{case}");
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
