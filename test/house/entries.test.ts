import { expect, test } from 'vitest'
import { differences } from '../../scripts/entries.mjs'

test('package.json and tsconfig.json name exactly the entries of the table', () => {
  expect(differences()).toEqual([])
})
