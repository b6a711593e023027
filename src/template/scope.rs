//! Which names can be seen at a place in a template, and what they stand for: as Handlebars will look them up.

use handlebars::{Path, PathSeg};

use super::schema::{self, Field, Kind};
use crate::name::nearest;
use crate::source::lenient::{RawPath, RawPathError};

/// What a name, or a helper's answer, stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Text, a number, true or false.
    Text,
    /// Names of their own.
    Group(&'static [Field]),
    /// Elements with these names.
    List(&'static [Field]),
    /// A part of the raw element, which may be anything.
    Anything,
    /// The raw element itself.
    Raw,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// What it stands for.
    pub(super) shape: Shape,
    /// Whether it leads into the raw element.
    pub(super) is_raw: bool,
    /// Whether it is the message's own short id.
    pub(super) is_id: bool,
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    /// What is wrong.
    pub(super) message: String,
    /// What was probably meant.
    pub(super) help: Option<String>,
}

/// The blocks around a place, the innermost last.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// The names outside of any block.
    root: &'static [Field],
    levels: Vec<Level>,
}

#[derive(Debug, Clone)]
struct Level {
    this: Shape,
    /// Names that the template itself has given, as in `as |frame|`.
    given: Vec<(String, Shape)>,
    /// `@index` and its like.
    locals: &'static [&'static str],
}

const IN_LIST: &[&str] = &["index", "first", "last"];
const IN_GROUP: &[&str] = &["index", "first", "last", "key"];

impl Scope {
    /// Outside of any block of the template that is asked for as `name`.
    pub(super) fn root(name: &str) -> Self {
        let root = schema::root(name);
        Self { root, levels: vec![Level { this: Shape::Group(root), given: Vec::new(), locals: &[] }] }
    }

    /// Within `{{#each}}` over a value of this shape, whose elements and keys are given these names.
    #[must_use]
    pub(super) fn each(&self, list: Shape, names: &[String]) -> Self {
        let (this, locals) = match list {
            Shape::List(fields) => (Shape::Group(fields), IN_LIST),
            _ => (Shape::Anything, IN_GROUP),
        };
        let shapes = [this, Shape::Text];
        self.with_level(Level { this, given: names.iter().cloned().zip(shapes).collect(), locals })
    }

    /// Within `{{#with}}` a value of this shape, which may be given a name.
    #[must_use]
    pub(super) fn with(&self, this: Shape, names: &[String]) -> Self {
        let given = names.iter().cloned().zip([this]).collect();
        self.with_level(Level { this, given, locals: self.locals() })
    }

    /// Within a partial that is given these arguments.
    #[must_use]
    pub(super) fn partial(&self, this: Option<Shape>, given: Vec<(String, Shape)>) -> Self {
        let this = this.unwrap_or_else(|| self.this());
        self.with_level(Level { this, given, locals: self.locals() })
    }

    fn with_level(&self, level: Level) -> Self {
        let mut levels = self.levels.clone();
        levels.push(level);
        Self { levels, ..*self }
    }

    fn locals(&self) -> &'static [&'static str] {
        self.levels.last().map_or(&[], |level| level.locals)
    }

    fn this(&self) -> Shape {
        self.levels.last().map_or(Shape::Anything, |level| level.this)
    }

    /// What a path leads to; `raw` is the path as it is written.
    pub(super) fn resolve(&self, path: &Path, raw: &str) -> Result<Found, Lost> {
        match path {
            Path::Local((_, name, _)) if name == "root" => Err(Lost {
                message: "`@root` does not stand alone".to_owned(),
                help: Some("write `@root.` and the name, such as `@root.app.name`".to_owned()),
            }),
            Path::Local((up, name, _)) => {
                let level = self.levels.iter().rev().nth(*up);
                match level.filter(|level| level.locals.contains(&name.as_str())) {
                    Some(_) => Ok(Found { shape: Shape::Text, is_raw: false, is_id: false }),
                    None => Err(Lost {
                        message: format!("there is no `@{name}` here"),
                        help: Some("@index, @first and @last are known within #each, @key where it goes over a group".to_owned()),
                    }),
                }
            }
            Path::Relative((steps, _)) => self.relative(steps, raw),
        }
    }

    fn relative(&self, steps: &[PathSeg], raw: &str) -> Result<Found, Lost> {
        let names: Vec<&str> = steps
            .iter()
            .filter_map(|step| match step {
                PathSeg::Named(name) => Some(name.as_str()),
                _ => None,
            })
            .collect();
        let bare = raw.trim_start_matches("./");
        let bare = bare.strip_prefix("this.").or_else(|| bare.strip_prefix("this/")).unwrap_or(bare);
        if bare.starts_with("@root") {
            return self.walk(Shape::Group(self.root), &names, raw, "");
        }
        if let Some((first, rest)) = names.split_first()
            && let Some(shape) = self.given(first)
        {
            return self.walk(shape, rest, raw, first);
        }
        let up = steps.len() - names.len();
        match self.levels.iter().rev().nth(up) {
            Some(level) => self.walk(level.this, &names, raw, "").map_err(|lost| self.hint(lost, &names)),
            None => Err(Lost { message: format!("`{raw}` leads out of the template"), help: None }),
        }
    }

    /// A name that the template gave itself hides all others.
    fn given(&self, name: &str) -> Option<Shape> {
        let mut given = self.levels.iter().rev().flat_map(|level| &level.given);
        given.find(|(given, _)| given == name).map(|(_, shape)| *shape)
    }

    fn walk(&self, start: Shape, names: &[&str], raw: &str, before: &str) -> Result<Found, Lost> {
        walk(self.root, start, names, (raw, before))
    }

    /// Within a block only the element's names are seen, which is easily forgotten.
    fn hint(&self, lost: Lost, names: &[&str]) -> Lost {
        let path = names.join(".");
        if self.levels.len() > 1 && self.walk(Shape::Group(self.root), names, &path, "").is_ok() {
            let help = format!("within this block the names are those of its element; write `@root.{path}`");
            return Lost { help: Some(help), ..lost };
        }
        lost
    }
}

/// Goes on by `names` from something that is called `before`; all of it is written `raw`.
fn walk(
    root: &'static [Field],
    start: Shape,
    names: &[&str],
    (raw, before): (&str, &str),
) -> Result<Found, Lost> {
    let mut found = Found { shape: start, is_raw: matches!(start, Shape::Raw), is_id: false };
    let mut so_far = before.to_owned();
    for (index, name) in names.iter().enumerate() {
        found = match found.shape {
            Shape::Group(fields) => {
                let Some(field) = fields.iter().find(|field| field.name == *name) else {
                    return Err(unknown(root, raw, fields, &so_far));
                };
                Found {
                    is_id: is_id(field),
                    is_raw: matches!(field.kind, Kind::Raw),
                    shape: shape(field.kind),
                }
            }
            Shape::List(fields) if name.parse::<usize>().is_ok() => {
                Found { shape: Shape::Group(fields), ..found }
            }
            Shape::List(_) => {
                let help = format!(
                    "write `{{{{#each {so_far}}}}} … {{{{/each}}}}`, or a number: `{so_far}.0.{name}`"
                );
                let message = format!("`{so_far}` is a list and has no `{name}`");
                return Err(Lost { message, help: Some(help) });
            }
            Shape::Raw => {
                let path = names.get(index..).unwrap_or_default().join(".");
                if RawPath::parse(&path) == Err(RawPathError::Credential) {
                    let message = format!("`{raw}` is a credential of the sending app and never available");
                    return Err(Lost { message, help: None });
                }
                Found { shape: Shape::Anything, ..found }
            }
            Shape::Anything => found,
            Shape::Text => {
                return Err(Lost { message: format!("`{so_far}` is text and has no `{name}`"), help: None });
            }
        };
        if !so_far.is_empty() {
            so_far.push('.');
        }
        so_far.push_str(name);
    }
    Ok(found)
}

fn is_id(field: &Field) -> bool {
    matches!(field.kind, Kind::Told) && field.name == "id"
}

fn shape(kind: Kind) -> Shape {
    match kind {
        Kind::Text(_) | Kind::Number(_) | Kind::Flag(_) | Kind::Told | Kind::Element => Shape::Text,
        Kind::Group(fields) => Shape::Group(fields),
        Kind::List(fields, _) | Kind::Inner(fields) => Shape::List(fields),
        Kind::Raw => Shape::Raw,
    }
}

/// The nearest name: in the same group, or anywhere.
fn unknown(root: &'static [Field], raw: &str, fields: &'static [Field], before: &str) -> Lost {
    let beside = fields.iter().map(|field| match before {
        "" => field.name.to_owned(),
        before => format!("{before}.{}", field.name),
    });
    let names: Vec<String> = beside.chain(schema::names_in(root)).collect();
    let in_list = names.iter().find_map(|name| name.strip_suffix(raw)?.strip_suffix('.'));
    let near = || nearest(raw, names.iter().map(String::as_str));
    let help = match in_list.filter(|list| is_list(root, list)) {
        Some(list) => Some(format!("it is known within `{{{{#each {list}}}}} … {{{{/each}}}}`")),
        None => near().map(|near| format!("did you mean `{near}`?")),
    };
    Lost { message: format!("there is no `{raw}`"), help }
}

/// Whether `name` is that of a list at the top.
fn is_list(root: &'static [Field], name: &str) -> bool {
    let field = root.iter().find(|field| field.name == name);
    field.is_some_and(|field| matches!(shape(field.kind), Shape::List(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(scope: &Scope, path: &str) -> Result<Found, Lost> {
        scope.resolve(&Path::parse(path).unwrap(), path)
    }

    fn lost(scope: &Scope, path: &str) -> (String, String) {
        let lost = resolve(scope, path).unwrap_err();
        (lost.message, lost.help.unwrap_or_default())
    }

    fn in_stack(names: &[&str]) -> Scope {
        let root = Scope::root("default");
        let stack = resolve(&root, "error.stack").unwrap().shape;
        root.each(stack, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_are_seen_where_handlebars_sees_them() {
        let root = Scope::root("default");
        for path in
            ["trigger", "app.name", "this.app.name", "./trigger", "@root.app.name", "app/name", "raw.a.b"]
        {
            assert!(resolve(&root, path).is_ok(), "{path}");
        }
        assert!(matches!(resolve(&root, "error.stack.0.file").unwrap().shape, Shape::Text));
        assert!(matches!(resolve(&root, "error.stack.0").unwrap().shape, Shape::Group(_)));
        assert!(resolve(&root, "raw.a").unwrap().is_raw && !resolve(&root, "app.name").unwrap().is_raw);
        assert!(resolve(&root, "id").unwrap().is_id && !resolve(&root, "error.id").unwrap().is_id);
        let frame = in_stack(&["frame", "place"]);
        for path in
            ["file", "this.line", "@index", "@last", "../app.name", "frame.method", "place", "@root.id"]
        {
            assert!(resolve(&frame, path).is_ok(), "{path}");
        }
        let code = resolve(&frame, "code").unwrap().shape;
        let line = frame.each(code, &[]);
        for path in ["text", "../file", "../../app.name", "frame.file", "@../index"] {
            assert!(resolve(&line, path).is_ok(), "{path}");
        }
        let entry = root.each(Shape::Raw, &[]);
        assert!(resolve(&entry, "@key").is_ok() && resolve(&entry, "any.thing").is_ok());
        let given = root.partial(None, vec![("label".into(), Shape::Text)]);
        assert!(resolve(&given, "label").is_ok() && resolve(&given, "app.name").is_ok());
    }

    #[test]
    fn what_is_not_seen_is_named_with_what_was_meant() {
        let root = Scope::root("default");
        let expected = [
            ("app.nam", "there is no `app.nam`", "did you mean `app.name`?"),
            ("error_class", "there is no `error_class`", "did you mean `error.class`?"),
            ("trigger.type", "`trigger` is text and has no `type`", ""),
            ("zzzzzz", "there is no `zzzzzz`", ""),
            ("../app", "`../app` leads out of the template", ""),
            (
                "raw.project.apiKey",
                "`raw.project.apiKey` is a credential of the sending app and never available",
                "",
            ),
            (
                "error.stack.file",
                "`error.stack` is a list and has no `file`",
                "write `{{#each error.stack}} … {{/each}}`, or a number: `error.stack.0.file`",
            ),
        ];
        for (path, message, help) in expected {
            assert_eq!(lost(&root, path), (message.to_owned(), help.to_owned()), "{path}");
        }
        assert_eq!(lost(&root, "@index").0, "there is no `@index` here");
        assert_eq!(lost(&root, "@root").0, "`@root` does not stand alone");
        let (message, help) = lost(&in_stack(&[]), "app.name");
        assert_eq!(message, "there is no `app.name`");
        assert_eq!(help, "within this block the names are those of its element; write `@root.app.name`");
        assert!(resolve(&in_stack(&[]), "@key").is_err());
    }
}
