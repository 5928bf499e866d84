/** What was asked for cannot be read: exit code 2. Never carries a value that was given, since it may hold a password. */
export class UsageError extends Error {}
