// The peers are not installed for type checks.
declare module 'cockatiel'
declare module 'opossum'

declare module '@event-driven-io/emmett-postgresql'
