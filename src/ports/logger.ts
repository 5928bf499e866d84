type Log = (details: object, message: string) => void

/** Where log lines go: pino's method shape. Silent by default. */
export interface Logger {
  readonly debug: Log
  readonly info: Log
  readonly warn: Log
  readonly error: Log
}

const nothing: Log = () => {}

export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
