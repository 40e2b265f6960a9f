//! The rules, and what to do about a break of one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::imports::{File, Import, Path};

const MOST_LINES: usize = 700;

/// The floors of the top-level modules.
const FLOORS: &[(u8, &[&str])] = &[
    (0, &["bundle", "domain", "lock", "troubles"]),
    (1, &["config", "metric"]),
    (2, &["upstream"]),
    (3, &["collectors", "snapshot", "state"]),
    (4, &["exposition", "fleet", "scheduler"]),
    (5, &["process", "server"]),
    (6, &["app", "cli"]),
    (7, &["main"]),
];

/// The parts of a module in floors of their own: each imports lower parts only, and none beside it.
const PARTS: &[(&str, &[&[&str]])] = &[(
    "upstream",
    &[
        &["http"],
        &["auth"],
        &["api"],
        &["elements", "partner_center"],
    ],
)];

/// Beside the floors: it imports floor 0 only, and is imported by floor 6 only.
const SIMULATOR: &str = "simulator";

fn floor(module: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(_, modules)| modules.contains(&module))
        .map(|(floor, _)| *floor)
}

/// The part of a divided module that a file belongs to, with its height; `None` for other files, among them the
/// module's own `mod.rs`, which passes names on.
fn part(module: &[String]) -> Option<Result<(usize, &str), &str>> {
    let (top, below) = module.split_first()?;
    let (_, parts) = PARTS.iter().find(|(module, _)| module == top)?;
    let name = below.first()?.as_str();
    let height = parts.iter().position(|beside| beside.contains(&name));
    Some(height.map(|height| (height, name)).ok_or(name))
}

/// What breaks the rules in these sources, sorted.
pub(super) fn problems(sources: &[(String, String)]) -> Vec<String> {
    let files: Vec<_> = sources
        .iter()
        .map(|(name, text)| File::read(name, text))
        .collect();
    let crate_ = Crate::new(&files);
    let mut problems = BTreeSet::new();
    for file in &files {
        if file.lines > MOST_LINES {
            problems.insert(format!(
                "{} has {} lines, more than {MOST_LINES}: split it by concern into files of 60 to 300 lines",
                file.name, file.lines
            ));
        }
        let Some(top) = file.module.first() else {
            continue;
        };
        if floor(top).is_none() && top != SIMULATOR {
            problems.insert(format!(
                "{}: the module {top} has no floor: give it one in FLOORS of tests/it/architecture/rules.rs, the \
                 lowest that is above all it imports",
                file.name
            ));
        }
        if let Some(Err(name)) = part(&file.module) {
            problems.insert(format!(
                "{}: the module {top}::{name} has no place in {top}: give it one in PARTS of \
                 tests/it/architecture/rules.rs, the lowest that is above all it imports",
                file.name
            ));
        }
        for import in &file.imports {
            problems.extend(wrong_floor(file, top, import));
            problems.extend(reads_json(file, top, import));
            problems.extend(crate_.wrong_part(file, top, import));
        }
    }
    problems.extend(crate_.cycles());
    problems.into_iter().collect()
}

/// The import of another top-level module from where it must not be imported.
fn wrong_floor(file: &File, top: &str, import: &Import) -> Option<String> {
    let target = import.path.first()?;
    let place = format!("{}:{}", file.name, import.line);
    if target == top {
        return None;
    }
    if target == SIMULATOR {
        return (floor(top) != Some(6)).then(|| {
            format!(
                "{place}: {top} imports crate::{SIMULATOR}: the exporter must not know it; only floor 6 puts \
                 the two together"
            )
        });
    }
    let to = floor(target)?;
    if top == SIMULATOR {
        return (to > 0).then(|| {
            format!(
                "{place}: the simulator imports crate::{target} (floor {to}): it is a peer of the real service \
                 and imports crate::domain only, so that one mistake cannot cancel itself out; write it anew there"
            )
        });
    }
    let from = floor(top)?;
    (to > from).then(|| {
        format!(
            "{place}: {top} (floor {from}) imports crate::{target} (floor {to}): imports go down only; move what \
             is shared to a lower floor, or hand it in from above as a value or a function"
        )
    })
}

/// The import of what reads the upstream's JSON from where nobody may know it.
fn reads_json(file: &File, top: &str, import: &Import) -> Option<String> {
    let is_wire = top == "collectors" && file.module.last().is_some_and(|name| name == "wire");
    (import.path.starts_with(&["upstream", "http"].map(str::to_owned))
        && top != "upstream"
        && !is_wire)
        .then(|| {
            format!(
                "{}:{}: {top} imports crate::upstream::http: only upstream and the file wire.rs of a collector know \
                 the upstream's JSON; read the field there and hand on what remains of it",
                file.name, import.line
            )
        })
}

struct Crate<'a> {
    files: BTreeMap<&'a [String], &'a File>,
}

impl<'a> Crate<'a> {
    fn new(files: &'a [File]) -> Self {
        let files = files.iter().map(|file| (&*file.module, file)).collect();
        Self { files }
    }

    /// The file where a path's last name is at home; `None` outside the crate.
    fn home(&self, path: &[String]) -> Option<&'a File> {
        let mut path = path.to_vec();
        // Each step follows a name that is passed on; a loop of those does not compile.
        for _ in 0..16 {
            let (file, rest) = (1..=path.len())
                .rev()
                .find_map(|n| Some((*self.files.get(path.get(..n)?)?, path.get(n..)?)))?;
            let Some((target, rest)) = rest
                .split_first()
                .and_then(|(name, rest)| Some((file.names.get(name)?, rest)))
            else {
                return Some(file);
            };
            let target: Path = target.iter().chain(rest).cloned().collect();
            // A name from an external crate looks like one of this module.
            if target == path || target.starts_with(&file.module) && self.is_external(file, &target)
            {
                return Some(file);
            }
            path = target;
        }
        None
    }

    /// Whether a path that looks like one below the module begins with no module of it.
    fn is_external(&self, file: &File, path: &[String]) -> bool {
        path.get(..=file.module.len())
            .is_none_or(|start| !self.files.contains_key(start))
    }

    /// The import of a part of the same module that is not below. A name that `mod.rs` passes on counts as an import
    /// of the part where it is at home.
    fn wrong_part(&self, file: &File, top: &str, import: &Import) -> Option<String> {
        let home = self.home(&import.path)?;
        let (from, name) = part(&file.module)?.ok()?;
        let (to, target) = part(&home.module)?.ok()?;
        (home.module.first() == file.module.first() && name != target && to >= from).then(|| {
            format!(
                "{}:{}: {top}::{name} imports {top}::{target}, which is not below it: move what is shared to a lower \
                 part of {top}, or hand it in from above as a value or a function",
                file.name, import.line
            )
        })
    }

    /// Modules of one floor, and files of one module, that import each other in a circle.
    fn cycles(&self) -> Vec<String> {
        let mut modules = Graph::new();
        let mut files = Graph::new();
        for file in self.files.values() {
            for import in file.imports.iter().filter(|import| !import.passed_on) {
                let Some(home) = self.home(&import.path) else {
                    continue;
                };
                let (from, to) = (&file.module, &home.module);
                if from.first() == to.first() {
                    edge(&mut files, from.join("::"), to.join("::"));
                } else if let (Some(from), Some(to)) = (from.first(), to.first())
                    && floor(from) == floor(to)
                {
                    edge(&mut modules, from.clone(), to.clone());
                }
            }
        }
        let cycles = circles(&modules).into_iter().chain(circles(&files));
        cycles
            .map(|circle| {
                format!(
                    "these import each other: {circle}: move what both need into a module of its own that imports \
                     neither, or hand it over as an argument"
                )
            })
            .collect()
    }
}

type Graph = BTreeMap<String, BTreeSet<String>>;

fn edge(graph: &mut Graph, from: String, to: String) {
    if from != to {
        graph.entry(from).or_default().insert(to);
    }
}

/// The shortest circle through each edge that is on one, written from its first name by the alphabet.
fn circles(graph: &Graph) -> BTreeSet<String> {
    let mut circles = BTreeSet::new();
    for (from, targets) in graph {
        for to in targets {
            if let Some(mut circle) = way(graph, to, from) {
                let first = circle
                    .iter()
                    .enumerate()
                    .min_by_key(|(_, name)| *name)
                    .map_or(0, |(place, _)| place);
                circle.rotate_left(first);
                circle.extend(circle.first().copied());
                circles.insert(circle.join(" -> "));
            }
        }
    }
    circles
}

/// The shortest way from one name to another, both included.
fn way<'a>(graph: &'a Graph, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut ways = VecDeque::from([vec![from]]);
    let mut seen = BTreeSet::from([from]);
    while let Some(way) = ways.pop_front() {
        let last = *way.last()?;
        if last == to {
            return Some(way);
        }
        for next in graph.get(last).into_iter().flatten() {
            if seen.insert(next) {
                let mut longer = way.clone();
                longer.push(next);
                ways.push_back(longer);
            }
        }
    }
    None
}
