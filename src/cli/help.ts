export const help = `holdfast: what operators of the npm package holdfast need on a command line

Usage: holdfast <command> [options]

Commands:
  migrate        create or upgrade the tables that postgresStorage() needs

Options:
  -h, --help     this text; holdfast <command> --help: that of a command
  -v, --version  the version of holdfast
`

export const migrateHelp = `holdfast migrate: create or upgrade the tables that postgresStorage() needs

Usage: holdfast migrate [--url URL]          apply
       holdfast migrate --check [--url URL]  look only
       holdfast migrate --print              show the SQL, without a database

One transaction: all of it or nothing. Safe to run again, and by any number of processes at once: one works,
the others wait and find it done. Needs pg or postgres (postgres.js) installed; --print needs neither.

Options:
      --url URL        the database, postgres://user:password@host:5432/database; special characters in user
                       and password percent-encoded. Default: the variable DATABASE_URL, then PGHOST, PGPORT,
                       PGUSER, PGPASSWORD, PGDATABASE (a command line can be read by others on the machine)
      --schema NAME    the schema of the tables, created where it is missing; default holdfast
      --prefix PREFIX  before the name of every table, function and index; default none
      --print          write the SQL to standard output and nothing else
      --check          change nothing; exit code 0 where the tables are up to date, 1 where they are not
  -h, --help           this text

Exit codes: 0 done, or nothing to do · 1 failed, or not migrated (--check) · 2 options that cannot be read

Examples:
  npx holdfast migrate --url "$DATABASE_URL"
  npx holdfast migrate --print | psql -X -v ON_ERROR_STOP=1 "$DATABASE_URL"
  npx holdfast migrate --schema=shop --print > holdfast.sql
  npx holdfast migrate --check && node server.js

SQLite databases migrate themselves when they are opened; memory and Redis have nothing to migrate.
`
