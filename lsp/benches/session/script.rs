//! What is typed where and when, and what is true of each text that comes of it: worked out before
//! the session begins, so that the server has the processors to itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aurora_syntax::{Parsed, parse, reparse};

use crate::workspace::{EVALUATED, MARKS, Workspace};

/// How many keys are typed at least: what is begun is taken back.
const EDITS: usize = 2000;
/// How many of the included files are typed in.
pub(crate) const OPEN: usize = 5;

/// Something that is typed, key by key, and taken back key by key.
struct Typed {
    words: &'static str,
    /// After how many keys the text can be evaluated, so that a pause ends with its diagnostics.
    pauses: &'static [usize],
    /// What the evaluation says of the whole, if it is a mistake.
    mistake: Option<&'static str>,
}

const TYPED: [Typed; 7] = [
    Typed { words: "w = 123", pauses: &[5, 6, 7], mistake: None },
    Typed { words: "max_concurrency = 1, ", pauses: &[19, 20], mistake: None },
    Typed { words: "x = [server_1, ", pauses: &[], mistake: None },
    Typed { words: "y = 'a {{profile_3.heap}} b'", pauses: &[28], mistake: None },
    Typed { words: "z = Process(name = 'q')", pauses: &[23], mistake: None },
    Typed { words: "v = None.y", pauses: &[10], mistake: Some("unknown-attribute") },
    Typed { words: "if True:", pauses: &[], mistake: None },
];

/// A key.
pub(crate) struct Step {
    pub(crate) file: usize,
    pub(crate) version: i64,
    /// The line and columns of what is replaced, which may begin on the line before.
    pub(crate) replaced: [(usize, usize); 2],
    pub(crate) text: &'static str,
    /// Where the cursor stands then.
    pub(crate) cursor: (usize, usize),
    /// Where the mouse points meanwhile, in the first file.
    pub(crate) mouse: (usize, usize),
    /// Whether it makes or mends a syntax error.
    pub(crate) toggles: bool,
    pub(crate) then: Then,
}

/// What comes after a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The next, so much later.
    Key(Duration),
    /// A pause, until the evaluation has told this.
    Pause(&'static str),
}

/// What is true of a text.
#[derive(Default)]
pub(crate) struct Truth {
    /// The lines on which something is no program.
    pub(crate) broken: BTreeSet<u64>,
    /// The lines of which the evaluation alone tells something, with what it tells.
    pub(crate) evaluated: BTreeSet<(u64, &'static str)>,
}

/// A whole session.
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
    /// What is true of each version of each file that is open.
    pub(crate) truth: BTreeMap<(usize, i64), Truth>,
}

/// A file that is open.
struct Open {
    text: String,
    parsed: Parsed,
    version: i64,
}

impl Script {
    pub(crate) fn new(workspace: &Workspace) -> Self {
        let mut script = Self { steps: Vec::new(), truth: BTreeMap::new() };
        let texts = workspace.files.iter().take(OPEN + 1).map(|(_, text)| text.clone());
        let mut open: Vec<Open> =
            texts.map(|text| Open { parsed: parse(&text), text, version: 1 }).collect();
        for (file, open) in open.iter().enumerate() {
            script.truth.insert((file, 1), Truth::of(file, open));
        }
        let mut random = Random(42);
        let fields: Vec<usize> = lines(&open[0].text, |line| line.starts_with("  "));
        while script.steps.len() < EDITS {
            let file = if random.below(4) == 0 { 1 + random.below(OPEN) } else { 0 };
            let typed = &TYPED[random.below(TYPED.len())];
            // Where a statement can begin.
            let places = lines(&open[file].text, str::is_empty);
            let line = places[random.below(places.len())];
            let mouse = (fields[random.below(fields.len())], [4, 16][random.below(2)]);
            script.typed(file, &mut open[file], line, typed, mouse, &mut random);
        }
        script
    }

    /// Types something on a new line, and takes it back.
    fn typed(
        &mut self,
        file: usize,
        open: &mut Open,
        line: usize,
        typed: &Typed,
        mouse: (usize, usize),
        random: &mut Random,
    ) {
        let Typed { words, pauses, mistake } = typed;
        let below = line + 1;
        let pause = |keys: usize| {
            let of_file = EVALUATED[usize::from(file > 0)];
            let whole = if keys == words.len() { *mistake } else { None };
            pauses.contains(&keys).then(|| whole.unwrap_or(of_file))
        };
        self.key(file, open, [(line, 0); 2], "\n", (below, 0), mouse, None, random);
        for (at, _) in words.char_indices() {
            let (key, after) = (&words[at..=at], at + 1);
            let (place, cursor) = ([(below, at); 2], (below, after));
            self.key(file, open, place, key, cursor, mouse, pause(after), random);
        }
        for at in (0..words.len()).rev() {
            let place = [(below, at), (below, at + 1)];
            self.key(file, open, place, "", (below, at), mouse, pause(at), random);
        }
        let end = Some(EVALUATED[usize::from(file > 0)]);
        self.key(file, open, [(line, 0), (below, 0)], "", (line, 0), mouse, end, random);
    }

    #[expect(clippy::too_many_arguments, reason = "they are what there is to say of a key")]
    fn key(
        &mut self,
        file: usize,
        open: &mut Open,
        replaced: [(usize, usize); 2],
        text: &'static str,
        cursor: (usize, usize),
        mouse: (usize, usize),
        pause: Option<&'static str>,
        random: &mut Random,
    ) {
        let was_broken = is_broken(&open.parsed);
        let old = open.text.clone();
        let range = replaced.map(|place| offset(&old, place));
        open.text.replace_range(range[0]..range[1], text);
        let parsed = std::mem::take(&mut open.parsed);
        open.parsed = reparse(parsed, &old, range[0]..range[1], &open.text);
        open.version += 1;
        // Faster than anybody types, and now and then so much later that an evaluation has begun.
        let later =
            if random.below(8) == 0 { 60 + random.below(80) } else { 20 + random.below(40) };
        let key = Then::Key(Duration::from_millis(later as u64));
        self.steps.push(Step {
            file,
            version: open.version,
            replaced,
            text,
            cursor,
            mouse,
            toggles: was_broken != is_broken(&open.parsed),
            then: pause.map_or(key, Then::Pause),
        });
        self.truth.insert((file, open.version), Truth::of(file, open));
    }
}

impl Truth {
    fn of(file: usize, open: &Open) -> Self {
        let all = open.parsed.errors.iter().chain(&open.parsed.refused);
        let line = |at: usize| open.text[..at].matches('\n').count() as u64;
        let broken = all.map(|error| line(error.range.start)).collect();
        let which = usize::from(file > 0);
        let mut evaluated = BTreeSet::new();
        let mistakes = TYPED.iter().filter_map(|typed| Some((typed.words, typed.mistake?)));
        for (words, code) in mistakes.chain([(MARKS[which], EVALUATED[which])]) {
            evaluated.extend(open.text.find(words).map(|at| (line(at), code)));
        }
        Self { broken, evaluated }
    }
}

fn is_broken(parsed: &Parsed) -> bool {
    !parsed.errors.is_empty() || !parsed.refused.is_empty()
}

/// The numbers of some of the lines of a text.
fn lines(text: &str, is_meant: impl Fn(&str) -> bool) -> Vec<usize> {
    let all = text.lines().enumerate();
    all.filter(|(_, line)| is_meant(line)).map(|(at, _)| at).collect()
}

/// The byte of a place in a text, which is of ASCII.
fn offset(text: &str, (line, column): (usize, usize)) -> usize {
    text.split_inclusive('\n').take(line).map(str::len).sum::<usize>() + column
}

/// The same session in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
