//! Tables in Markdown, which a terminal can show as they are.

use std::fmt;

/// The head of a column.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    /// Of text, to the left.
    Text(&'static str),
    /// Of figures, to the right.
    Figure(&'static str),
}

/// Rows below heads.
#[derive(Clone, Debug)]
pub struct Table<const N: usize> {
    columns: [Column; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    /// A table without rows.
    pub fn new(columns: [Column; N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: [String; N]) {
        self.rows.push(row);
    }
}

impl Column {
    fn name(self) -> &'static str {
        match self {
            Self::Text(name) | Self::Figure(name) => name,
        }
    }

    fn cell(self, text: &str, width: usize) -> String {
        match self {
            Self::Text(_) => format!(" {text:width$} |"),
            Self::Figure(_) => format!(" {text:>width$} |"),
        }
    }

    fn rule(self, width: usize) -> String {
        let dashes = "-".repeat(width);
        match self {
            Self::Text(_) => format!(" {dashes} |"),
            Self::Figure(_) => format!(" {dashes}:|"),
        }
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = self.columns.map(|column| column.name().chars().count());
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let columns = || self.columns.into_iter().zip(widths);
        let heads: String =
            columns().map(|(column, width)| column.cell(column.name(), width)).collect();
        let rules: String = columns().map(|(column, width)| column.rule(width)).collect();
        writeln!(f, "|{heads}\n|{rules}")?;
        for row in &self.rows {
            let cells = columns().zip(row).map(|((column, width), text)| column.cell(text, width));
            writeln!(f, "|{}", cells.collect::<String>())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Column, Table};

    #[test]
    fn text_is_to_the_left_and_figures_to_the_right() {
        let mut table = Table::new([Column::Text("who"), Column::Figure("µs")]);
        table.push(["alice".to_owned(), "1.25".to_owned()]);
        let expected = "| who   |   µs |\n| ----- | ----:|\n| alice | 1.25 |\n";
        assert_eq!(table.to_string(), expected);
    }
}
