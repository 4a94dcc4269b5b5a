//! The words of statements and expressions, and whole jobs to begin with.

use super::place::Place;
use super::{Completion, CompletionKind, List, Rank, given};
use crate::style::escaped;

/// Something to begin with: its word, what it is, and its lines as `aurora config fmt` lays them
/// out. `CLUSTER` and `ROLE` stand for what other jobs have.
const WHOLE: [(&str, &str, &str); 6] = [
    (
        "service",
        "a job that runs until it is stopped",
        r#"${1:web} = Service(
  cluster="${2:CLUSTER}",
  role="${3:ROLE}",
  environment="${4:prod}",
  name="${5:web}",
  instances=${6:2},
  task=Task(
    processes=[
      Process(name="$5", cmdline="${7:exec ./server --port {{thermos.ports[http]\}\}}"),
    ],
    resources=Resources(cpu=${8:0.5}, ram=${9:256}*MB, disk=${10:256}*MB),
  ),
)$0"#,
    ),
    (
        "cron",
        "a job that runs at given times",
        r#"${1:nightly} = Job(
  cluster="${2:CLUSTER}",
  role="${3:ROLE}",
  environment="${4:prod}",
  name="${5:nightly}",
  cron_schedule="${6:30 2 * * *}",
  cron_collision_policy="${7:CANCEL_NEW}",
  task=Task(
    processes=[Process(name="$5", cmdline="${8:./run}")],
    resources=Resources(cpu=${9:0.5}, ram=${10:256}*MB, disk=${11:256}*MB),
  ),
)$0"#,
    ),
    (
        "batch",
        "a job that runs once",
        r#"${1:batch} = Job(
  cluster="${2:CLUSTER}",
  role="${3:ROLE}",
  environment="${4:prod}",
  name="${5:batch}",
  max_task_failures=${6:3},
  task=Task(
    processes=[Process(name="$5", cmdline="${7:./run}")],
    resources=Resources(cpu=${8:0.5}, ram=${9:256}*MB, disk=${10:256}*MB),
  ),
)$0"#,
    ),
    (
        "task",
        "processes that run one after the other",
        r#"${1:task} = SequentialTask(
  name="${2:task}",
  processes=[
    Process(name="${3:fetch}", cmdline="${4:./fetch}"),
    Process(name="${5:run}", cmdline="${6:./run}"),
  ],
  resources=Resources(cpu=${7:0.5}, ram=${8:256}*MB, disk=${9:256}*MB),
)$0"#,
    ),
    (
        "process",
        "a command line",
        r#"${1:process} = Process(name="${2:process}", cmdline="${3:./run}")$0"#,
    ),
    (
        "class",
        "a struct of one's own, whose fields templates refer to",
        "class ${1:Profile}(Struct):\n  ${2:name} = ${3:Required(String)}$0",
    ),
];

/// The words with which statements begin, and what they begin.
const STATEMENTS: [(&str, &str); 9] = [
    ("def", "def ${1:name}(${2}):\n  $0"),
    ("if", "if ${1:condition}:\n  $0"),
    ("for", "for ${1:name} in ${2:values}:\n  $0"),
    ("while", "while ${1:condition}:\n  $0"),
    ("import", "import $0"),
    ("from", "from $0"),
    ("assert", "assert $0"),
    ("pass", "pass"),
    ("del", "del $0"),
];

/// Proposes what may begin a statement.
pub(super) fn statements(place: &Place<'_>, list: &mut List) {
    if place.is_in_class() {
        let field = Completion::new("field", CompletionKind::Snippet)
            .detail("name = Required(Type)")
            .snippet("${1:name} = ${2|Required,Default|}(${3:String})$0");
        list.push(Rank::Snippet, field);
        keyword(list, "pass", "pass");
        return;
    }
    if place.is_outermost() {
        whole(place, list);
    }
    if place.is_behind_if() {
        keyword(list, "elif", "elif ${1:condition}:\n  $0");
        keyword(list, "else", "else:\n  $0");
    }
    if place.is_in_function() {
        keyword(list, "return", "return $0");
    }
    if place.is_in_loop() {
        keyword(list, "break", "break");
        keyword(list, "continue", "continue");
    }
    for (word, snippet) in STATEMENTS {
        keyword(list, word, snippet);
    }
}

fn whole(place: &Place<'_>, list: &mut List) {
    let wanted: Vec<_> = WHOLE.iter().filter(|(word, ..)| list.takes(word)).collect();
    if wanted.is_empty() {
        return;
    }
    let used = |argument: &str, otherwise: &str| {
        let found = given::texts(place, argument).into_iter().next();
        escaped(&found.unwrap_or_else(|| otherwise.to_owned()))
    };
    let known = place.world.clusters().first().map_or("devcluster", String::as_str);
    let (cluster, role) = (used("cluster", known), used("role", "www-data"));
    for (word, about, snippet) in wanted {
        let snippet = place.style.styled(snippet);
        let snippet = snippet.replace("CLUSTER", &cluster).replace("ROLE", &role);
        let proposal =
            Completion::new(*word, CompletionKind::Snippet).detail(*about).snippet(snippet);
        list.push(Rank::Snippet, proposal);
    }
}

fn keyword(list: &mut List, word: &str, snippet: &str) {
    let proposal = Completion::new(word, CompletionKind::Keyword);
    let proposal = if snippet == word { proposal } else { proposal.snippet(snippet) };
    list.push(Rank::Keyword, proposal);
}

/// Proposes the words with which a value may begin.
pub(super) fn words(list: &mut List) {
    for (word, snippet) in [("not", "not $0"), ("lambda", "lambda ${1:x}: $0")] {
        keyword(list, word, snippet);
    }
}

/// Proposes the words that may stand behind a value.
pub(super) fn operators(place: &Place<'_>, list: &mut List) {
    for word in ["and", "or", "in", "not in", "is", "if", "else"] {
        keyword(list, word, &format!("{word} $0"));
    }
    if place.is_in_brackets() {
        keyword(list, "for", "for ${1:name} in ${2:values}$0");
    }
}
