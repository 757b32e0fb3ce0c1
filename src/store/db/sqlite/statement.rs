//! One statement on one connection: parameters in, rows out.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::store::db::{Error, Kind, Row, Value};

/// Runs a statement without parameters or rows, such as `BEGIN`, from the cache of prepared ones.
pub(super) fn run(connection: &Connection, sql: &'static str) -> Result<(), Error> {
    connection.prepare_cached(sql)?.raw_execute()?;
    Ok(())
}

/// Runs a statement; returns how many rows it changed.
pub(super) fn execute(
    connection: &Connection,
    sql: &'static str,
    parameters: &[Value],
) -> Result<u64, Error> {
    #[cfg(test)]
    super::noted::note(sql);
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, parameters)?;
    let mut rows = statement.raw_query();
    // A statement may end in RETURNING although nobody wants the rows.
    while rows.next()?.is_some() {}
    Ok(connection.changes())
}

/// Runs a statement; returns all its rows.
pub(super) fn rows(
    connection: &Connection,
    sql: &'static str,
    parameters: &[Value],
) -> Result<Vec<Row>, Error> {
    #[cfg(test)]
    super::noted::note(sql);
    let mut statement = connection.prepare_cached(sql)?;
    bind(&mut statement, parameters)?;
    let columns = statement.column_count();
    let mut found = Vec::new();
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|index| read(row.get_ref(index)?));
        found.push(Row(values.collect::<Result<Vec<_>, Error>>()?));
    }
    Ok(found)
}

/// `$7` is a *name* to SQLite, numbered by its first appearance, so every place is bound by what it is called.
fn bind(statement: &mut rusqlite::Statement<'_>, parameters: &[Value]) -> Result<(), Error> {
    for place in 1..=statement.parameter_count() {
        let number =
            statement.parameter_name(place).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let value = number.and_then(|number| parameters.get(number.checked_sub(1)?));
        match value {
            Some(Value::Null(_)) => statement.raw_bind_parameter(place, rusqlite::types::Null)?,
            Some(Value::Integer(number)) => statement.raw_bind_parameter(place, number)?,
            Some(Value::Text(text)) => statement.raw_bind_parameter(place, text.as_str())?,
            Some(Value::Bytes(bytes)) => statement.raw_bind_parameter(place, bytes.as_slice())?,
            None => return Err(Error::Corrupt(format!("a statement lacks its parameter {place}"))),
        }
    }
    Ok(())
}

fn read(value: ValueRef<'_>) -> Result<Value, Error> {
    Ok(match value {
        // SQLite's NULL has no type; the reader of the column does not ask for one.
        ValueRef::Null => Value::Null(Kind::Text),
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Text(text) => {
            let text = std::str::from_utf8(text);
            Value::Text(text.map_err(|_| Error::Corrupt("a text is not UTF-8".to_owned()))?.to_owned())
        }
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => return Err(Error::Corrupt("column type REAL is not in use".to_owned())),
    })
}
