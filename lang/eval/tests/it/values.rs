//! The types of the language in files: what makes them, and what can be asked of their objects.

use std::path::Path;

use aurora_eval::{Loader, Options, Report, evaluate};

/// A text as the only file.
struct Text(String);

impl Loader for Text {
    fn read(&self, _: &Path) -> std::io::Result<String> {
        Ok(self.0.clone())
    }
}

/// What stands before each case.
const BEFORE: &str = r#"
R = Resources(cpu = 1, ram = 64 * MB, disk = 64 * MB)
p = Process(name = "p", cmdline = "run {{x}}")
t = Task(processes = [p], resources = R)
job = Job(cluster = "c", role = "r", environment = "test", name = "n", task = t).bind(x = 1)
Profile = struct_type("Profile",
    package = Required(String), version = Default(String, "live"), heap = Default(Integer, 512),
    url = Default(String, "u/{{package}}/{{version}}"), ports = Map(String, Integer), tags = List(String))
profile = Profile(package = "x", tags = ["a", "{{package}}"], ports = {"http": 80})
Words = Map(String, String)
words = Words({"k": "v", "n-1": "{{package}}"})
strings = List(String)(["a", "b", "{{z}}"])
"#;

/// The text that an expression gives, put into a field of a job.
fn text(expression: &str) -> Result<String, Report> {
    // What is open is kept from being taken for a fault of the job.
    let text = format!(
        "{BEFORE}\nvalue = {expression}\njobs = [job(contact = str(value).replace('{{{{', '((').replace('}}}}', '))'))]\n"
    );
    let config = evaluate(Path::new("job.aurora"), &Text(text), &Options::default())?;
    let ready = config.jobs()[0].ready("someone")?;
    Ok(ready.config.contact.unwrap_or_default().replace("((", "{{").replace("))", "}}"))
}

fn check(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        match text(expression) {
            Ok(text) => assert_eq!(text, *expected, "{expression}"),
            Err(report) => panic!("{expression}: {report}"),
        }
    }
}

fn refused(cases: &[(&str, &str)]) {
    for (expression, part) in cases {
        match text(expression) {
            Ok(text) => panic!("{expression} is {text}"),
            Err(report) => {
                let message = report.to_string();
                assert!(message.contains(part), "{expression}: {message}");
            }
        }
    }
}

#[test]
fn scalars_are_values_of_their_type_once_they_are_asked() {
    check(&[
        ("Integer(2.9)", "2"),
        ("Integer(' 7 ')", "7"),
        ("Float(1)", "1.0"),
        ("String(1.0 / 3)", "0.333333333333"),
        ("Boolean('TRUE')", "True"),
        ("String('{{v}}').bind(v = 1)", "1"),
        ("String(123456789012345678901234567890)", "123456789012345678901234567890"),
        ("Integer('123456789012345678901234567890')", "123456789012345678901234567890"),
        ("Integer(3) == Integer('3')", "True"),
        ("Integer(3) == String('3')", "False"),
        ("Integer(3) == 3", "False"),
        ("String('{{v}}').bind(v = 1) == String('1')", "True"),
        ("job.cluster() == 'c'", "False"),
        ("str(job.cluster()) == 'c'", "True"),
        ("bool(Integer(0)) and bool(String('')) and bool(List(String)([]))", "True"),
        ("'%s-%s' % (Integer('03'), p.name())", "3-p"),
        ("Integer('007').get()", "007"),
    ]);
    refused(&[
        ("Integer('abc')", "whole number"),
        ("Integer(None)", "None"),
        ("String('{{v}}') + 'x'", "+"),
        ("len(strings)", "len"),
    ]);
}

#[test]
fn enums_and_choices_take_what_they_name() {
    check(&[
        ("Enum('a', 'b')", "Enum_a_b"),
        ("Enum('Colour', ('a', 'b'))", "Colour"),
        ("Enum('Colour', ('a', 'b'))('b')", "b"),
        ("Enum('Colour', ('a', 'b'))('{{c}}').bind(c = 'a')", "a"),
        ("Mode('RO')", "RO"),
        ("Choice([Integer, String])", "Choice_Integer_String"),
        ("Choice('Either', [Integer, String])('x')", "x"),
        ("Choice('Either', [Integer, String])(' 3 ')", "3"),
    ]);
    refused(&[
        ("Enum('Colour', ('a', 'b'))('c')", "Colour cannot be"),
        ("Mode('ro')", "Mode cannot be"),
        ("Enum('Colour', ['a', 'b'])", "tuple"),
        ("Choice([Integer, Float])('x')", "expected one of"),
        ("Choice([])", "alternative"),
    ]);
}

#[test]
fn lists_and_maps_are_asked_for_their_parts() {
    check(&[
        ("List(String)", "StringList"),
        ("Map(String, List(Integer))", "StringIntegerListMap"),
        ("List(Integer)((1, '2', 3.5))", "IntegerList(1, 2, 3)"),
        ("words", "StringStringMap(k => v, n-1 => {{package}})"),
        ("Map(String, Integer)(('a', 1), ('b', 2))", "StringIntegerMap(a => 1, b => 2)"),
        ("Map(String, Integer)([('a', 1)])", "StringIntegerMap(a => 1)"),
        ("strings[1]", "b"),
        ("strings[-1]", "{{z}}"),
        ("strings.bind(z = 'zed')[2]", "zed"),
        ("words['k']", "v"),
        ("words.bind(package = 'y')['n-1']", "y"),
        ("Map(String, Integer)({'k': 1})['k'].get() == 1", "True"),
        ("'b' in strings", "True"),
        ("'q' in strings", "False"),
        ("'zed' in strings.bind(z = 'zed')", "True"),
        ("'k' in words", "True"),
        ("[str(s) for s in strings]", "['a', 'b', '{{z}}']"),
        ("[str(s) for s in strings[1:]]", "['b', '{{z}}']"),
        ("[str(k) for k in words]", "['k', 'n-1']"),
        ("strings.get() == ('a', 'b', '{{z}}')", "True"),
        ("words.get()['n-1'] == '{{package}}'", "True"),
        ("List(String)(['a']) == List(String)(['{{v}}']).bind(v = 'a')", "True"),
        ("Words({'a': '1', 'b': '2'}) == Words({'b': '2', 'a': '1'})", "True"),
    ]);
    refused(&[
        ("List(String)('abc')", "a list of String"),
        ("List(String)({'a': 1})", "a list of String"),
        ("List(String)(strings)[7]", "no element 7"),
        ("words['none']", "no element"),
        ("Map(String, String)('a')", "dict"),
        ("List(3)", "takes types"),
    ]);
}

#[test]
fn structs_are_declared_and_copied() {
    check(&[
        ("profile.package()", "x"),
        ("profile.url()", "u/x/live"),
        ("profile(version = '7').url()", "u/x/7"),
        ("profile.tags()[1]", "x"),
        ("profile.tags()", "StringList(a, x)"),
        (
            "profile.has_tags(), profile.has_version(), Profile().has_package()",
            "(True, True, False)",
        ),
        ("Profile(version = Empty).has_version()", "False"),
        ("Profile().package() == Empty", "True"),
        ("Profile({'package': 'a'}, {'package': 'b'}, heap = 1).package()", "b"),
        ("profile.get()['heap'] == 512", "True"),
        ("'package' in Profile().get()", "False"),
        ("profile.url().get()", "u/x/live"),
        ("profile.get()['url']", "u/{{package}}/{{version}}"),
        ("profile == Profile(package = 'x', tags = ['a', 'x'], ports = {'http': 80})", "True"),
        ("Process(name = 'a') == Process(name = '{{b}}').bind(b = 'a')", "True"),
        ("Process(name = 'a') == Process(name = 'b')", "False"),
        ("Process(name = 'p').check().ok()", "False"),
        ("Process(name = 'p', cmdline = 'c').check().ok()", "True"),
        ("Process(name = 'p').check().message()", "Process[cmdline] is required."),
        (
            "Task(processes = [Process(cmdline = 'c')]).check().message()",
            "Task[processes] failed: Element in ProcessList failed check: Process[name] is required.",
        ),
        ("p.interpolate()[1]", "['x']"),
        ("p.bind(x = 2).interpolate()[0].cmdline()", "run 2"),
        ("(p % {'x': 5}).cmdline()", "run 5"),
        ("String('{{a}} {{b}}') % {'a': 1}", "1 {{b}}"),
    ]);
    refused(&[
        ("Profile(pakage = 'x')", "no field `pakage`"),
        ("Profile(profile)", "by name"),
        ("profile({'heap': 1})", "by name"),
        ("struct_type('X', a = 3)", "a field is a type"),
        ("Struct()", "class"),
        ("Ref.from_address('x')", "from_address"),
        ("Namable()", "not of the language"),
        ("Process(name = '{{name}}').name()", "leads back to itself"),
        ("str(Process(name = '{{name}}', cmdline = ''))", "leads back to itself"),
    ]);
}

#[test]
fn classes_have_the_fields_that_are_specs() {
    let class = |base: &str, field: &str| {
        format!(
            "__au_class('C', ({base},), [('doc', 'text'), ('f', Default(String, 'd')), {field}])"
        )
    };
    check(&[
        (&class("Struct", "('g', Required(Integer))"), "C"),
        (&format!("{}(g = 1).f()", class("Struct", "('g', Integer)")), "d"),
        (&format!("{}(g = 1).has_f()", class("Struct", "('g', Integer)")), "True"),
        (&format!("{} == {}", class("Struct", ""), class("Struct", "")), "True"),
        (&format!("{} == {}", class("Struct", ""), class("Profile", "")), "False"),
        (&format!("{}(package = 'y').url()", class("Profile", "('g', Integer)")), "u/y/live"),
    ]);
    refused(&[
        (&format!("{}(g = 1)", class("Profile", "('g', Integer)")), "no field `g`"),
        (&format!("{}(doc = '')", class("Struct", "")), "no field `doc`"),
        (&class("Integer", ""), "cannot be made of"),
        (&class("3", ""), "class C(Struct)"),
        ("__au_class('C', (), [])", "class C(Struct)"),
    ]);
}

#[test]
fn names_are_bound_in_their_order() {
    check(&[
        ("String('{{v}}').bind({'v': 1}, {'v': 2})", "2"),
        ("String('{{v}}').bind({'v': 1}, v = 3)", "3"),
        ("String('{{v}}').bind(v = 1).bind(v = 2)", "2"),
        ("String('{{v}}').bind(v = 1).in_scope(v = 2)", "1"),
        ("String('{{v}}').in_scope(v = 2)", "2"),
        ("String('{{a.b}} {{a.c[d]}}').bind({'a': {'b': 1, 'c[d]': 2}})", "1 2"),
        ("String('{{a.b}}').bind(a = Environment(b = 1))", "1"),
        ("String('{{a.b}}').bind(Environment({'a': {'b': 1}}, {'a.b': 2}))", "2"),
        ("String('{{a.b}}').bind(Environment({'a.b': 1}, a = Environment(b = 3)))", "3"),
        ("String('{{[k]}} {{m[k]}}').bind(words, m = words)", "v v"),
        ("String('{{[1]}}').bind(strings)", "b"),
        ("String('{{package}} {{url}}').bind(profile)", "x u/x/live"),
        ("String('{{pi}} {{b}}').bind(pi = 3.14159265358979, b = True)", "3.14159265359 True"),
        ("String('{{v}}').bind({})", "{{v}}"),
        ("String('{{v}}').bind(v = Integer(3))", "3"),
        ("String('{{p.name}} {{p.cmdline}}').bind(p = p, x = 9)", "p run 9"),
    ]);
    refused(&[
        ("String('{{v}}').bind({'v w': 1})", "cannot bind to"),
        ("String('{{v}}').bind(v = None)", "cannot be bound"),
        ("String('{{v}}').bind(v = [1])", "cannot be bound"),
        ("String('{{v}}').bind(v = Empty)", "cannot be bound"),
        ("String('{{v}}').bind(3)", "what is bound is"),
        ("String('{{v}}').bind(String('a'))", "what is bound is"),
        ("Environment(v = None)", "cannot be bound"),
    ]);
}

#[test]
fn json_goes_out_and_comes_in() {
    check(&[
        (
            "Process(name = 'a', cmdline = '{{c}}').bind(c = 'é').json_dumps()[:21]",
            r#"{"cmdline": "\u00e9","#,
        ),
        (r#"Profile.json_loads('{"package": "j", "other": 1}').url()"#, "u/j/live"),
        (r#"Task.json_loads('{"resources": {"cpu": 1, "gpus": 2}}').resources().cpu()"#, "1.0"),
        (r#"Profile.json_loads(profile.json_dumps()) == profile"#, "True"),
    ]);
    refused(&[
        (r#"Profile.json_loads('{"other": 1}', strict = True)"#, "no field `other`"),
        (r#"Task.json_loads('{"processes": [{"nam": "a"}]}')"#, "no field `nam`"),
        ("Profile.json_loads('{')", "no JSON"),
    ]);
}

#[test]
fn what_doubles_is_stopped() {
    for text in [
        "e = Environment(a = 1)\nfor i in range(60):\n    e = Environment(a = e, b = e)\n",
        "T = String\nfor i in range(60):\n    T = Map(T, T)\n",
        "T = List(String)\nx = T(['a'])\nfor i in range(60):\n    T = List(T)\n    x = T([x, x])\n",
        "c = '{{n.f}}{{m.f}}'\nS = struct_type('S', f = String)\nx = S(f = '')\n\
         for i in range(60):\n    x = S(f = c).bind(n = x, m = x)\nx.f()\n",
    ] {
        let file = format!("{text}\njobs = []\n");
        let report = evaluate(Path::new("job.aurora"), &Text(file), &Options::default());
        let message = report.map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("more than"), "{text}: {message}");
    }
}
