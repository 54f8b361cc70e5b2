//! The command line: an operation as a word, inputs as flags, and exec's command. No secret is accepted here, since
//! everyone on the machine can read a command line; what is not understood is never repeated, since it might be one.

use std::ffi::OsString;

use lexopt::{Arg, Parser};

use super::completions::Shell;
use crate::inputs::Arguments;
use crate::inputs::table::{INPUTS, Input, Value};
use crate::nearest::nearest;
use crate::operation_name::OperationName;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandLine {
    /// Run an operation.
    Run(Arguments),
    /// Explain something.
    Help(Topic),
    /// Print the completion script of a shell.
    Completions(Shell),
    /// Print the version.
    Version,
    /// Not understood.
    Misused(Misuse),
}

/// What a person wants explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// What there is.
    Everything,
    /// One operation.
    Operation(OperationName),
    /// The completion scripts.
    Completions,
}

impl Topic {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "completions" => Some(Self::Completions),
            word => OperationName::parse(word).map(Self::Operation),
        }
    }
}

/// Everything that is wrong with a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse {
    /// What is wrong, in sentences that repeat nothing but names of adopat's own.
    pub problems: Vec<String>,
    /// What explains how it is right.
    pub topic: Topic,
}

impl Misuse {
    /// Where to read on, as a sentence.
    pub fn advice(&self) -> String {
        match self.topic {
            Topic::Everything => "'adopat --help' lists the operations.".into(),
            Topic::Operation(word) => format!("'adopat {} --help' lists its flags.", word.text()),
            Topic::Completions => "'adopat completions --help' says how they are installed.".into(),
        }
    }
}

impl CommandLine {
    /// Reads the arguments, without the program's own name.
    pub fn parse(arguments: &[OsString]) -> Self {
        let Some((first, rest)) = arguments.split_first() else { return Self::Run(Arguments::default()) };
        match first.to_str().unwrap_or_default() {
            "--help" | "-h" | "help" => help(rest),
            "--version" | "-V" => Self::Version,
            "completions" => completions(rest),
            "complete" if rest.is_empty() => Self::Run(Arguments { post_step: true, ..Arguments::default() }),
            flag if flag.starts_with('-') => misused(Topic::Everything, flag_first(flag)),
            word => match OperationName::parse(word) {
                Some(operation) => Operands::new(operation, rest).read(),
                None => misused(Topic::Everything, unknown_operation(word)),
            },
        }
    }
}

fn misused(topic: Topic, problem: String) -> CommandLine {
    CommandLine::Misused(Misuse { problems: vec![problem], topic })
}

fn help(topics: &[OsString]) -> CommandLine {
    let Some(topic) = topics.first() else { return CommandLine::Help(Topic::Everything) };
    let topic = topic.to_str().unwrap_or_default();
    match Topic::parse(topic) {
        Some(topic) => CommandLine::Help(topic),
        None if topic.starts_with('-') || topic == "help" => CommandLine::Help(Topic::Everything),
        None => misused(Topic::Everything, unknown_operation(topic)),
    }
}

fn completions(shells: &[OsString]) -> CommandLine {
    let words: Vec<&str> = shells.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    if words.iter().any(|word| matches!(*word, "--help" | "-h")) {
        return CommandLine::Help(Topic::Completions);
    }
    match words.as_slice() {
        [shell] if let Some(shell) = Shell::parse(shell) => CommandLine::Completions(shell),
        _ => {
            let shells = Shell::ALL.map(Shell::text).join(", ");
            misused(Topic::Completions, format!("'adopat completions' needs the name of a shell: {shells}."))
        }
    }
}

/// Names the nearest operation, but never the word itself.
fn unknown_operation(word: &str) -> String {
    let names = OperationName::ALL.into_iter().map(OperationName::text).chain(["help", "completions"]);
    let nearest = nearest(word, names);
    let advice = if nearest.is_alike { format!(" Did you mean {}?", nearest.name) } else { String::new() };
    let words = OperationName::ALL.map(OperationName::text).join(", ");
    format!("There is no such operation.{advice} The operations are {words}.")
}

fn flag_first(flag: &str) -> String {
    let name = flag.trim_start_matches('-').split('=').next().unwrap_or_default();
    match INPUTS.iter().find(|input| input.name == name) {
        Some(input) if input.flag().is_none() => no_flag(input),
        _ => "The operation comes first, then its flags: adopat OPERATION [--INPUT VALUE]...".into(),
    }
}

/// Why this input has no flag.
fn no_flag(input: &Input) -> String {
    if input.secret {
        return format!(
            "--{} is not accepted: others on this machine can read the command line. Set the environment variable \
             {} instead.",
            input.name,
            input.variable()
        );
    }
    format!("--{name} is not accepted: give the {name} as a word, as in 'adopat list'.", name = input.name)
}

/// What follows the operation, while it is read.
struct Operands {
    operation: OperationName,
    parser: Parser,
    count: usize,
    /// Which of the program's arguments is being read, counted from 1.
    position: usize,
    arguments: Arguments,
    problems: Vec<String>,
    wants_help: bool,
    /// The boolean that stands just before, which a person may have wanted to give a value.
    boolean: Option<&'static Input>,
}

impl Operands {
    fn new(operation: OperationName, operands: &[OsString]) -> Self {
        Self {
            operation,
            parser: Parser::from_args(operands),
            count: operands.len(),
            position: 1,
            arguments: Arguments { operation: Some(operation), ..Arguments::default() },
            problems: Vec::new(),
            wants_help: false,
            boolean: None,
        }
    }

    fn read(mut self) -> CommandLine {
        while let Some(next) = self.next() {
            let boolean = self.boolean.take();
            match next.as_str() {
                "--" => {
                    self.skip();
                    self.command();
                    break;
                }
                "-h" | "--help" => {
                    self.skip();
                    self.wants_help = true;
                }
                "-V" | "--version" => return CommandLine::Version,
                flag if flag.starts_with("--") => self.flag(),
                flag if flag.starts_with('-') && flag.len() > 1 => {
                    // One hyphen is a slip for two. Letters that stand for flags there are none.
                    let problem = self.unknown_flag(flag.trim_start_matches('-'));
                    self.skip();
                    self.problems.push(problem);
                    self.skip_value();
                }
                _ if self.operation == OperationName::Exec => break,
                _ => {
                    let problem = self.stray(boolean);
                    self.skip();
                    self.problems.push(problem);
                }
            }
        }
        let topic = Topic::Operation(self.operation);
        if self.wants_help {
            return CommandLine::Help(topic);
        }
        if self.operation == OperationName::Exec && self.arguments.command.is_empty() {
            self.problems
                .push("exec needs its command after two hyphens: adopat exec -- COMMAND ARG...".into());
        }
        if self.problems.is_empty() {
            return CommandLine::Run(self.arguments);
        }
        CommandLine::Misused(Misuse { problems: self.problems, topic })
    }

    fn flag(&mut self) {
        let Ok(Some(Arg::Long(name))) = self.parser.next() else { return };
        let name = name.to_owned();
        let with_equals = self.parser.optional_value();
        let input = match self.input(&name) {
            Ok(input) => input,
            Err(problem) => {
                self.problems.push(problem);
                if with_equals.is_none() {
                    self.skip_value();
                }
                return;
            }
        };
        let value = match with_equals {
            Some(value) => value,
            None if input.value == Value::Boolean => {
                self.boolean = Some(input);
                "true".into()
            }
            None => match self.value() {
                Some(value) => value,
                None => {
                    let word = input.value.placeholder();
                    self.problems.push(format!(
                        "--{name} needs a value: --{name} {word}, or --{name}={word} if it begins with two hyphens."
                    ));
                    return;
                }
            },
        };
        if input.holds_a_secret(value.to_string_lossy().trim()) {
            self.problems.push(format!(
                "--{name} takes the path of a file. To give the certificate itself, set the environment variable {}.",
                input.variable()
            ));
        } else if !self.arguments.flags.add(input, value) {
            self.problems.push(format!("--{name} is there twice: give it once."));
        }
    }

    /// The input of that name, if the operation takes it as a flag.
    fn input(&self, name: &str) -> Result<&'static Input, String> {
        let input = INPUTS.iter().find(|input| input.name == name).ok_or_else(|| self.unknown_flag(name))?;
        if input.flag().is_none() {
            return Err(no_flag(input));
        }
        if !input.is_for(self.operation) {
            let operation = self.operation.text();
            return Err(format!("{operation} does not use --{name}: leave it out."));
        }
        Ok(input)
    }

    /// Names the flag that was probably meant, but never the one that was given.
    fn unknown_flag(&self, name: &str) -> String {
        let operation = self.operation.text();
        let given = name.split('=').next().unwrap_or_default();
        let ours = INPUTS.iter().filter(|input| input.is_for(self.operation) && input.name != "operation");
        let near = nearest(given, ours.map(|input| input.name));
        let input = INPUTS.iter().find(|input| input.name == near.name).expect("a name of the table");
        let near_name = match input.flag() {
            Some(flag) => flag,
            // A secret: the next attempt should not be its flag.
            None => format!("the environment variable {}", input.variable()),
        };
        let advice = if near.is_alike { format!(" Did you mean {near_name}?") } else { String::new() };
        format!("Argument {} is not a flag of {operation}.{advice}", self.position)
    }

    fn stray(&self, boolean: Option<&'static Input>) -> String {
        let position = self.position;
        match boolean {
            Some(boolean) => format!(
                "Argument {position} belongs to no flag: to give --{name} a value, write --{name}=true or --{name}=false.",
                name = boolean.name
            ),
            None => {
                format!("Argument {position} belongs to no flag: give each input as --INPUT VALUE.")
            }
        }
    }

    fn command(&mut self) {
        let rest = self.parser.raw_args().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
        if self.operation == OperationName::Exec {
            self.arguments.command = rest;
        } else if !rest.is_empty() {
            let operation = self.operation.text();
            self.problems.push(format!("{operation} takes nothing after two hyphens: only exec does."));
        }
    }

    /// The value that stands after a flag. One that begins with two hyphens is the next flag.
    fn value(&mut self) -> Option<OsString> {
        let mut rest = self.parser.try_raw_args()?;
        rest.next_if(|word| !word.as_encoded_bytes().starts_with(b"--"))
    }

    /// Steps over what is most likely the value of a flag that was not understood.
    fn skip_value(&mut self) {
        if let Some(mut rest) = self.parser.try_raw_args() {
            rest.next_if(|word| !word.as_encoded_bytes().starts_with(b"-"));
        }
    }

    fn skip(&mut self) {
        if let Some(mut rest) = self.parser.try_raw_args() {
            rest.next();
        }
    }

    /// What comes next, which stays where it is.
    fn next(&mut self) -> Option<String> {
        let rest = self.parser.try_raw_args()?;
        // The operation's word is the first.
        self.position = self.count - rest.as_slice().len() + 2;
        Some(rest.peek()?.to_string_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn parse(words: &[&str]) -> CommandLine {
        CommandLine::parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    fn run(words: &[&str]) -> Arguments {
        match parse(words) {
            CommandLine::Run(arguments) => arguments,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    fn problems(words: &[&str]) -> Vec<String> {
        match parse(words) {
            CommandLine::Misused(misuse) => misuse.problems,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    fn value(arguments: &Arguments, name: &str) -> Option<String> {
        let value = arguments.flags.value(crate::inputs::table::input(name))?;
        Some(value.to_str().expect("text").to_owned())
    }

    #[test]
    fn an_operation_is_one_word() {
        let expected = Arguments { operation: Some(OperationName::Rotate), ..Arguments::default() };
        assert_eq!(parse(&["rotate"]), CommandLine::Run(expected));
        assert_eq!(parse(&[]), CommandLine::Run(Arguments::default()));
    }

    #[rstest]
    #[case::apart(&["list", "--filter", "all"], "filter", "all")]
    #[case::joined(&["list", "--filter=all"], "filter", "all")]
    #[case::joined_with_hyphens(&["get", "--display-name=--x"], "display-name", "--x")]
    #[case::one_hyphen_is_a_value(&["get", "--display-name", "-x"], "display-name", "-x")]
    #[case::two_are_not_help(&["get", "--display-name=--help"], "display-name", "--help")]
    #[case::unset(&["list", "--filter="], "filter", "")]
    #[case::a_boolean_alone(&["list", "--fail-if-global"], "fail-if-global", "true")]
    #[case::a_boolean_with_its_value(&["list", "--fail-if-global=no"], "fail-if-global", "no")]
    #[case::a_path(&["list", "--client-certificate", "app.pem"], "client-certificate", "app.pem")]
    #[case::a_list(&["create", "--scope", "a", "--scope=b"], "scope", "a\nb")]
    fn a_flag_is_an_input(#[case] words: &[&str], #[case] name: &str, #[case] expected: &str) {
        assert_eq!(value(&run(words), name).as_deref(), Some(expected));
    }

    #[test]
    fn a_command_stands_after_two_hyphens_and_is_kept_as_it_is() {
        assert_eq!(run(&["exec", "--", "npm", "--help"]).command, ["npm", "--help"]);
        let arguments = run(&["exec", "--scope", "vso.code", "--", "npm", "--scope", "--"]);
        assert_eq!(arguments.command, ["npm", "--scope", "--"]);
        assert_eq!(value(&arguments, "scope").as_deref(), Some("vso.code"));
        for words in [&["exec"][..], &["exec", "npm"], &["exec", "--"], &["exec", "npm", "--help"]] {
            let [problem] = problems(words).try_into().expect("one problem");
            assert!(problem.contains("adopat exec -- COMMAND"), "{problem}");
        }
    }

    #[test]
    fn every_input_is_a_flag_of_the_operations_that_use_it_and_of_no_other() {
        for (input, operation) in INPUTS.iter().flat_map(|input| OperationName::ALL.map(|word| (input, word)))
        {
            let mut words = vec![operation.text().to_owned(), format!("--{}=x", input.name)];
            words.extend(
                (operation == OperationName::Exec)
                    .then_some(["--".into(), "true".into()])
                    .into_iter()
                    .flatten(),
            );
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            if input.flag().is_some() && input.is_for(operation) {
                assert_eq!(value(&run(&words), input.name).as_deref(), Some("x"));
            } else {
                assert_eq!(problems(&words).len(), 1, "{words:?}");
            }
        }
    }

    #[rstest]
    #[case::joined("--NAME=hunter2hunter2")]
    #[case::apart("--NAME hunter2hunter2")]
    fn a_secret_is_refused_with_its_variable(#[case] form: &str) {
        for input in INPUTS.iter().filter(|input| input.secret && input.value != Value::Path) {
            let flag = form.replace("NAME", input.name);
            for line in [format!("list {flag}"), flag.clone()] {
                let [problem] = problems(&line.split(' ').collect::<Vec<_>>()).try_into().expect("one");
                assert!(problem.contains(&format!("--{} is not accepted", input.name)), "{problem}");
                assert!(problem.contains(&input.variable()) && !problem.contains("hunter2"), "{problem}");
            }
        }
    }

    #[test]
    fn a_certificate_is_a_path_and_never_the_certificate_itself() {
        let pem = "-----BEGIN PRIVATE KEY-----\nhunter2hunter2".to_owned();
        let base64 = format!("MII{}hunter2hunter2", "A".repeat(120));
        for certificate in [pem, base64] {
            let (joined, apart) = (format!("--client-certificate={certificate}"), format!(" {certificate}"));
            for words in [&["list", &joined][..], &["list", "--client-certificate", &apart]] {
                let [problem] = problems(words).try_into().expect("one problem");
                assert!(problem.contains("ADOPAT_CLIENT_CERTIFICATE"), "{problem}");
                assert!(!problem.contains("hunter2"), "{problem}");
            }
        }
    }

    #[rstest]
    #[case(&["list", "--organisation", "x"], "Did you mean --organization?")]
    #[case(&["list", "--expires-within=14d"], "Did you mean --expiring-within?")]
    #[case(&["list", "-filter", "all"], "Did you mean --filter?")]
    #[case(&["list", "--Filter", "all"], "Did you mean --filter?")]
    #[case(&["list", "--refreshtoken", "x"], "Did you mean the environment variable ADOPAT_REFRESH_TOKEN?")]
    #[case(&["list", "--zzz"], "Argument 2 is not a flag of list.")]
    #[case(&["list", "-x"], "Argument 2 is not a flag of list.")]
    #[case(&["list", "--token", "x"], "Argument 2 is not a flag of list.")]
    #[case(&["list", "--organization", "x", "--filtr=all"], "Argument 4 is not a flag of list")]
    #[case(&["list", "--renew-within", "1d"], "list does not use --renew-within")]
    #[case(&["list", "--filter", "all", "--filter=all"], "--filter is there twice")]
    #[case(&["create", "--dry-run", "--dry-run"], "--dry-run is there twice")]
    #[case(&["create", "--dry-run", "false"], "write --dry-run=true or --dry-run=false")]
    #[case(&["list", "--filter"], "--filter needs a value: --filter CHOICE, or --filter=CHOICE")]
    #[case(&["list", "--filter", "--log=debug"], "--filter needs a value")]
    #[case(&["list", "--operation", "get"], "give the operation as a word")]
    #[case(&["--operation=list"], "give the operation as a word")]
    #[case(&["--organization", "x", "list"], "The operation comes first")]
    #[case(&["list", "--", "x"], "takes nothing after two hyphens")]
    #[case(&["list", "all"], "Argument 2 belongs to no flag")]
    #[case(&["rotat"], "Did you mean rotate?")]
    #[case(&["help", "rotat"], "Did you mean rotate?")]
    #[case(&["complete", "x"], "There is no such operation")]
    #[case(&["completions"], "bash, zsh, fish, powershell")]
    #[case(&["completions", "tcsh"], "bash, zsh, fish, powershell")]
    fn one_mistake_is_one_problem_that_says_what_to_do(#[case] words: &[&str], #[case] sentence: &str) {
        let [problem] = problems(words).try_into().expect("one problem");
        assert!(problem.contains(sentence), "{problem}");
    }

    #[rstest]
    #[case("--zzz")]
    #[case("--token")]
    #[case("--bogus")]
    #[case("-x")]
    fn what_is_like_no_flag_is_not_taken_for_one(#[case] word: &str) {
        for operation in OperationName::ALL.map(OperationName::text) {
            let problem = problems(&[operation, word, "--", "true"]).swap_remove(0);
            assert!(problem.ends_with(&format!("is not a flag of {operation}.")), "{problem}");
        }
    }

    #[rstest]
    fn the_version_can_be_asked_for_anywhere(#[values("--version", "-V")] flag: &str) {
        assert_eq!(parse(&[flag]), CommandLine::Version);
        for operation in OperationName::ALL.map(OperationName::text) {
            assert_eq!(parse(&[operation, flag]), CommandLine::Version);
            assert_eq!(parse(&[operation, "--organization", "x", flag]), CommandLine::Version);
        }
        assert_eq!(run(&["exec", "--", "npm", flag]).command, ["npm", flag]);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let words = ["list", "--refresh-token", "x", "--renew-within=1d", "--bogus", "x", "y", "--filter"];
        assert_eq!(problems(&words).len(), 5);
    }

    #[test]
    fn what_is_not_understood_is_never_repeated() {
        for words in [
            &["hunter2hunter2"][..],
            &["--hunter2hunter2"],
            &["help", "hunter2hunter2"],
            &["completions", "hunter2hunter2"],
            &["create", "hunter2hunter2"],
            &["create", "--hunter2hunter2"],
            &["create", "-hunter2hunter2"],
            &["create", "--hunter2=hunter2hunter2"],
            &["create", "--verify", "--hunter2hunter2"],
            &["create", "--dry-run", "hunter2hunter2"],
            &["create", "--renew-within", "hunter2hunter2"],
            &["create", "--", "hunter2hunter2"],
            &["exec", "hunter2hunter2"],
        ] {
            let problems = problems(words).concat();
            assert!(!problems.contains("hunter2"), "{problems}");
        }
    }

    #[rstest]
    #[case(&["--help"], Topic::Everything)]
    #[case(&["-h"], Topic::Everything)]
    #[case(&["help"], Topic::Everything)]
    #[case(&["help", "help"], Topic::Everything)]
    #[case(&["help", "list"], Topic::Operation(OperationName::List))]
    #[case(&["--help", "list"], Topic::Operation(OperationName::List))]
    #[case(&["list", "--help"], Topic::Operation(OperationName::List))]
    #[case(&["list", "-h"], Topic::Operation(OperationName::List))]
    #[case(&["list", "--filter", "all", "--help"], Topic::Operation(OperationName::List))]
    #[case(&["exec", "--help", "--", "true"], Topic::Operation(OperationName::Exec))]
    #[case(&["completions", "--help"], Topic::Completions)]
    #[case(&["help", "completions"], Topic::Completions)]
    fn help_can_be_asked_for_anywhere(#[case] words: &[&str], #[case] topic: Topic) {
        assert_eq!(parse(words), CommandLine::Help(topic));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_text_is_a_value_all_the_same() {
        use std::os::unix::ffi::OsStringExt as _;
        let name = OsString::from_vec(b"--display-name=caf\xe9".to_vec());
        let CommandLine::Run(arguments) = CommandLine::parse(&["get".into(), name]) else { panic!("a run") };
        let value = arguments.flags.value(crate::inputs::table::input("display-name")).expect("a value");
        assert_eq!(value.as_encoded_bytes(), b"caf\xe9");
    }
}
