//! `apply`: the manifest, and what is to be done with it. doctor is asked about a manifest too.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use url::Url;

use super::Check;
use crate::azure_devops::{Endpoints, Organization};
use crate::inputs::choices::Renew;
use crate::inputs::problem::Problem;
use crate::inputs::request::{Apply, Delivery, OutputFormat};
use crate::inputs::table::input;
use crate::manifest::{self, Context, LARGEST, Manifest};
use crate::nearest::nearest;
use crate::operation_name::OperationName;
use crate::store::Address;

/// How many PATs are worked on at once if nothing says how many.
const PARALLEL: usize = 4;
/// The most that may be.
const MOST_PARALLEL: usize = 16;

impl Check<'_> {
    /// The manifest, read and checked, if the operation has one; what is doubtful about it is warned of.
    pub(super) fn manifest(
        &mut self,
        operation: OperationName,
        organization: Option<&Organization>,
        endpoints: Option<&Endpoints>,
        delivery: &Delivery,
    ) -> Option<Manifest> {
        let text = self.text("manifest").filter(|_| input("manifest").is_for(operation))?;
        let file = path_of(text);
        let document = match file.map(read) {
            None => text.to_owned(),
            Some(Ok(document)) => document,
            Some(Err(error)) => {
                let remedy = "give the path of a YAML or JSON file, or the document itself";
                self.wrong("manifest", format!("cannot be read ({error})"), remedy);
                return None;
            }
        };
        let store = self.text("credential-store").and_then(|text| Address::parse(text).ok());
        let default = Url::parse(input("devops-url").default?).ok()?;
        let context = Context {
            organization,
            credential_store: store.as_ref(),
            output_file: delivery.output_file.as_ref().map(|file| file.path.as_path()),
            manifest_file: file,
            devops_url: endpoints.map_or(&default, |endpoints| &endpoints.devops_url),
        };
        let name = file.map(|path| path.display().to_string());
        let told = |problem| Problem::in_a_document("manifest", name.as_deref(), problem);
        match manifest::read(&document, context) {
            Ok(manifest) => {
                let warnings = manifest.warnings.iter().map(|warning| told(warning.clone()).to_string());
                self.warnings.extend(warnings);
                Some(manifest)
            }
            Err(problems) => {
                problems.into_iter().for_each(|problem| self.problems.push(told(problem)));
                None
            }
        }
    }

    /// What is to be done with the manifest. Everything is checked, whether it could be read or not.
    pub(super) fn apply(
        &mut self,
        manifest: Option<Manifest>,
        delivery: &Delivery,
        dry_run: bool,
    ) -> Option<Apply> {
        if !self.is_given("manifest") {
            self.problems.add(
                "manifest",
                "is required",
                "give the path of a manifest, or the manifest itself",
            );
        }
        let [prune, fail_if_drift] = ["prune", "fail-if-drift"].map(|name| self.boolean(name));
        let only = self.only(manifest.as_ref());
        if prune && !only.is_empty() {
            self.problems.add("prune", "does not go with only", "leave one of them out");
        }
        if prune && manifest.as_ref().is_some_and(|manifest| manifest.prune.is_none()) {
            let remedy = "add 'prune' with a 'name-prefix' to the manifest";
            self.problems.add("prune", "needs the manifest to say what it covers", remedy);
        }
        if fail_if_drift && !dry_run {
            self.problems.add("fail-if-drift", "is for a dry run alone", "set dry-run to true");
        }
        if let Some(file) = &delivery.output_file
            && !matches!(file.format, OutputFormat::Json | OutputFormat::Dotenv)
        {
            let what = "is for a PAT, and apply's outputs hold none";
            self.problems.add("output-format", what, "use json or dotenv");
        }
        let parallel = self.parallel();
        let renew_all = self.choice("renew") == Some(Renew::All);
        Some(Apply {
            manifest: manifest?,
            only,
            renew_all,
            prune,
            fail_if_drift,
            dry_run,
            parallel: parallel?,
        })
    }

    /// The names of `only`, each of which has to be an entry's.
    fn only(&mut self, manifest: Option<&Manifest>) -> Vec<String> {
        let lines = self.text("only").unwrap_or_default().lines().map(str::trim);
        let names: Vec<String> = lines.filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let Some(manifest) = manifest else { return names };
        let known = || manifest.entries.iter().map(|entry| entry.display_name.as_str());
        for name in names.iter().filter(|name| known().all(|known| known != *name)) {
            let near = nearest(name, known());
            let remedy = match near.is_alike {
                true => format!("did you mean '{}'?", near.name),
                false => format!("use names of the manifest, like '{}'", near.name),
            };
            self.problems.wrong("only", name, "is not the name of an entry", remedy);
        }
        names
    }

    fn parallel(&mut self) -> Option<usize> {
        self.read("parallel", |text| {
            let number = text.parse().ok().filter(|number| (1..=MOST_PARALLEL).contains(number));
            number.ok_or_else(|| "is not a number from 1 to 16; use 4".into())
        })
        .or_else(|| (!self.is_given("parallel")).then_some(PARALLEL))
    }
}

/// The path, if it is one: a document has a line break, or begins with a brace.
fn path_of(text: &str) -> Option<&Path> {
    let text = text.trim();
    (!text.contains(['\n', '\r']) && !text.starts_with('{')).then(|| Path::new(text))
}

/// The file's text, or so much of it that it is found to be too large.
fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LARGEST {
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use rstest::rstest;

    use super::*;
    use crate::inputs::request::{Operation, Request};
    use crate::inputs::{Arguments, Environment, Flags, Inputs};
    use crate::operation_name::OperationName;

    const ENTRIES: &str = "version: 1\npats:\n\
        - {display-name: ci, organization: fabrikam, scope: vso.code, deliver-to: file:no/such/ci}\n\
        - {display-name: nightly, organization: contoso, scope: vso.code, deliver-to: file:no/such/nightly}\n";

    fn read_as(
        operation: OperationName,
        inputs: &[(&str, &str)],
    ) -> Result<(Vec<String>, Request), Vec<String>> {
        let given = [("access-token", "eyJmYWtl.fake.fake")];
        let variables = given.iter().chain(inputs).map(|(name, value)| {
            let name = format!("ADOPAT_{}", name.to_uppercase().replace('-', "_"));
            (OsString::from(name), OsString::from(value))
        });
        let environment: Environment = variables.collect();
        let arguments = Arguments { operation: Some(operation), ..Arguments::default() };
        let inputs = Inputs::read(&environment, &Flags::default());
        let (warnings, request) = inputs.into_request(&arguments, &environment);
        let request =
            request.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        Ok((warnings, request))
    }

    fn apply_of(inputs: &[(&str, &str)]) -> Apply {
        let (_, request) = read_as(OperationName::Apply, inputs).expect("a request");
        assert_eq!(request.organization.expect("one").name(), "fabrikam", "the first of the manifest");
        match request.operation {
            Operation::Apply(apply) => apply,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_manifest_is_given_whole_or_by_its_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("adopat.yml");
        std::fs::write(&path, ENTRIES).expect("written");
        let path = path.display().to_string();
        let json = r#"{"version": 1, "pats": [{"display-name": "ci", "organization": "fabrikam", "scope": "vso.code",
            "deliver-to": "file:no/such/ci"}]}"#;
        for (manifest, count) in [(ENTRIES, 2), (&path, 2), (json, 1), (&json.replace('\n', ""), 1)] {
            let apply = apply_of(&[("manifest", manifest), ("organization", "northwind")]);
            assert_eq!(apply.manifest.entries.len(), count, "{manifest}");
            assert_eq!((apply.parallel, apply.renew_all, apply.prune), (4, false, false));
        }
    }

    #[test]
    fn the_first_line_of_a_document_may_be_indented_as_the_others_are() {
        let indented: String = ENTRIES.lines().map(|line| format!("  {line}\n")).collect();
        assert_eq!(apply_of(&[("manifest", &indented)]).manifest.entries.len(), 2);
    }

    #[test]
    fn what_is_asked_for_is_what_is_done() {
        let inputs = [
            ("manifest", ENTRIES),
            ("only", "nightly\n\n"),
            ("renew", "all"),
            ("dry-run", "true"),
            ("fail-if-drift", "true"),
            ("parallel", "16"),
        ];
        let apply = apply_of(&inputs);
        assert!(apply.renew_all && apply.dry_run && apply.fail_if_drift);
        assert_eq!(apply.parallel, 16);
        let names: Vec<_> = apply.entries().map(|entry| entry.display_name.as_str()).collect();
        assert_eq!(names, ["nightly"]);
    }

    #[rstest]
    #[case::none(&[], &["Input 'manifest' is required: give the path of a manifest, or the manifest itself."])]
    #[case::no_file(&[("manifest", "no/such/adopat.yml")], &[
        "Input 'manifest': 'no/such/adopat.yml' cannot be read (No such file or directory (os error 2)); give the path of \
         a YAML or JSON file, or the document itself.",
    ])]
    #[case::a_folder(&[("manifest", "/")], &[
        "Input 'manifest': '/' cannot be read (Is a directory (os error 21)); give the path of a YAML or JSON file, or the \
         document itself.",
    ])]
    #[case::endless(&[("manifest", "/dev/zero")], &[
        "Input 'manifest', /dev/zero:1:1: The manifest is larger than 1 MiB; cut it by organization or team.",
    ])]
    #[case::malformed(&[("manifest", "version: 1\npats: []\nprun: {}"), ("parallel", "17")], &[
        "Input 'manifest', line 2, column 7: 'pats' is empty; list the PATs that there shall be.",
        "Input 'manifest', line 3, column 1: 'prun' is not a key of a manifest; did you mean 'prune'?",
        "Input 'manifest', line 3, column 7: 'prune' has no 'name-prefix'; say how the names begin of the PATs that it \
         may revoke.",
        "Input 'parallel': '17' is not a number from 1 to 16; use 4.",
    ])]
    #[case::no_such_entry(&[("manifest", ENTRIES), ("only", "nightli\nnobody's\n")], &[
        "Input 'only': 'nightli' is not the name of an entry; did you mean 'nightly'?",
        "Input 'only': 'nobody's' is not the name of an entry; use names of the manifest, like 'nightly'.",
    ])]
    #[case::prune_of_nothing(&[("manifest", ENTRIES), ("prune", "true"), ("only", "ci")], &[
        "Input 'prune' does not go with only: leave one of them out.",
        "Input 'prune' needs the manifest to say what it covers: add 'prune' with a 'name-prefix' to the manifest.",
    ])]
    #[case::drift(&[("manifest", ENTRIES), ("fail-if-drift", "yes")], &[
        "Input 'fail-if-drift' is for a dry run alone: set dry-run to true.",
    ])]
    #[case::a_bare_pat(&[("manifest", ENTRIES), ("output-file", "no/such/file"), ("output-format", "netrc")], &[
        "Input 'output-format' is for a PAT, and apply's outputs hold none: use json or dotenv.",
    ])]
    #[case::renew(&[("manifest", ENTRIES), ("renew", "some"), ("parallel", "0")], &[
        "Input 'parallel': '0' is not a number from 1 to 16; use 4.",
        "Input 'renew': 'some' is not one of its choices; use due or all.",
    ])]
    #[case::a_store_that_is_taken(&[("manifest", ENTRIES), ("output-file", "no/such/ci")], &[
        "Input 'manifest', line 3, column 75: file:no/such/ci is the file of the input output-file; give the PAT a place \
         of its own.",
    ])]
    fn everything_that_is_wrong_is_told_at_once(#[case] inputs: &[(&str, &str)], #[case] problems: &[&str]) {
        assert_eq!(read_as(OperationName::Apply, inputs).expect_err("problems"), problems);
    }

    #[test]
    fn a_store_on_github_needs_its_token() {
        let manifest = ENTRIES.replace("file:no/such/ci", "github-secret:contoso/website/ADO_PAT");
        let problems = read_as(OperationName::Apply, &[("manifest", &manifest)]).expect_err("a problem");
        assert!(
            problems[0]
                .starts_with("Input 'github-token' is not given, or is empty, and a github-secret: address")
        );
    }

    #[test]
    fn what_is_doubtful_is_warned_of() {
        let manifest = ENTRIES.replace("scope: vso.code", "scope: vso.cod");
        let (warnings, _) = read_as(OperationName::Apply, &[("manifest", &manifest)]).expect("a request");
        let expected = "Input 'manifest', line 3, column 53: The scope 'vso.cod' is not a known one, and is sent all the \
                        same; did you mean vso.code?";
        assert_eq!(warnings[0], expected);
    }

    #[test]
    fn doctor_reads_a_manifest_too_and_needs_no_other_organization() {
        let (_, request) = read_as(OperationName::Doctor, &[("manifest", ENTRIES)]).expect("a request");
        assert_eq!(request.organization.expect("one").name(), "fabrikam");
        let (_, request) =
            read_as(OperationName::Doctor, &[("manifest", ENTRIES), ("organization", "northwind")])
                .expect("a request");
        assert_eq!(request.organization.expect("one").name(), "northwind");
        for (given, count) in [(&[][..], 1), (&[("manifest", "version: 2\npats: 1")], 2)] {
            let (_, request) = read_as(OperationName::Doctor, given).expect("a request");
            let Operation::Doctor(doctor) = request.operation else { panic!("doctor") };
            assert_eq!(doctor.problems.len(), count, "{:?}", doctor.problems);
        }
    }
}
