//! What can be done with the jobs of a file.

use aurora_ide::lenses::{Lens, jobs_of_role, lenses};

use crate::fixture::Fixture;

fn shown(fixture: &Fixture) -> String {
    let one = |lens: &Lens| {
        let line = fixture.source().lines.line(lens.span.start) + 1;
        let text: String = fixture.slice(lens.span).chars().take(8).collect();
        match &lens.key {
            Some(key) => {
                let titles: Vec<&str> = lens.commands.iter().map(|command| command.title).collect();
                assert!(lens.commands.iter().all(|command| command.key == *key));
                let main = lens.commands[0].file.path().file_name().unwrap().to_str().unwrap();
                format!("{line}:{text} {key} {main} [{}]", titles.join(" "))
            }
            None => format!("{line}:{text} +{}", lens.more),
        }
    };
    lenses(&fixture.world, &fixture.file).iter().map(one).collect::<Vec<_>>().join("; ")
}

const TASK: &str = "t = SimpleTask('a', 'b')\n";

#[test]
fn jobs_that_were_evaluated() {
    let key = "task = t, cluster = 'c', role = 'r', environment = 'test'";
    for (case, wanted) in [
        (
            format!("{TASK}jobs = [Job({key})]\n"),
            "2:Job(task c/r/test/a main.aurora [inspect diff deploy]".to_owned(),
        ),
        (
            format!("{TASK}j = Job({key}, name = 'x')\njobs = [j]\n"),
            "2:Job(task c/r/test/x main.aurora [inspect diff deploy]".to_owned(),
        ),
        (
            format!("{TASK}j = Job({key}, name = 'x')\njobs = [j(name = 'y')]\n"),
            "3:j(name = c/r/test/y main.aurora [inspect diff deploy]".to_owned(),
        ),
        (
            format!("{TASK}j = Job({key}, name = 'x')\njobs = [j.bind(z = 1)]\n"),
            "2:Job(task c/r/test/x main.aurora [inspect diff deploy]".to_owned(),
        ),
        (
            format!("{TASK}jobs = [Job({key}, name = 'n%d' % n) for n in range(6)]\n"),
            {
                let one = |n| format!("2:Job(task c/r/test/n{n} main.aurora [inspect diff deploy]; ");
                format!("{}{}{}{}2:Job(task +2", one(0), one(1), one(2), one(3))
            },
        ),
        (
            format!("{TASK}jobs = [Job({key}, name = '{{{{x}}}}')]\n"),
            "2:Job(task c/r/test/{{x}} main.aurora [inspect]".to_owned(),
        ),
        (
            format!("\u{feff}{TASK}jobs = [Job({key})]\n"),
            "2:Job(task c/r/test/a main.aurora [inspect diff deploy]".to_owned(),
        ),
        (
            format!("#- x/a.aurora\ninclude('../b.aurora')\njobs = [j]\n#- b.aurora\n$0{TASK}j = Job({key})\n"),
            "2:Job(task c/r/test/a a.aurora [inspect diff deploy]".to_owned(),
        ),
        (
            format!("#- a.aurora\ninclude('b.aurora')\njobs = [j]\n#- b.aurora\n$0{TASK}j = Job({key})\n"),
            "2:Job(task c/r/test/a a.aurora [inspect diff deploy]".to_owned(),
        ),
        (
            "load('@std//service.aurora', 'worker')\njobs = [worker('a', 'b', cluster = 'c', role = 'r', environment = 'test')]\n".to_owned(),
            "2:worker(' c/r/test/a main.aurora [inspect diff deploy]".to_owned(),
        ),
        ("jobs = []\n".to_owned(), String::new()),
        // What other files make stands where it is taken in.
        (
            format!("#- a.aurora\ninclude('b.aurora')\njobs = [j.bind(x = '1')]$0\n#- b.aurora\n{TASK}j = Job({key})\n"),
            "2:j.bind(x c/r/test/a a.aurora [inspect diff deploy]".to_owned(),
        ),
        (
            format!("#- a.aurora\ninclude('b.aurora')\njobs = [mk('u')]\njobs += [mk('v')]$0\n#- b.aurora\n{TASK}def mk(n):\n  return Job({key}, name = n)\n"),
            "2:mk('u') c/r/test/u a.aurora [inspect diff deploy]; 3:mk('v') c/r/test/v a.aurora [inspect diff deploy]".to_owned(),
        ),
        (
            format!("#- a.aurora\ninclude('b.aurora')\njobs = [mk(n) for n in ['u', 'v']]$0\n#- b.aurora\n{TASK}def mk(n):\n  return Job({key}, name = n)\n"),
            "2:[mk(n) f c/r/test/u a.aurora [inspect diff deploy]; 2:[mk(n) f c/r/test/v a.aurora [inspect diff deploy]".to_owned(),
        ),
    ] {
        assert_eq!(shown(&Fixture::evaluated(&case)), wanted, "{case}");
    }
}

#[test]
fn jobs_that_only_the_text_tells_of() {
    for (case, wanted) in [
        (
            "jobs = [Job(name = 'a', cluster = 'c', role = 'r', environment = 'test')]\n",
            "1:Job(name c/r/test/a main.aurora [inspect diff deploy]",
        ),
        (
            "j = Job(name = 'a', role = 'r')\njobs = [j(cluster = 'c')]\n",
            "2:j(cluste c/r/?/a main.aurora [inspect]",
        ),
        ("j = Service(name = 'a')\njobs = [j]\n", "1:Service( ?/?/?/a main.aurora [inspect]"),
        ("jobs = [Service(name = '{{x}}'), 3]\n", "1:Service( ?/?/?/? main.aurora [inspect]"),
        ("jobs = []\njobs += [Job(name = 'a')]\n", "2:Job(name ?/?/?/a main.aurora [inspect]"),
        (
            "load('@std//service.aurora', 'worker')\njobs = [worker(name = 'a', role = 'r')]\nx = (",
            "2:worker(n ?/r/?/a main.aurora [inspect]",
        ),
        ("j = k\nk = j\njobs = [j]\n", ""),
        ("x = [Job(name = 'a')]\n", ""),
    ] {
        assert_eq!(shown(&Fixture::new(case)), wanted, "{case}");
    }
    let fixture = Fixture::new("");
    assert!(lenses(&fixture.world, &aurora_ide::FileId::new("/nowhere")).is_empty());
}

#[test]
fn lenses_move_with_the_text() {
    let case =
        format!("{TASK}jobs = [Job(task = t, cluster = 'c', role = 'r', environment = 'test')]\n");
    let mut fixture = Fixture::evaluated(&case);
    fixture.workspace.open(fixture.file.clone(), format!("# more\n{case}"), 2);
    fixture.world = fixture.workspace.snapshot();
    assert_eq!(shown(&fixture), "3:Job(task c/r/test/a main.aurora [inspect diff deploy]");
    // A job in which somebody types is still there.
    let typed = case.replace("role = 'r'", "role = 'r");
    fixture.workspace.open(fixture.file.clone(), typed, 3);
    fixture.world = fixture.workspace.snapshot();
    assert_eq!(shown(&fixture), "2:Job(task c/r/test/a main.aurora [inspect diff deploy]");
}

#[test]
fn lenses_of_a_text_that_is_all_new_are_those_of_the_text() {
    let key = "task = t, cluster = 'c', role = 'r', environment = 'test'";
    let mut fixture = Fixture::evaluated(&format!("{TASK}jobs = [Job({key}, name = 'a')]\n"));
    let text = format!("# new\n{TASK}\njobs = [Job(name = 'b', {key})] \n");
    fixture.workspace.open(fixture.file.clone(), text, 2);
    fixture.world = fixture.workspace.snapshot();
    assert_eq!(shown(&fixture), "4:Job(name c/r/test/b main.aurora [inspect diff deploy]");
}

#[test]
fn the_value_of_a_role_leads_to_its_jobs() {
    let job = "task = t, cluster = 'c', environment = 'test', ";
    let made = format!("j = Job({job}name = 'a', role = ");
    for (case, wanted) in [
        (format!("{TASK}{made}'w$0ww')\njobs = [j]\n"), "c/www/test/a"),
        (format!("{TASK}{made}'www$0')\njobs = [j, j(name = 'b')]\n"), "c/www/test/a c/www/test/b"),
        (format!("{TASK}WHO = 'www'\n{made}W$0HO)\njobs = [j]\n"), "c/www/test/a"),
        (format!("{TASK}{made}'{{{{w$0ho}}}}').bind(who = 'me')\njobs = [j]\n"), "c/me/test/a"),
        (format!("{TASK}{made}'www', contact = 'm$0e')\njobs = [j]\n"), ""),
        (format!("{TASK}{made}'w$0ww')\njobs = [j(role = 'other')]\n"), ""),
    ] {
        let fixture = Fixture::evaluated(&case);
        let jobs: Vec<String> = jobs_of_role(&fixture.world, &fixture.file, fixture.at)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(jobs.join(" "), wanted, "{case}");
    }
}
