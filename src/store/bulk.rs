//! Statements about many rows: few of them, and of few sizes, so that a connection can keep them
//! all prepared.

use super::database::{Statement, Value};

/// Most rows or list items in one statement; more are split.
const MOST_ROWS: usize = 128;
/// Most rows that get a value each in one statement.
const MOST_CASES: usize = 64;
/// Most bytes in one statement, so that the server's `max_allowed_packet` is never reached.
const MOST_BYTES: usize = 1 << 20;

/// Inserts rows in as few statements as is sensible. Their sizes are powers of two, so that there
/// are few different ones to prepare and keep: `head` ends before `VALUES`, `tail` follows.
pub fn insert_rows(head: &str, tail: &str, rows: Vec<Vec<Value>>) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while let Some(first) = rows.next() {
        let size = |row: &[Value]| row.iter().map(Value::size).sum::<usize>();
        let (mut run, mut bytes) = (vec![first], 0);
        while let Some(row) =
            rows.next_if(|row| run.len() < MOST_ROWS && bytes + size(row) < MOST_BYTES)
        {
            bytes += size(&row);
            run.push(row);
        }
        while !run.is_empty() {
            let rest = run.split_off(1 << run.len().ilog2());
            let row = format!("({})", placeholders(run[0].len()));
            let sql = format!("{head} VALUES {}{tail}", vec![row; run.len()].join(", "));
            statements.push(Statement::new(sql, run.concat()));
            run = rest;
        }
    }
    statements
}

/// Splits a long list into parts for `IN (…)`. Each is filled up to a power of two by repeating
/// its last item, for the same reason.
pub fn in_lists<T>(items: &[T]) -> impl Iterator<Item = (String, Vec<Value>)>
where
    T: Copy + Into<Value>,
{
    items.chunks(MOST_ROWS).map(|part| {
        let filled = part.len().next_power_of_two();
        let items = part.iter().chain(std::iter::repeat(&part[part.len() - 1]));
        (placeholders(filled), items.take(filled).map(|item| (*item).into()).collect())
    })
}

/// A value for each of some rows, for one statement about all of them.
pub struct Cases {
    /// `CASE id WHEN ? THEN ? … END`.
    pub case: String,
    /// The list of `id IN (…)`.
    pub list: String,
    /// Those of the case, then those of the list.
    pub params: Vec<Value>,
}

/// Splits values by row into parts for one statement each. They are small: each row is held against
/// half of the cases. Each is filled up to a power of two by repeating its last, as in `in_lists`.
pub fn in_cases<K, V>(values: &[(K, V)]) -> impl Iterator<Item = Cases>
where
    K: Copy + Into<Value>,
    V: Copy + Into<Value>,
{
    values.chunks(MOST_CASES).map(|part| {
        let filled = part.len().next_power_of_two();
        let rows = part.iter().chain(std::iter::repeat(&part[part.len() - 1])).take(filled);
        let cases = rows.clone().flat_map(|(id, value)| [(*id).into(), (*value).into()]);
        Cases {
            case: format!("CASE id{} END", " WHEN ? THEN ?".repeat(filled)),
            list: placeholders(filled),
            params: cases.chain(rows.map(|(id, _)| (*id).into())).collect(),
        }
    })
}

fn placeholders(count: usize) -> String {
    vec!["?"; count].join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::database::values;
    use super::*;
    use crate::core::types::UserId;

    #[test]
    fn rows_go_into_few_statements_of_few_sizes() {
        let rows = |count: usize| (0..count).map(|n| values![n, "x"]).collect::<Vec<_>>();
        let sizes = |count| -> Vec<usize> {
            let statements = insert_rows("INSERT INTO t (a, b)", "", rows(count));
            statements.iter().map(|statement| statement.params.len() / 2).collect()
        };
        assert_eq!(sizes(0), [0; 0]);
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(300), [128, 128, 32, 8, 4]);
        let two = &insert_rows("INSERT INTO t (a, b)", " X", rows(2))[0];
        assert_eq!(two.sql, "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) X");
        assert_eq!(two.params, values![0, "x", 1, "x"]);
    }

    #[test]
    fn a_statement_never_grows_beyond_a_packet() {
        let rows = (0..3).map(|_| values!["x".repeat(MOST_BYTES)]).collect();
        assert_eq!(insert_rows("INSERT INTO t (a)", "", rows).len(), 3);
    }

    #[test]
    fn a_list_is_filled_up_with_its_last_item() {
        let lists: Vec<_> = in_lists(&[UserId(1), UserId(2), UserId(3)]).collect();
        assert_eq!(lists, [("?, ?, ?, ?".to_owned(), values![1, 2, 3, 3])]);
        assert_eq!(in_lists::<UserId>(&[]).count(), 0);
    }

    #[test]
    fn values_by_row_are_filled_up_with_the_last() {
        let all: Vec<_> = in_cases(&[(UserId(1), 10), (UserId(2), 20), (UserId(3), 30)]).collect();
        let [Cases { case, list, params }] = &all[..] else { panic!("{} parts", all.len()) };
        assert_eq!(case, &format!("CASE id{} END", " WHEN ? THEN ?".repeat(4)));
        assert_eq!(params[..8], values![1, 10, 2, 20, 3, 30, 3, 30]);
        assert_eq!((list.as_str(), &params[8..]), ("?, ?, ?, ?", &values![1, 2, 3, 3][..]));
        let many: Vec<_> = (0..65).map(|id| (UserId(id), 1)).collect();
        let sizes = in_cases(&many).map(|part| part.params.len() / 3);
        assert_eq!(sizes.collect::<Vec<_>>(), [64, 1]);
    }
}
