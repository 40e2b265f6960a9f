//! Plain words in all that people read of the exporter: no riddles, and one word for each idea.

use std::fs;
use std::path::Path;

use avepoint_exporter::bundle::DASHBOARDS;
use avepoint_exporter::cli::Arguments;
use clap::CommandFactory as _;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use regex::Regex;

use crate::promql::rules;

/// The files and directories that are checked. `--help` stands for the help of the command line and its commands.
const CHECKED: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs",
    "config.example.yaml",
    "deploy/alertmanager.yml",
    "--help",
    "src",
    "rules",
    "dashboards",
];

/// A regular expression of words to avoid, better words, a text with the former, and one without. A space stands for any
/// white space up to the next line. A match in a question is fine: there "what is" asks and names nothing.
const WORDS: &str = r"
what (is|are|was|were|it|they|there|follows?|comes?|came|stands?|runs?|remains|has|have|had|of|each|one|cannot|does|goes|then|nobody|else) | name the thing | It shows what is known. | The log shows what failed.
what (the|this|that|these|those|a|an|you) | name the thing | Narrow it to what the query shows. | Decide what to change.
(^|[.:;] )who (is|are|was|it|has|have|may|must|can|would|reads|asks|waits) | name the person | Who asks may have gone. | Users who are at risk count once.
whom|whoever|whatever | name the person or the thing | Whom to watch. | The tenants to poll.
(^|[.:;] )one (that|who|which|under|beside) | name the thing | One that is damaged is renamed. | One of the two patterns is enough.
the (one|ones) (that|who|which|whose|before|of|for|with|in|after) | name the thing | The one before stays in force. | The one exception is a restart.
that which|those which | name the thing | It reads that which it needs. | It reads the rows that it needs.
anew | again | It is polled anew. | It is polled again.
stands? (in|at|there|under|with|below|beside|still|twice|here|by) | is, is listed | A key that stands twice. | MSP stands for managed service provider.
fares? | state, status | How each poll fares. | The state of each poll.
grave(st)? | severe, lowest level | The least grave log lines. | The lowest level to log.
for want of | without | It failed for want of a token. | It failed without a token.
be it | whether, successful or not | Polls that ended, be it well or badly. | It may be italic.
well or badly|good or bad|polled well|ended well|it is well|all is well | succeeded, successful or not | It was never polled well. | It works well with Grafana.
(is|are|was|were) to be | must be; can get | No token is to be had. | The exporter cannot get a token.
goes on|go on (with|without|as) | continues | It goes on without. | The engineer goes to the console.
lets? in | includes, matches | The patterns let in the tenant. | The patterns include the tenant.
(is|are|was) on( by default| anywhere| for|[.,;:)] ) | is enabled | If the collector is on, it polls. | The figures are on `/metrics`.
mend(s|ed)? | fix | Mend what is wrong. | Fix the error.
folders? | directory | A folder for the figures. | A directory for the figures.
beside | next to, in addition to, with | The list stands beside it. | Besides, it polls once.
troubles? | problem, outage | Elements is in trouble. | Elements has a problem.
(is|are|was|be) asked | sends requests to, requests | The API is asked less often. | The exporter asks again.
hand(s|ed)? out | issue | Microsoft hands out a new token. | It hands the token over.
(comes?|came) of (it|them|one|what)|what came | result | What came of it is logged. | The result is logged.
fault of | bug in | A fault of the exporter. | A bug in the exporter.
(^|[.:;] )so (long|often|much|few) | name the quantity, and say of what | So long it waits for the disk. | So it waits.
so many | number of, at most N | So many locations have a series. | So it counts many users.
as far as|for so long|after so long | until, up to, for N | As far as it is known. | After 30 s it tries again.
(it|that|this|what|which|file|text|value|name|key|restart) is no (yaml|json|rust|file|folder|directory|number|url|change|name|key|list|label|threshold|warm) | is not, is not valid | The file is no YAML. | There is no file, and it is no longer stale.
(that|which) (is|are) none | unknown, not a | A reason that is none. | There is none, and none of them is stale.
yet to come | in the future | A time that is yet to come. | A timestamp in the future.
again and again | repeatedly | The rate falls again and again. | The rate falls again.
all the same | still, anyway | It counts all the same. | All users have the same role.
(without|no|lacks?|lost) (mfa|multi-factor authentication|a second factor)|mfa disabled | no per-user MFA: a policy may enforce MFA | Users without MFA. | Users without per-user MFA.
seldom | rarely, less often | It is polled seldom. | It is rarely polled.
";

/// The patterns, each with its better words and its two examples.
fn words() -> Vec<(Regex, [&'static str; 3])> {
    let row = |row: &'static str| {
        let parts: Vec<_> = row.split(" | ").collect();
        let pattern = str::replace(parts[0], ' ', r"[ #]*[ \n][ #]*");
        let pattern = Regex::new(&format!(r"(?im)\b(?:{pattern})\b")).unwrap();
        (pattern, [parts[1], parts[2], parts[3]])
    };
    WORDS.trim().lines().map(row).collect()
}

/// The words to avoid in a text that begins at this line of a file.
fn problems(words: &[(Regex, [&str; 3])], file: &str, line: usize, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (pattern, [better, ..]) in words {
        for found in pattern.find_iter(text) {
            let mut rest = text[found.end()..].chars();
            if rest.find(|c| ".;?".contains(*c)) != Some('?') {
                let line = line + text[..found.start()].matches('\n').count();
                let words = found.as_str().trim_matches(|c: char| !c.is_alphanumeric());
                problems.push(format!("{file}:{line}: {words:?}; better: {better}"));
            }
        }
    }
    problems
}

/// Markdown without headings, code, and the tables that programs write; all lines stay where they are.
fn prose(text: &str) -> String {
    let (mut fenced, mut generated, mut code) = (false, false, true);
    let mut prose = String::new();
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        generated = (generated || line.ends_with(": begin -->")) && !line.ends_with(": end -->");
        let empty = line.trim().is_empty();
        code = fenced || fence || empty || (code && line.starts_with("    "));
        if !code && !generated && !line.starts_with('#') {
            prose += line;
        }
        prose.push('\n');
    }
    let inline = Regex::new("`[^`]*`").unwrap();
    let blank = |code: &regex::Captures<'_>| code[0].replace(|c| c != '\n', "_");
    inline.replace_all(&prose, blank).into_owned()
}

/// The string literals outside tests and documentation, without the names in braces, each with its line.
fn literals(tokens: TokenStream, found: &mut Vec<(usize, String)>) {
    let joined = Regex::new(r"\\\n\s*").unwrap();
    let placeholder = Regex::new(r"\{[^{}]*\}").unwrap();
    let mut skips_body = false;
    let mut hash = false;
    for token in tokens {
        let was_hash = std::mem::take(&mut hash);
        match token {
            TokenTree::Punct(punct) => {
                hash = punct.as_char() == '#' || (was_hash && punct.as_char() == '!');
                skips_body &= punct.as_char() != ';';
            }
            TokenTree::Group(group) if was_hash => {
                let attribute = group.stream().to_string().replace(' ', "");
                skips_body |= attribute == "cfg(test)";
                if !["doc=", "expect(", "cfg"]
                    .iter()
                    .any(|start| attribute.starts_with(start))
                {
                    literals(group.stream(), found);
                }
            }
            TokenTree::Group(group) if skips_body && group.delimiter() == Delimiter::Brace => {
                skips_body = false;
            }
            TokenTree::Group(group) => literals(group.stream(), found),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                if text.ends_with(['"', '#']) {
                    let line = literal.span().start().line;
                    let text = joined.replace_all(&text, "\n");
                    found.push((line, placeholder.replace_all(&text, "_").into_owned()));
                }
            }
            TokenTree::Ident(_) => {}
        }
    }
}

/// The words to avoid in a file, in a directory, or in `--help`.
fn check(words: &[(Regex, [&str; 3])], name: &str) -> Vec<String> {
    if name == "--help" {
        let mut command = Arguments::command();
        let commands: Vec<_> = command.get_subcommands().cloned().collect();
        let help = |command: &mut clap::Command| command.render_long_help().to_string();
        let own = help(&mut command);
        let texts = commands.into_iter().map(|mut command| help(&mut command));
        let texts = texts.chain([own]);
        return texts
            .flat_map(|text| problems(words, name, 1, &text))
            .collect();
    }
    if Path::new(name).is_dir() {
        let entries = fs::read_dir(name).unwrap();
        let entries = entries.map(|entry| entry.unwrap().path().to_str().unwrap().to_owned());
        let mut entries: Vec<_> = entries.collect();
        entries.sort();
        return entries.iter().flat_map(|name| check(words, name)).collect();
    }
    let extension = Path::new(name).extension().and_then(|it| it.to_str());
    let read = || fs::read_to_string(name).unwrap();
    match extension {
        _ if name.contains("/tests") => Vec::new(),
        Some("md") => problems(words, name, 1, &prose(&read())),
        Some("yml" | "yaml" | "json") => problems(words, name, 1, &read()),
        Some("rs") => {
            let mut texts = Vec::new();
            literals(read().parse().unwrap(), &mut texts);
            let texts = texts.iter();
            texts
                .flat_map(|(line, text)| problems(words, name, *line, text))
                .collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn what_people_read_is_in_plain_words() {
    let words = words();
    let problems: Vec<_> = CHECKED
        .iter()
        .flat_map(|name| check(&words, name))
        .collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// The status `mfa_disabled` is the per-user setting; a policy neither causes nor cures it.
#[test]
fn nobody_is_sent_to_a_policy_for_mfa_disabled() {
    let policy =
        Regex::new(r"(?i)conditional\s+access|security\s+defaults|\bpolicy was\b").unwrap();
    let alerts = rules().into_iter().flat_map(|rule| rule.annotations);
    let mut texts: Vec<_> = alerts.collect();
    for dashboard in DASHBOARDS.files {
        texts.push((dashboard.name.to_owned(), dashboard.text.to_owned()));
    }
    let runbook = fs::read_to_string("docs/runbooks/AvePointMfaDisabledUsersRising.md").unwrap();
    let (_, remedy) = runbook.split_once("\n## What to do\n").unwrap();
    texts.push(("the runbook's remedy".to_owned(), remedy.to_owned()));
    for (name, text) in texts {
        assert!(!policy.is_match(&text), "{name} names a policy: {text}");
    }
}

#[test]
fn each_pattern_finds_its_bad_example_and_no_pattern_finds_a_good_one() {
    let words = words();
    for (pattern, [better, bad, good]) in &words {
        assert!(pattern.is_match(bad), "{pattern} does not find {bad:?}");
        assert_eq!(problems(&words, "good", 1, good), [""; 0], "{better}");
    }
    assert_eq!(
        problems(&words, "question", 1, "What is known? Who is it?"),
        [""; 0]
    );
}

#[test]
fn words_are_found_at_their_line_and_not_in_code() {
    let words = words();
    let text =
        "# What is known\n\n    what is\n\nA list `what\nis` stands\nhere.\n```\nanew\n```\nanew\n";
    let found = problems(&words, "a.md", 1, &prose(text));
    assert_eq!(
        found,
        [
            "a.md:11: \"anew\"; better: again",
            "a.md:6: \"stands\\nhere\"; better: is, is listed",
        ]
    );
}

#[test]
fn string_literals_are_found_outside_tests_and_documentation() {
    let text = "/// \"doc\"\n#[error(\"one\")]\nfn f() { g!(\"two \\\n  words{seldom}\") }\n#[cfg(test)]\nmod tests { \"three\" }\n\
                #[cfg(test)]\nmod tests;\nconst A: &str = r\"four\";";
    let mut found = Vec::new();
    literals(text.parse().unwrap(), &mut found);
    let found: Vec<_> = found.iter().map(|(line, text)| (*line, &**text)).collect();
    assert_eq!(
        found,
        [(2, "\"one\""), (3, "\"two \nwords_\""), (9, "r\"four\"")]
    );
}
