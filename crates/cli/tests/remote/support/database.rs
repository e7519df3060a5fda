//! The server's database, from beside: what an operator or another process does there.

use sqlx::{Connection as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::server::Server;

/// Runs statements; gives the first column of the last row, if there is one, as a number.
pub(crate) fn sql(server: &Server, statements: &'static str) -> Option<i64> {
    let files = server.kept_files();
    let mut files = files
        .iter()
        .filter(|file| file.extension().is_some_and(|ending| ending == "db"));
    let options = SqliteConnectOptions::new().filename(files.next().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let rows = sqlx::raw_sql(statements).fetch_all(&mut connection).await;
        let rows = rows.unwrap_or_else(|error| panic!("{statements}: {error}"));
        let value = rows.last().map(|row| row.get(0));
        connection.close().await.unwrap();
        value
    })
}
