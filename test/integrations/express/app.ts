// A real Express application on loopback.
import express, { type Express } from 'express'
import { listen } from '../http.ts'

export async function serve(set: (app: Express) => void): Promise<string> {
  const app = express()
  // Express prints unknown errors unless it is being tested, and shows their stack unless in production.
  app.set('env', 'test')
  set(app)
  return (await listen(app)).url
}
