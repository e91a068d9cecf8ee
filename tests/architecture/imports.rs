//! Imports of files, read from the paths that their code names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Item, UseTree};

/// The segments of a path from the root of the crate: `["keys", "source"]`.
type Module = Vec<String>;

/// Reads which other files each file names, by `crate`, `super`, `self` or a child module.
pub(crate) fn imports(source: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut house = House::default();
    for file in super::sources(source) {
        let inside = file.strip_prefix(source).unwrap().with_extension("");
        let mut module: Module =
            inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
            module.pop();
        }
        let parsed = syn::parse_file(&fs::read_to_string(&file).unwrap()).unwrap();
        house.files.insert(module, parsed);
    }
    house.collect_exports();
    let files = house.files.iter();
    files.map(|(module, file)| (module.join("::"), house.used_by(module, file))).collect()
}

#[derive(Default)]
struct House {
    files: BTreeMap<Module, syn::File>,
    /// For each name that a file re-exports, the path behind it.
    exports: BTreeMap<Module, Module>,
}

impl House {
    fn collect_exports(&mut self) {
        for (module, file) in &self.files {
            for item in &file.items {
                let Item::Use(item) = item else { continue };
                if !is_test(&item.attrs) {
                    for (name, path) in leaves(&item.tree) {
                        if let Some(target) = self.absolute(module, &path) {
                            self.exports.insert(joined(module, &name), target);
                        }
                    }
                }
            }
        }
    }

    /// Makes a path of a file one from the root; `None` for a path into another crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let mut from = module.clone();
        let mut rest = rest;
        match first.as_str() {
            "crate" => from.clear(),
            "self" => {}
            "super" => {
                from.pop();
                while let Some(("super", after)) =
                    rest.split_first().map(|(next, after)| (&**next, after))
                {
                    from.pop();
                    rest = after;
                }
            }
            child if self.files.contains_key(&joined(module, child)) => {
                from.push(child.to_owned());
            }
            _ => return None,
        }
        from.extend(rest.iter().cloned());
        Some(from)
    }

    /// Finds the file in which what a path names is written, behind all re-exports.
    fn file_of(&self, path: &Module) -> Option<Module> {
        let mut path = path.clone();
        for _ in 0..16 {
            let behind = (1..=path.len()).rev().find_map(|length| {
                let (head, rest) = path.split_at(length);
                let target = self.exports.get(head)?;
                (!self.files.contains_key(head)).then(|| [target, rest].concat())
            });
            match behind {
                Some(next) => path = next,
                None => break,
            }
        }
        (0..=path.len())
            .rev()
            .filter_map(|length| path.get(..length).map(<[String]>::to_vec))
            .find(|head| self.files.contains_key(head))
    }

    fn used_by(&self, module: &Module, file: &syn::File) -> BTreeSet<String> {
        let mut paths = Paths::default();
        for item in &file.items {
            // What a file re-exports it does not use: whoever names it there uses what is behind.
            let is_export =
                matches!(item, Item::Use(item) if !matches!(item.vis, syn::Visibility::Inherited));
            if !is_export {
                paths.visit_item(item);
            }
        }
        let absolute = paths.found.iter().filter_map(|path| self.absolute(module, path));
        let files = absolute.filter_map(|path| self.file_of(&path));
        files.filter(|file| file != module).map(|file| file.join("::")).collect()
    }
}

/// All paths of a file's code, its tests and its macros' arguments aside.
#[derive(Default)]
struct Paths {
    found: Vec<Vec<String>>,
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.found.extend(leaves(&item.tree).into_iter().map(|(_, path)| path));
        }
    }

    /// `pub(super)` says who may use it, not what it uses.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.found.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

/// The names that a `use` brings in, with their whole paths.
fn leaves(tree: &UseTree) -> Vec<(String, Vec<String>)> {
    match tree {
        UseTree::Path(path) => {
            let mut below = leaves(&path.tree);
            for (_, whole) in &mut below {
                whole.insert(0, path.ident.to_string());
            }
            for (name, whole) in &mut below {
                if name == "self" {
                    whole.pop();
                    *name = path.ident.to_string();
                }
            }
            below
        }
        UseTree::Name(name) => vec![(name.ident.to_string(), vec![name.ident.to_string()])],
        UseTree::Rename(name) => vec![(name.rename.to_string(), vec![name.ident.to_string()])],
        UseTree::Glob(_) => vec![("*".to_owned(), Vec::new())],
        UseTree::Group(group) => group.items.iter().flat_map(leaves).collect(),
    }
}

pub(crate) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg")
            && list
                .tokens
                .to_string()
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word == "test" || word == "doctest")
    })
}

fn joined(module: &Module, name: &str) -> Module {
    let mut whole = module.clone();
    whole.push(name.to_owned());
    whole
}
