//! What names mean, for colours.

use aurora_ide::Span;
use aurora_ide::tokens::{Modifiers, SemanticToken, full, range};

use crate::fixture::Fixture;

/// Tokens as `name:kind`, with a sign for each modifier.
fn shown(fixture: &Fixture, tokens: &[SemanticToken]) -> String {
    let one = |token: &SemanticToken| {
        let mut signs = String::new();
        for (modifier, sign) in [
            (Modifiers::DECLARATION, '='),
            (Modifiers::READONLY, '!'),
            (Modifiers::DEPRECATED, '-'),
            (Modifiers::DEFAULT_LIBRARY, '*'),
        ] {
            if token.modifiers.has(modifier) {
                signs.push(sign);
            }
        }
        format!("{}:{}{signs}", fixture.slice(token.span), token.kind.name())
    };
    tokens.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn names_are_coloured_by_their_meaning() {
    let mut wrong = Vec::new();
    for (case, wanted) in [
        ("x = 1\ny = x\n", "x:variable=! y:variable=! x:variable!"),
        ("x = 1\nx = 2\n", "x:variable= x:variable="),
        (
            "def f(a):\n  return a\nf(a = 1)\n",
            "f:function= a:parameter= a:parameter f:function a:parameter",
        ),
        // A token stands on one line.
        (
            "x = '''{{mesos\n.instance}}'''\n",
            "x:variable=! {{:operator instance:property }}:operator",
        ),
        ("p = Process(name = 'a')\n", "p:variable=! Process:struct* name:property"),
        (
            "class P(Struct):\n  cpu = Float\nP(cpu = 1)\n",
            "P:class= Struct:type* cpu:property= Float:type* P:class cpu:property",
        ),
        ("x = 2 * GB\n", "x:variable=! GB:variable!*"),
        ("Service(production = True)\n", "Service:variable!* production:property-"),
        ("f(production = True)\n", "production:property"),
        ("t = Tasks.concat(a)\n", "t:variable=! Tasks:namespace* concat:function*"),
        ("j.bind(x = 1).name\n", "bind:method x:property name:property"),
        ("import json\njson.dumps(1)\n", "json:namespace= json:namespace dumps:function"),
        (
            "load('@std//service.aurora', s = 'http_service')\ns()\n",
            "load:function* s:function=* http_service:function* s:function*",
        ),
        (
            "load('@std//service.aurora', 'http_service')\n",
            "load:function* http_service:function=*",
        ),
        (
            "x = 'a {{b.c}} {{mesos.instance}}'\ny.bind(b = 1)\n",
            "x:variable=! {{:operator b:variable c:property }}:operator {{:operator mesos:namespace!* \
             instance:property }}:operator bind:method b:property",
        ),
        (
            "x = 'a {{thermos.ports[http]}}'\n",
            "x:variable=! {{:operator thermos:namespace!* ports:property http:property }}:operator",
        ),
        ("[y for y in x]\n", "y:variable y:variable="),
        ("lambda a: a\n", "a:parameter= a:parameter"),
        ("len(x)\n", "len:function*"),
        (
            "#- a.aurora\ninclude('b.aurora')\nx = y\n#- b.aurora\ny = 1\n",
            "include:function* x:variable=! y:variable!",
        ),
        ("x = (\n", "x:variable=!"),
        ("", ""),
    ] {
        let fixture = Fixture::new(case);
        let found = full(&fixture.world, &fixture.file);
        let found = shown(&fixture, &found);
        if found != wanted {
            wrong.push(format!("{case}  {found}\n  {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_tokens_of_a_part_are_those_of_the_whole() {
    let text = "def f(a):\n  return Process(name = a, cmdline = '{{x}} {{y}}')\nz = f(a = 1)\n";
    let fixture = Fixture::new(text);
    let all = full(&fixture.world, &fixture.file);
    let end = u32::try_from(text.len()).unwrap();
    for start in 0..end {
        for end in start..end {
            let part = Span::new(start, end);
            let wanted: Vec<_> = all
                .iter()
                .filter(|token| token.span.start < end && start < token.span.end)
                .copied()
                .collect();
            assert_eq!(range(&fixture.world, &fixture.file, part), wanted, "{part:?}");
        }
    }
}
